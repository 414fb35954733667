"""`postgres.query`: one SELECT gives the value, or the rows, that it should.

It runs in a transaction that may only read and is rolled back, within a time limit, and never fetches more than a few rows.
Row-level security that would hide rows is an error: a count of what one may not see is no evidence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, model_validator

from console.config.options import Options as TableOptions
from console.config.options import PositiveDuration
from console.domain.errors import Refused
from console.engine.ports import Check, Evidence
from console.targets.postgres import filters
from console.targets.postgres.client import Limits, PostgresTarget
from console.targets.text import clean_line

KIND: Final = "postgres.query"
TARGET_KINDS: Final[tuple[str, ...]] = ("postgres",)

MOST_ROWS: Final = 100
"""More is not fetched: what a person compares is a count, a sum, or a handful of rows."""
_LISTED: Final = 10
_VALUE_LIMIT: Final = 80
_TEXT_LIMIT: Final = 400
_SHOWN_ROWS: Final = 3

Value = str | bool | int | float | datetime | date
Row = tuple[Value, ...]


class Options(TableOptions):
    """A query, its values, and what it must give: `expect`, or `at_least` and `at_most` of one number."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
    """One SELECT (or WITH or VALUES), its values as `%(name)s`: `SELECT count(*) FROM audit_log WHERE actor = %(who)s`."""
    parameters: dict[Annotated[str, StringConstraints(pattern=rf"^{filters.NAME}$")], Value] = Field(
        default_factory=dict
    )
    """The values, by name. They are bound, never pasted into the SQL."""
    expect: Value | Row | tuple[Row, ...] | None = None
    """What it gives: one value, one row `[1, "a"]`, or rows `[[1, "a"], [2, "b"]]` in this order; `[]` for no row at all."""
    at_least: float | None = None
    """The one number that it gives is not below this."""
    at_most: float | None = None
    """The one number that it gives is not above this."""
    statement_timeout_seconds: PositiveDuration = 5.0
    """How long it may take on the server."""

    @model_validator(mode="after")
    def _one_select(self) -> Options:
        try:
            parsed = filters.parse(self.query)
            filters.check_parameters([parsed], self.parameters)
        except filters.BadFilter as error:
            raise ValueError(f'"query" is one SELECT: {error}') from None
        if not re.match(r"[\s(]*(select|with|values)\b", self.query, re.IGNORECASE):
            raise ValueError('"query" begins with SELECT, WITH or VALUES')
        return self

    @model_validator(mode="after")
    def _one_expectation(self) -> Options:
        bounded = self.at_least is not None or self.at_most is not None
        if (self.expect is None) is not bounded:
            raise ValueError('give either "expect", or "at_least" and "at_most"')
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError('"at_least" is above "at_most": nothing could hold')
        return self


class PostgresQuery:
    """Fails when the answer is another one; unknown when there is none, or no number where one is asked for."""

    def __init__(self, options: Options, target: PostgresTarget) -> None:
        self._options = options
        self._target = target
        self._statement = filters.parse(options.query).bound
        self._limits = Limits(
            lock_seconds=options.statement_timeout_seconds, statement_seconds=options.statement_timeout_seconds
        )

    async def run(self) -> Evidence:
        asked = f"query: {clean_line(self._options.query)}"
        try:
            async with self._target.reading(self._limits) as transaction:
                found, rows = await transaction.selected(self._statement, self._options.parameters, MOST_ROWS + 1)
        except Refused as error:
            return Evidence("unknown", error.message, (asked,))
        names = tuple(clean_line(name) for name in found)
        detail = (asked, *_listed(names, rows))
        if len(rows) > MOST_ROWS:
            return Evidence("unknown", f"more than {MOST_ROWS} rows; let the query count or sum them", detail)
        if self._options.expect is None:
            return self._within_bounds(names, rows, detail)
        return self._as_expected(names, rows, detail)

    def _as_expected(self, names: tuple[str, ...], rows: list[tuple[Any, ...]], detail: tuple[str, ...]) -> Evidence:
        wanted = _rows_of(self._options.expect)
        same = len(rows) == len(wanted) and all(_same_row(*pair) for pair in zip(rows, wanted, strict=True))
        found = _told(names, rows)
        if same:
            return Evidence("pass", found, detail)
        return Evidence("fail", f"{found}; expected {_told((), wanted)}", detail)

    def _within_bounds(self, names: tuple[str, ...], rows: list[tuple[Any, ...]], detail: tuple[str, ...]) -> Evidence:
        found = _told(names, rows)
        if len(rows) != 1 or len(names) != 1:
            return Evidence("unknown", f"{found}; a bound needs one number", detail)
        number = rows[0][0]
        if isinstance(number, bool) or not isinstance(number, int | float | Decimal) or number != number:
            return Evidence("unknown", f"{found}, which is no number", detail)
        at_least, at_most = self._options.at_least, self._options.at_most
        low = at_least is not None and number < _exact(at_least)
        high = at_most is not None and number > _exact(at_most)
        words = [f"at least {_said(at_least)}"] if at_least is not None else []
        words += [f"at most {_said(at_most)}"] if at_most is not None else []
        return Evidence("fail" if low or high else "pass", f"{found}, {' and '.join(words)}", detail)


# ---------------------------------------------------------------- comparing


def _rows_of(expect: Any) -> list[tuple[Any, ...]]:
    """A value, a row or rows, all as rows."""
    if not isinstance(expect, tuple):
        return [(expect,)]
    if all(isinstance(row, tuple) for row in expect):
        return list(expect)
    return [expect]


def _same_row(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
    return len(found) == len(wanted) and all(_same(*pair) for pair in zip(found, wanted, strict=True))


def _same(found: Any, wanted: Any) -> bool:
    """Numbers by value, times by the moment, everything else that the file can only write as text by its text."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(wanted, str):
        return found is not None and str(found) == wanted
    if isinstance(wanted, int | float):
        return isinstance(found, int | float | Decimal) and found == (
            _exact(wanted) if isinstance(found, Decimal) else wanted
        )
    return type(found) is type(wanted) and found == wanted


def _exact(number: float) -> int | Decimal:
    """0.1 as it is written, and not its nearest binary fraction: `numeric` knows the difference."""
    return number if isinstance(number, int) else Decimal(repr(number))


# ---------------------------------------------------------------- in words


def _told(names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> str:
    if not rows:
        return "no row"
    if len(rows) == 1:
        return clean_line(_row(names, rows[0]), _TEXT_LIMIT)
    shown = "; ".join(_row((), row) for row in rows[:_SHOWN_ROWS])
    more = " …" if len(rows) > _SHOWN_ROWS else ""
    return clean_line(f"{len(rows)} rows: {shown}{more}", _TEXT_LIMIT)


def _row(names: tuple[str, ...], row: tuple[Any, ...]) -> str:
    if names:
        return ", ".join(f"{name} {_said(value)}" for name, value in zip(names, row, strict=True))
    return ", ".join(_said(value) for value in row)


def _listed(names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> list[str]:
    lines = [clean_line(_row(names, row), _TEXT_LIMIT) for row in rows[:_LISTED]]
    return [*lines, f"and {len(rows) - _LISTED} more rows"] if len(rows) > _LISTED else lines


def _said(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean_line(str(value), _VALUE_LIMIT)


def build(options: Options, target: PostgresTarget) -> Check:
    return PostgresQuery(options, target)
