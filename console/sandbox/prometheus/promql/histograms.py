"""Quantiles and fractions of classic histograms: buckets with an upper bound in `le`, each counting what is below it.

Formulas and corner cases are those of promql/quantile.go of Prometheus 3.16, compared with it in tests/real.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from console.sandbox.prometheus.promql.numbers import divide

BUCKET: Final = "le"
_INSIGNIFICANT: Final = 1e-12
_SMALLEST_NORMAL: Final = 2.2250738585072014e-308
_NUMBER: Final = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F.]+[pP][+-]?\d+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf(?:inity)?)"
)


@dataclass(slots=True)
class Bucket:
    bound: float
    count: float


@dataclass(frozen=True, slots=True)
class Straightened:
    """Counts that fell where they can only rise, and were lifted."""

    lowest: float
    highest: float
    difference: float


def bound(label: str) -> float | None:
    """The number in a `le` label; None when it is none."""
    if not _NUMBER.fullmatch(label):
        return None
    return float.fromhex(label) if "x" in label.lower() else float(label)


def quantile(q: float, buckets: list[Bucket]) -> tuple[float, Straightened | None]:
    """Interpolated within the bucket that the rank falls into."""
    if math.isnan(q):
        return math.nan, None
    if not 0 <= q <= 1:
        return math.copysign(math.inf, q), None
    ordered = _ordered(buckets)
    if not ordered or ordered[-1].bound != math.inf:
        return math.nan, None
    straightened = _straighten(ordered)
    observations = ordered[-1].count
    if len(ordered) < 2 or observations == 0:
        return math.nan, straightened
    return _interpolated(q * observations, ordered), straightened


def _interpolated(rank: float, buckets: Sequence[Bucket]) -> float:
    at = bisect_left(buckets, True, hi=len(buckets) - 1, key=lambda bucket: bucket.count >= rank)
    if at == len(buckets) - 1:
        return buckets[-2].bound
    if at == 0 and buckets[0].bound <= 0:
        return buckets[0].bound
    start, count = 0.0, buckets[at].count
    if at > 0:
        start = buckets[at - 1].bound
        count -= buckets[at - 1].count
        rank -= buckets[at - 1].count
    return start + (buckets[at].bound - start) * divide(rank, count)


def fraction(lower: float, upper: float, buckets: list[Bucket]) -> float:
    """Which part of the observations lies between two values."""
    ordered = _ordered(buckets)
    if not ordered or ordered[-1].bound != math.inf:
        return math.nan
    count = ordered[-1].count
    if count == 0 or math.isnan(lower) or math.isnan(upper):
        return math.nan
    if lower >= upper:
        return 0.0
    return (min(_rank(upper, ordered), count) - min(_rank(lower, ordered), count)) / count


def _rank(value: float, buckets: Sequence[Bucket]) -> float:
    """How many observations lie below a value."""
    start = 0.0 if buckets[0].bound > 0 else -math.inf
    below = 0.0
    for bucket in buckets:
        if start >= value:
            return below
        if start < value < bucket.bound:
            if start == -math.inf:
                return bucket.count
            return below + (bucket.count - below) * (value - start) / (bucket.bound - start)
        start, below = bucket.bound, bucket.count
    return buckets[-1].count


def _ordered(buckets: list[Bucket]) -> list[Bucket]:
    """By their bounds, those of the same bound as one."""
    found: list[Bucket] = []
    for bucket in sorted(buckets, key=lambda bucket: bucket.bound):
        if found and found[-1].bound == bucket.bound:
            found[-1].count += bucket.count
        else:
            found.append(Bucket(bucket.bound, bucket.count))
    return found


def _straighten(buckets: list[Bucket]) -> Straightened | None:
    """Lets the counts only rise; differences that rounding explains are levelled without a word."""
    before = buckets[0].count
    lowest, highest, largest = math.inf, -math.inf, 0.0
    for bucket in buckets[1:]:
        if bucket.count == before:
            continue
        if _almost_equal(before, bucket.count):
            bucket.count = before
        elif bucket.count < before:
            lowest, highest = min(lowest, bucket.bound), max(highest, bucket.bound)
            largest = max(largest, before - bucket.count)
            bucket.count = before
        else:
            before = bucket.count
    return None if highest == -math.inf else Straightened(lowest, highest, largest)


def _almost_equal(a: float, b: float) -> bool:
    if (math.isnan(a) and math.isnan(b)) or a == b:
        return True
    together = abs(a) + abs(b)
    difference = abs(a - b)
    if a == 0 or b == 0 or together < _SMALLEST_NORMAL:
        return difference < _INSIGNIFICANT * _SMALLEST_NORMAL
    return difference / min(together, 1.7976931348623157e308) < _INSIGNIFICANT
