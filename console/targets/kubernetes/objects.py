"""What of a Kubernetes object counts: its content without what the server and its controllers maintain by themselves.

Pure functions over JSON. `content` is what before and after are compared by; `visible` is the same with secrets masked, for
everything that a person sees or that the journal keeps the fingerprint of.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from console.domain.difference import (
    ABSENT,
    Difference,
    Path,
    by_name,
    differences,
    has_lines,
    line_differences,
    say,
)
from console.engine.ports import Json, Seen, canonical, fingerprint
from console.targets.text import clean, clean_line

MOST_LINES_OF_ONE: Final = 40
"""How much of the diff of one text of several lines is shown."""
_LONGEST_LINE: Final = 400
FIELD_MANAGER = "rollback-console"
REVISION = "deployment.kubernetes.io/revision"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_CONTROLLER_ANNOTATIONS = frozenset(
    {
        REVISION,
        "deployment.kubernetes.io/desired-replicas",
        "deployment.kubernetes.io/max-replicas",
        "deployment.kubernetes.io/revision-history",
    }
)
_SECRET_NAME = re.compile(r"passw|secret|token|api_?key|private_?key|credential|dsn|connection_?string", re.IGNORECASE)
_OWN_MANAGERS = frozenset({FIELD_MANAGER, "kube-controller-manager", "kube-apiserver"})


@dataclass(frozen=True, slots=True)
class Ref:
    """One object of one cluster. `path` is where the API server serves it."""

    api_version: str
    kind: str
    namespace: str
    name: str
    path: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {where}{self.name}"

    def to_json(self) -> Json:
        return [self.api_version, self.kind, self.namespace, self.name, self.path]

    @classmethod
    def from_json(cls, document: Json) -> Ref:
        return cls(*document)


def content(obj: Json) -> Json:
    """The object without status and without what its server maintains."""
    if obj is None:
        return None
    kept = {k: v for k, v in obj.items() if k not in ("status", "metadata")}
    metadata = obj.get("metadata") or {}
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k not in _CONTROLLER_ANNOTATIONS}
    slim: dict[str, Any] = {"name": metadata.get("name"), "annotations": annotations}
    slim |= {k: metadata[k] for k in ("namespace", "labels", "ownerReferences", "finalizers") if metadata.get(k)}
    return {**kept, "metadata": slim}


def visible(document: Json) -> Json:
    """`content` with every secret value replaced by a mark that still tells two values apart."""
    if isinstance(document, dict) and document.get("kind") == "Secret":
        masked = {k: _mask_all(v) if k in ("data", "stringData") else v for k, v in document.items()}
        return _masked(masked)
    return _masked(document)


def seen(obj: Json) -> Seen:
    """The object as somebody looked at it. Replicas are left out: an autoscaler may move them at any time."""
    if obj is None:
        return Seen(None)
    shown = visible(content(obj))
    if isinstance(shown.get("spec"), dict):
        shown = {**shown, "spec": {k: v for k, v in shown["spec"].items() if k != "replicas"}}
    return Seen({**shown, "uid": obj["metadata"].get("uid")}, last_writer(obj))


def last_writer(obj: Json) -> str:
    """Who changed the object last, by its managed fields, and when; "" when nobody but the controllers is named."""
    entries = [
        entry
        for entry in (obj.get("metadata") or {}).get("managedFields") or []
        if entry.get("subresource") != "status" and entry.get("manager") not in _OWN_MANAGERS and entry.get("time")
    ]
    if not entries:
        return ""
    newest = max(entries, key=lambda entry: str(entry["time"]))
    return clean_line(f"{newest.get('manager', '?')} ({newest.get('operation', '?')}, {newest['time']})")


def differ(before: Json, after: Json) -> list[Difference]:
    """Each difference of two contents, secrets masked, replicas included."""
    return list(differences(ABSENT if before is None else visible(before), ABSENT if after is None else visible(after)))


def diff_lines(name: str, before: Json, after: Json, manifest: Json = None) -> list[str]:
    """The readable diff of one object: its name, then a − and a + for each path. A new object is shown as its manifest."""
    lines = [name]
    if before is None:
        shown = {k: v for k, v in visible(manifest or after).items() if k not in ("apiVersion", "kind", "metadata")}
        return [*lines, "+ created", *(line for path, leaf in _leaves(shown) for line in _changed(path, ABSENT, leaf))]
    if after is None:
        return [*lines, "- deleted"]
    for difference in differ(before, after):
        lines += _changed(difference.where, difference.old, difference.new)
    return lines


def _changed(where: str, old: Any, new: Any) -> list[str]:
    """A − and a + for a path; a text of several lines has its changed lines under it."""
    if any(has_lines(value) for value in (old, new)) and all(isinstance(v, str) or v is ABSENT for v in (old, new)):
        sign = "+" if old is ABSENT else "-" if new is ABSENT else " "
        texts = ("" if value is ABSENT else value for value in (old, new))
        found = list(line_differences(*texts))
        more = [f"      … {len(found) - MOST_LINES_OF_ONE} more lines"] if len(found) > MOST_LINES_OF_ONE else []
        return [f"{sign} {where}:", *(_line(s, text) for s, text in found[:MOST_LINES_OF_ONE]), *more]
    sides = (("-", old), ("+", new))
    return [f"{sign} {where}: {_said(value)}" for sign, value in sides if value is not ABSENT]


def _line(sign: str, text: str) -> str:
    """A line of a text, indented under its path. What would not be seen (blanks at the end, controls) is spelled."""
    if sign == "…":
        return "      …"
    seen = clean(text, _LONGEST_LINE)
    if text.rstrip() != text or clean(text, len(text)) != text or "\t" in text:
        seen = clean_line(json.dumps(text), limit=_LONGEST_LINE)
    return f"{sign}     {seen}".rstrip()


def merge_patch(old: Json, new: Json) -> Json:
    """The JSON merge patch (RFC 7386) that turns `old` into `new`."""
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return new
    patch: dict[str, Any] = {k: None for k in old if k not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif not same(old[key], value):
            patch[key] = merge_patch(old[key], value)
    return patch


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values, or ABSENT, are the same; 1 and true are not."""
    if one is ABSENT or other is ABSENT:
        return one is other
    return one is other or (bool(one == other) and canonical(one) == canonical(other))


