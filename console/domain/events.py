"""What happened, in the past tense. The journal holds these and nothing else; the state is their fold.

Each event is written as JSON with its `type` and version. Fields may be added with a default; a field never changes its
meaning. Secrets never enter: `change` and `pre_image` are names (SHA-256) of documents in the vault beside the journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from console.domain.outline import Impact, Outline, Section

Direction = Literal["back", "forward"]
Mode = Literal["live", "drill", "observe"]
Verdict = Literal["ok", "pending", "firing", "no_data", "stale"]
CheckOutcome = Literal["pass", "fail", "unknown"]
Occasion = Literal["declared", "confirmed", "soak_ended", "resolved"]
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
    advice: str = ""  # what the console advised at that moment, in words
    overrules: bool = False  # whether that advice was another one
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
    detail: tuple[str, ...] = ()  # the longer evidence: parts of a body, the end of an output
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
class TriggerCounted:
    """People told of so many more of what a counter counts; a negative number takes some back."""

    trigger: str
    count: int
    note: str = ""
    type: Literal["trigger_counted"] = "trigger_counted"


@dataclass(frozen=True, slots=True)
class TriggerAttested:
    """A person says that a manual trigger holds, or that it holds no more."""

    trigger: str
    holds: bool
    reason: str
    type: Literal["trigger_attested"] = "trigger_attested"


@dataclass(frozen=True, slots=True)
class ImpactStated:
    """Whether the incident touches users, compliance or security: what the external notices hang on."""

    impact: Impact
    applies: bool
    note: str
    type: Literal["impact_stated"] = "impact_stated"


@dataclass(frozen=True, slots=True)
class SeenTrigger:
    """A trigger as the commander saw it. `curve`: recent values, oldest first, over the last `curve_seconds`."""

    trigger: str
    verdict: Verdict
    value: float | None = None
    threshold: float | None = None
    since: datetime | None = None
    reason: str = ""
    curve: tuple[float, ...] = ()
    curve_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TriggersSeen:
    """What every trigger looked like when something was decided, so that the report can draw it."""

    occasion: Occasion
    component: str
    triggers: tuple[SeenTrigger, ...]
    type: Literal["triggers_seen"] = "triggers_seen"


@dataclass(frozen=True, slots=True)
class AdviceGiven:
    """Which components the console advised to roll back, in this order, or that none is needed any more."""

    components: tuple[str, ...]
    text: str
    type: Literal["advice_given"] = "advice_given"


@dataclass(frozen=True, slots=True)
class BaselineTaken:
    """What a check of performance measured before the migration, or at another time that is the standard. `of`: in words."""

    check: str
    value: float
    unit: str
    of: str
    type: Literal["baseline_taken"] = "baseline_taken"


@dataclass(frozen=True, slots=True)
class NoticeSending:
    """On disk before a byte of the message leaves. `again`: why a notice that was, or may have been, given is given again.

    `resolved`: it tells of the end.
    """

    notice: str
    op: str
    attempt: int
    subject: str
    text: str
    to: str
    again: str = ""
    resolved: bool = False
    type: Literal["notice_sending"] = "notice_sending"


@dataclass(frozen=True, slots=True)
class NoticeSent:
    notice: str
    op: str
    detail: str
    type: Literal["notice_sent"] = "notice_sent"


@dataclass(frozen=True, slots=True)
class NoticeMaybeSent:
    """It left and no answer came: a person decides whether to send it again or to count it as given."""

    notice: str
    op: str
    reason: str
    type: Literal["notice_maybe_sent"] = "notice_maybe_sent"


@dataclass(frozen=True, slots=True)
class NoticeFailed:
    """Nothing was delivered. `retry_seconds`: it is tried again by itself after so long; None: not by itself."""

    notice: str
    op: str
    reason: str
    retry_seconds: float | None = None
    type: Literal["notice_failed"] = "notice_failed"


@dataclass(frozen=True, slots=True)
class NoticeSnoozed:
    notice: str
    until: datetime
    reason: str
    type: Literal["notice_snoozed"] = "notice_snoozed"


@dataclass(frozen=True, slots=True)
class FollowUpAdded:
    followup: str
    section: Section
    text: str
    assignee: str = ""
    due_at: datetime | None = None
    type: Literal["followup_added"] = "followup_added"


@dataclass(frozen=True, slots=True)
class FollowUpDone:
    followup: str
    note: str
    type: Literal["followup_done"] = "followup_done"


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
    | TriggerCounted
    | TriggerAttested
    | ImpactStated
    | TriggersSeen
    | AdviceGiven
    | BaselineTaken
    | NoticeSending
    | NoticeSent
    | NoticeMaybeSent
    | NoticeFailed
    | NoticeSnoozed
    | FollowUpAdded
    | FollowUpDone
    | IncidentResolved
)

Events: TypeAlias = tuple[Event, ...]

OperationEvent: TypeAlias = StepSent | StepApplied | StepProven | StepUnknown | StepDiverged | StepSettled


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in the journal. `seq` counts from 1; `at` is UTC wall time."""

    seq: int
    at: datetime
    actor: str
    epoch: int
    event: Event
