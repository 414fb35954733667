"""The trigger source `kubernetes` on a real control plane: restarts, replicas that are missing, pods that aren't ready."""

from __future__ import annotations

from typing import Any

import pytest

from console.domain.errors import Failed
from console.domain.triggers import TriggerRule
from console.engine.clock import SystemClock
from console.engine.ports import Reading
from console.engine.sampler import Sampler, Watched
from console.metrics import kubernetes
from tests.real.room import CRASHING, MERGE, Room, deployment
from tests.real.servers import poll


def source(room: Room, measure: str, **options: Any) -> kubernetes.KubernetesSource:
    target = options.pop("target", None) or room.target()
    given = kubernetes.Options.model_validate({"measure": measure, "namespace": room.name, **options})
    return kubernetes.KubernetesSource(given, target)


def values(reading: Reading) -> dict[str, float]:
    return {dict(sample.labels)["workload"]: sample.value for sample in reading.samples}


def crash(room: Room, name: str = "web", **more: Any) -> None:
    room.create(deployment(name, f"{name}:1", labels=CRASHING, **more))
    poll(f"{name} crashes", lambda: _phases(room, name).count("CrashLoopBackOff") == more.get("replicas", 1))


def _pods(room: Room, name: str = "web") -> list[Any]:
    pods: list[Any] = room.cluster.api("GET", room.path("Pod"), params={"labelSelector": f"app={name}"})["items"]
    return [p for p in pods if not p["metadata"].get("deletionTimestamp")]


def _phases(room: Room, name: str) -> list[str]:
    statuses = [s for p in _pods(room, name) for s in p["status"].get("containerStatuses", [])]
    return [s["state"].get("waiting", {}).get("reason", "") for s in statuses]


def restarted(room: Room, count: int) -> None:
    """The kubelet's word that the one container of the one pod was restarted so often by now."""
    (pod,) = _pods(room)
    status = {"containerStatuses": [{**pod["status"]["containerStatuses"][0], "restartCount": count}]}
    room.cluster.api(
        "PATCH", room.path("Pod", pod["metadata"]["name"]) + "/status", {"status": status}, content_type=MERGE
    )


async def test_an_empty_namespace_is_no_sample_and_says_so(room: Room) -> None:
    for measure, noun in (("not_ready", "pod"), ("unavailable", "workload")):
        reading = await source(room, measure).now()
        assert reading == Reading((), (f"there is no {noun} in {room.name}",))
    restarts = source(room, "restarts")
    await restarts.now()
    assert await restarts.now() == Reading((), (f"there is no pod in {room.name}",))


async def test_an_empty_namespace_never_reads_as_healthy(room: Room) -> None:
    rule = TriggerRule("pods", "Pods", threshold=0)
    reading = (await Sampler([Watched(rule, source(room, "not_ready"))], SystemClock()).sample_once())["pods"]
    assert (reading.verdict, reading.warnings) == ("no_data", (f"there is no pod in {room.name}",))


async def test_healthy_workloads_are_each_a_0(room: Room) -> None:
    room.deployment(replicas=2)
    room.deployment("api", "api:1")
    for measure in ("not_ready", "unavailable"):
        reading = await source(room, measure).now()
        assert (values(reading), reading.warnings) == ({"api": 0, "web": 0}, ())
        assert dict(reading.samples[0].labels) == {"kind": "Deployment", "workload": "api"}
        assert len({sample.at for sample in reading.samples}) == 1


async def test_a_crash_loop_is_counted_and_named(room: Room) -> None:
    room.deployment("api", "api:1")
    crash(room, replicas=2)
    reading = await source(room, "not_ready").now()
    assert values(reading) == {"api": 0, "web": 2}
    assert len(reading.warnings) == 2
    assert all(text.endswith(": CrashLoopBackOff, 5 restarts") for text in reading.warnings)
    assert values(await source(room, "not_ready", selector="app=api").now()) == {"api": 0}


async def test_replicas_that_are_missing(room: Room) -> None:
    room.deployment("api", "api:1")
    crash(room, replicas=2)
    unavailable = source(room, "unavailable")
    assert values(await unavailable.now()) == {"api": 0, "web": 2}
    assert (await unavailable.now()).warnings == ("web: 0 of 2 ready",)
    assert values(await source(room, "unavailable", selector="app=api").now()) == {"api": 0}


async def test_a_release_that_is_stuck_is_unavailable_although_the_old_pods_serve(room: Room) -> None:
    room.deployment()
    room.release("web:2", metadata={"labels": CRASHING})
    poll("it crashes", lambda: "CrashLoopBackOff" in _phases(room, "web"))
    unavailable = source(room, "unavailable")
    assert values(await unavailable.now()) == {"web": 1}


async def test_replicas_that_could_not_be_created_are_missing_too(room: Room) -> None:
    """The namespace's rules refuse each pod."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    room.cluster.api("PATCH", f"/api/v1/namespaces/{room.name}", {"metadata": {"labels": labels}}, content_type=MERGE)
    room.create(deployment("web", "web:1", replicas=2))
    poll("no pod may be created", lambda: "ReplicaFailure" in str(room.get("Deployment", "web")["status"]))
    unavailable = source(room, "unavailable")
    assert values(await unavailable.now()) == {"web": 2}


async def test_what_no_controller_has_looked_at_is_missing(room: Room) -> None:
    room.cluster.controllers.pause()
    try:
        room.create(deployment("web", "web:1", replicas=2))
        assert values(await source(room, "unavailable").now()) == {"web": 2}
    finally:
        room.cluster.controllers.resume()


async def test_restarts_count_from_the_first_look_and_survive_the_pod(room: Room) -> None:
    crash(room)
    restarts = source(room, "restarts")
    assert await restarts.now() == Reading((), ("restarts are counted from now on",))
    assert values(await restarts.now()) == {"web": 0}
    restarted(room, 7)
    assert values(await restarts.now()) == {"web": 2}
    (old,) = _pods(room)
    room.cluster.api("DELETE", room.path("Pod", old["metadata"]["name"]))
    poll("it is replaced, and crashes", lambda: _phases(room, "web") == ["CrashLoopBackOff"] and _pods(room) != [old])
    assert values(await restarts.now()) == {"web": 7}  # the new pod has had its 5 in sight


async def test_it_has_no_past_and_says_what_it_asks(room: Room) -> None:
    asking = source(room, "restarts", selector="app=web")
    assert asking.query == f"restarts of the workloads in {room.name} (app=web)"
    assert await asking.past(3600, 15) == Reading(())


async def test_who_may_not_look_is_told(room: Room) -> None:
    with pytest.raises(Failed, match="forbidden"):
        await source(room, "not_ready", target=room.target("limited")).now()
    with pytest.raises(Failed, match="unable to parse"):
        await source(room, "not_ready", selector="app in (").now()
