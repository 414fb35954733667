"""The brief for whoever takes command: what burns, what is done and proven, what is in doubt, what is due, what is next."""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.triggers import span
from console.engine.view import NoticeView, TriggerView
from console.report.blocks import Block, Bullets, Code, Facts, Line, Paragraph, Section, Small, Strong, Table, Word
from console.report.model import Record
from console.report.sections import heading, open_ends
from console.report.sections.wording import (
    CHECK_LEVELS,
    COMPONENT_LEVELS,
    NOTICE_LEVELS,
    listed,
    measured,
    spoken,
    verdict,
)
from console.report.times import Times

_QUIET_NOTICES = ("sent", "acknowledged", "not_needed")
_HOLDS = ("pass", "signed", "waived")


def head(record: Record, times: Times) -> tuple[Block, ...]:
    incident = record.incident
    rows: list[tuple[str, Line]] = [("Declared because", incident.reason)]
    if incident.declared_at:
        rows.append(("Declared", f"{times.full(incident.declared_at)} by {incident.commander}"))
    rows.append(("State", heading.state(record)))
    rows.append(("Lasted" if record.resolved else "Open for", heading.duration(record)))
    as_of = (
        f"As of {times.full(record.at)}, the last event of the journal. Look at the console for what has changed since."
    )
    return (Facts(tuple(rows)), Paragraph(Small(as_of)))


def now(record: Record, _: Times) -> Section:
    action = record.view.next_action
    blocks: list[Block] = [Paragraph(Strong(action.text))]
    if action.command:
        blocks.append(Paragraph(Code(f"rollback-console {action.command}")))
    blocks += open_ends.unseen(record)
    if record.open_ends:
        blocks += [Paragraph("Before the incident can be resolved:"), Bullets(record.open_ends)]
    return Section("next", "Next", tuple(blocks))


def fires(record: Record, times: Times) -> Section:
    loud = [t for t in record.view.triggers if t.verdict != "ok"]
    quiet = [t.title for t in record.view.triggers if t.verdict == "ok"]
    blocks: list[Block] = (
        [Table(("Trigger", "", "Since", "Why"), tuple(_trigger(t, times) for t in loud), (1, 2))] if loud else []
    )
    if quiet:
        blocks.append(Paragraph(f"By their last recorded word ok: {listed(quiet)}."))
    return Section("fires", "What fires", tuple(blocks) or (Paragraph("The procedure has no triggers."),))


def _trigger(trigger: TriggerView, times: Times) -> tuple[Line, ...]:
    value: tuple[str, ...] = (measured(trigger.value, trigger.unit), " ") if trigger.value is not None else ()
    since = times.full(trigger.since) if trigger.since else ""
    return (trigger.title, (*value, verdict(trigger.verdict)), since, trigger.reason)


def components(record: Record, times: Times) -> Section:
    """Rolled back and proven, in doubt, or untouched: step by step where it is not simple."""
    rows = tuple(row for c in record.incident.components.values() for row in _component(record, c.id, times))
    return Section(
        "components", "What is rolled back, and what is in doubt", (Table(("Component", "State", ""), rows, (1,)),)
    )


def _component(record: Record, component_id: str, times: Times) -> Iterator[tuple[Line, ...]]:
    component = record.incident.components[component_id]
    proven = sum(s.state in ("proven", "already") for s in component.steps.values())
    words = f"{proven} of {len(component.steps)} steps proven" if component.run else ""
    if component.ended_at:
        words += f", {times.full(component.ended_at)}"
    state = Word(spoken(component.state), COMPONENT_LEVELS[component.state])
    yield (component.title, state, (words, *((Small(component.reason),) if component.reason else ())))
    for step in component.steps.values():
        if step.state in ("unknown", "diverged", "failed", "sent", "applied", "intended"):
            yield (f"its step: {step.title}", Word(spoken(step.state), "alarm"), step.reason)


def criteria(record: Record, _: Times) -> Section | None:
    open_ones = [c for c in record.checks if c.outline.criterion and c.state not in _HOLDS]
    if not any(c.outline.criterion for c in record.checks):
        return None
    if not open_ones:
        return Section("criteria", "Criteria", (Paragraph("All success criteria hold.", "good"),))
    rows = tuple(
        (c.outline.title, Word(spoken(c.state), CHECK_LEVELS[c.state]), c.last.evidence if c.last else "")
        for c in open_ones
    )
    return Section("criteria", "Open criteria", (Table(("Criterion", "State", "Last evidence"), rows, (1,)),))


def due(record: Record, times: Times) -> Section | None:
    awaited = [n for n in record.view.notices if n.state not in _QUIET_NOTICES]
    if not awaited:
        return None
    ordered = sorted(awaited, key=lambda n: (n.due_at is None, n.due_at or record.at))
    rows = tuple(_notice(n, times) for n in ordered)
    return Section("due", "What is due", (Table(("Notice", "State", "Due", ""), rows, (1,)),))


def _notice(notice: NoticeView, times: Times) -> tuple[Line, ...]:
    when = times.full(notice.due_at) if notice.due_at else ""
    left = notice.due_in_seconds
    in_words = "" if left is None else (f"in {span(left)}" if left >= 0 else f"{span(-left)} ago")
    return (notice.title, Word(spoken(notice.state), NOTICE_LEVELS[notice.state]), when, in_words)
