"""When a notice of the communication plan is due. The clocks count from the declaration, so they survive any restart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from console.domain.incident import Incident
from console.domain.outline import NoticeOutline

NoticeState = Literal["waiting", "due", "overdue", "acknowledged"]

GRACE_SECONDS: Final = 60.0
"""From its due time a notice is `due` for this long, then `overdue`; "immediately" (after 0) has the same minute."""


@dataclass(frozen=True, slots=True)
class NoticeStanding:
    """Where a notice stands; `due_in_seconds` is negative once its time has come, None when nothing is awaited."""

    state: NoticeState
    due_at: datetime | None
    due_in_seconds: float | None


def standing(
    after_seconds: float, declared_at: datetime | None, now: datetime, *, acknowledged: bool
) -> NoticeStanding:
    if declared_at is None:
        return NoticeStanding("waiting", None, None)
    due_at = declared_at + timedelta(seconds=after_seconds)
    due_in = (due_at - now).total_seconds()
    if acknowledged:
        return NoticeStanding("acknowledged", due_at, None)
    if due_in > 0:
        return NoticeStanding("waiting", due_at, due_in)
    return NoticeStanding("due" if -due_in <= GRACE_SECONDS else "overdue", due_at, due_in)


def standing_in(incident: Incident, notice: NoticeOutline, now: datetime) -> NoticeStanding:
    """The same for a notice of an incident; once resolved, nothing that was not told is awaited any more."""
    acknowledged = notice.id in incident.acknowledged
    found = standing(notice.after_seconds, incident.declared_at, now, acknowledged=acknowledged)
    if incident.phase == "resolved" and not acknowledged:
        return NoticeStanding("waiting", found.due_at, None)
    return found
