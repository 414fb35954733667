"""What the state keeps of people's words, of advice, and of what is left to do: `evolve.py` folds with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from console.domain import events as e
from console.domain.incident import Attestation, Counted, FollowUp, GivenAdvice, ImpactWord, Incident, SeenThen
from console.domain.outline import Outline

_COUNTED_FOR = timedelta(days=1)
"""Longer than any counter's window: what is older is of no account any more."""


def still_open(incident: Incident) -> dict[str, FollowUp]:
    """What earlier incidents left to do, under names that tell whence."""
    items = [item for item in incident.followups.values() if item.done_at is None]
    named = (item if "/" in item.id else replace(item, id=f"{item.incident}/{item.id}") for item in items)
    return {item.id: item for item in named}


def followups(known: Mapping[str, FollowUp], incident_id: str, outline: Outline) -> MappingProxyType[str, FollowUp]:
    """The procedure's own come behind what is known already."""
    own = {f.id: FollowUp(f.id, incident_id, f.section, f.title, f.assignee) for f in outline.followups}
    return MappingProxyType({**own, **known})


def counted(incident: Incident, event: e.TriggerCounted, recorded: e.Recorded) -> Incident:
    known = incident.counted.get(event.trigger, ())
    kept = tuple(one for one in known if recorded.at - one.at <= _COUNTED_FOR)
    one = Counted(recorded.at, event.count, recorded.actor, event.note)
    return replace(incident, counted=MappingProxyType({**incident.counted, event.trigger: (*kept, one)}))


def attested(incident: Incident, event: e.TriggerAttested, recorded: e.Recorded) -> Incident:
    word = Attestation(event.holds, recorded.at, recorded.actor, event.reason)
    return replace(incident, attested=MappingProxyType({**incident.attested, event.trigger: word}))


def impact(incident: Incident, event: e.ImpactStated, recorded: e.Recorded) -> Incident:
    known = incident.impacts.get(event.impact)
    since = known.at if known and known.applies == event.applies else recorded.at
    word = ImpactWord(event.applies, since, recorded.actor, event.note)
    return replace(incident, impacts=MappingProxyType({**incident.impacts, event.impact: word}))


def seen(incident: Incident, event: e.TriggersSeen, recorded: e.Recorded) -> Incident:
    return replace(incident, seen=(*incident.seen, SeenThen(recorded.at, event)))


def advised(incident: Incident, event: e.AdviceGiven, recorded: e.Recorded) -> Incident:
    return replace(incident, advised=GivenAdvice(event.components, event.text, recorded.at))


def baseline(incident: Incident, event: e.BaselineTaken, _: e.Recorded) -> Incident:
    return replace(incident, baselines=MappingProxyType({**incident.baselines, event.check: event}))


def followup_added(incident: Incident, event: e.FollowUpAdded, _: e.Recorded) -> Incident:
    item = FollowUp(event.followup, incident.id, event.section, event.text, event.assignee, event.due_at)
    return replace(incident, followups=MappingProxyType({**incident.followups, item.id: item}))


def followup_done(incident: Incident, event: e.FollowUpDone, recorded: e.Recorded) -> Incident:
    item = replace(incident.followups[event.followup], done_at=recorded.at, done_by=recorded.actor, note=event.note)
    return replace(incident, followups=MappingProxyType({**incident.followups, item.id: item}))
