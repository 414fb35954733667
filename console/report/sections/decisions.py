"""Who decided what, and what the console had advised."""

from __future__ import annotations

from collections.abc import Iterator

from console.domain import events as e
from console.report.blocks import Block, Line, Paragraph, Section, Small, Subheading, Word
from console.report.model import Record
from console.report.moments import Moment
from console.report.sections.wording import timed
from console.report.times import Times


def section(record: Record, times: Times) -> Section:
    return Section("decisions", "Decisions and advice", tuple(_blocks(record, times)))


def _blocks(record: Record, times: Times) -> Iterator[Block]:
    yield timed(times, ("Who", "Decision"), ((m.at, m.by, _words(m)) for m in record.decisions))
    advice = tuple(
        (m.at, m.event.text, ", ".join(_titles(record, m.event.components)))
        for m in record.moments
        if isinstance(m.event, e.AdviceGiven)
    )
    yield Subheading("What the console advised")
    if advice:
        yield timed(times, ("Advice", "Components"), advice)
    else:
        yield Paragraph("The journal kept no advice.")


def _titles(record: Record, components: tuple[str, ...]) -> Iterator[str]:
    if not components:
        yield "none is needed"
    for component in components:
        yield record.component_title(component)


def _words(moment: Moment) -> Line:
    told, _ = moment.told
    event = moment.event
    if isinstance(event, e.ComponentConfirmed) and event.advice:
        word = Word("overrules the advice", "attention") if event.overrules else Word("follows the advice")
        return (told, " ", word, Small(f"Advice then: {event.advice}"))
    return told
