"""The drill's Prometheus for the contract that the real one keeps too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.prometheus.room import Room
from tests.sandbox.prometheus.threaded import ThreadedPrometheus


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[ThreadedPrometheus]:
    """A running one that has seen nothing yet."""
    with ThreadedPrometheus(tmp_path) as server:
        yield server


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """A server that is not started yet, by a clock of the test's own."""
    return Room(tmp_path)
