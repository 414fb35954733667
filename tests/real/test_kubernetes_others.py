"""Somebody else changes the same objects: noticed before anything is sent, never overwritten, told with who and what."""

from __future__ import annotations

from typing import Any

import pytest

from console.domain.errors import Refused
from tests.real.room import STRATEGIC, Room, change_of, lasting, permit

OFF = {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "QEC", "value": "false"}]}]}}}}
QEC = {"name": "QEC", "value": "true"}


def theirs(room: Room, container: dict[str, Any], manager: str = "kubectl-edit") -> None:
    """Somebody else patches the container."""
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "web", **container}]}}}}
    params = {"fieldManager": manager}
    room.cluster.api("PATCH", room.path("Deployment", "web"), patch, content_type=STRATEGIC, params=params)


async def test_a_change_after_the_preview_is_refused_with_who_and_what(room: Room) -> None:
    room.deployment(env=[QEC])
    console = await room.console(room.patch("Deployment/web", OFF))
    preview = await console.preview()
    theirs(room, {"image": "web:hotfix"})
    left = room.generation()
    outcome = await console.confirm(preview)
    assert (outcome.states, outcome.component.state) == (["failed"], "failed")
    assert outcome.step.reason.startswith(f"Deployment {room.name}/web was changed by kubectl-edit (Update, 20")
    assert 'spec.template.spec.containers[web].image: "web:1" → "web:hotfix"' in outcome.step.reason
    assert outcome.step.reason.endswith("nothing was changed; preview it again")
    assert (room.generation(), outcome.step.attempts) == (left, ())
    again = await console.roll_back()
    assert (again.states, room.image()) == (["proven"], "web:hotfix")


async def test_the_status_and_an_autoscaler_are_no_foreign_change(room: Room) -> None:
    room.deployment(env=[QEC])
    console = await room.console(room.patch("Deployment/web", OFF))
    preview = await console.preview()
    room.cluster.kubectl("scale", "deployment/web", "--replicas=2", "-n", room.name)
    room.rolled_out()
    outcome = await console.confirm(preview)
    assert (outcome.states, outcome.step.reason) == (["proven"], "QEC=false, web 2/2 ready")
    await console.roll_forward()
    assert room.get("Deployment", "web")["spec"]["replicas"] == 2


@pytest.mark.parametrize("what", ["same field", "made anew", "gone"])
async def test_a_change_between_planning_and_sending_is_never_overwritten(room: Room, what: str) -> None:
    room.config_map(features="on")
    step = room.patch("ConfigMap/config", {"data": {"features": "off"}})
    change = await step.plan()
    if what == "same field":
        room.change("ConfigMap", "config", {"data": {"features": "half"}})
    else:
        room.cluster.api("DELETE", room.path("ConfigMap", "config"))
        if what == "made anew":
            room.config_map(features="on")
    with pytest.raises(Refused, match="nothing was changed there; preview it again") as refused:
        await step.apply(change.goal, permit())
    said = {
        "same field": 'was changed by kubectl-edit .* data.features should be "off", is "half"',
        "made anew": "was made anew by migration .* as it was",
        "gone": "was changed in between: it is gone",
    }
    refused.match(said[what])
    if what != "gone":
        assert room.get("ConfigMap", "config")["data"]["features"] == ("half" if what == "same field" else "on")


async def test_a_change_elsewhere_between_planning_and_sending_is_kept(room: Room) -> None:
    room.config_map(features="on", other="1")
    step = room.patch("ConfigMap/config", {"data": {"features": "off"}})
    change = await step.plan()
    room.change("ConfigMap", "config", {"data": {"other": "2"}})
    await step.apply(change.goal, permit())
    assert room.get("ConfigMap", "config")["data"] == {"features": "off", "other": "2"}


@pytest.mark.parametrize("theirs_", [{"features": "half"}, {"other": "2"}])
async def test_a_change_in_the_instant_between_reading_and_sending(room: Room, theirs_: dict[str, str]) -> None:
    """At the same place it is refused; elsewhere the change is made on top of it."""
    room.config_map(features="on", other="1")
    target = room.target()
    step = room.patch("ConfigMap/config", {"data": {"features": "off"}}, target)
    change = await step.plan()
    read, reads = target.get_or_none, 0

    async def read_and_be_overtaken(path: str) -> Any:
        nonlocal reads
        live, reads = await read(path), reads + 1
        if reads == 1:
            room.change("ConfigMap", "config", {"data": theirs_})
        return live

    target.get_or_none = read_and_be_overtaken  # type: ignore[method-assign]
    if "features" in theirs_:
        with pytest.raises(Refused, match="was changed by kubectl-edit"):
            await step.apply(change.goal, permit())
    else:
        await step.apply(change.goal, permit())
    assert reads == 2
    expected = {"features": "off", "other": "1", **theirs_}
    assert room.get("ConfigMap", "config")["data"] == expected


