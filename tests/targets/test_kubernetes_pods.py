"""What pods tell: whose they are, which an earlier release left behind, and which have just been restarted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.targets.kubernetes import pods

NOW = datetime(2026, 3, 1, 15, 0, tzinfo=UTC)
DEPLOYMENT = {"metadata": {"name": "web", "uid": "d"}}


def owned(name: str, kind: str, uid: str, **metadata: Any) -> dict[str, Any]:
    owner = {"kind": kind, "name": f"its-{kind}", "uid": uid, "controller": True}
    return {"metadata": {"name": name, "uid": name, "ownerReferences": [owner], **metadata}}


def replica_set(name: str, revision: str, deployment: str = "d") -> dict[str, Any]:
    return owned(name, "Deployment", deployment, annotations={"deployment.kubernetes.io/revision": revision})


def pod(name: str, of: str, *, ending: bool = False) -> dict[str, Any]:
    return owned(name, "ReplicaSet", of, **({"deletionTimestamp": "2026-03-01T14:59:00Z"} if ending else {}))


def test_a_pod_of_an_older_revision_is_left_behind_whether_it_is_ending_or_not() -> None:
    sets = [replica_set("old", "9"), replica_set("new", "10")]
    seen = [pod("a", "old"), pod("b", "old", ending=True), pod("c", "new"), pod("d", "new", ending=True)]
    words = "of revision 9, and the present one is 10"
    assert pods.left_behind(seen, sets, [DEPLOYMENT]) == {"a": words, "b": words}


def test_another_deployments_revisions_do_not_count() -> None:
    sets = [replica_set("mine", "1"), replica_set("other", "7", deployment="e")]
    other = {"metadata": {"name": "api", "uid": "e"}}
    assert pods.left_behind([pod("a", "mine")], sets, [DEPLOYMENT, other]) == {}


def test_a_pod_whose_deployment_or_replica_set_is_gone_is_left_behind_while_it_ends() -> None:
    assert pods.left_behind([pod("a", "old", ending=True)], [], [DEPLOYMENT]) == {"a": "its ReplicaSet is gone"}
    assert pods.left_behind([pod("a", "new")], [], [DEPLOYMENT]) == {}  # it came after the ReplicaSets were read
    gone = {"a": "its Deployment its-Deployment is gone"}
    assert pods.left_behind([pod("a", "old")], [replica_set("old", "1")], []) == gone


def test_pods_that_no_deployment_made_are_nobodys_past() -> None:
    bare = {"metadata": {"name": "bare", "uid": "bare"}}
    lone = {"metadata": {"name": "lone", "uid": "lone"}}
    seen = [bare, owned("db-0", "StatefulSet", "s"), pod("a", "lone")]
    assert pods.left_behind(seen, [lone], []) == {}


def test_pods_belong_to_the_workload_above_their_replica_set() -> None:
    sets = [replica_set("new", "1")]
    bare = {"metadata": {"name": "bare", "uid": "bare"}}
    assert pods.workloads_of([pod("a", "new"), owned("db-0", "StatefulSet", "s"), bare], sets) == {"d", "s"}


def container(restarts: int, started_seconds_ago: float | None = None, **more: Any) -> dict[str, Any]:
    started = None if started_seconds_ago is None else NOW - timedelta(seconds=started_seconds_ago)
    running = {} if started is None else {"running": {"startedAt": started.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    return {"restartCount": restarts, "state": running, **more}


@pytest.mark.parametrize(
    ("containers", "seconds"),
    [
        ([container(0, 5)], None),  # started, never restarted
        ([container(3, 20)], 20.0),
        ([container(3, 700), container(1, 40)], 40.0),
        ([container(5)], None),  # waiting: it is not ready anyway
        ([], None),
    ],
)
def test_how_long_ago_the_last_restart_was(containers: list[Any], seconds: float | None) -> None:
    assert pods.seconds_since_restart({"status": {"containerStatuses": containers}}, NOW) == seconds
    assert pods.seconds_since_restart({}, NOW) is None


def test_how_the_last_container_ended() -> None:
    def ended(at: str, **how: Any) -> dict[str, Any]:
        return container(1, lastState={"terminated": {"finishedAt": at, **how}})

    of = [
        ended("2026-03-01T14:00:00Z", reason="Error", exitCode=1),
        ended("2026-03-01T14:30:00Z", reason="OOMKilled", exitCode=137),
    ]
    assert pods.last_end({"status": {"containerStatuses": of}}) == "OOMKilled, exit code 137"
    assert pods.last_end({}) == ""


def test_a_revision_that_is_none_is_the_oldest() -> None:
    assert pods.revision_of({"metadata": {}}) == 0
    assert pods.revision_of(replica_set("x", "many")) == 0
