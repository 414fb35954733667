"""What to do with a step that was under way when the process died: look, record what is true, never send.

Runs under the lease, so another process that left it behind is certainly gone; what this process is carrying out at the
moment is not its business. It leaves no component `running` and no operation
without an outcome, except one whose target can't be read: that one is `unknown` and waits for a person.
"""

from __future__ import annotations

from console.domain import events as e
from console.domain.commands import Record
from console.domain.errors import ConsoleError, Refused, Unknown
from console.domain.incident import ComponentProgress, Operation, StepProgress
from console.engine.executor import Executor
from console.engine.ports import Json, Vault
from console.engine.runner import Runner

_DIED = "the console died here"


class Recovery:
    def __init__(self, runner: Runner, executor: Executor, vault: Vault) -> None:
        self._runner = runner
        self._executor = executor
        self._vault = vault

    async def recover(self) -> tuple[str, ...]:
        """Settles everything left behind; a line for each component about what was found. Refused while another works."""
        await self._runner.refresh()
        if not any(self._left_behind(c) for c in self._runner.incident.components.values()):
            return ()
        with self._runner.journal.lease.acquire():
            await self._runner.refresh()
            components = list(self._runner.incident.components)
            return tuple([line for i in components if (line := await self._component(i))])

    def _left_behind(self, component: ComponentProgress) -> bool:
        if self._executor.carries_out(component.id):
            return False
        return component.state == "running" or component.under_way is not None

    async def _component(self, component_id: str) -> str:
        component = self._runner.incident.components[component_id]
        if not self._left_behind(component):
            return ""
        reason = f"{_DIED} before its next step"
        if step := component.under_way:
            stopped = await self._step(component, step)
            now = self._runner.incident.components[component_id].steps[step.id]
            reason = stopped or f"{_DIED} during step {step.id}, which is {now.state}"
        if self._runner.incident.components[component_id].state == "running":
            reason = await self._close(component_id, reason)
        return f"{component_id}: {reason}"

    async def _close(self, component_id: str, reason: str) -> str:
        component = self._runner.incident.components[component_id]
        if component.next_step() is None and component.in_doubt is None:
            await self._runner.submit(Record(e.ComponentFinished(component_id, component.direction)))
            return f"{_DIED} after its last step; everything is proven"
        await self._runner.submit(Record(e.ComponentStopped(component_id, reason)))
        return reason

    async def _step(self, component: ComponentProgress, step: StepProgress) -> str:
        operation = step.operation
        if operation is None:
            return ""
        if step.state == "intended":
            reason = f"{_DIED} before anything was sent"
            await self._runner.submit(
                Record(
                    e.StepFailed(
                        component.id, step.id, operation.direction, reason, refused=False, effect=False, op=operation.op
                    )
                )
            )
            return f"step {step.id}: {reason}"
        try:
            goal = self._goal(operation.change)
        except ConsoleError as error:
            return await self._blind(component, step, operation, error)
        if step.state == "sent":
            lost = Unknown(f"{_DIED} after sending")
            if stopped := await self._executor.settle_sent(component.id, step.id, operation, goal, lost):
                return stopped
        return await self._executor.settle_applied(component.id, step.id, operation, goal)

    async def _blind(
        self, component: ComponentProgress, step: StepProgress, operation: Operation, error: ConsoleError
    ) -> str:
        """What was sent can't be read back: an effect that the target confirmed stands, unproven; any other is in doubt."""
        reason = f"{_DIED} after sending, and it can't be looked up: {error}"
        fact: e.StepFailed | e.StepUnknown = e.StepUnknown(component.id, step.id, operation.op, reason)
        if step.state == "applied":
            fact = e.StepFailed(
                component.id, step.id, operation.direction, reason, refused=False, effect=True, op=operation.op
            )
        await self._runner.submit(Record(fact))
        return f"step {step.id} needs a person: {reason}"

    def _goal(self, name: str) -> Json:
        document = self._vault.get(name)
        if "goal" not in document:
            raise Refused(f"document {name[:12]}… in the vault is not a change")
        return document["goal"]
