"""The real kubectl against the drill's Kubernetes API: a paper runbook's commands, and what a person looks at beside them."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.room import Room, crashing
from tests.real.servers import KubectlError, binaries, poll
from tests.sandbox.kubernetes.cluster import DrillCluster

MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: "web:1", env: [{name: QEC, value: "true"}], ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: config}
data: {features: "on"}
"""


@pytest.fixture(scope="module")
def drill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DrillCluster]:
    binaries.require("kubernetes")
    with DrillCluster(tmp_path_factory.mktemp("drill")) as running:
        yield running


@pytest.fixture
def room(drill: DrillCluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Room]:
    """An empty namespace of the drill's cluster."""
    drill.start()
    made = Room(drill, f"room-{abs(hash(request.node.name)) % 10**6}", tmp_path)  # type: ignore[arg-type] # it has what is used
    made.open()
    yield made
    drill.api("DELETE", f"/api/v1/namespaces/{made.name}")


def kubectl(room: Room, *words: str | Path, **options: object) -> str:
    done = room.cluster.kubectl("-n", room.name, *words, **options)  # type: ignore[arg-type] # passed on
    return done.stdout + done.stderr


def applied(room: Room) -> Path:
    path = room.manifest(MANIFEST)
    kubectl(room, "apply", "-f", path)
    kubectl(room, "rollout", "status", "deployment/web", "--timeout=20s")
    return path


def test_a_manifest_is_applied_changed_and_applied_again(room: Room) -> None:
    path = room.manifest(MANIFEST)
    assert kubectl(room, "apply", "-f", path).split("\n")[:3] == [
        "deployment.apps/web created", "service/web created", "configmap/config created",
    ]  # fmt: skip
    assert "deployment.apps/web unchanged" in kubectl(room, "apply", "-f", path)
    room.manifest(MANIFEST.replace("web:1", "web:2").replace("features", "other"))
    said = kubectl(room, "apply", "-f", path)
    assert "deployment.apps/web configured" in said
    assert "service/web unchanged" in said
    assert room.image() == "web:2"
    assert room.get("ConfigMap", "config")["data"] == {"other": "on"}, (
        "the three-way merge takes away what was applied before"
    )


def test_an_apply_that_is_misspelt_is_refused(room: Room) -> None:
    path = room.manifest(MANIFEST.replace("replicas", "replcas"))
    with pytest.raises(KubectlError, match=r'unknown field "spec\.replcas"'):
        kubectl(room, "apply", "-f", path)


def test_a_rollout_is_followed_undone_and_listed(room: Room) -> None:
    applied(room)
    kubectl(room, "set", "image", "deployment/web", "web=web:2")
    said = kubectl(room, "rollout", "status", "deployment/web", "--timeout=20s")
    assert 'deployment "web" successfully rolled out' in said
    history = kubectl(room, "rollout", "history", "deployment/web")
    assert [line.split()[0] for line in history.splitlines()[2:] if line] == ["1", "2"]
    assert "Image:\tweb:1" in kubectl(room, "rollout", "history", "deployment/web", "--revision=1")
    assert "deployment.apps/web rolled back" in kubectl(room, "rollout", "undo", "deployment/web")
    kubectl(room, "rollout", "status", "deployment/web", "--timeout=20s")
    assert (room.image(), room.revisions()) == ("web:1", {2: "web:2", 3: "web:1"})
    kubectl(room, "rollout", "undo", "deployment/web", "--to-revision=2")
    assert room.image() == "web:2"


def test_undo_run_twice_redeploys_the_bad_version_here_too(room: Room) -> None:
    room.releases("web:1", "web:2")
    kubectl(room, "rollout", "undo", "deployment/web")
    kubectl(room, "rollout", "undo", "deployment/web")
    assert room.image() == "web:2"


def test_a_rollout_that_crashes_passes_its_deadline(room: Room) -> None:
    room.deployment(progressDeadlineSeconds=1)
    room.release("web:2", **crashing())
    with pytest.raises(KubectlError, match="exceeded its progress deadline"):
        kubectl(room, "rollout", "status", "deployment/web", "--timeout=20s")
    poll("it crashes", lambda: "CrashLoopBackOff" in kubectl(room, "get", "pods"))


def test_pause_resume_restart_and_scale(room: Room) -> None:
    room.deployment()
    kubectl(room, "rollout", "pause", "deployment/web")
    assert room.get("Deployment", "web")["spec"]["paused"] is True
    kubectl(room, "rollout", "resume", "deployment/web")
    assert "paused" not in room.get("Deployment", "web")["spec"]
    kubectl(room, "rollout", "restart", "deployment/web")
    kubectl(room, "rollout", "status", "deployment/web", "--timeout=20s")
    assert len(room.revisions()) == 2
    kubectl(room, "scale", "deployment/web", "--replicas=3")
    room.rolled_out()
    assert len(room.cluster.api("GET", room.path("Pod"))["items"]) >= 3


