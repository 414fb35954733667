"""A program whose exit code decides: check kind `command.run`. A test suite, a script that compares, a probe of one's own.

Unlike the step of that name it is to look and to change nothing, so it may be run as often as somebody likes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.engine.ports import Check, Evidence
from console.targets.programs import CannotRun, Command, ExitCode, Variables, names_a_program, run_to_end

KIND: Final = "command.run"
TARGET_KINDS: Final[tuple[str, ...]] = ()


class Options(TableOptions):
    """A program and the exit code that is a pass. It has the check's `timeout`, 10s unless the file says more; most need more."""

    command: Command
    """The program and its arguments: `["./tests/run.sh", "--all"]`. No shell reads it; for one, write `["sh", "-c", "…"]`."""
    cwd: Annotated[FilePath, Field(default=".", validate_default=True)]
    """The folder that it runs in; left out: this file's."""
    env: Variables = Field(default_factory=dict)
    """Variables for it, beside those that the console itself has. Secrets by reference: `{ TOKEN = { env = "TOKEN" } }`."""
    expect_exit: ExitCode | Annotated[tuple[ExitCode, ...], Field(min_length=1)] = 0
    """The exit code that is a pass, or a list of them; every other is a fail."""
    kill_after_seconds: PositiveDuration | None = None
    """End it after this time, with all that it started, and keep what it wrote; the check's `timeout` ends it without that."""

    @model_validator(mode="after")
    def _not_a_line(self) -> Options:
        if not names_a_program(self.command):
            raise ValueError('"command" begins with the name of a program')
        return self


class CommandRun:
    """Passes and fails by the exit code; a signal is a fail; unknown where it could not be run, or not to its end."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._cwd = Path(options.cwd).absolute()
        self._expected = (options.expect_exit,) if isinstance(options.expect_exit, int) else options.expect_exit

    async def run(self) -> Evidence:
        options = self._options
        try:
            ran = await run_to_end(
                options.command, cwd=self._cwd, variables=options.env, seconds=options.kill_after_seconds
            )
        except CannotRun as error:
            return Evidence("unknown", str(error))
        if ran.ended.code is None:
            return Evidence("unknown", ran.words, ran.lines)
        return Evidence("pass" if ran.ended.code in self._expected else "fail", ran.words, ran.lines)


def build(options: Options, target: None = None) -> Check:
    del target  # it takes none
    return CommandRun(options)
