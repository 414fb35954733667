"""A namespace of a test's own on the real control plane, and a console that acts in it.

Cheaper than the whole scene: a test makes the objects that it is about. Nothing of one room is seen by another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from console.checks import kubernetes_pods_ready as pods_ready
from console.domain.events import Direction
from console.domain.incident import ComponentProgress, Incident, StepProgress
from console.domain.outline import ComponentOutline, Outline, StepOutline
from console.engine import gateway
from console.engine.clock import SystemClock
from console.engine.gateway import Permit
from console.engine.ports import Change, Evidence, Json, Step
from console.engine.session import Parts, Session
from console.engine.view import PlannedStep, Preview
from console.journals.sqlite import SqliteJournal
from console.journals.vault import FolderVault
from console.steps import kubernetes_apply, kubernetes_patch, kubernetes_rollout_undo
from console.targets import kubernetes as targets
from console.targets.kubernetes import KubernetesTarget
from tests.real.servers import ApiError, ControlPlane
from tests.real.servers.kubernetes import CRASH_LABEL, NODE

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
COLLECTIONS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Service": "/api/v1/namespaces/{}/services",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
}
REVISION = "deployment.kubernetes.io/revision"
_POLL_SECONDS = 0.01
CRASHING = {CRASH_LABEL: "true"}
_MAINTAINED = ("resourceVersion", "generation", "managedFields", "creationTimestamp")


@dataclass(frozen=True)
class Outcome:
    """How carrying a component out ended."""

    component: ComponentProgress
    preview: Preview

    @property
    def states(self) -> list[str]:
        return [step.state for step in self.component.steps.values()]

    @property
    def step(self) -> StepProgress:
        return next(iter(self.component.steps.values()))


class AtWork:
    """One component of the given steps, carried out by the real engine on a journal of its own."""

    def __init__(
        self, folder: Path, steps: Mapping[str, Step], timeout_seconds: float, kinds: Mapping[str, str] | None = None
    ) -> None:
        outlines = tuple(StepOutline(i, i, (kinds or {}).get(i, "kubernetes")) for i in steps)
        self._session = Session(
            Parts(
                outline=Outline("A migration", (ComponentOutline("it", "It", outlines),)),
                config_digest="1",
                mode="live",
                actor="kim",
                clock=SystemClock(),
                journal=SqliteJournal(folder / "journal"),
                vault=FolderVault(folder / "journal.vault"),
                steps=steps,
                step_timeouts=dict.fromkeys(steps, timeout_seconds),
            )
        )

    async def declare(self) -> None:
        await self._session.open()
        await self._session.declare("a test")

    async def close(self) -> None:
        await self._session.close()

    async def preview(self, direction: Direction = "back") -> Preview:
        return await self._session.preview("it", direction)

    async def planned(self, direction: Direction = "back") -> PlannedStep:
        """The preview of the first step."""
        return (await self.preview(direction)).steps[0]

    async def confirm(self, preview: Preview) -> Outcome:
        await self.start(preview)
        return await self.ended(preview)

    async def start(self, preview: Preview) -> None:
        await self._session.confirm(preview, "it")

    async def ended(self, preview: Preview) -> Outcome:
        await self._session.wait("it")
        assert self._session.executor.fault == ""
        return Outcome(self._session.runner.incident.components["it"], preview)

    async def roll_back(self) -> Outcome:
        return await self.confirm(await self.preview())

    async def roll_forward(self) -> Outcome:
        return await self.confirm(await self.preview("forward"))

    @property
    def incident(self) -> Incident:
        return self._session.runner.incident

    async def settle(self, counts_as: Literal["done", "not_done"]) -> None:
        """A person's word on the first step."""
        await self._session.settle("step", counts_as, "looked")

    def progress(self) -> str:
        """What the screen shows of the first step."""
        return self._session.view().components[0].steps[0].progress

    async def until(self, state: str, *, seconds: float = 20, shown: str = "") -> None:
        """Waits until the first step is in this state, and its progress shows this."""
        for _ in range(int(seconds / _POLL_SECONDS)):
            if self.state() == state and shown in self.progress():
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise AssertionError(f"not {state} within {seconds} s, but {self.state()}: {self.progress()}")

    def state(self) -> str:
        return self._session.runner.incident.components["it"].steps["step"].state


