"""`kubernetes.pods_ready` on a real control plane, beside the `kubectl get pods` that it replaces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.real.room import CRASHING, MERGE, Room, deployment
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


# ---------------------------------------------------------------- what is ready and still no pass


def serving(room: Room, name: str, **status: object) -> None:
    """What a kubelet reports of a pod's container."""
    conditions = [{"type": t, "status": "True"} for t in ("Ready", "ContainersReady")]
    container = {"name": "web", "image": "web:1", "imageID": "", "ready": True, "started": True, **status}
    patch = {"status": {"phase": "Running", "conditions": conditions, "containerStatuses": [container]}}
    room.cluster.api("PATCH", f"{room.path('Pod', name)}/status", patch, content_type=MERGE)


def only_pod(room: Room) -> str:
    (pod,) = room.cluster.api("GET", room.path("Pod"))["items"]
    return str(pod["metadata"]["name"])


async def test_an_old_pod_that_is_still_ending_is_no_pass(room: Room) -> None:
    """The Deployment counts it no more, and it serves until it is gone: here a finalizer keeps it, elsewhere its grace period."""
    room.deployment()
    old = only_pod(room)
    room.change("Pod", old, {"metadata": {"finalizers": ["example.com/draining"]}})
    room.release("web:2")
    room.rolled_out()
    poll("the old pod is ending", lambda: "deletionTimestamp" in room.get("Pod", old)["metadata"])
    evidence = await room.pods_ready()
    words = "of revision 1, and the present one is 2"
    assert evidence.outcome == "fail"
    assert evidence.text == f"1/1 ready, but an old pod is still there: {old} ({words})"
    assert f"pod {old}: ending, 0 restarts; {words}" in evidence.detail
    assert (await room.pods_ready(selector="app=web")).outcome == "fail"
    room.change("Pod", old, {"metadata": {"finalizers": None}})
    poll("the old pod is gone", lambda: not room.exists("Pod", old))
    assert await checked(room) == ("pass", "1/1 ready")


async def test_a_selector_sees_the_rollout_of_what_it_selects_and_of_nothing_else(room: Room) -> None:
    room.deployment()
    room.deployment("api", "api:1")
    room.cluster.controllers.pause()
    try:
        room.release("web:2")
        outcome, text = await checked(room, selector="app=web")
        assert (outcome, text) == (
            "fail",
            "1/1 ready, but rolling out: web: waiting for the controller to see the change",
        )
        assert await checked(room, selector="app=api") == ("pass", "1/1 ready")
    finally:
        room.cluster.controllers.resume()


async def test_a_pod_that_is_ready_between_two_crashes_is_no_pass(room: Room) -> None:
    """Without a readiness probe a container in a crash loop is ready whenever it runs; kubectl says 1/1 Running."""
    room.deployment()
    name = only_pod(room)
    now = datetime.now(UTC)
    crashed = {"exitCode": 1, "reason": "Error", "startedAt": _stamp(now, 120), "finishedAt": _stamp(now, 90)}
    just_now = {"state": {"running": {"startedAt": _stamp(now, 5)}}, "lastState": {"terminated": crashed}}
    serving(room, name, restartCount=7, **just_now)
    evidence = await room.pods_ready()
    assert evidence.outcome == "fail"
    assert evidence.text.startswith(f"1/1 ready, but {name} restarted ")
    assert evidence.text.endswith("ago after Error, exit code 1, 7 restarts")
    assert "Running" in room.cluster.kubectl("get", "pods", "-n", room.name).stdout
    serving(room, name, restartCount=7, state={"running": {"startedAt": _stamp(now, 900)}})
    assert await checked(room) == ("pass", "1/1 ready")
    serving(room, name, restartCount=7, **just_now)
    assert await checked(room, steady="0s") == ("pass", "1/1 ready")


async def test_the_detail_has_a_line_for_each_pod_with_what_ails_it(room: Room) -> None:
    room.create(deployment("web", "web:1", labels=CRASHING))
    poll("it crashes", lambda: "CrashLoopBackOff" in room.cluster.kubectl("get", "pods", "-n", room.name).stdout)
    detail = (await room.pods_ready()).detail
    assert detail[0].startswith("rolling out: web: ")
    assert f"pod {only_pod(room)}: not ready, 5 restarts; CrashLoopBackOff; back-off" in detail[1]


def _stamp(now: datetime, seconds_ago: float) -> str:
    return (now - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")
