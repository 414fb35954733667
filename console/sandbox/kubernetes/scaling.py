"""The `scale` subresource: a workload's number of replicas under one shape for every kind."""

from __future__ import annotations

from typing import Any

from console.sandbox.kubernetes.documents import Object, clone, dig
from console.sandbox.kubernetes.errors import bad_request


def scale_of(obj: Object) -> Object:
    """The Scale document of a workload."""
    metadata = {
        key: obj["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    }
    selector = dig(obj, "spec", "selector", "matchLabels", default={})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": dig(obj, "spec", "replicas", default=0)},
        "status": {
            "replicas": dig(obj, "status", "replicas", default=0),
            "selector": ",".join(f"{key}={selector[key]}" for key in sorted(selector)),
        },
    }


def scaled(obj: Object, scale: Any) -> Object:
    """The workload as the Scale document wants it."""
    replicas = dig(scale, "spec", "replicas", default=0)
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request("json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32")
    changed = clone(obj)
    changed["spec"]["replicas"] = replicas
    changed["metadata"].pop("resourceVersion", None)
    if version := dig(scale, "metadata", "resourceVersion"):
        changed["metadata"]["resourceVersion"] = version
    return changed  # type: ignore[no-any-return] # a clone of an object is an object
