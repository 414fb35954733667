"""The communication plan: whom the incident touches, who was told what, when it was due, and each message as it was sent."""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.triggers import span
from console.engine.view import Level
from console.report.blocks import Block, Line, Listing, Paragraph, Section, Small, Subheading, Table, Word
from console.report.messages import Attempt, Given, NoticeStory
from console.report.model import Record
from console.report.sections.wording import IMPACTS, NOTICE_LEVELS, spoken
from console.report.times import Times

_ON_TIME_SECONDS = 60.0
_OUTCOMES: dict[str, Level] = {"sent": "good", "maybe sent": "alarm", "failed": "alarm", "under way": "attention"}


def section(record: Record, times: Times) -> Section | None:
    blocks = (*_impacts(record, times), *_notices(record, times), *_messages(record, times))
    return Section("communication", "Communication", blocks) if blocks else None


def _impacts(record: Record, times: Times) -> Iterator[Block]:
    rows = tuple(
        (
            Word(
                IMPACTS[impact] if word.applies else f"not so: {IMPACTS[impact]}", "alarm" if word.applies else "plain"
            ),
            word.by,
            times.full(word.at),
            word.note,
        )
        for impact, word in record.incident.impacts.items()
    )
    if rows:
        yield Subheading("Whom it touches")
        yield Table(("Impact", "Said by", "When", "How it is known"), rows, narrow=(2,))


def _notices(record: Record, times: Times) -> Iterator[Block]:
    if record.notices:
        yield Subheading("Notices")
        yield Table(
            ("Notice", "State", "Due", "Given", "By", "How"),
            tuple(row for notice in record.notices for row in _rows(notice, times)),
            narrow=(1,),
        )


def _rows(notice: NoticeStory, times: Times) -> Iterator[tuple[Line, ...]]:
    state = Word(spoken(notice.standing.state), NOTICE_LEVELS[notice.standing.state])
    title: Line = notice.outline.title
    if notice.snoozed:
        words = "; ".join(f"put off until {times.clock(s.until)} by {s.by}: {s.reason}" for s in notice.snoozed)
        title = (notice.outline.title, Small(words))
    for number, given in enumerate(notice.given):
        yield (title if number == 0 else "again", state if number == 0 else "", *_given(given, times))
    if not notice.given:
        due = times.full(notice.standing.due_at) if notice.standing.due_at else ""
        yield (title, state, due, "", "", "")


def _given(given: Given, times: Times) -> tuple[Line, ...]:
    due = times.full(given.due_at) if given.due_at else ""
    late: tuple[Word, ...] = ()
    if given.late_seconds > _ON_TIME_SECONDS:
        late = (Word(f"{span(given.late_seconds)} late", "attention"),)
    how = "sent by the console: " if given.sent else "by other means: "
    return (due, (times.full(given.at), " ", *late), given.by, f"{how}{given.note}")


def _messages(record: Record, times: Times) -> Iterator[Block]:
    for notice in record.notices:
        shown: set[str] = set()
        if notice.attempts:
            yield Subheading(f"Sent for: {notice.outline.title}")
        for attempt in notice.attempts:
            yield Paragraph(_attempt(attempt, times))
            if attempt.op not in shown:
                yield Listing((f"To: {attempt.to}", f"Subject: {attempt.subject}", "", *attempt.text.splitlines()))
            shown.add(attempt.op)


def _attempt(attempt: Attempt, times: Times) -> Line:
    again = f", again because: {attempt.again}" if attempt.again else ""
    again += ", to say that it is over" if attempt.of_the_end else ""
    answered = f"answered {times.clock(attempt.answered_at)}: " if attempt.answered_at else ""
    return (
        f"{times.full(attempt.at)}, attempt {attempt.number} by {attempt.by}{again}: ",
        Word(attempt.outcome, _OUTCOMES[attempt.outcome]),
        Small(f"{answered}{attempt.detail}") if answered else "",
    )
