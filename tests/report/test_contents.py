"""What a report says: everything that the journal holds, half-way and at the end, and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, timedelta

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Refused
from console.journals import codec
from console.report.model import Record, record
from console.report.times import Times
from console.report.writing import FORMATS, written
from tests.report import evening
from tests.report.reading import cells, markdown_text, page


def text(of: Record, times: Times, **more: object) -> str:
    return markdown_text(written(of, "md", times, **more))  # type: ignore[arg-type]


def row(of: Record, times: Times, *wanted: str) -> list[str]:
    """The one row of a table in which all of this stands."""
    found = [r for r in cells(written(of, "md", times)) if all(any(w in cell for cell in r) for w in wanted)]
    assert len(found) == 1, found
    return found[0]


# ---------------------------------------------------------------- the top


def test_the_top_says_which_incident_when_and_who(resolved: Record, berlin: Times) -> None:
    said = text(resolved, berlin)
    for words in (
        "INC-0001 · QEC-SFT migration",
        "2026-03-28 22:48:47 CET (21:48:47 UTC)",
        "20 m 9 s",
        "kim",
        "lee",
        "ada",
    ):
        assert words in said


@pytest.mark.parametrize(("mode", "loud"), [("live", "LIVE: "), ("drill", "DRILL: an exercise")])
def test_life_and_drill_are_told_apart_loudly(mode: e.Mode, loud: str, berlin: Times) -> None:
    history = evening.declared().history
    declared = next(i for i, r in enumerate(history) if isinstance(r.event, e.IncidentDeclared))
    event = history[declared].event
    assert isinstance(event, e.IncidentDeclared)
    history[declared] = replace(history[declared], event=replace(event, mode=mode))
    found = record(evening.chained(history))
    assert loud in text(found, berlin)[:120]
    banner = next(a for a in page(written(found, "html", berlin)).named("p") if "banner" in (a["class"] or ""))
    assert banner["class"] == ("banner alarm" if mode == "live" else "banner attention")


def test_the_summary_tells_facts_in_their_order(resolved: Record, berlin: Times) -> None:
    said = text(resolved, berlin)
    order = [
        "kim declared the incident",
        "At that moment API response time (p95) (33.87 s)",
        "API response time (p95) fell from 36.6 s to 2.952 s and was ok",
        "stopped after 31 s, 0 of 2 steps proven or signed: step undo-dashboard needs a person",
        "That decision overruled what the console advised: Nothing fires any more",
        "4 of 4 success criteria hold, 1 of them waived",
        "kim resolved it at",
    ]
    assert sorted(order, key=said.index) == order


# ---------------------------------------------------------------- triggers and rollbacks


def test_each_decision_shows_every_trigger_as_it_was(resolved: Record, berlin: Times) -> None:
    rows = [
        r for r in cells(written(resolved, "md", berlin)) if r and r[0] == "Memory of the gateway" and "> 90 %" in r[1]
    ]
    values = [cell.split(" ▲ ")[0].split(" ✔ ")[0] for r in rows for cell in r[2:]]
    kept = [t.value for then in resolved.incident.seen for t in then.event.triggers if t.trigger == "memory"]
    assert values == [f"{value:.4g} %" for value in kept if value is not None]


def test_a_rollback_is_told_with_its_change_command_proof_and_duration(resolved: Record, berlin: Times) -> None:
    said = text(resolved, berlin)
    assert '-   QEC_ENABLED: "true"\n+   QEC_ENABLED: "false"' in said
    assert "kubectl -n acgs-pgp set env deployment/api-gateway -c gateway QEC_ENABLED=false" in said
    found = row(resolved, berlin, "Disable the QEC analysis endpoint", "proven 22:50:51")
    assert found[1:3] == ["✔ proven", "3 of 3 replicas updated and ready"]
    assert found[4] == "9.6 s"


def test_a_settled_doubt_is_told_with_who_and_why(resolved: Record, berlin: Times) -> None:
    found = row(resolved, berlin, "settled as not done", "unknown 22:58:26")
    assert found[2] == "the deployment is still at revision 7"
    row(resolved, berlin, "lee settled Roll the dashboard back as not done", "38")


def test_before_and_after_stand_side_by_side(resolved: Record, berlin: Times) -> None:
    first = resolved.rollbacks[0]
    assert first.before
    assert first.after
    assert (first.before.event.occasion, first.after.event.occasion) == ("confirmed", "soak_ended")
    assert ["API response time (p95)", "36.6 s ▲ FIRING", "2.952 s ✔ ok", "falling"] in cells(
        written(resolved, "md", berlin)
    )


def test_without_a_soak_the_next_decision_is_the_after(resolved: Record) -> None:
    last = resolved.rollbacks[-1]
    assert last.component == "opa-policies"
    assert last.after
    assert last.after.event.occasion == "resolved"


def test_a_decision_against_the_advice_says_so_and_one_with_it_too(resolved: Record, berlin: Times) -> None:
    row(resolved, berlin, "roll back OPA policy integration ● overrules the advice")
    row(resolved, berlin, "roll back QEC analysis service follows the advice")


# ---------------------------------------------------------------- checklist and communication


def test_the_criteria_are_a_filled_in_form(resolved: Record, berlin: Times) -> None:
    assert row(resolved, berlin, "☑", "No data is lost or corrupted") == [
        "☑",
        "No data is lost or corrupted",
        "✔ pass",
        "48 112 rows, none missing, none changed",
        "measured, console of kim",
        "2026-03-28 23:08:25 CET (22:08:25 UTC)",
    ]
    assert row(resolved, berlin, "☑", "Complaints are back")[2:5] == ["✔ signed", "two an hour, as on any day", "lee"]
    assert row(resolved, berlin, "☑", "Load tests pass")[2:5] == [
        "● waived",
        "k6 is not installed here; it runs tomorrow at 9",
        "kim",
    ]


def test_stale_evidence_says_what_made_it_stale(half_way: Record, berlin: Times) -> None:
    found = row(half_way, berlin, "☐", "Services perform as before")
    assert found[2] == "● stale"
    assert "stale since 2026-03-28 22:57:55 CET (21:57:55 UTC): Roll the dashboard back: sent" in found[3]


def test_what_is_not_filled_in_is_left_blank(half_way: Record, berlin: Times) -> None:
    assert row(half_way, berlin, "☐", "No data is lost")[3:] == ["______", "______", "______"]
    blanks = [a for a in page(written(half_way, "html", berlin)).named("span") if a.get("class") == "blank"]
    assert len(blanks) > 20


def test_longer_evidence_stands_as_it_was_found(resolved: Record, berlin: Times) -> None:
    assert "p95: 2.9 s\np99: 4.4 s" in text(resolved, berlin)


def test_a_notice_tells_when_it_was_due_given_by_whom_and_how_late(resolved: Record, berlin: Times) -> None:
    found = row(resolved, berlin, "Update the status page", "acknowledged")
    assert "put off until 22:53:56 by lee: the wording is being agreed" in found[0]
    assert found[2] == "2026-03-28 22:53:56 CET (21:53:56 UTC)"
    assert found[3].endswith("● 6 m 58 s late")
    assert found[4:] == ["lee", "by other means: it is on the page, seen from a phone"]


def test_each_attempt_is_told_and_the_message_once(resolved: Record, berlin: Times) -> None:
    said = text(resolved, berlin)
    assert "451 greylisted" in said
    assert "250 queued as 7F2A" in said
    assert "no answer within 10 s" in said
    assert said.count("To: eng-mgmt@example.org\nSubject: QEC-SFT migration: management\n\nEngineering,") == 1


def test_a_notice_whose_time_came_after_the_end_is_withdrawn_and_not_missed(resolved: Record, berlin: Times) -> None:
    assert row(resolved, berlin, "Brief the executives", "withdrawn")
    still_open = text(resolved, berlin).split("What is still open")[1].split("Triggers")[0]
    assert "executives" not in still_open
    assert "Alert the security team" in still_open, "nobody said whether it was needed"


# ---------------------------------------------------------------- after the rollback


def test_the_review_is_a_form_filled_from_the_follow_ups(resolved: Record, berlin: Times) -> None:
    done = row(resolved, berlin, "☑", "Review logs and metrics of the failure")
    assert done[2:] == ["ada", "2026-04-05", "2026-03-29 by ada", "in the wiki, page 77"]
    assert row(resolved, berlin, "☐", "Plan the migration in smaller steps")[2:] == ["______"] * 4
    said = text(resolved, berlin)
    titles = ["Root cause analysis", "Prevention measures", "Recovery planning"]
    assert sorted(titles, key=said.index) == titles


def test_an_item_that_was_done_during_the_next_incident_is_done_in_the_report_of_its_own() -> None:
    going_on = evening.resolved()
    going_on.do(c.Declare("again", "live", evening.OUTLINE, "digest"))
    going_on.do(c.FinishFollowUp("INC-0001/update-tests", "two tests more"), "noor")
    journal = evening.chained(going_on.history)
    own = {f.id: f for f in record(journal, "INC-0001").followups}
    assert (own["update-tests"].done_by, own["update-tests"].note) == ("noor", "two tests more")
    assert own["plan-again"].done_at is None
    assert {f.incident for f in record(journal, "INC-0002").followups} == {"INC-0001", "INC-0002"}


def test_a_debrief_of_a_drill_is_a_part_of_it(resolved: Record, berlin: Times) -> None:
    debrief = ("Debrief: Everything is slow", "", "  declared    4:05   best so far 3:00")
    assert "declared    4:05   best so far 3:00" in text(resolved, berlin, debrief=debrief)
    assert "best so far 3:00" in page(written(resolved, "html", berlin, debrief=debrief)).text
    assert json.loads(written(resolved, "json", berlin, debrief=debrief))["debrief"] == list(debrief)
    assert "Debrief" not in text(resolved, berlin)


# ---------------------------------------------------------------- half-way, and for a new commander


def test_half_way_it_says_that_it_is_half_way_and_what_is_open(half_way: Record, berlin: Times) -> None:
    said = text(half_way, berlin)
    assert "The incident was open at that moment: this report is half-way." in said
    assert "component dashboard is unknown" in said
    assert "Look at the target of Roll the dashboard back, then settle it" in said


def test_the_brief_tells_what_a_new_commander_has_to_know(half_way: Record, berlin: Times) -> None:
    said = text(half_way, berlin, brief=True)
    for words in (
        "Hand-over: INC-0001",
        "rollback-console settle undo-dashboard --as done|not-done --note …",
        "Memory of the gateway",  # fires
        "2 of 2 steps proven",  # is done
        "no answer, and the API server can't be reached",  # is in doubt
        "in 5 m 21 s",  # is due
        "Load tests pass",  # has to hold yet
        "kim confirmed: roll back QEC analysis service",  # was decided
    ):
        assert words in said
    assert "Timeline" not in said


def test_the_brief_warns_where_the_triggers_were_last_heard_of_before_the_last_change(berlin: Times) -> None:
    quiet = evening.declared()
    quiet.do(c.Confirm("qec-analysis", "back", "run-1", evening.QEC_CHANGES, "qec-analysis"))
    quiet.run("qec-analysis").fact(e.ComponentFinished("qec-analysis", "back"))
    warning = "The journal holds no word of the triggers since QEC analysis service was carried out"
    assert warning in text(record(evening.chained(quiet.history)), berlin, brief=True)
    quiet.fact(e.VerdictChanged("latency-p95", "ok", "3 s ≤ 30 s", 3.0, 30.0))
    assert warning not in text(record(evening.chained(quiet.history)), berlin, brief=True)


# ---------------------------------------------------------------- the journal, and nothing but the journal


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("brief", [False, True])
def test_the_same_journal_gives_the_same_report_to_the_byte(format_: str, brief: bool, berlin: Times) -> None:
    twice = [record(evening.chained(evening.resolved().history)) for _ in range(2)]
    first, second = (written(one, format_, berlin, brief=brief) for one in twice)  # type: ignore[arg-type]
    assert first == second


def test_every_text_of_every_event_is_in_the_report(resolved: Record, berlin: Times) -> None:
    """By the journal's own JSON, so that a field which nobody thought of would be missed."""
    names = {"type", "op", "run", "change", "pre_image", "config_digest", "hash", "component", "step", "check", "notice",
             "trigger", "followup", "verdict", "outcome", "occasion", "direction", "mode", "impact", "counts_as", "typed",
             "section", "outline", "query", "components"}  # fmt: skip
    said = " ".join(page(written(resolved, "html", berlin)).text.split())
    missing = [
        value
        for moment in resolved.moments
        for value in _texts(json.loads(codec.encode(moment.event)), names)
        if " ".join(value.split()) not in said and not _is_seen_reason(moment.event, value)
    ]
    assert not missing


