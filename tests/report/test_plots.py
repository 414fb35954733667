"""The curves: what the journal kept, where it kept it, and nothing in between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.domain import events as e
from console.report.curves import Curve, curves, letter
from console.report.markdown import sparkline
from console.report.model import Record, record
from console.report.plots import plot, x_ticks, y_ticks
from console.report.times import Times
from tests.report import evening


def curve_of(found: Record, trigger: str = "latency-p95") -> Curve:
    made = curves(found.incident, found.moments, found.incident.resolved_at or found.at)
    return next(one for one in made if one.trigger == trigger)


def test_excerpts_that_meet_are_one_curve_without_a_value_told_twice(resolved: Record) -> None:
    curve = curve_of(resolved)
    assert len(curve.pieces) == 1
    times = [at for at, _ in curve.points]
    assert times == sorted(set(times))
    assert curve.points[-1][0] == resolved.incident.seen[-1].at


def test_what_nobody_recorded_is_a_gap() -> None:
    long = evening.declared()
    long.later(2 * 3600)
    long.fact(evening.seen("soak_ended", "qec-analysis", latency_p95=evening.level(3.0)))
    curve = curve_of(record(evening.chained(long.history)))
    assert len(curve.pieces) == 2
    assert curve.pieces[1][0][0] - curve.pieces[0][-1][0] > timedelta(hours=1)


def test_every_point_is_a_value_of_the_journal(resolved: Record) -> None:
    kept = {v for then in resolved.incident.seen for t in then.event.triggers for v in t.curve}
    for curve in curves(resolved.incident, resolved.moments, resolved.at):
        assert {value for _, value in curve.points} <= kept


def test_the_band_follows_the_changes_of_the_verdict(resolved: Record) -> None:
    assert [s.verdict for s in curve_of(resolved, "error-ratio").stretches] == ["firing", "pending", "ok"]
    firing = curve_of(resolved).stretches[0]
    assert firing.start == evening.BEGAN - timedelta(minutes=6), "it says itself since when"


def test_a_trigger_that_only_people_judge_has_no_curve(resolved: Record) -> None:
    drawn = [curve.trigger for curve in curves(resolved.incident, resolved.moments, resolved.at)]
    assert drawn == ["latency-p95", "error-ratio", "memory", "complaints"]


def test_a_drawing_lies_within_its_frame_and_names_what_it_shows(resolved: Record) -> None:
    for curve in curves(resolved.incident, resolved.moments, resolved.at):
        svg = plot(curve, Times())
        _, _, width, height = (float(n) for n in svg.attrib["viewBox"].split())
        for line in svg.iter("polyline"):
            for point in line.attrib["points"].split():
                x, y = (float(n) for n in point.split(","))
                assert 0 <= x <= width
                assert 0 <= y <= height
        assert curve.title in (svg[0].text or "")
        letters = "".join(t.text or "" for t in svg.iter("text") if t.attrib["class"] == "letter")
        assert letters[0] == "A"
        assert letters[-1] == "H"


@pytest.mark.parametrize(
    ("low", "high"), [(0, 34.2), (0, 0), (-5, 3), (0.001, 0.0042), (1e9, 1.2e9), (90, 90), (0, 1e-9), (-1e15, 1e15)]
)
def test_the_scale_has_round_numbers_around_every_value(low: float, high: float) -> None:
    ticks = y_ticks(low, high)
    assert 2 <= len(ticks) <= 8
    assert ticks[0] <= low + 1e-9 * abs(low)
    assert ticks[-1] >= high - 1e-9 * abs(high)


@pytest.mark.parametrize("seconds", [1, 7, 59, 600, 3600, 86_400, 40 * 86_400, 900 * 86_400])
def test_the_clock_under_a_plot_has_few_round_times(seconds: int, berlin: Times) -> None:
    start = datetime(2026, 3, 28, 21, 47, 12, tzinfo=UTC)
    found = list(x_ticks(start, start + timedelta(seconds=seconds), berlin))
    assert len(found) <= 7
    assert all(start <= at <= start + timedelta(seconds=seconds) for at, _ in found)
    assert len({label for _, label in found}) == len(found)


def test_letters_go_on_after_z() -> None:
    assert [letter(n) for n in (0, 25, 26, 27, 52)] == ["A", "Z", "AA", "AB", "BA"]


def test_a_line_of_bars_keeps_the_peak() -> None:
    assert sparkline([0.0, 1.0, 2.0]) == "▁▅█"
    assert "█" in sparkline([0.0] * 500 + [9.0] + [0.0] * 500)
    assert sparkline([0.0, 0.0]) == "▁▁"
    assert sparkline([-3.0, 3.0]) == "▁█"


def test_a_counter_shows_its_window(resolved: Record) -> None:
    event = resolved.incident.seen[0].event
    assert isinstance(event, e.TriggersSeen)
    assert curve_of(resolved, "complaints").points[-1][1] == 6
