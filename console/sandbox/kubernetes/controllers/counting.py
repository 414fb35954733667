"""The pure questions about a Deployment: which ReplicaSet is the current one, how many pods there may be, whether it got on."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from console.sandbox.kubernetes.documents import Object, dig, equal
from console.sandbox.kubernetes.names import safe

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = frozenset(
    ("kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MAXIMUM,
     "deprecated.deployment.rollback.to")
)  # fmt: skip
_NO_DEADLINE = 2**31 - 1


def digest_of(template: Object, collisions: int) -> str:
    """A short hash of a pod template; the same template has the same one for ever."""
    text = json.dumps([template, collisions] if collisions else template, sort_keys=True)
    return safe(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big"))


def bare(template: Object) -> Object:
    metadata = dict(template.get("metadata") or {})
    metadata["labels"] = {k: v for k, v in (metadata.get("labels") or {}).items() if k != HASH}
    return {**template, "metadata": metadata}


def current_set(deployment: Object, sets: list[Object]) -> Object | None:
    """The oldest set with the Deployment's template."""
    wanted = bare(deployment["spec"]["template"])
    return next((one for one in sets if equal(bare(one["spec"]["template"]), wanted)), None)


def age_of(obj: Object) -> tuple[str, int]:
    return str(obj["metadata"]["creationTimestamp"]), revision_of(obj)


def revision_of(one: Object) -> int:
    return int(dig(one, "metadata", "annotations", REVISION, default=0))


def newest_revision(sets: list[Object]) -> int:
    return max((revision_of(one) for one in sets), default=0)


def wanted_replicas(deployment: Object) -> int:
    return int(deployment["spec"].get("replicas", 1))


def copied_annotations(deployment: Object) -> dict[str, str]:
    annotations = deployment["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if key not in _NOT_COPIED}


def size_annotations(deployment: Object) -> dict[str, str]:
    wanted = wanted_replicas(deployment)
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + surge_allowed(deployment))}


def bounds(deployment: Object) -> tuple[int, int]:
    """How many more and how many fewer than wanted there may be; both none would stand still."""
    rolling = dig(deployment, "spec", "strategy", "rollingUpdate")
    if rolling is None:
        return 0, 0
    surge = absolute(rolling.get("maxSurge", "25%"), wanted_replicas(deployment), up=True)
    unavailable = absolute(rolling.get("maxUnavailable", "25%"), wanted_replicas(deployment), up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, wanted_replicas(deployment))


def absolute(value: Any, whole: int, *, up: bool) -> int:
    if isinstance(value, str) and value.endswith("%"):
        share = whole * int(value[:-1]) / 100
        return math.ceil(share) if up else math.floor(share)
    return int(value)


def surge_allowed(deployment: Object) -> int:
    return bounds(deployment)[0]


def unavailable_allowed(deployment: Object) -> int:
    return bounds(deployment)[1]


def room_for(deployment: Object, sets: list[Object], here: int) -> int:
    """By how many pods the new set may grow now."""
    total = sum(int(one["spec"]["replicas"]) for one in sets)
    most = wanted_replicas(deployment) + surge_allowed(deployment)
    return max(min(most - total, wanted_replicas(deployment) - here), 0)


def share_of(deployment: Object, one: Object, most: int) -> int:
    """By how much a set grows (or shrinks) when the Deployment may now have so many pods in all."""
    replicas = int(one["spec"]["replicas"])
    if most == 0:
        return -replicas
    before = int(dig(one, "metadata", "annotations", MAXIMUM, default=0)) or count_of(deployment, "replicas")
    return math.floor(replicas * most / before + 0.5) - replicas if before else 0


def is_saturated(deployment: Object, current: Object) -> bool:
    noted = dig(current, "metadata", "annotations", DESIRED, default="-1")
    wanted = wanted_replicas(deployment)
    return int(current["spec"]["replicas"]) == wanted == int(noted) == count_of(current, "availableReplicas")


def count_of(one: Object | None, field: str) -> int:
    return int(dig(one, "status", field, default=0)) if one else 0


def deadline_of(deployment: Object) -> int:
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return 0 if seconds in (None, _NO_DEADLINE) else int(seconds)


def condition_of(status: Object, kind: str) -> Object | None:
    return next((c for c in status.get("conditions") or [] if c["type"] == kind), None)


def status_of(deployment: Object, sets: list[Object], current: Object | None) -> Object:
    """The counts of all sets together; the conditions as they were."""
    before = deployment.get("status") or {}
    available = sum(count_of(one, "availableReplicas") for one in sets)
    wanted = sum(int(one["spec"]["replicas"]) for one in sets)
    counts = {
        "replicas": sum(count_of(one, "replicas") for one in sets),
        "updatedReplicas": count_of(current, "replicas"),
        "readyReplicas": sum(count_of(one, "readyReplicas") for one in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(wanted - available, 0),
    }
    status: Object = {"observedGeneration": deployment["metadata"].get("generation", 1)}
    status |= {field: count for field, count in counts.items() if count}
    status["terminatingReplicas"] = sum(count_of(one, "terminatingReplicas") for one in sets)
    status |= {"collisionCount": before["collisionCount"]} if "collisionCount" in before else {}
    return status | {"conditions": list(before.get("conditions") or [])}


def is_complete(deployment: Object, status: Object) -> bool:
    wanted = wanted_replicas(deployment)
    counts = [status.get(field, 0) for field in ("updatedReplicas", "replicas", "availableReplicas")]
    return counts == [wanted] * 3 and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)


def has_got_on(before: Object, now: Object) -> bool:
    def old(status: Object) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return any(now.get(f, 0) > before.get(f, 0) for f in grown) or old(now) < old(before)
