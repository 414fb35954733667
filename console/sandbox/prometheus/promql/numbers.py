"""Numbers as Prometheus' own language computes and writes them: nothing overflows into an error, nothing rounds to an integer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import reduce

NAN = math.nan
INFINITY = math.inf


def divide(a: float, b: float) -> float:
    if b:
        return a / b
    if a == 0 or math.isnan(a) or math.isnan(b):
        return NAN
    return math.copysign(INFINITY, a) * math.copysign(1.0, b)


def modulo(a: float, b: float) -> float:
    try:
        return math.fmod(a, b)
    except ValueError:
        return NAN


def power(a: float, b: float) -> float:
    odd = math.isfinite(b) and b.is_integer() and math.fmod(b, 2) != 0
    try:
        return math.pow(a, b)
    except OverflowError:
        return -INFINITY if a < 0 and odd else INFINITY
    except ValueError:
        if a == 0:  # of a negative power
            return math.copysign(INFINITY, a) if odd else INFINITY
        return NAN


def exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return INFINITY


def logarithm(log: Callable[[float], float]) -> Callable[[float], float]:
    def computed(value: float) -> float:
        if value == 0:
            return -INFINITY
        return log(value) if value > 0 else NAN

    return computed


def within_domain(function: Callable[[float], float]) -> Callable[[float], float]:
    """A function of the math module that gives no number where it has none, and infinity where that is too large."""

    def computed(value: float) -> float:
        try:
            return function(value)
        except ValueError:
            return NAN
        except OverflowError:
            return math.copysign(INFINITY, value) if function is math.sinh else INFINITY

    return computed


def atanh(value: float) -> float:
    if abs(value) == 1:
        return math.copysign(INFINITY, value)
    return within_domain(math.atanh)(value)


def floor(value: float) -> float:
    return math.copysign(float(math.floor(value)), value) if math.isfinite(value) else value


def ceil(value: float) -> float:
    return math.copysign(float(math.ceil(value)), value) if math.isfinite(value) else value


def larger(a: float, b: float) -> float:
    if (math.isinf(a) and a > 0) or (math.isinf(b) and b > 0):
        return INFINITY
    return NAN if math.isnan(a) or math.isnan(b) else max(a, b)


def smaller(a: float, b: float) -> float:
    if (math.isinf(a) and a < 0) or (math.isinf(b) and b < 0):
        return -INFINITY
    return NAN if math.isnan(a) or math.isnan(b) else min(a, b)


def largest(values: Iterable[float]) -> float:
    return reduce(larger, values)


def smallest(values: Iterable[float]) -> float:
    return reduce(smaller, values)


class Sum:
    """A running sum that keeps what the rounding took (Kahan and Neumaier)."""

    __slots__ = ("lost", "total")

    def __init__(self, total: float = 0.0, lost: float = 0.0) -> None:
        self.total = total
        self.lost = lost

    def add(self, value: float) -> None:
        total = self.total + value
        if math.isinf(total):
            self.lost = 0.0
        elif abs(self.total) >= abs(value):
            self.lost += (self.total - total) + value
        else:
            self.lost += (value - total) + self.total
        self.total = total

    @property
    def value(self) -> float:
        return self.total if math.isinf(self.total) else self.total + self.lost


def mean(values: Iterable[float]) -> float:
    """By the sum as long as that is finite, then step by step."""
    running = Sum()
    count = 0.0
    stepwise = False
    for value in values:
        count += 1
        if count == 1:
            running.total = value
            continue
        if not stepwise:
            trial = Sum(running.total, running.lost)
            trial.add(value)
            if not math.isinf(trial.total):
                running = trial
                continue
            stepwise = True
            running = Sum(running.total / (count - 1), running.lost / (count - 1))
        rest = (count - 1) / count
        running = Sum(rest * running.total, rest * running.lost)
        running.add(value / count)
    if stepwise:
        return running.total + running.lost
    return running.total / count + running.lost / count


def variance(values: Iterable[float]) -> float:
    count = 0.0
    average, squares = Sum(), Sum()
    for value in values:
        count += 1
        distance = value - (average.total + average.lost)
        average.add(distance / count)
        squares.add(distance * (value - (average.total + average.lost)))
    return (squares.total + squares.lost) / count


def root(value: float) -> float:
    return math.sqrt(value) if value >= 0 else NAN


def quantile(q: float, values: Iterable[float]) -> float:
    """Between the two nearest ranks; what is no number ranks lowest."""
    ordered = sorted(values, key=lambda value: (not math.isnan(value), value))
    if not ordered or math.isnan(q):
        return NAN
    if not 0 <= q <= 1:
        return math.copysign(INFINITY, q)
    rank = q * (len(ordered) - 1)
    lower = max(0, math.floor(rank))
    upper = min(len(ordered) - 1, lower + 1)
    weight = rank - math.floor(rank)
    if weight == 0:
        return ordered[lower]
    return ordered[lower] * (1 - weight) + ordered[upper] * weight


def plain(value: float) -> str:
    """Without an exponent, as few digits as tell it from its neighbours."""
    special = _special(value)
    return special or _trimmed(format(Decimal(repr(value)), "f"))


def in_json(value: float) -> str:
    """As the API writes a sample's value: plain, but for very small and very large numbers."""
    if value and math.isfinite(value) and not 1e-6 <= abs(value) < 1e21:
        return scientific(value).replace("e-0", "e-")
    return plain(value)


def scientific(value: float) -> str:
    """With an exponent always, as the API writes an alert's value: 3.42e+01."""
    special = _special(value)
    if special:
        return special
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - it is finite
    written = "".join(map(str, digits))
    power_of_ten = exponent + len(digits) - 1 if value else 0
    fraction = f".{written[1:]}" if len(written) > 1 else ""
    return f"{'-' if sign else ''}{written[0]}{fraction}e{'-' if power_of_ten < 0 else '+'}{abs(power_of_ten):02d}"


def general(value: float) -> str:
    """Plain where the exponent is small, else with it, as messages and templates write numbers."""
    if not math.isfinite(value) or value == 0 or 1e-4 <= abs(value) < 1e6:
        return plain(value)
    return scientific(value)


def _special(value: float) -> str | None:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return None


def _trimmed(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
