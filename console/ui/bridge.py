"""The one crossing between the screen and the engine: view states come in, commands go out. The app owns one.

Commands run as plain asyncio tasks, not as Textual workers: closing the screen ends the picture, not the work. `finish` waits
for them afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    from console.engine.view import Console, ViewState

T = TypeVar("T")

POLL_SECONDS = 0.25
PARTS = (
    "incident",
    "triggers",
    "components",
    "checks",
    "notices",
    "impacts",
    "followups",
    "timeline",
    "next_action",
    "advised",
    "soak",
    "busy",
)


class Problem(NamedTuple):
    """What didn't work out, for people. `internal` when it is this program's own fault."""

    word: Literal["Refused", "Failed", "Unknown", "Error"]
    message: str
    hint: str = ""
    internal: bool = False


Show = Callable[["ViewState", frozenset[str]], None]
"""Called with the new view state and the names of the parts that differ; "clock" when the second did."""


class Bridge:
    def __init__(
        self, open_console: Callable[[], Awaitable[Console]], show: Show, crashed: Callable[[BaseException], None]
    ) -> None:
        """`crashed` is told of an error in the screen's own code while it handled an answer."""
        self.view: ViewState | None = None
        self.stale: Problem | None = None
        self._open_console = open_console
        self._show = show
        self._crashed = crashed
        self._console: Console | None = None
        self._commands: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Raises whatever `open_console` raises: without a console there is nothing to show."""
        self._console = await self._open_console()

    def poll(self) -> None:
        """Takes the newest view state and passes on what changed. An error makes the picture stale, never wrong."""
        if self._console is None:
            return
        try:
            view = self._console.view()
        except Exception as error:  # noqa: BLE001 - whatever it is, the last picture must be marked as old
            self.stale = problem(error)
            if self.view is not None:
                self._show(self.view, frozenset({"stale"}))
            return
        changed = changed_parts(self.view, view)
        if self.stale is not None:
            self.stale, changed = None, changed | {"stale"}
        self.view = view
        if changed:
            self._show(view, changed)

    def run(
        self,
        command: Callable[[Console], Awaitable[T]],
        done: Callable[[T], None],
        failed: Callable[[Problem], None],
    ) -> asyncio.Task[None]:
        """Runs one command. Exactly one of `done` and `failed` is called, unless the task is cancelled."""
        task = asyncio.get_running_loop().create_task(self._carry_out(command, done, failed))
        self._commands.add(task)
        task.add_done_callback(self._ended)
        return task

    async def finish(self) -> None:
        """Waits for the commands that are under way. For whoever ran the app, after it has closed."""
        await asyncio.gather(*self._commands, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._commands.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._crashed(error)

    async def _carry_out(
        self,
        command: Callable[[Console], Awaitable[T]],
        done: Callable[[T], None],
        failed: Callable[[Problem], None],
    ) -> None:
        if self._console is None:
            failed(Problem("Refused", "the procedure is still being read", "try again in a moment"))
            return
        try:
            answer = await command(self._console)
        except Exception as error:  # noqa: BLE001 - a line for people, whatever it is; `problem` tells them apart
            failed(problem(error))
        else:
            done(answer)
        self.poll()


def changed_parts(old: ViewState | None, new: ViewState) -> frozenset[str]:
    if old is None:
        return frozenset({*PARTS, "clock"})
    changed = {name for name in PARTS if getattr(old, name) != getattr(new, name)}
    if int(old.at.timestamp()) != int(new.at.timestamp()):
        changed.add("clock")
    return frozenset(changed)


def problem(error: BaseException) -> Problem:
    """An exception as words. What is not meant for people is named by its type alone: its text may hold a secret."""
    from console.domain.errors import ConsoleError, Refused, Unknown

    if not isinstance(error, ConsoleError):
        name = type(error).__name__
        return Problem(
            "Error", f"the console itself went wrong ({name})", "the record on disk is intact", internal=True
        )
    word: Literal["Refused", "Failed", "Unknown"] = "Failed"
    if isinstance(error, Refused):
        word = "Refused"
    elif isinstance(error, Unknown):
        word = "Unknown"
    return Problem(word, error.message, error.hint)
