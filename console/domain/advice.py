"""The next action, in words, with its command and its key in the screen: what a calm colleague would say now.

Pure: rules in the order of their weight, the first that has something to say is the advice. `projection.py` asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from console.domain.decide import held
from console.domain.incident import ComponentProgress, Incident
from console.domain.notices import NoticeState
from console.domain.outline import IMPACT_WORDS, CheckOutline
from console.domain.situation import (
    NoticeSign,
    Situation,
    components_of,
    fires,
    listed,
    soaking,
    state_of,
    title_of,
)
from console.domain.smallest import smallest_rollback
from console.domain.soaking import last_soak
from console.domain.triggers import span


@dataclass(frozen=True, slots=True)
class Advice:
    text: str
    command: str = ""
    key: str = ""  # see engine/view.py, NextAction


def next_action(situation: Situation) -> Advice:
    if situation.incident.phase != "open":
        return _before_the_incident(situation)
    for rule in _URGENT:
        if advice := rule(situation):
            return _with_reminder(situation, advice)
    for rule in _CALM:
        if advice := rule(situation):
            return advice
    return Advice("Resolve the incident: nothing is open any more.", "resolve", "resolve")


def on_rollback(situation: Situation) -> str:
    """What to roll back and why, or why nothing more, in a sentence: what the record keeps of the advice."""
    if advised := smallest_rollback(situation):
        later = [title_of(situation, component) for component in advised[1:]]
        then = f" Then {listed(later)}." if later else ""
        return _roll_back_now(situation, advised[0]).text + then
    waiting, firing = soaking(situation), situation.firing
    if firing and waiting:
        return f"Wait: {waiting.title} soaks, and {listed(t.title for t in firing)} may still clear."
    if firing:
        return f"{listed(t.title for t in firing)} {fires(firing)}, with nothing left to suggest."
    return _what_can_stay(situation).strip() or "Nothing to roll back: no trigger fires."


def pointing_to(situation: Situation, component: str) -> tuple[str, ...]:
    """Titles of the firing triggers that suggest this component, while it has not been rolled back."""
    if state_of(situation, component) == "rolled_back":
        return ()
    return tuple(t.title for t in situation.firing if component in t.suggests)


def helped(situation: Situation) -> str:
    """Whether the component that was rolled back last has helped, in words; empty when nothing can be said."""
    soak = last_soak(situation.incident, situation.outline.soak_seconds, situation.now)
    if soak is None or not soak.before:
        return ""
    fired = [t for t in situation.triggers if (b := soak.before.get(t.id)) and b.verdict == "firing"]
    cleared = [t.title for t in fired if t.verdict == "ok"]
    still = [t.title for t in fired if t.fires]
    unseen = [t.title for t in fired if t.verdict in ("no_data", "stale") and not t.fires]
    new = [t.title for t in situation.firing if t not in fired]
    parts = [f"{listed(cleared)} cleared"] if cleared else []
    parts += [f"{listed(still)} still {'fires' if len(still) == 1 else 'fire'}"] if still else []
    parts += [f"{listed(unseen)} can't be seen"] if unseen else []
    parts += [f"{listed(new)} {'fires' if len(new) == 1 else 'fire'} since"] if new else []
    return "; ".join(parts) or "nothing fired before, nothing fires now"


# ---------------------------------------------------------------- before and after


def _before_the_incident(situation: Situation) -> Advice:
    if firing := situation.firing:
        text = f"Declare the incident: {listed(t.title for t in firing)} {fires(firing)}."
        return Advice(text, 'declare --reason "…"', "declare")
    if blind := [t for t in situation.triggers if t.verdict in ("no_data", "stale")]:
        text = f"No trigger fires, but {listed(t.title for t in blind)} can't be seen: look at the source."
        return Advice(text, "triggers")
    if pending := [t for t in situation.triggers if t.verdict == "pending"]:
        return Advice(f"Watch: {listed(t.title for t in pending)} crossed its threshold.", "triggers --watch")
    if situation.incident.phase == "resolved":
        return _after_the_incident(situation.incident)
    if not situation.triggers:
        return Advice("Declare an incident when something is wrong.", 'declare --reason "…"', "declare")
    return Advice("Nothing to do: no trigger fires.", "triggers --watch")


def _after_the_incident(incident: Incident) -> Advice:
    if left := sum(item.done_at is None for item in incident.followups.values()):
        items = "item is" if left == 1 else "items are"
        return Advice(f"{incident.id} is resolved. {left} follow-up {items} open.", "followup list", "followups")
    return Advice(f"Nothing to do: {incident.id} is resolved and no trigger fires.")


def _with_reminder(situation: Situation, advice: Advice) -> Advice:
    overdue = [n for n in situation.notices if n.late]
    if not overdue or advice.key.startswith(("acknowledge:", "notify:")):
        return advice
    return replace(advice, text=f"{advice.text} Overdue: {listed(n.title for n in overdue)}.")


# ---------------------------------------------------------------- rules that come before everything else


def _recover(situation: Situation) -> Advice | None:
    for component in components_of(situation):
        if component.id in situation.interrupted:
            text = f"The console that carried out {component.title} is gone: see what it left behind."
            return Advice(text, "recover", "recover")
    return None


def _settle(situation: Situation) -> Advice | None:
    for component in components_of(situation):
        if step := component.in_doubt:
            text = f"Look at the target of {step.title}, then settle it: {step.state} ({step.reason})."
            return Advice(text, f"settle {step.id} --as done|not-done --note …", f"settle:{step.id}")
    return None


def _wait(situation: Situation) -> Advice | None:
    component = situation.incident.running
    if component is None or component.id in situation.interrupted:
        return None
    if overdue := _overdue(situation):
        return overdue
    step = component.under_way or component.next_step()
    if component.stop_requested:
        return Advice(f"Wait: {component.title} stops as soon as the step under way is settled.")
    what = step.title if step else component.title
    return Advice(f"Wait for: {what}. Then soak and see whether the triggers clear.", "status", f"stop:{component.id}")


def _mend(situation: Situation) -> Advice | None:
    for component in components_of(situation):
        if component.state not in ("failed", "stopped"):
            continue
        step = component.next_step()
        if step and step.by_person and component.state == "stopped":
            text = f"Do it, then sign it: {step.title} ({component.title})."
            return Advice(text, f"sign {step.id} --note …", f"sign:{step.id}")
        return _half_done(component)
    return None


def _half_done(component: ComponentProgress) -> Advice:
    command = "rollback" if component.direction == "back" else "rollforward"
    failed = next((s for s in component.steps.values() if s.state == "failed"), None)
    if failed:
        text = f"{failed.title} failed: {failed.reason}. Look at it, then go on with {component.title}, or roll it the other way."
    elif component.next_step() is None:
        text = f"{component.title} has no step left: go on, so that it counts as done."
    else:
        text = f"{component.title} is half done ({component.reason}). Go on, or roll it the other way."
    return Advice(text, f"{command} {component.id} --confirm {component.id}", f"go_on:{component.id}")


def _roll_back(situation: Situation) -> Advice | None:
    for component_id in smallest_rollback(situation):
        return _roll_back_now(situation, component_id)
    return None


def _roll_back_now(situation: Situation, component_id: str) -> Advice:
    title = title_of(situation, component_id)
    pointing = pointing_to(situation, component_id)
    if pointing:
        why = f"because {listed(pointing)} {'point' if len(pointing) > 1 else 'points'} to it"
    else:
        why = "because what the triggers point to goes after it"
    return Advice(
        f"Roll back {title}, {why}.",
        f"rollback {component_id} --confirm {component_id}",
        f"roll_back:{component_id}",
    )


# ---------------------------------------------------------------- rules for when nothing burns


def _overdue(situation: Situation) -> Advice | None:
    return _tell(situation, "overdue", "Overdue")


def _due(situation: Situation) -> Advice | None:
    return _tell(situation, "due", "Due now")


def _tell(situation: Situation, state: NoticeState, word: str) -> Advice | None:
    for notice in situation.notices:
        if notice.state == state:
            late = f" since {span(-(notice.due_in_seconds or 0.0))}" if state == "overdue" else ""
            return _give(notice, f"{word}{late}: {notice.title}.")
    return None


def _give(notice: NoticeSign, said: str) -> Advice:
    if notice.by_console:
        return Advice(f"{said} Read the draft, then send it.", f"notify {notice.id}", f"notify:{notice.id}")
    return Advice(f"{said} Do it, then acknowledge it.", f"ack {notice.id} --note …", f"acknowledge:{notice.id}")


def _undelivered(situation: Situation) -> Advice | None:
    """A message that did not arrive, or may not have: nobody else will notice."""
    for notice in situation.notices:
        if notice.state == "maybe_sent":
            text = (
                f"See whether this arrived: {notice.title} ({notice.note}). Then record it as told, or send it again."
            )
            return Advice(text, f"ack {notice.id} --note …", f"acknowledge:{notice.id}")
        if notice.state == "failed" and not notice.retried:
            text = f"Not delivered: {notice.title} ({notice.note}). Send it again, or tell them by other means."
            return Advice(text, f"notify {notice.id}", f"notify:{notice.id}")
    return None


def _touched(situation: Situation) -> Advice | None:
    """Asked once, as soon as what was due is told: the external notices hang on it."""
    hanging = dict.fromkeys(n.impact for n in situation.outline.notices if n.impact)
    open_ = [impact for impact in hanging if impact not in situation.incident.impacts]
    if not open_:
        return None
    named = listed(IMPACT_WORDS[impact] for impact in open_).replace(" and ", " or ")
    return Advice(f"Say whether this touches {named}: notices hang on it.", "impact … yes|no --note …", "impact")


def _soak(situation: Situation) -> Advice | None:
    component = soaking(situation)
    if component is None or component.ended_at is None:
        return None
    left = situation.outline.soak_seconds - (situation.now - component.ended_at).total_seconds()
    watched = listed(t.title for t in situation.firing)
    see = f"see whether {watched} clears" if watched else "see that the triggers stay quiet"
    return Advice(f"Soak for {span(left)} after {component.title}: {see}.", "triggers --watch", "helped")


def _still_firing(situation: Situation) -> Advice | None:
    if not (firing := situation.firing):
        return None
    titles = listed(t.title for t in firing)
    for component in situation.outline.components:
        free = all(state_of(situation, required) == "rolled_back" for required in component.after)
        if state_of(situation, component.id) == "untouched" and free:
            text = f"{titles} still {fires(firing)}, with nothing left to suggest: consider {component.title}."
            return Advice(text, f"plan {component.id}", f"roll_back:{component.id}")
    return Advice(f"{titles} still {fires(firing)} and every component is dealt with: look elsewhere.", "triggers")


def _check(situation: Situation) -> Advice | None:
    states = [(check, situation.incident.check_state(check.id)) for check in situation.outline.checks]
    if any(state in ("not_run", "stale") for check, state in states if not check.by_person):
        return Advice(f"{_what_can_stay(situation)}Run the checks.", "verify", "run_checks")
    criteria = [(check, state) for check, state in states if check.criterion]
    for check, state in criteria:
        if state in ("fail", "unknown"):
            evidence = situation.incident.checks[check.id].evidence
            text = f"Mend {check.title} ({evidence}), then run the checks again; or waive it with a reason."
            return Advice(text, "verify", "run_checks")
    return _sign(check for check, state in criteria if state in ("not_run", "stale"))


def _what_can_stay(situation: Situation) -> str:
    """Said only when something was rolled back and every trigger is seen to be quiet."""
    states = [state_of(situation, c.id) for c in situation.outline.components]
    stay = states.count("untouched")
    if not stay or "rolled_back" not in states or any(t.verdict != "ok" for t in situation.triggers):
        return ""
    return f"Stop here: no trigger fires, {stay} {'component' if stay == 1 else 'components'} can stay. "


def _blind(situation: Situation) -> Advice | None:
    if blind := [t.title for t in situation.triggers if t.verdict in ("no_data", "stale")]:
        return Advice(f"{listed(blind)} can't be seen: look at the source, then resolve.", "triggers", "resolve")
    return None


def _sign(unsigned: Iterable[CheckOutline]) -> Advice | None:
    for check in unsigned:
        return Advice(f"Sign, if it is so: {check.title}.", f"sign {check.id} --note …", f"sign:{check.id}")
    return None


_URGENT: tuple[Callable[[Situation], Advice | None], ...] = (_recover, _settle, _wait, _mend, _roll_back)


def _release(situation: Situation) -> Advice | None:
    for component, step in held(situation.incident):
        text = f"Release {step.title}: put its source right first, then roll {component.title} forward."
        return Advice(text, f"rollforward {component.id} --confirm {component.id}", f"roll_forward:{component.id}")
    return None


_CALM: tuple[Callable[[Situation], Advice | None], ...] = (
    _overdue,
    _undelivered,
    _due,
    _touched,
    _soak,
    _still_firing,
    _check,
    _blind,
    _release,
)


# ---------------------------------------------------------------- small things
