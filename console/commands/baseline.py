"""`baseline take|show`: what is normal, measured before it is needed, and what of it is on record.

It belongs to the procedure and to no incident: `take` begins the journal where there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from console.commands import exits
from console.commands.invocation import Invocation
from console.domain.events import BaselineTaken, Recorded
from console.domain.triggers import amount
from console.engine.status import rfc3339

if TYPE_CHECKING:
    from console.engine.session import Session


async def take(invocation: Invocation) -> int:
    """Measures side by side and records all of it, or nothing when one can't be measured."""
    out = invocation.out
    async with invocation.session(acts=True, creates=True) as session:
        before = session.runner.incident.seq
        await session.take_baseline(invocation.args.checks)
        taken = _latest([r for r in session.runner.history if r.seq > before])
        doubtful = _is_doubtful(session)
    out.json({"baselines": [_json(*one) for one in taken.values()]})
    for one in taken.values():
        out.line(_line(*one), "good")
    if doubtful:
        out.line(
            'an incident is open, and the file says no "migrated_at": is what was measured just now normal?',
            "attention",
        )
    return exits.DONE


async def show(invocation: Invocation) -> int:
    async with invocation.session(acts=False) as session:
        taken = _latest(session.runner.history)
        missing = [i for i in session.checklist.measured if i not in taken]
    invocation.out.json({"baselines": [_json(*one) for one in taken.values()], "missing": missing})
    for one in taken.values():
        invocation.out.line(_line(*one))
    for check_id in missing:
        invocation.out.line(f"{check_id}: not taken; rollback-console baseline take {check_id}", "attention")
    if not (taken or missing):
        invocation.out.line("no check of the procedure takes a baseline")
    return exits.DONE


def _is_doubtful(session: Session) -> bool:
    """Whether it may be the incident itself that was measured."""
    incident = session.runner.incident
    return incident.phase == "open" and incident.outline.migrated_at is None


def _latest(history: Sequence[Recorded]) -> dict[str, tuple[BaselineTaken, Recorded]]:
    """The last of each check, which is the one that counts, with its place in the journal."""
    return {r.event.check: (r.event, r) for r in history if isinstance(r.event, BaselineTaken)}


def _line(event: BaselineTaken, recorded: Recorded) -> str:
    taken = f"taken {recorded.at:%Y-%m-%d %H:%M:%S} UTC by {recorded.actor}"
    return f"{event.check}: {amount(event.value, event.unit)}, {event.of}; {taken}"


def _json(event: BaselineTaken, recorded: Recorded) -> dict[str, Any]:
    return {
        "check": event.check,
        "value": event.value,
        "unit": event.unit,
        "of": event.of,
        "taken_at": rfc3339(recorded.at),
        "by": recorded.actor,
    }
