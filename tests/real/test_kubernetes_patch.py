"""`kubernetes.patch` on a real control plane: shown, sent, proven, not done twice, taken back."""

from __future__ import annotations

import pytest

from tests.real.room import CRASHING, Room, change_of, crashing, found, lasting
from tests.real.servers import ApiError, poll

QEC = {"name": "QEC_ENABLED", "value": "true"}
OFF = {
    "spec": {
        "template": {"spec": {"containers": [{"name": "web", "env": [{"name": "QEC_ENABLED", "value": "false"}]}]}}
    }
}
MISSPELT = "put it right, or allow additions with may_add = true"


def gateway(room: Room) -> None:
    sidecar = {"name": "access-log", "image": "access-log:1"}
    room.deployment(env=[QEC, {"name": "LOG_LEVEL", "value": "info"}], extra=[sidecar])


def env_of(room: Room) -> dict[str, str]:
    container = room.get("Deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable["value"] for variable in container["env"]}


async def test_a_patch_is_shown_sent_proven_and_taken_back(room: Room) -> None:
    gateway(room)
    before = room.get("Deployment", "web")
    console = await room.console(room.patch("Deployment/web", OFF))
    planned = await console.planned()
    assert change_of(planned).lines == (
        f"Deployment {room.name}/web",
        '- spec.template.spec.containers[web].env[QEC_ENABLED].value: "true"',
        '+ spec.template.spec.containers[web].env[QEC_ENABLED].value: "false"',
    )
    back = await console.roll_back()
    assert back.step.reason == "QEC_ENABLED=false, web 1/1 ready"
    assert (back.states, env_of(room)) == (["proven"], {"QEC_ENABLED": "false", "LOG_LEVEL": "info"})
    forward = await console.roll_forward()
    assert forward.component.state == "rolled_forward"
    assert lasting(room.get("Deployment", "web")) == lasting(before)


async def test_a_second_run_changes_nothing(room: Room) -> None:
    gateway(room)
    console = await room.console(room.patch("Deployment/web", OFF))
    back = await console.roll_back()
    left = (room.generation("web"), room.revisions())
    again = await console.roll_back()
    assert again.preview.already
    assert (again.step.attempts, again.component.state) == (back.step.attempts, "rolled_back")
    assert (room.generation("web"), room.revisions()) == left


async def test_what_somebody_else_has_done_before_is_already_so_and_not_taken_back(room: Room) -> None:
    gateway(room)
    await (await room.console(room.patch("Deployment/web", OFF))).roll_back()
    left = (room.generation("web"), room.revisions())
    other = await (await room.console(room.patch("Deployment/web", OFF))).roll_back()
    assert (other.states, other.step.reason) == (["already"], "QEC_ENABLED=false, web 1/1 ready")
    assert not other.step.to_undo
    assert (room.generation("web"), room.revisions()) == left


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ({"name": "webb", "env": [QEC]}, 'has no container "webb" (there: web, access-log); did you mean "web"?'),
        (
            {"name": "web", "env": [{"name": "QEC_ENABLE", "value": "x"}]},
            'has no variable "QEC_ENABLE" (there: QEC_ENABLED, LOG_LEVEL); did you mean "QEC_ENABLED"?',
        ),
        ({"name": "web", "imagee": "x"}, 'has no field "imagee" at spec.template.spec.containers[web]'),
    ],
)
async def test_what_does_not_exist_is_not_added(room: Room, container: dict[str, object], said: str) -> None:
    gateway(room)
    version = room.version("Deployment", "web")
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    planned = await (await room.console(room.patch("Deployment/web", patch))).planned()
    assert said in planned.problem
    assert MISSPELT in planned.problem
    assert room.version("Deployment", "web") == version


async def test_an_addition_that_is_allowed_is_made_and_taken_away_again(room: Room) -> None:
    gateway(room)
    before = lasting(room.get("Deployment", "web"))
    added = {"name": "web", "env": [{"name": "EXTRA", "value": "1"}]}
    patch = {"spec": {"template": {"spec": {"containers": [added]}}}}
    console = await room.console(room.patch("Deployment/web", patch, may_add=True))
    assert (await console.roll_back()).states == ["proven"]
    assert env_of(room)["EXTRA"] == "1"
    await console.roll_forward()
    assert lasting(room.get("Deployment", "web")) == before


async def test_a_variable_is_deleted_once_and_comes_back_in_its_place(room: Room) -> None:
    gateway(room)
    before = lasting(room.get("Deployment", "web"))
    gone = {"name": "web", "env": [{"name": "QEC_ENABLED", "$patch": "delete"}]}
    patch = {"spec": {"template": {"spec": {"containers": [gone]}}}}
    console = await room.console(room.patch("Deployment/web", patch))
    assert (await console.roll_back()).states == ["proven"]
    assert env_of(room) == {"LOG_LEVEL": "info"}
    assert (await console.preview()).already
    await console.roll_forward()
    assert lasting(room.get("Deployment", "web")) == before


