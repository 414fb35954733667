"""A small cluster in this process: its API server on loopback, its controllers, one node. What a drill starts and holds."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from console.sandbox.kubernetes.access import MASTERS, Access, User
from console.sandbox.kubernetes.clock import Clock, RunningClock
from console.sandbox.kubernetes.controllers import Controllers
from console.sandbox.kubernetes.controllers.deployments import Deployments
from console.sandbox.kubernetes.controllers.garbage import Garbage
from console.sandbox.kubernetes.controllers.gitops import GitOps
from console.sandbox.kubernetes.controllers.hands import Hands
from console.sandbox.kubernetes.controllers.kubelet import Health, Kubelet, Pace
from console.sandbox.kubernetes.controllers.namespaces import Definitions, Namespaces
from console.sandbox.kubernetes.controllers.replicasets import ReplicaSets
from console.sandbox.kubernetes.controllers.workloads import DaemonSets, StatefulSets
from console.sandbox.kubernetes.definitions import well_known_definitions
from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.kinds import Catalog
from console.sandbox.kubernetes.registry import Deletion, PatchKind, Registry, Writing
from console.sandbox.kubernetes.server import ApiServer
from console.sandbox.kubernetes.storage import Store

ADMIN = User("admin", (MASTERS,))
USERS = (ADMIN, User("commander", (MASTERS,)), User("observer", ("rollback-console-observers",)))
"""Whom a drill knows: who set the cluster up, who acts in it, and who may do nothing that no Role allows."""
CONTEXT = "drill"
NODE = "drill-node-0"
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")


class Cluster:
    """The cluster without its server: the store, the kinds, the controllers. Nothing here waits for anything."""

    def __init__(
        self, clock: Clock, *, node: str = NODE, pace: Pace | None = None, health: Health | None = None, seed: int = 0
    ) -> None:
        self.clock = clock
        self.health = health or Health()
        self.store = Store()
        self.registry = Registry(self.store, Catalog(), clock)
        hands = Hands(self.registry, clock)
        kubelet = Hands(self.registry, clock, "kubelet")
        self.gitops = GitOps(Hands(self.registry, clock, "argocd-controller"))
        self.controllers = Controllers(
            self.store,
            clock,
            (
                Definitions(Hands(self.registry, clock, "kube-apiserver")),
                Namespaces(hands),
                Garbage(hands),
                Deployments(hands),
                StatefulSets(hands),
                DaemonSets(hands, node),
                ReplicaSets(hands),
                Kubelet(kubelet, node, self.health, pace or Pace(), random.Random(seed)),  # noqa: S311 - no secret
                self.gitops,
            ),
        )
        for name in _NAMESPACES:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, manager="kube-apiserver")
        self.create(_node(node), manager="kubelet")

    def stop(self) -> None:
        self.controllers.stop()

    # ------------------------------------------------------------ other people's hands

    def create(self, manifest: Object, *, manager: str = "drill") -> Object:
        """Makes an object as whoever `manager` names would; ApiError as the server would answer."""
        kind = self.registry.catalog.named(manifest["apiVersion"], manifest["kind"])
        if kind is None:
            raise LookupError(f"{manifest['apiVersion']} {manifest['kind']} is not served")
        namespace = manifest["metadata"].get("namespace", "")
        return self.registry.create(kind, namespace, manifest, Writing(manager)).object

    def change(
        self, api_version: str, kind: str, namespace: str, name: str, patch: Any, *,
        manager: str = "kubectl-edit", how: PatchKind = "merge",
    ) -> Object:  # fmt: skip
        """A colleague's write, in between the console's own."""
        found = self.registry.catalog.named(api_version, kind)
        if found is None:
            raise LookupError(f"{api_version} {kind} is not served")
        return self.registry.patch(found, namespace, name, how, patch, Writing(manager)).object

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> Object | None:
        found = self.registry.catalog.named(api_version, kind)
        return None if found is None else self.store.get(found.key, namespace, name)

    def delete(self, api_version: str, kind: str, namespace: str, name: str) -> None:
        found = self.registry.catalog.named(api_version, kind)
        if found is None:
            raise LookupError(f"{api_version} {kind} is not served")
        self.registry.delete(found, namespace, name, Deletion())

    def load(self, manifests: Iterable[Object], *, manager: str = "drill") -> None:
        """A scene: every document of it, definitions and namespaces first."""
        first = ("CustomResourceDefinition", "Namespace")
        for manifest in sorted(manifests, key=lambda m: m["kind"] not in first):
            made = self.create(manifest, manager=manager)
            if made["kind"] == "CustomResourceDefinition":
                self.registry.catalog.define(made)


class KubernetesApi:
    """`async with KubernetesApi(folder) as api:` serves a new cluster on a free port of loopback until the block ends."""

    def __init__(
        self,
        folder: Path,
        *,
        users: Sequence[User] = USERS,
        context: str = CONTEXT,
        definitions: bool = True,
        speed: float = 1.0,
        pace: Pace | None = None,
        clock: Clock | None = None,
        node: str = NODE,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: int = 0,
    ) -> None:
        self.folder = folder
        self._users = users
        self._context = context
        self._definitions = definitions
        self._speed = speed
        self._pace = pace
        self._clock = clock
        self._node = node
        self._address = (host, port)
        self._seed = seed

    async def __aenter__(self) -> Self:
        self._clock = self._clock or RunningClock(self._speed)
        self.cluster = Cluster(self._clock, node=self._node, pace=self._pace, seed=self._seed)
        if self._definitions:
            self.cluster.load(well_known_definitions(), manager="kube-apiserver")
        self.access = Access(self.cluster.registry, self._users)
        host, port = self._address
        self._server = ApiServer(self.cluster.registry, self.access, host=host, port=port)
        await self._server.start()
        await asyncio.to_thread(self._write_kubeconfigs)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop()
        self.cluster.stop()
        if isinstance(self._clock, RunningClock):
            self._clock.stop()

    @property
    def url(self) -> str:
        return self._server.url

    def token(self, user: str = ADMIN.name) -> str:
        """The user's secret."""
        return self.access.tokens[user]

    def kubeconfig(self, user: str = ADMIN.name) -> Path:
        """A file whose current context is this user's; the others have theirs by their names. Its tokens are secrets."""
        if user not in self.access.tokens:
            raise LookupError(f"no user {user}: {', '.join(self.access.tokens)}")
        return self.folder / f"{user}.kubeconfig"

    @property
    def speed(self) -> float:
        """How many of its own seconds pass in one real second; set it to make haste over what nobody needs to see."""
        return self._running.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self._running.speed = speed

    @property
    def _running(self) -> RunningClock:
        if not isinstance(self._clock, RunningClock):
            raise TypeError("this cluster's time is somebody else's")
        return self._clock

    # ------------------------------------------------------------ what may go wrong

    async def pause(self) -> None:
        """The API server is down: its port is closed, every connection is broken. What it stores it keeps."""
        await self._server.stop()

    async def resume(self) -> None:
        await self._server.start()

    def freeze(self) -> None:
        """The API server takes requests and answers none."""
        self._server.flowing.clear()

    def thaw(self) -> None:
        self._server.flowing.set()

    def forget_history(self) -> None:
        """As a compaction of the real store: whoever watches or pages from an older version has to begin anew."""
        self.cluster.store.forget()
        self._server.pages.forget()

    # ------------------------------------------------------------ inside

    def _write_kubeconfigs(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for user in self.access.tokens:
            path = self.folder / f"{user}.kubeconfig"
            path.touch(mode=0o600)
            path.write_text(yaml.safe_dump(self._kubeconfig(user), sort_keys=False), encoding="utf-8")

    def _kubeconfig(self, current: str) -> Object:
        """kubectl sends no token over plain HTTP, so that each user's server address carries it too."""
        tokens = self.access.tokens
        own = self._context or current
        users = {own: current} | {user: user for user in tokens}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": f"drill-{u}", "cluster": {"server": f"{self.url}/as/{t}"}} for u, t in tokens.items()
            ],
            "users": [{"name": user, "user": {"token": token}} for user, token in tokens.items()],
            "contexts": [{"name": n, "context": {"cluster": f"drill-{u}", "user": u}} for n, u in users.items()],
            "current-context": own,
        }


def _node(name: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "the drill's node"}
            ],
            "nodeInfo": {"kubeletVersion": "v1.37.2"},
        },
    }
