"""Random words of people and random outcomes, sensible ones and not: what the outbox holds to whatever happens.

The promises are checked against books that the test keeps for itself from the events alone, in other words than the fold's.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from console.domain import commands as c
from console.domain import events as e
from console.domain.decide import decide
from console.domain.errors import Refused
from console.domain.evolve import evolve, fold
from console.domain.incident import Incident
from console.domain.notices import mark, standing_in
from console.domain.outline import NoticeOutline
from tests.domain.acting import OUTLINE, START

PLAN = (
    NoticeOutline("once", "Once", 0.0, "slack"),
    NoticeOutline("often", "Often", 0.0, "webhook", repeat_seconds=600.0),
    NoticeOutline("outside", "Outside", 60.0, "statuspage", impact="user_facing"),
)
NOTICES = [n.id for n in PLAN]
notices = st.sampled_from(NOTICES)
operations = st.sampled_from(["op0", "op1", "op2", "op3"])
texts = st.sampled_from(["one text", "another text"])
reasons = st.sampled_from(["", " ", "it did not arrive"])
outcomes = st.sampled_from(["sent", "maybe", "failed", "retry"])


def outcome_of(word: str, notice: str, op: str) -> e.NoticeSent | e.NoticeMaybeSent | e.NoticeFailed:
    if word == "sent":
        return e.NoticeSent(notice, op, "200")
    if word == "maybe":
        return e.NoticeMaybeSent(notice, op, "no answer")
    return e.NoticeFailed(notice, op, "503", 2.0 if word == "retry" else None)


@dataclass
class Books:
    """What the events say, kept in the plainest way."""

    under_way: dict[str, e.NoticeSending] = field(default_factory=dict)
    last: dict[str, Any] = field(default_factory=dict)  # the newest event of each notice
    given_at: dict[str, datetime] = field(default_factory=dict)
    messages: dict[tuple[str, str], tuple[str, str, str]] = field(default_factory=dict)
    attempts: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    phase: str = "none"
    told_of_the_end: set[str] = field(default_factory=set)

    def keep(self, recorded: e.Recorded) -> None:
        event = recorded.event
        if isinstance(event, e.IncidentDeclared):
            assert not self.under_way, "a message is forgotten with its incident"
            self.__init__()  # type: ignore[misc]
            self.phase = "open"
        elif isinstance(event, e.IncidentResolved):
            self.phase = "resolved"
            self.told_of_the_end.clear()
        elif isinstance(event, e.NoticeSending):
            self._sending(event, recorded.at)
        elif isinstance(event, e.NoticeSent | e.NoticeMaybeSent | e.NoticeFailed):
            assert self.under_way.pop(event.notice).op == event.op, "an outcome of a message that was not under way"
            if isinstance(event, e.NoticeSent):
                self.given_at[event.notice] = recorded.at
        elif isinstance(event, e.NoticeAcknowledged):
            assert event.notice not in self.under_way, "acknowledged under its hands"
            self.given_at[event.notice] = recorded.at
        if (notice := getattr(event, "notice", "")) and not isinstance(event, e.NoticeSnoozed):
            self.last[notice] = event

    def _sending(self, event: e.NoticeSending, at: datetime) -> None:
        notice, before = event.notice, self.last.get(event.notice)
        assert notice not in self.under_way, "two at a time"
        assert event.resolved is (self.phase == "resolved"), "what is sent after the end tells of the end"
        if isinstance(before, e.NoticeMaybeSent):
            assert event.again, "sent again although it may have arrived, without a word"
        if isinstance(before, e.NoticeSent | e.NoticeAcknowledged) and not event.again:
            assert self._is_new(event, at), "given twice without a word"
        self._same_words(event, before)
        if event.resolved:
            self.told_of_the_end.add(notice)
        self.under_way[notice] = event

    def _is_new(self, event: e.NoticeSending, at: datetime) -> bool:
        if event.resolved:
            return event.notice not in self.told_of_the_end
        due_again = at - self.given_at[event.notice] >= timedelta(seconds=600)
        return event.notice == "often" and due_again

    def _same_words(self, event: e.NoticeSending, before: Any) -> None:
        key, words = (event.notice, event.op), (event.subject, event.text, event.to)
        if event.attempt > 1:
            assert self.messages[key] == words, "another text under the same key"
            assert event.attempt == self.attempts[key] + 1
            assert event.again or (isinstance(before, e.NoticeFailed) and before.op == event.op)
        self.messages[key], self.attempts[key] = words, event.attempt


class AnOutbox(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.incident = Incident()
        self.history: list[e.Recorded] = []
        self.books = Books()
        self.now = START
        self.seen: dict[str, str] = {}

    @initialize()
    def declared(self) -> None:
        self._try(c.Declare("why", "drill", replace(OUTLINE, notices=PLAN), "d"))

    # ------------------------------------------------------------ what is tried

    @rule(minutes=st.sampled_from([0.1, 1, 5, 10, 11, -10]))
    def time_passes_or_is_set(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(notice=notices)
    def look(self, notice: str) -> None:
        self.seen[notice] = mark(self.incident.notices.get(notice))

    @rule(notice=notices, op=operations, text=texts, again=reasons, how=st.sampled_from(["", "at", "seen", "both"]))
    def notify(self, notice: str, op: str, text: str, again: str, how: str) -> None:
        at = self.now if how in ("at", "both") else None
        follows = self.seen.get(notice, "") if how in ("seen", "both") else None
        before = mark(self.incident.notices.get(notice))
        done = self._try(c.Notify(notice, op, "subject", text, "#ops", again, at, follows))
        assert not done or follows in (None, before), "a word about one message was taken for another"

    @rule(notice=notices, text=texts, again=reasons)
    def a_new_message(self, notice: str, text: str, again: str) -> None:
        self._try(c.Notify(notice, f"new{len(self.history)}", "subject", text, "#ops", again, self.now))

    @rule(notice=notices, op=operations, attempt=st.integers(1, 4))
    def any_retry(self, notice: str, op: str, attempt: int) -> None:
        self._retry(notice, op, attempt)

    @rule(notice=notices)
    def sensible_retry(self, notice: str) -> None:
        if progress := self.incident.notices.get(notice):
            self._retry(notice, progress.op, progress.attempt + 1)

    def _retry(self, notice: str, op: str, attempt: int) -> None:
        before = self.books.last.get(notice)
        if self._try(c.RetryNotice(notice, op, attempt)):
            assert isinstance(before, e.NoticeFailed)
            assert before.op == op
            assert before.retry_seconds is not None, "tried again by itself where nobody asked for it"

    @rule(notice=notices, op=operations, word=outcomes)
    def any_outcome(self, notice: str, op: str, word: str) -> None:
        self._try(c.Record(outcome_of(word, notice, op)))

    @precondition(lambda self: self.books.under_way)
    @rule(data=st.data(), word=outcomes)
    def sensible_outcome(self, data: st.DataObject, word: str) -> None:
        sending = data.draw(st.sampled_from(sorted(self.books.under_way.values(), key=lambda s: s.notice)))
        assert self._try(c.Record(outcome_of(word, sending.notice, sending.op))), "an outcome could not be kept"

    @rule(notice=notices)
    def acknowledge(self, notice: str) -> None:
        self._try(c.Acknowledge(notice, "told them"))

    @rule(notice=notices, minutes=st.integers(1, 30))
    def snooze(self, notice: str, minutes: int) -> None:
        self._try(c.Snooze(notice, self.now + timedelta(minutes=minutes), "later"))

    @rule(applies=st.booleans())
    def impact(self, applies: bool) -> None:
        self._try(c.StateImpact("user_facing", applies, f"seen at {len(self.history)}"))

    @rule()
    def resolve(self) -> None:
        for check in ("health", "complaints"):
            self._try(c.Waive(check, "because"))
        if self._try(c.Resolve("over")):
            assert not self.books.under_way, "resolved with a message under way"

    @rule()
    def declare(self) -> None:
        self._try(c.Declare("again", "drill", replace(OUTLINE, notices=PLAN), "d"))

    # ------------------------------------------------------------ what must hold

    @invariant()
    def a_message_without_an_outcome_is_being_sent_and_no_other(self) -> None:
        sending = {i for i, progress in self.incident.notices.items() if progress.state == "sending"}
        assert sending == set(self.books.under_way)

    @invariant()
    def what_may_have_been_sent_stays_a_question(self) -> None:
        for notice in NOTICES:
            asked = isinstance(self.books.last.get(notice), e.NoticeMaybeSent)
            assert (self._state(notice) == "maybe_sent") is asked

    @invariant()
    def nothing_is_awaited_after_the_end(self) -> None:
        if self.incident.phase == "resolved":
            assert not {self._state(i) for i in NOTICES} & {"due", "overdue", "snoozed", "waiting", "unasked"}

    @invariant()
    def replaying_gives_the_same(self) -> None:
        assert fold(self.history) == self.incident

    def _state(self, notice: str) -> str:
        outline = next(n for n in PLAN if n.id == notice)
        return standing_in(self.incident, outline, self.now).state

    def _try(self, command: c.Command) -> bool:
        """Whether anything happened."""
        try:
            events = decide(self.incident, command)
        except Refused:
            return False
        for event in events:
            recorded = e.Recorded(len(self.history) + 1, self.now, "kim", 1, event)
            self.history.append(recorded)
            self.incident = evolve(self.incident, recorded)
            self.books.keep(recorded)
        return bool(events)


AnOutbox.TestCase.settings = settings(
    max_examples=int(os.environ.get("ROLLBACK_CONSOLE_EXAMPLES", "40")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestOutbox = AnOutbox.TestCase


# ---------------------------------------------------------------- single rules, by example


class Outbox:
    def __init__(self) -> None:
        self.incident = Incident()
        self.do(c.Declare("why", "live", replace(OUTLINE, notices=PLAN), "d"))

    def do(self, command: c.Command) -> tuple[e.Event, ...]:
        events = decide(self.incident, command)
        for event in events:
            self.incident = evolve(self.incident, e.Recorded(self.incident.seq + 1, START, "kim", 1, event))
        return events

    def send(self, op: str = "op", text: str = "text", **words: Any) -> e.NoticeSending:
        (sending,) = self.do(c.Notify("once", op, "subject", text, "#ops", **words))
        assert isinstance(sending, e.NoticeSending)
        return sending

    def came(self, word: str, op: str = "op") -> None:
        self.do(c.Record(outcome_of(word, "once", op)))


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


def test_an_outcome_without_a_sending_is_refused(outbox: Outbox) -> None:
    with pytest.raises(Refused, match="no message op under way"):
        outbox.came("sent")
    outbox.send()
    with pytest.raises(Refused, match="no message another under way"):
        outbox.came("sent", "another")


def test_one_message_has_one_outcome(outbox: Outbox) -> None:
    outbox.send()
    outbox.came("maybe")
    with pytest.raises(Refused, match="no message op under way"):
        outbox.came("sent")


def test_what_may_have_arrived_is_sent_again_with_a_reason_only(outbox: Outbox) -> None:
    outbox.send()
    outbox.came("maybe")
    with pytest.raises(Refused, match="may have been sent already: no answer") as refused:
        outbox.send("op2")
    assert refused.value.hint == (
        'look, then: ack once --note "it arrived", or: notify once --again "it did not arrive"'
    )
    assert outbox.send("op2", again="it did not arrive").again == "it did not arrive"


def test_the_same_key_carries_the_same_words(outbox: Outbox) -> None:
    outbox.send()
    outbox.came("maybe")
    with pytest.raises(Refused, match="message op of notice once is another one"):
        outbox.send("op", "another text", again="it did not arrive")
    assert outbox.send("op", again="it did not arrive").attempt == 2


def test_a_retry_is_the_message_word_for_word(outbox: Outbox) -> None:
    first = outbox.send()
    outbox.came("retry")
    (second,) = outbox.do(c.RetryNotice("once", "op", 2))
    assert second == replace(first, attempt=2)


@pytest.mark.parametrize("word", ["sent", "maybe", "failed"])
def test_only_what_asks_for_it_is_retried(outbox: Outbox, word: str) -> None:
    outbox.send()
    outbox.came(word)
    with pytest.raises(Refused, match="no message op to try again"):
        outbox.do(c.RetryNotice("once", "op", 2))


def test_two_retries_of_one_failure_are_one(outbox: Outbox) -> None:
    outbox.send()
    outbox.came("retry")
    outbox.do(c.RetryNotice("once", "op", 2))
    outbox.came("retry")
    with pytest.raises(Refused, match="was tried again already, attempt 2"):
        outbox.do(c.RetryNotice("once", "op", 2))


def test_a_word_about_what_was_seen_counts_for_that_alone(outbox: Outbox) -> None:
    unseen = mark(None)
    outbox.send()
    outbox.came("sent")
    with pytest.raises(Refused, match="was sent at 22:00:00 UTC by kim meanwhile"):
        outbox.send("op2", again="they ask for it", follows=unseen)
    outbox.send("op2", again="they ask for it", follows=mark(outbox.incident.notices["once"]))


def test_failing_once_more_is_nothing_new_to_the_person_who_writes(outbox: Outbox) -> None:
    outbox.send()
    outbox.came("retry")
    seen = mark(outbox.incident.notices["once"])
    outbox.do(c.RetryNotice("once", "op", 2))
    outbox.came("retry")
    outbox.send("op2", "the newer text", follows=seen)


@pytest.mark.parametrize("failed_after_the_end", [False, True])
def test_a_retry_never_crosses_the_end(outbox: Outbox, failed_after_the_end: bool) -> None:
    """What failed while it was open is no longer so; that it is over stays true."""
    for check in ("health", "complaints"):
        outbox.do(c.Waive(check, "not today"))
    if failed_after_the_end:
        outbox.do(c.Resolve("over"))
    outbox.send()
    outbox.came("retry")
    if failed_after_the_end:
        assert outbox.do(c.RetryNotice("once", "op", 2))
        return
    outbox.do(c.Resolve("over"))
    with pytest.raises(Refused, match="is withdrawn: the incident is resolved"):
        outbox.do(c.RetryNotice("once", "op", 2))


def test_nobody_resolves_with_a_message_under_way(outbox: Outbox) -> None:
    for check in ("health", "complaints"):
        outbox.do(c.Waive(check, "not today"))
    outbox.send()
    with pytest.raises(Refused, match="notice once is being sent"):
        outbox.do(c.Resolve("over"))
    outbox.came("maybe")
    outbox.do(c.Resolve("over"))
