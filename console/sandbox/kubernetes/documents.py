"""JSON documents: the one shape in which objects are kept here, sent and compared."""

from __future__ import annotations

import copy
import json
from typing import Any

Object = dict[str, Any]
"""A Kubernetes object, or a part of one that has named fields."""


def clone(document: Any) -> Any:
    return copy.deepcopy(document)


def equal(one: Any, other: Any) -> bool:
    """Whether two documents are the same JSON; 1 and true are not, and the order of keys does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(equal(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def dig(document: Any, *path: str, default: Any = None) -> Any:
    """The value at a path of keys, or the default where a part of it is missing or null."""
    for key in path:
        if not isinstance(document, dict) or document.get(key) is None:
            return default
        document = document[key]
    return document


def compact(document: Any) -> str:
    """As Go writes it: no spaces, keys as they stand."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)
