"""`decide(incident, command)`: the rules. It answers with the events that follow, or raises `Refused` with the reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Refused
from console.domain.incident import (
    NEEDS_PERSON,
    ComponentProgress,
    Incident,
    NoticeProgress,
    StepProgress,
    StepState,
)
from console.domain.notices import given_already, mark
from console.domain.outline import NoticeOutline, TriggerOutline
from console.domain.soaking import kept_at_the_end

Events = tuple[e.Event, ...]

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
    return (*_left_open(incident), declared, *command.verdicts, *((command.seen,) if command.seen else ()))


def _left_open(incident: Incident) -> Events:
    """A new incident never waits for the last word of the one before, and does not hide that nobody knows what became of it."""
    reason = "a new incident was declared before anybody knew what became of it"
    return tuple(
        e.NoticeMaybeSent(i, progress.op, reason)
        for i, progress in incident.notices.items()
        if progress.state == "sending"
    )


def _revise(incident: Incident, command: c.ReviseProcedure) -> Events:
    _open(incident)
    if command.config_digest == incident.config_digest:
        return ()
    if incident.running:
        raise Refused(f"{incident.running.id} is running", "the changed configuration counts once it has ended")
    return (e.ProcedureRevised(command.outline, command.config_digest),)


def _confirm(incident: Incident, command: c.Confirm) -> Events:
    _open(incident)
    component = _component(incident, command.component)
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
    component = _component(incident, command.component)
    if component.state != "running":
        raise Refused(f"{component.id} is not running", "there is nothing to stop")
    return () if component.stop_requested else (e.StopRequested(component.id),)


def _settle(incident: Incident, command: c.Settle) -> Events:
    _open(incident)
    component = _component(incident, command.component)
    step = component.steps.get(command.step)
    if step is None:
        raise Refused(f'{component.id} has no step "{command.step}"', "its steps: " + ", ".join(component.steps))
    if step.state not in NEEDS_PERSON or step.operation is None:
        raise Refused(f"step {step.id} is {step.state}, not in doubt", "there is nothing to settle")
    note = _words(command.note, "settling a step needs a note: what did you see on the target?")
    return (e.StepSettled(component.id, step.id, step.operation.op, command.counts_as, note),)


def _sign(incident: Incident, command: c.Sign) -> Events:
    _open(incident)
    if outline := incident.check_outline(command.id):
        if not outline.by_person:
            raise Refused(f"check {outline.id} is proven by running it, not by a signature", "run: verify")
        return (e.CheckSigned(outline.id, _words(command.note, "a signature needs a note")),)
    for component in incident.components.values():
        if step := component.steps.get(command.id):
            return _sign_step(component, step, command.note)
    signable = [k.id for k in incident.outline.checks if k.by_person]
    signable += [s.id for _, s in incident.outline.steps() if s.kind == "manual"]
    raise Refused(f'there is nothing to sign called "{command.id}"', "signable: " + (", ".join(signable) or "nothing"))


def _sign_step(component: ComponentProgress, step: StepProgress, note: str) -> Events:
    if not step.by_person:
        raise Refused(f"step {step.id} is carried out by the console, not by a person", "roll the component back")
    words = _words(note, "a signature needs a note")
    if not component.run:
        raise Refused(f"{component.id} is {component.state}", "confirm the component first, then sign its manual steps")
    if component.direction == "back" and step.signed:
        raise Refused(f"step {step.id} is signed already: {step.reason}", "nothing to do")
    if component.direction == "forward" and not step.signed:
        raise Refused(f"step {step.id} was not carried out", "there is nothing to undo")
    return (e.StepSigned(component.id, step.id, component.direction, words),)


def _waive(incident: Incident, command: c.Waive) -> Events:
    _open(incident)
    if incident.check_outline(command.check) is None:
        raise Refused(f'there is no check "{command.check}"', "see: status")
    return (e.CheckWaived(command.check, _words(command.reason, "a waiver needs a reason", "--reason")),)


def _acknowledge(incident: Incident, command: c.Acknowledge) -> Events:
    """Given by other means, or seen to have arrived. After the end too: what may have been sent stays a question until then."""
    outline = _notice(incident, command.notice)
    progress = incident.notices.get(outline.id)
    if progress and progress.state == "sending":
        raise _being_sent(outline, progress)
    if incident.phase == "resolved" and not (progress and progress.state == "maybe_sent"):
        _open(incident)
    repeats = outline.repeat_seconds is not None
    if progress and progress.state in ("sent", "acknowledged") and not repeats:
        raise Refused(_told_of(outline, progress), "nothing to do")
    note = _words(command.note, "an acknowledgement needs a note: who was told, and how?")
    return (e.NoticeAcknowledged(outline.id, note),)


def _notice(incident: Incident, notice_id: str) -> NoticeOutline:
    """The notice by the incident's own plan; refused before any incident."""
    if incident.phase == "none":
        _open(incident)
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


def _count(incident: Incident, command: c.Count) -> Events:
    if incident.phase == "open":
        _manual(incident, command.trigger, "counter")
    if command.count == 0:
        raise Refused("a count of 0 says nothing", "count 1, or -1 to take one back")
    return (e.TriggerCounted(command.trigger, command.count, command.note.strip()),)


