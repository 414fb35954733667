"""The step kinds of Kubernetes as cases of the contract, in a `Room` and by a `Way` that loses what a test wants lost.

Neither names a server: whatever gives a namespace, other people's hands and such a way can be put under the contract.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import pytest

from console.engine.ports import Json, Step
from console.steps import kubernetes_hold
from console.targets.kubernetes.client import KubernetesTarget
from tests.contract.step_contract import Case

HELD: Final = ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations")
"""Group, version and plural of the custom resource that the case of `kubernetes.hold` needs served."""
HELD_KIND: Final = "Kustomization"

_FEATURES = {"data": {"features": "off"}}
_READS_IT = [{"name": "F", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "features"}}}]
_QEC = [{"name": "QEC", "value": "true"}]
_MANIFESTS = """\
{apiVersion: v1, kind: ConfigMap, metadata: {name: made}, data: {features: 'off'}}
---
{apiVersion: v1, kind: Service, metadata: {name: made}, spec: {selector: {app: web}, ports: [{port: 80}]}}
"""


class Room(Protocol):
    """As much of a cluster as the contract needs: a namespace, its objects, other people's hands, and steps on it."""

    name: str
    folder: Path
    cluster: Any
    """Whose `api(method, path, body)` is the administrator's."""

    def config_map(self, name: str = ..., **data: str) -> Json: ...

    def deployment(self, name: str = ..., image: str = ..., **spec: Any) -> Json: ...

    def releases(self, *images: str) -> None: ...

    def change(self, kind: str, name: str, patch: Json, manager: str = ...) -> Json: ...

    def objects(self) -> dict[str, Json]:
        """Each object of the namespace that people make, without what its server maintains by itself."""

    def writes(self) -> dict[str, str]:
        """A mark for each such object that every write changes, one of the same content too."""

    def manifest(self, text: str, name: str = ...) -> Path: ...

    def target(self, user: str = ..., **options: Any) -> KubernetesTarget: ...

    def patch(self, what: str, patch: Json, target: KubernetesTarget | None = ..., **options: Any) -> Step: ...

    def apply(self, path: Path, target: KubernetesTarget | None = ..., **options: Any) -> Step: ...

    def rollout_undo(self, target: KubernetesTarget | None = ..., **options: Any) -> Step: ...


class Passing(Protocol):
    changes: bool


class Way(Protocol):
    """Between the console and the API server. `fate` decides about each request."""

    fate: Callable[[Any], Any]

    def kubeconfig(self, folder: Path) -> Path: ...


