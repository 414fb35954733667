"""Each event of the journal as one line for people: the timeline of the screen, of the plain output, and of the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from console.domain import events as e
from console.domain.outline import IMPACT_WORDS, Outline
from console.domain.triggers import amount, span
from console.engine.view import Level

Line = tuple[str, Level]


def told_event(event: e.Event, actor: str, outline: Outline) -> Line:
    """The event in words, and how much it matters. Titles come from the outline, ids where it has none."""
    return _WORDS[type(event)](event, actor, _Titles(outline))


class _Titles:
    def __init__(self, outline: Outline) -> None:
        self._components = {c.id: c.title for c in outline.components}
        self._steps = {s.id: s.title for _, s in outline.steps()}
        self._checks = {c.id: c.title for c in outline.checks}
        self._triggers = {t.id: t.title for t in outline.triggers}
        self._notices = {n.id: n.title for n in outline.notices}

    def component(self, id_: str) -> str:
        return self._components.get(id_, id_)

    def step(self, id_: str) -> str:
        return self._steps.get(id_, id_)

    def check(self, id_: str) -> str:
        return self._checks.get(id_, id_)

    def trigger(self, id_: str) -> str:
        return self._triggers.get(id_, id_)

    def notice(self, id_: str) -> str:
        return self._notices.get(id_, id_)


_VERDICT_LEVELS: dict[e.Verdict, Level] = {
    "ok": "good",
    "pending": "attention",
    "firing": "alarm",
    "no_data": "attention",
    "stale": "attention",
}
_OUTCOME_LEVELS: dict[e.CheckOutcome, Level] = {"pass": "good", "fail": "alarm", "unknown": "attention"}


def _declared(event: e.IncidentDeclared, actor: str, _: _Titles) -> Line:
    return f"{event.incident_id} declared by {actor}: {event.reason}", "attention"


def _verdict(event: e.VerdictChanged, _: str, titles: _Titles) -> Line:
    word = event.verdict.replace("_", " ").upper() if event.verdict != "ok" else "ok"
    return f"{titles.trigger(event.trigger)} is {word}: {event.reason}", _VERDICT_LEVELS[event.verdict]


def _confirmed(event: e.ComponentConfirmed, actor: str, titles: _Titles) -> Line:
    return f"{actor} confirmed: roll {event.direction} {titles.component(event.component)}", "attention"


def _step(before: str, field: str, level: Level) -> Callable[[Any, str, _Titles], Line]:
    def line(event: Any, _: str, titles: _Titles) -> Line:
        detail = getattr(event, field) if field else ""
        return f"{titles.step(event.step)}: {before}{f': {detail}' if detail else ''}", level

    return line


def _failed(event: e.StepFailed, _: str, titles: _Titles) -> Line:
    stands = "; what was sent stands" if event.effect else "; nothing was changed"
    word = "refused" if event.refused else "failed"
    return f"{titles.step(event.step)}: {word}: {event.reason}{stands}", "alarm"


def _settled(event: e.StepSettled, actor: str, titles: _Titles) -> Line:
    return (
        f"{actor} settled {titles.step(event.step)} as {event.counts_as.replace('_', ' ')}: {event.note}",
        "attention",
    )


def _step_signed(event: e.StepSigned, actor: str, titles: _Titles) -> Line:
    return f"{titles.step(event.step)}: signed by {actor}: {event.note}", "good"


def _stop_requested(event: e.StopRequested, actor: str, titles: _Titles) -> Line:
    return f"{actor} asked {titles.component(event.component)} to stop", "attention"


def _stopped(event: e.ComponentStopped, _: str, titles: _Titles) -> Line:
    return f"{titles.component(event.component)} stopped: {event.reason}", "attention"


def _finished(event: e.ComponentFinished, _: str, titles: _Titles) -> Line:
    return f"{titles.component(event.component)}: rolled {event.direction}", "good"


def _check_ran(event: e.CheckRan, _: str, titles: _Titles) -> Line:
    word = {"pass": "passed", "fail": "failed", "unknown": "gave no answer"}[event.outcome]
    return f"check {titles.check(event.check)} {word}: {event.evidence}", _OUTCOME_LEVELS[event.outcome]


def _check_signed(event: e.CheckSigned, actor: str, titles: _Titles) -> Line:
    return f"check {titles.check(event.check)} signed by {actor}: {event.note}", "good"


def _check_waived(event: e.CheckWaived, actor: str, titles: _Titles) -> Line:
    return f"check {titles.check(event.check)} waived by {actor}: {event.reason}", "attention"


def _acknowledged(event: e.NoticeAcknowledged, actor: str, titles: _Titles) -> Line:
    return f"{titles.notice(event.notice)}: done, says {actor}: {event.note}", "good"


def _counted(event: e.TriggerCounted, actor: str, titles: _Titles) -> Line:
    note = f": {event.note}" if event.note else ""
    return f"{titles.trigger(event.trigger)}: {actor} counted {event.count:+d}{note}", "plain"


def _attested(event: e.TriggerAttested, actor: str, titles: _Titles) -> Line:
    if event.holds:
        return f"{titles.trigger(event.trigger)} is FIRING, says {actor}: {event.reason}", "alarm"
    return f"{titles.trigger(event.trigger)} holds no more, says {actor}: {event.reason}", "good"


def _impact(event: e.ImpactStated, actor: str, _: _Titles) -> Line:
    touched = "is touched" if event.applies else "is not touched"
    touched = touched.replace("is", "are") if event.impact == "user_facing" else touched
    words = f"{IMPACT_WORDS[event.impact]} {touched}, says {actor}: {event.note}"
    return words[0].upper() + words[1:], "attention" if event.applies else "plain"


_OCCASIONS = {
    "declared": "at the declaration",
    "confirmed": "before {}",
    "soak_ended": "after the soak of {}",
    "resolved": "at the end",
}


def _triggers_seen(event: e.TriggersSeen, _: str, titles: _Titles) -> Line:
    firing = [titles.trigger(t.trigger) for t in event.triggers if t.verdict == "firing"]
    when = _OCCASIONS[event.occasion].format(titles.component(event.component))
    what = f"firing {when}: {', '.join(firing)}" if firing else f"nothing fires {when}"
    return f"triggers kept, {what}", "plain"


def _sending(event: e.NoticeSending, actor: str, titles: _Titles) -> Line:
    attempt = f", attempt {event.attempt}" if event.attempt > 1 else ""
    again = f" again ({event.again})" if event.again else ""
    return f"{titles.notice(event.notice)}: {actor} sends it{again} to {event.to}{attempt}", "plain"


def _notice_failed(event: e.NoticeFailed, _: str, titles: _Titles) -> Line:
    if event.retry_seconds is None:
        return f"{titles.notice(event.notice)}: NOT sent: {event.reason}", "alarm"
    wait = span(event.retry_seconds)
    return f"{titles.notice(event.notice)}: not sent, again in {wait}: {event.reason}", "attention"


def _snoozed(event: e.NoticeSnoozed, actor: str, titles: _Titles) -> Line:
    until = f"{event.until:%H:%M:%S} UTC"
    return f"{titles.notice(event.notice)}: put off until {until} by {actor}: {event.reason}", "attention"


def _followup_added(event: e.FollowUpAdded, actor: str, _: _Titles) -> Line:
    whose = f" ({event.assignee})" if event.assignee else ""
    return f"follow-up {event.followup} added by {actor}: {event.text}{whose}", "plain"


def _resolved(event: e.IncidentResolved, actor: str, _: _Titles) -> Line:
    return f"resolved by {actor}{f': {event.note}' if event.note else ''}", "good"


_WORDS: dict[type[Any], Callable[[Any, str, _Titles], Line]] = {
    e.IncidentDeclared: _declared,
    e.ProcedureRevised: lambda _, actor, __: (f"{actor} goes on with a changed configuration file", "attention"),
    e.VerdictChanged: _verdict,
    e.ComponentConfirmed: _confirmed,
    e.StepIntended: _step("about to be sent", "summary", "plain"),
    e.StepSent: _step("sent", "", "plain"),
    e.StepApplied: _step("applied", "detail", "plain"),
    e.StepProven: _step("proven", "proof", "good"),
    e.StepAlready: _step("already so", "proof", "good"),
    e.StepFailed: _failed,
    e.StepUnknown: _step("UNKNOWN", "reason", "alarm"),
    e.StepDiverged: _step("DIVERGED", "reason", "alarm"),
    e.StepSettled: _settled,
    e.StepSigned: _step_signed,
    e.StopRequested: _stop_requested,
    e.ComponentStopped: _stopped,
    e.ComponentFinished: _finished,
    e.CheckRan: _check_ran,
    e.CheckSigned: _check_signed,
    e.CheckWaived: _check_waived,
    e.NoticeAcknowledged: _acknowledged,
    e.TriggerCounted: _counted,
    e.TriggerAttested: _attested,
    e.ImpactStated: _impact,
    e.TriggersSeen: _triggers_seen,
    e.AdviceGiven: lambda event, _, __: (f"advice: {event.text}", "plain"),
    e.BaselineTaken: lambda event, _, titles: (
        f"baseline of {titles.check(event.check)}: {amount(event.value, event.unit)} ({event.of})",
        "plain",
    ),
    e.NoticeSending: _sending,
    e.NoticeSent: lambda event, _, titles: (f"{titles.notice(event.notice)}: sent: {event.detail}", "good"),
    e.NoticeMaybeSent: lambda event, _, titles: (
        f"{titles.notice(event.notice)}: MAYBE sent: {event.reason}",
        "alarm",
    ),
    e.NoticeFailed: _notice_failed,
    e.NoticeSnoozed: _snoozed,
    e.FollowUpAdded: _followup_added,
    e.FollowUpDone: lambda event, actor, _: (f"follow-up {event.followup} done by {actor}: {event.note}", "good"),
    e.IncidentResolved: _resolved,
}
