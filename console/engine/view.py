"""The picture of an incident at one moment: what the screen, the command line and `status --json` show, and nothing else.

Plain frozen values, made by `projection.py` and compared by the screen to find out what changed. All times are UTC.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from console.domain.events import Direction, Mode, Verdict
from console.domain.incident import CheckState, ComponentState, IncidentPhase, StepState
from console.domain.notices import NoticeState
from console.domain.outline import Impact, Judged, Section
from console.engine.ports import Change, Finding

Level = Literal["plain", "good", "attention", "alarm"]


@dataclass(frozen=True, slots=True)
class IncidentView:
    id: str
    title: str
    state: IncidentPhase
    reason: str
    declared_at: datetime | None
    elapsed_seconds: float
    commander: str
    epoch: int
    mode: Mode
    contexts: tuple[str, ...] = ()  # the procedure's clusters, by context name; its other systems where it has none


@dataclass(frozen=True, slots=True)
class TriggerView:
    id: str
    title: str
    verdict: Verdict
    value: float | None
    threshold: float
    unit: str
    above: bool
    since: datetime | None  # when the present verdict began
    reason: str
    query: str = ""
    for_seconds: float = 0.0
    held_seconds: float = 0.0  # for how long the threshold has been crossed without a break
    age_seconds: float | None = None  # of the newest value
    curve: tuple[float, ...] = ()  # recent values, oldest first
    suggests: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    judged: Judged = "measured"
    consecutive: int = 1  # evaluations in a row that it takes
    clear: float | None = None  # the value at which a firing trigger counts as healthy again, where that is another one
    curve_seconds: float = 0.0  # how much time the curve covers
    before_migration: bool = False  # it was broken before the migration already
    was_firing: bool = False  # it fired until its data broke off
    impact: Impact | None = None  # what a person's word for it says is touched
    in_a_row: int = 0  # evaluations in a row that crossed the threshold, up to the newest
    series: int = 0  # how many the query gave at the newest evaluation
    crossing: int = 0  # how many of them break the rule


@dataclass(frozen=True, slots=True)
class StepView:
    id: str
    title: str
    kind: str
    state: StepState
    reason: str  # the proof, the failure, or both sides of a doubt
    progress: str = ""  # while it is under way
    done: int = 0
    total: int = 0
    seconds: float | None = None  # how long the operation has been under way
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class ComponentView:
    id: str
    title: str
    state: ComponentState
    direction: Direction
    reason: str
    steps: tuple[StepView, ...]
    suggested_by: tuple[str, ...] = ()  # titles of the firing triggers that point here
    stop_requested: bool = False
    current: int = 0  # which step is under way, from 1; 0 when none is
    can_roll_back: bool = False
    can_roll_forward: bool = False


@dataclass(frozen=True, slots=True)
class CheckView:
    id: str
    title: str
    group: str
    state: CheckState
    evidence: str
    criterion: bool
    by_person: bool
    running: bool = False
    detail: tuple[str, ...] = ()
    seconds: float = 0.0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NoticeView:
    id: str
    title: str
    state: NoticeState
    due_at: datetime | None
    due_in_seconds: float | None  # negative when overdue
    channel: str
    note: str = ""  # how it was given, why it failed, who put it off
    to: str = ""  # where the channel goes
    repeats: bool = False
    given_at: datetime | None = None  # the last time
    times_given: int = 0
    impact: Impact | None = None  # given only if this applies
    subject: str = ""  # of the message that was, or is being, sent
    text: str = ""
    by: str = ""  # who gave it, or tried to, the last time
    attempt: int = 0  # of the last message; 0 when none was sent
    retry_at: datetime | None = None  # when a failed one is tried again by itself

    @property
    def by_console(self) -> bool:
        """Whether the console can send it."""
        return self.channel != "manual"


@dataclass(frozen=True, slots=True)
class ImpactView:
    """`applies` is None while nobody has said it."""

    impact: Impact
    applies: bool | None = None
    by: str = ""
    at: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """A trigger when the component was confirmed, and now (or when the soak ended)."""

    id: str
    title: str
    unit: str
    before: float | None
    now: float | None
    verdict_before: Verdict
    verdict_now: Verdict


@dataclass(frozen=True, slots=True)
class SoakView:
    """The component that was rolled back last, and whether it helped. `left_seconds` is 0 once the soak is over."""

    component: str
    title: str
    left_seconds: float
    total_seconds: float
    triggers: tuple[BeforeAfter, ...]
    helped: str  # in words: what fell, what still fires


@dataclass(frozen=True, slots=True)
class FollowUpView:
    id: str
    incident: str
    section: Section
    text: str
    assignee: str
    due_at: datetime | None
    done_at: datetime | None
    done_by: str
    note: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice as it would be sent: from the template and the facts of this moment. `longest`: what the channel takes."""

    notice: str
    title: str
    channel: str
    to: str
    subject: str
    text: str
    longest: int | None = None
    already: str = ""  # why it would be given again: what became of it before; empty for the first time


