"""What happened, in the past tense. The journal holds these and nothing else; the state is their fold.

Each event is written as JSON with its `type` and version. Fields may be added with a default; a field never changes its
meaning. Secrets never enter: `change` and `pre_image` are names (SHA-256) of documents in the vault beside the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from console.domain.outline import Outline

Direction = Literal["back", "forward"]
Mode = Literal["live", "drill", "observe"]
Verdict = Literal["ok", "pending", "firing", "no_data", "stale"]
CheckOutcome = Literal["pass", "fail", "unknown"]
ProbeAnswer = Literal["done", "not_done", "partial", "diverged", "unknown"]


@dataclass(frozen=True, slots=True)
class IncidentDeclared:
    incident_id: str
    reason: str
    mode: Mode
    outline: Outline
    config_digest: str
    type: Literal["incident_declared"] = "incident_declared"


@dataclass(frozen=True, slots=True)
class ProcedureRevised:
    """The configuration file changed while the incident was open."""

    outline: Outline
    config_digest: str
    type: Literal["procedure_revised"] = "procedure_revised"


@dataclass(frozen=True, slots=True)
class VerdictChanged:
    trigger: str
    verdict: Verdict
    reason: str
    value: float | None = None
    threshold: float | None = None
    since: datetime | None = None
    query: str = ""
    type: Literal["verdict_changed"] = "verdict_changed"


@dataclass(frozen=True, slots=True)
class ConfirmedChange:
    """One step's change as the commander saw it: its hash, its words, the object versions it was made for."""

    step: str
    hash: str
    summary: str
    lines: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    seen: dict[str, str] | None = None  # object → fingerprint of its content
    already: bool = False


@dataclass(frozen=True, slots=True)
class ComponentConfirmed:
    component: str
    direction: Direction
    run: str
    changes: tuple[ConfirmedChange, ...]
    typed: str
    type: Literal["component_confirmed"] = "component_confirmed"


@dataclass(frozen=True, slots=True)
class StepIntended:
    """On disk before anything is sent: what will be sent (`change`) and what undo needs (`pre_image`)."""

    component: str
    step: str
    direction: Direction
    op: str
    change: str
    pre_image: str
    summary: str
    type: Literal["step_intended"] = "step_intended"


@dataclass(frozen=True, slots=True)
class StepSent:
    """On disk immediately before the first byte leaves: from here on only the target knows."""

    component: str
    step: str
    op: str
    type: Literal["step_sent"] = "step_sent"


@dataclass(frozen=True, slots=True)
class StepApplied:
    component: str
    step: str
    op: str
    detail: str
    by_probe: bool = False
    type: Literal["step_applied"] = "step_applied"


@dataclass(frozen=True, slots=True)
class StepProven:
    component: str
    step: str
    op: str
    proof: str
    type: Literal["step_proven"] = "step_proven"


@dataclass(frozen=True, slots=True)
class StepAlready:
    """The target was in the goal state before anything was sent; the proof was read back all the same."""

    component: str
    step: str
    direction: Direction
    proof: str
    type: Literal["step_already"] = "step_already"


@dataclass(frozen=True, slots=True)
class StepFailed:
    """`effect` is False when it is certain that nothing was changed, True when the change stands but is not proven."""

    component: str
    step: str
    direction: Direction
    reason: str
    refused: bool
    effect: bool
    op: str = ""
    type: Literal["step_failed"] = "step_failed"


@dataclass(frozen=True, slots=True)
class StepUnknown:
    component: str
    step: str
    op: str
    reason: str
    type: Literal["step_unknown"] = "step_unknown"


@dataclass(frozen=True, slots=True)
class StepDiverged:
    component: str
    step: str
    op: str
    reason: str
    type: Literal["step_diverged"] = "step_diverged"


@dataclass(frozen=True, slots=True)
class StepSettled:
    """A person looked at an unknown or diverged step and decided what it counts as."""

    component: str
    step: str
    op: str
    counts_as: Literal["done", "not_done"]
    note: str
    type: Literal["step_settled"] = "step_settled"


@dataclass(frozen=True, slots=True)
class StepSigned:
    """A step that only a person can carry out was carried out, says its signature."""

    component: str
    step: str
    direction: Direction
    note: str
    type: Literal["step_signed"] = "step_signed"


@dataclass(frozen=True, slots=True)
class StopRequested:
    component: str
    type: Literal["stop_requested"] = "stop_requested"


@dataclass(frozen=True, slots=True)
class ComponentStopped:
    component: str
    reason: str
    type: Literal["component_stopped"] = "component_stopped"


@dataclass(frozen=True, slots=True)
class ComponentFinished:
    component: str
    direction: Direction
    type: Literal["component_finished"] = "component_finished"


@dataclass(frozen=True, slots=True)
class CheckRan:
    check: str
    outcome: CheckOutcome
    evidence: str
    seconds: float
    type: Literal["check_ran"] = "check_ran"


@dataclass(frozen=True, slots=True)
class CheckSigned:
    check: str
    note: str
    type: Literal["check_signed"] = "check_signed"


@dataclass(frozen=True, slots=True)
class CheckWaived:
    check: str
    reason: str
    type: Literal["check_waived"] = "check_waived"


@dataclass(frozen=True, slots=True)
class NoticeAcknowledged:
    notice: str
    note: str
    type: Literal["notice_acknowledged"] = "notice_acknowledged"


@dataclass(frozen=True, slots=True)
class IncidentResolved:
    note: str
    type: Literal["incident_resolved"] = "incident_resolved"


Event: TypeAlias = (
    IncidentDeclared
    | ProcedureRevised
    | VerdictChanged
    | ComponentConfirmed
    | StepIntended
    | StepSent
    | StepApplied
    | StepProven
    | StepAlready
    | StepFailed
    | StepUnknown
    | StepDiverged
    | StepSettled
    | StepSigned
    | StopRequested
    | ComponentStopped
    | ComponentFinished
    | CheckRan
    | CheckSigned
    | CheckWaived
    | NoticeAcknowledged
    | IncidentResolved
)

OperationEvent: TypeAlias = StepSent | StepApplied | StepProven | StepUnknown | StepDiverged | StepSettled


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the journal. `seq` counts from 1; `at` is UTC wall time."""

    seq: int
    at: datetime
    actor: str
    epoch: int
    event: Event
