"""The command line in this process, on a simulated world in a folder of the test's own."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.cli import run
from tests.cli.simulated import World, registry

PROCEDURE = Path(__file__).with_name("procedure.toml")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def documents(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Cli:
    """Runs commands as `rollback-console -c procedure.toml --as alice …` would, and says how they ended."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.config = folder / "procedure.toml"
        self.journal = folder / "state" / "rollback-console" / "simulated-migration.journal"
        self._capture = capture

    def __call__(self, *arguments: str) -> Result:
        self._capture.readouterr()
        code = run(["-c", str(self.config), "--as", "alice", *arguments], registry())
        out, err = self._capture.readouterr()
        return Result(code, out, err)

    def done(self, *arguments: str) -> Result:
        result = self(*arguments)
        assert result.code == 0, result
        return result

    def status(self) -> Any:
        return self.done("status", "--json").document

    def component(self, component_id: str) -> Any:
        return next(c for c in self.status()["components"] if c["id"] == component_id)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the procedure and its world; the journal's default place is inside it too."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for variable in ("ROLLBACK_CONSOLE_CONFIG", "ROLLBACK_CONSOLE_JOURNAL", "ROLLBACK_CONSOLE_AS", "NO_COLOR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    shutil.copy(PROCEDURE, tmp_path / "procedure.toml")
    return tmp_path


@pytest.fixture
def world(folder: Path) -> World:
    world = World(folder / "world.json")
    values = {"dashboard": "new", "features": "shown", "gateway": "qec", "latency": 12}
    world.write({"values": values, "trouble": {}, "sent": {}})
    return world


@pytest.fixture
def cli(folder: Path, world: World, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(folder, capsys)


@pytest.fixture
def declared(cli: Cli) -> Cli:
    cli.done("declare", "--reason", "latency")
    return cli
