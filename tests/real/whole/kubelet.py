"""What a kubelet does with the ConfigMaps that a pod mounts: a file for each key, renewed when the object changes.

A pod's volume follows in a minute or two; this one in a moment. Whether a program notices is the program's affair.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

import httpx

from tests.real.servers import ApiError, ControlPlane

Mount = Callable[[Mapping[str, str]], None]
"""Gets the data of a ConfigMap whenever it has changed."""
_LOOK_SECONDS = 0.03


class Kubelet:
    """Follows ConfigMaps of one namespace in a thread while the `with` block lasts."""

    def __init__(self, cluster: ControlPlane, namespace: str, mounts: Mapping[str, Mount]) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._mounts = mounts
        self._seen: dict[str, Mapping[str, str]] = {}
        self._ending = threading.Event()
        self._looking = threading.Lock()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ending.set()
        self._thread.join()

    def look(self) -> None:
        """Looks once; without the API server everything stays as it is."""
        with self._looking, contextlib.suppress(ApiError, httpx.HTTPError):
            items = self._cluster.api("GET", f"/api/v1/namespaces/{self._namespace}/configmaps")["items"]
            found = {item["metadata"]["name"]: item.get("data") or {} for item in items}
            for name in found.keys() & self._mounts.keys():
                if found[name] != self._seen.get(name):
                    self._mounts[name](found[name])
                    self._seen[name] = found[name]

    def _follow(self) -> None:
        while not self._ending.wait(_LOOK_SECONDS):
            self.look()
