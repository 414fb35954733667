"""What the cluster remembers: every object in its last state, one version counter for all, and the last events for watchers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.errors import expired

Key = tuple[str, str]
"""Group and plural."""

_HISTORY = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """One write. `before` is the object that was there, None for one that was made."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: Key
    object: Object
    before: Object | None
    version: int


class Store:
    """Objects that were put here are never changed in place; whoever reads one may keep it."""

    def __init__(self, history: int = _HISTORY) -> None:
        self.version = 1
        self._objects: dict[Key, dict[tuple[str, str], Object]] = {}
        self._events: deque[Event] = deque(maxlen=history)
        self._forgotten = 0
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Calls the listener after each write, until what is given back is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def get(self, key: Key, namespace: str, name: str) -> Object | None:
        return self._objects.get(key, {}).get((namespace, name))

    def list(self, key: Key, namespace: str = "") -> Sequence[Object]:
        """By namespace and name, as etcd has them; of all namespaces when none is given."""
        found = self._objects.get(key, {})
        return [found[place] for place in sorted(found) if not namespace or place[0] == namespace]

    def put(self, key: Key, obj: Object) -> Object:
        """Writes the object with a new resourceVersion and tells everybody."""
        metadata = obj["metadata"]
        place = (metadata.get("namespace", ""), metadata["name"])
        objects = self._objects.setdefault(key, {})
        before = objects.get(place)
        self.version += 1
        obj = {**obj, "metadata": _versioned(metadata, self.version)}
        objects[place] = obj
        self._tell(Event("MODIFIED" if before else "ADDED", key, obj, before, self.version))
        return obj

    def remove(self, key: Key, obj: Object) -> Object:
        metadata = obj["metadata"]
        place = (metadata.get("namespace", ""), metadata["name"])
        before = self._objects[key].pop(place)
        self.version += 1
        gone = {**obj, "metadata": _versioned(metadata, self.version)}
        self._tell(Event("DELETED", key, gone, before, self.version))
        return gone

    def since(self, version: int, key: Key) -> Iterator[Event]:
        """The writes after a version. Raises 410 when some of them are forgotten."""
        if version < self._forgotten:
            raise expired(f"too old resource version: {version} ({self._forgotten + 1})")
        return (event for event in tuple(self._events) if event.version > version and event.key == key)

    def forget(self) -> None:
        """Drops the history, as a compaction of the real store does: who watches from an older version starts anew."""
        self._events.clear()
        self._forgotten = self.version

    def _tell(self, event: Event) -> None:
        if len(self._events) == self._events.maxlen:
            self._forgotten = self._events[0].version
        self._events.append(event)
        for listener in tuple(self._listeners):
            listener(event)


def _versioned(metadata: Object, version: int) -> Object:
    """In the place where the real server writes it, after the uid."""
    order = ("name", "generateName", "namespace", "selfLink", "uid")
    first = {key: metadata[key] for key in order if key in metadata}
    rest = {key: value for key, value in metadata.items() if key not in order and key != "resourceVersion"}
    return {**first, "resourceVersion": str(version), **rest}
