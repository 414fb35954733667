"""Lists as `kubectl get` prints them: the usual columns of the usual kinds, and name and age for all others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from console.sandbox.kubernetes.documents import Object, dig
from console.sandbox.kubernetes.kinds import Kind

Cells = Callable[[Object], list[Any]]


def wanted(accept: str) -> bool:
    """Whether the client would rather have a table than a list."""
    first = accept.split(",")[0].replace(" ", "")
    return "as=Table" in first and "g=meta.k8s.io" in first and "v=v1" in first.split(";")


def table(kind: Kind, items: list[Object], metadata: Object, include: str) -> Object:
    names, cells = _columns(kind)
    definitions = [_definition(name, number) for number, name in enumerate(names)]
    rows = [{"cells": cells(obj), "object": _included(kind, obj, include)} for obj in items]
    return {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
            "columnDefinitions": definitions, "rows": rows}  # fmt: skip


def event(kind: Kind, told: Object, include: str) -> Object:
    """A watch event with its object as a table of one row."""
    if told["type"] in ("ERROR", "BOOKMARK"):
        return told
    obj = told["object"]
    metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
    return {"type": told["type"], "object": table(kind, [obj], metadata, include)}


def _included(kind: Kind, obj: Object, include: str) -> Object:
    if include == "None":
        return {}
    served = {"kind": kind.kind, "apiVersion": kind.api_version}
    if include == "Object":
        return {**served, **{key: value for key, value in obj.items() if key not in served}}
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _definition(name: str, number: int) -> Object:
    wide = name.startswith("+")
    form = "name" if number == 0 else ""
    return {"name": name.lstrip("+"), "type": "string", "format": form, "description": "", "priority": 1 if wide else 0}


def _columns(kind: Kind) -> tuple[list[str], Cells]:
    if kind.custom:
        return _custom(kind)
    return _KINDS.get(kind.kind, (["Name", "Age"], lambda obj: [_name(obj), age(obj)]))


def _custom(kind: Kind) -> tuple[list[str], Cells]:
    columns = list(kind.columns) or [{"name": "Age", "jsonPath": ".metadata.creationTimestamp", "type": "date"}]

    def cells(obj: Object) -> list[Any]:
        found = []
        for column in columns:
            value = dig(obj, *str(column["jsonPath"]).strip(".").split("."), default="")
            found.append(since(value) if column.get("type") == "date" and value else value)
        return [_name(obj), *found]

    names = [("+" if column.get("priority") else "") + column["name"] for column in columns]
    return ["Name", *names], cells


# ------------------------------------------------------------ cells


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def age(obj: Object) -> str:
    return since(obj["metadata"].get("creationTimestamp", ""))


def since(moment: str) -> str:
    if not moment:
        return "<unknown>"
    seconds = max(int((datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()), 0)
    if seconds < 120:
        return f"{seconds}s"
    minutes = seconds // 60
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours = minutes // 60
    return f"{hours}h" if hours < 48 else f"{hours // 24}d"


def _deployment(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    wanted_pods = dig(obj, "spec", "replicas", default=0)
    ready = f"{status.get('readyReplicas', 0)}/{wanted_pods}"
    return [_name(obj), ready, status.get("updatedReplicas", 0), status.get("availableReplicas", 0), age(obj),
            *_images(obj), _selector(obj)]  # fmt: skip


def _images(obj: Object) -> list[str]:
    containers = dig(obj, "spec", "template", "spec", "containers", default=[])
    return [",".join(str(c.get(key, "")) for c in containers) for key in ("name", "image")]


def _selector(obj: Object) -> str:
    labels = dig(obj, "spec", "selector", "matchLabels", default={})
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _replica_set(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    return [_name(obj), dig(obj, "spec", "replicas", default=0), status.get("replicas", 0), status.get("readyReplicas", 0),
            age(obj), *_images(obj), _selector(obj)]  # fmt: skip


def _stateful_set(obj: Object) -> list[Any]:
    ready = f"{dig(obj, 'status', 'readyReplicas', default=0)}/{dig(obj, 'spec', 'replicas', default=0)}"
    return [_name(obj), ready, age(obj), *_images(obj)]


def _daemon_set(obj: Object) -> list[Any]:
    status = obj.get("status") or {}
    counts = (
        "desiredNumberScheduled",
        "currentNumberScheduled",
        "numberReady",
        "updatedNumberScheduled",
        "numberAvailable",
    )
    nodes = dig(obj, "spec", "template", "spec", "nodeSelector", default={})
    selector = ",".join(f"{key}={value}" for key, value in sorted(nodes.items())) or "<none>"
    return [_name(obj), *(status.get(one, 0) for one in counts), selector, age(obj), *_images(obj), _selector(obj)]


def _pod(obj: Object) -> list[Any]:
    statuses = dig(obj, "status", "containerStatuses", default=[])
    ready = sum(1 for one in statuses if one.get("ready"))
    restarts = sum(int(one.get("restartCount", 0)) for one in statuses)
    return [_name(obj), f"{ready}/{len(dig(obj, 'spec', 'containers', default=[]))}", pod_state(obj), restarts, age(obj),
            dig(obj, "status", "podIP", default="<none>"), dig(obj, "spec", "nodeName", default="<none>"), "<none>",
            "<none>"]  # fmt: skip


def pod_state(obj: Object) -> str:
    """What kubectl shows as a pod's status."""
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for one in dig(obj, "status", "containerStatuses", default=[]):
        state = one.get("state") or {}
        for part in ("waiting", "terminated"):
            if reason := (state.get(part) or {}).get("reason"):
                return str(reason)
    return str(dig(obj, "status", "reason") or dig(obj, "status", "phase", default="Unknown"))


