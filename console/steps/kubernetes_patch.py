"""`kubernetes.patch`: a strategic or merge patch of one object, rehearsed on the server, watched, read back.

A container, variable or key that doesn't exist is an error and not an addition: a misspelt name must never "work".
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from console.config.options import OneLine
from console.config.options import Options as TableOptions
from console.domain.difference import Path, by_name, lookup
from console.domain.errors import Refused
from console.engine.ports import Change, Description, Finding, Json, canonical
from console.targets.kubernetes.client import MERGE, STRATEGIC, KubernetesTarget
from console.targets.kubernetes.edits import Claim, Edit, Goal
from console.targets.kubernetes.objects import Ref, content, encoded, readable, visible
from console.targets.kubernetes.readers import Reader, readers_of
from console.targets.kubernetes.resources import (
    WORKLOAD_KINDS,
    WORKLOADS,
    Resource,
    default_api_version,
    takes_strategic,
    workload_ref,
)
from console.targets.kubernetes.restarts import restart_edit, version_of
from console.targets.kubernetes.step import KubernetesStep, managed_by, paused, spelled

KIND = "kubernetes.patch"
TARGET_KINDS = ("kubernetes",)

_READ_KINDS = ("ConfigMap", "Secret")
_CONTENT_TYPES = {"strategic": STRATEGIC, "merge": MERGE}


class Options(TableOptions):
    """Which object is patched, with what, and what follows from it."""

    object: Annotated[
        str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*/[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=300)
    ]
    """Kind and name: `Deployment/api-gateway`, `ConfigMap/dashboard-config`."""
    namespace: OneLine | None = None
    """The namespace; left out only for objects that have none."""
    api_version: OneLine | None = None
    """For kinds that are not built in: `argoproj.io/v1alpha1`."""
    patch: Annotated[dict[str, Any], Field(min_length=1)]
    """The patch, as `kubectl patch -p` takes it."""
    patch_type: Literal["strategic", "merge"] | None = None
    """Left out: strategic for built-in kinds (lists are merged by name), merge for all others (lists are replaced)."""
    restart_readers: bool = False
    """For a ConfigMap or Secret: restart the workloads that would not notice by themselves, and wait for them."""
    may_add: bool = False
    """Allow the patch to add what isn't there yet, instead of calling it a misspelling."""

    @model_validator(mode="after")
    def _something_is_read(self) -> Options:
        if self.restart_readers and self.object.partition("/")[0] not in _READ_KINDS:
            raise ValueError("restart_readers is for a ConfigMap or a Secret; nothing reads any other object")
        return self


