"""The procedure as an incident remembers it: ids, titles and order, without anything that a target needs.

It is part of the journal's first event, so that a journal explains itself when its configuration file is long gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Judged = Literal["measured", "counter", "attestation"]
"""Where a trigger's verdict comes from: samples of a source, a count that people keep, or a person's word."""
Impact = Literal["user_facing", "compliance", "security"]
"""What an incident may touch beyond the house; each brings notices of its own."""
IMPACT_WORDS: Final[Mapping[Impact, str]] = {"user_facing": "users", "compliance": "compliance", "security": "security"}
"""Each as it is said in a sentence."""
Audience = Literal["developers", "management", "tracker", "executives", "public", "compliance", "security"]
Section = Literal["root_cause", "prevention", "recovery"]


@dataclass(frozen=True, slots=True)
class StepOutline:
    id: str
    title: str
    kind: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class ComponentOutline:
    id: str
    title: str
    steps: tuple[StepOutline, ...]
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TriggerOutline:
    id: str
    title: str
    threshold: float
    unit: str = ""
    above: bool = True
    suggests: tuple[str, ...] = ()
    judged: Judged = "measured"
    window_seconds: float = 3600.0  # of a counter: how long something counts
    impact: Impact | None = None  # what is known to be touched once a person attests it


@dataclass(frozen=True, slots=True)
class CheckOutline:
    id: str
    title: str
    group: str
    kind: str
    criterion: bool = False

    @property
    def by_person(self) -> bool:
        return self.kind == "manual"


@dataclass(frozen=True, slots=True)
class NoticeOutline:
    id: str
    title: str
    after_seconds: float  # from the declaration; with an `impact`, from the moment that it was said to apply
    channel: str = "manual"
    repeat_seconds: float | None = None  # due again so long after it was given
    impact: Impact | None = None  # given only if this applies
    audience: Audience | None = None


@dataclass(frozen=True, slots=True)
class FollowUpOutline:
    """Something that has to be done after the rollback, whoever resolves it. Due so many seconds after the resolution."""

    id: str
    title: str
    section: Section
    assignee: str = ""
    due_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    title: str
    components: tuple[ComponentOutline, ...] = ()
    triggers: tuple[TriggerOutline, ...] = ()
    checks: tuple[CheckOutline, ...] = ()
    notices: tuple[NoticeOutline, ...] = ()
    soak_seconds: float = 300.0
    followups: tuple[FollowUpOutline, ...] = ()
    migrated_at: datetime | None = None

    def trigger(self, trigger_id: str) -> TriggerOutline | None:
        return next((t for t in self.triggers if t.id == trigger_id), None)

    def notice(self, notice_id: str) -> NoticeOutline | None:
        return next((n for n in self.notices if n.id == notice_id), None)

    def component(self, component_id: str) -> ComponentOutline | None:
        return next((c for c in self.components if c.id == component_id), None)

    def steps(self) -> Iterator[tuple[ComponentOutline, StepOutline]]:
        for component in self.components:
            for step in component.steps:
                yield component, step
