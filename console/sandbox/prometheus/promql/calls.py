"""Functions of whole vectors: those that make, sort, rename or judge rows. Each takes the evaluation and the call."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from console.sandbox.prometheus.promql import functions, histograms, numbers
from console.sandbox.prometheus.promql.errors import CannotExecute
from console.sandbox.prometheus.promql.matchers import NoExpression, regular_expression
from console.sandbox.prometheus.promql.remarks import quantile_out_of_range
from console.sandbox.prometheus.promql.rows import METADATA, Row, Value, get, mapped, merged, put, unnamed, without
from console.sandbox.prometheus.promql.syntax import Call, Selector, Text
from console.sandbox.prometheus.storage import Labels

if TYPE_CHECKING:
    from console.sandbox.prometheus.promql.evaluation import Evaluation

_TEMPLATE: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def _simple(at: Evaluation, call: Call) -> list[Row]:
    return mapped(at.rows(call.argument(0)), functions.SIMPLE[call.function])


def _date(at: Evaluation, call: Call) -> list[Row]:
    name = call.function
    if not call.arguments:
        return [Row((), [functions.part_of_date(name, moment // 1000) for moment in at.times])]
    return mapped(at.rows(call.argument(0)), lambda value: functions.part_of_date(name, value))


def _round(at: Evaluation, call: Call) -> list[Row]:
    nearest = at.scalar(call.argument(1)) if len(call.arguments) > 1 else [1.0] * len(at.times)
    return _with_steps(at.rows(call.argument(0)), lambda value, step: functions.rounded(value, nearest[step]))


def _clamp(at: Evaluation, call: Call) -> list[Row]:
    rows = at.rows(call.argument(0))
    bounds = [at.scalar(argument) for argument in call.arguments[1:]]
    steps = len(at.times)
    lowest = bounds[0] if call.function != "clamp_max" else [-numbers.INFINITY] * steps
    highest = bounds[-1] if call.function != "clamp_min" else [numbers.INFINITY] * steps

    def clamped(value: float, step: int) -> Value:
        if highest[step] < lowest[step]:
            return None
        return functions.clamped(value, lowest[step], highest[step])

    return _with_steps(rows, clamped)


def _with_steps(rows: list[Row], function: Callable[[float, int], Value]) -> list[Row]:
    return merged(
        Row(unnamed(row.labels), [None if v is None else function(v, step) for step, v in enumerate(row.values)])
        for row in rows
    )


def _vector(at: Evaluation, call: Call) -> list[Row]:
    return [Row((), list(at.scalar(call.argument(0))))]


def _absent(at: Evaluation, call: Call) -> list[Row]:
    argument = call.argument(0)
    rows = at.rows(argument)
    labels = labels_of_absence(argument if isinstance(argument, Selector) else None)
    steps = range(len(at.times))
    return [Row(labels, [None if any(row.values[step] is not None for row in rows) else 1.0 for step in steps])]


def labels_of_absence(selector: Selector | None) -> Labels:
    """What can be said about a series that is not there: the labels that were asked for by one equality."""
    if selector is None:
        return ()
    found: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in selector.every_matcher:
        if matcher.name in METADATA:
            continue
        if matcher.operator == "=" and matcher.name not in seen:
            found[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            found.pop(matcher.name, None)
    return tuple(sorted((name, value) for name, value in found.items() if value))


def _sorted(at: Evaluation, call: Call) -> list[Row]:
    rows = at.rows(call.argument(0))
    if not at.instant:
        at.remarks.warn("sort is ineffective for range queries since results are always ordered by labels", call.start)
        return rows
    sign = -1 if call.function == "sort_desc" else 1

    def rank(row: Row) -> tuple[bool, float]:
        value = cast(float, row.values[0])
        return value != value, sign * value

    return sorted(rows, key=rank)


def _label_replace(at: Evaluation, call: Call) -> list[Row]:
    target, replacement, source, pattern = (_text(call, i) for i in range(1, 5))
    try:
        expression = regular_expression(pattern)
    except NoExpression:
        raise CannotExecute(f"invalid regular expression in label_replace(): {pattern}") from None
    if not target:
        raise CannotExecute(f"invalid destination label name in label_replace(): {target}")
    rows = []
    for row in at.rows(call.argument(0)):
        found = expression.fullmatch(get(row.labels, source))
        labels = put(row.labels, target, _expanded(replacement, found)) if found else row.labels
        rows.append(Row(labels, row.values))
    return merged(rows)


def _expanded(template: str, found: re.Match[str]) -> str:
    def group(reference: re.Match[str]) -> str:
        name = reference.group(1) or reference.group(2)
        if name is None:
            return "$"
        key: int | str = int(name) if name.isdigit() else name
        try:
            return found.group(key) or ""
        except IndexError:
            return ""

    return _TEMPLATE.sub(group, template)


def _label_join(at: Evaluation, call: Call) -> list[Row]:
    target, separator = _text(call, 1), _text(call, 2)
    sources = [_text(call, i) for i in range(3, len(call.arguments))]
    if not all(sources):
        raise CannotExecute("invalid source label name in label_join(): ")
    if not target:
        raise CannotExecute("invalid destination label name in label_join(): ")
    return merged(
        Row(put(row.labels, target, separator.join(get(row.labels, name) for name in sources)), row.values)
        for row in at.rows(call.argument(0))
    )


def _text(call: Call, position: int) -> str:
    return cast(Text, call.argument(position)).value


def _histogram_quantile(at: Evaluation, call: Call) -> list[Row]:
    quantiles = at.scalar(call.argument(0))
    rows = at.rows(call.argument(1))
    for q in quantiles:
        if not 0 <= q <= 1:
            quantile_out_of_range(at.remarks, q, call.argument(0).start)
    start = call.argument(1).start

    def value(buckets: list[histograms.Bucket], step: int) -> float:
        found, straightened = histograms.quantile(quantiles[step], buckets)
        if straightened is not None:
            moment = at.times[step]
            at.remarks.straightened(start, moment, straightened.lowest, straightened.highest, straightened.difference)
        return found

    return _of_buckets(at, rows, start, value)


def _histogram_fraction(at: Evaluation, call: Call) -> list[Row]:
    lower, upper = at.scalar(call.argument(0)), at.scalar(call.argument(1))
    argument = call.argument(2)

    def value(buckets: list[histograms.Bucket], step: int) -> float:
        return histograms.fraction(lower[step], upper[step], buckets)

    return _of_buckets(at, at.rows(argument), argument.start, value)


def _of_buckets(
    at: Evaluation, rows: list[Row], start: int | None, value: Callable[[list[histograms.Bucket], int], float]
) -> list[Row]:
    """A value for each histogram: rows that differ in their `le` alone."""
    found: dict[Labels, list[tuple[float, Row]]] = {}
    for row in rows:
        label = get(row.labels, histograms.BUCKET)
        bound = histograms.bound(label)
        if bound is None:
            at.remarks.warn(f'bucket label "le" is missing or has a malformed value of "{label}"', start)
        else:
            found.setdefault(without(row.labels, (histograms.BUCKET,)), []).append((bound, row))
    results = []
    for labels, members in found.items():
        values: list[Value] = []
        for step in range(len(at.times)):
            buckets = [histograms.Bucket(bound, v) for bound, row in members if (v := row.values[step]) is not None]
            values.append(value(buckets, step) if buckets else None)
        results.append(Row(unnamed(labels), values))
    return merged(results)


def _nothing(at: Evaluation, call: Call) -> list[Row]:
    at.rows(call.argument(0))
    return []


CALLS: Final[dict[str, Callable[[Evaluation, Call], list[Row]]]] = {
    **dict.fromkeys(functions.SIMPLE, _simple),
    **dict.fromkeys(functions.DATES, _date),
    **dict.fromkeys(functions.OF_NATIVE_HISTOGRAMS, _nothing),
    **dict.fromkeys(("clamp", "clamp_max", "clamp_min"), _clamp),
    **dict.fromkeys(("sort", "sort_desc"), _sorted),
    "absent": _absent,
    "histogram_fraction": _histogram_fraction,
    "histogram_quantile": _histogram_quantile,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "round": _round,
    "vector": _vector,
}
