"""Aggregations: many rows become one a group, or the best few of each group stay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from console.sandbox.prometheus.promql import numbers
from console.sandbox.prometheus.promql.errors import CannotExecute
from console.sandbox.prometheus.promql.rows import METADATA, Row, Value, only, put, without
from console.sandbox.prometheus.promql.syntax import Aggregation
from console.sandbox.prometheus.storage import Labels

_LARGEST_INTEGER: Final = 2.0**63


def _sum(values: Sequence[float]) -> float:
    total = numbers.Sum(values[0])
    for value in values[1:]:
        total.add(value)
    return total.total + total.lost


def _extreme(better: Callable[[float, float], bool]) -> Callable[[Sequence[float]], float]:
    def found(values: Sequence[float]) -> float:
        best = values[0]
        for value in values[1:]:
            if better(value, best) or math.isnan(best):
                best = value
        return best

    return found


def _stdvar(values: Sequence[float]) -> float:
    first = values[0]
    mean, squares = first, 0.0 if math.isfinite(first) else math.nan
    for count, value in enumerate(values[1:], start=2):
        distance = value - mean
        mean += distance / count
        squares += distance * (value - mean)
    return squares / len(values)


SIMPLE: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "avg": numbers.mean,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "max": _extreme(lambda value, best: value > best),
    "min": _extreme(lambda value, best: value < best),
    "stddev": lambda values: numbers.root(_stdvar(values)),
    "stdvar": _stdvar,
    "sum": _sum,
}


def grouped(node: Aggregation, rows: Iterable[Row]) -> dict[Labels, list[Row]]:
    """The rows by the labels that their group has."""
    key_of = key(node)
    groups: dict[Labels, list[Row]] = {}
    for row in rows:
        groups.setdefault(key_of(row.labels), []).append(row)
    return groups


def key(node: Aggregation) -> Callable[[Labels], Labels]:
    names = frozenset(node.grouping)
    if node.without:
        left_out = names.union(METADATA)
        return lambda labels: without(labels, left_out)
    return lambda labels: only(labels, names)


def reduced(
    groups: dict[Labels, list[Row]], function: Callable[[Sequence[float], int], float], steps: int
) -> list[Row]:
    """One row a group, with a value where any of its rows has one."""
    found = []
    for labels, rows in groups.items():
        values: list[Value] = []
        for step in range(steps):
            present = [value for row in rows if (value := row.values[step]) is not None]
            values.append(function(present, step) if present else None)
        found.append(Row(labels, values))
    return found


def best(groups: dict[Labels, list[Row]], counts: Sequence[float], *, largest: bool) -> list[Row]:
    """`topk` and `bottomk`: in each group and at each step the so many best rows, best first."""
    if numbers.largest(counts) < 1:
        return []
    _check(counts)
    found: dict[Labels, Row] = {}
    for rows in groups.values():
        for step, count in enumerate(counts):
            if count < 1:
                continue
            present = [(value, row) for row in rows if (value := row.values[step]) is not None]
            present.sort(key=lambda pair: _rank(pair[0], largest=largest))
            for value, row in present[: int(min(count, len(present)))]:
                result = found.setdefault(row.labels, Row(row.labels, [None] * len(counts)))
                result.values[step] = value
    return list(found.values())


def _rank(value: float, *, largest: bool) -> tuple[bool, float]:
    return math.isnan(value), -value if largest else value


def _check(counts: Sequence[float]) -> None:
    if any(math.isnan(count) for count in counts):
        raise CannotExecute("Parameter value is NaN")
    smallest, largest = numbers.smallest(counts), numbers.largest(counts)
    if smallest <= -_LARGEST_INTEGER:
        raise CannotExecute(f"Scalar value {numbers.general(smallest)} underflows int64")
    if largest >= _LARGEST_INTEGER:
        raise CannotExecute(f"Scalar value {numbers.general(largest)} overflows int64")


def count_values(node: Aggregation, label: str, rows: Iterable[Row], steps: int) -> list[Row]:
    """How many rows of each group have a value, one row a value."""
    if node.without:
        key_of = key(node)
    else:
        names = frozenset((*node.grouping, label))
        key_of = lambda labels: only(labels, names)  # noqa: E731 - the other one is a closure too
    counts: dict[Labels, Row] = {}
    for row in rows:
        for step, value in enumerate(row.values):
            if value is None:
                continue
            labels = key_of(put(row.labels, label, numbers.plain(value)))
            counted = counts.setdefault(labels, Row(labels, [None] * steps))
            counted.values[step] = (counted.values[step] or 0.0) + 1
    return list(counts.values())
