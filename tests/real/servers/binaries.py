"""Finds what `make real` built. The versions stand in the tools' go.mod files and nowhere else."""

from __future__ import annotations

import os
import re
from pathlib import Path

TOOLS = Path(__file__).parents[1] / "tools"
MODULES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubernetes": "k8s.io/kubernetes",
    "kwok": "sigs.k8s.io/kwok",
    "opa": "github.com/open-policy-agent/opa",
    "prometheus": "github.com/prometheus/prometheus",
}
REQUIRED = os.environ.get("ROLLBACK_CONSOLE_REQUIRE_REAL") == "1"
"""In CI an absent server is a failure; on a laptop it is a reason to skip."""


class NotBuilt(Exception):
    """The servers' cache has no finished folder for a tool in the version that its go.mod asks for."""


def version(tool: str) -> str:
    """The version that the tool's go.mod pins, with its `v`."""
    required = re.search(rf"^\s*{re.escape(MODULES[tool])} (v\S+)", (TOOLS / tool / "go.mod").read_text(), re.MULTILINE)
    if required is None:
        raise LookupError(f"tests/real/tools/{tool}/go.mod does not require {MODULES[tool]}")
    return required[1]


def cache() -> Path:
    """Where `tests/real/tools/build` puts the servers."""
    if own := os.environ.get("ROLLBACK_CONSOLE_REAL"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rollback-console" / "real"


def find(tool: str, file: str) -> Path:
    """A file of a tool's finished build, or NotBuilt."""
    folder = cache() / f"{tool}-{version(tool).removeprefix('v')}"
    if not (folder / "complete").exists():
        raise NotBuilt(f"real servers not built: run make real ({folder} is missing or unfinished)")
    return folder / file


def require(*tools: str) -> None:
    """Raises NotBuilt unless every one of these tools (all when none is named) is built."""
    for tool in tools or tuple(MODULES):
        find(tool, "complete")
