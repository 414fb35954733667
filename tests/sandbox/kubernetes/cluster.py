"""The drill's cluster in the clothes of the real control plane, so that what is tested on the one is tested on the other.

It serves from a thread of its own, as the real servers do from their processes: a test may wait for it without stopping it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
import pytest

from console.sandbox.kubernetes.access import MASTERS, User
from console.sandbox.kubernetes.api import KubernetesApi
from console.sandbox.kubernetes.controllers.kubelet import Ailment, Pace
from tests.real.servers import ApiError, KubectlError, NotBuilt, binaries, poll
from tests.real.servers.access import ADMIN, LIMITED, LIMITED_GROUP
from tests.real.servers.kubernetes import CRASH_LABEL, NODE, rolled_out

T = TypeVar("T")
USERS = (User(ADMIN, (MASTERS,), ADMIN), User(LIMITED, (LIMITED_GROUP,), LIMITED))
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PACE = Pace(start_seconds=(0.02, 0.04), stop_seconds=0.02, first_back_off_seconds=10)


class DrillCluster:
    """As much of tests.real.servers.ControlPlane as its tests use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._api = KubernetesApi(folder, users=USERS, pace=PACE, node=NODE, context="", definitions=False)
        self.apiserver = _Server(self, self._api.pause, self._api.resume, self._api.freeze, self._api.thaw)
        self.etcd = self.apiserver
        self.controllers = _Held(self)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._api.__aenter__())
        self.api_object.cluster.health.mark_label(CRASH_LABEL, "true", Ailment("crash", restarts=5))
        self._http = httpx.Client(base_url=self._api.url, trust_env=False, timeout=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        fault = self.api_object.cluster.controllers.fault
        self.run(self._api.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        assert fault is None, "a controller stumbled"

    @property
    def api_object(self) -> KubernetesApi:
        return self._api

    @property
    def url(self) -> str:
        return self._api.url

    def run(self, task: Coroutine[Any, Any, T]) -> T:
        """In the cluster's own loop."""
        return asyncio.run_coroutine_threadsafe(task, self._loop).result(30)

    def call(self, what: Callable[[], T]) -> T:
        async def called() -> T:
            return what()

        return self.run(called())

    def start(self) -> None:
        """Everything is up and moving."""
        self.apiserver.resume()
        self.apiserver.start()
        self.controllers.resume()

    def kubeconfig(self, user: str = ADMIN) -> Path:
        return self._api.kubeconfig(user)

    @property
    def tokens(self) -> dict[str, str]:
        return self._api.access.tokens

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        params: dict[str, str] | None = None,
        user: str = ADMIN,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.tokens[user]}", "Content-Type": content_type}
        content = None if body is None else json.dumps(body)
        answer = self._http.request(method, path, params=params, headers=headers, content=content)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise ApiError(answer.status_code, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def kubectl(
        self, *arguments: str | Path, check: bool = True, user: str = ADMIN, stdin: str = "", seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """The real kubectl against the drill's cluster; the test is skipped where it is not built."""
        try:
            program = binaries.find("kubernetes", "kubectl")
        except NotBuilt as absent:
            pytest.skip(str(absent))
        own = (f"--kubeconfig={self.kubeconfig(user)}", f"--cache-dir={self.folder / 'kubectl-cache'}")
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [program, *own, *arguments],
            input=stdin, capture_output=True, text=True, env=environment, check=False, timeout=seconds,
        )  # fmt: skip
        if check and done.returncode != 0:
            words = " ".join(str(argument) for argument in arguments)
            raise KubectlError(f"kubectl {words}: exit {done.returncode}\n{done.stderr.strip()}")
        return done

    def deployment(self, namespace: str, name: str) -> dict[str, Any]:
        return self.api("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    def wait_rolled_out(self, namespace: str, name: str, *, seconds: float = 20) -> dict[str, Any]:
        seen: dict[str, Any] = {}

        def complete() -> bool:
            seen.update(self.deployment(namespace, name))
            return rolled_out(seen)

        poll(f"{namespace}/{name} is rolled out", complete, seconds=seconds)
        return seen


class _Server:
    """The API server as something that may go away and freeze."""

    def __init__(
        self,
        cluster: DrillCluster,
        stop: Callable[[], Coroutine[Any, Any, None]],
        start: Callable[[], Coroutine[Any, Any, None]],
        freeze: Callable[[], None],
        thaw: Callable[[], None],
    ) -> None:
        self._cluster = cluster
        self._stop, self._start, self._freeze, self._thaw = stop, start, freeze, thaw

    def kill(self) -> None:
        self._cluster.run(self._stop())

    stop = kill

    def start(self) -> None:
        self._cluster.run(self._start())

    def pause(self) -> None:
        self._cluster.call(self._freeze)

    def resume(self) -> None:
        self._cluster.call(self._thaw)


class _Held:
    """The controllers as something that may stand still."""

    def __init__(self, cluster: DrillCluster) -> None:
        self._cluster = cluster

    def pause(self) -> None:
        self._cluster.call(self._cluster.api_object.cluster.controllers.hold)

    def resume(self) -> None:
        with contextlib.suppress(AttributeError):
            self._cluster.call(self._cluster.api_object.cluster.controllers.release)
