"""The triggers: their curves as the commander saw them, their values at each decision, what people counted and attested."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.domain import events as e
from console.domain.events import SeenTrigger
from console.domain.incident import SeenThen
from console.domain.outline import TriggerOutline
from console.domain.triggers import span
from console.report.blocks import Block, Line, Paragraph, Plots, Section, Small, Subheading, Table, Word
from console.report.curves import curves, letter
from console.report.model import Record
from console.report.sections.wording import measured, timed, verdict
from console.report.times import Times

_LEGEND = (
    "The letters are the decisions of the table below, the dashed line is the threshold. The band under a curve is the verdict: "
    "high while it fires, half as high while it is pending, a line while it is ok, dots while there is no data. "
    "Where the journal kept no values, nothing is drawn."
)
_COLUMNS = 4
"""Decisions beside each other in one table; more than these go into another."""


def section(record: Record, times: Times) -> Section:
    blocks: list[Block] = []
    found = curves(record.incident, record.moments, record.incident.resolved_at or record.at)
    if found:
        blocks += [Plots(found), Paragraph(Small(_LEGEND))]
    blocks += _decisions(record, times)
    blocks += _verdicts(record, times)
    blocks += _said(record, times)
    return Section("triggers", "Triggers", tuple(blocks) or (Paragraph("No trigger was recorded."),))


# ---------------------------------------------------------------- the values at each decision


def _decisions(record: Record, times: Times) -> Iterator[Block]:
    seen = record.incident.seen
    if not seen:
        yield Paragraph("The journal kept no values of the triggers at a decision.")
        return
    yield Subheading("At each decision")
    rows = ((then.at, letter(i), _occasion(record, then)) for i, then in enumerate(seen))
    yield timed(times, ("Letter", "Decision"), rows, narrow=("Letter",))
    for first in range(0, len(seen), _COLUMNS):
        yield _values(record, seen[first : first + _COLUMNS], first)


def _occasion(record: Record, then: SeenThen) -> str:
    component = record.component_title(then.event.component)
    return {
        "declared": "the incident was declared",
        "confirmed": f"{component} was confirmed",
        "soak_ended": f"the soak of {component} ended",
        "resolved": "the incident was resolved",
    }[then.event.occasion]


def _values(record: Record, seen: Sequence[SeenThen], first: int) -> Table:
    columns = ("Trigger", "Threshold", *(letter(first + i) for i in range(len(seen))))
    rows = tuple((*_rule(t), *(_at(t, then) for then in seen)) for t in record.incident.outline.triggers)
    return Table(columns, rows, narrow=tuple(range(1, len(columns))))


def _rule(trigger: TriggerOutline) -> tuple[Line, Line]:
    if trigger.judged == "attestation":
        return trigger.title, "a person's word"
    sign = ">" if trigger.above else "<"
    window = f" in {span(trigger.window_seconds)}" if trigger.judged == "counter" else ""
    return trigger.title, f"{sign} {measured(trigger.threshold, trigger.unit)}{window}"


def _at(trigger: TriggerOutline, then: SeenThen) -> Line:
    found = next((t for t in then.event.triggers if t.trigger == trigger.id), None)
    if found is None:
        return "not asked"
    if trigger.judged == "attestation" or found.value is None:
        return verdict(found.verdict)
    return (measured(found.value, trigger.unit), " ", verdict(found.verdict))


# ---------------------------------------------------------------- verdicts and words


def _verdicts(record: Record, times: Times) -> Iterator[Block]:
    rows = tuple(
        (m.at, record.title_of(m.event.trigger), verdict(m.event.verdict), m.event.reason)
        for m in record.moments
        if isinstance(m.event, e.VerdictChanged)
    )
    if rows:
        yield Subheading("Changes of verdict")
        yield timed(times, ("Trigger", "Verdict", "Why"), rows, narrow=("Verdict",))


def _said(record: Record, times: Times) -> Iterator[Block]:
    rows = tuple(
        (m.at, m.by, record.title_of(m.event.trigger), *_words(m.event))
        for m in record.moments
        if isinstance(m.event, e.TriggerCounted | e.TriggerAttested)
    )
    if rows:
        yield Subheading("Counted and attested by people")
        yield timed(times, ("Who", "Trigger", "Said", "Note"), rows)


def _words(event: e.TriggerCounted | e.TriggerAttested) -> tuple[Line, Line]:
    if isinstance(event, e.TriggerCounted):
        return f"{event.count:+d}", event.note
    return (Word("it holds", "alarm") if event.holds else Word("it holds no more", "good")), event.reason


def unit_of(record: Record, seen: SeenTrigger) -> str:
    outline = record.incident.outline.trigger(seen.trigger)
    return outline.unit if outline else ""
