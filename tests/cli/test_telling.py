"""`notify`, `ack`, `snooze`, `impact`, and the manual triggers: what the command line says of them, and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.simulated import World

PLAN = """
[[notice]]
id = "team"
title = "Tell the team"
after = "0s"
channel = "sim.room"
room = "ops"
audience = "developers"

[[notice]]
id = "often"
title = "Update the tracker"
after = "0s"
repeat = "20m"
channel = "sim.room"
room = "tracker"
subject = "$incident: $status"
text = "Led by $commander. $stage"

[[notice]]
id = "page"
title = "Update the status page"
after = "5m"
channel = "sim.room"
room = "page"
impact = "user_facing"

[[trigger]]
id = "complaints"
title = "User complaints"
source = "counter"
above = 2
window = "1h"

[[trigger]]
id = "leak"
title = "Security vulnerability"
source = "attestation"
impact = "security"
"""


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.engine.retrying.RETRY_PAUSES_SECONDS", (0.02,) * 5)


@pytest.fixture
def room(cli: Cli) -> Cli:
    cli.config.write_text(cli.config.read_text() + PLAN)
    return cli


@pytest.fixture
def open_(room: Cli) -> Cli:
    room.done("declare", "--reason", "latency")
    return room


def messages(cli: Cli) -> list[dict[str, Any]]:
    file = cli.folder / "messages.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def notice(cli: Cli, notice_id: str) -> dict[str, Any]:
    return next(n for n in cli.status()["notices"] if n["id"] == notice_id)


# ---------------------------------------------------------------- notify


def test_a_notice_goes_as_it_is_drafted_from_what_is_so_now(open_: Cli, world: World) -> None:
    world.change("values", "latency", 34.2)
    result = open_.done("notify", "team")
    assert result.out.startswith("team is sent to #ops: 200 ok")
    (sent,) = messages(open_)
    assert sent["subject"] == "INC-0001 Simulated migration: nothing rolled back yet"
    assert "- Latency: 34.2 s, above 30 s" in sent["text"]
    assert "led by alice" in sent["text"]
    assert notice(open_, "team")["state"] == "sent"


def test_the_file_s_own_words_are_filled_in(open_: Cli) -> None:
    open_.done("notify", "often")
    (sent,) = messages(open_)
    assert (sent["subject"], sent["text"]) == ("INC-0001: open", "Led by alice. We are looking into it.")


def test_a_person_s_own_words_take_the_place_of_the_draft(open_: Cli) -> None:
    open_.done("notify", "team", "--subject", "p95", "--text", "we roll back")
    assert [(m["subject"], m["text"]) for m in messages(open_)] == [("p95", "we roll back")]


def test_the_words_may_be_in_a_file(open_: Cli) -> None:
    (open_.folder / "words.txt").write_text("first\nsecond\n")
    open_.done("notify", "team", "--text-file", "words.txt")
    assert messages(open_)[0]["text"] == "first\nsecond"


def test_the_words_may_come_through_a_pipe(open_: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"piped\n")))
    open_.done("notify", "team", "--text-file", "-")
    assert messages(open_)[0]["text"] == "piped"


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "No such file"), (b"\xff\xfe", "not UTF-8"), (b"x" * 300_000, "longer than any")],
    ids=["missing", "no text", "endless"],
)
def test_a_file_that_can_not_be_read_stops_it_before_anything_is_sent(
    open_: Cli, content: bytes | None, said: str
) -> None:
    if content is not None:
        (open_.folder / "words.txt").write_bytes(content)
    result = open_("notify", "team", "--text-file", "words.txt")
    assert result.code == 2
    assert said in result.err
    assert notice(open_, "team")["state"] == "due"


def test_a_dry_run_shows_it_and_leaves_no_trace(open_: Cli) -> None:
    before = open_.journal.read_bytes()
    result = open_.done("notify", "team", "--dry-run")
    assert result.out.splitlines()[0] == "Tell the team (sim.room to #ops); nothing was sent"
    assert "Subject: INC-0001 Simulated migration: nothing rolled back yet" in result.out
    draft = open_.done("notify", "team", "--dry-run", "--json").document["draft"]
    assert (draft["to"], draft["channel"], draft["longest"], draft["already"]) == ("#ops", "sim.room", 3000, "")
    assert messages(open_) == []
    assert open_.journal.read_bytes() == before


def test_a_dry_run_shows_what_a_person_reads_out(open_: Cli) -> None:
    result = open_.done("notify", "management", "--dry-run")
    assert result.out.splitlines()[0] == "Tell management (manual, to be given by a person); nothing was sent"


def test_what_was_sent_is_refused_a_second_time(open_: Cli) -> None:
    open_.done("notify", "team")
    result = open_("notify", "team")
    assert result.code == 4
    assert "team was sent at" in result.err
    assert 'notify team --again "why"' in result.err
    assert "it would be given again: it was sent at" in open_.done("notify", "team", "--dry-run").out
    open_.done("notify", "team", "--again", "half of them were away")
    assert len(messages(open_)) == 2


def test_what_people_give_is_not_sent(open_: Cli) -> None:
    result = open_("notify", "developers")
    assert result.code == 4
    assert "notice developers has no channel: people give it" in result.err


def test_before_an_incident_there_is_nothing_to_tell(room: Cli) -> None:
    result = room("notify", "team")
    assert result.code == 4
    assert "no incident is declared" in result.err
    assert messages(room) == []


def test_what_is_not_delivered_at_first_is_tried_again_while_it_waits(open_: Cli, world: World) -> None:
    world.change("trouble", "ops", "busy once")
    result = open_.done("notify", "team", "--json").document
    assert (result["notice"]["state"], result["exit_code"]) == ("sent", 0)
    shown = open_.done("journal", "show").out
    assert "not sent, again in 20 ms" in shown
    assert "attempt 2" in shown
    assert len(messages(open_)) == 1


def test_what_is_never_delivered_is_a_failure_and_says_so(open_: Cli, world: World) -> None:
    world.change("trouble", "ops", "busy")
    result = open_("notify", "team")
    assert result.code == 1
    assert "team is NOT sent: 503 from the room; nothing was delivered; given up after 6 attempts" in result.out
    assert "tell them by other means and ack" in result.out


def test_a_wait_that_is_too_long_is_left_to_a_console_that_stays(
    open_: Cli, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.engine.retrying.RETRY_PAUSES_SECONDS", (60.0,))
    world.change("trouble", "ops", "busy")
    result = open_("notify", "team")
    assert result.code == 1
    assert "a console that stays open tries again at" in result.out
    document = open_("notify", "team", "--json").document
    assert document["notice"]["state"] == "failed"
    assert document["retry_at"].endswith("Z")


def test_what_may_have_been_sent_ends_with_three_until_a_person_has_looked(open_: Cli, world: World) -> None:
    world.change("trouble", "ops", "lost")
    result = open_("notify", "team")
    assert result.code == 3
    assert "team MAY have been sent to #ops: no answer came" in result.out
    again = open_("notify", "team", "--json")
    assert (again.code, again.document["error"]["exit_code"]) == (4, 4)
    open_.done("ack", "team", "--note", "it is in the channel")
    assert notice(open_, "team")["state"] == "acknowledged"
    assert len(messages(open_)) == 1


def test_what_may_have_been_sent_is_sent_again_at_a_word(open_: Cli, world: World) -> None:
    world.change("trouble", "ops", "lost")
    open_("notify", "team")
    world.change("trouble", "ops", "")
    open_.done("notify", "team", "--again", "it did not arrive")
    assert notice(open_, "team")["times_given"] == 1


def test_recover_names_what_may_have_been_sent(open_: Cli, world: World) -> None:
    world.change("trouble", "ops", "lost")
    open_("notify", "team")
    result = open_("recover", "--json")
    assert (result.code, result.document["in_doubt"]) == (3, ["team"])


# ---------------------------------------------------------------- trying a channel


def test_a_channel_is_tried_before_there_is_any_record(room: Cli) -> None:
    result = room.done("notify", "team", "--test")
    assert "team: test message sent to #ops: 200 ok" in result.out
    (sent,) = messages(room)
    assert sent["subject"] == "TEST: Simulated migration"
    assert sent["text"].startswith("TEST - nothing is wrong")
    assert "alice tries" in sent["text"]
    assert sent["incident"] == ""
    assert not room.journal.exists()


@pytest.mark.parametrize(
    ("trouble", "code", "state"), [("shut", 1, "failed"), ("busy", 1, "failed"), ("lost", 3, "maybe_sent")]
)
def test_a_channel_that_does_not_work_says_how(room: Cli, world: World, trouble: str, code: int, state: str) -> None:
    world.change("trouble", "ops", trouble)
    result = room("notify", "team", "--test", "--json")
    assert (result.code, result.document["test"]["state"]) == (code, state)


def test_a_test_has_no_place_in_an_incident(open_: Cli) -> None:
    result = open_("notify", "team", "--test")
    assert result.code == 4
    assert "INC-0001 is open: a test message is not kept in its record" in result.err
    assert messages(open_) == []


def test_a_test_takes_no_words(room: Cli) -> None:
    assert room("notify", "team", "--test", "--text", "hello").code == 2
    assert room("notify", "team", "--test", "--dry-run").code == 2
    assert room("notify", "team", "--text", "a", "--text-file", "b").code == 2


# ---------------------------------------------------------------- snooze, impact


def test_a_notice_is_put_off_with_a_reason(open_: Cli) -> None:
    result = open_.done("snooze", "team", "--for", "10m", "--reason", "they are in this call")
    assert "team is put off for 10m" in result.out
    found = notice(open_, "team")
    assert (found["state"], found["note"]) == ("snoozed", "put off by alice: they are in this call")


@pytest.mark.parametrize("duration", ["10", "soon", "0s", "-5m", ""])
def test_a_notice_is_put_off_for_a_time(open_: Cli, duration: str) -> None:
    result = open_("snooze", "team", f"--for={duration}", "--reason", "later")
    assert result.code == 2
    assert "is no duration" in result.err


def test_saying_what_is_touched_makes_its_notice_due(open_: Cli) -> None:
    assert notice(open_, "page")["state"] == "unasked"
    result = open_.done("impact", "user-facing", "yes", "--note", "complaints")
    assert "users are touched" in result.out
    assert notice(open_, "page")["state"] == "waiting"
    status = open_.done("impact", "user-facing", "no", "--note", "it was the office", "--json").document
    assert status["impacts"]["user_facing"] is False
    assert notice(open_, "page")["state"] == "not_needed"


def test_what_is_touched_belongs_to_an_incident(room: Cli) -> None:
    assert room("impact", "security", "yes", "--note", "a key").code == 4


# ---------------------------------------------------------------- manual triggers


def test_complaints_are_counted_and_taken_back_before_any_incident(room: Cli) -> None:
    assert "complaints: counted +3" in room.done("count", "complaints", "3", "--note", "the help desk").out
    trigger = next(t for t in room.status()["triggers"] if t["id"] == "complaints")
    assert (trigger["verdict"], trigger["value"]) == ("firing", 3.0)
    room.done("count", "complaints", "-1")
    room.done("count", "complaints")
    room.done("count", "complaints", "-2")
    assert next(t for t in room.status()["triggers"] if t["id"] == "complaints")["verdict"] == "ok"


def test_a_word_is_given_and_withdrawn(open_: Cli) -> None:
    open_.done("attest", "leak", "--reason", "a key is in the log")
    status = open_.status()
    assert next(t for t in status["triggers"] if t["id"] == "leak")["verdict"] == "firing"
    assert open_("attest", "leak", "--reason", "again").code == 4
    assert "leak holds no more" in open_.done("withdraw", "leak", "--reason", "it was an old key").out
    assert open_("withdraw", "leak", "--reason", "again").code == 4


@pytest.mark.parametrize(
    "command", [("count", "leak"), ("attest", "complaints", "--reason", "x"), ("count", "nothing")]
)
def test_a_trigger_of_another_sort_is_refused(open_: Cli, command: tuple[str, ...]) -> None:
    assert open_(*command).code == 4


def test_words_are_one_clean_line_in_the_record(open_: Cli, folder: Path) -> None:
    open_.done("snooze", "team", "--for", "10m", "--reason", "a\nb\x1b[2J")
    assert notice(open_, "team")["note"] == "put off by alice: a b [2J"
