"""What happened, newest first, in UTC: one clock for people in several time zones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from console.ui.literal import literal, wrapped
from console.ui.widgets.panel import Heading, Panel, Row
from console.ui.wording import Wording, clock

if TYPE_CHECKING:
    from console.engine.view import TimelineItem, ViewState

_LEAD = 9
_NEWEST = 300


class Timeline(Panel):
    PARTS: ClassVar[frozenset[str]] = frozenset({"timeline"})

    def __init__(self, wording: Wording) -> None:
        super().__init__("timeline", "Timeline", "5", wording)

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        for item in view.timeline[:_NEWEST]:
            style = self.wording.level(item.level)
            said = wrapped(_said(item), width - _LEAD, 3)
            first = literal((f"{clock(item.at)} ", "$dim"), (said[0] if said else "", style))
            rest = (literal(" " * _LEAD, (line, style)) for line in said[1:])
            yield Row("", (first, *rest))
        if (older := len(view.timeline) - _NEWEST) > 0:
            yield Row("", (literal((f"and {older} earlier, in the report", "$dim")),))
        if not view.timeline:
            yield Row("", (literal(("nothing has happened yet", "$dim")),))

    def headline(self, view: ViewState) -> Heading:
        del view
        return Heading("UTC", "", "$dim")


def _said(item: TimelineItem) -> str:
    return item.text if not item.actor or item.actor in item.text else f"{item.text} ({item.actor})"
