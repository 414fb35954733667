"""`drill`: the systems of the sample procedure on this machine, a scenario that breaks them, the console, and a debrief."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.commands import exits
from console.commands.interrupts import on_signals
from console.commands.invocation import Invocation, UsageProblem
from console.domain.errors import Failed, Refused
from console.journals.places import state_folder

if TYPE_CHECKING:
    from console.commands.output import Output
    from console.report.model import Chained
    from console.sandbox.model.scenario import Scenario

_START_SECONDS = 90.0
_END_SECONDS = 15.0
_FASTEST = 60.0


async def drill(invocation: Invocation) -> int:
    try:
        from console.sandbox import debrief as debriefing
        from console.sandbox.model import scenario as scenarios
    except ImportError as error:
        raise _not_installed(error) from None
    args, out = invocation.args, invocation.out
    if args.list:
        return _list(invocation)
    scenario = scenarios.load(args.scenario)
    if not 0 < args.speed <= _FASTEST:
        raise UsageProblem(f"--speed {args.speed:g}", f"a number over 0, up to {_FASTEST:g}")
    began = datetime.now(UTC)
    record = state_folder() / "drills" / f"{began:%Y%m%dT%H%M%SZ}-{args.scenario}.journal"
    record.parent.mkdir(parents=True, exist_ok=True)
    out.aside(f"Drill: {scenario.title}. Starting its systems on this machine.")
    systems = _Systems(invocation)
    async with systems.running() as procedure:
        out.aside(debriefing.wrapped(scenario.story))
        out.aside(f"Ready after {(datetime.now(UTC) - began).total_seconds():.1f} s.")
        told = f"Drill. {' '.join(scenario.story.split())}"
        given = dataclasses.replace(
            invocation, args=_with(args, config=str(procedure), journal=str(record), greeting=told)
        )
        code = await (_until_told(given) if args.no_screen else _screen(given))
        ended = datetime.now(UTC)
    for text in systems.said:
        out.aside(f"It was said: {text}")
    _debrief(given, scenario, record, began, ended, systems.well_since)
    return code


def _list(invocation: Invocation) -> int:
    from console.sandbox.model import scenario as scenarios

    for name in scenarios.names():
        found = scenarios.load(name)
        invocation.out.line(f"{name:<22}{found.title}")
        invocation.out.json({"scenario": name, "title": found.title, "story": found.story})
    return exits.DONE


def _with(args: argparse.Namespace, **changes: Any) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(args), **changes})


async def _screen(invocation: Invocation) -> int:
    from console.commands.screen import screen

    return await screen(invocation)


async def _until_told(invocation: Invocation) -> int:
    """Without a screen: says where everything is, and waits for Ctrl-C."""
    args = invocation.args
    line = f"rollback-console -c {args.config} --journal {args.journal}"
    ended = asyncio.Event()
    with on_signals(lambda _: ended.set()):
        invocation.out.line(f"The drill runs until Ctrl-C. In another terminal:\n  {line} status")
        invocation.out.json({"event": "ready", "procedure": args.config, "journal": args.journal})
        await ended.wait()
    return exits.DONE


# ------------------------------------------------------------ the systems' process


class _Systems:
    """The process with the systems. It ends with the block, and with this process, however that ends."""

    def __init__(self, invocation: Invocation) -> None:
        self.said: list[str] = []
        self.well_since: datetime | None = None
        self._args = invocation.args

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Path]:
        """The procedure's file, once everything is up."""
        args = self._args
        folder = Path(tempfile.mkdtemp(prefix="rollback-console-drill-"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "console.sandbox", str(folder),
            "--scenario", args.scenario, "--seed", str(args.seed), "--pace", str(args.speed),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        following: list[asyncio.Task[None]] = []
        try:
            procedure = await self._ready(process)
            following = [asyncio.create_task(self._follow(process)), asyncio.create_task(_drain(process))]
            yield procedure
        finally:
            await _end(process)
            await asyncio.gather(*following, return_exceptions=True)
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _ready(self, process: asyncio.subprocess.Process) -> Path:
        try:
            async with asyncio.timeout(_START_SECONDS):
                while document := await _next_line(process):
                    self._take(document)
                    if "ready" in document:
                        return Path(document["ready"]["procedure"])
                    if "failed" in document:
                        raise Failed(document["failed"])
        except TimeoutError:
            raise Failed(f"the drill's systems were not up within {_START_SECONDS:g} s") from None
        told = (await process.stderr.read()).decode("utf-8", "replace") if process.stderr else ""
        last = (told.strip().splitlines() or ["without a word"])[-1]
        raise _not_installed(last) if "ModuleNotFoundError" in told else Failed(f"the drill's systems ended: {last}")

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        while document := await _next_line(process):
            self._take(document)

    def _take(self, document: dict[str, Any]) -> None:
        if says := document.get("says"):
            self.said.append(str(says))
        if (ended := document.get("ended")) and ended["well_since"]:
            self.well_since = datetime.fromtimestamp(ended["well_since"], UTC)


async def _next_line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The next document that it says; empty at the end."""
    line = await process.stdout.readline() if process.stdout else b""
    document: dict[str, Any] = json.loads(line) if line.strip() else {}
    return document


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_END_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()


async def _drain(process: asyncio.subprocess.Process) -> None:
    while process.stderr is not None and await process.stderr.read(65_536):
        pass


def _not_installed(error: object) -> Failed:
    return Failed(
        f"what a drill needs is not installed ({error})",
        "make drill installs it, or: pip install 'rollback-console[drill]'",
    )


# ------------------------------------------------------------ the debrief


def _debrief(
    invocation: Invocation,
    scenario: Scenario,
    record: Path,
    began: datetime,
    ended: datetime,
    well_since: datetime | None,
) -> None:
    """Printed, and kept for the next drills of the same scenario to be compared with."""
    from console.commands.report import chained
    from console.sandbox import debrief as debriefing

    args, out = invocation.args, invocation.out
    journal = chained(record) if record.exists() else []
    events = [entry.recorded for entry in journal]
    found = debriefing.debrief(
        args.scenario, scenario, events, began=began, ended=ended, pace=args.speed, well_since=well_since
    )
    history = record.with_name("history.jsonl")
    before = debriefing.earlier(history, args.scenario)
    said = tuple(debriefing.lines(found, scenario, before))
    for line in said:
        out.line(line)
    reports = _reports(record, journal, said, out)
    if reports:
        out.line()
        out.line(f"  The record of this drill: {' and '.join(str(path) for path in reports)}")
    out.json({"event": "debrief", **found.to_json(), "journal": str(record), "reports": [str(p) for p in reports]})
    debriefing.keep(history, found, began)


def _reports(record: Path, journal: Sequence[Chained], debrief: Sequence[str], out: Output) -> list[Path]:
    """Beside the drill's journal, with the debrief in them. Where nothing was declared there is nothing to report."""
    from console.commands.report import times_of
    from console.report.file import save
    from console.report.model import incidents
    from console.report.model import record as facts
    from console.report.writing import Format, written

    if not incidents(journal):
        return []
    formats: tuple[Format, ...] = ("html", "md")
    reports = [record.with_suffix(f".report.{name}") for name in formats]
    try:
        for path, name in zip(reports, formats, strict=True):
            save(path, written(facts(journal), name, times_of(""), debrief=debrief))
    except Refused as problem:  # the debrief is what matters now; the report can be made again
        out.aside(f"rollback-console: {problem}")
        return []
    return reports
