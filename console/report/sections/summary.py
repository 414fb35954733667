"""The incident in a few sentences: facts of the journal, in their order, and no opinion."""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.events import SeenTrigger, TriggersSeen
from console.domain.incident import SeenThen
from console.domain.soaking import movement
from console.domain.triggers import span
from console.report.blocks import Bullets, Line, Section
from console.report.model import Record
from console.report.rollbacks import Rollback
from console.report.sections.wording import counted, listed, measured, spoken
from console.report.times import Times

_GOOD = ("pass", "signed", "waived")


def section(record: Record, times: Times) -> Section:
    lines = (
        *_declaration(record, times),
        *_rollbacks(record),
        *_notices(record),
        *_criteria(record),
        *_end(record, times),
    )
    return Section("summary", "Summary", (Bullets(tuple(lines)),))


def _declaration(record: Record, times: Times) -> Iterator[Line]:
    incident = record.incident
    if incident.declared_at:
        yield f"{incident.commander} declared the incident at {times.full(incident.declared_at)}: {incident.reason}"
    seen = next((s for s in incident.seen if s.event.occasion == "declared"), None)
    if seen is None:
        return
    firing = [_fires(record, t) for t in seen.event.triggers if t.verdict == "firing"]
    yield f"At that moment {listed(firing)} fired." if firing else "At that moment no trigger fired."


def _fires(record: Record, seen: SeenTrigger) -> str:
    outline = record.incident.outline.trigger(seen.trigger)
    value = f" ({measured(seen.value, outline.unit if outline else '')})" if seen.value is not None else ""
    return f"{record.title_of(seen.trigger)}{value}"


def _rollbacks(record: Record) -> Iterator[Line]:
    if not record.rollbacks:
        yield "Nothing was rolled back."
    for run in record.rollbacks:
        yield f"{run.by} rolled {run.title} {run.direction}: {_outcome(run)}{_effect(record, run)}"
        if run.overrules:
            yield f"That decision overruled what the console advised: {run.advice}"


def _outcome(run: Rollback) -> str:
    proven = sum(life.outcome in ("proven", "already so", "signed") for life in run.steps)
    steps = f"{proven} of {counted(len(run.steps), 'step')} proven or signed"
    if run.outcome == "under way":
        return f"under way at the time of this report, {steps}."
    took = f" after {span(run.seconds)}" if run.seconds is not None else ""
    if run.outcome == "finished":
        return f"finished{took}, {steps}."
    return f"stopped{took}, {steps}: {run.reason}."


def _effect(record: Record, run: Rollback) -> str:
    """What moved of that which fired before."""
    moved = [_moved(record, before, after) for before, after in run.compared if before.verdict == "firing"]
    return f" {_capital(listed(moved))} {_when(run.after)}." if moved and run.after else ""


def _moved(record: Record, before: SeenTrigger, after: SeenTrigger) -> str:
    outline = record.incident.outline.trigger(before.trigger)
    unit = outline.unit if outline else ""
    went = movement(before.value, after.value, before.threshold or 0.0)
    values = f" from {measured(before.value, unit)} to {measured(after.value, unit)}" if went else ""
    word = {"falling": "fell", "rising": "rose", "steady": "stayed"}.get(went, "was firing")
    return f"{record.title_of(before.trigger)} {word}{values} and was {spoken(after.verdict)}"


def _when(seen: SeenThen | None) -> str:
    event: TriggersSeen | None = seen.event if seen else None
    ends = {"soak_ended": "at the end of the soak", "resolved": "at the end", "confirmed": "at the next decision"}
    return ends.get(event.occasion, "") if event else ""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _notices(record: Record) -> Iterator[Line]:
    if not record.notices:
        return
    given = [n for n in record.notices if n.given]
    late = [n for n in given if n.given[0].late_seconds > 60]
    words = f"{len(given)} of {counted(len(record.notices), 'notice')} of the communication plan were given"
    if late:
        words += f", late: {listed(n.outline.title for n in late)}"
    yield f"{words}."


def _criteria(record: Record) -> Iterator[Line]:
    criteria = [c for c in record.checks if c.outline.criterion]
    if not criteria:
        return
    held = [c for c in criteria if c.state in _GOOD]
    waived = sum(c.state == "waived" for c in criteria)
    words = f"{len(held)} of {counted(len(criteria), 'success criterion', 'success criteria')} hold"
    yield f"{words}, {waived} of them waived." if waived else f"{words}."


def _end(record: Record, times: Times) -> Iterator[Line]:
    incident = record.incident
    if incident.resolved_at is None:
        yield f"The incident is open. Next, by what was known then: {record.view.next_action.text}"
        return
    by = next((m.by for m in reversed(record.decisions) if m.event.type == "incident_resolved"), "")
    said = f": {record.resolution}" if record.resolution else "."
    yield f"{by} resolved it at {times.full(incident.resolved_at)}{said}"
