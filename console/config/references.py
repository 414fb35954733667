"""What the tables say about each other: ids used once, references that lead somewhere, no waiting in a circle, the right target.

Works on the document rather than on models, so that a table with a mistake of its own still counts for the others. `loading.py`
calls it on every load.
"""

from __future__ import annotations

import graphlib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from console.config.flaws import DocumentPath, Flaw, did_you_mean, quoted
from console.config.kinds import KindSpec

MOST_CIRCLES: Final = 20  # whoever draws more has other problems, and looking for each takes a walk over all components


def entries(
    table: Mapping[str, Any], key: str, prefix: DocumentPath = ()
) -> Iterator[tuple[DocumentPath, dict[str, Any]]]:
    """The tables of a list of tables, each with its path; what is no table is left to the models to refuse."""
    listed = table.get(key)
    for position, entry in enumerate(listed if isinstance(listed, tuple) else ()):
        if isinstance(entry, dict):
            yield (*prefix, key, position), entry


def steps_of(document: Mapping[str, Any]) -> Iterator[tuple[DocumentPath, dict[str, Any]]]:
    """Every step of every component."""
    for path, component in entries(document, "component"):
        yield from entries(component, "step", path)


def reference_flaws(document: Mapping[str, Any]) -> Iterator[Flaw]:
    """Repeated ids, unknown components, and circles among the components."""
    for noun in ("trigger", "component", "check", "notice", "followup"):
        yield from _repeated(noun, entries(document, noun))
    yield from _repeated("step", steps_of(document))
    known = {component["id"] for _, component in entries(document, "component") if isinstance(component.get("id"), str)}
    for path, trigger in entries(document, "trigger"):
        yield from _unknown_components(path, trigger, "suggests", known)
        yield from _unknown_by_label(path, trigger, known)
    for path, component in entries(document, "component"):
        yield from _unknown_components(path, component, "after", known)
    yield from _circles(document)


def _repeated(noun: str, tables: Iterator[tuple[DocumentPath, dict[str, Any]]]) -> Iterator[Flaw]:
    first: dict[str, DocumentPath] = {}
    for path, table in tables:
        table_id = table.get("id")
        if not isinstance(table_id, str):
            continue
        here = (*path, "id")
        if table_id in first:
            related = ((first[table_id], "first used here"),)
            yield Flaw(
                here, f'the {noun} id "{table_id}" is used twice', "give one of them another id", related=related
            )
        first.setdefault(table_id, here)


def _unknown_components(path: DocumentPath, table: dict[str, Any], key: str, known: Set[str]) -> Iterator[Flaw]:
    named = table.get(key)
    for position, name in enumerate(named if isinstance(named, tuple) else ()):
        if isinstance(name, str) and name not in known:
            hint = did_you_mean(name, known, "components")
            yield Flaw((*path, key, position), f'unknown component "{name}"', hint)


def _unknown_by_label(path: DocumentPath, trigger: dict[str, Any], known: Set[str]) -> Iterator[Flaw]:
    by_label = trigger.get("suggests_by")
    for label, values in by_label.items() if isinstance(by_label, dict) else ():
        for value in values if isinstance(values, dict) else ():
            yield from _unknown_components((*path, "suggests_by", label), values, value, known)


def _circles(document: Mapping[str, Any]) -> Iterator[Flaw]:
    waits: dict[str, list[str]] = {}
    places: dict[tuple[str, str], DocumentPath] = {}
    for path, component in entries(document, "component"):
        name, after = component.get("id"), component.get("after")
        if not isinstance(name, str) or not isinstance(after, tuple):
            continue
        for position, other in enumerate(after):
            if isinstance(other, str):
                waits.setdefault(name, []).append(other)
                places.setdefault((name, other), (*path, "after", position))
    for _ in range(MOST_CIRCLES):
        circle = _circle(waits)
        if circle is None:
            return
        # The circle is given back to front: each name is waited for by the one that follows it.
        names = list(reversed(circle))
        yield Flaw(
            places[names[0], names[1]],
            f"components wait for each other: {' → '.join(names)}"
            if len(names) > 2
            else f'"{names[0]}" waits for itself',
            'take one of them out of "after"',
        )
        waits[names[0]] = [other for other in waits[names[0]] if other != names[1]]


def _circle(waits: Mapping[str, list[str]]) -> list[str] | None:
    try:
        graphlib.TopologicalSorter(waits).prepare()
    except graphlib.CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return None


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """Decides which target a table means. Built once a load, from the document's `[target.…]` tables."""

    kinds: Mapping[str, str | None]
    """Every target's kind; None where the table doesn't name a known one."""

    def choose(self, path: DocumentPath, table: Mapping[str, Any], who: str, spec: KindSpec) -> str | Flaw | None:
        """The target's name, None if it takes none, or what is wrong. `who` is the table and its kind in words."""
        named = table.get("target")
        if named is None:
            return self._the_only_one(path, who, spec)
        if not isinstance(named, str):
            return None  # the model says so
        here = (*path, "target")
        if not spec.target_kinds:
            return Flaw(here, f"{who} takes no target", at="key")
        fitting = self._fitting(spec)
        if named not in self.kinds:
            return Flaw(here, f'unknown target "{named}"', did_you_mean(named, fitting or self.kinds, "targets"))
        kind = self.kinds[named]
        if kind is not None and kind not in spec.target_kinds:
            wanted = quoted(spec.target_kinds)
            hint = f"targets that fit: {', '.join(fitting)}" if fitting else f"the file has no target of kind {wanted}"
            return Flaw(here, f'target "{named}" is of kind "{kind}", but {who} needs {wanted}', hint)
        return named

    def _the_only_one(self, path: DocumentPath, who: str, spec: KindSpec) -> str | Flaw | None:
        if not spec.target_kinds or spec.target_optional:
            return None
        fitting = self._fitting(spec)
        if len(fitting) == 1:
            return fitting[0]
        wanted = quoted(spec.target_kinds)
        if fitting:
            message = f"{who} must name its target: {len(fitting)} are of kind {wanted}"
            return Flaw(path, message, f"add target = {quoted(fitting)}", at="table")
        if None in self.kinds.values():
            return None  # a target whose own kind is wrong may be the one that was meant
        message = f"{who} needs a target of kind {wanted}, and the file has none"
        return Flaw(path, message, f'add [target.NAME] with kind = "{spec.target_kinds[0]}"', at="table")

    def _fitting(self, spec: KindSpec) -> list[str]:
        return sorted(name for name, kind in self.kinds.items() if kind in spec.target_kinds)
