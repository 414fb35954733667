"""Who has to be told, and by when: each notice with its countdown; overdue is the loudest thing here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from console.ui.literal import fit, literal, wrapped
from console.ui.widgets.panel import Heading, Panel, Row
from console.ui.wording import Wording, countdown, duration

if TYPE_CHECKING:
    from console.engine.view import NoticeView, ViewState

_LEAD = 12
_SOON = 300


class Communication(Panel):
    PARTS: ClassVar[frozenset[str]] = frozenset({"notices"})

    def __init__(self, wording: Wording) -> None:
        super().__init__("communication", "Communication", "4", wording, tab="Notices")

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        for notice in view.notices:
            yield Row(notice.id, tuple(self._notice_lines(notice, width)))
        if not view.notices:
            yield Row("", (literal(("the procedure has no notices", "$dim")),))

    def headline(self, view: ViewState) -> Heading:
        for state, word in (("overdue", "OVERDUE"), ("due", "DUE NOW")):
            if found := [n for n in view.notices if n.state == state]:
                sign = self.wording.notice(found[0])
                return Heading(f"{len(found)} {word}", f"{sign.icon}{len(found)}", sign.style)
        told = sum(n.state == "acknowledged" for n in view.notices)
        total = len(view.notices)
        return Heading(f"{told} of {total} told", f"{told}/{total}", "$dim") if view.notices else Heading()

    def follow(self, old: ViewState, new: ViewState) -> str:
        before = {n.id: n.state for n in old.notices}
        late = (n.id for n in new.notices if n.state in ("due", "overdue") and before.get(n.id) != n.state)
        return next(late, "")

    def _notice_lines(self, notice: NoticeView, width: int) -> Iterable[Content]:
        sign = self.wording.notice(notice)
        late = notice.state in ("due", "overdue")
        lead = fit(literal((f"{sign.icon} {self._word(notice, sign.word)}", self._style(notice, sign.style))), _LEAD)
        title = wrapped(notice.title, width - _LEAD, 2 if late else 1) or [""]
        for place, line in enumerate(title):
            yield literal(lead if place == 0 else " " * _LEAD, (line, "bold" if late else ""))
        if late:
            since = duration(-(notice.due_in_seconds or 0.0))
            told = f"for {since}, by {notice.channel}" if notice.channel else f"for {since}"
            yield literal(" " * _LEAD, fit(literal((told, sign.style.removeprefix("bold "))), width - _LEAD))
        for line in wrapped(notice.note, width - _LEAD, 1):
            yield literal(" " * _LEAD, (line, "$dim"))

    def _word(self, notice: NoticeView, word: str) -> str:
        if notice.state == "waiting" and notice.due_in_seconds is not None:
            return countdown(notice.due_in_seconds)
        return word

    def _style(self, notice: NoticeView, style: str) -> str:
        soon = notice.state == "waiting" and notice.due_in_seconds is not None and notice.due_in_seconds < _SOON
        return "bold $attention" if soon else style
