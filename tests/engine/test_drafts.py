"""The words of a notice: each audience in its own voice, from the facts of one moment, clean, short enough, a drill marked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest

from console.config.facts import FACTS
from console.domain.outline import Audience, NoticeOutline
from console.engine.audiences import VOICES, audience_of
from console.engine.drafts import DRILL_TEXT, Template, as_sent, drafted, filled, shortened
from console.engine.facts import facts, plain, plain_line
from console.engine.view import (
    CheckView,
    ComponentView,
    ImpactView,
    IncidentView,
    SoakView,
    StepView,
    TriggerView,
    ViewState,
)
from tests.engine.simulated import MemoryJournal
from tests.engine.simulated_channel import Room

SINCE = datetime(2026, 3, 1, 22, 0, tzinfo=UTC)
NOW = SINCE + timedelta(minutes=17, seconds=42)
AUDIENCES: tuple[Audience, ...] = get_args(Audience)

INCIDENT = IncidentView(
    id="INC-0007",
    title="QEC-SFT migration",
    state="open",
    reason="p95 is above 30 s",
    declared_at=SINCE,
    elapsed_seconds=1062.0,
    commander="kim",
    epoch=1,
    mode="live",
    contexts=("prod-eu-1",),
)
P95 = TriggerView(
    "latency-p95",
    "API response time (p95)",
    "firing",
    34.2,
    30.0,
    "s",
    True,
    SINCE - timedelta(minutes=2),
    "34.2 s > 30 s",
)
QUIET = replace(P95, id="errors", title="Error rate", verdict="ok", value=1.2, threshold=5.0, unit="%")
STEPS = (
    StepView("patch", "Switch the analysis off", "kubernetes.patch", "proven", "3 of 3 ready"),
    StepView("validator", "Bring the old validator back", "kubernetes.apply", "sent", ""),
)
RUNNING = ComponentView("qec-analysis", "QEC Analysis Service", "running", "back", "", STEPS, current=2)
DONE = ComponentView("dashboard", "Dashboard", "rolled_back", "back", "", (replace(STEPS[0], id="undo"),))
UNTOUCHED = ComponentView("opa", "OPA policies", "untouched", "back", "", ())
IMPACTS = (
    ImpactView("user_facing", True, "ada", SINCE + timedelta(minutes=4), "complaints in the forum"),
    ImpactView("compliance"),
    ImpactView("security", False, "kim", SINCE + timedelta(minutes=5), "no sign of it"),
)
VIEW = ViewState(
    at=NOW,
    incident=INCIDENT,
    triggers=(P95, QUIET),
    components=(DONE, RUNNING, UNTOUCHED),
    impacts=IMPACTS,
)
RESOLVED = replace(
    VIEW,
    incident=replace(INCIDENT, state="resolved", elapsed_seconds=4200.0),
    triggers=(QUIET,),
    components=(DONE, UNTOUCHED),
)
NOTICE = NoticeOutline("team", "Tell the team", 0.0, "slack", repeat_seconds=1200.0, audience="developers")


def draft_for(audience: Audience, view: ViewState = VIEW, **template: str) -> str:
    wording = drafted(Template(**template), replace(NOTICE, audience=audience), view, None)
    return f"{wording.subject}\n\n{wording.text}"


# ---------------------------------------------------------------- voices


def test_developers_get_the_details() -> None:
    assert (
        draft_for("developers")
        == """\
INC-0007 QEC-SFT migration: 1 of 3 components rolled back

QEC-SFT migration: INC-0007 is open since 2026-03-01 22:00 UTC (17 min), led by kim.
Reason: p95 is above 30 s
Where: prod-eu-1

Firing:
- API response time (p95): 34.2 s, above 30 s, since 21:58 UTC

Rolled back and proven:
- Dashboard
- QEC Analysis Service: 1 of 2 steps

Under way:
- QEC Analysis Service, rolling back, step 2 of 2: Bring the old validator back

Next: finish QEC Analysis Service
Impact: users are affected; security is not affected; compliance is not known yet
Next update: 22:37 UTC"""
    )


def test_executives_get_impact_state_and_the_next_update() -> None:
    assert (
        draft_for("executives")
        == """\
QEC-SFT migration: incident open for 17 min

Impact: users are affected; security is not affected; compliance is not known yet
State: We are going back to an earlier version.
Open since 2026-03-01 22:00 UTC (17 min). kim leads the response.
Next update: 22:37 UTC"""
    )


def test_the_public_gets_plain_words() -> None:
    assert (
        draft_for("public")
        == """\
