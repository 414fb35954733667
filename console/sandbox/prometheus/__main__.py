"""The drill's Prometheus by hand: `python -m console.sandbox.prometheus [prometheus.yml]`; it scrapes one made-up service."""

from __future__ import annotations

import argparse
import asyncio
import math
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from console.sandbox.prometheus import Exposed, PrometheusApi

_CONFIG = """\
global: {scrape_interval: 5s, scrape_timeout: 5s, evaluation_interval: 5s}
rule_files: [rules.yml]
scrape_configs:
- job_name: qec
  static_configs: [{targets: ["qec:8080"]}]
"""
_RULES = """\
groups:
- name: qec
  rules:
  - alert: Slow
    expr: qec_p95_seconds > 30
    for: 30s
    labels: {severity: page}
    annotations: {summary: "p95 is {{ $value | humanizeDuration }}"}
"""


def wave(_: str) -> Iterable[Exposed]:
    """A service that is slow every other minute."""
    now = time.time()
    yield "qec_p95_seconds", {}, 22 + 20 * math.sin(now / 60 * math.pi)
    yield "qec_requests_total", {"code": "200"}, now // 1 % 100_000


async def serve(config: Path, port: int) -> None:
    async with PrometheusApi(config, {"qec": wave}, port=port) as prometheus:
        print(f"{prometheus.url}  (Ctrl-C ends it)")
        await asyncio.Event().wait()


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m console.sandbox.prometheus", description=__doc__)
    arguments.add_argument("config", nargs="?", type=Path, help="a prometheus.yml; its job `qec` is fed")
    arguments.add_argument("--port", type=int, default=0)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = given.config
        if config is None:
            config = Path(folder) / "prometheus.yml"
            config.write_text(_CONFIG, encoding="utf-8")
            (Path(folder) / "rules.yml").write_text(_RULES, encoding="utf-8")
        try:
            asyncio.run(serve(config, given.port))
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
