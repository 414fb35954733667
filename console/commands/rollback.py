"""`rollback` and `rollforward`: preview, compare with what was confirmed, carry out, one line for each thing that happens.

A signal stops before the next step; the step under way is finished and recorded. A second one stops waiting for its proof.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from console.commands import exits
from console.commands.interrupts import is_impatient, on_signals
from console.commands.invocation import Invocation, names
from console.commands.plans import plan_hash, plan_json, plan_lines, previews_of
from console.domain.errors import ConsoleError, Refused

if TYPE_CHECKING:
    from console.commands.output import Output
    from console.domain.events import Direction, Recorded
    from console.domain.incident import ComponentProgress
    from console.engine.ports import Change
    from console.engine.session import Session
    from console.engine.view import Preview

_GRAVEST_FIRST = (exits.UNKNOWN, exits.CANCELLED, exits.FAILED, exits.REFUSED)


async def carry_out(invocation: Invocation) -> int:
    args = invocation.args
    components, typed = names(args.components), names(args.confirm)
    if set(typed) != set(components):
        raise Refused(
            f"--confirm names {_quoted(typed)}, the command {_quoted(components)}",
            "they must be the same; nothing was done",
        )
    interrupt = _Interrupt(invocation.out)
    with on_signals(interrupt.told):  # also while the session closes: the step under way is finished
        try:
            async with invocation.session(acts=True) as session:
                return await _Run(invocation, session, components, args.direction, interrupt).through()
        except asyncio.CancelledError:
            invocation.out.aside("rollback-console: cancelled before anything was confirmed; nothing was changed")
            return exits.CANCELLED


class _Interrupt:
    """Before anything is confirmed a signal cancels; from then on it asks to stop, through whatever `acting` was given."""

    def __init__(self, out: Output) -> None:
        self.signals = 0
        self._out = out
        self._task = asyncio.current_task()
        self._stop: Callable[[], None] | None = None
        self._under_way: Callable[[], str] = str

    def acting(self, stop: Callable[[], None], under_way: Callable[[], str]) -> None:
        self._stop, self._under_way = stop, under_way

    def told(self, number: signal.Signals) -> None:
        self.signals += 1
        if self._stop is None:
            if self._task:
                self._task.cancel()
            return
        if self.signals == 1:
            title = self._under_way()
            what = f"finishing {title}, then stopping; once more: don't wait for its proof" if title else "stopping"
            self._out.aside(f"rollback-console: {what}")
        if self.signals == 1 or is_impatient(number):
            self._stop()


class _Run:
    """One invocation: from the preview to the last outcome."""

    def __init__(
        self,
        invocation: Invocation,
        session: Session,
        components: list[str],
        direction: Direction,
        interrupt: _Interrupt,
    ) -> None:
        self._out = invocation.out
        self._args = invocation.args
        self._session = session
        self._components = components
        self._direction = direction
        self._interrupt = interrupt
        self._stops: set[asyncio.Task[None]] = set()

    async def through(self) -> int:
        for line in await self._session.recover():
            self._out.line(f"left behind by another console: {line}", "attention")
        if (code := self._nothing_possible()) is not None:
            return code
        if not (wanted := self._not_already_forward()):
            return exits.DONE
        previews, _ = await asyncio.gather(previews_of(self._session, wanted, self._direction), self._session.look())
        self._show(previews)
        self._refuse_another_plan(previews)
        self._interrupt.acting(self._ask_to_stop, lambda: self._session.under_way)
        self._session.runner.listen(self._tell)
        if self._args.side_by_side:
            codes = await self._side_by_side(previews)
        else:
            codes = await self._one_by_one(previews)
        return await self._ended(codes)

    # ------------------------------------------------------------ before

    def _nothing_possible(self) -> int | None:
        incident = self._session.runner.incident
        if incident.phase != "open":
            raise Refused("no incident is open", 'declare one first: declare --reason "…"')
        for component_id in self._components:
            component = incident.components.get(component_id)
            if component and (step := component.in_doubt):
                self._out.aside(
                    f"rollback-console: step {step.id} is {step.state}: {step.reason}; look at the target, "
                    f"then: settle {step.id} --as done|not-done --note …"
                )
                self._out.json(self._result(exits.UNKNOWN))
                return exits.UNKNOWN
        return None

    def _not_already_forward(self) -> list[str]:
        """Rolling forward twice changes nothing, and says so."""
        known = self._session.runner.incident.components
        done = [
            i
            for i in self._components
            if self._direction == "forward" and i in known and known[i].state == "rolled_forward"
        ]
        for component_id in done:
            self._out.line(f"{component_id}: nothing to change, already rolled forward", "good")
        wanted = [i for i in self._components if i not in done]
        if not wanted:
            self._out.json(self._result(exits.DONE))
        return wanted

    def _show(self, previews: Sequence[Preview]) -> None:
        for line, level in plan_lines(previews, self._out):
            self._out.line(line, level)
        self._out.json({"event": "plan", **plan_json(previews)})

    def _refuse_another_plan(self, previews: Sequence[Preview]) -> None:
        wanted = self._args.plan
        if wanted and wanted != plan_hash(previews) and not all(p.already for p in previews):
            raise Refused(
                f"the plan is {plan_hash(previews)[:12]}… now, not {wanted[:12]}…",
                f"nothing was changed; {_told_of_plan(previews, wanted)}; see: plan {self._command_names}",
            )

    @property
    def _command_names(self) -> str:
        return " ".join([*(["--forward"] if self._direction == "forward" else []), *self._components])

    # ------------------------------------------------------------ carrying out

    async def _one_by_one(self, previews: Sequence[Preview]) -> list[int]:
        codes: list[int] = []
        for number, preview in enumerate(previews):
            if self._interrupt.signals or any(codes):
                begun = [p.component for p in previews[:number]]
                left = [i for i in self._components if i not in begun]
                self._out.line(f"not begun: {', '.join(left)}", "attention")
                break
            current = preview if number == 0 else await self._again(preview)
            codes.append(await self._one(current))
        return codes

    async def _again(self, preview: Preview) -> Preview:
        """The components before it may have touched the same objects: what was shown is what is done, or is done already."""
        fresh = await self._session.preview(preview.component, preview.direction)
        if changed := _not_as_shown(fresh, preview):
            raise Refused(
                f"the change of {preview.component} is no longer the one that was shown: {', '.join(changed)}",
                f"{preview.component} was not begun; look at its plan again",
            )
        return fresh

    async def _side_by_side(self, previews: Sequence[Preview]) -> list[int]:
        return list(await asyncio.gather(*(self._one(p, refusal_is_code=True) for p in previews)))

    async def _one(self, preview: Preview, *, refusal_is_code: bool = False) -> int:
        try:
            await self._session.confirm(preview, preview.component, side_by_side=self._args.side_by_side)
        except Refused as error:
            if not refusal_is_code:
                raise
            self._out.aside(f"rollback-console: {preview.component}: {error}")
            return exits.REFUSED
        if self._interrupt.signals:
            self._ask_to_stop()
        await self._session.wait(preview.component)
        component = self._session.runner.incident.components[preview.component]
        self._say_outcome(component)
        return self._code(component)

    def _ask_to_stop(self) -> None:
        for component_id in self._components:
            component = self._session.runner.incident.components.get(component_id)
            if component and component.state == "running":
                task = asyncio.create_task(self._stop(component_id))
                self._stops.add(task)
                task.add_done_callback(self._stops.discard)

    async def _stop(self, component_id: str) -> None:
        with suppress(ConsoleError):  # it has ended in the meantime
            await self._session.stop(component_id)

    # ------------------------------------------------------------ telling

    def _tell(self, recorded: Sequence[Recorded]) -> None:
        from console.engine.wording import told_event

        incident = self._session.runner.incident
        for one in recorded:
            if one.event.type == "triggers_seen" or getattr(one.event, "component", None) not in self._components:
                continue
            text, level = told_event(one.event, one.actor, incident.outline)
            self._out.line(f"{one.at:%H:%M:%S}  {text}", level)
            self._out.json(_event_json(one, incident.components[one.event.component]))  # type: ignore[union-attr]

    def _say_outcome(self, component: ComponentProgress) -> None:
        if self._session.executor.fault:
            self._out.aside(f"rollback-console: {self._session.executor.fault}")
        if component.state in ("rolled_back", "rolled_forward"):
            if not self._sent_anything(component):
                self._out.line(f"{component.title}: nothing to change, already so", "good")
        elif component.state == "running":  # the record can't be written: the fault above says why
            self._out.line(f"{component.title}: not recorded to its end; see: recover", "alarm")

    def _code(self, component: ComponentProgress) -> int:
        if component.state in ("rolled_back", "rolled_forward"):
            return exits.DONE
        if component.state == "unknown":
            return exits.UNKNOWN
        if self._interrupt.signals:
            return exits.CANCELLED
        if component.state == "stopped" or self._was_refused(component):
            return exits.REFUSED  # a person's turn, or a gate
        return exits.FAILED

    def _sent_anything(self, component: ComponentProgress) -> bool:
        """Whether the component's last run sent anything at all."""
        for recorded in reversed(self._session.runner.history):
            event = recorded.event
            if event.type == "component_confirmed" and event.run == component.run:
                return False
            if event.type == "step_sent" and event.component == component.id:
                return True
        return False

    def _was_refused(self, component: ComponentProgress) -> bool:
        for recorded in reversed(self._session.runner.history):
            event = recorded.event
            if event.type == "step_failed" and event.component == component.id:
                return event.refused
        return False

    async def _ended(self, codes: Sequence[int]) -> int:
        from console.commands.looking import next_lines

        if not self._interrupt.signals:
            with suppress(ConsoleError):  # what was carried out stands, whatever became of the triggers
                await self._session.look()
        reached = [*codes, *([exits.CANCELLED] if self._interrupt.signals else [])]
        code = next((c for c in _GRAVEST_FIRST if c in reached), exits.DONE)
        self._out.json(self._result(code))
        for line in next_lines(self._session.view()):
            self._out.line(line)
        return code

    def _result(self, code: int) -> dict[str, Any]:
        from console.engine.status import component_json

        view = self._session.view()
        mine = [component_json(c) for c in view.components if c.id in self._components]
        return {"event": "ended", "exit_code": code, "components": mine}


