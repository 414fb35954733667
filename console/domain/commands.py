"""What people and the engine ask for, in the imperative. `decide` turns each into events or refuses it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from console.domain.events import (
    AdviceGiven,
    BaselineTaken,
    CheckRan,
    ComponentFinished,
    ComponentStopped,
    ConfirmedChange,
    Direction,
    Mode,
    NoticeFailed,
    NoticeMaybeSent,
    NoticeSent,
    StepAlready,
    StepApplied,
    StepDiverged,
    StepFailed,
    StepIntended,
    StepProven,
    StepSent,
    StepUnknown,
    TriggersSeen,
    VerdictChanged,
)
from console.domain.outline import Impact, Outline, Section


@dataclass(frozen=True, slots=True)
class Declare:
    reason: str
    mode: Mode
    outline: Outline
    config_digest: str
    verdicts: tuple[VerdictChanged, ...] = ()
    seen: TriggersSeen | None = None


@dataclass(frozen=True, slots=True)
class ReviseProcedure:
    outline: Outline
    config_digest: str


@dataclass(frozen=True, slots=True)
class Confirm:
    """Carry a component out in a direction, exactly as previewed. `typed` is what the person typed to confirm."""

    component: str
    direction: Direction
    run: str
    changes: tuple[ConfirmedChange, ...]
    typed: str
    side_by_side: bool = False
    advice: str = ""
    overrules: bool = False
    seen: TriggersSeen | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    component: str


@dataclass(frozen=True, slots=True)
class Settle:
    """A person's word on a step whose outcome is unknown or diverged."""

    component: str
    step: str
    counts_as: Literal["done", "not_done"]
    note: str


@dataclass(frozen=True, slots=True)
class Sign:
    """Sign a check, or a step that only a person can carry out, by its id."""

    id: str
    note: str


@dataclass(frozen=True, slots=True)
class Waive:
    check: str
    reason: str


@dataclass(frozen=True, slots=True)
class Acknowledge:
    notice: str
    note: str


@dataclass(frozen=True, slots=True)
class Count:
    """So many more of what a counter counts; possible before an incident too."""

    trigger: str
    count: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Attest:
    """A person's word that a manual trigger holds, or holds no more; possible before an incident too."""

    trigger: str
    holds: bool
    reason: str
    impact: Impact | None = None  # of the trigger, for when no incident knows it yet


@dataclass(frozen=True, slots=True)
class StateImpact:
    impact: Impact
    applies: bool
    note: str


@dataclass(frozen=True, slots=True)
class Notify:
    """Send a notice, exactly as drafted. `again` is the reason for giving one again that was, or may have been, given.

    `at` is the moment: one that repeats needs no reason once it is due again. `follows` is the mark (`notices.mark`) of what
    the person saw of the notice, so that a word about one message is never taken for another; None: not compared.
    """

    notice: str
    op: str
    subject: str
    text: str
    to: str
    again: str = ""
    at: datetime | None = None
    follows: str | None = None


@dataclass(frozen=True, slots=True)
class RetryNotice:
    """The `attempt`-th sending of a message of which nothing was delivered, word for word, by the console itself."""

    notice: str
    op: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Snooze:
    notice: str
    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class TakeBaseline:
    baselines: tuple[BaselineTaken, ...]


@dataclass(frozen=True, slots=True)
class AddFollowUp:
    section: Section
    text: str
    assignee: str = ""
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FinishFollowUp:
    followup: str
    note: str


@dataclass(frozen=True, slots=True)
class Resolve:
    note: str
    seen: TriggersSeen | None = None


Fact: TypeAlias = (
    StepIntended
    | StepSent
    | StepApplied
    | StepProven
    | StepAlready
    | StepFailed
    | StepUnknown
    | StepDiverged
    | ComponentStopped
    | ComponentFinished
    | CheckRan
    | VerdictChanged
    | TriggersSeen
    | AdviceGiven
    | NoticeSent
    | NoticeMaybeSent
    | NoticeFailed
)


@dataclass(frozen=True, slots=True)
class Record:
    """The engine reports a fact. `decide` still refuses one that can't follow from the state."""

    fact: Fact


Command: TypeAlias = (
    Declare
    | ReviseProcedure
    | Confirm
    | Stop
    | Settle
    | Sign
    | Waive
    | Acknowledge
    | Count
    | Attest
    | StateImpact
    | Notify
    | RetryNotice
    | Snooze
    | TakeBaseline
    | AddFollowUp
    | FinishFollowUp
    | Resolve
    | Record
)
