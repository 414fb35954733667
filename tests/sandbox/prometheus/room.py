"""The drill's Prometheus without its web interface, in a folder of its own and by a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from console.sandbox.prometheus import Exposed, ScrapeFailed, promql
from console.sandbox.prometheus.rules import AlertingRule
from console.sandbox.prometheus.server import PrometheusServer

START = 1_800_000_000.0
CONFIG = """\
global: {scrape_interval: 10s, scrape_timeout: 5s, evaluation_interval: 10s}
rule_files: [rules/*.yaml]
scrape_configs:
- job_name: shop
  static_configs: [{targets: ["shop:80"], labels: {zone: north}}]
"""


class MovedClock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.seconds = START

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


class Room:
    def __init__(self, folder: Path) -> None:
        self.clock = MovedClock()
        self.metrics: dict[str, float] = {}
        self.labels: dict[str, str] = {}
        self.up = True
        self.config = folder / "prometheus.yml"
        self.config.write_text(CONFIG)
        self.rules = folder / "rules"
        self.rules.mkdir()
        self.server = PrometheusServer(self.config, {"shop": self._expose}, clock=self.clock)

    def _expose(self, _: str) -> Iterable[Exposed]:
        if not self.up:
            raise ScrapeFailed("server returned HTTP status 503 Service Unavailable")
        return [(name, self.labels, value) for name, value in self.metrics.items()]

    def write(self, rules: str, name: str = "rules.yaml") -> None:
        (self.rules / name).write_text(rules)

    def start(self) -> None:
        self.server.reload()
        self.server.tick()

    def passes(self, seconds: float, *, every: float = 10) -> None:
        """Time passes, and the server does what is due at every so many seconds."""
        for _ in range(round(seconds / every)):
            self.clock.seconds += every
            self.server.tick()

    def values(self, query: str) -> list[float]:
        """What an instant query finds now."""
        at = self.server.now()
        found = promql.instant(self.server.storage, promql.parse(query), at, default_step=self.server.default_step)
        return [points[-1][1] for _, points in found.series]

    def labels_of(self, query: str) -> list[dict[str, str]]:
        found = promql.instant(self.server.storage, promql.parse(query), self.server.now())
        return [dict(labels) for labels, _ in found.series]

    def rule(self, name: str) -> AlertingRule:
        found = [rule for group in self.server.groups for rule in group.rules if rule.name == name]
        assert isinstance(found[0], AlertingRule)
        return found[0]
