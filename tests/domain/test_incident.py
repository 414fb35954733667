"""The fold: what a history says about its steps, components and checks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.evolve import fold
from console.domain.outline import ComponentOutline, StepOutline
from tests.domain.acting import OUTLINE, START, Acting

# ---------------------------------------------------------------- what may stand is remembered


def sent() -> Acting:
    return Acting().declare().confirm("alone").sent("alone", "l1", "op1")


def test_an_operation_counts_as_standing_from_the_moment_it_is_sent() -> None:
    acting = Acting().declare().confirm("alone")
    acting.fact(acting.intended("alone", "l1", "op1"))
    assert acting.attempts("l1") == []
    acting.fact(e.StepSent("alone", "l1", "op1"))
    assert acting.attempts("l1") == ["op1"]


@pytest.mark.parametrize(
    ("outcome", "stands"),
    [
        (lambda a: e.StepApplied("alone", "l1", "op1", "ok"), True),
        (lambda a: e.StepUnknown("alone", "l1", "op1", "silence"), True),
        (lambda a: e.StepDiverged("alone", "l1", "op1", "neither"), True),
        (lambda a: a.failed("alone", "l1", "op1", effect=True), True),
        (lambda a: a.failed("alone", "l1", "op1", effect=False), True),
        (lambda a: a.failed("alone", "l1", "op1", effect=False, refused=True), False),
    ],
    ids=["applied", "unknown", "diverged", "failed with effect", "not found", "refused"],
)
def test_an_outcome_says_whether_the_operation_may_stand(outcome, stands: bool) -> None:
    acting = sent()
    acting.fact(outcome(acting))
    assert acting.attempts("l1") == (["op1"] if stands else [])


@pytest.mark.parametrize(
    ("counts_as", "state", "whole"), [("done", "proven", "stopped"), ("not_done", "failed", "failed")]
)
def test_a_persons_word_ends_the_doubt(counts_as, state: str, whole: str) -> None:
    acting = sent().fact(e.StepUnknown("alone", "l1", "op1", "silence"), e.ComponentStopped("alone", "person"))
    acting.do(c.Settle("alone", "l1", counts_as, "looked at it"), actor="ada")
    step = acting.step("l1")
    assert (step.operation, step.state, acting["alone"].state) == (None, state, whole)
    assert f"ada settled it as {counts_as.replace('_', ' ')}: looked at it" in step.reason
    assert acting.attempts("l1") == ["op1"]


def test_every_attempt_that_may_stand_is_kept_oldest_first() -> None:
    acting = sent()
    acting.fact(acting.failed("alone", "l1", "op1", effect=True), e.ComponentStopped("alone", "half"))
    acting.confirm("alone").sent("alone", "l1", "op2")
    acting.fact(e.StepApplied("alone", "l1", "op2", "ok"), e.StepProven("alone", "l1", "op2", "seen"))
    assert acting.attempts("l1") == ["op1", "op2"]


def test_a_failure_without_effect_in_a_later_run_keeps_what_stands() -> None:
    acting = Acting().declare().rolled_back("alone")
    standing = acting.attempts("l1")
    acting.confirm("alone")
    acting.fact(acting.failed("alone", "l1"), e.ComponentStopped("alone", "unreachable"))
    assert acting.step("l1").state == "failed"
    assert acting.attempts("l1") == standing != []


@pytest.mark.parametrize("not_found", ["read back", "settled"])
def test_an_operation_that_was_not_answered_is_kept_although_it_was_not_found(not_found: str) -> None:
    """Its request may still arrive: then it is undone like any other, and what it chose is not chosen anew."""
    acting = sent()
    if not_found == "read back":
        acting.fact(acting.failed("alone", "l1", "op1"), e.ComponentStopped("alone", "not there"))
    else:
        acting.fact(e.StepUnknown("alone", "l1", "op1", "silence"), e.ComponentStopped("alone", "person"))
        acting.do(c.Settle("alone", "l1", "not_done", "not there"))
    assert (acting.step("l1").state, acting.attempts("l1")) == ("failed", ["op1"])
    acting.confirm("alone").fact(e.StepAlready("alone", "l1", "back", "it is there"))
    assert (acting.step("l1").state, acting.attempts("l1")) == ("proven", ["op1"])


def test_an_operation_that_was_not_found_can_be_rolled_forward_at_once() -> None:
    acting = sent()
    acting.fact(acting.failed("alone", "l1", "op1"), e.ComponentStopped("alone", "not there"))
    acting.confirm("alone", "forward").fact(e.StepAlready("alone", "l1", "forward", "as before"))
    assert not acting.step("l1").to_undo


def test_a_refused_operation_leaves_nothing_to_undo() -> None:
    acting = sent()
    acting.fact(acting.failed("alone", "l1", "op1", refused=True), e.ComponentStopped("alone", "refused"))
    assert not acting.step("l1").to_undo
    acting.confirm("alone").fact(e.StepAlready("alone", "l1", "back", "somebody else did it"))
    assert (acting.step("l1").state, acting.step("l1").to_undo) == ("already", False)


def test_an_operation_that_was_never_sent_leaves_nothing_to_undo() -> None:
    acting = Acting().declare().confirm("alone")
    acting.fact(acting.intended("alone", "l1", "op1"), acting.failed("alone", "l1", "op1"))
    assert not acting.step("l1").to_undo


# ---------------------------------------------------------------- rolling forward


def test_a_complete_roll_forward_leaves_nothing_to_undo() -> None:
    acting = Acting().declare().rolled_back("dash")
    acting.confirm("dash", "forward").finish("dash")
    assert acting["dash"].state == "rolled_forward"
    assert {s.state for s in acting["dash"].steps.values()} == {"undone"}
    assert not any(s.to_undo for s in acting["dash"].steps.values())


def test_rolling_forward_goes_through_the_steps_in_reverse() -> None:
    acting = Acting().declare().rolled_back("dash").confirm("dash", "forward")
    order = []
    while step := acting["dash"].next_step():
        order.append(step.id)
        acting.carry_out("dash", step.id)
    assert order == ["d3", "d2", "d1"]


def test_rolling_forward_leaves_out_what_was_never_done() -> None:
    acting = Acting().declare().confirm("dash").carry_out("dash", "d1")
    acting.fact(e.StepAlready("dash", "d2", "back", "was there"), e.ComponentStopped("dash", "asked"))
    assert [change.step for change in acting.confirmation("dash", "forward").changes] == ["d1"]


@pytest.mark.parametrize("effect", [True, False])
def test_a_roll_forward_that_fails_keeps_the_pre_images(effect: bool) -> None:
    acting = Acting().declare().rolled_back("alone")
    standing = acting.attempts("l1")
    acting.confirm("alone", "forward").sent("alone", "l1", "undo")
    acting.fact(acting.failed("alone", "l1", "undo", effect=effect), e.ComponentStopped("alone", "failed"))
    assert acting.attempts("l1") == standing != []


def test_a_step_found_as_before_has_nothing_left_to_undo() -> None:
    acting = Acting().declare().rolled_back("alone").confirm("alone", "forward")
    acting.fact(e.StepAlready("alone", "l1", "forward", "as before"), e.ComponentFinished("alone", "forward"))
    assert (acting.step("l1").state, acting.attempts("l1")) == ("undone", [])


# ---------------------------------------------------------------- components


def test_going_on_runs_through_every_step_again() -> None:
    acting = Acting().declare().confirm("dash").carry_out("dash", "d1").fact(e.ComponentStopped("dash", "asked"))
    acting.confirm("dash")
    assert acting["dash"].dealt_with == frozenset()
    assert acting["dash"].next_step().id == "d1"


def test_a_stop_is_forgotten_with_the_run_it_was_for() -> None:
    acting = Acting().declare().confirm("dash")
    acting.do(c.Stop("dash"))
    assert acting["dash"].stop_requested
    acting.fact(e.ComponentStopped("dash", "asked"))
    assert not acting["dash"].stop_requested
    acting.confirm("dash").carry_out("dash")
    acting.do(c.Stop("dash"))
    acting.fact(e.ComponentFinished("dash", "back"))
    assert not acting["dash"].stop_requested


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        (lambda a: [], "stopped"),
        (lambda a: [a.failed("dash", "d1")], "failed"),
        (lambda a: [a.intended("dash", "d1", "o"), e.StepSent("dash", "d1", "o"), e.StepUnknown("dash", "d1", "o", "")],
         "unknown"),
        (lambda a: [a.intended("dash", "d1", "o"), e.StepSent("dash", "d1", "o"), e.StepDiverged("dash", "d1", "o", "")],
         "unknown"),
    ],
    ids=["asked", "failed", "unknown", "diverged"],
)  # fmt: skip
def test_a_stopped_component_is_as_its_worst_step(facts, state: str) -> None:
    acting = Acting().declare().confirm("dash")
    acting.fact(*facts(acting), e.ComponentStopped("dash", "why"))
    assert (acting["dash"].state, acting["dash"].reason) == (state, "why")


def test_a_signed_step_counts_in_the_run_and_is_undone_by_its_own_signature() -> None:
    acting = Acting().declare().rolled_back("dash").confirm("api").carry_out("api", "a1")
    acting.fact(e.ComponentStopped("api", "waits for a person"))
    acting.do(c.Sign("by-hand", "called them"), actor="ada")
    assert acting.step("by-hand").reason == "signed by ada: called them"
    acting.confirm("api").fact(e.StepAlready("api", "a1", "back", "seen"))
    acting.fact(e.StepAlready("api", "by-hand", "back", "signed"), e.ComponentFinished("api", "back"))
    assert (acting["api"].state, acting.step("by-hand").state) == ("rolled_back", "proven")
    acting.confirm("api", "forward")
    acting.do(c.Sign("by-hand", "called them again"))
    assert not acting.step("by-hand").to_undo


# ---------------------------------------------------------------- checks


def _changes(acting: Acting) -> dict[str, tuple[object, ...]]:
    """Each a change, or the news of one, that makes older evidence worthless."""
    intent = acting.intended("alone", "l1", "op1")
    sent, applied = e.StepSent("alone", "l1", "op1"), e.StepApplied("alone", "l1", "op1", "ok")
    return {
        "sent": ((intent,), (sent,)),
        "applied": ((intent, sent), (applied,)),
        "proven": ((intent, sent, applied), (e.StepProven("alone", "l1", "op1", "seen"),)),
        "half done": ((intent, sent), (acting.failed("alone", "l1", "op1", effect=True),)),
    }


@pytest.mark.parametrize("change", ["sent", "applied", "proven", "half done"])
def test_evidence_is_stale_after_any_later_change(change: str) -> None:
    acting = Acting().declare().confirm("alone")
    before, news = _changes(acting)[change]
    acting.fact(*before, e.CheckRan("health", "pass", "200", 0.1))
    acting.do(c.Waive("nice", "not needed"))
    assert acting.incident.check_state("health") == "pass"
    acting.fact(*news)
    assert acting.incident.check_state("health") == "stale"
    assert acting.incident.check_state("nice") == "waived"
    assert acting.incident.check_state("complaints") == "not_run"


def test_evidence_from_before_a_settled_doubt_is_stale() -> None:
    acting = sent().fact(e.StepUnknown("alone", "l1", "op1", "silence"), e.ComponentStopped("alone", "person"))
    acting.fact(e.CheckRan("health", "pass", "200", 0.1))
    acting.do(c.Settle("alone", "l1", "done", "it is there"))
    assert acting.incident.check_state("health") == "stale"


def test_a_signature_is_stale_after_a_later_change_too() -> None:
    acting = Acting().declare()
    acting.do(c.Sign("complaints", "none"))
    acting.rolled_back("alone")
    assert acting.incident.check_state("complaints") == "stale"


def test_what_fails_without_effect_leaves_evidence_fresh() -> None:
    acting = Acting().declare().confirm("alone").fact(e.CheckRan("health", "pass", "200", 0.1))
    acting.fact(acting.failed("alone", "l1", effect=True))
    assert acting.incident.check_state("health") == "pass"


# ---------------------------------------------------------------- a changed procedure


def test_a_changed_procedure_keeps_every_step_that_has_a_past() -> None:
    acting = Acting().declare().confirm("dash").carry_out("dash", "d1").fact(e.ComponentStopped("dash", "asked"))
    dash = ComponentOutline("dash", "Dashboards", (StepOutline("new", "New", "sim"),))
    revised = replace(OUTLINE, components=(dash,))
    acting.do(c.ReviseProcedure(revised, "digest-2"))
    assert list(acting.incident.components) == ["dash"]
    assert list(acting["dash"].steps) == ["new", "d1"]
    assert acting.attempts("d1")
    assert acting["dash"].title == "Dashboards"


def test_a_changed_procedure_keeps_a_component_that_has_a_past() -> None:
    acting = Acting().declare().rolled_back("dash")
    acting.do(c.ReviseProcedure(replace(OUTLINE, components=()), "digest-2"))
    assert list(acting.incident.components) == ["dash"]
    acting.confirm("dash", "forward").finish("dash")
    assert acting["dash"].state == "rolled_forward"


# ---------------------------------------------------------------- replay


def test_each_event_says_when_and_by_whom() -> None:
    acting = Acting()
    acting.do(c.Declare("why", "live", OUTLINE, "d"), actor="ada")
    incident = acting.incident
    assert (incident.commander, incident.seq, incident.epoch) == ("ada", 1, 1)
    assert (incident.declared_at - START).total_seconds() == 1


def test_folding_on_from_any_point_gives_the_same() -> None:
    acting = Acting().declare().rolled_back("dash").confirm("dash", "forward").finish("dash")
    whole = fold(acting.history)
    for cut in range(len(acting.history)):
        assert fold(acting.history[cut:], fold(acting.history[:cut])) == whole == acting.incident


def test_a_confirmation_begins_a_run_anew() -> None:
    acting = Acting().declare().confirm("dash").fact(e.ComponentStopped("dash", "asked"))
    assert acting["dash"].ended_at is not None
    acting.confirm("dash")
    run = acting["dash"]
    assert (run.state, run.reason, run.ended_at) == ("running", "", None)
    assert run.started_at == acting.history[-1].at


def test_an_incident_remembers_why_and_how_it_was_declared() -> None:
    incident = Acting().declare().incident
    assert (incident.id, incident.number, incident.config_digest) == ("INC-0001", 1, "digest-1")
    assert (incident.reason, incident.mode, incident.title) == ("p95 fires", "drill", "A migration")
