"""Manual triggers: what people count in a rolling window, and what one gives one's word for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.decide import decide, open_ends
from console.domain.errors import Refused
from console.domain.evolve import evolve, fold
from console.domain.incident import Incident
from console.domain.manual import manual_reading
from console.domain.outline import NoticeOutline, TriggerOutline
from tests.domain.acting import OUTLINE, START, Acting

COMPLAINTS = TriggerOutline("complaints", "Complaints", 10.0, judged="counter", window_seconds=3600.0)
SECURITY = TriggerOutline("security", "Security", 0.0, judged="attestation", impact="security", suggests=("api",))
GIVEN = replace(
    OUTLINE,
    triggers=(*OUTLINE.triggers, COMPLAINTS, SECURITY),
    notices=(*OUTLINE.notices, NoticeOutline("security-team", "Security", 0.0, impact="security")),
)


def counted(*moments: tuple[float, int]) -> Incident:
    """Minutes after the start, and how many."""
    events = [
        e.Recorded(i, START + timedelta(minutes=m), "kim", 1, e.TriggerCounted("complaints", n))
        for i, (m, n) in enumerate(moments, start=1)
    ]
    return fold(events)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def test_more_than_the_threshold_within_the_window_fires_since_the_one_that_was_too_many() -> None:
    incident = counted((0, 6), (10, 4), (20, 1), (30, 2))
    assert manual_reading(COMPLAINTS, incident, at(15)).verdict == "ok"
    reading = manual_reading(COMPLAINTS, incident, at(40))
    assert (reading.verdict, reading.value, reading.since) == ("firing", 13.0, at(20))
    assert reading.reason == "13 in the last 1 h > 10"


def test_what_was_counted_before_the_window_counts_no_more() -> None:
    incident = counted((0, 6), (10, 4), (20, 1))
    assert manual_reading(COMPLAINTS, incident, at(59)).verdict == "firing"
    reading = manual_reading(COMPLAINTS, incident, at(60))
    assert (reading.verdict, reading.value) == ("ok", 5.0)


def test_a_slip_of_the_finger_is_taken_back_and_never_leaves_less_than_nothing() -> None:
    assert manual_reading(COMPLAINTS, counted((0, 3), (1, -1)), at(2)).value == 2.0
    assert manual_reading(COMPLAINTS, counted((0, 1), (1, -5)), at(2)).value == 0.0


def test_the_curve_of_a_count_ends_with_its_value() -> None:
    reading = manual_reading(COMPLAINTS, counted((0, 3), (30, 2)), at(31))
    assert (reading.curve[0], reading.curve[-1], reading.curve_seconds) == (0.0, 5.0, 3600.0)


def test_nobody_has_said_so_is_ok_and_says_so() -> None:
    assert manual_reading(SECURITY, Incident(), START).reason == "nobody has said so"


def test_a_persons_word_fires_with_name_and_reason_until_it_is_withdrawn() -> None:
    acting = Acting(GIVEN).declare()
    acting.do(c.Attest("security", True, "a token in a log"), actor="eve")
    reading = manual_reading(SECURITY, acting.incident, START + timedelta(minutes=1))
    assert reading.verdict == "firing"
    assert "eve" in reading.reason
    assert "a token in a log" in reading.reason
    acting.do(c.Attest("security", False, "it was a test token"), actor="eve")
    assert manual_reading(SECURITY, acting.incident, START + timedelta(minutes=1)).verdict == "ok"


def test_a_word_brings_the_notices_of_what_it_touches_once() -> None:
    acting = Acting(GIVEN).declare()
    acting.do(c.Attest("security", True, "a token in a log"))
    assert acting.incident.impacts["security"].applies
    acting.do(c.Attest("security", False, "a test token"))
    assert acting.do(c.Attest("security", True, "another one")) == (e.TriggerAttested("security", True, "another one"),)


def test_counting_and_attesting_need_no_incident_and_go_on_into_the_next_one() -> None:
    acting = Acting(GIVEN)
    acting.do(c.Count("complaints", 11))
    acting.do(c.Attest("security", True, "seen", "security"))
    acting.declare()
    assert manual_reading(COMPLAINTS, acting.incident, START + timedelta(minutes=5)).verdict == "firing"
    assert acting.incident.attested["security"].holds


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (c.Count("p95", 1), "not one of the counters"),
        (c.Count("security", 1), "counters: complaints"),
        (c.Count("nothing", 1), 'no trigger "nothing"'),
        (c.Count("complaints", 0), "says nothing"),
        (c.Attest("complaints", True, "x"), "not one of the triggers that a person attests"),
        (c.Attest("security", True, " "), "needs a reason"),
        (c.Attest("security", False, "x"), "not attested"),
    ],
)
def test_what_can_not_be_said_is_refused_with_what_can(command: c.Command, words: str) -> None:
    with pytest.raises(Refused, match=words):
        decide(Acting(GIVEN).declare().incident, command)


def test_an_incident_does_not_end_while_somebodys_word_stands() -> None:
    acting = Acting(GIVEN).declare()
    acting.do(c.Attest("security", True, "seen"), actor="eve")
    assert any("eve says that Security holds" in reason for reason in open_ends(acting.incident))


def test_the_count_of_days_does_not_pile_up() -> None:
    incident = Incident()
    for i in range(100):
        happened = e.Recorded(i + 1, START + timedelta(hours=i), "kim", 1, e.TriggerCounted("complaints", 1))
        incident = evolve(incident, happened)
    assert len(incident.counted["complaints"]) <= 25
