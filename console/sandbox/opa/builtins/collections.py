"""Arrays, sets, types, and what is asked of any collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from console.sandbox.opa.builtins.given import Undefined, a_set, array, listed, obj, whole
from console.sandbox.opa.values import Obj, Set, Value, children, key_of, same, type_name


def _count(value: Value) -> int:
    if isinstance(value, str | tuple | Obj | Set):
        return len(value)
    raise Undefined


def _most(value: Value, pick: Callable[..., Any]) -> Value:
    items = listed(value)
    if not items:
        raise Undefined
    return pick(items, key=key_of)


def _slice(value: Value, start: Value, stop: Value) -> Value:
    first, last = max(whole(start), 0), min(whole(stop), len(array(value)))
    return array(value)[first:last] if first < last else ()


def _flatten(value: Value) -> Value:
    made: list[Value] = []
    for item in array(value):
        made += item if isinstance(item, tuple) else [item]
    return tuple(made)


def _and(one: Value, other: Value) -> Set:
    return Set(item for item in a_set(one) if item in a_set(other))


def _intersection(value: Value) -> Set:
    sets = [a_set(item) for item in a_set(value)]
    return Set(item for item in sets[0] if all(item in other for other in sets)) if sets else Set()


def _member(value: Value, where: Value) -> bool:
    if isinstance(where, Set):
        return value in where
    return any(same(inner, value) for _, inner in children(where))


def _member_at(key: Value, value: Value, where: Value) -> bool:
    return any(same(k, key) and same(inner, value) for k, inner in children(where))


def _reachable(graph: Value, starts: Value) -> Set:
    found: Set = Set()
    pending = listed(starts)
    while pending:
        node = pending.pop()
        if node in obj(graph) and node not in found:
            found = Set([*found, node])
            pending += [v for _, v in children(obj(graph).get(node))]
    return found


def _is(kind: str) -> Callable[[Value], bool]:
    return lambda value: type_name(value) == kind


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "count": _count,
    "max": lambda a: _most(a, max),
    "min": lambda a: _most(a, min),
    "sort": lambda a: tuple(sorted(listed(a), key=key_of)),
    "array.concat": lambda a, b: (*array(a), *array(b)),
    "array.slice": _slice,
    "array.reverse": lambda a: array(a)[::-1],
    "array.flatten": _flatten,
    "and": _and,
    "or": lambda a, b: Set([*a_set(a), *a_set(b)]),
    "intersection": _intersection,
    "union": lambda a: Set(item for inner in a_set(a) for item in a_set(inner)),
    "internal.member_2": _member,
    "internal.member_3": _member_at,
    "graph.reachable": _reachable,
    "type_name": type_name,
    **{f"is_{kind}": _is(kind) for kind in ("array", "boolean", "null", "number", "object", "set", "string")},
}
