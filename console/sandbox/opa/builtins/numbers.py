"""Arithmetic, comparison, bits, units and versions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from console.sandbox.opa.builtins.given import Undefined, listed, num, string, whole
from console.sandbox.opa.values import Set, Value, key_of, number, same

_LARGEST_RANGE: Final = 1_000_000


def _minus(one: Value, other: Value) -> Value:
    if isinstance(one, Set) and isinstance(other, Set):
        return Set(item for item in one if item not in other)
    return number(_exact(num(one), num(other), -1))


def _plus(one: Value, other: Value) -> Value:
    return number(_exact(num(one), num(other), 1))


def _exact(one: float, other: float, sign: int) -> int | float:
    return one + sign * other


def _div(one: Value, other: Value) -> Value:
    a, b = num(one), num(other)
    if b == 0:
        raise Undefined
    if isinstance(a, int) and isinstance(b, int) and a % b == 0:
        return a // b
    return number(a / b)


def _rem(one: Value, other: Value) -> Value:
    a, b = whole(one), whole(other)
    if b == 0:
        raise Undefined
    return a - b * (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1)


def _round(value: Value) -> int:
    found = num(value)
    return math.floor(abs(found) + 0.5) * (-1 if found < 0 else 1)


def _product(value: Value) -> Value:
    made: int | float = 1
    for item in listed(value):
        made *= num(item)
    return number(made)


def _range(first: Value, last: Value, step: Value = 1) -> Value:
    a, b, by = whole(first), whole(last), whole(step)
    if by <= 0 or abs(b - a) // by > _LARGEST_RANGE:
        raise Undefined
    return tuple(range(a, b + 1, by) if a <= b else range(a, b - 1, -by))


def _format_int(value: Value, base: Value) -> str:
    found, to = (value if isinstance(value, int) else math.trunc(num(value))), whole(base)
    forms = {2: "b", 8: "o", 10: "d", 16: "x"}
    if to not in forms:
        raise Undefined
    return format(found, forms[to])


def _to_number(value: Value) -> Value:
    if value is None:
        return 0
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        if not re.fullmatch(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?)", value):
            raise Undefined
        return int(value) if value.lstrip("+-").isdigit() else float(value)
    return num(value)


_SIZES: Final = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15, "e": 10**18}
_BINARY: Final = {f"{unit}i": 1024**n for n, unit in enumerate("kmgtpe", 1)}


def _unit(value: Value, largest: dict[str, int], milli: bool) -> Value:
    text = string(value).replace('"', "")
    found = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)([A-Za-z]*)", text)
    if found is None or found[1].count(".") > 1:
        raise Undefined
    unit = found[2]
    if milli and unit == "m":
        return number(float(found[1]) / 1000)
    if unit.lower() not in largest:
        raise Undefined
    amount = float(found[1]) * largest[unit.lower()]
    if math.isinf(amount):
        raise Undefined
    return number(amount) if milli else int(amount)


def _parse(value: Value) -> Value:
    return _unit(value, {**_SIZES, **_BINARY}, milli=True)


def _parse_bytes(value: Value) -> Value:
    sizes = {**_SIZES, **_BINARY}
    return _unit(value, {**sizes, **{f"{k}b": v for k, v in sizes.items()}}, milli=False)


_SEMVER: Final = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")


def _version(value: Value) -> tuple[tuple[int, ...], list[str]]:
    found = _SEMVER.fullmatch(string(value))
    if found is None or any(re.fullmatch(r"0\d+|", part) for part in (found[4] or "0").split(".")):
        raise Undefined
    return tuple(int(found[n]) for n in (1, 2, 3)), (found[4] or "").split(".") if found[4] else []


def _is_version(value: Value) -> bool:
    try:
        return isinstance(value, str) and bool(_version(value))
    except Undefined:
        return False


def _semver(one: Value, other: Value) -> int:
    (a, ahead), (b, behind) = _version(one), _version(other)
    if a != b:
        return 1 if a > b else -1
    if not ahead or not behind:
        return bool(behind) - bool(ahead)
    for left, right in zip(ahead, behind, strict=False):
        if left != right:
            if left.isdigit() and right.isdigit():
                return 1 if int(left) > int(right) else -1
            return 1 if (not left.isdigit(), left) > (not right.isdigit(), right) else -1
    return (len(ahead) > len(behind)) - (len(ahead) < len(behind))


def _compared(test: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool]:
    return lambda one, other: test(key_of(one), key_of(other))


def _shift(value: Value, by: Value, sign: int) -> int:
    amount = whole(by)
    if amount < 0 or amount > 10_000:
        raise Undefined
    return whole(value) << amount if sign > 0 else whole(value) >> amount


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "plus": _plus,
    "minus": _minus,
    "mul": lambda a, b: number(num(a) * num(b)),
    "div": _div,
    "rem": _rem,
    "abs": lambda a: abs(num(a)),
    "round": _round,
    "ceil": lambda a: math.ceil(num(a)),
    "floor": lambda a: math.floor(num(a)),
    "sum": lambda a: number(sum(num(item) for item in listed(a))),
    "product": _product,
    "numbers.range": _range,
    "numbers.range_step": _range,
    "format_int": _format_int,
    "to_number": _to_number,
    "units.parse": _parse,
    "units.parse_bytes": _parse_bytes,
    "semver.compare": _semver,
    "semver.is_valid": _is_version,
    "equal": same,
    "neq": lambda a, b: not same(a, b),
    "lt": _compared(lambda a, b: a < b),
    "lte": _compared(lambda a, b: a <= b),
    "gt": _compared(lambda a, b: a > b),
    "gte": _compared(lambda a, b: a >= b),
    "eq": same,
    "bits.and": lambda a, b: whole(a) & whole(b),
    "bits.or": lambda a, b: whole(a) | whole(b),
    "bits.xor": lambda a, b: whole(a) ^ whole(b),
    "bits.negate": lambda a: ~whole(a),
    "bits.lsh": lambda a, b: _shift(a, b, 1),
    "bits.rsh": lambda a, b: _shift(a, b, -1),
}