async def test_a_version_that_has_moved_on_is_a_conflict_on_the_server_itself(room: Room) -> None:
    """What is sent carries the version that was read, so that nothing fits between reading and sending."""
    live = room.config_map(features="on")
    target = room.target()
    room.change("ConfigMap", "config", {"data": {"features": "half"}})
    body = {"metadata": {k: live["metadata"][k] for k in ("uid", "resourceVersion")}, "data": {"features": "off"}}
    for content_type in ("application/merge-patch+json", STRATEGIC):
        with pytest.raises(Refused, match="the object has been modified"):
            await target.patch(room.path("ConfigMap", "config"), body, content_type, permit())
    with pytest.raises(Refused, match="does not match the ResourceVersion in record"):
        await target.delete(room.path("ConfigMap", "config"), live, permit())
    assert room.get("ConfigMap", "config")["data"] == {"features": "half"}


async def test_rolling_forward_does_not_overwrite_what_somebody_changed_since(room: Room) -> None:
    room.deployment(env=[QEC])
    console = await room.console(room.patch("Deployment/web", OFF))
    await console.roll_back()
    theirs(room, {"env": [{"name": "QEC", "value": "maybe"}]}, "helm")
    left = room.generation()
    planned = await console.planned("forward")
    assert planned.blocked
    assert planned.problem.startswith(f"Deployment {room.name}/web was changed by helm (Update, 20")
    assert (
        "spec.template.spec.containers[web].env[QEC].value is neither what this console left there" in planned.problem
    )
    with pytest.raises(Refused, match="is neither what"):
        await console.roll_forward()
    assert room.generation() == left


async def test_rolling_forward_keeps_what_somebody_changed_elsewhere(room: Room) -> None:
    room.deployment(env=[QEC])
    console = await room.console(room.patch("Deployment/web", OFF))
    await console.roll_back()
    theirs(room, {"image": "web:hotfix", "env": [{"name": "EXTRA", "value": "1"}]})
    room.rolled_out()
    preview = await console.preview("forward")
    assert change_of(preview.steps[0]).lines == (
        f"Deployment {room.name}/web",
        '- spec.template.spec.containers[web].env[QEC].value: "false"',
        '+ spec.template.spec.containers[web].env[QEC].value: "true"',
    )
    assert (await console.confirm(preview)).component.state == "rolled_forward"
    [container] = room.get("Deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "web:hotfix"
    assert {e["name"]: e["value"] for e in container["env"]} == {"QEC": "true", "EXTRA": "1"}


async def test_a_change_after_the_preview_of_the_way_forward_is_refused(room: Room) -> None:
    room.config_map(features="on")
    console = await room.console(room.patch("ConfigMap/config", {"data": {"features": "off"}}))
    await console.roll_back()
    preview = await console.preview("forward")
    room.change("ConfigMap", "config", {"data": {"other": "1"}})
    outcome = await console.confirm(preview)
    assert outcome.component.state == "failed"
    assert "was changed by kubectl-edit" in outcome.step.reason
    assert room.get("ConfigMap", "config")["data"] == {"features": "off", "other": "1"}


async def test_what_somebody_took_back_already_needs_no_way_forward(room: Room) -> None:
    room.config_map(features="on")
    before = lasting(room.get("ConfigMap", "config"))
    console = await room.console(room.patch("ConfigMap/config", {"data": {"features": "off"}}))
    await console.roll_back()
    room.change("ConfigMap", "config", {"data": {"features": "on"}})
    preview = await console.preview("forward")
    assert preview.already
    assert (await console.confirm(preview)).component.state == "rolled_forward"
    assert lasting(room.get("ConfigMap", "config")) == before


async def test_what_is_gone_can_not_be_taken_back(room: Room) -> None:
    room.config_map(features="on")
    console = await room.console(room.patch("ConfigMap/config", {"data": {"features": "off"}}))
    await console.roll_back()
    room.cluster.api("DELETE", room.path("ConfigMap", "config"))
    planned = await console.planned("forward")
    assert planned.problem.startswith(f"ConfigMap {room.name}/config is gone since it was rolled back")


@pytest.mark.parametrize("force", [False, True])
async def test_something_created_after_the_preview_is_not_applied_over(room: Room, force: bool) -> None:
    text = "{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {features: 'off'}}"
    console = await room.console(room.apply(room.manifest(text), force_conflicts=force))
    preview = await console.preview()
    room.config_map(features="mine")
    outcome = await console.confirm(preview)
    assert outcome.states == ["failed"]
    print(outcome.step.reason)
    assert "migration" in outcome.step.reason
    assert room.get("ConfigMap", "config")["data"] == {"features": "mine"}


async def test_a_console_without_a_permit_changes_nothing(room: Room) -> None:
    room.config_map(features="on")
    step = room.patch("ConfigMap/config", {"data": {"features": "off"}})
    change = await step.plan()
    with pytest.raises(Refused, match="needs a permit, which the gateway alone gives"):
        await step.apply(change.goal, object())  # type: ignore[arg-type]
    assert room.get("ConfigMap", "config")["data"] == {"features": "on"}
