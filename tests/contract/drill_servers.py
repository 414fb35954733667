"""The systems of a drill as fixtures of a test module, each started once: what the worlds of `worlds.py` are opened over.

Their real counterparts, under the same names and with the same hands, are in tests/real.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg
import pytest
from aiohttp import web

from console.sandbox.database import USER, Database
from console.sandbox.programs import Guard
from console.sandbox.web import Site, health
from tests.sandbox.kubernetes.cluster import DrillCluster
from tests.sandbox.opa.drill_opa import DrillOpa, two_replicas
from tests.sandbox.prometheus.threaded import ThreadedPrometheus

Given = TypeVar("Given")


class Elsewhere:
    """An event loop in a thread of its own: what it serves goes on while a test waits without awaiting."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Given]) -> Given:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class DrillDatabase:
    """The drill's PostgreSQL with the hands of tests/real/servers/postgres.py."""

    user = USER

    def __init__(self, folder: Path) -> None:
        self._guard = Guard()
        self._elsewhere = Elsewhere()
        self._database = Database(folder, self._guard)
        self.password = self._database.password_file
        self._is_up = False

    def __enter__(self) -> Self:
        try:
            self._elsewhere.run(self._database.start(rows_lost=True))
        except BaseException:
            self._close()
            raise
        self._is_up = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    @property
    def port(self) -> int:
        return self._database.port

    def start(self) -> None:
        if not self._is_up:
            self._elsewhere.run(self._database.resume())
            self._is_up = True

    def stop(self) -> None:
        self._is_up = False
        self._elsewhere.run(self._database.pause())

    def connect(self, dbname: str) -> psycopg.Connection[tuple[Any, ...]]:
        login = {"host": "127.0.0.1", "port": self.port, "user": USER, "password": self.password.read_text()}
        return psycopg.connect(dbname=dbname, autocommit=True, connect_timeout=5, **login)  # type: ignore[arg-type]

    def create_database(self, name: str) -> None:
        with self.connect("postgres") as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            connection.execute(f'CREATE DATABASE "{name}"'.encode())

    def _close(self) -> None:
        self._elsewhere.run(self._database.close())
        self._elsewhere.close()
        self._guard.close()


class DrillSite:
    """A health endpoint of the drill, whose pages the test writes."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, Any]] = {}
        self._elsewhere = Elsewhere()
        self._site: Site | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
        self._elsewhere.close()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        if self._site is None:
            self._elsewhere.run(self._start())

    def stop(self) -> None:
        site, self._site = self._site, None
        if site is not None:
            self._elsewhere.run(site.__aexit__(None, None, None))

    async def _start(self) -> None:
        self._site = Site(self._app(), self._port)
        await self._site.__aenter__()
        self._port = self._site.port

    def _app(self) -> web.Application:
        """A page that a test has not written is not there."""
        missing = (404, {"error": "not found"})
        return health({path: lambda path=path: self.pages.get(path, missing) for path in PATHS})


PATHS = ("/health", "/other", "/queues")
"""The pages that a test may write."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillCluster]:
    with DrillCluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def opas() -> Iterator[list[DrillOpa]]:
    with two_replicas() as running:
        yield running


@pytest.fixture(scope="module")
def prometheus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ThreadedPrometheus]:
    with ThreadedPrometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillDatabase]:
    with DrillDatabase(tmp_path_factory.mktemp("database")) as running:
        yield running


@pytest.fixture(scope="module")
def site() -> Iterator[DrillSite]:
    with DrillSite() as running:
        yield running
