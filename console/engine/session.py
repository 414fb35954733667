"""A console at work on one journal: everything that a screen or a command can ask for, and the tasks that run beside it.

Wiring makes one from its `Parts`; the screen knows it as `view.Console`. It lives outside of any screen, and `close` lets
the step under way come to its end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from console.domain import commands as c
from console.domain.errors import ConsoleError, Refused
from console.domain.events import Direction, Mode, VerdictChanged
from console.domain.incident import ComponentProgress
from console.domain.manual import manual_reading
from console.domain.outline import Impact, Judged, Outline, Section, TriggerOutline
from console.domain.triggers import TriggerReading, amount
from console.engine.adviser import Adviser
from console.engine.checklist import Checklist
from console.engine.communicator import Communicator
from console.engine.drafts import Template
from console.engine.executor import Executor
from console.engine.gateway import Gateway
from console.engine.planner import Planner, nowhere, told
from console.engine.ports import Check, Clock, Evidence, Journal, Known, Notifier, Step, Vault
from console.engine.projection import Surroundings, interrupted, project, untouched
from console.engine.recovery import Recovery
from console.engine.runner import Runner
from console.engine.sampler import Sampler, Watched, change
from console.engine.view import Draft, Preview, ViewState

REFRESH_SECONDS = 0.5
LOOK_SECONDS = 4.0


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Parts:
    """What a session is made of.

    `contexts` names where the procedure acts, for the top of the screen; `contexts_of` where one component does. Both are asked
    each time: a target may know its context only once it is connected.
    """

    outline: Outline
    config_digest: str
    mode: Mode
    actor: str
    clock: Clock
    journal: Journal
    vault: Vault
    steps: Mapping[str, Step] = field(default_factory=dict)
    step_timeouts: Mapping[str, float] = field(default_factory=dict)
    checks: Mapping[str, Check] = field(default_factory=dict)
    check_timeouts: Mapping[str, float] = field(default_factory=dict)
    watched: tuple[Watched, ...] = ()
    notifiers: Mapping[str, Notifier] = field(default_factory=dict)
    templates: Mapping[str, Template] = field(default_factory=dict)
    contexts: Callable[[], tuple[str, ...]] = tuple
    contexts_of: Callable[[str], tuple[str, ...]] = nowhere
    connect: Callable[[], Awaitable[None]] = _nothing
    close: Callable[[], Awaitable[None]] = _nothing


class Session:
    """Implements `view.Console`."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        gateway = Gateway(parts.mode)
        self.runner = Runner(parts.journal, parts.clock, gateway, parts.actor)
        self.planner = Planner(self.runner, parts.vault, parts.steps, gateway, parts.clock, parts.contexts_of)
        self.executor = Executor(self.runner, self.planner, gateway, parts.vault, parts.clock, parts.step_timeouts)
        self.checklist = Checklist(
            self.runner, parts.outline, parts.checks, parts.check_timeouts, parts.clock, self._known
        )
        self.communicator = Communicator(self.runner, gateway, parts.clock, parts.notifiers, parts.templates, self.view)
        self.adviser = Adviser(self.runner, self.readings, parts.clock)
        self.sampler = Sampler(parts.watched, parts.clock)
        self._recovery = Recovery(self.runner, self.executor, parts.vault)
        self._acts = parts.mode != "observe"
        self._to_revise = False
        self._recovered_runs: set[str] = set()
        self._lease_held = False
        self._tasks: list[asyncio.Task[None]] = []
        self._busy = ""
        self._fault = ""

    # ------------------------------------------------------------ from opening to closing

    async def open(self, *, acts: bool = True) -> None:
        """Reads the journal. `acts` False for commands that only look: nothing is recovered, sampled or written."""
        self._acts = acts and self._parts.mode != "observe"
        await self._look()
        incident = self.runner.incident
        self._refuse_mixture()
        self._to_revise = (
            self._acts and incident.phase == "open" and incident.config_digest != self._parts.config_digest
        )

    def _refuse_mixture(self) -> None:
        """A drill is never taken for life, nor life for a drill: neither goes on in the other's record."""
        incident, drills = self.runner.incident, self._parts.mode == "drill"
        if incident.phase == "open" and (incident.mode == "drill") is not drills and self._parts.mode != "observe":
            kept, given = (
                ("a drill", "a live procedure") if incident.mode == "drill" else ("a live incident", "a drill")
            )
            raise Refused(f"this journal holds {kept}, and the file is {given}", "name another with --journal")

    async def stay(self) -> None:
        """For a console that stays: samples the triggers, follows the journal, and recovers what was left behind."""
        known = {i: v.verdict for i, v in self.runner.incident.verdicts.items()}
        self.sampler = Sampler(
            self._parts.watched, self._parts.clock, tell=self._tell if self._acts else None, known=known
        )
        self._tasks = [
            asyncio.create_task(self.sampler.run(), name="sample the triggers"),
            asyncio.create_task(self._follow(), name="follow the journal"),
            asyncio.create_task(self._connect(), name="connect the targets"),
        ]

    async def close(self) -> None:
        """The step under way is finished and recorded, then everything ends. Safe to call twice."""
        try:
            await self.executor.drain()
            await self.communicator.drain()
        finally:
            tasks, self._tasks = self._tasks, []
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._parts.close()
            self.runner.journal.close()

    @property
    def under_way(self) -> str:
        """Title of the step that is being carried out by this process, or empty."""
        if not self.executor.working:
            return ""
        running = self.runner.incident.running
        step = (running.under_way or running.next_step()) if running else None
        return step.title if step else running.title if running else ""

    # ------------------------------------------------------------ looking

    def readings(self) -> dict[str, TriggerReading]:
        """Every trigger that was asked or is kept by people, as it stands now."""
        now, incident = self._parts.clock.now(), self.runner.incident
        outline = incident.outline if incident.phase == "open" else self._parts.outline
        sampled = {i: r for i, r in self.sampler.readings(now).items() if _asked(r)}
        kept = {t.id: manual_reading(t, incident, now) for t in outline.triggers if t.judged != "measured"}
        return {**sampled, **kept}

    def view(self) -> ViewState:
        now = self._parts.clock.now()
        return project(self.runner.incident, self.runner.history, now, self._surroundings())

    async def preview(self, component: str, direction: Direction) -> Preview:
        await self.revise()
        found = self._component(component)
        preview = await self.planner.preview(found, direction)
        steps = preview.steps if direction == "back" else preview.steps[::-1]  # as they will be carried out
        return replace(preview, steps=steps)

    async def run_checks(self, checks: Sequence[str] = ()) -> None:
        await self.verify(checks)

    async def verify(self, checks: Sequence[str] = ()) -> dict[str, Evidence]:
        """Runs checks and gives what was found; without an open incident nothing is recorded."""
        return await self.checklist.run(checks)

    # ------------------------------------------------------------ acting

    async def declare(self, reason: str) -> None:
        parts = self._parts
        verdicts = tuple(self._verdicts())
        mode: Mode = "drill" if parts.mode == "drill" else "live"
        seen = self.adviser.triggers_seen("declared", parts.outline)
        await self.runner.submit(c.Declare(reason, mode, parts.outline, parts.config_digest, verdicts, seen))

    async def confirm(self, preview: Preview, typed: str, *, side_by_side: bool = False) -> None:
        view = self.view()
        seen = self.adviser.triggers_seen("confirmed", self.runner.incident.outline, preview.component)
        advises = bool(view.triggers) and preview.direction == "back"
        overrules = advises and preview.component not in view.advised
        advice = view.advice if advises else ""
        await self.executor.confirm(
            preview, typed, side_by_side=side_by_side, advice=advice, overrules=overrules, seen=seen
        )

    async def stop(self, component: str) -> None:
        await self.executor.stop(component)

    async def wait(self, component: str) -> None:
        """Until this process has nothing more to do for the component."""
        await self.executor.wait(component)

    async def settle(self, step: str, counts_as: Literal["done", "not_done"], note: str) -> None:
        owner = next((i for i, p in self.runner.incident.components.items() if step in p.steps), None)
        if owner is None:
            raise Refused(f'there is no step "{step}"', "see: status")
        await self.runner.submit(c.Settle(owner, step, counts_as, note))

    async def sign(self, check_or_step: str, note: str) -> None:
        await self.runner.submit(c.Sign(check_or_step, note))

    async def waive(self, check: str, reason: str) -> None:
        await self.runner.submit(c.Waive(check, reason))

    async def acknowledge(self, notice: str, note: str) -> None:
        await self.communicator.settle_left_behind(notice)
        await self.runner.submit(c.Acknowledge(notice, note))

    async def resolve(self, note: str) -> None:
        await self.communicator.settle_left_behind()
        seen = self.adviser.triggers_seen("resolved", self.runner.incident.outline)
        await self.runner.submit(c.Resolve(note, seen))

    async def count(self, trigger: str, count: int, note: str = "") -> None:
        self._manual(trigger, "counter")
        await self.runner.submit(c.Count(trigger, count, note))

    async def attest(self, trigger: str, holds: bool, reason: str) -> None:
        outline = self._manual(trigger, "attestation")
        await self.runner.submit(c.Attest(trigger, holds, reason, outline.impact if outline else None))

    async def state_impact(self, impact: Impact, applies: bool, note: str) -> None:
        await self.runner.submit(c.StateImpact(impact, applies, note))

    async def draft(self, notice: str) -> Draft:
        return await self.communicator.draft(notice)

    async def notify(self, notice: str, subject: str, text: str, again: str = "") -> str:
        return await self.communicator.notify(notice, subject, text, again)

    async def snooze(self, notice: str, seconds: float, reason: str) -> None:
        until = self._parts.clock.now() + timedelta(seconds=seconds)
        await self.runner.submit(c.Snooze(notice, until, reason))

    async def take_baseline(self, checks: Sequence[str] = ()) -> tuple[str, ...]:
        taken = await self.checklist.measure(checks)
        await self.runner.submit(c.TakeBaseline(taken))
        return tuple(f"{one.check}: {amount(one.value, one.unit)} ({one.of})" for one in taken)

    async def add_followup(
        self, section: Section, text: str, assignee: str = "", due_at: datetime | None = None
    ) -> None:
        await self.runner.submit(c.AddFollowUp(section, text, assignee, due_at))

    async def finish_followup(self, followup: str, note: str) -> None:
        await self.runner.submit(c.FinishFollowUp(followup, note))

    async def recover(self) -> tuple[str, ...]:
        """Looks at what a console that died left behind; a line for each component about what was found."""
        stray = interrupted(self.runner.incident, lease_held=False)
        self._recovered_runs |= {self.runner.incident.components[i].run for i in stray}
        self._busy = f"Looking at what was left behind: {', '.join(stray)}." if stray else ""
        try:
            return (*await self._recovery.recover(), *await self.communicator.settle_left_behind())
        finally:
            self._busy = ""

    async def revise(self) -> None:
        """Once after opening: the incident goes on with the file as it is now, and the record says so."""
        if self._to_revise and self._acts and not self.runner.incident.running:
            await self.runner.submit(c.ReviseProcedure(self._parts.outline, self._parts.config_digest))
            self._to_revise = False

    # ------------------------------------------------------------ beside it

    async def _connect(self) -> None:
        """Ahead of the first preview, so that it needn't wait. What doesn't work out is told when somebody asks for it."""
        with suppress(Exception):
            await self._parts.connect()

    async def _follow(self) -> None:
        while True:
            try:
                await self._look()
                await self._tidy()
                if self._acts:
                    await self.adviser.look(self.view)
                    await self.communicator.tend()
            except ConsoleError as error:
                self._fault = str(error)
            except Exception as error:  # noqa: BLE001 - the picture must say what is wrong rather than stand still
                self._fault = told(error)
            else:
                self._fault = ""
            await self._parts.clock.sleep(REFRESH_SECONDS)

    async def _look(self) -> None:
        """Events of other processes, and whether anybody works. Asked before and after: a run may end in between."""
        lease = self.runner.journal.lease
        held_before = lease.held()
        await self.runner.refresh()
        self._lease_held = held_before or lease.held()

    async def _tidy(self) -> None:
        """Recovers each interrupted run once; what can't be recovered now waits for a person to ask."""
        if not self._acts:
            return
        stray = interrupted(self.runner.incident, self._working())
        runs = {self.runner.incident.components[i].run for i in stray}
        if runs - self._recovered_runs:
            await self.recover()
        await self.revise()

    async def look(self) -> None:
        """For a command of one decision: every trigger asked once, and the record told what changed, as a console that
        stays does all the time. What can't be asked within a few seconds is said to have no answer.
        """
        readings = await self.sampler.sample_once(LOOK_SECONDS)
        if not self._acts:
            return
        for watched in self.sampler.watched:
            await self._tell(change(watched, readings[watched.rule.id]))

    async def _tell(self, verdict: VerdictChanged) -> None:
        """A changed verdict goes into the journal, unless another console has told it already or nobody is listening yet."""
        incident = self.runner.incident
        if incident.phase == "open" and incident.verdict(verdict.trigger) != verdict.verdict:
            await self.runner.submit(c.Record(verdict))

    # ------------------------------------------------------------ small things

    def _working(self) -> bool:
        return self._lease_held or self.executor.working

    def _manual(self, trigger_id: str, judged: Judged) -> TriggerOutline | None:
        """The trigger by the file, while no incident knows it; `decide` judges by the incident's own procedure."""
        if self.runner.incident.phase == "open":
            return self.runner.incident.outline.trigger(trigger_id)
        fitting = [t for t in self._parts.outline.triggers if t.judged == judged]
        found = next((t for t in fitting if t.id == trigger_id), None)
        if found is None:
            noun = "counter" if judged == "counter" else "trigger that a person attests"
            raise Refused(f'there is no {noun} "{trigger_id}"', f"known: {', '.join(t.id for t in fitting) or 'none'}")
        return found

    def _known(self) -> Known:
        outline = self._parts.outline
        return Known(
            at=self._parts.clock.now(),
            readings=self.readings(),
            titles={t.id: t.title for t in outline.triggers},
            baselines=self.runner.incident.baselines,
            migrated_at=outline.migrated_at,
        )

    def _component(self, component_id: str) -> ComponentProgress:
        incident = self.runner.incident
        if incident.phase == "open" and component_id in incident.components:
            return incident.components[component_id]
        outline = self._parts.outline.component(component_id)
        if outline is None:
            known = ", ".join(k.id for k in self._parts.outline.components) or "none"
            raise Refused(f'there is no component "{component_id}"', f"components: {known}")
        return untouched(outline)

    def _verdicts(self) -> list[VerdictChanged]:
        readings = self.sampler.readings()
        return [
            change(watched, readings[watched.rule.id])
            for watched in self.sampler.watched
            if _asked(readings[watched.rule.id])
        ]

    def _surroundings(self) -> Surroundings:
        parts, now = self._parts, self._parts.clock.monotonic()
        return Surroundings(
            outline=parts.outline,
            mode=parts.mode,
            contexts=parts.contexts(),
            lease_held=self._working(),
            readings=self.readings(),
            rules={w.rule.id: w.rule for w in parts.watched},
            queries={w.rule.id: w.source.query for w in parts.watched},
            progress={i: (p, now - since) for i, (p, since) in self.executor.progress.items()},
            running_checks=frozenset(self.checklist.running),
            unrecorded=self.checklist.unrecorded,
            busy=self._busy,
            fault=self._fault or self.executor.fault,
        )


def _asked(reading: TriggerReading) -> bool:
    """Whether its source was asked at all: before that, the journal's last word counts."""
    return reading.since is not None or reading.age_seconds is not None
