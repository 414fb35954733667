"""StatefulSets and DaemonSets: pods with names of their own, and one pod a node, replaced one after the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from console.sandbox.kubernetes.controllers import Name
from console.sandbox.kubernetes.controllers.hands import Hands, controlled_by, controller_of, is_ready, leaving
from console.sandbox.kubernetes.documents import Object, clone, dig, equal
from console.sandbox.kubernetes.names import safe
from console.sandbox.kubernetes.storage import Event

_HASH = "controller-revision-hash"


class _Workloads:
    """What both have in common: revisions, and the pods that belong to them."""

    kind = ""
    plural = ""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def concerns(self, event: Event) -> Iterable[Name]:
        metadata = event.object["metadata"]
        if event.key == ("apps", self.plural):
            yield metadata["namespace"], metadata["name"]
        elif event.key == ("", "pods"):
            owner = controller_of(event.object)
            if owner and owner["kind"] == self.kind:
                yield metadata["namespace"], owner["name"]

    def _revision(self, found: Object) -> tuple[str, int]:
        """The name and number of the ControllerRevision of the present template, made when it is new."""
        template = found["spec"]["template"]
        text = json.dumps([found["metadata"]["uid"], template], sort_keys=True)
        digest = safe(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big"))
        name = f"{found['metadata']['name']}-{digest}"
        history = sorted(self._hands.owned_by(found, "ControllerRevision"), key=lambda one: int(one["revision"]))
        newest = int(history[-1]["revision"]) if history else 0
        known = next((one for one in history if one["metadata"]["name"] == name), None)
        if known is None:
            labels = {**dig(template, "metadata", "labels", default={}), _HASH: digest}
            self._hands.create({
                "apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": newest + 1,
                "metadata": {"name": name, "namespace": found["metadata"]["namespace"], "labels": labels,
                             "ownerReferences": [controlled_by(found)]},
                "data": {"spec": {"template": {**clone(template), "$patch": "replace"}}},
            })  # fmt: skip
        elif int(known["revision"]) != newest:
            self._hands.update({**known, "revision": newest + 1})
        for one in history[: max(len(history) - int(found["spec"].get("revisionHistoryLimit", 10)) - 1, 0)]:
            if one["metadata"]["name"] != name:
                self._hands.delete(one)
        return name, newest

    def _pod(self, found: Object, name: str, revision: str) -> Object:
        template = clone(found["spec"]["template"])
        labels = {**dig(template, "metadata", "labels", default={}), _HASH: self._mark(found, revision)}
        metadata = {**(template.get("metadata") or {}), **self._named(name), "labels": labels,
                    "namespace": found["metadata"]["namespace"], "ownerReferences": [controlled_by(found)]}  # fmt: skip
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}

    def _named(self, name: str) -> Object:
        return {"name": name}

    def _mark(self, found: Object, revision: str) -> str:  # noqa: ARG002 - DaemonSets leave their name away
        """How a pod is labelled with its revision."""
        return revision

    def _is_new(self, found: Object, pod: Object, revision: str) -> bool:
        return bool(dig(pod, "metadata", "labels", _HASH) == self._mark(found, revision))

    def _write(self, found: Object, status: Object) -> None:
        live = self._hands.registry.find(self.kind, found["metadata"]["namespace"], found["metadata"]["name"])
        if live is not None and not equal(live.get("status"), status):
            self._hands.set_status(live, status)

    def _rolls(self, found: Object) -> bool:
        return bool(dig(found, "spec", "updateStrategy", "type", default="RollingUpdate") == "RollingUpdate")


class StatefulSets(_Workloads):
    kind, plural = "StatefulSet", "statefulsets"

    def reconcile(self, namespace: str, name: str) -> float | None:
        found = self._hands.registry.find("StatefulSet", namespace, name)
        if found is None or leaving(found):
            return None
        update, _ = self._revision(found)
        current = dig(found, "status", "currentRevision", default=update)
        pods = {pod["metadata"]["name"]: pod for pod in self._hands.owned_by(found, "Pod")}
        wanted = [f"{name}-{n}" for n in range(int(found["spec"].get("replicas", 1)))]
        if not self._made(found, pods, wanted, update, current) and self._rolls(found):
            self._replaced(found, pods, wanted, update)
        self._write(found, self._status(found, wanted, update, current))
        return None

    def _made(self, found: Object, pods: dict[str, Object], wanted: list[str], update: str, current: str) -> bool:
        """Fills up from the lowest number and shrinks from the highest, one at a time when they are ordered."""
        ordered = found["spec"].get("podManagementPolicy") != "Parallel"
        partition = int(dig(found, "spec", "updateStrategy", "rollingUpdate", "partition", default=0))
        for number, name in enumerate(wanted):
            if name not in pods:
                revision = update if number >= partition and self._rolls(found) else current
                self._hands.create(self._pod(found, name, revision))
                if ordered:
                    return True
            elif ordered and not is_ready(pods[name]) and self._is_new(found, pods[name], update):
                return True
        surplus = [pod for name, pod in sorted(pods.items(), key=_ordinal, reverse=True) if name not in wanted]
        for pod in surplus[: 1 if ordered else None]:
            if not leaving(pod):
                self._hands.delete(pod)
        return bool(surplus)

    def _replaced(self, found: Object, pods: dict[str, Object], wanted: list[str], update: str) -> None:
        partition = int(dig(found, "spec", "updateStrategy", "rollingUpdate", "partition", default=0))
        for name in reversed(wanted[partition:]):
            pod = pods.get(name)
            if pod is None or leaving(pod):
                return
            if not self._is_new(found, pod, update):
                self._hands.delete(pod)
                return
            if not is_ready(pod):
                return

    def _status(self, found: Object, wanted: list[str], update: str, current: str) -> Object:
        pods = [pod for pod in self._hands.owned_by(found, "Pod") if not leaving(pod)]
        ready = [pod for pod in pods if is_ready(pod)]
        new = [pod for pod in pods if self._is_new(found, pod, update)]
        if len(new) == len(wanted) == len(ready):
            current = update
        old = [pod for pod in pods if self._is_new(found, pod, current)]
        status: Object = {"observedGeneration": found["metadata"].get("generation", 1), "replicas": len(pods)}
        counts = {"readyReplicas": ready, "currentReplicas": old, "updatedReplicas": new}
        status |= {field: len(some) for field, some in counts.items() if some}
        return status | {"currentRevision": current, "updateRevision": update, "collisionCount": 0,
                         "availableReplicas": len(ready)}  # fmt: skip


class DaemonSets(_Workloads):
    kind, plural = "DaemonSet", "daemonsets"

    def __init__(self, hands: Hands, node: str) -> None:
        super().__init__(hands)
        self._node = node

    def reconcile(self, namespace: str, name: str) -> float | None:
        found = self._hands.registry.find("DaemonSet", namespace, name)
        if found is None or leaving(found):
            return None
        update, _ = self._revision(found)
        pods = [pod for pod in self._hands.owned_by(found, "Pod") if not leaving(pod)]
        if not pods:
            pod = self._pod(found, name, update)
            pod["spec"]["nodeName"] = self._node
            self._hands.create(pod)
        elif self._rolls(found) and not self._is_new(found, pods[0], update):
            self._hands.delete(pods[0])
        self._write(found, self._status(found, update))
        return None

    def _named(self, name: str) -> Object:
        return {"generateName": f"{name}-"}

    def _mark(self, found: Object, revision: str) -> str:
        return revision.removeprefix(f"{found['metadata']['name']}-")

    def _status(self, found: Object, update: str) -> Object:
        pods = [pod for pod in self._hands.owned_by(found, "Pod") if not leaving(pod)]
        ready = len([pod for pod in pods if is_ready(pod)])
        new = len([pod for pod in pods if self._is_new(found, pod, update)])
        status: Object = {"currentNumberScheduled": len(pods), "numberMisscheduled": 0, "desiredNumberScheduled": 1,
                          "numberReady": ready, "observedGeneration": found["metadata"].get("generation", 1)}  # fmt: skip
        status |= {"updatedNumberScheduled": new} if new else {}
        return status | ({"numberAvailable": ready} if ready else {"numberUnavailable": 1})


def _ordinal(item: tuple[str, Object]) -> int:
    return int(item[0].rpartition("-")[2])
