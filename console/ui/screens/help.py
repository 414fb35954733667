"""Every action with its key, from the registry, and what the icons mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from console.ui.actions import ACTIONS, PANELS, Keys
from console.ui.literal import fit, literal, wrapped
from console.ui.screens.modal import Modal
from console.ui.wording import Wording

_MOVING = (
    ("up down, k j", "select a line"),
    ("PgUp PgDn", "half a page"),
    ("Tab", "the next panel, or the next field"),
    ("Enter", "details of the selected line"),
)


_LABEL = 17
_BEFORE = 4 + 6 + _LABEL  # cells of mark, key and label
_MOST_LINES = 4


class HelpScreen(Modal):
    FIRST = ".frame"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("question_mark,q,enter", "close", show=False)]

    def __init__(self, keys: Keys, wording: Wording) -> None:
        super().__init__()
        self._keys = keys
        self._wording = wording

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="frame wide") as frame:
            frame.border_title = literal(("Help", "bold"))
            frame.border_subtitle = literal(("Esc closes", "$dim"))
            frame.styles.scrollbar_gutter = (
                "stable"  # the words are laid out before it is known that they need to scroll
            )
            yield Static(Content(""), markup=False, id="help")

    def on_resize(self) -> None:
        self.call_after_refresh(self._word)

    def _word(self) -> None:
        """Once it is known how wide the page is: what an action does stands in a column of its own."""
        page = self.query_one("#help", Static)
        if width := page.content_size.width:
            page.update(Content("\n").join(list(self._lines(width))))

    def _lines(self, width: int) -> Iterator[Content]:
        yield literal(
            ("The bottom line says what is next; ", ""), (self._keys.of("next"), "bold $note"), (" does it.", "")
        )
        danger = self._wording.finding("warn").icon
        yield literal(f"{danger} changes a target or ends the incident: it is always shown, and asked, first.")
        for panel in (None, *PANELS):
            actions = [a for a in ACTIONS if a.panel == panel]
            if actions:
                yield literal("")
                yield literal((panel.capitalize() if panel else "Everywhere", "bold underline"))
            for action in actions:
                if action.id in PANELS:
                    continue
                mark = danger if action.danger else " "
                key = fit(literal((self._keys.of(action.id), "bold $note")), 6)
                first, *more = wrapped(action.help, width - _BEFORE, _MOST_LINES)
                yield literal(f" {mark:<2} ", key, fit(literal((action.label, "bold")), _LABEL), first)
                yield from (literal(" " * _BEFORE, line) for line in more)
        yield literal("")
        yield literal(("Moving", "bold underline"))
        digits = " ".join(self._keys.of(panel) for panel in PANELS)
        for key_names, what in ((digits, ", ".join(PANELS)), *_MOVING):
            yield literal("    ", fit(literal((key_names, "bold $note")), 22), what)
        yield literal("")
        yield literal((f"{self._wording.criterion} ", "$note"), "must hold before the incident can be resolved")
