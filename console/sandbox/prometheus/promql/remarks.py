"""What the server remarks about an answer beside it: warnings and infos, each said once, with its place in the query."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from console.sandbox.prometheus.promql.numbers import general

MOST: Final = 10
"""Of each sort in one answer."""
_WARNING: Final = "PromQL warning: "
_INFO: Final = "PromQL info: "


@dataclass(slots=True)
class _Straightened:
    """Buckets of a histogram that had to be made to rise, over all the steps of a query."""

    start: int | None
    first: int
    last: int
    lowest: float
    highest: float
    largest: float
    count: int = 1


@dataclass
class Remarks:
    _warnings: dict[str, int | None] = field(default_factory=dict)
    _infos: dict[str, int | None] = field(default_factory=dict)
    _straightened: _Straightened | None = None

    def warn(self, text: str, start: int | None) -> None:
        self._warnings[f"{_WARNING}{text}"] = start

    def inform(self, text: str, start: int | None) -> None:
        self._infos[f"{_INFO}{text}"] = start

    def straightened(self, start: int | None, time: int, lowest: float, highest: float, difference: float) -> None:
        known = self._straightened
        if known is None:
            self._straightened = _Straightened(start, time, time, lowest, highest, difference)
            return
        known.first, known.last = min(known.first, time), max(known.last, time)
        known.lowest, known.highest = min(known.lowest, lowest), max(known.highest, highest)
        known.largest = max(known.largest, difference)
        known.count += 1

    def warnings(self, query: str) -> list[str]:
        return _limited([_placed(text, start, query) for text, start in self._warnings.items()], "warning")

    def infos(self, query: str) -> list[str]:
        texts = [_placed(text, start, query) for text, start in self._infos.items()]
        if self._straightened is not None:
            texts.append(_placed(_told(self._straightened), self._straightened.start, query))
        return _limited(texts, "info")


def quantile_out_of_range(remarks: Remarks, q: float, start: int | None) -> None:
    remarks.warn(f"quantile value should be between 0 and 1, got {general(q)}", start)


def _told(found: _Straightened) -> str:
    since, until = (
        datetime.fromtimestamp(time // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for time in (found.first, found.last)
    )
    return (
        f"{_INFO}input to histogram_quantile needed to be fixed for monotonicity (see "
        "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile), from buckets "
        f"{general(found.lowest)} to {general(found.highest)}, with a max diff of {_two_digits(found.largest)}, "
        f"over {found.count} samples from {since} to {until}"
    )


def _two_digits(value: float) -> str:
    return f"{value:.2g}"


def _placed(text: str, start: int | None, query: str) -> str:
    if start is None:
        return text
    before = query.encode()[:start]
    line = before.count(b"\n") + 1
    column = start - before.rfind(b"\n")
    return f"{text} ({line}:{column})"


def _limited(texts: list[str], sort: str) -> list[str]:
    if len(texts) <= MOST:
        return texts
    return [*texts[:MOST], f"{len(texts) - MOST} more {sort} annotations omitted"]