def _texts(document: object, without: set[str]) -> list[str]:
    if isinstance(document, str):
        return [line for line in document.splitlines() if line.strip()]
    if isinstance(document, dict):
        return [t for name, value in document.items() if name not in without for t in _texts(value, without)
                if not re.fullmatch(r"\d{4}-\d\d-\d\dT.*", t)]  # fmt: skip
    return [t for value in document for t in _texts(value, without)] if isinstance(document, list) else []


def _is_seen_reason(event: e.Event, value: str) -> bool:
    """A curve at a decision is drawn and its value and verdict stand in the table; its reason in words is the JSON's."""
    return isinstance(event, e.TriggersSeen) and any(value == t.reason for t in event.triggers)


def test_every_time_in_it_is_one_of_the_journal(resolved: Record) -> None:
    """No hour of making it, no other clock: each moment is an event's, or follows from one by the plan."""
    utc = Times()
    known = {utc.full(m.at) for m in resolved.moments} | {
        utc.full(n.standing.due_at) for n in resolved.notices if n.standing.due_at
    }
    known |= {utc.full(g.due_at) for n in resolved.notices for g in n.given if g.due_at}
    found = set(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", written(resolved, "md", utc)))
    assert found
    assert found <= known


def test_every_hash_and_count_of_the_record_can_be_checked(resolved: Record, berlin: Times) -> None:
    journal = evening.chained(evening.resolved().history)
    assert (resolved.anchor.events, resolved.anchor.head) == (len(journal), journal[-1].hash)
    assert journal[-1].hash in text(resolved, berlin)
    cut = record(journal[:-1])
    assert cut.anchor.head != resolved.anchor.head


def test_an_earlier_incident_is_told_by_its_id_and_anchored_at_its_own_end(berlin: Times) -> None:
    both = evening.resolved()
    ended = len(both.history)
    both.do(c.Declare("the second one", "live", evening.OUTLINE, "digest"))
    journal = evening.chained(both.history)
    first = record(journal, "INC-0001")
    assert (first.anchor.last, first.anchor.hash) == (ended, journal[ended - 1].hash)
    assert "the second one" not in written(first, "html", berlin)
    assert record(journal).incident.id == "INC-0002"


def test_what_was_counted_before_the_declaration_belongs_to_it(resolved: Record, berlin: Times) -> None:
    row(resolved, berlin, "User complaints: lee counted +4: the support channel")


def test_there_is_no_report_of_what_is_not_there() -> None:
    with pytest.raises(Refused, match="no incident yet"):
        record([])
    with pytest.raises(Refused, match=r'"INC-0009".*INC-0001'):
        record(evening.chained(evening.declared().history), "INC-0009")


def test_documents_of_the_vault_are_named_by_no_more_than_their_hash(resolved: Record, berlin: Times) -> None:
    for format_ in FORMATS:
        assert "pre-op" not in written(resolved, format_, berlin), "the pre-image's name is of no use to a reader"


# ---------------------------------------------------------------- times


def test_the_timeline_has_both_clocks_across_midnight_and_summer_time(berlin: Times) -> None:
    late = evening.half_way()
    late.later(4 * 3600)
    late.do(c.StateImpact("compliance", False, "asked the officer"))
    found = record(evening.chained(late.history))
    rows = [r for r in cells(written(found, "md", berlin)) if len(r) == 5 and r[2].isdigit()]
    assert len(rows) == len(found.moments)
    assert rows[0][:2] == ["2026-03-28 22:47:12 CET", "21:47:12"]
    assert rows[-1][:2] == ["2026-03-29 03:58:26 CEST", "01:58:26"]


def test_in_utc_there_is_one_clock(resolved: Record) -> None:
    said = written(resolved, "md", Times(UTC, "UTC"))
    assert "| Time | Event | Who | What |" in said
    assert "(22:08:57 UTC)" not in said


def test_an_incident_without_anything_in_it_is_told_too(berlin: Times) -> None:
    bare = evening.Evening(replace(evening.OUTLINE, triggers=(), checks=(), notices=(), followups=(), components=()))
    bare.do(c.Declare("nothing is known", "live", bare.outline, "digest"))
    found = record(evening.chained(bare.history))
    for format_ in FORMATS:
        for brief in (False, True):
            assert "nothing is known" in written(found, format_, berlin, brief=brief)


def test_every_prefix_of_an_evening_can_be_reported(berlin: Times) -> None:
    journal = evening.chained(evening.resolved().history)
    for length in range(2, len(journal) + 1):
        found = record(journal[:length])
        assert found.at == journal[length - 1].recorded.at
        page(written(found, "html", berlin))
        assert timedelta() <= found.at - journal[1].recorded.at
