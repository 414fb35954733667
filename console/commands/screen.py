"""The console on the screen: the engine's loop outside, the picture inside, and an orderly end whatever ends it.

What a glance at the file can tell (missing, not TOML) is told before the screen opens; the rest after the first paint.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from console.commands import exits
from console.commands.glance import document_of
from console.commands.interrupts import is_impatient, on_signals
from console.commands.invocation import Invocation, UsageProblem
from console.domain.errors import ConsoleError

if TYPE_CHECKING:
    from console.engine.session import Session


async def screen(invocation: Invocation) -> int:
    if invocation.args.json:
        raise UsageProblem("--json goes with a command", "status --json")
    title = _title(document_of(invocation.config), invocation.config)
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise UsageProblem(
            "the console needs a terminal", "status says the same in plain lines; --help lists the commands"
        )
    return await _Shown(invocation, title).until_left()


def _title(document: dict[str, Any], path: Path) -> str:
    incident = document.get("incident")
    title = incident.get("title") if isinstance(incident, dict) else None
    return title if isinstance(title, str) and title.isprintable() else path.stem


class _Shown:
    """One showing: the app, the session once it is open, and the end of both."""

    def __init__(self, invocation: Invocation, title: str) -> None:
        from console.ui.app import RollbackConsoleApp
        from console.ui.terminal import driver_for

        self._invocation = invocation
        self._out = invocation.out
        self._session: Session | None = None
        self._signalled = False
        self._leaving = False
        self._app = RollbackConsoleApp(
            self._open,
            title=title,
            ascii_only=self._out.ascii_only,
            theme=invocation.args.theme or None,
            greeting=getattr(invocation.args, "greeting", ""),
        )
        self._app.driver_class = driver_for(self._app.driver_class)
        self._beside: set[asyncio.Future[None]] = set()

    async def until_left(self) -> int:
        with on_signals(self._told):
            try:
                with suppress(OSError):  # EIO: the terminal is gone
                    await self._app.run_async()
            finally:
                self._leaving = True
                await self._app.bridge.finish()
                await self._leave()
        if self._app.fatal is not None:
            raise self._app.fatal
        return exits.CANCELLED if self._signalled else exits.DONE

    async def _open(self) -> Session:
        from console.wiring import open_session

        self._session = await open_session(self._invocation.request(acts=True, creates=True), self._invocation.registry)
        await self._session.stay()
        return self._session

    def _told(self, number: signal.Signals) -> None:
        if self._app.lent and number == signal.SIGINT:
            return  # Ctrl-C in an editor that has the terminal is the editor's
        self._signalled = True
        if not self._leaving:
            self._app.exit()
        elif is_impatient(number):
            self._hurry()

    async def _leave(self) -> None:
        if self._session is None:
            return
        if title := self._session.under_way:
            words = f"finishing {title}, then leaving (Ctrl-C: don't wait for its proof)"
            self._start(asyncio.to_thread(self._out.aside, words))  # a terminal that hangs must not hold up the work
        await self._session.close()

    def _hurry(self) -> None:
        if self._session and (running := self._session.runner.incident.running):
            self._start(_stop(self._session, running.id))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)


async def _stop(session: Session, component: str) -> None:
    with suppress(ConsoleError):  # it has ended in the meantime
        await session.stop(component)
