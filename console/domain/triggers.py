"""Whether a rule is broken: the verdict that a reader may draw at any time from what the fold in `evaluations.py` knows.

The sampler calls `observe` with every answer and every failure of a metric source, and `verdict` whenever somebody looks. The
semantics are those of a Prometheus alerting rule (https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/),
held to the real one at every evaluation by tests/real/test_triggers_equal_prometheus.py:

- Each series counts by itself: one that is beyond the threshold has a breach of its own, and one evaluation at which it is not
  beyond, is NaN, or is not there ends that breach. The trigger stands as its oldest breach does; the worst series is shown.
- `for`: the breach goes on at every evaluation from its first one on, and that is so long ago, to the second itself.
- NaN is beyond nothing; the infinities compare like numbers. The threshold itself is not beyond.

Where it is more than such a rule, deliberately:

- Silence is never health: `ok` rests on a number that is fresh, from a source that answered when it was last asked. An empty
  answer, or NaN alone, is `no_data`, where a rule would be inactive; an old one is `stale`. A trigger that fired before the
  silence says so until something healthy is seen, also while it is only pending again.
- An evaluation that was left out is one that nobody saw: the breach begins anew, unless the past tells what was missed.
- `consecutive`: so many evaluations in a row, beside `for`. A past in coarse steps counts as few as it has.
- `clear`: once beyond the threshold, a series breaks the rule until it is seen at this value or better (a Schmitt trigger,
  before `for` and `consecutive`). While every series is silent none forgets that; a series that ends while others go on is over.
- A breach since before the migration is marked: it was there before what is rolled back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from console.domain.amounts import amount, clock_time, span, with_unit
from console.domain.curve import CURVE_POINTS
from console.domain.evaluations import (
    LATE_EVALUATIONS,
    AnyReading,
    AnySample,
    Evaluation,
    Failure,
    Labels,
    Past,
    Run,
    Standing,
    Track,
    fired_before,
    fires,
    observe,
    observe_past,
    remembering,
    shifted,
)
from console.domain.events import Verdict
from console.domain.rule import CURVE_SECONDS, LONGEST_GAP_STEPS, TriggerRule

__all__ = [
    "CURVE_POINTS",
    "CURVE_SECONDS",
    "LATE_EVALUATIONS",
    "LONGEST_GAP_STEPS",
    "AnyReading",
    "AnySample",
    "Evaluation",
    "Failure",
    "Labels",
    "Past",
    "Run",
    "Track",
    "TriggerReading",
    "TriggerRule",
    "amount",
    "clock_time",
    "observe",
    "observe_past",
    "remembering",
    "shifted",
    "span",
    "verdict",
]


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


# ---------------------------------------------------------------- the verdict


def verdict(rule: TriggerRule, track: Track, now: datetime) -> TriggerReading:
    """What may be said at `now`; staleness shows by time alone, without another sample."""
    newest, standing = track.newest, track.standing
    if newest is None:
        reason = f"no data yet; source failing: {track.failure}" if track.failure else "not asked yet"
        return TriggerReading("no_data", reason, since=track.failing_since, warnings=track.warnings)
    age = _seconds(newest.at, now)
    reading = TriggerReading(
        "no_data",
        "",
        value=newest.value,
        age_seconds=age,
        curve=track.curve.values,
        warnings=track.warnings,
        curve_seconds=track.curve.seconds,
        suggests=_suggested(rule, standing),
        in_a_row=standing.in_a_row,
        series=newest.series,
        crossing=len(standing.breaking),
    )
    if newest.value is None:
        reason = _joined(_nothing(newest), _last_seen(rule, standing, now), _failing(track))
        seen = _seconds(standing.number_at, now) if standing.number_at else None
        return _silent(
            rule, track, now, replace(reading, age_seconds=seen, since=standing.runs[-1].start, reason=reason)
        )
    if age > rule.no_data_after:
        gone = newest.at + timedelta(seconds=rule.no_data_after)
        reason = _joined(f"no sample for {span(age)}", _failing(track))
        return _silent(rule, track, now, replace(reading, since=gone, value=None, reason=reason))
    if track.failure or abs(age) > rule.stale_after:
        since, reason = _stale_since(rule, track, newest.at, age), _stale_reason(rule, track, newest.value, age, now)
        return _silent(rule, track, now, replace(reading, verdict="stale", since=since, reason=reason))
    return _judged(rule, track, reading, newest, newest.value, now)


def _suggested(rule: TriggerRule, standing: Standing) -> tuple[str, ...]:
    """What the series that cross point to by their labels; where they don't, what the rule points to as a whole."""
    if not rule.suggests_by:
        return rule.suggests
    named = dict.fromkeys(
        component
        for labels in standing.named
        for name, text in labels
        for component in rule.suggests_by.get(name, {}).get(text, ())
    )
    return tuple(named) or rule.suggests


