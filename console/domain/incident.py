"""The state of an incident: what the fold of its events says. `evolve` builds it, `decide` reads it; nobody else keeps state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from console.domain.events import BaselineTaken, ConfirmedChange, Direction, Mode, TriggersSeen, Verdict, VerdictChanged
from console.domain.outline import CheckOutline, Impact, Outline, Section, StepOutline

IncidentPhase = Literal["none", "open", "resolved"]
ComponentState = Literal["untouched", "running", "stopped", "failed", "unknown", "rolled_back", "rolled_forward"]
StepState = Literal[
    "untouched", "intended", "sent", "applied", "proven", "already", "failed", "unknown", "diverged", "undone"
]
NoticeProgressState = Literal["sending", "sent", "maybe_sent", "failed", "acknowledged"]
CheckState = Literal["not_run", "pass", "fail", "unknown", "stale", "signed", "waived"]

NEEDS_PERSON: frozenset[StepState] = frozenset({"unknown", "diverged"})
UNDER_WAY: frozenset[StepState] = frozenset({"intended", "sent", "applied"})


@dataclass(frozen=True, slots=True)
class Operation:
    """One sending of one change: from its intent to its outcome. `change` and `pre_image` name documents in the vault."""

    op: str
    direction: Direction
    change: str
    pre_image: str
    summary: str


@dataclass(frozen=True, slots=True)
class StepProgress:
    """`attempts` are the operations whose effect stands or may stand, oldest first: what rolling forward has to undo.

    One that was sent leaves them when the target refused it or when it is undone, and not because it could not be found: a
    request whose answer was lost may still arrive. `operation` is the one that has no final outcome yet; None when nothing
    is under way or in doubt.
    """

    id: str
    kind: str
    title: str
    state: StepState = "untouched"
    reason: str = ""
    attempts: tuple[Operation, ...] = ()
    operation: Operation | None = None
    signed: bool = False
    changed_at: datetime | None = None

    @property
    def by_person(self) -> bool:
        return self.kind == "manual"

    @property
    def to_undo(self) -> bool:
        """Whether rolling forward has anything to do here."""
        return bool(self.attempts) or self.signed


@dataclass(frozen=True, slots=True)
class ComponentProgress:
    id: str
    title: str
    steps: Mapping[str, StepProgress]
    state: ComponentState = "untouched"
    direction: Direction = "back"
    run: str = ""
    confirmed: Mapping[str, ConfirmedChange] = field(default_factory=lambda: MappingProxyType({}))
    dealt_with: frozenset[str] = frozenset()
    stop_requested: bool = False
    reason: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def step(self, step_id: str) -> StepProgress:
        return self.steps[step_id]

    @property
    def in_doubt(self) -> StepProgress | None:
        """The first step whose outcome only a person can settle."""
        return next((s for s in self.steps.values() if s.state in NEEDS_PERSON), None)

    @property
    def under_way(self) -> StepProgress | None:
        """The step with an operation that has no outcome: where a process died, or works at this moment."""
        return next((s for s in self.steps.values() if s.operation and s.state in UNDER_WAY), None)

    def next_step(self) -> StepProgress | None:
        """The step that the run comes to next; None when each confirmed step has been dealt with in this run."""
        order = list(self.steps.values()) if self.direction == "back" else list(self.steps.values())[::-1]
        return next((s for s in order if s.id in self.confirmed and s.id not in self.dealt_with), None)


@dataclass(frozen=True, slots=True)
class CheckProgress:
    state: CheckState
    evidence: str
    at: datetime
    seq: int
    by: str = ""
    seconds: float = 0.0
    detail: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class Counted:
    """Something that people counted at one moment."""

    at: datetime
    count: int
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Attestation:
    """A person's word on a manual trigger; `at` is when it began to be so."""

    holds: bool
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImpactWord:
    applies: bool
    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class NoticeProgress:
    """How far a notice is. `op` names the message that is or was sent, the same for each attempt at it.

    `given_at` is when it was last given, by sending or by other means; a notice that repeats counts from there.
    `resolved`: the message tells of the end, so that it is awaited after it too.
    """

    state: NoticeProgressState
    at: datetime
    by: str
    detail: str = ""
    op: str = ""
    attempt: int = 0
    subject: str = ""
    text: str = ""
    to: str = ""
    given_at: datetime | None = None
    times_given: int = 0
    retry_at: datetime | None = None
    resolved: bool = False


