"""What the server itself adds to an object or keeps from being changed: status, generation, addresses, labels of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from console.sandbox.kubernetes.defaults import TEMPLATE_GENERATION, admitted_pod
from console.sandbox.kubernetes.documents import Object, clone, dig, equal
from console.sandbox.kubernetes.fields import FieldSet
from console.sandbox.kubernetes.kinds import Kind
from console.sandbox.kubernetes.schema import zero

_FIRST_NODE_PORT = 30000


def reset_fields(kind: Kind, subresource: str) -> FieldSet:
    """What a write of this kind by this way never changes, so that nobody comes to own it by it."""
    if subresource == "status":
        return FieldSet.of(("f:spec",), ("f:metadata",) if kind.custom else ("f:metadata", "f:labels"))
    return FieldSet.of(("f:status",)) if kind.has_status else FieldSet()


def prepared_for_creation(kind: Kind, obj: Object, taken: Callable[[], Sequence[Object]]) -> Object:
    """`taken` lists the services that there are, whose addresses are not given twice."""
    if kind.has_status and kind.kind != "Node":
        obj.pop("status", None)
        status = _STATUS.get(kind.kind)
        if status is not None:
            obj["status"] = clone(status)
        elif not kind.custom and "status" in (empty := zero(kind.node)):
            obj["status"] = empty["status"]
    if kind.counted:
        obj["metadata"]["generation"] = 1
    if kind.kind == "Pod":
        admitted_pod(obj["spec"])
        obj["status"]["qosClass"] = _quality(obj["spec"])
    elif kind.kind == "Namespace":
        obj["spec"] = {"finalizers": ["kubernetes"]}
    elif kind.kind == "Service":
        _addressed(obj, None, taken())
    elif kind.kind == "Job":
        _labelled_job(obj)
    return _without_empty_rules(kind, obj)


def prepared_for_update(kind: Kind, old: Object, new: Object, subresource: str) -> Object:
    """Whatever this way of writing may not touch is as it was; the generation grows when the rest changed."""
    if subresource == "status":
        kept = {key: value for key, value in old.items() if key != "status"}
        metadata = {**old["metadata"], "managedFields": new["metadata"].get("managedFields")}
        if not kind.custom and new["metadata"].get("annotations") is not None:
            metadata["annotations"] = new["metadata"]["annotations"]
        metadata = {key: value for key, value in metadata.items() if value is not None}
        return {**kept, "metadata": metadata, **({"status": new["status"]} if "status" in new else {})}
    if kind.has_status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    new["metadata"].setdefault("creationTimestamp", old["metadata"]["creationTimestamp"])
    for key in ("deletionTimestamp", "deletionGracePeriodSeconds", "generation"):
        _keep(new["metadata"], old["metadata"], key)
    if kind.kind == "Service":
        _addressed(new, old, [])
    if kind.kind == "Namespace" and subresource != "finalize":
        new["spec"] = old["spec"]
    if kind.kind == "DaemonSet" and not equal(old["spec"]["template"], new["spec"]["template"]):
        count = int(dig(old, "metadata", "annotations", TEMPLATE_GENERATION, default="1")) + 1
        new["metadata"]["annotations"] = {**(new["metadata"].get("annotations") or {}), TEMPLATE_GENERATION: str(count)}
    if kind.counted and not equal(_content(kind, old), _content(kind, new)):
        new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
    return _without_empty_rules(kind, new)


def _without_empty_rules(kind: Kind, obj: Object) -> Object:
    """A role of no rules has null for them: the real server's store knows no empty list."""
    return {**obj, "rules": None} if kind.kind in ("Role", "ClusterRole") and obj.get("rules") == [] else obj


def _keep(new: Object, old: Object, key: str) -> None:
    if key in old:
        new[key] = old[key]
    else:
        new.pop(key, None)


def _content(kind: Kind, obj: Object) -> Object:
    """What the generation counts the changes of; of a Deployment its annotations too, because its ReplicaSets get them."""
    left_out = ("metadata", "apiVersion", "kind", *(("status",) if kind.has_status else ()))
    content = {key: value for key, value in obj.items() if key not in left_out}
    return content | ({"annotations": obj["metadata"].get("annotations")} if kind.kind == "Deployment" else {})


_STATUS: dict[str, Object] = {
    "CustomResourceDefinition": {
        "conditions": None,
        "acceptedNames": {"plural": "", "kind": ""},
        "storedVersions": None,
    },
    "Namespace": {"phase": "Active"},
    "PersistentVolumeClaim": {"phase": "Pending"},
    "Pod": {"phase": "Pending"},
    "Service": {"loadBalancer": {}},
}


def _quality(spec: Object) -> str:
    """The class by which the kubelet evicts."""
    resources = [c.get("resources") or {} for c in [*spec["containers"], *(spec.get("initContainers") or [])]]
    if not any(r.get("limits") or r.get("requests") for r in resources):
        return "BestEffort"
    for one in resources:
        limits, requests = one.get("limits") or {}, one.get("requests") or {}
        if any(name not in limits or requests.get(name, limits[name]) != limits[name] for name in ("cpu", "memory")):
            return "Burstable"
    return "Guaranteed"


def _addressed(service: Object, old: Object | None, others: Sequence[Object]) -> None:
    spec = service["spec"]
    if spec.get("type") == "ExternalName":
        return
    before = (old or {}).get("spec") or {}
    for key in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if key not in spec and key in before:
            spec[key] = before[key]
    if "clusterIP" not in spec:
        used = {other["spec"].get("clusterIP") for other in others}
        spec["clusterIP"] = next(a for n in range(1, 100_000) if (a := _address(n)) not in used)
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    if spec["type"] in ("NodePort", "LoadBalancer"):
        _node_ports(spec, before, others)


def _address(number: int) -> str:
    return f"10.96.{number // 250}.{number % 250 + 1}"


def _node_ports(spec: Object, before: Object, others: Sequence[Object]) -> None:
    known = {port["port"]: port.get("nodePort") for port in before.get("ports") or []}
    used = {port.get("nodePort") for other in others for port in other["spec"].get("ports") or []}
    for port in spec.get("ports") or []:
        if not port.get("nodePort"):
            free = next(n for n in range(_FIRST_NODE_PORT, 32768) if n not in used)
            port["nodePort"] = known.get(port["port"]) or free
        used.add(port["nodePort"])


def _labelled_job(job: Object) -> None:
    spec, uid, name = job["spec"], job["metadata"]["uid"], job["metadata"]["name"]
    if spec.get("manualSelector"):
        return
    template = spec["template"].setdefault("metadata", {})
    labels = {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    template["labels"] = {**(template.get("labels") or {}), **labels}
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    if not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(template["labels"])


def new_uid() -> str:
    return str(uuid.uuid4())
