"""The fold over a trigger's evaluations: what was seen becomes what it comes to, at a cost that does not grow with the past.

The sampler calls `observe` with every answer and every failure of a metric source; `triggers.py` draws the verdict.
An *evaluation* is what the query gave at one instant: its series, or nothing. Each series that breaks the rule has a *breach*
of its own, with its beginning; evaluations of one state in a row make a *run*. Only the last evaluations are kept one by one,
so that late ones can still be put where they belong; of everything before them its outcome (`Standing`) is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import groupby
from typing import Final, Literal, Protocol, TypeAlias

from console.domain.curve import Curve
from console.domain.rule import LONGEST_GAP_STEPS, TriggerRule

LATE_EVALUATIONS: Final = 20
"""A sample may come so many evaluations late and is still put where it belongs."""
RUNS_REMEMBERED: Final = 8
"""Enough to know since when a trigger fires, or fired before the silence."""
MOST_LABELS: Final = 20
"""How many series that break a rule are kept by name: what they suggest is asked, and nobody reads more."""

State = Literal["crossed", "clear", "missing"]
Labels: TypeAlias = tuple[tuple[str, str], ...]
_NO_SERIES: Final[frozenset[Labels]] = frozenset()


class AnySample(Protocol):
    """The shape of a metric source's sample. The samples of one evaluation carry the same `at`, one for each series."""

    @property
    def at(self) -> datetime: ...
    @property
    def value(self) -> float: ...
    @property
    def labels(self) -> Labels: ...


