"""`kubernetes.rollout_undo` on a real control plane: the revision is chosen once, on evidence or by name, and kept."""

from __future__ import annotations

import pytest

from tests.real.room import CRASHING, Room, change_of, crashing, found, lasting
from tests.real.scene import DASHBOARD, DASHBOARD_IMAGES, NAMESPACE
from tests.real.servers import ControlPlane, poll


async def test_it_goes_where_the_image_says_and_running_it_twice_stays_there(room: Room) -> None:
    """What kubectl's own undo does twice in a row re-deploys the bad version."""
    room.releases("web:1", "web:2", "web:3")
    console = await room.console(room.rollout_undo(image="web:1"))
    preview = await console.preview()
    change = change_of(preview.steps[0])
    assert change.summary == f"Deployment {room.name}/web → revision 1 (web:1)"
    assert [line for line in change.lines if "image" in line] == [
        '- spec.template.spec.containers[web].image: "web:3"', '+ spec.template.spec.containers[web].image: "web:1"',
    ]  # fmt: skip
    assert change.commands == (f"kubectl --context admin -n {room.name} rollout undo deployment/web --to-revision=1",)
    back = await console.confirm(preview)
    assert back.step.reason == "runs web:1, web 1/1 ready"
    assert (room.image(), room.revisions()) == ("web:1", {2: "web:2", 3: "web:3", 4: "web:1"})
    left = room.generation()
    assert (await console.roll_back()).preview.already
    assert (await (await room.console(room.rollout_undo(image="web:1"))).roll_back()).states == ["already"]
    assert (room.generation(), room.revisions()) == (left, {2: "web:2", 3: "web:3", 4: "web:1"})


async def test_it_is_taken_back_field_by_field(room: Room) -> None:
    room.releases("web:1", "web:2")
    room.change("Deployment", "web", {"metadata": {"annotations": {"kubernetes.io/change-cause": "release web:2"}}})
    before = lasting(room.get("Deployment", "web"))
    console = await room.console(room.rollout_undo(revision=1))
    await console.roll_back()
    annotations = room.get("Deployment", "web")["metadata"]["annotations"]
    assert annotations["kubernetes.io/change-cause"] == "release web:2", "kubectl's own undo would drop it"
    assert (await console.roll_forward()).component.state == "rolled_forward"
    assert lasting(room.get("Deployment", "web")) == before


async def test_a_revision_that_moved_on_in_the_history_is_found_by_its_old_number(room: Room) -> None:
    room.releases("web:1", "web:2")
    await (await room.console(room.rollout_undo(revision=1))).roll_back()
    room.release("web:3")
    room.rolled_out()
    change = change_of(await (await room.console(room.rollout_undo(revision=1))).planned())
    assert change.summary == f"Deployment {room.name}/web → revision 3 (web:1)"


async def test_a_stalled_release_goes_back_to_the_pods_that_still_serve(room: Room) -> None:
    room.releases("web:1", "web:2")
    room.release("web:3", **crashing())
    poll("the new pods crash", lambda: len(room.revisions()) == 3)
    console = await room.console(room.rollout_undo())
    preview = await console.preview()
    assert change_of(preview.steps[0]).summary == f"Deployment {room.name}/web → revision 2 (web:2)"
    assert (await console.confirm(preview)).states == ["proven"]
    assert room.image() == "web:2"


async def test_without_evidence_of_health_it_asks_for_a_name(room: Room) -> None:
    room.releases("web:1", "web:2", "web:3")
    planned = await (await room.console(room.rollout_undo())).planned()
    assert planned.problem == (
        f"no earlier revision of Deployment {room.name}/web shows that it was healthy; "
        "name one with revision = or image =; it has: revision 1 (web:1), revision 2 (web:2)"
    )


async def test_a_long_life_is_evidence_of_health(room: Room) -> None:
    room.releases("web:1", "web:2")
    planned = await (await room.console(room.rollout_undo(healthy_for="0s"))).planned()
    assert change_of(planned).summary.endswith("→ revision 1 (web:1)")


async def test_the_age_of_a_revision_that_came_back_is_no_evidence(room: Room) -> None:
    room.releases("web:1", "web:2")
    await (await room.console(room.rollout_undo(image="web:1"))).roll_back()
    room.release("web:3")
    room.rolled_out()
    planned = await (await room.console(room.rollout_undo(healthy_for="0s"))).planned()
    assert "shows that it was healthy" in planned.problem


