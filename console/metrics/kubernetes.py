"""What a cluster says of its workloads: trigger source `kubernetes`. Restarts, replicas that are missing, pods that aren't ready.

One series a workload, so that a pod that is replaced takes nothing with it. The API server keeps no past, and an empty namespace
is no sample: nothing that runs is nothing that is healthy.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import StringConstraints

from console.config.options import OneLine
from console.config.options import Options as TableOptions
from console.domain.errors import Failed, Refused
from console.domain.triggers import span
from console.engine.clock import SystemClock
from console.engine.ports import Clock, Json, MetricSource, Reading, Sample
from console.engine.sampler import CALL_TIMEOUT_SECONDS
from console.targets.kubernetes.client import KubernetesTarget
from console.targets.kubernetes.resources import POD, WORKLOADS
from console.targets.kubernetes.rollout import complaint, is_ready, status_of
from console.targets.text import clean_line

KIND: Final = "kubernetes"
TARGET_KINDS: Final = ("kubernetes",)

LIMIT_SECONDS: Final = CALL_TIMEOUT_SECONDS - 1
"""Sooner than the sampler gives up, so that it is this source that says why."""
LABEL_LIMIT: Final = 80
_TOLD: Final = 3

Measure: TypeAlias = Literal["restarts", "unavailable", "not_ready"]


class Options(TableOptions):
    """A trigger over the state of a namespace's workloads; each is a series with the labels `kind` and `workload`."""

    measure: Measure
    """`restarts`: restarts of its containers since the console first looked. `unavailable`: replicas that it lacks. `not_ready`:
    how many of its pods are not ready."""
    namespace: OneLine
    """The namespace."""
    selector: Annotated[str, StringConstraints(max_length=1000, pattern=r"^[\x20-\x7e]*$")] = ""
    """A label selector as `kubectl get -l` takes it: of the pods; for `unavailable`, of the workloads. Left out: all of them."""


@dataclass(frozen=True, slots=True, order=True)
class Workload:
    kind: str
    name: str

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        return ("kind", clean_line(self.kind, LABEL_LIMIT)), ("workload", clean_line(self.name, LABEL_LIMIT))


class RestartCount:
    """Restarts that happened in sight: what the containers count beyond what they had when they were first seen.

    A pod that appears later began in sight, so all of its restarts count. What a pod that is gone had counted stays.
    """

    def __init__(self) -> None:
        self.began = False
        self.totals: Counter[Workload] = Counter()
        self._seen: dict[tuple[str, str], int] = {}

    def look(self, pods: Sequence[Json]) -> None:
        counts: dict[tuple[str, str], int] = {}
        for pod in pods:
            owner, uid = owner_of(pod), str(pod["metadata"].get("uid", ""))
            for container, restarts in _restarts(pod).items():
                counts[uid, container] = restarts
                self.totals[owner] += self._since(self._seen.get((uid, container)), restarts)
        self._seen = counts
        self.began = True

    def _since(self, before: int | None, now: int) -> int:
        if before is None:
            return now if self.began else 0
        return now - before if now >= before else now  # fewer than before: its node has lost count and began anew


