"""Previews: what carrying a component out would do now, step by step, without doing any of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from console.domain.decide import steps_to_confirm
from console.domain.errors import ConsoleError, Refused
from console.domain.events import ConfirmedChange, Direction
from console.domain.incident import ComponentProgress, StepProgress
from console.engine.gateway import Gateway
from console.engine.ports import Change, Clock, Finding, Json, Step, Vault
from console.engine.runner import Runner
from console.engine.view import PlannedStep, Preview

MOST_AT_ONCE = 16
"""Steps that are looked at side by side. A procedure may have many, and a database only so many connections."""


def nowhere(component: str) -> tuple[str, ...]:  # noqa: ARG001 - the shape of `contexts_of`
    """For components whose targets have no names."""
    return ()


class Planner:
    def __init__(
        self,
        runner: Runner,
        vault: Vault,
        steps: Mapping[str, Step],
        gateway: Gateway,
        clock: Clock,
        contexts_of: Callable[[str], tuple[str, ...]] = nowhere,
    ) -> None:
        self._runner = runner
        self._vault = vault
        self._steps = steps
        self._gateway = gateway
        self._clock = clock
        self._contexts_of = contexts_of
        self._places = asyncio.Semaphore(MOST_AT_ONCE)

    async def preview(self, component: ComponentProgress, direction: Direction) -> Preview:
        """Plans the steps side by side, `MOST_AT_ONCE` over all previews that are being made.

        A step that can't be planned says why instead of failing the preview.
        """
        ids = steps_to_confirm(component, direction)
        if not ids:
            raise Refused(f"{component.id} has nothing to roll {direction}", "nothing was changed")
        planned = await asyncio.gather(*(self._planned(component.steps[i], direction) for i in ids))
        return Preview(
            component=component.id,
            title=component.title,
            direction=direction,
            at=self._clock.now(),
            contexts=self._contexts_of(component.id),  # after planning: the targets are connected by now
            mode=self._gateway.mode,
            steps=tuple(planned),
        )

    async def plan(self, progress: StepProgress, direction: Direction) -> Change:
        """The change of one step as of now. Undo is planned from the pre-images of all attempts that stand or may stand."""
        step = self.step(progress.id)
        if direction == "back":
            return await step.plan(self._pin(progress))
        pre_images = [await asyncio.to_thread(self._vault.get, a.pre_image) for a in progress.attempts]
        return await step.plan_undo(pre_images)

    def step(self, step_id: str) -> Step:
        if step_id not in self._steps:
            raise Refused(
                f"step {step_id} is in the journal but not in the configuration file",
                "put it back into the file to act on it",
            )
        return self._steps[step_id]

    def _pin(self, progress: StepProgress) -> Json:
        if not progress.attempts:
            return None
        return self._vault.get(progress.attempts[0].change).get("pin")

    async def _planned(self, progress: StepProgress, direction: Direction) -> PlannedStep:
        try:
            step = self.step(progress.id)
            description = step.describe()
        except Exception as error:  # noqa: BLE001 - whatever it raises, the other steps can be shown
            return PlannedStep(
                progress.id, progress.title, progress.kind, progress.title, (), None, problem=told(error)
            )
        findings: Sequence[Finding] = ()
        change, problem = None, ""
        async with self._places:
            planned, preflight = await asyncio.gather(
                self.plan(progress, direction), step.preflight(), return_exceptions=True
            )
        if isinstance(planned, Change):
            change = planned
        else:
            problem = told(planned)
        if isinstance(preflight, BaseException):
            problem = problem or told(preflight)
        else:
            findings = preflight
        return PlannedStep(
            id=progress.id,
            title=progress.title,
            kind=progress.kind,
            line=change.summary if change else description.line,
            commands=change.commands if change else description.commands,
            change=change,
            findings=(*(change.findings if change else ()), *findings, *_irreversible(step, direction)),
            problem=problem,
        )


def _irreversible(step: Step, direction: Direction) -> tuple[Finding, ...]:
    if direction == "forward" or not step.irreversible:
        return ()
    return (Finding("warn", f"can't be rolled forward: {step.irreversible}", "irreversible"),)


def told(error: BaseException) -> str:
    """An error as a line for people. Anything but a ConsoleError is a defect of ours and says so, without locals."""
    if isinstance(error, ConsoleError):
        return str(error)
    if isinstance(error, Exception):
        return f"internal error ({type(error).__name__}: {error}); please report it"
    raise error


def confirmed(preview: Preview) -> tuple[ConfirmedChange, ...]:
    """What the journal keeps of a preview that is being confirmed."""
    if blocked := next((s for s in preview.steps if s.blocked), None):
        reason = next((f.text for f in blocked.findings if f.level == "block"), blocked.problem)  # the cause, if known
        raise Refused(f"step {blocked.id} can't work: {reason}")
    return tuple(
        ConfirmedChange(
            step=planned.id,
            hash=planned.change.hash,
            summary=planned.change.summary,
            lines=planned.change.lines,
            commands=planned.change.commands,
            seen={name: seen.fingerprint for name, seen in planned.change.seen.items()},
            already=planned.change.already,
        )
        for planned in preview.steps
        if planned.change is not None
    )
