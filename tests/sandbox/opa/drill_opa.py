"""The drill's OPA with the interface of `tests/real/servers/opa.py`: the tests written for the real one run against it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from console.sandbox.opa.api import OpaApi
from console.sandbox.opa.bundles import BundleSource

T = TypeVar("T")


class DrillOpa:
    """One OPA of the drill, served from a thread of its own. A stopped one comes back empty, on the same port."""

    def __init__(self, *, bundles: str | None = None) -> None:
        """`bundles`: the address of a bundle server, from which it fetches `bundle.tar.gz` as the bundle `authz`."""
        self._sources = [BundleSource("authz", f"{bundles}/bundle.tar.gz", every_seconds=0.2)] if bundles else []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._port = 0
        self._api: OpaApi | None = None
        self.start()
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=20)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        if self._api is None:
            self._api = OpaApi(port=self._port, bundles=self._sources)
            self._run(self._api.__aenter__())
            self._port = self._api.port

    def stop(self) -> None:
        """Its port refuses connections; what it was given is gone."""
        api, self._api = self._api, None
        if api is not None:
            self._run(api.__aexit__(None, None, None))

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._http.close()

    def reset(self) -> None:
        """An OPA that has seen nothing."""
        self.start()
        if self._api is not None:
            self._api.opa.reset()

    def put(self, policy_id: str, text: str) -> None:
        self._http.put(f"/v1/policies/{policy_id}", content=text).raise_for_status()

    def delete(self, policy_id: str) -> None:
        self._http.delete(f"/v1/policies/{policy_id}").raise_for_status()

    def put_data(self, path: str, value: object) -> None:
        self._http.put(f"/v1/data/{path}", json=value).raise_for_status()

    def texts(self) -> dict[str, str]:
        """Every module by its id."""
        found = self._http.get("/v1/policies").raise_for_status().json().get("result") or []
        return {policy["id"]: policy["raw"] for policy in found}

    def data(self, path: str = "") -> Any:
        """A document, with what rules make of it."""
        return self._http.get(f"/v1/data/{path}").raise_for_status().json().get("result")

    def decide(self, path: str, **given: object) -> Any:
        return self._http.post(f"/v1/data/{path}", json={"input": given}).raise_for_status().json().get("result")

    def fingerprint(self, *documents: str) -> str:
        """Of everything in it: all modules, and these documents."""
        whole = [self.texts(), [self.data(path) for path in documents]]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)


@contextmanager
def two_replicas() -> Iterator[list[DrillOpa]]:
    with DrillOpa() as one, DrillOpa() as other:
        yield [one, other]
