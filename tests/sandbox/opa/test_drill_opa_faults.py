"""The tests of tests/real/test_opa_faults.py, against the drill's OPA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.test_opa_faults import *  # noqa: F403 - every test of it, and its fixtures
from tests.sandbox.opa.drill_opa import DrillOpa, two_replicas


@pytest.fixture(scope="module")
def replicas() -> Iterator[list[DrillOpa]]:
    with two_replicas() as running:
        yield running
