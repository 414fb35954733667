"""The rules of what people keep: counts and words for manual triggers, baselines, follow-up items. `decide.py` asks."""

from __future__ import annotations

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Refused
from console.domain.events import Events
from console.domain.incident import Incident
from console.domain.outline import TriggerOutline
from console.domain.refusing import words_of


def count(incident: Incident, command: c.Count) -> Events:
    if incident.phase == "open":
        _manual(incident, command.trigger, "counter")
    if command.count == 0:
        raise Refused("a count of 0 says nothing", "count 1, or -1 to take one back")
    return (e.TriggerCounted(command.trigger, command.count, command.note.strip()),)


def attest(incident: Incident, command: c.Attest) -> Events:
    impact = command.impact
    if incident.phase == "open":
        impact = _manual(incident, command.trigger, "attestation").impact
    word = incident.attested.get(command.trigger)
    if (word.holds if word else False) == command.holds:
        state = "attested already" if command.holds else "not attested"
        raise Refused(f"trigger {command.trigger} is {state}", "nothing to do")
    reason = words_of(command.reason, "a person's word needs a reason", "--reason")
    attested = e.TriggerAttested(command.trigger, command.holds, reason)
    known = incident.impacts.get(impact) if impact else None
    if impact is None or not command.holds or (known and known.applies):
        return (attested,)
    return (attested, e.ImpactStated(impact, True, f"{command.trigger}: {reason}"))


def _manual(incident: Incident, trigger_id: str, judged: str) -> TriggerOutline:
    outline = incident.outline.trigger(trigger_id)
    fitting = ", ".join(t.id for t in incident.outline.triggers if t.judged == judged) or "none"
    noun = "counters" if judged == "counter" else "triggers that a person attests"
    if outline is None:
        raise Refused(f'there is no trigger "{trigger_id}"', f"{noun}: {fitting}")
    if outline.judged != judged:
        raise Refused(f"trigger {trigger_id} is not one of the {noun}", f"{noun}: {fitting}")
    return outline


def take_baseline(_: Incident, command: c.TakeBaseline) -> Events:
    return command.baselines


def add_followup(incident: Incident, command: c.AddFollowUp) -> Events:
    if incident.phase == "none":
        raise Refused("no incident is declared", 'declare one first: declare --reason "…"')
    text = words_of(command.text, "a follow-up item needs words", "its text")
    number = sum(f.id.startswith("f") and f.id[1:].isdigit() for f in incident.followups.values()) + 1
    return (e.FollowUpAdded(f"f{number}", command.section, text, command.assignee.strip(), command.due_at),)


def finish_followup(incident: Incident, command: c.FinishFollowUp) -> Events:
    item = incident.followups.get(command.followup)
    if item is None:
        known = ", ".join(f.id for f in incident.followups.values() if f.done_at is None) or "none"
        raise Refused(f'there is no follow-up item "{command.followup}"', f"open: {known}")
    if item.done_at:
        raise Refused(f"{item.id} was done at {item.done_at:%Y-%m-%d %H:%M} UTC by {item.done_by}", "nothing to do")
    return (e.FollowUpDone(item.id, words_of(command.note, "say how it was done")),)
