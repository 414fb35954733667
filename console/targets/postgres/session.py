"""Connections and transactions of psycopg, every wait bounded. Imported when a database is first asked.

It keeps to what works behind a pooler that lends a server for one transaction at a time: settings are local to the
transaction, nothing is prepared, no session-level lock is taken.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import socket
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import psycopg
from psycopg import sql

from console.config.secrets import Redactor
from console.domain.errors import Refused, Unknown
from console.targets.postgres.errors import Unreachable, decided, rejected, why_not_connected
from console.targets.postgres.login import Login
from console.targets.text import clean_line

if TYPE_CHECKING:
    from console.engine.gateway import Permit
    from console.targets.postgres.client import Limits

OLDEST: Final = 140000
"""PostgreSQL 14 has `hash_record_extended` and `client_connection_check_interval`."""
GRACE_SECONDS: Final = 10.0
"""On top of the server's own limits, for the network; then the connection is given up."""
WORK_MEMORY_MEGABYTES: Final = 64

Answer = TypeVar("Answer")
Row = tuple[Any, ...]
Connection = psycopg.AsyncConnection[Row]


async def connect(place: str, login: Login, password: str | None, seconds: float, redactor: Redactor) -> Connection:
    """A connection; Unreachable when there is none in time."""
    given: dict[str, Any] = {**login.fields, "connect_timeout": max(2, math.ceil(seconds))}
    if password is not None:
        given["password"] = password
    try:
        async with asyncio.timeout(seconds * login.hosts + 1):
            return await psycopg.AsyncConnection.connect(
                login.dsn, autocommit=True, prepare_threshold=None, application_name="rollback-console", **given
            )
    except TimeoutError:
        reason = "no answer in time"
    except psycopg.Error as error:
        reason = why_not_connected(str(error))
    except OSError as error:
        reason = clean_line(error.strerror or type(error).__name__).lower()
    raise Unreachable(redactor.redact(f"PostgreSQL {place}: {reason}"), "nothing was changed")


class Transaction:
    """One transaction. Its statements raise Refused; it ends with `commit`, or with `end` and no effect."""

    def __init__(self, connection: Connection, place: str, limits: Limits, redactor: Redactor) -> None:
        self.xid = ""
        """The transaction's id, once somebody has read it: what its fate can be asked by."""
        self._connection = connection
        self._place = place
        self._limits = limits
        self._redactor = redactor
        self._seconds = limits.statement_seconds + limits.lock_seconds + GRACE_SECONDS

    async def begin(self, *, read_only: bool = False) -> None:
        if self._connection.info.server_version < OLDEST:
            raise Refused(f"PostgreSQL {self._place}: PostgreSQL 14 or newer is needed", "nothing was changed")
        settings = {
            "lock_timeout": _milliseconds(self._limits.lock_seconds),
            "statement_timeout": _milliseconds(self._limits.statement_seconds),
            "idle_in_transaction_session_timeout": "60s",
            "client_connection_check_interval": "1s",  # a server that lost us stops within a second
            "row_security": "off",  # an error rather than rows that are silently not there
            "parallel_setup_cost": "0",  # how many workers follows from real sizes; whether at all, from guesses that
            "parallel_tuple_cost": "0",  # are stale right after a restore
            "jit": "off",  # compiling costs more than these queries gain
        }
        calls = [sql.SQL("set_config({}, {}, true)").format(name, value) for name, value in settings.items()]
        memory = sql.SQL("set_config('work_mem', {}, true)").format(f"{WORK_MEMORY_MEGABYTES}MB")
        access = sql.SQL(", READ ONLY" if read_only else "")  # left out, the server's own rule
        await self._run(
            sql.SQL(
                "BEGIN ISOLATION LEVEL REPEATABLE READ{}; SELECT {};"
                " SELECT {} WHERE pg_size_bytes(current_setting('work_mem')) < {}"
            ).format(access, sql.SQL(", ").join(calls), memory, WORK_MEMORY_MEGABYTES * 1024 * 1024),
            None,
        )

    async def rows(self, query: sql.Composable | str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of one statement, for the few rows that a person is shown: nothing here fetches a table."""
        cursor = await self._run(query, parameters or {})
        return await cursor.fetchall() if cursor.description else []

    async def row(self, query: sql.Composable | str, parameters: Mapping[str, Any] | None = None) -> Row:
        return (await self.rows(query, parameters))[0]

    async def selected(self, query: str, parameters: Mapping[str, Any], most: int) -> tuple[tuple[str, ...], list[Row]]:
        """The columns' names and at most so many rows of somebody else's query.

        It is sent as the query of a cursor: the server takes one statement there and no more, and only one that reads.
        """
        cursor = self._connection.cursor(name="rollback_console")

        async def fetched() -> list[Row]:
            await cursor.execute(query.encode(), parameters)
            return await cursor.fetchmany(most)

        rows = await self._told(fetched())
        return tuple(column.name for column in cursor.description or ()), rows

    async def commit(self, permit: Permit) -> None:  # noqa: ARG002 - to have one is the point
        """The one call that makes anything lasting.

        Raises Refused when the server says that it rolled back, Unknown when it says nothing that decides.
        """
        try:
            cursor = await self._bounded(self._connection.execute("COMMIT"))
        except psycopg.Error as error:
            if decided(error.sqlstate):
                raise rejected(self._place, error) from None
            raise Unknown(
                self._redactor.redact(f"PostgreSQL {self._place}: no answer to the COMMIT of transaction {self.xid}")
            ) from None
        if cursor.statusmessage != "COMMIT":
            raise Refused(f"PostgreSQL {self._place}: the server rolled the transaction back", "nothing was changed")

    async def end(self) -> None:
        """Leaves; what is not committed is rolled back by the server, which sees the connection end."""
        if not self._connection.closed and self._connection.info.transaction_status.name in ("INTRANS", "INERROR"):
            with contextlib.suppress(psycopg.Error, Refused):
                await self._bounded(
                    self._connection.execute("ROLLBACK")
                )  # so that a pooler can reuse the server at once
        await self._connection.close()

    async def _run(self, query: sql.Composable | str, parameters: Mapping[str, Any] | None) -> psycopg.AsyncCursor[Row]:
        statement = query.as_bytes(self._connection) if isinstance(query, sql.Composable) else query.encode()
        return await self._told(self._connection.execute(statement, parameters))

    async def _told(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Within bounds, and with its errors in words."""
        try:
            return await self._bounded(work)
        except psycopg.Error as error:
            if isinstance(error, psycopg.OperationalError) and (error.sqlstate is None or self._connection.closed):
                reason = clean_line(str(error).split("\n")[0]) or "the connection broke"
                text = self._redactor.redact(f"PostgreSQL {self._place}: {reason}")
                raise Unreachable(text, "nothing was changed") from None
            raise rejected(self._place, error) from None

    async def _bounded(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        """Waits so long and no longer. psycopg's own cancelling would wait for a server that is gone: we hang up."""
        task = asyncio.ensure_future(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._seconds)
        except asyncio.CancelledError:
            self._hang_up()
            await asyncio.wait({task})
            task.exception()  # taken, so that nobody is told of it
            raise
        if not done:
            self._hang_up()
            await asyncio.wait({task})
        return task.result()

    def _hang_up(self) -> None:
        with (
            contextlib.suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self._connection.fileno())) as line,
        ):
            line.shutdown(socket.SHUT_RDWR)


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"
