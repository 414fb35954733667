"""`prometheus.query`: a PromQL query's value lies within bounds, for every series that it gives.

Prometheus answers a query that finds nothing with success. Here nothing is no pass, and neither is a value that is no number.
"""

from __future__ import annotations

import math
from typing import Annotated, Final

from pydantic import Field, model_validator

from console.config.options import OneLine, PositiveDuration
from console.config.options import Options as TableOptions
from console.domain.errors import Failed
from console.domain.triggers import amount
from console.engine.ports import Check, Evidence
from console.targets.prometheus import Answer, PrometheusTarget
from console.targets.text import clean_line

KIND: Final = "prometheus.query"
TARGET_KINDS: Final[tuple[str, ...]] = ("prometheus",)

_SHOWN: Final = 3
_LISTED: Final = 20
_QUERY_SHOWN: Final = 200


class Options(TableOptions):
    """A query, and between what bounds each of its values must lie. At least one bound; the same twice asks for that value."""

    query: Annotated[str, Field(min_length=1, max_length=10_000)]
    """A PromQL expression without a comparison, which would leave out what does not hold: `up{job="api"}`."""
    at_most: float | None = None
    """No series may be above this."""
    at_least: float | None = None
    """No series may be below this."""
    unit: OneLine | None = None
    """Unit of the values, as shown."""
    series_at_least: Annotated[int, Field(ge=1)] = 1
    """How many series there must be, where one that vanishes would go unnoticed."""
    lookback_seconds: PositiveDuration | None = None
    """How old a sample may be to count as present; left out, the server's own rule, 5 minutes as a rule."""

    @model_validator(mode="after")
    def _some_bounds(self) -> Options:
        if self.at_most is None and self.at_least is None:
            raise ValueError('give "at_most", "at_least" or both')
        if self.at_most is not None and self.at_least is not None and self.at_least > self.at_most:
            raise ValueError('"at_least" is above "at_most": nothing could hold')
        return self


class PrometheusQuery:
    """Fails when a series is out of bounds; unknown when there is no number to judge or nobody to ask."""

    def __init__(self, options: Options, target: PrometheusTarget) -> None:
        self._options = options
        self._target = target
        self._query = options.query.strip()
        self._unit = options.unit or ""

    async def run(self) -> Evidence:
        try:
            answer = await self._target.query(self._query, lookback_seconds=self._options.lookback_seconds)
        except Failed as error:
            return Evidence("unknown", error.message, (f"query: {self._query_shown}",))
        return self._judged(answer)

    def _judged(self, answer: Answer) -> Evidence:
        found = [(_named(one.labels), one.points[0][1]) for one in answer.series]
        numbers = [(name, value) for name, value in found if not math.isnan(value)]
        beyond = [(name, value) for name, value in numbers if not self._holds(value)]
        detail = self._detail(answer, [*beyond, *(one for one in found if one not in beyond)])
        warned = f"; Prometheus warns: {answer.warnings[0]}" if answer.warnings else ""
        if beyond:
            return Evidence("fail", self._beyond(beyond, len(found)) + warned, detail)
        if not found:
            return Evidence("unknown", f"the query finds nothing{warned}", detail)
        if len(numbers) < len(found):
            text = f"{len(found) - len(numbers)} of {_series(len(found))} is no number (NaN){warned}"
            return Evidence("unknown", text, detail)
        if len(found) < self._options.series_at_least:
            text = f"{_series(len(found))}, {self._options.series_at_least} wanted at least{warned}"
            return Evidence("fail", text, detail)
        return Evidence("pass", self._within(numbers) + warned, detail)

    def _holds(self, value: float) -> bool:
        at_least, at_most = self._options.at_least, self._options.at_most
        return (at_least is None or value >= at_least) and (at_most is None or value <= at_most)

    def _beyond(self, beyond: list[tuple[str, float]], count: int) -> str:
        worst = sorted(beyond, key=lambda one: self._distance(one[1]), reverse=True)[:_SHOWN]
        told = ", ".join(f"{self._told(value)}{name and f' ({name})'}" for name, value in worst)
        more = f" and {len(beyond) - _SHOWN} more" if len(beyond) > _SHOWN else ""
        of = f"; {len(beyond)} of {_series(count)} beyond" if count > 1 else ""
        return f"{told}{more}, {self._bounds()}{of}"

    def _within(self, numbers: list[tuple[str, float]]) -> str:
        values = [value for _, value in numbers]
        low, high = amount(min(values), self._unit), amount(max(values), self._unit)
        if len(values) == 1:
            return f"{high}, {self._bounds()}"
        return f"{low if low == high else f'{low} to {high}'} in {_series(len(values))}, {self._bounds()}"

    def _told(self, value: float) -> str:
        """Out of bounds by so little that rounding would hide it, a value is told to the last digit."""
        bounds = {amount(b, self._unit) for b in (self._options.at_least, self._options.at_most) if b is not None}
        text = amount(value, self._unit)
        return f"{value:.15g} {self._unit}".rstrip() if text in bounds else text

    def _distance(self, value: float) -> float:
        """How far beyond its bound a value is."""
        at_least, at_most = self._options.at_least, self._options.at_most
        above = value - at_most if at_most is not None else -math.inf
        return max(above, at_least - value if at_least is not None else -math.inf)

    def _bounds(self) -> str:
        at_least, at_most = self._options.at_least, self._options.at_most
        if at_least is not None and at_least == at_most:
            return f"expected {amount(at_least, self._unit)}"
        words = [f"at least {amount(at_least, self._unit)}"] if at_least is not None else []
        words += [f"at most {amount(at_most, self._unit)}"] if at_most is not None else []
        return " and ".join(words)

    def _detail(self, answer: Answer, found: list[tuple[str, float]]) -> tuple[str, ...]:
        lines = [f"query: {self._query_shown}"]
        lines += [f"{name or 'value'}: {amount(value, self._unit)}" for name, value in found[:_LISTED]]
        lines += [f"and {len(found) - _LISTED} more series"] if len(found) > _LISTED else []
        return (*lines, *(f"warning: {text}" for text in answer.warnings))

    @property
    def _query_shown(self) -> str:
        return clean_line(self._query, _QUERY_SHOWN)


def _named(labels: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={text}" for name, text in labels)


def _series(count: int) -> str:
    return f"{count} series"


def build(options: Options, target: PrometheusTarget) -> Check:
    return PrometheusQuery(options, target)
