"""`baseline`: a measured value now against the same before the migration, with a tolerance.

The standard is what `baseline take` recorded in the journal; where nothing was, Prometheus' own history before the migration.
The file can name another moment or a fixed value instead. Without a standard there is no verdict, and never a pass.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Final, Literal, TypeVar

from pydantic import AwareDatetime, Field, model_validator

from console.config.options import OneLine, PositiveDuration
from console.config.options import Options as TableOptions
from console.domain.errors import Failed
from console.domain.triggers import amount, span
from console.engine.ports import Check, Evidence, Known, Measurement
from console.targets.prometheus import Answer, PrometheusTarget
from console.targets.text import clean_line

KIND: Final = "baseline"
TARGET_KINDS: Final[tuple[str, ...]] = ("prometheus",)

POINTS: Final = 60
"""How many values of the window are averaged."""
_SHORTEST_STEP_SECONDS: Final = 1.0

Found = TypeVar("Found")


class Options(TableOptions):
    """A query that gives one value, what it is compared with, and how far it may be from that."""

    query: Annotated[str, Field(min_length=1, max_length=10_000)]
    """A PromQL expression that gives one value: `histogram_quantile(0.95, sum by (le) (rate(…_bucket[5m])))`."""
    tolerance_percent: Annotated[float, Field(ge=0)]
    """How many percent of the standard it may be worse than that."""
    worse: Literal["higher", "lower"] = "higher"
    """Which way is worse: `"higher"` for a latency, `"lower"` for a throughput."""
    slack: Annotated[float, Field(ge=0)] = 0.0
    """On top of the tolerance, in the query's own unit: for a standard at or near 0, of which percents are nothing."""
    unit: OneLine | None = None
    """Unit of the value, as shown."""
    window_seconds: PositiveDuration = 3600.0
    """How much time is averaged for a standard that is taken, or read from Prometheus' history."""
    at: AwareDatetime | None = None
    """Compare with the time up to this moment: `2026-03-01T14:00:00Z`. Left out: with what `baseline take` recorded, and
    without that with the time before `migrated_at` of the incident."""
    value: float | None = None
    """Compare with this fixed value."""

    @model_validator(mode="after")
    def _one_standard(self) -> Options:
        if self.at is not None and self.value is not None:
            raise ValueError('either "at" or "value"')
        return self


