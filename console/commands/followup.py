"""`followup list|add|done`: what has to be done after the rollback. It outlives the incident, and the next one too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from console.commands import exits
from console.commands.invocation import Invocation, UsageProblem, one_line

if TYPE_CHECKING:
    from console.domain.outline import Section
    from console.engine.view import FollowUpView

_SECTIONS: dict[str, Section] = {"root-cause": "root_cause", "prevention": "prevention", "recovery": "recovery"}
_TITLES: dict[Section, str] = {
    "root_cause": "Root cause analysis",
    "prevention": "Prevention measures",
    "recovery": "Recovery planning",
}


async def show(invocation: Invocation) -> int:
    from console.engine.status import followup_json

    async with invocation.session(acts=False) as session:
        view = session.view()
    shown = [f for f in view.followups if invocation.args.all or f.done_at is None]
    invocation.out.json({"followups": [followup_json(f) for f in shown]})
    for line, level in _lines(shown, view.at):
        invocation.out.line(line, level)
    if not shown:
        invocation.out.line("no item is open" if view.followups else "there are no follow-up items")
    return exits.DONE


async def add(invocation: Invocation) -> int:
    args = invocation.args
    async with invocation.session(acts=True) as session:
        due_at = _due(args.due, session.view().at)
        known = set(session.runner.incident.followups)
        await session.add_followup(_SECTIONS[args.section], one_line(args.text), one_line(args.assignee), due_at)
        added = [f for f in session.view().followups if f.id not in known]
    return _told(invocation, added, "added")


async def done(invocation: Invocation) -> int:
    args = invocation.args
    async with invocation.session(acts=True) as session:
        await session.finish_followup(args.id, one_line(args.note))
        finished = [f for f in session.view().followups if f.id == args.id]
    return _told(invocation, finished, "done")


def _told(invocation: Invocation, items: Sequence[FollowUpView], what: str) -> int:
    from console.engine.status import followup_json

    for item in items:
        invocation.out.line(f"{item.id} is {what}: {item.text}", "good")
    invocation.out.json({"followups": [followup_json(f) for f in items]})
    return exits.DONE


def _due(given: str, now: datetime) -> datetime | None:
    """`2026-03-31` is that day until its end, by this machine's clock; `7d` is so long from now."""
    from pydantic_core import PydanticCustomError

    from console.config.options import parse_duration

    if not given:
        return None
    try:
        return datetime.combine(date.fromisoformat(given), time(23, 59, 59)).astimezone()
    except ValueError:
        pass
    try:
        return now + timedelta(seconds=parse_duration(given))
    except PydanticCustomError:
        raise UsageProblem(f'--due "{given}" is no day and no duration', "write 2026-03-31, or 7d") from None


def _lines(items: Sequence[FollowUpView], now: datetime) -> Iterator[tuple[str, str]]:
    width = max((len(item.id) for item in items), default=0)
    for section, title in _TITLES.items():
        of_it = [item for item in items if item.section == section]
        if of_it:
            yield title, "strong"
        for item in of_it:
            yield f"  {item.id:<{width}}  {_line(item, now)}", "attention" if _late(item, now) else ""


def _line(item: FollowUpView, now: datetime) -> str:
    parts = [item.text, item.assignee or "nobody's"]
    if item.done_at:
        return ", ".join((*parts, f"done {item.done_at.astimezone():%Y-%m-%d} by {item.done_by}: {item.note}"))
    if item.due_at:
        parts.append(f"{'OVERDUE since' if _late(item, now) else 'due'} {item.due_at.astimezone():%Y-%m-%d}")
    return ", ".join(parts)


def _late(item: FollowUpView, now: datetime) -> bool:
    return item.done_at is None and item.due_at is not None and item.due_at < now
