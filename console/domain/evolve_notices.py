"""What becomes of a notice with each event of its outbox: `evolve.py` folds with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from console.domain import events as e
from console.domain.incident import Acknowledgement, Incident, NoticeProgress, Snoozed


def acknowledged(incident: Incident, event: e.NoticeAcknowledged, recorded: e.Recorded) -> Incident:
    word = Acknowledgement(recorded.at, recorded.actor, event.note)
    known = incident.notices.get(event.notice)
    known = known or NoticeProgress("acknowledged", recorded.at, recorded.actor)
    progress = replace(
        known,
        state="acknowledged",
        at=recorded.at,
        by=recorded.actor,
        detail=event.note,
        given_at=recorded.at,
        times_given=known.times_given + 1,
        retry_at=None,
        resolved=incident.phase == "resolved",
    )
    return replace(
        _notice(_awake(incident, event.notice), event.notice, progress),
        acknowledged=MappingProxyType({**incident.acknowledged, event.notice: word}),
    )


def _awake(incident: Incident, notice_id: str) -> Incident:
    """A snooze holds for the turn that it was asked for: giving the notice ends it, whatever the clocks say."""
    kept = {i: word for i, word in incident.snoozed.items() if i != notice_id}
    return replace(incident, snoozed=MappingProxyType(kept))


def _notice(incident: Incident, notice_id: str, progress: NoticeProgress) -> Incident:
    return replace(incident, notices=MappingProxyType({**incident.notices, notice_id: progress}))


def notice_sending(incident: Incident, event: e.NoticeSending, recorded: e.Recorded) -> Incident:
    known = incident.notices.get(event.notice)
    by_itself = known is not None and known.op == event.op and not event.again
    progress = NoticeProgress(
        "sending",
        recorded.at,
        known.by if known and by_itself else recorded.actor,
        op=event.op,
        attempt=event.attempt,
        subject=event.subject,
        text=event.text,
        to=event.to,
        given_at=known.given_at if known else None,
        times_given=known.times_given if known else 0,
        resolved=event.resolved,
    )
    return _notice(incident, event.notice, progress)


def notice_sent(incident: Incident, event: e.NoticeSent, recorded: e.Recorded) -> Incident:
    known = incident.notices[event.notice]
    return _notice(
        _awake(incident, event.notice),
        event.notice,
        replace(
            known,
            state="sent",
            at=recorded.at,
            detail=event.detail,
            given_at=recorded.at,
            times_given=known.times_given + 1,
        ),
    )


def notice_maybe_sent(incident: Incident, event: e.NoticeMaybeSent, recorded: e.Recorded) -> Incident:
    known = incident.notices[event.notice]
    return _notice(incident, event.notice, replace(known, state="maybe_sent", at=recorded.at, detail=event.reason))


def notice_failed(incident: Incident, event: e.NoticeFailed, recorded: e.Recorded) -> Incident:
    known = incident.notices[event.notice]
    retry_at = None if event.retry_seconds is None else recorded.at + timedelta(seconds=event.retry_seconds)
    failed = replace(known, state="failed", at=recorded.at, detail=event.reason, retry_at=retry_at)
    return _notice(incident, event.notice, failed)


def notice_snoozed(incident: Incident, event: e.NoticeSnoozed, recorded: e.Recorded) -> Incident:
    word = Snoozed(event.until, recorded.at, recorded.actor, event.reason)
    return replace(incident, snoozed=MappingProxyType({**incident.snoozed, event.notice: word}))