def _config_map(obj: Object) -> list[Any]:
    return [_name(obj), len(obj.get("data") or {}) + len(obj.get("binaryData") or {}), age(obj)]


def _service(obj: Object) -> list[Any]:
    spec = obj.get("spec") or {}
    ports = []
    for port in spec.get("ports") or []:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        ports.append(f"{port.get('port')}{node}/{port.get('protocol', 'TCP')}")
    selector = ",".join(f"{key}={value}" for key, value in sorted((spec.get("selector") or {}).items())) or "<none>"
    return [_name(obj), spec.get("type"), spec.get("clusterIP", "<none>"), spec.get("externalName", "<none>"),
            ",".join(ports) or "<none>", age(obj), selector]  # fmt: skip


def _node(obj: Object) -> list[Any]:
    ready = [c for c in dig(obj, "status", "conditions", default=[]) if c["type"] == "Ready"]
    state = "Ready" if ready and ready[0]["status"] == "True" else "NotReady"
    return [_name(obj), state, "<none>", age(obj), dig(obj, "status", "nodeInfo", "kubeletVersion", default="")]


def _event(obj: Object) -> list[Any]:
    about = obj.get("involvedObject") or {}
    seen = since(obj.get("lastTimestamp") or obj["metadata"].get("creationTimestamp", ""))
    return [seen, obj.get("type"), obj.get("reason"), f"{str(about.get('kind', '')).lower()}/{about.get('name')}",
            str(obj.get("message", "")).strip(), _name(obj)]  # fmt: skip


def _autoscaler(obj: Object) -> list[Any]:
    spec, target = obj["spec"], obj["spec"]["scaleTargetRef"]
    return [_name(obj), f"{target['kind']}/{target['name']}", "<unknown>", spec.get("minReplicas"), spec.get("maxReplicas"),
            dig(obj, "status", "currentReplicas", default=0), age(obj)]  # fmt: skip


def _binding(obj: Object) -> list[Any]:
    return [_name(obj), f"{obj['roleRef']['kind']}/{obj['roleRef']['name']}", age(obj)]


def _created(obj: Object) -> list[Any]:
    return [_name(obj), obj["metadata"].get("creationTimestamp", "")]


_WORKLOAD = ["+Containers", "+Images", "+Selector"]
_KINDS: dict[str, tuple[list[str], Cells]] = {
    "ClusterRole": (["Name", "Created At"], _created),
    "ClusterRoleBinding": (["Name", "Role", "Age"], _binding),
    "ConfigMap": (["Name", "Data", "Age"], _config_map),
    "CustomResourceDefinition": (["Name", "Created At"], _created),
    "DaemonSet": (["Name", "Desired", "Current", "Ready", "Up-to-date", "Available", "Node Selector", "Age", *_WORKLOAD],
                  _daemon_set),
    "Deployment": (["Name", "Ready", "Up-to-date", "Available", "Age", *_WORKLOAD], _deployment),
    "Event": (["Last Seen", "Type", "Reason", "Object", "Message", "+Name"], _event),
    "HorizontalPodAutoscaler": (["Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"], _autoscaler),
    "Namespace": (["Name", "Status", "Age"], lambda o: [_name(o), dig(o, "status", "phase", default=""), age(o)]),
    "Node": (["Name", "Status", "Roles", "Age", "Version"], _node),
    "Pod": (["Name", "Ready", "Status", "Restarts", "Age", "+IP", "+Node", "+Nominated Node", "+Readiness Gates"], _pod),
    "ReplicaSet": (["Name", "Desired", "Current", "Ready", "Age", *_WORKLOAD], _replica_set),
    "Role": (["Name", "Created At"], _created),
    "RoleBinding": (["Name", "Role", "Age"], _binding),
    "Secret": (["Name", "Type", "Data", "Age"], lambda o: [_name(o), o.get("type"), len(o.get("data") or {}), age(o)]),
    "Service": (["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "+Selector"], _service),
    "StatefulSet": (["Name", "Ready", "Age", "+Containers", "+Images"], _stateful_set),
}  # fmt: skip
