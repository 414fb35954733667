"""`command.run`: a program with its arguments, never a shell. Its exit code decides, its `probe` tells what became of it.

No console can know what a program did before it was killed, or after the console died. So nothing is ever run again by itself:
a program that may still be running is waited for (`Marks`), then the probe, a second program that only looks, says done or
not; without one the outcome is unknown, which is said before it is confirmed (docs/decisions/0013).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field, model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.domain.errors import Failed, Refused, Unknown
from console.domain.triggers import span
from console.engine.gateway import Permit
from console.engine.ports import Change, Description, Finding, Json, Probe, Progress, Proof, Receipt, Seen
from console.targets.environment import Environment
from console.targets.marks import Marks, host
from console.targets.process import Ended, NotStarted, find_program, run
from console.targets.programs import Command, ExitCode, Variables, names_a_program
from console.targets.text import clean_line

KIND: Final = "command.run"
TARGET_KINDS: Final[tuple[str, ...]] = ()

OPERATION_VARIABLE: Final = "ROLLBACK_CONSOLE_OPERATION"
"""Tells the program which operation it is, for those that keep a record of their own."""
PROBE_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 1.0
_LARGEST_HASHED_BYTES: Final = 64 * 1024 * 1024
_FAILURE_CHARACTERS: Final = 2000
_NO_PROBE: Final = "there is no probe to ask: only a person can tell"
_INTERPRETER: Final = re.compile(r"(ba|da|z|k)?sh|python[\d.]*|perl|ruby|node")


class Options(TableOptions):
    """A program, what it must answer, and the programs that look at its effect and take it back."""

    command: Command
    """The program and its arguments: `["./restore.sh", "--all"]`. No shell reads it; for one, write `["sh", "-c", "…"]`."""
    cwd: Annotated[FilePath, Field(default=".", validate_default=True)]
    """The folder that it runs in; left out: this file's."""
    env: Variables = Field(default_factory=dict)
    """Variables for it, beside those that the console itself has. Secrets by reference: `{ TOKEN = { env = "TOKEN" } }`."""
    kill_after_seconds: PositiveDuration = 300.0
    """How long it may take; then it is ended, with all that it started."""
    expect_exit: ExitCode | Annotated[tuple[ExitCode, ...], Field(min_length=1)] = 0
    """The exit code that means success, or a list of them."""
    probe: Command | None = None
    """A program that only looks: exit 0 when the effect is there, 1 when it is not, anything else when it can't tell."""
    undo: Command | None = None
    """The program that takes it back; left out: it can't be taken back."""

    @model_validator(mode="after")
    def _not_a_line(self) -> Options:
        for name in ("command", "probe", "undo"):
            argv: tuple[str, ...] | None = getattr(self, name)
            if argv is not None and not names_a_program(argv):
                raise ValueError(f'"{name}" begins with the name of a program')
        return self


@dataclass(frozen=True, slots=True)
class _Goal:
    """`present`: whether the probe is to find the effect (0) or to find it gone (1)."""

    argv: tuple[str, ...]
    token: str
    host: str
    present: bool
    undoes: bool = False

    def to_json(self) -> Json:
        return {**asdict(self), "argv": list(self.argv)}

    @classmethod
    def from_json(cls, goal: Json) -> _Goal:
        return cls(**{**goal, "argv": tuple(goal["argv"])})


