"""When a workload has rolled out, by the same rules and in the same order as `kubectl rollout status`, and watching it get there.

`status_of` is pure. Right after the undo of a failed rollout the old "deadline exceeded" still stands for a moment although the
generation is current, so a failure counts only once it has stood for a while.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from console.domain.errors import ConsoleError, Failed, Refused
from console.engine.ports import Json, Progress
from console.targets.kubernetes.client import KubernetesTarget
from console.targets.kubernetes.objects import REVISION, Ref
from console.targets.kubernetes.resources import POD, REPLICA_SET
from console.targets.text import clean_line

_FAILURE_STANDS_SECONDS = 1.0
_WATCH_SECONDS = 2
_PAUSE_SECONDS = 0.5
_REFUSAL_STANDS_SECONDS = 10.0  # an API server that has just started knows neither users nor rules for a moment
_WHY_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class RolloutStatus:
    state: Literal["rolling", "complete", "failed"]
    text: str
    ready: int
    wanted: int


def status_of(workload: Json) -> RolloutStatus:
    """Where the rollout of a Deployment, StatefulSet or DaemonSet stands. Any other kind is complete as it is."""
    rules = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}
    rule = rules.get(workload.get("kind", ""))
    if rule is None:
        return RolloutStatus("complete", "there", 1, 1)
    status = workload.get("status") or {}
    if int(status.get("observedGeneration", 0)) < int(workload["metadata"].get("generation", 1)):
        return RolloutStatus("rolling", "waiting for the controller to see the change", 0, _wanted(workload))
    return rule(workload, status)


def _wanted(workload: Json) -> int:
    replicas = (workload.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)


def _deployment(workload: Json, status: dict[str, Any]) -> RolloutStatus:
    wanted = _wanted(workload)
    updated, total = int(status.get("updatedReplicas", 0)), int(status.get("replicas", 0))
    available = int(status.get("availableReplicas", 0))
    ready = min(available, updated)
    conditions = {c["type"]: c for c in status.get("conditions") or []}
    if (conditions.get("Progressing") or {}).get("reason") == "ProgressDeadlineExceeded":
        return RolloutStatus("failed", f"{ready}/{wanted} ready: its progress deadline has passed", ready, wanted)
    if updated < wanted:
        return RolloutStatus("rolling", f"{updated} of {wanted} updated", ready, wanted)
    if total > updated:
        return RolloutStatus("rolling", f"{total - updated} old still running", ready, wanted)
    if available < updated:
        return RolloutStatus("rolling", f"{available} of {wanted} ready", ready, wanted)
    return RolloutStatus("complete", f"{available}/{wanted} ready", available, wanted)


def _stateful_set(workload: Json, status: dict[str, Any]) -> RolloutStatus:
    wanted = _wanted(workload)
    ready, updated = int(status.get("readyReplicas", 0)), int(status.get("updatedReplicas", 0))
    by_hand = _replaced_by_hand(workload)
    if by_hand and updated < wanted:
        return RolloutStatus("failed", by_hand, ready, wanted)
    if ready < wanted:
        return RolloutStatus("rolling", f"{ready} of {wanted} ready", ready, wanted)
    partition = int(((workload["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition", 0))
    if updated < wanted - partition:
        return RolloutStatus("rolling", f"{updated} of {wanted - partition} updated", ready, wanted)
    if not (partition or by_hand) and status.get("updateRevision") != status.get("currentRevision"):
        return RolloutStatus("rolling", "waiting for the last pods", ready, wanted)
    return RolloutStatus("complete", f"{ready}/{wanted} ready", ready, wanted)


def _daemon_set(workload: Json, status: dict[str, Any]) -> RolloutStatus:
    wanted = int(status.get("desiredNumberScheduled", 0))
    updated, available = int(status.get("updatedNumberScheduled", 0)), int(status.get("numberAvailable", 0))
    by_hand = _replaced_by_hand(workload)
    if by_hand and updated < wanted:
        return RolloutStatus("failed", by_hand, available, wanted)
    if updated < wanted:
        return RolloutStatus("rolling", f"{updated} of {wanted} updated", available, wanted)
    if available < wanted:
        return RolloutStatus("rolling", f"{available} of {wanted} ready", available, wanted)
    return RolloutStatus("complete", f"{available}/{wanted} ready", available, wanted)


def _replaced_by_hand(workload: Json) -> str:
    """Why a StatefulSet or DaemonSet never rolls out by itself, or ""."""
    strategy = (workload["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate")
    return "" if strategy == "RollingUpdate" else f"its update strategy is {strategy}: its pods are not replaced"


async def until_rolled_out(target: KubernetesTarget, ref: Ref) -> AsyncIterator[Progress | Json]:
    """Progress until the rollout is complete, then the workload itself, last. Raises Failed when it settles badly.

    An API server that is away for a while is progress too; whoever calls bounds the wait.
    """
    began, failed_since = time.monotonic(), 0.0
    async for workload in _states(target, ref):
        if isinstance(workload, ConsoleError):
            yield Progress(f"{ref.name}: {workload.message}")
            continue
        status = status_of(workload)
        if status.state == "complete":
            yield workload
            return
        now = time.monotonic()
        failed_since = (failed_since or now) if status.state == "failed" else 0.0
        why = await _why(target, workload) if failed_since or now - began > _WHY_AFTER_SECONDS else ""
        if failed_since and now - failed_since >= _FAILURE_STANDS_SECONDS:
            raise Failed(f"{ref}: {status.text}{why}")
        yield Progress(f"{ref.name}: {status.text}{why}", status.ready, status.wanted)


async def _states(target: KubernetesTarget, ref: Ref) -> AsyncIterator[Json | ConsoleError]:
    """The workload at each of its changes, or the error that stands in the way of seeing it. Ends by Failed when it is gone."""
    workload: Json = None
    refused_since = 0.0
    while True:
        try:
            workload = await (_next_state(target, ref, workload) if workload else target.get_or_none(ref.path))
        except (Failed, Refused) as error:
            now = time.monotonic()
            refused_since = (refused_since or now) if isinstance(error, Refused) else 0.0
            if refused_since and now - refused_since >= _REFUSAL_STANDS_SECONDS:
                raise
            workload = None
            yield error
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        refused_since = 0.0
        if workload is None:
            raise Failed(f"{ref} is gone", "somebody deleted it while it was rolling out")
        yield {"kind": ref.kind, **workload}


async def _next_state(target: KubernetesTarget, ref: Ref, workload: Json) -> Json:
    """The workload at its next change, or read anew when nothing changed for a while; None when it is gone."""
    collection = ref.path.rpartition("/")[0]
    version = str(workload["metadata"]["resourceVersion"])
    try:
        async with aclosing(target.watch(collection, ref.name, version, _WATCH_SECONDS)) as events:  # type: ignore[type-var]
            async for event in events:
                if event.get("type") == "DELETED":
                    return None
                if event.get("type") in ("ADDED", "MODIFIED"):
                    return event["object"]
                break  # an ERROR (410: too old) or a bookmark: read it anew
    except Refused:  # watching is not allowed, or its version is too old: reading it now and then tells the same
        await asyncio.sleep(_PAUSE_SECONDS)
    return await target.get_or_none(ref.path)


async def _why(target: KubernetesTarget, workload: Json) -> str:
    """What the newest pods that are not ready complain of, as "; pod x: CrashLoopBackOff", or ""."""
    try:
        pods = await pods_of(target, workload)
    except ConsoleError:
        return ""
    complaints = [f"pod {p['metadata']['name']}: {c}" for p in pods if (c := complaint(p))]
    return f"; {clean_line(complaints[-1])}" if complaints else ""


async def pods_of(target: KubernetesTarget, workload: Json) -> list[Json]:
    """The pods that the workload's selector matches, oldest first."""
    namespace = workload["metadata"]["namespace"]
    pods = await target.list(POD.path(namespace), {"labelSelector": selector_of(workload)})
    return sorted(pods, key=lambda p: str(p["metadata"].get("creationTimestamp", "")))


