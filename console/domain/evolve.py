"""`evolve(incident, recorded)`: the fold. It never refuses: what is in the journal has happened."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from types import MappingProxyType
from typing import Any

from console.domain import events as e
from console.domain import evolve_notices as notices
from console.domain import evolve_people as people
from console.domain.incident import (
    CheckProgress,
    ComponentProgress,
    ComponentState,
    Incident,
    Operation,
    StepProgress,
    untouched_step,
    with_step,
)
from console.domain.outline import ComponentOutline, Outline


def fold(history: Iterable[e.Recorded], start: Incident | None = None) -> Incident:
    return reduce(evolve, history, start or Incident())


def evolve(incident: Incident, recorded: e.Recorded) -> Incident:
    handler = _HANDLERS[type(recorded.event)]
    evolved: Incident = handler(incident, recorded.event, recorded)
    return replace(evolved, seq=recorded.seq, epoch=recorded.epoch)


def _declared(incident: Incident, event: e.IncidentDeclared, recorded: e.Recorded) -> Incident:
    return Incident(
        phase="open",
        id=event.incident_id,
        number=incident.number + 1,
        reason=event.reason,
        mode=event.mode,
        outline=event.outline,
        config_digest=event.config_digest,
        declared_at=recorded.at,
        commander=recorded.actor,
        components=_components(event.outline, {}),
        counted=incident.counted,
        attested=incident.attested,
        baselines=incident.baselines,
        followups=people.followups(people.still_open(incident), event.incident_id, event.outline),
    )


def _revised(incident: Incident, event: e.ProcedureRevised, _: e.Recorded) -> Incident:
    components = _components(event.outline, incident.components)
    followups = people.followups(incident.followups, incident.id, event.outline)
    return replace(
        incident,
        outline=event.outline,
        config_digest=event.config_digest,
        components=components,
        followups=followups,
    )


def _components(outline: Outline, known: Any) -> MappingProxyType[str, ComponentProgress]:
    """Every component of the outline with its progress so far; one that has progress is never dropped."""
    merged = {c.id: _component(c, known.get(c.id)) for c in outline.components}
    for component in known.values():
        if component.id not in merged and component.state != "untouched":
            merged[component.id] = component
    return MappingProxyType(merged)


def _component(outline: ComponentOutline, known: ComponentProgress | None) -> ComponentProgress:
    steps = {s.id: untouched_step(s) for s in outline.steps}
    if known is None:
        return ComponentProgress(id=outline.id, title=outline.title, steps=MappingProxyType(steps))
    for step in known.steps.values():
        if step.state != "untouched":
            steps[step.id] = step
    return replace(known, title=outline.title, steps=MappingProxyType(steps))


def _verdict(incident: Incident, event: e.VerdictChanged, _: e.Recorded) -> Incident:
    return replace(incident, verdicts=MappingProxyType({**incident.verdicts, event.trigger: event}))


def _confirmed(incident: Incident, event: e.ComponentConfirmed, recorded: e.Recorded) -> Incident:
    component = replace(
        incident.components[event.component],
        state="running",
        direction=event.direction,
        run=event.run,
        confirmed=MappingProxyType({c.step: c for c in event.changes}),
        dealt_with=frozenset(),
        stop_requested=False,
        reason="",
        started_at=recorded.at,
        ended_at=None,
    )
    return incident.with_component(component)


def _intended(incident: Incident, event: e.StepIntended, recorded: e.Recorded) -> Incident:
    operation = Operation(event.op, event.direction, event.change, event.pre_image, event.summary)
    return _step(incident, event, recorded, state="intended", reason="", operation=operation)


def _sent(incident: Incident, event: e.StepSent, recorded: e.Recorded) -> Incident:
    step = incident.components[event.component].steps[event.step]
    attempts = step.attempts
    if step.operation and step.operation.direction == "back":
        attempts = (*attempts, step.operation)
    return _changed(_step(incident, event, recorded, state="sent", attempts=attempts), recorded)


def _changed(incident: Incident, recorded: e.Recorded) -> Incident:
    """Evidence from before this event is stale: a change begins with its sending and is over when its outcome is known."""
    return replace(incident, last_change_seq=recorded.seq)


def _applied(incident: Incident, event: e.StepApplied, recorded: e.Recorded) -> Incident:
    return _changed(_step(incident, event, recorded, state="applied", reason=event.detail), recorded)


def _proven(incident: Incident, event: e.StepProven, recorded: e.Recorded) -> Incident:
    step = incident.components[event.component].steps[event.step]
    return _changed(_dealt_with(_step(incident, event, recorded, **_done(step, event.proof)), event), recorded)


def _done(step: StepProgress, reason: str) -> dict[str, Any]:
    """A step whose operation came to its good end: rolled back stays to be undone, rolled forward has nothing left."""
    if step.operation and step.operation.direction == "forward":
        return {"state": "undone", "reason": reason, "operation": None, "attempts": (), "signed": False}
    return {"state": "proven", "reason": reason, "operation": None}


def _already(incident: Incident, event: e.StepAlready, recorded: e.Recorded) -> Incident:
    step = incident.components[event.component].steps[event.step]
    if event.direction == "forward":
        changes: dict[str, Any] = {"state": "undone", "attempts": ()}
    else:
        changes = {"state": "proven" if step.to_undo else "already"}
    already = _step(incident, event, recorded, reason=event.proof, operation=None, **changes)
    return _dealt_with(already, event)


def _dealt_with(incident: Incident, event: Any) -> Incident:
    component = incident.components[event.component]
    return incident.with_component(replace(component, dealt_with=component.dealt_with | {event.step}))


def _failed(incident: Incident, event: e.StepFailed, recorded: e.Recorded) -> Incident:
    step = incident.components[event.component].steps[event.step]
    attempts = step.attempts
    if event.refused and not event.effect:
        attempts = tuple(a for a in attempts if a.op != event.op)
    failed = _step(incident, event, recorded, state="failed", reason=event.reason, operation=None, attempts=attempts)
    return _changed(failed, recorded) if event.effect and event.op else failed


def _unknown(incident: Incident, event: e.StepUnknown, recorded: e.Recorded) -> Incident:
    return _step(incident, event, recorded, state="unknown", reason=event.reason)


def _diverged(incident: Incident, event: e.StepDiverged, recorded: e.Recorded) -> Incident:
    return _step(incident, event, recorded, state="diverged", reason=event.reason)


def _settled(incident: Incident, event: e.StepSettled, recorded: e.Recorded) -> Incident:
    step = incident.components[event.component].steps[event.step]
    words = f"{recorded.actor} settled it as {event.counts_as.replace('_', ' ')}: {event.note}"
    if event.counts_as == "done":
        settled = _changed(_dealt_with(_step(incident, event, recorded, **_done(step, words)), event), recorded)
    else:
        settled = _step(incident, event, recorded, state="failed", reason=words, operation=None)
    component = settled.components[event.component]
    if component.state == "running":
        return settled
    return settled.with_component(replace(component, state=_stopped_state(component)))


def _signed(incident: Incident, event: e.StepSigned, recorded: e.Recorded) -> Incident:
    back = event.direction == "back"
    words = f"signed by {recorded.actor}: {event.note}"
    signed = _step(
        incident, event, recorded, state="proven" if back else "undone", reason=words, operation=None, signed=back
    )
    return _changed(_dealt_with(signed, event), recorded)


def _stop_requested(incident: Incident, event: e.StopRequested, _: e.Recorded) -> Incident:
    component = incident.components[event.component]
    return incident.with_component(replace(component, stop_requested=True))


def _stopped(incident: Incident, event: e.ComponentStopped, recorded: e.Recorded) -> Incident:
    component = incident.components[event.component]
    stopped = replace(
        component,
        state=_stopped_state(component),
        reason=event.reason,
        stop_requested=False,
        ended_at=recorded.at,
    )
    return incident.with_component(stopped)


def _stopped_state(component: ComponentProgress) -> ComponentState:
    states = {s.state for s in component.steps.values()}
    if states & {"unknown", "diverged"}:
        return "unknown"
    return "failed" if "failed" in states else "stopped"


def _finished(incident: Incident, event: e.ComponentFinished, recorded: e.Recorded) -> Incident:
    component = incident.components[event.component]
    state: ComponentState = "rolled_back" if event.direction == "back" else "rolled_forward"
    finished = replace(component, state=state, reason="", stop_requested=False, ended_at=recorded.at)
    return incident.with_component(finished)


def _check_ran(incident: Incident, event: e.CheckRan, recorded: e.Recorded) -> Incident:
    progress = CheckProgress(
        event.outcome, event.evidence, recorded.at, recorded.seq, seconds=event.seconds, detail=event.detail
    )
    return _check(incident, event.check, progress)


def _check_signed(incident: Incident, event: e.CheckSigned, recorded: e.Recorded) -> Incident:
    progress = CheckProgress("signed", event.note, recorded.at, recorded.seq, by=recorded.actor)
    return _check(incident, event.check, progress)


def _check_waived(incident: Incident, event: e.CheckWaived, recorded: e.Recorded) -> Incident:
    progress = CheckProgress("waived", event.reason, recorded.at, recorded.seq, by=recorded.actor)
    return _check(incident, event.check, progress)


def _check(incident: Incident, check_id: str, progress: CheckProgress) -> Incident:
    return replace(incident, checks=MappingProxyType({**incident.checks, check_id: progress}))


def _resolved(incident: Incident, _: e.IncidentResolved, recorded: e.Recorded) -> Incident:
    items = dict(incident.followups)
    for outline in incident.outline.followups:
        item = items.get(outline.id)
        if item and item.due_at is None and outline.due_seconds is not None:
            items[outline.id] = replace(item, due_at=recorded.at + timedelta(seconds=outline.due_seconds))
    return replace(incident, phase="resolved", resolved_at=recorded.at, followups=MappingProxyType(items))


def _step(incident: Incident, event: Any, recorded: e.Recorded, **changes: Any) -> Incident:
    component = incident.components[event.component]
    return incident.with_component(with_step(component, event.step, changed_at=recorded.at, **changes))


_HANDLERS: dict[type[Any], Callable[[Incident, Any, e.Recorded], Incident]] = {
    e.IncidentDeclared: _declared,
    e.ProcedureRevised: _revised,
    e.VerdictChanged: _verdict,
    e.ComponentConfirmed: _confirmed,
    e.StepIntended: _intended,
    e.StepSent: _sent,
    e.StepApplied: _applied,
    e.StepProven: _proven,
    e.StepAlready: _already,
    e.StepFailed: _failed,
    e.StepUnknown: _unknown,
    e.StepDiverged: _diverged,
    e.StepSettled: _settled,
    e.StepSigned: _signed,
    e.StopRequested: _stop_requested,
    e.ComponentStopped: _stopped,
    e.ComponentFinished: _finished,
    e.CheckRan: _check_ran,
    e.CheckSigned: _check_signed,
    e.CheckWaived: _check_waived,
    e.NoticeAcknowledged: notices.acknowledged,
    e.TriggerCounted: people.counted,
    e.TriggerAttested: people.attested,
    e.ImpactStated: people.impact,
    e.TriggersSeen: people.seen,
    e.AdviceGiven: people.advised,
    e.BaselineTaken: people.baseline,
    e.NoticeSending: notices.notice_sending,
    e.NoticeSent: notices.notice_sent,
    e.NoticeMaybeSent: notices.notice_maybe_sent,
    e.NoticeFailed: notices.notice_failed,
    e.NoticeSnoozed: notices.notice_snoozed,
    e.FollowUpAdded: people.followup_added,
    e.FollowUpDone: people.followup_done,
    e.IncidentResolved: _resolved,
}
