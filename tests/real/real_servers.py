"""The real systems as fixtures of a test module, each started once: what the worlds of tests/contract/worlds.py are opened over.

The control plane and Prometheus are those of the whole run (`conftest.py`). The drill's counterparts, under the same names and
with the same hands, are in tests/contract/drill_servers.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

import pytest

from tests.contract.loopback import Loopback, Reply, Request
from tests.real.opa_room import two_replicas
from tests.real.servers import NotBuilt, binaries
from tests.real.servers.opa import OpaServer
from tests.real.servers.postgres import PostgresServer


class Pages:
    """A web server of Python's own, whose pages the test writes."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, Any]] = {}
        self._server: Loopback | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def address(self) -> str:
        return self._address

    def start(self) -> None:
        """On another port after it was stopped; whoever asks is told that one."""
        if self._server is None:
            self._server = Loopback(self._answer)
            self._server.__enter__()
            self._address = self._server.url.removeprefix("http://")

    def stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def _answer(self, request: Request) -> Reply:
        status, document = self.pages.get(request.path, (404, {"error": "not found"}))
        return Reply(json.dumps(document).encode(), status, {"Content-Type": "application/json; charset=utf-8"})


@pytest.fixture(scope="module")
def opas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OpaServer]]:
    with two_replicas(tmp_path_factory.mktemp("opa")) as running:
        yield running


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer()
    except NotBuilt as absent:
        if binaries.REQUIRED:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))
    with server:
        yield server


@pytest.fixture(scope="module")
def site() -> Iterator[Pages]:
    with Pages() as running:
        yield running
