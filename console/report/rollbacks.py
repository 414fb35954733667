"""Each time that a component was carried out: who confirmed what, what became of each step, how long it took, did it help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from console.domain import events as e
from console.domain.events import Direction, SeenTrigger
from console.domain.incident import SeenThen
from console.engine.view import Level
from console.report.moments import Moment

Outcome = Literal["under way", "finished", "stopped"]


@dataclass(frozen=True, slots=True)
class StepLife:
    """A step of one run. `passed`: the stages that it went through and when; `words`: the proof, or why there is none."""

    step: str
    title: str
    change: e.ConfirmedChange
    outcome: str = "not reached"
    level: Level = "plain"
    words: str = ""
    by: str = ""
    passed: tuple[tuple[str, datetime], ...] = ()

    @property
    def seconds(self) -> float | None:
        """From the intent to the last word on it."""
        if len(self.passed) < 2:
            return None
        return (self.passed[-1][1] - self.passed[0][1]).total_seconds()


@dataclass(frozen=True, slots=True)
class Rollback:
    """One confirmed run of a component. `after`: the triggers at the end of its soak, or at the next decision."""

    component: str
    title: str
    direction: Direction
    run: str
    at: datetime
    by: str
    advice: str
    overrules: bool
    steps: tuple[StepLife, ...]
    outcome: Outcome = "under way"
    reason: str = ""
    ended_at: datetime | None = None
    before: SeenThen | None = None
    after: SeenThen | None = None

    @property
    def seconds(self) -> float | None:
        return (self.ended_at - self.at).total_seconds() if self.ended_at else None

    @property
    def compared(self) -> tuple[tuple[SeenTrigger, SeenTrigger], ...]:
        """Each trigger before and after, where both are known."""
        if self.before is None or self.after is None:
            return ()
        then = {t.trigger: t for t in self.before.event.triggers}
        return tuple((then[t.trigger], t) for t in self.after.event.triggers if t.trigger in then)


def rollbacks(moments: Sequence[Moment]) -> tuple[Rollback, ...]:
    """In the order in which they were confirmed."""
    runs: list[Rollback] = []
    for moment in moments:
        event = moment.event
        if isinstance(event, e.ComponentConfirmed):
            runs.append(_confirmed(event, moment))
        elif isinstance(event, e.TriggersSeen):
            _seen(runs, event, moment.at)
        elif (component := getattr(event, "component", None)) and (index := _latest(runs, component)) is not None:
            runs[index] = _after(runs[index], event, moment)
    return tuple(runs)


def _confirmed(event: e.ComponentConfirmed, moment: Moment) -> Rollback:
    known = moment.after.components[event.component]
    lives = tuple(StepLife(c.step, known.steps[c.step].title or c.step, c) for c in event.changes)
    return Rollback(
        component=event.component,
        title=known.title or event.component,
        direction=event.direction,
        run=event.run,
        at=moment.at,
        by=moment.by,
        advice=event.advice,
        overrules=event.overrules,
        steps=lives,
    )


def _latest(runs: Sequence[Rollback], component: str) -> int | None:
    return max((i for i, run in enumerate(runs) if run.component == component), default=None)


def _seen(runs: list[Rollback], event: e.TriggersSeen, at: datetime) -> None:
    """The confirmation's own picture goes before; the first one behind the end of a run is its after, its soak's for choice."""
    seen = SeenThen(at, event)
    latest = _latest(runs, event.component)
    if event.occasion == "confirmed" and latest is not None and runs[latest].before is None:
        runs[latest] = replace(runs[latest], before=seen)
    for index, run in enumerate(runs):
        if run.outcome != "finished" or (event.occasion == "confirmed" and index == latest):
            continue
        own_soak = event.occasion == "soak_ended" and index == latest
        if run.after is None or (own_soak and run.after.event.occasion != "soak_ended"):
            runs[index] = replace(run, after=seen)


def _after(run: Rollback, event: e.Event, moment: Moment) -> Rollback:
    if isinstance(event, e.ComponentFinished):
        return replace(run, outcome="finished", reason="", ended_at=moment.at)
    if isinstance(event, e.ComponentStopped):
        return replace(run, outcome="stopped", reason=event.reason, ended_at=moment.at)
    step = getattr(event, "step", None)
    if step is None:
        return run
    return replace(run, steps=tuple(_lived(life, event, moment) if life.step == step else life for life in run.steps))


def _lived(life: StepLife, event: e.Event, moment: Moment) -> StepLife:
    stage, level, words = _stage(event)
    passed = (*life.passed, (stage, moment.at))
    return replace(life, outcome=stage, level=level, words=words or life.words, by=moment.by, passed=passed)


def _stage(event: e.Event) -> tuple[str, Level, str]:
    """The stage that this event is, how much it matters, and what was said."""
    match event:
        case e.StepIntended():
            return "intended", "plain", ""
        case e.StepSent():
            return "sent", "attention", ""
        case e.StepApplied():
            return ("found applied" if event.by_probe else "applied"), "attention", event.detail
        case e.StepProven():
            return "proven", "good", event.proof
        case e.StepAlready():
            return "already so", "good", event.proof
        case e.StepSigned():
            return "signed", "good", event.note
        case e.StepSettled():
            return f"settled as {event.counts_as.replace('_', ' ')}", "attention", event.note
        case e.StepFailed():
            word = "refused" if event.refused else "failed"
            stands = "what was sent stands" if event.effect else "nothing was changed"
            return word, "alarm", f"{event.reason} ({stands})"
        case e.StepUnknown():
            return "unknown", "alarm", event.reason
        case e.StepDiverged():
            return "diverged", "alarm", event.reason
        case _:
            return event.type.replace("_", " "), "plain", ""
