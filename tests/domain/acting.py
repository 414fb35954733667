"""An incident driven through decide and evolve, as the runner does it, but with a list for a journal."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from console.domain import commands as c
from console.domain import events as e
from console.domain.decide import decide
from console.domain.evolve import evolve
from console.domain.incident import ComponentProgress, Incident, StepProgress
from console.domain.outline import (
    CheckOutline,
    ComponentOutline,
    NoticeOutline,
    Outline,
    StepOutline,
    TriggerOutline,
)

START = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)

OUTLINE = Outline(
    title="A migration",
    components=(
        ComponentOutline("dash", "Dashboard", tuple(StepOutline(i, i.upper(), "sim") for i in ("d1", "d2", "d3"))),
        ComponentOutline(
            "api",
            "API",
            (StepOutline("a1", "A1", "sim"), StepOutline("by-hand", "Call the provider", "manual")),
            after=("dash",),
        ),
        ComponentOutline("alone", "Alone", (StepOutline("l1", "L1", "sim"),)),
    ),
    triggers=(TriggerOutline("p95", "p95", 30.0),),
    checks=(
        CheckOutline("health", "Health", "health", "http", criterion=True),
        CheckOutline("complaints", "Complaints", "people", "manual", criterion=True),
        CheckOutline("nice", "Nice to have", "health", "http"),
    ),
    notices=(NoticeOutline("team", "The team", 0.0), NoticeOutline("boss", "The boss", 900.0)),
)


class Acting:
    def __init__(self, outline: Outline = OUTLINE) -> None:
        self.outline = outline
        self.incident = Incident()
        self.history: list[e.Recorded] = []
        self.states: list[Incident] = []

    # ------------------------------------------------------------ what happens

    def do(self, command: c.Command, actor: str = "kim") -> tuple[e.Event, ...]:
        events = decide(self.incident, command)
        for event in events:
            seq = len(self.history) + 1
            recorded = e.Recorded(seq, START + timedelta(seconds=seq), actor, 1, event)
            self.history.append(recorded)
            self.incident = evolve(self.incident, recorded)
            self.states.append(self.incident)
        return events

    def fact(self, *facts: Any) -> Acting:
        for fact in facts:
            self.do(c.Record(fact))
        return self

    def declare(self) -> Acting:
        self.do(c.Declare("p95 fires", "drill", self.outline, "digest-1"))
        return self

    def confirm(self, component: str, direction: e.Direction = "back", **changed: Any) -> Acting:
        self.do(replace(self.confirmation(component, direction), **changed))
        return self

    def confirmation(self, component: str, direction: e.Direction = "back") -> c.Confirm:
        steps = self[component].steps.values()
        wanted = [s.id for s in steps if direction == "back" or s.to_undo]
        changes = tuple(e.ConfirmedChange(i, f"hash-{i}", f"change {i}") for i in wanted)
        return c.Confirm(component, direction, f"run-{len(self.history)}", changes, component)

    # ------------------------------------------------------------ whole stretches

    def carry_out(self, component: str, *steps: str) -> Acting:
        """Carries the named steps (or all that are left) out with proof, in the direction that is confirmed."""
        for step_id in steps or self._left(component):
            op = f"op-{len(self.history)}"
            self.fact(self.intended(component, step_id, op), e.StepSent(component, step_id, op))
            self.fact(e.StepApplied(component, step_id, op, "ok"), e.StepProven(component, step_id, op, "seen"))
        return self

    def finish(self, component: str) -> Acting:
        self.carry_out(component)
        return self.fact(e.ComponentFinished(component, self[component].direction))

    def rolled_back(self, component: str) -> Acting:
        return self.confirm(component).finish(component)

    def sent(self, component: str, step_id: str, op: str) -> Acting:
        return self.fact(self.intended(component, step_id, op), e.StepSent(component, step_id, op))

    def intended(self, component: str, step_id: str, op: str) -> e.StepIntended:
        direction = self[component].direction
        return e.StepIntended(component, step_id, direction, op, f"change-{op}", f"pre-{op}", f"change {step_id}")

    def failed(self, component: str, step_id: str, op: str = "", **words: Any) -> e.StepFailed:
        given = {"reason": "no", "refused": False, "effect": False, **words}
        return e.StepFailed(component, step_id, self[component].direction, op=op, **given)

    # ------------------------------------------------------------ what is

    def __getitem__(self, component: str) -> ComponentProgress:
        return self.incident.components[component]

    def step(self, step_id: str) -> StepProgress:
        return next(c.steps[step_id] for c in self.incident.components.values() if step_id in c.steps)

    def attempts(self, step_id: str) -> list[str]:
        return [a.op for a in self.step(step_id).attempts]

    def _left(self, component: str) -> list[str]:
        found = self[component]
        order = list(found.steps) if found.direction == "back" else list(found.steps)[::-1]
        return [i for i in order if i in found.confirmed and i not in found.dealt_with]
