"""The target: a database in which things are looked at and rehearsed freely, and changed with a permit alone."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.config.secrets import Redactor, SecretReference, SecretUnavailable, resolve
from console.domain.errors import Refused
from console.engine.gateway import Permit
from console.targets.postgres.login import Login

if TYPE_CHECKING:
    from console.targets.postgres.session import Transaction


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a statement waits for others' locks, and how long it may take at all."""

    lock_seconds: float
    statement_seconds: float


class PostgresTarget:
    """Each transaction has a connection of its own: an incident has few of them, and none is kept from a pooler or a failover."""

    def __init__(
        self, name: str, login: Login, password: SecretReference | None, *, connect_seconds: float = 5.0
    ) -> None:
        self.name = name
        self.login = login
        self._password = password
        self._connect_seconds = connect_seconds
        self._redactor = Redactor()

    @property
    def context(self) -> str:
        """The database as the screens name it."""
        return self.login.place

    @asynccontextmanager
    async def rehearsal(self, limits: Limits) -> AsyncIterator[Transaction]:
        """A transaction with one view of the data that is rolled back in any case."""
        async with self._transaction(limits) as transaction:
            yield transaction

    @asynccontextmanager
    async def reading(self, limits: Limits) -> AsyncIterator[Transaction]:
        """The same, in which the server itself refuses whatever would write."""
        async with self._transaction(limits, read_only=True) as transaction:
            yield transaction

    @asynccontextmanager
    async def effect(self, limits: Limits, permit: Permit) -> AsyncIterator[Transaction]:
        """A transaction that is committed at the end of the block.

        Raises Refused when nothing was changed, Unknown when nobody answered to the COMMIT.
        """
        if not isinstance(permit, Permit):
            raise Refused(f"PostgreSQL {self.context}: a change needs a permit, which the gateway alone gives")
        async with self._transaction(limits) as transaction:
            yield transaction
            await transaction.commit(permit)

    @asynccontextmanager
    async def _transaction(self, limits: Limits, *, read_only: bool = False) -> AsyncIterator[Transaction]:
        # psycopg and libpq are loaded when a database is first asked, and not in the loop's thread.
        session = await asyncio.to_thread(importlib.import_module, "console.targets.postgres.session")
        connection = await session.connect(
            self.context, self.login, await self._secret(), self._connect_seconds, self._redactor
        )
        transaction: Transaction = session.Transaction(connection, self.context, limits, self._redactor)
        try:
            await transaction.begin(read_only=read_only)
            yield transaction
        finally:
            await transaction.end()

    async def _secret(self) -> str | None:
        if self._password is None:
            return None
        try:
            secret = await asyncio.to_thread(resolve, self._password)
        except SecretUnavailable as error:
            raise Refused(f"PostgreSQL {self.context}: {error}", "nothing was changed") from None
        self._redactor.add(secret)
        return secret.reveal()
