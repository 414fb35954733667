"""JSON patch (RFC 6902) and JSON merge patch (RFC 7386), each as the API server applies them."""

from __future__ import annotations

from typing import Any

from console.sandbox.kubernetes.documents import Object, clone, equal
from console.sandbox.kubernetes.errors import bad_request, rejected

_MOST_OPERATIONS = 10_000


def merged(original: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(original) if isinstance(original, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def patched(original: Object, operations: Any) -> Object:
    """RFC 6902. Whatever can't be applied, a failed `test` among it, is a 422 without a reason, as on the real server."""
    if not isinstance(operations, list):
        kind = {dict: "object", str: "string", int: "number", float: "number", bool: "bool"}.get(
            type(operations), "null"
        )
        raise bad_request(
            f"error decoding patch: json: cannot unmarshal {kind} into Go value of type []handlers.jsonPatchOp"
        )
    if len(operations) > _MOST_OPERATIONS:
        raise rejected()
    document = clone(original)
    for operation in operations:
        try:
            document = _applied(document, operation)
        except (KeyError, IndexError, ValueError, TypeError, AttributeError):
            raise rejected() from None
    if not isinstance(document, dict):
        raise rejected()
    return document


def _applied(document: Any, operation: Object) -> Any:
    kind, path = operation["op"], _steps(operation["path"])
    if kind == "test":
        if not equal(_read(document, path, missing=None), operation.get("value")):
            raise ValueError("test failed")
        return document
    if kind in ("add", "replace"):
        return _put(document, path, clone(operation["value"]), replace=kind == "replace")
    if kind == "remove":
        return _removed(document, path)
    source = _steps(operation["from"])
    value = clone(_read(document, source))
    if kind == "move":
        return _put(_removed(document, source), path, value)
    if kind == "copy":
        return _put(document, path, value)
    raise ValueError(kind)


def _steps(pointer: str) -> list[str]:
    if pointer == "":
        return []
    if not pointer.startswith("/"):
        raise ValueError(pointer)
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


_NEEDED = object()


def _read(document: Any, path: list[str], missing: Any = _NEEDED) -> Any:
    for depth, step in enumerate(path):
        if isinstance(document, list):
            document = document[_index(step, len(document))]
        elif step in document:
            document = document[step]
        elif missing is not _NEEDED and depth == len(path) - 1:
            return missing
        else:
            raise KeyError(step)
    return document


def _index(step: str, length: int) -> int:
    number = int(step)
    if not -length <= number < length:
        raise IndexError(step)
    return number


def _put(document: Any, path: list[str], value: Any, *, replace: bool = False) -> Any:
    if not path:
        return value
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        if replace:
            parent[_index(last, len(parent))] = value
        else:
            parent.insert(len(parent) if last == "-" else _index(last, len(parent) + 1), value)
    else:
        parent[last] = value
    return document


def _removed(document: Any, path: list[str]) -> Any:
    parent, last = _read(document, path[:-1]), path[-1]
    if isinstance(parent, list):
        del parent[_index(last, len(parent))]
    else:
        del parent[last]
    return document
