"""Carries a confirmed component out, step by step: intent on disk, effect, outcome, proof.

The only caller of a step's `apply`. It runs as an asyncio task outside any screen: closing the terminal ends the picture,
while the step under way is finished and recorded. What a dead process left behind is `recovery.py`'s.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, suppress

from console.domain import events as e
from console.domain.commands import Confirm, Fact, Record, Stop
from console.domain.errors import ConsoleError, Failed, Refused
from console.domain.incident import ComponentProgress, Operation, StepProgress
from console.engine.drift import Expectation
from console.engine.gateway import Gateway
from console.engine.planner import Planner, confirmed, told
from console.engine.ports import Change, Clock, Json, Probe, Progress, Proof, Step, Vault
from console.engine.runner import Runner
from console.engine.view import Preview

_PROBE_PAUSES_SECONDS = (0.0, 0.5, 2.0)  # a lost answer often comes with a target that is gone for a moment
DEFAULT_TIMEOUT_SECONDS = 300.0
_STOPPED = "stopped as asked"


class Executor:
    """`progress` maps the steps under way to how far they are and when (monotonic) their operation began."""

    def __init__(
        self,
        runner: Runner,
        planner: Planner,
        gateway: Gateway,
        vault: Vault,
        clock: Clock,
        timeouts: Mapping[str, float],
    ) -> None:
        self.progress: dict[str, tuple[Progress, float]] = {}
        self.fault = ""
        self._runner = runner
        self._planner = planner
        self._gateway = gateway
        self._vault = vault
        self._clock = clock
        self._timeouts = timeouts
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stop_waiting: dict[str, asyncio.Event] = {}
        self._leaving = False

    # ------------------------------------------------------------ asked for

    async def confirm(
        self,
        preview: Preview,
        typed: str,
        *,
        side_by_side: bool = False,
        advice: str = "",
        overrules: bool = False,
        seen: e.TriggersSeen | None = None,
    ) -> None:
        """Records the confirmation and starts; Refused when a rule, another process or a blocked step stands in the way."""
        self._gateway.refuse_unless_effects_allowed()
        changes = confirmed(preview)
        held = ExitStack()
        held.enter_context(self._runner.journal.lease.acquire())
        try:
            run = secrets.token_hex(4)
            command = Confirm(
                preview.component, preview.direction, run, changes, typed, side_by_side, advice, overrules, seen
            )
            await self._runner.submit(command)
        except BaseException:
            held.close()
            raise
        found = {(s.id, name): seen_ for s in preview.steps if s.change for name, seen_ in s.change.seen.items()}
        expectation = Expectation({name: seen_ for (_, name), seen_ in found.items()})
        self._stop_waiting[preview.component] = asyncio.Event()
        work = self._carry_out(preview.component, expectation, held)
        self._tasks[preview.component] = asyncio.create_task(work, name=f"carry out {preview.component}")

    async def stop(self, component_id: str) -> None:
        """Stops before the next step. Asked twice: also stops waiting for the proof of the step under way."""
        recorded = await self._runner.submit(Stop(component_id))
        if not recorded and component_id in self._stop_waiting:
            self._stop_waiting[component_id].set()

    async def wait(self, component_id: str) -> None:
        if task := self._tasks.get(component_id):
            await asyncio.shield(task)

    async def drain(self) -> None:
        """For leaving: no component begins another step; the steps under way are finished and recorded."""
        self._leaving = True
        for component_id, task in self._tasks.items():
            if not task.done():
                with suppress(ConsoleError):  # it has just ended, or the asking can't be recorded
                    await self._runner.submit(Stop(component_id))
        if self._tasks:
            await asyncio.wait(self._tasks.values())  # not gather: whoever gives up waiting must not cancel the work

    @property
    def working(self) -> bool:
        return any(self.carries_out(component_id) for component_id in self._tasks)

    def carries_out(self, component_id: str) -> bool:
        task = self._tasks.get(component_id)
        return task is not None and not task.done()

    # ------------------------------------------------------------ the run

    async def _carry_out(self, component_id: str, expectation: Expectation, held: ExitStack) -> None:
        with held:
            try:
                await self._steps(component_id, expectation)
            except ConsoleError as error:
                self.fault = f"{component_id}: {error}"
            except Exception as error:  # noqa: BLE001 - a defect of ours must leave the record true and the screen alive
                self.fault = f"{component_id}: {told(error)}"
            finally:
                for step_id in self._component(component_id).steps:
                    self.progress.pop(step_id, None)

    async def _steps(self, component_id: str, expectation: Expectation) -> None:
        while True:
            component = self._component(component_id)
            step = component.next_step()
            if step is None:
                await self._record(e.ComponentFinished(component_id, component.direction))
                return
            if component.stop_requested or self._leaving:
                await self._record(e.ComponentStopped(component_id, _STOPPED))
                return
            if reason := await self._step(component, step, expectation):
                await self._record(e.ComponentStopped(component_id, reason))
                return

    async def _step(self, component: ComponentProgress, step: StepProgress, expectation: Expectation) -> str:
        """Carries one step out; the answer is why the run must stop, or empty."""
        if step.by_person:
            return await self._by_person(component, step)
        try:
            change = await self._planner.plan(step, component.direction)
            expectation.refuse_drift(change, component.confirmed[step.id])
        except Exception as error:  # noqa: BLE001 - whatever planning raises, nothing was sent
            return await self._fail(component, step, error, effect=False)
        if change.already:
            return await self._already(component, step, change)
        return await self._operation(component, step, change, expectation)

    async def _by_person(self, component: ComponentProgress, step: StepProgress) -> str:
        if component.direction == "back" and step.signed:
            await self._record(e.StepAlready(component.id, step.id, "back", step.reason))
            return ""
        return f"step {step.id} waits for a person: {step.title}; sign it, then go on"

    async def _already(self, component: ComponentProgress, step: StepProgress, change: Change) -> str:
        try:
            proof = await self._prove(component.id, step.id, change.goal)
        except Exception as error:  # noqa: BLE001 - whatever watching raises, nothing was sent
            return await self._fail(component, step, error, effect=bool(step.attempts))
        await self._record(e.StepAlready(component.id, step.id, component.direction, proof.text))
        return ""

    async def _operation(
        self, component: ComponentProgress, step: StepProgress, change: Change, expectation: Expectation
    ) -> str:
        try:
            operation = await self._intend(component, step, change)
        except Exception as error:  # noqa: BLE001 - whatever the capture raises, nothing was sent
            if self._component(component.id).stop_requested:  # it was asked for while the step was planned
                return _STOPPED
            return await self._fail(component, step, error, effect=False)
        self._show(step.id, Progress("sending"))
        await self._record(e.StepSent(component.id, step.id, operation.op))
        if reason := await self._send(component, step, change, operation, expectation):
            return reason
        return await self.settle_applied(component.id, step.id, operation, change.goal)

    async def _intend(self, component: ComponentProgress, step: StepProgress, change: Change) -> Operation:
        pre_image = await self._planner.step(step.id).capture(change)
        document = {"goal": change.goal, "pin": change.pin, "summary": change.summary}
        operation = Operation(
            op=secrets.token_hex(8),
            direction=component.direction,
            change=await asyncio.to_thread(self._vault.put, document),
            pre_image=await asyncio.to_thread(self._vault.put, pre_image),
            summary=change.summary,
        )
        await self._record(
            e.StepIntended(
                component.id,
                step.id,
                operation.direction,
                operation.op,
                operation.change,
                operation.pre_image,
                operation.summary,
            )
        )
        return operation

    async def _send(
        self,
        component: ComponentProgress,
        step: StepProgress,
        change: Change,
        operation: Operation,
        expectation: Expectation,
    ) -> str:
        try:
            permit = self._gateway.permit(self._runner.incident, component.id, step.id, operation, self._runner.epoch)
            receipt = await self._planner.step(step.id).apply(change.goal, permit)
        except Refused as error:
            return await self._fail(component, step, error, effect=False, op=operation.op)
        except Exception as error:  # noqa: BLE001 - it may have been sent: only the target can tell
            return await self.settle_sent(component.id, step.id, operation, change.goal, error)
        expectation.leave(receipt)
        await self._record(e.StepApplied(component.id, step.id, operation.op, receipt.detail))
        return ""

    # ------------------------------------------------------------ outcomes, shared with recovery

    async def settle_sent(
        self, component_id: str, step_id: str, operation: Operation, goal: Json, error: Exception
    ) -> str:
        """The outcome of something that was sent and not answered with a yes: the target is read, never asked again."""
        probe = await self._probe(step_id, goal)
        lost = str(error)
        if probe.answer == "done":
            detail = f"{lost}; read back: {probe.detail}"
            await self._record(e.StepApplied(component_id, step_id, operation.op, detail, by_probe=True))
            return ""
        if probe.answer == "not_done":
            return await self._failed(component_id, step_id, operation, f"{lost}; read back: {probe.detail}", False)
        both_sides = f"{lost}; {probe.detail}"
        if probe.answer == "partial" or (probe.answer == "diverged" and isinstance(error, Failed)):
            return await self._failed(component_id, step_id, operation, both_sides, True)
        doubt: e.StepDiverged | e.StepUnknown
        if probe.answer == "diverged":
            doubt = e.StepDiverged(component_id, step_id, operation.op, both_sides)
        else:
            doubt = e.StepUnknown(component_id, step_id, operation.op, both_sides)
        await self._record(doubt)
        return f"step {step_id} needs a person: {both_sides}"

    async def settle_applied(self, component_id: str, step_id: str, operation: Operation, goal: Json) -> str:
        """Waits for the proof of an effect that stands."""
        try:
            proof = await self._prove(component_id, step_id, goal)
        except Exception as error:  # noqa: BLE001 - the effect stands, whatever watching raised
            return await self._failed(component_id, step_id, operation, told(error), True)
        await self._record(e.StepProven(component_id, step_id, operation.op, proof.text))
        return ""

    async def _probe(self, step_id: str, goal: Json) -> Probe:
        probe = Probe("unknown", "not read yet")
        for pause in _PROBE_PAUSES_SECONDS:
            await self._clock.sleep(pause)
            try:
                probe = await self._planner.step(step_id).probe(goal)
            except Exception as error:  # noqa: BLE001 - a probe that can't be made leaves the outcome unknown
                probe = Probe("unknown", f"the target can't be read: {error}")
            if probe.answer != "unknown":
                break
        return probe

    async def _prove(self, component_id: str, step_id: str, goal: Json) -> Proof:
        step = self._planner.step(step_id)
        seconds = self._timeouts.get(step_id, DEFAULT_TIMEOUT_SECONDS)
        waiting = asyncio.create_task(self._watched(step, step_id, goal))
        given_up = asyncio.create_task(self._given_up(component_id))
        too_long = asyncio.create_task(self._clock.sleep(seconds))
        tasks = (waiting, given_up, too_long)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                return waiting.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        last, _ = self.progress.get(step_id, (Progress("nothing was heard of it"), 0.0))
        why = (
            "the wait was stopped" if given_up.done() and not given_up.cancelled() else f"not there after {seconds:g} s"
        )
        raise Failed(f"{why}: {last.text}", "what was sent stands, unproven; go on to look again, or roll it forward")

    async def _watched(self, step: Step, step_id: str, goal: Json) -> Proof:
        stream: AsyncIterator[Progress | Proof] = step.watch(goal)
        async for seen in stream:
            if isinstance(seen, Proof):
                return seen
            self._show(step_id, seen)
        raise Failed("the target was watched to the end and gave no proof")

    async def _given_up(self, component_id: str) -> None:
        if event := self._stop_waiting.get(component_id):
            await event.wait()
        else:
            await asyncio.Event().wait()

    # ------------------------------------------------------------ small things

    async def _fail(
        self, component: ComponentProgress, step: StepProgress, error: Exception, *, effect: bool, op: str = ""
    ) -> str:
        reason, refused = told(error), isinstance(error, Refused)
        await self._record(
            e.StepFailed(component.id, step.id, component.direction, reason, refused=refused, effect=effect, op=op)
        )
        return f"step {step.id} {'was refused' if refused else 'failed'}: {reason}"

    async def _failed(self, component_id: str, step_id: str, operation: Operation, reason: str, effect: bool) -> str:
        await self._record(
            e.StepFailed(
                component_id, step_id, operation.direction, reason, refused=False, effect=effect, op=operation.op
            )
        )
        return f"step {step_id} failed: {reason}"

    def _show(self, step_id: str, progress: Progress) -> None:
        _, since = self.progress.get(step_id, (progress, self._clock.monotonic()))
        self.progress[step_id] = (progress, since)

    def _component(self, component_id: str) -> ComponentProgress:
        return self._runner.incident.components[component_id]

    async def _record(self, fact: Fact) -> None:
        await self._runner.submit(Record(fact))
