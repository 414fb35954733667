"""Restarts within the console's own sight, per workload, whatever becomes of the pods."""

from __future__ import annotations

import itertools

from console.engine.ports import Json
from console.metrics.kubernetes import RestartCount, Workload, lacking, owner_of

WEB = Workload("Deployment", "web")
_uids = itertools.count(1)


def pod(restarts: int, *, uid: str = "", name: str = "web-5d4f8b-x", **more: int) -> Json:
    """A pod of the Deployment `web`, whose container `web` was restarted so often; `more` are other containers."""
    containers = {"web": restarts, **more}
    return {
        "metadata": {
            "name": name,
            "uid": uid or f"uid-{next(_uids)}",
            "labels": {"pod-template-hash": "5d4f8b"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d4f8b", "controller": True}],
        },
        "status": {"containerStatuses": [{"name": n, "restartCount": c} for n, c in containers.items()]},
    }


def counted(*looks: list[Json]) -> list[int]:
    """The total of `web` after each look."""
    count, totals = RestartCount(), []
    for pods in looks:
        count.look(pods)
        totals.append(count.totals[WEB])
    return totals


def test_what_was_before_the_first_look_does_not_count() -> None:
    assert counted([pod(40, uid="a")], [pod(40, uid="a")], [pod(42, uid="a")]) == [0, 0, 2]


def test_a_pod_that_appears_later_began_in_sight() -> None:
    assert counted([pod(40, uid="a")], [pod(40, uid="a"), pod(3, uid="b")]) == [0, 3]
    assert counted([], [pod(3)]) == [0, 3]


def test_a_pod_that_is_replaced_takes_nothing_with_it() -> None:
    assert counted([pod(0, uid="a")], [pod(4, uid="a")], [pod(0, uid="b")], [pod(2, uid="b")], []) == [0, 4, 4, 6, 6]


def test_every_container_counts_for_itself() -> None:
    looks = ([pod(1, uid="a", sidecar=1)], [pod(2, uid="a", sidecar=4)])
    assert counted(*looks) == [0, 4]
    began: Json = {**pod(0, uid="a"), "status": {"initContainerStatuses": [{"name": "migrate", "restartCount": 0}]}}
    failed: Json = {**pod(0, uid="a"), "status": {"initContainerStatuses": [{"name": "migrate", "restartCount": 6}]}}
    assert counted([began], [failed]) == [0, 6]


def test_a_count_that_went_down_began_anew() -> None:
    assert counted([pod(7, uid="a")], [pod(2, uid="a")], [pod(3, uid="a")]) == [0, 2, 3]


def test_a_pod_without_a_status_yet_is_no_restart() -> None:
    assert counted([], [{**pod(0, uid="a"), "status": {}}], [pod(1, uid="a")]) == [0, 0, 1]


def test_pods_belong_to_what_people_know_them_by() -> None:
    assert owner_of(pod(0)) == WEB
    alone: Json = {"metadata": {"name": "debug"}}
    assert owner_of(alone) == Workload("Pod", "debug")
    bare: Json = {"ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d4f8b", "controller": True}]}
    assert owner_of({"metadata": bare}) == Workload("ReplicaSet", "web-5d4f8b")
    of_set: Json = {"ownerReferences": [{"kind": "StatefulSet", "name": "db", "controller": True}]}
    assert owner_of({"metadata": of_set}) == Workload("StatefulSet", "db")


def test_what_a_workload_lacks() -> None:
    def deployment(**status: int) -> int:
        return lacking({"kind": "Deployment", "spec": {"replicas": 3}, "status": status})

    assert deployment(availableReplicas=3, replicas=3) == 0
    assert deployment() == 3  # no controller has looked yet
    assert deployment(availableReplicas=3, replicas=4, unavailableReplicas=1) == 1  # a release that is stuck
    assert lacking({"kind": "StatefulSet", "spec": {}, "status": {}}) == 1
    assert lacking({"kind": "StatefulSet", "spec": {"replicas": 0}, "status": {}}) == 0
    daemons = {"desiredNumberScheduled": 5, "numberAvailable": 3}
    assert lacking({"kind": "DaemonSet", "spec": {}, "status": daemons}) == 2
