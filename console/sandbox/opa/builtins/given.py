"""What a function was given, as what it asks for."""

from __future__ import annotations

from console.sandbox.opa.values import Obj, Set, Value


class Undefined(Exception):
    """The function has no result for what it was given."""


def string(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise Undefined


def boolean(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    raise Undefined


def num(value: Value) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise Undefined


def whole(value: Value) -> int:
    found = num(value)
    if int(found) != found:
        raise Undefined
    return int(found)


def array(value: Value) -> tuple[Value, ...]:
    if isinstance(value, tuple):
        return value
    raise Undefined


def a_set(value: Value) -> Set:
    if isinstance(value, Set):
        return value
    raise Undefined


def obj(value: Value) -> Obj:
    if isinstance(value, Obj):
        return value
    raise Undefined


def listed(value: Value) -> list[Value]:
    """The items of an array or a set."""
    if isinstance(value, tuple | Set):
        return list(value)
    raise Undefined


def strings(value: Value) -> list[str]:
    """One string, or those of an array or a set."""
    return [value] if isinstance(value, str) else [string(item) for item in listed(value)]
