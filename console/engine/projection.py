"""From what is known to what is shown: the journal's state, the triggers' readings and the work under way, as one view state.

Pure, and the only place that makes a `ViewState`: the screen, the plain output and `status --json` can't tell different stories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from types import MappingProxyType
from typing import Final

from console.domain import events as e
from console.domain.advice import helped, next_action, on_rollback, pointing_to
from console.domain.incident import UNDER_WAY, ComponentProgress, Incident, StepProgress, untouched_step
from console.domain.manual import manual_reading
from console.domain.notices import NoticeState, standing_in
from console.domain.outline import CheckOutline, ComponentOutline, NoticeOutline, Outline, TriggerOutline
from console.domain.situation import NoticeSign, Situation, TriggerSign
from console.domain.smallest import smallest_rollback
from console.domain.soaking import last_soak
from console.domain.triggers import TriggerReading, TriggerRule
from console.engine import view as v
from console.engine.ports import Evidence, Progress
from console.engine.wording import told_event

TIMELINE_ITEMS: Final = 300
INTERRUPTED: Final = "the console that carried it out is gone"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the journal does not say: the procedure of the file, who works, and what was seen just now.

    `readings`, `progress`, `running_checks` and `unrecorded` (evidence of checks that ran outside an incident) go by id;
    `progress` holds how far a step is and for how many seconds its operation has been under way.
    """

    outline: Outline
    mode: e.Mode = "live"
    contexts: tuple[str, ...] = ()
    lease_held: bool = False
    readings: Mapping[str, TriggerReading] = field(default_factory=dict)
    rules: Mapping[str, TriggerRule] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)
    progress: Mapping[str, tuple[Progress, float]] = field(default_factory=dict)
    running_checks: frozenset[str] = frozenset()
    unrecorded: Mapping[str, Evidence] = field(default_factory=dict)
    busy: str = ""
    fault: str = ""


def project(incident: Incident, history: Sequence[e.Recorded], now: datetime, around: Surroundings) -> v.ViewState:
    outline = incident.outline if incident.phase == "open" else around.outline
    if incident.phase == "resolved":
        outline = incident.outline
    triggers = tuple(_trigger(t, incident, now, around) for t in outline.triggers)
    situation = _situation(incident, outline, now, triggers, around)
    return v.ViewState(
        at=now,
        incident=_incident(incident, outline, now, around),
        triggers=triggers,
        components=tuple(_component(c, situation, around) for c in _components(incident, outline)),
        checks=tuple(_check(c, incident, around) for c in outline.checks),
        notices=tuple(_notices(incident, outline, now)),
        timeline=tuple(islice(_timeline(history, outline), TIMELINE_ITEMS)),
        next_action=_next(situation, around),
        advised=smallest_rollback(situation),
        advice=on_rollback(situation),
        soak=_soak(situation, triggers),
        impacts=tuple(_impacts(incident, outline)),
        followups=tuple(_followups(incident)),
        busy=around.busy,
    )


def untouched(outline: ComponentOutline) -> ComponentProgress:
    """A component before any incident: what a preview is made for when none is declared."""
    steps = {s.id: untouched_step(s) for s in outline.steps}
    return ComponentProgress(id=outline.id, title=outline.title, steps=MappingProxyType(steps))


def interrupted(incident: Incident, lease_held: bool) -> frozenset[str]:
    """Components that run in the journal while no process can be carrying them out."""
    if lease_held or incident.phase != "open":
        return frozenset()
    return frozenset(c.id for c in incident.components.values() if c.state == "running" or c.under_way)


# ---------------------------------------------------------------- the parts


def _incident(incident: Incident, outline: Outline, now: datetime, around: Surroundings) -> v.IncidentView:
    end = incident.resolved_at or now
    elapsed = (end - incident.declared_at).total_seconds() if incident.declared_at else 0.0
    declared_here = incident.phase == "open" and around.mode != "observe"
    return v.IncidentView(
        id=incident.id,
        title=outline.title,
        state=incident.phase,
        reason=incident.reason,
        declared_at=incident.declared_at,
        elapsed_seconds=max(0.0, elapsed),
        commander=incident.commander,
        epoch=incident.epoch,
        mode=incident.mode if declared_here else around.mode,
        contexts=around.contexts,
    )


