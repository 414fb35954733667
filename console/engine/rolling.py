"""A metric source whose values of the last minutes count together, for sources without a history of their own (`over`).

Wiring puts it around the trigger's source. It keeps each series' samples for the length of the window and gives their average,
least, greatest, sum, or the increase of a counter, at each evaluation. The rule:

- A series gives a number once its window has been seen from its beginning and no more than a tenth of it (or one evaluation) is
  missing. Until then it is NaN: neither healthy nor broken, so the trigger has no data and says how much has been seen.
- A sample speaks for the time since the one before it; where evaluations are missing, for one step. A source that fails leaves
  a hole.
- `increase` counts from the last sample at or before the window's beginning; where the counter is lower than before, it has
  started again at 0. Holes hide nothing from it, but they count as unseen all the same. Nothing is extrapolated.
- Where the source has a past after all, the windows are filled from it, and the past is told in windows too.
- A clock that is put back moves the windows with it; one that leaps forward leaves a hole.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import Final, Literal, TypeAlias

from console.domain.errors import Failed
from console.domain.triggers import LONGEST_GAP_STEPS, Labels, span
from console.engine.ports import MetricSource, Reading, Sample

Aggregate: TypeAlias = Literal["avg", "min", "max", "sum", "increase"]
DEFAULT_AGGREGATE: Final[Aggregate] = "avg"
MOST_UNSEEN: Final = 0.1
"""The share of a window that may be missing."""
MOST_KEPT_SAMPLES: Final = 500_000
"""Of all series together: some 50 MB."""


class RollingSource:
    def __init__(
        self, source: MetricSource, over_seconds: float, aggregate: Aggregate, *, every_seconds: float
    ) -> None:
        self.query = f"{aggregate} over {span(over_seconds)} of: {source.query}"
        self._source = source
        self._over = over_seconds
        self._aggregate = aggregate
        self._every = every_seconds
        self._windows: dict[Labels, Window] = {}

    async def now(self) -> Reading:
        """The window that ends with the present sample, of each series that there is. Raises what the source raises."""
        reading = await self._source.now()
        if not reading.samples:
            return reading
        self._follow(min(sample.at for sample in reading.samples))
        return self._rolled(self._windows, reading.samples, reading.warnings)

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        """The window that ends at each step; none where the source knows no past."""
        told = await self._source.past(seconds + self._over, step_seconds)
        if not told.samples:
            return told
        windows: dict[Labels, Window] = {}
        begin = told.samples[-1].at.timestamp() - seconds
        found: list[Sample] = []
        for at, samples in groupby(told.samples, key=lambda sample: sample.at):
            rolled = self._rolled(windows, list(samples), (), step_seconds).samples
            found += rolled if at.timestamp() >= begin else ()
        if step_seconds <= self._every:
            self._fill(windows)
        return Reading(tuple(sample for sample in found if not math.isnan(sample.value)), told.warnings)

    def _rolled(
        self,
        windows: dict[Labels, Window],
        samples: Sequence[Sample],
        warnings: Iterable[str],
        step_seconds: float | None = None,
    ) -> Reading:
        rolled, unseen = [], []
        for sample in samples:
            window = windows.get(sample.labels)
            if window is None:
                window = windows[sample.labels] = Window(self._over, step_seconds or self._every)
            at = sample.at.timestamp()
            window.add(at, sample.value)
            filled = window.is_filled(at)
            rolled.append(Sample(sample.at, window.value(self._aggregate, at) if filled else math.nan, sample.labels))
            unseen += [] if filled else [window.seen_seconds(at)]
        self._forget(windows, samples[0].at.timestamp())
        if not unseen:
            return Reading(tuple(rolled), tuple(warnings))
        seen = f"{span(max(unseen))} of {span(self._over)} seen so far"
        if len(unseen) == len(samples):
            return Reading(tuple(rolled), tuple(warnings), lacking=f"the window is not filled: {seen}")
        partly = f"{len(unseen)} of {len(samples)} series not judged yet: {seen}"
        return Reading(tuple(rolled), (*warnings, partly))

    def _forget(self, windows: dict[Labels, Window], at: float) -> None:
        """Windows of series that ended, once nothing in them counts any more."""
        for labels in [labels for labels, window in windows.items() if window.newest <= at - self._over]:
            del windows[labels]
        if sum(len(window) for window in windows.values()) > MOST_KEPT_SAMPLES:
            windows.clear()
            raise Failed(
                f"more than {MOST_KEPT_SAMPLES} samples within {span(self._over)}: let it give fewer series, or ask less often"
            )

    def _fill(self, windows: Mapping[Labels, Window]) -> None:
        """What the past tells, before what was seen since."""
        for labels, window in windows.items():
            own = self._windows.get(labels)
            self._windows[labels] = window.followed_by(own, self._every) if own else window

    def _follow(self, at: datetime) -> None:
        """Moves the windows when the source's times go back: time itself never does."""
        newest = max((window.newest for window in self._windows.values()), default=-math.inf)
        back = newest - at.timestamp()
        if LONGEST_GAP_STEPS * self._every < back < math.inf:
            for window in self._windows.values():
                window.shift(-back - self._every)


