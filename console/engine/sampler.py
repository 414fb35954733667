"""Asks the metric sources, each trigger on its own schedule, and keeps the tracks from which the verdicts are drawn.

The console runs `run()` as a task beside the runner and reads `readings()` for every picture; the command line's one-shot
commands call `sample_once()`. Whatever a source does (refuse, hang, break) is a value in its trigger's track and nobody
else's concern: each trigger has its own loop and each call its own time limit. Sources must not block the event loop.

When this machine's clock is put back, what is known moves with it: time itself never goes back. When it leaps forward, the
machine may as well have slept: what is known is old until the source has told its past anew.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from console.domain.errors import ConsoleError
from console.domain.events import Verdict, VerdictChanged
from console.domain.triggers import (
    Failure,
    Past,
    Track,
    TriggerReading,
    TriggerRule,
    observe,
    observe_past,
    remembering,
    shifted,
    span,
    verdict,
)
from console.engine.pasts import Stretch, Turns, far_back, stretches
from console.engine.ports import Clock, MetricSource, Reading

CALL_TIMEOUT_SECONDS: Final = 10.0
"""For one call of a source. A source's own, shorter limit gives the better reason; this one is for those that hang."""
PAST_AGAIN_SECONDS: Final = 10.0
"""How soon a past that could not be told is asked for again, at the earliest."""
CLOCK_STEP_SECONDS: Final = 1.0
"""A clock that goes astray by more than this between two looks was set; less is being corrected by its own means."""

_GOLDEN: Final = (math.sqrt(5) - 1) / 2
_OF_A_FRESH_NUMBER: Final = ("ok", "pending", "firing")

