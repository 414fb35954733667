"""What the drill's Prometheus reads and scrapes: files that follow the cluster's ConfigMaps, the service, hours of its past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from console.sandbox.model.service import GATEWAY, Service
from console.sandbox.model.traffic import exposition
from console.sandbox.prometheus import Exposed, ScrapeFailed, Storage, labels_of

SERVICES: Final = "acgs-pgp"
QEC: Final = "qec"
_TARGETS: Final = {SERVICES: "api-gateway:8080", QEC: "qec-analysis:8080"}
_PAST_SECONDS: Final = 3 * 3600.0
"""Of the drill's own."""
_MOST_POINTS: Final = 1500


@dataclass(slots=True)
class Settings:
    """Prometheus' files. `rules` is the volume that the rules' ConfigMap is mounted at."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "prometheus.yaml"

    @property
    def rules(self) -> Path:
        return self.folder / "rules"

    def write(self, *, scrapes_qec: bool) -> None:
        """Prometheus reads it at the next reload and not before."""
        jobs = [SERVICES, QEC] if scrapes_qec else [SERVICES]
        text = yaml.safe_dump(
            {
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
                "rule_files": ["rules/*.yaml"],
                "scrape_configs": [{"job_name": j, "static_configs": [{"targets": [_TARGETS[j]]}]} for j in jobs],
            }
        )
        if not self.file.exists() or self.file.read_text(encoding="utf-8") != text:
            self.file.write_text(text, encoding="utf-8")


class Scraped:
    """What stands behind the two jobs. The service moves on whenever it is scraped; `in_place` is kept up to date by others."""

    def __init__(self, service: Service, now: float) -> None:
        self.service = service
        self.in_place: frozenset[str] = frozenset()
        self.qec_runs = True
        self.now = now

    def services(self, instance: str) -> Iterator[Exposed]:
        del instance
        self.service.advance(self.now, self.in_place)
        yield from exposition(self.service)
        yield "api_p95_seconds", {"namespace": SERVICES}, self.service.levels.p95

    def qec(self, instance: str) -> Iterator[Exposed]:
        del instance
        if not self.qec_runs:
            raise ScrapeFailed("connection refused")
        yield "qec_decisions_total", {}, self.service.counters.good[GATEWAY] // 7

    def fill_past(
        self, storage: Storage, everything: frozenset[str], *, ends: float, since: float, pace: float
    ) -> None:
        """Plays the hours before the drill: calm, and since a while as the scenario has it. Times are seconds."""
        begins = self.service.at
        step = max(1.0, (ends - begins) / _MOST_POINTS)
        at = begins
        while at < ends:
            at = min(at + step, ends)
            self.now = at
            self.in_place = everything if at >= ends - since / pace else frozenset()
            for job, feed in ((SERVICES, self.services), (QEC, self.qec)):
                target = {"job": job, "instance": _TARGETS[job]}
                for name, labels, value in feed(target["instance"]):
                    storage.append(labels_of(name, {**labels, **target}), round(at * 1000), value)
                storage.append(labels_of("up", target), round(at * 1000), 1.0)
        self.in_place = everything


def past_begins(now: float, pace: float) -> float:
    return now - max(_PAST_SECONDS / pace, 600.0)
