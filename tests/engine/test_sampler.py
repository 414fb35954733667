"""The sampler's loops and its one-shot mode, over a clock that a test moves: hours pass in milliseconds."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from console.domain.errors import Failed
from console.domain.events import VerdictChanged
from console.domain.triggers import TriggerRule
from console.engine.pasts import (
    LONGEST_PAST_SECONDS,
    MOST_DECIDING_SAMPLES,
    Stretch,
    Turns,
    far_back,
    stretches,
)
from console.engine.ports import Reading, Sample
from console.engine.sampler import Sampler, Watched

START = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
RULE = TriggerRule("p95", "Response time", threshold=30, unit="s", for_seconds=60, every_seconds=15)


class Enough(Exception):
    """The test has seen what it came for."""


@dataclass
class HandClock:
    """Moves only when something sleeps, or when the test says so."""

    seconds: float = 0.0
    until: float = math.inf
    slept: list[float] = field(default_factory=list)
    set_by: float = 0.0
    """By how much somebody has set the wall clock."""

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds + self.set_by)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        if self.seconds > self.until:
            raise Enough
        await asyncio.sleep(0)


class StoppedClock(HandClock):
    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


@dataclass
class Source:
    """Gives `value(seconds)` for each moment: None is no series, an exception is raised."""

    clock: HandClock
    value: Callable[[float], float | Exception | None]
    takes: float = 0.0
    query: str = "p95"
    asked_past: list[float] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    past_error: Exception | None = None

    async def now(self) -> Reading:
        asked_at = self.clock.seconds
        at = self.clock.now()
        self.asked_at.append(asked_at)
        self.clock.seconds += self.takes
        value = self.value(asked_at)
        if isinstance(value, Exception):
            raise value
        return Reading(() if value is None else (Sample(at, value),))

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        self.asked_past.append(seconds)
        if self.past_error:
            raise self.past_error
        end = self.clock.seconds
        steps = int(seconds / step_seconds)
        found = [(end - i * step_seconds, self.value(end - i * step_seconds)) for i in range(steps, -1, -1)]
        dated = START + timedelta(seconds=self.clock.set_by)
        return Reading(tuple(Sample(dated + timedelta(seconds=t), v) for t, v in found if isinstance(v, float)))


class Hanging:
    query = "never"

    async def now(self) -> Reading:
        await asyncio.Event().wait()
        raise AssertionError

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        raise AssertionError


async def ran(sampler: Sampler, clock: HandClock, until: float) -> None:
    """Lets the sampler run until the clock passes this moment."""
    clock.until = until
    with pytest.raises(ExceptionGroup) as ended:
        await sampler.run()
    assert ended.value.subgroup(Enough) is not None


def told_by(changes: Sequence[VerdictChanged]) -> list[str]:
    return [change.verdict for change in changes]


async def test_the_first_verdict_knows_the_past() -> None:
    clock = HandClock()
    source = Source(clock, lambda t: 34.2 if t >= -420 else 12.0)
    reading = (await Sampler([Watched(RULE, source)], clock).sample_once())["p95"]
    assert (reading.verdict, reading.since) == ("firing", START - timedelta(seconds=420))
    assert source.asked_past == [RULE.window_seconds]


async def test_a_breach_older_than_the_window_is_followed_to_its_beginning() -> None:
    clock = HandClock()
    source = Source(clock, lambda t: 34.2 if t >= -7200 else 12.0)
    reading = (await Sampler([Watched(RULE, source)], clock).sample_once())["p95"]
    assert (reading.since, reading.open_ended) == (START - timedelta(seconds=7200), False)
    assert source.asked_past == [RULE.window_seconds, LONGEST_PAST_SECONDS]


async def test_without_a_past_the_present_still_counts_and_the_lack_is_said() -> None:
    clock = HandClock()
    source = Source(clock, lambda _: 12.0, past_error=Failed("too many points"))
    reading = (await Sampler([Watched(RULE, source)], clock).sample_once())["p95"]
    assert reading.verdict == "ok"
    assert reading.warnings == ("the past is not known: too many points",)


async def test_the_past_is_asked_for_again_until_it_answers() -> None:
    clock = HandClock()
    source = Source(clock, lambda _: 34.2, past_error=Failed("busy"))
    sampler = Sampler([Watched(RULE, source)], clock)
    await ran(sampler, clock, until=14)
    assert sampler.readings()["p95"].verdict == "pending"
    source.past_error = None
    await ran(sampler, clock, until=29)
    assert sampler.readings()["p95"].warnings == ()


async def test_evaluations_keep_their_distance_however_long_an_answer_takes() -> None:
    clock = HandClock()
    source = Source(clock, lambda _: 12.0, takes=4.0)
    await ran(Sampler([Watched(RULE, source)], clock), clock, until=60)
    assert source.asked_at == [0, 15, 30, 45, 60]
    assert source.asked_past == [RULE.window_seconds]


async def test_a_source_slower_than_its_schedule_skips_evaluations_and_the_past_fills_them() -> None:
    clock = HandClock()
    source = Source(clock, lambda _: 34.2, takes=20.0)
    sampler = Sampler([Watched(RULE, source)], clock)
    await ran(sampler, clock, until=149)
    assert source.asked_at == [0, 30, 60, 90, 120]
    assert len(source.asked_past) > 1
    assert sampler.readings()["p95"].verdict == "firing"


async def test_a_failure_is_a_value_and_its_gap_is_filled_when_the_source_answers_again() -> None:
    clock = HandClock()
    down = Failed("connection refused")
    source = Source(clock, lambda t: down if 30 <= t < 120 else 34.2)
    sampler = Sampler([Watched(RULE, source)], clock)
    await ran(sampler, clock, until=40)
    reading = sampler.readings()["p95"]
    assert reading.verdict == "stale"
    assert "connection refused" in reading.reason
    source.value = lambda _: 34.2  # it was up all the time; only we could not reach it
    await ran(sampler, clock, until=130)
    assert (sampler.readings()["p95"].verdict, sampler.readings()["p95"].was_firing_since) == ("firing", None)


async def test_staleness_shows_without_another_sample() -> None:
    clock = HandClock()
    sampler = Sampler([Watched(RULE, Source(clock, lambda _: 12.0))], clock)
    await sampler.sample_once()
    assert sampler.readings()["p95"].verdict == "ok"
    assert sampler.readings(START + timedelta(seconds=46))["p95"].verdict == "stale"
    clock.seconds += 301
    assert sampler.readings()["p95"].verdict == "no_data"


async def test_a_hanging_source_does_not_keep_the_others_waiting() -> None:
    clock = HandClock()
    stuck = TriggerRule("stuck", "Stuck", threshold=1)
    sampler = Sampler(
        [Watched(stuck, Hanging()), Watched(RULE, Source(clock, lambda _: 12.0))], clock, call_timeout_seconds=0.01
    )
    readings = await sampler.sample_once()
    assert readings["p95"].verdict == "ok"
    assert readings["stuck"].reason == "no data yet; source failing: no answer within 10 ms"


async def test_one_shot_ends_in_its_own_time() -> None:
    sampler = Sampler([Watched(RULE, Hanging())], HandClock())
    async with asyncio.timeout(5):
        readings = await sampler.sample_once(timeout_seconds=0.01)
    assert readings["p95"].verdict == "no_data"


async def test_a_source_with_a_fault_ends_nobodys_watch() -> None:
    clock = HandClock()
    sampler = Sampler([Watched(RULE, Source(clock, lambda _: ZeroDivisionError("secret")))], clock)
    reading = (await sampler.sample_once())["p95"]
    assert reading.reason == "no data yet; source failing: the source broke: ZeroDivisionError"


async def test_an_empty_answer_is_no_data_at_once() -> None:
    clock = HandClock()
    source = Source(clock, lambda t: 12.0 if t < -60 else None)
    reading = (await Sampler([Watched(RULE, source)], clock).sample_once())["p95"]
    assert reading.verdict == "no_data"
    assert reading.reason.startswith("the query finds nothing; last value 12 ")


async def test_each_change_of_a_verdict_is_told_once() -> None:
    clock, changes = HandClock(), list[VerdictChanged]()
    down = Failed("connection refused")
    source = Source(clock, lambda t: 12.0 if t < 30 else 34.2 if t < 120 else down)

    async def tell(change: VerdictChanged) -> None:
        changes.append(change)

    sampler = Sampler([Watched(RULE, source)], clock, tell=tell)
    await ran(sampler, clock, until=480)
    assert told_by(changes) == ["ok", "pending", "firing", "stale", "no_data"]
    firing = changes[2]
    assert (firing.trigger, firing.value, firing.threshold, firing.query) == ("p95", 34.2, 30, "p95")
    assert firing.since == START + timedelta(seconds=30)
    assert "was FIRING since 14:00:30 UTC" in changes[3].reason


async def test_what_the_journal_knows_is_not_told_again() -> None:
    clock, changes = HandClock(), list[VerdictChanged]()

    async def tell(change: VerdictChanged) -> None:
        changes.append(change)

    source = Source(clock, lambda _: 12.0)
    sampler = Sampler([Watched(RULE, source)], clock, tell=tell, known={"p95": "ok"})
    await ran(sampler, clock, until=60)
    assert changes == []


async def test_a_change_that_could_not_be_recorded_is_said_and_told_again() -> None:
    clock, changes = HandClock(), list[VerdictChanged]()
    disk_full = [Failed("disk full")]

    async def tell(change: VerdictChanged) -> None:
        if disk_full:
            raise disk_full[0]
        changes.append(change)

    sampler = Sampler([Watched(RULE, Source(clock, lambda _: 12.0))], clock, tell=tell)
    await ran(sampler, clock, until=14)
    assert sampler.readings()["p95"].warnings == ("not in the record yet: disk full",)
    disk_full.clear()
    await ran(sampler, clock, until=29)
    assert told_by(changes) == ["ok"]
    assert sampler.readings()["p95"].warnings == ()


async def test_infinity_does_not_get_into_the_journal() -> None:
    clock, changes = HandClock(), list[VerdictChanged]()

    async def tell(change: VerdictChanged) -> None:
        changes.append(change)

    source = Source(clock, lambda t: math.inf if t >= 0 else 12.0)
    sampler = Sampler([Watched(RULE, source)], clock, tell=tell)
    await ran(sampler, clock, until=70)
    assert [change.value for change in changes] == [None, None]
    assert "∞ s > 30 s" in changes[-1].reason


async def test_cancelling_ends_every_loop() -> None:
    clock = StoppedClock()
    sampler = Sampler([Watched(RULE, Source(clock, lambda _: 12.0))], clock)
    task = asyncio.create_task(sampler.run())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ---------------------------------------------------------------- a clock that is set


class Forgetful(Source):
    """A source without a past."""

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        self.asked_past.append(seconds)
        return Reading(())


@pytest.mark.parametrize("kind", [Source, Forgetful])
async def test_a_clock_put_back_neither_hides_a_breach_nor_makes_it_stale(kind: type[Source]) -> None:
    clock = HandClock()
    source = kind(clock, lambda t: 34.2 if t >= 15 else 12.0)
    sampler = Sampler([Watched(RULE, source)], clock)
    await ran(sampler, clock, until=119)
    assert sampler.readings()["p95"].verdict == "firing"
    clock.set_by = -600
    at_once = sampler.readings()["p95"]
    assert (at_once.verdict, at_once.since) == ("firing", START + timedelta(seconds=15 - 600))
    await ran(sampler, clock, until=149)
    later = sampler.readings()["p95"]
    assert (later.verdict, later.since) == ("firing", START + timedelta(seconds=15 - 600))


async def test_a_clock_that_leaps_is_followed_by_the_sources_own_past() -> None:
    clock = HandClock()
    source = Source(clock, lambda t: 34.2 if t >= 90 else 12.0)
    sampler = Sampler([Watched(RULE, source)], clock)
    await ran(sampler, clock, until=119)
    assert sampler.readings()["p95"].verdict == "pending"
    clock.set_by = 600
    assert sampler.readings()["p95"].verdict == "no_data"
    await ran(sampler, clock, until=134)
    reading = sampler.readings()["p95"]
    assert (reading.verdict, reading.since) == ("pending", START + timedelta(seconds=90 + 600))
    await ran(sampler, clock, until=164)
    assert sampler.readings()["p95"].verdict == "firing"


async def test_without_a_past_a_leap_is_a_silence_that_clears_nothing() -> None:
    clock = HandClock()
    source = Forgetful(clock, lambda _: 34.2)
    sampler = Sampler([Watched(RULE, source)], clock)
    await ran(sampler, clock, until=119)
    assert sampler.readings()["p95"].verdict == "firing"
    clock.set_by = 600
    await ran(sampler, clock, until=134)
    reading = sampler.readings()["p95"]
    assert (reading.verdict, reading.was_firing_since) == ("pending", START)


# ---------------------------------------------------------------- many at once


async def test_evaluations_are_spread_over_half_the_interval() -> None:
    clock = StoppedClock()
    rules = [TriggerRule(f"t{i}", "T", threshold=30, every_seconds=10) for i in range(4)]
    sources = [Source(clock, lambda _: 12.0) for _ in rules]
    waits: list[float] = []
    all_wait = asyncio.Event()

    async def noted(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == len(rules):
            all_wait.set()
        await asyncio.Event().wait()

    clock.sleep = noted  # type: ignore[method-assign]
    task = asyncio.create_task(Sampler([Watched(r, s) for r, s in zip(rules, sources, strict=True)], clock).run())
    await all_wait.wait()
    task.cancel()
    assert [source.asked_at for source in sources] == [[0.0]] * 4
    assert sorted(waits) == [6.25, 7.5, 8.75, 10.0]


async def test_the_past_is_asked_in_the_steps_that_decide_and_coarser_behind_them() -> None:
    clock = HandClock()
    rule = TriggerRule("p95", "Response time", threshold=30, for_seconds=60, every_seconds=1)
    source = Source(clock, lambda t: 34.2 if t >= -900 else 12.0)
    reading = (await Sampler([Watched(rule, source)], clock).sample_once())["p95"]
    assert source.asked_past == [rule.held_seconds, rule.window_seconds]
    assert reading.verdict == "firing"
    assert reading.since is not None
    assert abs((START - reading.since).total_seconds() - 900) <= 15


def test_a_past_of_many_series_is_asked_in_steps_that_stay_small() -> None:
    rule = TriggerRule("p95", "Response time", threshold=30, for_seconds=600, every_seconds=1)
    assert stretches(rule, rule.window_seconds, 1) == (Stretch(602, 1), Stretch(1802, 15))
    for asked in stretches(rule, rule.window_seconds, 1000):
        assert asked.seconds / asked.step_seconds * 1000 <= MOST_DECIDING_SAMPLES
    assert far_back(rule, 1).step_seconds == LONGEST_PAST_SECONDS / 10_000


async def test_readings_of_the_past_take_turns() -> None:
    turns, under_way, most = Turns(), 0, 0

    async def read(series: int) -> None:
        nonlocal under_way, most
        async with turns.taken(Stretch(100, 1), series):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    await asyncio.gather(*(read(1000) for _ in range(5)))
    assert most == 1
    await asyncio.gather(*(read(1) for _ in range(20)))
    assert most == 8
    await asyncio.gather(read(1_000_000), read(1))  # however much it is, alone it may