class AnyReading(Protocol):
    """The shape of a metric source's answer. `lacking` says in words why there is no number yet, where the source knows."""

    @property
    def samples(self) -> Sequence[AnySample]: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...
    @property
    def lacking(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Failure:
    """The source could not answer, in one clean line."""

    reason: str


@dataclass(frozen=True, slots=True)
class Past:
    """What a source told of the last so many seconds, in steps of so many."""

    reading: AnyReading
    covers_seconds: float
    step_seconds: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the query gave at one instant. `value` is the worst number among its series, None when there was no number."""

    at: datetime
    value: float | None = None
    series: int = 0
    not_a_number: int = 0  # how many series are NaN: neither healthy nor crossing
    worst: str = ""  # the labels of the worst series, when there are several
    crossed: frozenset[Labels] = _NO_SERIES  # the series beyond the threshold
    between: frozenset[Labels] = _NO_SERIES  # with hysteresis: neither beyond the threshold nor clear again
    blank: frozenset[Labels] = _NO_SERIES  # with hysteresis: NaN
    step_seconds: float = 0.0  # how far apart evaluations of its kind are
    lacking: str = ""  # why there is no number, where the source knows


@dataclass(frozen=True, slots=True)
class Breach:
    """Since when one series breaks the rule, and at which evaluation that began."""

    start: datetime
    ordinal: int


@dataclass(frozen=True, slots=True)
class Run:
    """Evaluations of one state in a row, none missing between them. `fired`: since when a series of it crossed that fired."""

    state: State
    start: datetime
    end: datetime
    fired: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What evaluations come to, up to the last of them."""

    runs: tuple[Run, ...] = ()
    ordinal: int = 0
    step_seconds: float = 0.0
    breaking: frozenset[Labels] = _NO_SERIES
    breaches: Mapping[Labels, Breach] = field(default_factory=dict)
    oldest: Breach | None = None
    held: frozenset[Labels] = _NO_SERIES  # with hysteresis: series that crossed and have not been seen clear since
    number: float | None = None  # the last one that there was
    number_at: datetime | None = None
    named: tuple[Labels, ...] = ()  # of the series that broke the rule at that moment, at most MOST_LABELS

    @property
    def in_a_row(self) -> int:
        """Evaluations in a row at which one and the same series broke the rule, up to the last."""
        return self.ordinal - self.oldest.ordinal + 1 if self.oldest else 0


@dataclass(frozen=True, slots=True)
class Track:
    """Everything that is known of one trigger. Made by `observe` and `shifted` alone; a new one is empty."""

    evaluations: tuple[Evaluation, ...] = ()  # the last ones, oldest first
    settled: Standing = Standing()  # what those before them came to
    standing: Standing = Standing()  # what all of them come to
    curve: Curve = field(default_factory=Curve)
    known_from: datetime | None = None  # the earliest moment that the source was asked about
    known_step_seconds: float = 0.0  # in steps of so many seconds
    failure: str = ""
    failing_since: datetime | None = None
    warnings: tuple[str, ...] = ()

    @property
    def newest(self) -> Evaluation | None:
        return self.evaluations[-1] if self.evaluations else None


# ---------------------------------------------------------------- the fold


def observe(
    rule: TriggerRule, track: Track, outcome: AnyReading | Failure, at: datetime, covers_seconds: float = 0.0
) -> Track:
    """The track after the source's answer or failure, received at `at`.

    `covers_seconds` tells a reading of the past, which speaks for so many seconds before `at` in the rule's own steps, from one
    of the present, which says by its emptiness that there is nothing now. Samples may come late and in any order; those from
    before the evaluations that are kept, or from the future by more than `stale_after`, are dropped. A second answer for the same
    instant replaces the first.
    """
    if isinstance(outcome, Failure):
        return replace(track, failure=outcome.reason, failing_since=track.failing_since or at)
    if covers_seconds:
        return observe_past(rule, track, (Past(outcome, covers_seconds, rule.every_seconds),), at)
    future = at + timedelta(seconds=rule.stale_after)
    found = [e for e in _evaluations(rule, outcome, rule.every_seconds) if e.at <= future]
    if not outcome.samples:
        found = [Evaluation(at, step_seconds=rule.every_seconds, lacking=outcome.lacking)]
    track = _without_future(rule, track, future)
    newest = track.newest
    if len(found) == 1 and (newest is None or found[0].at > newest.at):
        return _appended(rule, track, found[0], at, outcome.warnings)
    if found:
        track = _merged(rule, track, found)
    return _asked(track, at, rule.every_seconds, outcome.warnings)


def observe_past(rule: TriggerRule, track: Track, pasts: Sequence[Past], at: datetime) -> Track:
    """The track after readings of the past up to `at`; where they overlap, the finer one speaks.

    What falls nearer than half a step beside an evaluation that was seen is the same one again. A past that goes from before
    all that was known up to what is kept takes its place: it tells better than we remember.
    """
    future = at + timedelta(seconds=rule.stale_after)
    track = _without_future(rule, track, future)
    found: list[Evaluation] = []
    for past in sorted(pasts, key=lambda p: p.step_seconds):
        finer_from = found[0].at - timedelta(seconds=past.step_seconds / 2) if found else future
        coarser = [e for e in _evaluations(rule, past.reading, past.step_seconds) if e.at <= finer_from]
        found = coarser + found
    if found:
        track = _merged(rule, track, found, half_step=rule.every_seconds / 2)
    warnings = tuple(dict.fromkeys((*track.warnings, *(text for past in pasts for text in past.reading.warnings))))
    for past in pasts:
        track = _asked(track, at - timedelta(seconds=past.covers_seconds), past.step_seconds, warnings)
    return track


def _asked(track: Track, since: datetime, step_seconds: float, warnings: tuple[str, ...]) -> Track:
    if track.known_from is None or since < track.known_from:
        track = replace(track, known_from=since, known_step_seconds=step_seconds)
    return replace(track, warnings=warnings, failure="", failing_since=None)


def _appended(
    rule: TriggerRule, track: Track, evaluation: Evaluation, at: datetime, warnings: tuple[str, ...]
) -> Track:
    """The way of nearly every answer: one evaluation behind all others."""
    kept, settled = (*track.evaluations, evaluation), track.settled
    if len(kept) > LATE_EVALUATIONS:
        settled, kept = after(rule, settled, kept[0]), kept[1:]
    return Track(
        evaluations=kept,
        settled=settled,
        standing=after(rule, track.standing, evaluation),
        curve=track.curve.continued(rule, evaluation.at, evaluation.value),
        known_from=track.known_from or at,
        known_step_seconds=track.known_step_seconds or rule.every_seconds,
        warnings=warnings,
    )


def _merged(rule: TriggerRule, track: Track, found: Sequence[Evaluation], half_step: float = 0.0) -> Track:
    """The evaluations put in among those that are kept; everything behind the first of them is folded anew."""
    own = track.evaluations
    settled = Standing() if half_step and _reaches_deeper(rule, track, found) else track.settled
    floor = settled.runs[-1].end if settled.runs else None
    fitting = [e for e in _not_the_same_again(own, found, half_step) if floor is None or e.at > floor]
    merged = sorted({e.at: e for e in (*own, *fitting)}.values(), key=lambda e: e.at)
    early = max(len(merged) - LATE_EVALUATIONS, 0)
    for evaluation in merged[:early]:
        settled = after(rule, settled, evaluation)
    standing = settled
    for evaluation in merged[early:]:
        standing = after(rule, standing, evaluation)
    curve = track.curve.with_these(rule, ((e.at, e.value) for e in fitting))
    return replace(track, evaluations=tuple(merged[early:]), settled=settled, standing=standing, curve=curve)


def _reaches_deeper(rule: TriggerRule, track: Track, found: Sequence[Evaluation]) -> bool:
    """Whether a past goes from before all that was known up to what is kept."""
    runs = track.settled.runs
    if not runs:
        return False
    joins = track.evaluations[0].at - timedelta(seconds=rule.longest_gap)
    return found[0].at < runs[0].start - timedelta(seconds=rule.every_seconds / 2) and found[-1].at >= joins


def _not_the_same_again(
    own: Sequence[Evaluation], found: Sequence[Evaluation], half_step: float
) -> Iterator[Evaluation]:
    """The found ones without those that fall beside one of our own, which would count one evaluation twice."""
    position = 0
    for evaluation in found:
        while position < len(own) and _seconds(own[position].at, evaluation.at) >= half_step:
            position += 1
        beside = position < len(own) and 0 < abs(_seconds(own[position].at, evaluation.at)) < half_step
        if not beside:
            yield evaluation


def _without_future(rule: TriggerRule, track: Track, future: datetime) -> Track:
    """The clock was put back and nobody could say by how much: what lies ahead can't have been seen."""
    if track.newest is None or track.newest.at <= future:
        return track
    lies_ahead = track.settled.runs and track.settled.runs[-1].end > future
    standing = settled = Standing() if lies_ahead else track.settled
    kept = tuple(e for e in track.evaluations if e.at <= future)
    for evaluation in kept:
        standing = after(rule, standing, evaluation)
    return replace(track, evaluations=kept, settled=settled, standing=standing)


# ---------------------------------------------------------------- one evaluation


def _evaluations(rule: TriggerRule, reading: AnyReading, step_seconds: float) -> Iterator[Evaluation]:
    samples = reading.samples
    if len(samples) > 1 and any(s.at is not samples[0].at for s in samples):
        ordered = sorted(samples, key=lambda s: s.at)
        groups: Iterable[tuple[datetime, list[AnySample]]] = (
            (at, list(group)) for at, group in groupby(ordered, key=lambda s: s.at)
        )
    else:
        groups = [(samples[0].at, list(samples))] if samples else []
    for at, group in groups:
        yield _evaluation(rule, at, group, step_seconds, reading.lacking)


def _evaluation(
    rule: TriggerRule, at: datetime, samples: Sequence[AnySample], step_seconds: float, lacking: str
) -> Evaluation:
    numbers = [s for s in samples if s.value == s.value]  # a NaN equals nothing
    between, blank = _NO_SERIES, _NO_SERIES
    if rule.clear is not None:
        between = frozenset(s.labels for s in numbers if not rule.crosses(s.value) and not rule.clears(s.value))
        blank = frozenset(s.labels for s in samples if s.value != s.value)
    if not numbers:
        return Evaluation(at, None, len(samples), len(samples), blank=blank, step_seconds=step_seconds, lacking=lacking)
    value = rule.worst([s.value for s in numbers])
    worst = ""
    if len(samples) > 1:
        labels = next(s.labels for s in numbers if s.value == value)
        worst = ", ".join(f"{name}={text}" for name, text in labels)
    crossed = _NO_SERIES
    if rule.crosses(value):
        crossed = frozenset(s.labels for s in numbers if rule.crosses(s.value))
    missing = len(samples) - len(numbers)
    return Evaluation(at, value, len(samples), missing, worst, crossed, between, blank, step_seconds)


def after(rule: TriggerRule, before: Standing, evaluation: Evaluation) -> Standing:
    """What it comes to with one evaluation more, later than all those before it."""
    last = before.runs[-1] if before.runs else None
    step = max(before.step_seconds, evaluation.step_seconds)
    unbroken = last is not None and _seconds(last.end, evaluation.at) <= LONGEST_GAP_STEPS * step
    breaking, held = _breaking(rule, before, evaluation)
    ordinal = before.ordinal + 1
    if unbroken and breaking == before.breaking:
        breaking, breaches, oldest = before.breaking, before.breaches, before.oldest
    else:
        began = Breach(evaluation.at, ordinal)
        known = before.breaches if unbroken else {}
        breaches = {labels: known.get(labels, began) for labels in breaking}
        oldest = min(breaches.values(), key=lambda b: b.ordinal, default=None)
    unseen = evaluation.value is None
    as_named = unseen or (breaking is before.breaking and last is not None and last.state != "missing")
    return Standing(
        runs=_continued(rule, before.runs, evaluation, oldest, ordinal, unbroken=unbroken),
        ordinal=ordinal,
        step_seconds=evaluation.step_seconds,
        breaking=breaking,
        breaches=breaches,
        oldest=oldest,
        held=held,
        number=before.number if unseen else evaluation.value,
        number_at=before.number_at if unseen else evaluation.at,
        named=before.named if as_named else tuple(nsmallest(MOST_LABELS, breaking)),
    )


def _breaking(
    rule: TriggerRule, before: Standing, evaluation: Evaluation
) -> tuple[frozenset[Labels], frozenset[Labels]]:
    """The series that break the rule; and, with hysteresis, those that hold on to it though they may be silent now."""
    if rule.clear is None:
        return evaluation.crossed, _NO_SERIES
    if evaluation.value is None:
        return _NO_SERIES, before.held
    breaking = evaluation.crossed | (evaluation.between & before.held)
    return breaking, breaking | (evaluation.blank & before.held)


def fires(rule: TriggerRule, breach: Breach, at: datetime, ordinal: int) -> bool:
    """Whether a breach that goes on at the evaluation `at`, the so-manieth, has held long enough."""
    return ordinal - breach.ordinal + 1 >= rule.consecutive and _seconds(breach.start, at) >= rule.for_seconds


def _continued(
    rule: TriggerRule,
    runs: tuple[Run, ...],
    evaluation: Evaluation,
    oldest: Breach | None,
    ordinal: int,
    *,
    unbroken: bool,
) -> tuple[Run, ...]:
    state: State = "missing" if evaluation.value is None else "crossed" if oldest else "clear"
    fired = oldest.start if oldest and fires(rule, oldest, evaluation.at, ordinal) else None
    last = runs[-1] if runs else None
    if last and unbroken and last.state == state:
        return (*runs[:-1], Run(state, last.start, evaluation.at, last.fired or fired))
    return (*runs[1 - RUNS_REMEMBERED :], Run(state, evaluation.at, evaluation.at, fired))


def fired_before(runs: Sequence[Run]) -> datetime | None:
    """Since when it fired the last time, unless something healthy was seen since."""
    for run in reversed(runs):
        if run.state == "clear":
            return None
        if run.fired:
            return run.fired
    return None


# ---------------------------------------------------------------- a clock that was set


def remembering(track: Track, earlier: Track) -> Track:
    """A track made anew, which still knows that it fired before: nothing but something healthy makes it forget."""
    fired = fired_before(earlier.standing.runs)
    if fired is None or any(run.state == "clear" for run in track.standing.runs):
        return track
    before = Run("crossed", fired, fired, fired)
    return replace(
        track,
        settled=replace(track.settled, runs=(before, *track.settled.runs)),
        standing=replace(track.standing, runs=(before, *track.standing.runs)),
    )


def shifted(track: Track, seconds: float) -> Track:
    """The same track as the clock tells it that was set forward by so many seconds, or back."""
    by = timedelta(seconds=seconds)
    return replace(
        track,
        evaluations=tuple(replace(e, at=e.at + by) for e in track.evaluations),
        settled=_shifted_standing(track.settled, by),
        standing=_shifted_standing(track.standing, by),
        curve=track.curve.shifted(seconds),
        known_from=track.known_from + by if track.known_from else None,
        failing_since=track.failing_since + by if track.failing_since else None,
    )


def _shifted_standing(standing: Standing, by: timedelta) -> Standing:
    moved = {id(b): Breach(b.start + by, b.ordinal) for b in standing.breaches.values()}
    return replace(
        standing,
        runs=tuple(Run(r.state, r.start + by, r.end + by, r.fired + by if r.fired else None) for r in standing.runs),
        breaches={labels: moved[id(b)] for labels, b in standing.breaches.items()},
        oldest=Breach(standing.oldest.start + by, standing.oldest.ordinal) if standing.oldest else None,
        number_at=standing.number_at + by if standing.number_at else None,
    )


def _seconds(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()
