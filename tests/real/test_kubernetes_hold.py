"""Holding Argo CD and Flux: as custom resources on the real API server, held, proven, and released exactly as it stood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from console.domain.decide import open_ends
from console.engine.ports import Json
from console.steps import kubernetes_hold
from tests.real.room import Room, change_of, found, lasting
from tests.real.servers import ApiError, ControlPlane
from tests.real.servers.processes import poll

KINDS = {
    "Application": ("argoproj.io", "v1alpha1", "applications"),
    "Kustomization": ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations"),
    "HelmRelease": ("helm.toolkit.fluxcd.io", "v2", "helmreleases"),
}
SYNC = {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def definition(kind: str) -> Json:
    group, version, plural = KINDS[kind]
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture(scope="module")
def controllers(cluster: ControlPlane) -> Iterator[None]:
    """The API server knows the objects of Argo CD and Flux; nothing reconciles them."""
    for kind, (group, version, _) in KINDS.items():
        cluster.api("POST", DEFINITIONS, definition(kind))
        poll(f"{kind} served", lambda g=group, v=version: _served(cluster, g, v))
    yield
    for group, _, plural in KINDS.values():
        cluster.api("DELETE", f"{DEFINITIONS}/{plural}.{group}")


def _served(cluster: ControlPlane, group: str, version: str) -> bool:
    try:
        return bool(cluster.api("GET", f"/apis/{group}/{version}")["resources"])
    except ApiError:
        return False


def collection(room: Room, kind: str) -> str:
    group, version, plural = KINDS[kind]
    return f"/apis/{group}/{version}/namespaces/{room.name}/{plural}"


def make(room: Room, kind: str, spec: Json, **metadata: Any) -> Json:
    group, version, _ = KINDS[kind]
    body = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": "it", **metadata}, "spec": spec}
    return room.cluster.api("POST", collection(room, kind), body)


def read(room: Room, kind: str) -> Json:
    return room.cluster.api("GET", f"{collection(room, kind)}/it")


def hold(room: Room, kind: str) -> kubernetes_hold.KubernetesHold:
    options = kubernetes_hold.Options.model_validate({"object": f"{kind}/it", "namespace": room.name})
    return kubernetes_hold.build("step", options, room.target())


@pytest.mark.parametrize(
    ("kind", "spec", "held", "line"),
    [
        ("Application", {"project": "default", "syncPolicy": SYNC}, None, "- spec.syncPolicy.automated"),
        ("Kustomization", {"interval": "10m", "prune": True}, True, "+ spec.suspend: true"),
        ("HelmRelease", {"interval": "10m", "suspend": False}, True, "- spec.suspend: false"),
    ],
)
async def test_a_controller_is_held_and_released_exactly_as_it_stood(
    controllers: None, room: Room, kind: str, spec: Json, held: object, line: str
) -> None:
    before = lasting(make(room, kind, spec))
    console = await room.console(hold(room, kind))
    preview = await console.preview()
    assert any(shown.startswith(line) for shown in change_of(preview.steps[0]).lines)
    assert "release" in {f.code for f in preview.steps[0].findings}
    back = await console.confirm(preview)
    assert back.states == ["proven"]
    now = read(room, kind)["spec"]
    assert (now.get("suspend") if kind != "Application" else now["syncPolicy"].get("automated")) == held
    assert (await console.roll_back()).preview.already, "held already: nothing is sent twice"
    assert (await console.roll_forward()).states == ["undone"]
    assert lasting(read(room, kind)) == before


async def test_a_hold_that_nobody_released_stands_between_the_incident_and_its_end(
    controllers: None, room: Room
) -> None:
    make(room, "Kustomization", {"interval": "10m"})
    step = hold(room, "Kustomization")
    console = await room.console(step, kinds={"step": "kubernetes.hold"})
    assert open_ends(console.incident) == ()
    await console.roll_back()
    assert open_ends(console.incident) == ("step is still held: roll it forward to release it",)
    await console.roll_forward()
    assert open_ends(console.incident) == ()


async def test_who_will_put_the_application_back_is_told(controllers: None, room: Room) -> None:
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "name": "all", "uid": "1-2-3"}
    make(room, "Application", {"syncPolicy": SYNC}, ownerReferences=[owner])
    planned = (await (await room.console(hold(room, "Application"))).preview()).steps[0]
    assert found(planned, "managed_by") == ["warn: ApplicationSet all makes this Application and may put it back"]


async def test_without_the_controller_the_refusal_says_what_is_missing(room: Room) -> None:
    options = kubernetes_hold.Options.model_validate(
        {"object": "Application/it", "namespace": room.name, "api_version": "argoproj.io/v9"}
    )
    step = kubernetes_hold.build("step", options, room.target())
    planned = (await (await room.console(step)).preview()).steps[0]
    assert "serves no argoproj.io/v9" in planned.problem
