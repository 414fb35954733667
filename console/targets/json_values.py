"""Values that the JSON of an answer must hold, by dotted path: `{ database = "ok", shards.0.state = "STARTED" }`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from console.engine.ports import Json
from console.targets.http import excerpt
from console.targets.text import clean_line

MISSING: Final = object()
VALUE_LIMIT: Final = 60
_SHOWN: Final = 3


def wrong_values(body: bytes, expected: Mapping[str, Any]) -> str:
    """What is not as expected, in words; empty when all of it is."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return f"its body is not JSON: {excerpt(body) or 'it is empty'}"
    problems = [
        f"{'.'.join(path)} is {shown(found)}, expected {shown(value)}"
        for path, value in _wanted(expected)
        if not _same(found := at_path(document, path), value)
    ]
    return "; ".join(problems[:_SHOWN])


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def value_at(body: bytes, path: str) -> Json:
    """What a JSON body holds at a dotted path; MISSING where there is nothing, or the body is no JSON."""
    try:
        return at_path(json.loads(body), tuple(path.split(".")))
    except (ValueError, RecursionError):
        return MISSING


def shown(value: Json) -> str:
    if value is MISSING:
        return "missing"
    return clean_line(json.dumps(value, ensure_ascii=False, default=str), VALUE_LIMIT)


def matched(expected: Mapping[str, Any]) -> str:
    """The values that were expected and found, in words: `state is "done"`."""
    words = [f"{'.'.join(path)} is {shown(value)}" for path, value in _wanted(expected)]
    return ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")


def _wanted(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Each expected value with its path; tables nest and keys may be dotted."""
    for key, value in values.items():
        path = (*above, *key.split("."))
        if isinstance(value, dict):
            yield from _wanted(value, path)
        else:
            yield path, value


def at_path(document: Json, path: tuple[str, ...]) -> Json:
    """What the document holds at a path; numbers count the items of a list from 0. MISSING when there is nothing."""
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isascii() and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return MISSING
    return document


def _same(found: Json, expected: Json) -> bool:
    """Equal, and both or neither true-or-false: in Python `1 == True`."""
    if isinstance(expected, tuple):
        return isinstance(found, list) and tuple(found) == expected
    return isinstance(found, bool) == isinstance(expected, bool) and bool(found == expected)
