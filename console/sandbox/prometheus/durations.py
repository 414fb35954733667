"""Spans of time and moments as Prometheus reads and writes them: 1h30m, 250ms; a number is seconds."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_WRITTEN: Final = re.compile("".join(rf"(?:(\d+){unit})?" for unit in _UNITS), re.ASCII)
_MOST_SECONDS: Final = 2**63 / 1e9
_ONLY_WHOLE: Final = ("y", "w")


def span(text: str) -> int:
    """Milliseconds of a written span; ValueError in Prometheus' words."""
    found = _WRITTEN.fullmatch(text)
    if text == "0":
        return 0
    if not text:
        raise ValueError("empty duration string")
    if found is None:
        raise ValueError(f'not a valid duration string: "{text}"')
    return sum(int(count) * unit for count, unit in zip(found.groups(), _UNITS.values(), strict=True) if count)


def written(milliseconds: int) -> str:
    if milliseconds == 0:
        return "0s"
    parts = []
    for unit, size in _UNITS.items():
        if unit in _ONLY_WHOLE and milliseconds % size:
            continue
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parameter(text: str) -> int:
    """Milliseconds of a span in a request: a number of seconds, or written."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if abs(seconds) >= _MOST_SECONDS:
        raise ValueError(f'cannot parse "{text}" to a valid duration. It overflows int64')
    if math.isfinite(seconds):
        return math.trunc(seconds * 1e9) // 1_000_000
    try:
        return span(text)
    except ValueError:
        raise ValueError(f'cannot parse "{text}" to a valid duration') from None


def moment(text: str) -> int:
    """Milliseconds since 1970 of a time in a request: a number of seconds, or RFC 3339."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if math.isfinite(seconds) and abs(seconds) < 1e15:
        part, whole = math.modf(seconds)
        return int(whole) * 1000 + round(part * 1000)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f'cannot parse "{text}" to a valid timestamp')
    return round(found.timestamp() * 1000)


def stamp(milliseconds: int | None) -> str:
    """RFC 3339; the year 1 when it never was."""
    if milliseconds is None:
        return "0001-01-01T00:00:00Z"
    found = datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    part = f".{milliseconds % 1000:03d}".rstrip("0") if milliseconds % 1000 else ""
    return f"{found}{part}Z"
