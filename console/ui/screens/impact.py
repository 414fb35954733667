"""What the incident touches beyond the house: users, compliance, security. The external notices hang on these answers.

Asked once, by the NEXT line, and changed at any time. An answer says how it is known; what nobody knows yet stays open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from console.ui.bridge import Problem
from console.ui.literal import clean, literal
from console.ui.screens.modal import Choice, Modal, buttons, said_line
from console.ui.screens.options import Answer, Options
from console.ui.wording import Wording, clock_minutes

if TYPE_CHECKING:
    from console.domain.outline import Impact
    from console.engine.view import ImpactView

Said = Sequence[tuple["Impact", bool]]
_OPEN = Answer("", "unknown yet")
_ANSWERS = (Answer("yes", "yes"), Answer("no", "no"))


class ImpactScreen(Modal):
    FIRST = ".first"

    def __init__(self, impacts: Sequence[ImpactView], wording: Wording, send: Callable[[Said, str], None]) -> None:
        super().__init__()
        self._impacts = impacts
        self._wording = wording
        self._send = send

    def compose(self) -> ComposeResult:
        first = next((i for i in self._impacts if i.applies is None), self._impacts[0])
        with Vertical(classes="frame") as frame:
            frame.border_title = literal(("What does it touch?", "bold"))
            frame.border_subtitle = literal(("y n u answer   Enter on the note records   Esc cancels", "$dim"))
            for impact in self._impacts:
                answers = _ANSWERS if impact.applies is not None else (*_ANSWERS, _OPEN)
                question = self._wording.touches(impact.impact, whole=True)
                yield Options(question, answers, _word(impact.applies), self._wording, impact.impact).set_class(
                    impact is first, "first"
                )
                if said := _said(impact):
                    yield Static(literal("    ", (said, "$dim")), markup=False)
            yield Static(literal("How is it known? For the record, and for those who are told."), classes="ask")
            yield Input(compact=True, select_on_focus=False, id="text")
            yield said_line()
            yield from buttons("Record", disabled=True)

    def _to_begin(self) -> Input | None:
        """On a question a letter is an answer, on a button the beginning of the note."""
        return None if isinstance(self.focused, Options) else super()._to_begin()

    @on(Options.Picked)
    def _go_on(self) -> None:
        self._allow()
        self.focus_next()

    def on_input_changed(self) -> None:
        self._allow()

    def on_input_submitted(self) -> None:
        self.go()

    def go(self) -> None:
        note = clean(self.query_one(Input).value).strip()
        said = self._answered()
        if not said:
            self.say(literal("Answer one of the questions, or leave them open with Esc."))
        elif not note:
            self.say(literal("A few words are needed: how is it known?"))
        else:
            self._allow(False)
            self.say(literal(("being recorded", "$dim")))
            self._send(said, note)

    def refused(self, problem: Problem) -> None:
        self._allow()
        super().refused(problem)

    def _answered(self) -> list[tuple[Impact, bool]]:
        """What differs from the record, or is said anew where nothing differs: the note alone may be put right."""
        chosen = [(i, self.query_one(f"#{i.impact}", Options).chosen) for i in self._impacts]
        given = [(i, word == "yes") for i, word in chosen if word]
        differing = [(i.impact, applies) for i, applies in given if i.applies != applies]
        return differing or [(i.impact, applies) for i, applies in given]

    def _allow(self, allowed: bool = True) -> None:
        ready = bool(self._answered()) and bool(self.query_one(Input).value.strip())
        self.query_one("#go", Choice).disabled = not (allowed and ready)


def _word(applies: bool | None) -> str:
    return "" if applies is None else "yes" if applies else "no"


def _said(impact: ImpactView) -> str:
    if impact.applies is None:
        return ""
    since = f" since {clock_minutes(impact.at)}" if impact.at else ""
    return f"{impact.by}{since}: {impact.note}"