def _trigger(outline: TriggerOutline, incident: Incident, now: datetime, around: Surroundings) -> v.TriggerView:
    if outline.judged == "measured":
        reading = around.readings.get(outline.id) or _remembered(incident, outline.id)
    else:
        reading = manual_reading(outline, incident, now)
    rule = around.rules.get(outline.id)
    return v.TriggerView(
        id=outline.id,
        title=outline.title,
        verdict=reading.verdict,
        value=reading.value,
        threshold=outline.threshold,
        unit=outline.unit,
        above=outline.above,
        since=reading.since,
        reason=reading.reason,
        query=around.queries.get(outline.id, ""),
        for_seconds=rule.for_seconds if rule else 0.0,
        held_seconds=reading.held_seconds,
        age_seconds=reading.age_seconds,
        curve=reading.curve,
        suggests=reading.suggests or outline.suggests,
        warnings=reading.warnings,
        judged=outline.judged,
        consecutive=rule.consecutive if rule else 1,
        clear=rule.clear if rule else None,
        curve_seconds=reading.curve_seconds,
        before_migration=reading.before_migration,
        was_firing=reading.was_firing_since is not None,
        impact=outline.impact,
        in_a_row=reading.in_a_row,
        series=reading.series,
        crossing=reading.crossing,
    )


def _remembered(incident: Incident, trigger_id: str) -> TriggerReading:
    """What the journal last heard of a trigger that this process does not sample."""
    known = incident.verdicts.get(trigger_id)
    if known is None:
        return TriggerReading("no_data", "not asked yet")
    return TriggerReading(known.verdict, f"{known.reason} (as last recorded)", value=known.value, since=known.since)


def _components(incident: Incident, outline: Outline) -> list[ComponentProgress]:
    """In the order of the file; those of the incident that the file no longer has come last."""
    listed = {c.id: incident.components.get(c.id) or untouched(c) for c in outline.components}
    return [*listed.values(), *(c for i, c in incident.components.items() if i not in listed)]


def _component(component: ComponentProgress, situation: Situation, around: Surroundings) -> v.ComponentView:
    steps = tuple(_step(s, around) for s in component.steps.values())
    stray = component.id in situation.interrupted
    current = next((i for i, s in enumerate(component.steps.values(), start=1) if s.state in UNDER_WAY), 0)
    return v.ComponentView(
        id=component.id,
        title=component.title,
        state="stopped" if stray and component.state == "running" else component.state,
        direction=component.direction,
        reason=_interrupted_reason(component) if stray else component.reason,
        steps=steps,
        suggested_by=() if component.state == "running" else pointing_to(situation, component.id),
        stop_requested=component.stop_requested,
        current=0 if stray else current,
        can_roll_back=_can_roll_back(component, situation, around),
        can_roll_forward=_can_roll_forward(component, situation, around),
    )


def _interrupted_reason(component: ComponentProgress) -> str:
    step = component.under_way
    if step is None:
        return f"interrupted: {INTERRUPTED}; recover closes what it left behind"
    sent = "nothing was sent" if step.state == "intended" else "what it sent may have happened"
    return f"interrupted during step {step.id}: {INTERRUPTED}; {sent}; recover reads the target"


def _step(step: StepProgress, around: Surroundings) -> v.StepView:
    progress, seconds = around.progress.get(step.id, (None, None))
    return v.StepView(
        id=step.id,
        title=step.title,
        kind=step.kind,
        state=step.state,
        reason=step.reason,
        progress=progress.text if progress else "",
        done=progress.done if progress else 0,
        total=progress.total if progress else 0,
        seconds=seconds,
        by_person=step.by_person,
    )


def _free(component: ComponentProgress, situation: Situation, around: Surroundings) -> bool:
    if around.mode == "observe" or situation.incident.phase != "open" or situation.incident.running:
        return False
    return component.in_doubt is None and component.id not in situation.interrupted


def _can_roll_back(component: ComponentProgress, situation: Situation, around: Surroundings) -> bool:
    outline = situation.outline.component(component.id)
    if outline is None or component.state == "rolled_back" or not _free(component, situation, around):
        return False
    known = situation.incident.components
    return all(required in known and known[required].state == "rolled_back" for required in outline.after)


def _can_roll_forward(component: ComponentProgress, situation: Situation, around: Surroundings) -> bool:
    return _free(component, situation, around) and any(s.to_undo for s in component.steps.values())


def _check(outline: CheckOutline, incident: Incident, around: Surroundings) -> v.CheckView:
    progress = incident.checks.get(outline.id)
    found = v.CheckView(
        id=outline.id,
        title=outline.title,
        group=outline.group,
        state=incident.check_state(outline.id),
        evidence=(f"{progress.evidence} ({progress.by})" if progress.by else progress.evidence) if progress else "",
        criterion=outline.criterion,
        by_person=outline.by_person,
        running=outline.id in around.running_checks,
        detail=progress.detail if progress else (),
        seconds=progress.seconds if progress else 0.0,
        at=progress.at if progress else None,
    )
    if incident.phase != "open" and (seen := around.unrecorded.get(outline.id)):
        return replace(
            found, state=seen.outcome, evidence=f"{seen.text} (not recorded: no incident is open)", detail=seen.detail
        )
    return found


