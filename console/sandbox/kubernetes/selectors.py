"""Label and field selectors, as `kubectl get -l` and `--field-selector` send them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from console.sandbox.kubernetes.documents import Object, dig
from console.sandbox.kubernetes.errors import bad_request

Matches = Callable[[Object], bool]

_SET = re.compile(r"^(?P<key>[^\s=!,()]+)\s+(?P<negated>not)?in\s*\((?P<values>[^()]*)\)$")
_EQUALS = re.compile(r"^(?P<key>[^\s=!,()]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!,()]*)$")
_KEY = re.compile(r"^(?P<negated>!\s*)?(?P<key>[^\s=!,()]+)$")
_COMMA = re.compile(r",(?![^()]*\))")  # not one between the brackets of a set

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


def labels_match(text: str) -> Callable[[Mapping[str, str]], bool]:
    """A test of labels. Raises 400 for a selector that can't be read."""
    tests = [_requirement(part.strip()) for part in _COMMA.split(text) if part.strip()]
    return lambda labels: all(test(labels) for test in tests)


def _requirement(text: str) -> Callable[[Mapping[str, str]], bool]:
    if found := _SET.match(text):
        key, values = found["key"], {value.strip() for value in found["values"].split(",")}
        if found["negated"]:
            return lambda labels: labels.get(key) not in values
        return lambda labels: labels.get(key) in values
    if found := _EQUALS.match(text):
        key, value = found["key"], found["value"]
        if found["operator"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _KEY.match(text):
        key = found["key"]
        return (lambda labels: key not in labels) if found["negated"] else (lambda labels: key in labels)
    if found := re.match(r"^\S+\s+(?:not)?in\s+(\S+)$", text):
        raise bad_request(f"unable to parse requirement: found '{found[1]}' expected: '('")
    raise bad_request(f"unable to parse requirement: {text}")


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
