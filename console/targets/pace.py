"""How often a service may be asked. Used by the targets whose service says so: Slack, Statuspage."""

from __future__ import annotations

import asyncio

from console.engine.clock import SystemClock
from console.engine.ports import Clock


class Pace:
    """One call in so many seconds, in the order of asking. It counts for this process; what others send is answered with 429."""

    def __init__(self, seconds: float, clock: Clock | None = None) -> None:
        self._seconds = seconds
        self._clock = clock or SystemClock()
        self._next_at = 0.0
        self._waiting = asyncio.Lock()

    async def turn(self) -> None:
        """Returns when it is the caller's turn."""
        async with self._waiting:
            wait_seconds = self._next_at - self._clock.monotonic()
            if wait_seconds > 0:
                await self._clock.sleep(wait_seconds)
            self._next_at = self._clock.monotonic() + self._seconds
