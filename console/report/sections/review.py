"""What follows the rollback, as forms: root cause, prevention, recovery. What nobody has filled in yet is left blank."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from console.domain.incident import FollowUp
from console.domain.outline import Section as Part
from console.report.blocks import Blank, Block, Line, Paragraph, Section, Small, Subheading, Table, Word
from console.report.model import Record
from console.report.times import Times

PARTS: Final[dict[Part, str]] = {
    "root_cause": "Root cause analysis",
    "prevention": "Prevention measures",
    "recovery": "Recovery planning",
}
_BLANK_ROWS = 2
_COLUMNS = ("", "Item", "Assignee", "Due", "Done", "How")


def section(record: Record, times: Times) -> Section:
    return Section("review", "After the rollback", tuple(_blocks(record, times)))


def _blocks(record: Record, times: Times) -> Iterator[Block]:
    own = [f for f in record.followups if f.incident == record.incident.id]
    for part, title in PARTS.items():
        yield Subheading(title)
        rows = [_item(f, times) for f in own if f.section == part]
        blank: tuple[Line, ...] = ("☐", Blank(), Blank(), Blank(), Blank(), Blank())
        yield Table(_COLUMNS, (*rows, *([blank] * _BLANK_ROWS)), narrow=(0, 3))
    if earlier := [f for f in record.followups if f.incident != record.incident.id]:
        yield Subheading("Left from earlier incidents")
        yield Table(_COLUMNS, tuple(_item(f, times) for f in earlier), narrow=(0, 3))
    yield Paragraph(Small("Items are added with: followup add, and ticked off with: followup done."))


def _item(item: FollowUp, times: Times) -> tuple[Line, ...]:
    late = item.done_at and item.due_at and item.done_at > item.due_at
    done: Line = Blank()
    if item.done_at:
        done = (f"{times.day(item.done_at)} by {item.done_by}", *((Word("late", "attention"),) if late else ()))
    return (
        "☑" if item.done_at else "☐",
        (item.text, Small(item.id)),
        item.assignee or Blank(),
        times.day(item.due_at) if item.due_at else Blank(),
        done,
        item.note or Blank(),
    )
