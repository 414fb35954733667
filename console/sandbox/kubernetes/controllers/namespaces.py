"""Namespaces: one that is deleted goes once everything in it has gone; and kinds, which come and go with their definitions."""

from __future__ import annotations

from collections.abc import Iterable

from console.sandbox.kubernetes.controllers import Name
from console.sandbox.kubernetes.controllers.hands import Hands, leaving
from console.sandbox.kubernetes.documents import Object, dig, equal
from console.sandbox.kubernetes.storage import Event

CLEAN_UP = "customresourcecleanup.apiextensions.k8s.io"


class Namespaces:
    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def concerns(self, event: Event) -> Iterable[Name]:
        if event.key == ("", "namespaces"):
            yield "", event.object["metadata"]["name"]
        elif event.type == "DELETED" and (namespace := event.object["metadata"].get("namespace")):
            yield "", namespace

    def reconcile(self, namespace: str, name: str) -> float | None:  # noqa: ARG002 - namespaces are in none
        found = self._hands.registry.find("Namespace", "", name)
        if found is None or not leaving(found):
            return None
        left = False
        for kind in list(self._hands.registry.catalog):
            for obj in self._hands.registry.list(kind, name) if kind.namespaced else []:
                left = True
                if not leaving(obj):
                    self._hands.delete({**obj, "apiVersion": kind.api_version, "kind": kind.kind})
                    left = self._hands.registry.store.get(kind.key, name, obj["metadata"]["name"]) is not None
        if not left and not any(
            self._hands.registry.list(k, name) for k in self._hands.registry.catalog if k.namespaced
        ):
            self._hands.registry.finish(self._hands.kind_of(found), {**found, "spec": {}})
        return None


class Definitions:
    """CustomResourceDefinitions: their kinds are served once they are established."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def concerns(self, event: Event) -> Iterable[Name]:
        if event.key == ("apiextensions.k8s.io", "customresourcedefinitions"):
            if event.type == "DELETED":
                self._hands.registry.catalog.undefine(event.object)
            else:
                yield "", event.object["metadata"]["name"]
        elif event.type == "DELETED" and "." in event.key[0]:
            yield "", f"{event.key[1]}.{event.key[0]}"

    def reconcile(self, namespace: str, name: str) -> float | None:  # noqa: ARG002 - definitions are in none
        found = self._hands.registry.find("CustomResourceDefinition", "", name)
        if found is None:
            return None
        if leaving(found):
            self._clean_up(found)
            return None
        self._hands.registry.catalog.define(found)
        finalizers = found["metadata"].get("finalizers") or []
        if CLEAN_UP not in finalizers:
            metadata = {**found["metadata"], "finalizers": [*finalizers, CLEAN_UP]}
            found = self._hands.update({**found, "metadata": metadata})
        status = self._established(found)
        if not equal(found.get("status"), status):
            self._hands.set_status(found, status)
        return None

    def _clean_up(self, found: Object) -> None:
        key = (found["spec"]["group"], found["spec"]["names"]["plural"])
        store = self._hands.registry.store
        for obj in store.list(key):
            kind = self._hands.registry.catalog.of_group(key[0], found["spec"]["names"]["kind"])
            if kind is not None and not leaving(obj):
                self._hands.delete({**obj, "apiVersion": kind.api_version, "kind": kind.kind})
        if not store.list(key):
            left = [one for one in found["metadata"].get("finalizers") or [] if one != CLEAN_UP]
            self._hands.update({**found, "metadata": {**found["metadata"], "finalizers": left}})

    def _established(self, found: Object) -> Object:
        old = {c["type"]: c for c in dig(found, "status", "conditions", default=[]) or []}

        def condition(kind: str, reason: str, message: str) -> Object:
            since = old[kind]["lastTransitionTime"] if kind in old else self._hands.now
            return {"type": kind, "status": "True", "lastTransitionTime": since, "reason": reason, "message": message}

        stored = [v["name"] for v in found["spec"]["versions"] if v.get("storage")]
        return {
            "conditions": [
                condition("NamesAccepted", "NoConflicts", "no conflicts found"),
                condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "acceptedNames": found["spec"]["names"],
            "storedVersions": stored,
        }
