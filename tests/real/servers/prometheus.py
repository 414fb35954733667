"""A real Prometheus on loopback that scrapes metrics set by the test, and whose past the test can fill."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from tests.real.servers import binaries
from tests.real.servers.exposition import Exposition
from tests.real.servers.ports import reserve
from tests.real.servers.processes import ServerProcess, answers, poll

JOB = "qec"
PAST_HOURS = 24
"""How far back `backfill` may go."""


class PrometheusServer:
    """The server (`.process`), what it scrapes (`.metrics`), its past (`.backfill`), its rule files (`.rules`)."""

    def __init__(self, folder: Path, *, scrape_interval: str = "200ms", lifecycle: bool = True) -> None:
        self.folder = folder
        self._lifecycle = lifecycle
        self._interval = scrape_interval
        self.rules = folder / "rules"
        """A folder; its *.yaml files are read at start and on `POST /-/reload`."""
        self.rules.mkdir(parents=True, exist_ok=True)
        self.exposition = Exposition()
        self.address = f"127.0.0.1:{reserve()}"
        self.url = f"http://{self.address}"
        self._data = folder / "data"
        self._config = folder / "prometheus.yaml"
        self.scrape()
        self.process = self._process()
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def metrics(self) -> dict[str, float]:
        """What the next scrape finds: `metrics["qec_p95_seconds"] = 34.2`."""
        return self.exposition.metrics

    @property
    def up(self) -> bool:
        """Whether what is scraped answers; otherwise it is 503."""
        return self.exposition.up

    @up.setter
    def up(self, answers: bool) -> None:
        self.exposition.up = answers

    def start(self) -> None:
        """Starts it, with the data that it had, and waits until it is ready."""
        self.process.start()

    def stop(self) -> None:
        """Stops it; its port refuses connections, its data stays."""
        self.process.stop()

    def close(self) -> None:
        """Ends it and drops the data; the log stays."""
        self.process.kill()
        self.exposition.close()
        self._http.close()
        shutil.rmtree(self._data, ignore_errors=True)

    def reset(self) -> None:
        """A Prometheus that has seen nothing: no series, no rules, a scrape target that is up and empty."""
        self.process.kill()
        shutil.rmtree(self._data, ignore_errors=True)
        for file in self.rules.iterdir():
            file.unlink()
        self.scrape()
        self.metrics.clear()
        self.exposition.up = True
        self.start()

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The result of an instant query."""
        return self._result("/api/v1/query", query=promql)

    def query_range(self, promql: str, *, seconds: float, step_seconds: float) -> list[dict[str, Any]]:
        """The result of a query over the last so many seconds."""
        now = time.time()
        return self._result(
            "/api/v1/query_range", query=promql, start=str(now - seconds), end=str(now), step=str(step_seconds)
        )

    def wait_value(self, promql: str, value: float, *, seconds: float = 10) -> None:
        """Waits until an instant query answers with one series of this value."""
        poll(f"{promql} is {value}", lambda: self._values(promql) == [value], seconds=seconds)

    def backfill(
        self, name: str, samples: Iterable[tuple[float, float]], labels: Mapping[str, str] | None = None
    ) -> None:
        """Adds (seconds ago, value) samples to the series that a scrape of `name` with these labels makes.

        They go in by OTLP, the one receiver that takes JSON, as a gauge whose resource becomes `job` and `instance`.
        """
        now = time.time_ns()
        points = [
            {"timeUnixNano": str(now - round(ago * 1e9)), "asDouble": value, "attributes": _attributes(labels or {})}
            for ago, value in sorted(samples, reverse=True)
        ]
        resource = {"attributes": _attributes({"service.name": JOB, "service.instance.id": self.exposition.address})}
        metrics = [{"name": name, "gauge": {"dataPoints": points}}]
        body = {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": metrics}]}]}
        self._http.post("/api/v1/otlp/v1/metrics", json=body).raise_for_status()

    def scrape(self, *more_jobs: str) -> None:
        """Writes its configuration: the job that it always has, and more of them with the same target."""
        self._config.write_text(yaml.safe_dump(self._settings((JOB, *more_jobs))))

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its API."""
        return self._http.get(path, params=parameters).raise_for_status().json()["data"]

    def reload(self) -> httpx.Response:
        """Asks it to read its configuration and rules again."""
        return self._http.post("/-/reload")

    def _values(self, promql: str) -> list[float]:
        return [float(series["value"][1]) for series in self.query(promql)]

    def _result(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        answer = self._http.get(path, params=parameters)
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def _settings(self, jobs: Iterable[str]) -> dict[str, Any]:
        interval = self._interval
        return {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "rule_files": [str(self.rules / "*.yaml")],
            "scrape_configs": [
                {"job_name": job, "static_configs": [{"targets": [self.exposition.address]}]} for job in jobs
            ],
            "storage": {"tsdb": {"out_of_order_time_window": f"{PAST_HOURS}h"}},
            "otlp": {"translation_strategy": "NoTranslation"},
        }

    def _process(self) -> ServerProcess:
        argv = (
            binaries.find("prometheus", "prometheus"),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self._data}",
            f"--web.listen-address={self.address}",
            *(["--web.enable-lifecycle"] if self._lifecycle else []),
            "--web.enable-otlp-receiver",
            "--scrape.discovery-reload-interval=50ms",  # the first scrape waits for it, 5 s by default
        )
        return ServerProcess("prometheus", argv, self.folder / "prometheus.log", answers(f"{self.url}/-/ready"))


def _attributes(labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in labels.items()]
