"""`kubernetes.pods_ready` on a real control plane, beside the `kubectl get pods` that it replaces."""

from __future__ import annotations

from tests.real.room import CRASHING, Room, deployment
from tests.real.servers import poll


async def checked(room: Room, **options: object) -> tuple[str, str]:
    evidence = await room.pods_ready(**options)
    return evidence.outcome, evidence.text


async def test_an_empty_namespace_is_no_pass(room: Room) -> None:
    assert await checked(room) == ("fail", f"0 found in {room.name}")
    assert room.cluster.kubectl("get", "pods", "-n", room.name).returncode == 0


async def test_ready_pods_pass(room: Room) -> None:
    room.deployment(replicas=2)
    assert await checked(room) == ("pass", "2/2 ready")
    assert await checked(room, at_least=3) == ("fail", "2 ready, 3 wanted")
    assert await checked(room, selector="app=web") == ("pass", "2/2 ready")
    assert await checked(room, selector="app=other") == ("fail", f"0 found in {room.name}")


async def test_a_crash_loop_is_no_pass_and_is_named(room: Room) -> None:
    room.create(deployment("web", "web:1", labels=CRASHING))
    poll("it crashes", lambda: "CrashLoopBackOff" in room.cluster.kubectl("get", "pods", "-n", room.name).stdout)
    outcome, text = await checked(room)
    assert outcome == "fail"
    assert text.startswith("0/1 ready; web-")
    assert text.endswith(" CrashLoopBackOff, 5 restarts")


async def test_a_rollout_in_which_only_the_old_pods_serve_is_no_pass(room: Room) -> None:
    """Every pod that is there is ready, because the new ones have not come yet."""
    room.deployment()
    room.cluster.controllers.pause()
    try:
        room.release("web:2")
        assert await checked(room) == (
            "fail", "1/1 ready, but rolling out: web: waiting for the controller to see the change",
        )  # fmt: skip
    finally:
        room.cluster.controllers.resume()
    room.rolled_out()
    poll("the old pod is gone", lambda: len(room.cluster.api("GET", room.path("Pod"))["items"]) == 1)
    assert await checked(room) == ("pass", "1/1 ready")


async def test_a_stalled_release_is_no_pass_although_the_old_pods_are_ready(room: Room) -> None:
    room.deployment()
    room.release("web:2", metadata={"labels": CRASHING})
    poll("it crashes", lambda: "CrashLoopBackOff" in room.cluster.kubectl("get", "pods", "-n", room.name).stdout)
    outcome, text = await checked(room)
    assert (outcome, text.partition(";")[0]) == ("fail", "1/2 ready")


async def test_a_workload_that_is_scaled_to_nothing_beside_one_that_serves(room: Room) -> None:
    room.deployment()
    room.create(deployment("idle", "idle:1", replicas=0))
    room.rolled_out("idle")
    assert await checked(room) == ("pass", "1/1 ready")