def _notices(incident: Incident, outline: Outline, now: datetime) -> Iterator[v.NoticeView]:
    for notice in outline.notices:
        found = standing_in(incident, notice, now)
        progress = incident.notices.get(notice.id)
        yield v.NoticeView(
            id=notice.id,
            title=notice.title,
            state=found.state,
            due_at=found.due_at,
            due_in_seconds=found.due_in_seconds,
            channel=notice.channel,
            note=_notice_note(incident, notice, found.state),
            to=progress.to if progress else "",
            repeats=notice.repeat_seconds is not None,
            given_at=progress.given_at if progress else None,
            times_given=progress.times_given if progress else 0,
            impact=notice.impact,
            subject=progress.subject if progress else "",
            text=progress.text if progress else "",
            by=progress.by if progress else "",
            attempt=progress.attempt if progress else 0,
            retry_at=progress.retry_at if progress and found.state == "failed" else None,
        )


def _notice_note(incident: Incident, notice: NoticeOutline, state: NoticeState) -> str:
    if state == "snoozed" and (snoozed := incident.snoozed.get(notice.id)):
        return f"put off by {snoozed.by}: {snoozed.reason}"
    if state == "not_needed" and notice.impact and (word := incident.impacts.get(notice.impact)):
        return f"{word.by}: {word.note}"
    progress = incident.notices.get(notice.id)
    return f"{progress.by}: {progress.detail}" if progress and progress.detail else ""


def _impacts(incident: Incident, outline: Outline) -> Iterator[v.ImpactView]:
    """In the order in which the notices first hang on them."""
    for impact in dict.fromkeys(n.impact for n in outline.notices if n.impact):
        word = incident.impacts.get(impact)
        yield v.ImpactView(impact, word.applies, word.by, word.at, word.note) if word else v.ImpactView(impact)


def _followups(incident: Incident) -> Iterator[v.FollowUpView]:
    for item in incident.followups.values():
        yield v.FollowUpView(
            item.id,
            item.incident,
            item.section,
            item.text,
            item.assignee,
            item.due_at,
            item.done_at,
            item.done_by,
            item.note,
        )


def _soak(situation: Situation, triggers: Sequence[v.TriggerView]) -> v.SoakView | None:
    soak = last_soak(situation.incident, situation.outline.soak_seconds, situation.now)
    if soak is None or situation.incident.phase != "open":
        return None
    rows = tuple(
        v.BeforeAfter(t.id, t.title, t.unit, before.value, t.value, before.verdict, t.verdict)
        for t in triggers
        if t.judged != "attestation" and (before := soak.before.get(t.id))
    )
    return v.SoakView(
        soak.component.id,
        soak.component.title,
        soak.left_seconds,
        situation.outline.soak_seconds,
        rows,
        helped(situation),
    )


def _timeline(history: Sequence[e.Recorded], outline: Outline) -> Iterator[v.TimelineItem]:
    """Newest first, back to the declaration of the incident that is shown."""
    for recorded in reversed(history):
        text, level = told_event(recorded.event, recorded.actor, outline)
        notice = getattr(recorded.event, "notice", "")
        yield v.TimelineItem(recorded.seq, recorded.at, recorded.actor, text, level, notice)
        if isinstance(recorded.event, e.IncidentDeclared):
            return


# ---------------------------------------------------------------- advice


def _situation(
    incident: Incident, outline: Outline, now: datetime, triggers: Sequence[v.TriggerView], around: Surroundings
) -> Situation:
    silenced = {i for i, reading in around.readings.items() if reading.was_firing_since}
    signs = (TriggerSign(t.id, t.title, t.verdict, t.suggests, t.id in silenced) for t in triggers)
    notices = (
        NoticeSign(n.id, n.title, n.state, n.due_in_seconds, n.by_console, n.note, n.retry_at is not None)
        for n in _notices(incident, outline, now)
    )
    return Situation(incident, outline, now, tuple(signs), tuple(notices), interrupted(incident, around.lease_held))


def _next(situation: Situation, around: Surroundings) -> v.NextAction:
    advice = next_action(situation)
    text = f"Something is wrong with the console itself: {around.fault}. {advice.text}" if around.fault else advice.text
    if around.mode == "observe":
        return v.NextAction(text)
    return v.NextAction(text, advice.command, advice.key)
