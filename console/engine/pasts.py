"""Which stretches of the past a trigger asks its source for, so that the verdict is right at once and the answer stays small.

What decides the verdict (`for`, `consecutive`) is asked for at every evaluation; what is only drawn, and where an old breach
began, in coarser steps. The number of series sets the limit: a thousand of them at every second of half an hour would be
two million samples. The sampler asks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from console.domain.curve import STRETCH_SECONDS
from console.domain.triggers import TriggerRule

MOST_DECIDING_SAMPLES: Final = 150_000
"""Of one reading: some 5 MiB from a Prometheus, and half a second to read."""
MOST_DRAWN_SAMPLES: Final = 20_000
MOST_SAMPLES_AT_ONCE: Final = 100_000
"""Of all readings that are under way: each takes some 300 bytes until it has been folded."""
MOST_PASTS_AT_ONCE: Final = 8
"""The others wait, so that the present is never behind the past."""
MOST_PAST_STEPS: Final = 10_000
LONGEST_PAST_SECONDS: Final = 86_400.0
"""How far back a breach is followed that is older than the window."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The last so many seconds, in steps of so many."""

    seconds: float
    step_seconds: float


def stretches(rule: TriggerRule, seconds: float, series: int) -> tuple[Stretch, ...]:
    """The last so many seconds, with what decides the verdict first."""
    deciding = min(seconds, rule.held_seconds)
    fine = _step(rule.every_seconds, deciding, series, MOST_DECIDING_SAMPLES)
    coarse = _step(max(rule.every_seconds, STRETCH_SECONDS), seconds, series, MOST_DRAWN_SAMPLES)
    if deciding >= seconds or coarse <= fine:
        return (Stretch(seconds, _step(rule.every_seconds, seconds, series, MOST_DECIDING_SAMPLES)),)
    return Stretch(deciding, fine), Stretch(seconds, coarse)


def far_back(rule: TriggerRule, series: int) -> Stretch:
    """As far as a breach is followed."""
    return Stretch(LONGEST_PAST_SECONDS, _step(rule.every_seconds, LONGEST_PAST_SECONDS, series, MOST_DRAWN_SAMPLES))


def _step(at_least: float, seconds: float, series: int, most_samples: int) -> float:
    steps = min(MOST_PAST_STEPS, max(most_samples // max(series, 1), 1))
    return max(at_least, seconds / steps)


class Turns:
    """Lets readings of the past go as long as few enough samples are under way; the others wait for their turn."""

    def __init__(self) -> None:
        self._turn = asyncio.Condition()
        self._samples = 0
        self._readings = 0

    @asynccontextmanager
    async def taken(self, stretch: Stretch, series: int) -> AsyncIterator[None]:
        samples = int(stretch.seconds / stretch.step_seconds + 1) * max(series, 1)
        async with self._turn:
            await self._turn.wait_for(lambda: self._fits(samples))
            self._samples += samples
            self._readings += 1
        try:
            yield
        finally:
            self._samples -= samples
            self._readings -= 1
            async with self._turn:
                self._turn.notify_all()

    def _fits(self, samples: int) -> bool:
        alone = self._readings == 0
        return alone or (self._readings < MOST_PASTS_AT_ONCE and self._samples + samples <= MOST_SAMPLES_AT_ONCE)
