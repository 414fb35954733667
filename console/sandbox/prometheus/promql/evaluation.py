"""The value of a query's tree at every step between two times, over the series of a store.

One evaluation answers all the steps: a part of the tree becomes rows (`rows`), a scalar a number for each step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from console.sandbox.prometheus.promql import aggregations, numbers, operators, windows
from console.sandbox.prometheus.promql.calls import CALLS, labels_of_absence
from console.sandbox.prometheus.promql.errors import CannotExecute, TimedOut
from console.sandbox.prometheus.promql.matchers import Matcher
from console.sandbox.prometheus.promql.remarks import Remarks, quantile_out_of_range
from console.sandbox.prometheus.promql.rows import Row, Value, get, is_empty, mapped, merged, unnamed
from console.sandbox.prometheus.promql.syntax import (
    Aggregation,
    At,
    Binary,
    Call,
    Expr,
    Negation,
    Number,
    Range,
    Selector,
    Subquery,
    Text,
    bare,
    is_invariant,
)
from console.sandbox.prometheus.promql.windows import Window
from console.sandbox.prometheus.storage import NAME, Labels, Series, Storage

LOOK_BACK: Final = 300_000
MOST_SAMPLES: Final = 5_000_000
"""That one query may touch."""
_MOST_STEPS: Final = 200_000


@dataclass
class Limits:
    """What one query may still cost, its subqueries with it."""

    deadline: float = field(default_factory=lambda: time.monotonic() + 120)
    samples: int = MOST_SAMPLES

    def spend(self, samples: int) -> None:
        self.samples -= samples
        if self.samples < 0:
            raise CannotExecute("query processing would load too many samples into memory in query execution")
        if time.monotonic() > self.deadline:
            raise TimedOut("query timed out in expression evaluation")


@dataclass(frozen=True)
class Evaluation:
    storage: Storage
    start: int
    end: int
    step: int
    first: int
    """The start of the whole query, which `@ start()` means in a subquery too; `last` is its end."""
    last: int
    look_back: int = LOOK_BACK
    default_step: int = 60_000
    """Of a subquery that names none."""
    remarks: Remarks = field(default_factory=Remarks)
    limits: Limits = field(default_factory=Limits)

    @property
    def times(self) -> range:
        return range(self.start, self.end + 1, self.step)

    @property
    def instant(self) -> bool:
        return self.start == self.end

    # ------------------------------------------------------------ scalars

    def scalar(self, expr: Expr) -> list[float]:
        """A number for each step."""
        self.limits.spend(len(self.times))
        match bare(expr):
            case Number(value=value):
                return [value] * len(self.times)
            case Negation(expr=inner):
                return [-value for value in self.scalar(inner)]
            case Binary(operator=sign, left=left, right=right):
                pairs = zip(self.scalar(left), self.scalar(right), strict=True)
                return [operators.between_numbers(sign, a, b) for a, b in pairs]
            case Call(function="time"):
                return [moment / 1000 for moment in self.times]
            case Call(function="pi"):
                return [3.141592653589793] * len(self.times)
            case Call(function="scalar", arguments=(argument,)):
                return self._the_only(self.rows(argument))
            case other:
                raise CannotExecute(f"the drill's Prometheus does not do {_called(other)}")

    def _the_only(self, rows: Sequence[Row]) -> list[float]:
        found = []
        for step in range(len(self.times)):
            present = [value for row in rows if (value := row.values[step]) is not None]
            found.append(present[0] if len(present) == 1 else numbers.NAN)
        return found

    # ------------------------------------------------------------ vectors

    def rows(self, expr: Expr) -> list[Row]:
        """Rows with a value at least at one step."""
        if not self.instant and is_invariant(expr):
            once = replace(self, end=self.start).rows(expr)
            return [Row(row.labels, row.values * len(self.times)) for row in once]
        found = [row for row in self._rows(bare(expr)) if not is_empty(row)]
        self.limits.spend(len(found) * len(self.times))
        return found

    def _rows(self, expr: Expr) -> list[Row]:
        match expr:
            case Selector():
                return self._selected(expr, lambda sample: sample[1])
            case Negation(expr=inner):
                return mapped(self.rows(inner), lambda value: -value)
            case Aggregation():
                return self._aggregated(expr)
            case Binary():
                return merged(self._combined(expr))
            case Call(function=name) if name in windows.FUNCTIONS:
                return self._over_windows(expr)
            case Call(function="timestamp", arguments=(argument,)):
                return self._timestamps(bare(argument))
            case Call(function=name) if name in CALLS:
                return CALLS[name](self, expr)
            case other:
                raise CannotExecute(f"the drill's Prometheus does not do {_called(other)}")

    def _selected(self, selector: Selector, of: Callable[[tuple[int, float]], float]) -> list[Row]:
        rows = []
        fixed = self._fixed(selector.at)
        for series in select(self.storage, selector.every_matcher):
            self.limits.spend(1)
            values: list[Value] = []
            for moment in self.times:
                sample = series.last_at((moment if fixed is None else fixed) - selector.offset, self.look_back)
                values.append(None if sample is None else of(sample))
            rows.append(Row(series.labels, values))
        return rows

    def _timestamps(self, argument: Expr) -> list[Row]:
        """Of the samples themselves where series are asked for directly; else of the evaluation."""
        if isinstance(argument, Selector):
            rows = self._selected(argument, lambda sample: sample[0] / 1000)
            return merged(Row(unnamed(row.labels), row.values) for row in rows)
        return merged(
            Row(
                unnamed(row.labels),
                [None if v is None else at / 1000 for v, at in zip(row.values, self.times, strict=True)],
            )
            for row in self.rows(argument)
        )

    def _combined(self, node: Binary) -> list[Row]:
        sign, left, right = node.operator, node.left, node.right
        if sign in operators.SETS:
            sides = self.rows(left), self.rows(right)
            return operators.of_sets(sign, *sides, node.matching, len(self.times))
        if left.type == "scalar":
            scalars = self.scalar(left)
            return operators.with_numbers(sign, self.rows(right), scalars, swapped=True, as_bool=node.as_bool)
        if right.type == "scalar":
            rows = self.rows(left)
            return operators.with_numbers(sign, rows, self.scalar(right), swapped=False, as_bool=node.as_bool)
        sides = self.rows(left), self.rows(right)
        return operators.RowsWithRows(sign, node.matching, as_bool=node.as_bool).rows(*sides, len(self.times))

    def _aggregated(self, node: Aggregation) -> list[Row]:
        steps = len(self.times)
        if node.operator == "count_values":
            label = cast(Text, bare(cast(Expr, node.parameter))).value
            if not label:
                raise CannotExecute('invalid label name ""')
            return aggregations.count_values(node, label, self.rows(node.expr), steps)
        if node.operator in aggregations.SIMPLE:
            function = aggregations.SIMPLE[node.operator]
            groups = aggregations.grouped(node, self.rows(node.expr))
            return aggregations.reduced(groups, lambda values, _: function(values), steps)
        if node.parameter is None:
            raise CannotExecute(f"the drill's Prometheus does not do {node.operator}()")
        parameters = self.scalar(node.parameter)
        groups = aggregations.grouped(node, self.rows(node.expr))
        if node.operator == "quantile":
            self._check_quantiles(parameters, bare(node.parameter).start)
            return aggregations.reduced(groups, lambda values, at: numbers.quantile(parameters[at], values), steps)
        if node.operator not in ("topk", "bottomk"):
            raise CannotExecute(f"the drill's Prometheus does not do {node.operator}()")
        return aggregations.best(groups, parameters, largest=node.operator == "topk")

    def _check_quantiles(self, parameters: Sequence[float], start: int | None) -> None:
        if any(q != q for q in parameters):
            quantile_out_of_range(self.remarks, numbers.NAN, start)
        largest, smallest = numbers.largest(parameters), numbers.smallest(parameters)
        if largest > 1:
            quantile_out_of_range(self.remarks, largest, start)
        if smallest < 0:
            quantile_out_of_range(self.remarks, smallest, start)

    # ------------------------------------------------------------ windows

    def _over_windows(self, call: Call) -> list[Row]:
        name = call.function
        function = windows.FUNCTIONS[name]
        arguments = [bare(argument) for argument in call.arguments]
        ranges = next(one for one in arguments if one.type == "range vector")
        scalars = [self.scalar(one) for one in arguments if one is not ranges]
        rows: list[Row] = []
        for labels, steps in self.windows(ranges):
            values: list[Value] = []
            for step, window in enumerate(steps):
                parameters = [numbers_[step] for numbers_ in scalars]
                if name == "quantile_over_time" and window.values and not 0 <= parameters[0] <= 1:
                    quantile_out_of_range(self.remarks, parameters[0], call.argument(0).start)
                values.append(function(window, parameters) if window.values else None)
            row = Row(labels if name in windows.KEEP_THE_NAME else unnamed(labels), values)
            if name in windows.FOR_COUNTERS and not is_empty(row):
                self._doubt_the_counter(labels, 0 if isinstance(ranges, Subquery) else ranges.start)
            rows.append(row)
        if name == "absent_over_time":
            return self._turned_round(rows, ranges)
        return merged(rows)

    def _doubt_the_counter(self, labels: Labels, start: int | None) -> None:
        name = get(labels, NAME)
        if name and not name.endswith(windows.COUNTER_ENDINGS):
            self.remarks.inform(
                f'metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "{name}"', start
            )

    def _turned_round(self, rows: Sequence[Row], ranges: Expr) -> list[Row]:
        selector = ranges.selector if isinstance(ranges, Range) else None
        steps = range(len(self.times))
        absent: list[Value] = [None if any(row.values[at] is not None for row in rows) else 1.0 for at in steps]
        return [Row(labels_of_absence(selector), absent)]

    def windows(self, ranges: Expr) -> Iterator[tuple[Labels, list[Window]]]:
        """Each series with its window at every step."""
        if isinstance(ranges, Subquery):
            sources, at, offset, length = self._of_subquery(ranges), ranges.at, ranges.offset, ranges.length
        elif isinstance(ranges, Range):
            selector = ranges.selector
            sources = select(self.storage, selector.every_matcher)
            at, offset, length = selector.at, selector.offset, ranges.length
        else:
            raise CannotExecute(f"the drill's Prometheus does not do {_called(ranges)}")
        fixed = self._fixed(at)
        for series in sources:
            found: list[Window] = []
            for moment in self.times:
                end = (moment if fixed is None else fixed) - offset
                times, values = series.between(end - length, end)
                self.limits.spend(len(values) + 1)
                found.append(Window(times, values, end - length, end, moment))
            yield series.labels, found

    def _of_subquery(self, node: Subquery) -> list[Series]:
        """The expression inside, evaluated on its own grid, as series."""
        step = node.step or self.default_step
        fixed = self._fixed(node.at)
        first = (self.start if fixed is None else fixed) - node.offset
        last = (self.times[-1] if fixed is None else fixed) - node.offset
        start = (first - node.length) // step * step + step
        if last < start:
            return []
        if (last - start) // step > _MOST_STEPS:
            raise CannotExecute("query processing would load too many samples into memory in query execution")
        inner = replace(self, start=start, end=last, step=step)
        if node.expr.type == "scalar":
            raise CannotExecute("the drill's Prometheus does not do subqueries of scalars")
        found = []
        for row in inner.rows(node.expr):
            series = Series(row.labels)
            for moment, value in zip(inner.times, row.values, strict=True):
                if value is not None:
                    series.add(moment, value)
            found.append(series)
        return found

    def _fixed(self, at: At) -> int | None:
        if at == "start":
            return self.first
        return self.last if at == "end" else at


def select(storage: Storage, matchers: Sequence[Matcher]) -> list[Series]:
    """The series that all matchers match, in the order in which they came into being."""
    named = next((one.value for one in matchers if one.name == NAME and one.operator == "="), None)
    candidates = storage if named is None else storage.named(named)
    return [series for series in candidates if _match(matchers, dict(series.labels))]


def _match(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    return all(one.matches(labels.get(one.name, "")) for one in matchers)


def _called(expr: Expr) -> str:
    if isinstance(expr, Call):
        return f"{expr.function}()"
    return {Text: "texts", Range: "ranges", Subquery: "subqueries"}.get(type(expr), type(expr).__name__) + " here"
