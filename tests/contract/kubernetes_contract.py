"""What every step kind of Kubernetes promises, whichever server answers.

`KubernetesStepContract` is mixed into a test class that has a fixture `room`: an empty namespace as `Room` describes it. It
runs against the real control plane in tests/real; another backend needs nothing but that fixture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from console.domain.errors import Refused
from console.engine import gateway
from console.engine.gateway import Permit
from console.engine.ports import Change, Json, Proof, Step

FEATURES = {"data": {"features": "off"}}
READS_IT = [{"name": "F", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "features"}}}]
QEC = [{"name": "QEC", "value": "true"}]
QEC_OFF = {
    "spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "QEC", "value": "false"}]}]}}}
}
MANIFESTS = """\
{apiVersion: v1, kind: ConfigMap, metadata: {name: made}, data: {features: 'off'}}
---
{apiVersion: v1, kind: Service, metadata: {name: made}, spec: {selector: {app: web}, ports: [{port: 80}]}}
"""


class Room(Protocol):
    """As much of a cluster as the contract needs: a namespace, its objects, other people's hands, and steps on it."""

    name: str

    def config_map(self, name: str = ..., **data: str) -> Json: ...

    def deployment(self, name: str = ..., image: str = ..., **spec: Any) -> Json: ...

    def releases(self, *images: str) -> None: ...

    def change(self, kind: str, name: str, patch: Json, manager: str = ...) -> Json: ...

    def get(self, kind: str, name: str) -> Json: ...

    def objects(self) -> dict[str, Json]:
        """Each object of the namespace that people make, without what its server maintains by itself."""

    def writes(self) -> dict[str, str]:
        """A mark for each such object that every write changes, one of the same content too."""

    def manifest(self, text: str, name: str = ...) -> Path: ...

    def patch(self, what: str, patch: Json, **options: Any) -> Step: ...

    def apply(self, path: Path, **options: Any) -> Step: ...

    def rollout_undo(self, **options: Any) -> Step: ...


@dataclass(frozen=True)
class Case:
    """`make` prepares the namespace and gives the step; `disturb` changes by a strange hand what the step is about to change."""

    name: str
    make: Callable[[Room], Step]
    disturb: Callable[[Room], object]


def _patched_workload(room: Room) -> Step:
    room.deployment(env=QEC)
    return room.patch("Deployment/web", QEC_OFF)


def _patched_data(room: Room) -> Step:
    room.config_map(features="on", other="1")
    room.deployment(env=READS_IT)
    return room.patch("ConfigMap/config", FEATURES, restart_readers=True)


def _made(room: Room) -> Step:
    return room.apply(room.manifest(MANIFESTS))


def _changed(room: Room) -> Step:
    room.config_map("made", features="on")
    return room.apply(room.manifest(MANIFESTS), force_conflicts=True)


def _undone(room: Room) -> Step:
    room.releases("web:1", "web:2")
    return room.rollout_undo(image="web:1")


def _env(value: str) -> Json:
    container = {"name": "web", "image": "web:1", "env": [{"name": "QEC", "value": value}]}
    return {"spec": {"template": {"spec": {"containers": [container]}}}}


CASES = (
    Case("patch of a workload", _patched_workload, lambda room: room.change("Deployment", "web", _env("maybe"))),
    Case("patch of data with a reader", _patched_data,
         lambda room: room.change("ConfigMap", "config", {"data": {"features": "half"}})),
    Case("apply that creates", _made, lambda room: room.config_map("made", features="mine")),
    Case("apply that changes", _changed, lambda room: room.change("ConfigMap", "made", {"data": {"features": "half"}})),
    Case("rollout undo", _undone,
         lambda room: room.change("Deployment", "web", {"spec": {"template": {"spec": {"containers": [
             {"name": "web", "image": "web:hotfix"}]}}}})),
)  # fmt: skip


def permit(change: Change) -> Permit:
    """Such as the gateway gives once the intent is on disk."""
    return Permit(step="step", op="op", change=change.hash, seal=gateway._SEAL)


async def proof_of(step: Step, goal: Json) -> str:
    async with asyncio.timeout(30):
        seen = [state async for state in step.watch(goal)]
    assert [isinstance(state, Proof) for state in seen] == [False] * (len(seen) - 1) + [True]
    return seen[-1].text


async def carried_out(step: Step, change: Change) -> str:
    await step.apply(change.goal, permit(change))
    return await proof_of(step, change.goal)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
class KubernetesStepContract:
    """The promises of `ports.Step`, each for each kind."""

    async def test_it_says_what_it_is_without_asking_anybody(self, room: Room, case: Case) -> None:
        description = case.make(room).describe()
        assert description.line
        assert "\n" not in description.line
        assert all(command.startswith("kubectl ") for command in description.commands)
        assert description.commands

    async def test_looking_changes_nothing_and_two_looks_see_the_same(self, room: Room, case: Case) -> None:
        step = case.make(room)
        writes = room.writes()
        first, second = await step.plan(), await step.plan()
        findings = await step.preflight()
        pre_image, probe = await step.capture(first), await step.probe(first.goal)
        assert room.writes() == writes
        assert (first.hash, first.lines, first.goal) == (second.hash, second.lines, second.goal)
        assert not first.already
        assert not [f for f in findings if f.level == "block"]
        assert probe.answer == "not_done"
        assert pre_image

    async def test_it_is_done_once_proven_and_then_already_so(self, room: Room, case: Case) -> None:
        step = case.make(room)
        change = await step.plan()
        assert await carried_out(step, change)
        assert (await step.probe(change.goal)).answer == "done"
        writes = room.writes()
        again = await step.plan(change.pin)
        assert again.already
        assert await proof_of(step, again.goal)
        await step.apply(change.goal, permit(change))
        assert room.writes() == writes, "what is in place is not sent again"

    async def test_it_is_taken_back_to_what_was_before(self, room: Room, case: Case) -> None:
        step = case.make(room)
        before = room.objects()
        change = await step.plan()
        pre_image = await step.capture(change)
        await carried_out(step, change)
        assert room.objects() != before
        undo = await step.plan_undo([pre_image])
        assert (await step.probe(undo.goal)).answer == "not_done"
        await carried_out(step, undo)
        assert room.objects() == before
        assert (await step.probe(undo.goal)).answer == "done"
        assert (await step.plan_undo([pre_image])).already
        assert not (await step.plan()).already

    async def test_taking_back_what_never_happened_is_already_so(self, room: Room, case: Case) -> None:
        step = case.make(room)
        pre_image = await step.capture(await step.plan())
        assert (await step.plan_undo([pre_image])).already

    async def test_a_strange_change_is_seen_told_and_not_overwritten(self, room: Room, case: Case) -> None:
        step = case.make(room)
        change = await step.plan()
        case.disturb(room)
        objects = room.objects()
        with pytest.raises(Refused, match="in between"):
            await step.apply(change.goal, permit(change))
        assert room.objects() == objects
        assert (await step.probe(change.goal)).answer in ("diverged", "partial")

    async def test_without_a_permit_of_the_gateway_nothing_is_sent(self, room: Room, case: Case) -> None:
        step = case.make(room)
        change = await step.plan()
        writes = room.writes()
        forged: Any = object()
        with pytest.raises(Refused, match="permit"):
            await step.apply(change.goal, forged)
        assert room.writes() == writes
