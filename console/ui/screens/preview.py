"""What a rollback would change, shown before it happens; typing the component's id confirms exactly that.

Cancel has the focus. Enter on it closes; the first letter typed goes to the input. The button stays dim until the word matches
and nothing blocks. Reading the cluster never freezes the screen: Esc closes at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Input, Static

from console.ui.bridge import Problem
from console.ui.literal import clean, literal
from console.ui.screens.change import preview_lines
from console.ui.screens.modal import Choice, Modal, buttons, said_line
from console.ui.widgets.header import badge
from console.ui.wording import Wording, clock

if TYPE_CHECKING:
    from console.engine.view import ComponentView, IncidentView, Preview

Read = Callable[[Callable[["Preview"], None], Callable[[Problem], None]], "asyncio.Task[None]"]


SHORT_ROWS = 30
AROUND_ROWS = 16  # frame, cluster, verdict, confirmation, buttons and a little of the main screen


class PreviewScreen(Modal):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll(-1)", show=False),
        Binding("down", "scroll(1)", show=False),
        Binding("pageup,ctrl+b", "scroll(-10)", show=False),
        Binding("pagedown,ctrl+f", "scroll(10)", show=False),
        Binding("ctrl+r", "read", show=False),
    ]

    def __init__(
        self,
        component: ComponentView,
        verb: str,
        incident: IncidentView,
        wording: Wording,
        read: Read,
        send: Callable[[Preview, str], None],
    ) -> None:
        super().__init__()
        self._component = component
        self._verb = verb
        self._incident = incident
        self._wording = wording
        self._read = read
        self._send = send
        self._reading: asyncio.Task[None] | None = None
        self._preview: Preview | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes=f"frame wide tall -{self._incident.mode}") as frame:
            frame.border_title = literal((f"{self._verb}: {self._component.title}", "bold"))
            frame.border_subtitle = literal(("PgUp PgDn scroll   ^r read again   Esc cancel", "$dim"))
            yield Static(self._where((self._wording.ellipsis,)), markup=False, id="where")
            with VerticalScroll(id="change", can_focus=False):
                yield Static(Content(""), markup=False, id="steps")
            yield said_line()
            with Horizontal(id="confirm"):
                ask = literal("Type  ", (self._component.id, "bold $note"), f"  to {self._verb.lower()}: ")
                yield Static(ask, markup=False, id="ask")
                yield Input(compact=True, select_on_focus=False, id="typed")
            yield from buttons(self._verb, disabled=True)

    def on_mount(self) -> None:
        super().on_mount()
        self.action_read()

    # ------------------------------------------------------------ reading

    def action_read(self, keep: Content | None = None) -> None:
        """Reads the cluster (again). `keep` is a line that stays in sight meanwhile: why it is read again."""
        if self._reading is not None and not self._reading.done():
            return
        self._preview = None
        self._confirmable(False)
        self.query_one("#steps", Static).update(literal((f"reading the cluster{self._wording.ellipsis}", "$dim")))
        self.say(keep or Content(""))
        self._reading = self._read(self._came, self._did_not_come)

    def _came(self, preview: Preview) -> None:
        if not self.is_attached:
            return
        self._preview = preview
        self.query_one("#where", Static).update(self._where(preview.contexts))
        self._show_steps(preview)
        self.query_one("#change", VerticalScroll).scroll_home(animate=False)
        verdict = self._verdict(preview)
        said = self.query_one("#said", Static)
        if verdict and not said.display:
            self.say(verdict)
        self._confirmable(not preview.blocked)

    def _where(self, contexts: tuple[str, ...]) -> Content:
        """Where this component acts, which is known once it was read."""
        return badge(self._incident.mode, contexts, self._wording)

    def _show_steps(self, preview: Preview) -> None:
        width = self.query_one("#change", VerticalScroll).scrollable_content_region.width
        if not width:  # the answer was faster than the first layout
            self.call_after_refresh(self._show_steps, preview)
            return
        lines = list(preview_lines(preview, width, self._wording))
        self.query_one("#steps", Static).update(Content("\n").join(lines))
        self._make_room(len(lines))

    def _make_room(self, lines: int) -> None:
        """The change gets what it needs, up to what the rest of the frame leaves; a short screen fills itself by its styles."""
        height = self.size.height
        self.query_one("#change").styles.height = None if height < SHORT_ROWS else min(lines, height - AROUND_ROWS)

    def on_resize(self) -> None:
        if self._preview is not None:
            self.call_after_refresh(self._show_steps, self._preview)

    def _did_not_come(self, problem: Problem) -> None:
        if self.is_attached:
            self.query_one("#steps", Static).update(literal(("No preview, so nothing can be confirmed.", "$dim")))
            super().refused(problem)

    def _verdict(self, preview: Preview) -> Content:
        if preview.blocked:
            sign = self._wording.finding("block")
            return literal((f"{sign.icon} {sign.word}: as it stands this can't work. Nothing can be sent.", sign.style))
        if not preview.steps:
            return literal(("There is nothing to do.", "bold"))
        if preview.already:
            return literal(
                ("Everything is so already. Confirming changes nothing; it reads the proof and records it.", "bold")
            )
        return literal((f"Read at {clock(preview.at)} UTC. What you see is what runs, or it is refused.", "$dim"))

    def _confirmable(self, allowed: bool) -> None:
        typed = self.query_one("#typed", Input)
        typed.value = ""
        self.query_one("#confirm").display = allowed
        self.query_one("#go", Choice).disabled = True
        self.set_focus(self.query_one("#cancel"))

    # ------------------------------------------------------------ confirming

    def on_input_changed(self) -> None:
        self.query_one("#go", Choice).disabled = not self._matches()

    def on_input_submitted(self) -> None:
        if self._matches():
            self.go()
        else:
            self.say(literal("The word must be exactly ", (self._component.id, "bold $note"), ". Nothing was sent."))

    def go(self) -> None:
        if self._preview is None or not self._matches():
            return
        preview, typed = self._preview, self.query_one("#typed", Input).value
        self._preview = None
        self.query_one("#go", Choice).disabled = True
        self.say(literal(("being recorded", "$dim")))
        self._send(preview, typed)

    def refused(self, problem: Problem) -> None:
        """Nothing was sent. The cluster is read anew, so that what is on the screen is never what was."""
        line = literal((f"{problem.word}: {clean(problem.message)}", "bold $alarm"))
        self.action_read(keep=literal(line, f"  {clean(problem.hint)}") if problem.hint else line)

    def action_close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        self.dismiss()

    def action_scroll(self, by: int) -> None:
        self.query_one("#change", VerticalScroll).scroll_relative(y=by, animate=False)

    def _matches(self) -> bool:
        preview = self._preview
        return (
            preview is not None and not preview.blocked and self.query_one("#typed", Input).value == preview.component
        )
