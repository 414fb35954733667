"""Asks the metric sources, each trigger on its own schedule, and keeps the tracks from which the verdicts are drawn.

The console runs `run()` as a task beside the runner and reads `readings()` for every picture; the command line's one-shot
commands call `sample_once()`. Whatever a source does (refuse, hang, break) is a value in its trigger's track and nobody
else's concern: each trigger has its own loop and each call its own time limit. Sources must not block the event loop.
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
from console.domain.triggers import Failure, Track, TriggerReading, TriggerRule, observe, span, verdict
from console.engine.ports import Clock, MetricSource, Reading

CALL_TIMEOUT_SECONDS: Final = 10.0
"""For one call of a source. A source's own, shorter limit gives the better reason; this one is for those that hang."""
LONGEST_PAST_SECONDS: Final = 86_400.0
LONGEST_PAST_EVALUATIONS: Final = 10_000
"""How far back a breach is followed that is older than the window: a day, or so many evaluations."""

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
    past_failure: str = ""
    told: Verdict | None = None
    untold: str = ""


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

    async def run(self) -> None:
        """Samples until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            for watched in self.watched:
                group.create_task(self._loop(watched), name=f"sampler {watched.rule.id}")

    async def sample_once(self, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> dict[str, TriggerReading]:
        """Asks every source for its past and its present, side by side, and gives the verdicts. Nothing is told."""
        deadline = self._clock.monotonic() + timeout_seconds
        await asyncio.gather(*(self._sample(watched, deadline) for watched in self.watched))
        return self.readings()

    def readings(self, now: datetime | None = None) -> dict[str, TriggerReading]:
        """Every trigger's verdict as it stands at this moment, by its id; cheap enough for every picture."""
        at = now or self._clock.now()
        return {w.rule.id: self._reading(w.rule, at) for w in self.watched}

    def _reading(self, rule: TriggerRule, now: datetime) -> TriggerReading:
        watch = self._watches[rule.id]
        reading = verdict(rule, watch.track, now)
        own = tuple(text for text in (watch.past_failure, watch.untold) if text)
        return replace(reading, warnings=(*reading.warnings, *own)) if own else reading

    # ------------------------------------------------------------ one trigger

    async def _loop(self, watched: Watched) -> None:
        """Evaluations at fixed distances from the first one; those that a slow source lets pass are left out."""
        every, started = watched.rule.every_seconds, self._clock.monotonic()
        while True:
            await self._sample(watched, math.inf)
            await self._tell_change(watched)
            elapsed = self._clock.monotonic() - started
            await self._clock.sleep((math.floor(elapsed / every) + 1) * every - elapsed)

    async def _sample(self, watched: Watched, deadline: float) -> None:
        """The present, and the past where evaluations are missing: at the start, after a failure, after the machine slept."""
        rule, watch = watched.rule, self._watches[watched.rule.id]
        present = await self._call(watched.source.now(), deadline)
        if isinstance(present, Failure):
            watch.track = observe(rule, watch.track, present, self._clock.now())
            return
        track = watch.track
        since_newest = self._seconds_since_newest(track)
        if since_newest is not None and not -rule.stale_after <= since_newest <= rule.longest_gap:
            watch.past_needed = True
        if watch.past_needed:
            track = await self._with_past(watched, watch, deadline)
        watch.track = observe(rule, track, present, self._clock.now())

    async def _with_past(self, watched: Watched, watch: _Watch, deadline: float) -> Track:
        rule, track = watched.rule, watch.track
        seconds = rule.window_seconds
        missing = self._seconds_since_newest(track)
        if missing is not None and missing > 0:
            seconds = min(seconds, missing + 2 * rule.every_seconds)
        filled = await self._filled(watched, track, seconds, deadline)
        if isinstance(filled, Failure):
            watch.past_failure = f"the past is not known: {filled.reason}"
            return track
        watch.past_needed, watch.past_failure = False, ""
        longer = min(LONGEST_PAST_SECONDS, LONGEST_PAST_EVALUATIONS * rule.every_seconds)
        if track.newest is None and longer > seconds and self._began_before(rule, filled):
            further = await self._filled(watched, track, longer, deadline)
            return filled if isinstance(further, Failure) else further
        return filled

    async def _filled(self, watched: Watched, track: Track, seconds: float, deadline: float) -> Track | Failure:
        past = await self._call(watched.source.past(seconds, watched.rule.every_seconds), deadline)
        if isinstance(past, Failure):
            return past
        # A past of many series is hundreds of thousands of samples: more than a screen waits for.
        return await asyncio.to_thread(observe, watched.rule, track, past, self._clock.now(), seconds)

    def _seconds_since_newest(self, track: Track) -> float | None:
        """Negative when the clock was put back since; None without any evaluation."""
        return (self._clock.now() - track.newest.at).total_seconds() if track.newest else None

    def _began_before(self, rule: TriggerRule, track: Track) -> bool:
        reading = verdict(rule, track, self._clock.now())
        return reading.open_ended and reading.verdict == "firing"

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
