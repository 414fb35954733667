"""When a workload counts as rolled out: by kubectl's own rules, in kubectl's own order."""

from __future__ import annotations

from typing import Any

import pytest

from console.targets.kubernetes.rollout import complaint, is_ready, selector_of, status_of


def workload(kind: str, spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "web", "generation": 2}, "spec": spec,
            "status": {"observedGeneration": 2, **status}}  # fmt: skip


def counts(updated: int, total: int, available: int) -> dict[str, Any]:
    return {"updatedReplicas": updated, "replicas": total, "availableReplicas": available}


TOO_LATE = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}


@pytest.mark.parametrize(
    ("status", "state", "text"),
    [
        ({"observedGeneration": 1, **counts(3, 3, 3)}, "rolling", "waiting for the controller to see the change"),
        ({"observedGeneration": 1, **TOO_LATE}, "rolling", "waiting for the controller to see the change"),
        ({**counts(1, 4, 3), **TOO_LATE}, "failed", "1/3 ready: its progress deadline has passed"),
        ({**counts(3, 3, 3), **TOO_LATE}, "failed", "3/3 ready: its progress deadline has passed"),
        (counts(1, 4, 3), "rolling", "1 of 3 updated"),
        (counts(3, 4, 4), "rolling", "1 old still running"),
        (counts(3, 3, 2), "rolling", "2 of 3 ready"),
        (counts(3, 3, 3), "complete", "3/3 ready"),
        ({}, "rolling", "0 of 3 updated"),
    ],
)
def test_a_deployment(status: dict[str, Any], state: str, text: str) -> None:
    found = status_of(workload("Deployment", {"replicas": 3}, status))
    assert (found.state, found.text) == (state, text)


def test_a_deployment_of_nothing_is_complete_and_the_default_is_one() -> None:
    assert status_of(workload("Deployment", {"replicas": 0}, {})).state == "complete"
    assert status_of(workload("Deployment", {}, counts(0, 0, 0))).text == "0 of 1 updated"


def test_the_old_pods_that_still_serve_do_not_count_as_ready() -> None:
    found = status_of(workload("Deployment", {"replicas": 3}, counts(1, 4, 3)))
    assert (found.ready, found.wanted) == (1, 3)


ON_DELETE = {"updateStrategy": {"type": "OnDelete"}}
PARTITION = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}}
SAME = {"currentRevision": "b", "updateRevision": "b"}
APART = {"currentRevision": "a", "updateRevision": "b"}


@pytest.mark.parametrize(
    ("spec", "status", "state", "text"),
    [
        ({}, {"readyReplicas": 2, "updatedReplicas": 3, **SAME}, "rolling", "2 of 3 ready"),
        ({}, {"readyReplicas": 3, "updatedReplicas": 2, **APART}, "rolling", "2 of 3 updated"),
        ({}, {"readyReplicas": 3, "updatedReplicas": 3, **APART}, "rolling", "waiting for the last pods"),
        ({}, {"readyReplicas": 3, "updatedReplicas": 3, **SAME}, "complete", "3/3 ready"),
        (PARTITION, {"readyReplicas": 3, "updatedReplicas": 0, **APART}, "rolling", "0 of 1 updated"),
        (PARTITION, {"readyReplicas": 3, "updatedReplicas": 1, **APART}, "complete", "3/3 ready"),
        (ON_DELETE, {"readyReplicas": 3, "updatedReplicas": 1, **APART}, "failed",
         "its update strategy is OnDelete: its pods are not replaced"),
        (ON_DELETE, {"readyReplicas": 3, "updatedReplicas": 3, **APART}, "complete", "3/3 ready"),
        (ON_DELETE, {"readyReplicas": 2, "updatedReplicas": 3, **APART}, "rolling", "2 of 3 ready"),
    ],
)  # fmt: skip
def test_a_stateful_set(spec: dict[str, Any], status: dict[str, Any], state: str, text: str) -> None:
    found = status_of(workload("StatefulSet", {"replicas": 3, **spec}, status))
    assert (found.state, found.text) == (state, text)


@pytest.mark.parametrize(
    ("spec", "updated", "available", "state", "text"),
    [
        ({}, 1, 3, "rolling", "1 of 3 updated"),
        ({}, 3, 2, "rolling", "2 of 3 ready"),
        ({}, 3, 3, "complete", "3/3 ready"),
        (ON_DELETE, 1, 3, "failed", "its update strategy is OnDelete: its pods are not replaced"),
        (ON_DELETE, 3, 3, "complete", "3/3 ready"),
    ],
)
def test_a_daemon_set(spec: dict[str, Any], updated: int, available: int, state: str, text: str) -> None:
    status = {"desiredNumberScheduled": 3, "updatedNumberScheduled": updated, "numberAvailable": available}
    found = status_of(workload("DaemonSet", spec, status))
    assert (found.state, found.text) == (state, text)


def test_what_does_not_roll_out_is_there_or_not() -> None:
    assert status_of({"kind": "ConfigMap", "metadata": {}}).state == "complete"


NOT_READY = [{"type": "Ready", "status": "False"}]


def waiting(reason: str, restarts: int = 0) -> dict[str, Any]:
    return {"state": {"waiting": {"reason": reason}}, "restartCount": restarts}


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"conditions": [{"type": "Ready", "status": "True"}]}, ""),
        ({"conditions": NOT_READY, "containerStatuses": [{"state": {"running": {}}}, waiting("CrashLoopBackOff", 5)]},
         "CrashLoopBackOff, 5 restarts"),
        ({"conditions": NOT_READY, "initContainerStatuses": [waiting("ImagePullBackOff")],
          "containerStatuses": [waiting("PodInitializing")]}, "ImagePullBackOff"),
        ({"conditions": NOT_READY, "containerStatuses": [{"state": {"terminated": {"reason": "OOMKilled"}}}]}, "OOMKilled"),
        ({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}, "Unschedulable"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({}, ""),
    ],
)  # fmt: skip
def test_why_a_pod_is_not_ready(status: dict[str, Any], said: str) -> None:
    assert complaint({"status": status}) == said
    assert is_ready({"status": status}) == (status.get("conditions") == [{"type": "Ready", "status": "True"}])


def test_a_selector_as_the_api_wants_it() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]}, {"key": "old", "operator": "NotIn", "values": ["x"]},
        {"key": "app", "operator": "Exists"}, {"key": "gone", "operator": "DoesNotExist"},
    ]  # fmt: skip
    selector = {"matchLabels": {"app": "web"}, "matchExpressions": expressions}
    assert selector_of({"spec": {"selector": selector}}) == "app=web,tier in (a,b),old notin (x),app,!gone"
