"""One line from a person: a reason, a note, a signature. What was typed stays there when the command is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input, Static

from console.ui.bridge import Problem
from console.ui.literal import clean, literal
from console.ui.screens.modal import Choice, Modal, buttons, said_line


class Question(NamedTuple):
    title: str
    ask: str
    button: str
    may_be_empty: bool = False


class PromptScreen(Modal):
    FIRST = "Input"

    def __init__(self, question: Question, send: Callable[[str], None]) -> None:
        super().__init__()
        self._question = question
        self._send = send

    def compose(self) -> ComposeResult:
        with Vertical(classes="frame") as frame:
            frame.border_title = literal((self._question.title, "bold"))
            frame.border_subtitle = literal(("Enter sends   Esc cancels", "$dim"))
            yield Static(literal(self._question.ask), markup=False, classes="ask")
            yield Input(compact=True, select_on_focus=False, id="text")
            yield said_line()
            yield from buttons(self._question.button, disabled=not self._question.may_be_empty)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.query_one("#go", Choice).disabled = not (event.value.strip() or self._question.may_be_empty)

    def on_input_submitted(self) -> None:
        if self.query_one("#go", Choice).disabled:
            self.say(literal("A few words are needed.", ""))
        else:
            self.go()

    def go(self) -> None:
        self._wait(True)
        self._send(clean(self.query_one(Input).value).strip())

    def refused(self, problem: Problem) -> None:
        self._wait(False)
        super().refused(problem)
        self.query_one(Input).focus()

    def _wait(self, waiting: bool) -> None:
        self.query_one("#go", Choice).disabled = waiting
        self.query_one(Input).disabled = waiting
        self.say(literal(("being recorded", "$dim")) if waiting else literal(""))
