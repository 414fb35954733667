"""The window over a source without a history: what it gives, how much of it must have been seen, and what clocks do to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from console.domain.errors import Failed
from console.domain.triggers import Track, TriggerReading, TriggerRule, observe, verdict
from console.engine import rolling
from console.engine.ports import Reading, Sample
from console.engine.rolling import Aggregate, RollingSource

START = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
EVERY = 10.0
RULE = TriggerRule("pods", "Restarts", threshold=30, every_seconds=EVERY)
Values = float | None | dict[str, float]


@dataclass
class Told:
    """A source that tells what the test says, ten seconds later each time."""

    values: list[Values | Failed]
    seconds: float = 0.0
    history: Sequence[float] = ()
    query: str = "restarts"
    past_asked: list[float] = field(default_factory=list)

    async def now(self) -> Reading:
        at, value = START + timedelta(seconds=self.seconds), self.values.pop(0)
        self.seconds += EVERY
        if isinstance(value, Failed):
            raise value
        return Reading(tuple(Sample(at, v, labels) for labels, v in series(value).items()))

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        self.past_asked.append(seconds)
        end = len(self.history) - 1
        return Reading(
            tuple(
                Sample(START - timedelta(seconds=(end - i) * step_seconds), value)
                for i, value in enumerate(self.history)
            )
        )


def series(value: Values) -> dict[tuple[tuple[str, str], ...], float]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return {(("pod", pod),): v for pod, v in value.items()}
    return {(): value}


async def rolled(values: Sequence[Values | Failed], aggregate: Aggregate = "avg", over: float = 50.0) -> Reading:
    """The last answer of all."""
    source = RollingSource(Told(list(values)), over, aggregate, every_seconds=EVERY)
    reading = Reading(())
    for value in values:
        if isinstance(value, Failed):
            with pytest.raises(Failed):
                await source.now()
        else:
            reading = await source.now()
    return reading


def numbers(reading: Reading) -> list[float]:
    return [sample.value for sample in reading.samples]


def judged(reading: Reading) -> TriggerReading:
    at = reading.samples[-1].at if reading.samples else START
    return verdict(RULE, observe(RULE, Track(), reading, at), at)


@pytest.mark.parametrize(
    ("aggregate", "expected"), [("avg", 5.0), ("min", 3.0), ("max", 7.0), ("sum", 25.0), ("increase", 5.0)]
)
async def test_what_the_values_of_a_window_come_to(aggregate: Aggregate, expected: float) -> None:
    assert numbers(await rolled([1, 2, 3, 4, 5, 6, 7], aggregate)) == [expected]


async def test_an_increase_survives_a_counter_that_starts_again() -> None:
    assert numbers(await rolled([100, 103, 110, 2, 5, 5], "increase")) == [3 + 7 + 2 + 3 + 0]


@pytest.mark.parametrize("value", [0.0, 1000.0])
async def test_until_its_window_is_filled_it_is_neither_healthy_nor_broken(value: float) -> None:
    reading = await rolled([value] * 4)
    verdict = judged(reading)
    assert verdict.verdict == "no_data"
    assert verdict.reason == "the window is not filled: 40 s of 50 s seen so far"
    assert judged(await rolled([value] * 5)).verdict == ("firing" if value else "ok")


async def test_a_new_series_is_not_judged_beside_those_that_are() -> None:
    reading = await rolled([{"a": 1.0}] * 5 + [{"a": 1.0, "b": 99.0}])
    assert reading.samples[0].value == 1.0
    assert math.isnan(reading.samples[1].value)
    assert reading.warnings == ("1 of 2 series not judged yet: 10 s of 50 s seen so far",)
    assert judged(reading).reason == "1 ≤ 30; 2 series, worst pod=a, 1 NaN"


async def test_a_hole_counts_as_unseen_until_it_has_left_the_window() -> None:
    down = Failed("connection refused")
    steps: list[Values | Failed] = [1.0] * 10 + [down, down]
    assert judged(await rolled([*steps, 1.0], over=100.0)).verdict == "no_data"
    assert judged(await rolled([*steps, *[1.0] * 8], over=100.0)).verdict == "no_data"
    assert judged(await rolled([*steps, *[1.0] * 9], over=100.0)).verdict == "ok"


async def test_one_missing_evaluation_of_ten_is_forgiven() -> None:
    steps: list[Values | Failed] = [*[1.0] * 10, Failed("busy"), 1.0]
    assert numbers(await rolled(steps, over=100.0)) == [1.0]


async def test_what_is_no_number_is_not_seen() -> None:
    assert math.isnan(numbers(await rolled([math.nan] * 8))[0])
    assert numbers(await rolled([1.0, 2.0, 3.0, math.nan, 5.0, 6.0], "max")) == [6.0]


async def test_infinity_stays_one() -> None:
    assert numbers(await rolled([1.0, 1.0, math.inf, 1.0, 1.0], "avg")) == [math.inf]


async def test_a_failing_source_is_heard_as_it_is() -> None:
    source = RollingSource(Told([Failed("connection refused")]), 50, "avg", every_seconds=EVERY)
    with pytest.raises(Failed, match="connection refused"):
        await source.now()


async def test_nothing_found_stays_nothing() -> None:
    assert (await rolled([1.0] * 6 + [None])).samples == ()


async def test_a_clock_put_back_moves_the_window_with_it() -> None:
    told = Told([1.0] * 7)
    source = RollingSource(told, 50, "sum", every_seconds=EVERY)
    for _ in range(6):
        await source.now()
    told.seconds -= 600
    assert numbers(await source.now()) == [5.0]


async def test_a_clock_that_leaps_leaves_a_hole() -> None:
    told = Told([1.0] * 7)
    source = RollingSource(told, 50, "sum", every_seconds=EVERY)
    for _ in range(6):
        await source.now()
    told.seconds += 600
    assert math.isnan(numbers(await source.now())[0])


async def test_a_source_with_a_past_fills_the_window_at_once() -> None:
    told = Told([8.0, 9.0], history=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
    source = RollingSource(told, 50, "avg", every_seconds=EVERY)
    assert math.isnan(numbers(await source.now())[0])
    past = await source.past(20, EVERY)
    assert told.past_asked == [70]
    assert numbers(past) == [4.0, 5.0, 6.0]
    assert numbers(await source.now()) == [7.0]


async def test_without_a_past_it_tells_none() -> None:
    source = RollingSource(Told([]), 50, "avg", every_seconds=EVERY)
    assert (await source.past(20, EVERY)).samples == ()


async def test_its_query_says_what_it_does() -> None:
    assert RollingSource(Told([]), 300, "increase", every_seconds=EVERY).query == "increase over 5 m of: restarts"


async def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "MOST_KEPT_SAMPLES", 10)
    source = RollingSource(Told([{"a": 1.0, "b": 1.0}] * 6), 50, "avg", every_seconds=EVERY)
    for _ in range(5):
        await source.now()
    with pytest.raises(Failed, match="fewer series"):
        await source.now()
