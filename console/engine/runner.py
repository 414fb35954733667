"""The single writer. Every command of every part of the product comes through `submit`: decide, append, evolve, tell.

Other processes may append to the same journal. `submit` then reads what they wrote and decides again on the newer state; it
never overwrites, never acts on a past, and never refuses because of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from console.domain.commands import Command
from console.domain.decide import decide
from console.domain.errors import Refused, StaleJournal
from console.domain.events import Event, Recorded
from console.domain.evolve import fold
from console.domain.incident import Incident
from console.engine.gateway import Gateway
from console.engine.ports import Clock, Journal, Listener

_MAX_RACES = 50


class Runner:
    def __init__(self, journal: Journal, clock: Clock, gateway: Gateway, actor: str) -> None:
        self.journal = journal
        self.actor = actor
        self.incident = Incident()
        self.history: list[Recorded] = []
        self._clock = clock
        self._gateway = gateway
        self._listeners: list[Listener] = []
        self._turn = asyncio.Lock()

    @property
    def epoch(self) -> int:
        return max(self.incident.epoch, 1)

    def listen(self, listener: Listener) -> None:
        """`listener` is told of every event, those of other processes included, in order."""
        self._listeners.append(listener)

    async def refresh(self) -> None:
        """Reads what other processes appended."""
        async with self._turn:
            await self._catch_up()

    async def submit(self, command: Command) -> Sequence[Recorded]:
        """Decides and appends; returns once the events are on disk. Raises Refused when a rule says no."""
        self._gateway.refuse_unless_effects_allowed()
        async with self._turn:
            for _ in range(_MAX_RACES):
                events = await self._decide(command)
                if not events:
                    return ()
                try:
                    recorded = await asyncio.to_thread(
                        self.journal.append,
                        events,
                        after=self.incident.seq,
                        actor=self.actor,
                        epoch=self.epoch,
                        at=self._clock.now(),
                    )
                except StaleJournal:
                    await self._catch_up()
                    continue
                self._take(recorded)
                return recorded
        raise Refused("the journal is being written to without pause by another process", "try again")

    async def _decide(self, command: Command) -> Sequence[Event]:
        """A no, and "nothing to do", count only on the newest state; a yes is checked by the append itself."""
        try:
            events = decide(self.incident, command)
        except Refused:
            if not await self._catch_up():
                raise
            return decide(self.incident, command)
        if not events and await self._catch_up():
            return decide(self.incident, command)
        return events

    async def _catch_up(self) -> bool:
        newer = await asyncio.to_thread(self.journal.read, self.incident.seq)
        self._take(newer)
        return bool(newer)

    def _take(self, recorded: Sequence[Recorded]) -> None:
        if not recorded:
            return
        self.incident = fold(recorded, self.incident)
        self.history.extend(recorded)
        for listener in self._listeners:
            try:
                listener(recorded)
            except Exception as error:  # noqa: BLE001 - it is on disk: a screen's defect must not stop what goes on
                told = {"message": "a listener of the journal failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(told)