class Window:
    """The samples of one series: (seconds since 1970, value), oldest first, and one from before the window's beginning."""

    def __init__(self, over_seconds: float, every_seconds: float) -> None:
        self._over = over_seconds
        self._every = every_seconds
        self._samples: deque[tuple[float, float]] = deque()

    def __len__(self) -> int:
        return len(self._samples)

    @property
    def newest(self) -> float:
        return self._samples[-1][0] if self._samples else -math.inf

    def add(self, at: float, value: float) -> None:
        """A NaN is no sample. One that comes late is left out, and one for the same moment replaces the first."""
        if math.isnan(value) or at < self.newest:
            return
        if at == self.newest:
            self._samples.pop()
        self._samples.append((at, value))
        while len(self._samples) > 1 and self._samples[1][0] <= at - self._over:
            self._samples.popleft()

    def is_filled(self, at: float) -> bool:
        if not self._samples or self._samples[0][0] > at - self._over + LONGEST_GAP_STEPS * self._every:
            return False
        return self._over - self.seen_seconds(at) <= max(MOST_UNSEEN * self._over, self._every) + 1e-6

    def seen_seconds(self, at: float) -> float:
        """How much of the window the samples speak for."""
        begin, seen = at - self._over, 0.0
        before: float | None = None
        for moment, _ in self._samples:
            distance = self._every if before is None else moment - before
            if distance > LONGEST_GAP_STEPS * self._every:
                distance = self._every
            seen += max(0.0, moment - max(moment - distance, begin))
            before = moment
        return min(seen, self._over)

    def value(self, aggregate: Aggregate, at: float) -> float:
        """Of a window that is filled."""
        if aggregate == "increase":
            return self._increase(at)
        return _AGGREGATES[aggregate]([value for moment, value in self._samples if moment > at - self._over])

    def followed_by(self, own: Window, every_seconds: float) -> Window:
        joined = Window(self._over, every_seconds)
        first = own._samples[0][0] if own._samples else math.inf
        joined._samples.extend(one for one in self._samples if one[0] <= first - every_seconds / 2)
        joined._samples.extend(own._samples)
        return joined

    def shift(self, seconds: float) -> None:
        self._samples = deque((at + seconds, value) for at, value in self._samples)

    def _increase(self, at: float) -> float:
        counted = list(self._samples)
        while len(counted) > 1 and counted[1][0] <= at - self._over:
            counted.pop(0)
        return sum(b - a if b >= a else b for (_, a), (_, b) in pairwise(counted))


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


_AGGREGATES: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "avg": _average,
    "min": min,
    "max": max,
    "sum": sum,
}
