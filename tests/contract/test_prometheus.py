"""The `prometheus` source against the imitation of its server; tests/real runs the same contract on the real one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.prometheus_contract import ImitatedPrometheus, PrometheusContract


@pytest.fixture
def prometheus() -> Iterator[ImitatedPrometheus]:
    with ImitatedPrometheus() as server:
        yield server


class TestImitation(PrometheusContract):
    """Every promise, on every laptop."""
