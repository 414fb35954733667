"""Who owns which field: `metadata.managedFields`, kept at every write, and server-side apply on top of it.

A plain write takes what it changes. An apply takes what it names, is refused where somebody else owns a field that it would
change, and gives up what it named before and names no longer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.sandbox.kubernetes.documents import Object, compact, equal
from console.sandbox.kubernetes.errors import ApiError, bad_request
from console.sandbox.kubernetes.fields import FieldSet, Path, named, spelled
from console.sandbox.kubernetes.schema import Struct
from console.sandbox.kubernetes.typed import (
    Comparison,
    Undeclared,
    check,
    compare,
    fields_of,
    merge,
    remove,
    with_named,
)

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_MOST_UPDATERS = 10
_ANCIENT = "ancient-changes"
_STRIPPED = FieldSet.of(
    ("f:apiVersion",),
    ("f:kind",),
    ("f:metadata",),
    *(
        ("f:metadata", named(key))
        for key in ("name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
                    "managedFields", "resourceVersion")
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Manager:
    """Who wrote, by which way. An applier is the same one whatever version it applies in."""

    name: str
    applies: bool = False
    subresource: str = ""
    api_version: str = ""

    @property
    def identity(self) -> Manager:
        return replace(self, api_version="") if self.applies else self

    def __str__(self) -> str:
        words = compact(self.name)
        if self.subresource:
            words += f' with subresource "{self.subresource}"'
        return words if self.applies else f"{words} using {self.api_version}"


@dataclass(frozen=True)
class Share:
    """What one manager owns, in which version it wrote it, and when."""

    fields: FieldSet
    api_version: str
    time: str


Shares = dict[Manager, Share]


@dataclass(frozen=True)
class Conflict:
    manager: Manager
    path: Path


class Conflicts(Exception):
    """An apply would change fields of others."""

    def __init__(self, found: list[Conflict]) -> None:
        super().__init__()
        self.found = sorted(found, key=lambda one: (str(one.manager), one.path))

    def answer(self) -> ApiError:
        causes = [
            {"reason": "FieldManagerConflict", "message": f"conflict with {one.manager}", "field": spelled(one.path)}
            for one in self.found
        ]
        if len(self.found) == 1:
            [only] = self.found
            said = f"Apply failed with 1 conflict: conflict with {only.manager}: {spelled(only.path)}"
        else:
            lines = []
            for manager in sorted({str(one.manager) for one in self.found}):
                lines.append(f"conflicts with {manager}:")
                lines += [f"- {spelled(one.path)}" for one in self.found if str(one.manager) == manager]
            said = f"Apply failed with {len(self.found)} conflicts: " + "\n".join(lines)
        return ApiError(409, "Conflict", said, {"causes": causes})


def read(obj: Object) -> Shares:
    shares: Shares = {}
    for entry in obj.get("metadata", {}).get("managedFields") or []:
        applies = entry.get("operation") == "Apply"
        manager = Manager(entry.get("manager", ""), applies, entry.get("subresource", ""), entry.get("apiVersion", ""))
        fields = FieldSet.from_json(entry.get("fieldsV1") or {})
        shares[manager.identity] = Share(fields, entry.get("apiVersion", ""), entry.get("time", ""))
    return shares


def written(obj: Object, shares: Shares) -> Object:
    """The object with these shares in its metadata, in the order of the real server."""
    entries = []
    for manager, share in shares.items():
        entry: Object = {
            "manager": manager.name,
            "operation": "Apply" if manager.applies else "Update",
            "apiVersion": share.api_version,
        }
        entry |= {"time": share.time} if share.time else {}
        entry |= {"fieldsType": "FieldsV1", "fieldsV1": share.fields.to_json()}
        entries.append(entry | ({"subresource": manager.subresource} if manager.subresource else {}))
    entries.sort(
        key=lambda e: (e["operation"], e.get("time", ""), e["manager"], e["apiVersion"], e.get("subresource", ""))
    )
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key != "managedFields"}
    return {**obj, "metadata": metadata | ({"managedFields": entries} if entries else {})}


# ------------------------------------------------------------ a plain write


def updated(node: Struct, live: Object, new: Object, manager: Manager, now: str, ignored: FieldSet) -> Object:
    """The new object with managedFields as they are after this write; its own entry is renewed only when it took something."""
    shares = read(new)
    difference = compare(node, _bare(live), _bare(new)).without(ignored)
    shares, _ = _taken(shares, difference, None)
    own = (difference.modified | difference.added) - _STRIPPED
    if own:
        before = shares.get(manager.identity)
        fields = own | before.fields if before else own
        when = "" if manager.subresource == "scale" else now  # the real server notes no time for a scaling
        shares[manager.identity] = Share(fields, manager.api_version, when)
    return written(new, _capped(shares))


def _taken(
    shares: Shares, difference: Comparison, applying: Manager | None, *, force: bool = True
) -> tuple[Shares, Comparison]:
    """The shares after the difference is made. Raises Conflicts unless forced."""
    changed = difference.modified | difference.added
    result: Shares = {}
    conflicts: list[Conflict] = []
    for manager, share in shares.items():
        if manager == applying:
            result[manager] = share
            continue
        lost = share.fields & changed
        conflicts += [Conflict(replace(manager, api_version=share.api_version), path) for path in lost.paths()]
        left = share.fields - lost - difference.removed
        if left:
            result[manager] = replace(share, fields=left)
    if conflicts and not force:
        raise Conflicts(conflicts)
    return result, difference


def _capped(shares: Shares) -> Shares:
    """Of more than ten plain writers the oldest are joined, so that the list stays short."""
    updaters = sorted((m for m in shares if not m.applies), key=lambda m: (shares[m].time, m.name))
    if len(updaters) <= _MOST_UPDATERS:
        return shares
    result = dict(shares)
    first: dict[str, Manager] = {}
    surplus = len(updaters) - _MOST_UPDATERS
    for manager in updaters:
        if surplus == 0:
            break
        share = result[manager]
        bucket = Manager(_ANCIENT, False, "", share.api_version)
        if share.api_version not in first:
            first[share.api_version] = manager
            continue
        oldest = first[share.api_version]
        if bucket not in result:
            result[bucket] = result.pop(oldest)
        joined = result[bucket].fields | share.fields
        result[bucket] = Share(joined, share.api_version, share.time)
        if manager != bucket:
            del result[manager]
        surplus -= 1
    return result


# ------------------------------------------------------------ server-side apply


def applied(
    node: Struct, live: Object, patch: Object, manager: Manager, now: str, ignored: FieldSet, *, force: bool
) -> Object:
    """The live object with the patch applied. Raises ApiError for a patch that does not fit, and for conflicts."""
    if (patch.get("metadata") or {}).get("managedFields") is not None:
        raise bad_request("metadata.managedFields must be nil")
    try:
        check(node, patch)
    except Undeclared as error:
        name = (patch.get("metadata") or {}).get("name", "")
        namespace = (patch.get("metadata") or {}).get("namespace", "")
        version = patch["apiVersion"] if "/" in patch["apiVersion"] else f"/{patch['apiVersion']}"
        what = f"({namespace}/{name}; {version}, Kind={patch['kind']})"
        raise ApiError(500, "", f"failed to create typed patch object {what}: {error}") from None
    try:
        return _applied(node, live, patch, manager, now, ignored, force=force)
    except Conflicts as conflicts:
        left = _not_mine_already(node, live, conflicts, manager)
        if left is None:
            return _applied(node, live, patch, manager, now, ignored, force=True)
        raise left.answer() from None


def _applied(
    node: Struct, live: Object, patch: Object, manager: Manager, now: str, ignored: FieldSet, *, force: bool
) -> Object:
    shares, bare = read(live), _bare(live)
    me = manager.identity
    last = shares.get(me)
    own = fields_of(node, patch).without(ignored)
    shares[me] = Share(own, manager.api_version, last.time if last else "")
    merged = merge(node, bare, patch)
    if last is not None and last.fields:
        merged = _given_up(node, merged, shares, last.fields)
    difference = compare(node, bare, merged).without(ignored)
    shares, _ = _taken(shares, difference, me, force=force)
    stripped = shares[me].fields - _STRIPPED
    if stripped:
        time = shares[me].time if equal(bare, merged) else now
        shares[me] = Share(stripped, manager.api_version, time)
    else:
        del shares[me]
    return written(merged, shares)


def _given_up(node: Struct, merged: Object, shares: Mapping[Manager, Share], last: FieldSet) -> Object:
    """What was applied before, is not applied now, and belongs to nobody else, goes."""
    pruned: Any = remove(node, merged, with_named(last, node)) or {}
    held = FieldSet()
    for share in shares.values():
        held = held | share.fields
    everything = with_named(fields_of(node, merged), node)
    kept = with_named(fields_of(node, pruned), node) | with_named(held, node)
    pruned = remove(node, merged, everything - kept) or {}
    dropped = everything - with_named(fields_of(node, pruned), node)
    result = remove(node, merged, dropped & with_named(last, node))
    return result or {}


def _not_mine_already(node: Struct, live: Object, conflicts: Conflicts, manager: Manager) -> Conflicts | None:
    """For kubectl, what its client-side apply left there is its own; None when no conflict is left."""
    note = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if manager.name != "kubectl" or not note:
        return conflicts
    try:
        before = json.loads(note)
        check(node, before)
    except (ValueError, Undeclared):
        return conflicts
    difference = compare(node, before, _bare(live))
    mine = fields_of(node, before) - difference.modified - difference.added - difference.removed
    allowed = set(mine.paths())
    left = [one for one in conflicts.found if one.path not in allowed]
    return Conflicts(left) if left else None


def _bare(obj: Object) -> Object:
    """Without managedFields, which own nothing themselves."""
    metadata = {key: value for key, value in (obj.get("metadata") or {}).items() if key != "managedFields"}
    return {**obj, "metadata": metadata} if "metadata" in obj else obj
