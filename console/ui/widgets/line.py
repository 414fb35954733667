"""A line or two of text above or below the panels, repainted only when the words differ. Header, tabs and NEXT are such lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets import Static

if TYPE_CHECKING:
    from console.engine.view import ViewState
    from console.ui.wording import Wording


class Line(Static):
    def __init__(self, name: str, wording: Wording) -> None:
        super().__init__(Content(""), id=name, markup=False)
        self.wording = wording
        self.view: ViewState | None = None
        self._shown = Content("")

    def words(self, width: int) -> Content:
        """The content for a width; may have several lines."""
        raise NotImplementedError

    def show(self, view: ViewState) -> None:
        self.view = view
        self.redraw()

    def redraw(self) -> None:
        width = self.size.width or self.app.size.width
        words = self.words(width)
        if words.is_same(self._shown):
            return
        taller = words.plain.count("\n") != self._shown.plain.count("\n") or bool(words) != bool(self._shown)
        self._shown = words
        self.update(words, layout=taller)

    def on_mount(self) -> None:
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()
