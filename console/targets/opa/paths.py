"""Places in OPA's `data`, spelled `acgs/roles` in manifests and in the file: of what is a root, what lies within, what was there.

Values are plain JSON; ABSENT stands for "nothing there", which to OPA is something else than null.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

from console.domain.difference import ABSENT
from console.engine.ports import Json, canonical

DataPath: TypeAlias = tuple[str, ...]


def path_of(text: str) -> DataPath:
    return tuple(part for part in text.split("/") if part)


def spelled(path: DataPath) -> str:
    return "/".join(path) or "everything"


def url_of(path: DataPath) -> str:
    return "/".join(quote(part, safe="") for part in path)


def ref_of(path: DataPath) -> str:
    """As Rego writes it: `data["acgs"]["roles"]`."""
    return "data" + "".join(f"[{canonical(part)}]" for part in path)


def covers(root: DataPath, path: DataPath) -> bool:
    """Whether the path is the root or lies within it."""
    return path[: len(root)] == root


def overlap(one: DataPath, other: DataPath) -> bool:
    return covers(one, other) or covers(other, one)


def value_at(document: Json, path: DataPath) -> Any:
    for part in path:
        if not isinstance(document, dict) or part not in document:
            return ABSENT
        document = document[part]
    return document


def put_at(document: Any, path: DataPath, value: Any) -> Any:
    """The document with another value at the path; ABSENT removes it. The one that was given stays as it is."""
    if not path:
        return value
    inner = dict(document) if isinstance(document, dict) else {}
    if value is ABSENT and path[0] not in inner:
        return document
    below = put_at(inner.get(path[0], ABSENT), path[1:], value)
    if below is ABSENT:
        inner.pop(path[0], None)
    else:
        inner[path[0]] = below
    return inner


def merged(document: dict[str, Any], path: DataPath, value: Json) -> dict[str, Any]:
    """The document with the value added. Raises ValueError, naming the place, where something else stands already."""
    result: dict[str, Any] = _joined(document, put_at({}, path, value), ())
    return result


def _joined(one: Any, other: Any, at: DataPath) -> Any:
    if not isinstance(one, dict) or not isinstance(other, dict):
        raise ValueError(spelled(at))  # noqa: TRY004 - a value that is in the way, not a wrong type
    both = {key: _joined(one[key], other[key], (*at, key)) for key in one if key in other}
    return {**one, **other, **both}


def outermost(paths: Iterable[DataPath]) -> tuple[DataPath, ...]:
    """The paths that don't lie within another of them, each once, sorted."""
    found: list[DataPath] = []
    for path in sorted(set(paths)):  # whatever lies within a path comes right after it
        if not found or not covers(found[-1], path):
            found.append(path)
    return tuple(found)


def boxed(value: Any) -> list[Json]:
    """For documents on disk, where nothing and null are to stay apart."""
    return [] if value is ABSENT else [value]


def unboxed(box: list[Json]) -> Any:
    return box[0] if box else ABSENT


def equal(one: Any, other: Any) -> bool:
    return canonical(boxed(one)) == canonical(boxed(other))


def patch_of(before: Any, after: Any, path: DataPath = ()) -> list[dict[str, Json]]:
    """The JSON patch that makes one of the other: keys one by one, everything else (lists too) as a whole.

    OPA takes `add`, `remove` and `replace`; `add` replaces what is there and wants its parent to be there.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        gone = [{"op": "remove", "path": _pointer((*path, key))} for key in before if key not in after]
        return gone + [op for key in after for op in patch_of(before.get(key, ABSENT), after[key], (*path, key))]
    if equal(before, after):
        return []
    if after is ABSENT:
        return [{"op": "remove", "path": _pointer(path)}]
    return [{"op": "add", "path": _pointer(path), "value": after}]


def _pointer(path: DataPath) -> str:
    return "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in path)


def without(document: Any, masked: Iterable[DataPath], packages: Iterable[DataPath]) -> Any:
    """What is left of an evaluated document when the rules are taken out: the data, without the shells around them.

    OPA shows a package, and what a rule's name has in front of its last part, as an object although no data is there.
    """
    masked = list(masked)
    for path in masked:
        document = put_at(document, path, ABSENT) if value_at(document, path) is not ABSENT else document
    for path in sorted({*packages, *(path[:-1] for path in masked)}, key=len, reverse=True):
        for length in range(len(path), 0, -1):
            if value_at(document, path[:length]) == {}:
                document = put_at(document, path[:length], ABSENT)
    return document


def normal(value: Json) -> Json:
    """Numbers as JSON means them (1.0 is 1) and lists as lists, so that equal values have equal hashes."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list | tuple):
        return [normal(item) for item in value]
    if isinstance(value, Mapping):
        return {key: normal(item) for key, item in value.items()}
    return value
