"""What people and the engine ask for, in the imperative. `decide` turns each into events or refuses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from console.domain.events import (
    CheckRan,
    ComponentFinished,
    ComponentStopped,
    ConfirmedChange,
    Direction,
    Mode,
    StepAlready,
    StepApplied,
    StepDiverged,
    StepFailed,
    StepIntended,
    StepProven,
    StepSent,
    StepUnknown,
    VerdictChanged,
)
from console.domain.outline import Outline


@dataclass(frozen=True, slots=True)
class Declare:
    reason: str
    mode: Mode
    outline: Outline
    config_digest: str
    verdicts: tuple[VerdictChanged, ...] = ()


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
class Resolve:
    note: str


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
)


@dataclass(frozen=True, slots=True)
class Record:
    """The engine reports a fact. `decide` still refuses one that can't follow from the state."""

    fact: Fact


Command: TypeAlias = Declare | ReviseProcedure | Confirm | Stop | Settle | Sign | Waive | Acknowledge | Resolve | Record
