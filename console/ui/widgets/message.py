"""What became of the last command, above the NEXT line. It stays until the next one or Esc: nobody has to read fast.

Only what it says of a component under way does not outlive it: when that has ended, the line says how.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

from console.ui.literal import literal, wrapped
from console.ui.widgets.line import Line
from console.ui.wording import Wording

if TYPE_CHECKING:
    from console.engine.view import ComponentView, ViewState
    from console.ui.bridge import Problem


class MessageLine(Line):
    def __init__(self, wording: Wording) -> None:
        super().__init__("message", wording)
        self._text = ""
        self._style = ""
        self._followed = ""

    def say(self, text: str) -> None:
        self._set(text, "$note")

    def follow(self, text: str, component: ComponentView) -> None:
        """Says the text until the component is no longer under way, and then how it ended."""
        self.say(text)
        self._followed = component.id

    def show(self, view: ViewState) -> None:
        followed = next((c for c in view.components if c.id == self._followed), None)
        if followed is not None and followed.state != "running":
            self.say(f"{followed.title}: {self.wording.component(followed).word}.")

    def report(self, problem: Problem) -> None:
        icon = self.wording.finding("block").icon
        hint = f" {self.wording.dash} {problem.hint}" if problem.hint else ""
        self._set(f"{icon} {problem.word}: {problem.message}{hint}", "bold $alarm")

    def clear(self) -> None:
        self._set("", "")

    def words(self, width: int) -> Content:
        rows = [literal(" ", (line, self._style)) for line in wrapped(self._text, width - 2, 3)] if self._text else []
        return Content("\n").join(rows)

    def _set(self, text: str, style: str) -> None:
        self._text, self._style, self._followed = text, style, ""
        self.redraw()
        self.display = bool(text)
