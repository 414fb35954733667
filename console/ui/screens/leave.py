"""Asked before the screen closes while a component is running: what goes on without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from console.ui.literal import literal
from console.ui.screens.modal import Modal, buttons, said_line

if TYPE_CHECKING:
    from console.engine.view import ViewState


class LeaveScreen(Modal):
    def __init__(self, running: Sequence[str]) -> None:
        super().__init__()
        self._titles = running

    def compose(self) -> ComposeResult:
        with Vertical(classes="frame") as frame:
            frame.border_title = literal(("Leave?", "bold"))
            yield Static(
                literal((", ".join(self._titles), "bold"), (" is running.", "bold $attention")),
                markup=False,
                classes="ask",
                id="running",
            )
            yield Static(
                literal(
                    "The step under way is finished and recorded. The steps after it are not begun. "
                    "Open the console again to go on from there."
                ),
                markup=False,
                classes="ask",
            )
            yield said_line()
            yield from buttons("Leave", cancel="Stay")

    def show(self, view: ViewState) -> None:
        """What was running may end while the question stands."""
        running = [c.title for c in view.components if c.state == "running"]
        words = (" is running.", "bold $attention") if running else ("Nothing is running any more.", "bold")
        self.query_one("#running", Static).update(literal((", ".join(running), "bold"), words))

    def go(self) -> None:
        self.app.exit(0)
