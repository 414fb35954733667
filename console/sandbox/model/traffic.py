"""What the service shows to Prometheus: the series that the procedure's triggers ask for, under the names of the real systems."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, TypeAlias

from console.sandbox.model.service import BUCKETS, GATEWAY, SERVICES, Service

Series: TypeAlias = tuple[str, dict[str, str], float]
"""A name, its labels, its value."""

NAMESPACE: Final = "acgs-pgp"
MEMORY_LIMIT_BYTES: Final = 512 * 1024 * 1024
_PODS: Final = ("api-gateway-0", "api-gateway-1", "api-gateway-2")


def exposition(service: Service) -> Iterator[Series]:
    """All series as they stand now."""
    counters = service.counters
    of = {"namespace": NAMESPACE, "service": GATEWAY}
    for bound, count in zip(BUCKETS, counters.buckets, strict=True):
        le = "+Inf" if bound == math.inf else f"{bound:g}"
        yield "http_request_duration_seconds_bucket", {**of, "le": le}, count
    yield "http_request_duration_seconds_count", of, counters.buckets[-1]
    yield "http_request_duration_seconds_sum", of, counters.seconds
    for name in SERVICES:
        yield "http_requests_total", {**of, "service": name, "code": "200"}, counters.good[name]
        yield "http_requests_total", {**of, "service": name, "code": "500"}, counters.bad[name]
    yield "support_complaints_total", {"namespace": NAMESPACE}, math.floor(counters.complaints)
    for number, pod in enumerate(_PODS):
        where = {"namespace": NAMESPACE, "pod": pod, "container": "gateway"}
        percent = service.levels.memory - 4.0 * number
        yield "container_memory_working_set_bytes", where, MEMORY_LIMIT_BYTES * percent / 100
        yield "kube_pod_container_resource_limits", {**where, "resource": "memory"}, MEMORY_LIMIT_BYTES