Tell: TypeAlias = Callable[[VerdictChanged], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Watched:
    """A trigger and where its samples come from."""

    rule: TriggerRule
    source: MetricSource


@dataclass(slots=True)
class _Watch:
    """What is known of one trigger by now."""

    track: Track = field(default_factory=Track)
    past_needed: bool = True
    past_not_before: float = -math.inf  # monotonic
    past_failure: str = ""
    afresh: bool = False  # the clock leapt: what is known may lie elsewhere in time
    told: Verdict | None = None
    untold: str = ""
    judged: tuple[Track, TriggerReading] | None = None  # the last verdict on a fresh number, and on what it was


class Sampler:
    """The triggers' tracks, and the loops that feed them.

    `tell` is awaited with each change of a verdict, so that it gets into the journal; what it raises is shown as a warning
    of the trigger, and the change is told again after the next evaluation. `known` are the verdicts that the journal has
    already, so that a console opened again doesn't repeat them.
    """

    def __init__(
        self,
        watched: Sequence[Watched],
        clock: Clock,
        *,
        tell: Tell | None = None,
        known: Mapping[str, Verdict] | None = None,
        call_timeout_seconds: float = CALL_TIMEOUT_SECONDS,
    ) -> None:
        self.watched = tuple(watched)
        self._clock = clock
        self._tell = tell
        self._call_timeout_seconds = call_timeout_seconds
        self._watches = {w.rule.id: _Watch(told=(known or {}).get(w.rule.id)) for w in self.watched}
        self._turns = Turns()
        self._wall, self._monotonic = clock.now(), clock.monotonic()
        self._times_set = 0

    async def run(self) -> None:
        """Samples until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for watched, share in zip(self.watched, _shares(len(self.watched)), strict=True):
                group.create_task(self._loop(watched, share), name=f"sampler {watched.rule.id}")

    async def sample_once(self, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> dict[str, TriggerReading]:
        """Asks every source for its past and its present, side by side, and gives the verdicts. Nothing is told."""
        deadline = self._clock.monotonic() + timeout_seconds
        await asyncio.gather(*(self._sample(watched, deadline) for watched in self.watched))
        return self.readings()

    def readings(self, now: datetime | None = None) -> dict[str, TriggerReading]:
        """Every trigger's verdict as it stands at this moment, by its id; cheap enough for every picture."""
        self._follow_the_clock()
        at = now or self._clock.now()
        return {w.rule.id: self._reading(w.rule, at) for w in self.watched}

    def _reading(self, rule: TriggerRule, now: datetime) -> TriggerReading:
        watch = self._watches[rule.id]
        reading = _judged_at(rule, watch, now)
        own = tuple(text for text in (watch.past_failure, watch.untold) if text)
        return replace(reading, warnings=(*reading.warnings, *own)) if own else reading

    # ------------------------------------------------------------ one trigger

    async def _loop(self, watched: Watched, share: float) -> None:
        """Evaluations at fixed distances; those that a slow source lets pass are left out.

        All begin at once, so that every verdict is there at once. From then on each has its own place in the interval: the first
        distance is shorter by a share of one half, never so short that one evaluation would count twice.
        """
        every = watched.rule.every_seconds
        started = self._clock.monotonic() - every * share / 2
        while True:
            await self._sample(watched, math.inf)
            await self._tell_change(watched)
            elapsed = self._clock.monotonic() - started
            await self._clock.sleep((math.floor(elapsed / every) + 1) * every - elapsed)

    async def _sample(self, watched: Watched, deadline: float) -> None:
        """The present, and the past where evaluations are missing: at the start, after a failure, after the machine slept."""
        rule, watch = watched.rule, self._watches[watched.rule.id]
        present = await self._call(watched.source.now(), deadline)
        self._follow_the_clock()
        if isinstance(present, Failure):
            watch.track = observe(rule, watch.track, present, self._clock.now())
            return
        seen = observe(rule, Track() if watch.afresh else watch.track, present, self._clock.now())
        missing = _missing_seconds(rule, watch.track, seen)
        watch.past_needed = watch.past_needed or watch.afresh or missing is not None
        if not watch.past_needed or self._clock.monotonic() < watch.past_not_before:
            watch.track = observe(rule, watch.track, present, self._clock.now())
            return
        times_set = self._times_set
        seconds = rule.window_seconds if watch.afresh or not missing else min(rule.window_seconds, missing)
        filled = await self._with_past(watched, seen, stretches(rule, seconds, len(present.samples)), deadline)
        if times_set != self._times_set:  # meanwhile: what was filled is dated by two clocks
            watch.past_needed = True
            return
        if watch.afresh:
            filled = _made_anew(rule, watch.track, seen, filled, present, self._clock.now())
        watch.afresh = watch.afresh and bool(watch.past_failure)
        watch.track = filled

    async def _with_past(self, watched: Watched, seen: Track, asked: Sequence[Stretch], deadline: float) -> Track:
        """With the past that decides first, then what is only drawn; and, of a breach that is older, where it began."""
        rule, watch = watched.rule, self._watches[watched.rule.id]
        series = seen.newest.series if seen.newest else 0
        pasts: list[Past] = []
        filled = seen
        for stretch in asked:
            failure = await self._add_past(watched, stretch, series, pasts, deadline)
            if failure:
                watch.past_failure = f"the past is not known: {failure}"
                watch.past_not_before = self._clock.monotonic() + PAST_AGAIN_SECONDS
                return filled
            filled = await self._folded(rule, seen, pasts)
        watch.past_needed, watch.past_failure = False, ""
        if seen.standing.ordinal > 1 or not self._began_before(rule, filled):
            return filled
        await self._add_past(watched, far_back(rule, series), series, pasts, deadline)
        return await self._folded(rule, seen, pasts)

    async def _add_past(
        self, watched: Watched, stretch: Stretch, series: int, pasts: list[Past], deadline: float
    ) -> str:
        """Adds what the source tells of the stretch; why it tells nothing, or an empty text."""
        async with self._turns.taken(stretch, series):
            told = await self._call(watched.source.past(stretch.seconds, stretch.step_seconds), deadline)
        if isinstance(told, Failure):
            return told.reason
        pasts.append(Past(told, stretch.seconds, stretch.step_seconds))
        return ""

    async def _folded(self, rule: TriggerRule, seen: Track, pasts: Sequence[Past]) -> Track:
        # A past of many series is a hundred thousand samples: more than a screen waits for.
        return await asyncio.to_thread(observe_past, rule, seen, tuple(pasts), self._clock.now())

    def _began_before(self, rule: TriggerRule, track: Track) -> bool:
        reading = verdict(rule, track, self._clock.now())
        return reading.open_ended and reading.verdict == "firing"

    def _follow_the_clock(self) -> None:
        """Notices that this machine's clock was set since the last look."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        step = (wall - self._wall).total_seconds() - (monotonic - self._monotonic)
        self._wall, self._monotonic = wall, monotonic
        if abs(step) <= CLOCK_STEP_SECONDS:
            return
        self._times_set += 1
        for watch in self._watches.values():
            if step < 0:
                watch.track = shifted(watch.track, step)
            else:
                watch.afresh = True

    async def _call(self, call: Coroutine[Any, Any, Reading], deadline: float) -> Reading | Failure:
        limit = max(0.0, min(self._call_timeout_seconds, deadline - self._clock.monotonic()))
        try:
            async with asyncio.timeout(limit):
                return await call
        except TimeoutError:
            return Failure(f"no answer within {span(limit)}")
        except ConsoleError as error:
            return Failure(str(error))
        except Exception as error:  # noqa: BLE001 -- a fault in one adapter must not end the watch over the others
            return Failure(f"the source broke: {type(error).__name__}")

    async def _tell_change(self, watched: Watched) -> None:
        if self._tell is None:
            return
        rule, watch = watched.rule, self._watches[watched.rule.id]
        reading = self._reading(rule, self._clock.now())
        if reading.verdict == watch.told:
            watch.untold = ""
            return
        try:
            await self._tell(change(watched, reading))
        except Exception as error:  # noqa: BLE001 -- a verdict can be told again, a watch that ended can't
            why = str(error) if isinstance(error, ConsoleError) else type(error).__name__
            watch.untold = f"not in the record yet: {why}"
        else:
            watch.told, watch.untold = reading.verdict, ""


def _shares(count: int) -> list[float]:
    """Places in the interval, evenly: neighbours in the file, which are often alike and as heavy, are far from each other."""
    ranks = sorted(range(count), key=lambda position: position * _GOLDEN % 1)
    return [rank / count for rank in (ranks.index(position) for position in range(count))]


def _judged_at(rule: TriggerRule, watch: _Watch, now: datetime) -> TriggerReading:
    """The verdict at this moment. While a number is fresh nothing but its age goes on, and it is looked at in every picture."""
    track, newest = watch.track, watch.track.newest
    age = (now - newest.at).total_seconds() if newest else 0.0
    if watch.judged and watch.judged[0] is track and abs(age) <= rule.stale_after:
        return replace(watch.judged[1], age_seconds=age)
    reading = verdict(rule, track, now)
    watch.judged = (track, reading) if reading.verdict in _OF_A_FRESH_NUMBER else None
    return reading


def _missing_seconds(rule: TriggerRule, before: Track, now: Track) -> float | None:
    """How much of the past has to be asked for, when evaluations are missing before the newest; 0 when nobody can say."""
    if before.newest is None or now.newest is None:
        return None
    distance = (now.newest.at - before.newest.at).total_seconds()
    if 0 <= distance <= rule.longest_gap:
        return None
    return max(distance, 0.0) and distance + 2 * rule.every_seconds


def _made_anew(rule: TriggerRule, earlier: Track, seen: Track, filled: Track, present: Reading, now: datetime) -> Track:
    """What the past tells after the clock leapt; a source that tells none is believed to have been silent meanwhile."""
    if filled.standing.ordinal > seen.standing.ordinal:
        return remembering(filled, earlier)
    return observe(rule, earlier, present, now)


def change(watched: Watched, reading: TriggerReading) -> VerdictChanged:
    finite = reading.value is not None and math.isfinite(
        reading.value
    )  # JSON has no infinity; the reason says it in words
    return VerdictChanged(
        trigger=watched.rule.id,
        verdict=reading.verdict,
        reason=reading.reason,
        value=reading.value if finite else None,
        threshold=watched.rule.threshold,
        since=reading.since,
        query=watched.source.query,
    )
