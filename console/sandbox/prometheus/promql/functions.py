"""Functions from one value to one value, and from a moment to a part of its date."""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from console.sandbox.prometheus.promql import numbers
from console.sandbox.prometheus.promql.errors import CannotExecute
from console.sandbox.prometheus.promql.numbers import logarithm, within_domain


def _sign(value: float) -> float:
    return value if value == 0 or math.isnan(value) else math.copysign(1.0, value)


SIMPLE: Final[dict[str, Callable[[float], float]]] = {
    "abs": abs,
    "acos": within_domain(math.acos),
    "acosh": within_domain(math.acosh),
    "asin": within_domain(math.asin),
    "asinh": math.asinh,
    "atan": math.atan,
    "atanh": numbers.atanh,
    "ceil": numbers.ceil,
    "cos": within_domain(math.cos),
    "cosh": within_domain(math.cosh),
    "deg": lambda value: value * (180 / math.pi),
    "exp": numbers.exp,
    "floor": numbers.floor,
    "ln": logarithm(math.log),
    "log10": logarithm(math.log10),
    "log2": logarithm(math.log2),
    "rad": lambda value: value * (math.pi / 180),
    "sgn": _sign,
    "sin": within_domain(math.sin),
    "sinh": within_domain(math.sinh),
    "sqrt": numbers.root,
    "tan": within_domain(math.tan),
    "tanh": math.tanh,
}
DATES: Final[dict[str, Callable[[datetime], int]]] = {
    "day_of_month": lambda moment: moment.day,
    "day_of_week": lambda moment: moment.isoweekday() % 7,
    "day_of_year": lambda moment: moment.timetuple().tm_yday,
    "days_in_month": lambda moment: monthrange(moment.year, moment.month)[1],
    "hour": lambda moment: moment.hour,
    "minute": lambda moment: moment.minute,
    "month": lambda moment: moment.month,
    "year": lambda moment: moment.year,
}
OF_NATIVE_HISTOGRAMS: Final = frozenset(
    ["histogram_avg", "histogram_count", "histogram_sum", "histogram_stddev", "histogram_stdvar"]
)
"""They take native histograms only, of which there are none here, and leave plain samples out."""


def part_of_date(name: str, seconds: float) -> float:
    try:
        moment = datetime.fromtimestamp(math.trunc(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        raise CannotExecute(f"{name}() of {numbers.general(seconds)}: no date between the years 1 and 9999") from None
    return float(DATES[name](moment))


def clamped(value: float, lowest: float, highest: float) -> float:
    return numbers.larger(lowest, numbers.smaller(highest, value))


def rounded(value: float, nearest: float) -> float:
    inverse = numbers.divide(1.0, nearest)
    return numbers.divide(numbers.floor(value * inverse + 0.5), inverse)
