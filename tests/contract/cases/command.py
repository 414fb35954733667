"""`command.run` as cases of the contract: a script of this machine, with a probe that only looks and without one."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from console.engine.ports import Json, Step
from console.steps.command_run import CommandRun, Options
from console.targets.marks import Marks
from tests.contract.cases import differing
from tests.contract.step_contract import Case, Differs

SECRET: Final = "hunter2hunter2"
_SCRIPT: Final = """#!/bin/sh
test ! -e turned-away || exit 4
echo run >> runs
touch effect
test ! -e lingering || exec sleep 60
echo "by $TOKEN"
"""
_PROBE: Final = ("sh", "-c", "test -e effect")
_UNDO: Final = ("sh", "-c", "echo undone >> runs; rm -f effect")


class Workshop:
    """A folder with a script; `runs` counts what had an effect there."""

    place = r"restore\.sh"
    secrets: tuple[str, ...] = (SECRET,)

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self._work = folder / "work"
        self._work.mkdir()
        self._options = options
        self._script = self._work / "restore.sh"
        self._script.write_text(_SCRIPT)
        self._script.chmod(0o755)
        self._token = folder / "token"
        self._token.write_text(SECRET)
        self._seconds = "60s"
        self.target = rf"{re.escape(str(self._work))}|\./restore\.sh"

    def step(self) -> Step:
        given = {
            "command": ("./restore.sh",),
            "cwd": str(self._work),
            "kill_after": self._seconds,
            "env": {"TOKEN": {"file": str(self._token)}},
            "undo": _UNDO,
            **self._options,
        }
        return CommandRun("step", Options.model_validate(given), marks=Marks(self.folder / "marks"))

    def state(self) -> Json:
        return (self._place / "effect").exists()

    def writes(self) -> Mapping[str, str]:
        runs = self._place / "runs"
        return {"effect": runs.read_text() if runs.exists() else ""}

    def disturb(self) -> None:
        self._script.write_text(_SCRIPT + "echo more >> runs\n")

    @contextlib.contextmanager
    def lose_answers(self) -> Iterator[None]:
        """Its time is up after its effect and before its end."""
        (self._work / "lingering").touch()
        self._seconds = "500ms"
        yield
        self._seconds = "60s"
        (self._work / "lingering").unlink()

    @contextlib.contextmanager
    def drop_requests(self) -> Iterator[None]:
        """It gives up before its effect."""
        (self._work / "turned-away").touch()
        yield
        (self._work / "turned-away").unlink()

    def break_down(self) -> None:
        self._work.rename(self.folder / "moved")

    @property
    def _place(self) -> Path:
        return self._work if self._work.exists() else self.folder / "moved"


def _with_a_probe(folder: Path) -> Workshop:
    return Workshop(folder, probe=_PROBE)


_NO_PRECONDITION: Final = {
    "test_a_strange_change_in_the_last_moment_is_refused_by_what_is_sent": Differs(
        "a program is compared when it is planned at its turn; its start knows no precondition",
        differing.is_carried_out_all_the_same,
    )
}
CASES: Final = (
    Case("command.run", "with a probe", _with_a_probe, _NO_PRECONDITION),
    Case(
        "command.run",
        "without a probe",
        Workshop,
        {
            **differing.WITHOUT_A_PROBE,
            **_NO_PRECONDITION,
            "test_a_target_that_is_not_there_is_named_by_every_call": Differs(
                "there is no probe that could be missing its place", differing.is_met_by_starting
            ),
        },
    ),
)
