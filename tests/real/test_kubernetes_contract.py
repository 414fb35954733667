"""The promises of every step kind of Kubernetes, on the real control plane."""

from __future__ import annotations

from tests.contract.kubernetes_contract import KubernetesStepContract


class TestContract(KubernetesStepContract):
    """`room` is a namespace of the real API server."""
