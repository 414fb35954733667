"""What a drill was like: how long to declare, to tell, to roll back, to recover; what was unnecessary, what was forgotten.

Made from the journal, the scenario, and how the service did. All times are the drill's own: at a pace of 20, three minutes
count as an hour.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from console.domain.events import (
    ComponentFinished,
    ImpactStated,
    IncidentDeclared,
    IncidentResolved,
    NoticeAcknowledged,
    NoticeSent,
    Recorded,
)
from console.domain.outline import ComponentOutline, Outline
from console.domain.triggers import span
from console.sandbox.model.scenario import Scenario

_GIVEN: Final = (NoticeSent, NoticeAcknowledged)
TIMES: Final = ("declared", "first_word", "rolled_back", "recovered", "resolved")


@dataclass(frozen=True, slots=True)
class Told:
    """A notice: when it was due and when somebody gave it, in seconds after the declaration; None for not at all."""

    title: str
    due: float
    given: float | None


@dataclass(frozen=True, slots=True)
class Debrief:
    """Seconds after the drill began; None for what did not happen. Components by their titles."""

    scenario: str
    declared: float | None = None
    first_word: float | None = None
    rolled_back: float | None = None
    recovered: float | None = None
    resolved: float | None = None
    told: tuple[Told, ...] = ()
    unnecessary: tuple[str, ...] = ()
    taken_forward_again: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def debrief(
    name: str,
    scenario: Scenario,
    journal: Sequence[Recorded],
    *,
    began: datetime,
    ended: datetime,
    pace: float,
    well_since: datetime | None = None,
) -> Debrief:
    """`journal`: the events of the drill's incident, oldest first. `well_since`: since when the service is well again."""

    def after(at: datetime) -> float:
        return (at - began).total_seconds() * pace

    declared = next((r for r in journal if isinstance(r.event, IncidentDeclared)), None)
    if declared is None or not isinstance(declared.event, IncidentDeclared):
        forgotten = ("to declare the incident",) if scenario.guilty else ()
        return Debrief(name, forgotten=forgotten)
    outline = declared.event.outline
    titles = {c.id: c.title for c in outline.components}
    gone = _gone(journal)
    ever = {
        r.event.component for r in journal if isinstance(r.event, ComponentFinished) and r.event.direction == "back"
    }
    told = tuple(_told(outline, journal, declared.at, pace))
    resolved = next((after(r.at) for r in journal if isinstance(r.event, IncidentResolved)), None)
    rolled_back = _last([at for c, at in gone.items() if c in scenario.guilty], len(scenario.guilty))
    innocent = [c.id for c in outline.components if c.id not in scenario.guilty and not _only_holds(c)]
    return Debrief(
        scenario=name,
        declared=after(declared.at),
        first_word=min((after(r.at) for r in journal if isinstance(r.event, _GIVEN)), default=None),
        rolled_back=after(rolled_back) if rolled_back else None,
        recovered=after(well_since) if well_since else None,
        resolved=resolved,
        told=told,
        unnecessary=tuple(titles[c] for c in innocent if c in gone),
        taken_forward_again=tuple(titles[c] for c in innocent if c in ever and c not in gone),
        forgotten=tuple(
            _forgotten(scenario, titles, gone, told, (ended - declared.at).total_seconds() * pace, resolved)
        ),
    )


def keep(history: Path, found: Debrief, began: datetime) -> None:
    """One line a drill. A history that can't be written costs a comparison, not the debrief."""
    line = json.dumps({"began": began.isoformat(), **found.to_json()})
    with contextlib.suppress(OSError), history.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def earlier(history: Path, scenario: str) -> list[Debrief]:
    """The drills of this scenario before, as far as they can be read."""
    found = []
    with contextlib.suppress(OSError):
        for line in history.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, TypeError, KeyError):
                document = json.loads(line)
                if document.pop("scenario") == scenario:
                    times = {name: document[name] for name in TIMES}
                    found.append(Debrief(scenario, **times))
    return found


