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
from console.engine.ports import Change, Finding

NoticeState = Literal["waiting", "due", "overdue", "acknowledged"]
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


@dataclass(frozen=True, slots=True)
class NoticeView:
    id: str
    title: str
    state: NoticeState
    due_at: datetime | None
    due_in_seconds: float | None  # negative when overdue
    channel: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class TimelineItem:
    seq: int
    at: datetime
    actor: str
    text: str
    level: Level = "plain"


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

    def resolve(self, note: str) -> Awaitable[None]: ...

    def run_checks(self, checks: Sequence[str] = ()) -> Awaitable[None]: ...
