"""What moves in the drill's cluster by itself, second by second, without waiting for a single one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from console.sandbox.kubernetes.controllers.kubelet import Ailment
from console.sandbox.kubernetes.definitions import well_known_definitions
from console.sandbox.kubernetes.errors import ApiError
from console.sandbox.kubernetes.registry import Deletion
from tests.sandbox.kubernetes.conditions import SteppedCluster

APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"project": "default", "syncPolicy": {"automated": {"selfHeal": True}}},
}


@pytest.fixture
def cluster() -> Iterator[SteppedCluster]:
    made = SteppedCluster()
    made.pass_time()
    yield made
    made.stop()
    assert made.controllers.fault is None


def test_a_deployment_rolls_out_in_its_own_time(cluster: SteppedCluster) -> None:
    cluster.deployment()
    cluster.pass_time()
    assert cluster.live()["status"]["replicas"] == 3
    assert cluster.live()["status"].get("availableReplicas", 0) == 0
    assert cluster.reason("Available") == "MinimumReplicasUnavailable"
    cluster.pass_time(2)
    assert cluster.live()["status"]["availableReplicas"] == 3
    assert (cluster.reason(), cluster.reason("Available")) == ("NewReplicaSetAvailable", "MinimumReplicasAvailable")


def test_a_release_never_has_fewer_pods_ready_than_its_strategy_allows(cluster: SteppedCluster) -> None:
    cluster.deployment(replicas=4, strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}})
    cluster.pass_time(3)
    cluster.release("web:2")
    seen = set()
    for _ in range(40):
        cluster.pass_time(0.5)
        status = cluster.live()["status"]
        seen.add((status.get("availableReplicas", 0), len(cluster.images())))
    assert min(available for available, _ in seen) >= 3
    assert max(pods for _, pods in seen) <= 5
    assert cluster.images() == ["web:2"] * 4


def test_recreate_has_no_two_releases_at_once(cluster: SteppedCluster) -> None:
    cluster.deployment(strategy={"type": "Recreate"})
    cluster.pass_time(3)
    cluster.release("web:2")
    for _ in range(20):
        cluster.pass_time(0.25)
        assert len({pod["spec"]["containers"][0]["image"] for pod in cluster.pods()}) <= 1
    assert cluster.images() == ["web:2"] * 3


def test_a_release_that_crashes_stalls_and_passes_its_deadline(cluster: SteppedCluster) -> None:
    cluster.deployment(progressDeadlineSeconds=60)
    cluster.pass_time(3)
    cluster.health.mark_image("web:2*")
    cluster.release("web:2-qec")
    cluster.pass_time(30)
    [broken] = [pod for pod in cluster.pods() if pod["spec"]["containers"][0]["image"] == "web:2-qec"]
    [container] = broken["status"]["containerStatuses"]
    assert container["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert container["restartCount"] == 2
    assert cluster.reason() == "ReplicaSetUpdated"
    cluster.pass_time(60)
    assert cluster.reason() == "ProgressDeadlineExceeded"
    assert cluster.live()["status"]["availableReplicas"] == 3, "the old pods still serve"
    cluster.release("web:1")
    cluster.pass_time(5)
    assert cluster.reason() == "NewReplicaSetAvailable"
    assert cluster.images() == ["web:1"] * 3


def test_an_image_that_is_healed_comes_up_at_its_next_start(cluster: SteppedCluster) -> None:
    cluster.health.mark_image("web:1")
    cluster.deployment(replicas=1)
    cluster.pass_time(5)
    assert cluster.live()["status"].get("availableReplicas", 0) == 0
    cluster.health.heal_image("web:1")
    cluster.pass_time(10)
    assert cluster.live()["status"]["availableReplicas"] == 1


@pytest.mark.parametrize(
    ("ailment", "phase", "reason"),
    [("crash", "Running", "CrashLoopBackOff"), ("pull", "Pending", "ImagePullBackOff"),
     ("stall", "Pending", "ContainerCreating")],
)  # fmt: skip
def test_each_ailment_looks_as_on_a_real_node(cluster: SteppedCluster, ailment: Any, phase: str, reason: str) -> None:
    cluster.health.mark_image("web:1", Ailment(ailment))
    cluster.deployment(replicas=1)
    cluster.pass_time(4)
    [pod] = cluster.pods()
    assert pod["status"]["phase"] == phase
    assert pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == reason


def test_revisions_count_on_and_a_reused_one_keeps_its_past(cluster: SteppedCluster) -> None:
    cluster.deployment(replicas=1)
    for image in ("web:2", "web:1"):
        cluster.pass_time(5)
        cluster.release(image)
    cluster.pass_time(5)
    sets = {
        one["spec"]["template"]["spec"]["containers"][0]["image"]: one["metadata"]["annotations"]
        for one in cluster.registry.all("ReplicaSet", "default")
    }
    assert sets["web:1"]["deployment.kubernetes.io/revision"] == "3"
    assert sets["web:1"]["deployment.kubernetes.io/revision-history"] == "1"
    assert sets["web:2"]["deployment.kubernetes.io/revision"] == "2"


def test_the_history_is_as_long_as_its_limit(cluster: SteppedCluster) -> None:
    cluster.deployment(replicas=1, revisionHistoryLimit=1)
    for number in range(2, 6):
        cluster.pass_time(5)
        cluster.release(f"web:{number}")
    cluster.pass_time(5)
    assert len(cluster.registry.all("ReplicaSet", "default")) == 2


def test_a_paused_deployment_rolls_nothing_out_until_it_is_resumed(cluster: SteppedCluster) -> None:
    cluster.deployment(replicas=1)
    cluster.pass_time(5)
    cluster.change("apps/v1", "Deployment", "default", "web", {"spec": {"paused": True}})
    cluster.release("web:2")
    cluster.pass_time(60)
    assert (cluster.images(), cluster.reason()) == (["web:1"], "DeploymentPaused")
    cluster.change("apps/v1", "Deployment", "default", "web", {"spec": {"paused": None}})
    cluster.pass_time(10)
    assert (cluster.images(), cluster.reason()) == (["web:2"], "NewReplicaSetAvailable")


def test_held_controllers_miss_nothing(cluster: SteppedCluster) -> None:
    cluster.deployment(replicas=1)
    cluster.pass_time(5)
    cluster.controllers.hold()
    cluster.release("web:2")
    cluster.pass_time(60)
    assert cluster.live()["status"]["observedGeneration"] == 1
    cluster.controllers.release()
    cluster.pass_time(10)
    assert cluster.images() == ["web:2"]


def test_what_an_owner_owned_goes_with_it(cluster: SteppedCluster) -> None:
    cluster.deployment()
    cluster.pass_time(5)
    cluster.delete("apps/v1", "Deployment", "default", "web")
    cluster.pass_time(5)
    assert cluster.registry.all("ReplicaSet", "default") == []
    assert cluster.pods() == []


def test_a_foreground_delete_keeps_the_owner_until_the_last(cluster: SteppedCluster) -> None:
    cluster.deployment()
    cluster.pass_time(5)
    kind = cluster.registry.catalog.built_in("Deployment")
    cluster.registry.delete(kind, "default", "web", Deletion(propagation="Foreground"))
    cluster.pass_time()
    assert cluster.live()["metadata"]["finalizers"] == ["foregroundDeletion"]
    cluster.pass_time(5)
    assert cluster.get("apps/v1", "Deployment", "default", "web") is None


def test_a_namespace_takes_nothing_new_while_it_goes(cluster: SteppedCluster) -> None:
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gone"}})
    held: dict[str, Any] = {"name": "held", "namespace": "gone", "finalizers": ["drill.rollback/hold"]}
    cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": held})
    cluster.delete("v1", "Namespace", "", "gone")
    cluster.pass_time(1)
    with pytest.raises(ApiError, match="because it is being terminated"):
        cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "new", "namespace": "gone"}})
    cluster.change("v1", "ConfigMap", "gone", "held", {"metadata": {"finalizers": None}})
    cluster.pass_time(1)
    assert cluster.get("v1", "Namespace", "", "gone") is None


def managed(cluster: SteppedCluster) -> None:
    """The Deployment as git has it, under an Application that heals."""
    cluster.load(well_known_definitions())
    cluster.pass_time()
    live = cluster.deployment(replicas=1)
    spec = {"template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}}
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": spec,
    }
    assert live["metadata"]["generation"] == 1
    cluster.gitops.manage("default", "web", [manifest])
    cluster.create(APPLICATION)
    cluster.pass_time(10)


def test_argo_cd_puts_back_what_somebody_changed(cluster: SteppedCluster) -> None:
    managed(cluster)
    cluster.release("web:0")
    cluster.pass_time(1)
    assert cluster.live()["spec"]["template"]["spec"]["containers"][0]["image"] == "web:0"
    cluster.pass_time(5)
    assert cluster.live()["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"
    assert "argocd.argoproj.io/tracking-id" in cluster.live()["metadata"]["annotations"]


def test_argo_cd_that_is_held_puts_nothing_back(cluster: SteppedCluster) -> None:
    managed(cluster)
    hold = {"spec": {"syncPolicy": {"automated": None}}}
    cluster.change("argoproj.io/v1alpha1", "Application", "default", "web", hold)
    cluster.release("web:0")
    cluster.pass_time(60)
    assert cluster.live()["spec"]["template"]["spec"]["containers"][0]["image"] == "web:0"
    cluster.change("argoproj.io/v1alpha1", "Application", "default", "web", {"spec": APPLICATION["spec"]})
    cluster.pass_time(5)
    assert cluster.live()["spec"]["template"]["spec"]["containers"][0]["image"] == "web:1"


@pytest.mark.parametrize("kind", ["StatefulSet", "DaemonSet"])
def test_the_other_workloads_replace_their_pods_one_by_one(cluster: SteppedCluster, kind: str) -> None:
    template = {"metadata": {"labels": {"app": "s"}}, "spec": {"containers": [{"name": "s", "image": "s:1"}]}}
    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": "s"}}, "template": template}
    spec |= {"replicas": 2, "serviceName": "s"} if kind == "StatefulSet" else {}
    cluster.create(
        {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "s", "namespace": "default"}, "spec": spec}
    )
    cluster.pass_time(10)
    assert set(cluster.images()) == {"s:1"}
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "s", "image": "s:2"}]}}}}
    cluster.change("apps/v1", kind, "default", "s", patch, how="strategic")
    cluster.pass_time(2)
    assert len(cluster.images()) >= (1 if kind == "StatefulSet" else 0)
    cluster.pass_time(20)
    assert set(cluster.images()) == {"s:2"}
    if kind == "StatefulSet":
        assert sorted(pod["metadata"]["name"] for pod in cluster.pods()) == ["s-0", "s-1"]
        status = cluster.live("s", kind)["status"]
        assert status["currentRevision"] == status["updateRevision"]
