"""Did it help: each trigger before and after the component that was rolled back last."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.advice import helped
from console.domain.situation import Situation, TriggerSign
from console.domain.soaking import last_soak, movement, seen
from console.domain.triggers import TriggerReading
from tests.domain.acting import OUTLINE, START, Acting

SOAK = OUTLINE.soak_seconds


def kept(occasion: e.Occasion, component: str, value: float, verdict: e.Verdict = "firing") -> e.TriggersSeen:
    return e.TriggersSeen(occasion, component, (e.SeenTrigger("p95", verdict, value, 30.0),))


def rolled_back() -> Acting:
    acting = Acting().declare()
    return acting.confirm("dash", seen=kept("confirmed", "dash", 34.0)).finish("dash")


def said(acting: Acting, verdict: e.Verdict) -> str:
    now = acting.history[-1].at + timedelta(seconds=1)
    return helped(Situation(acting.incident, acting.outline, now, (TriggerSign("p95", "p95", verdict, ("dash",)),)))


def test_before_is_what_was_kept_at_the_confirmation() -> None:
    acting = rolled_back()
    soak = last_soak(acting.incident, SOAK, acting.history[-1].at + timedelta(seconds=100))
    assert soak is not None
    assert (soak.component.id, soak.left_seconds, soak.before["p95"].value) == ("dash", SOAK - 100, 34.0)
    assert not soak.over


def test_where_nobody_kept_it_then_the_declaration_is_before() -> None:
    acting = Acting()
    acting.do(c.Declare("slow", "live", OUTLINE, "d", seen=kept("declared", "", 31.0)))
    acting.rolled_back("dash")
    soak = last_soak(acting.incident, SOAK, acting.history[-1].at)
    assert soak is not None
    assert soak.before["p95"].value == 31.0


def test_the_end_of_a_soak_is_kept_for_the_component_that_soaked() -> None:
    acting = rolled_back()
    acting.fact(kept("soak_ended", "dash", 12.0, "ok"))
    soak = last_soak(acting.incident, SOAK, acting.history[-1].at)
    assert soak is not None
    assert soak.ended == kept("soak_ended", "dash", 12.0, "ok")


def test_a_second_rollback_of_the_same_component_soaks_anew() -> None:
    acting = rolled_back()
    acting.fact(kept("soak_ended", "dash", 12.0))
    acting.confirm("dash", "forward").finish("dash").confirm("dash").finish("dash")
    soak = last_soak(acting.incident, SOAK, acting.history[-1].at)
    assert soak is not None
    assert soak.ended is None


def test_nothing_soaks_while_something_is_under_way_or_nothing_is_gone() -> None:
    assert last_soak(Acting().declare().incident, SOAK, START) is None
    assert last_soak(rolled_back().confirm("alone").incident, SOAK, START) is None


@pytest.mark.parametrize(("verdict", "words"), [("ok", "p95 cleared"), ("firing", "p95 still fires")])
def test_whether_it_helped_in_words(verdict: e.Verdict, words: str) -> None:
    assert said(rolled_back(), verdict) == words


def test_a_trigger_that_cannot_be_seen_has_not_cleared() -> None:
    assert said(rolled_back(), "stale") == "p95 can't be seen"
    assert said(rolled_back(), "no_data") == "p95 can't be seen"


def test_movement_counts_beyond_a_little_of_the_threshold() -> None:
    assert movement(34.0, 12.0, 30.0) == "falling"
    assert movement(12.0, 34.0, 30.0) == "rising"
    assert movement(34.0, 34.5, 30.0) == "steady"
    assert movement(None, 34.5, 30.0) == ""


def test_what_is_kept_of_a_curve_is_small_and_loses_no_peak() -> None:
    curve = tuple(99.0 if i == 61 else 1.0 for i in range(120))
    kept_ = seen({"p95": TriggerReading("firing", "r", value=float("inf"), curve=curve)}, {"p95": 30.0})[0]
    assert len(kept_.curve) == 60
    assert max(kept_.curve) == 99.0
    assert kept_.value is None, "JSON has no infinity"
