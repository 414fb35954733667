"""Each run of a component: the decision, every change with its diff and command, its proof, and whether it helped."""

from __future__ import annotations

from collections.abc import Iterator

from console.domain.events import SeenTrigger
from console.domain.soaking import movement
from console.domain.triggers import span
from console.engine.view import Level
from console.report.blocks import (
    Block,
    Code,
    Facts,
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
from console.report.model import Record
from console.report.rollbacks import Rollback, StepLife
from console.report.sections.triggers import unit_of
from console.report.sections.wording import COMPONENT_LEVELS, measured, spoken, verdict
from console.report.times import Times

_OUTCOMES: dict[str, Level] = {"finished": "good", "stopped": "alarm", "under way": "attention"}


def section(record: Record, times: Times) -> Section:
    blocks: list[Block] = [_components(record)]
    for number, run in enumerate(record.rollbacks, start=1):
        blocks += _run(record, run, number, times)
    return Section("rollbacks", "Rollbacks", tuple(blocks))


def _components(record: Record) -> Table:
    rows = tuple(
        (c.title, Word(spoken(c.state), COMPONENT_LEVELS[c.state]), c.reason)
        for c in record.incident.components.values()
    )
    return Table(("Component", "State", ""), rows, narrow=(1,))


def _run(record: Record, run: Rollback, number: int, times: Times) -> Iterator[Block]:
    yield Subheading(f"{number}. {run.title}: roll {run.direction}")
    yield Facts(tuple(_decision(run, times)))
    yield Table(
        ("Step", "Outcome", "Proof, or why not", "Passed", "Took"),
        tuple(_step(life, times) for life in run.steps),
        narrow=(1, 4),
    )
    yield from _helped(record, run, times)
    for life in run.steps:
        yield from _change(life)


def _decision(run: Rollback, times: Times) -> Iterator[tuple[str, Line]]:
    yield "Confirmed", f"{times.full(run.at)} by {run.by}, who typed its id"
    if run.advice:
        overruled = (" ", Word("overruled by this decision", "attention")) if run.overrules else ()
        yield "The console advised", (run.advice, *overruled)
    took = f"{times.full(run.ended_at)}, after {span(run.seconds or 0.0)}" if run.ended_at else ""
    yield (
        "Outcome",
        (Word(run.outcome, _OUTCOMES[run.outcome]), f" {took}", *((Small(run.reason),) if run.reason else ())),
    )


def _step(life: StepLife, times: Times) -> tuple[Line, ...]:
    passed = " · ".join(f"{stage} {times.clock(at)}" for stage, at in life.passed)
    took = span(life.seconds) if life.seconds is not None else ""
    return (life.title, Word(life.outcome, life.level), life.words, Small(passed), took)


def _helped(record: Record, run: Rollback, times: Times) -> Iterator[Block]:
    if run.direction == "forward" or run.outcome != "finished":
        return
    if not run.compared or run.before is None or run.after is None:
        yield Paragraph(Small("The journal kept no values of the triggers from before and after it."))
        return
    when = {
        "soak_ended": "the end of the soak",
        "resolved": "the resolution",
        "confirmed": "the next decision",
        "declared": "the declaration",
    }[run.after.event.occasion]
    yield Paragraph(
        f"Before: at the confirmation, {times.full(run.before.at)}. After: at {when}, {times.full(run.after.at)}."
    )
    yield Table(
        ("Trigger", "Before", "After", "Movement"),
        tuple(_compared(record, before, after) for before, after in run.compared),
        narrow=(1, 2, 3),
    )


def _compared(record: Record, before: SeenTrigger, after: SeenTrigger) -> tuple[Line, ...]:
    went = movement(before.value, after.value, before.threshold or 0.0)
    return (record.title_of(before.trigger), _valued(record, before), _valued(record, after), went)


def _valued(record: Record, seen: SeenTrigger) -> Line:
    if seen.value is None:
        return verdict(seen.verdict)
    return (measured(seen.value, unit_of(record, seen)), " ", verdict(seen.verdict))


def _change(life: StepLife) -> Iterator[Block]:
    change = life.change
    remark = " It was so already: nothing had to be sent." if change.already else ""
    yield Paragraph((Strong(life.title), f": {change.summary}.{remark} Change ", Code(change.hash[:12])))
    if change.lines:
        yield Listing(change.lines, "diff")
    if change.commands:
        yield Listing(change.commands, "sh", "The same by hand")