def _judged(
    rule: TriggerRule, track: Track, reading: TriggerReading, newest: Evaluation, value: float, now: datetime
) -> TriggerReading:
    """The verdict on a fresh number."""
    standing = track.standing
    comparison, series = _comparison(rule, value), _series(newest, len(standing.breaking))
    oldest = standing.oldest
    if oldest is None:
        since, open_ended = standing.runs[-1].start, _is_open_ended(rule, track, standing.runs[-1].start)
        return replace(reading, verdict="ok", since=since, open_ended=open_ended, reason=_joined(comparison, series))
    comparison = comparison if rule.crosses(value) else f"{comparison}, {_not_clear(rule)}"
    reading = replace(
        reading,
        since=oldest.start,
        held_seconds=_seconds(oldest.start, newest.at),
        open_ended=_is_open_ended(rule, track, oldest.start),
        before_migration=_broken_before_migration(rule, standing),
    )
    migration = _since_before_migration(rule, now) if reading.before_migration else ""
    if fires(rule, oldest, newest.at, standing.ordinal):
        reason = _joined(comparison + _held(rule, reading), migration, series)
        return replace(reading, verdict="firing", reason=reason)
    reason = _joined(comparison + _of_what_is_needed(rule, reading), migration, series)
    reading = replace(reading, verdict="pending", reason=reason)
    return _remember_firing(rule, reading, fired_before(standing.runs[:-1]), now, "the data broke off")


def _silent(rule: TriggerRule, track: Track, now: datetime, reading: TriggerReading) -> TriggerReading:
    return _remember_firing(rule, reading, fired_before(track.standing.runs), now, "the source fell silent")


def _remember_firing(
    rule: TriggerRule, reading: TriggerReading, fired: datetime | None, now: datetime, end: str
) -> TriggerReading:
    """A firing trigger is never cleared by silence: whoever reads the verdict reads what it was before."""
    if fired is None:
        return reading
    reason = f"{reading.reason}; was FIRING since {clock_time(fired, now)} until {end}"
    before = reading.before_migration or (rule.migrated_at is not None and fired < rule.migrated_at)
    return replace(reading, reason=reason, was_firing_since=fired, before_migration=before)


def _broken_before_migration(rule: TriggerRule, standing: Standing) -> bool:
    """Whether the breach goes on since before the migration, as far as anybody saw: silence in between ends nothing."""
    if rule.migrated_at is None or standing.oldest is None:
        return False
    if standing.oldest.start < rule.migrated_at:
        return True
    earlier = standing.runs[:-1]
    if standing.oldest.start > standing.runs[-1].start:
        return False  # other series broke before it; this one did not
    for run in reversed(earlier):
        if run.state == "clear":
            return False
        if run.state == "crossed" and run.start < rule.migrated_at:
            return True
    return False


def _is_open_ended(rule: TriggerRule, track: Track, since: datetime) -> bool:
    runs = track.standing.runs
    if track.known_from is None or len(runs) > 1 or since != runs[0].start:
        return False
    gap = max(rule.longest_gap, LONGEST_GAP_STEPS * track.known_step_seconds)
    return _seconds(track.known_from, since) <= gap


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
        return _joined(_failing(track), _last_seen(rule, track.standing, now))
    return f"{last} is {span(age)} old, stale after {span(rule.stale_after)}"


def _last_seen(rule: TriggerRule, standing: Standing, now: datetime) -> str:
    if standing.number is None or standing.number_at is None:
        return ""
    return f"last value {amount(standing.number, rule.unit)}, {span(max(_seconds(standing.number_at, now), 0.0))} ago"


def _failing(track: Track) -> str:
    return f"source failing: {track.failure}" if track.failure else ""


def _nothing(newest: Evaluation) -> str:
    if newest.lacking:
        return newest.lacking
    if not newest.series:
        return "the query finds nothing"
    return f"no number: {'the only series is' if newest.series == 1 else f'all {newest.series} series are'} NaN"


def _comparison(rule: TriggerRule, value: float) -> str:
    crossed, held = (">", "≤") if rule.above else ("<", "≥")
    sign = crossed if rule.crosses(value) else held
    left, right = amount(value, rule.unit), amount(rule.threshold, rule.unit)
    if left == right and value != rule.threshold:  # 30.0004 is not "30 > 30"
        left = with_unit(f"{value:.12g}", rule.unit)
    return f"{left} {sign} {right}"


def _not_clear(rule: TriggerRule) -> str:
    clear = rule.threshold if rule.clear is None else rule.clear
    return f"but not back {'down' if rule.above else 'up'} to {amount(clear, rule.unit)} since it crossed"


def _held(rule: TriggerRule, reading: TriggerReading) -> str:
    longer = " or longer" if reading.open_ended else ""
    held = f" for {span(reading.held_seconds)}{longer}, at every evaluation" if reading.held_seconds else ""
    return f"{held}, {reading.in_a_row} in a row" if rule.consecutive > 1 else held


def _of_what_is_needed(rule: TriggerRule, reading: TriggerReading) -> str:
    parts = []
    if rule.for_seconds:
        parts.append(f"for {span(reading.held_seconds)} of {span(rule.for_seconds)}")
    if rule.consecutive > 1:
        parts.append(f"{reading.in_a_row} of {rule.consecutive} evaluations in a row")
    return f" {', '.join(parts)}"


def _since_before_migration(rule: TriggerRule, now: datetime) -> str:
    return f"since before the migration ({clock_time(rule.migrated_at, now)})" if rule.migrated_at else ""


def _series(newest: Evaluation, crossing: int) -> str:
    if newest.series == 1:
        return ""
    counted = f"{crossing} of {newest.series} series" if crossing else f"{newest.series} series"
    worst = f", worst {newest.worst}" if newest.worst else ""
    nan = f", {newest.not_a_number} NaN" if newest.not_a_number else ""
    return counted + worst + nan


def _joined(*parts: str) -> str:
    return "; ".join(part for part in parts if part)


def _seconds(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()
