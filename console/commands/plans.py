"""`plan` and `preflight`: what would change and what stands in the way, without doing any of it. `rollback` prints the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from console.commands import exits
from console.commands.invocation import Invocation, names
from console.commands.output import Output
from console.engine.ports import Finding, fingerprint

if TYPE_CHECKING:
    from console.domain.events import Direction
    from console.engine.session import Session
    from console.engine.view import PlannedStep, Preview

Line = tuple[str, str]
_LEVELS = {"ok": "", "info": "", "warn": "attention", "block": "alarm"}


async def plan(invocation: Invocation) -> int:
    """Exit 4 when a step can't work as things stand."""
    async with invocation.session(acts=False) as session:
        direction: Direction = "forward" if invocation.args.forward else "back"
        previews = await previews_of(session, names(invocation.args.components), direction)
    invocation.out.json(plan_json(previews))
    for line, level in plan_lines(previews, invocation.out):
        invocation.out.line(line, level)
    invocation.out.line(f"plan {plan_hash(previews)}", "dim")
    return exits.REFUSED if any(p.blocked for p in previews) else exits.DONE


async def preflight(invocation: Invocation) -> int:
    """Exit 4 when something blocks."""
    async with invocation.session(acts=False) as session:
        wanted = names(invocation.args.components) or [c.id for c in session.view().components]
        previews = await previews_of(session, wanted, "back")
    invocation.out.json({"components": [_preflight_json(p) for p in previews]})
    for line, level in _preflight_lines(previews, invocation.out):
        invocation.out.line(line, level)
    return exits.REFUSED if any(p.blocked for p in previews) else exits.DONE


async def previews_of(session: Session, components: Sequence[str], direction: Direction) -> list[Preview]:
    return await asyncio.gather(*(session.preview(component, direction) for component in components))


def plan_hash(previews: Sequence[Preview]) -> str:
    """One hash for all that is shown: the same changes of the same steps in the same order."""
    return fingerprint(
        [[p.component, p.direction, [[s.id, s.change.hash if s.change else ""] for s in p.steps]] for p in previews]
    )


# ------------------------------------------------------------ for machines


def plan_json(previews: Sequence[Preview]) -> dict[str, Any]:
    return {"components": [_component_json(p) for p in previews], "hash": plan_hash(previews)}


def _component_json(preview: Preview) -> dict[str, Any]:
    return {
        "id": preview.component,
        "title": preview.title,
        "direction": preview.direction,
        "contexts": list(preview.contexts),
        "blocked": preview.blocked,
        "already": preview.already,
        "hash": plan_hash([preview]),
        "steps": [_step_json(s) for s in preview.steps],
    }


def _step_json(step: PlannedStep) -> dict[str, Any]:
    change = step.change
    return {
        "id": step.id,
        "kind": step.kind,
        "title": step.title,
        "summary": step.line,
        "hash": change.hash if change else None,
        "already": bool(change and change.already),
        "lines": list(change.lines) if change else [],
        "commands": list(step.commands),
        "findings": [_finding_json(f) for f in step.findings],
        "problem": step.problem,
    }


def _preflight_json(preview: Preview) -> dict[str, Any]:
    steps = [
        {"id": s.id, "kind": s.kind, "findings": [_finding_json(f) for f in s.findings], "problem": s.problem}
        for s in preview.steps
    ]
    return {"id": preview.component, "blocked": preview.blocked, "contexts": list(preview.contexts), "steps": steps}


def _finding_json(finding: Finding) -> dict[str, str]:
    return {"level": finding.level, "text": finding.text, "code": finding.code}


# ------------------------------------------------------------ for people


def plan_lines(previews: Sequence[Preview], out: Output) -> Iterator[Line]:
    for preview in previews:
        where = f"   on {', '.join(preview.contexts)}" if preview.contexts else ""
        yield (
            f"Roll {preview.direction}: {preview.title} ({preview.component}){where}   {preview.mode.upper()}",
            "strong",
        )
        for number, step in enumerate(preview.steps, start=1):
            yield f"{number} of {len(preview.steps)}  {step.id}: {step.line}", ""
            yield from ((f"        {line}", level) for line, level in _step_lines(step, out))
        if preview.already:
            yield "nothing to change, already so", "good"
        yield "", ""


def _step_lines(step: PlannedStep, out: Output) -> Iterator[Line]:
    for line in step.change.lines if step.change else ():
        yield line, {"-": "alarm", "+": "good"}.get(line[:1], "")
    if step.change and step.change.already:
        yield "= already so", "good"
    for command in step.commands:
        yield f"same as: {command}", "dim"
    for finding in step.findings:
        yield _finding_line(finding, out)
    if step.problem:
        yield f"can't be planned: {step.problem}", "alarm"


def _preflight_lines(previews: Sequence[Preview], out: Output) -> Iterator[Line]:
    for preview in previews:
        yield f"{preview.title} ({preview.component}): {'BLOCKED' if preview.blocked else 'ok'}", "strong"
        for step in preview.steps:
            yield f"  {step.id}: {step.line}", ""
            for finding in step.findings:
                line, level = _finding_line(finding, out)
                yield f"    {line}", level
            if step.problem:
                yield f"    can't be planned: {step.problem}", "alarm"
    ready, blocked = ([p.component for p in previews if p.blocked is stands] for stands in (False, True))
    yield f"{len(ready)} of {len(previews)} ready{': ' if ready else ''}{', '.join(ready)}", "strong"
    if blocked:
        yield f"BLOCKED: {', '.join(blocked)}", "alarm"


def _finding_line(finding: Finding, out: Output) -> Line:
    from console.ui.wording import Wording

    sign = Wording(out.ascii_only).finding(finding.level)
    return f"{sign.icon} {sign.word}: {finding.text}", _LEVELS[finding.level]
