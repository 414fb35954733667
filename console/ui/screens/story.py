"""What Enter tells about a trigger, component, check or notice: everything that is known, in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.content import Content

from console.ui.curves import two_rows
from console.ui.literal import fit, lines, literal
from console.ui.widgets.components import waits_for_person
from console.ui.widgets.trigger_row import marks_of
from console.ui.wording import Sign, Wording, amount, clock, countdown, duration, rough

if TYPE_CHECKING:
    from datetime import datetime

    from console.engine.view import CheckView, ComponentView, NoticeView, TriggerView, ViewState

_LABEL = 16


def story(view: ViewState, panel: str, row_id: str, wording: Wording) -> tuple[str, Iterator[Content]]:
    """The title and the lines; a row that is gone says so."""
    for trigger in view.triggers if panel == "triggers" else ():
        if trigger.id == row_id:
            return trigger.title, _trigger(trigger, view, wording)
    for component in view.components if panel == "components" else ():
        if component.id == row_id:
            return component.title, _component(component, wording)
    for check in view.checks if panel == "checklist" else ():
        if check.id == row_id:
            return check.title, _check(check, view.at, wording)
    for notice in view.notices if panel == "communication" else ():
        if notice.id == row_id:
            return notice.title, _notice(notice, view, wording)
    return "Gone", iter([literal("This line is not part of the procedure any more.")])


def _trigger(trigger: TriggerView, view: ViewState, wording: Wording) -> Iterator[Content]:
    yield _state(wording.verdict(trigger.verdict), trigger.id)
    for mark in marks_of(trigger):
        yield literal((mark, "bold $attention"))
    if trigger.judged == "attestation":
        yield _fact("judged by", "a person's word")
        if trigger.impact:
            yield _fact("it also says", wording.touched(trigger.impact))
    else:
        yield from _measured(trigger, wording)
    if trigger.since is not None:
        yield _fact("since", f"{clock(trigger.since)} UTC, {duration((view.at - trigger.since).total_seconds())} ago")
    yield from _curve(trigger, wording)
    titles = {c.id: c.title for c in view.components}
    if trigger.suggests:
        yield _fact("points to", ", ".join(titles.get(c, c) for c in trigger.suggests))
    yield from _text("Because", trigger.reason)
    for warning in trigger.warnings:
        yield from _text("The source warns", warning)
    yield from _text("Query", trigger.query)


def _measured(trigger: TriggerView, wording: Wording) -> Iterator[Content]:
    side = "above" if trigger.above else "below"
    yield _fact("value", amount(trigger.value, trigger.unit))
    window = f" in the last {rough(trigger.curve_seconds)}" if trigger.judged == "counter" else ""
    yield _fact("fires", f"{side} {amount(trigger.threshold, trigger.unit)}{window}{_patience(trigger)}")
    if trigger.clear is not None:
        other = "below" if trigger.above else "above"
        yield _fact("clear again", f"{other} {amount(trigger.clear, trigger.unit)}")
    if trigger.for_seconds and trigger.verdict in ("pending", "firing"):
        bar = wording.bar(trigger.held_seconds, trigger.for_seconds, 10)
        yield _fact("held for", f"{duration(trigger.held_seconds)} of {duration(trigger.for_seconds)} {bar}")
    if trigger.consecutive > 1:
        yield _fact("in a row", f"{trigger.in_a_row} of {trigger.consecutive}")
    if trigger.series:
        yield _fact("series", f"{trigger.crossing} of {trigger.series} cross the threshold")
    if trigger.age_seconds is not None and trigger.judged == "measured":
        yield _fact("newest value", f"{duration(trigger.age_seconds)} old")


def _patience(trigger: TriggerView) -> str:
    """What it takes besides the threshold."""
    held = f", for {duration(trigger.for_seconds)}" if trigger.for_seconds else ""
    return held + (f", {trigger.consecutive} times in a row" if trigger.consecutive > 1 else "")


def _curve(trigger: TriggerView, wording: Wording) -> Iterator[Content]:
    if rows := two_rows(trigger, 60, wording):
        yield Content("")
        yield from rows
        yield Content("")


def _component(component: ComponentView, wording: Wording) -> Iterator[Content]:
    yield _state(wording.component(component), component.id)
    if component.suggested_by:
        yield _fact("suggested by", ", ".join(component.suggested_by))
    yield from _text("Because", component.reason)
    for place, step in enumerate(component.steps, 1):
        sign = wording.step(step, waits_for_person(step, component))
        yield Content("")
        yield literal(
            (f"{place} of {len(component.steps)}  ", "$dim"), (step.title, "bold"), (f"   {step.kind}", "$dim")
        )
        yield literal("  ", (f"{sign.icon} {sign.word}", sign.style), (f"   {step.progress}" if step.progress else ""))
        for line in lines(step.reason):
            yield literal("  ", line)


def _check(check: CheckView, at: datetime, wording: Wording) -> Iterator[Content]:
    yield _state(wording.check(check), check.id)
    yield _fact("group", check.group)
    yield _fact("to resolve", "must hold" if check.criterion else "need not hold")
    yield _fact("shown by", "a person's signature" if check.by_person else "running it")
    if check.at is not None:
        verb = "signed" if check.by_person else "ran"
        yield _fact(verb, f"{clock(check.at)} UTC, {rough((at - check.at).total_seconds())} ago{_took(check)}")
    if check.state == "stale":
        yield literal(("It is older than the last change, so it says nothing about now: run it again.", "$attention"))
    if check.running:
        yield literal(("It is running; below is what the last run found.", "$running"))
    yield from _text("Evidence", check.evidence or "none yet")
    yield from _text("In detail", "\n".join(check.detail))


def _took(check: CheckView) -> str:
    return f", took {check.seconds:.1f} s" if check.seconds else ""


def _notice(notice: NoticeView, view: ViewState, wording: Wording) -> Iterator[Content]:
    yield _state(wording.notice_now(notice, view.at), notice.id)
    yield _fact("by", notice.channel if notice.by_console else "a person: the console has no channel for it")
    if notice.to:
        yield _fact("to", notice.to)
    if notice.impact:
        yield _fact("if", wording.touches(notice.impact))
    if notice.due_at is not None:
        yield _fact("due at", f"{clock(notice.due_at)} UTC{_in_words(notice.due_in_seconds)}")
    if notice.given_at is not None:
        times = f", {notice.times_given} times in all" if notice.times_given > 1 else ""
        yield _fact("given", f"{clock(notice.given_at)} UTC by {notice.by or 'somebody'}{times}")
    if notice.attempt > 1:
        yield _fact("attempts", str(notice.attempt))
    if notice.retry_at is not None:
        yield _fact("tried again", f"by itself at {clock(notice.retry_at)} UTC")
    yield from _text("Why" if notice.state in ("failed", "maybe_sent", "snoozed") else "Note", notice.note)
    if notice.text:
        yield from _text("The message", f"{notice.subject}\n\n{notice.text}" if notice.subject else notice.text)
    yield from _happened(notice, view, wording)


def _in_words(due_in_seconds: float | None) -> str:
    if due_in_seconds is None:
        return ""
    return f", {duration(-due_in_seconds)} ago" if due_in_seconds < 0 else f", {countdown(due_in_seconds)}"


def _happened(notice: NoticeView, view: ViewState, wording: Wording) -> Iterator[Content]:
    """Every attempt, word and delay of this notice, oldest first."""
    items = [item for item in reversed(view.timeline) if item.notice == notice.id]
    if items:
        yield Content("")
        yield literal(("What happened", "$dim underline"))
    for item in items:
        said = item.text.removeprefix(f"{notice.title}: ")
        yield literal((f"{clock(item.at)}  ", "$dim"), (f"{item.actor}  ", "$dim"), (said, wording.level(item.level)))


def _state(sign: Sign, item_id: str) -> Content:
    return literal((f"{sign.icon} {sign.word}", sign.style), (f"   {item_id}", "$dim"))


def _fact(label: str, value: str) -> Content:
    return literal(fit(literal((label, "$dim")), _LABEL), value)


def _text(label: str, text: str) -> Iterator[Content]:
    if not text:
        return
    yield Content("")
    yield literal((label, "$dim underline"))
    for line in lines(text):
        yield literal(line)