class Baseline:
    """Fails when the value is worse than its standard by more than the tolerance; unknown without both of them."""

    def __init__(self, options: Options, target: PrometheusTarget) -> None:
        self._options = options
        self._target = target
        self._query = options.query.strip()
        self._unit = options.unit or ""

    async def run(self) -> Evidence:
        return Evidence("unknown", "it is compared with a baseline, which only the console at work knows")

    async def compare(self, check_id: str, known: Known) -> Evidence:
        asked = (f"query: {clean_line(self._query)}",)
        standard, now = await asyncio.gather(_or_failed(self._standard(check_id, known)), _or_failed(self._now()))
        if isinstance(standard, Failed) or isinstance(now, Failed):
            told = dict.fromkeys(str(one) for one in (standard, now) if isinstance(one, Failed))
            return Evidence("unknown", "; ".join(told), asked)
        return self._judged(now, standard, asked)

    # ------------------------------------------------------------ the two values

    async def _now(self) -> float:
        return _one_value(await self._target.query(self._query))

    async def _standard(self, check_id: str, known: Known) -> Measurement:
        """Raises Failed with what to do where there is none."""
        options = self._options
        if options.value is not None:
            return Measurement(options.value, self._unit, "fixed by the procedure")
        if options.at is not None:
            return await self._averaged(options.at, "")
        if taken := known.baselines.get(check_id):
            if taken.unit != self._unit:
                was, is_ = taken.unit or "no unit", self._unit or "none"
                raise Failed(f"its baseline was taken in {was}, and the procedure says {is_}", _TAKE.format(check_id))
            return Measurement(taken.value, taken.unit, taken.of)
        if known.migrated_at is not None and known.migrated_at <= known.at:
            return await self._averaged(known.migrated_at, ", before the migration")
        raise Failed("no baseline is known", f"{_TAKE.format(check_id)} before the migration; after it: {_SAY}")

    async def _averaged(self, until: datetime, words: str) -> Measurement:
        """The average of the window up to a moment. Raises Failed when less than half of it is known."""
        seconds = self._options.window_seconds
        step = max(seconds / POINTS, _SHORTEST_STEP_SECONDS)
        answer = await self._target.query_range(self._query, seconds, step, until=until)
        if len(answer.series) > 1:
            raise Failed(_SEVERAL.format(len(answer.series)))
        values = [value for one in answer.series for _, value in one.points if math.isfinite(value)]
        moments = int(seconds / step) + 1
        of = f"average of {span(seconds)} up to {until:%Y-%m-%d %H:%M:%S} UTC{words}"
        if 2 * len(values) < moments:
            raise Failed(
                f"no baseline: {len(values)} of {moments} values are known of the {of.partition(' of ')[2]}", _SAY
            )
        partly = f", {len(values)} of {moments} values" if len(values) < moments else ""
        return Measurement(sum(values) / len(values), self._unit, of + partly)

    # ------------------------------------------------------------ the verdict

    def _judged(self, now: float, standard: Measurement, asked: tuple[str, ...]) -> Evidence:
        options = self._options
        allowed = abs(standard.value) * options.tolerance_percent / 100 + options.slack
        higher = options.worse == "higher"
        holds = now <= standard.value + allowed if higher else now >= standard.value - allowed
        limit = standard.value + allowed if higher else standard.value - allowed
        then, seen = amount(standard.value, self._unit), amount(now, self._unit)
        tolerance = f"tolerance {amount(options.tolerance_percent, '%')}"
        tolerance += f" and {amount(options.slack, self._unit)}" if options.slack else ""
        detail = (
            *asked,
            f"then: {then} ({standard.of})",
            f"now: {seen}; at {'most' if higher else 'least'} {amount(limit, self._unit)} is allowed",
        )
        text = f"{_times(now, standard.value)}baseline ({then} then, {seen} now), {tolerance}"
        return Evidence("pass" if holds else "fail", text, detail)


class TakenBaseline(Baseline):
    """One whose standard `baseline take` records."""

    async def measure(self, known: Known) -> Measurement:
        """The window up to now; up to the migration when that has been, for what is measured after it is no standard."""
        if known.migrated_at is not None and known.migrated_at <= known.at:
            return await self._averaged(known.migrated_at, ", before the migration")
        return await self._averaged(known.at, "")


_TAKE: Final = "rollback-console baseline take {}"
_SAY: Final = 'write "at" or "value" in the check, or migrated_at in [incident]'
_SEVERAL: Final = "the query gives {} series; let it give one value"


async def _or_failed(work: Awaitable[Found]) -> Found | Failed:
    """So that both failures are told where there are two."""
    try:
        return await work
    except Failed as error:
        return error


def _one_value(answer: Answer) -> float:
    """Raises Failed for none, for several, and for what is no number."""
    if len(answer.series) > 1:
        raise Failed(_SEVERAL.format(len(answer.series)))
    if not answer.series:
        raise Failed("the query finds nothing now")
    value = answer.series[0].points[0][1]
    if math.isnan(value):
        raise Failed("the query gives no number now (NaN)")
    return value


def _times(now: float, standard: float) -> str:
    """`2.1 × `; empty where a ratio says nothing."""
    if standard <= 0 or now < 0 or not math.isfinite(now):
        return ""
    ratio = now / standard
    return f"{ratio:.0f} × " if ratio >= 10 else f"{f'{ratio:.2f}'.rstrip('0').rstrip('.')} × "


def build(options: Options, target: PrometheusTarget) -> Check:
    fixed = options.at is not None or options.value is not None
    return Baseline(options, target) if fixed else TakenBaseline(options, target)
