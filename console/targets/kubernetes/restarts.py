"""Restarting the readers of a ConfigMap or Secret so that a repeated run can tell that it has been done.

`kubectl rollout restart` stamps the time into the pod template; here the template is stamped with the hash of the data that
the pods are to read. The same data is the same stamp, so a second run or a resumed one restarts nothing twice, and taking the
stamp away again is the exact way back.
"""

from __future__ import annotations

import copy

from console.engine.ports import Json, fingerprint
from console.targets.kubernetes.client import MERGE, KubernetesTarget
from console.targets.kubernetes.edits import Edit
from console.targets.kubernetes.objects import Ref, content
from console.targets.kubernetes.rollout import pods_of

_PREFIX = "rollback-console/"
_KUBECTL_STAMP = "kubectl.kubernetes.io/restartedAt"
_HASH_LABEL = "pod-template-hash"
_LONGEST_NAME = 63


def stamp_name(kind: str, name: str) -> str:
    """The annotation that says which data of this ConfigMap or Secret the pods have read."""
    stamp = f"read-{name}" if kind == "ConfigMap" else f"read-{kind.lower()}-{name}"
    if len(stamp) > _LONGEST_NAME:
        stamp = f"{stamp[: _LONGEST_NAME - 9]}-{fingerprint([kind, name])[:8]}"
    return f"{_PREFIX}{stamp}"


def version_of(source: Json) -> str:
    """What tells two states of the data apart. With the uid in it, a Secret's data can't be guessed from the stamp alone."""
    return fingerprint([source.get("data"), source.get("binaryData"), source["metadata"].get("uid")])[:16]


def bare(template: Json) -> Json:
    """What a pod template asks for: without the controller's hash label and without the stamps of restarts."""
    kept = copy.deepcopy(template)
    metadata = kept.get("metadata") or {}
    (metadata.get("labels") or {}).pop(_HASH_LABEL, None)
    if metadata.get("annotations"):
        metadata["annotations"] = {k: v for k, v in metadata["annotations"].items() if not _is_stamp(k)}
        if not metadata["annotations"]:
            del metadata["annotations"]
    return kept


def with_restarts_of(current: Json, template: Json) -> Json:
    """The template with the restart stamps of the current one: going to a revision does not take a restart back."""
    stamps = {k: v for k, v in ((current.get("metadata") or {}).get("annotations") or {}).items() if _is_stamp(k)}
    if not stamps:
        return template
    metadata = template.get("metadata") or {}
    return {**template, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **stamps}}}


def _is_stamp(annotation: str) -> bool:
    return annotation == _KUBECTL_STAMP or annotation.startswith(_PREFIX)


async def restart_edit(
    target: KubernetesTarget, ref: Ref, workload: Json, source: Json, version: str, *, changed: bool
) -> Edit | None:
    """The edit that restarts one reader of the ConfigMap or Secret, or None when its pods have certainly read this version."""
    stamp = stamp_name(source["kind"], source["metadata"]["name"])
    template = workload["spec"]["template"]
    stamped = ((template.get("metadata") or {}).get("annotations") or {}).get(stamp)
    if stamped == version:
        return None
    if not changed and await _started_since(target, workload, _written_at(source)):
        return None
    body = {"spec": {"template": {"metadata": {"annotations": {stamp: version}}}}}
    before = content(workload)
    after = copy.deepcopy(before)
    metadata = after["spec"]["template"].setdefault("metadata", {})
    metadata["annotations"] = {**(metadata.get("annotations") or {}), stamp: version}
    return Edit(
        ref,
        before,
        after,
        content_type=MERGE,
        body=body,
        uid=workload["metadata"]["uid"],
        identity=["restart", stamp, version],
    )


async def _started_since(target: KubernetesTarget, workload: Json, moment: str) -> bool:
    """Whether every pod began after the moment, both in the server's own seconds; an equal second counts as before."""
    pods = await pods_of(target, workload)
    return bool(moment) and bool(pods) and all(str(p["metadata"]["creationTimestamp"]) > moment for p in pods)


def _written_at(source: Json) -> str:
    """When the data was last written, by the managed fields (RFC 3339, UTC, so that text order is time order)."""
    entries = source["metadata"].get("managedFields") or []
    times = [str(e.get("time", "")) for e in entries if {"f:data", "f:binaryData"} & set(e.get("fieldsV1") or {})]
    return max(times, default="")
