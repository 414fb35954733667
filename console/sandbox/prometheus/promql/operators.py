"""Binary operators: between numbers, between a row and numbers, and between rows that match by their labels."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Final, cast

from console.sandbox.prometheus.promql import numbers
from console.sandbox.prometheus.promql.errors import CannotExecute
from console.sandbox.prometheus.promql.rows import METADATA, Row, Value, get, only, put, shown, unnamed, without
from console.sandbox.prometheus.promql.syntax import Matching
from console.sandbox.prometheus.storage import Labels

ARITHMETIC: Final[dict[str, Callable[[float, float], float]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": numbers.divide,
    "%": numbers.modulo,
    "^": numbers.power,
    "atan2": math.atan2,
}
COMPARISON: Final[dict[str, Callable[[float, float], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
SETS: Final = ("and", "or", "unless")


def between_numbers(sign: str, left: float, right: float) -> float:
    if sign in ARITHMETIC:
        return ARITHMETIC[sign](left, right)
    return float(COMPARISON[sign](left, right))


def applied(sign: str, left: float, right: float, *, as_bool: bool, kept: float) -> Value:
    """The value of one pair; for a comparison, the kept side where it holds, or whether it holds."""
    if sign in ARITHMETIC:
        return ARITHMETIC[sign](left, right)
    holds = COMPARISON[sign](left, right)
    if as_bool:
        return float(holds)
    return kept if holds else None


def with_numbers(sign: str, rows: list[Row], scalars: list[float], *, swapped: bool, as_bool: bool) -> list[Row]:
    """Each row with a number for each step; swapped when the numbers stand on the left."""
    renames = sign in ARITHMETIC or as_bool
    found = []
    for row in rows:
        values: list[Value] = []
        for value, number in zip(row.values, scalars, strict=True):
            if value is None:
                values.append(None)
                continue
            left, right = (number, value) if swapped else (value, number)
            values.append(applied(sign, left, right, as_bool=as_bool, kept=value))
        found.append(Row(unnamed(row.labels) if renames else row.labels, values))
    return found


def signature(matching: Matching) -> Callable[[Labels], Labels]:
    """What of a series' labels must be equal on both sides."""
    names = frozenset(matching.labels)
    if matching.on:
        return lambda labels: only(labels, names)
    ignored = names.union(METADATA)
    return lambda labels: without(labels, ignored)


def of_sets(sign: str, left: list[Row], right: list[Row], matching: Matching, steps: int) -> list[Row]:
    """`and`, `or` and `unless`: rows of one side, where the other has a match or has none."""
    sign_of = signature(matching)
    present = _present(right if sign != "or" else left, sign_of)
    none = [False] * steps
    if sign == "or":
        return [*left, *(_where(row, present.get(sign_of(row.labels), none), wanted=False) for row in right)]
    return [_where(row, present.get(sign_of(row.labels), none), wanted=sign == "and") for row in left]


def _present(rows: list[Row], sign_of: Callable[[Labels], Labels]) -> dict[Labels, list[bool]]:
    found: dict[Labels, list[bool]] = {}
    for row in rows:
        known = found.setdefault(sign_of(row.labels), [False] * len(row.values))
        for step, value in enumerate(row.values):
            known[step] = known[step] or value is not None
    return found


def _where(row: Row, present: list[bool], *, wanted: bool) -> Row:
    return Row(row.labels, [v if p is wanted else None for v, p in zip(row.values, present, strict=True)])


class RowsWithRows:
    """Arithmetic and comparison between the rows of two sides."""

    def __init__(self, sign: str, matching: Matching, *, as_bool: bool) -> None:
        self._sign = sign
        self._matching = matching
        self._as_bool = as_bool
        self._signature = signature(matching)
        self._swapped = matching.cardinality == "one-to-many"
        """Then the many side is the right one; below, `many` and `one` are already told apart."""
        self._one_to_one = matching.cardinality == "one-to-one"

    def rows(self, left: list[Row], right: list[Row], steps: int) -> list[Row]:
        many, one = (right, left) if self._swapped else (left, right)
        many_keys = [self._signature(row.labels) for row in many]
        one_keys = [self._signature(row.labels) for row in one]
        found: dict[Labels, Row] = {}
        for step in range(steps):
            if all(row.values[step] is None for row in many):
                continue
            partners = self._partners(one, one_keys, step)
            made: dict[Labels, set[Labels]] = {}
            for row, key in zip(many, many_keys, strict=True):
                if row.values[step] is not None and key in partners:
                    self._pair(row, partners[key], step, steps, made.setdefault(key, set()), found)
        return list(found.values())

    def _partners(self, one: list[Row], keys: list[Labels], step: int) -> dict[Labels, Row]:
        """The rows of the one side that have a value at this step, at most one for each match group."""
        partners: dict[Labels, Row] = {}
        for row, key in zip(one, keys, strict=True):
            if row.values[step] is None:
                continue
            if key in partners:
                series = ", ".join(sorted((shown(row.labels), shown(partners[key].labels))))
                side = "left" if self._swapped else "right"
                raise CannotExecute(
                    f"found duplicate series for the match group {shown(key)} on the {side} hand-side of the operation: "
                    f"[{series}];many-to-many matching not allowed: matching labels must be unique on one side"
                )
            partners[key] = row
        return partners

    def _pair(self, row: Row, partner: Row, step: int, steps: int, made: set[Labels], found: dict[Labels, Row]) -> None:
        """The result of one row of the many side; `made` are the results of its match group at this step."""
        if made and self._one_to_one:
            raise CannotExecute(
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            )
        labels = self._labels(row.labels, partner.labels)
        if labels in made:
            raise CannotExecute("multiple matches for labels: grouping labels must ensure unique matches")
        made.add(labels)
        many, one = cast(float, row.values[step]), cast(float, partner.values[step])
        left, right = (one, many) if self._swapped else (many, one)
        value = applied(self._sign, left, right, as_bool=self._as_bool, kept=left)
        if value is None:
            return
        result = found.setdefault(labels, Row(labels, [None] * steps))
        if result.values[step] is not None:
            raise CannotExecute("vector cannot contain metrics with the same labelset")
        result.values[step] = value

    def _labels(self, many: Labels, one: Labels) -> Labels:
        labels = unnamed(many) if self._as_bool or self._sign in ARITHMETIC else many
        if self._one_to_one:
            names = self._matching.labels
            labels = only(labels, names) if self._matching.on else without(labels, names)
        for name in self._matching.include:
            labels = put(labels, name, get(one, name))
        return labels
