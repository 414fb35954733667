"""What of an archive is there now, on every replica, and the edits that lead from there to what is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.domain.difference import ABSENT
from console.domain.errors import Failed, Refused
from console.engine.ports import Seen
from console.targets.opa.archive import Archive
from console.targets.opa.client import OpaTarget
from console.targets.opa.goal import (
    Claims,
    DataEdit,
    Edit,
    document_hash,
    document_name,
    module_name,
    seen_document,
    seen_module,
    text_hash,
)
from console.targets.opa.paths import DataPath, spelled, value_at
from console.targets.opa.replica import ActiveBundle, Replica
from console.targets.opa.scope import Scope, documents_wanted, owners
from console.targets.opa.views import Policy

AT_HOME = "give the step bundle = { put = …, file = … or command = … } to restore it where the bundle comes from"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One replica at one moment."""

    replica: Replica
    policies: Mapping[str, Policy]
    live: Any
    bundles: tuple[ActiveBundle, ...]


@dataclass(frozen=True, slots=True)
class Survey:
    """The replicas that answered, and what is wrong with the others, by their label."""

    snapshots: tuple[Snapshot, ...]
    missing: Mapping[str, str] = field(default_factory=dict)


async def survey(target: OpaTarget, places: Iterable[DataPath]) -> Survey:
    """Reads every replica; one that can't be read is among the missing."""
    wanted = list(places)
    found = await asyncio.gather(*(_snapshot(r, wanted) for r in target.replicas), return_exceptions=True)
    missing = {}
    for replica, outcome in zip(target.replicas, found, strict=True):
        if isinstance(outcome, Failed | Refused):
            missing[replica.label] = outcome.message
        elif isinstance(outcome, BaseException):
            raise outcome
    return Survey(tuple(s for s in found if isinstance(s, Snapshot)), missing)


async def _snapshot(replica: Replica, places: Sequence[DataPath]) -> Snapshot:
    policies, bundles = await asyncio.gather(replica.policies(), replica.bundles())
    live = await replica.data(places, policies) if places else {}
    return Snapshot(replica, policies, live, bundles)


def owned(found: Survey, scope: Scope) -> list[str]:
    """What bundles own of the scope, in words; empty when OPA will take changes there."""
    return [
        f"{', '.join(spelled(root) for root in bundle.roots)} on {snapshot.replica.label} belongs to bundle "
        f'"{bundle.name}"{f" (revision {bundle.revision})" if bundle.revision else ""}: OPA takes no change there'
        for snapshot in found.snapshots
        for bundle in owners(scope, snapshot.bundles)
    ]


# ---------------------------------------------------------------- what is wanted


@dataclass(frozen=True, slots=True)
class Wanted:
    """Modules by their ids and documents by their places, as the archive has them; `entries` as it spells the modules."""

    modules: Mapping[str, str]
    documents: Mapping[DataPath, Any]
    entries: Mapping[str, str]

    @property
    def claims(self) -> Claims:
        modules = {i: text_hash(text) for i, text in self.modules.items()}
        return Claims(modules, {path: document_hash(value) for path, value in self.documents.items()})

    @property
    def words(self) -> str:
        documents = sum(1 for value in self.documents.values() if value is not ABSENT)
        return counted(len(self.modules), documents)


def wanted_of(archive: Archive, scope: Scope, prefix: str) -> Wanted:
    modules = {prefix + m.path: m for m in archive.modules}
    return Wanted(
        {i: m.text for i, m in modules.items()},
        documents_wanted(archive, scope),
        {i: m.entry for i, m in modules.items()},
    )


def counted(modules: int, documents: int) -> str:
    """`7 modules, 2 data documents`; empty for none of either."""
    parts = [(modules, "module"), (documents, "data document")]
    return ", ".join(f"{n} {what}{'' if n == 1 else 's'}" for n, what in parts if n)


def edits_to(snapshot: Snapshot, scope: Scope, wanted: Wanted) -> tuple[list[Edit], list[DataEdit]]:
    """For everything that belongs or should, also where nothing changes."""
    url, policies = snapshot.replica.url, snapshot.policies
    ids = sorted({*scope.within(policies), *wanted.modules})
    modules = [Edit(url, i, policies[i].text if i in policies else None, wanted.modules.get(i)) for i in ids]
    return modules, [data_edit(url, snapshot.live, path, value) for path, value in wanted.documents.items()]


def data_edit(url: str, live: Any, path: DataPath, value: Any) -> DataEdit:
    missing = (n for n in range(1, len(path)) if value_at(live, path[:n]) is ABSENT)
    return DataEdit(url, path, value_at(live, path), value, made=next(missing, 0))


def seen_of(snapshot: Snapshot, modules: Iterable[Edit], data: Iterable[DataEdit]) -> dict[str, Seen]:
    label = snapshot.replica.label
    return {module_name(label, e.id): seen_module(e.before) for e in modules} | {
        document_name(label, d.path): seen_document(d.before) for d in data
    }


def left_by(target: OpaTarget, edits: Iterable[Edit], data: Iterable[DataEdit]) -> dict[str, Seen]:
    """Each object as it is when all edits are through."""
    return {module_name(target.replica(e.replica).label, e.id): seen_module(e.after) for e in edits} | {
        document_name(target.replica(d.replica).label, d.path): seen_document(d.after) for d in data
    }