class Room:
    """The namespace `name`. Whatever is built here acts in it."""

    def __init__(self, cluster: ControlPlane, name: str, folder: Path) -> None:
        self.cluster = cluster
        self.name = name
        self.folder = folder
        self._consoles: list[AtWork] = []
        self._targets: list[KubernetesTarget] = []

    def open(self) -> None:
        self.cluster.api("POST", "/api/v1/namespaces", {"metadata": {"name": self.name}})

    async def close(self) -> None:
        for console in self._consoles:
            await console.close()
        for target in self._targets:
            await target.close()
        with contextlib.suppress(Exception):  # a test may have stopped the servers
            self.cluster.api("DELETE", f"/api/v1/namespaces/{self.name}")

    # ------------------------------------------------------------ the objects

    def path(self, kind: str, name: str = "") -> str:
        return COLLECTIONS[kind].format(self.name) + (f"/{name}" if name else "")

    def create(self, manifest: Json, manager: str = "migration") -> Json:
        return self.cluster.api("POST", self.path(manifest["kind"]), manifest, params={"fieldManager": manager})

    def get(self, kind: str, name: str) -> Json:
        return self.cluster.api("GET", self.path(kind, name))

    def exists(self, kind: str, name: str) -> bool:
        try:
            return bool(self.get(kind, name))
        except ApiError as error:
            if error.status != httpx.codes.NOT_FOUND:
                raise
            return False

    def change(self, kind: str, name: str, patch: Json, manager: str = "kubectl-edit") -> Json:
        """What somebody else does."""
        params = {"fieldManager": manager}
        return self.cluster.api("PATCH", self.path(kind, name), patch, content_type=MERGE, params=params)

    def config_map(self, name: str = "config", **data: str) -> Json:
        return self.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": data})

    def deployment(self, name: str = "web", image: str = "web:1", **spec: Any) -> Json:
        """A Deployment of one pod, rolled out; `env`, `envFrom` and `volumeMounts` go to its container."""
        self.create(deployment(name, image, **spec))
        return self.rolled_out(name)

    def release(self, image: str, name: str = "web", **template: Any) -> Json:
        """The next revision; not waited for."""
        patch = {"spec": {"template": {"spec": {"containers": [{"name": name, "image": image}]}, **template}}}
        params = {"fieldManager": "migration"}
        return self.cluster.api("PATCH", self.path("Deployment", name), patch, content_type=STRATEGIC, params=params)

    def releases(self, *images: str) -> None:
        """One revision after the other, each rolled out."""
        self.deployment(image=images[0])
        for image in images[1:]:
            self.release(image)
            self.rolled_out()

    def rolled_out(self, name: str = "web") -> Json:
        return self.cluster.wait_rolled_out(self.name, name)

    def image(self, name: str = "web") -> str:
        return str(self.get("Deployment", name)["spec"]["template"]["spec"]["containers"][0]["image"])

    def revisions(self, name: str = "web") -> dict[int, str]:
        found = self.cluster.api("GET", self.path("ReplicaSet"), params={"labelSelector": f"app={name}"})["items"]
        return {
            int(r["metadata"]["annotations"][REVISION]): r["spec"]["template"]["spec"]["containers"][0]["image"]
            for r in found
        }

    def version(self, kind: str, name: str) -> str:
        return str(self.get(kind, name)["metadata"]["resourceVersion"])

    def objects(self) -> dict[str, Json]:
        """Each object that people make, without what its server maintains by itself."""
        return {f"{kind} {o['metadata']['name']}": lasting(o) for kind, o in self._made()}

    def writes(self) -> dict[str, str]:
        """A mark for each such object that every write changes but those of its status."""
        return {f"{kind} {o['metadata']['name']}": _last_write(o) for kind, o in self._made()}

    def _made(self) -> Iterator[tuple[str, Json]]:
        for kind in ("ConfigMap", "Secret", "Service", "Deployment"):
            yield from ((kind, o) for o in self.cluster.api("GET", self.path(kind))["items"])

    def generation(self, name: str = "web") -> int:
        """How often the Deployment was asked for something else."""
        return int(self.get("Deployment", name)["metadata"]["generation"])

    # ------------------------------------------------------------ the console

    def target(self, user: str = "admin", **options: Any) -> KubernetesTarget:
        given = {"kubeconfig": self.cluster.kubeconfig(user), "context": user, **options}
        target = targets.build("cluster", targets.Options.model_validate(given))
        self._targets.append(target)
        return target

    def patch(self, what: str, patch: Json, target: KubernetesTarget | None = None, **options: Any) -> Step:
        given = {"object": what, "namespace": self.name, "patch": patch, **options}
        options_ = kubernetes_patch.Options.model_validate(given)
        return kubernetes_patch.build("step", options_, target or self.target())

    def apply(self, path: Path, target: KubernetesTarget | None = None, **options: Any) -> Step:
        given = {"path": path, "namespace": self.name, **options}
        return kubernetes_apply.build("step", kubernetes_apply.Options.model_validate(given), target or self.target())

    def rollout_undo(self, target: KubernetesTarget | None = None, **options: Any) -> Step:
        given = {"deployment": "web", "namespace": self.name, **options}
        options_ = kubernetes_rollout_undo.Options.model_validate(given)
        return kubernetes_rollout_undo.build("step", options_, target or self.target())

    async def pods_ready(self, **options: Any) -> Evidence:
        given = pods_ready.Options.model_validate({"namespace": self.name, **options})
        return await pods_ready.build(given, self.target()).run()

    def manifest(self, text: str, name: str = "manifest.yaml") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    async def console(
        self, *steps: Step, timeout_seconds: float = 30, kinds: Mapping[str, str] | None = None
    ) -> AtWork:
        """A declared incident whose one component has these steps; the first is named `step`, the others step-2, step-3 …"""
        names = ["step", *(f"step-{n}" for n in range(2, len(steps) + 1))]
        folder = self.folder / f"console-{len(self._consoles)}"
        console = AtWork(folder, dict(zip(names, steps, strict=True)), timeout_seconds, kinds)
        self._consoles.append(console)
        await console.declare()
        return console