class KubernetesPatch(KubernetesStep):
    def __init__(self, step_id: str, options: Options, target: KubernetesTarget) -> None:
        super().__init__(step_id, target)
        self._options = options
        self._kind, _, self._name = options.object.partition("/")
        self._api_version = options.api_version or ""
        self._type = options.patch_type or ("strategic" if takes_strategic(self._api_version) else "merge")
        patch: Json = json.loads(canonical(options.patch))  # the file's lists arrive as tuples; a patch has lists
        self._patch = encoded(patch) if self._kind == "Secret" else patch

    def describe(self) -> Description:
        where = f" in {self._options.namespace}" if self._options.namespace else ""
        return Description(f"patch {self._kind} {self._name}{where}", (self._command(),))

    async def preflight(self) -> Sequence[Finding]:
        resource = await self._resource()
        findings = await self._permitted(["get", "patch"], resource, self._options.namespace or "", self._name)
        if any(f.level == "block" for f in findings):
            return findings
        live = await self._existing(resource, self._ref(resource))
        findings += managed_by(live)
        if "template" in (self._patch.get("spec") or {}):
            findings += paused(live)
        return [*findings, *self._immutable(live), *await self._may_restart()]

    async def plan(self, pin: Json = None) -> Change:  # noqa: ARG002 - nothing is chosen here
        resource = await self._resource()
        ref = self._ref(resource)
        live = await self._existing(resource, ref)
        if not self._options.may_add:
            refuse_additions(self._patch, live, str(ref), merge_lists=self._type == "strategic")
        content_type = _CONTENT_TYPES[self._type]
        after = await self._target.rehearse(ref.path, self._patch, content_type)
        edit = Edit(
            ref,
            content(live),
            content(after),
            content_type=content_type,
            body=self._patch,
            uid=live["metadata"]["uid"],
        )
        readers, findings = await self._readers()
        to_restart = [r for r in readers if self._options.restart_readers and not r.notices]
        restarts = await self._restarts(live, edit, to_restart)
        lives = {str(ref): live, **{str(workload_ref(r.workload)): r.workload for r in to_restart}}
        rollouts = ([ref] if self._kind in WORKLOAD_KINDS else []) + [workload_ref(r.workload) for r in to_restart]
        edits = tuple(e for e in (edit, *restarts) if e.changes)
        return self._change(
            self._summary(ref, edit, restarts),
            Goal(edits, tuple(self._claims(ref, edit.after)), tuple(rollouts)),
            lives=lives,
            commands=[self._command(), *(self._restart_command(e) for e in restarts)],
            findings=[*findings, *self._reader_findings(readers, restarts, edit)],
        )

    # ------------------------------------------------------------ readers

    async def _readers(self) -> tuple[list[Reader], list[Finding]]:
        """Who reads the object. Not being allowed to look is only told, unless they are to be restarted."""
        if self._kind not in _READ_KINDS:
            return [], []
        found = await asyncio.gather(*(self._workloads(w) for w in WORKLOADS), return_exceptions=True)
        refused = [r for r in found if isinstance(r, BaseException)]
        if refused and (self._options.restart_readers or not isinstance(refused[0], Refused)):
            raise refused[0]
        workloads = [item for items in found if not isinstance(items, BaseException) for item in items]
        hidden = f"who else reads {self._kind} {self._name} can't be seen: " + "; ".join(str(r) for r in refused)
        findings = [Finding("warn", hidden, "readers_unknown")] if refused else []
        return readers_of(self._kind, self._name, workloads), findings

    async def _workloads(self, resource: Resource) -> list[Json]:
        items = await self._target.list(resource.path(self._options.namespace))
        return [{**item, "kind": resource.kind, "apiVersion": resource.api_version} for item in items]

    async def _may_restart(self) -> list[Finding]:
        """What stands in the way of restarting the readers; nothing when that isn't asked for."""
        if not self._options.restart_readers:
            return []
        readers, _ = await self._readers()
        kinds = {r.workload["kind"] for r in readers if not r.notices}
        needed = [w for w in WORKLOADS if w.kind in kinds]
        checked = [await self._permitted(["patch"], w, self._options.namespace or "") for w in needed]
        standing_in_the_way = [f for found in checked for f in found if f.level == "block"]
        return [*standing_in_the_way, *(f for r in readers if not r.notices for f in paused(r.workload))]

    async def _restarts(self, live: Json, edit: Edit, readers: list[Reader]) -> list[Edit]:
        version = version_of({**edit.after, "metadata": live["metadata"]})
        edits = [
            await restart_edit(self._target, workload_ref(r.workload), r.workload, live, version, changed=edit.changes)
            for r in readers
        ]
        return [e for e in edits if e is not None]

    def _reader_findings(self, readers: list[Reader], restarts: list[Edit], edit: Edit) -> list[Finding]:
        if not readers:
            if self._kind not in _READ_KINDS:
                return []
            text = f"no workload in {self._options.namespace} reads {self._kind} {self._name}"
            return [Finding("warn", text, "no_readers")]
        restarted = {str(e.ref) for e in restarts}
        found = []
        for reader in readers:
            if str(workload_ref(reader.workload)) in restarted:
                text = f"restarts {reader.name}, which reads it by {', '.join(reader.ways)}"
                found.append(Finding("info", text, "restart"))
            elif edit.changes:
                level: Literal["info", "warn"] = "info" if reader.notices else "warn"
                found.append(Finding(level, f"{reader.name} {reader.consequence}", "reader_not_restarted"))
        return found

    # ------------------------------------------------------------ words and small things

    def _summary(self, ref: Ref, edit: Edit, restarts: list[Edit]) -> str:
        facts = ", ".join(c.text for c in self._claims(ref, edit.after))
        text = f"{ref}: {facts}" if edit.changes else f"{ref}: {facts} already"
        return text + (f"; restarts {', '.join(e.ref.name for e in restarts)}" if restarts else "")

    def _claims(self, ref: Ref, after: Json) -> list[Claim]:
        """One claim for each value that the patch sets."""
        shown = visible(after)
        return [
            Claim(ref, path, value, f"{readable(path)}={_plain(lookup(shown, path))}")
            for path, value in leaves(self._patch, after, merge_lists=self._type == "strategic")
        ]

    def _command(self) -> str:
        what = f"{self._kind.lower()}/{self._name}"
        body = spelled(self._kind, self._patch)
        return self._kubectl("patch", what, "--type", self._type, "-p", body, namespace=self._options.namespace or "")

    def _restart_command(self, edit: Edit) -> str:
        return self._kubectl(
            "rollout", "restart", f"{edit.ref.kind.lower()}/{edit.ref.name}", namespace=edit.ref.namespace
        )

    async def _resource(self) -> Resource:
        resource = await self._target.resource(self._api_version or default_api_version(self._kind), self._kind)
        if resource.namespaced and not self._options.namespace:
            raise Refused(f"step {self._id}: a {self._kind} lives in a namespace", 'give the step namespace = "…"')
        return resource

    def _ref(self, resource: Resource) -> Ref:
        return resource.ref(self._options.namespace or "", self._name)

    def _immutable(self, live: Json) -> list[Finding]:
        if not live.get("immutable"):
            return []
        text = f"{live['kind']} {self._name} is immutable: it can only be deleted and made anew"
        return [Finding("block", text, "immutable")]