def _attest(incident: Incident, command: c.Attest) -> Events:
    impact = command.impact
    if incident.phase == "open":
        impact = _manual(incident, command.trigger, "attestation").impact
    word = incident.attested.get(command.trigger)
    if (word.holds if word else False) == command.holds:
        state = "attested already" if command.holds else "not attested"
        raise Refused(f"trigger {command.trigger} is {state}", "nothing to do")
    reason = _words(command.reason, "a person's word needs a reason", "--reason")
    attested = e.TriggerAttested(command.trigger, command.holds, reason)
    known = incident.impacts.get(impact) if impact else None
    if impact is None or not command.holds or (known and known.applies):
        return (attested,)
    return (attested, e.ImpactStated(impact, True, f"{command.trigger}: {reason}"))


def _manual(incident: Incident, trigger_id: str, judged: str) -> TriggerOutline:
    outline = incident.outline.trigger(trigger_id)
    fitting = ", ".join(t.id for t in incident.outline.triggers if t.judged == judged) or "none"
    noun = "counters" if judged == "counter" else "triggers that a person attests"
    if outline is None:
        raise Refused(f'there is no trigger "{trigger_id}"', f"{noun}: {fitting}")
    if outline.judged != judged:
        raise Refused(f"trigger {trigger_id} is not one of the {noun}", f"{noun}: {fitting}")
    return outline


def _state_impact(incident: Incident, command: c.StateImpact) -> Events:
    _open(incident)
    word = incident.impacts.get(command.impact)
    note = _words(command.note, "this needs a note: how is it known?")
    if word and (word.applies, word.note) == (command.applies, note):
        return ()
    return (e.ImpactStated(command.impact, command.applies, note),)


def _notify(incident: Incident, command: c.Notify) -> Events:
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


def _retry_notice(incident: Incident, command: c.RetryNotice) -> Events:
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


def _notice_outcome(incident: Incident, fact: e.NoticeSent | e.NoticeMaybeSent | e.NoticeFailed) -> Events:
    progress = incident.notices.get(fact.notice)
    if progress is None or progress.state != "sending" or progress.op != fact.op:
        raise Refused(f"notice {fact.notice} has no message {fact.op} under way")
    return (fact,)


def _snooze(incident: Incident, command: c.Snooze) -> Events:
    _open(incident)
    outline = _notice(incident, command.notice)
    progress = incident.notices.get(outline.id)
    if progress and progress.state == "sending":
        raise _being_sent(outline, progress)
    if progress and progress.state == "maybe_sent":
        raise _needs_reason(outline, progress)
    if progress and progress.state in ("sent", "acknowledged") and outline.repeat_seconds is None:
        raise Refused(_told_of(outline, progress), "there is nothing to put off")
    reason = _words(command.reason, "snoozing a notice needs a reason", "--reason")
    return (e.NoticeSnoozed(outline.id, command.until, reason),)


def _take_baseline(_: Incident, command: c.TakeBaseline) -> Events:
    return command.baselines


def _add_followup(incident: Incident, command: c.AddFollowUp) -> Events:
    if incident.phase == "none":
        raise Refused("no incident is declared", 'declare one first: declare --reason "…"')
    text = _words(command.text, "a follow-up item needs words", "its text")
    number = sum(f.id.startswith("f") and f.id[1:].isdigit() for f in incident.followups.values()) + 1
    return (e.FollowUpAdded(f"f{number}", command.section, text, command.assignee.strip(), command.due_at),)


def _finish_followup(incident: Incident, command: c.FinishFollowUp) -> Events:
    item = incident.followups.get(command.followup)
    if item is None:
        known = ", ".join(f.id for f in incident.followups.values() if f.done_at is None) or "none"
        raise Refused(f'there is no follow-up item "{command.followup}"', f"open: {known}")
    if item.done_at:
        raise Refused(f"{item.id} was done at {item.done_at:%Y-%m-%d %H:%M} UTC by {item.done_by}", "nothing to do")
    return (e.FollowUpDone(item.id, _words(command.note, "say how it was done")),)


def _resolve(incident: Incident, command: c.Resolve) -> Events:
    _open(incident)
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
        return _notice_outcome(incident, fact)
    _open(incident)
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
    component = _component(incident, fact.component)
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


def _open(incident: Incident) -> None:
    if incident.phase == "none":
        raise Refused("no incident is declared", 'declare one first: declare --reason "…"')
    if incident.phase == "resolved":
        raise Refused(f"incident {incident.id} is resolved", "declare a new one to act again")


def _component(incident: Incident, component_id: str) -> ComponentProgress:
    _open(incident)
    if component_id not in incident.components:
        known = ", ".join(incident.components) or "none"
        raise Refused(f'there is no component "{component_id}"', f"components: {known}")
    return incident.components[component_id]


def _words(text: str, missing: str, option: str = "--note") -> str:
    if not text.strip():
        raise Refused(missing, f"say it with {option}")
    return text.strip()


_RULES: dict[type[Any], Callable[[Incident, Any], Events]] = {
    c.Declare: _declare,
    c.ReviseProcedure: _revise,
    c.Confirm: _confirm,
    c.Stop: _stop,
    c.Settle: _settle,
    c.Sign: _sign,
    c.Waive: _waive,
    c.Acknowledge: _acknowledge,
    c.Count: _count,
    c.Attest: _attest,
    c.StateImpact: _state_impact,
    c.Notify: _notify,
    c.RetryNotice: _retry_notice,
    c.Snooze: _snooze,
    c.TakeBaseline: _take_baseline,
    c.AddFollowUp: _add_followup,
    c.FinishFollowUp: _finish_followup,
    c.Resolve: _resolve,
    c.Record: _record,
}