def deployment(name: str, image: str, *, replicas: int = 1, labels: Json = None, **spec: Any) -> Json:
    """A manifest. `env`, `envFrom`, `volumeMounts` and `extra` (more containers) and `volumes` end where they belong."""
    of_container = ("env", "envFrom", "volumeMounts")
    container = {"name": name, "image": image, **{k: spec.pop(k) for k in of_container if k in spec}}
    pod = {"nodeName": NODE, "containers": [container, *spec.pop("extra", [])], "volumes": spec.pop("volumes", [])}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name, **(labels or {})}}, "spec": pod},
            **spec,
        },
    }


def crashing() -> Json:
    """What a pod template needs for its pods to go into CrashLoopBackOff."""
    return {"metadata": {"labels": CRASHING}}


def lasting(obj: Json) -> Json:
    """The object without what its server maintains by itself: what has to be as before when all is taken back."""
    metadata = {k: v for k, v in obj["metadata"].items() if k not in _MAINTAINED}
    metadata["annotations"] = {k: v for k, v in metadata.get("annotations", {}).items() if k != REVISION}
    return {**{k: v for k, v in obj.items() if k != "status"}, "metadata": metadata}


def _last_write(obj: Json) -> str:
    """A workload's resourceVersion moves with its status; its generation and its owners' entries don't."""
    metadata = obj["metadata"]
    if "status" not in obj or obj["status"] == {"loadBalancer": {}}:
        return str(metadata["resourceVersion"])
    entries = [e for e in metadata["managedFields"] if e.get("subresource") != "status"]
    return str((metadata["generation"], metadata["uid"], entries))


def change_of(planned: PlannedStep) -> Change:
    assert planned.problem == ""
    assert planned.change is not None
    return planned.change


def found(planned: PlannedStep, code: str) -> list[str]:
    """The findings with this code, each as its level and text."""
    return [f"{f.level}: {f.text}" for f in planned.findings if f.code == code]


def permit() -> Permit:
    """Such as the gateway gives, for a test that calls a step by itself."""
    return Permit(step="step", op="op", change="change", seal=gateway._SEAL)
