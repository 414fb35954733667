"""Time series in memory: what was scraped, what a scenario wrote, what the rules recorded.

Times are whole milliseconds since 1970, as Prometheus keeps them. A series ends by a staleness marker; a query looks back over
one no further. The memory is bounded: past the limits the oldest samples of all series go.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

Labels = tuple[tuple[str, str], ...]
"""Names and values, sorted by name, none of them empty."""

NAME: Final = "__name__"
RETENTION_SECONDS: Final = 24 * 3600.0
MOST_SAMPLES: Final = 8_000_000
"""Of the whole store, 16 bytes each."""
MOST_SERIES: Final = 20_000


class StoreFull(Exception):
    """More series than a drill has any use for."""


def labels_of(name: str | None, labels: Mapping[str, str]) -> Labels:
    """The labels of a series in their one order; empty values are the same as none."""
    found = {key: value for key, value in labels.items() if value}
    if name:
        found[NAME] = name
    return tuple(sorted(found.items()))


@dataclass(slots=True, eq=False)
class Series:
    """One series: its samples by time, and the times at which it was said to have ended."""

    labels: Labels
    times: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    ends: set[int] = field(default_factory=set)

    def add(self, time: int, value: float) -> bool:
        """False when there is a sample of that time already: the first one stays."""
        times = self.times
        if not times or time > times[-1]:
            times.append(time)
            self.values.append(value)
            return True
        at = bisect_left(times, time)
        if times[at] == time:
            return False
        times.insert(at, time)
        self.values.insert(at, value)
        return True

    def last_at(self, time: int, look_back: int) -> tuple[int, float] | None:
        """The newest sample of the look-back that ends at a time, unless the series has ended there."""
        times = self.times
        at = bisect_right(times, time) - 1
        if at < 0:
            return None
        found = times[at]
        if found <= time - look_back or found in self.ends:
            return None
        return found, self.values[at]

    def between(self, after: int, until: int) -> tuple[Sequence[int], Sequence[float]]:
        """The samples later than one time, up to and with another."""
        times = self.times
        first, behind = bisect_right(times, after), bisect_right(times, until)
        if not self.ends:
            return times[first:behind], self.values[first:behind]
        kept = [i for i in range(first, behind) if times[i] not in self.ends]
        return [times[i] for i in kept], [self.values[i] for i in kept]

    def drop_before(self, time: int) -> int:
        """Forgets what is older; how many samples that were."""
        count = bisect_left(self.times, time)
        if count:
            self.ends.difference_update(self.times[:count])
            del self.times[:count]
            del self.values[:count]
        return count


class Storage:
    """All the series. For one thread."""

    def __init__(
        self,
        *,
        retention_seconds: float = RETENTION_SECONDS,
        most_samples: int = MOST_SAMPLES,
        most_series: int = MOST_SERIES,
    ) -> None:
        self.retention = round(retention_seconds * 1000)
        """How far back samples are kept, in milliseconds."""
        self._most_samples = most_samples
        self._most_series = most_series
        self._series: dict[Labels, Series] = {}
        self._by_name: dict[str, list[Series]] = {}
        self._newest = 0
        self._swept = 0
        self.samples = 0

    def __len__(self) -> int:
        return len(self._series)

    def __iter__(self) -> Iterator[Series]:
        return iter(self._series.values())

    def append(self, labels: Labels, time: int, value: float) -> bool:
        """Adds a sample; False when the series has one of that time already."""
        added = self._of(labels).add(time, value)
        self._count(int(added), time)
        return added

    def end(self, labels: Labels, time: int) -> None:
        """Marks the series as ended, as Prometheus does when a scrape no longer finds it."""
        series = self._series.get(labels)
        if series is not None and series.add(time, float("nan")):
            series.ends.add(time)
            self._count(1, time)

    def backfill(self, labels: Labels, samples: Iterable[tuple[int, float]]) -> int:
        """Adds a past, in any order; how many samples were new. Cheap where the past is newer than what is there."""
        series = self._of(labels)
        added = 0
        newest = 0
        for time, value in sorted(samples, key=lambda sample: sample[0]):
            added += series.add(time, value)
            newest = time
        self._count(added, newest)
        return added

    def clear(self) -> None:
        self._series.clear()
        self._by_name.clear()
        self.samples = 0
        self._newest = self._swept = 0

    def named(self, name: str) -> Sequence[Series]:
        return self._by_name.get(name, ())

    def oldest(self) -> int | None:
        """The time of the oldest sample."""
        return min((series.times[0] for series in self if series.times), default=None)

    @property
    def newest(self) -> int:
        return self._newest

    def _of(self, labels: Labels) -> Series:
        series = self._series.get(labels)
        if series is None:
            if len(self._series) >= self._most_series:
                raise StoreFull(f"more than {self._most_series} series")
            series = self._series[labels] = Series(labels)
            self._by_name.setdefault(dict(labels).get(NAME, ""), []).append(series)
        return series

    def _count(self, added: int, time: int) -> None:
        self.samples += added
        self._newest = max(self._newest, time)
        if self._newest - self._swept > self.retention // 24:
            self._swept = self._newest
            self._drop_before(self._newest - self.retention)
        while self.samples > self._most_samples:
            oldest = self.oldest() or 0
            self._drop_before(oldest + max(1, (self._newest - oldest) // 10))

    def _drop_before(self, time: int) -> None:
        for series in list(self):
            self.samples -= series.drop_before(time)
            if not series.times:
                del self._series[series.labels]
                name = dict(series.labels).get(NAME, "")
                self._by_name[name].remove(series)
                if not self._by_name[name]:
                    del self._by_name[name]
