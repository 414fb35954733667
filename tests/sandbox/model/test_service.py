"""The drill's service: the guilty component hurts, taking it back heals, taking another back doesn't."""

from __future__ import annotations

import pytest

from console.domain.errors import Refused
from console.sandbox.model import scenario as scenarios
from console.sandbox.model.scenario import Scenario
from console.sandbox.model.service import CALM_ERRORS, CALM_MEMORY, CALM_P95, Levels, Service
from console.sandbox.model.traffic import exposition

EVERYTHING = frozenset({"qec-analysis", "dashboard", "opa-policies", "monitoring", "audit-trail", "policy-repository"})


def after(scenario: Scenario, seconds: float, in_place: frozenset[str] = EVERYTHING, pace: float = 1.0) -> Service:
    service = Service(scenario, at=0.0, seed=7, pace=pace)
    run(service, seconds, in_place)
    return service


def run(service: Service, seconds: float, in_place: frozenset[str], every: float = 15.0) -> None:
    end = service.at + seconds
    while service.at < end:
        service.advance(min(service.at + every, end), in_place)


def hurts(levels: Levels) -> bool:
    return levels.p95 > 30 or levels.errors > 5 or levels.memory > 90 or levels.complaints > 10


@pytest.mark.parametrize("name", scenarios.names())
def test_a_scenario_hurts_until_all_that_is_guilty_is_gone(name: str) -> None:
    scenario = scenarios.load(name)
    service = after(scenario, 900)
    assert hurts(service.levels) is bool(scenario.guilty)
    run(service, 900, EVERYTHING - set(scenario.guilty))
    assert not hurts(service.levels)
    assert service.levels.p95 == pytest.approx(CALM_P95, rel=0.01)
    assert service.levels.errors == pytest.approx(CALM_ERRORS, rel=0.01)
    assert service.levels.memory == pytest.approx(CALM_MEMORY, rel=0.01)


@pytest.mark.parametrize("name", [n for n in scenarios.names() if scenarios.load(n).guilty])
def test_taking_the_innocent_back_heals_nothing(name: str) -> None:
    scenario = scenarios.load(name)
    service = after(scenario, 900)
    before = service.levels
    run(service, 900, frozenset(scenario.guilty))
    assert service.levels.p95 == pytest.approx(before.p95, rel=0.01)
    assert hurts(service.levels)


def test_one_of_two_guilty_ones_heals_its_own_symptom_alone() -> None:
    service = after(scenarios.load("two-guilty"), 900)
    run(service, 900, EVERYTHING - {"qec-analysis"})
    assert service.levels.p95 < 2
    assert service.levels.errors > 5


def test_a_drill_at_twenty_times_the_pace_heals_in_a_twentieth_of_the_time() -> None:
    slow, fast = (after(scenarios.load("slow-analysis"), 600 / pace, pace=pace) for pace in (1.0, 20.0))
    assert slow.levels.p95 == pytest.approx(fast.levels.p95, rel=0.05)


def test_the_same_seed_gives_the_same_run() -> None:
    one, other = (after(scenarios.load("slow-analysis"), 600) for _ in range(2))
    assert list(exposition(one)) == list(exposition(other))


def test_counters_never_go_back() -> None:
    service = after(scenarios.load("slow-analysis"), 60)
    before = {(n, tuple(labels.items())): v for n, labels, v in exposition(service) if n.endswith(("total", "bucket"))}
    run(service, 600, frozenset())
    now = {(n, tuple(labels.items())): v for n, labels, v in exposition(service)}
    assert all(now[key] >= value for key, value in before.items())


def test_an_unknown_scenario_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(Refused) as refused:
        scenarios.load("../../etc/passwd")
    assert "slow-analysis" in refused.value.hint


@pytest.mark.parametrize("name", scenarios.names())
def test_a_story_does_not_give_away_what_is_guilty(name: str) -> None:
    scenario = scenarios.load(name)
    assert not [c for c in scenario.guilty if c in scenario.story]
    assert scenario.lesson
