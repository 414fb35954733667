"""The whole story of one line of a panel, kept up to date while it is open."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.ui.literal import literal
from console.ui.screens.modal import Modal
from console.ui.screens.story import story

if TYPE_CHECKING:
    from console.engine.view import ViewState
    from console.ui.wording import Wording


class DetailScreen(Modal):
    FIRST = ".frame"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q,V", "close", show=False)]

    def __init__(self, panel: str, row_id: str, view: ViewState, wording: Wording) -> None:
        super().__init__()
        self._panel = panel
        self._row_id = row_id
        self._view = view
        self._wording = wording
        self._shown = Content("")

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="frame wide") as frame:
            frame.border_subtitle = literal(("Esc closes", "$dim"))
            yield Static(Content(""), markup=False, id="story")

    def on_mount(self) -> None:
        super().on_mount()
        self.show(self._view)

    def show(self, view: ViewState) -> None:
        title, lines = story(view, self._panel, self._row_id, self._wording)
        told = Content("\n").join(list(lines))
        if not told.is_same(self._shown):
            self._shown = told
            self.query_one("#story", Static).update(told)
            self.query_one(".frame").border_title = literal((title, "bold"))
