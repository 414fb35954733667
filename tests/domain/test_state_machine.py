"""Random commands of people and random facts of an engine, sensible ones and not: what must hold whatever happens.

The promises are checked against books that the test keeps for itself from the events alone, in other words than the fold's.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from console.domain import commands as c
from console.domain import events as e
from console.domain.decide import open_ends
from console.domain.errors import Refused
from console.domain.evolve import evolve
from console.domain.incident import NEEDS_PERSON, UNDER_WAY, Incident
from tests.domain.acting import OUTLINE, Acting

COMPONENTS = [k.id for k in OUTLINE.components]
STEPS = [(k.id, s.id) for k, s in OUTLINE.steps()]
OPERATIONS = ["op0", "op1", "op2", "op3"]
DIRECTIONS = list(get_args(e.Direction))
CHECKS = [k.id for k in OUTLINE.checks]

steps = st.sampled_from(STEPS)
components = st.sampled_from(COMPONENTS)
operations = st.sampled_from(OPERATIONS)
directions = st.sampled_from(DIRECTIONS)
facts = st.one_of(
    st.builds(lambda s, d, op: e.StepIntended(*s, d, op, "change", "pre", "summary"), steps, directions, operations),
    st.builds(lambda s, op: e.StepSent(*s, op), steps, operations),
    st.builds(lambda s, op: e.StepApplied(*s, op, "ok"), steps, operations),
    st.builds(lambda s, op: e.StepProven(*s, op, "seen"), steps, operations),
    st.builds(lambda s, d: e.StepAlready(*s, d, "seen"), steps, directions),
    st.builds(
        lambda s, d, refused, effect, op: e.StepFailed(*s, d, "no", refused, effect, op),
        steps, directions, st.booleans(), st.booleans(), st.sampled_from(["", *OPERATIONS]),
    ),
    st.builds(lambda s, op: e.StepUnknown(*s, op, "silence"), steps, operations),
    st.builds(lambda s, op: e.StepDiverged(*s, op, "neither"), steps, operations),
    st.builds(lambda k: e.ComponentStopped(k, "why"), components),
    st.builds(lambda k, d: e.ComponentFinished(k, d), components, directions),
)  # fmt: skip


@dataclass
class Books:
    """What the events say, kept in the plainest way."""

    intended: set[tuple[str, str]] = field(default_factory=set)
    open_op: dict[str, str] = field(default_factory=dict)
    forward: set[str] = field(default_factory=set)  # steps whose open operation rolls forward
    may_stand: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    wanted: dict[str, set[str]] = field(default_factory=dict)
    dealt: dict[str, set[str]] = field(default_factory=dict)
    last_change: int = 0
    found: dict[str, tuple[int, str]] = field(default_factory=dict)

    def write(self, seq: int, event: Any) -> None:
        if entry := getattr(self, f"_{event.type}", None):
            entry(event)
        self._evidence(seq, event)

    def _component_confirmed(self, event: e.ComponentConfirmed) -> None:
        self.wanted[event.component] = {change.step for change in event.changes}
        self.dealt[event.component] = set()

    def _step_intended(self, event: e.StepIntended) -> None:
        assert event.step not in self.open_op, "two operations under way in one step"
        self.intended.add((event.step, event.op))
        self.open_op[event.step] = event.op
        self.forward.discard(event.step)
        self.forward |= {event.step} if event.direction == "forward" else set()

    def _step_sent(self, event: e.StepSent) -> None:
        assert (event.step, event.op) in self.intended, "sent without an intent"
        assert self.open_op[event.step] == event.op
        if event.step not in self.forward:
            self.may_stand[event.step].append(event.op)

    def _step_proven(self, event: e.StepProven) -> None:
        self._done(event.component, event.step)

    def _step_already(self, event: e.StepAlready) -> None:
        assert event.step not in self.open_op, "nothing to do, while something is under way"
        self.dealt[event.component].add(event.step)
        if event.direction == "forward":
            self.may_stand[event.step].clear()

    def _step_failed(self, event: e.StepFailed) -> None:
        self.open_op.pop(event.step, None)
        if event.refused and not event.effect and event.op in self.may_stand[event.step]:
            self.may_stand[event.step].remove(event.op)

    def _step_settled(self, event: e.StepSettled) -> None:
        if event.counts_as == "done":
            self._done(event.component, event.step)
        else:
            self.open_op.pop(event.step)

    def _step_signed(self, event: e.StepSigned) -> None:
        self.dealt[event.component].add(event.step)

    def _component_finished(self, event: e.ComponentFinished) -> None:
        assert self.dealt[event.component] >= self.wanted[event.component], "finished with steps left"

    def _done(self, component: str, step: str) -> None:
        self.dealt[component].add(step)
        self.open_op.pop(step)
        if step in self.forward:
            self.may_stand[step].clear()

    def _evidence(self, seq: int, event: Any) -> None:
        news = (e.StepSent, e.StepApplied, e.StepProven, e.StepSigned)
        half_done = isinstance(event, e.StepFailed) and event.effect and event.op
        settled = isinstance(event, e.StepSettled) and event.counts_as == "done"
        if isinstance(event, news) or half_done or settled:
            self.last_change = seq
        if isinstance(event, e.CheckRan):
            self.found[event.check] = (seq, event.outcome)
        elif isinstance(event, e.CheckSigned):
            self.found[event.check] = (seq, "signed")
        elif isinstance(event, e.CheckWaived):
            self.found[event.check] = (seq, "waived")

    def check(self, check_id: str) -> str:
        seq, state = self.found.get(check_id, (0, "not_run"))
        return "stale" if state not in ("not_run", "waived") and seq < self.last_change else state


class AnIncident(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.acting = Acting()
        self.books = Books()
        self.ops = 100

    # ------------------------------------------------------------ what is tried

    @initialize()
    def declared(self) -> None:
        self._try(c.Declare("why", "drill", OUTLINE, "d"))

    @rule(component=components, direction=directions, side=st.booleans(), wrong=st.integers(0, 9))
    def confirm(self, component: str, direction: e.Direction, side: bool, wrong: int) -> None:
        if component not in self.acting.incident.components:
            return
        command = replace(self.acting.confirmation(component, direction), side_by_side=side)
        if wrong == 0:
            command = replace(command, changes=command.changes[1:])
        self._try(command)

    @rule(fact=facts)
    def any_fact(self, fact: c.Fact) -> None:
        self._try(c.Record(fact))

    @precondition(lambda self: self.acting.incident.running is not None)
    @rule(
        outcome=st.sampled_from(["on", "on", "on", "refused", "no effect", "effect", "unknown", "diverged", "already"])
    )
    def sensible_fact(self, outcome: str) -> None:
        """What an engine would record next of the component that runs."""
        component = self.acting.incident.running
        step = component.under_way or component.in_doubt or component.next_step()
        if step is None:
            self._try(c.Record(e.ComponentFinished(component.id, component.direction)))
        elif step.state in NEEDS_PERSON:
            self._try(c.Record(e.ComponentStopped(component.id, "needs a person")))
        elif step.operation is None:
            self._begin(component.id, step.id, component.direction, outcome)
        else:
            self._go_on(component.id, step, outcome)

    def _begin(self, component: str, step: str, direction: e.Direction, outcome: str) -> None:
        if outcome == "already":
            self._try(c.Record(e.StepAlready(component, step, direction, "seen")))
            return
        self.ops += 1
        self._try(c.Record(e.StepIntended(component, step, direction, f"op{self.ops}", "change", "pre", "summary")))

    def _go_on(self, component: str, step: Any, outcome: str) -> None:
        op, direction = step.operation.op, step.operation.direction
        on = {
            "intended": e.StepSent(component, step.id, op),
            "sent": e.StepApplied(component, step.id, op, "ok"),
            "applied": e.StepProven(component, step.id, op, "seen"),
        }[step.state]
        fact = {
            "refused": e.StepFailed(component, step.id, direction, "no", True, False, op),
            "no effect": e.StepFailed(component, step.id, direction, "no", False, False, op),
            "effect": e.StepFailed(component, step.id, direction, "no", False, True, op),
            "unknown": e.StepUnknown(component, step.id, op, "silence"),
            "diverged": e.StepDiverged(component, step.id, op, "neither"),
        }.get(outcome, on)
        self._try(c.Record(fact))

    @rule(component=components)
    def stop(self, component: str) -> None:
        self._try(c.Stop(component))

    @rule(step=steps, counts_as=st.sampled_from(["done", "not_done"]))
    def settle(self, step: tuple[str, str], counts_as: Any) -> None:
        self._try(c.Settle(*step, counts_as, "looked"))

    @rule(what=st.sampled_from([*CHECKS, "by-hand", "d1"]))
    def sign(self, what: str) -> None:
        self._try(c.Sign(what, "my word"))

    @rule(check=st.sampled_from(CHECKS), outcome=st.sampled_from(get_args(e.CheckOutcome)))
    def check(self, check: str, outcome: Any) -> None:
        self._try(c.Record(e.CheckRan(check, outcome, "seen", 0.1)))

    @rule(check=st.sampled_from(CHECKS))
    def waive(self, check: str) -> None:
        self._try(c.Waive(check, "because"))

    @rule(drop=st.sampled_from([None, *range(len(OUTLINE.components))]), digest=st.sampled_from(["d", "d2"]))
    def revise(self, drop: int | None, digest: str) -> None:
        kept = tuple(k for i, k in enumerate(OUTLINE.components) if i != drop)
        without = {k.id for k in OUTLINE.components} - {k.id for k in kept}
        kept = tuple(replace(k, after=tuple(a for a in k.after if a not in without)) for k in kept)
        self._try(c.ReviseProcedure(replace(OUTLINE, components=kept), digest))

    @rule()
    def resolve(self) -> None:
        self._try(c.Resolve("done"))
        if self.acting.incident.phase == "resolved":
            self.books = Books()
            self._try(c.Declare("again", "drill", OUTLINE, "d"))

    def _try(self, command: c.Command) -> None:
        before, state = len(self.acting.history), self.acting.incident
        try:
            self.acting.do(command)
        except Refused:
            assert self.acting.incident is state
        for recorded in self.acting.history[before:]:
            self._may_happen(recorded.event, state)
            self.books.write(recorded.seq, recorded.event)

    def _may_happen(self, event: Any, before: Incident) -> None:
        if isinstance(event, e.IncidentResolved):
            assert not before.running
            assert not any(k.in_doubt for k in before.components.values())
            assert not any(
                k.state in ("failed", "stopped") and any(self.books.may_stand[i] for i in k.steps)
                for k in before.components.values()
            )
            assert all(self.books.check(k.id) in ("pass", "signed", "waived") for k in OUTLINE.checks if k.criterion)
        if isinstance(event, e.ComponentFinished):
            assert before.components[event.component].direction == event.direction

    # ------------------------------------------------------------ what must hold

    @invariant()
    def nothing_that_may_stand_is_forgotten(self) -> None:
        for component in self.acting.incident.components.values():
            for step in component.steps.values():
                assert [a.op for a in step.attempts] == self.books.may_stand[step.id]
                assert step.to_undo == (bool(step.attempts) or step.signed)

    @invariant()
    def at_most_one_operation_is_under_way_in_a_component(self) -> None:
        for component in self.acting.incident.components.values():
            open_steps = [s for s in component.steps.values() if s.operation]
            assert len(open_steps) <= 1
            assert all(self.books.open_op[s.id] == s.operation.op for s in open_steps)
            assert all(s.state in UNDER_WAY | NEEDS_PERSON for s in open_steps)
            if component.state != "running":
                assert component.under_way is None

    @invariant()
    def a_component_rolled_forward_has_nothing_left_to_undo(self) -> None:
        for component in self.acting.incident.components.values():
            if component.state == "rolled_forward":
                assert not any(s.to_undo for s in component.steps.values())
                assert all(component.steps[i].state == "undone" for i in component.confirmed)

    @invariant()
    def a_component_rolled_back_is_in_no_doubt(self) -> None:
        for component in self.acting.incident.components.values():
            if component.state == "rolled_back":
                assert set(component.confirmed) <= component.dealt_with
                assert component.in_doubt is None

    @invariant()
    def evidence_is_stale_after_a_later_change(self) -> None:
        for check_id in CHECKS:
            assert self.acting.incident.check_state(check_id) == self.books.check(check_id)

    @invariant()
    def a_way_on_is_always_open(self) -> None:
        """Whatever stands between an incident and its end, a person can do something about it."""
        incident = self.acting.incident
        for component in incident.components.values():
            if component.state in ("failed", "stopped") and any(component.id in why for why in open_ends(incident)):
                assert any(s.to_undo for s in component.steps.values())  # rolling forward is offered

    def teardown(self) -> None:
        """Every prefix folds, and to the state that was there at that moment."""
        incident = Incident()
        for recorded, then in zip(self.acting.history, self.acting.states, strict=True):
            incident = evolve(incident, recorded)
            assert incident == then


AnIncident.TestCase.settings = settings(
    max_examples=int(os.environ.get("ROLLBACK_CONSOLE_EXAMPLES", "25")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestWhateverHappens = AnIncident.TestCase