def named_by(manifest: Json, document: Json) -> Json:
    """What of the document the manifest speaks of: its own defaults, allocations and generated names are left out."""
    if isinstance(manifest, dict) and isinstance(document, dict):
        return {key: named_by(value, document[key]) for key, value in manifest.items() if key in document}
    if isinstance(manifest, list) and isinstance(document, list):
        wanted, there = by_name(manifest), by_name(document)
        if wanted and there:
            return [named_by(item, there[name]) for name, item in wanted.items() if name in there]
        if len(manifest) == len(document):
            return [named_by(item, theirs) for item, theirs in zip(manifest, document, strict=True)]
    return document


def made_by_others(obj: Json) -> bool:
    """Whether others own fields of the object and this console owns none: it is not the one that was made here."""
    entries = (obj.get("metadata") or {}).get("managedFields") or []
    return bool(last_writer(obj)) and all(entry.get("manager") != FIELD_MANAGER for entry in entries)


def encoded(document: Json) -> Json:
    """A Secret's `stringData` as the `data` that the server makes of it, so that it can be compared and read back."""
    plain = document.get("stringData")
    if not isinstance(plain, dict):
        return document
    rest = {k: v for k, v in document.items() if k != "stringData"}
    data = {k: None if v is None else base64.b64encode(str(v).encode()).decode() for k, v in plain.items()}
    return {**rest, "data": {**(rest.get("data") or {}), **data}}


def readable(path: Path) -> str:
    """The last part of a path that a person would name: an environment variable, a key."""
    names = [str(part).strip("[]") for part in path if part not in ("value", "data")]
    return names[-1] if names else "object"


def managers(obj: Json) -> list[str]:
    """Controllers that put this object back when somebody changes it, in words."""
    metadata = obj.get("metadata") or {}
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    found: list[str] = []
    if any(k.startswith("argocd.argoproj.io/") for k in marks) or "app.kubernetes.io/instance" in marks:
        exact = any(k.startswith("argocd.argoproj.io/") for k in marks)
        found.append(
            "Argo CD" if exact else f"perhaps Argo CD or Helm (instance {marks['app.kubernetes.io/instance']})"
        )
    if any(k.startswith(("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/")) for k in marks):
        found.append("Flux")
    if release := marks.get("meta.helm.sh/release-name"):
        found.append(f"Helm (release {clean_line(str(release))})")
    return found


def _masked(document: Json) -> Json:
    if isinstance(document, list):
        return [_masked(item) for item in document]
    if not isinstance(document, dict):
        return document
    if isinstance(document.get("value"), str) and _SECRET_NAME.search(str(document.get("name", ""))):
        document = {**document, "value": _mask(document["value"])}
    masked = {k: _masked(v) for k, v in document.items()}
    if isinstance(masked.get("data"), dict):  # a ConfigMap with a password in it is still a password
        masked["data"] = {k: _mask(v) if _SECRET_NAME.search(k) else v for k, v in masked["data"].items()}
    if isinstance(masked.get("annotations"), dict) and LAST_APPLIED in masked["annotations"]:
        masked["annotations"] = {**masked["annotations"], LAST_APPLIED: _mask(masked["annotations"][LAST_APPLIED])}
    return masked


def _mask_all(values: Any) -> Any:
    return {k: _mask(v) for k, v in values.items()} if isinstance(values, Mapping) else values


def _mask(value: Any) -> str:
    return str(value) if str(value).startswith("•••") else f"••• ({fingerprint(value)[:8]})"


def _leaves(document: Json, path: str = "") -> Iterable[tuple[str, Any]]:
    if isinstance(document, dict) and document:
        for key, value in document.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(document, list) and document:
        for index, value in enumerate(document):
            yield from _leaves(value, f"{path}[{index}]")
    else:
        yield path, document


def _said(value: Any) -> str:
    return clean_line(say(value), limit=_LONGEST_LINE)
