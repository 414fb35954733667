"""How to see data without rules: one look at a place and one at each package in it, with what the others show replaced.

`with data.acgs.authz.allow as null` makes OPA take null for that rule and never run it (topdown/eval.go: what a `with` replaces
is not looked up among the rules). Its price grows with the square of the replacements in one expression, so every package is
looked at in an expression of its own: its rules replaced one by one, the packages below it as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from console.domain.difference import ABSENT
from console.targets.opa.paths import DataPath, covers, outermost, put_at, ref_of, value_at

_MOST_REPLACED: Final = 1000
"""In one query, over all its expressions."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A module as OPA keeps it. `rules` are the places that its rules define, by OPA's own syntax tree."""

    text: str
    package: DataPath
    rules: tuple[DataPath, ...]


@dataclass(frozen=True, slots=True)
class View:
    """A place in `data` that is looked at while these places below it are replaced by null."""

    path: DataPath
    masked: tuple[DataPath, ...]

    @property
    def expression(self) -> str:
        """A list, so that a place where nothing is leaves the other expressions alone."""
        replaced = "".join(f" with {ref_of(place)} as null" for place in self.masked)
        return f"[v | v = {ref_of(self.path)}{replaced}]"

    def without_rules(self, value: Any) -> Any:
        """What was seen, without the nulls, and without what a rule's name has in front of its last part."""
        for place in (p[len(self.path) :] for p in self.masked):
            value = value if value_at(value, place) is ABSENT else put_at(value, place, ABSENT)
            for length in range(len(place) - 1, 0, -1):
                if value_at(value, place[:length]) == {}:
                    value = put_at(value, place[:length], ABSENT)
        return value


def views_of(first: DataPath, policies: Iterable[Policy]) -> list[View]:
    """The place itself first, then each package in it."""
    rules: dict[DataPath, set[DataPath]] = {first: set()}
    for policy in policies:
        if covers(first, policy.package):
            rules.setdefault(policy.package, set()).update(policy.rules)
    below: dict[DataPath, list[DataPath]] = {path: [] for path in rules}
    for package in rules:
        above = next((package[:n] for n in range(len(package) - 1, -1, -1) if package[:n] in rules), None)
        if above is not None and package != first:
            below[above].append(package)
    return [View(path, outermost([*rules[path], *below[path]])) for path in sorted(rules)]


def batches(views: Sequence[View]) -> Iterator[list[View]]:
    """The views, as many at a time as one query should have."""
    batch: list[View] = []
    for view in views:
        if batch and sum(len(v.masked) + 1 for v in [*batch, view]) > _MOST_REPLACED:
            yield batch
            batch = []
        batch.append(view)
    yield batch


def query_of(views: Iterable[View]) -> str:
    return "; ".join(f"x{number} = {view.expression}" for number, view in enumerate(views))
