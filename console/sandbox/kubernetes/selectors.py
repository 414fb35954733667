"""Selectors of objects and fields, as documents have them and as `kubectl get --field-selector` sends them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from console.sandbox.kubernetes.documents import Object, dig
from console.sandbox.kubernetes.errors import bad_request

Matches = Callable[[Object], bool]

_FIELDS = {
    "Pod": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "status.phase",
            "status.podIP", "status.nominatedNodeName"),
    "Event": ("involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
              "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
              "reportingComponent", "source", "type"),
    "Secret": ("type",),
    "Namespace": ("status.phase", "name"),
    "Node": ("spec.unschedulable",),
    "ReplicaSet": ("status.replicas",),
    "Job": ("status.successful",),
    "Service": ("spec.clusterIP", "spec.type"),
}  # fmt: skip
_SAYS_SO_ITSELF = frozenset(("Pod", "Event", "Secret", "Namespace", "Node", "ReplicaSet", "Job", "Service"))


def selected(selector: Object | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector document matches; an empty one matches everything, none at all nothing."""
    if selector is None:
        return False
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_expression(one, labels) for one in selector.get("matchExpressions") or [])


def _expression(one: Object, labels: Mapping[str, str]) -> bool:
    key, values = one["key"], one.get("values") or []
    operators: dict[str, Callable[[], bool]] = {
        "In": lambda: labels.get(key) in values,
        "NotIn": lambda: labels.get(key) not in values,
        "Exists": lambda: key in labels,
        "DoesNotExist": lambda: key not in labels,
    }
    return operators[one["operator"]]()


def fields_match(text: str, kind: str) -> Matches:
    """A test of the few fields that the server lets a kind be selected by."""
    tests: list[Matches] = []
    for part in text.split(","):
        if not part.strip():
            continue
        found = re.match(r"^(?P<field>[^=!]+?)(?P<operator>==|=|!=)(?P<value>.*)$", part.strip())
        if found is None:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        tests.append(_field(found["field"], found["operator"], found["value"], kind))
    return lambda obj: all(test(obj) for test in tests)


def _field(path: str, operator: str, value: str, kind: str) -> Matches:
    if path not in ("metadata.name", "metadata.namespace", *_FIELDS.get(kind, ())):
        if kind in _SAYS_SO_ITSELF:
            raise bad_request(f"field label not supported: {path}")
        known = 'only "metadata.name", "metadata.namespace"'
        raise bad_request(f'"{path}" is not a known field selector: {known}')
    steps = {"name": ("metadata", "name"), "source": ("source", "component")}.get(path) or tuple(path.split("."))

    def reads(obj: Object) -> bool:
        found: Any = dig(obj, *steps, default="")
        return (str(found) == value) != (operator == "!=")

    return reads
