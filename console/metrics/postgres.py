"""A number from a SELECT: trigger source `postgres`. It runs in a read-only transaction and knows no past."""

from __future__ import annotations

import asyncio
import math
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints, model_validator

from console.config.options import Options as TableOptions
from console.config.options import PositiveDuration
from console.domain.errors import ConsoleError, Failed
from console.domain.triggers import span
from console.engine.clock import SystemClock
from console.engine.ports import Clock, MetricSource, Reading, Sample
from console.engine.sampler import CALL_TIMEOUT_SECONDS
from console.targets.postgres.client import Limits, PostgresTarget
from console.targets.text import clean_line

KIND: Final = "postgres"
TARGET_KINDS: Final = ("postgres",)

MOST_SERIES: Final = 1000
LABEL_LIMIT: Final = 80
LOCK_SECONDS: Final = 1.0
LIMIT_SECONDS: Final = CALL_TIMEOUT_SECONDS - 1
"""For connecting and asking together: sooner than the sampler gives up, so that it is this source that says why."""
_SHOWN: Final = 160
_NAME: Final = r"[a-z_][a-z0-9_]*"
_PERCENT: Final = re.compile(rf"%\((?P<name>{_NAME})\)s|%%?")

Parameter = str | bool | int | float | datetime | date


class Options(TableOptions):
    """A trigger over a SELECT, carried out in a transaction in which nothing can be written."""

    query: Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=r"^[^\x00]*$")]
    """One SELECT that gives a number, or rows whose last column is one and whose columns before it, the labels, tell the rows
    apart: `SELECT service, count(*) FROM complaints WHERE at > now() - interval '1 hour' GROUP BY service`."""
    parameters: dict[Annotated[str, StringConstraints(pattern=rf"^{_NAME}$")], Parameter] = Field(default_factory=dict)
    """Values for the query by name, where it says `%(name)s`. They are bound, never pasted into the SQL."""
    statement_timeout_seconds: PositiveDuration = 5.0
    """How long the query may take on the server; at most 8s."""

    @model_validator(mode="after")
    def _fits(self) -> Options:
        wanted = {match["name"] for match in _PERCENT.finditer(self.query) if match["name"]}
        if missing := sorted(wanted - set(self.parameters)):
            raise ValueError(f"parameters lacks {', '.join(missing)}")
        if unused := sorted(set(self.parameters) - wanted):
            raise ValueError(f"the query does not use the parameter {unused[0]}; it is written %({unused[0]})s")
        if self.statement_timeout_seconds > LIMIT_SECONDS - LOCK_SECONDS:
            raise ValueError(f'"statement_timeout" is at most {LIMIT_SECONDS - LOCK_SECONDS:g}s')
        return self


class PostgresSource:
    def __init__(self, options: Options, target: PostgresTarget, *, clock: Clock | None = None) -> None:
        self.query = clean_line(options.query, _SHOWN)
        self._options = options
        self._target = target
        self._clock = clock or SystemClock()
        self._limits = Limits(LOCK_SECONDS, options.statement_timeout_seconds)
        # psycopg takes each percent sign for a placeholder; in SQL it is an operator or part of a pattern.
        self._sql = _PERCENT.sub(lambda match: match[0] if match["name"] else "%%", options.query)

    async def now(self) -> Reading:
        """One sample for each row; a NULL is NaN and told."""
        names, rows = await self._rows()
        at = self._clock.now()
        if len(rows) > MOST_SERIES:
            raise self._failed(f"the query gives more than {MOST_SERIES} rows")
        if len(rows) > 1 and len(names) == 1:
            raise self._failed("the query gives several rows: put a column before the number that tells them apart")
        samples = tuple(Sample(at, self._number(row[-1], names[-1]), _labels(names, row)) for row in rows)
        without = sum(math.isnan(sample.value) for sample in samples)
        return Reading(samples, (f"{without} of {len(samples)} rows have no number",) if without else ())

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        """Nothing is known of it."""
        del seconds, step_seconds
        return Reading(())

    async def _rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        try:
            async with asyncio.timeout(LIMIT_SECONDS), self._target.reading(self._limits) as transaction:
                return await transaction.selected(self._sql, dict(self._options.parameters), MOST_SERIES + 1)
        except TimeoutError:
            raise self._failed(f"no answer within {span(LIMIT_SECONDS)}") from None
        except ConsoleError as error:  # that nothing was changed goes without saying
            raise Failed(clean_line(error.message, 400)) from None

    def _number(self, value: Any, name: str) -> float:
        if value is None:
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            words = f"the query's last column, {clean_line(name, LABEL_LIMIT)}, is not a number"
            raise self._failed(f"{words} ({type(value).__name__})", "cast it: …::float8")
        return float(value)

    def _failed(self, reason: str, hint: str = "") -> Failed:
        return Failed(f"PostgreSQL {self._target.context}: {reason}", hint)


def build(options: Options, target: PostgresTarget) -> MetricSource:
    return PostgresSource(options, target)


def _labels(names: tuple[str, ...], row: tuple[Any, ...]) -> tuple[tuple[str, str], ...]:
    pairs = zip(names[:-1], row[:-1], strict=True)
    return tuple((clean_line(name, LABEL_LIMIT), clean_line(str(value), LABEL_LIMIT)) for name, value in pairs)
