"""ReplicaSets: as many pods of one template as are wanted, no more and no fewer."""

from __future__ import annotations

from collections.abc import Iterable

from console.sandbox.kubernetes.controllers import Name
from console.sandbox.kubernetes.controllers.hands import (
    Hands,
    adopted,
    controlled_by,
    controller_of,
    is_ready,
    leaving,
    ready_for,
)
from console.sandbox.kubernetes.documents import Object, clone, dig, equal
from console.sandbox.kubernetes.selectors import selected
from console.sandbox.kubernetes.storage import Event

_COMPONENT = "replicaset-controller"


class ReplicaSets:
    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def concerns(self, event: Event) -> Iterable[Name]:
        metadata = event.object["metadata"]
        if event.key == ("apps", "replicasets"):
            yield metadata["namespace"], metadata["name"]
        elif event.key == ("", "pods"):
            owner = controller_of(event.object)
            if owner and owner["kind"] == "ReplicaSet":
                yield metadata["namespace"], owner["name"]

    def reconcile(self, namespace: str, name: str) -> float | None:
        found = self._hands.registry.find("ReplicaSet", namespace, name)
        if found is None:
            return None
        if not leaving(found):
            self._adopt(found)
            self._resize(found, _standing(self._hands.owned_by(found, "Pod")))
        pods = self._hands.owned_by(found, "Pod")
        standing = _standing(pods)
        least = found["spec"].get("minReadySeconds", 0)
        now = self._hands.clock.now()
        ready = [pod for pod in standing if is_ready(pod)]
        available = [pod for pod in ready if not least or ready_for(pod, now) >= least]
        status = _status(found, pods, standing, ready, available)
        live = self._hands.registry.find("ReplicaSet", namespace, name)
        if live is not None and not equal(live.get("status"), status):
            self._hands.set_status(live, status)
        return float(least) if len(available) < len(ready) else None

    def _adopt(self, found: Object) -> None:
        for pod in self._hands.registry.all("Pod", found["metadata"]["namespace"]):
            free = controller_of(pod) is None and not leaving(pod)
            if free and selected(found["spec"]["selector"], pod["metadata"].get("labels") or {}):
                self._hands.update(adopted(pod, found))

    def _resize(self, found: Object, standing: list[Object]) -> None:
        difference = int(found["spec"].get("replicas", 1)) - len(standing)
        for _ in range(difference):
            pod = self._hands.create(_pod(found))
            text = f"Created pod: {pod['metadata']['name']}"
            self._hands.tell(found, "Normal", "SuccessfulCreate", text, _COMPONENT)
        for pod in sorted(standing, key=_worth)[: max(-difference, 0)]:
            self._hands.delete(pod)
            text = f"Deleted pod: {pod['metadata']['name']}"
            self._hands.tell(found, "Normal", "SuccessfulDelete", text, _COMPONENT)


def _standing(pods: list[Object]) -> list[Object]:
    return [p for p in pods if not leaving(p) and dig(p, "status", "phase") not in ("Succeeded", "Failed")]


def _worth(pod: Object) -> tuple[bool, bool, str]:
    """Which pod goes first: one that never ran, then one that is not ready, then the youngest."""
    running = dig(pod, "status", "phase") == "Running"
    return running, is_ready(pod), _inverted(pod["metadata"]["creationTimestamp"])


def _inverted(text: str) -> str:
    return "".join(chr(0x10FF - ord(letter)) for letter in text)


def _pod(found: Object) -> Object:
    template = clone(found["spec"]["template"])
    metadata = {**(template.get("metadata") or {}), "generateName": f"{found['metadata']['name']}-"}
    metadata |= {"namespace": found["metadata"]["namespace"], "ownerReferences": [controlled_by(found)]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def _status(
    found: Object, pods: list[Object], standing: list[Object], ready: list[Object], available: list[Object]
) -> Object:
    labels = dig(found, "spec", "template", "metadata", "labels", default={})
    labelled = [p for p in standing if selected({"matchLabels": labels}, p["metadata"].get("labels") or {})]
    counts = {"fullyLabeledReplicas": labelled, "readyReplicas": ready, "availableReplicas": available}
    status: Object = {"replicas": len(standing)} | {field: len(some) for field, some in counts.items() if some}
    status["terminatingReplicas"] = len([pod for pod in pods if leaving(pod)])
    return status | {"observedGeneration": found["metadata"].get("generation", 1)}
