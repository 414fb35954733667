"""The promises of every step kind of Kubernetes, on the drill's cluster: the same as on the real control plane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from console.sandbox.kubernetes.definitions import well_known_definitions
from tests.contract.cases import kubernetes
from tests.contract.kubernetes_contract import KubernetesStepContract
from tests.contract.step_contract import Case
from tests.sandbox.kubernetes.cluster import DEFINITIONS, DrillCluster
from tests.sandbox.kubernetes.proxy import PlainProxy


class TestContract(KubernetesStepContract):
    """`room` is a namespace of the drill's API server."""

    @pytest.fixture(params=kubernetes.CASES, ids=str)
    def case(self, request: pytest.FixtureRequest, cluster: DrillCluster) -> Iterator[Case]:
        assert isinstance(request.param, Case)
        group, _, plural = kubernetes.HELD
        name = f"{plural}.{group}"
        cluster.api("POST", DEFINITIONS, next(d for d in well_known_definitions() if d["metadata"]["name"] == name))
        yield request.param
        cluster.start()
        cluster.api("DELETE", f"{DEFINITIONS}/{name}")

    @pytest.fixture
    def way(self, cluster: DrillCluster) -> PlainProxy:
        return PlainProxy(cluster)
