"""Samples from a PromQL query: metric source `prometheus`."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from console.config.options import Options as TableOptions
from console.config.options import PositiveDuration
from console.engine.ports import MetricSource, Reading, Sample
from console.targets.prometheus import Answer, PrometheusTarget

KIND: Final = "prometheus"
TARGET_KINDS: Final = ("prometheus",)
WINDOW_HINT: Final = "write it into the query, for example avg_over_time(…[5m])"


class Options(TableOptions):
    """A trigger over a PromQL query."""

    query: Annotated[str, Field(min_length=1, max_length=10_000)]
    """A PromQL expression that gives one value for each series, or one value; the worst is compared."""
    lookback_seconds: PositiveDuration | None = None
    """How old a sample may be to count as present; left out, the server's own rule, 5 minutes as a rule."""


class PrometheusSource:
    def __init__(self, options: Options, target: PrometheusTarget) -> None:
        self.query = options.query.strip()
        self._lookback_seconds = options.lookback_seconds
        self._target = target

    async def now(self) -> Reading:
        """One sample for each series, all of the moment at which the server evaluated the query."""
        return await self._target.asked(self.query, _reading, lookback_seconds=self._lookback_seconds)

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        """One sample for each series and step, oldest first."""
        return await self._target.asked_of_the_past(
            self.query, _reading, seconds, step_seconds, lookback_seconds=self._lookback_seconds
        )


def build(options: Options, target: PrometheusTarget) -> MetricSource:
    return PrometheusSource(options, target)


def _reading(answer: Answer) -> Reading:
    """In the thread that asked: it can be a hundred thousand samples."""
    samples = [Sample(at, value, one.labels) for one in answer.series for at, value in one.points]
    if any(sample.at is not samples[0].at for sample in samples):
        samples.sort(key=lambda sample: sample.at)
    return Reading(tuple(samples), answer.warnings)
