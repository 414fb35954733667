"""The drill's Prometheus in a thread of its own, with the same handles as the real one in tests/real/servers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import yaml

from console.sandbox.prometheus import Exposed, PrometheusApi, ScrapeFailed, Storage, labels_of
from console.sandbox.prometheus.promql import Selector, parse

JOB = "qec"
TARGET = "127.0.0.1:9"
INTERVAL = "200ms"

Given = TypeVar("Given")


class ThreadedPrometheus:
    """Starts and stops from a test that does not await; what it is asked to do it does in its own loop."""

    def __init__(self, folder: Path) -> None:
        self.metrics: dict[str, float] = {}
        """What the next scrape finds: `metrics["qec_p95_seconds"] = 34.2`."""
        self.up = True
        self.rules = folder / "prometheus" / "rules"
        self.rules.mkdir(parents=True)
        self.url = ""
        self._config = folder / "prometheus" / "prometheus.yml"
        self.scrape()
        self._storage = Storage()
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._api: PrometheusApi | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Starts it, with the series that it had, at the same address."""
        api = PrometheusApi(self._config, {JOB: self._expose}, storage=self._storage, port=self._port)
        asyncio.run_coroutine_threadsafe(api.__aenter__(), self._loop).result(10)
        self._api = api
        self.url = api.url
        self._port = int(api.url.rpartition(":")[2])

    def stop(self) -> None:
        if self._api is not None:
            asyncio.run_coroutine_threadsafe(self._api.__aexit__(None, None, None), self._loop).result(10)
            self._api = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def reset(self) -> None:
        """A Prometheus that has seen nothing."""
        if self._api is None:
            self.start()
        self.metrics.clear()
        self.up = True
        self.scrape()
        for file in self.rules.iterdir():
            file.unlink()
        self.reload()
        self._do(self._storage.clear)

    def backfill(
        self, name: str, samples: Iterable[tuple[float, float]], labels: Mapping[str, str] | None = None
    ) -> None:
        now = round(time.time() * 1000)
        whole = labels_of(name, {**(labels or {}), "job": JOB, "instance": TARGET})
        past = [(now - round(ago * 1000), value) for ago, value in samples]
        self._do(lambda: self._storage.backfill(whole, past))

    def remember(self, name: str, labels: Mapping[str, str], samples: Iterable[tuple[float, float | None]]) -> None:
        """Fills a series' past: (seconds since 1970, value) samples, None where the series ends."""
        whole = labels_of(name, {**labels, "job": JOB})
        past = [(round(at * 1000), value) for at, value in samples]

        def fill() -> None:
            self._storage.backfill(whole, [(at, value) for at, value in past if value is not None])
            for at, value in past:
                if value is None:
                    self._storage.end(whole, at)

        self._do(fill)

    def scrape(self, *more_jobs: str) -> None:
        """Writes its configuration: the job that it always has, and more of them with the same target."""
        self._config.write_text(yaml.safe_dump(self._settings((JOB, *more_jobs))))

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of its API."""
        answer = httpx.get(f"{self.url}{path}", params=parameters, trust_env=False)
        return answer.raise_for_status().json()["data"]

    def reload(self) -> httpx.Response:
        return httpx.post(f"{self.url}/-/reload", trust_env=False)

    def query(self, promql: str) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": promql}, trust_env=False)
        answer.raise_for_status()
        result: list[dict[str, Any]] = answer.json()["data"]["result"]
        return result

    def wait_value(self, promql: str, value: float, *, seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while [float(series["value"][1]) for series in self.query(promql)] != [value]:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{promql} is not {value}")
            time.sleep(0.01)

    def _expose(self, _: str) -> Iterable[Exposed]:
        if not self.up:
            raise ScrapeFailed("server returned HTTP status 503 Service Unavailable")
        return [_exposed(series, value) for series, value in self.metrics.copy().items()]

    def _do(self, work: Callable[[], Given]) -> Given:
        done: Future[Given] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except Exception as error:  # noqa: BLE001 -- it is raised where it is waited for
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result(10)

    @property
    def config(self) -> Path:
        return self._config

    def _settings(self, jobs: tuple[str, ...]) -> dict[str, Any]:
        return {
            "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
            "rule_files": [str(self.rules / "*.yaml")],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [TARGET]}]} for job in jobs],
        }


def _exposed(series: str, value: float) -> Exposed:
    """A sample from its series as PromQL writes it: `name{label="value"}`."""
    selector = parse(series)
    assert isinstance(selector, Selector)
    return selector.name, {matcher.name: matcher.value for matcher in selector.matchers}, value
