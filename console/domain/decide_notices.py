"""The rules of the outbox and of what is touched: `decide.py` asks."""

from __future__ import annotations

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Refused
from console.domain.events import Events
from console.domain.incident import Incident, NoticeProgress
from console.domain.notices import given_already, mark
from console.domain.outline import NoticeOutline
from console.domain.refusing import is_open, words_of


def left_open(incident: Incident) -> Events:
    """A new incident never waits for the last word of the one before, and does not hide that nobody knows what became of it."""
    reason = "a new incident was declared before anybody knew what became of it"
    return tuple(
        e.NoticeMaybeSent(i, progress.op, reason)
        for i, progress in incident.notices.items()
        if progress.state == "sending"
    )


def acknowledge(incident: Incident, command: c.Acknowledge) -> Events:
    """Given by other means, or seen to have arrived. After the end too: what may have been sent stays a question until then."""
    outline = _notice(incident, command.notice)
    progress = incident.notices.get(outline.id)
    if progress and progress.state == "sending":
        raise _being_sent(outline, progress)
    if incident.phase == "resolved" and not (progress and progress.state == "maybe_sent"):
        is_open(incident)
    repeats = outline.repeat_seconds is not None
    if progress and progress.state in ("sent", "acknowledged") and not repeats:
        raise Refused(_told_of(outline, progress), "nothing to do")
    note = words_of(command.note, "an acknowledgement needs a note: who was told, and how?")
    return (e.NoticeAcknowledged(outline.id, note),)


def _notice(incident: Incident, notice_id: str) -> NoticeOutline:
    """The notice by the incident's own plan; refused before any incident."""
    if incident.phase == "none":
        is_open(incident)
    outline = incident.outline.notice(notice_id)
    if outline is None:
        known = ", ".join(n.id for n in incident.outline.notices) or "none"
        raise Refused(f'there is no notice "{notice_id}"', f"notices: {known}")
    return outline


def _being_sent(outline: NoticeOutline, progress: NoticeProgress) -> Refused:
    return Refused(f"notice {outline.id} is being sent since {progress.at:%H:%M:%S} UTC", "wait for its outcome")


def _told_of(outline: NoticeOutline, progress: NoticeProgress) -> str:
    word = "acknowledged" if progress.state == "acknowledged" else "sent"
    return f"notice {outline.id} was {word} at {progress.at:%H:%M:%S} UTC by {progress.by}"


def state_impact(incident: Incident, command: c.StateImpact) -> Events:
    is_open(incident)
    word = incident.impacts.get(command.impact)
    note = words_of(command.note, "this needs a note: how is it known?")
    if word and (word.applies, word.note) == (command.applies, note):
        return ()
    return (e.ImpactStated(command.impact, command.applies, note),)


def notify(incident: Incident, command: c.Notify) -> Events:
    """After the end it tells of the end: a message of its own, and the only one that is sent then."""
    outline = _notice(incident, command.notice)
    if not command.text.strip():
        raise Refused(f"notice {outline.id} has no text", "a message says something")
    progress = incident.notices.get(outline.id)
    if progress and progress.state == "sending":
        raise _being_sent(outline, progress)
    if command.follows not in (None, mark(progress)):
        raise Refused(f"{_became(outline, progress)} meanwhile", "look at it again, then decide")
    again = command.again.strip()
    if progress and not again and given_already(incident, outline, command.at):
        raise _needs_reason(outline, progress)
    message = (command.op, command.subject, command.text, command.to)
    same = progress is not None and progress.op == command.op
    if progress and same and message != (progress.op, progress.subject, progress.text, progress.to):
        raise Refused(f"message {command.op} of notice {outline.id} is another one", "nothing was sent")
    attempt = progress.attempt + 1 if progress and same else 1
    ended = incident.phase == "resolved"
    return (
        e.NoticeSending(
            outline.id, command.op, attempt, command.subject, command.text, command.to, again, resolved=ended
        ),
    )


def _became(outline: NoticeOutline, progress: NoticeProgress | None) -> str:
    if progress is None:
        return f"notice {outline.id} begins anew with another incident, declared"
    if progress.state in ("sent", "acknowledged"):
        return _told_of(outline, progress)
    word = "may have been sent" if progress.state == "maybe_sent" else "failed"
    return f"notice {outline.id} {word} at {progress.at:%H:%M:%S} UTC ({progress.detail})"


def _needs_reason(outline: NoticeOutline, progress: NoticeProgress) -> Refused:
    if progress.state == "maybe_sent":
        return Refused(
            f"notice {outline.id} may have been sent already: {progress.detail}",
            f'look, then: ack {outline.id} --note "it arrived", or: notify {outline.id} --again "it did not arrive"',
        )
    return Refused(_told_of(outline, progress), f'to give it again: notify {outline.id} --again "why"')


def retry_notice(incident: Incident, command: c.RetryNotice) -> Events:
    """Only where nothing was delivered, only the message that a person sent, and only while somebody waits for it."""
    outline = _notice(incident, command.notice)
    failed = incident.notices.get(outline.id)
    if failed is None or failed.state != "failed" or failed.op != command.op or failed.retry_at is None:
        raise Refused(f"notice {outline.id} has no message {command.op} to try again")
    if command.attempt != failed.attempt + 1:
        raise Refused(f"notice {outline.id} was tried again already, attempt {failed.attempt}")
    if failed.resolved != (incident.phase == "resolved"):
        raise Refused(f"notice {outline.id} is withdrawn: the incident is {incident.phase}")
    return (
        e.NoticeSending(
            outline.id,
            failed.op,
            command.attempt,
            failed.subject,
            failed.text,
            failed.to,
            resolved=failed.resolved,
        ),
    )


def notice_outcome(incident: Incident, fact: e.NoticeSent | e.NoticeMaybeSent | e.NoticeFailed) -> Events:
    progress = incident.notices.get(fact.notice)
    if progress is None or progress.state != "sending" or progress.op != fact.op:
        raise Refused(f"notice {fact.notice} has no message {fact.op} under way")
    return (fact,)


def snooze(incident: Incident, command: c.Snooze) -> Events:
    is_open(incident)
    outline = _notice(incident, command.notice)
    progress = incident.notices.get(outline.id)
    if progress and progress.state == "sending":
        raise _being_sent(outline, progress)
    if progress and progress.state == "maybe_sent":
        raise _needs_reason(outline, progress)
    if progress and progress.state in ("sent", "acknowledged") and outline.repeat_seconds is None:
        raise Refused(_told_of(outline, progress), "there is nothing to put off")
    reason = words_of(command.reason, "snoozing a notice needs a reason", "--reason")
    return (e.NoticeSnoozed(outline.id, command.until, reason),)
