"""The clocks of the communication plan: when a notice is due, and where it stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.decide import decide
from console.domain.errors import Refused
from console.domain.evolve import evolve
from console.domain.incident import Incident
from console.domain.notices import GRACE_SECONDS, NoticeStanding, given_already, standing_in
from console.domain.outline import NoticeOutline
from tests.domain.acting import OUTLINE, START, Acting

PLAN = (
    NoticeOutline("team", "The team", 0.0, "slack"),
    NoticeOutline("boss", "The boss", 900.0, "email"),
    NoticeOutline("tracker", "The tracker", 0.0, "webhook", repeat_seconds=600.0),
    NoticeOutline("page", "The status page", 300.0, "statuspage", repeat_seconds=1200.0, impact="user_facing"),
)


class Evening:
    """An incident at chosen times: minutes after its declaration."""

    def __init__(self) -> None:
        self.acting = Acting(replace(OUTLINE, notices=PLAN))
        self.incident = Incident()
        self.seq = 0
        self.at(0, c.Declare("p95 fires", "live", self.acting.outline, "digest"))

    def at(self, minute: float, command: c.Command, by: str = "kim") -> Evening:
        for event in decide(self.incident, command):
            self.seq += 1
            self.incident = evolve(self.incident, e.Recorded(self.seq, _moment(minute), by, 1, event))
        return self

    def sent(self, minute: float, notice: str) -> Evening:
        return self.outcome(minute, notice, e.NoticeSent(notice, f"op-{self.seq}", "200"))

    def failed(self, minute: float, notice: str, retry_seconds: float | None = None) -> Evening:
        return self.outcome(minute, notice, e.NoticeFailed(notice, f"op-{self.seq}", "503", retry_seconds))

    def outcome(self, minute: float, notice: str, fact: e.NoticeSent | e.NoticeFailed | e.NoticeMaybeSent) -> Evening:
        self.at(minute, c.Notify(notice, fact.op, "subject", "text", "#ops", at=_moment(minute)))
        return self.at(minute, c.Record(fact))

    def stands(self, notice: str, minute: float) -> str:
        return self.standing(notice, minute).state

    def standing(self, notice: str, minute: float) -> NoticeStanding:
        outline = self.incident.outline.notice(notice)
        assert outline
        return standing_in(self.incident, outline, _moment(minute))

    def due_minute(self, notice: str, minute: float) -> float | None:
        due_at = self.standing(notice, minute).due_at
        return (due_at - START).total_seconds() / 60 if due_at else None


def _moment(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


@pytest.fixture
def evening() -> Evening:
    return Evening()


# ---------------------------------------------------------------- due and overdue


@pytest.mark.parametrize(
    ("notice", "second", "state"),
    [
        ("team", -1, "waiting"),
        ("team", 0, "due"),
        ("team", GRACE_SECONDS, "due"),
        ("team", GRACE_SECONDS + 0.1, "overdue"),
        ("boss", 899.9, "waiting"),
        ("boss", 900, "due"),
        ("boss", 900 + GRACE_SECONDS, "due"),
        ("boss", 900 + GRACE_SECONDS + 0.1, "overdue"),
    ],
)
def test_from_waiting_to_overdue(evening: Evening, notice: str, second: float, state: str) -> None:
    found = evening.standing(notice, second / 60)
    after = {"team": 0.0, "boss": 900.0}[notice]
    assert found.state == state
    assert found.due_at == START + timedelta(seconds=after)
    assert found.due_in_seconds == pytest.approx(after - second)
    assert found.late is (state == "overdue")


def test_before_the_declaration_nothing_is_due() -> None:
    assert standing_in(Incident(), PLAN[0], START) == NoticeStanding("waiting", None, None)


def test_what_was_given_is_never_overdue(evening: Evening) -> None:
    evening.sent(1, "team").at(2, c.Acknowledge("boss", "called her"))
    assert evening.standing("team", 300) == NoticeStanding("sent", None, None)
    assert evening.standing("boss", 300) == NoticeStanding("acknowledged", None, None)


# ---------------------------------------------------------------- again and again


def test_one_that_repeats_is_due_again_so_long_after_it_was_given(evening: Evening) -> None:
    evening.sent(3, "tracker")
    assert [evening.stands("tracker", m) for m in (3, 12.9, 13, 14.1)] == ["sent", "sent", "due", "overdue"]
    evening.at(15, c.Acknowledge("tracker", "wrote it by hand"))
    assert evening.due_minute("tracker", 15) == 25


def test_one_that_repeats_needs_a_reason_only_before_it_is_due_again(evening: Evening) -> None:
    evening.sent(0, "tracker")
    outline = evening.incident.outline.notice("tracker")
    assert outline
    assert given_already(evening.incident, outline, _moment(9.9))
    assert not given_already(evening.incident, outline, _moment(10))
    with pytest.raises(Refused, match="was sent at 22:00:00 UTC by kim"):
        evening.sent(5, "tracker")
    evening.sent(10, "tracker")
    assert evening.incident.notices["tracker"].times_given == 2


def test_when_nobody_knows_the_moment_a_repetition_needs_a_reason(evening: Evening) -> None:
    evening.sent(0, "tracker")
    with pytest.raises(Refused, match="was sent at"):
        evening.at(60, c.Notify("tracker", "op", "subject", "text", "#ops"))


def test_a_failure_does_not_move_the_time_at_which_it_is_due(evening: Evening) -> None:
    evening.failed(17, "boss", retry_seconds=30.0)
    assert evening.standing("boss", 18) == NoticeStanding("failed", _moment(15), -180.0)


# ---------------------------------------------------------------- put off


def test_a_snooze_puts_it_off_with_its_reason_and_then_it_is_due(evening: Evening) -> None:
    evening.at(2, c.Snooze("team", _moment(10), "they are in this call"))
    assert [evening.stands("team", m) for m in (3, 9.9, 10, 11.1)] == ["snoozed", "snoozed", "due", "overdue"]
    assert evening.incident.snoozed["team"].reason == "they are in this call"


def test_a_snooze_that_ends_before_it_is_due_puts_nothing_off(evening: Evening) -> None:
    evening.at(2, c.Snooze("boss", _moment(10), "later"))
    assert (evening.stands("boss", 5), evening.due_minute("boss", 5)) == ("waiting", 15)


def test_a_snooze_holds_for_one_turn_whatever_the_clocks_say(evening: Evening) -> None:
    evening.at(30, c.Snooze("tracker", _moment(40), "later"))
    evening.sent(20, "tracker")  # the clock was put back in between
    assert evening.due_minute("tracker", 20) == 30


def test_a_failed_message_can_be_put_off_and_comes_back_as_failed(evening: Evening) -> None:
    evening.failed(16, "boss").at(17, c.Snooze("boss", _moment(20), "the mail server restarts"))
    assert [evening.stands("boss", m) for m in (18, 20)] == ["snoozed", "failed"]


@pytest.mark.parametrize("given", ["sent", "acknowledged"])
def test_what_was_given_can_not_be_put_off(evening: Evening, given: str) -> None:
    if given == "sent":
        evening.sent(1, "team")
    else:
        evening.at(1, c.Acknowledge("team", "told them"))
    with pytest.raises(Refused, match=f"was {given} at"):
        evening.at(2, c.Snooze("team", _moment(10), "later"))


# ---------------------------------------------------------------- external ones


def test_an_external_notice_waits_until_somebody_says_what_is_touched(evening: Evening) -> None:
    assert evening.standing("page", 60) == NoticeStanding("unasked", None, None)
    evening.at(20, c.StateImpact("user_facing", False, "only the office"))
    assert evening.standing("page", 60) == NoticeStanding("not_needed", None, None)
    evening.at(30, c.StateImpact("user_facing", True, "complaints"))
    assert [evening.stands("page", m) for m in (34, 35, 36.1)] == ["waiting", "due", "overdue"]


def test_saying_it_again_does_not_start_the_clock_again(evening: Evening) -> None:
    evening.at(10, c.StateImpact("user_facing", True, "complaints"))
    evening.at(12, c.StateImpact("user_facing", True, "many complaints"))
    assert evening.due_minute("page", 12) == 15


def test_an_external_notice_repeats_only_while_it_applies(evening: Evening) -> None:
    evening.at(10, c.StateImpact("user_facing", True, "complaints")).sent(15, "page")
    assert evening.stands("page", 35) == "due"
    evening.at(36, c.StateImpact("user_facing", False, "it was the network"))
    assert evening.standing("page", 60) == NoticeStanding("sent", None, None)


def test_a_failed_external_notice_is_dropped_once_it_does_not_apply(evening: Evening) -> None:
    evening.at(10, c.StateImpact("user_facing", True, "complaints")).failed(15, "page", retry_seconds=60)
    assert evening.stands("page", 15) == "failed"
    evening.at(16, c.StateImpact("user_facing", False, "a mistake"))
    assert evening.stands("page", 17) == "not_needed"


def test_a_message_that_somebody_sent_although_nobody_asked_for_it_stays_failed(evening: Evening) -> None:
    evening.failed(5, "page", retry_seconds=60)
    assert evening.stands("page", 6) == "failed"


# ---------------------------------------------------------------- the end


def _resolved(evening: Evening, minute: float) -> Evening:
    for check in ("health", "complaints"):
        evening.at(minute, c.Waive(check, "not today"))
    return evening.at(minute, c.Resolve("over"))


def test_nothing_falls_due_after_the_end(evening: Evening) -> None:
    _resolved(evening.at(1, c.Acknowledge("team", "told them")).sent(2, "tracker"), 10)
    states = {n.id: evening.stands(n.id, 24 * 60) for n in PLAN}
    assert states == {"team": "acknowledged", "boss": "withdrawn", "tracker": "sent", "page": "withdrawn"}
    assert all(evening.standing(n.id, 24 * 60).due_in_seconds is None for n in PLAN)


def test_a_failed_message_is_withdrawn_with_the_end(evening: Evening) -> None:
    _resolved(evening.failed(9, "team", retry_seconds=120.0), 10)
    assert evening.stands("team", 12) == "withdrawn"


def test_what_may_have_been_sent_stays_a_question_after_the_end(evening: Evening) -> None:
    op = f"op-{evening.seq}"
    _resolved(evening.outcome(9, "team", e.NoticeMaybeSent("team", op, "no answer")), 10)
    assert evening.stands("team", 60) == "maybe_sent"
    evening.at(61, c.Acknowledge("team", "it is in the channel"))
    assert evening.stands("team", 62) == "acknowledged"


def test_the_word_that_it_is_over_is_a_message_of_its_own(evening: Evening) -> None:
    _resolved(evening.sent(1, "team"), 10).sent(11, "team")
    progress = evening.incident.notices["team"]
    assert (progress.state, progress.resolved, progress.times_given) == ("sent", True, 2)
    with pytest.raises(Refused, match="was sent at"):
        evening.sent(12, "team")


def test_when_the_word_that_it_is_over_fails_it_is_not_hidden_behind_what_was_sent_before(evening: Evening) -> None:
    _resolved(evening.sent(1, "team"), 10).failed(11, "team", retry_seconds=30.0)
    assert evening.stands("team", 12) == "failed"