def test_lists_are_tables(room: Room) -> None:
    applied(room)
    lines = kubectl(room, "get", "deployments").splitlines()
    assert lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert lines[1].split()[:4] == ["web", "2/2", "2", "2"]
    assert "web:1" in kubectl(room, "get", "deployments", "-o", "wide")
    pods = kubectl(room, "get", "pods", "-l", "app=web").splitlines()
    assert pods[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert pods[1].split()[1:4] == ["1/1", "Running", "0"]
    assert kubectl(room, "get", "pods", "--field-selector=status.phase=Failed") == (
        f"No resources found in {room.name} namespace.\n"
    )
    assert "replicaset.apps/web-" in kubectl(room, "get", "all")
    assert kubectl(room, "get", "deployment", "web", "-o", "jsonpath={.spec.replicas}") == "2"
    assert json.loads(kubectl(room, "get", "cm,svc", "-o", "json"))["kind"] == "List"
    assert kubectl(room, "get", "cm", "config", "-o", "custom-columns=N:.metadata.name", "--no-headers") == "config\n"


def test_a_watch_tells_what_changes(room: Room) -> None:
    room.config_map(a="1")
    program = binaries.find("kubernetes", "kubectl")
    own = [f"--kubeconfig={room.cluster.kubeconfig()}", "-n", room.name]
    command = [program, *own, "get", "configmaps", "-w", "--output-watch-events"]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={"HOME": str(room.folder)})
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(iter(watching.stdout.readline, "")))  # type: ignore[union-attr]
    reader.start()
    try:
        poll("it is listed", lambda: any("ADDED" in line for line in lines))
        room.change("ConfigMap", "config", {"data": {"b": "2"}})
        poll("the change is told", lambda: any("MODIFIED" in line and "2" in line.split() for line in lines))
        room.cluster.api("DELETE", room.path("ConfigMap", "config"))
        poll("the end is told", lambda: any("DELETED" in line for line in lines))
    finally:
        watching.terminate()
        watching.wait()
        reader.join()


def test_describe_tells_the_events(room: Room) -> None:
    room.releases("web:1", "web:2")
    said = kubectl(room, "describe", "deployment", "web")
    for words in (
        "NewReplicaSetAvailable",
        "Scaled up replica set web-",
        "RollingUpdateStrategy:  25% max unavailable",
    ):
        assert words in said
    pod = room.cluster.api("GET", room.path("Pod"))["items"][0]["metadata"]["name"]
    assert "Controlled By:  ReplicaSet/web-" in kubectl(room, "describe", "pod", pod)
    kubectl(room, "describe", "namespace", room.name)
    kubectl(room, "describe", "node", "kwok-node-0")
    assert "ScalingReplicaSet" in kubectl(room, "get", "events")


@pytest.mark.parametrize(
    ("how", "patch", "env"),
    [
        ("strategic", {"spec": {"template": {"spec": {"containers": [
            {"name": "web", "env": [{"name": "QEC", "value": "false"}]}]}}}}, ["QEC", "LEVEL"]),
        ("merge", {"spec": {"template": {"spec": {"containers": [
            {"name": "web", "image": "web:9", "env": [{"name": "QEC", "value": "false"}]}]}}}}, ["QEC"]),
        ("json", [{"op": "replace", "path": "/spec/template/spec/containers/0/env/0/value", "value": "false"}],
         ["QEC", "LEVEL"]),
    ],
    ids=["strategic", "merge", "json"],
)  # fmt: skip
def test_patch(room: Room, how: str, patch: object, env: list[str]) -> None:
    room.deployment(env=[{"name": "QEC", "value": "true"}, {"name": "LEVEL", "value": "info"}])
    said = kubectl(room, "patch", "deployment", "web", f"--type={how}", "-p", json.dumps(patch))
    assert said == "deployment.apps/web patched\n"
    [container] = room.get("Deployment", "web")["spec"]["template"]["spec"]["containers"]
    assert [variable["name"] for variable in container["env"]] == env
    assert container["env"][0]["value"] == "false"


def test_server_side_apply_tells_conflicts_and_takes_over_by_force(room: Room) -> None:
    room.config_map(features="off")
    path = room.manifest(MANIFEST)
    with pytest.raises(KubectlError, match=r'conflict with "migration" using v1: \.data\.features'):
        kubectl(room, "apply", "--server-side", "-f", path)
    assert "configmap/config serverside-applied" in kubectl(
        room, "apply", "--server-side", "--force-conflicts", "-f", path
    )
    assert room.get("ConfigMap", "config")["data"] == {"features": "on"}


def test_server_side_apply_follows_client_side_apply(room: Room) -> None:
    path = applied(room)
    kubectl(room, "apply", "--server-side", "-f", path)
    entries = room.get("Deployment", "web")["metadata"]["managedFields"]
    assert ("kubectl", "Apply") in {(e["manager"], e["operation"]) for e in entries}
    assert "kubectl-client-side-apply" not in {e["manager"] for e in entries}


def test_diff_and_dry_run_change_nothing(room: Room) -> None:
    path = applied(room)
    room.manifest(MANIFEST.replace("web:1", "web:7"))
    before = room.version("Deployment", "web")
    assert "web:7" in kubectl(room, "diff", "-f", path, check=False)
    kubectl(room, "apply", "--dry-run=server", "-f", path)
    assert room.version("Deployment", "web") == before


