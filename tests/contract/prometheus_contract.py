"""What the `prometheus` source promises, whichever server answers; and a small imitation of that server.

`PrometheusContract` runs against the imitation here and against the real Prometheus in tests/real, so that it can't lie.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Protocol

import pytest

from console.domain.errors import Failed
from console.metrics import prometheus as metrics
from console.targets import prometheus as targets
from tests.contract.loopback import Loopback, Reply, Request

LOOK_BACK_SECONDS = 300.0
SCALARS = {"12.5": 12.5, "0/0": math.nan, "1/0": math.inf, "-1/0": -math.inf}


class Server(Protocol):
    """As much of a Prometheus as the contract needs."""

    url: str

    def backfill(
        self, name: str, samples: Iterable[tuple[float, float]], labels: Mapping[str, str] | None = None
    ) -> None:
        """Adds (seconds ago, value) samples to a series."""

    def stop(self) -> None: ...


def source(url: str, query: str, **options: Any) -> metrics.PrometheusSource:
    target = targets.PrometheusTarget("prom", targets.Options(url=url))
    return metrics.PrometheusSource(metrics.Options(query=query, **options), target)


def labels_without_instance(labels: tuple[tuple[str, str], ...]) -> dict[str, str]:
    return {name: value for name, value in labels if name not in ("instance", "job")}


class PrometheusContract:
    """Mixed into a test class for each server; the fixture `prometheus` is the server, empty."""

    async def test_now_is_one_sample_for_each_series(self, prometheus: Server) -> None:
        prometheus.backfill("p95", [(20, 10.0), (2, 34.2)], {"route": "/a"})
        prometheus.backfill("p95", [(2, 1.5)], {"route": "/b"})
        reading = await source(prometheus.url, "p95").now()
        found = {labels_without_instance(s.labels)["route"]: s.value for s in reading.samples}
        assert found == {"/a": 34.2, "/b": 1.5}
        assert len({s.at for s in reading.samples}) == 1
        assert abs((datetime.now(UTC) - reading.samples[0].at).total_seconds()) < 5

    async def test_the_past_is_one_sample_for_each_step_oldest_first(self, prometheus: Server) -> None:
        prometheus.backfill("p95", [(ago, float(ago)) for ago in range(0, 121, 2)])
        reading = await source(prometheus.url, "p95").past(60, 10)
        assert len(reading.samples) == 7
        times = [s.at for s in reading.samples]
        assert times == sorted(times)
        assert [round((b - a).total_seconds(), 3) for a, b in pairwise(times)] == [10.0] * 6
        assert all(a.value > b.value for a, b in pairwise(reading.samples))

    async def test_nothing_found_is_no_sample(self, prometheus: Server) -> None:
        nothing = source(prometheus.url, "no_such_metric")
        assert (await nothing.now()).samples == ()
        assert (await nothing.past(60, 10)).samples == ()

    async def test_a_query_of_one_number_is_one_sample(self, prometheus: Server) -> None:
        assert [s.value for s in (await source(prometheus.url, "12.5").now()).samples] == [12.5]
        assert {s.value for s in (await source(prometheus.url, "12.5").past(60, 10)).samples} == {12.5}

    async def test_what_is_no_number_arrives_as_it_is(self, prometheus: Server) -> None:
        assert math.isnan((await source(prometheus.url, "0/0").now()).samples[0].value)
        assert (await source(prometheus.url, "1/0").now()).samples[0].value == math.inf
        assert (await source(prometheus.url, "-1/0").now()).samples[0].value == -math.inf

    async def test_a_bad_query_fails_in_the_servers_words(self, prometheus: Server) -> None:
        bad = source(prometheus.url, "rate(((")
        for call in (bad.now(), bad.past(60, 10)):
            with pytest.raises(Failed, match=r"it refuses the query: .*parse error"):
                await call

    async def test_more_points_than_the_server_gives_at_once_come_all_the_same(self, prometheus: Server) -> None:
        prometheus.backfill("p95", [(ago, 1.0) for ago in range(0, 3600, 60)])
        reading = await source(prometheus.url, "p95").past(3000, 0.25)
        assert len(reading.samples) == 12_001
        assert len({s.at for s in reading.samples}) == 12_001

    async def test_a_range_of_samples_is_no_value(self, prometheus: Server) -> None:
        prometheus.backfill("p95", [(2, 1.0), (4, 1.0)])
        with pytest.raises(Failed, match="one value for each series"):
            await source(prometheus.url, "p95[1m]").now()

    async def test_a_text_is_no_value(self, prometheus: Server) -> None:
        with pytest.raises(Failed, match="it must give numbers"):
            await source(prometheus.url, '"healthy"').now()

    async def test_how_old_a_sample_may_be_can_be_chosen(self, prometheus: Server) -> None:
        prometheus.backfill("p95", [(60, 1.0)])
        assert len((await source(prometheus.url, "p95").now()).samples) == 1
        assert (await source(prometheus.url, "p95", lookback="30s").now()).samples == ()

    async def test_a_stopped_server_refuses_the_connection(self, prometheus: Server) -> None:
        asking = source(prometheus.url, "p95")
        await asking.now()
        prometheus.stop()
        for call in (asking.now(), asking.past(60, 10)):
            with pytest.raises(Failed) as failed:
                await call
            assert str(failed.value) == f"Prometheus prom ({prometheus.url}): connection refused"


class ImitatedPrometheus(Loopback):
    """Answers the query API from samples in memory: names of metrics and a few numbers, nothing of the language."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self._series: dict[tuple[str, frozenset[tuple[str, str]]], list[tuple[float, float]]] = {}

    def backfill(
        self, name: str, samples: Iterable[tuple[float, float]], labels: Mapping[str, str] | None = None
    ) -> None:
        now = time.time()
        series = self._series.setdefault((name, frozenset((labels or {}).items())), [])
        series += [(now - ago, value) for ago, value in samples]
        series.sort()

    def _answer(self, request: Request) -> Reply:
        query = request.parameters["query"]
        if query.endswith("(("):
            return refusal("bad_data", 'invalid parameter "query": 1:8: parse error: unclosed left parenthesis')
        if request.path == "/api/v1/query_range":
            return self._range(request, query)
        now = time.time()
        if query.startswith('"'):
            return success("string", [now, query.strip('"')])
        if query in SCALARS:
            return success("scalar", [now, text(SCALARS[query])])
        if query.endswith("[1m]"):
            return success("matrix", [{"metric": {}, "values": [[now - 4, "1"], [now - 2, "1"]]}])
        look_back = float(request.parameters.get("lookback_delta", LOOK_BACK_SECONDS))
        found = [(m, v) for m, series in self._named(query) if (v := at(series, now, look_back)) is not None]
        return success("vector", [{"metric": metric, "value": [now, text(value)]} for metric, value in found])

    def _range(self, request: Request, query: str) -> Reply:
        start, end, step = (float(request.parameters[name]) for name in ("start", "end", "step"))
        steps = int((end - start) / step + 1e-6)
        if steps > 11_000:
            return refusal("bad_data", "exceeded maximum resolution of 11,000 points per timeseries.")
        times = [start + i * step for i in range(steps + 1)]
        if query in SCALARS:
            return success("matrix", [{"metric": {}, "values": [[t, text(SCALARS[query])] for t in times]}])
        result = []
        for metric, series in self._named(query):
            values = [[t, text(v)] for t in times if (v := at(series, t, LOOK_BACK_SECONDS)) is not None]
            if values:
                result.append({"metric": metric, "values": values})
        return success("matrix", result)

    def _named(self, query: str) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        return [({"__name__": n, **dict(labels)}, s) for (n, labels), s in self._series.items() if n == query]


def at(series: list[tuple[float, float]], moment: float, look_back: float) -> float | None:
    known = [value for when, value in series if moment - look_back < when <= moment]
    return known[-1] if known else None


def text(value: float) -> str:
    return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN" if math.isnan(value) else repr(value))


def success(kind: str, result: Any, **more: Any) -> Reply:
    body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    return Reply(json.dumps(body).encode(), headers={"Content-Type": "application/json"})


def refusal(kind: str, error: str, status: int = 400) -> Reply:
    body = {"status": "error", "errorType": kind, "error": error}
    return Reply(json.dumps(body).encode(), status, {"Content-Type": "application/json"})
