"""Writes a procedure file for the scene: the first two components of the seed, against real servers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from string import Template

FOLDER = Path(__file__).parent


def write_procedure(folder: Path, kubeconfig: Path, context: str, prometheus_url: str | None) -> Path:
    """A configuration file in the folder, with the manifests that it names beside it.

    Without a Prometheus it has no triggers and no check that asks one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(FOLDER / "backup", folder / "backup", dirs_exist_ok=True)
    parts = ["procedure.toml.in"] + (["procedure-prometheus.toml.in"] if prometheus_url else [])
    text = "\n".join((FOLDER / part).read_text() for part in parts)
    values = {"kubeconfig": str(kubeconfig), "context": context}
    if prometheus_url:
        values |= {"prometheus_url": prometheus_url, "prometheus_ready": f"{prometheus_url}/-/ready"}
    values["prometheus_ready"] = f"{prometheus_url}/-/ready"
    # A JSON string without non-ASCII escapes is a TOML basic string.
    quoted = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
    path = folder / "procedure.toml"
    path.write_text(Template(text).substitute(quoted))
    return path
