"""One question with a few answers on one line, of which one holds: by its first letter, the arrows, or the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Static

from console.ui.literal import fit, literal
from console.ui.wording import Wording


class Answer(NamedTuple):
    value: str
    word: str  # its first letter is its key; where several share it, the key goes round them


class Options(Static, can_focus=True):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "turn(-1)", show=False),
        Binding("right,space", "turn(1)", show=False),
        Binding("up", "screen.focus_previous", show=False),
        Binding("down,enter", "screen.focus_next", show=False),
    ]

    class Picked(Message):
        """A person has given an answer by its letter or the mouse."""

        def __init__(self, options: Options) -> None:
            super().__init__()
            self.options = options

    def __init__(
        self, question: str, answers: Sequence[Answer], chosen: str, wording: Wording, name: str, width: int = 28
    ) -> None:
        """`width`: of the question, in cells."""
        super().__init__(Content(""), id=name, markup=False, classes="options")
        self._question = question
        self._width = width
        self._answers = answers
        self._wording = wording
        self.chosen = chosen

    def pick(self, value: str) -> None:
        if any(answer.value == value for answer in self._answers):
            self.chosen = value
            self.refresh()

    def action_turn(self, by: int) -> None:
        values = [answer.value for answer in self._answers]
        at = values.index(self.chosen) if self.chosen in values else 0
        self.pick(values[(at + by) % len(values)])

    def on_key(self, event: events.Key) -> None:
        fitting = [a.value for a in self._answers if a.word[0].lower() == event.key.lower()]
        if fitting:
            event.stop()
            at = fitting.index(self.chosen) + 1 if self.chosen in fitting else 0
            self.pick(fitting[at % len(fitting)])
            self.post_message(self.Picked(self))

    def on_click(self, event: events.Click) -> None:
        if value := event.style.meta.get("answer"):
            self.pick(str(value))
            self.post_message(self.Picked(self))

    def render(self) -> Content:
        mark = (f"{self._wording.cursor} ", "bold $focus") if self.has_focus else "  "
        parts: list[Content | tuple[str, str] | str] = [mark, fit(literal((self._question, "bold")), self._width)]
        for answer in self._answers:
            held = answer.value == self.chosen
            word = literal((f"{self._wording.option(held)} {answer.word}", "bold $note" if held else ""))
            parts += [word.stylize(Style.from_meta({"answer": answer.value})), "   "]
        return literal(*parts)