async def replica_sets_of(target: KubernetesTarget, deployment: Json) -> list[Json]:
    """The ReplicaSets that the Deployment owns, by ascending revision."""
    params = {"labelSelector": selector_of(deployment)}
    found = await target.list(REPLICA_SET.path(deployment["metadata"]["namespace"]), params)
    uid = deployment["metadata"]["uid"]
    owned = [r for r in found if any(o.get("uid") == uid for o in r["metadata"].get("ownerReferences") or [])]
    return sorted(owned, key=lambda r: int((r["metadata"].get("annotations") or {}).get(REVISION, 0)))


def selector_of(workload: Json) -> str:
    """A label selector as the API's query wants it."""
    selector = workload["spec"].get("selector") or {}
    parts = [f"{k}={v}" for k, v in (selector.get("matchLabels") or {}).items()]
    for expression in selector.get("matchExpressions") or []:
        key, values = expression["key"], ",".join(expression.get("values") or [])
        spelled = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }
        parts.append(spelled[expression["operator"]])
    return ",".join(parts)


def is_ready(pod: Json) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def complaint(pod: Json) -> str:
    """Why a pod is not ready, in the words of its status: CrashLoopBackOff, ImagePullBackOff, Unschedulable …"""
    if is_ready(pod):
        return ""
    status = pod.get("status") or {}
    if status.get("reason"):  # evicted, lost with its node
        return str(status["reason"])
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if reason := waiting.get("reason") or ended.get("reason"):
            restarts = int(container.get("restartCount", 0))
            return f"{reason}, {restarts} restarts" if restarts else str(reason)
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return str(condition.get("reason", "not scheduled"))
    return ""
