"""What pods tell about whether all is well: which of them an earlier release left behind, and which have just been restarted.

`kubernetes.pods_ready` asks. Pure functions over JSON. A Deployment's status does not count pods that are ending, although they
serve until they are gone; and a container that crashes every minute is ready in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from console.engine.ports import Json
from console.targets.kubernetes.objects import REVISION
from console.targets.text import clean_line


def name_of(pod: Json) -> str:
    return clean_line(str(pod["metadata"]["name"]))


def is_ending(pod: Json) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))


def owner_of(item: Json) -> Mapping[str, Any] | None:
    """The reference to the controller that made it; None for what nobody controls."""
    return next((o for o in item["metadata"].get("ownerReferences") or () if o.get("controller")), None)


def left_behind(pods: Iterable[Json], replica_sets: Sequence[Json], deployments: Sequence[Json]) -> dict[str, str]:
    """Pods that an earlier release of a Deployment, or one that is gone, left behind: by name, with why in words."""
    by_uid = {r["metadata"]["uid"]: r for r in replica_sets}
    alive = {d["metadata"]["uid"] for d in deployments}
    newest = _newest_revisions(replica_sets)
    found = {}
    for pod in pods:
        owner = owner_of(pod)
        if owner is None or owner.get("kind") != "ReplicaSet":
            continue
        if words := _former(pod, by_uid.get(owner["uid"]), alive, newest):
            found[name_of(pod)] = words
    return found


def _former(pod: Json, replica_set: Json, alive: set[str], newest: Mapping[str, int]) -> str:
    if replica_set is None:  # history that is not kept goes as soon as its pods are only ending
        return "its ReplicaSet is gone" if is_ending(pod) else ""
    deployment = owner_of(replica_set)
    if deployment is None or deployment.get("kind") != "Deployment":
        return ""
    if deployment["uid"] not in alive:
        return f"its Deployment {clean_line(str(deployment['name']))} is gone"
    mine, current = revision_of(replica_set), newest[deployment["uid"]]
    return f"of revision {mine}, and the present one is {current}" if mine < current else ""


def _newest_revisions(replica_sets: Iterable[Json]) -> dict[str, int]:
    """By the Deployment's uid. A rollout that takes up an old ReplicaSet again gives it the newest number."""
    newest: dict[str, int] = {}
    for replica_set in replica_sets:
        if owner := owner_of(replica_set):
            newest[owner["uid"]] = max(newest.get(owner["uid"], 0), revision_of(replica_set))
    return newest


def revision_of(replica_set: Json) -> int:
    text = str((replica_set["metadata"].get("annotations") or {}).get(REVISION, "0"))
    return int(text) if text.isascii() and text.isdigit() else 0


def workloads_of(pods: Iterable[Json], replica_sets: Iterable[Json]) -> set[str]:
    """The uids of the workloads that the pods belong to, ReplicaSets of Deployments seen through."""
    above = {r["metadata"]["uid"]: owner["uid"] for r in replica_sets if (owner := owner_of(r))}
    owners = [owner["uid"] for pod in pods if (owner := owner_of(pod))]
    return {above.get(uid, uid) for uid in owners}


def restarts(pod: Json) -> int:
    return sum(int(c.get("restartCount") or 0) for c in _containers(pod))


def seconds_since_restart(pod: Json, now: datetime) -> float | None:
    """How long the container runs that was restarted last; None when none was."""
    ages = [
        (now - datetime.fromisoformat(started)).total_seconds()
        for c in _containers(pod)
        if int(c.get("restartCount") or 0)
        and (started := ((c.get("state") or {}).get("running") or {}).get("startedAt"))
    ]
    return min(ages, default=None)


def last_end(pod: Json) -> str:
    """How the container ended that was restarted last: `Error, exit code 1`; empty where the pod doesn't tell."""
    ends = [end for c in _containers(pod) if (end := (c.get("lastState") or {}).get("terminated"))]
    if not ends:
        return ""
    last = max(ends, key=lambda end: str(end.get("finishedAt", "")))
    code = last.get("exitCode")
    words = [str(last["reason"])] if last.get("reason") else []
    return clean_line(", ".join([*words, *([] if code is None else [f"exit code {code}"])]))


def waiting_message(pod: Json) -> str:
    """What the kubelet says about a container that waits: `back-off 5m0s restarting failed container …`."""
    for container in _containers(pod):
        if message := ((container.get("state") or {}).get("waiting") or {}).get("message"):
            return clean_line(str(message))
    return ""


def _containers(pod: Json) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
