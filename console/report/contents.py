"""Which sections a report has, in which order: the whole record, and the brief for whoever takes over."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from console.report.blocks import Listing, Report, Section
from console.report.model import Record
from console.report.sections import (
    anchor,
    brief,
    checklist,
    communication,
    decisions,
    heading,
    open_ends,
    review,
    rollbacks,
    summary,
    timeline,
    triggers,
)
from console.report.times import Times

Maker = Callable[[Record, Times], Section | None]

_WHOLE: tuple[Maker, ...] = (
    summary.section,
    open_ends.section,
    triggers.section,
    rollbacks.section,
    checklist.section,
    communication.section,
    decisions.section,
    review.section,
)
_LAST: tuple[Maker, ...] = (timeline.section, anchor.section)
_BRIEF: tuple[Maker, ...] = (
    brief.now,
    brief.fires,
    brief.components,
    brief.criteria,
    brief.due,
    decisions.section,
    anchor.section,
)


def whole(record: Record, times: Times, debrief: Sequence[str] = ()) -> Report:
    """`debrief`: how a drill went, line by line; it is not in the journal, the drill itself brings it."""
    found = [made for make in _WHOLE if (made := make(record, times))]
    if debrief:
        found.append(Section("debrief", "Debrief of the drill", (Listing(tuple(debrief)),)))
    found += [made for make in _LAST if (made := make(record, times))]
    return Report(heading.title(record), heading.banner(record), heading.head(record, times), tuple(found))


def hand_over(record: Record, times: Times) -> Report:
    """What a new commander has to know, on a page or two."""
    found = tuple(made for make in _BRIEF if (made := make(record, times)))
    title = f"Hand-over: {heading.title(record)}"
    return Report(title, heading.banner(record), brief.head(record, times), found)
