"""The debrief: how long everything took, what was unnecessary, what was forgotten; from the journal alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.domain.events import (
    ComponentFinished,
    Event,
    IncidentDeclared,
    IncidentResolved,
    NoticeAcknowledged,
    Recorded,
    VerdictChanged,
)
from console.domain.outline import ComponentOutline, NoticeOutline, Outline
from console.sandbox.debrief import Debrief, debrief, lines
from console.sandbox.model import scenario as scenarios

BEGAN = datetime(2026, 3, 14, 3, 0, tzinfo=UTC)
OUTLINE = Outline(
    "Drill",
    components=(ComponentOutline("qec-analysis", "QEC analysis", ()), ComponentOutline("dashboard", "Dashboard", ())),
    notices=(NoticeOutline("team", "Tell the team", 0), NoticeOutline("managers", "Mail the managers", 900)),
)
SLOW = scenarios.load("slow-analysis")


def journal(*happened: tuple[float, Event]) -> list[Recorded]:
    """Events at seconds after the beginning."""
    return [Recorded(n, BEGAN + timedelta(seconds=s), "ada", 1, event) for n, (s, event) in enumerate(happened, 1)]


def declared() -> Event:
    return IncidentDeclared("INC-1", "slow", "drill", OUTLINE, "digest")


def found(*happened: tuple[float, Event], length: float = 3600, pace: float = 1.0) -> Debrief:
    events = journal(*happened)
    return debrief("slow-analysis", SLOW, events, began=BEGAN, ended=BEGAN + timedelta(seconds=length), pace=pace)


GOOD = (
    (0.0, VerdictChanged("p95", "firing", "34 s")),
    (60.0, declared()),
    (90.0, NoticeAcknowledged("team", "told")),
    (300.0, ComponentFinished("qec-analysis", "back")),
    (420.0, VerdictChanged("p95", "ok", "1.2 s")),
    (970.0, NoticeAcknowledged("managers", "told")),
    (1200.0, IncidentResolved("done")),
)


def test_a_good_drill_has_nothing_unnecessary_and_nothing_forgotten() -> None:
    result = found(*GOOD)
    assert (result.declared, result.first_word, result.rolled_back) == (60, 90, 300)
    assert (result.recovered, result.resolved) == (420, 1200)
    assert (result.unnecessary, result.forgotten) == ((), ())
    assert [(t.due, t.given) for t in result.told] == [(0, 30), (900, 910)]


def test_at_twenty_times_the_pace_three_minutes_count_as_an_hour() -> None:
    result = found(*((at / 20, event) for at, event in GOOD), length=180, pace=20)
    assert (result.declared, result.recovered) == (60, 420)


def test_what_need_not_have_gone_is_named_unless_it_was_put_back() -> None:
    gone = (400.0, ComponentFinished("dashboard", "back"))
    back = (500.0, ComponentFinished("dashboard", "forward"))
    assert found(*GOOD[:4], gone, *GOOD[4:]).unnecessary == ("Dashboard",)
    again = found(*GOOD[:4], gone, back, *GOOD[5:])
    assert (again.unnecessary, again.taken_forward_again) == ((), ("Dashboard",))


def test_what_was_forgotten_is_named() -> None:
    result = found(GOOD[0], GOOD[1])
    assert result.forgotten == (
        "to roll back QEC analysis",
        "Tell the team (due after no time at all)",
        "Mail the managers (due after 15 m)",
        "to resolve the incident",
    )
    assert result.recovered is None


def test_a_notice_that_was_not_due_yet_is_not_forgotten() -> None:
    assert "Mail the managers (due after 15 m)" not in found(GOOD[0], GOOD[1], length=600).forgotten


def test_without_a_declaration_there_is_that_to_say_and_no_more() -> None:
    assert found(GOOD[0]).forgotten == ("to declare the incident",)


def test_what_healed_and_broke_again_has_not_recovered() -> None:
    assert found(*GOOD, (1300.0, VerdictChanged("p95", "firing", "40 s"))).recovered is None


@pytest.mark.parametrize(("seconds", "shown"), [(None, "never"), (65, "1:05"), (3725, "1:02:05")])
def test_times_read_as_on_a_clock(seconds: float | None, shown: str) -> None:
    text = "\n".join(lines(Debrief("slow-analysis", declared=seconds), SLOW, [Debrief("slow-analysis", declared=42)]))
    assert f"declared{shown:>26}   best so far 0:42" in text
