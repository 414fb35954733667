"""How an action asks, gives its command and reports: what the flows share. `flows.py` builds on it.

A refusal goes back into the modal that asked, so that nothing typed is lost; otherwise it stands above the NEXT line.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from console.engine.view import CheckView, ComponentView, Console, NoticeView, TriggerView, ViewState
    from console.ui.bridge import Bridge, Problem
    from console.ui.screens.main import MainScreen
    from console.ui.screens.modal import Modal
    from console.ui.screens.prompt import Question

_HAS_ID = TypeVar("_HAS_ID", "TriggerView", "ComponentView", "CheckView", "NoticeView")


class Acting:
    def __init__(self, screen: MainScreen, bridge: Bridge) -> None:
        self._screen = screen
        self._bridge = bridge
        self._opening: Awaitable[None] | None = None

    @property
    def _view(self) -> ViewState:
        if self._bridge.view is None:
            raise LookupError("an action began before there was a picture; `perform` looks first")
        return self._bridge.view

    def _selected(self, items: tuple[_HAS_ID, ...], panel: str, target: str) -> _HAS_ID | None:
        """The named item, or the selected one; its panel is brought forward so that one sees what is meant."""
        shown = self._screen.go_to(panel)
        found = _found(items, target or shown.selected)
        if found is None:
            self._say("Select a line first.")
        elif target:
            shown.select(target)
        return found

    def _ask(self, question: Question, command: Callable[[Console, str], Awaitable[None]], said: str) -> None:
        from console.ui.screens.prompt import PromptScreen

        def send(text: str) -> None:
            self._send(screen, lambda console: command(console, text), said)

        screen = PromptScreen(question, send)
        self._open(screen)

    def _send(
        self,
        modal: Modal,
        command: Callable[[Console], Awaitable[None]],
        said: str,
        *,
        of: ComponentView | None = None,
    ) -> None:
        """Gives the command; a refusal goes back into the modal, so that what was typed is not lost. `of`: what it sets going."""

        def failed(problem: Problem) -> None:
            if modal.is_current:
                modal.refused(problem)
            else:
                self._screen.message.report(problem)

        def done(_: None) -> None:
            if modal.is_current:
                modal.dismiss()
            if of is None:
                self._say(said)
            else:
                self._screen.message.follow(said, of)

        self._bridge.run(command, done, failed)

    def _give(self, command: Callable[[Console], Awaitable[None]], said: str) -> None:
        self._bridge.run(command, lambda _: self._say(said), self._screen.message.report)

    async def opened(self) -> None:
        """Waits until the modal that an action has just asked for is there and takes keys."""
        opening, self._opening = self._opening, None
        if opening is not None:
            await opening

    def _open(self, modal: Modal) -> None:
        self._screen.message.clear()
        self._opening = self._screen.app.push_screen(modal)

    def _say(self, text: str) -> None:
        self._screen.message.say(text)


def _found(items: tuple[_HAS_ID, ...], item_id: str) -> _HAS_ID | None:
    return next((item for item in items if item.id == item_id), None)
