"""What differs between two JSON documents, path by path: the basis of every diff, every drift message and every probe.

Lists whose items are all objects with a unique `name` are compared by name, not by position, because that is how their owners
mean them (containers, env, ports, volumes). A path reads `spec.template.spec.containers[gateway].env[QEC_ENABLED].value`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from itertools import islice
from typing import Any, Final


class _Absent:
    def __repr__(self) -> str:
        return "(absent)"


ABSENT: Final = _Absent()

_CONTEXT: Final = 2

Path = tuple[str | int, ...]  # a str beginning with "[" is an item of a list, named by its key


@dataclass(frozen=True, slots=True)
class Difference:
    """At `path`, `old` became `new`; ABSENT stands for "was not there"."""

    path: Path
    old: Any
    new: Any

    @property
    def where(self) -> str:
        return spell(self.path)


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Difference]:
    """Every leaf that differs, in the order of the new document, removed ones last at each level."""
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _mapping(old, new, path)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _sequence(old, new, path)
    elif type(old) is not type(new) or old != new:
        yield Difference(path, old, new)


def _mapping(old: dict[str, Any], new: dict[str, Any], path: Path) -> Iterator[Difference]:
    for key in [*new, *(k for k in old if k not in new)]:
        yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))


def _sequence(old: list[Any], new: list[Any], path: Path) -> Iterator[Difference]:
    old_named, new_named = by_name(old), by_name(new)
    if old_named is not None and new_named is not None:
        yield from _mapping(old_named, new_named, path)
        return
    for index in range(max(len(old), len(new))):
        before = old[index] if index < len(old) else ABSENT
        after = new[index] if index < len(new) else ABSENT
        yield from differences(before, after, (*path, index))


def by_name(items: Sequence[Any]) -> dict[str, Any] | None:
    """The items by "[name]", or None for a list that isn't keyed by unique names. An empty list is."""
    if not all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in items):
        return None
    named = {f"[{item['name']}]": item for item in items}
    return named if len(named) == len(items) else None


def lookup(document: Any, path: Path) -> Any:
    """The value at a path that `differences` made, or ABSENT."""
    for part in path:
        if isinstance(document, list):
            document = _item(document, part)
        elif isinstance(document, dict):
            document = document.get(part, ABSENT)
        else:
            return ABSENT
        if document is ABSENT:
            return ABSENT
    return document


def _item(items: list[Any], part: str | int) -> Any:
    if isinstance(part, int):
        return items[part] if part < len(items) else ABSENT
    return (by_name(items) or {}).get(part, ABSENT)


def spell(path: Path) -> str:
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.startswith("["):
            text += part
        elif "." in part or "/" in part:
            text += f"['{part}']"
        else:
            text += f".{part}" if text else part
    return text


def say(value: Any) -> str:
    """A value as a person reads it in a diff: text in quotes, objects as JSON, absence in words."""
    return repr(value) if value is ABSENT else json.dumps(value, ensure_ascii=False)


def has_lines(value: Any) -> bool:
    """Whether a value is a text that is better read line by line."""
    return isinstance(value, str) and "\n" in value.rstrip("\n")


def line_differences(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Two texts line by line: ("-" or "+", line), (" ", a line beside a change), ("…", "") where lines are left out.

    An absent text is given as "". A line end that only one of the texts has at its end shows as an empty line.
    """
    before, after = (text.split("\n") if text else [] for text in (old, new))
    if before[-1:] == after[-1:] == [""] or not (before and after):
        before, after = (lines[:-1] if lines[-1:] == [""] else lines for lines in (before, after))
    found = islice(unified_diff(before, after, n=_CONTEXT, lineterm=""), 2, None)  # without the two lines of file names
    for number, line in enumerate(found):
        if not line.startswith("@@"):
            yield line[0], line[1:]
        elif number:
            yield "…", ""
