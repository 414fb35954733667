"""Who has to be told, and by when: what needs somebody first, then what is due next, with its countdown; what was given last.

In a narrow panel each notice has its state on one line and its title on the next; in a wide one they share a line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from console.ui.literal import fit, literal, spread, wrapped
from console.ui.widgets.panel import Heading, Panel, Row, press
from console.ui.wording import LOUD_WORDS, Wording, clock_minutes, is_loud

if TYPE_CHECKING:
    from console.engine.view import NoticeView, ViewState

_WIDE = 66
_LEAD = 26  # of a wide line: icon, word and time
_INDENT = "  "
GIVEN = frozenset({"sent", "acknowledged"})
_OUT_OF_PLAY = frozenset({"unasked", "not_needed", "withdrawn"})


class Communication(Panel):
    PARTS: ClassVar[frozenset[str]] = frozenset({"notices"})

    def __init__(self, wording: Wording) -> None:
        super().__init__("communication", "Communication", "4", wording, tab="Notices")

    def show(self, view: ViewState) -> None:
        """Once the selected notice has been given, the cursor goes on to what comes next."""
        before = self._selected_state()
        super().show(view)
        if before not in (None, *GIVEN) and self._selected_state() in GIVEN:
            self.select(by_urgency(view.notices)[0].id)

    def _selected_state(self) -> str | None:
        notices = self._view.notices if self._view else ()
        return next((n.state for n in notices if n.id == self.selected), None)

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        watching = view.incident.mode == "observe" or view.incident.state == "none"
        for notice in by_urgency(view.notices):
            lines = _NoticeLines(notice, view, self.wording, watching)
            yield Row(notice.id, tuple(lines.wide(width) if width >= _WIDE else lines.narrow(width)))
        if not view.notices:
            yield Row("", (literal(("the procedure has no notices", "$dim")),))

    def headline(self, view: ViewState) -> Heading:
        for state, word in (*LOUD_WORDS.items(), ("due", "DUE NOW")):
            found = [n for n in view.notices if n.state == state and (state == "due" or is_loud(n))]
            if found:
                sign = self.wording.notice(found[0])
                return Heading(f"{len(found)} {word}", f"{sign.icon}{len(found)}", sign.style)
        told = sum(n.state in GIVEN for n in view.notices)
        total = sum(n.state not in _OUT_OF_PLAY for n in view.notices)
        return Heading(f"{told} of {total} told", f"{told}/{total}", "$dim") if view.notices else Heading()

    def follow(self, old: ViewState, new: ViewState) -> str:
        before = {n.id: n.state for n in old.notices}
        late = (n.id for n in by_urgency(new.notices) if _calls(n) and before.get(n.id) != n.state)
        return next(late, "")


def by_urgency(notices: Iterable[NoticeView]) -> list[NoticeView]:
    """What needs somebody now, what is on its way, what comes next by its time, what nobody has said, what is done with."""

    def place(notice: NoticeView) -> tuple[int, float]:
        awaited = notice.due_in_seconds is not None
        due_in = notice.due_in_seconds if notice.due_in_seconds is not None else float("inf")
        if is_loud(notice):
            return 0, due_in
        if notice.state in ("due", "sending", "failed"):
            return 1, due_in
        if notice.state in ("waiting", "snoozed") or (notice.state in GIVEN and awaited):
            return 2, due_in
        return {"unasked": 3, "sent": 4, "acknowledged": 4}.get(notice.state, 5), due_in

    return sorted(notices, key=place)


def _calls(notice: NoticeView) -> bool:
    return is_loud(notice) or notice.state == "due"


class _NoticeLines:
    """One notice as lines of a panel."""

    def __init__(self, notice: NoticeView, view: ViewState, wording: Wording, watching: bool) -> None:
        self._notice = notice
        self._sign = wording.notice_now(notice, view.at)
        self._lead = literal((f"{self._sign.icon} {self._sign.word}", self._sign.style))
        self._button = Content("") if watching else self._press()

    def narrow(self, width: int) -> Iterator[Content]:
        calls = _calls(self._notice)
        tail = self._button or self._room_for(self._aside(), width - self._lead.cell_length - 2)
        yield spread(self._lead, tail, width)
        for line in wrapped(self._notice.title, width - len(_INDENT), 2 if calls else 1):
            yield literal(_INDENT, (line, "bold" if calls else ""))
        if self._notice.state not in GIVEN:
            yield from self._note(width, 2 if calls else 1)

    def wide(self, width: int) -> Iterator[Content]:
        title = literal((self._notice.title, "bold" if _calls(self._notice) else ""))
        lead = fit(self._lead, _LEAD) if self._lead.cell_length < _LEAD else literal(self._lead, " ")
        room = width - lead.cell_length - title.cell_length - 2
        tail = self._button or self._room_for(self._aside(), room)
        yield spread(literal(lead, title), tail, width)
        yield from self._note(width, 2, _LEAD)

    def _aside(self) -> str:
        """Who gave it, while that matters; else what it goes by."""
        notice = self._notice
        if notice.state in GIVEN and notice.by:
            at = f" {clock_minutes(notice.given_at)}" if notice.given_at and notice.due_in_seconds is not None else ""
            return f"{notice.by}{at}"
        if notice.state in ("unasked", "not_needed", "withdrawn"):
            return ""
        if notice.state == "sending" and notice.to:
            return notice.to
        return notice.channel if notice.by_console else "by hand"

    def _room_for(self, aside: str, room: int) -> Content:
        return literal((aside, "$dim")) if 0 < len(aside) <= room else Content("")

    def _note(self, width: int, most: int, indent: int = len(_INDENT)) -> Iterator[Content]:
        """Why it failed, who put it off and why, what a person said of it."""
        said = self._notice.note.removeprefix(
            "put off by " if self._notice.state == "snoozed" else f"{self._notice.by}: "
        )
        style = self._sign.style.removeprefix("bold ") if _calls(self._notice) else "$dim"
        for line in wrapped(said, width - indent, most):
            yield literal(" " * indent, (line, style))

    def _press(self) -> Content:
        if self._notice.state == "unasked":
            return literal(("[ Say ]", "$note")).stylize(press("impact"))
        if not _calls(self._notice):
            return Content("")
        if self._notice.by_console:
            return literal(("[ Send ]", "$note")).stylize(press("notify"))
        return literal(("[ Told ]", "$note")).stylize(press("acknowledge"))
