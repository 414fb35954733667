"""The servers are the real ones, and the scene on them is what the other tests take it for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.real.scene import DASHBOARD, DASHBOARD_IMAGES, GATEWAY, NAMESPACE, reset, write_procedure
from tests.real.servers import ApiError, ControlPlane, KubectlError, NotBuilt, PrometheusServer, binaries, poll
from tests.real.servers.kubernetes import CRASH_LABEL, NODE

DASHBOARD_PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{DASHBOARD}"
STRATEGIC = "application/strategic-merge-patch+json"


def image_of(deployment: dict[str, Any]) -> str:
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def revisions(cluster: ControlPlane) -> dict[int, str]:
    """The dashboard's ReplicaSets: revision to image."""
    found = cluster.api(
        "GET", f"/apis/apps/v1/namespaces/{NAMESPACE}/replicasets", params={"labelSelector": f"app={DASHBOARD}"}
    )["items"]
    return {int(one["metadata"]["annotations"]["deployment.kubernetes.io/revision"]): image_of(one) for one in found}


def undo(cluster: ControlPlane) -> str:
    """The runbook's line, and the image that runs when the rollout is complete."""
    cluster.kubectl("rollout", "undo", f"deployment/{DASHBOARD}", "-n", NAMESPACE)
    return image_of(cluster.wait_rolled_out(NAMESPACE, DASHBOARD))


def test_the_api_server_is_the_release_that_go_mod_pins(cluster: ControlPlane) -> None:
    assert cluster.api("GET", "/version")["gitVersion"] == binaries.version("kubernetes") == "v1.37.2"
    assert "Server Version: v1.37.2" in cluster.kubectl("version").stdout


def test_clients_verify_the_api_server(cluster: ControlPlane) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(cluster.url, trust_env=False)
    assert cluster.api("GET", f"/api/v1/nodes/{NODE}")["metadata"]["name"] == NODE


@pytest.mark.parametrize("user", ["admin", "certificate", "exec"])
def test_each_way_in_leads_to_an_administrator(cluster: ControlPlane, user: str) -> None:
    assert cluster.kubectl("auth", "can-i", "*", "*", user=user).stdout.strip() == "yes"


def test_the_exec_plugin_tells_what_its_caller_gave_it(cluster: ControlPlane) -> None:
    before = len(cluster.access.exec_calls())
    cluster.kubectl("get", "nodes", user="exec")
    assert cluster.access.exec_calls()[before:] == [{"stdin": "null", "read": ""}]


def test_the_limited_user_may_look_and_not_change(fresh_scene: ControlPlane) -> None:
    assert DASHBOARD in fresh_scene.kubectl("get", "deployments", "-n", NAMESPACE, user="limited").stdout
    with pytest.raises(ApiError) as refused:
        fresh_scene.api("PATCH", DASHBOARD_PATH, {"spec": {"replicas": 1}}, content_type=STRATEGIC, user="limited")
    assert refused.value.status == httpx.codes.FORBIDDEN
    with pytest.raises(KubectlError, match="forbidden"):
        fresh_scene.kubectl("rollout", "undo", f"deployment/{DASHBOARD}", "-n", NAMESPACE, user="limited")


def test_the_scene_has_three_revisions_of_which_the_last_is_live(fresh_scene: ControlPlane) -> None:
    assert revisions(fresh_scene) == dict(enumerate(DASHBOARD_IMAGES, start=1))
    live = fresh_scene.deployment(NAMESPACE, DASHBOARD)
    assert (image_of(live), live["status"]["availableReplicas"]) == (DASHBOARD_IMAGES[-1], 3)


def test_a_fresh_scene_forgets_what_a_test_did(fresh_scene: ControlPlane) -> None:
    undo(fresh_scene)
    fresh_scene.kubectl("delete", "deployment", GATEWAY, "-n", NAMESPACE)
    fresh_scene.kubectl("create", "configmap", "stray", "-n", NAMESPACE)
    reset(fresh_scene)
    assert revisions(fresh_scene) == dict(enumerate(DASHBOARD_IMAGES, start=1))
    assert fresh_scene.deployment(NAMESPACE, GATEWAY)["status"]["availableReplicas"] == 3
    with pytest.raises(ApiError, match="stray"):
        fresh_scene.api("GET", f"/api/v1/namespaces/{NAMESPACE}/configmaps/stray")


def test_undo_goes_to_the_first_bad_release_and_run_again_redeploys_the_last(fresh_scene: ControlPlane) -> None:
    """What the paper runbook's one line does: nobody gets back to the good version with it."""
    good, first_bad, last_bad = DASHBOARD_IMAGES
    assert undo(fresh_scene) == first_bad
    assert undo(fresh_scene) == last_bad
    assert revisions(fresh_scene) == {1: good, 4: first_bad, 5: last_bad}


