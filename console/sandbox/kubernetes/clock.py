"""The time of a drill's cluster: everything that takes a while in it asks here, so that a drill may run faster than life."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """`now` is what timestamps say; `elapsed` and `later` count the cluster's own seconds."""

    def now(self) -> datetime: ...

    def elapsed(self) -> float: ...

    def later(self, seconds: float, call: Callable[[], None]) -> None: ...


class RunningClock:
    """The event loop's time; `speed` seconds of the cluster pass in one real second. Timestamps stay those of the wall."""

    def __init__(self, speed: float = 1.0) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[int, tuple[asyncio.TimerHandle, float, Callable[[], None]]] = {}
        self._count = itertools.count()
        self._passed, self._since, self._speed = 0.0, self._loop.time(), 1.0
        self.speed = speed

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        """From now on; what waits comes sooner or later accordingly."""
        if speed <= 0:
            raise ValueError("speed must be more than 0")
        self._passed, self._since, self._speed = self.elapsed(), self._loop.time(), speed
        waiting = list(self._waiting.values())
        self.stop()
        for _, due, call in waiting:
            self.later(due - self._passed, call)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def elapsed(self) -> float:
        return self._passed + (self._loop.time() - self._since) * self._speed

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        number = next(self._count)

        def happen() -> None:
            del self._waiting[number]
            call()

        handle = self._loop.call_later(max(seconds, 0) / self._speed, happen)
        self._waiting[number] = (handle, self.elapsed() + seconds, call)

    def stop(self) -> None:
        """Nothing that was to happen later happens."""
        for handle, _, _ in self._waiting.values():
            handle.cancel()
        self._waiting.clear()


class SteppedClock:
    """A clock that stands still until it is told to go on: whole rollouts pass in no time, and in the same order each time."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = start or datetime(2026, 1, 1, tzinfo=UTC)
        self._passed = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed)

    def elapsed(self) -> float:
        return self._passed

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._passed + max(seconds, 0), next(self._count), call))

    def advance(self, seconds: float = 0.0) -> None:
        """Lets time pass; whatever is due on the way happens at its time."""
        until = self._passed + seconds
        while self._due and self._due[0][0] <= until:
            self._passed, _, call = heapq.heappop(self._due)
            call()
        self._passed = until


def stamp(moment: datetime) -> str:
    """As Kubernetes writes a time: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_between(earlier: str, later: datetime) -> float:
    return (later - datetime.fromisoformat(earlier)).total_seconds()
