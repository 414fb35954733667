"""The service that suffers: how slow, failing, full and complained about it is, as time passes and components come and go.

Levels follow what is in place with a lag, because queues drain and memory is given back slowly. The same seed gives the same
run. Times are seconds; `pace` is how many of the drill's seconds pass in one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from console.sandbox.model.scenario import Scenario, Symptom

BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 60.0, math.inf)
"""Upper bounds of the request duration histogram, in seconds."""
CALM_P95: Final = 1.2
CALM_ERRORS: Final = 0.3
GATEWAY: Final = "api-gateway"
SERVICES: Final[Mapping[str, float]] = {GATEWAY: 40.0, "acgs-pgp-dashboard": 10.0, "opa-service": 30.0}
"""The services whose requests are counted, and how many of them come in a second."""
FAILS_AT: Final[Mapping[str, str]] = {"dashboard": "acgs-pgp-dashboard", "opa-policies": "opa-service"}
"""Where the errors of a component show; those of the others show at the gateway."""
CALM_MEMORY: Final = 58.0
CALM_COMPLAINTS: Final = 2.0

_LAG_SECONDS: Final = 45.0
_MEMORY_LAG_SECONDS: Final = 90.0
_NOISE: Final = 0.03
_AT_P95: Final = -math.log(1 - 0.95)


@dataclass(frozen=True, slots=True)
class Levels:
    """Seconds, percent, percent, complaints an hour."""

    p95: float = CALM_P95
    errors_of: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(SERVICES, CALM_ERRORS))  # by service
    memory: float = CALM_MEMORY
    complaints: float = CALM_COMPLAINTS

    @property
    def errors(self) -> float:
        """Of the service that fails most."""
        return max(self.errors_of.values())

    @property
    def hurt(self) -> bool:
        """Beyond what the procedure's automatic triggers allow."""
        return self.p95 > 30 or self.errors > 5 or self.memory > 90


@dataclass(slots=True)
class Counters:
    """What only grows: requests by duration and by outcome, complaints."""

    buckets: list[float] = field(default_factory=lambda: [0.0] * len(BUCKETS))
    seconds: float = 0.0
    good: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SERVICES, 0.0))
    bad: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SERVICES, 0.0))
    complaints: float = 0.0


class Service:
    """Begins calm at `at`; `advance` brings it forward under what is in place since then."""

    def __init__(self, scenario: Scenario, *, at: float, seed: int = 0, pace: float = 1.0) -> None:
        self._scenario = scenario
        self._seed = seed
        self._pace = pace
        self.at = at
        self.levels = Levels()
        self.counters = Counters()
        self.healthy = True

    def suffers(self, in_place: Iterable[str]) -> list[Symptom]:
        standing = set(in_place)
        return [s for s in self._scenario.symptoms if s.of in standing]

    def advance(self, to: float, in_place: Iterable[str]) -> None:
        """Nothing happens for a time that is not later than the last one."""
        span = to - self.at
        if span <= 0:
            return
        symptoms = self.suffers(in_place)
        self.levels = self._drawn(_wanted(symptoms), span * self._pace)
        self.healthy = not any(s.health_fails for s in symptoms)
        self._count(span)
        self.at = to

    def _drawn(self, wanted: Levels, span: float) -> Levels:
        now = self.levels
        near, slow = 1 - math.exp(-span / _LAG_SECONDS), 1 - math.exp(-span / _MEMORY_LAG_SECONDS)
        return Levels(
            now.p95 + (wanted.p95 - now.p95) * near,
            {s: now.errors_of[s] + (wanted.errors_of[s] - now.errors_of[s]) * near for s in SERVICES},
            now.memory + (wanted.memory - now.memory) * slow,
            now.complaints + (wanted.complaints - now.complaints) * near,
        )

    def _count(self, span: float) -> None:
        noise = random.Random(f"{self._seed} {self.at:.3f}")  # noqa: S311 -- a drill's weather, not a secret
        busy = span * noise.uniform(1 - _NOISE, 1 + _NOISE)
        requests = SERVICES[GATEWAY] * busy
        p95 = self.levels.p95 * noise.uniform(1 - _NOISE, 1 + _NOISE)
        more_or_less = noise.uniform(1 - _NOISE, 1 + _NOISE)
        counters = self.counters
        for number, bound in enumerate(BUCKETS):
            counters.buckets[number] += requests * (1.0 if bound == math.inf else 1 - math.exp(-_AT_P95 * bound / p95))
        counters.seconds += requests * p95 / _AT_P95
        for service, rate in SERVICES.items():
            errors = min(100.0, self.levels.errors_of[service] * more_or_less)
            counters.bad[service] += rate * busy * errors / 100
            counters.good[service] += rate * busy * (1 - errors / 100)
        counters.complaints += self.levels.complaints / 3600 * span * self._pace


def _wanted(symptoms: Iterable[Symptom]) -> Levels:
    """The worst of what is in place; complaints add up."""
    symptoms = list(symptoms)
    return Levels(
        max([CALM_P95, *(s.p95_seconds for s in symptoms if s.p95_seconds)]),
        {service: max(CALM_ERRORS, _errors_at(service, symptoms)) for service in SERVICES},
        max([CALM_MEMORY, *(s.memory_percent for s in symptoms if s.memory_percent)]),
        CALM_COMPLAINTS + sum(s.complaints_per_hour or 0.0 for s in symptoms),
    )


def _errors_at(service: str, symptoms: Iterable[Symptom]) -> float:
    return max((s.errors_percent or 0.0 for s in symptoms if FAILS_AT.get(s.of, GATEWAY) == service), default=0.0)
