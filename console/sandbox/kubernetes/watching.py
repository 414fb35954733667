"""A watch: what happened to a kind's objects since a version, as far as the watcher's selectors go, until its time is over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.errors import ApiError
from console.sandbox.kubernetes.kinds import Kind
from console.sandbox.kubernetes.selectors import Matches
from console.sandbox.kubernetes.storage import Event, Store

_BOOKMARK_SECONDS = 30.0


class Watch:
    """Hears everything from now on, until its `with` block ends.

    `start` is the version after which events are told; None tells the objects that there are first.
    """

    def __init__(
        self,
        store: Store,
        kind: Kind,
        namespace: str,
        matches: Matches,
        start: int | None,
        *,
        bookmarks: bool = False,
        mark_initial: bool = False,
    ) -> None:
        self._store = store
        self._kind = kind
        self._namespace = namespace
        self._matches = matches
        self._bookmarks = bookmarks
        self._mark_initial = mark_initial
        self._arrived: asyncio.Queue[Event] = asyncio.Queue()
        self._told = store.version
        past = [] if start is None else list(store.since(start, kind.key))
        self._stop = store.listen(self._heard)
        self._first = self._standing() if start is None else past

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _standing(self) -> list[Event]:
        found = self._store.list(self._kind.key, self._namespace)
        return [Event("ADDED", self._kind.key, obj, None, self._store.version) for obj in found]

    async def events(self, seconds: float) -> AsyncIterator[Object]:
        """Watch events as they are sent. Ends after so many seconds of real time."""
        deadline = asyncio.get_running_loop().time() + seconds
        for event in self._first:
            if (told := self._seen(event)) is not None:
                yield told
        if self._mark_initial:
            yield self._bookmark({"k8s.io/initial-events-end": "true"})
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            try:
                event = await asyncio.wait_for(self._arrived.get(), min(left, _BOOKMARK_SECONDS))
            except TimeoutError:
                self._told = self._store.version
                if self._bookmarks:
                    yield self._bookmark()
                continue
            self._told = event.version
            if (told := self._seen(event)) is not None:
                yield told

    def _heard(self, event: Event) -> None:
        if event.key == self._kind.key:
            self._arrived.put_nowait(event)

    def _seen(self, event: Event) -> Object | None:
        """As this watcher sees it: an object that leaves its selection is deleted for it, one that enters is new."""
        if self._namespace and event.object["metadata"].get("namespace") != self._namespace:
            return None
        now = event.type != "DELETED" and self._matches(event.object)
        before = event.before is not None and self._matches(event.before)
        if event.type == "DELETED":
            return self._told_as("DELETED", event.object) if before else None
        if now:
            return self._told_as("MODIFIED" if before else "ADDED", event.object)
        if event.before is not None and before:
            version = event.object["metadata"]["resourceVersion"]
            left = {**event.before, "metadata": {**event.before["metadata"], "resourceVersion": version}}
            return self._told_as("DELETED", left)
        return None

    def _told_as(self, kind: str, obj: Object) -> Object:
        served = {"kind": self._kind.kind, "apiVersion": self._kind.api_version}
        rest = {key: value for key, value in obj.items() if key not in served}
        return {"type": kind, "object": {**served, **rest}}

    def _bookmark(self, annotations: Object | None = None) -> Object:
        metadata: Object = {"resourceVersion": str(self._told)} | ({"annotations": annotations} if annotations else {})
        served = {"kind": self._kind.kind, "apiVersion": self._kind.api_version}
        return {"type": "BOOKMARK", "object": {**served, "metadata": metadata}}


def error_event(error: ApiError) -> Object:
    """How a watch that has begun says that it can't go on."""
    return {"type": "ERROR", "object": error.status()}
