"""What tests/real/test_kubernetes_lost_answers.py holds of the real control plane holds of the drill's cluster too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.test_kubernetes_lost_answers import *  # noqa: F403 - every test of it
from tests.sandbox.kubernetes.cluster import DrillCluster
from tests.sandbox.kubernetes.proxy import PlainProxy


@pytest.fixture
def proxy(cluster: DrillCluster) -> Iterator[PlainProxy]:
    with PlainProxy(cluster) as running:
        yield running