def refuse_additions(patch: Json, live: Json, where: str, *, merge_lists: bool, path: str = "") -> None:
    """Raises Refused at the first thing that the patch names and the object doesn't have."""
    for key, value in patch.items():
        if key.startswith("$"):  # a directive of strategic merge, not a key
            continue
        if key not in live and value is not None:
            raise Refused(_no_such(where, path, key, live), "put it right, or allow additions with may_add = true")
        if isinstance(value, dict) and isinstance(live.get(key), dict):
            refuse_additions(value, live[key], where, merge_lists=merge_lists, path=f"{path}.{key}" if path else key)
        elif merge_lists and isinstance(value, list) and isinstance(live.get(key), list):
            _refuse_new_items(value, live[key], where, f"{path}.{key}" if path else key)


def _refuse_new_items(items: list[Any], live: list[Any], where: str, path: str) -> None:
    named, present = by_name(items), by_name(live)
    if not named or present is None:
        return
    for name, item in named.items():
        if item.get("$patch") == "delete":  # what is not there needs no deleting
            continue
        if name not in present:
            raise Refused(
                _no_such(where, path, name.strip("[]"), {n.strip("[]"): None for n in present}),
                "put it right, or allow additions with may_add = true",
            )
        refuse_additions(item, present[name], where, merge_lists=True, path=f"{path}{name}")


_ITEM_WORDS = {
    "containers": "container",
    "initContainers": "init container",
    "env": "variable",
    "data": "key",
    "volumes": "volume",
}


def _no_such(where: str, path: str, name: str, there: Json) -> str:
    last = path.rpartition(".")[2]
    word = _ITEM_WORDS.get(last, "field")
    at = f" at {path}" if path and word == "field" else ""
    names = [str(n) for n in there]
    close = get_close_matches(name, names, 1)
    guess = f'; did you mean "{close[0]}"?' if close else ""
    listed = f" (there: {', '.join(names[:12])})" if word != "field" and names else ""
    return f'{where} has no {word} "{name}"{at}{listed}{guess}'


def leaves(patch: Json, after: Json, *, merge_lists: bool, path: Path = ()) -> list[tuple[Path, Json]]:
    """Each value that the patch sets, with its path in the object; deletions are left to the diff."""
    found: list[tuple[Path, Json]] = []
    for key, value in patch.items():
        if key.startswith("$") or value is None:
            continue
        here = (*path, key)
        inner = after.get(key) if isinstance(after, dict) else None
        if inner is None:  # the server keeps no such value: there is nothing to read back
            continue
        if isinstance(value, dict) and isinstance(inner, dict):
            found += leaves(value, inner, merge_lists=merge_lists, path=here)
        elif merge_lists and isinstance(value, list) and isinstance(inner, list) and by_name(value) and by_name(inner):
            present = by_name(inner) or {}
            for name, item in (by_name(value) or {}).items():
                rest = {k: v for k, v in item.items() if k != "name"}
                found += leaves(rest, present.get(name, {}), merge_lists=True, path=(*here, name))
        else:
            found.append((here, inner))
    return found


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else str(value)


def build(step_id: str, options: Options, target: KubernetesTarget) -> KubernetesPatch:
    return KubernetesPatch(step_id, options, target)
