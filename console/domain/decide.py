"""`decide(incident, command)`: the rules. It answers with the events that follow, or raises `Refused` with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from console.domain import commands as c
from console.domain import decide_notices as notices
from console.domain import decide_people as people
from console.domain import events as e
from console.domain.errors import Refused
from console.domain.events import Events
from console.domain.incident import (
    NEEDS_PERSON,
    ComponentProgress,
    Incident,
    StepProgress,
    StepState,
)
from console.domain.refusing import component_of, is_open, words_of
from console.domain.soaking import kept_at_the_end

HOLD_KIND = "kubernetes.hold"


def decide(incident: Incident, command: c.Command) -> Events:
    rule: Callable[[Incident, Any], Events] = _RULES[type(command)]
    return rule(incident, command)


def _declare(incident: Incident, command: c.Declare) -> Events:
    if incident.phase == "open":
        raise Refused(f"incident {incident.id} is open since {incident.declared_at:%H:%M:%S} UTC", "resolve it first")
    if not command.reason.strip():
        raise Refused("an incident needs a reason", 'say it with --reason "…"')
    declared = e.IncidentDeclared(
        incident_id=f"INC-{incident.number + 1:04d}",
        reason=command.reason.strip(),
        mode=command.mode,
        outline=command.outline,
        config_digest=command.config_digest,
    )
    return (*notices.left_open(incident), declared, *command.verdicts, *((command.seen,) if command.seen else ()))


def _revise(incident: Incident, command: c.ReviseProcedure) -> Events:
    is_open(incident)
    if command.config_digest == incident.config_digest:
        return ()
    if incident.running:
        raise Refused(f"{incident.running.id} is running", "the changed configuration counts once it has ended")
    return (e.ProcedureRevised(command.outline, command.config_digest),)


def _confirm(incident: Incident, command: c.Confirm) -> Events:
    is_open(incident)
    component = component_of(incident, command.component)
    if command.typed != component.id:
        raise Refused(f'the confirmation "{command.typed}" is not "{component.id}"', "nothing was changed")
    _free_to_run(incident, component, command.side_by_side)
    expected = steps_to_confirm(component, command.direction)
    if not expected:
        raise Refused(f"{component.id} has nothing to roll {command.direction}", "nothing was changed")
    covered = {change.step for change in command.changes}
    if covered != set(expected):
        missing = ", ".join(sorted(set(expected) ^ covered))
        raise Refused(f"the confirmation does not cover the steps of {component.id}: {missing}", "preview it again")
    if command.direction == "back":
        _predecessors(incident, component)
    confirmed = e.ComponentConfirmed(
        component.id,
        command.direction,
        command.run,
        command.changes,
        command.typed,
        command.advice,
        command.overrules,
    )
    return (confirmed, *((command.seen,) if command.seen else ()))


def steps_to_confirm(component: ComponentProgress, direction: e.Direction) -> tuple[str, ...]:
    """The ids of the steps that a run in this direction goes through, in the order of the file."""
    if direction == "back":
        return tuple(component.steps)
    return tuple(s.id for s in component.steps.values() if s.to_undo)


def _free_to_run(incident: Incident, component: ComponentProgress, side_by_side: bool) -> None:
    if component.state == "running":
        raise Refused(f"{component.id} is running already", "wait for it or stop it")
    if incident.running and not side_by_side:
        raise Refused(
            f"{incident.running.id} is running; components go one at a time",
            "wait for it, or ask for side by side",
        )
    if doubtful := component.in_doubt:
        raise Refused(
            f"step {doubtful.id} of {component.id} is {doubtful.state}: {doubtful.reason}",
            f"look at the target, then: settle {doubtful.id} --as done|not-done --note …",
        )


def _predecessors(incident: Incident, component: ComponentProgress) -> None:
    outline = incident.outline.component(component.id)
    for required in outline.after if outline else ():
        if incident.components[required].state != "rolled_back":
            raise Refused(f"{component.id} goes after {required}", f"roll back {required} first")


def _stop(incident: Incident, command: c.Stop) -> Events:
    component = component_of(incident, command.component)
    if component.state != "running":
        raise Refused(f"{component.id} is not running", "there is nothing to stop")
    return () if component.stop_requested else (e.StopRequested(component.id),)


def _settle(incident: Incident, command: c.Settle) -> Events:
    is_open(incident)
    component = component_of(incident, command.component)
    step = component.steps.get(command.step)
    if step is None:
        raise Refused(f'{component.id} has no step "{command.step}"', "its steps: " + ", ".join(component.steps))
    if step.state not in NEEDS_PERSON or step.operation is None:
        raise Refused(f"step {step.id} is {step.state}, not in doubt", "there is nothing to settle")
    note = words_of(command.note, "settling a step needs a note: what did you see on the target?")
    return (e.StepSettled(component.id, step.id, step.operation.op, command.counts_as, note),)


def _sign(incident: Incident, command: c.Sign) -> Events:
    is_open(incident)
    if outline := incident.check_outline(command.id):
        if not outline.by_person:
            raise Refused(f"check {outline.id} is proven by running it, not by a signature", "run: verify")
        return (e.CheckSigned(outline.id, words_of(command.note, "a signature needs a note")),)
    for component in incident.components.values():
        if step := component.steps.get(command.id):
            return _sign_step(component, step, command.note)
    signable = [k.id for k in incident.outline.checks if k.by_person]
    signable += [s.id for _, s in incident.outline.steps() if s.kind == "manual"]
    raise Refused(f'there is nothing to sign called "{command.id}"', "signable: " + (", ".join(signable) or "nothing"))


def _sign_step(component: ComponentProgress, step: StepProgress, note: str) -> Events:
    if not step.by_person:
        raise Refused(f"step {step.id} is carried out by the console, not by a person", "roll the component back")
    words = words_of(note, "a signature needs a note")
    if not component.run:
        raise Refused(f"{component.id} is {component.state}", "confirm the component first, then sign its manual steps")
    if component.direction == "back" and step.signed:
        raise Refused(f"step {step.id} is signed already: {step.reason}", "nothing to do")
    if component.direction == "forward" and not step.signed:
        raise Refused(f"step {step.id} was not carried out", "there is nothing to undo")
    return (e.StepSigned(component.id, step.id, component.direction, words),)


def _waive(incident: Incident, command: c.Waive) -> Events:
    is_open(incident)
    if incident.check_outline(command.check) is None:
        raise Refused(f'there is no check "{command.check}"', "see: status")
    return (e.CheckWaived(command.check, words_of(command.reason, "a waiver needs a reason", "--reason")),)


def _resolve(incident: Incident, command: c.Resolve) -> Events:
    is_open(incident)
    if reasons := open_ends(incident):
        raise Refused("not resolved: " + "; ".join(reasons), "mend, sign or waive each with a reason")
    return (*((command.seen,) if command.seen else ()), e.IncidentResolved(command.note.strip()))


def open_ends(incident: Incident) -> tuple[str, ...]:
    """What stands between this incident and `resolve`, in words; empty when nothing does."""
    reasons: list[str] = []
    for component in incident.components.values():
        if component.state in ("running", "unknown"):
            reasons.append(f"component {component.id} is {component.state}")
        elif component.state in ("failed", "stopped") and any(s.to_undo for s in component.steps.values()):
            reasons.append(f"component {component.id} is half done ({component.state})")
    for component, step in held(incident):
        reasons.append(f"{step.title or step.id} is still held: roll {component.id} forward to release it")
    for check in incident.outline.checks:
        state = incident.check_state(check.id)
        if check.criterion and state not in ("pass", "signed", "waived"):
            reasons.append(f"criterion {check.id} is {state.replace('_', ' ')}")
    reasons += [
        f"{word.by} says that {trigger.title} holds: {word.reason}"
        for trigger in incident.outline.triggers
        if (word := incident.attested.get(trigger.id)) and word.holds
    ]
    reasons += [
        f"notice {notice.id} is being sent"
        for notice in incident.outline.notices
        if (progress := incident.notices.get(notice.id)) and progress.state == "sending"
    ]
    return tuple(reasons)


def held(incident: Incident) -> tuple[tuple[ComponentProgress, StepProgress], ...]:
    """The holds of other controllers that stand: whoever took them has to release them."""
    return tuple(
        (component, step)
        for component in incident.components.values()
        for step in component.steps.values()
        if step.kind == HOLD_KIND and step.to_undo
    )


def _record(incident: Incident, command: c.Record) -> Events:
    fact = command.fact
    if isinstance(fact, e.NoticeSent | e.NoticeMaybeSent | e.NoticeFailed):
        return notices.notice_outcome(incident, fact)
    is_open(incident)
    if isinstance(fact, e.TriggersSeen):
        component = incident.components.get(fact.component)
        return () if component and kept_at_the_end(incident, component) else (fact,)  # another console was faster
    if isinstance(fact, e.AdviceGiven):
        known = incident.advised
        return () if known and (known.components, known.text) == (fact.components, fact.text) else (fact,)
    if isinstance(fact, e.VerdictChanged):
        return () if incident.verdict(fact.trigger) == fact.verdict else (fact,)  # another console may have told it
    if isinstance(fact, e.CheckRan):
        if incident.check_outline(fact.check) is None:
            raise Refused(f'there is no check "{fact.check}"')
        return (fact,)
    component = component_of(incident, fact.component)
    if isinstance(fact, e.ComponentFinished):
        return _finish(component, fact)
    if isinstance(fact, e.ComponentStopped):
        return _stopped(component, fact)
    step = component.steps.get(fact.step)
    if step is None:
        raise Refused(f'{component.id} has no step "{fact.step}"')
    _follows(component, step, fact)
    return (fact,)


def _finish(component: ComponentProgress, fact: e.ComponentFinished) -> Events:
    if component.state != "running" or component.direction != fact.direction or component.next_step() is not None:
        raise Refused(f"{component.id} is not finished")
    return (fact,)


def _stopped(component: ComponentProgress, fact: e.ComponentStopped) -> Events:
    if step := component.under_way:
        raise Refused(f"{component.id} can't stop: step {step.id} is {step.state}")
    return (fact,) if component.state == "running" else ()


# Which states of a step a fact about it may follow. An operation's facts must also name the operation under way.
_MAY_FOLLOW: dict[type[Any], frozenset[StepState]] = {
    e.StepSent: frozenset({"intended"}),
    e.StepApplied: frozenset({"sent", "unknown"}),
    e.StepProven: frozenset({"applied"}),
    e.StepUnknown: frozenset({"sent", "unknown"}),
    e.StepDiverged: frozenset({"sent", "applied", "unknown"}),
    e.StepFailed: frozenset({"intended", "sent", "applied", "unknown"}),
}


def _follows(component: ComponentProgress, step: StepProgress, fact: Any) -> None:
    if isinstance(fact, e.StepIntended | e.StepAlready) or (isinstance(fact, e.StepFailed) and not fact.op):
        _begins(component, step, fact)
        return
    if step.operation is None or fact.op != step.operation.op:
        raise Refused(f"step {step.id} has no operation {fact.op}")
    if step.state not in _MAY_FOLLOW[type(fact)]:
        raise Refused(f"step {step.id} is {step.state}: {type(fact).__name__} can't follow")
    if isinstance(fact, e.StepFailed) and fact.effect != (step.state == "applied") and step.state in _CERTAIN:
        raise Refused(f"step {step.id} is {step.state}: it {'has no' if fact.effect else 'has an'} effect")


# Where it is certain whether the operation has an effect: nothing was sent yet, or the target said that it is there.
_CERTAIN: frozenset[StepState] = frozenset({"intended", "applied"})


def _begins(
    component: ComponentProgress, step: StepProgress, fact: e.StepIntended | e.StepAlready | e.StepFailed
) -> None:
    """A step begins, or ends before anything was sent: only the next one of the run, in its direction, none under way."""
    turn = component.next_step()
    if component.state != "running" or turn is None or turn.id != step.id or component.under_way or step.operation:
        raise Refused(f"step {step.id} can't begin: {component.id} is {component.state}, the step {step.state}")
    if fact.direction != component.direction:
        raise Refused(f"step {step.id} can't go {fact.direction}: {component.id} is confirmed {component.direction}")
    if component.stop_requested and isinstance(fact, e.StepIntended):
        raise Refused(f"step {step.id} can't begin: a stop was asked for")


_RULES: dict[type[Any], Callable[[Incident, Any], Events]] = {
    c.Declare: _declare,
    c.ReviseProcedure: _revise,
    c.Confirm: _confirm,
    c.Stop: _stop,
    c.Settle: _settle,
    c.Sign: _sign,
    c.Waive: _waive,
    c.Acknowledge: notices.acknowledge,
    c.Count: people.count,
    c.Attest: people.attest,
    c.StateImpact: notices.state_impact,
    c.Notify: notices.notify,
    c.RetryNotice: notices.retry_notice,
    c.Snooze: notices.snooze,
    c.TakeBaseline: people.take_baseline,
    c.AddFollowUp: people.add_followup,
    c.FinishFollowUp: people.finish_followup,
    c.Resolve: _resolve,
    c.Record: _record,
}
