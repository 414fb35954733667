"""A program as the file names it: what every kind that runs one says alike. Used by the steps and checks that do.

`process.py` runs it and `environment.py` gives it its variables; here are the options' types, and a run whose end is evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import Field, StringConstraints

from console.config.secrets import SecretReference
from console.domain.errors import Refused
from console.targets.environment import Environment
from console.targets.process import Ended, NotStarted, find_program, run
from console.targets.text import clean_line

DETAIL_LINES: Final = 40
DETAIL_LINE_LIMIT: Final = 300
LONGEST_SECONDS: Final = 86_400.0
"""For a run that has no limit of its own: whoever waits for it has one."""

Argument: TypeAlias = Annotated[str, StringConstraints(max_length=10_000, pattern=r"^[^\x00]*$")]
Command: TypeAlias = Annotated[tuple[Argument, ...], Field(min_length=1, max_length=1000)]
ExitCode: TypeAlias = Annotated[int, Field(ge=0, le=255)]
Variable: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=200)]
Variables: TypeAlias = dict[Variable, Argument | SecretReference]


class CannotRun(Exception):
    """It was never started: there is no such program, no such folder, no such secret. Says what, and what to do."""


class NoProgram(CannotRun):
    """There is no such program, or it may not be run."""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a program ended, and the end of what it wrote, its errors among it: clean, bounded and without secrets."""

    ended: Ended
    lines: tuple[str, ...]

    @property
    def words(self) -> str:
        """`exit 1 in 3.2 s: 2 of 40 failed`: the end, and the last line that says something."""
        return self.said("")

    def said(self, reason: str) -> str:
        """The same with a reason for the exit code: `exit 104 in 0.2 s, its configuration is not valid: …`."""
        last = clean_line(next((line for line in reversed(self.lines) if line.strip()), ""))
        note = "; something that it started goes on" if self.ended.left_behind else ""
        return self.ended.words + (f", {reason}" if reason else "") + note + (f": {last}" if last else "")


async def run_to_end(
    argv: Sequence[str],
    *,
    cwd: Path,
    variables: Mapping[str, str | SecretReference],
    seconds: float | None,
    more: Mapping[str, str] | None = None,
) -> Ran:
    """Runs it with the console's own environment, `variables` and `more`. Raises CannotRun; cancelling ends all of it."""
    environment = Environment(variables)
    try:
        env = {**await environment.resolved(argv), **(more or {})}
    except Refused as error:
        raise CannotRun(error.message) from None
    try:
        ended = await run(argv, timeout_seconds=seconds or LONGEST_SECONDS, env=env, cwd=cwd, merged=True)
    except NotStarted as error:
        raise _cannot_run(environment.redact(clean_line(str(error))), argv[0], cwd, env) from None
    return Ran(ended, _end_of(ended.stdout.text(environment.redact)))


def names_a_program(argv: Sequence[str]) -> bool:
    return bool(argv[0].strip())


def _cannot_run(reason: str, program: str, cwd: Path, env: Mapping[str, str]) -> CannotRun:
    if find_program(program, cwd, env) is not None or not cwd.is_dir():
        return CannotRun(reason)
    return NoProgram(reason + ("; write its arguments one by one" if " " in program.strip() else ""))


def _end_of(text: str) -> tuple[str, ...]:
    lines = text.splitlines()[-DETAIL_LINES:]
    return tuple(line if len(line) <= DETAIL_LINE_LIMIT else f"{line[: DETAIL_LINE_LIMIT - 1]}…" for line in lines)
