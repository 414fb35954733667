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


def mark(progress: NoticeProgress | None) -> str:
    """Names what a person sees of a notice: another mark means that something became of it since. Failing once more does not."""
    if progress is None:
        return ""
    attempt = "" if progress.state == "failed" else progress.attempt
    return f"{progress.op}/{attempt}/{progress.state}/{progress.times_given}"


def given_already(incident: Incident, notice: NoticeOutline, now: datetime | None) -> bool:
    """Whether giving it now would be giving it again, which takes a reason: it was, or may have been, given.

    One that repeats is new once it is due again, and so is the word that the incident is over. None for `now`: at a moment
    that nobody knows, nothing is due again.
    """
    progress = incident.notices.get(notice.id)
    if progress is None or progress.state in ("sending", "failed"):
        return False
    if progress.state == "maybe_sent":
        return True
    if incident.phase == "resolved":
        return progress.resolved
    return now is None or standing_in(incident, notice, now).state not in ("due", "overdue")


def standing_in(incident: Incident, notice: NoticeOutline, now: datetime) -> NoticeStanding:
    """Once an incident is resolved, nothing that was not given is awaited any more, but the word that it is over."""
    progress = incident.notices.get(notice.id)
    due_at = _due_at(incident, notice, progress)
    due_in = (due_at - now).total_seconds() if due_at else None
    if progress and progress.state == "sending":
        return NoticeStanding("sending", due_at, due_in)
    if progress and progress.state == "maybe_sent":
        return NoticeStanding("maybe_sent", due_at, due_in if incident.phase == "open" else None)
    if incident.phase != "open":
        return _ended(incident, notice, progress, due_at)
    snoozed = _is_put_off(incident, notice, due_at, now)
    if progress and progress.state == "failed" and not snoozed and not _ruled_out(incident, notice, progress):
        return NoticeStanding("failed", due_at, due_in)
    if progress and progress.state in GIVEN and (due_in is None or due_in > 0) and not snoozed:
        return NoticeStanding(progress.state, due_at, due_in)
    if due_in is None:
        return NoticeStanding(_unawaited(incident, notice), None, None)
    if due_in > 0:
        return NoticeStanding("snoozed" if snoozed else "waiting", due_at, due_in)
    return NoticeStanding("due" if -due_in <= GRACE_SECONDS else "overdue", due_at, due_in)


def _ended(
    incident: Incident, notice: NoticeOutline, progress: NoticeProgress | None, due_at: datetime | None
) -> NoticeStanding:
    if progress and progress.state == "failed" and progress.resolved:
        return NoticeStanding("failed", due_at, None)
    if progress and progress.given_at:
        return NoticeStanding("acknowledged" if progress.state == "acknowledged" else "sent", due_at, None)
    if incident.phase == "none":
        return NoticeStanding("waiting", None, None)
    ruled_out = due_at is None and _unawaited(incident, notice) == "not_needed"
    return NoticeStanding("not_needed" if ruled_out else "withdrawn", due_at, None)


def _ruled_out(incident: Incident, notice: NoticeOutline, failed: NoticeProgress) -> bool:
    """Whether it was said, after a message had failed, that what the notice hangs on does not apply."""
    word = incident.impacts.get(notice.impact) if notice.impact else None
    return word is not None and not word.applies and word.at >= failed.at


def _is_put_off(incident: Incident, notice: NoticeOutline, due_at: datetime | None, now: datetime) -> bool:
    """A snooze that ends before the notice is due at all puts nothing off."""
    snoozed = incident.snoozed.get(notice.id)
    return snoozed is not None and snoozed.until == due_at and due_at > now


def _due_at(incident: Incident, notice: NoticeOutline, progress: NoticeProgress | None) -> datetime | None:
    """When it is to be given, or given again; None when nothing is awaited, or was not yet."""
    due_at = _first_due_at(incident, notice)
    if progress and progress.given_at:
        repeats = due_at is not None and notice.repeat_seconds is not None
        due_at = progress.given_at + timedelta(seconds=notice.repeat_seconds or 0.0) if repeats else None
    snoozed = incident.snoozed.get(notice.id)
    return max(due_at, snoozed.until) if due_at and snoozed else due_at


def _first_due_at(incident: Incident, notice: NoticeOutline) -> datetime | None:
    begins = incident.declared_at
    if notice.impact is not None:
        word = incident.impacts.get(notice.impact)
        begins = word.at if word and word.applies else None
    return begins + timedelta(seconds=notice.after_seconds) if begins else None


def _unawaited(incident: Incident, notice: NoticeOutline) -> NoticeState:
    if notice.impact is None or incident.declared_at is None:
        return "waiting"
    return "not_needed" if notice.impact in incident.impacts else "unasked"
