"""What follows from a changed ConfigMap or Secret: who reads it is told, and restarted once when that is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.room import Room, change_of, found, lasting
from tests.real.servers.kubernetes import NODE

OFF = {"data": {"features": "off"}}
BY_ENV: dict[str, Any] = {
    "env": [{"name": "FEATURES", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "features"}}}]
}
BY_VOLUME: dict[str, Any] = {
    "volumes": [{"name": "config", "configMap": {"name": "config"}}],
    "volumeMounts": [{"name": "config", "mountPath": "/etc/config"}],
}
BY_SUB_PATH = {
    **BY_VOLUME,
    "volumeMounts": [{"name": "config", "mountPath": "/etc/features", "subPath": "features"}],
}


def stamps(room: Room, name: str) -> dict[str, str]:
    return dict(room.get("Deployment", name)["spec"]["template"]["metadata"].get("annotations") or {})


async def test_a_reader_by_environment_is_restarted_and_the_data_comes_back_before_it(room: Room) -> None:
    room.config_map(features="on", other="1")
    room.deployment(**BY_ENV)
    room.deployment("bystander")
    before = [lasting(room.get(*what)) for what in (("ConfigMap", "config"), ("Deployment", "web"))]
    console = await room.console(room.patch("ConfigMap/config", OFF, restart_readers=True))
    preview = await console.preview()
    change = change_of(preview.steps[0])
    assert change.summary == f"ConfigMap {room.name}/config: features=off; restarts web"
    assert found(preview.steps[0], "restart") == ["info: restarts Deployment web, which reads it by env"]
    assert change.commands[1:] == (f"kubectl --context admin -n {room.name} rollout restart deployment/web",)
    back = await console.confirm(preview)
    assert back.step.reason == "features=off, web 1/1 ready"
    assert (len(room.revisions()), len(room.revisions("bystander"))) == (2, 1)
    assert room.get("ConfigMap", "config")["data"] == {"features": "off", "other": "1"}
    undo = change_of((await console.preview("forward")).steps[0])
    assert [edit["ref"][1] for edit in undo.goal["edits"]] == ["ConfigMap", "Deployment"]
    await console.roll_forward()
    assert [lasting(room.get(*what)) for what in (("ConfigMap", "config"), ("Deployment", "web"))] == before
    assert len(room.revisions()) == 2, "the pods of before are those of the first revision"


async def test_a_second_run_restarts_nobody_again(room: Room) -> None:
    room.config_map(features="on")
    room.deployment(**BY_ENV)
    step = room.patch("ConfigMap/config", OFF, restart_readers=True)
    console = await room.console(step)
    await console.roll_back()
    left = (room.generation(), room.version("ConfigMap", "config"))
    assert (await console.roll_back()).preview.already
    assert (await (await room.console(step)).roll_back()).states == ["already"]
    assert (room.generation(), room.version("ConfigMap", "config")) == left


async def test_a_reader_by_volume_is_told_and_left_alone(room: Room) -> None:
    room.config_map(features="on")
    room.deployment(**BY_VOLUME)
    room.deployment("sub", **BY_SUB_PATH)
    console = await room.console(room.patch("ConfigMap/config", OFF, restart_readers=True))
    preview = await console.preview()
    assert found(preview.steps[0], "reader_not_restarted") == [
        "info: Deployment web notices within a minute or two, if it reads the file again"
    ]
    assert found(preview.steps[0], "restart") == ["info: restarts Deployment sub, which reads it by subPath"]
    assert (await console.confirm(preview)).states == ["proven"]
    assert (room.generation("web"), room.generation("sub")) == (1, 2)


async def test_readers_that_are_not_to_be_restarted_are_told(room: Room) -> None:
    room.config_map(features="on")
    room.deployment(**BY_ENV)
    room.deployment("sub", **BY_SUB_PATH)
    console = await room.console(room.patch("ConfigMap/config", OFF))
    preview = await console.preview()
    assert sorted(found(preview.steps[0], "reader_not_restarted")) == [
        "warn: Deployment sub never notices: it mounts the key by subPath",
        "warn: Deployment web does not notice before its pods restart: it reads the key into its environment",
    ]
    assert (await console.confirm(preview)).states == ["proven"]
    assert (room.generation("web"), room.generation("sub")) == (1, 1)


async def test_that_nobody_reads_it_is_told(room: Room) -> None:
    room.config_map(features="on")
    planned = await (await room.console(room.patch("ConfigMap/config", OFF, restart_readers=True))).planned()
    assert found(planned, "no_readers") == [f"warn: no workload in {room.name} reads ConfigMap config"]


async def test_pods_older_than_the_data_are_restarted_even_when_the_data_is_right(room: Room) -> None:
    """Somebody patched it by hand and forgot the readers, or a console died between the two."""
    room.config_map(features="on")
    room.deployment(**BY_ENV)
    room.change("ConfigMap", "config", OFF)
    console = await room.console(room.patch("ConfigMap/config", OFF, restart_readers=True))
    preview = await console.preview()
    assert change_of(preview.steps[0]).summary.endswith("features=off already; restarts web")
    assert (await console.confirm(preview)).states == ["proven"]
    assert room.generation() == 2


@pytest.mark.parametrize("way", ["env", "envFrom", "volume"])
async def test_readers_of_a_secret(room: Room, way: str) -> None:
    room.create({"kind": "Secret", "metadata": {"name": "db"}, "stringData": {"mode": "one"}})
    by: dict[str, dict[str, Any]] = {
        "env": {"env": [{"name": "MODE", "valueFrom": {"secretKeyRef": {"name": "db", "key": "mode"}}}]},
        "envFrom": {"envFrom": [{"secretRef": {"name": "db"}}]},
        "volume": {"volumes": [{"name": "db", "secret": {"secretName": "db"}}],
                   "volumeMounts": [{"name": "db", "mountPath": "/db"}]},
    }  # fmt: skip
    room.deployment(**by[way])
    console = await room.console(room.patch("Secret/db", {"stringData": {"mode": "two"}}, restart_readers=True))
    assert (await console.roll_back()).states == ["proven"]
    assert room.generation() == (1 if way == "volume" else 2)


async def test_a_paused_reader_is_blocked(room: Room) -> None:
    room.config_map(features="on")
    room.deployment(**BY_ENV)
    room.change("Deployment", "web", {"spec": {"paused": True}})
    planned = await (await room.console(room.patch("ConfigMap/config", OFF, restart_readers=True))).planned()
    assert planned.blocked
    assert "Deployment web is paused" in found(planned, "paused")[0]


async def test_a_restart_by_somebody_else_survives_the_way_back(room: Room) -> None:
    room.config_map(features="on")
    room.deployment(**BY_ENV)
    console = await room.console(room.patch("ConfigMap/config", OFF, restart_readers=True))
    await console.roll_back()
    room.cluster.kubectl("rollout", "restart", "deployment/web", "-n", room.name)
    assert (await console.roll_forward()).component.state == "rolled_forward"
    assert list(stamps(room, "web")) == ["kubectl.kubernetes.io/restartedAt"]


async def test_readers_of_every_kind_of_workload_are_found(room: Room) -> None:
    room.config_map(features="on")
    pod = {"nodeName": NODE, "containers": [{"name": "c", "image": "c:1", **BY_ENV}]}
    template = {"metadata": {"labels": {"app": "c"}}, "spec": pod}
    for kind, collection in (("StatefulSet", "statefulsets"), ("DaemonSet", "daemonsets")):
        spec = {"selector": {"matchLabels": {"app": "c"}}, "template": template}
        manifest = {"kind": kind, "metadata": {"name": "c"}, "spec": spec}
        room.cluster.api("POST", f"/apis/apps/v1/namespaces/{room.name}/{collection}", manifest)
    planned = await (await room.console(room.patch("ConfigMap/config", OFF, restart_readers=True))).planned()
    assert [text.partition(", ")[0] for text in found(planned, "restart")] == [
        "info: restarts StatefulSet c", "info: restarts DaemonSet c",
    ]  # fmt: skip
