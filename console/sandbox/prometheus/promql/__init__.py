"""PromQL over the drill's store: `instant` and `over_time` give what the query API of Prometheus would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from console.sandbox.prometheus.promql.errors import BadQuery, CannotExecute, TimedOut
from console.sandbox.prometheus.promql.evaluation import LOOK_BACK, Evaluation, Limits, select
from console.sandbox.prometheus.promql.matchers import Matcher
from console.sandbox.prometheus.promql.remarks import Remarks
from console.sandbox.prometheus.promql.syntax import Expr, Selector, Text, bare, parse
from console.sandbox.prometheus.storage import Labels, Storage

__all__ = [
    "BadQuery",
    "CannotExecute",
    "Expr",
    "Limits",
    "Matcher",
    "Result",
    "Selector",
    "TimedOut",
    "instant",
    "over_time",
    "parse",
    "select",
]

Sort = Literal["vector", "matrix", "scalar", "string"]
Points = Sequence[tuple[int, float]]
DEFAULT_STEP: Final = 60_000


@dataclass(frozen=True)
class Result:
    """An answer: each series with its points, times in milliseconds; a text is no series."""

    sort: Sort
    series: Sequence[tuple[Labels, Points]]
    text: str = ""
    remarks: Remarks = field(default_factory=Remarks)


def instant(
    storage: Storage,
    expr: Expr,
    time: int,
    *,
    look_back: int = LOOK_BACK,
    default_step: int = DEFAULT_STEP,
    limits: Limits | None = None,
) -> Result:
    """The value at one time."""
    at = _evaluation(storage, (time, time, 1), look_back, default_step, limits)
    found = bare(expr)
    if isinstance(found, Text):
        return Result("string", [], found.value)
    if found.type == "scalar":
        return Result("scalar", [((), [(time, at.scalar(found)[0])])], remarks=at.remarks)
    if found.type == "range vector":
        ranges = [(labels, steps[0]) for labels, steps in at.windows(found)]
        points = [(labels, list(zip(w.times, w.values, strict=True))) for labels, w in ranges if w.values]
        return Result("matrix", sorted(points, key=lambda one: one[0]), remarks=at.remarks)
    series = [(row.labels, [(time, value)]) for row in at.rows(found) if (value := row.values[0]) is not None]
    return Result("vector", series, remarks=at.remarks)


def over_time(
    storage: Storage,
    expr: Expr,
    start: int,
    end: int,
    step: int,
    *,
    look_back: int = LOOK_BACK,
    default_step: int = DEFAULT_STEP,
    limits: Limits | None = None,
) -> Result:
    """The value at every step, series by their labels."""
    at = _evaluation(storage, (start, end, step), look_back, default_step, limits)
    if expr.type not in ("scalar", "instant vector"):
        raise BadQuery(f'invalid expression type "{expr.type}" for range query, must be Scalar or instant Vector')
    if expr.type == "scalar":
        return Result("matrix", [((), list(zip(at.times, at.scalar(expr), strict=True)))], remarks=at.remarks)
    series: list[tuple[Labels, Points]] = []
    for row in at.rows(expr):
        points = [(moment, value) for moment, value in zip(at.times, row.values, strict=True) if value is not None]
        series.append((row.labels, points))
    return Result("matrix", sorted(series, key=lambda one: one[0]), remarks=at.remarks)


def _evaluation(
    storage: Storage, span: tuple[int, int, int], look_back: int, default_step: int, limits: Limits | None
) -> Evaluation:
    start, end, step = span
    return Evaluation(storage, start, end, step, start, end, look_back, default_step, limits=limits or Limits())
