"""Rego's values: JSON, and sets, and objects whose keys may be anything. All of them immutable, comparable and in OPA's order.

None, bool, int, float and str stand for themselves and a tuple for an array. Python takes True for 1, so values are never
compared as they are: `key_of` gives what they are compared, sorted and looked up by.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

Key: TypeAlias = tuple[Any, ...]
Value: TypeAlias = Any
"""None, bool, int, float, str, tuple, Obj or Set."""

_NULL: Final = (0,)


class Obj:
    """An object. Its pairs stand under the keys of their keys."""

    __slots__ = ("_key", "pairs")

    def __init__(self, pairs: Iterable[tuple[Value, Value]] = ()) -> None:
        self.pairs: dict[Key, tuple[Value, Value]] = {key_of(k): (k, v) for k, v in pairs}
        self._key: Key | None = None

    @property
    def key(self) -> Key:
        if self._key is None:
            self._key = (6, tuple((k, key_of(self.pairs[k][1])) for k in sorted(self.pairs)))
        return self._key

    def __len__(self) -> int:
        return len(self.pairs)

    def __contains__(self, key: Value) -> bool:
        return key_of(key) in self.pairs

    def get(self, key: Value, default: Value = None) -> Value:
        found = self.pairs.get(key_of(key))
        return default if found is None else found[1]

    def items(self) -> Iterator[tuple[Value, Value]]:
        """In the order of the keys, as OPA iterates."""
        return (self.pairs[k] for k in sorted(self.pairs))

    def keys(self) -> Iterator[Value]:
        return (k for k, _ in self.items())

    def with_pair(self, key: Value, value: Value) -> Obj:
        made = Obj()
        made.pairs = {**self.pairs, key_of(key): (key, value)}
        return made

    def without(self, key: Value) -> Obj:
        made = Obj()
        made.pairs = {k: pair for k, pair in self.pairs.items() if k != key_of(key)}
        return made


class Set:
    """A set. Its members stand under their keys."""

    __slots__ = ("_key", "members")

    def __init__(self, members: Iterable[Value] = ()) -> None:
        self.members: dict[Key, Value] = {key_of(m): m for m in members}
        self._key: Key | None = None

    @property
    def key(self) -> Key:
        if self._key is None:
            self._key = (7, tuple(sorted(self.members)))
        return self._key

    def __len__(self) -> int:
        return len(self.members)

    def __contains__(self, member: Value) -> bool:
        return key_of(member) in self.members

    def __iter__(self) -> Iterator[Value]:
        """In order, as OPA iterates."""
        return (self.members[k] for k in sorted(self.members))


EMPTY: Final = Obj()


def key_of(value: Value) -> Key:
    """What a value is compared by: null, booleans, numbers, strings, arrays, objects, sets, in that order."""
    if isinstance(value, str):
        return (3, value)
    if isinstance(value, bool):
        return (1, value)
    if isinstance(value, int | float):
        return (2, value)
    if value is None:
        return _NULL
    if isinstance(value, tuple):
        return (5, tuple(key_of(item) for item in value))
    return value.key  # type: ignore[no-any-return] # an Obj or a Set


def same(one: Value, other: Value) -> bool:
    return key_of(one) == key_of(other)


def type_name(value: Value) -> str:
    """As `type_name` says it: null, boolean, number, string, array, object, set."""
    if isinstance(value, bool):
        return "boolean"
    names = {str: "string", int: "number", float: "number", tuple: "array", Obj: "object", Set: "set"}
    return names.get(type(value), "null")


def from_json(value: Any) -> Value:
    if isinstance(value, Mapping):
        made = Obj()
        made.pairs = {(3, str(k)): (str(k), from_json(v)) for k, v in value.items()}
        return made
    if isinstance(value, list | tuple):
        return tuple(from_json(item) for item in value)
    return value


def to_json(value: Value) -> Any:
    """As OPA answers it: a set is a sorted list, and a key that is no string is its JSON."""
    if isinstance(value, Obj):
        return {k if isinstance(k, str) else dumps(to_json(k)): to_json(v) for k, v in value.items()}
    if isinstance(value, tuple | Set):
        return [to_json(item) for item in value]
    return value


def dumps(plain: Any) -> str:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def written(value: Value) -> str:
    """A value as Rego writes it, for messages and for `%v`."""
    if isinstance(value, Set):
        return "{" + ", ".join(written(item) for item in value) + "}" if len(value) else "set()"
    if isinstance(value, Obj):
        return "{" + ", ".join(f"{written(k)}: {written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(written(item) for item in value) + "]"
    return dumps(value)


def number(value: float) -> int | float:
    """A computed number: a whole one is an integer, as OPA writes it."""
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e21 else value


def child(value: Value, key: Value) -> tuple[Value] | None:
    """What stands in a collection under a key, boxed; None for nothing. A set has its own members."""
    if isinstance(value, Obj):
        found = value.pairs.get(key_of(key))
        return None if found is None else (found[1],)
    if isinstance(value, tuple):
        whole = isinstance(key, int | float) and not isinstance(key, bool) and key == int(key)
        return (value[int(key)],) if whole and 0 <= key < len(value) else None
    if isinstance(value, Set):
        return (key,) if key in value else None
    return None


def children(value: Value) -> Iterator[tuple[Value, Value]]:
    """Every key with what stands under it."""
    if isinstance(value, Obj):
        yield from value.items()
    elif isinstance(value, tuple):
        yield from enumerate(value)
    elif isinstance(value, Set):
        yield from ((member, member) for member in value)
