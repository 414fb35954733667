"""The data that was given to OPA, as its storage keeps it: read and written by path, with its storage's errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from console.sandbox.opa.values import Obj, Value, from_json

Path: TypeAlias = tuple[str, ...]
Operation: TypeAlias = Literal["add", "remove", "replace"]


class NotFound(Exception):
    """There is no such document."""


class Conflict(Exception):
    """A value that is no object stands in the way."""


class InvalidPatch(Exception):
    """It can't be done to any data."""


def read(root: Value, path: Sequence[str]) -> Value:
    found = root
    for number, part in enumerate(path):
        if isinstance(found, Obj):
            if part not in found:
                raise NotFound("document does not exist")
            found = found.get(part)
        elif isinstance(found, tuple):
            found = found[_index(found, path, number)]
        else:
            raise NotFound("document does not exist")
    return found


def exists(root: Value, path: Path) -> bool:
    """Whether a rule at the path would stand where data is, or within something that is no object."""
    for length in range(len(path), 0, -1):
        try:
            found = read(root, path[:length])
        except NotFound:
            continue
        return length == len(path) or not isinstance(found, Obj)
    return False


def folders(root: Value, path: Path) -> Value:
    """The data with objects along the path where nothing was."""
    for length in range(1, len(path) + 1):
        try:
            found = read(root, path[:length])
        except NotFound as error:
            if "index" in str(error):
                raise Conflict("/" + "/".join(path[: length - 1])) from None
            root = written(root, "add", path[:length], {})
            continue
        if not isinstance(found, Obj):
            raise Conflict("/" + "/".join(path[:length]))
    return root


def written(root: Value, operation: Operation, path: Path, value: Any) -> Value:
    """The data after one operation; `value` is plain JSON."""
    if not path:
        if operation == "remove":
            raise InvalidPatch("root cannot be removed")
        if not isinstance(value, dict):
            raise InvalidPatch("root must be object")
        return from_json(value)
    return _written(root, operation, path, 0, from_json(value))


def _written(node: Value, operation: Operation, path: Path, depth: int, value: Value) -> Value:
    part, last = path[depth], depth == len(path) - 1
    if isinstance(node, Obj):
        if part not in node and not (last and operation == "add"):
            raise NotFound("document does not exist")
        if last:
            return node.without(part) if operation == "remove" else node.with_pair(part, value)
        return node.with_pair(part, _written(node.get(part), operation, path, depth + 1, value))
    if isinstance(node, tuple):
        return _in_array(node, operation, path, depth, value)
    raise NotFound("document does not exist")


def _in_array(node: tuple[Value, ...], operation: Operation, path: Path, depth: int, value: Value) -> Value:
    if depth < len(path) - 1:
        at = _index(node, path, depth)
        return (*node[:at], _written(node[at], operation, path, depth + 1, value), *node[at + 1 :])
    if operation == "add" and path[depth] == "-":
        return (*node, value)
    at = _index(node, path, depth, beyond=operation == "add")
    if operation == "add":
        return (*node[:at], value, *node[at:])
    return (*node[:at], *([value] if operation == "replace" else []), *node[at + 1 :])


def _index(node: tuple[Value, ...], path: Sequence[str], depth: int, *, beyond: bool = False) -> int:
    where = "/" + "/".join(path)
    if not path[depth].lstrip("-").isdigit():
        raise NotFound(f"{where}: array index must be integer")
    at = int(path[depth])
    if not 0 <= at < len(node) + beyond:
        raise NotFound(f"{where}: array index out of range")
    return at
