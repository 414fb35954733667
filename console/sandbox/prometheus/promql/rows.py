"""What the parts of a query give each other: rows, a value for each step or none where there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from console.sandbox.prometheus.promql.errors import CannotExecute
from console.sandbox.prometheus.storage import NAME, Labels

Value = float | None
METADATA = (NAME, "__type__", "__unit__")
"""Labels that say what a metric is; a result that is something else loses them."""


@dataclass(slots=True)
class Row:
    labels: Labels
    values: list[Value]


def unnamed(labels: Labels) -> Labels:
    return without(labels, METADATA)


def without(labels: Labels, names: Collection[str]) -> Labels:
    return tuple(pair for pair in labels if pair[0] not in names)


def only(labels: Labels, names: Collection[str]) -> Labels:
    return tuple(pair for pair in labels if pair[0] in names)


def get(labels: Labels, name: str) -> str:
    return next((value for key, value in labels if key == name), "")


def put(labels: Labels, name: str, value: str) -> Labels:
    """With that label set; an empty value takes it away."""
    rest = [pair for pair in labels if pair[0] != name]
    return tuple(sorted([*rest, (name, value)] if value else rest))


def merged(rows: Iterable[Row]) -> list[Row]:
    """Rows of the same labels become one; two values at the same step are one too many."""
    found: dict[Labels, Row] = {}
    for row in rows:
        known = found.setdefault(row.labels, row)
        if known is row:
            continue
        for step, value in enumerate(row.values):
            if value is None:
                continue
            if known.values[step] is not None:
                raise CannotExecute("vector cannot contain metrics with the same labelset")
            known.values[step] = value
    return list(found.values())


def mapped(rows: Iterable[Row], function: Callable[[float], float]) -> list[Row]:
    """Each value through a function; what comes out is no longer the metric that went in."""
    return merged(
        Row(unnamed(row.labels), [None if value is None else function(value) for value in row.values]) for row in rows
    )


def is_empty(row: Row) -> bool:
    return all(value is None for value in row.values)


def shown(labels: Labels) -> str:
    """As Prometheus writes a series in a message."""
    import json

    inside = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels)
    return f"{{{inside}}}"