@dataclass(frozen=True, slots=True)
class Snoozed:
    until: datetime
    at: datetime
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class FollowUp:
    """`incident` is the one that it came from; it stays open beyond that one's end."""

    id: str
    incident: str
    section: Section
    text: str
    assignee: str = ""
    due_at: datetime | None = None
    done_at: datetime | None = None
    done_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class GivenAdvice:
    components: tuple[str, ...]
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class SeenThen:
    """The triggers as they were at a decision."""

    at: datetime
    event: TriggersSeen


@dataclass(frozen=True, slots=True)
class Incident:
    phase: IncidentPhase = "none"
    id: str = ""
    number: int = 0
    reason: str = ""
    mode: Mode = "live"
    outline: Outline = field(default_factory=lambda: Outline(title=""))
    config_digest: str = ""
    declared_at: datetime | None = None
    resolved_at: datetime | None = None
    commander: str = ""
    epoch: int = 0
    components: Mapping[str, ComponentProgress] = field(default_factory=lambda: MappingProxyType({}))
    checks: Mapping[str, CheckProgress] = field(default_factory=lambda: MappingProxyType({}))
    acknowledged: Mapping[str, Acknowledgement] = field(default_factory=lambda: MappingProxyType({}))
    verdicts: Mapping[str, VerdictChanged] = field(default_factory=lambda: MappingProxyType({}))
    counted: Mapping[str, tuple[Counted, ...]] = field(default_factory=lambda: MappingProxyType({}))
    attested: Mapping[str, Attestation] = field(default_factory=lambda: MappingProxyType({}))
    impacts: Mapping[Impact, ImpactWord] = field(default_factory=lambda: MappingProxyType({}))
    notices: Mapping[str, NoticeProgress] = field(default_factory=lambda: MappingProxyType({}))
    snoozed: Mapping[str, Snoozed] = field(default_factory=lambda: MappingProxyType({}))
    baselines: Mapping[str, BaselineTaken] = field(default_factory=lambda: MappingProxyType({}))
    followups: Mapping[str, FollowUp] = field(default_factory=lambda: MappingProxyType({}))
    advised: GivenAdvice | None = None
    seen: tuple[SeenThen, ...] = ()
    last_change_seq: int = 0
    seq: int = 0

    @property
    def title(self) -> str:
        return self.outline.title

    @property
    def running(self) -> ComponentProgress | None:
        return next((c for c in self.components.values() if c.state == "running"), None)

    def check_outline(self, check_id: str) -> CheckOutline | None:
        return next((c for c in self.outline.checks if c.id == check_id), None)

    def check_state(self, check_id: str) -> CheckState:
        """The state that counts now: whatever was found or signed before the last change is `stale`."""
        progress = self.checks.get(check_id)
        if progress is None:
            return "not_run"
        if progress.state != "waived" and progress.seq < self.last_change_seq:
            return "stale"
        return progress.state

    def verdict(self, trigger_id: str) -> Verdict | None:
        found = self.verdicts.get(trigger_id)
        return found.verdict if found else None

    def with_component(self, component: ComponentProgress) -> Incident:
        return replace(self, components=MappingProxyType({**self.components, component.id: component}))


def untouched_step(step: StepOutline) -> StepProgress:
    return StepProgress(id=step.id, kind=step.kind, title=step.title)


def with_step(component: ComponentProgress, step_id: str, **changes: Any) -> ComponentProgress:
    steps = {**component.steps, step_id: replace(component.steps[step_id], **changes)}
    return replace(component, steps=MappingProxyType(steps))
