"""What the scene's namespace holds, field by field but for what the server maintains, so that two runs can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from console.domain.difference import differences, say
from tests.real.scene import NAMESPACE
from tests.real.servers import ControlPlane, poll

Snapshot = Mapping[str, dict[str, Any]]

_COLLECTIONS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
}
_MAINTAINED = ("resourceVersion", "creationTimestamp", "managedFields")
_LOOKS = 15
_REVISION = "deployment.kubernetes.io/revision"
_HISTORY = (_REVISION, "deployment.kubernetes.io/revision-history")


def snapshot(cluster: ControlPlane, *apps: str) -> Snapshot:
    """The objects whose name begins with one of `apps` (all of them without any), by kind and name.

    A Deployment keeps its `metadata.generation` and a ReplicaSet its revision: an effect that happened twice shows there.
    """
    return {
        _named(kind, item): _stripped(kind, item)
        for kind, path in _COLLECTIONS.items()
        for item in cluster.api("GET", path.format(NAMESPACE))["items"]
        if item["metadata"]["name"].startswith(apps or "")
    }


def at_rest(cluster: ControlPlane, *apps: str) -> Snapshot:
    """The same, once the controllers and the garbage collector have nothing more to do to it."""
    seen: list[Snapshot] = []

    def is_at_rest() -> bool:
        seen.append(snapshot(cluster, *apps))
        return len(seen) > _LOOKS and all(one == seen[-1] for one in seen[-_LOOKS:]) and not _orphans(seen[-1])

    poll("the objects are at rest", is_at_rest)
    return seen[-1]


def _orphans(objects: Snapshot) -> list[str]:
    """ReplicaSets whose Deployment is gone: the garbage collector will find them."""
    return [
        name for name in objects if name.startswith("ReplicaSet ") and f"Deployment {name.split()[1]}" not in objects
    ]


def without_history(objects: Snapshot) -> Snapshot:
    """What people mean by "as before": generations, revisions and ReplicaSets only ever grow."""
    return {
        name: {**thing, "metadata": _without(thing["metadata"], "generation", "annotations")}
        | {"annotations": _without(thing["metadata"].get("annotations") or {}, *_HISTORY)}
        for name, thing in objects.items()
        if not name.startswith("ReplicaSet ")
    }


def written(cluster: ControlPlane) -> dict[str, Any]:
    """What people and programs wrote, generations included; what controllers note down by themselves is left out."""
    objects = snapshot(cluster)
    generations = {name: thing["metadata"].get("generation") for name, thing in objects.items()}
    return {name: (generations[name], thing) for name, thing in without_history(objects).items()}


@contextmanager
def nothing_is_written(cluster: ControlPlane) -> Iterator[None]:
    """Nobody changes an object of the namespace while inside."""
    before = written(cluster)
    yield
    assert written(cluster) == before


def expect(cluster: ControlPlane, wanted: Snapshot, *apps: str, seconds: float = 20) -> None:
    """Waits until the namespace is as wanted (controllers and the garbage collector need a moment); shows what differs."""
    seen: Snapshot = {}

    def as_wanted() -> bool:
        nonlocal seen
        seen = snapshot(cluster, *apps)
        return seen == wanted

    try:
        poll("the objects are as wanted", as_wanted, seconds=seconds)
    except AssertionError as late:
        told = [f"{d.where}: wanted {say(d.old)}, is {say(d.new)}" for d in differences(wanted, seen)]
        raise AssertionError("\n".join([f"not within {seconds} s:", *told])) from late


def _named(kind: str, item: dict[str, Any]) -> str:
    """A ReplicaSet goes by its revision: its own name is a hash over a template that may hold a stamp."""
    if kind != "ReplicaSet":
        return f"{kind} {item['metadata']['name']}"
    return f"{kind} {item['metadata']['ownerReferences'][0]['name']} {item['metadata']['annotations'][_REVISION]}"


def _stripped(kind: str, item: dict[str, Any]) -> dict[str, Any]:
    kept = _comparable(item)
    metadata = _without(kept["metadata"], *_MAINTAINED, *(() if kind == "Deployment" else ("generation",)))
    if kind == "ReplicaSet":
        metadata = _without(metadata, "name")
    stripped = {**_without(kept, "status"), "metadata": metadata}
    if kind == "Service":
        stripped["spec"] = _without(kept["spec"], "clusterIP", "clusterIPs")
    return stripped


def _comparable(value: Any) -> Any:
    """Without what differs between two scenes that are the same: uids, hashes, and the stamps that are made from them."""
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _comparable(one) for key, one in value.items() if key not in ("uid", "pod-template-hash")}
    return {key: "a stamp" if key.startswith("rollback-console/read-") else one for key, one in kept.items()}


def _without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if key not in names}