@pytest.mark.parametrize(("wanted", "said"), [({"image": "web:9"}, "image web:9"), ({"revision": 9}, "revision 9")])
async def test_what_is_in_no_revision_lists_the_revisions(room: Room, wanted: dict[str, object], said: str) -> None:
    room.releases("web:1", "web:2")
    planned = await (await room.console(room.rollout_undo(**wanted))).planned()
    assert planned.problem == (
        f"Deployment {room.name}/web has no {said} in its history; it has: revision 1 (web:1), revision 2 (web:2)"
    )


async def test_the_chosen_revision_is_kept_when_the_step_is_planned_again(room: Room) -> None:
    """The first attempt fails after it was sent; by then another revision would be the newest healthy one."""
    room.deployment(image="web:1")
    room.release("web:2", **crashing())
    poll("the new pods crash", lambda: len(room.revisions()) == 2)
    step = room.rollout_undo()
    first = await step.plan()
    assert first.pin is not None
    await (await room.console(step)).roll_back()
    room.release("web:3", metadata={"labels": dict.fromkeys(CRASHING)})
    room.rolled_out()
    room.release("web:4", **crashing())
    poll("the newest pods crash", lambda: "web:4" in room.revisions().values())
    assert (await step.plan()).summary.endswith("(web:3)")
    assert (await step.plan(first.pin)).summary.endswith("(web:1)")


async def test_no_history_is_blocked_and_said(room: Room) -> None:
    room.deployment(revisionHistoryLimit=0)
    room.release("web:2")
    room.rolled_out()
    planned = await (await room.console(room.rollout_undo(image="web:1"))).planned()
    assert planned.blocked
    assert "keeps no history (revisionHistoryLimit: 0)" in found(planned, "no_history")[0]


async def test_a_paused_deployment_is_blocked(room: Room) -> None:
    room.releases("web:1", "web:2")
    room.change("Deployment", "web", {"spec": {"paused": True}})
    planned = await (await room.console(room.rollout_undo(image="web:1"))).planned()
    assert planned.blocked
    assert "is paused" in found(planned, "paused")[0]


async def test_an_autoscaler_is_told_and_its_replicas_are_left_alone(room: Room) -> None:
    room.releases("web:1", "web:2")
    spec = {"maxReplicas": 5, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}}
    room.create({"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": spec})
    console = await room.console(room.rollout_undo(image="web:1"))
    preview = await console.preview()
    assert "autoscaler web sets its replicas" in found(preview.steps[0], "autoscaler")[0]
    room.change("Deployment", "web", {"spec": {"replicas": 2}}, "autoscaler")
    assert (await console.confirm(preview)).step.reason == "runs web:1, web 2/2 ready"
    await console.roll_forward()
    assert (room.image(), room.get("Deployment", "web")["spec"]["replicas"]) == ("web:2", 2)


async def test_a_deployment_that_is_not_there(room: Room) -> None:
    planned = await (await room.console(room.rollout_undo())).planned()
    assert planned.problem == f"context admin has no Deployment {room.name}/web"


async def test_a_restart_in_between_is_kept(room: Room) -> None:
    """Going to another revision takes no `kubectl rollout restart` back, and a restart is no other revision."""
    room.releases("web:1", "web:2")
    room.cluster.kubectl("rollout", "restart", "deployment/web", "-n", room.name)
    room.rolled_out()
    console = await room.console(room.rollout_undo(image="web:1"))
    assert (await console.roll_back()).states == ["proven"]
    template = room.get("Deployment", "web")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    again = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}
    room.change("Deployment", "web", {"spec": {"template": again}}, "kubectl-rollout")
    room.rolled_out()
    assert (await console.preview()).already


async def test_the_limited_user_is_told_what_is_missing(fresh_scene: ControlPlane, room: Room) -> None:
    step = room.rollout_undo(
        room.target("limited"), namespace=NAMESPACE, deployment=DASHBOARD, image=DASHBOARD_IMAGES[0]
    )
    planned = await (await room.console(step)).planned()
    assert found(planned, "forbidden") == [
        f"block: limited may not patch deployments.apps in namespace {NAMESPACE} (context limited)"
    ]
    assert fresh_scene.deployment(NAMESPACE, DASHBOARD)["metadata"]["generation"] == 3
