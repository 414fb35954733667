"""Whether a rule is broken: the fold over a trigger's evaluations, and the verdict that a reader may draw from it at any time.

The sampler calls `observe` with every answer and every failure of a metric source, and `verdict` whenever somebody looks.
An *evaluation* is what the query gave at one instant: the worst of its series, or nothing. Evaluations of one state in a row
make a *run*. The semantics are those of a Prometheus alerting rule (https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/):
`for` means crossed at every evaluation, and one that is not crossed, empty or left out starts it anew. Unlike Prometheus,
the series of a query count together: they may take turns at being the worst.

Silence is never health: `ok` rests on a number that is fresh, from a source that answered when it was last asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final, Literal, Protocol, TypeAlias

from console.domain.events import Verdict

CURVE_SECONDS: Final = 1800.0
"""How much of the past is kept for the eye."""
CURVE_POINTS: Final = 120
STALE_AFTER_EVALUATIONS: Final = 3
SHORTEST_STALE_AFTER_SECONDS: Final = 30.0
NO_DATA_AFTER_SECONDS: Final = 300.0
"""Prometheus itself forgets a sample after this long: its default look-back."""
RUNS_REMEMBERED: Final = 8
"""How many runs older than the window are kept: enough to know since when a trigger fires, or fired before the silence."""

State = Literal["crossed", "clear", "missing"]
Labels: TypeAlias = tuple[tuple[str, str], ...]
MOST_LABELS: Final = 20
"""How many series that break a rule are kept by name: what they suggest is asked, and nobody reads more."""


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """What a trigger asks of its samples. `above`: fires above the threshold; otherwise below it. All durations in seconds."""

    id: str
    title: str
    threshold: float
    above: bool = True
    unit: str = ""
    for_seconds: float = 0.0
    every_seconds: float = 15.0
    stale_after_seconds: float | None = None  # None: three evaluations, at least 30 s
    no_data_after_seconds: float | None = None  # None: 5 min, and never sooner than stale
    suggests: tuple[str, ...] = ()
    suggests_by: Mapping[str, Mapping[str, tuple[str, ...]]] = field(
        default_factory=dict
    )  # label, its value, components
    consecutive: int = 1  # how many evaluations in a row must cross the threshold
    clear: float | None = (
        None  # hysteresis: a crossed trigger is clear again only beyond this value; None: the threshold
    )
    migrated_at: datetime | None = None  # what is broken since before this moment was broken already

    @property
    def stale_after(self) -> float:
        """The age in seconds from which the newest sample says nothing about now."""
        if self.stale_after_seconds is not None:
            return self.stale_after_seconds
        return max(STALE_AFTER_EVALUATIONS * self.every_seconds, SHORTEST_STALE_AFTER_SECONDS)

    @property
    def no_data_after(self) -> float:
        """The age in seconds from which there is no newest sample any more."""
        if self.no_data_after_seconds is not None:
            return self.no_data_after_seconds
        return max(NO_DATA_AFTER_SECONDS, self.stale_after)

    @property
    def longest_gap(self) -> float:
        """Two evaluations further apart than this many seconds have one missing between them."""
        return 1.5 * self.every_seconds

    @property
    def window_seconds(self) -> float:
        """How much of the past is needed for a verdict that is right at once, and for the curve."""
        return max(self.for_seconds, CURVE_SECONDS) + 2 * self.every_seconds

    def crosses(self, value: float, before: State | None) -> bool:
        """Whether the value breaks the rule. `before` is the state of the evaluation before it: where hysteresis would go."""
        del before
        return value > self.threshold if self.above else value < self.threshold

    def worst(self, values: Iterable[float]) -> float:
        return max(values) if self.above else min(values)


class AnySample(Protocol):
    """The shape of a metric source's sample. The samples of one evaluation carry the same `at`, one for each series."""

    @property
    def at(self) -> datetime: ...
    @property
    def value(self) -> float: ...
    @property
    def labels(self) -> tuple[tuple[str, str], ...]: ...


