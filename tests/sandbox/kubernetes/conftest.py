"""The fixtures of tests/real for the drill's cluster: `cluster`, `room` and `fresh_scene` by the same names."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.real import scene
from tests.real.room import Room
from tests.sandbox.kubernetes.cluster import DrillCluster

_rooms = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillCluster]:
    with DrillCluster(tmp_path_factory.mktemp("drill")) as running:
        yield running


@pytest.fixture
async def room(cluster: DrillCluster, tmp_path: Path) -> AsyncIterator[Room]:
    """An empty namespace of the test's own."""
    cluster.start()
    made = Room(cluster, f"room-{next(_rooms)}", tmp_path)  # type: ignore[arg-type] # it has what a Room asks for
    made.open()
    yield made
    await made.close()


@pytest.fixture
def fresh_scene(cluster: DrillCluster) -> DrillCluster:
    cluster.start()
    scene.reset(cluster)  # type: ignore[arg-type] # it has what the scene asks for
    return cluster
