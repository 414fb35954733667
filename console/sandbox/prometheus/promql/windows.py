"""Functions over a stretch of a series: rates, differences, what a series was over time.

Formulas and corner cases are those of promql/functions.go of Prometheus 3.16, compared with it in tests/real.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from console.sandbox.prometheus.promql import numbers


@dataclass(slots=True)
class Window:
    """The samples of one series in (start, end], at one step of the query. Times are in milliseconds."""

    times: Sequence[int]
    values: Sequence[float]
    start: int
    end: int
    moment: int
    """The step; with an offset or `@`, the window lies elsewhere."""

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / 1000


Function = Callable[[Window, Sequence[float]], float | None]
"""Gives the value at this step, from the window and the function's numbers; None for none."""


def rate(window: Window, _: Sequence[float]) -> float | None:
    return _extrapolated(window, counter=True, per_second=True)


def increase(window: Window, _: Sequence[float]) -> float | None:
    return _extrapolated(window, counter=True, per_second=False)


def delta(window: Window, _: Sequence[float]) -> float | None:
    return _extrapolated(window, counter=False, per_second=False)


def _extrapolated(window: Window, *, counter: bool, per_second: bool) -> float | None:
    """The change between first and last sample, stretched to the window's borders where the series seems to reach them."""
    times, values = window.times, window.values
    if len(values) < 2:
        return None
    change = values[-1] - values[0]
    if counter:
        for before, after in pairwise(values):
            if after < before:
                change += before
    to_start = (times[0] - window.start) / 1000
    to_end = (window.end - times[-1]) / 1000
    sampled = (times[-1] - times[0]) / 1000
    average = sampled / (len(values) - 1)
    near = average * 1.1
    if to_start >= near:
        to_start = average / 2
    if counter and change > 0 and values[0] >= 0:  # a counter was never below zero
        to_start = min(to_start, sampled * (values[0] / change))
    if to_end >= near:
        to_end = average / 2
    factor = (sampled + to_start + to_end) / sampled
    if per_second:
        factor /= window.seconds
    return change * factor


def irate(window: Window, _: Sequence[float]) -> float | None:
    return _between_the_last_two(window, counter=True)


def idelta(window: Window, _: Sequence[float]) -> float | None:
    return _between_the_last_two(window, counter=False)


def _between_the_last_two(window: Window, *, counter: bool) -> float | None:
    if len(window.values) < 2:
        return None
    before, after = window.values[-2:]
    change = after if counter and after < before else after - before
    return change / ((window.times[-1] - window.times[-2]) / 1000) if counter else change


def deriv(window: Window, _: Sequence[float]) -> float | None:
    if len(window.values) < 2:
        return None
    return _regression(window, window.times[0])[0]


def predict_linear(window: Window, parameters: Sequence[float]) -> float | None:
    if len(window.values) < 2:
        return None
    slope, intercept = _regression(window, window.moment)
    return slope * parameters[0] + intercept


def _regression(window: Window, origin: int) -> tuple[float, float]:
    """Slope in seconds, and the value at the origin."""
    first = window.values[0]
    if all(value == first for value in window.values[1:]):
        return (math.nan, math.nan) if math.isinf(first) else (0.0, first)
    count = float(len(window.values))
    xs, ys, products, squares = (numbers.Sum() for _ in range(4))
    for time, y in zip(window.times, window.values, strict=True):
        x = (time - origin) / 1e3
        xs.add(x)
        ys.add(y)
        products.add(x * y)
        squares.add(x * x)
    sum_x, sum_y = xs.total + xs.lost, ys.total + ys.lost
    covariance = (products.total + products.lost) - sum_x * sum_y / count
    spread = (squares.total + squares.lost) - sum_x * sum_x / count
    slope = numbers.divide(covariance, spread)
    return slope, sum_y / count - slope * sum_x / count


def changes(window: Window, _: Sequence[float]) -> float:
    return float(
        sum(
            after != before and not (math.isnan(after) and math.isnan(before))
            for before, after in pairwise(window.values)
        )
    )


def resets(window: Window, _: Sequence[float]) -> float:
    return float(sum(after < before for before, after in pairwise(window.values)))


def average_over_time(window: Window, _: Sequence[float]) -> float:
    return numbers.mean(window.values)


def sum_over_time(window: Window, _: Sequence[float]) -> float:
    total = numbers.Sum()
    for value in window.values:
        total.add(value)
    return total.value


def count_over_time(window: Window, _: Sequence[float]) -> float:
    return float(len(window.values))


def max_over_time(window: Window, _: Sequence[float]) -> float:
    found = window.values[0]
    for value in window.values:
        if value > found or math.isnan(found):
            found = value
    return found


def min_over_time(window: Window, _: Sequence[float]) -> float:
    found = window.values[0]
    for value in window.values:
        if value < found or math.isnan(found):
            found = value
    return found


def first_over_time(window: Window, _: Sequence[float]) -> float:
    return window.values[0]


def last_over_time(window: Window, _: Sequence[float]) -> float:
    return window.values[-1]


def present_over_time(_: Window, __: Sequence[float]) -> float:
    return 1.0


def quantile_over_time(window: Window, parameters: Sequence[float]) -> float:
    return numbers.quantile(parameters[0], window.values)


def stdvar_over_time(window: Window, _: Sequence[float]) -> float:
    return numbers.variance(window.values)


def stddev_over_time(window: Window, _: Sequence[float]) -> float:
    return numbers.root(numbers.variance(window.values))


FUNCTIONS: Final[dict[str, Function]] = {
    "absent_over_time": present_over_time,  # the evaluation turns it round, over all series
    "avg_over_time": average_over_time,
    "changes": changes,
    "count_over_time": count_over_time,
    "delta": delta,
    "deriv": deriv,
    "first_over_time": first_over_time,
    "idelta": idelta,
    "increase": increase,
    "irate": irate,
    "last_over_time": last_over_time,
    "max_over_time": max_over_time,
    "min_over_time": min_over_time,
    "predict_linear": predict_linear,
    "present_over_time": present_over_time,
    "quantile_over_time": quantile_over_time,
    "rate": rate,
    "resets": resets,
    "stddev_over_time": stddev_over_time,
    "stdvar_over_time": stdvar_over_time,
    "sum_over_time": sum_over_time,
}
KEEP_THE_NAME: Final = ("first_over_time", "last_over_time")
FOR_COUNTERS: Final = ("increase", "rate")
COUNTER_ENDINGS: Final = ("_total", "_sum", "_count", "_bucket")
