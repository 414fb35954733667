"""The success criteria as a filled-in form, then every check with its evidence, and what is behind it."""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.triggers import amount, span
from console.report.blocks import (
    Blank,
    Block,
    Line,
    Listing,
    Paragraph,
    Section,
    Small,
    Strong,
    Subheading,
    Table,
    Word,
)
from console.report.evidence import CheckStory, Finding
from console.report.model import Record
from console.report.sections.wording import CHECK_LEVELS, spoken, timed
from console.report.times import Times

_HOLDS = ("pass", "signed", "waived")


def section(record: Record, times: Times) -> Section | None:
    if not record.checks:
        return None
    return Section("checklist", "Checklist", tuple(_blocks(record, times)))


def _blocks(record: Record, times: Times) -> Iterator[Block]:
    criteria = [c for c in record.checks if c.outline.criterion]
    if criteria:
        yield Subheading("Success criteria")
        yield Table(
            ("", "Criterion", "State", "Evidence", "Who", "When"),
            tuple(_criterion(c, times) for c in criteria),
            narrow=(0, 2),
        )
    others = [c for c in record.checks if not c.outline.criterion]
    if others:
        yield Subheading("The other checks")
        yield Table(
            ("Group", "Check", "State", "Evidence", "Who", "When"),
            tuple((c.outline.group, *_criterion(c, times)[1:]) for c in others),
            narrow=(0, 2),
        )
    yield from _history(record, times)
    yield from _baselines(record)
    yield from _details(record, times)


def _criterion(check: CheckStory, times: Times) -> tuple[Line, ...]:
    box = "☑" if check.state in _HOLDS else "☐"
    state = Word(spoken(check.state), CHECK_LEVELS[check.state])
    if check.last is None:
        return (box, check.outline.title, state, Blank(), Blank(), Blank())
    found = check.last
    evidence: Line = found.evidence
    if check.stale_since:
        told, _ = check.stale_since.told
        evidence = (found.evidence, Small(f"stale since {times.full(check.stale_since.at)}: {told}"))
    return (box, check.outline.title, state, evidence, _who(check, found), times.full(found.at))


def _who(check: CheckStory, found: Finding) -> str:
    """Evidence is measured, and a signature is somebody's word."""
    if check.outline.by_person or found.outcome in ("signed", "waived"):
        return found.by
    return f"measured, console of {found.by}"


def _history(record: Record, times: Times) -> Iterator[Block]:
    """Only where a check was asked more than once: what it said before is a part of the record."""
    rows = tuple(
        (
            found.at,
            check.outline.title,
            Word(spoken(found.outcome), CHECK_LEVELS[found.outcome]),
            found.evidence,
            found.by,
            span(found.seconds) if found.seconds is not None else "",
        )
        for check in record.checks
        if len(check.findings) > 1
        for found in check.findings
    )
    if rows:
        yield Subheading("Asked more than once")
        yield timed(times, ("Check", "Found", "Evidence", "Who", "Took"), rows, narrow=("Found", "Took"))


def _baselines(record: Record) -> Iterator[Block]:
    titles = {c.outline.id: c.outline.title for c in record.checks}
    rows = tuple(
        (titles.get(b.check, b.check), amount(b.value, b.unit), b.of) for b in record.incident.baselines.values()
    )
    if rows:
        yield Subheading("Baselines")
        yield Table(("Check", "Value", "Of"), rows, narrow=(1,))


def _details(record: Record, times: Times) -> Iterator[Block]:
    detailed = [(check, check.last) for check in record.checks if check.last and check.last.detail]
    if detailed:
        yield Subheading("The evidence in full")
    for check, found in detailed:
        word = Word(spoken(found.outcome), CHECK_LEVELS[found.outcome])
        yield Paragraph((Strong(check.outline.title), f", {times.full(found.at)}: ", word))
        yield Listing(found.detail)
