"""The one picture: what the journal says, what is measured, and what is under way, without contradiction."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.triggers import TriggerReading
from console.engine.ports import Evidence, Progress
from console.engine.projection import Surroundings, project
from console.engine.status import to_status_json
from console.engine.view import ComponentView, ViewState
from tests.domain.acting import OUTLINE, START, Acting

NOW = START + timedelta(minutes=10)


def view_of(acting: Acting, **around: object) -> ViewState:
    return project(acting.incident, acting.history, NOW, Surroundings(outline=OUTLINE, **around))  # type: ignore[arg-type]


def component(view: ViewState, component_id: str) -> ComponentView:
    return next(found for found in view.components if found.id == component_id)


def reading(verdict: e.Verdict = "firing", **more: object) -> TriggerReading:
    return TriggerReading(verdict, "34 s > 30 s", value=34.0, since=START, **more)  # type: ignore[arg-type]


# ------------------------------------------------------------ before, during, after


def test_before_any_incident_the_procedure_is_shown_untouched() -> None:
    view = view_of(Acting(), readings={"p95": reading("ok")}, contexts=("prod-eu-1",))
    assert (view.incident.state, view.incident.title, view.incident.contexts) == ("none", "A migration", ("prod-eu-1",))
    assert [found.state for found in view.components] == ["untouched"] * 3
    assert [found.state for found in view.checks] == ["not_run"] * 3
    assert [found.due_at for found in view.notices] == [None, None]
    assert not any(found.can_roll_back for found in view.components)


def test_an_open_incident_counts_from_its_declaration() -> None:
    view = view_of(Acting().declare())
    assert view.incident.id == "INC-0001"
    assert view.incident.elapsed_seconds == 599.0
    assert [found.state for found in view.notices] == ["overdue", "waiting"]


def test_a_resolved_incident_stands_still() -> None:
    acting = Acting().declare()
    for check in ("health", "complaints"):
        acting.do(c.Waive(check, "not today"))
    acting.do(c.Resolve("over"))
    view = view_of(acting)
    assert (view.incident.state, view.incident.elapsed_seconds) == ("resolved", 3.0)
    assert not any(found.can_roll_back for found in view.components)


def test_a_new_incident_shows_only_its_own_past() -> None:
    acting = Acting().declare()
    for check in ("health", "complaints"):
        acting.do(c.Waive(check, "not today"))
    acting.do(c.Resolve("over"))
    acting.do(c.Declare("again", "live", OUTLINE, "digest"))
    assert [item.text for item in view_of(acting).timeline] == ["INC-0002 declared by kim: again"]


# ------------------------------------------------------------ components


def test_what_can_be_done_with_each_component() -> None:
    view = view_of(Acting().declare().rolled_back("alone"))
    assert {found.id: (found.can_roll_back, found.can_roll_forward) for found in view.components} == {
        "dash": (True, False),
        "api": (False, False),  # goes after dash
        "alone": (False, True),
    }


def test_one_at_a_time_and_nothing_for_an_observer() -> None:
    acting = Acting().declare()
    assert not any(found.can_roll_back for found in view_of(acting, mode="observe").components)
    acting.confirm("dash").sent("dash", "d1", "op")
    assert not any(found.can_roll_back for found in view_of(acting, lease_held=True).components)


def test_the_step_under_way_shows_how_far_it_is() -> None:
    acting = Acting().declare().confirm("dash").carry_out("dash", "d1").sent("dash", "d2", "op")
    view = view_of(acting, lease_held=True, progress={"d2": (Progress("2 of 3 ready", 2, 3), 8.5)})
    found = component(view, "dash")
    assert (found.state, found.current) == ("running", 2)
    step = found.steps[1]
    assert (step.state, step.progress, step.done, step.total, step.seconds) == ("sent", "2 of 3 ready", 2, 3, 8.5)


def test_running_without_anybody_who_works_is_interrupted() -> None:
    acting = Acting().declare().confirm("dash").sent("dash", "d1", "op")
    found = component(view_of(acting, lease_held=False), "dash")
    assert (found.state, found.current, found.can_roll_back) == ("stopped", 0, False)
    assert found.reason.startswith(
        "interrupted during step d1: the console that carried it out is gone; what it sent may"
    )


@pytest.mark.parametrize("sent", [False, True])
def test_an_interrupted_step_says_whether_anything_was_sent(sent: bool) -> None:
    acting = Acting().declare().confirm("dash")
    acting.fact(acting.intended("dash", "d1", "op"))
    if sent:
        acting.fact(e.StepSent("dash", "d1", "op"))
    assert ("nothing was sent" in component(view_of(acting), "dash").reason) is not sent


def test_a_component_that_left_the_file_is_still_shown() -> None:
    acting = Acting().declare().rolled_back("alone")
    smaller = type(OUTLINE)(title="A migration", components=OUTLINE.components[:2])
    acting.do(c.ReviseProcedure(smaller, "digest-2"))
    assert [found.id for found in view_of(acting).components] == ["dash", "api", "alone"]


# ------------------------------------------------------------ triggers, checks, timeline


def test_a_reading_counts_more_than_the_record() -> None:
    acting = Acting().declare().fact(e.VerdictChanged("p95", "ok", "12 s", 12.0))
    assert view_of(acting, readings={"p95": reading()}).triggers[0].verdict == "firing"
    remembered = view_of(acting).triggers[0]
    assert (remembered.verdict, remembered.value) == ("ok", 12.0)
    assert "as last recorded" in remembered.reason


def test_a_trigger_that_nobody_asked_is_not_healthy() -> None:
    assert view_of(Acting()).triggers[0].verdict == "no_data"


def test_evidence_from_before_a_change_is_stale() -> None:
    acting = Acting().declare().fact(e.CheckRan("health", "pass", "200", 0.1)).rolled_back("alone")
    found = view_of(acting).checks[0]
    assert (found.state, found.evidence) == ("stale", "200")


def test_checks_outside_an_incident_say_that_nobody_keeps_them() -> None:
    found = view_of(Acting(), unrecorded={"health": Evidence("pass", "200")}).checks[0]
    assert (found.state, found.evidence) == ("pass", "200 (not recorded: no incident is open)")


def test_the_timeline_is_newest_first_in_words() -> None:
    acting = Acting().declare().confirm("alone")
    acting.fact(acting.failed("alone", "l1", reason="403", refused=True), e.ComponentStopped("alone", "refused"))
    timeline = view_of(acting).timeline
    assert [(item.text, item.level) for item in timeline] == [
        ("Alone stopped: refused", "attention"),
        ("L1: refused: 403; nothing was changed", "alarm"),
        ("kim confirmed: roll back Alone", "attention"),
        ("INC-0001 declared by kim: p95 fires", "attention"),
    ]


def test_a_fault_of_the_console_is_said_beside_the_next_action() -> None:
    view = view_of(Acting().declare(), fault="the journal can't be read")
    assert "the journal can't be read" in view.next_action.text


def test_an_observer_is_offered_no_key() -> None:
    action = view_of(Acting().declare(), mode="observe", readings={"p95": reading()}).next_action
    assert (action.command, action.key) == ("", "")


def test_the_same_inputs_give_the_same_picture() -> None:
    acting = Acting().declare().rolled_back("alone")
    assert view_of(acting) == view_of(acting)


# ------------------------------------------------------------ status


def test_status_is_json_whatever_is_measured() -> None:
    infinite = TriggerReading("firing", "∞ > 30 s", value=float("inf"), since=START)
    status = to_status_json(view_of(Acting().declare(), readings={"p95": infinite}))
    assert json.loads(json.dumps(status, allow_nan=False))["triggers"][0]["value"] is None
    assert status["at"] == "2026-03-01T22:10:00.000Z"
