"""The commands that look: status, triggers, verify. None of them changes a target; verify records its evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from console.commands import exits
from console.commands.interrupts import on_signals
from console.commands.invocation import Invocation
from console.commands.output import Output
from console.engine.status import check_json, to_status_json, trigger_json

if TYPE_CHECKING:
    from console.engine.session import Session
    from console.engine.view import TriggerView, ViewState

_SAMPLING_SECONDS = 4.0
_WATCHING_SECONDS = 0.5


async def status(invocation: Invocation) -> int:
    async with invocation.session(acts=False) as session:
        if not invocation.args.offline:
            await session.sampler.sample_once(_SAMPLING_SECONDS)
        view = session.view()
    invocation.out.json(to_status_json(view))
    for line, level in _status_lines(view, invocation.out):
        invocation.out.line(line, level)
    return exits.DONE


async def triggers(invocation: Invocation) -> int:
    async with invocation.session(acts=False) as session:
        if invocation.args.watch:
            return await _watch(invocation, session)
        await session.sampler.sample_once(_SAMPLING_SECONDS)
        view = session.view()
    invocation.out.json({"triggers": [trigger_json(t) for t in view.triggers]})
    for trigger in view.triggers:
        for line, level in _trigger_lines(trigger, invocation.out):
            invocation.out.line(line, level)
    if not view.triggers:
        invocation.out.line("the configuration has no triggers")
    return exits.DONE


async def _watch(invocation: Invocation, session: Session) -> int:
    """A line for each changed verdict; ends with Ctrl-C, or when nobody reads any more."""
    ended = asyncio.Event()
    with on_signals(lambda _: ended.set()):
        await session.stay()
        await _show_changes(invocation, session, ended)
    return exits.CANCELLED if ended.is_set() else exits.DONE


async def _show_changes(invocation: Invocation, session: Session, ended: asyncio.Event) -> None:
    shown: dict[str, str] = {}
    while not invocation.out.gone and not ended.is_set():
        view = session.view()
        for trigger in view.triggers:
            if trigger.reason != "not asked yet" and shown.get(trigger.id) != trigger.verdict:
                shown[trigger.id] = trigger.verdict
                for line, level in _trigger_lines(trigger, invocation.out):
                    invocation.out.line(f"{view.at:%H:%M:%S}  {line}", level)
                invocation.out.json(trigger_json(trigger))
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), _WATCHING_SECONDS)


async def verify(invocation: Invocation) -> int:
    """Exit 1 unless each check that ran has passed. What only a person can say is listed and does not count."""
    out = invocation.out
    async with invocation.session(acts=True) as session:
        await session.revise()
        if set(invocation.args.checks or session.checklist.compared) & set(session.checklist.compared):
            await session.sampler.sample_once(_SAMPLING_SECONDS)  # they may read the triggers' verdicts
        found = await session.verify(invocation.args.checks)
        view = session.view()
    ran = [c for c in view.checks if c.id in found]
    out.json({"checks": [check_json(c) for c in view.checks], "recorded": view.incident.state == "open"})
    for line, level in _check_lines(view, out, details_of=frozenset(found)):
        out.line(line, level)
    if view.incident.state != "open":
        out.line("no incident is open: the evidence was not recorded", "attention")
    return exits.DONE if all(c.state == "pass" for c in ran) else exits.FAILED


# ------------------------------------------------------------ lines for people

Line = tuple[str, str]


def next_lines(view: ViewState) -> Iterator[str]:
    yield f"NEXT  {view.next_action.text}"
    if view.next_action.command:
        yield f"      rollback-console {view.next_action.command}"


def _status_lines(view: ViewState, out: Output) -> Iterator[Line]:
    yield from _incident_lines(view)
    yield from _section("Triggers", [line for trigger in view.triggers for line in _trigger_lines(trigger, out)])
    yield from _section("Components", list(_component_lines(view, out)))
    yield from _section("Checklist", list(_check_lines(view, out)))
    yield from _section("Communication", list(_notice_lines(view, out)))
    yield "", ""
    for line in next_lines(view):
        yield line, "strong"


def _section(title: str, lines: list[Line]) -> Iterator[Line]:
    if lines:
        yield "", ""
        yield title, "strong"
        yield from ((f"  {line}", level) for line, level in lines)


def _incident_lines(view: ViewState) -> Iterator[Line]:
    from console.ui.wording import elapsed

    incident = view.incident
    where = f"  on {', '.join(incident.contexts)}" if incident.contexts else ""
    if incident.state == "none":
        yield f"{incident.title}{where}: no incident is declared", "strong"
        return
    since = f"{incident.declared_at:%Y-%m-%d %H:%M:%S} UTC" if incident.declared_at else ""
    yield f"{incident.title}  {incident.id}  {incident.state.upper()}  {incident.mode.upper()}{where}", "strong"
    yield f"{elapsed(incident.elapsed_seconds)}  declared {since} by {incident.commander}: {incident.reason}", ""


def _trigger_lines(trigger: TriggerView, out: Output) -> Iterator[Line]:
    """The verdict, and what the source remarks: why a health check failed, which pod is not ready."""
    sign = _wording(out).verdict(trigger.verdict)
    level = {"firing": "alarm", "ok": "good"}.get(trigger.verdict, "attention")
    yield f"{sign.icon} {sign.word:<8} {trigger.title}: {trigger.reason}", level
    yield from ((f"    {warning}", "attention") for warning in trigger.warnings)


def _component_lines(view: ViewState, out: Output) -> Iterator[Line]:
    wording = _wording(out)
    levels = {"failed": "alarm", "unknown": "alarm", "stopped": "attention", "rolled_back": "good"}
    for component in view.components:
        sign = wording.component(component)
        suggested = f"  {wording.suggested} suggested by {', '.join(component.suggested_by)}"
        yield (
            f"{sign.icon} {component.id}  {component.title}: {sign.word}"
            f"{suggested if component.suggested_by else ''}{f'; {component.reason}' if component.reason else ''}",
            levels.get(component.state, ""),
        )
        for step in component.steps if component.state != "untouched" else ():
            sign = wording.step(step)
            level = "alarm" if step.state in ("failed", "unknown", "diverged") else ""
            yield f"    {sign.icon} {step.id}: {sign.word}{f': {step.reason}' if step.reason else ''}", level


def _check_lines(view: ViewState, out: Output, details_of: frozenset[str] = frozenset()) -> Iterator[Line]:
    """`details_of`: checks whose longer evidence follows, unless they passed."""
    levels = {"fail": "alarm", "unknown": "attention", "stale": "attention", "waived": "attention"}
    for check in view.checks:
        sign = _wording(out).check(check)
        criterion = " (criterion)" if check.criterion else ""
        evidence = f": {check.evidence}" if check.evidence else ""
        yield f"{sign.icon} {sign.word:<8} {check.id}  {check.title}{criterion}{evidence}", levels.get(check.state, "")
        if check.id in details_of and check.state != "pass":
            yield from ((f"    {line}", "dim") for line in check.detail)


def _notice_lines(view: ViewState, out: Output) -> Iterator[Line]:
    from console.ui.wording import countdown, duration

    for notice in view.notices:
        sign = _wording(out).notice(notice)
        due = notice.due_in_seconds
        when = "" if due is None else f"  {countdown(due)}" if due > 0 else f"  {duration(-due)} ago"
        level = {"overdue": "alarm", "due": "attention"}.get(notice.state, "")
        yield (
            f"{sign.icon} {sign.word:<8} {notice.id}  {notice.title}{when}{f': {notice.note}' if notice.note else ''}",
            level,
        )


def _wording(out: Output) -> Any:
    from console.ui.wording import Wording

    return Wording(out.ascii_only)
