"""A problem before it has a place in the text: found in the parsed document, named by its path there.

Loading collects flaws; only when there are any does `excerpts.py` look up their lines, so that a good file never pays for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

DocumentPath: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the top of the file: ("component", 0, "step", 2, "timeout")."""

LONGEST_NAME_COMPARED = 80  # difflib is quadratic, and nobody misspells "threshold" at this length
MOST_NAMES_COMPARED = 500
NAMES_LISTED = 12


@dataclass(frozen=True, slots=True)
class Flaw:
    path: DocumentPath
    message: str
    hint: str = ""
    at: Literal["key", "value", "table"] = "value"
    """What the caret points at: the key's name, its value, or the head of the table that `path` names."""
    related: tuple[tuple[DocumentPath, str], ...] = ()
    """Other places, each with what it has to do with this one."""
    masked: bool = False
    """The value at `path` may be a secret: never show it."""


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    from difflib import get_close_matches  # only ever needed when something is wrong

    candidates = {candidate.lower(): candidate for candidate in known}
    if len(name) > LONGEST_NAME_COMPARED or len(candidates) > MOST_NAMES_COMPARED:
        return None
    matches = get_close_matches(name.lower(), candidates, n=1, cutoff=0.6)
    if matches:
        return candidates[matches[0]]
    # `timeout_seconds` for `timeout`: as code or another tool writes it.
    beginnings = [candidate for candidate in candidates if name.lower().startswith((f"{candidate}_", f"{candidate}-"))]
    return candidates[max(beginnings, key=len)] if beginnings else None


def did_you_mean(name: str, known: Iterable[str], noun: str) -> str:
    """The hint that goes with an unknown name: the one that was meant, or else the ones that there are."""
    names = sorted(known)
    match = closest(name, names)
    if match is not None:
        return f'did you mean "{match}"?'
    if not names:
        return f"there are no {noun}"
    more = f" and {len(names) - NAMES_LISTED} more" if len(names) > NAMES_LISTED else ""
    return f"{noun}: {', '.join(names[:NAMES_LISTED])}{more}"


def quoted(names: Iterable[str], last: str = "or") -> str:
    """`"a", "b" or "c"`."""
    words = [f'"{name}"' for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
