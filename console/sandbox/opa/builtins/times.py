"""Times, in nanoseconds since 1970."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from console.sandbox.opa.builtins.given import Undefined, num, string, whole
from console.sandbox.opa.errors import NotInDrill
from console.sandbox.opa.values import Value, number

_SECOND: Final = 10**9
_UNITS: Final = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": _SECOND, "m": 60 * _SECOND, "h": 3600 * _SECOND}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339: Final = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _when(value: Value) -> tuple[datetime, int]:
    """A moment in its zone, and the nanoseconds that a datetime can't hold."""
    zone: tzinfo = UTC
    if isinstance(value, tuple) and len(value) >= 2:
        value, named = value[0], string(value[1])
        try:
            zone = ZoneInfo(named) if named not in ("", "UTC", "Local") else UTC
        except (ZoneInfoNotFoundError, ValueError):
            raise Undefined from None
    nanos = whole(value)
    try:
        return (_EPOCH + timedelta(microseconds=nanos // 1000)).astimezone(zone), nanos % 1000
    except OverflowError:
        raise Undefined from None


def _nanos(moment: datetime) -> int:
    passed = moment - _EPOCH
    return (passed.days * 86400 + passed.seconds) * _SECOND + passed.microseconds * 1000


def _rfc3339(value: Value) -> int:
    found = _RFC3339.fullmatch(string(value))
    if found is None:
        raise Undefined
    try:
        moment = datetime.fromisoformat(found[1].upper() + found[3].upper().replace("Z", "+00:00"))
    except ValueError:
        raise Undefined from None
    return _nanos(moment) + int(((found[2] or ".0")[1:] + "0" * 9)[:9])


def _duration(value: Value) -> Value:
    text = string(value)
    found = re.findall(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)", text)
    if text.lstrip("+-") == "0":
        return 0
    if not found or "".join(a + b for a, b in found) != text.lstrip("+-"):
        raise Undefined
    total = sum(float(amount) * _UNITS[unit] for amount, unit in found)
    return number(-total if text.startswith("-") else total)


def _add_date(value: Value, years: Value, months: Value, days: Value) -> int:
    moment, rest = _when(value)
    month = moment.month - 1 + whole(months)
    year = moment.year + whole(years) + month // 12
    month = month % 12 + 1
    try:
        first = moment.replace(year=year, month=month, day=1)
        return _nanos(first + timedelta(days=moment.day - 1 + whole(days))) + rest
    except (ValueError, OverflowError):
        raise Undefined from None


def _diff(one: Value, other: Value) -> Value:
    (late, _), (early, _) = _when(one), _when(other)
    if late < early:
        late, early = early, late
    early = early.astimezone(late.tzinfo)
    parts = [getattr(late, f) - getattr(early, f) for f in ("year", "month", "day", "hour", "minute", "second")]
    years, months, days, hours, minutes, seconds = parts
    if seconds < 0:
        seconds, minutes = seconds + 60, minutes - 1
    if minutes < 0:
        minutes, hours = minutes + 60, hours - 1
    if hours < 0:
        hours, days = hours + 24, days - 1
    if days < 0:
        days += calendar.monthrange(early.year, early.month)[1]
        months -= 1
    if months < 0:
        months, years = months + 12, years - 1
    return (years, months, days, hours, minutes, seconds)


def _format(value: Value) -> str:
    moment, rest = _when(value)
    if isinstance(value, tuple) and len(value) > 2:
        raise NotInDrill("the drill's OPA has no time.format with a layout")
    fraction = f"{moment.microsecond * 1000 + rest:09d}".rstrip("0")
    zone = moment.strftime("%z")
    told = "Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}"
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + told


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "time.parse_rfc3339_ns": _rfc3339,
    "time.parse_duration_ns": _duration,
    "time.add_date": _add_date,
    "time.date": lambda a: (_when(a)[0].year, _when(a)[0].month, _when(a)[0].day),
    "time.clock": lambda a: (_when(a)[0].hour, _when(a)[0].minute, _when(a)[0].second),
    "time.weekday": lambda a: calendar.day_name[_when(a)[0].weekday()],
    "time.diff": _diff,
    "time.format": lambda a: _format(a if isinstance(a, tuple) else num(a)),
}
