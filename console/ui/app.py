"""The Textual app: it opens the console after its first paint, shows what changes, and ends calmly. The command line runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.filter import LineFilter
from textual.screen import Screen

from console.ui import theming
from console.ui.actions import Keys, keymap_problems
from console.ui.alarm import Alarm
from console.ui.bridge import POLL_SECONDS, Bridge
from console.ui.literal import Guard
from console.ui.multiplexer import given_name, in_multiplexer
from console.ui.screens.main import MainScreen
from console.ui.wording import Wording

if TYPE_CHECKING:
    from console.engine.view import Console, ViewState


class RollbackConsoleApp(App[int]):
    """Runs in the engine's event loop. Once it has closed, `fatal` holds what went wrong, if anything did, and
    `await app.bridge.finish()` waits for the commands that were under way.
    """

    CSS_PATH = "console.tcss"
    ENABLE_COMMAND_PALETTE = False  # ours has the actions of the registry and nothing else
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-normal"), (180, "-wide")]  # noqa: RUF012 - a ClassVar of Textual's
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]  # noqa: RUF012 - the same
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "leave", show=False, priority=True),
        Binding("ctrl+c", "leave", show=False, system=True),
    ]

    def __init__(
        self,
        open_console: Callable[[], Awaitable[Console]],
        *,
        title: str,
        ascii_only: bool = False,
        theme: str | None = None,
        keymap: Mapping[str, str] | None = None,
        greeting: str = "",
    ) -> None:
        self._guard = Guard(ascii_only)
        super().__init__()
        self.title = title
        self.animation_level = "none"
        self.fatal: BaseException | None = None
        self.bridge = Bridge(open_console, self._show, self._crashed)
        self.main = MainScreen(title, Wording(ascii_only), Keys(keymap), self.bridge)
        self._alarm = Alarm(title, names_window=in_multiplexer())
        self._opening: asyncio.Task[None] | None = None
        self.lent = False
        """Whether the terminal is an editor's at this moment: its keys, its Ctrl-C, its picture."""
        self._greeting = greeting
        self._keymap_problems = keymap_problems(keymap or {})
        self.set_keymap(dict(keymap or {}))
        first = theming.load(theme or (theming.NO_COLOUR if self.no_color else theming.DEFAULT))
        self.register_theme(first)
        self.set_reactive(App.theme, first.name)  # without its watcher, which has the style sheet parsed a second time
        self.stylesheet.set_variables(self.get_css_variables())

    def get_default_screen(self) -> Screen[None]:
        return self.main

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self._guard]

    # ------------------------------------------------------------ from the first paint to the last

    def on_ready(self) -> None:
        """The skeleton is painted: now the procedure is read, the heavy parts are imported, in threads of the engine's."""
        if self._greeting:
            self.main.message.say(self._greeting)
        for line in self._keymap_problems[:1]:
            self.main.message.say(f"Keymap: {line}")
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        try:
            self._alarm.own_name = await asyncio.to_thread(given_name) if in_multiplexer() else ""
            await self.bridge.open()
        except Exception as error:  # noqa: BLE001 - the command line says it in words on the normal screen
            self.fatal = error
            self.exit(return_code=2 if _meant_for_people(error) else 1)
            return
        self.call_later(self.bridge.poll)
        self.set_interval(POLL_SECONDS, self.bridge.poll)

    def _show(self, view: ViewState, changed: frozenset[str]) -> None:
        if not self.is_running:
            return
        self.main.show(view, changed, self.bridge.stale)
        if self.screen is not self.main and hasattr(self.screen, "show"):
            self.screen.show(view)
        if not self.lent:
            ring, title = self._alarm.look(view)
            self._to_terminal(title)
            if ring:
                self.bell()

    def on_unmount(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        self._to_terminal(self._alarm.give_back())

    def action_leave(self) -> None:
        self.main.flows.perform("leave")

    @contextmanager
    def suspend(self) -> Iterator[None]:
        self.lent = True
        try:
            with super().suspend():
                yield
        finally:
            self.lent = False

    def _to_terminal(self, sequence: str) -> None:
        if sequence and self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    # ------------------------------------------------------------ errors of the screen itself

    def _crashed(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._handle_exception(error)

    def _handle_exception(self, error: Exception) -> None:
        self.fatal = self.fatal or error
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """In place of Textual's traceback, which prints the values of local variables: whoever ran the app reads `fatal`."""
        self._close_messages_no_wait()


def _meant_for_people(error: BaseException) -> bool:
    from console.domain.errors import ConsoleError

    return isinstance(error, ConsoleError) or hasattr(error, "problems")