A problem with our service

We noticed a problem with our service on 2026-03-01 22:00 UTC.
We are going back to an earlier version.
Next update: 22:37 UTC"""
    )


@pytest.mark.parametrize("view", [VIEW, RESOLVED], ids=["open", "resolved"])
def test_the_public_gets_nothing_internal(view: ViewState) -> None:
    said = draft_for("public", view)
    internal = ["QEC", "INC-", "kim", "ada", "prod-eu-1", "p95", "34.2", "Dashboard", "validator", "forum"]
    assert [word for word in internal if word in said] == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"components": (UNTOUCHED,)}, "We are looking into it."),
        ({"components": (RUNNING,)}, "We are going back to an earlier version."),
        ({"components": (replace(RUNNING, direction="forward"),)}, "We are at work on it."),
        ({"components": (DONE,)}, "We went back to an earlier version and are watching the effect."),
    ],
)
def test_the_public_is_told_how_far_it_is_and_not_how_it_will_end(changes: Mapping[str, Any], said: str) -> None:
    assert said in draft_for("public", replace(VIEW, **changes))


def test_compliance_and_security_get_what_touches_them_on_whose_word() -> None:
    audited = (*IMPACTS[:1], ImpactView("compliance", True, "ada", SINCE, "the audit log has a gap"), IMPACTS[2])
    assert draft_for("compliance", replace(VIEW, impacts=audited)).splitlines()[2] == (
        "Compliance: affected, says ada at 22:00 UTC: the audit log has a gap"
    )
    assert draft_for("security").splitlines()[2] == "Security: not affected, says kim at 22:05 UTC: no sign of it"


@pytest.mark.parametrize("audience", AUDIENCES)
def test_each_audience_has_words_for_both_times_and_never_an_empty_heading(audience: Audience) -> None:
    for view in (VIEW, RESOLVED, ViewState(NOW, INCIDENT)):
        said = draft_for(audience, view)
        subject, _, text = said.partition("\n\n")
        assert subject
        assert "$" not in said
        lines = text.splitlines()
        assert not [
            line for line, below in zip(lines, [*lines[1:], ""], strict=True) if line.endswith(":") and not below
        ]
    assert "resolved" in draft_for(audience, RESOLVED).lower()
    assert "resolved" not in draft_for(audience, VIEW).lower()


@pytest.mark.parametrize("audience", AUDIENCES)
def test_the_same_moment_gives_the_same_words(audience: Audience) -> None:
    assert draft_for(audience) == draft_for(audience)


@pytest.mark.parametrize(
    ("changes", "audience"),
    [
        ({"audience": "executives"}, "executives"),
        ({"channel": "slack"}, "developers"),
        ({"channel": "email"}, "management"),
        ({"channel": "manual"}, "management"),
        ({"channel": "webhook"}, "tracker"),
        ({"channel": "statuspage"}, "public"),
        ({"channel": "statuspage", "impact": "security"}, "public"),
        ({"channel": "email", "impact": "security"}, "security"),
        ({"channel": "slack", "impact": "compliance"}, "compliance"),
        ({"channel": "slack", "impact": "user_facing"}, "public"),
    ],
)
def test_without_a_word_of_the_procedure_the_voice_goes_by_impact_and_channel(
    changes: dict[str, Any], audience: Audience
) -> None:
    assert audience_of(replace(NOTICE, **{"audience": None, **changes})) == audience


# ---------------------------------------------------------------- facts


def test_every_name_that_the_file_may_use_has_a_value_and_no_other() -> None:
    assert facts(VIEW, NOTICE).keys() == FACTS.keys()


def test_the_page_on_notices_names_them_all() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notices.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| `$")] == [
        f"| `${name}` | {says} |" for name, says in FACTS.items()
    ]


def test_every_voice_uses_names_that_the_file_may_use() -> None:
    from console.config.facts import known_names

    words = [w for voice in VOICES.values() for w in (voice.open, voice.resolved)]
    assert all(known_names(text) for one in words for text in (one.subject, one.text))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "finish QEC Analysis Service"),
        (
            {"components": (DONE,), "soak": SoakView("dashboard", "Dashboard", 130.0, 300.0, (), "")},
            "see for 2 m 10 s whether Dashboard helped",
        ),
        ({"components": (DONE, UNTOUCHED), "advised": ("opa",)}, "decide on rolling back OPA policies"),
        ({"components": (DONE,)}, "find out why it still fires"),
        ({"components": (UNTOUCHED,), "triggers": (QUIET,)}, "find out what is wrong"),
        (
            {"components": (DONE,), "triggers": (), "checks": (CheckView("c", "C", "g", "fail", "", True, False),)},
            "prove that all is well: 1 check is open",
        ),
        ({"components": (DONE,), "triggers": ()}, "resolve the incident"),
    ],
)
def test_what_is_next_is_the_rollback_s_next_and_never_this_message(changes: Mapping[str, Any], said: str) -> None:
    assert facts(replace(VIEW, **changes), NOTICE)["next"] == said


def test_what_failed_or_is_in_doubt_is_told_with_its_reason() -> None:
    stuck = replace(RUNNING, state="unknown", reason="no answer from the API server", current=0)
    found = facts(replace(VIEW, components=(stuck,)), NOTICE)
    assert found["trouble"] == "- QEC Analysis Service is unknown: no answer from the API server"
    assert found["under_way"] == "- nothing"


def test_a_trigger_that_fell_silent_while_it_fired_is_not_told_as_well() -> None:
    silent = replace(P95, verdict="no_data", value=None, was_firing=True)
    assert facts(replace(VIEW, triggers=(silent,)), NOTICE)["firing"] == (
        "- API response time (p95): fired until its data broke off"
    )


def test_a_person_s_word_is_told_as_theirs() -> None:
    said = replace(P95, judged="attestation", value=None, reason="attested by ada at 22:03:00 UTC: a leaked key")
    assert facts(replace(VIEW, triggers=(said,)), NOTICE)["firing"].endswith(
        "attested by ada at 22:03:00 UTC: a leaked key"
    )


def test_a_long_list_is_cut_with_its_count() -> None:
    many = tuple(replace(P95, id=f"t{n}", title=f"T{n}") for n in range(40))
    lines = facts(replace(VIEW, triggers=many), NOTICE)["firing"].splitlines()
    assert (len(lines), lines[-1]) == (13, "- and 28 more")


def test_another_day_is_told_with_its_date() -> None:
    found = facts(replace(VIEW, at=NOW + timedelta(hours=3)), NOTICE)
    assert found["firing"].endswith("since 2026-03-01 21:58 UTC")


def test_nobody_has_said_anything_of_what_is_touched() -> None:
    found = facts(replace(VIEW, impacts=()), NOTICE)
    assert (found["impact"], found["users"]) == ("not known yet", "not known yet")


@pytest.mark.parametrize(
    "dirt", ["\x1b]52;c;aGk=\x07", "\u202eevil", "\x9b2J", "a\r\nb\u2028c\u2029d", "\ud800", "\U000e0041", "\x00"]
)
def test_what_comes_from_outside_is_one_clean_line(dirt: str) -> None:
    dirty = replace(
        VIEW,
        incident=replace(INCIDENT, reason=dirt, commander=dirt, title=dirt, contexts=(dirt,)),
        triggers=(replace(P95, title=dirt),),
        components=(replace(RUNNING, title=dirt, state="failed", reason=dirt),),
        impacts=(replace(IMPACTS[0], note=dirt, by=dirt),),
    )
    for name, value in facts(dirty, NOTICE).items():
        assert all(line.isprintable() for line in value.split("\n")), name
        assert value.count("\n") == 0 or name in ("firing", "rolled_back", "under_way", "trouble"), name


def test_a_flood_is_bounded() -> None:
    assert len(plain_line("x" * 10_000_000)) == 300
    assert len(plain("x\n" * 10_000_000, 1000)) == 1000


# ---------------------------------------------------------------- templates of the file


def test_the_file_s_words_take_the_place_of_the_audience_s() -> None:
    said = draft_for("developers", subject="$incident: $status", text="Costs $$5. Led by ${commander}.\n$firing")
    assert said == (
        "INC-0007: open\n\nCosts $5. Led by kim.\n- API response time (p95): 34.2 s, above 30 s, since 21:58 UTC"
    )


def test_the_file_s_words_say_first_that_it_is_over() -> None:
    said = draft_for("developers", RESOLVED, subject="$title", text="Led by $commander.")
    assert said == "Resolved: QEC-SFT migration\n\nResolved after 1 h 10 min.\n\nLed by kim."


def test_a_fact_is_never_read_as_a_template() -> None:
    view = replace(VIEW, incident=replace(INCIDENT, reason="${commander} $firing $$"))
    assert draft_for("developers", view, subject="s", text="$reason") == "s\n\n${commander} $firing $$"


def test_a_line_without_anything_to_say_is_left_out_with_its_heading() -> None:
    known = {"trouble": "", "next": "go on", "where": ""}
    template = "Trouble:\n$trouble\n\n\nNext: $next\nIn $where of $next\nIn $where\nend"
    assert filled(template, known) == "Next: go on\nIn  of go on\nend"


# ---------------------------------------------------------------- marks and limits


@pytest.mark.parametrize("audience", AUDIENCES)
@pytest.mark.parametrize("template", [{}, {"subject": "all is lost", "text": "run"}], ids=["own", "file"])
def test_a_drill_is_the_first_thing_that_is_said(audience: Audience, template: dict[str, str]) -> None:
    for view in (VIEW, RESOLVED):
        drill = replace(view, incident=replace(view.incident, mode="drill"))
        wording = drafted(Template(**template), replace(NOTICE, audience=audience), drill, None)
        assert wording.subject.startswith("DRILL: ")
        assert wording.text.startswith(DRILL_TEXT)


def test_the_mark_of_a_drill_is_put_back_once_and_not_twice() -> None:
    once = as_sent("fire", "all is on fire", drill=True)
    assert as_sent(once.subject, once.text, drill=True) == once
    assert as_sent("fire", "all is on fire", drill=False).subject == "fire"


def test_a_mark_survives_a_channel_that_takes_little() -> None:
    drill = replace(VIEW, incident=replace(INCIDENT, mode="drill"))
    assert drafted(Template(), NOTICE, drill, 150).text.startswith(DRILL_TEXT.strip())


@pytest.mark.parametrize("longest", [1, 10, 33, 34, 40, 80, 200, 1000])
def test_a_text_is_never_longer_than_the_channel_takes(longest: int) -> None:
    lines = "\n".join(f"line {n} says something" for n in range(40))
    for text in (lines, "word " * 300, "x" * 3000):
        assert len(shortened(text, longest)) <= longest


def test_a_long_text_is_cut_at_a_line_and_says_so() -> None:
    text = "\n".join(f"line {n} says something" for n in range(40))
    *lines, last = shortened(text, 200).splitlines()
    assert last == "(shortened: the rest did not fit)"
    assert lines == text.splitlines()[: len(lines)]
    assert len(lines) == 7


def test_one_long_line_is_cut_at_a_word() -> None:
    cut, last = shortened("word " * 100, 100).splitlines()
    assert set(cut.split()) == {"word"}
    assert last.startswith("(shortened")


def test_what_fits_is_left_alone() -> None:
    assert shortened("as it is", 8) == "as it is"


# ---------------------------------------------------------------- as the console gives it


async def test_a_draft_says_where_it_goes_and_why_it_would_be_given_again() -> None:
    room = Room(MemoryJournal())
    console = await room.declared()
    room.channels["team"].longest = 3000
    draft = await console.communicator.draft("team")
    assert (draft.title, draft.channel, draft.to, draft.longest, draft.already) == (
        "The team",
        "slack",
        "#team",
        3000,
        "",
    )
    await console.communicator.notify("team", draft.subject, draft.text)
    assert (await console.communicator.draft("team")).already == "it was sent at 22:00:00 UTC by kim"


async def test_a_draft_says_that_it_may_have_arrived() -> None:
    room = Room(MemoryJournal())
    console = await room.declared()
    room.channels["team"].faults = ["lost_before"]
    await console.tell("team")
    draft = await console.communicator.draft("team")
    assert draft.already == "it may have been sent at 22:00:00 UTC: no answer"


async def test_a_repetition_that_is_due_is_not_again() -> None:
    room = Room(MemoryJournal())
    console = await room.declared()
    await console.tell("tracker")
    assert (await console.communicator.draft("tracker")).already
    room.clock.advance(1200)
    assert not (await console.communicator.draft("tracker")).already
    await console.tell("tracker")


async def test_what_people_give_has_a_draft_to_read_from() -> None:
    room = Room(MemoryJournal())
    console = await room.declared()
    draft = await console.communicator.draft("briefing")
    assert (draft.channel, draft.to, draft.longest) == ("manual", "", None)
    assert "INC-0001" in draft.subject