async def test_a_field_that_the_schema_does_not_know_is_named(room: Room) -> None:
    gateway(room)
    patch = {"spec": {"replcas": 2}}
    planned = await (await room.console(room.patch("Deployment/web", patch, may_add=True))).planned()
    assert 'unknown field "spec.replcas"' in planned.problem


async def test_a_key_that_the_config_map_does_not_have(room: Room) -> None:
    room.config_map(show_qec_features="true", refresh="30")
    planned = await (
        await room.console(room.patch("ConfigMap/config", {"data": {"show_qec_feature": "false"}}))
    ).planned()
    assert 'has no key "show_qec_feature"' in planned.problem
    assert 'did you mean "show_qec_features"?' in planned.problem


async def test_an_object_that_is_not_there_is_named_with_a_guess(room: Room) -> None:
    gateway(room)
    planned = await (await room.console(room.patch("Deployment/wbe", OFF))).planned()
    assert planned.problem == f'context admin has no Deployment {room.name}/wbe; did you mean "web"?'


async def test_a_namespace_that_is_not_there_is_named(room: Room) -> None:
    planned = await (await room.console(room.patch("Deployment/web", OFF, namespace="no-such-room"))).planned()
    assert planned.problem == "context admin has no namespace no-such-room"


async def test_a_kind_that_nobody_serves(room: Room) -> None:
    planned = await (await room.console(room.patch("Rollout/web", OFF, api_version="argoproj.io/v1alpha1"))).planned()
    assert "serves no argoproj.io/v1alpha1" in planned.problem


async def test_a_paused_deployment_is_blocked_because_nothing_would_roll_out(room: Room) -> None:
    gateway(room)
    room.change("Deployment", "web", {"spec": {"paused": True}})
    planned = await (await room.console(room.patch("Deployment/web", OFF))).planned()
    assert planned.blocked
    assert "is paused" in found(planned, "paused")[0]


async def test_an_immutable_config_map_is_blocked(room: Room) -> None:
    room.config_map(a="1")
    room.change("ConfigMap", "config", {"immutable": True})
    planned = await (await room.console(room.patch("ConfigMap/config", {"data": {"a": "2"}}))).planned()
    assert planned.blocked


async def test_who_manages_it_is_told(room: Room) -> None:
    gateway(room)
    labels = {"app.kubernetes.io/instance": "web", "kustomize.toolkit.fluxcd.io/name": "apps"}
    room.change("Deployment", "web", {"metadata": {"labels": labels}})
    planned = await (await room.console(room.patch("Deployment/web", OFF))).planned()
    assert [text.partition(" manages")[0] for text in found(planned, "managed_by")] == [
        "warn: perhaps Argo CD or Helm (instance web)", "warn: Flux",
    ]  # fmt: skip
    assert not planned.blocked


async def test_a_user_who_may_not_is_told_which_verb_on_what(room: Room) -> None:
    gateway(room)
    _may_look(room)
    console = await room.console(room.patch("Deployment/web", OFF, room.target("limited")))
    planned = await console.planned()
    assert found(planned, "forbidden") == [
        f"block: limited may not patch deployments.apps in namespace {room.name} (context limited)"
    ]
    assert planned.blocked


def _may_look(room: Room, *resources: str, verbs: tuple[str, ...] = ("get", "list")) -> None:
    """Gives the limited user a role in the room."""
    rules = [{"apiGroups": ["", "apps"], "resources": [*(resources or ("configmaps", "deployments", "pods"))],
              "verbs": [*verbs]}]  # fmt: skip
    room.create({"kind": "Role", "metadata": {"name": "looker"}, "rules": rules})
    room.create({
        "kind": "RoleBinding", "metadata": {"name": "looker"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "looker"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}],
    })  # fmt: skip
    poll("the role counts", lambda: room.cluster.api("GET", room.path("ConfigMap"), user="limited"))


async def test_whoever_may_patch_a_config_map_but_not_see_its_readers_is_told_so(room: Room) -> None:
    room.config_map(a="1")
    _may_look(room, "configmaps", verbs=("get", "list", "patch"))
    step = room.patch("ConfigMap/config", {"data": {"a": "2"}}, room.target("limited"))
    planned = await (await room.console(step)).planned()
    assert "who else reads ConfigMap config can't be seen" in found(planned, "readers_unknown")[0]
    assert not planned.blocked
    strict = room.patch("ConfigMap/config", {"data": {"a": "2"}}, room.target("limited"), restart_readers=True)
    assert "deployments.apps is forbidden" in (await (await room.console(strict)).planned()).problem


async def test_a_rollout_that_never_becomes_ready_fails_in_time_and_can_be_taken_back(room: Room) -> None:
    gateway(room)
    before = lasting(room.get("Deployment", "web"))
    patch = {"spec": {"template": crashing()}}
    console = await room.console(room.patch("Deployment/web", patch, may_add=True), timeout_seconds=3)
    failed = await console.roll_back()
    assert (failed.states, failed.component.state) == (["failed"], "failed")
    assert "not there after 3 s: web: 1 old still running; pod web-" in failed.step.reason
    assert "CrashLoopBackOff, 5 restarts" in failed.step.reason
    assert failed.step.attempts != ()
    forward = await console.roll_forward()
    assert forward.step.state == "undone"
    assert lasting(room.rolled_out()) == before


