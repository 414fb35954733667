"""Each notice of the communication plan: when it was due, each attempt to send it with its text, who gave it, who put it off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from console.domain import events as e
from console.domain.incident import Incident, Snoozed
from console.domain.notices import NoticeStanding, standing_in
from console.domain.outline import NoticeOutline
from console.report.moments import Moment


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sending of one message; the same `op` is the same message."""

    at: datetime
    by: str
    op: str
    number: int
    to: str
    subject: str
    text: str
    again: str
    of_the_end: bool
    outcome: Literal["under way", "sent", "maybe sent", "failed"] = "under way"
    answered_at: datetime | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """`due_at` is when it had to be given, snoozes included; None when nothing was awaited."""

    at: datetime
    by: str
    sent: bool
    note: str
    due_at: datetime | None

    @property
    def late_seconds(self) -> float:
        return max(0.0, (self.at - self.due_at).total_seconds()) if self.due_at else 0.0


@dataclass(frozen=True, slots=True)
class NoticeStory:
    """`standing` is where it stands at the report's moment."""

    outline: NoticeOutline
    standing: NoticeStanding
    given: tuple[Given, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    snoozed: tuple[Snoozed, ...] = ()


def notice_stories(moments: Sequence[Moment], incident: Incident, at: datetime) -> tuple[NoticeStory, ...]:
    """In the order of the plan; those that the procedure no longer has come last."""
    outlines = {n.id: n for m in moments for n in m.after.outline.notices}
    ordered = {n.id: n for n in incident.outline.notices} | outlines
    return tuple(_story(outlines[i], moments, incident, at) for i in ordered)


def _story(outline: NoticeOutline, moments: Sequence[Moment], incident: Incident, at: datetime) -> NoticeStory:
    own = [m for m in moments if getattr(m.event, "notice", None) == outline.id]
    return NoticeStory(
        outline=outline,
        standing=standing_in(incident, outline, at),
        given=tuple(_given(outline, own)),
        attempts=tuple(_attempts(own)),
        snoozed=tuple(
            Snoozed(m.event.until, m.at, m.by, m.event.reason) for m in own if isinstance(m.event, e.NoticeSnoozed)
        ),
    )


def _given(outline: NoticeOutline, own: Iterable[Moment]) -> Iterable[Given]:
    """The incident before the event knows when it was due. The word that it is over has no time of its own."""
    for moment in own:
        event = moment.event
        if isinstance(event, e.NoticeSent | e.NoticeAcknowledged):
            open_then = moment.before.phase == "open"
            due_at = standing_in(moment.before, outline, moment.at).due_at if open_then else None
            sent = isinstance(event, e.NoticeSent)
            note = event.detail if isinstance(event, e.NoticeSent) else event.note
            yield Given(moment.at, moment.by, sent, note, due_at)


def _attempts(own: Iterable[Moment]) -> Iterable[Attempt]:
    under_way: Attempt | None = None
    for moment in own:
        match moment.event:
            case e.NoticeSending() as sending:
                if under_way:
                    yield under_way
                under_way = Attempt(
                    moment.at,
                    moment.by,
                    sending.op,
                    sending.attempt,
                    sending.to,
                    sending.subject,
                    sending.text,
                    sending.again,
                    sending.resolved,
                )
            case e.NoticeSent() | e.NoticeMaybeSent() | e.NoticeFailed() as outcome if under_way:
                yield _answered(under_way, outcome, moment.at)
                under_way = None
            case _:
                pass
    if under_way:
        yield under_way


def _answered(attempt: Attempt, outcome: e.NoticeSent | e.NoticeMaybeSent | e.NoticeFailed, at: datetime) -> Attempt:
    if isinstance(outcome, e.NoticeSent):
        return replace(attempt, outcome="sent", answered_at=at, detail=outcome.detail)
    word: Literal["maybe sent", "failed"] = "maybe sent" if isinstance(outcome, e.NoticeMaybeSent) else "failed"
    return replace(attempt, outcome=word, answered_at=at, detail=outcome.reason)
