"""`kubernetes.patch`: a strategic or merge patch of one object, rehearsed on the server, watched, read back.

A container, variable or key that doesn't exist is an error and not an addition: a misspelt name must never "work".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from console.config.options import OneLine
from console.config.options import Options as TableOptions
from console.domain.difference import ABSENT, Path, by_name, lookup
from console.domain.errors import Refused
from console.engine.ports import Change, Description, Finding, Json, fingerprint
from console.targets.kubernetes.client import MERGE, STRATEGIC, KubernetesTarget
from console.targets.kubernetes.edits import Claim, Edit, Goal
from console.targets.kubernetes.objects import Ref, content, readable, visible
from console.targets.kubernetes.readers import Reader, readers_of
from console.targets.kubernetes.resources import WORKLOAD_KINDS, WORKLOADS, Resource, default_api_version
from console.targets.kubernetes.restarts import restart_edit
from console.targets.kubernetes.step import KubernetesStep, managed_by, paused, spelled

KIND = "kubernetes.patch"
TARGET_KINDS = ("kubernetes",)

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


class KubernetesPatch(KubernetesStep):
    def __init__(self, step_id: str, options: Options, target: KubernetesTarget) -> None:
        super().__init__(step_id, target)
        self._options = options
        self._kind, _, self._name = options.object.partition("/")
        self._api_version = options.api_version or ""
        self._type = options.patch_type or ("merge" if options.api_version else "strategic")

    def describe(self) -> Description:
        where = f" in {self._options.namespace}" if self._options.namespace else ""
        return Description(f"patch {self._kind} {self._name}{where}", (self._command(),))

    async def preflight(self) -> Sequence[Finding]:
        resource = await self._resource()
        findings = await self._permitted(["get", "patch"], resource, self._options.namespace or "", self._name)
        if any(f.level == "block" for f in findings):
            return findings
        live = await self._live(resource)
        findings += managed_by(live)
        if "template" in (self._options.patch.get("spec") or {}):
            findings += paused(live)
        return [*findings, *self._immutable(live)]

    async def plan(self, pin: Json = None) -> Change:  # noqa: ARG002 - nothing is chosen here
        resource = await self._resource()
        live = await self._live(resource)
        ref = self._ref(resource)
        if not self._options.may_add:
            refuse_additions(self._options.patch, live, str(ref), merge_lists=self._type == "strategic")
        content_type = _CONTENT_TYPES[self._type]
        after = await self._target.rehearse(ref.path, self._options.patch, content_type)
        edit = Edit(
            ref,
            content(live),
            content(after),
            content_type=content_type,
            body=self._options.patch,
            uid=live["metadata"]["uid"],
        )
        readers = await self._readers()
        restarts = await self._restarts(live, edit, readers)
        lives = {
            str(ref): live,
            **{str(self._reader_ref(r)): r.workload for r in readers if self._options.restart_readers},
        }
        rollouts = [ref] if self._kind in WORKLOAD_KINDS else []
        if self._options.restart_readers:
            rollouts += [self._reader_ref(r) for r in readers]
        goal = Goal(
            tuple(e for e in (edit, *restarts) if e.changes), tuple(self._claims(ref, edit.after)), tuple(rollouts)
        )
        return self._change(
            self._summary(ref, edit, restarts),
            goal,
            lives=lives,
            commands=[self._command(), *(self._restart_command(e) for e in restarts)],
            findings=self._reader_findings(readers, restarts, edit),
        )

    # ------------------------------------------------------------ readers

    async def _readers(self) -> list[Reader]:
        if self._kind != "ConfigMap":
            return []
        namespace = self._options.namespace
        found = await asyncio.gather(*(self._target.list(w.path(namespace)) for w in WORKLOADS))
        workloads = [
            {**item, "kind": w.kind, "apiVersion": w.api_version}
            for w, items in zip(WORKLOADS, found, strict=True)
            for item in items
        ]
        return readers_of(self._name, workloads)

    async def _restarts(self, live: Json, edit: Edit, readers: list[Reader]) -> list[Edit]:
        if not self._options.restart_readers or edit.after is None:
            return []
        version = fingerprint(edit.after.get("data"))[:16]
        edits = [
            await restart_edit(self._target, self._reader_ref(r), r.workload, live, version, changed=edit.changes)
            for r in readers
        ]
        return [e for e in edits if e is not None]

    def _reader_ref(self, reader: Reader) -> Ref:
        workload = reader.workload
        resource = next(w for w in WORKLOADS if w.kind == workload["kind"])
        metadata = workload["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return Ref(resource.api_version, resource.kind, metadata["namespace"], metadata["name"], path)

    def _reader_findings(self, readers: list[Reader], restarts: list[Edit], edit: Edit) -> list[Finding]:
        if not readers:
            if self._kind != "ConfigMap":
                return []
            return [
                Finding("warn", f"no workload in {self._options.namespace} reads ConfigMap {self._name}", "no_readers")
            ]
        restarted = {e.ref.name for e in restarts}
        found = []
        for reader in readers:
            if reader.workload["metadata"]["name"] in restarted:
                found.append(
                    Finding("info", f"restarts {reader.name}, which reads it by {', '.join(reader.ways)}", "restart")
                )
            elif not self._options.restart_readers and edit.changes:
                found.append(Finding("warn", f"{reader.name} {reader.consequence}", "reader_not_restarted"))
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
            Claim(ref, path, value, f"{readable(path)}={_plain(_at(shown, path, value))}")
            for path, value in leaves(self._options.patch, after, merge_lists=self._type == "strategic")
        ]

    def _command(self) -> str:
        what = f"{self._kind.lower()}/{self._name}"
        body = spelled(self._kind, self._options.patch)
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

    async def _live(self, resource: Resource) -> Json:
        live = await self._target.get(resource.path(self._options.namespace, self._name))
        return {"kind": resource.kind, "apiVersion": resource.api_version, **live}

    def _ref(self, resource: Resource) -> Ref:
        namespace = (self._options.namespace or "") if resource.namespaced else ""
        return Ref(
            resource.api_version, self._kind, namespace, self._name, resource.path(namespace or None, self._name)
        )

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
        if isinstance(value, dict) and isinstance(inner, dict):
            found += leaves(value, inner, merge_lists=merge_lists, path=here)
        elif merge_lists and isinstance(value, list) and isinstance(inner, list) and by_name(value) and by_name(inner):
            present = by_name(inner) or {}
            for name, item in (by_name(value) or {}).items():
                rest = {k: v for k, v in item.items() if k != "name"}
                found += leaves(rest, present.get(name, {}), merge_lists=True, path=(*here, name))
        else:
            found.append((here, inner if inner is not None else value))
    return found


def _at(shown: Json, path: Path, fallback: Json) -> Json:
    value = lookup(shown, path)
    return fallback if value is ABSENT else value


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else str(value)


def build(step_id: str, options: Options, target: KubernetesTarget) -> KubernetesPatch:
    return KubernetesPatch(step_id, options, target)
