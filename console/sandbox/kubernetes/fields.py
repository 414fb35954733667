"""Sets of fields, and how `metadata.managedFields` writes them down (fieldsV1).

An element of a path is kept as fieldsV1 spells it: `f:name` a field, `k:{"name":"web"}` an item of a list by its keys, `v:"x"` an
item of a set. A field may be a member with or without its children being members, and the other way round.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from console.sandbox.kubernetes.documents import Object, compact

Path = tuple[str, ...]


def named(key: str) -> str:
    return f"f:{key}"


def keyed(values: Object) -> str:
    return "k:" + compact(dict(sorted(values.items())))


def valued(value: Any) -> str:
    return "v:" + compact(value)


def spelled(path: Path) -> str:
    """As conflicts name it: `.spec.containers[name="web"].image`."""
    return "".join(_spelled(element) for element in path)


def _spelled(element: str) -> str:
    mark, text = element[0], element[2:]
    if mark == "f":
        return f".{text}"
    if mark == "k":
        return "[" + ",".join(f"{key}={compact(value)}" for key, value in json.loads(text).items()) + "]"
    return f"[={text}]" if mark == "v" else f"[{text}]"


class FieldSet:
    """A set of paths. Never changed after it was built, but by `insert` of whoever builds it."""

    __slots__ = ("children", "members")

    def __init__(self, members: Iterable[str] = (), children: dict[str, FieldSet] | None = None) -> None:
        self.members = set(members)
        self.children = {element: inner for element, inner in (children or {}).items() if inner}

    def __bool__(self) -> bool:
        return bool(self.members or self.children)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FieldSet) and self.members == other.members and self.children == other.children

    __hash__ = None  # type: ignore[assignment] # a set that is still being built

    def insert(self, path: Path) -> None:
        here = self
        for element in path[:-1]:
            here = here.children.setdefault(element, FieldSet())
        here.members.add(path[-1])

    def has(self, element: str) -> bool:
        return element in self.members

    def below(self, element: str) -> FieldSet:
        return self.children.get(element) or _NONE

    def paths(self, prefix: Path = ()) -> Iterator[Path]:
        for element in sorted(self.members):
            yield (*prefix, element)
        for element in sorted(self.children):
            yield from self.children[element].paths((*prefix, element))

    def __or__(self, other: FieldSet) -> FieldSet:
        children = dict(self.children)
        for element, inner in other.children.items():
            children[element] = children[element] | inner if element in children else inner
        return FieldSet(self.members | other.members, children)

    def __and__(self, other: FieldSet) -> FieldSet:
        shared = self.children.keys() & other.children.keys()
        children = {element: self.children[element] & other.children[element] for element in shared}
        return FieldSet(self.members & other.members, children)

    def __sub__(self, other: FieldSet) -> FieldSet:
        children = {element: inner - other.below(element) for element, inner in self.children.items()}
        return FieldSet(self.members - other.members, children)

    def without(self, other: FieldSet) -> FieldSet:
        """Like `-`, but a member of the other takes everything below it along."""
        children = {
            element: inner.without(other.below(element))
            for element, inner in self.children.items()
            if element not in other.members
        }
        return FieldSet(self.members - other.members, children)

    def to_json(self) -> Object:
        document: Object = {}
        for element in sorted(self.members | self.children.keys()):
            inner = self.children[element].to_json() if element in self.children else {}
            document[element] = {".": {}, **inner} if inner and element in self.members else inner
        return document

    @classmethod
    def from_json(cls, document: Object) -> FieldSet:
        members, children = set(), {}
        for element, inner in document.items():
            if element == ".":
                continue
            if not inner or "." in inner:
                members.add(element)
            children[element] = cls.from_json(inner)
        return cls(members, children)

    @classmethod
    def of(cls, *paths: Path) -> FieldSet:
        built = cls()
        for path in paths:
            built.insert(path)
        return built


_NONE = FieldSet()
