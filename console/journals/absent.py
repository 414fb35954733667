"""Stands in for a journal that nobody has begun: commands that only look must leave no file behind. Wiring chooses it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path

from console.domain.errors import Refused
from console.domain.events import Event, Recorded
from console.engine.ports import Lease

_HINT = 'declare an incident first: declare --reason "…"'


class AbsentJournal:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.lease: Lease = _AbsentLease()

    def outbox_lease(self, notice: str) -> Lease:
        del notice
        return self.lease

    def read(self, after: int = 0) -> Sequence[Recorded]:
        del after
        return ()

    def append(
        self, events: Iterable[Event], *, after: int, actor: str, epoch: int, at: datetime
    ) -> Sequence[Recorded]:
        del events, after, actor, epoch, at
        raise Refused(f"there is no journal at {self._path}", _HINT)

    def last_seq(self) -> int:
        return 0

    def close(self) -> None:
        return None


class _AbsentLease:
    def acquire(self) -> AbstractContextManager[None]:
        raise Refused("there is no journal yet", _HINT)

    def held(self) -> bool:
        return False
