"""A step in doubt: both sides of the doubt, and a person's word on what it counts as, with a note."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Button, Input, Static

from console.ui.bridge import Problem
from console.ui.literal import clean, lines, literal
from console.ui.screens.modal import Choice, Modal, said_line

if TYPE_CHECKING:
    from console.engine.view import StepView


class SettleScreen(Modal):
    FIRST = "Input"

    def __init__(self, step: StepView, send: Callable[[str, str], None]) -> None:
        super().__init__()
        self._step = step
        self._send = send

    def compose(self) -> ComposeResult:
        with Vertical(classes="frame wide") as frame:
            frame.border_title = literal((f"In doubt: {self._step.title}", "bold"))
            yield Static(
                literal((f"The step is {self._step.state.upper()}.", "bold $alarm")), markup=False, classes="ask"
            )
            for line in lines(self._step.reason):
                yield Static(literal(line), markup=False)
            yield Static(literal(("Look at the target. What did you see there?", "bold")), markup=False, classes="ask")
            yield Static(literal("Half done counts as not done: going on finishes it."), markup=False)
            yield Input(compact=True, select_on_focus=False, id="text")
            yield said_line()
            with Horizontal(classes="buttons"):
                yield Choice("Cancel", "cancel")
                yield Choice("It is done", "done", disabled=True)
                yield Choice("It is not done", "not_done", disabled=True)

    def on_input_changed(self, event: Input.Changed) -> None:
        self._allow(bool(event.value.strip()))

    def on_input_submitted(self) -> None:
        self.say(literal("Choose what it counts as: Tab goes to the buttons."))

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id in ("done", "not_done"):
            self._allow(False)
            self._send(event.button.id, clean(self.query_one(Input).value).strip())
        else:
            self.action_close()

    def refused(self, problem: Problem) -> None:
        self._allow(True)
        super().refused(problem)

    def _allow(self, allowed: bool) -> None:
        for name in ("#done", "#not_done"):
            self.query_one(name, Choice).disabled = not allowed