class KubernetesScene:
    """The namespace as somebody left it, with one step on it, by a way whose end is `cut`."""

    target = "context admin"
    secrets: tuple[str, ...] = ()

    def __init__(
        self,
        room: Room,
        way: Way | None,
        cut: Callable[[], object],
        step: _MakeStep,
        disturb: Callable[[Any], object],
        place: str,
    ) -> None:
        self.place = place
        self.folder = room.folder
        self._room = room
        self._way = way
        self._make = step
        self._disturb = disturb
        self._cut = cut

    def step(self) -> Step:
        way = {"kubeconfig": self._way.kubeconfig(self.folder)} if self._way else {}
        return self._make(self._room, self._room.target("admin", timeout="5s", **way))

    def state(self) -> Json:
        return self._room.objects()

    def writes(self) -> Mapping[str, str]:
        return self._room.writes()

    def disturb(self) -> None:
        self._disturb(self._room)

    def lose_answers(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("swallow")

    def drop_requests(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("lose")

    @contextlib.contextmanager
    def _on_the_way(self, fate: Literal["swallow", "lose"]) -> Iterator[None]:
        def decide(passing: Passing) -> str:
            return fate if passing.changes else "pass"

        way = self._lossy()
        way.fate = decide
        yield
        way.fate = lambda _: "pass"

    def break_down(self) -> None:
        self._lossy()
        self._cut()

    def _lossy(self) -> Way:
        return self._way or pytest.skip("nothing is between the console and this server that could lose anything")


class HeldScene(KubernetesScene):
    """The same for a custom resource, which a room does not list among what people make."""

    def state(self) -> Json:
        return {"spec": self._it()["spec"], **super().state()}

    def writes(self) -> Mapping[str, str]:
        return {"it": str(self._it()["metadata"]["resourceVersion"]), **super().writes()}

    def _it(self) -> Json:
        return self._room.cluster.api("GET", _path_of_held(self._room, "it"))


class _MakeStep(Protocol):
    def __call__(self, room: Any, target: KubernetesTarget, /) -> Step: ...


def _case(
    kind: str,
    name: str,
    prepare: Callable[[Any], object],
    step: _MakeStep,
    disturb: Callable[[Any], object],
    place: str,
    scene: type[KubernetesScene] = KubernetesScene,
) -> Case:
    def opened(room: Room, way: Way | None, cut: Callable[[], object]) -> KubernetesScene:
        prepare(room)
        return scene(room, way, cut, step, disturb, place)

    return Case(kind, name, opened)


def _env(value: str, image: str = "web:1") -> Json:
    container = {"name": "web", "image": image, "env": [{"name": "QEC", "value": value}]}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


def _data(room: Room) -> None:
    room.config_map(features="on", other="1")
    room.deployment(env=_READS_IT)


def _hot_fix(room: Room) -> None:
    container = {"name": "web", "image": "web:hotfix"}
    room.change("Deployment", "web", {"spec": {"template": {"spec": {"containers": [container]}}}})


def _path_of_held(room: Room, name: str = "") -> str:
    group, version, plural = HELD
    return f"/apis/{group}/{version}/namespaces/{room.name}/{plural}" + (f"/{name}" if name else "")


def _reconciled(room: Room) -> None:
    group, version, _ = HELD
    body = {"apiVersion": f"{group}/{version}", "kind": HELD_KIND, "metadata": {"name": "it"}, "spec": {"prune": True}}
    room.cluster.api("POST", _path_of_held(room), body)


def _hold(room: Room, target: KubernetesTarget) -> Step:
    options = kubernetes_hold.Options.model_validate({"object": f"{HELD_KIND}/it", "namespace": room.name})
    return kubernetes_hold.build("step", options, target)


def _held_by_somebody(room: Room) -> None:
    path = _path_of_held(room, "it")
    it = room.cluster.api("GET", path)
    room.cluster.api("PUT", path, {**it, "spec": {"prune": True, "suspend": False}})


CASES: Final = (
    _case(
        "kubernetes.patch",
        "of a workload",
        lambda room: room.deployment(env=_QEC),
        lambda room, target: room.patch(
            "Deployment/web",
            {
                "spec": {
                    "template": {"spec": {"containers": [{"name": "web", "env": [{"name": "QEC", "value": "no"}]}]}}
                }
            },
            target,
        ),
        lambda room: room.change("Deployment", "web", _env("maybe")),
        "Deployment .*/web",
    ),
    _case(
        "kubernetes.patch",
        "of data with a reader",
        _data,
        lambda room, target: room.patch("ConfigMap/config", _FEATURES, target, restart_readers=True),
        lambda room: room.change("ConfigMap", "config", {"data": {"features": "half"}}),
        "ConfigMap .*/config",
    ),
    _case(
        "kubernetes.apply",
        "that creates",
        lambda room: room.manifest(_MANIFESTS),
        lambda room, target: room.apply(room.manifest(_MANIFESTS), target),
        lambda room: room.config_map("made", features="mine"),
        "ConfigMap .*/made",
    ),
    _case(
        "kubernetes.apply",
        "that changes",
        lambda room: room.config_map("made", features="on"),
        lambda room, target: room.apply(room.manifest(_MANIFESTS), target, force_conflicts=True),
        lambda room: room.change("ConfigMap", "made", {"data": {"features": "half"}}),
        "ConfigMap .*/made",
    ),
    _case(
        "kubernetes.rollout_undo",
        "to an image",
        lambda room: room.releases("web:1", "web:2"),
        lambda room, target: room.rollout_undo(target, image="web:1"),
        _hot_fix,
        "Deployment .*/web",
    ),
    _case("kubernetes.hold", "of Flux", _reconciled, _hold, _held_by_somebody, "Kustomization .*/it", HeldScene),
)
