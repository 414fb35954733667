"""The facts of one incident, out of the events of its journal: what a report may say, and nothing else is.

Pure: no clock, no file, no configuration. The moment that the report speaks of is that of the incident's last event.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from console.domain import events as e
from console.domain.decide import open_ends
from console.domain.errors import Refused
from console.domain.evolve import evolve
from console.domain.incident import FollowUp, Incident
from console.domain.triggers import TriggerReading
from console.engine.projection import Surroundings, project
from console.engine.view import ViewState
from console.report.evidence import CheckStory, check_stories
from console.report.messages import NoticeStory, notice_stories
from console.report.moments import Moment
from console.report.people import Person, decisions, people
from console.report.rollbacks import Rollback, rollbacks

_BEFORE_IT = (e.TriggerCounted, e.TriggerAttested, e.BaselineTaken)
"""What people may say before an incident is declared, and what then counts in it."""


@dataclass(frozen=True, slots=True)
class Chained:
    """An event with its hash in the journal's chain."""

    recorded: e.Recorded
    hash: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """What ties the report to the journal: the chain's hash at the incident's last event, and at the journal's."""

    first: int
    last: int
    hash: str
    events: int
    head: str


@dataclass(frozen=True, slots=True)
class Record:
    """`at` is the moment of the last event; `view` is what the console showed then, as far as the journal tells."""

    incident: Incident
    at: datetime
    view: ViewState
    moments: tuple[Moment, ...]
    rollbacks: tuple[Rollback, ...]
    notices: tuple[NoticeStory, ...]
    checks: tuple[CheckStory, ...]
    people: tuple[Person, ...]
    decisions: tuple[Moment, ...]
    followups: tuple[FollowUp, ...]
    open_ends: tuple[str, ...]
    anchor: Anchor

    @property
    def resolved(self) -> bool:
        return self.incident.phase == "resolved"

    @property
    def unseen(self) -> tuple[Rollback, ...]:
        """Rollbacks behind which the journal holds no word of any trigger: what fires was said before them."""
        words = (m.at for m in self.moments if isinstance(m.event, e.VerdictChanged | e.TriggersSeen))
        last = max(words, default=None)
        return tuple(r for r in self.rollbacks if r.ended_at and (last is None or r.ended_at >= last))

    @property
    def resolution(self) -> str:
        """What was said at the end."""
        found = (m.event.note for m in self.moments if isinstance(m.event, e.IncidentResolved))
        return next(found, "")

    def title_of(self, trigger: str) -> str:
        outline = self.incident.outline.trigger(trigger)
        return outline.title if outline else trigger

    def component_title(self, component: str) -> str:
        found = self.incident.components.get(component)
        return found.title if found else component


def record(journal: Sequence[Chained], incident_id: str = "") -> Record:
    """Of the incident with this id, or of the last one. Raises Refused when the journal holds none."""
    start, end = _place(journal, incident_id)
    moments = tuple(_moments(journal, start, end))
    incident = moments[-1].after
    at = moments[-1].recorded.at
    around = Surroundings(
        outline=incident.outline, mode=incident.mode, lease_held=True, readings=_last_words(incident, moments)
    )
    history = [m.recorded for m in moments]
    within = tuple(m for m in moments if m.recorded.seq > start)
    return Record(
        incident=incident,
        at=at,
        view=project(incident, history, at, around),
        moments=moments,
        rollbacks=rollbacks(within),
        notices=notice_stories(within, incident, at),
        checks=check_stories(within, incident),
        people=people(moments),
        decisions=decisions(moments),
        followups=tuple(_followups(incident, journal[end:])),
        open_ends=open_ends(incident) if incident.phase == "open" else (),
        anchor=Anchor(
            first=start + 1,
            last=journal[end - 1].recorded.seq,
            hash=journal[end - 1].hash,
            events=len(journal),
            head=journal[-1].hash,
        ),
    )


def incidents(journal: Iterable[Chained]) -> tuple[str, ...]:
    """The ids of the journal's incidents, oldest first."""
    declared = (c.recorded.event for c in journal)
    return tuple(event.incident_id for event in declared if isinstance(event, e.IncidentDeclared))


def _last_words(incident: Incident, moments: Sequence[Moment]) -> dict[str, TriggerReading]:
    """What the journal last heard of each trigger that is measured: at a change of its verdict, or at a decision."""
    measured = {t.id for t in incident.outline.triggers if t.judged == "measured"}
    words: dict[str, TriggerReading] = {}
    for moment in moments:
        event, at = moment.event, moment.at
        if isinstance(event, e.VerdictChanged):
            words[event.trigger] = _word(event, at)
        elif isinstance(event, e.TriggersSeen):
            words |= {seen.trigger: _word(seen, at) for seen in event.triggers}
    return {i: word for i, word in words.items() if i in measured}


def _word(said: e.VerdictChanged | e.SeenTrigger, at: datetime) -> TriggerReading:
    return TriggerReading(said.verdict, f"{said.reason}, at {at:%H:%M:%S} UTC", value=said.value, since=said.since)


def _place(journal: Sequence[Chained], incident_id: str) -> tuple[int, int]:
    """Where the incident's events begin and end, as a slice of the journal."""
    starts = [i for i, c in enumerate(journal) if isinstance(c.recorded.event, e.IncidentDeclared)]
    if not starts:
        raise Refused("the journal holds no incident yet", "there is nothing to report; see: journal show")
    names = incidents(journal)
    if incident_id and incident_id not in names:
        raise Refused(f'there is no incident "{incident_id}" in this journal', f"it holds: {', '.join(names)}")
    number = names.index(incident_id) if incident_id else len(starts) - 1
    end = starts[number + 1] if number + 1 < len(starts) else len(journal)
    return starts[number], end


def _moments(journal: Sequence[Chained], start: int, end: int) -> Iterable[Moment]:
    """The incident's own, and in front of them what was said since the incident before it and counts in this one."""
    incident = Incident()
    declared = evolve(incident, journal[start].recorded).outline
    ended = max((i for i in range(start) if isinstance(journal[i].recorded.event, e.IncidentResolved)), default=-1)
    for index, chained in enumerate(journal[:end]):
        before, incident = incident, evolve(incident, chained.recorded)
        said_before = ended < index < start and isinstance(chained.recorded.event, _BEFORE_IT)
        if index >= start or said_before:
            yield Moment(before, chained.recorded, incident, declared if said_before else incident.outline)


def _followups(incident: Incident, later: Sequence[Chained]) -> Iterable[FollowUp]:
    """The items as they are at the journal's end: one of this incident may have been done during the next."""
    done = {c.recorded.event.followup: c.recorded for c in later if isinstance(c.recorded.event, e.FollowUpDone)}
    for item in incident.followups.values():
        name = item.id if "/" in item.id else f"{item.incident}/{item.id}"
        if item.done_at is None and (found := done.get(name)) and isinstance(found.event, e.FollowUpDone):
            yield replace(item, done_at=found.at, done_by=found.actor, note=found.event.note)
        else:
            yield item
