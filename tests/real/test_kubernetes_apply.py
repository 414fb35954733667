"""`kubernetes.apply` on a real control plane: every document, strict, owners respected, exactly what was made taken away."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.real.room import MERGE, Room, change_of, found, lasting
from tests.real.servers import ApiError

BACKUP = Path(__file__).parent / "scene" / "backup"
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {features: "off", limit: "10"}
"""
RULES = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data:
  rules.yml: |
    groups:
    - name: slo
      rules: []
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80}]
"""
JOB = """\
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  suspend: true
  template: {spec: {restartPolicy: Never, containers: [{name: c, image: "c:1"}]}}
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: db}
stringData: {mode: s3cret-new}
"""


async def test_objects_are_made_proven_and_taken_away(room: Room) -> None:
    text = (BACKUP / "original-policy-validator.yaml").read_text().replace("acgs-pgp", room.name)
    console = await room.console(room.apply(room.manifest(text)))
    preview = await console.preview()
    change = change_of(preview.steps[0])
    assert change.summary == "manifest.yaml: 3 created, 0 changed, 0 already so"
    assert f"Deployment {room.name}/original-policy-validator" in change.lines
    assert '+ spec.template.spec.containers[0].image: "policy-validator:2.9"' in change.lines
    back = await console.confirm(preview)
    assert back.step.reason == "3 objects as in manifest.yaml, original-policy-validator 2/2 ready"
    left = room.generation("original-policy-validator")
    assert (await console.roll_back()).preview.already
    assert (await (await room.console(room.apply(room.manifest(text)))).roll_back()).states == ["already"]
    assert room.generation("original-policy-validator") == left
    undo = await console.planned("forward")
    assert [line for line in change_of(undo).lines if line.startswith("-")] == ["- deleted"] * 3
    forward = await console.roll_forward()
    assert forward.component.state == "rolled_forward"
    for kind in ("ConfigMap", "Deployment", "Service"):
        assert not room.exists(kind, "original-policy-validator")


async def test_an_object_that_is_there_is_changed_and_changed_back(room: Room) -> None:
    room.config_map(features="on", other="kept")
    room.deployment()
    before = lasting(room.get("ConfigMap", "config"))
    step = room.apply(room.manifest(CONFIG), force_conflicts=True)
    console = await room.console(step)
    preview = await console.preview()
    assert change_of(preview.steps[0]).lines == (
        f"ConfigMap {room.name}/config", '- data.features: "on"', '+ data.features: "off"', '+ data.limit: "10"',
    )  # fmt: skip
    assert (await console.confirm(preview)).states == ["proven"]
    assert room.get("ConfigMap", "config")["data"] == {"features": "off", "limit": "10", "other": "kept"}
    await console.roll_forward()
    assert lasting(room.get("ConfigMap", "config")) == before


async def test_a_field_with_another_owner_is_shown_with_it_and_taken_over_only_when_told_to(room: Room) -> None:
    room.config_map(features="on")
    planned = await (await room.console(room.apply(room.manifest(CONFIG)))).planned()
    assert 'conflict with "migration"' in planned.problem
    assert ".data.features" in planned.problem
    assert planned.problem.endswith("set force_conflicts = true to take the field over")
    assert room.get("ConfigMap", "config")["data"] == {"features": "on"}
    forced = await room.console(room.apply(room.manifest(CONFIG), force_conflicts=True))
    preview = await forced.preview()
    assert found(preview.steps[0], "takes_over") == [
        f"warn: ConfigMap {room.name}/config: takes over data.features from migration"
    ]
    assert room.get("ConfigMap", "config")["data"] == {"features": "on"}
    assert (await forced.confirm(preview)).states == ["proven"]
    assert room.get("ConfigMap", "config")["data"]["features"] == "off"
    again = await forced.planned()
    assert found(again, "takes_over") == [], "what is ours already is taken from nobody"


async def test_each_owner_is_named_with_all_that_is_taken_from_it(room: Room) -> None:
    room.config_map(features="on")
    room.change("ConfigMap", "config", {"data": {"limit": "11", "more": "x"}})
    text = CONFIG.replace('limit: "10"', 'limit: "10", more: "y"')
    planned = await (await room.console(room.apply(room.manifest(text), force_conflicts=True))).planned()
    assert sorted(found(planned, "takes_over")) == [
        f"warn: ConfigMap {room.name}/config: takes over data.features from migration",
        f"warn: ConfigMap {room.name}/config: takes over data.limit, data.more from kubectl-edit",
    ]


async def test_a_file_in_a_config_map_is_shown_by_its_changed_lines(room: Room) -> None:
    room.config_map(**{"rules.yml": "groups:\n- name: qec\n  rules: []\n"})
    planned = await (await room.console(room.apply(room.manifest(RULES), force_conflicts=True))).planned()
    assert change_of(planned).lines == (
        f"ConfigMap {room.name}/config",
        "  data['rules.yml']:",
        "      groups:",
        "-     - name: qec",
        "+     - name: slo",
        "        rules: []",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CONFIG.replace("\ndata:", "\ndta:"), r"ConfigMap room-\d+/config in m.yaml: .*\.dta: field not declared in schema"),
        (SERVICE.replace("port: 80", "prot: 80"), r"Service room-\d+/web in m.yaml: .*prot: field not declared in schema"),
        (SERVICE.replace("80", "99999"), r"Service room-\d+/web in m.yaml: .*Invalid value: 99999"),
        (CONFIG.replace("v1", "nobody.example/v1"), "context admin serves no nobody.example/v1; is its operator installed?"),
        (CONFIG.replace("kind: ConfigMap", "kind: ConfigMpa"), "v1 has no kind ConfigMpa; did you mean \"ConfigMap\"?"),
        (CONFIG.replace("name: config", "name: config, namespace: other"),
         r"ConfigMap config names namespace other, the step says room-\d+"),
        (f"{CONFIG}---\n{CONFIG}", r"has ConfigMap room-\d+/config 2 times"),
    ],
)  # fmt: skip
async def test_a_manifest_that_the_server_does_not_take_is_named_with_its_mistake(
    room: Room, text: str, said: str
) -> None:
    planned = await (await room.console(room.apply(room.manifest(text, "m.yaml")))).planned()
    assert re.search(said, planned.problem)


async def test_a_namespace_that_is_not_there(room: Room) -> None:
    planned = await (await room.console(room.apply(room.manifest(CONFIG), namespace="no-such-room"))).planned()
    assert 'namespaces "no-such-room" not found' in planned.problem


@pytest.mark.parametrize("text", [CONFIG, SERVICE, JOB, SECRET], ids=["ConfigMap", "NodePort", "Job", "Secret"])
async def test_what_the_server_makes_up_at_creation_stands_in_nobodys_way(room: Room, text: str) -> None:
    """Cluster IPs, node ports and generated labels differ between the rehearsal and the real thing."""
    step = room.apply(room.manifest(text))
    assert (await step.plan()).hash == (await step.plan()).hash
    console = await room.console(step)
    preview = await console.preview()
    back = await console.confirm(preview)
    assert back.states == ["proven"], back.step.reason
    assert "s3cret" not in str((change_of(preview.steps[0]).lines, change_of(preview.steps[0]).identity))
    assert (await console.roll_back()).preview.already
    assert (await console.roll_forward()).component.state == "rolled_forward"


async def test_a_namespace_and_what_is_in_it_in_one_file(room: Room) -> None:
    name = f"{room.name}-inner"
    text = CONFIG.replace("name: config", f"name: config, namespace: {name}")
    both = f"{text}---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
    console = await room.console(room.apply(room.manifest(both), namespace=name))
    preview = await console.preview()
    assert "info: ConfigMap" in found(preview.steps[0], "not_rehearsed")[0]
    assert (await console.confirm(preview)).states == ["proven"]
    path = f"/api/v1/namespaces/{name}"
    assert room.cluster.api("GET", f"{path}/configmaps/config")["data"]["features"] == "off"
    assert (await console.preview()).already
    undo = await console.planned("forward")
    assert found(undo, "deletes_more") == [f"warn: deleting Namespace {name} deletes everything in it, whoever made it"]
    assert (await console.roll_forward()).component.state == "rolled_forward"
    with pytest.raises(ApiError, match="not found"):
        room.cluster.api("GET", path)


async def test_a_definition_and_an_object_of_its_kind_in_one_file(room: Room) -> None:
    text = """\