async def test_a_passed_deadline_fails_early_and_does_not_spoil_the_way_back(room: Room) -> None:
    gateway(room)
    room.change("Deployment", "web", {"spec": {"progressDeadlineSeconds": 1}})
    before = lasting(room.get("Deployment", "web"))
    console = await room.console(room.patch("Deployment/web", {"spec": {"template": crashing()}}, may_add=True))
    failed = await console.roll_back()
    assert "its progress deadline has passed; pod web-" in failed.step.reason
    assert "CrashLoopBackOff" in failed.step.reason
    conditions = room.get("Deployment", "web")["status"]["conditions"]
    assert "ProgressDeadlineExceeded" in {c["reason"] for c in conditions}
    forward = await console.roll_forward()
    assert (forward.step.state, forward.component.state) == ("undone", "rolled_forward")
    assert lasting(room.rolled_out()) == before


async def test_a_secret_is_patched_in_plain_words_and_never_shown(room: Room) -> None:
    manifest = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "db"}, "stringData": {"mode": "s3cret-old"}}
    room.create(manifest)
    console = await room.console(room.patch("Secret/db", {"stringData": {"mode": "s3cret-new"}}))
    preview = await console.preview()
    change = change_of(preview.steps[0])
    back = await console.confirm(preview)
    assert back.states == ["proven"]
    assert room.get("Secret", "db")["data"] == {"mode": "czNjcmV0LW5ldw=="}
    for text in (change.summary, *change.lines, *change.commands, str(change.identity), back.step.reason):
        assert "s3cret" not in text
        assert "czNjcmV0" not in text
    assert (await console.roll_forward()).step.state == "undone"
    assert room.get("Secret", "db")["data"] == {"mode": "czNjcmV0LW9sZA=="}


async def test_a_custom_resource_is_patched_by_merge(room: Room) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.test.rollback"},
        "spec": {
            "group": "test.rollback", "scope": "Namespaced", "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": {"type": "object", "properties": {
                    "size": {"type": "integer"}, "tags": {"type": "array", "items": {"type": "string"}}}}}}}}],
        },
    }  # fmt: skip
    with_definition = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    room.cluster.api("POST", with_definition, definition)
    collection = f"/apis/test.rollback/v1/namespaces/{room.name}/widgets"
    widget = {"apiVersion": "test.rollback/v1", "kind": "Widget", "metadata": {"name": "w"},
              "spec": {"size": 3, "tags": ["a", "b"]}}  # fmt: skip
    try:
        poll("the kind is served", lambda: _created(room, collection, widget))
        patch = {"spec": {"size": 1, "tags": ["c"]}}
        console = await room.console(room.patch("Widget/w", patch, api_version="test.rollback/v1"))
        assert (await console.roll_back()).step.reason == "size=1, tags=['c']"
        assert room.cluster.api("GET", f"{collection}/w")["spec"] == {"size": 1, "tags": ["c"]}
        await console.roll_forward()
        assert room.cluster.api("GET", f"{collection}/w")["spec"] == widget["spec"]
        misspelt = await room.console(room.patch("Widgte/w", patch, api_version="test.rollback/v1"))
        assert 'did you mean "Widget"?' in (await misspelt.planned()).problem
    finally:
        room.cluster.api("DELETE", f"{with_definition}/widgets.test.rollback")


def _created(room: Room, collection: str, widget: dict[str, object]) -> bool:
    try:
        room.cluster.api("POST", collection, widget)
    except ApiError as error:
        return error.status == 409
    return True


async def test_a_built_in_kind_keeps_its_other_containers_when_its_version_is_named(room: Room) -> None:
    gateway(room)
    console = await room.console(room.patch("Deployment/web", OFF, api_version="apps/v1"))
    assert (await console.roll_back()).states == ["proven"]
    assert len(room.get("Deployment", "web")["spec"]["template"]["spec"]["containers"]) == 2


async def test_patches_of_two_objects_run_one_after_the_other_and_are_taken_back(room: Room) -> None:
    gateway(room)
    room.config_map(a="1")
    step, second = room.patch("Deployment/web", OFF), room.patch("ConfigMap/config", {"data": {"a": "2"}})
    console = await room.console(step, second)
    back = await console.roll_back()
    assert (back.states, back.component.state) == (["proven", "proven"], "rolled_back")
    await console.roll_forward()
    assert (env_of(room)["QEC_ENABLED"], room.get("ConfigMap", "config")["data"]) == ("true", {"a": "1"})


async def test_a_rollout_that_somebody_else_replaces_is_not_proven(room: Room) -> None:
    """The rollout completes, but it is another one."""
    gateway(room)
    console = await room.console(room.patch("Deployment/web", {"spec": {"template": crashing()}}, may_add=True))
    preview = await console.preview()
    await console.start(preview)
    await console.until("applied")
    room.change("Deployment", "web", {"spec": {"template": {"metadata": {"labels": dict.fromkeys(CRASHING)}}}})
    ended = await console.ended(preview)
    assert ended.states == ["failed"]
    assert "put it back" in ended.step.reason
