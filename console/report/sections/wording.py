"""Words that several sections share: a value with its verdict, who and when, how much a state matters."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from console.domain.events import Verdict
from console.domain.incident import CheckState, ComponentState
from console.domain.notices import NoticeState
from console.domain.outline import Impact
from console.domain.triggers import amount
from console.engine.view import Level
from console.report.blocks import Line, Table, Word
from console.report.times import Times

VERDICT_LEVELS: Final[dict[Verdict, Level]] = {
    "ok": "good",
    "pending": "attention",
    "firing": "alarm",
    "no_data": "attention",
    "stale": "attention",
}
CHECK_LEVELS: Final[dict[CheckState, Level]] = {
    "not_run": "attention",
    "pass": "good",
    "fail": "alarm",
    "unknown": "attention",
    "stale": "attention",
    "signed": "good",
    "waived": "attention",
}
COMPONENT_LEVELS: Final[dict[ComponentState, Level]] = {
    "untouched": "plain",
    "running": "attention",
    "stopped": "attention",
    "failed": "alarm",
    "unknown": "alarm",
    "rolled_back": "good",
    "rolled_forward": "plain",
}
NOTICE_LEVELS: Final[dict[NoticeState, Level]] = {
    "waiting": "plain",
    "due": "attention",
    "overdue": "alarm",
    "snoozed": "attention",
    "sending": "attention",
    "sent": "good",
    "maybe_sent": "alarm",
    "failed": "alarm",
    "acknowledged": "good",
    "unasked": "attention",
    "not_needed": "plain",
    "withdrawn": "attention",
}
IMPACTS: Final[dict[Impact, str]] = {
    "user_facing": "users are touched",
    "compliance": "compliance is touched",
    "security": "security is touched",
}


def timed(
    times: Times,
    columns: tuple[str, ...],
    rows: Iterable[tuple[datetime, *tuple[Line, ...]]],
    narrow: tuple[str, ...] = (),
) -> Table:
    """A table whose rows begin with a moment: in the reader's zone, and in UTC where that is another time."""
    clocks = ("Time",) if times.is_utc else (f"Time ({times.name})", "UTC")
    told = tuple((times.zoned(at), *(() if times.is_utc else (times.utc(at),)), *cells) for at, *cells in rows)
    names = (*clocks, *columns)
    return Table(names, told, tuple(i for i, name in enumerate(names) if name in (*clocks, *narrow)))


def spoken(state: str) -> str:
    return state.replace("_", " ")


def verdict(found: Verdict) -> Word:
    return Word("ok" if found == "ok" else spoken(found).upper(), VERDICT_LEVELS[found])


def measured(value: float | None, unit: str) -> str:
    return "no value" if value is None else amount(value, unit)


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    found = list(names)
    return " and ".join((", ".join(found[:-1]), found[-1])) if len(found) > 1 else "".join(found)


def counted(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"
