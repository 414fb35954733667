"""What the modals share: a frame with a title, Esc, a place for a refusal, and buttons of which Cancel comes first."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from console.ui.bridge import Problem
from console.ui.literal import literal

_FIRST_LETTERS = {**{c: c for c in ascii_letters + digits}, "minus": "-", "underscore": "_", "full_stop": "."}
"""By the names of their keys: what the texts that people type here begin with."""


class Choice(Button):
    """A button that reads the same without colours: brackets, bold when it has the focus, dim when it can't be pressed."""

    def __init__(self, label: str, name: str, *, disabled: bool = False) -> None:
        super().__init__(literal(f"[ {label} ]"), id=name, disabled=disabled, compact=True)


class Modal(ModalScreen[None]):
    CSS_PATH = "../modals.tcss"
    # A letter with priority is dealt with before the next key is handed to whoever has the focus: none is lost, however fast.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close", show=False, priority=True),
        *(Binding(key, f"begin('{c}')", show=False, priority=True) for key, c in _FIRST_LETTERS.items()),
    ]

    FIRST: ClassVar[str] = "#cancel"
    """What has the focus at first. It is set while mounting: a key that comes at once must find it."""

    def on_mount(self) -> None:
        self.set_focus(self.query_one(self.FIRST))
        if self.app.screen_stack and self.app.screen_stack[0].has_class("-ascii"):
            self.add_class("-ascii")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        return action != "begin" or self._to_begin() is not None

    def action_begin(self, letter: str) -> None:
        """A letter typed while a button has the focus is the beginning of the text."""
        if text := self._to_begin():
            self.set_focus(text)
            text.insert_text_at_cursor(letter)

    def _to_begin(self) -> Input | None:
        if isinstance(self.focused, Input):  # as the screen knows it: the input learns of its focus a moment later
            return None
        return next((text for text in self.query(Input) if not text.disabled and text.is_on_screen), None)

    def refused(self, problem: Problem) -> None:
        """Shows why the command was not carried out, with what next, and lets the person try again."""
        hint = literal("\n  ").append(literal((problem.hint, "$text"))) if problem.hint else Content("")
        self.say(literal((f"{problem.word}: {problem.message}", "bold $alarm")), hint)

    def say(self, *lines: Content) -> None:
        said = self.query_one("#said", Static)
        shown = Content("\n").join([line for line in lines if line])
        said.update(shown)
        said.display = bool(shown)

    def action_close(self) -> None:
        self.dismiss()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "cancel":
            self.action_close()
        else:
            self.go()

    def go(self) -> None:
        """The button beside Cancel was pressed, or Enter in the last input."""


def said_line() -> Static:
    line = Static(Content(""), id="said", markup=False)
    line.display = False
    return line


def buttons(go: str, *, cancel: str = "Cancel", disabled: bool = False) -> ComposeResult:
    with Horizontal(classes="buttons"):
        yield Choice(cancel, "cancel")
        yield Choice(go, "go", disabled=disabled)
