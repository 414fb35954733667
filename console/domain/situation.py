"""Everything that advice is given from, and how it is worded: the state, the triggers and notices as they stand, the moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from console.domain.events import Verdict
from console.domain.incident import ComponentProgress, Incident
from console.domain.notices import GRACE_SECONDS, NoticeState
from console.domain.outline import Outline

MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class TriggerSign:
    """What advice has to know of a trigger. `was_firing`: it fired until its data broke off, and silence clears nothing."""

    id: str
    title: str
    verdict: Verdict
    suggests: tuple[str, ...] = ()
    was_firing: bool = False

    @property
    def fires(self) -> bool:
        return self.verdict == "firing" or self.was_firing


@dataclass(frozen=True, slots=True)
class NoticeSign:
    id: str
    title: str
    state: NoticeState
    due_in_seconds: float | None = None
    by_console: bool = False  # whether the console can send it
    note: str = ""  # why it failed, or may have failed
    retried: bool = False  # whether it is tried again by itself

    @property
    def late(self) -> bool:
        return self.state == "overdue" or (self.state == "failed" and (self.due_in_seconds or 0.0) < -GRACE_SECONDS)


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that advice is given from. `interrupted` are components that run in the journal and nowhere else."""

    incident: Incident
    outline: Outline
    now: datetime
    triggers: tuple[TriggerSign, ...] = ()
    notices: tuple[NoticeSign, ...] = ()
    interrupted: frozenset[str] = frozenset()

    @property
    def firing(self) -> tuple[TriggerSign, ...]:
        return tuple(t for t in self.triggers if t.fires)


def components_of(situation: Situation) -> Iterable[ComponentProgress]:
    return situation.incident.components.values()


def state_of(situation: Situation, component_id: str) -> str:
    progress = situation.incident.components.get(component_id)
    return progress.state if progress else "untouched"


def title_of(situation: Situation, component_id: str) -> str:
    found = situation.outline.component(component_id)
    return found.title if found else component_id


def soaking(situation: Situation) -> ComponentProgress | None:
    """The component that was rolled back last, while its soak lasts."""
    window = timedelta(seconds=situation.outline.soak_seconds)
    ended = [
        (c.ended_at, c)
        for c in components_of(situation)
        if c.state == "rolled_back" and c.ended_at and situation.now - c.ended_at < window
    ]
    return max(ended, key=lambda pair: pair[0])[1] if ended else None


def listed(titles: Iterable[str]) -> str:
    named = list(titles)
    if len(named) > MOST_NAMED:
        named[MOST_NAMED - 1 :] = [f"{len(named) - MOST_NAMED + 1} more"]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}" if named else ""


def fires(triggers: tuple[TriggerSign, ...]) -> str:
    return "fires" if len(triggers) == 1 else "fire"
