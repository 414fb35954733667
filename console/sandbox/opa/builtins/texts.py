"""Strings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from console.sandbox.opa.builtins.given import Undefined, array, obj, string, strings, whole
from console.sandbox.opa.values import Value, written

_SPACE: Final = " \t\n\v\f\r\x85\xa0"
_VERB: Final = re.compile(r"%(?P<flags>[+\-# 0]*)(?P<width>\d*)(?:\.(?P<precision>\d+))?(?P<verb>[%a-zA-Z])")


def _concat(glue: Value, items: Value) -> str:
    if isinstance(items, str):
        raise Undefined
    return string(glue).join(strings(items))


def _substring(text: Value, start: Value, length: Value) -> str:
    said, first, count = string(text), whole(start), whole(length)
    if first < 0:
        raise Undefined
    return said[first:] if count < 0 else said[first : first + count]


def _indexof(text: Value, part: Value) -> int:
    if not string(part):
        raise Undefined
    return string(text).find(string(part))


def _indexof_n(text: Value, part: Value) -> Value:
    if not string(part):
        raise Undefined
    return tuple(found.start() for found in re.finditer(f"(?={re.escape(string(part))})", string(text)))


def _split_n(text: Value, by: Value, count: Value) -> Value:
    most = whole(count)
    parts = _split(text, by)
    return parts[:most] if most >= 0 else parts[most:]


def _split(text: Value, by: Value) -> tuple[Value, ...]:
    said = string(text)
    return tuple(said.split(by)) if string(by) else tuple(said)


def _replace_n(patterns: Value, text: Value) -> str:
    pairs = {string(k): string(v) for k, v in obj(patterns).items()}
    if not pairs:
        return string(text)
    order = sorted(pairs)
    return re.sub("|".join(re.escape(key) for key in order), lambda found: pairs[found[0]], string(text))


def _trim_prefix(text: Value, part: Value) -> str:
    return string(text).removeprefix(string(part))


def _sprintf(form: Value, values: Value) -> str:
    given = list(array(values))
    position = 0

    def one(found: re.Match[str]) -> str:
        nonlocal position
        if found["verb"] == "%":
            return "%"
        if position >= len(given):
            return f"%!{found['verb']}(MISSING)"
        value = given[position]
        position += 1
        return _formatted(found, value)

    told = _VERB.sub(one, string(form))
    extra = ", ".join(f"{_go_type(value)}={_plain(value)}" for value in given[position:])
    return told + (f"%!(EXTRA {extra})" if extra else "")


def _formatted(found: re.Match[str], value: Value) -> str:
    verb, flags, width = found["verb"], found["flags"], found["width"]
    precision = found["precision"]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    huge = is_number and abs(value) >= 2**63
    if verb == "v" or (verb == "s" and (not is_number or huge)):
        told = _plain(value) if precision is None else _plain(value)[: int(precision)]
    elif verb == "q" and isinstance(value, str):
        told = written(value)
    elif verb == "t" and isinstance(value, bool):
        told = _plain(value)
    elif verb in "dxXob" and is_number and value == int(value):
        told = format(int(value), ("+" if "+" in flags else "") + ("#" if "#" in flags else "") + verb)
        if "0" in flags and "-" not in flags and width:
            return told.zfill(int(width))
    elif verb in "feEgG" and is_number:
        told = format(float(value), f"{'+' if '+' in flags else ''}.{precision or 6}{verb}")
        if verb in "gG" and precision is None:
            told = _plain(value)
        if "0" in flags and "-" not in flags and width:
            return told.zfill(int(width))
    elif verb in "xX" and isinstance(value, str):
        told = value.encode().hex() if verb == "x" else value.encode().hex().upper()
    else:
        return f"%!{verb}({_go_type(value)}={_plain(value)})"
    return (told.ljust(int(width)) if "-" in flags else told.rjust(int(width))) if width else told


def _go_type(value: Value) -> str:
    if isinstance(value, str | bool) or value is None:
        return {str: "string", bool: "bool"}.get(type(value), "<nil>")
    return {int: "int", float: "float64"}.get(type(value), "string")


def _plain(value: Value) -> str:
    return value if isinstance(value, str) else written(value)


def _any(test: Callable[[str, str], bool]) -> Callable[[Value, Value], bool]:
    return lambda texts, parts: any(test(text, part) for text in strings(texts) for part in strings(parts))


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "concat": _concat,
    "contains": lambda a, b: string(b) in string(a),
    "startswith": lambda a, b: string(a).startswith(string(b)),
    "endswith": lambda a, b: string(a).endswith(string(b)),
    "strings.any_prefix_match": _any(str.startswith),
    "strings.any_suffix_match": _any(str.endswith),
    "strings.count": lambda a, b: string(a).count(string(b)),
    "strings.reverse": lambda a: string(a)[::-1],
    "strings.replace_n": _replace_n,
    "strings.split_n": _split_n,
    "indexof": _indexof,
    "indexof_n": _indexof_n,
    "lower": lambda a: string(a).lower(),
    "upper": lambda a: string(a).upper(),
    "replace": lambda a, b, c: string(a).replace(string(b), string(c)),
    "split": _split,
    "substring": _substring,
    "sprintf": _sprintf,
    "trim": lambda a, b: string(a).strip(string(b) or None) if b else string(a),
    "trim_left": lambda a, b: string(a).lstrip(b) if string(b) else string(a),
    "trim_right": lambda a, b: string(a).rstrip(b) if string(b) else string(a),
    "trim_prefix": _trim_prefix,
    "trim_suffix": lambda a, b: string(a).removesuffix(string(b)),
    "trim_space": lambda a: string(a).strip(_SPACE),
    "print": lambda *values: bool(values) or True,
    "trace": lambda a: bool(string(a)) or True,
    "internal.print": lambda a: bool(a) or True,
}
