"""A message before it is sent: to whom, its subject and text, both to be edited. Nothing leaves without a key that means it.

Cancel has the focus. Esc closes and keeps what was written for the next time. A message that was given, or may have been, is
given again only with a reason. Drafting and sending never freeze the screen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Input, Static, TextArea

from console.ui.bridge import Problem, problem
from console.ui.literal import clean, hung, lines, literal
from console.ui.screens.modal import Choice, Modal, buttons, said_line
from console.ui.screens.preview import SHORT_ROWS
from console.ui.widgets.header import badge
from console.ui.wording import Wording, clock_minutes

if TYPE_CHECKING:
    from datetime import datetime

    from console.engine.view import Draft, NoticeView, ViewState

Read = Callable[[Callable[["Draft"], None], Callable[[Problem], None]], "asyncio.Task[None]"]


_FRAME = 106  # as in modals.tcss
_LEAST_ROWS = 8
_AROUND_ROWS = (
    22  # frame, cluster, receiver, state, reason, subject, a refusal, buttons and a little of the main screen
)


class Written(NamedTuple):
    """What a person made of a draft. `at`: when the screen was closed on it."""

    subject: str
    text: str
    at: datetime


class Ways(NamedTuple):
    """What the screen may ask for: a draft, sending, telling by other means, keeping what was written."""

    draft: Read
    send: Callable[[str, str, str], None]  # subject, text, why again
    tell: Callable[[], None]
    keep: Callable[[Written | None], None]


class ComposeScreen(Modal):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", show=False, priority=True),
        Binding("ctrl+e", "edit", show=False, priority=True),
        Binding("ctrl+r", "redraft", show=False, priority=True),
    ]

    def __init__(
        self, notice: NoticeView, view: ViewState, wording: Wording, ways: Ways, written: Written | None
    ) -> None:
        super().__init__()
        self._notice = notice
        self._view = view
        self._wording = wording
        self._ways = ways
        self._written = written
        self._draft: Draft | None = None
        self._drafting: asyncio.Task[None] | None = None
        self._editing: asyncio.Task[None] | None = None
        self._sending = False
        self._given_before = notice.times_given

    def compose(self) -> ComposeResult:
        verb = "Send" if self._notice.by_console else "Tell"
        keys = "^s send   " if self._notice.by_console else "select and ^c copy   "
        with Vertical(classes=f"frame wide tall compose -{self._view.incident.mode}") as frame:
            frame.border_title = literal((f"{verb}: {self._notice.title}", "bold"))
            frame.border_subtitle = literal((f"{keys}^e editor   ^r draft anew   Esc keep and close", "$dim"))
            yield Static(self._where(), markup=False, id="where")
            yield Static(Content(""), markup=False, id="state")
            with Horizontal(classes="field", id="why"):
                yield Static(literal(("Why again", "$attention")), markup=False, classes="label")
                yield Input(compact=True, select_on_focus=False, id="again")
            with Horizontal(classes="field"):
                yield Static(literal(("Subject", "$dim")), markup=False, classes="label")
                yield Input(compact=True, select_on_focus=False, id="subject", disabled=True)
            yield TextArea("", compact=True, highlight_cursor_line=False, id="body", disabled=True)
            yield Static(Content(""), markup=False, id="length")
            yield said_line()
            yield from buttons("Send" if self._notice.by_console else "Record as told", disabled=True)

    def on_mount(self) -> None:
        super().on_mount()
        self._show_state()
        self._read()

    def on_unmount(self) -> None:
        if self._editing is not None:
            self._editing.cancel()

    def _to_begin(self) -> Input | None:
        """A letter typed on Cancel begins the reason, which must be said; it never slips into the message."""
        again = self.query_one("#again", Input)
        if isinstance(self.focused, (Input, TextArea)) or not self._needs_reason() or not again.is_on_screen:
            return None
        return again

    # ------------------------------------------------------------ the draft

    def action_redraft(self) -> None:
        """From the facts of this moment; what was written is given up."""
        if not self._sending:
            self._written = None
            self._read()

    def _read(self) -> None:
        if self._drafting is not None and not self._drafting.done():
            return
        self._changeable(False)
        self.say(literal((f"drafting from what is known{self._wording.ellipsis}", "$dim")))
        self._drafting = self._ways.draft(self._came, self._did_not_come)

    def _came(self, draft: Draft) -> None:
        if not self.is_attached:
            return
        self._draft, self._given_before = draft, self._notice.times_given
        self.say(Content(""))
        self._changeable(True)
        subject, text = draft.subject, draft.text
        if self._written is not None:
            subject, text = self._written.subject, self._written.text
            at = clock_minutes(self._written.at)
            self.say(literal((f"As you left it at {at}. ^r drafts it anew from what is known now.", "$note")))
        self._put(subject, text)
        self._show_state()
        self.query_one("#where", Static).update(self._where())

    def _did_not_come(self, found: Problem) -> None:
        if self.is_attached:
            super().refused(found)

    def _put(self, subject: str, text: str) -> None:
        self.query_one("#subject", Input).value = clean(subject)
        self.query_one("#body", TextArea).load_text("\n".join(lines(text)))
        self._measure()
        self.call_after_refresh(self._make_room)

    def _make_room(self) -> None:
        """The text gets what it needs, up to what the rest of the frame leaves; a short screen fills itself by its styles."""
        body, height = self.query_one("#body", TextArea), self.size.height
        needed = max(body.wrapped_document.height + 1, _LEAST_ROWS)
        body.styles.height = None if height < SHORT_ROWS else min(needed, height - _AROUND_ROWS)

    def on_resize(self) -> None:
        self.call_after_refresh(self._make_room)

    # ------------------------------------------------------------ what is said around it

    def _where(self) -> Content:
        incident = self._view.incident
        return badge(incident.mode, incident.contexts, self._wording)

    def show(self, view: ViewState) -> None:
        """The notice goes on while this is open: it falls due, or is being sent, by this console or another."""
        found = next((n for n in view.notices if n.id == self._notice.id), None)
        if found is None:
            return
        began = found.state == "sending" and self._notice.state != "sending"
        self._notice, self._view = found, view
        if self._sending and began:
            self.dismiss()  # it is on its way, and on the record: the panel shows the rest
            return
        self._show_state()

    def _show_state(self) -> None:
        draft, notice = self._draft, self._notice
        to = (draft.to if draft else "") or notice.to
        channel = f", by {notice.channel}" if notice.by_console else ", by you: the console has no channel for it"
        sign = self._wording.notice_now(notice, self._view.at)
        rows = [literal(("To        ", "$dim"), (to or notice.title, "bold"), (channel, "$dim"))]
        rows.append(literal(("State     ", "$dim"), (f"{sign.icon} {sign.word}", sign.style)))
        before = (draft.already if draft else "") or (notice.note if notice.state in ("failed", "maybe_sent") else "")
        width = min(self.app.size.width, _FRAME) - 4
        for line in lines(before):
            rows += hung(literal(" " * 10), literal((line, sign.style)), width)
        if notice.state == "not_needed":
            rows.append(literal(" " * 10, (f"It is recorded that this does not apply: {notice.note}", "$attention")))
        if self._view.incident.mode == "drill":
            rows.append(literal(" " * 10, ("A drill: the message says so.", "bold $drill-text on $drill-background")))
        self.query_one("#state", Static).update(Content("\n").join(rows))
        self.query_one("#why").display = self._needs_reason()

    def _needs_reason(self) -> bool:
        """It was, or may have been, given: before it was drafted, or since."""
        draft, notice = self._draft, self._notice
        if not notice.by_console or draft is None:
            return False
        return bool(draft.already) or notice.state == "maybe_sent" or notice.times_given > self._given_before

    def on_input_changed(self) -> None:
        self._measure()

    def on_text_area_changed(self) -> None:
        self._measure()

    def _measure(self) -> None:
        """How long the text is, against what the channel takes whole."""
        length, longest = len(self._text()), self._draft.longest if self._draft else None
        too_long = longest is not None and length > longest
        of = f" of at most {longest:,}" if longest is not None else ""
        words = (
            f"{length:,}{of} characters: {length - longest:,} too many"
            if too_long and longest
            else f"{length:,}{of} characters"
        )
        self.query_one("#length", Static).update(literal((words, "bold $alarm" if too_long else "$dim")))
        self.query_one("#go", Choice).disabled = bool(self._hindrance())

    # ------------------------------------------------------------ sending

    def action_send(self) -> None:
        if self._notice.by_console:
            self.go()

    def on_input_submitted(self) -> None:
        """Enter goes on to the next field. It never sends."""
        self.focus_next()

    def go(self) -> None:
        if hindrance := self._hindrance():
            self.say(literal((hindrance, "bold $attention")))
            return
        if not self._notice.by_console:
            self._keep()
            self.dismiss()
            self._ways.tell()
            return
        self._sending = True
        self._changeable(False)
        self.say(literal((f"handing it over{self._wording.ellipsis}", "$dim")))
        self._keep()
        self._ways.send(self._subject(), self._text(), clean(self.query_one("#again", Input).value).strip())

    def refused(self, found: Problem) -> None:
        """Nothing that was written is lost; it may be mended and sent again."""
        self._sending = False
        self._changeable(True)
        super().refused(found)
        self.set_focus(self.query_one("#again" if self._needs_reason() else "#body"))

    def _hindrance(self) -> str:
        """Why it can't go just now; empty when it can."""
        draft = self._draft
        if draft is None:
            return "There is no draft yet. Nothing was sent."
        if self._sending:
            return "It is being handed over."
        if not self._notice.by_console:
            return ""
        if not self._text().strip():
            return "A message says something. Nothing was sent."
        if draft.longest is not None and len(self._text()) > draft.longest:
            return f"{draft.channel} takes {draft.longest:,} characters: shorten the text. Nothing was sent."
        if self._needs_reason() and not self.query_one("#again", Input).value.strip():
            return "Say why it is given again. Nothing was sent."
        return ""

    def _subject(self) -> str:
        return clean(self.query_one("#subject", Input).value).strip()

    def _text(self) -> str:
        return "\n".join(lines(self.query_one("#body", TextArea).text)).rstrip()

    def _changeable(self, allowed: bool) -> None:
        for name in ("#subject", "#body", "#again"):
            self.query_one(name).disabled = not allowed
        self.query_one("#go", Choice).disabled = not allowed or bool(self._hindrance())
        if self.focused is None:
            self.set_focus(self.query_one("#cancel"))

    # ------------------------------------------------------------ the person's own editor

    def action_edit(self) -> None:
        if self._draft is None or self._sending or (self._editing is not None and not self._editing.done()):
            return
        self._editing = asyncio.get_running_loop().create_task(self._edit())

    async def _edit(self) -> None:
        from console.ui.editor import edited

        try:
            text = await edited(self.app, self._text())
        except Exception as error:  # noqa: BLE001 - a line for people, whatever it is: the screen stays
            super().refused(problem(error))
            return
        self._put(self._subject(), text)
        self.say(Content(""))
        self.set_focus(self.query_one("#body"))

    # ------------------------------------------------------------ leaving

    def action_close(self) -> None:
        if self._drafting is not None:
            self._drafting.cancel()
        self._keep()
        self.dismiss()

    def _keep(self) -> None:
        """For the next time, if a person has changed anything."""
        draft = self._draft
        if draft is None:
            return
        changed = (self._subject(), self._text()) != (
            clean(draft.subject).strip(),
            "\n".join(lines(draft.text)).rstrip(),
        )
        self._ways.keep(Written(self._subject(), self._text(), self._view.at) if changed else None)
