"""`postgres.restore` as a case of the contract: the audit trail of the procedure, by a way that loses COMMITs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from console.engine.ports import Json, Step
from tests.contract.step_contract import Case


class Trail(Protocol):
    """A table that lacks the rows of its backup, and somebody who adds some by hand."""

    def step(self, *, port: int = ...) -> Step: ...

    def sql(self, statement: str) -> list[tuple[Any, ...]]: ...

    def as_it_is(self) -> list[tuple[Any, ...]]: ...

    def add_by_hand(self, where: str) -> None: ...


class Way(Protocol):
    """`fate` is what becomes of the next COMMITs."""

    port: int
    fate: Any


class PostgresScene:
    target = r"PostgreSQL audit@127\.0\.0\.1"
    place = "audit_log"

    def __init__(self, folder: Path, trail: Trail, way: Way, cut: Callable[[], object], password: str) -> None:
        self.folder = folder
        self.secrets: tuple[str, ...] = (password,)
        self._trail = trail
        self._way = way
        self.break_down = cut

    def step(self) -> Step:
        return self._trail.step(port=self._way.port)

    def state(self) -> Json:
        return self._trail.as_it_is()

    def writes(self) -> Mapping[str, str]:
        """The transaction and the place of each row: both are new with every write."""
        return {str(row_id): f"{xid} {place}" for row_id, xid, place in self._trail.sql(_WHO_WROTE)}

    def disturb(self) -> None:
        self._trail.add_by_hand("id = 101")

    def lose_answers(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("swallow")

    def drop_requests(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("lose")

    @contextlib.contextmanager
    def _on_the_way(self, fate: Literal["swallow", "lose"]) -> Iterator[None]:
        self._way.fate = fate
        yield
        self._way.fate = "pass"


_WHO_WROTE: Final = "SELECT id, xmin::text, ctid::text FROM audit_log ORDER BY id"

CASES: Final = (Case("postgres.restore", "of the missing rows", PostgresScene),)
