"""What stands on top: which incident, life or drill, when, who."""

from __future__ import annotations

from datetime import timedelta

from console.domain.triggers import span
from console.report.blocks import Block, Code, Facts, Line, Paragraph, Small, Word
from console.report.model import Record
from console.report.people import Person
from console.report.times import Times


def title(record: Record) -> str:
    return f"{record.incident.id} · {record.incident.title}"


def banner(record: Record) -> Word:
    if record.incident.mode == "drill":
        return Word("DRILL: an exercise. Everything in this record happened on one machine, for practice.", "attention")
    return Word("LIVE: what this record says was done to real systems.", "alarm")


def head(record: Record, times: Times) -> tuple[Block, ...]:
    incident = record.incident
    rows: list[tuple[str, Line]] = [("Declared because", incident.reason)]
    if incident.declared_at:
        rows.append(("Declared", times.full(incident.declared_at)))
    if incident.resolved_at:
        rows.append(("Resolved", times.full(incident.resolved_at)))
    rows.append(("State", state(record)))
    rows.append(("Lasted" if record.resolved else "Open for", duration(record)))
    rows.append(("Commander", incident.commander))
    rows.append(("People", "; ".join(_person(p) for p in record.people)))
    rows.append(("Procedure", ("digest ", Code(incident.config_digest))))
    as_of = "" if record.resolved else " The incident was open at that moment: this report is half-way."
    made = f"Made from the journal alone, as it stood at {times.full(record.at)}, the time of the last event.{as_of}"
    return (Facts(tuple(rows)), Paragraph(Small(made)))


def state(record: Record) -> Line:
    if not record.resolved:
        return Word("OPEN", "alarm")
    return (Word("resolved", "good"), Small(record.resolution)) if record.resolution else Word("resolved", "good")


def duration(record: Record) -> str:
    started, ended = record.incident.declared_at, record.incident.resolved_at or record.at
    return span(max(ended - started, timedelta()).total_seconds()) if started else "not declared"


def _person(person: Person) -> str:
    deeds = ", ".join(word if often == 1 else f"{word} {often} times" for word, often in person.deeds)
    return f"{person.name} ({deeds})" if deeds else person.name
