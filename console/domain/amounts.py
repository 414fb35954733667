"""Measured values, durations and times of day as people read them. Whatever speaks of triggers and clocks asks here."""

from __future__ import annotations

import math
from datetime import datetime


def amount(value: float, unit: str) -> str:
    """A measured value for people: four significant digits, whole numbers whole, the unit behind."""
    if not math.isfinite(value):
        return with_unit({math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN"), unit)
    size = abs(value)
    if size and not 1e-4 <= size < 1e15:  # beyond these nobody counts digits
        return with_unit(f"{value:.4g}", unit)
    digits = max(0, 3 - math.floor(math.log10(size))) if size else 0
    text = f"{value:.{digits}f}"
    return with_unit(text.rstrip("0").rstrip(".") if "." in text else text, unit)


def with_unit(number: str, unit: str) -> str:
    return f"{number} {unit}" if unit else number


def span(seconds: float) -> str:
    """A duration for people, its two largest units: "7 m 12 s", "2 h 5 m", "1.5 s", "400 ms"."""
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 10 and seconds != int(seconds):  # below ten seconds a tenth matters
        return f"{seconds:.1f} s"
    left = int(seconds)
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def clock_time(at: datetime, now: datetime) -> str:
    """The time of day, with its date when that is not today's."""
    return f"{at:%H:%M:%S} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M:%S} UTC"