@dataclass(frozen=True, slots=True)
class TimelineItem:
    seq: int
    at: datetime
    actor: str
    text: str
    level: Level = "plain"
    notice: str = ""  # the id of the notice that it is about


@dataclass(frozen=True, slots=True)
class NextAction:
    text: str
    command: str = ""  # the same on the command line
    key: str = ""  # the action's id in the screen: "declare", "roll_back:dashboard", "sign:complaints" …


@dataclass(frozen=True, slots=True)
class ViewState:
    at: datetime
    incident: IncidentView
    triggers: tuple[TriggerView, ...] = ()
    components: tuple[ComponentView, ...] = ()
    checks: tuple[CheckView, ...] = ()
    notices: tuple[NoticeView, ...] = ()
    timeline: tuple[TimelineItem, ...] = ()  # newest first
    next_action: NextAction = NextAction("")
    advice: str = ""  # what to roll back and why, or why nothing more
    advised: tuple[str, ...] = ()  # ids of the components that the triggers point to, in the order to roll them back
    soak: SoakView | None = None
    impacts: tuple[ImpactView, ...] = ()  # those that a notice hangs on
    followups: tuple[FollowUpView, ...] = ()
    busy: str = ""  # something that the console itself does just now ("recovering step undo-dashboard")


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One step of a preview. `change` is None when it could not be planned; `problem` says why."""

    id: str
    title: str
    kind: str
    line: str
    commands: tuple[str, ...]
    change: Change | None
    findings: tuple[Finding, ...] = ()
    problem: str = ""

    @property
    def blocked(self) -> bool:
        return bool(self.problem) or any(f.level == "block" for f in self.findings)


@dataclass(frozen=True, slots=True)
class Preview:
    component: str
    title: str
    direction: Direction
    at: datetime
    contexts: tuple[str, ...]  # where this component acts
    mode: Mode
    steps: tuple[PlannedStep, ...]

    @property
    def blocked(self) -> bool:
        return any(step.blocked for step in self.steps)

    @property
    def already(self) -> bool:
        """Whether carrying it out would change nothing."""
        return bool(self.steps) and all(s.change is not None and s.change.already for s in self.steps)


class Console(Protocol):
    """What a screen may do. Each coroutine raises `Refused` (or another `ConsoleError`) with a line for people."""

    def view(self) -> ViewState: ...

    def preview(self, component: str, direction: Direction) -> Awaitable[Preview]: ...

    def confirm(self, preview: Preview, typed: str) -> Awaitable[None]:
        """Starts carrying out; returns once the confirmation is on disk."""

    def stop(self, component: str) -> Awaitable[None]:
        """Before the next step; asked again while a step waits for its proof: stop waiting."""

    def settle(self, step: str, counts_as: Literal["done", "not_done"], note: str) -> Awaitable[None]: ...

    def recover(self) -> Awaitable[Sequence[str]]:
        """Reads the targets of what a console that died left behind; a line for each thing found."""

    def declare(self, reason: str) -> Awaitable[None]: ...

    def sign(self, check_or_step: str, note: str) -> Awaitable[None]: ...

    def waive(self, check: str, reason: str) -> Awaitable[None]: ...

    def acknowledge(self, notice: str, note: str) -> Awaitable[None]: ...

    def count(self, trigger: str, count: int, note: str = "") -> Awaitable[None]:
        """So many more complaints, or whatever the trigger counts."""

    def attest(self, trigger: str, holds: bool, reason: str) -> Awaitable[None]: ...

    def state_impact(self, impact: Impact, applies: bool, note: str) -> Awaitable[None]: ...

    def draft(self, notice: str) -> Awaitable[Draft]:
        """The message as it would be sent now; nothing is sent."""

    def notify(self, notice: str, subject: str, text: str, again: str = "") -> Awaitable[str]:
        """Sends it, as it was seen; returns what came of it, once that is known and on disk."""

    def snooze(self, notice: str, seconds: float, reason: str) -> Awaitable[None]: ...

    def take_baseline(self, checks: Sequence[str] = ()) -> Awaitable[Sequence[str]]:
        """Measures what checks of performance will be compared with; a line for each."""

    def add_followup(
        self, section: Section, text: str, assignee: str = "", due_at: datetime | None = None
    ) -> Awaitable[None]: ...

    def finish_followup(self, followup: str, note: str) -> Awaitable[None]: ...

    def resolve(self, note: str) -> Awaitable[None]: ...

    def run_checks(self, checks: Sequence[str] = ()) -> Awaitable[None]: ...
