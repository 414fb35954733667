"""What has to be done afterwards stays open beyond the incident, until somebody says how it was done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.domain import commands as c
from console.domain.decide import decide
from console.domain.errors import Refused
from console.domain.outline import FollowUpOutline, Outline
from tests.domain.acting import START, Acting

OUTLINE = Outline(
    title="A migration",
    followups=(
        FollowUpOutline("logs", "Review logs", "root_cause", "kim", 86_400.0),
        FollowUpOutline("tests", "Update tests", "prevention"),
    ),
)


def resolved() -> Acting:
    acting = Acting(OUTLINE).declare()
    acting.do(c.Resolve("done"))
    return acting


def test_the_procedures_own_are_there_from_the_declaration_and_due_from_the_resolution() -> None:
    acting = Acting(OUTLINE).declare()
    assert [f.id for f in acting.incident.followups.values()] == ["logs", "tests"]
    assert acting.incident.followups["logs"].due_at is None
    acting.do(c.Resolve("done"))
    ended = acting.history[-1].at
    assert acting.incident.followups["logs"].due_at == ended + timedelta(days=1)
    assert acting.incident.followups["tests"].due_at is None


def test_one_is_added_and_finished_after_the_incident_too() -> None:
    acting = resolved()
    acting.do(c.AddFollowUp("recovery", "Plan the next try", "ada", START))
    acting.do(c.FinishFollowUp("f1", "in the calendar"), actor="ada")
    item = acting.incident.followups["f1"]
    assert (item.section, item.assignee, item.due_at, item.done_by, item.note) == (
        "recovery",
        "ada",
        START,
        "ada",
        "in the calendar",
    )


def test_what_is_open_goes_along_into_the_next_incident_under_its_own_name() -> None:
    acting = resolved()
    acting.do(c.FinishFollowUp("tests", "done"))
    acting.declare()
    assert list(acting.incident.followups) == ["logs", "tests", "INC-0001/logs"]
    acting.do(c.FinishFollowUp("INC-0001/logs", "read them"))
    assert acting.incident.followups["INC-0001/logs"].done_at


def test_numbers_are_never_given_twice() -> None:
    acting = resolved()
    acting.do(c.AddFollowUp("recovery", "one"))
    acting.do(c.FinishFollowUp("f1", "done"))
    acting.do(c.AddFollowUp("recovery", "two"))
    assert {"f1", "f2"} <= set(acting.incident.followups)


def test_a_changed_procedure_adds_its_items_and_loses_none() -> None:
    acting = Acting(OUTLINE).declare()
    acting.do(c.AddFollowUp("recovery", "mine"))
    changed = replace(OUTLINE, followups=(FollowUpOutline("new", "New", "recovery"),))
    acting.do(c.ReviseProcedure(changed, "digest-2"))
    assert set(acting.incident.followups) == {"logs", "tests", "f1", "new"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (c.FinishFollowUp("nope", "x"), 'no follow-up item "nope".*open: logs, tests'),
        (c.FinishFollowUp("logs", " "), "how it was done"),
        (c.AddFollowUp("recovery", " "), "needs words"),
    ],
)
def test_what_makes_no_sense_is_refused(command: c.Command, words: str) -> None:
    with pytest.raises(Refused, match=words):
        decide(resolved().incident, command)


def test_finished_once_is_finished() -> None:
    acting = resolved()
    acting.do(c.FinishFollowUp("logs", "done"), actor="ada")
    with pytest.raises(Refused, match=r"done at .* by ada"):
        decide(acting.incident, c.FinishFollowUp("logs", "again"))
