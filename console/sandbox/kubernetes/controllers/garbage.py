"""The garbage collector: what belonged to something that is gone goes too, in the order that whoever deleted it asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from console.sandbox.kubernetes.controllers import Name
from console.sandbox.kubernetes.controllers.hands import Hands, leaving
from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.storage import Event

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"


class Garbage:
    """Its names are uids: `concerns` gives those of owners that are gone or going and of objects whose owner never was."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands

    def concerns(self, event: Event) -> Iterable[Name]:
        metadata = event.object["metadata"]
        if event.type == "DELETED" or metadata.get("deletionTimestamp"):
            yield "owner", metadata["uid"]
        for owner in metadata.get("ownerReferences") or []:
            yield "owner", owner["uid"]

    def reconcile(self, namespace: str, name: str) -> float | None:  # noqa: ARG002 - every name here is a uid
        owner = next((obj for obj in self._everything() if obj["metadata"]["uid"] == name), None)
        dependents = [obj for obj in self._everything() if _owned_by(obj, name)]
        if owner is None:
            for obj in dependents:
                self._collect(obj, name)
        elif leaving(owner):
            self._going(owner, dependents)
        return None

    def _going(self, owner: Object, dependents: list[Object]) -> None:
        finalizers = owner["metadata"].get("finalizers") or []
        if ORPHAN in finalizers:
            for obj in dependents:
                self._hands.update(_without_owner(obj, owner["metadata"]["uid"]))
            self._released(owner, ORPHAN)
        elif FOREGROUND in finalizers:
            for obj in dependents:
                if not leaving(obj):
                    self._hands.delete(obj, "Foreground" if obj["kind"] != "Pod" else "Background")
            if not dependents:
                self._released(owner, FOREGROUND)

    def _collect(self, obj: Object, uid: str) -> None:
        """Deletes what has no owner left; the mere reference goes where there is another one."""
        reference = next(o for o in obj["metadata"]["ownerReferences"] if o["uid"] == uid)
        if self._hands.registry.catalog.of_group(reference["apiVersion"].rpartition("/")[0], reference["kind"]) is None:
            return  # nobody knows such a kind, so nobody can say that its object is gone
        living = {one["metadata"]["uid"] for one in self._everything()}
        if any(o["uid"] in living for o in obj["metadata"]["ownerReferences"]):
            self._hands.update(_without_owner(obj, uid))
        elif not leaving(obj):
            self._hands.delete(obj)

    def _released(self, owner: Object, finalizer: str) -> None:
        left = [one for one in owner["metadata"]["finalizers"] if one != finalizer]
        self._hands.update({**owner, "metadata": {**owner["metadata"], "finalizers": left}})

    def _everything(self) -> Iterator[Object]:
        catalog, store = self._hands.registry.catalog, self._hands.registry.store
        seen: set[tuple[str, str]] = set()
        for kind in catalog:
            if kind.key not in seen:
                seen.add(kind.key)
                for obj in store.list(kind.key):
                    yield {**obj, "apiVersion": kind.api_version, "kind": kind.kind}


def _owned_by(obj: Object, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in obj["metadata"].get("ownerReferences") or [])


def _without_owner(obj: Object, uid: str) -> Object:
    left = [owner for owner in obj["metadata"]["ownerReferences"] if owner["uid"] != uid]
    metadata = {key: value for key, value in obj["metadata"].items() if key != "ownerReferences"}
    return {**obj, "metadata": metadata | ({"ownerReferences": left} if left else {})}
