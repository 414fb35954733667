"""What the server refuses: names, values out of range, what does not fit together, and what may not change any more.

The common rules of the kinds that a drill uses, in the words of the real server; `docs/drill-kubernetes.md` says what is left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from console.sandbox.kubernetes import names
from console.sandbox.kubernetes.decoding import misfits
from console.sandbox.kubernetes.documents import Object, dig, equal
from console.sandbox.kubernetes.errors import (
    Cause,
    duplicate,
    forbidden_field,
    required,
    too_long,
    unsupported,
    wrong,
    wrong_type,
)
from console.sandbox.kubernetes.kinds import Kind
from console.sandbox.kubernetes.quantities import is_quantity
from console.sandbox.kubernetes.schema import FreeMap, Listing, Node, Scalar, Struct
from console.sandbox.kubernetes.selectors import selected

_IMMUTABLE = "field is immutable"
_LARGEST_DATA_BYTES = 1024 * 1024
_LARGEST_ANNOTATIONS_BYTES = 256 * 1024


def problems(kind: Kind, obj: Object) -> list[Cause]:
    """Everything that is wrong with an object that is made."""
    found = list(_metadata(kind, obj["metadata"]))
    if kind.custom:
        return [*found, *_custom(kind, obj)]
    found += _KINDS.get(kind.kind, _nothing)(obj)
    return [*found, *_enums(kind.node, {k: v for k, v in obj.items() if k != "metadata"}, "")]


def change_problems(kind: Kind, old: Object, new: Object) -> list[Cause]:
    """Everything that is wrong with what an object would become."""
    found = [
        wrong(f"metadata.{key}", new["metadata"].get(key, ""), _IMMUTABLE)
        for key in ("uid", "creationTimestamp", "name", "namespace")
        if new["metadata"].get(key) != old["metadata"].get(key)
    ]
    found += list(_metadata(kind, new["metadata"]))
    if kind.custom:
        return [*found, *_custom(kind, new)]
    for path in _FIXED.get(kind.kind, ()):
        keys = path.split(".")
        value = dig(new, *keys)
        if not equal(dig(old, *keys), value):
            found.append(wrong(path, value, _IMMUTABLE))
    found += _CHANGES.get(kind.kind, _no_change)(old, new)
    found += _KINDS.get(kind.kind, _nothing)(new)
    return [*found, *_enums(kind.node, {k: v for k, v in new.items() if k != "metadata"}, "")]


_FIXED = {
    "Deployment": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "Job": ("spec.selector", "spec.template", "spec.completionMode"),
    "Secret": ("type",),
    "StatefulSet": ("spec.serviceName", "spec.selector", "spec.podManagementPolicy"),
}


def _nothing(_: Object) -> Iterator[Cause]:
    return iter(())


def _no_change(_: Object, __: Object) -> Iterator[Cause]:
    return iter(())


# ------------------------------------------------------------ every object


def _metadata(kind: Kind, metadata: Object) -> Iterator[Cause]:
    name = metadata.get("name", "")
    if not name:
        yield required("metadata.name", "name or generateName is required")
    else:
        yield from _NAMES.get(kind.kind, names.subdomain_problems)("metadata.name", name)
    if kind.namespaced and not metadata.get("namespace"):
        yield required("metadata.namespace")
    yield from _labels("metadata.labels", metadata.get("labels"))
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        yield from names.qualified_problems("metadata.annotations", key.lower())
    if sum(len(k) + len(v) for k, v in annotations.items()) > _LARGEST_ANNOTATIONS_BYTES:
        yield too_long("metadata.annotations", _LARGEST_ANNOTATIONS_BYTES)
    for index, owner in enumerate(metadata.get("ownerReferences") or []):
        for key in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(key):
                yield wrong(f"metadata.ownerReferences[{index}].{key}", owner.get(key, ""), f"{key} must not be empty")


def _path_segment(path: str, name: str) -> list[Cause]:
    if name in (".", ".."):
        return [wrong(path, name, f"may not be '{name}'")]
    return [wrong(path, name, f"may not contain '{one}'") for one in ("/", "%") if one in name]


def _no_dots(path: str, name: str) -> list[Cause]:
    return [wrong(path, name, "must not contain dots")] if "." in name else names.label_problems(path, name)


_NAMES: dict[str, Callable[[str, str], list[Cause]]] = {
    "Namespace": _no_dots,
    "Service": names.label_problems,
    "ClusterRole": _path_segment,
    "ClusterRoleBinding": _path_segment,
    "Role": _path_segment,
    "RoleBinding": _path_segment,
}


def _labels(path: str, labels: Object | None) -> Iterator[Cause]:
    for key, value in (labels or {}).items():
        yield from names.qualified_problems(path, key)
        yield from names.label_value_problems(path, value)


def _enums(node: Node, value: Any, path: str) -> Iterator[Cause]:
    """Values of fields that know only a few."""
    if isinstance(node, Struct) and isinstance(value, dict):
        for key, inner in value.items():
            if key in node.fields:
                yield from _enums(node.fields[key].node, inner, f"{path}.{key}" if path else key)
    elif isinstance(node, FreeMap) and isinstance(value, dict):
        for key, inner in value.items():
            yield from _enums(node.of, inner, f"{path}[{key}]")
    elif isinstance(node, Listing) and isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _enums(node.of, inner, f"{path}[{index}]")
    elif isinstance(node, Scalar) and value not in (None, ""):
        if node.enum and value not in node.enum:
            yield unsupported(path, value, node.enum)
        if node.of == "quantity" and not is_quantity(value):
            form = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            yield wrong(path, value, form)


def _custom(kind: Kind, obj: Object) -> Iterator[Cause]:
    for path, value, wanted in misfits(kind.node, obj, ""):
        shape = {dict: "object", list: "array", str: "string", bool: "boolean"}.get(type(value), "number")
        shown = value if isinstance(value, str | int | float) else shape
        said = f'{path} in body must be of type {wanted}: "{shape}"'
        yield wrong_type(path, shape if isinstance(value, str) else shown, said)


# ------------------------------------------------------------ pods


def _pod_spec(spec: Object, path: str) -> Iterator[Cause]:
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    yield from _volumes(spec.get("volumes") or [], f"{path}.volumes")
    if not spec.get("containers"):
        yield required(f"{path}.containers")
    seen: set[str] = set()
    for group in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(group) or []):
            here = f"{path}.{group}[{index}]"
            yield from _container(container, here, volumes)
            if container.get("name") and container["name"] in seen:
                yield duplicate(f"{here}.name", container["name"])
            seen.add(container.get("name", ""))


def _volumes(volumes: list[Object], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        name = volume.get("name", "")
        yield from (
            [required(f"{path}[{index}].name")] if not name else names.label_problems(f"{path}[{index}].name", name)
        )
        if name in seen:
            yield duplicate(f"{path}[{index}].name", name)
        seen.add(name)


def _container(container: Object, path: str, volumes: set[Any]) -> Iterator[Cause]:
    name = container.get("name", "")
    yield from ([required(f"{path}.name")] if not name else names.label_problems(f"{path}.name", name))
    if not container.get("image"):
        yield required(f"{path}.image")
    elif container["image"] != container["image"].strip():
        yield wrong(f"{path}.image", container["image"], "must not have leading or trailing whitespace")
    for index, variable in enumerate(container.get("env") or []):
        yield from _variable(variable, f"{path}.env[{index}]")
    for index, port in enumerate(container.get("ports") or []):
        if not port.get("containerPort"):
            yield required(f"{path}.ports[{index}].containerPort")
        else:
            yield from _port(f"{path}.ports[{index}].containerPort", port["containerPort"])
    mounted: set[str] = set()
    for index, mount in enumerate(container.get("volumeMounts") or []):
        here = f"{path}.volumeMounts[{index}]"
        if not mount.get("name"):
            yield required(f"{here}.name")
        elif mount["name"] not in volumes:
            yield Cause("FieldValueNotFound", f"{here}.name", f'Not found: "{mount["name"]}"')
        if not mount.get("mountPath"):
            yield required(f"{here}.mountPath")
        elif mount["mountPath"] in mounted:
            yield wrong(f"{here}.mountPath", mount["mountPath"], "must be unique")
        mounted.add(mount.get("mountPath", ""))


def _variable(variable: Object, path: str) -> Iterator[Cause]:
    if not variable.get("name"):
        yield required(f"{path}.name")
    if variable.get("value") and variable.get("valueFrom"):
        yield wrong(f"{path}.valueFrom", "", "may not be specified when `value` is not empty")
    elif variable.get("valueFrom") == {}:
        yield wrong(
            f"{path}.valueFrom",
            "",
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`",
        )


def _port(path: str, number: int) -> Iterator[Cause]:
    if not 1 <= number <= 65535:
        yield wrong(path, number, "must be between 1 and 65535, inclusive")


def _pod(obj: Object) -> Iterator[Cause]:
    return _pod_spec(obj["spec"], "spec")


# ------------------------------------------------------------ workloads


def _workload(obj: Object) -> Iterator[Cause]:
    """What Deployments, ReplicaSets, StatefulSets and DaemonSets have in common."""
    spec = obj["spec"]
    if isinstance(spec.get("replicas"), int) and spec["replicas"] < 0:
        yield wrong("spec.replicas", spec["replicas"], "must be greater than or equal to 0")
    selector = spec.get("selector")
    if selector is None:
        yield required("spec.selector")
    elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
        yield wrong("spec.selector", selector, f"empty selector is invalid for {_spoken(obj)}")
    labels = dig(spec, "template", "metadata", "labels", default={})
    if (
        selector is None
        or not selected(selector, labels)
        or not (selector.get("matchLabels") or selector.get("matchExpressions"))
    ):
        yield wrong("spec.template.metadata.labels", labels or None, "`selector` does not match template `labels`")
    yield from _labels("spec.template.metadata.labels", labels)
    yield from _template(spec, "Always")


def _spoken(obj: Object) -> str:
    return {"StatefulSet": "statefulset", "DaemonSet": "daemonset"}.get(obj.get("kind", ""), "deployment")


def _template(spec: Object, *restarts: str) -> Iterator[Cause]:
    pod = dig(spec, "template", "spec", default={})
    yield from _pod_spec(pod, "spec.template.spec")
    if pod.get("restartPolicy") in ("Always", "Never", "OnFailure") and pod["restartPolicy"] not in restarts:
        yield unsupported("spec.template.spec.restartPolicy", pod["restartPolicy"], restarts)


def _deployment(obj: Object) -> Iterator[Cause]:
    yield from _workload(obj)
    spec = obj["spec"]
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate") is not None:
        yield forbidden_field("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
    for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        if isinstance(spec.get(name), int) and spec[name] < 0:
            yield wrong(f"spec.{name}", spec[name], "must be greater than or equal to 0")
    deadline, least = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
    if isinstance(deadline, int) and deadline <= least:
        yield wrong("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")
    rolling = strategy.get("rollingUpdate") or {}
    if [rolling.get(name) in (0, "0%") for name in ("maxSurge", "maxUnavailable")] == [True, True]:
        said = "may not be 0 when `maxSurge` is 0"
        yield wrong("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], said)


def _job(obj: Object) -> Iterator[Cause]:
    pod = dig(obj, "spec", "template", "spec", default={})
    yield from _pod_spec(pod, "spec.template.spec")
    if pod.get("restartPolicy") not in ("OnFailure", "Never"):
        yield required("spec.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"')


def _autoscaler(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    most = spec.get("maxReplicas", 0)
    if most == 0:
        yield required("spec.maxReplicas")
    if most < (spec.get("minReplicas") or 0):
        yield wrong("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    if "/" not in dig(spec, "scaleTargetRef", "apiVersion", default=""):
        yield wrong("spec.scaleTargetRef.apiVersion", dig(spec, "scaleTargetRef", "apiVersion", default=""),
                    "apiVersion must specify API group")  # fmt: skip
    for key in ("kind", "name"):
        if not dig(spec, "scaleTargetRef", key):
            yield required(f"spec.scaleTargetRef.{key}")


# ------------------------------------------------------------ all others


def _config_map(obj: Object) -> Iterator[Cause]:
    size = 0
    for name in ("data", "binaryData"):
        for key, value in (obj.get(name) or {}).items():
            yield from names.data_key_problems(f"{name}[{key}]", key)
            size += len(value)
    if size > _LARGEST_DATA_BYTES:
        yield too_long("", _LARGEST_DATA_BYTES)


def _secret(obj: Object) -> Iterator[Cause]:
    for key in obj.get("data") or {}:
        yield from names.data_key_problems(f"data[{key}]", key)


def _frozen(*parts: str) -> Callable[[Object, Object], Iterator[Cause]]:
    """A ConfigMap or Secret that was made immutable stays as it is."""

    def changed(old: Object, new: Object) -> Iterator[Cause]:
        if not old.get("immutable"):
            return
        said = "field is immutable when `immutable` is set"
        if not new.get("immutable"):
            yield forbidden_field("immutable", said)
        for part in parts:
            if not equal(old.get(part) or {}, new.get(part) or {}):
                yield forbidden_field(part, said)

    return changed


def _service(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    ports = spec.get("ports") or []
    headless = spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName"
    if not ports and not headless:
        yield required("spec.ports")
    seen: set[str] = set()
    for index, port in enumerate(ports):
        here = f"spec.ports[{index}]"
        if len(ports) > 1 and not port.get("name"):
            yield required(f"{here}.name")
        if port.get("name") and port["name"] in seen:
            yield duplicate(f"{here}.name", port["name"])
        seen.add(port.get("name", ""))
        yield from _port(f"{here}.port", port.get("port", 0))
        if isinstance(port.get("targetPort"), int):
            yield from _port(f"{here}.targetPort", port["targetPort"])
    if spec.get("type") == "ExternalName" and not spec.get("externalName"):
        yield required("spec.externalName")


def _service_change(old: Object, new: Object) -> Iterator[Cause]:
    before, after = old["spec"].get("clusterIP"), new["spec"].get("clusterIP")
    if before and before != after and new["spec"].get("type") != "ExternalName":
        yield wrong("spec.clusterIPs[0]", [after] if after else None, "may not change once set")


def _binding_change(old: Object, new: Object) -> Iterator[Cause]:
    if not equal(old.get("roleRef"), new.get("roleRef")):
        reference = new.get("roleRef") or {}
        inside = {"APIGroup": reference.get("apiGroup"), "Kind": reference.get("kind"), "Name": reference.get("name")}
        yield wrong("roleRef", inside, _IMMUTABLE)  # by the names of its inner form, which is a slip of the real server


def _role(obj: Object) -> Iterator[Cause]:
    for index, rule in enumerate(obj.get("rules") or []):
        if not rule.get("verbs"):
            yield required(f"rules[{index}].verbs")
        elif not rule.get("nonResourceURLs"):
            if not rule.get("apiGroups"):
                yield required(f"rules[{index}].apiGroups", "resource rules must supply at least one api group")
            if not rule.get("resources"):
                yield required(f"rules[{index}].resources", "resource rules must supply at least one resource")


def _definition(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    plural, group = dig(spec, "names", "plural", default=""), spec.get("group", "")
    if obj["metadata"].get("name") != f"{plural}.{group}":
        yield wrong("metadata.name", obj["metadata"].get("name", ""), 'must be spec.names.plural+"."+spec.group')
    if "." not in group:
        yield wrong("spec.group", group, "should be a domain with at least one dot")
    if [one.get("storage") for one in spec.get("versions") or []].count(True) != 1:
        yield wrong("spec.versions", spec.get("versions"), "must have exactly one version marked as storage version")


def _stateful_change(old: Object, new: Object) -> Iterator[Cause]:
    free = (*(path.removeprefix("spec.") for path in _FIXED["StatefulSet"]), "replicas", "ordinals", "template",
            "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy", "minReadySeconds")  # fmt: skip
    before = {key: value for key, value in old["spec"].items() if key not in free}
    after = {key: value for key, value in new["spec"].items() if key not in free}
    if not equal(before, after):
        listed = "'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', " \
                 "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds'"  # fmt: skip
        yield forbidden_field("spec", f"updates to statefulset spec for fields other than {listed} are forbidden")


def _pod_change(old: Object, new: Object) -> Iterator[Cause]:
    def fixed(pod: Object) -> Object:
        spec = {k: v for k, v in pod["spec"].items() if k not in ("activeDeadlineSeconds", "tolerations",
                "terminationGracePeriodSeconds", "nodeName")}  # fmt: skip
        for group in ("containers", "initContainers"):
            if group in spec:
                spec[group] = [{k: v for k, v in one.items() if k != "image"} for one in spec[group]]
        return spec

    node = old["spec"].get("nodeName")
    if not equal(fixed(old), fixed(new)) or (node and node != new["spec"].get("nodeName")):
        listed = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`," \
                 "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` " \
                 "(allow it to be set to 1 if it was previously negative)"  # fmt: skip
        yield forbidden_field("spec", f"pod updates may not change fields other than {listed}")


_KINDS: dict[str, Callable[[Object], Iterator[Cause]]] = {
    "ClusterRole": _role,
    "ConfigMap": _config_map,
    "CustomResourceDefinition": _definition,
    "DaemonSet": _workload,
    "Deployment": _deployment,
    "HorizontalPodAutoscaler": _autoscaler,
    "Job": _job,
    "Pod": _pod,
    "ReplicaSet": _workload,
    "Role": _role,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _workload,
}
_CHANGES: dict[str, Callable[[Object, Object], Iterator[Cause]]] = {
    "ClusterRoleBinding": _binding_change,
    "ConfigMap": _frozen("data", "binaryData"),
    "Pod": _pod_change,
    "RoleBinding": _binding_change,
    "Secret": _frozen("data"),
    "Service": _service_change,
    "StatefulSet": _stateful_change,
}
