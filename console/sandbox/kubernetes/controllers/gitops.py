"""An Argo CD in small: an Application that syncs by itself puts what it manages back as it is in git.

It does what matters to a rollback: a change by hand is gone after a moment, unless the Application's `automated` policy is taken
away first, as `kubernetes.hold` does. What is in git is given by the scenario.
"""

from __future__ import annotations

from collections.abc import Iterable

from console.sandbox.kubernetes.controllers import Name
from console.sandbox.kubernetes.controllers.hands import Hands
from console.sandbox.kubernetes.documents import Object, clone, dig
from console.sandbox.kubernetes.errors import ApiError
from console.sandbox.kubernetes.registry import Writing
from console.sandbox.kubernetes.storage import Event

_KEY = ("argoproj.io", "applications")
_TRACKING = "argocd.argoproj.io/tracking-id"


class GitOps:
    def __init__(self, hands: Hands, after_seconds: float = 3.0) -> None:
        self._hands = hands
        self._after_seconds = after_seconds
        self._desired: dict[Name, list[Object]] = {}
        self._due: dict[Name, float] = {}

    def manage(self, namespace: str, name: str, manifests: Iterable[Object]) -> None:
        """What git says of the Application's objects."""
        self._desired[namespace, name] = [_tracked(manifest, name) for manifest in manifests]

    def concerns(self, event: Event) -> Iterable[Name]:
        metadata = event.object["metadata"]
        if event.key == _KEY:
            yield metadata["namespace"], metadata["name"]
        for application, manifests in self._desired.items():
            if any(_is(manifest, event.object) for manifest in manifests):
                yield application

    def reconcile(self, namespace: str, name: str) -> float | None:
        application = self._hands.registry.store.get(_KEY, namespace, name)
        manifests = self._desired.get((namespace, name), [])
        heals = dig(application, "spec", "syncPolicy", "automated", "selfHeal")
        if application is None or not heals or not any(self._differs(manifest) for manifest in manifests):
            self._due.pop((namespace, name), None)
            return None
        now = self._hands.clock.elapsed()
        due = self._due.setdefault((namespace, name), now + self._after_seconds)
        if now < due:
            return due - now
        del self._due[namespace, name]
        for manifest in manifests:
            self._apply(manifest)
        return None

    def _differs(self, manifest: Object) -> bool:
        live = self._live(manifest)
        return live is None or not _contains(live, manifest)

    def _live(self, manifest: Object) -> Object | None:
        kind = self._hands.kind_of(manifest)
        metadata = manifest["metadata"]
        return self._hands.registry.store.get(kind.key, metadata.get("namespace", ""), metadata["name"])

    def _apply(self, manifest: Object) -> None:
        kind, metadata = self._hands.kind_of(manifest), manifest["metadata"]
        writing = Writing("argocd-controller", force=True)
        try:
            self._hands.registry.patch(
                kind, metadata.get("namespace", ""), metadata["name"], "apply", manifest, writing
            )
        except ApiError:  # what git says can't be applied: out of sync it stays
            return


def _tracked(manifest: Object, application: str) -> Object:
    copy: Object = clone(manifest)
    group = copy["apiVersion"].rpartition("/")[0]
    metadata = copy["metadata"]
    mark = f"{application}:{group}/{copy['kind']}:{metadata.get('namespace', '')}/{metadata['name']}"
    metadata["annotations"] = {**(metadata.get("annotations") or {}), _TRACKING: mark}
    return copy


def _is(manifest: Object, obj: Object) -> bool:
    mine, theirs = manifest["metadata"], obj["metadata"]
    same_place = (mine["name"], mine.get("namespace")) == (theirs["name"], theirs.get("namespace"))
    return same_place and manifest["kind"] == obj.get("kind")


def _contains(live: object, wanted: object) -> bool:
    """Whether everything that is wanted is there; what others added is not Argo CD's business."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            key in live and _contains(live[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list) and wanted and all(isinstance(item, dict) and "name" in item for item in wanted):
        there = {item.get("name"): item for item in live if isinstance(item, dict)} if isinstance(live, list) else {}
        return all(item["name"] in there and _contains(there[item["name"]], item) for item in wanted)
    return live == wanted
