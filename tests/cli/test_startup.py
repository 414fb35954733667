"""What starting imports: help and a first look must not wait for a screen, a cluster's client or an HTTP library."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "textual",
    "rich",
    "pydantic",
    "kubernetes",
    "httpx",
    "requests",
    "yaml",
    "psycopg",
    "git",
    "prometheus_api_client",
}


def imported(code: str, folder: Path) -> set[str]:
    """The top-level packages that a fresh Python has imported after running the code."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(root), "XDG_STATE_HOME": str(folder / "state"), "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_command_line_imports_nothing_heavy(folder: Path) -> None:
    assert not imported("import console.cli", folder) & HEAVY


def test_help_imports_nothing_heavy(folder: Path) -> None:
    assert not imported("from console.cli import run; run(['--help'])", folder) & HEAVY


def test_a_mistake_in_the_arguments_imports_nothing_heavy(folder: Path) -> None:
    assert not imported("from console.cli import run; run(['rolback'])", folder) & HEAVY


@pytest.mark.parametrize("command", ["['check']", "['status']", "['journal', 'verify']"])
def test_looking_imports_no_client_and_no_screen(folder: Path, command: str) -> None:
    (folder / "rollback-console.toml").write_text(
        '[incident]\ntitle = "x"\n[target.cluster]\nkind = "kubernetes"\n[[component]]\nid = "a"\n[[component.step]]\n'
        'id = "s"\nkind = "kubernetes.patch"\nobject = "ConfigMap/x"\nnamespace = "y"\npatch = { data = { a = "b" } }\n'
    )
    found = imported(f"from console.cli import run; run({command})", folder)
    assert not found & (HEAVY - {"pydantic"})