def test_what_somebody_may(room: Room) -> None:
    assert kubectl(room, "auth", "can-i", "*", "*") == "yes\n"
    room.create({"kind": "Role", "metadata": {"name": "looker"}, "rules": [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}]})  # fmt: skip
    room.create({"kind": "RoleBinding", "metadata": {"name": "looker"},
                 "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "looker"},
                 "subjects": [{"kind": "User", "name": "limited"}]})  # fmt: skip
    assert "yes" in kubectl(room, "auth", "can-i", "get", "deployments.apps", user="limited", check=False)
    assert "no" in kubectl(room, "auth", "can-i", "patch", "deployments.apps", user="limited", check=False)
    assert "deployments.apps" in kubectl(room, "auth", "can-i", "--list", user="limited")
    assert "limited" in kubectl(room, "auth", "whoami", user="limited")
    with pytest.raises(KubectlError, match='User "limited" cannot list resource "pods" in API group ""'):
        kubectl(room, "get", "pods", user="limited")


def test_namespaces_are_made_and_deleted_with_what_is_in_them(room: Room) -> None:
    name = f"{room.name}-b"
    assert kubectl(room, "create", "namespace", name) == f"namespace/{name} created\n"
    room.cluster.kubectl("-n", name, "create", "configmap", "c", "--from-literal=a=b")
    room.cluster.kubectl("-n", name, "create", "deployment", "d", "--image=d:1", "--replicas=2")
    room.cluster.wait_rolled_out(name, "d")
    assert f'namespace "{name}" deleted' in kubectl(room, "delete", "namespace", name, "--timeout=20s")
    assert "not found" in kubectl(room, "get", "namespace", name, check=False)


def test_a_delete_waits_until_everything_is_gone(room: Room) -> None:
    applied(room)
    kubectl(room, "delete", "deployment", "web", "--cascade=foreground", "--timeout=20s")
    assert room.cluster.api("GET", room.path("Pod"))["items"] == []
    assert room.revisions() == {}


def test_orphans_stay_and_are_found_again(room: Room) -> None:
    path = applied(room)
    kubectl(room, "delete", "deployment", "web", "--cascade=orphan", "--timeout=20s")
    [orphan] = room.cluster.api("GET", room.path("ReplicaSet"))["items"]
    assert "ownerReferences" not in orphan["metadata"]
    kubectl(room, "apply", "-f", path)
    kubectl(room, "rollout", "status", "deployment/web", "--timeout=20s")
    [adopted] = room.cluster.api("GET", room.path("ReplicaSet"))["items"]
    assert adopted["metadata"]["uid"] == orphan["metadata"]["uid"]


def test_it_explains_and_lists_what_it_serves(room: Room) -> None:
    said = kubectl(room, "explain", "deployment.spec.strategy")
    assert "rollingUpdate" in said
    assert "deployments" in kubectl(room, "api-resources", "--api-group=apps")
    assert "Server Version: v1.37.2" in kubectl(room, "version")


def test_wait_and_edits_by_label_and_annotate(room: Room) -> None:
    room.deployment()
    kubectl(room, "wait", "--for=condition=Available", "deployment/web", "--timeout=20s")
    kubectl(room, "label", "deployment", "web", "team=x")
    kubectl(room, "annotate", "deployment", "web", "note=y")
    metadata = room.get("Deployment", "web")["metadata"]
    assert (metadata["labels"]["team"], metadata["annotations"]["note"]) == ("x", "y")


def test_what_is_not_done_says_so(room: Room) -> None:
    room.deployment()
    pod = room.cluster.api("GET", room.path("Pod"))["items"][0]["metadata"]["name"]
    with pytest.raises(KubectlError, match="the drill's Kubernetes API does not do this: pods/log"):
        kubectl(room, "logs", pod)


def test_stateful_and_daemon_sets_roll_out(room: Room) -> None:
    template = {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "s", "image": "s:1"}]}}
    for kind, plural in (("StatefulSet", "statefulsets"), ("DaemonSet", "daemonsets")):
        spec = {"selector": {"matchLabels": {"app": "s"}}, "template": template}
        more = {"replicas": 2, "serviceName": "s"} if kind == "StatefulSet" else {}
        body = {"kind": kind, "metadata": {"name": "s"}, "spec": {**spec, **more}}
        room.cluster.api("POST", f"/apis/apps/v1/namespaces/{room.name}/{plural}", body)
        what = f"{kind.lower()}/s"
        kubectl(room, "rollout", "status", what, "--timeout=20s")
        kubectl(room, "set", "image", what, "s=s:2")
        kubectl(room, "rollout", "status", what, "--timeout=20s")
        assert "REVISION" in kubectl(room, "rollout", "history", what)
        kubectl(room, "rollout", "undo", what)
        kubectl(room, "rollout", "status", what, "--timeout=20s")
    pods = room.cluster.api("GET", room.path("Pod"))["items"]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods if not pod["metadata"].get("deletionTimestamp")} == {
        "s:1"
    }