class AnyReading(Protocol):
    """The shape of a metric source's answer."""

    @property
    def samples(self) -> Sequence[AnySample]: ...
    @property
    def warnings(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Failure:
    """The source could not answer, in one clean line."""

    reason: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the query gave at one instant. `value` is the worst number among its series, None when there was no number."""

    at: datetime
    value: float | None = None
    series: int = 0
    crossing: int = 0  # how many series break the rule
    not_a_number: int = 0  # how many series are NaN: neither healthy nor crossing
    worst: str = ""  # the labels of the worst series, when there are several
    crossing_labels: tuple[Labels, ...] = ()  # of the series that break the rule, at most MOST_LABELS of them


@dataclass(frozen=True, slots=True)
class Run:
    """Evaluations of one state in a row, none missing between them."""

    state: State
    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Track:
    """Everything that is known of one trigger. Made by `observe` alone; a new one is empty."""

    evaluations: tuple[Evaluation, ...] = ()  # of the window, oldest first
    settled: tuple[Run, ...] = ()  # what the evaluations before the window came to
    runs: tuple[Run, ...] = ()  # the settled ones continued by the window's
    curve: tuple[float, ...] = ()
    known_from: datetime | None = None  # the earliest moment that the source was asked about
    failure: str = ""
    failing_since: datetime | None = None
    warnings: tuple[str, ...] = ()

    @property
    def newest(self) -> Evaluation | None:
        return self.evaluations[-1] if self.evaluations else None


@dataclass(frozen=True, slots=True)
class TriggerReading:
    """A verdict as it stands at one moment, with all that explains it. Times are UTC."""

    verdict: Verdict
    reason: str
    value: float | None = None  # the worst series; the last known one while stale; None without data
    since: datetime | None = None  # when this verdict began
    held_seconds: float = 0.0  # crossed without a break, as of the newest evaluation
    age_seconds: float | None = None  # of the newest value; None when there is none
    curve: tuple[float, ...] = ()  # recent values, oldest first, at most CURVE_POINTS, all finite
    warnings: tuple[str, ...] = ()
    was_firing_since: datetime | None = None  # it fired before the data broke off, and nothing healthy came since
    before_migration: bool = False  # it has been crossed since before the migration
    curve_seconds: float = 0.0  # how much time the curve covers
    suggests: tuple[str, ...] = ()  # components, by the series that cross where the rule tells them apart
    open_ended: bool = False  # `since` is only the earliest moment that the source was asked about
    in_a_row: int = 0  # evaluations in a row that crossed the threshold, up to the newest
    series: int = 0  # how many the query gave at the newest evaluation
    crossing: int = 0  # how many of them break the rule


# ---------------------------------------------------------------- the fold


def observe(
    rule: TriggerRule, track: Track, outcome: AnyReading | Failure, at: datetime, covers_seconds: float = 0.0
) -> Track:
    """The track after the source's answer or failure, received at `at`.

    `covers_seconds` tells a reading of the past, which speaks for so many seconds before `at`, from one of the present, which
    says by its emptiness that there is nothing now. Samples may come late and in any order; those from before the window, or
    from the future by more than `stale_after`, are dropped. A second answer for the same instant replaces the first.
    """
    if isinstance(outcome, Failure):
        return replace(track, failure=outcome.reason, failing_since=track.failing_since or at)
    found = _evaluations(rule, outcome.samples)
    if not found and not covers_seconds:
        found = [Evaluation(at)]
    future = at + timedelta(seconds=rule.stale_after)
    settled = () if track.settled and track.settled[-1].end > future else track.settled
    merged = {
        e.at: e for e in (*track.evaluations, *found) if e.at <= future and (not settled or e.at > settled[-1].end)
    }
    settled, kept = _settle(rule, settled, sorted(merged.values(), key=lambda e: e.at))
    asked_from = at - timedelta(seconds=covers_seconds)
    return Track(
        evaluations=kept,
        settled=settled,
        runs=_continue(rule, settled, kept),
        curve=_curve(rule, kept),
        known_from=min(asked_from, track.known_from or asked_from),
        warnings=outcome.warnings,
    )


def _evaluations(rule: TriggerRule, samples: Sequence[AnySample]) -> list[Evaluation]:
    ordered = sorted(samples, key=lambda s: s.at)
    return [_evaluation(rule, at, list(group)) for at, group in groupby(ordered, key=lambda s: s.at)]


def _evaluation(rule: TriggerRule, at: datetime, samples: Sequence[AnySample]) -> Evaluation:
    numbers = [s for s in samples if not math.isnan(s.value)]
    count, not_a_number = len(samples), len(samples) - len(numbers)
    if not numbers:
        return Evaluation(at, None, count, 0, not_a_number)
    value = rule.worst(s.value for s in numbers)
    crossing = [s.labels for s in numbers if rule.crosses(s.value, None)]
    labels = next(s.labels for s in numbers if s.value == value) if count > 1 else ()
    worst = ", ".join(f"{name}={text}" for name, text in labels)
    return Evaluation(at, value, count, len(crossing), not_a_number, worst, tuple(crossing[:MOST_LABELS]))


def _settle(
    rule: TriggerRule, settled: tuple[Run, ...], evaluations: Sequence[Evaluation]
) -> tuple[tuple[Run, ...], tuple[Evaluation, ...]]:
    """Evaluations from before the window become runs, so that a breach of days takes no more room than one of minutes."""
    if not evaluations:
        return settled, ()
    edge = evaluations[-1].at - timedelta(seconds=rule.window_seconds + 2 * rule.every_seconds)
    old = [e for e in evaluations if e.at < edge]
    return _continue(rule, settled, old)[-RUNS_REMEMBERED:], tuple(evaluations[len(old) :])


def _continue(rule: TriggerRule, runs: tuple[Run, ...], evaluations: Iterable[Evaluation]) -> tuple[Run, ...]:
    continued = list(runs)
    for evaluation in evaluations:
        last = continued[-1] if continued else None
        state = _state(rule, evaluation, last.state if last else None)
        if last and last.state == state and _seconds(last.end, evaluation.at) <= rule.longest_gap:
            continued[-1] = Run(state, last.start, evaluation.at)
        else:
            continued.append(Run(state, evaluation.at, evaluation.at))
    return tuple(continued)


def _state(rule: TriggerRule, evaluation: Evaluation, before: State | None) -> State:
    if evaluation.value is None:
        return "missing"
    return "crossed" if rule.crosses(evaluation.value, before) else "clear"


def _curve(rule: TriggerRule, evaluations: Sequence[Evaluation]) -> tuple[float, ...]:
    """The last values, thinned to the worst of each stretch so that no peak is lost."""
    if not evaluations:
        return ()
    oldest = evaluations[-1].at - timedelta(seconds=CURVE_SECONDS)
    values = [e.value for e in evaluations if e.value is not None and e.at >= oldest and math.isfinite(e.value)]
    stretch = math.ceil(len(values) / CURVE_POINTS) or 1
    return tuple(rule.worst(values[i : i + stretch]) for i in range(0, len(values), stretch))


def _seconds(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()


# ---------------------------------------------------------------- the verdict


def verdict(rule: TriggerRule, track: Track, now: datetime) -> TriggerReading:
    """What may be said at `now`; staleness shows by time alone, without another sample."""
    newest = track.newest
    if newest is None:
        reason = f"no data yet; source failing: {track.failure}" if track.failure else "not asked yet"
        return TriggerReading("no_data", reason, since=track.failing_since, warnings=track.warnings)
    age = _seconds(newest.at, now)
    reading = TriggerReading(
        "no_data",
        "",
        value=newest.value,
        age_seconds=age,
        curve=track.curve,
        warnings=track.warnings,
        suggests=_suggested(rule, track),
        series=newest.series,
        crossing=newest.crossing,
    )
    if newest.value is None:
        last = next((e for e in reversed(track.evaluations) if e.value is not None), None)
        reason = _joined(_nothing(newest), _last_seen(rule, last, now), _failing(track))
        reading = replace(reading, age_seconds=_seconds(last.at, now) if last else None)
        return _silent(rule, track, now, replace(reading, since=track.runs[-1].start, reason=reason))
    if age > rule.no_data_after:
        gone = newest.at + timedelta(seconds=rule.no_data_after)
        reason = _joined(f"no sample for {span(age)}", _failing(track))
        return _silent(rule, track, now, replace(reading, since=gone, value=None, reason=reason))
    if track.failure or abs(age) > rule.stale_after:
        since, reason = _stale_since(rule, track, newest.at, age), _stale_reason(rule, track, newest.value, age, now)
        return _silent(rule, track, now, replace(reading, verdict="stale", since=since, reason=reason))
    return _judged(rule, track, reading, _comparison(rule, newest.value), _series(newest), now)


def _suggested(rule: TriggerRule, track: Track) -> tuple[str, ...]:
    """What the series that cross point to by their labels; where they don't, what the rule points to as a whole."""
    seen = next((e for e in reversed(track.evaluations) if e.value is not None), None)
    named = dict.fromkeys(
        component
        for labels in (seen.crossing_labels if seen else ())
        for name, text in labels
        for component in rule.suggests_by.get(name, {}).get(text, ())
    )
    return tuple(named) or rule.suggests


def _judged(
    rule: TriggerRule, track: Track, reading: TriggerReading, comparison: str, series: str, now: datetime
) -> TriggerReading:
    """The verdict on a fresh number."""
    run = track.runs[-1]
    reading = replace(reading, since=run.start, open_ended=_is_open_ended(rule, track))
    if run.state == "clear":
        return replace(reading, verdict="ok", reason=_joined(comparison, series))
    reading = replace(reading, held_seconds=run.seconds)
    if _fired(rule, run):
        longer = " or longer" if reading.open_ended else ""
        held = f" for {span(run.seconds)}{longer}, at every evaluation" if run.seconds else ""
        return replace(reading, verdict="firing", reason=_joined(comparison + held, series))
    held = f" for {span(run.seconds)} of {span(rule.for_seconds)}"
    reading = replace(reading, verdict="pending", reason=_joined(comparison + held, series))
    return _remember_firing(reading, _fired_before(rule, track.runs[:-1]), now, "the data broke off")


def _silent(rule: TriggerRule, track: Track, now: datetime, reading: TriggerReading) -> TriggerReading:
    return _remember_firing(reading, _fired_before(rule, track.runs), now, "the source fell silent")


def _remember_firing(reading: TriggerReading, fired: Run | None, now: datetime, end: str) -> TriggerReading:
    """A firing trigger is never cleared by silence: whoever reads the verdict reads what it was before."""
    if fired is None:
        return reading
    reason = f"{reading.reason}; was FIRING since {clock_time(fired.start, now)} until {end}"
    return replace(reading, reason=reason, was_firing_since=fired.start)


def _fired(rule: TriggerRule, run: Run) -> bool:
    return run.state == "crossed" and run.seconds >= rule.for_seconds


def _fired_before(rule: TriggerRule, runs: Sequence[Run]) -> Run | None:
    """The last run that fired, unless something healthy was seen since."""
    for run in reversed(runs):
        if run.state == "clear":
            return None
        if _fired(rule, run):
            return run
    return None


def _is_open_ended(rule: TriggerRule, track: Track) -> bool:
    first = track.runs[0]
    if track.known_from is None or len(track.runs) > 1:
        return False
    return _seconds(track.known_from, first.start) <= rule.longest_gap


def _stale_since(rule: TriggerRule, track: Track, newest: datetime, age: float) -> datetime | None:
    if age < -rule.stale_after:
        return track.failing_since  # the clock was put back: nobody can say
    old = newest + timedelta(seconds=rule.stale_after)
    return min(track.failing_since, old) if track.failing_since else old


# ---------------------------------------------------------------- in words


def _stale_reason(rule: TriggerRule, track: Track, value: float, age: float, now: datetime) -> str:
    last = f"last value {amount(value, rule.unit)}"
    if age < -rule.stale_after:
        return _joined(_failing(track), f"{last} is {span(-age)} ahead of this machine's clock")
    if track.failure:
        return _joined(_failing(track), _last_seen(rule, track.newest, now))
    return f"{last} is {span(age)} old, stale after {span(rule.stale_after)}"


def _last_seen(rule: TriggerRule, last: Evaluation | None, now: datetime) -> str:
    if last is None or last.value is None:
        return ""
    return f"last value {amount(last.value, rule.unit)}, {span(max(_seconds(last.at, now), 0.0))} ago"


def _failing(track: Track) -> str:
    return f"source failing: {track.failure}" if track.failure else ""


def _nothing(newest: Evaluation) -> str:
    if not newest.series:
        return "the query finds nothing"
    return f"no number: {'the only series is' if newest.series == 1 else f'all {newest.series} series are'} NaN"


def _comparison(rule: TriggerRule, value: float) -> str:
    crossed, held = (">", "≤") if rule.above else ("<", "≥")
    sign = crossed if rule.crosses(value, None) else held
    left, right = amount(value, rule.unit), amount(rule.threshold, rule.unit)
    if left == right and value != rule.threshold:  # 30.0004 is not "30 > 30"
        left = _with_unit(f"{value:.12g}", rule.unit)
    return f"{left} {sign} {right}"


def _series(newest: Evaluation) -> str:
    if newest.series == 1:
        return ""
    counted = f"{newest.crossing} of {newest.series} series" if newest.crossing else f"{newest.series} series"
    worst = f", worst {newest.worst}" if newest.worst else ""
    nan = f", {newest.not_a_number} NaN" if newest.not_a_number else ""
    return counted + worst + nan


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def amount(value: float, unit: str) -> str:
    """A measured value for people: four significant digits, whole numbers whole, the unit behind."""
    if not math.isfinite(value):
        return _with_unit({math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN"), unit)
    size = abs(value)
    if size and not 1e-4 <= size < 1e15:  # beyond these nobody counts digits
        return _with_unit(f"{value:.4g}", unit)
    digits = max(0, 3 - math.floor(math.log10(size))) if size else 0
    text = f"{value:.{digits}f}"
    return _with_unit(text.rstrip("0").rstrip(".") if "." in text else text, unit)


def _with_unit(number: str, unit: str) -> str:
    return f"{number} {unit}" if unit else number


def span(seconds: float) -> str:
    """A duration for people, its two largest units: "7 m 12 s", "2 h 5 m", "1.5 s", "400 ms"."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10 and seconds != int(seconds):  # below ten seconds a tenth matters
        return f"{seconds:.1f} s"
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def clock_time(at: datetime, now: datetime) -> str:
    """The time of day, with its date when that is not today's."""
    return f"{at:%H:%M:%S} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"
