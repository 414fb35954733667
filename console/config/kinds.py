"""What this package must know of the kinds (of targets, metric sources, steps, checks, channels) without importing one of them.

Wiring implements `Kinds` over the modules that it discovers, so that a new kind is a new file and nothing here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from pydantic import BaseModel

Section: TypeAlias = Literal["target", "source", "step", "check", "channel"]
"""Where a kind is named: `kind` of a target, a step or a check; `source` of a trigger; `channel` of a notice."""


@dataclass(frozen=True, slots=True)
class KindSpec:
    """What the file may say about one kind."""

    options: type[BaseModel]
    """Validates the keys of the table that are this kind's own."""
    target_kinds: tuple[str, ...] = ()
    """Kinds of target that it acts on; none means that it takes no `target` at all."""
    target_optional: bool = False
    """It can do without a target: leaving `target` out then means none, rather than the only one that fits."""
    has_threshold: bool = True
    """For a source: its samples are numbers to be compared. A person's attestation has no threshold."""
    sampled: bool = True
    """For a source: it is asked for samples. What people count or attest is in the journal, and nothing is asked."""
    has_window: bool = False
    """For a source: it brings values of a stretch of time together by its own means, so that `over` would do it twice."""
    window_hint: str = ""
    """How it does."""


class Kinds(Protocol):
    """The kinds that this installation has."""

    def names(self, section: Section) -> Sequence[str]:
        """Every kind of the section. Cheap: nothing needs to be imported to list them."""

    def describe(self, section: Section, kind: str) -> KindSpec:
        """One kind; asked only for names that `names` gave."""
