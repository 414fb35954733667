"""Where a restoration is worked on: transactions that look, the one that acts, and refusals with what the server doesn't say.

Whatever psycopg is needed for is imported when a database is first asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from console.domain.errors import Refused
from console.engine.ports import Finding
from console.targets.postgres.client import Limits, PostgresTarget
from console.targets.postgres.errors import LOCK_NOT_AVAILABLE, UNIQUE_VIOLATION, Rejected
from console.targets.postgres.restoration import Goal, Restoration
from console.targets.postgres.tables import Table, absent, obstacles, read_table

if TYPE_CHECKING:
    from console.engine.gateway import Permit
    from console.targets.postgres.restoring import Work

PROBE_LOCK_SECONDS: Final = 5.0


class Workplace:
    """A database and the limits of one step in it."""

    def __init__(self, target: PostgresTarget, limits: Limits) -> None:
        self.target = target
        self._limits = limits

    @asynccontextmanager
    async def look(self, spec: Restoration) -> AsyncIterator[Work]:
        """A look or a rehearsal: rolled back in any case."""
        try:
            async with self.target.rehearsal(self._limits) as transaction:
                yield _work(transaction, spec)
        except Rejected as error:
            raise await self._explained(error, spec) from None

    @asynccontextmanager
    async def effect(self, spec: Restoration, permit: Permit) -> AsyncIterator[Work]:
        """Committed at the end of the block."""
        try:
            async with self.target.effect(self._limits, permit) as transaction:
                yield _work(transaction, spec)
        except Rejected as error:
            raise await self._explained(error, spec) from None

    async def ended(self, goal: Goal) -> None:
        """Returns when the transaction of this operation is over; Refused while it is not."""
        limits = Limits(min(PROBE_LOCK_SECONDS, self._limits.lock_seconds), self._limits.statement_seconds)
        try:
            # A transaction of its own: what has been waited for is visible to the next one only.
            async with self.target.rehearsal(limits) as transaction:
                await _work(transaction, goal.restoration).wait_for(goal.token)
        except Rejected as error:
            if error.code != LOCK_NOT_AVAILABLE:
                raise
            raise Refused("the operation's transaction is still under way on the server", "look again later") from None

    async def server(self, work: Work) -> Finding:
        version, database, user, standby, read_only = await work.who_and_where()
        text = f"PostgreSQL {version}, database {database}, as {user}"
        if standby:
            return Finding("block", f"{text}: this is a standby, which takes no writes", "read_only")
        if read_only:
            return Finding("block", f"{text}: transactions are read-only here", "read_only")
        return Finding("ok", text, "connected")

    async def tables(self, work: Work, spec: Restoration) -> tuple[Table | None, Table | None, list[Finding]]:
        """Table and backup, and what the catalog has against the restore."""
        transaction = work.transaction
        table = await read_table(transaction, spec.schema, spec.table)
        backup = await read_table(transaction, spec.backup_schema, spec.backup)
        if table is not None and backup is not None:
            return table, backup, obstacles(table, backup, spec.key, spec.range_column)
        names = ((table, spec.schema, spec.table), (backup, spec.backup_schema, spec.backup))
        return table, backup, [await absent(transaction, s, name) for found, s, name in names if found is None]

    async def _explained(self, error: Rejected, spec: Restoration) -> Refused:
        """With who holds the lock, or which key the backup has twice."""
        if error.code not in (LOCK_NOT_AVAILABLE, UNIQUE_VIOLATION):
            return error
        async with self.target.rehearsal(self._limits) as transaction:
            work = _work(transaction, spec)
            if error.code == LOCK_NOT_AVAILABLE:
                holders = ", ".join(await work.holders()) or "it has ended in the meantime"
                return Refused(f"{error.message}: {holders}", error.hint)
            twice = await work.duplicates() if spec.fields else []
        return work.duplicated(twice) if twice else error


def _work(transaction: Any, spec: Restoration) -> Work:
    from console.targets.postgres.restoring import Work

    return Work(transaction, spec)