def _only_holds(component: ComponentOutline) -> bool:
    """It takes nothing of the migration back, so it is no rollback too many."""
    return bool(component.steps) and all(step.kind == "kubernetes.hold" for step in component.steps)


def _gone(journal: Sequence[Recorded]) -> dict[str, datetime]:
    """What is rolled back at the end, and since when."""
    gone: dict[str, datetime] = {}
    for recorded in journal:
        if isinstance(recorded.event, ComponentFinished):
            if recorded.event.direction == "back":
                gone.setdefault(recorded.event.component, recorded.at)
            else:
                gone.pop(recorded.event.component, None)
    return gone


def _last(times: Sequence[datetime], wanted: int) -> datetime | None:
    return max(times) if times and len(times) == wanted else None


def _told(outline: Outline, journal: Sequence[Recorded], declared: datetime, pace: float) -> Iterator[Told]:
    """The notices that were to be given: those that hang on something, once that was said to apply."""
    given: dict[str, datetime] = {}
    applies: dict[str, datetime] = {}
    for recorded in journal:
        if isinstance(recorded.event, NoticeSent | NoticeAcknowledged):
            given.setdefault(recorded.event.notice, recorded.at)
        elif isinstance(recorded.event, ImpactStated) and recorded.event.applies:
            applies.setdefault(recorded.event.impact, recorded.at)
    for notice in outline.notices:
        begins = applies.get(notice.impact) if notice.impact else declared
        if begins is None:
            continue
        due = ((begins - declared).total_seconds() + notice.after_seconds) * pace
        at = given.get(notice.id)
        yield Told(notice.title, due, (at - declared).total_seconds() * pace if at else None)


def _forgotten(
    scenario: Scenario,
    titles: dict[str, str],
    gone: dict[str, datetime],
    told: Sequence[Told],
    length: float,
    resolved: float | None,
) -> Iterator[str]:
    for component in scenario.guilty:
        if component not in gone:
            yield f"to roll back {titles.get(component, component)}"
    for notice in told:
        if notice.given is None and notice.due <= length:
            yield f"{notice.title} (due after {span(notice.due) if notice.due else 'no time at all'})"
    if resolved is None:
        yield "to resolve the incident"


# ---------------------------------------------------------------- in words


def lines(found: Debrief, scenario: Scenario, before: Sequence[Debrief] = ()) -> Iterator[str]:
    """For the terminal and the report. `before`: earlier drills of the same scenario."""
    yield f"Debrief: {scenario.title}"
    yield ""
    yield wrapped(scenario.lesson)
    yield ""
    for word, seconds, best in _times(found, before):
        yield f"  {word:<22}{_clock(seconds):>12}{f'   best so far {_clock(best)}' if best is not None else ''}"
    if found.told:
        yield ""
        for notice in found.told:
            late = notice.given is not None and notice.given > notice.due + 60
            how = "not given" if notice.given is None else f"after {_clock(notice.given)}" + (", late" if late else "")
            yield f"  {notice.title}: due after {_clock(notice.due)}, {how}"
    yield ""
    yield f"  Unnecessary: {', '.join(found.unnecessary) or 'nothing'}"
    if found.taken_forward_again:
        yield f"  Taken back for nothing, and put back: {', '.join(found.taken_forward_again)}"
    yield f"  Forgotten: {'; '.join(found.forgotten) or 'nothing'}"


def wrapped(text: str) -> str:
    """A paragraph for a terminal, indented."""
    width = min(shutil.get_terminal_size().columns, 100)
    return textwrap.fill(" ".join(text.split()), width, initial_indent="  ", subsequent_indent="  ")


def _times(found: Debrief, before: Sequence[Debrief]) -> Iterator[tuple[str, float | None, float | None]]:
    for name in TIMES:
        times = [seconds for b in before if (seconds := getattr(b, name)) is not None]
        yield name.replace("_", " "), getattr(found, name), min(times, default=None)


def _clock(seconds: float | None) -> str:
    """`4:05`, `1:02:00`, `never`."""
    if seconds is None:
        return "never"
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
