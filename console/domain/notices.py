"""When a notice of the communication plan is due, and where it stands. The clocks count from what the journal says happened,
by wall time: they are right after a restart, a suspended laptop, a clock that was set.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from console.domain.incident import Incident, NoticeProgress
from console.domain.outline import NoticeOutline

NoticeState = Literal[
    "waiting",  # its time has not come
    "due",
    "overdue",
    "snoozed",  # put off with a reason
    "sending",
    "sent",
    "maybe_sent",  # it left and no answer came: a person decides
    "failed",  # nothing was delivered
    "acknowledged",  # given by other means
    "unasked",  # it hangs on something that nobody has said yet
    "not_needed",  # what it hangs on does not apply
    "withdrawn",  # the incident was resolved before it was given
]

GRACE_SECONDS: Final = 60.0
"""From its due time a notice is `due` for this long, then `overdue`; "immediately" (after 0) has the same minute."""
GIVEN: Final[frozenset[NoticeState]] = frozenset({"sent", "acknowledged"})


@dataclass(frozen=True, slots=True)
class NoticeStanding:
    """Where a notice stands; `due_in_seconds` is negative once its time has come, None when nothing is awaited."""

    state: NoticeState
    due_at: datetime | None
    due_in_seconds: float | None

    @property
    def late(self) -> bool:
        return self.due_in_seconds is not None and self.due_in_seconds < -GRACE_SECONDS


def standing_in(incident: Incident, notice: NoticeOutline, now: datetime) -> NoticeStanding:
    """Once an incident is resolved, nothing that was not given is awaited any more."""
    progress = incident.notices.get(notice.id)
    due_at = _due_at(incident, notice, progress)
    due_in = (due_at - now).total_seconds() if due_at else None
    if progress and progress.state == "sending":
        return NoticeStanding("sending", due_at, due_in)
    if progress and progress.state == "maybe_sent":
        return NoticeStanding("maybe_sent", due_at, due_in if incident.phase == "open" else None)
    if incident.phase != "open":
        return _ended(progress, due_at)
    if progress and progress.state == "failed":
        return NoticeStanding("failed", due_at, due_in)
    if progress and progress.state in GIVEN and (due_in is None or due_in > 0):
        return NoticeStanding(progress.state, due_at, due_in)
    if due_in is None:
        return NoticeStanding(_unawaited(incident, notice), None, None)
    if due_in > 0:
        return NoticeStanding("snoozed" if _snoozed_until(incident, notice, progress) else "waiting", due_at, due_in)
    return NoticeStanding("due" if -due_in <= GRACE_SECONDS else "overdue", due_at, due_in)


def _ended(progress: NoticeProgress | None, due_at: datetime | None) -> NoticeStanding:
    if progress and progress.given_at:
        return NoticeStanding("acknowledged" if progress.state == "acknowledged" else "sent", due_at, None)
    if due_at is None:
        return NoticeStanding("waiting", None, None)
    return NoticeStanding("withdrawn", due_at, None)


def _due_at(incident: Incident, notice: NoticeOutline, progress: NoticeProgress | None) -> datetime | None:
    """When it is to be given, or given again; None when nothing is awaited, or was not yet."""
    given_at = progress.given_at if progress else None
    if given_at is None:
        due_at = _first_due_at(incident, notice)
    else:
        due_at = None if notice.repeat_seconds is None else given_at + timedelta(seconds=notice.repeat_seconds)
    until = _snoozed_until(incident, notice, progress)
    return max(due_at, until) if due_at and until else due_at


def _first_due_at(incident: Incident, notice: NoticeOutline) -> datetime | None:
    begins = incident.declared_at
    if notice.impact is not None:
        word = incident.impacts.get(notice.impact)
        begins = word.at if word and word.applies else None
    return begins + timedelta(seconds=notice.after_seconds) if begins else None


def _snoozed_until(incident: Incident, notice: NoticeOutline, progress: NoticeProgress | None) -> datetime | None:
    """A snooze holds for the turn that it was asked for: giving the notice ends it."""
    snoozed = incident.snoozed.get(notice.id)
    if snoozed is None or (progress and progress.given_at and progress.given_at >= snoozed.at):
        return None
    return snoozed.until


def _unawaited(incident: Incident, notice: NoticeOutline) -> NoticeState:
    if notice.impact is None or incident.declared_at is None:
        return "waiting"
    return "not_needed" if notice.impact in incident.impacts else "unasked"
