"""A new item of what has to be done after the rollback: its section, what it is, who does it, until when."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from console.ui.bridge import Problem
from console.ui.literal import clean, literal
from console.ui.screens.followups import SECTIONS
from console.ui.screens.modal import Choice, Modal, buttons, said_line
from console.ui.screens.options import Answer, Options
from console.ui.wording import Wording

if TYPE_CHECKING:
    from console.domain.outline import Section

Send = Callable[["Section", str, str, datetime | None], None]


class FollowUpScreen(Modal):
    FIRST = "#text"

    def __init__(self, wording: Wording, now: datetime, send: Send) -> None:
        super().__init__()
        self._wording = wording
        self._now = now
        self._send = send

    def compose(self) -> ComposeResult:
        with Vertical(classes="frame") as frame:
            frame.border_title = literal(("To be done after the rollback", "bold"))
            frame.border_subtitle = literal(("Tab next field   Enter adds   Esc cancels", "$dim"))
            answers = [Answer(section, self._wording.section(section).lower()) for section in SECTIONS]
            yield Options("Section", answers, SECTIONS[0], self._wording, "section", width=8)
            for name, label, placeholder in (
                ("text", "What", ""),
                ("assignee", "Who", "may stay open"),
                ("due", "Until", "3d, 2w, a date such as 2026-03-20; may stay open"),
            ):
                with Horizontal(classes="field"):
                    yield Static(literal((f"  {label}", "$dim")), markup=False, classes="label")
                    yield Input(compact=True, select_on_focus=False, id=name, placeholder=placeholder)
            yield said_line()
            yield from buttons("Add", disabled=True)

    def _to_begin(self) -> Input | None:
        return None if isinstance(self.focused, Options) else super()._to_begin()

    def on_input_changed(self) -> None:
        self.query_one("#go", Choice).disabled = not self._value("text")

    def on_input_submitted(self) -> None:
        self.go()

    def go(self) -> None:
        if not self._value("text"):
            self.say(literal("A few words are needed: what has to be done?"))
            return
        due = self._value("due")
        due_at = due_moment(due, self._now) if due else None
        if due and due_at is None:
            self.say(literal(f'"{due}" is no date: 3d, 2w or ', f"{self._now + timedelta(days=3):%Y-%m-%d}", "."))
            return
        self.query_one("#go", Choice).disabled = True
        section = cast("Section", self.query_one("#section", Options).chosen)
        self._send(section, self._value("text"), self._value("assignee"), due_at)

    def refused(self, problem: Problem) -> None:
        self.query_one("#go", Choice).disabled = False
        super().refused(problem)

    def _value(self, name: str) -> str:
        return clean(self.query_one(f"#{name}", Input).value).strip()


_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def due_moment(text: str, now: datetime) -> datetime | None:
    """`3d`, `2w`, `12h` from now, or the end of a day in UTC; None for anything else."""
    number, unit = text[:-1].strip(), text[-1:].lower()
    if unit in _UNITS and number.isascii() and number.isdigit() and len(number) <= 4:
        return now + int(number) * _UNITS[unit]
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return day + timedelta(days=1, seconds=-1)
