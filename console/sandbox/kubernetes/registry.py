"""Every write, in the order of the real server: decode, default, own, prepare, validate, compare, store.

Called by the HTTP server for its users and by the controllers for themselves; nobody else touches the store.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from console.sandbox.kubernetes import errors, jsonpatch, ownership, strategic
from console.sandbox.kubernetes.clock import Clock, stamp
from console.sandbox.kubernetes.decoding import Decoded, Undecodable, decoded, decoded_custom
from console.sandbox.kubernetes.defaults import filled
from console.sandbox.kubernetes.documents import Object, clone, compact, dig, equal
from console.sandbox.kubernetes.errors import ApiError, bad_request, conflict, invalid, not_found
from console.sandbox.kubernetes.fields import FieldSet
from console.sandbox.kubernetes.kinds import Catalog, Kind
from console.sandbox.kubernetes.names import ending
from console.sandbox.kubernetes.ownership import Manager
from console.sandbox.kubernetes.scaling import scale_of, scaled
from console.sandbox.kubernetes.schema import types, zero
from console.sandbox.kubernetes.storage import Store
from console.sandbox.kubernetes.strategies import new_uid, prepared_for_creation, prepared_for_update, reset_fields
from console.sandbox.kubernetes.validation import change_problems, problems

PatchKind = Literal["json", "merge", "strategic", "apply"]
_MADE_BY_PUT = frozenset(("ClusterRole", "ClusterRoleBinding", "Endpoints", "Event", "Role", "RoleBinding", "Service"))
_FOREGROUND, _ORPHAN = "foregroundDeletion", "orphan"


@dataclass(frozen=True)
class Writing:
    """How a write is meant: by whom, for good or as a rehearsal, how strictly, and through which subresource."""

    manager: str
    dry_run: bool = False
    validation: str = "Warn"
    force: bool = False
    subresource: str = ""


@dataclass(frozen=True)
class Written:
    """The object as it is (or would be) now."""

    object: Object
    created: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deletion:
    """What goes with a delete: what the caller has seen, and what becomes of the dependents."""

    uid: str | None = None
    version: str | None = None
    propagation: str = ""
    grace_seconds: int | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Deleted:
    object: Object
    gone: bool
    """False while somebody still has to finish: a kubelet, a finalizer."""


@dataclass(frozen=True)
class _Incoming:
    object: Object
    warnings: tuple[str, ...] = field(default=())


class Registry:
    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        self.store = store
        self.catalog = catalog
        self._clock = clock

    # ------------------------------------------------------------ reading

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self.store.get(kind.key, namespace, name)
        if found is None:
            raise not_found(kind.plural, kind.group, name)
        return self._as_served(kind, found)

    def _has(self, kind: Kind, namespace: str, name: str) -> bool:
        return self.store.get(kind.key, namespace, name) is not None

    def may_make(self, kind: Kind, namespace: str, name: str, how: str) -> bool:
        """Whether a PUT or an apply would make the object, for which its sender needs another permission."""
        made = how == "apply" or (how == "put" and kind.kind in _MADE_BY_PUT)
        return made and not self._has(kind, namespace, name)

    def find(self, kind: str, namespace: str, name: str) -> Object | None:
        """A built-in object, or None."""
        return self.store.get(self.catalog.built_in(kind).key, namespace, name)

    def list(self, kind: Kind, namespace: str = "") -> Sequence[Object]:
        return [self._as_served(kind, obj) for obj in self.store.list(kind.key, namespace)]

    def all(self, kind: str, namespace: str = "") -> Sequence[Object]:
        """The built-in objects of a kind."""
        return self.store.list(self.catalog.built_in(kind).key, namespace)

    def _as_served(self, kind: Kind, obj: Object) -> Object:
        return {**obj, "apiVersion": kind.api_version} if kind.custom else obj

    # ------------------------------------------------------------ making

    def create(self, kind: Kind, namespace: str, document: Any, writing: Writing) -> Written:
        """Raises ApiError. The document is not changed."""
        self._check_kind(kind, document)
        incoming = self._incoming(kind, document, writing)
        obj = incoming.object
        self._place(kind, namespace, obj)
        self._check_namespace(kind, namespace, obj["metadata"].get("name", ""))
        made = self._made(kind, obj, writing)
        return replace(made, warnings=incoming.warnings)

    def _made(self, kind: Kind, obj: Object, writing: Writing, *, owned: bool = False) -> Written:
        metadata = obj["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName'][:58]}{ending()}"
        for key in ("resourceVersion", "uid", "creationTimestamp", "deletionTimestamp", "generation"):
            if key == "resourceVersion" and metadata.get(key) not in (None, "", "0") and not owned:
                raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
            metadata.pop(key, None)
        if self.store.get(kind.key, metadata.get("namespace", ""), metadata.get("name", "")) is not None:
            raise errors.already_exists(kind.plural, kind.group, metadata["name"])
        obj["metadata"] = metadata = _ordered({**metadata, "uid": new_uid(), "creationTimestamp": self._now()})
        if not owned:
            obj = self._owned(kind, zero(kind.node), obj, writing)
        obj = prepared_for_creation(kind, obj, lambda: self.all("Service"))
        found = problems(kind, obj)
        if found:
            raise invalid(kind.kind, kind.group, obj["metadata"].get("name", ""), found)
        return Written(obj if writing.dry_run else self.store.put(kind.key, obj), created=True)

    # ------------------------------------------------------------ changing

    def replace(self, kind: Kind, namespace: str, name: str, document: Any, writing: Writing) -> Written:
        self._check_kind(kind, document)
        if writing.subresource == "scale":
            live = self.get(kind, namespace, name)
            return self._changed(kind, live, scaled(live, document), writing)
        incoming = self._incoming(kind, document, writing)
        self._place(kind, namespace, incoming.object, name)
        if kind.kind in _MADE_BY_PUT and not writing.subresource and not self._has(kind, namespace, name):
            self._check_namespace(kind, namespace, name)
            return replace(self._made(kind, incoming.object, writing), warnings=incoming.warnings)
        live = self.get(kind, namespace, name)
        uid = incoming.object["metadata"].get("uid")
        if uid and uid != live["metadata"]["uid"]:
            found = f"StorageError: invalid object, Code: 4, Key: /registry/{kind.plural}/{_place_of(live)}, "
            found += "ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: "
            found += f"UID in precondition: {uid}, UID in object meta: {live['metadata']['uid']}"
            raise conflict(kind.plural, kind.group, name, found)
        return replace(self._changed(kind, live, incoming.object, writing), warnings=incoming.warnings)

    def patch(self, kind: Kind, namespace: str, name: str, how: PatchKind, patch: Any, writing: Writing) -> Written:
        if how == "apply":
            return self._apply(kind, namespace, name, patch, writing)
        live = self.get(kind, namespace, name)
        if writing.subresource == "scale":
            document = self._patched(kind, scale_of(live), how, patch)
            return self._changed(kind, live, scaled(live, document), writing)
        document = self._patched(kind, live, how, patch)
        incoming = self._incoming_patch(kind, document, how, patch, writing)
        self._place(kind, namespace, incoming.object, name)
        return replace(self._changed(kind, live, incoming.object, writing), warnings=incoming.warnings)

    def _patched(self, kind: Kind, live: Object, how: PatchKind, patch: Any) -> Object:
        if how == "json":
            return jsonpatch.patched(live, patch)
        if not isinstance(patch, dict):
            raise bad_request(
                "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
            )
        if how == "strategic":
            if kind.custom:
                raise strategic.refuse_for_custom()
            return strategic.patched(kind.node, live, patch)
        merged: Object = jsonpatch.merged(live, patch)
        return merged

    def _apply(self, kind: Kind, namespace: str, name: str, patch: Any, writing: Writing) -> Written:
        if not isinstance(patch, dict):
            raise bad_request("error decoding YAML: the apply configuration is not an object")
        if (patch.get("apiVersion"), patch.get("kind")) != (kind.api_version, kind.kind):
            group, _, version = str(patch.get("apiVersion") or "").rpartition("/")
            raise bad_request(f"invalid object type: {group}/{version}, Kind={patch.get('kind') or ''}")
        live = self.store.get(kind.key, namespace, name)
        if live is not None:
            live = self._as_served(kind, live)
        metadata = dig(patch, "metadata", default={})
        if live is None:
            self._check_namespace(kind, namespace, name)
            if writing.subresource:
                raise not_found(kind.plural, kind.group, name)
        before: Object = live if live is not None else self._nothing(kind, namespace, name)
        patch = {**clone(patch), "metadata": {**clone(metadata), "name": metadata.get("name", name)}}
        manager = Manager(writing.manager, True, writing.subresource, kind.api_version)
        reset = reset_fields(kind, writing.subresource)
        if metadata.get("name", name) != name:
            raise bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
        obj = ownership.applied(kind.node, before, patch, manager, self._now(), reset, force=writing.force)
        incoming = self._incoming(kind, obj, replace(writing, validation="Ignore"))
        self._place(kind, namespace, incoming.object, name)
        if live is None:
            if uid := metadata.get("uid"):
                why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
                raise conflict(kind.plural, kind.group, name, why)
            return self._made(kind, incoming.object, writing, owned=True)
        return self._changed(kind, live, incoming.object, writing, owned=True)

    def _nothing(self, kind: Kind, namespace: str, name: str) -> Object:
        """What an apply that creates is merged into."""
        empty: Object = {"apiVersion": kind.api_version, "kind": kind.kind, **zero(kind.node)}
        empty["metadata"] = {"name": name} | ({"namespace": namespace} if kind.namespaced else {})
        return empty

    def _changed(self, kind: Kind, live: Object, new: Object, writing: Writing, *, owned: bool = False) -> Written:
        """Stores what an object becomes, unless nothing changed; `owned` when managedFields are right already."""
        name = live["metadata"]["name"]
        version = new["metadata"].get("resourceVersion")
        if version and version != live["metadata"]["resourceVersion"]:
            raise conflict(kind.plural, kind.group, name, errors.MODIFIED)
        if not owned:
            new = self._owned(kind, live, new, writing)
        new["metadata"].setdefault("uid", live["metadata"]["uid"])
        new = prepared_for_update(kind, live, clone(new), writing.subresource)
        new["metadata"] = _ordered(new["metadata"])
        found = [] if writing.subresource == "status" else change_problems(kind, live, new)
        if found:
            raise invalid(kind.kind, kind.group, name, found)
        if equal(_timeless(live), _timeless(new)):
            return Written(live)
        if writing.dry_run:
            return Written(new)
        if _is_over(kind, live, new):
            return Written(self.store.remove(kind.key, new))
        return Written(self.store.put(kind.key, new))

    def _owned(self, kind: Kind, live: Object, new: Object, writing: Writing) -> Object:
        if new["metadata"].get("managedFields") == []:
            new["metadata"].pop("managedFields")  # whoever empties the list begins it anew
        elif "managedFields" not in new["metadata"] and dig(live, "metadata", "managedFields"):
            new = {**new, "metadata": {**new["metadata"], "managedFields": live["metadata"]["managedFields"]}}
        manager = Manager(writing.manager, False, writing.subresource, kind.api_version)
        reset = reset_fields(kind, writing.subresource)
        return ownership.updated(kind.node, live, new, manager, self._now(), reset)

    def reviewed(self, answer: Object, manager: str = "") -> Object:
        """An answer that is never kept, with the metadata that it would have."""
        if not manager:
            return {**answer, "metadata": {"creationTimestamp": self._now()}}
        node = types().of_kind(answer["apiVersion"], answer["kind"])
        me = Manager(manager, False, "", answer["apiVersion"])
        return ownership.updated(node, zero(node), answer, me, self._now(), FieldSet.of(("f:status",)))

    # ------------------------------------------------------------ deleting

    def delete(self, kind: Kind, namespace: str, name: str, wanted: Deletion) -> Deleted:
        live = self.get(kind, namespace, name)
        self._check_preconditions(kind, live, wanted)
        metadata = live["metadata"]
        finalizers = [one for one in metadata.get("finalizers") or [] if one not in (_FOREGROUND, _ORPHAN)]
        if wanted.propagation == "Foreground":
            finalizers.append(_FOREGROUND)
        elif wanted.propagation == "Orphan":
            finalizers.append(_ORPHAN)
        grace = self._grace(kind, live, wanted)
        waits = bool(finalizers) or grace > 0 or (kind.kind == "Namespace" and bool(dig(live, "spec", "finalizers")))
        if wanted.dry_run:
            return Deleted(live, gone=not waits)
        if not waits:
            return Deleted(self.store.remove(kind.key, live), gone=True)
        if metadata.get("deletionTimestamp") and set(finalizers) == set(metadata.get("finalizers") or []):
            return Deleted(live, gone=False)
        marked = {**metadata, "deletionTimestamp": metadata.get("deletionTimestamp", self._now())}
        if kind.kind != "Namespace":
            marked["deletionGracePeriodSeconds"] = grace
        if finalizers:
            marked["finalizers"] = finalizers
        if kind.counted:
            marked["generation"] = marked.get("generation", 0) + 1
        obj = {**live, "metadata": _ordered(marked)}
        if kind.kind == "Namespace":
            obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
        return Deleted(self.store.put(kind.key, obj), gone=False)

    def finish(self, kind: Kind, obj: Object) -> None:
        """The last one who had to do something about a deleted object has done it."""
        self.store.remove(kind.key, obj)

    def _grace(self, kind: Kind, live: Object, wanted: Deletion) -> int:
        if kind.kind != "Pod" or not live["spec"].get("nodeName"):
            return 0
        if dig(live, "status", "phase") in ("Succeeded", "Failed"):
            return 0
        default = int(live["spec"].get("terminationGracePeriodSeconds", 30))
        return default if wanted.grace_seconds is None else wanted.grace_seconds

    def _check_preconditions(self, kind: Kind, live: Object, wanted: Deletion) -> None:
        metadata = live["metadata"]
        said = ""
        if wanted.uid is not None and wanted.uid != metadata["uid"]:
            said = f"the UID in the precondition ({wanted.uid}) does not match the UID in record ({metadata['uid']}). "
            said += "The object might have been deleted and then recreated"
        elif wanted.version is not None and wanted.version != metadata["resourceVersion"]:
            said = f"the ResourceVersion in the precondition ({wanted.version}) does not match the ResourceVersion in record "
            said += f"({metadata['resourceVersion']}). The object might have been modified"
        if said:
            name = metadata["name"]
            qualified = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
            details = {"name": name} | ({"group": kind.group} if kind.group else {}) | {"kind": kind.kind}
            text = f'Operation cannot be fulfilled on {qualified} "{name}": {said}'
            raise ApiError(409, "Conflict", text, details)

    # ------------------------------------------------------------ what comes in

    def _check_kind(self, kind: Kind, document: Any) -> None:
        if not isinstance(document, dict):
            raise bad_request(f"the object provided is unrecognized (must be of type {kind.kind}): not a JSON object")
        sent = (document.get("apiVersion") or kind.api_version, document.get("kind") or kind.kind)
        if sent[1] == "Scale" and sent[0].startswith("autoscaling/"):
            return
        if sent[0] != kind.api_version:
            version = sent[0].rpartition("/")[2]
            said = f'no kind "{sent[1]}" is registered for version "{sent[0]}" in scheme "pkg/runtime/scheme.go:111"'
            raise bad_request(f'{sent[1]} in version "{version}" cannot be handled as a {kind.kind}: {said}')
        if sent[1] != kind.kind:
            group = "core" if not kind.group else kind.group.partition(".")[0]
            version = kind.version
            said = f"converting ({version}.{sent[1]}) to ({group}.{kind.kind}): unknown conversion"
            raise bad_request(f'{sent[1]} in version "{version}" cannot be handled as a {kind.kind}: {said}')

    def _incoming(self, kind: Kind, document: Object, writing: Writing) -> _Incoming:
        """Decoded and defaulted. Raises 400 with everything that the type does not know when it is asked to be strict."""
        try:
            result = self._decoded(kind, document)
        except Undecodable as error:
            raise bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {error}'
            ) from None
        if result.unknown and writing.validation == "Strict":
            raise bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {_strict(result.unknown)}'
            )
        return _Incoming(result.object, _warnings(result.unknown, writing))

    def _incoming_patch(self, kind: Kind, document: Object, how: PatchKind, patch: Any, writing: Writing) -> _Incoming:
        """The same for what a patch makes of an object, which is told in another way."""
        shown = _go(patch) if how == "strategic" else compact(document)
        try:
            result = self._decoded(kind, document)
        except Undecodable as error:
            raise invalid("", "", "", [errors.wrong("patch", shown, str(error))]) from None
        if result.unknown and writing.validation == "Strict":
            cause = errors.wrong("patch", shown, _strict(result.unknown))
            raise invalid("", "", "", [cause])
        return _Incoming(result.object, _warnings(result.unknown, writing))

    def _decoded(self, kind: Kind, document: Object) -> Decoded:
        document = {**document, "apiVersion": kind.api_version, "kind": kind.kind}
        if kind.custom:
            result = decoded_custom(kind.node, document)
        else:
            result = decoded(kind.node, document)
            filled(kind.kind, result.object)
        first = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": result.object.get("metadata") or {}}
        result.object = first | {key: value for key, value in result.object.items() if key not in first}
        return result

    def _place(self, kind: Kind, namespace: str, obj: Object, name: str = "") -> None:
        """Where the object lives is what the request's path says."""
        metadata = obj["metadata"]
        sent = metadata.get("name", "")
        if name and sent and sent != name:
            raise bad_request(f"the name of the object ({sent}) does not match the name on the URL ({name})")
        if name and not sent:
            raise bad_request(f"the name of the object ({sent}) does not match the name on the URL ({name})")
        if not kind.namespaced:
            metadata.pop("namespace", None)
        elif metadata.get("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        else:
            metadata["namespace"] = namespace

    def _check_namespace(self, kind: Kind, namespace: str, name: str) -> None:
        if not kind.namespaced:
            return
        found = self.find("Namespace", "", namespace)
        if found is None:
            raise not_found("namespaces", "", namespace)
        if found["metadata"].get("deletionTimestamp"):
            said = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = {"reason": "NamespaceTerminating", "message": f"namespace {namespace} is being terminated",
                     "field": "metadata.namespace"}  # fmt: skip
            details = {"name": name} | ({"group": kind.group} if kind.group else {}) | {"kind": kind.plural}
            text = f'{kind.qualified} "{name}" is forbidden: {said}'
            raise ApiError(403, "Forbidden", text, {**details, "causes": [cause]})

    def _now(self) -> str:
        return stamp(self._clock.now())


_ORDER = ("name", "generateName", "namespace", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp",
          "deletionTimestamp", "deletionGracePeriodSeconds", "labels", "annotations", "ownerReferences", "finalizers",
          "managedFields")  # fmt: skip


def _ordered(metadata: Object) -> Object:
    """Metadata in the order in which the real server writes it."""
    return {key: metadata[key] for key in _ORDER if key in metadata}


def _timeless(obj: Object) -> Object:
    """Without what alone never makes a write: the version and the times of the managed fields."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    entries = [{k: v for k, v in one.items() if k != "time"} for one in metadata.get("managedFields") or []]
    return {**obj, "metadata": {**metadata, "managedFields": entries}}


def _is_over(kind: Kind, live: Object, new: Object) -> bool:
    """Whether a deleted object has lost its last finalizer by this write; a pod's end is its node's to tell."""
    if not live["metadata"].get("deletionTimestamp") or new["metadata"].get("finalizers") or kind.kind == "Pod":
        return False
    return kind.kind != "Namespace" or not dig(new, "spec", "finalizers")


def _place_of(obj: Object) -> str:
    metadata = obj["metadata"]
    return "/".join(filter(None, (metadata.get("namespace", ""), metadata["name"])))


def _strict(unknown: list[str]) -> str:
    return "strict decoding error: " + ", ".join(f'unknown field "{path}"' for path in unknown)


def _warnings(unknown: list[str], writing: Writing) -> tuple[str, ...]:
    return tuple(f'unknown field "{path}"' for path in unknown) if writing.validation == "Warn" else ()


def _go(value: Any) -> str:
    """As Go prints a map."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go(one) for one in value) + "]"
    if value is None:
        return "<nil>"
    return value if isinstance(value, str) else json.dumps(value)
