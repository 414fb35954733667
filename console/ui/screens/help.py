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
from console.ui.literal import fit, literal
from console.ui.screens.modal import Modal
from console.ui.wording import Wording

_MOVING = (
    ("up down, k j", "select a line"),
    ("PgUp PgDn", "half a page"),
    ("Tab", "the next panel, or the next field"),
    ("Enter", "details of the selected line"),
)


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
            yield Static(Content("\n").join(list(self._lines())), markup=False)

    def _lines(self) -> Iterator[Content]:
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
                yield literal(f" {mark:<2} ", key, fit(literal((action.label, "bold")), 17), (action.help, ""))
        yield literal("")
        yield literal(("Moving", "bold underline"))
        digits = " ".join(self._keys.of(panel) for panel in PANELS)
        for key_names, what in ((digits, ", ".join(PANELS)), *_MOVING):
            yield literal("    ", fit(literal((key_names, "bold $note")), 22), what)
        yield literal("")
        yield literal((f"{self._wording.criterion} ", "$note"), "must hold before the incident can be resolved")