class CommandRun:
    def __init__(self, step_id: str, options: Options, *, marks: Marks | None = None) -> None:
        self.irreversible = None if options.undo else 'its step names no "undo" command'
        self._id = step_id
        self._options = options
        self._cwd = Path(options.cwd).absolute()
        self._expected = (options.expect_exit,) if isinstance(options.expect_exit, int) else options.expect_exit
        self._marks = marks or Marks()
        self._env = Environment(options.env)
        self._argvs = [a for a in (options.command, options.probe, options.undo) if a is not None]
        self._ended: dict[str, str] = {}

    def describe(self) -> Description:
        return Description(
            f"run {self._line(self._options.command)}", (self._env.spelled(self._options.command, self._cwd),)
        )

    # ------------------------------------------------------------ before

    async def preflight(self) -> Sequence[Finding]:
        try:
            env = await self._env.resolved(*self._argvs)
        except Refused as error:
            return [Finding("block", error.message, "secret")]
        named = (("command", self._options.command), ("probe", self._options.probe), ("undo", self._options.undo))
        findings = [self._found(name, argv, env) for name, argv in named if argv is not None]
        if self._options.probe is None:
            lost = f"the console dies, or its {span(self._options.kill_after_seconds)} are up"
            findings.append(Finding("warn", f"no probe: if {lost}, only a person can tell what it did", "no_probe"))
        return findings

    def _found(self, name: str, argv: Sequence[str], env: Mapping[str, str]) -> Finding:
        if not self._cwd.is_dir():
            return Finding("block", f"there is no folder {self._cwd}", "not_found")
        program = find_program(argv[0], self._cwd, env)
        if program is not None:
            return Finding("ok", f"{name}: {clean_line(str(program))}", "program")
        hint = "; write its arguments one by one" if " " in argv[0].strip() else ""
        where = f"in {self._cwd}" if "/" in argv[0] else "on the PATH"
        return Finding("block", f"{name}: there is no program {clean_line(argv[0])} {where}{hint}", "not_found")

    async def plan(self, pin: Json = None) -> Change:  # noqa: ARG002 - nothing is chosen here
        return await self._plan(_Goal(self._options.command, secrets.token_hex(8), host(), present=True))

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        if self._options.undo is None:
            raise Refused(f"{self._line(self._options.command)} can't be taken back: {self.irreversible}")
        for attempt in map(_Goal.from_json, pre_images):
            if still := self._still_running(attempt):
                raise Refused(still, "wait for its end")
        return await self._plan(_Goal(self._options.undo, secrets.token_hex(8), host(), present=False, undoes=True))

    async def _plan(self, goal: _Goal) -> Change:
        env = await self._env.resolved(*self._argvs)
        looked = await self._looked(env)
        there = {0: True, 1: False}.get(looked.code if looked and looked.code is not None else -1)
        if looked is not None and there is None:
            raise Refused(f"the probe can't tell: {self._told(looked)}", "nothing was run")
        already = there is not None and there == goal.present
        line = self._line(goal.argv)
        return Change(
            summary=f"{line}: its effect is {'gone' if goal.undoes else 'there'} already" if already else f"run {line}",
            identity={
                "argv": list(goal.argv),
                "cwd": str(self._cwd),
                "env": {name: str(value) for name, value in self._options.env.items()},
                "run": not already,
            },
            goal=goal.to_json(),
            lines=() if already else tuple(self._lines(goal, looked)),
            commands=(self._env.spelled(goal.argv, self._cwd),),
            already=already,
            seen=await asyncio.to_thread(self._seen, goal.argv, env),
        )

    def _lines(self, goal: _Goal, looked: Ended | None) -> list[str]:
        probe = self._line(self._options.probe) if self._options.probe else ""
        codes = " or ".join(str(code) for code in self._expected)
        found = f"  probe {probe}: {'not there' if goal.present else 'there'} now ({looked.words})" if looked else ""
        return [
            f"+ run: {self._line(goal.argv)}",
            f"  in {clean_line(str(self._cwd))}, for at most {span(self._options.kill_after_seconds)}; success is exit {codes}",
            *(f"  with {variable}" for variable in self._env.shown()),
            found or "  no probe: if its end is not seen, only a person can tell what it did",
        ]

    def _seen(self, argv: Sequence[str], env: Mapping[str, str]) -> dict[str, Seen]:
        """The program's file, and its script's: whoever replaces one after the preview has changed what was confirmed."""
        program = find_program(argv[0], self._cwd, env)
        if program is None:
            raise Refused(f"there is no program {clean_line(argv[0])}", "nothing was run")
        files = [program]
        if len(argv) > 1 and _INTERPRETER.fullmatch(program.name) and (self._cwd / argv[1]).is_file():
            files.append(self._cwd / argv[1])
        return {f"program {clean_line(str(file))}": _file_seen(file) for file in files}

    async def capture(self, change: Change) -> Json:
        return change.goal

    # ------------------------------------------------------------ the effect, and what became of it

    async def apply(self, goal: Json, permit: Permit) -> Receipt:
        if not isinstance(permit, Permit):
            raise Refused(f"step {self._id} needs a permit, which the gateway alone gives", "nothing was run")
        wanted = _Goal.from_json(goal)
        env = {**await self._env.resolved(*self._argvs), OPERATION_VARIABLE: permit.op}
        limit = self._options.kill_after_seconds
        looked = await self._looked(env)  # once more: whoever is asked to do what is done must not do it again
        if looked is not None and looked.code == (0 if wanted.present else 1):
            return Receipt(f"nothing is run: its effect is {'there' if wanted.present else 'gone'} already")
        try:
            with self._marks.held(wanted.token) as mark:
                ended = await run(wanted.argv, timeout_seconds=limit, env=env, cwd=self._cwd, merged=True, held=mark)
        except NotStarted as error:
            raise Refused(self._env.redact(str(error)), "nothing was run") from None
        except BlockingIOError:
            raise Refused(self._still_running(wanted), "nothing was run") from None
        except OSError as error:
            raise Refused(f"its start can't be recorded: {error.strerror}", "nothing was run") from None
        if ended.code is None:
            raise Unknown(f"{self._line(wanted.argv)}: {self._told(ended)}")
        expected = (0,) if wanted.undoes else self._expected
        if ended.code not in expected:
            raise Failed(f"{self._line(wanted.argv)}: {self._told(ended)}")
        self._ended[wanted.token] = ended.words
        note = "; something that it started goes on" if ended.left_behind else ""
        return Receipt(ended.words + note + _indented(ended.stdout.text(self._env.redact)))

    async def probe(self, goal: Json) -> Probe:
        wanted = _Goal.from_json(goal)
        if wanted.host != host():
            return Probe("unknown", f"it was run on {clean_line(wanted.host)}, and this is {host()}: look there")
        if still := self._still_running(wanted):
            return Probe("unknown", still)
        looked = await self._looked(await self._env.resolved(*self._argvs))
        if looked is None:
            return Probe("unknown", _NO_PROBE)
        if looked.code not in (0, 1):
            return Probe("unknown", f"the probe can't tell: {self._told(looked)}")
        there = looked.code == 0
        detail = (
            f"{self._line(self._options.probe or ())} finds it {'there' if there else 'not there'} ({looked.words})"
        )
        return Probe("done" if there == wanted.present else "not_done", detail)

    async def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:
        wanted = _Goal.from_json(goal)
        ran = self._ended.get(wanted.token, "")
        if self._options.probe is None:
            yield Proof(f"{ran or 'it ended as expected'}; there is no probe to read its effect back with")
            return
        while True:
            found = await self.probe(goal)
            if found.answer == "done":
                yield Proof("; ".join(filter(None, [ran, found.detail])))
                return
            yield Progress(found.detail)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    # ------------------------------------------------------------ small things

    async def _looked(self, env: Mapping[str, str]) -> Ended | None:
        if self._options.probe is None:
            return None
        seconds = min(PROBE_SECONDS, self._options.kill_after_seconds)
        try:
            return await run(self._options.probe, timeout_seconds=seconds, env=env, cwd=self._cwd, merged=True)
        except NotStarted as error:
            raise Refused(f"the probe can't be run: {self._env.redact(str(error))}", "nothing was run") from None

    def _still_running(self, goal: _Goal) -> str:
        """What is known of a program that has not ended; empty when it has."""
        group = self._marks.running(goal.token) if goal.host == host() else None
        if group is None:
            return ""
        known = f", as process {group}" if group else ""  # the console may have died before it could note it
        return f"{self._line(goal.argv)} is still running{known} on {clean_line(goal.host)}"

    def _told(self, ended: Ended) -> str:
        text = ended.stdout.text(self._env.redact)
        if len(text) > _FAILURE_CHARACTERS:
            text = "…\n" + text[-_FAILURE_CHARACTERS:].partition("\n")[2]
        return ended.words + _indented(text)

    def _line(self, argv: Sequence[str]) -> str:
        return self._env.redact(clean_line(shlex.join(argv)))


def _indented(text: str) -> str:
    """Output behind a bar, so that no line of it can pass for one of ours."""
    lines = text.splitlines()
    return f": {lines[0]}" if len(lines) == 1 else "".join(f"\n    | {line}" for line in lines)


def _file_seen(file: Path) -> Seen:
    try:
        stat = file.stat()
        content: dict[str, Any] = {
            "size": stat.st_size,
            "modified": datetime.fromtimestamp(stat.st_mtime, UTC).isoformat(),
        }
        if stat.st_size <= _LARGEST_HASHED_BYTES:
            content = {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "size": stat.st_size}
        return Seen(content, _owner(file))
    except OSError as error:
        raise Refused(f"{file} can't be read: {error.strerror}", "nothing was run") from None


def _owner(file: Path) -> str:
    try:
        return file.owner()
    except (KeyError, OSError):
        return ""


def build(step_id: str, options: Options, target: None = None) -> CommandRun:  # noqa: ARG001 - kinds are built alike
    return CommandRun(step_id, options)