def test_a_crashing_rollout_stalls_beside_the_old_pods(fresh_scene: ControlPlane) -> None:
    crash = {"spec": {"template": {"metadata": {"labels": {CRASH_LABEL: "true"}}}, "progressDeadlineSeconds": 1}}
    fresh_scene.api("PATCH", DASHBOARD_PATH, crash, content_type=STRATEGIC)
    poll("the crash shows", lambda: "CrashLoopBackOff" in fresh_scene.kubectl("get", "pods", "-n", NAMESPACE).stdout)
    status = fresh_scene.kubectl("rollout", "status", f"deployment/{DASHBOARD}", "-n", NAMESPACE, check=False)
    assert status.returncode == 1
    assert "exceeded its progress deadline" in status.stderr
    stalled = fresh_scene.deployment(NAMESPACE, DASHBOARD)["status"]
    assert (stalled["updatedReplicas"], stalled["availableReplicas"], stalled["unavailableReplicas"]) == (1, 3, 1)


def test_a_stopped_api_server_refuses_and_comes_back_with_its_data(fresh_scene: ControlPlane) -> None:
    uid = fresh_scene.deployment(NAMESPACE, DASHBOARD)["metadata"]["uid"]
    fresh_scene.apiserver.stop()
    with pytest.raises(httpx.ConnectError):
        fresh_scene.deployment(NAMESPACE, DASHBOARD)
    fresh_scene.apiserver.start()
    assert fresh_scene.deployment(NAMESPACE, DASHBOARD)["metadata"]["uid"] == uid


def test_rollouts_go_on_after_an_outage(fresh_scene: ControlPlane) -> None:
    fresh_scene.etcd.kill()
    fresh_scene.apiserver.kill()
    fresh_scene.start()
    assert undo(fresh_scene) == DASHBOARD_IMAGES[1]


def test_prometheus_answers_with_what_it_scraped(prometheus: PrometheusServer) -> None:
    prometheus.metrics["qec_p95_seconds"] = 34.2
    prometheus.metrics['qec_requests_total{code="500"}'] = 7
    prometheus.wait_value("qec_p95_seconds", 34.2)
    prometheus.wait_value('qec_requests_total{code="500"}', 7)
    prometheus.exposition.up = False
    prometheus.wait_value("up", 0)


def test_prometheus_knows_the_past_that_a_test_gives_it(prometheus: PrometheusServer) -> None:
    prometheus.metrics["qec_memory_percent"] = 95
    prometheus.wait_value("qec_memory_percent", 95)
    quiet = [(float(ago), 60.0) for ago in range(375, 3600, 15)]
    breached = [(float(ago), 94.0) for ago in range(15, 375, 15)]
    prometheus.backfill("qec_memory_percent", quiet + breached)
    prometheus.wait_value("count(qec_memory_percent)", 1)
    prometheus.wait_value("min_over_time(qec_memory_percent[5m])", 94)
    [series] = prometheus.query_range("qec_memory_percent", seconds=3500, step_seconds=500)
    assert [float(value) for _, value in series["values"]] == [60] * 7 + [95]


def test_a_stopped_prometheus_refuses_and_comes_back_with_its_data(prometheus: PrometheusServer) -> None:
    prometheus.backfill("qec_p95_seconds", [(60.0, 2.0)])
    prometheus.stop()
    with pytest.raises(httpx.ConnectError):
        prometheus.query("up")
    prometheus.start()
    prometheus.wait_value("last_over_time(qec_p95_seconds[5m])", 2)


def test_the_procedure_file_names_the_scene(tmp_path: Path) -> None:
    file = write_procedure(tmp_path / 'a "quoted" folder', Path("/kube config"), "admin", "http://127.0.0.1:9090")
    procedure = tomllib.loads(file.read_text())
    assert procedure["target"]["cluster"] == {"kind": "kubernetes", "kubeconfig": "/kube config", "context": "admin"}
    assert [component["id"] for component in procedure["component"]] == ["qec-analysis", "dashboard"]
    assert (file.parent / procedure["component"][0]["step"][1]["path"]).exists()


def test_a_cache_without_the_servers_says_how_to_build_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLBACK_CONSOLE_REAL", str(tmp_path))
    with pytest.raises(NotBuilt, match="real servers not built: run make real"):
        binaries.require("etcd")


def test_a_server_does_not_outlive_a_killed_owner(tmp_path: Path) -> None:
    owner_program = (
        "import pathlib, sys, time; from tests.real.servers.processes import ServerProcess\n"
        "server = ServerProcess('sleep', ['sleep', '60'], pathlib.Path(sys.argv[1]), lambda: True)\n"
        "server.start(); print(server.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", owner_program, str(tmp_path / "log")]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root, env={"PYTHONPATH": str(root)}) as owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        os.kill(server, 0)
        owner.send_signal(signal.SIGKILL)
    poll("the server is gone", lambda: not _lives(server), seconds=5)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Where nobody reaps orphans, a killed one stays in the table as a zombie.
    stat = Path(f"/proc/{pid}/stat")
    return not (stat.exists() and stat.read_text().rpartition(")")[2].split()[0] == "Z")
