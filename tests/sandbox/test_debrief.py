"""The debrief: how long everything took, what was unnecessary, what was forgotten; from the journal alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from console.domain.events import (
    ComponentFinished,
    Event,
    ImpactStated,
    IncidentDeclared,
    IncidentResolved,
    NoticeAcknowledged,
    NoticeSent,
    Recorded,
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


def found(
    *happened: tuple[float, Event], length: float = 3600, pace: float = 1.0, well: float | None = None
) -> Debrief:
    ended, well_since = BEGAN + timedelta(seconds=length), BEGAN + timedelta(seconds=well) if well else None
    events = journal(*happened)
    return debrief("slow-analysis", SLOW, events, began=BEGAN, ended=ended, pace=pace, well_since=well_since)


GOOD = (
    (60.0, declared()),
    (90.0, NoticeAcknowledged("team", "told")),
    (300.0, ComponentFinished("qec-analysis", "back")),
    (970.0, NoticeAcknowledged("managers", "told")),
    (1200.0, IncidentResolved("done")),
)


def test_a_good_drill_has_nothing_unnecessary_and_nothing_forgotten() -> None:
    result = found(*GOOD, well=420)
    assert (result.declared, result.first_word, result.rolled_back) == (60, 90, 300)
    assert (result.recovered, result.resolved) == (420, 1200)
    assert (result.unnecessary, result.forgotten) == ((), ())
    assert [(t.due, t.given) for t in result.told] == [(0, 30), (900, 910)]


def test_at_twenty_times_the_pace_three_minutes_count_as_an_hour() -> None:
    result = found(*((at / 20, event) for at, event in GOOD), length=180, pace=20, well=21)
    assert (result.declared, result.recovered) == (60, 420)


def test_what_need_not_have_gone_is_named_unless_it_was_put_back() -> None:
    gone = (400.0, ComponentFinished("dashboard", "back"))
    back = (500.0, ComponentFinished("dashboard", "forward"))
    assert found(*GOOD[:3], gone, *GOOD[3:]).unnecessary == ("Dashboard",)
    again = found(*GOOD[:3], gone, back, *GOOD[3:])
    assert (again.unnecessary, again.taken_forward_again) == ((), ("Dashboard",))


def test_what_was_forgotten_is_named() -> None:
    result = found(GOOD[0])
    assert result.forgotten == (
        "to roll back QEC analysis",
        "Tell the team (due after no time at all)",
        "Mail the managers (due after 15 m)",
        "to resolve the incident",
    )
    assert result.recovered is None


def test_a_notice_that_was_not_due_yet_is_not_forgotten() -> None:
    assert "Mail the managers (due after 15 m)" not in found(GOOD[0], length=600).forgotten


def test_without_a_declaration_there_is_that_to_say_and_no_more() -> None:
    assert found().forgotten == ("to declare the incident",)


@pytest.mark.parametrize(("seconds", "shown"), [(None, "never"), (65, "1:05"), (3725, "1:02:05")])
def test_times_read_as_on_a_clock(seconds: float | None, shown: str) -> None:
    text = "\n".join(lines(Debrief("slow-analysis", declared=seconds), SLOW, [Debrief("slow-analysis", declared=42)]))
    assert f"declared{shown:>26}   best so far 0:42" in text


def test_a_message_that_was_sent_is_told_as_one_that_was_given_by_hand() -> None:
    result = found((60.0, declared()), (75.0, NoticeSent("team", "op", "ok")), length=100)
    assert (result.first_word, result.told[0].given) == (75, 15)


def test_what_hangs_on_something_is_due_once_that_is_said_to_apply() -> None:
    outline = replace(OUTLINE, notices=(NoticeOutline("page", "The status page", 60, impact="user_facing"),))
    begun = (60.0, IncidentDeclared("INC-1", "slow", "drill", outline, "digest"))
    assert found(begun).told == ()
    said = (160.0, ImpactStated("user_facing", True, "support says so"))
    result = found(begun, said)
    assert [(t.title, t.due, t.given) for t in result.told] == [("The status page", 160, None)]
    assert any(f.startswith("The status page") for f in result.forgotten)
