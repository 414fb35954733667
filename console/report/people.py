"""Who decided what: the events that are a person's word, and the people by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from console.domain import events as e
from console.report.moments import Moment

DEEDS: Final[dict[type[Any], str]] = {
    e.IncidentDeclared: "declared",
    e.ProcedureRevised: "changed the procedure",
    e.ComponentConfirmed: "confirmed",
    e.StopRequested: "asked to stop",
    e.StepSettled: "settled a doubt",
    e.StepSigned: "signed",
    e.CheckSigned: "signed",
    e.CheckWaived: "waived",
    e.TriggerAttested: "attested",
    e.TriggerCounted: "counted",
    e.ImpactStated: "stated the impact",
    e.NoticeAcknowledged: "told",
    e.NoticeSnoozed: "put off a notice",
    e.FollowUpAdded: "added a follow-up",
    e.FollowUpDone: "finished a follow-up",
    e.IncidentResolved: "resolved",
}
"""What is somebody's decision. Sending a notice is one when it is given again; the rest of the events is what followed."""
_COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Person:
    """`deeds`: what they did, in the order of their first time, with how often."""

    name: str
    deeds: tuple[tuple[str, int], ...]


def people(moments: Sequence[Moment]) -> tuple[Person, ...]:
    """Everybody who acted, in the order of their first act. A console that only went on working acts for its person too."""
    deeds: dict[str, Counter[str]] = {}
    for moment in moments:
        counted = deeds.setdefault(moment.by, Counter())
        if word := deed(moment):
            counted[word] += 1
    return tuple(Person(name, tuple(counted.items())) for name, counted in deeds.items())


def decisions(moments: Sequence[Moment]) -> tuple[Moment, ...]:
    """Counting is told with the triggers, and is no decision."""
    return tuple(m for m in moments if (word := deed(m)) and word != _COUNTED)


def deed(moment: Moment) -> str:
    if isinstance(moment.event, e.NoticeSending):
        return "sent again" if moment.event.again else "sent a notice" if moment.event.attempt == 1 else ""
    return DEEDS.get(type(moment.event), "")
