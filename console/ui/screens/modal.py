"""What the modals share: a frame with a title, Esc, a place for a refusal, and buttons of which Cancel comes first."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static

from console.ui.bridge import Problem
from console.ui.literal import literal


class Choice(Button):
    """A button that reads the same without colours: brackets, bold when it has the focus, dim when it can't be pressed."""

    def __init__(self, label: str, name: str, *, disabled: bool = False) -> None:
        super().__init__(literal(f"[ {label} ]"), id=name, disabled=disabled, compact=True)


class Modal(ModalScreen[None]):
    CSS_PATH = "../modals.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", "close", show=False, priority=True)]

    FIRST: ClassVar[str] = "#cancel"
    """What has the focus at first. It is set while mounting: a key that comes at once must find it."""

    def on_mount(self) -> None:
        self.set_focus(self.query_one(self.FIRST))
        if self.app.screen_stack and self.app.screen_stack[0].has_class("-ascii"):
            self.add_class("-ascii")

    def on_key(self, event: events.Key) -> None:
        """A letter typed while a button has the focus is the beginning of the text."""
        if not event.is_printable or not event.character or event.character == " ":
            return
        for text in self.query(Input):
            if not text.has_focus and not text.disabled and text.is_on_screen:
                event.stop()
                event.prevent_default()
                self.set_focus(text)
                text.insert_text_at_cursor(event.character)

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
