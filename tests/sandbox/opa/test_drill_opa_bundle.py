"""The tests of tests/real/test_opa_bundle.py, against the drill's OPA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.servers.opa import BundleServer
from tests.real.test_opa_bundle import *  # noqa: F403 - every test of it, and its fixtures
from tests.real.test_opa_bundle import QEC
from tests.sandbox.opa.drill_opa import DrillOpa


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DrillOpa, BundleServer]]:
    folder = tmp_path_factory.mktemp("bundled")
    with BundleServer(folder / "bundle.tar.gz") as server:
        server.file.write_bytes(QEC)
        with DrillOpa(bundles=server.url) as opa:
            yield opa, server