def _not_as_shown(fresh: Preview, shown: Preview) -> list[str]:
    """The steps that have neither the change that was shown nor nothing left to change, and those that came or went."""
    then, now = ({step.id: step.change for step in preview.steps} for preview in (shown, fresh))
    in_both = then.keys() & now.keys()
    return [i for i in {**now, **then} if i not in in_both or not _same_or_done(now[i], then[i])]


def _same_or_done(now: Change | None, then: Change | None) -> bool:
    return bool(now and now.already) or (now and now.hash) == (then and then.hash)


def _told_of_plan(previews: Sequence[Preview], wanted: str) -> str:
    """What can be said about a plan of which only the hash is known."""
    if alone := [p.component for p in previews if plan_hash([p]) == wanted]:
        return f"that is the plan of {alone[0]} alone"
    steps = [step for preview in previews for step in preview.steps]
    groups = {
        "steps with a change now": [s.id for s in steps if s.change and not s.change.already],
        "can't be planned now": [s.id for s in steps if s.change is None],
    }
    named = (f"; {what}: {', '.join(ids)}" for what, ids in groups.items() if ids)
    return f"its hash does not tell which step differs{''.join(named)}"


def _event_json(recorded: Recorded, component: ComponentProgress) -> dict[str, Any]:
    from console.engine.status import rfc3339

    document: dict[str, Any] = {
        "event": recorded.event.type,
        "seq": recorded.seq,
        "at": rfc3339(recorded.at),
        "actor": recorded.actor,
        "component": {"id": component.id, "state": component.state},
    }
    if step := component.steps.get(getattr(recorded.event, "step", "")):
        document["step"] = {"id": step.id, "kind": step.kind, "state": step.state, "reason": step.reason}
    return document


def _quoted(ids: Iterable[str]) -> str:
    return ", ".join(f'"{i}"' for i in ids) or "nothing"
