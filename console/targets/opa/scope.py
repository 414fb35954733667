"""What belongs to an archive in a live OPA: which modules and which places in `data` it answers for, and nothing beside.

It is OPA's own rule for bundles (https://www.openpolicyagent.org/docs/management-bundles#bundle-file-format): the roots of the
manifest own the packages and the data within them. An archive that names no roots owns everything to OPA; here it owns only
the packages and documents that it holds, because nobody who restores seven modules means to empty the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from console.engine.ports import Json
from console.targets.opa.archive import Archive
from console.targets.opa.paths import DataPath, covers, outermost, overlap, spelled, value_at, without
from console.targets.opa.replica import SYSTEM, ActiveBundle
from console.targets.opa.views import Policy


@dataclass(frozen=True, slots=True)
class Scope:
    """Modules whose id begins with `prefix` or whose package lies in `packages`, and the data at `documents`."""

    prefix: str
    packages: tuple[DataPath, ...]
    documents: tuple[DataPath, ...]

    def owns(self, policy_id: str, package: DataPath) -> bool:
        if self.prefix and policy_id.startswith(self.prefix):
            return True
        return any(covers(root, package) for root in self.packages if root or package[:1] != (SYSTEM,))

    def within(self, policies: Mapping[str, Policy]) -> dict[str, str]:
        """The modules among these that belong, with their texts."""
        return {i: p.text for i, p in policies.items() if self.owns(i, p.package)}

    @property
    def places(self) -> tuple[DataPath, ...]:
        return outermost([*self.packages, *self.documents])

    @property
    def words(self) -> str:
        owned = ", ".join(spelled(place) for place in self.places)
        return f"{owned} and modules named {self.prefix}…" if self.prefix else owned

    def to_json(self) -> Json:
        return [self.prefix, [list(p) for p in self.packages], [list(p) for p in self.documents]]

    @classmethod
    def from_json(cls, document: Json) -> Scope:
        prefix, packages, documents = document
        return cls(prefix, tuple(tuple(p) for p in packages), tuple(tuple(p) for p in documents))


def scope_of(archive: Archive, prefix: str, owns: Iterable[DataPath] | None) -> Scope:
    """`owns` as the file says it, else the manifest's roots, else what the archive holds."""
    roots = tuple(owns) if owns is not None else archive.roots
    if roots is not None:
        return Scope(prefix, outermost(roots), outermost(roots))
    return Scope(prefix, outermost(m.package for m in archive.modules), outermost(archive.documents))


def outside(archive: Archive, scope: Scope) -> list[str]:
    """What the archive holds and the scope leaves out: it would never be restored."""
    modules = [m.path for m in archive.modules if not any(covers(root, m.package) for root in scope.packages)]
    data = [d for d in archive.documents if not any(overlap(root, d) for root in scope.documents)]
    return [*modules, *(f"data {spelled(d)}" for d in data)]


def documents_wanted(archive: Archive, scope: Scope) -> dict[DataPath, Any]:
    """The data as it should be, place by place; ABSENT where the archive has nothing."""
    data = without(archive.data, (), [m.package for m in archive.modules])
    return {path: value_at(data, path) for path in scope.documents}


def owners(scope: Scope, bundles: Iterable[ActiveBundle]) -> list[ActiveBundle]:
    """The active bundles that own anything in the scope: OPA refuses every change there (server.go, checkPathScope)."""
    return [b for b in bundles if any(overlap(root, place) for root in b.roots for place in scope.places)]
