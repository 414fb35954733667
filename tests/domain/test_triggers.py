"""What a trigger's verdict rests on: the fold over evaluations, and the reading of it at any moment."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.triggers import (
    CURVE_POINTS,
    CURVE_SECONDS,
    AnyReading,
    Failure,
    Past,
    Track,
    TriggerReading,
    TriggerRule,
    amount,
    observe,
    observe_past,
    remembering,
    shifted,
    span,
    verdict,
)

START = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
EVERY = 15.0
NAN = math.nan
LATENCY = TriggerRule("p95", "Response time", threshold=30, unit="s", for_seconds=60, every_seconds=EVERY)
AT_ONCE = replace(LATENCY, for_seconds=0)
SILENCE = Failure("connection refused")


@dataclass(frozen=True)
class Point:
    at: datetime
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Answer:
    samples: tuple[Point, ...] = ()
    warnings: tuple[str, ...] = ()
    lacking: str = ""


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def answer(seconds: float, *values: float) -> Answer:
    """One evaluation: a value for each series."""
    return Answer(tuple(Point(at(seconds), value, (("pod", f"p{i}"),)) for i, value in enumerate(values)))


def past(values: dict[float, float]) -> Answer:
    return Answer(tuple(Point(at(seconds), value) for seconds, value in values.items()))


def fold(rule: TriggerRule, *outcomes: tuple[float, AnyReading | Failure]) -> Track:
    return reduce(lambda track, one: observe(rule, track, one[1], at(one[0])), outcomes, Track())


def every_fifteen(rule: TriggerRule, *values: float | None) -> Track:
    """Live evaluations from the start on; None is an answer without a series."""
    outcomes = [(i * EVERY, answer(i * EVERY) if v is None else answer(i * EVERY, v)) for i, v in enumerate(values)]
    return fold(rule, *outcomes)


# ---------------------------------------------------------------- the five verdicts


def test_a_fresh_value_within_the_threshold_is_ok() -> None:
    reading = verdict(LATENCY, every_fifteen(LATENCY, 12.5), at(3))
    assert (reading.verdict, reading.value, reading.age_seconds) == ("ok", 12.5, 3)
    assert reading.reason == "12.5 s ≤ 30 s"


def test_the_threshold_itself_is_not_crossed() -> None:
    assert verdict(AT_ONCE, every_fifteen(AT_ONCE, 30), at(0)).verdict == "ok"
    below = replace(AT_ONCE, above=False)
    assert verdict(below, every_fifteen(below, 30), at(0)).verdict == "ok"
    assert verdict(below, every_fifteen(below, 29), at(0)).reason == "29 s < 30 s"


def test_crossed_for_less_than_its_time_is_pending() -> None:
    reading = verdict(LATENCY, every_fifteen(LATENCY, 10, 34.2, 34.2), at(30))
    assert (reading.verdict, reading.since, reading.held_seconds) == ("pending", at(15), 15)
    assert reading.reason == "34.2 s > 30 s for 15 s of 1 m"


def test_crossed_at_every_evaluation_for_its_time_is_firing() -> None:
    reading = verdict(LATENCY, every_fifteen(LATENCY, 10, 31, 32, 33, 34, 34.2), at(75))
    assert (reading.verdict, reading.since, reading.held_seconds) == ("firing", at(15), 60)
    assert reading.reason == "34.2 s > 30 s for 1 m, at every evaluation"


def test_time_alone_does_not_make_a_pending_trigger_fire() -> None:
    track = every_fifteen(LATENCY, 31, 31, 31, 31)
    assert verdict(LATENCY, track, at(45 + 29)).verdict == "pending"


def test_without_a_for_the_first_crossing_fires() -> None:
    assert verdict(AT_ONCE, every_fifteen(AT_ONCE, 31), at(0)).verdict == "firing"


@pytest.mark.parametrize("interruption", [29.0, None, NAN])
def test_one_evaluation_that_is_not_crossed_starts_the_time_anew(interruption: float | None) -> None:
    track = every_fifteen(LATENCY, 31, 31, 31, interruption, 31, 31)
    reading = verdict(LATENCY, track, at(75))
    assert (reading.verdict, reading.since, reading.held_seconds) == ("pending", at(60), 15)


def test_an_evaluation_that_was_left_out_starts_the_time_anew() -> None:
    track = fold(LATENCY, *((t, answer(t, 31)) for t in (0, 15, 30, 60, 75)))
    assert verdict(LATENCY, track, at(75)).since == at(60)


def test_nothing_is_known_before_the_first_answer() -> None:
    assert verdict(LATENCY, Track(), START) == TriggerReading("no_data", "not asked yet")
    failed = verdict(LATENCY, fold(LATENCY, (0, SILENCE)), at(1))
    assert (failed.verdict, failed.reason) == ("no_data", "no data yet; source failing: connection refused")


def test_an_answer_without_series_is_no_data() -> None:
    reading = verdict(LATENCY, every_fifteen(LATENCY, 12, None), at(15))
    assert (reading.verdict, reading.value) == ("no_data", None)
    assert reading.reason == "the query finds nothing; last value 12 s, 15 s ago"


def test_an_age_is_that_of_a_value_and_never_of_an_empty_answer() -> None:
    before = verdict(LATENCY, every_fifteen(LATENCY, None, None), at(16))
    assert (before.age_seconds, before.reason) == (None, "the query finds nothing")
    after = verdict(LATENCY, every_fifteen(LATENCY, 12, None, None, None, None), at(61))
    assert (after.age_seconds, after.reason) == (61, "the query finds nothing; last value 12 s, 1 m 1 s ago")


def test_what_is_not_a_number_is_neither_healthy_nor_crossed() -> None:
    lonely = verdict(LATENCY, fold(LATENCY, (0, answer(0, NAN))), at(0))
    assert (lonely.verdict, lonely.reason) == ("no_data", "no number: the only series is NaN")
    all_of_them = verdict(LATENCY, fold(LATENCY, (0, answer(0, NAN, NAN))), at(0))
    assert (all_of_them.verdict, all_of_them.reason) == ("no_data", "no number: all 2 series are NaN")
    beside_others = verdict(LATENCY, fold(LATENCY, (0, answer(0, NAN, 12))), at(0))
    assert (beside_others.verdict, beside_others.value) == ("ok", 12)
    assert beside_others.reason == "12 s ≤ 30 s; 2 series, worst pod=p1, 1 NaN"


def test_infinity_compares_like_any_number() -> None:
    up = verdict(AT_ONCE, fold(AT_ONCE, (0, answer(0, math.inf))), at(0))
    assert (up.verdict, up.reason, up.curve) == ("firing", "∞ s > 30 s", ())
    assert verdict(AT_ONCE, fold(AT_ONCE, (0, answer(0, -math.inf))), at(0)).verdict == "ok"


def test_the_worst_of_several_series_counts_and_is_named() -> None:
    reading = verdict(AT_ONCE, fold(AT_ONCE, (0, answer(0, 12, 41, 35))), at(0))
    assert reading.reason == "41 s > 30 s; 2 of 3 series, worst pod=p1"
    below = replace(AT_ONCE, above=False)
    assert verdict(below, fold(below, (0, answer(0, 12, 41, 35))), at(0)).value == 12


# ---------------------------------------------------------------- silence


def test_a_failing_source_never_reads_ok() -> None:
    track = fold(LATENCY, (0, answer(0, 12)), (15, SILENCE))
    reading = verdict(LATENCY, track, at(15))
    assert (reading.verdict, reading.since, reading.value) == ("stale", at(15), 12)
    assert reading.reason == "source failing: connection refused; last value 12 s, 15 s ago"


def test_an_old_sample_is_stale_without_any_failure() -> None:
    track = every_fifteen(LATENCY, 12)
    assert verdict(LATENCY, track, at(45)).verdict == "ok"
    reading = verdict(LATENCY, track, at(46))
    assert (reading.verdict, reading.since) == ("stale", at(45))
    assert reading.reason == "last value 12 s is 46 s old, stale after 45 s"


def test_a_very_old_sample_is_no_data() -> None:
    reading = verdict(LATENCY, every_fifteen(LATENCY, 12), at(301))
    assert (reading.verdict, reading.since, reading.value) == ("no_data", at(300), None)
    assert reading.reason == "no sample for 5 m 1 s"


def test_stale_begins_with_the_first_failure() -> None:
    track = fold(LATENCY, (0, answer(0, 12)), (15, SILENCE), (30, Failure("no answer within 5 s")))
    reading = verdict(LATENCY, track, at(50))
    assert reading.since == at(15)
    assert "no answer within 5 s" in reading.reason


@pytest.mark.parametrize("later", [76, 120, 400])
def test_a_firing_trigger_is_never_cleared_by_silence(later: float) -> None:
    track = observe(LATENCY, every_fifteen(LATENCY, 31, 31, 31, 31, 31), SILENCE, at(75))
    reading = verdict(LATENCY, track, at(later))
    assert reading.verdict == ("stale" if later < 360 else "no_data")
    assert reading.was_firing_since == at(0)
    assert reading.reason.endswith("; was FIRING since 14:00:00 UTC until the source fell silent")


def test_an_empty_answer_does_not_clear_a_firing_trigger_either() -> None:
    reading = verdict(AT_ONCE, every_fifteen(AT_ONCE, 31, None, None), at(30))
    assert (reading.verdict, reading.since, reading.was_firing_since) == ("no_data", at(15), at(0))


def test_a_healthy_sample_does() -> None:
    reading = verdict(AT_ONCE, every_fifteen(AT_ONCE, 31, None, 12), at(30))
    assert (reading.verdict, reading.was_firing_since) == ("ok", None)


def test_a_breach_that_had_ended_is_not_brought_up_by_a_later_silence() -> None:
    for reading in (
        verdict(AT_ONCE, every_fifteen(AT_ONCE, 31, 12, None), at(30)),
        verdict(AT_ONCE, observe(AT_ONCE, every_fifteen(AT_ONCE, 31, 12), SILENCE, at(30)), at(30)),
        verdict(LATENCY, every_fifteen(LATENCY, 31, 31, 31, 31, 31, 12, 31), at(90)),
    ):
        assert reading.was_firing_since is None
        assert "FIRING" not in reading.reason


def test_that_it_fired_is_still_known_when_the_breach_goes_on_after_the_silence() -> None:
    track = fold(LATENCY, *((t, answer(t, 31)) for t in (0, 15, 30, 45, 60, 600)))
    reading = verdict(LATENCY, track, at(600))
    assert (reading.verdict, reading.since, reading.was_firing_since) == ("pending", at(600), at(0))
    assert reading.reason.endswith("was FIRING since 14:00:00 UTC until the data broke off")


def test_firing_is_remembered_through_a_silence_longer_than_the_window() -> None:
    empty = [(t, answer(t)) for t in (float(t) for t in range(75, 7200, 15))]
    track = fold(LATENCY, *((t, answer(t, 31)) for t in (0, 15, 30, 45, 60)), *empty)
    assert verdict(LATENCY, track, at(7190)).was_firing_since == at(0)


def test_the_date_is_named_when_it_is_not_todays() -> None:
    track = every_fifteen(AT_ONCE, 31)
    assert "since 2026-03-01 14:00:00 UTC" in verdict(AT_ONCE, track, at(86_400)).reason


def test_an_answer_ends_the_failure() -> None:
    track = fold(LATENCY, (0, SILENCE), (15, answer(15, 12)))
    assert verdict(LATENCY, track, at(15)).verdict == "ok"


# ---------------------------------------------------------------- time


def test_the_past_makes_the_first_verdict_right() -> None:
    steps = {float(t): 91.0 if t >= -420 else 70.0 for t in range(-1800, 1, 15)}
    memory = TriggerRule("memory", "Memory", 90, unit="%", for_seconds=300)
    track = observe(memory, Track(), past(steps), at(0), covers_seconds=1800)
    reading = verdict(memory, track, at(0))
    assert (reading.verdict, reading.since, reading.open_ended) == ("firing", at(-420), False)
    assert reading.reason == "91 % > 90 % for 7 m, at every evaluation"


def test_a_breach_older_than_all_that_was_asked_says_so() -> None:
    track = observe(LATENCY, Track(), past(dict.fromkeys(range(-1800, 1, 15), 31.0)), at(0), covers_seconds=1800)
    reading = verdict(LATENCY, track, at(0))
    assert (reading.since, reading.open_ended) == (at(-1800), True)
    assert "for 30 m or longer" in reading.reason


def test_a_series_that_began_in_a_breach_has_a_beginning() -> None:
    track = observe(LATENCY, Track(), past(dict.fromkeys(range(-300, 1, 15), 31.0)), at(0), covers_seconds=1800)
    assert not verdict(LATENCY, track, at(0)).open_ended


def test_an_empty_past_says_nothing_and_an_empty_present_says_no_data() -> None:
    track = observe(LATENCY, Track(), Answer(), at(0), covers_seconds=1800)
    assert track.newest is None
    assert verdict(LATENCY, observe(LATENCY, track, Answer(), at(0)), at(0)).reason == "the query finds nothing"


def test_samples_may_come_late_and_in_any_order() -> None:
    shuffled = past({45: 31, 0: 31, 60: 31, 15: 31})
    track = observe(LATENCY, Track(), shuffled, at(60), covers_seconds=60)
    assert verdict(LATENCY, track, at(60)).verdict == "pending"  # 30 is missing
    filled = observe(LATENCY, track, past({30: 31}), at(61), covers_seconds=60)
    assert verdict(LATENCY, filled, at(61)).verdict == "firing"


def test_a_late_present_does_not_become_the_newest() -> None:
    track = fold(AT_ONCE, (30, answer(30, 31)), (31, answer(0, 12)))
    assert verdict(AT_ONCE, track, at(31)).value == 31


def test_samples_from_the_future_are_dropped() -> None:
    track = fold(AT_ONCE, (0, answer(3600, 12)))
    assert verdict(AT_ONCE, track, at(0)).verdict == "no_data"


def test_a_clock_that_is_put_back_does_not_freeze_the_verdict() -> None:
    track = every_fifteen(AT_ONCE, *[12.0] * 200)
    hour_ago = verdict(AT_ONCE, track, at(-3600))
    assert hour_ago.verdict == "stale"
    assert "ahead of this machine's clock" in hour_ago.reason
    recovered = observe(AT_ONCE, track, answer(-3600, 31), at(-3600))
    assert verdict(AT_ONCE, recovered, at(-3600)).verdict == "firing"


def test_a_breach_of_days_keeps_its_beginning_and_little_else() -> None:
    track = every_fifteen(LATENCY, 10, *[31.0] * 2000)
    reading = verdict(LATENCY, track, at(2000 * EVERY))
    assert (reading.verdict, reading.since) == ("firing", at(15))
    assert len(track.evaluations) < 200


def test_the_curve_keeps_every_peak() -> None:
    rule = replace(LATENCY, every_seconds=1)
    steps = {float(t): 1.0 for t in range(-1790, 1)} | {-777.0: 99.0}
    curve = verdict(rule, observe(rule, Track(), past(steps), at(0), covers_seconds=1790), at(0)).curve
    assert len(curve) <= CURVE_POINTS
    assert max(curve) == 99


def test_the_sources_remarks_are_passed_on() -> None:
    track = fold(LATENCY, (0, Answer((Point(START, 12),), ("results may be incomplete",))))
    assert verdict(LATENCY, track, at(0)).warnings == ("results may be incomplete",)


@pytest.mark.parametrize(
    ("every", "stale", "no_data"), [(1.0, 30.0, 300.0), (15.0, 45.0, 300.0), (600.0, 1800.0, 1800.0)]
)
def test_the_default_ages(every: float, stale: float, no_data: float) -> None:
    rule = TriggerRule("t", "T", 1, every_seconds=every)
    assert (rule.stale_after, rule.no_data_after) == (stale, no_data)


# ---------------------------------------------------------------- each series by itself


def test_series_that_break_the_rule_in_turn_do_not_hold_it_together() -> None:
    turns = [(i * EVERY, answer(i * EVERY, *((31, 12) if i % 2 else (12, 31)))) for i in range(10)]
    reading = verdict(LATENCY, fold(LATENCY, *turns), at(135))
    assert (reading.verdict, reading.held_seconds, reading.since) == ("pending", 0, at(135))


def test_the_oldest_breach_decides_and_all_are_counted() -> None:
    steps = [(i * EVERY, answer(i * EVERY, 31, 12 if i < 4 else 50)) for i in range(5)]
    reading = verdict(LATENCY, fold(LATENCY, *steps), at(60))
    assert (reading.verdict, reading.since, reading.value) == ("firing", at(0), 50)
    assert (reading.series, reading.crossing) == (2, 2)
    assert reading.reason == "50 s > 30 s for 1 m or longer, at every evaluation; 2 of 2 series, worst pod=p1"


def test_a_series_that_ends_ends_its_breach_while_the_others_go_on() -> None:
    steps = [(i * EVERY, answer(i * EVERY, 12, 31)) for i in range(5)] + [(75.0, answer(75, 12))]
    reading = verdict(LATENCY, fold(LATENCY, *steps), at(75))
    assert (reading.verdict, reading.was_firing_since) == ("ok", None)


def test_what_the_series_suggest_follows_those_that_break_the_rule() -> None:
    rule = replace(AT_ONCE, suggests=("all",), suggests_by={"pod": {"p0": ("first",), "p1": ("second",)}})
    track = fold(rule, (0, answer(0, 12, 31)))
    assert verdict(rule, track, at(0)).suggests == ("second",)
    assert verdict(rule, observe(rule, track, answer(15), at(15)), at(15)).suggests == ("second",)
    assert verdict(rule, observe(rule, track, answer(15, 12, 12), at(15)), at(15)).suggests == ("all",)


# ---------------------------------------------------------------- in a row

THREE = replace(AT_ONCE, consecutive=3)


def test_so_many_evaluations_in_a_row_must_cross() -> None:
    two = verdict(THREE, every_fifteen(THREE, 12, 31, 31), at(30))
    assert (two.verdict, two.in_a_row) == ("pending", 2)
    assert two.reason == "31 s > 30 s 2 of 3 evaluations in a row"
    three = verdict(THREE, every_fifteen(THREE, 12, 31, 31, 31), at(45))
    assert (three.verdict, three.in_a_row) == ("firing", 3)
    assert three.reason == "31 s > 30 s for 30 s, at every evaluation, 3 in a row"


@pytest.mark.parametrize("interruption", [29.0, None, NAN])
def test_an_interruption_starts_the_count_anew(interruption: float | None) -> None:
    reading = verdict(THREE, every_fifteen(THREE, 31, 31, interruption, 31, 31), at(60))
    assert (reading.verdict, reading.in_a_row) == ("pending", 2)


def test_a_past_beside_what_was_seen_is_not_counted_twice() -> None:
    seen = fold(THREE, (0, answer(0, 31)), (15, answer(15, 31)))
    again = observe(THREE, seen, past({-30: 12, -15: 12, 0.4: 31, 15.4: 31}), at(15.5), covers_seconds=45)
    reading = verdict(THREE, again, at(15.5))
    assert (reading.verdict, reading.in_a_row, reading.since) == ("pending", 2, at(0))


def test_both_the_time_and_the_count_are_needed() -> None:
    rule = replace(LATENCY, consecutive=6)
    assert verdict(rule, every_fifteen(rule, *[31] * 5), at(60)).verdict == "pending"
    assert verdict(rule, every_fifteen(rule, *[31] * 6), at(75)).verdict == "firing"


# ---------------------------------------------------------------- hysteresis

STICKY = replace(AT_ONCE, clear=25.0)


def test_once_crossed_it_is_clear_only_beyond_the_other_value() -> None:
    reading = verdict(STICKY, every_fifteen(STICKY, 28, 31, 28), at(30))
    assert (reading.verdict, reading.since, reading.crossing) == ("firing", at(15), 1)
    assert reading.reason == ("28 s ≤ 30 s, but not back down to 25 s since it crossed for 15 s, at every evaluation")
    assert verdict(STICKY, every_fifteen(STICKY, 28, 31, 28, 25, 28), at(60)).verdict == "ok"


def test_hysteresis_below_a_threshold_goes_the_other_way() -> None:
    rule = replace(AT_ONCE, above=False, clear=35.0)
    assert verdict(rule, every_fifteen(rule, 29, 33), at(15)).verdict == "firing"
    assert verdict(rule, every_fifteen(rule, 29, 33, 35, 33), at(45)).verdict == "ok"


def test_each_series_sticks_by_itself() -> None:
    track = fold(STICKY, (0, answer(0, 31, 12)), (15, answer(15, 28, 29)))
    assert verdict(STICKY, track, at(15)).crossing == 1


@pytest.mark.parametrize("silence", [None, NAN])
def test_silence_does_not_clear_it(silence: float | None) -> None:
    reading = verdict(STICKY, every_fifteen(STICKY, 31, silence, silence, 28), at(45))
    assert (reading.verdict, reading.since, reading.was_firing_since) == ("firing", at(45), None)


# ---------------------------------------------------------------- before the migration


def test_a_breach_since_before_the_migration_is_marked_in_words() -> None:
    rule = replace(AT_ONCE, migrated_at=at(20))
    reading = verdict(rule, every_fifteen(rule, 12, 31, 31), at(30))
    assert reading.before_migration
    assert reading.reason.endswith("; since before the migration (14:00:20 UTC)")
    later = verdict(rule, every_fifteen(rule, 31, 12, 31), at(30))
    assert not later.before_migration
    assert "migration" not in later.reason


def test_a_silence_does_not_make_an_old_breach_a_new_one() -> None:
    rule = replace(AT_ONCE, migrated_at=at(20))
    assert verdict(rule, every_fifteen(rule, 31, 31, None, 31), at(45)).before_migration
    assert verdict(rule, every_fifteen(rule, 31, 31, None, None), at(45)).before_migration
    assert not verdict(rule, every_fifteen(rule, 31, 12, None, 31), at(45)).before_migration


def test_another_series_that_breaks_after_the_migration_is_new() -> None:
    rule = replace(AT_ONCE, migrated_at=at(20))
    track = fold(rule, (0, answer(0, 31, 12)), (15, answer(15, 31, 12)), (30, answer(30, 12, 31)))
    assert not verdict(rule, track, at(30)).before_migration


# ---------------------------------------------------------------- clocks, and pasts of two finenesses


@pytest.mark.parametrize("step", [-600.0, 600.0])
def test_a_track_moves_with_the_clock_that_was_set(step: float) -> None:
    track = every_fifteen(LATENCY, 12, *[31.0] * 30)
    moved = shifted(track, step)
    before, after = verdict(LATENCY, track, at(450)), verdict(LATENCY, moved, at(450 + step))
    assert after.since == at(15 + step)
    assert replace(after, since=before.since) == before
    ended = observe(LATENCY, moved, answer(465 + step, 12), at(465 + step))
    assert verdict(LATENCY, ended, at(465 + step)).verdict == "ok"


def test_what_is_remembered_of_an_earlier_track_ends_with_something_healthy() -> None:
    fired = every_fifteen(AT_ONCE, 31, 31)
    silent = remembering(every_fifteen(LATENCY, None), fired)
    assert verdict(LATENCY, silent, at(0)).was_firing_since == at(0)
    healthy = remembering(every_fifteen(LATENCY, 12, None), fired)
    assert verdict(LATENCY, healthy, at(15)).was_firing_since is None


def test_a_fine_past_and_a_coarse_one_are_one_past() -> None:
    rule = replace(LATENCY, every_seconds=1)
    coarse = Past(past({float(t): 12.0 if t < -300 else 31.0 for t in range(-1800, 1, 15)}), 1800, 15)
    fine = Past(past({float(t): 31.0 for t in range(-62, 1)}), 62, 1)
    reading = verdict(rule, observe_past(rule, Track(), (fine, coarse), at(0)), at(0))
    assert (reading.verdict, reading.since, reading.open_ended) == ("firing", at(-300), False)
    assert (len(reading.curve), reading.curve_seconds) == (CURVE_POINTS, CURVE_SECONDS - 15)


def test_in_a_fine_past_one_evaluation_between_two_coarse_ones_counts() -> None:
    rule = replace(LATENCY, every_seconds=1)
    coarse = Past(past({float(t): 31.0 for t in range(-1800, 1, 15)}), 1800, 15)
    fine = Past(past({float(t): 12.0 if t == -22 else 31.0 for t in range(-62, 1)}), 62, 1)
    reading = verdict(rule, observe_past(rule, Track(), (coarse, fine), at(0)), at(0))
    assert (reading.verdict, reading.since) == ("pending", at(-21))


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (34.2, "34.2"), (0.0, "0"), (30.0, "30"), (0.05, "0.05"), (0.123456, "0.1235"), (1234567.0, "1234567"),
        (1000.0, "1000"), (-3.14159, "-3.142"), (2e20, "2e+20"), (1e-7, "1e-07"), (-math.inf, "-∞"), (9.99999, "10"),
    ],
)  # fmt: skip
def test_amounts(value: float, words: str) -> None:
    assert amount(value, "") == words
    assert amount(value, "s") == f"{words} s"


def test_a_hair_above_the_threshold_is_shown_as_what_it_is() -> None:
    assert verdict(AT_ONCE, every_fifteen(AT_ONCE, 30.0004), at(0)).reason == "30.0004 s > 30 s"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.4, "400 ms"),
        (1.5, "1.5 s"),
        (48, "48 s"),
        (60, "1 m"),
        (432, "7 m 12 s"),
        (7500, "2 h 5 m"),
        (93_600, "1 d 2 h"),
    ],
)
def test_spans(seconds: float, words: str) -> None:
    assert span(seconds) == words


# ---------------------------------------------------------------- properties

numbers = st.one_of(st.sampled_from([12.0, 30.0, 31.0, NAN, math.inf, -math.inf]), st.floats(0, 60))
outcomes = st.one_of(st.none(), st.just(SILENCE), st.lists(numbers, max_size=3))
histories = st.lists(outcomes, max_size=40)


def live(rule: TriggerRule, history: list[list[float] | Failure | None]) -> list[tuple[float, AnyReading | Failure]]:
    """One outcome for each evaluation; None is an evaluation that was never made."""
    return [
        (i * EVERY, one if isinstance(one, Failure) else answer(i * EVERY, *one))
        for i, one in enumerate(history)
        if one is not None
    ]


def numbers_of(one: AnyReading | Failure) -> list[float]:
    return [] if isinstance(one, Failure) else [s.value for s in one.samples if not math.isnan(s.value)]


@given(histories, st.floats(0, 700), st.sampled_from([0.0, 15.0, 60.0, 100.0]))
def test_never_ok_without_a_fresh_healthy_sample(
    history: list[list[float] | Failure | None], wait: float, held: float
) -> None:
    rule = replace(LATENCY, for_seconds=held)
    made = live(rule, history)
    now = (made[-1][0] if made else 0) + wait
    reading = verdict(rule, fold(rule, *made), at(now))
    if reading.verdict == "ok":
        when, last = made[-1]
        assert numbers_of(last)
        assert all(value <= rule.threshold for value in numbers_of(last))
        assert now - when <= rule.stale_after


@given(histories, st.sampled_from([0.0, 15.0, 60.0, 100.0]))
def test_firing_exactly_when_crossed_at_every_evaluation_of_its_time(
    history: list[list[float] | Failure | None], held: float
) -> None:
    rule = replace(LATENCY, for_seconds=held)
    made = live(rule, history)
    if not made:
        return
    newest = made[-1][0]
    crossed = {t for t, one in made if any(value > rule.threshold for value in numbers_of(one))}
    needed = {newest - i * EVERY for i in range(math.ceil(held / EVERY) + 1)}
    assert (verdict(rule, fold(rule, *made), at(newest)).verdict == "firing") == (needed <= crossed)


@given(st.lists(st.floats(0, 60), max_size=300), st.integers(0, 300), st.sampled_from([0.0, 60.0]))
def test_a_replay_in_one_piece_is_the_same_as_one_by_one(values: list[float], cut: int, held: float) -> None:
    rule = replace(LATENCY, for_seconds=held)
    steps = {i * EVERY: value for i, value in enumerate(values)}
    end = len(values) * EVERY
    whole = observe(rule, Track(), past(steps), at(end), covers_seconds=end)
    parts = [dict(list(steps.items())[:cut]), dict(list(steps.items())[cut:])]
    piecewise = reduce(lambda t, part: observe(rule, t, past(part), at(end), covers_seconds=end), parts, Track())
    single = reduce(
        lambda t, one: observe(rule, t, past({one[0]: one[1]}), at(end), covers_seconds=end), steps.items(), Track()
    )
    assert whole == piecewise
    if values:
        assert verdict(rule, whole, at(end)) == verdict(rule, single, at(end))
        assert whole.standing == single.standing


@given(st.permutations([(i * EVERY, 31.0 if i % 5 else 12.0) for i in range(12)]))
def test_the_order_of_arrival_does_not_matter(arrivals: list[tuple[float, float]]) -> None:
    end = 12 * EVERY
    track = reduce(
        lambda t, one: observe(LATENCY, t, past({one[0]: one[1]}), at(end), covers_seconds=end), arrivals, Track()
    )
    assert track == observe(LATENCY, Track(), past(dict(arrivals)), at(end), covers_seconds=end)
