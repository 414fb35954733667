"""The rules: what follows from a command, and what is refused with which reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.decide import decide, open_ends
from console.domain.errors import Refused
from console.domain.incident import Incident
from tests.domain.acting import OUTLINE, Acting

DECLARE = c.Declare("p95 fires", "drill", OUTLINE, "digest-1")


def none() -> Acting:
    return Acting()


def declared() -> Acting:
    return Acting().declare()


def running() -> Acting:
    return declared().confirm("dash")


def in_doubt() -> Acting:
    acting = running().sent("dash", "d1", "op1").fact(e.StepUnknown("dash", "d1", "op1", "no answer"))
    return acting.fact(e.ComponentStopped("dash", "needs a person"))


def rolled_back() -> Acting:
    return declared().rolled_back("dash")


def waiting_for_a_person() -> Acting:
    acting = rolled_back().confirm("api").carry_out("api", "a1")
    return acting.fact(e.ComponentStopped("api", "waits for a person"))


def resolved() -> Acting:
    acting = declared()
    acting.do(c.Waive("health", "not today"))
    acting.do(c.Sign("complaints", "asked support"))
    acting.do(c.Resolve("done"))
    return acting


def confirmation(acting: Acting, component: str, direction: e.Direction = "back", **changed: object) -> c.Confirm:
    return replace(acting.confirmation(component, direction), **changed)  # type: ignore[arg-type]


REFUSALS = {
    "declaring twice": (declared, lambda a: DECLARE, "INC-0001 is open"),
    "declaring without a reason": (none, lambda a: replace(DECLARE, reason="  "), "needs a reason"),
    "acting without an incident": (none, lambda a: c.Stop("dash"), "no incident is declared"),
    "acting after the end": (resolved, lambda a: c.Waive("nice", "why not"), "is resolved"),
    "a component that is not there": (declared, lambda a: c.Stop("nope"), "components: dash, api, alone"),
    "a wrong word typed": (declared, lambda a: confirmation(a, "dash", typed="api"), 'the confirmation "api"'),
    "a step that was not previewed": (
        declared,
        lambda a: confirmation(a, "dash", changes=a.confirmation("dash").changes[:2]),
        "does not cover the steps of dash: d3",
    ),
    "a step of something else": (
        declared,
        lambda a: confirmation(a, "dash", changes=a.confirmation("api").changes),
        "does not cover",
    ),
    "forward with nothing to undo": (declared, lambda a: confirmation(a, "dash", "forward"), "nothing to roll forward"),
    "confirming what runs": (running, lambda a: confirmation(a, "dash"), "running already"),
    "a second component at a time": (running, lambda a: confirmation(a, "alone"), "one at a time"),
    "a component before the one it goes after": (declared, lambda a: confirmation(a, "api"), "goes after dash"),
    "going on while a step is in doubt": (in_doubt, lambda a: confirmation(a, "dash"), "settle d1"),
    "stopping what does not run": (declared, lambda a: c.Stop("dash"), "not running"),
    "settling what is certain": (running, lambda a: c.Settle("dash", "d1", "done", "looked"), "not in doubt"),
    "settling a step that is not there": (in_doubt, lambda a: c.Settle("dash", "zz", "done", "looked"), "d1, d2, d3"),
    "settling without a note": (in_doubt, lambda a: c.Settle("dash", "d1", "done", " "), "needs a note"),
    "signing a check that runs by itself": (declared, lambda a: c.Sign("health", "fine"), "proven by running it"),
    "signing without a note": (declared, lambda a: c.Sign("complaints", ""), "needs a note"),
    "signing nothing that is known": (declared, lambda a: c.Sign("zz", "x"), "signable: complaints, by-hand"),
    "signing the console's own step": (declared, lambda a: c.Sign("d1", "x"), "carried out by the console"),
    "signing a step before its component is confirmed": (rolled_back, lambda a: c.Sign("by-hand", "x"), "first"),
    "waiving nothing": (declared, lambda a: c.Waive("zz", "x"), "no check"),
    "waiving without a reason": (declared, lambda a: c.Waive("nice", " "), "needs a reason"),
    "acknowledging nothing": (declared, lambda a: c.Acknowledge("zz", "x"), "notices: team, boss"),
    "acknowledging without a note": (declared, lambda a: c.Acknowledge("team", ""), "who was told"),
    "resolving with red criteria": (declared, lambda a: c.Resolve("ok"), "criterion health is not run"),
    "resolving while it runs": (running, lambda a: c.Resolve("ok"), "component dash is running"),
    "resolving in doubt": (in_doubt, lambda a: c.Resolve("ok"), "component dash is unknown"),
    "changing the procedure while it runs": (running, lambda a: c.ReviseProcedure(OUTLINE, "digest-2"), "is running"),
    "the result of an unknown check": (
        declared,
        lambda a: c.Record(e.CheckRan("zz", "pass", "", 0.1)),
        "no check",
    ),
    "a fact about an unknown step": (running, lambda a: c.Record(e.StepSent("dash", "zz", "o")), "no step"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refuses(case: str) -> None:
    state, command, words = REFUSALS[case]
    acting = state()
    before = acting.incident
    with pytest.raises(Refused) as refused:
        acting.do(command(acting))
    assert words in str(refused.value)
    assert acting.incident is before


def test_signing_twice_is_refused() -> None:
    acting = waiting_for_a_person()
    acting.do(c.Sign("by-hand", "called them"))
    with pytest.raises(Refused, match="signed already"):
        acting.do(c.Sign("by-hand", "called them"))


def test_acknowledging_twice_names_the_first() -> None:
    acting = declared()
    acting.do(c.Acknowledge("team", "in the channel"), actor="ada")
    with pytest.raises(Refused, match="acknowledged at 22:00:02 UTC by ada"):
        acting.do(c.Acknowledge("team", "again"))


def test_asking_twice_to_stop_says_nothing_new() -> None:
    acting = running()
    assert acting.do(c.Stop("dash")) == (e.StopRequested("dash"),)
    assert acting.do(c.Stop("dash")) == ()


def test_the_same_procedure_is_no_revision() -> None:
    assert declared().do(c.ReviseProcedure(OUTLINE, "digest-1")) == ()


def test_side_by_side_is_allowed_when_asked_for() -> None:
    acting = running().confirm("alone", side_by_side=True)
    assert [k.id for k in acting.incident.components.values() if k.state == "running"] == ["dash", "alone"]


def test_the_order_of_components_binds_only_rolling_back() -> None:
    acting = rolled_back().confirm("api").carry_out("api", "a1").fact(e.ComponentStopped("api", "by hand next"))
    acting.confirm("dash", "forward").finish("dash")
    acting.confirm("api", "forward").finish("api")
    assert acting["api"].state == "rolled_forward"


def test_a_second_incident_gets_the_next_number_and_starts_clean() -> None:
    acting = resolved()
    acting.do(DECLARE)
    assert (acting.incident.id, acting.incident.phase) == ("INC-0002", "open")
    assert not acting.incident.checks
    assert {k.state for k in acting.incident.components.values()} == {"untouched"}


def test_declaring_brings_the_verdicts_of_that_moment() -> None:
    verdict = e.VerdictChanged("p95", "firing", "34 s > 30 s", 34.0, 30.0)
    events = decide(Incident(), replace(DECLARE, verdicts=(verdict,)))
    assert events[1:] == (verdict,)


def test_a_verdict_is_recorded_when_it_changes_and_not_otherwise() -> None:
    acting = declared()
    firing = e.VerdictChanged("p95", "firing", "34 s", 34.0)
    assert acting.do(c.Record(firing)) == (firing,)
    assert acting.do(c.Record(replace(firing, value=35.0, reason="35 s"))) == ()
    assert acting.do(c.Record(replace(firing, verdict="ok"))) != ()


# ---------------------------------------------------------------- facts that can't follow

IMPOSSIBLE = {
    "a step sent without an intent": lambda a: e.StepSent("dash", "d1", "op1"),
    "a step out of turn": lambda a: a.intended("dash", "d2", "op1"),
    "a step of a component that does not run": lambda a: a.intended("alone", "l1", "op1"),
    "a step in the other direction": lambda a: replace(a.intended("dash", "d1", "op1"), direction="forward"),
    "a no-op in the other direction": lambda a: e.StepAlready("dash", "d1", "forward", "seen"),
    "a no-op out of turn": lambda a: e.StepAlready("dash", "d2", "back", "seen"),
    "a failure out of turn": lambda a: a.failed("dash", "d2"),
    "a failure of a component that does not run": lambda a: a.failed("alone", "l1"),
    "an outcome of nothing": lambda a: e.StepApplied("dash", "d1", "op1", "ok"),
    "an end before its steps": lambda a: e.ComponentFinished("dash", "back"),
    "an end in the other direction": lambda a: e.ComponentFinished("dash", "forward"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_a_fact_that_can_not_follow_a_confirmation_is_refused(case: str) -> None:
    acting = running()
    with pytest.raises(Refused):
        acting.fact(IMPOSSIBLE[case](acting))


_FACTS = {
    "intended": lambda a: a.intended("dash", "d1", "op2"),
    "already": lambda a: e.StepAlready("dash", "d1", "back", "seen"),
    "sent": lambda a: e.StepSent("dash", "d1", "op1"),
    "applied": lambda a: e.StepApplied("dash", "d1", "op1", "ok"),
    "proven": lambda a: e.StepProven("dash", "d1", "op1", "seen"),
    "unknown": lambda a: e.StepUnknown("dash", "d1", "op1", "silence"),
    "diverged": lambda a: e.StepDiverged("dash", "d1", "op1", "neither"),
    "failed without effect": lambda a: a.failed("dash", "d1", "op1"),
    "failed with effect": lambda a: a.failed("dash", "d1", "op1", effect=True),
    "failed before it began": lambda a: a.failed("dash", "d1"),
    "stopped": lambda a: e.ComponentStopped("dash", "why"),
}
_OUTCOMES = {"unknown", "diverged", "failed without effect", "failed with effect"}
_FOLLOWS = {
    "intended": {"sent", "failed without effect"},
    "sent": {"applied", *_OUTCOMES},
    "applied": {"proven", "diverged", "failed with effect"},
    "unknown": {"applied", "stopped", *_OUTCOMES},
    "diverged": {"stopped"},
}


@pytest.mark.parametrize("state", _FOLLOWS)
@pytest.mark.parametrize("fact", _FACTS)
def test_only_these_facts_follow_a_step_under_way(state: str, fact: str) -> None:
    acting = running()
    acting.fact(acting.intended("dash", "d1", "op1"))
    for past in {"intended": (), "sent": ("sent",)}.get(state, ("sent", state)):
        acting.fact(_FACTS[past](acting))
    if fact in _FOLLOWS[state]:
        assert acting.do(c.Record(_FACTS[fact](acting)))
    else:
        with pytest.raises(Refused):
            acting.fact(_FACTS[fact](acting))


@pytest.mark.parametrize("fact", ["sent", "applied", "proven", "unknown", "failed with effect"])
def test_a_fact_of_another_operation_is_refused(fact: str) -> None:
    acting = running().sent("dash", "d1", "op1")
    with pytest.raises(Refused, match="no operation other"):
        acting.fact(replace(_FACTS[fact](acting), op="other"))


def test_no_step_begins_once_a_stop_was_asked_for() -> None:
    acting = running()
    acting.do(c.Stop("dash"))
    with pytest.raises(Refused, match="a stop was asked for"):
        acting.fact(acting.intended("dash", "d1", "op1"))


def test_a_stop_does_not_hold_back_the_outcome_of_what_was_begun() -> None:
    acting = running().sent("dash", "d1", "op1")
    acting.do(c.Stop("dash"))
    acting.fact(e.StepApplied("dash", "d1", "op1", "ok"), e.StepProven("dash", "d1", "op1", "seen"))
    assert acting.step("d1").state == "proven"


def test_no_second_operation_begins_in_a_component_beside_the_first() -> None:
    acting = running().carry_out("dash", "d1").sent("dash", "d2", "op2")
    with pytest.raises(Refused):
        acting.fact(acting.intended("dash", "d3", "op3"))


# ---------------------------------------------------------------- resolving


def with_criteria_met(acting: Acting) -> Acting:
    acting.fact(e.CheckRan("health", "pass", "200", 0.1))
    acting.do(c.Sign("complaints", "none"))
    return acting


@pytest.mark.parametrize("outcome", ["fail", "unknown"])
def test_a_criterion_that_did_not_pass_keeps_it_open(outcome: e.CheckOutcome) -> None:
    acting = with_criteria_met(declared()).fact(e.CheckRan("health", outcome, "503", 0.1))
    assert open_ends(acting.incident) == (f"criterion health is {outcome}",)


def test_a_criterion_can_be_waived_with_a_reason() -> None:
    acting = with_criteria_met(declared()).fact(e.CheckRan("health", "fail", "503", 0.1))
    acting.do(c.Waive("health", "the endpoint is gone for good"))
    assert open_ends(acting.incident) == ()


def test_a_change_after_the_evidence_keeps_it_open() -> None:
    acting = with_criteria_met(declared()).rolled_back("dash")
    assert open_ends(acting.incident) == ("criterion health is stale", "criterion complaints is stale")
    assert open_ends(with_criteria_met(acting).incident) == ()


def test_a_component_half_done_keeps_it_open() -> None:
    acting = running().carry_out("dash", "d1").fact(e.ComponentStopped("dash", "asked"))
    with pytest.raises(Refused, match=r"dash is half done \(stopped\)"):
        with_criteria_met(acting).do(c.Resolve("ok"))


def test_a_component_that_failed_before_any_effect_does_not() -> None:
    acting = running()
    acting.fact(acting.failed("dash", "d1", refused=True), e.ComponentStopped("dash", "forbidden"))
    assert acting["dash"].state == "failed"
    assert with_criteria_met(acting).do(c.Resolve("left as it is"))


def test_a_component_half_done_can_be_rolled_forward_and_then_resolved() -> None:
    acting = running().carry_out("dash", "d1").fact(e.ComponentStopped("dash", "asked"))
    acting.confirm("dash", "forward").finish("dash")
    assert with_criteria_met(acting).do(c.Resolve("all as before"))
