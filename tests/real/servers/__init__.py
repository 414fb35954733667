"""The real servers that the tests (and bench/) run against: etcd, Kubernetes, kwok and Prometheus, on loopback, no Docker."""

from tests.real.servers.binaries import NotBuilt
from tests.real.servers.kubernetes import ApiError, ControlPlane, KubectlError
from tests.real.servers.processes import ServerFailed, poll
from tests.real.servers.prometheus import PrometheusServer

__all__ = ["ApiError", "ControlPlane", "KubectlError", "NotBuilt", "PrometheusServer", "ServerFailed", "poll"]