class KubernetesSource:
    def __init__(self, options: Options, target: KubernetesTarget, *, clock: Clock | None = None) -> None:
        chosen = f" ({options.selector})" if options.selector else ""
        self.query = f"{options.measure} of the workloads in {options.namespace}{chosen}"
        self._options = options
        self._target = target
        self._clock = clock or SystemClock()
        self._params = {"labelSelector": options.selector} if options.selector else None
        self._restarts = RestartCount()

    async def now(self) -> Reading:
        """One sample for each workload; none where there is no workload, or while restarts are only begun to be counted."""
        measures = {"restarts": self._restarted, "unavailable": self._unavailable, "not_ready": self._not_ready}
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                values, told = await measures[self._options.measure]()
        except TimeoutError:
            raise Failed(f"context {self._target.context}: no answer within {span(LIMIT_SECONDS)}") from None
        except Refused as error:
            raise Failed(error.message, error.hint) from None
        at = self._clock.now()
        samples = tuple(Sample(at, float(value), workload.labels) for workload, value in sorted(values.items()))
        return Reading(samples, tuple(clean_line(text) for text in told))

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        """Nothing is known of it."""
        del seconds, step_seconds
        return Reading(())

    async def _restarted(self) -> tuple[dict[Workload, int], list[str]]:
        pods = await self._pods()
        first = not self._restarts.began
        self._restarts.look(pods)
        if first:
            return {}, ["restarts are counted from now on"]
        if not pods:
            return {}, [self._nothing("pod")]
        return dict(self._restarts.totals), []

    async def _unavailable(self) -> tuple[dict[Workload, int], list[str]]:
        namespace = self._options.namespace
        found = await asyncio.gather(*(self._target.list(w.path(namespace), self._params) for w in WORKLOADS))
        values, told = {}, []
        for resource, items in zip(WORKLOADS, found, strict=True):
            for item in items:
                workload = Workload(resource.kind, str(item["metadata"]["name"]))
                values[workload] = lacking({**item, "kind": resource.kind})
                if values[workload]:
                    told.append(f"{workload.name}: {status_of({**item, 'kind': resource.kind}).text}")
        return values, _some(told) if values else [self._nothing("workload")]

    async def _not_ready(self) -> tuple[dict[Workload, int], list[str]]:
        pods = [p for p in await self._pods() if not p["metadata"].get("deletionTimestamp")]
        bad = [p for p in pods if not is_ready(p)]
        values = dict.fromkeys(map(owner_of, pods), 0) | Counter(map(owner_of, bad))
        told = [f"{p['metadata']['name']}: {complaint(p) or 'not ready'}" for p in bad]
        return values, _some(told) if values else [self._nothing("pod")]

    async def _pods(self) -> list[Json]:
        """Without those that have done their work."""
        pods = await self._target.list(POD.path(self._options.namespace), self._params)
        return [p for p in pods if (p.get("status") or {}).get("phase") != "Succeeded"]

    def _nothing(self, noun: str) -> str:
        chosen = f" with {self._options.selector}" if self._options.selector else ""
        return f"there is no {noun} in {self._options.namespace}{chosen}"


def build(options: Options, target: KubernetesTarget) -> MetricSource:
    return KubernetesSource(options, target)


def owner_of(pod: Json) -> Workload:
    """The workload that a pod belongs to: of a ReplicaSet that a Deployment made, the Deployment; of nobody's pod, itself."""
    metadata = pod["metadata"]
    owner = next((o for o in metadata.get("ownerReferences") or [] if o.get("controller")), None)
    if owner is None:
        return Workload("Pod", str(metadata["name"]))
    kind, name = str(owner["kind"]), str(owner["name"])
    made_by = (metadata.get("labels") or {}).get("pod-template-hash")
    if kind == "ReplicaSet" and made_by and name.endswith(f"-{made_by}"):
        return Workload("Deployment", name.removesuffix(f"-{made_by}"))
    return Workload(kind, name)


def lacking(workload: Json) -> int:
    """How many replicas are wanted and not available.

    A Deployment counts them itself, and among them the new pods of a stalled release, beside which the old ones still serve.
    Before a controller has looked there is no such count, and other kinds have none.
    """
    status = workload.get("status") or {}
    if workload["kind"] == "DaemonSet":
        return max(0, int(status.get("desiredNumberScheduled", 0)) - int(status.get("numberAvailable", 0)))
    replicas = (workload.get("spec") or {}).get("replicas")
    wanted = 1 if replicas is None else int(replicas)
    available = int(status.get("availableReplicas", 0))
    return max(0, wanted - available, int(status.get("unavailableReplicas", 0)))


def _restarts(pod: Json) -> dict[str, int]:
    status = pod.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return {str(c.get("name", "")): int(c.get("restartCount", 0)) for c in containers}


def _some(told: list[str]) -> list[str]:
    return told[:_TOLD] + ([f"… and {len(told) - _TOLD} more"] if len(told) > _TOLD else [])
