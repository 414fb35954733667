"""Scrapes: what each target exposes becomes samples, and what a target no longer exposes ends.

A target is no address that is called, but a feed: a function that gives what would be read there, or says that it is down.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from console.sandbox.prometheus.configuration import Endpoint, Job
from console.sandbox.prometheus.storage import NAME, Labels, Storage, StoreFull, labels_of

Exposed = tuple[str, Mapping[str, str], float]
"""A sample as a target exposes it: its metric's name, its labels, its value."""
OWN_SERIES: Final = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)


class Feed(Protocol):
    """What stands behind the targets of one job."""

    def __call__(self, instance: str, /) -> Iterable[Exposed]:
        """What that target exposes now; raises ScrapeFailed when it is down."""


class ScrapeFailed(Exception):
    """The target is down; the text is what Prometheus would say about it."""


@dataclass
class Target:
    """One target and its last scrape. Times are milliseconds."""

    job: Job
    endpoint: Endpoint
    health: str = "unknown"
    last_error: str = ""
    last_scrape: int | None = None
    last_seconds: float = 0.0
    _exposed: set[Labels] = field(default_factory=set)

    @property
    def labels(self) -> dict[str, str]:
        return {
            "instance": self.endpoint.address,
            **self.endpoint.labels,
            "job": self.endpoint.labels.get("job", self.job.name),
        }

    @property
    def url(self) -> str:
        return f"{self.job.scheme}://{self.endpoint.address}{self.job.path}"

    def is_same(self, other: Target) -> bool:
        return (self.job, self.endpoint) == (other.job, other.endpoint)

    def scrape(self, feed: Feed | None, storage: Storage, at: int) -> None:
        began = time.perf_counter()
        samples: dict[Labels, float] = {}
        try:
            exposed = self._exposed_by(feed)
            samples = {self._labels(name, labels): value for name, labels, value in exposed}
        except ScrapeFailed as failure:
            self.health, self.last_error = "down", str(failure)
        else:
            self.health, self.last_error = "up", ""
        self.last_scrape = at
        self.last_seconds = time.perf_counter() - began
        self._write(samples, storage, at)

    def end(self, storage: Storage, at: int) -> None:
        """It is no longer scraped: all of its series end."""
        for labels in self._exposed:
            storage.end(labels, at)
        for name in OWN_SERIES:
            storage.end(labels_of(name, self.labels), at)
        self._exposed = set()

    def _exposed_by(self, feed: Feed | None) -> Iterable[Exposed]:
        if feed is None:
            address = self.endpoint.address
            raise ScrapeFailed(f'Get "{self.url}": dial tcp {address}: connect: connection refused')
        return feed(self.labels["instance"])

    def _write(self, samples: Mapping[Labels, float], storage: Storage, at: int) -> None:
        try:
            for labels, value in samples.items():
                storage.append(labels, at, value)
        except StoreFull as full:
            self.health, self.last_error = "down", str(full)
        added = len(samples.keys() - self._exposed)
        for labels in self._exposed - samples.keys():
            storage.end(labels, at)
        self._exposed = set(samples)
        own = (float(self.health == "up"), self.last_seconds, float(len(samples)), float(len(samples)), float(added))
        for name, value in zip(OWN_SERIES, own, strict=True):
            storage.append(labels_of(name, self.labels), at, value)

    def _labels(self, name: str, exposed: Mapping[str, str]) -> Labels:
        """The target's labels go before those that it exposes itself."""
        own = self.labels
        merged = dict(own)
        for key, value in exposed.items():
            if key != NAME:
                merged[f"exported_{key}" if key in own else key] = value
        return labels_of(name, merged)


def targets_of(jobs: Iterable[Job], known: Iterable[Target]) -> list[Target]:
    """The targets of a configuration; one that was there before stays with what is known of it."""
    old = list(known)
    found = []
    for job in jobs:
        for endpoint in job.endpoints:
            new = Target(job, endpoint)
            found.append(next((target for target in old if target.is_same(new)), new))
    return found
