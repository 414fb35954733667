"""How a controller acts: as a client of its own name, through the same registry as everybody."""

from __future__ import annotations

from datetime import datetime

from console.sandbox.kubernetes.clock import Clock, seconds_between, stamp
from console.sandbox.kubernetes.documents import Object, dig
from console.sandbox.kubernetes.kinds import Kind
from console.sandbox.kubernetes.names import ending
from console.sandbox.kubernetes.registry import Deletion, Registry, Writing

MANAGER = "kube-controller-manager"


class Hands:
    def __init__(self, registry: Registry, clock: Clock, manager: str = MANAGER) -> None:
        self.registry = registry
        self.clock = clock
        self._manager = manager

    @property
    def now(self) -> str:
        return stamp(self.clock.now())

    def kind_of(self, obj: Object) -> Kind:
        found = self.registry.catalog.named(obj["apiVersion"], obj["kind"])
        if found is None:
            raise LookupError(f"{obj['kind']} is not served")
        return found

    def create(self, obj: Object) -> Object:
        return self.registry.create(self.kind_of(obj), _namespace(obj), obj, Writing(self._manager)).object

    def update(self, obj: Object, subresource: str = "") -> Object:
        """Writes the object as it is here; unchanged, nothing is written."""
        bare = {**obj, "metadata": {k: v for k, v in obj["metadata"].items() if k != "resourceVersion"}}
        writing = Writing(self._manager, subresource=subresource)
        return self.registry.replace(self.kind_of(obj), _namespace(obj), obj["metadata"]["name"], bare, writing).object

    def set_status(self, obj: Object, status: Object) -> Object:
        return self.update({**obj, "status": status}, "status")

    def annotate(self, obj: Object, annotations: dict[str, str], status: Object) -> Object:
        """Both at once, as the controllers that write annotations by way of the status do."""
        metadata = {**obj["metadata"], "annotations": {**(obj["metadata"].get("annotations") or {}), **annotations}}
        return self.update({**obj, "metadata": metadata, "status": status}, "status")

    def delete(self, obj: Object, propagation: str = "Background", grace_seconds: int | None = None) -> None:
        wanted = Deletion(obj["metadata"]["uid"], None, propagation, grace_seconds)
        self.registry.delete(self.kind_of(obj), _namespace(obj), obj["metadata"]["name"], wanted)

    def tell(self, about: Object, kind: str, reason: str, message: str, component: str) -> None:
        """An Event on an object; the same one again is counted."""
        name, namespace = about["metadata"]["name"], _namespace(about) or "default"
        for event in self.registry.all("Event", namespace):
            same = (event["involvedObject"].get("uid"), event.get("reason"), event.get("message"))
            if same == (about["metadata"]["uid"], reason, message):
                self.update({**event, "count": int(event.get("count", 1)) + 1, "lastTimestamp": self.now})
                return
        reference = {"kind": about["kind"], "namespace": namespace, "name": name, "uid": about["metadata"]["uid"],
                     "apiVersion": about["apiVersion"], "resourceVersion": about["metadata"]["resourceVersion"]}  # fmt: skip
        self.create({
            "apiVersion": "v1", "kind": "Event", "metadata": {"name": f"{name}.{ending(16)}", "namespace": namespace},
            "involvedObject": reference, "reason": reason, "message": message, "type": kind, "count": 1,
            "source": {"component": component}, "reportingComponent": component,
            "firstTimestamp": self.now, "lastTimestamp": self.now,
        })  # fmt: skip

    def owned_by(self, owner: Object, kind: str) -> list[Object]:
        """What the owner controls."""
        uid = owner["metadata"]["uid"]
        return [o for o in self.registry.all(kind, _namespace(owner)) if (controller_of(o) or {}).get("uid") == uid]


def _namespace(obj: Object) -> str:
    return str(obj["metadata"].get("namespace", ""))


def controller_of(obj: Object) -> Object | None:
    for owner in obj["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return dict(owner)
    return None


def controlled_by(owner: Object) -> Object:
    """The ownerReference of what the owner makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def adopted(obj: Object, owner: Object) -> Object:
    references = [*(obj["metadata"].get("ownerReferences") or []), controlled_by(owner)]
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": references}}


def is_ready(pod: Object) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in dig(pod, "status", "conditions", default=[]))


def ready_for(pod: Object, now: datetime) -> float:
    """Seconds since the pod became ready, by its own condition."""
    for condition in dig(pod, "status", "conditions", default=[]):
        if condition["type"] == "Ready" and condition["status"] == "True" and condition.get("lastTransitionTime"):
            return seconds_between(condition["lastTransitionTime"], now)
    return 0.0


def leaving(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))
