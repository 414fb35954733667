"""Fixtures of the tests on real servers; every test in this folder is marked `real`."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.real import scene
from tests.real.room import Room
from tests.real.servers import ControlPlane, NotBuilt, PrometheusServer, binaries

HERE = Path(__file__).parent
NOT_BUILT = "real servers not built"
_rooms = itertools.count(1)
START_UP = pytest.StashKey[dict[str, float]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[START_UP] = {}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # First, so that `-m` sees the marks.
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.real)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[START_UP]:
        times = ", ".join(f"{what} {seconds:.1f} s" for what, seconds in config.stash[START_UP].items())
        terminalreporter.write_line(f"real servers: {times}")
    # Without -rs a skip is a letter; that no real server was met deserves a line, and one is enough.
    skips = [report.longrepr for report in terminalreporter.getreports("skipped")]
    absent = sorted(skip[2] for skip in skips if isinstance(skip, tuple) and NOT_BUILT in skip[2])
    if absent:
        terminalreporter.write_line(f"{len(absent)} tests {absent[0].lower()}")


def _need(*tools: str) -> None:
    """Skips, or fails where the servers are required, when a tool is not built."""
    try:
        binaries.require(*tools)
    except NotBuilt as absent:
        if binaries.REQUIRED:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[ControlPlane]:
    """The control plane of this test run, with whatever the last test left in it; see `fresh_scene`."""
    _need("etcd", "kubernetes", "kwok")
    started = time.monotonic()
    with ControlPlane(tmp_path_factory.mktemp("cluster")) as control_plane:
        request.config.stash[START_UP]["control plane"] = time.monotonic() - started
        yield control_plane


@pytest.fixture
def fresh_scene(cluster: ControlPlane, request: pytest.FixtureRequest) -> ControlPlane:
    """The control plane, all of it running, with the scene as it is before anything is rolled back."""
    cluster.start()
    started = time.monotonic()
    scene.reset(cluster)
    request.config.stash[START_UP].setdefault("scene", time.monotonic() - started)
    return cluster


@pytest.fixture
async def room(cluster: ControlPlane, tmp_path: Path) -> AsyncIterator[Room]:
    """An empty namespace of the test's own on the running control plane."""
    cluster.start()
    made = Room(cluster, f"room-{next(_rooms)}", tmp_path)
    made.open()
    yield made
    await made.close()


@pytest.fixture(scope="session")
def prometheus_server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[PrometheusServer]:
    """The Prometheus of this test run, with whatever the last test left in it; see `prometheus`."""
    _need("prometheus")
    started = time.monotonic()
    with PrometheusServer(tmp_path_factory.mktemp("prometheus")) as server:
        request.config.stash[START_UP]["Prometheus"] = time.monotonic() - started
        yield server


@pytest.fixture
def prometheus(prometheus_server: PrometheusServer) -> PrometheusServer:
    """A running Prometheus that has seen nothing yet."""
    prometheus_server.reset()
    return prometheus_server


@pytest.fixture
def procedure(fresh_scene: ControlPlane, prometheus: PrometheusServer, tmp_path: Path) -> Path:
    """A configuration file that rolls the fresh scene back, with triggers on the fresh Prometheus."""
    return scene.write_procedure(tmp_path, fresh_scene.kubeconfig(), "admin", prometheus.url)
