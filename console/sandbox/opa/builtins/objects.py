"""Objects, and documents that are changed in part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from console.sandbox.opa.builtins.given import Undefined, array, listed, obj, string
from console.sandbox.opa.values import EMPTY, Obj, Set, Value, child, children, key_of, same


def _get(where: Value, path: Value, default: Value) -> Value:
    found: Value = obj(where)
    for key in path if isinstance(path, tuple) else (path,):
        box = child(found, key)
        if box is None:
            return default
        found = box[0]
    return found


def _union(one: Value, other: Value) -> Value:
    whole = obj(one)
    for key, value in obj(other).items():
        box = child(whole, key)
        both = box is not None and isinstance(box[0], Obj) and isinstance(value, Obj)
        whole = whole.with_pair(key, _union(box[0], value) if both and box is not None else value)
    return whole


def _union_n(value: Value) -> Value:
    whole: Value = EMPTY
    for item in array(value):
        whole = _union(whole, item)
    return whole


def _names(value: Value) -> list[Value]:
    return [key for key, _ in value.items()] if isinstance(value, Obj) else listed(value)


def _filter(where: Value, names: Value) -> Obj:
    keep = {key_of(name) for name in _names(names)}
    return Obj((k, v) for k, v in obj(where).items() if key_of(k) in keep)


def _remove(where: Value, names: Value) -> Obj:
    gone = {key_of(name) for name in _names(names)}
    return Obj((k, v) for k, v in obj(where).items() if key_of(k) not in gone)


def _subset(larger: Value, smaller: Value) -> bool:
    if isinstance(larger, Obj) and isinstance(smaller, Obj):
        return all((box := child(larger, k)) is not None and _within(box[0], v) for k, v in smaller.items())
    if isinstance(larger, Set) and isinstance(smaller, Set):
        return all(item in larger for item in smaller)
    if isinstance(larger, tuple) and isinstance(smaller, tuple):
        ends = range(len(larger) - len(smaller) + 1)
        return any(same(larger[n : n + len(smaller)], smaller) for n in ends)
    if isinstance(larger, tuple) and isinstance(smaller, Set):
        return all(any(same(item, other) for other in larger) for item in smaller)
    raise Undefined


def _within(larger: Value, smaller: Value) -> bool:
    kinds = (Obj, Set, tuple)
    if isinstance(larger, kinds) and type(larger) is type(smaller):
        return _subset(larger, smaller)
    return same(larger, smaller)


def _path(value: Value) -> tuple[Value, ...]:
    if isinstance(value, str):
        parts = value.removeprefix("/").split("/") if value else []
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)
    return array(value)


def _paths(value: Value) -> list[tuple[Value, ...]]:
    return [_path(item) for item in listed(value)]


def _is_index(key: Value) -> bool:
    return key == "0" or (str(key).isdigit() and str(key)[0] != "0")


def _under(where: Value, key: Value) -> tuple[Value] | None:
    if isinstance(where, tuple) and isinstance(key, str):
        return child(where, int(key)) if _is_index(key) else None
    return child(where, key)


def _json_remove(where: Value, paths: Value) -> Value:
    made = where
    for path in _paths(paths):
        try:
            made = _without(made, path)
        except Undefined:
            continue
    return made


def _without(where: Value, path: Sequence[Value]) -> Value:
    if not path:
        return where
    box = _under(where, path[0])
    if box is None:
        raise Undefined
    if isinstance(where, Set):
        return Set(item for item in where if not same(item, path[0]))
    if isinstance(where, tuple):
        at = int(path[0])
        return (
            where[:at] + where[at + 1 :]
            if len(path) == 1
            else (*where[:at], _without(box[0], path[1:]), *where[at + 1 :])
        )
    return where.without(path[0]) if len(path) == 1 else where.with_pair(path[0], _without(box[0], path[1:]))


def _json_filter(where: Value, paths: Value) -> Value:
    return _kept(obj(where), [path for path in _paths(paths) if path])


def _kept(where: Value, paths: list[tuple[Value, ...]]) -> Value:
    if any(not path for path in paths):
        return where
    if isinstance(where, Obj | tuple):
        found = []
        for key, value in children(where):
            own = [
                path[1:] for path in paths if same(path[0], key) or (isinstance(where, tuple) and path[0] == str(key))
            ]
            if own and not (isinstance(value, str | int | float | bool | None) and all(own)):
                found.append((key, _kept(value, own)))
        return Obj(found) if isinstance(where, Obj) else tuple(value for _, value in found)
    return where


def _json_patch(where: Value, patches: Value) -> Value:
    made = where
    for patch in array(patches):
        op, path = string(obj(patch).get("op")), _path(obj(patch).get("path"))
        made = _patched(made, op, path, obj(patch))
    return made


def _patched(where: Value, op: str, path: tuple[Value, ...], patch: Obj) -> Value:
    if op == "remove":
        return _without(where, path)
    if op == "test":
        if "value" not in patch or not same(_at(where, path), patch.get("value")):
            raise Undefined
        return where
    if op in ("move", "copy"):
        source = _path(patch.get("from"))
        value = _at(where, source)
        return _added(_without(where, source) if op == "move" else where, path, value)
    if op not in ("add", "replace") or "value" not in patch:
        raise Undefined
    if op == "replace":
        _at(where, path)
        if isinstance(_at(where, path[:-1]), tuple) and path:
            where = _without(where, path)
    return _added(where, path, patch.get("value"))


def _at(where: Value, path: Sequence[Value]) -> Value:
    for key in path:
        box = _under(where, key)
        if box is None:
            raise Undefined
        where = box[0]
    return where


def _added(where: Value, path: Sequence[Value], value: Value) -> Value:
    if not path:
        return value
    key = path[0]
    if len(path) > 1:
        inner = _added(_at(where, path[:1]), path[1:], value)
        if isinstance(where, Set):
            return Set([*(item for item in where if not same(item, key)), inner])
        if isinstance(where, tuple):
            return (*where[: int(key)], inner, *where[int(key) + 1 :])
        return obj(where).with_pair(key, inner)
    if isinstance(where, Set):
        if not same(key, value):
            raise Undefined
        return Set([*where, value])
    if isinstance(where, tuple):
        at = len(where) if key == "-" else int(key) if _is_index(key) else -1
        if not 0 <= at <= len(where):
            raise Undefined
        return (*where[:at], value, *where[at:])
    return obj(where).with_pair(key, value)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "object.get": _get,
    "object.keys": lambda a: Set(obj(a).keys()),
    "object.union": _union,
    "object.union_n": _union_n,
    "object.filter": _filter,
    "object.remove": _remove,
    "object.subset": _subset,
    "json.remove": _json_remove,
    "json.filter": _json_filter,
    "json.patch": _json_patch,
}