apiVersion: gadgets.rollback/v1
kind: Gadget
metadata: {name: g}
spec: {size: 3}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.gadgets.rollback}
spec:
  group: gadgets.rollback
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}
"""
    console = await room.console(room.apply(room.manifest(text)))
    back = await console.roll_back()
    assert back.states == ["proven"], back.step.reason
    path = f"/apis/gadgets.rollback/v1/namespaces/{room.name}/gadgets/g"
    assert room.cluster.api("GET", path)["spec"] == {"size": 3}
    assert (await console.roll_forward()).component.state == "rolled_forward"


async def test_a_folder_is_applied_file_by_file(room: Room) -> None:
    room.manifest(SERVICE, "backup/b.yaml")
    room.manifest('{"apiVersion": "v1", "kind": "List", "items": []}', "backup/empty.json")
    room.manifest("not for us", "backup/readme.txt")
    folder = room.manifest(CONFIG, "backup/a.yml").parent
    console = await room.console(room.apply(folder))
    assert (await console.roll_back()).step.reason == "2 objects as in backup"
    assert room.exists("ConfigMap", "config")
    assert room.exists("Service", "web")


async def test_what_was_made_and_then_changed_by_somebody_is_not_deleted(room: Room) -> None:
    console = await room.console(room.apply(room.manifest(CONFIG)))
    await console.roll_back()
    room.change("ConfigMap", "config", {"data": {"features": "half"}})
    planned = await console.planned("forward")
    assert f"ConfigMap {room.name}/config was changed by kubectl-edit" in planned.problem
    assert "data.features is neither what this console left there" in planned.problem
    room.change("ConfigMap", "config", {"data": {"features": "off"}})
    assert (await console.roll_forward()).component.state == "rolled_forward"
    assert not room.exists("ConfigMap", "config")


async def test_what_was_made_anew_by_somebody_is_not_deleted(room: Room) -> None:
    console = await room.console(room.apply(room.manifest(CONFIG)))
    await console.roll_back()
    room.cluster.api("DELETE", room.path("ConfigMap", "config"))
    room.config_map(features="off", limit="10")
    planned = await console.planned("forward")
    assert f"ConfigMap {room.name}/config was made anew by migration" in planned.problem


async def test_an_autoscaler_of_a_made_deployment_does_not_hinder_its_removal(room: Room) -> None:
    text = (BACKUP / "original-policy-validator.yaml").read_text().replace("acgs-pgp", room.name)
    console = await room.console(room.apply(room.manifest(text)))
    await console.roll_back()
    room.change("Deployment", "original-policy-validator", {"spec": {"replicas": 1}}, "autoscaler")
    assert (await console.roll_forward()).component.state == "rolled_forward"


async def test_last_applied_is_warned_of(room: Room) -> None:
    room.config_map(features="off", limit="10")
    path, note = room.path("ConfigMap", "config"), "kubectl.kubernetes.io/last-applied-configuration"
    room.cluster.api("PATCH", path, {"metadata": {"annotations": {note: "{}"}}}, content_type=MERGE)
    planned: Any = await (await room.console(room.apply(room.manifest(CONFIG)))).planned()
    assert "applying the old manifest again would undo this" in found(planned, "last_applied")[0]
