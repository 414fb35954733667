"""What is still open: what stands in the way of resolving, what was not told, what is left to do."""

from __future__ import annotations

from collections.abc import Iterator

from console.report.blocks import Block, Bullets, Code, Line, Paragraph, Section, Word
from console.report.messages import NoticeStory
from console.report.model import Record
from console.report.sections.wording import NOTICE_LEVELS, listed, spoken
from console.report.times import Times

_UNTOLD = ("overdue", "maybe_sent", "failed", "withdrawn", "unasked", "due")


def section(record: Record, times: Times) -> Section:
    lines: list[Line] = [(Word("open", "alarm"), " ", reason) for reason in record.open_ends]
    lines += [_untold(n, times) for n in record.notices if _is_missed(record, n)]
    lines += _left(record, times)
    blocks: list[Block] = [Bullets(tuple(lines))] if lines else [Paragraph("Nothing is open.", "good")]
    if not record.resolved:
        action = record.view.next_action
        command: Line = (
            (f"Next: {action.text} ", Code(f"rollback-console {action.command}"))
            if action.command
            else (f"Next: {action.text}")
        )
        blocks.append(Paragraph(command))
        blocks += unseen(record)
    return Section("open", "What is still open", tuple(blocks))


def unseen(record: Record) -> Iterator[Block]:
    """What is advised rests on what the triggers last said, and that may be older than what was done."""
    if not record.resolved and record.unseen:
        names = listed(dict.fromkeys(run.title for run in record.unseen))
        words = f"The journal holds no word of the triggers since {names} was carried out: look at them before you act on this."
        yield Paragraph(words, "attention")


def _is_missed(record: Record, notice: NoticeStory) -> bool:
    """One whose time came only after the end is missed by nobody."""
    ended, due_at = record.incident.resolved_at, notice.standing.due_at
    return notice.standing.state in _UNTOLD and not (ended and due_at and due_at > ended)


def _untold(notice: NoticeStory, times: Times) -> Line:
    state, due_at = notice.standing.state, notice.standing.due_at
    if due_at is None and state in ("withdrawn", "unasked"):
        return (Word("not known", "attention"), f" whether it was needed: {notice.outline.title}")
    due = f", due {times.full(due_at)}" if due_at else ""
    word = "not given" if state == "withdrawn" else spoken(state)
    return (Word(word, NOTICE_LEVELS[state]), f" {notice.outline.title}{due}")


def _left(record: Record, times: Times) -> Iterator[Line]:
    for item in record.followups:
        if item.done_at is None:
            whose = f" ({item.assignee})" if item.assignee else " (nobody)"
            due = f", due {times.day(item.due_at)}" if item.due_at else ", no date"
            yield (Word("to do", "attention"), f" {item.text}{whose}{due}")
