"""Which stretches of the past a trigger asks its source for, so that the verdict is right at once and the answer stays small.

What decides the verdict (`for`, `consecutive`) is asked for at every evaluation; what is only drawn, and where an old breach
began, in coarser steps. The number of series sets the limit: a thousand of them at every second of half an hour would be
two million samples. The sampler asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from console.domain.curve import STRETCH_SECONDS
from console.domain.triggers import TriggerRule

MOST_PAST_SAMPLES: Final = 150_000
"""Of one reading: some 5 MiB from a Prometheus, and a quarter of a second to read."""
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
    fine = _step(rule.every_seconds, deciding, series)
    coarse = _step(max(rule.every_seconds, STRETCH_SECONDS), seconds, series)
    if deciding >= seconds or coarse <= fine:
        return (Stretch(seconds, _step(rule.every_seconds, seconds, series)),)
    return Stretch(deciding, fine), Stretch(seconds, coarse)


def far_back(rule: TriggerRule, series: int) -> Stretch:
    """As far as a breach is followed."""
    return Stretch(LONGEST_PAST_SECONDS, _step(rule.every_seconds, LONGEST_PAST_SECONDS, series))


def _step(at_least: float, seconds: float, series: int) -> float:
    steps = min(MOST_PAST_STEPS, max(MOST_PAST_SAMPLES // max(series, 1), 1))
    return max(at_least, seconds / steps)
