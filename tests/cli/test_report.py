"""`report` and `followup`: what they print, what they write, and what they need: the journal, and nothing else."""

from __future__ import annotations

import json
import shutil
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.simulated import World
from tests.cli.test_startup import HEAVY, imported


@pytest.fixture
def rolled_back(declared: Cli) -> Cli:
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    declared.done("ack", "developers", "--note", "told in the channel")
    declared.done("verify")
    return declared


def from_the_journal(cli: Cli, *arguments: str) -> str:
    return cli.done("--journal", str(cli.journal), "report", "--timezone", "UTC", *arguments).out


def test_it_prints_markdown(rolled_back: Cli) -> None:
    said = rolled_back.done("report").out
    assert said.startswith("# INC-0001 · Simulated migration\n")
    for words in ("sim set dashboard old", "dashboard=old", "told in the channel", "alice declared the incident"):
        assert words in said


def test_it_waits_for_no_client_and_no_screen(rolled_back: Cli) -> None:
    code = (
        f"from console.cli import run; run(['--journal', {str(rolled_back.journal)!r}, 'report', '-o', 'light.html'])"
    )
    found = imported(code, rolled_back.folder)
    assert (rolled_back.folder / "light.html").exists()
    assert not found & (HEAVY - {"pydantic"})


@pytest.mark.parametrize("format_", ["md", "html", "json"])
def test_it_needs_neither_the_configuration_nor_the_vault_nor_the_world(rolled_back: Cli, format_: str) -> None:
    with_them = from_the_journal(rolled_back, "--format", format_)
    rolled_back.config.unlink()
    (rolled_back.folder / "world.json").unlink()
    shutil.rmtree(rolled_back.journal.with_name(rolled_back.journal.name + ".vault"))
    assert from_the_journal(rolled_back, "--format", format_) == with_them


def test_without_json_it_is_the_same_by_the_formats_own_name(rolled_back: Cli) -> None:
    by_flag = rolled_back.done("report", "--json").document
    assert by_flag == json.loads(rolled_back.done("report", "--format", "json").out)
    assert by_flag["rollbacks"][0]["steps"][0]["commands"] == ["sim set dashboard old"]
    assert by_flag["journal"]["events"] == rolled_back.done("journal", "verify", "--json").document["events"]


def test_the_hash_is_the_one_that_the_export_ends_with(rolled_back: Cli) -> None:
    last = rolled_back.done("journal", "export").documents[-1]
    assert rolled_back.done("report", "--json").document["journal"]["head"] == last["hash"]
    assert last["hash"] in rolled_back.done("report").out


def test_a_file_is_written_whole_for_its_owner_alone_in_the_format_of_its_ending(rolled_back: Cli) -> None:
    for name, begins in (("r.html", "<!doctype html>"), ("r.md", "# INC-0001"), ("r.json", "{"), ("r", "# INC-0001")):
        path = rolled_back.folder / name
        assert f"{path}: the report of INC-0001" in rolled_back.done("report", "-o", str(path)).out
        assert path.read_text().startswith(begins)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not [p for p in rolled_back.folder.iterdir() if p.name.startswith(".r")], "nothing half-written stays"


def test_a_file_that_is_there_is_not_overwritten_unless_asked(rolled_back: Cli) -> None:
    path = rolled_back.folder / "notes.md"
    path.write_text("my notes of the evening")
    result = rolled_back("report", "-o", str(path))
    assert result.code == 4
    assert "notes.md is there already; name another file, or overwrite it with --force" in result.err
    assert path.read_text() == "my notes of the evening"
    rolled_back.done("report", "-o", str(path), "--force")
    assert path.read_text().startswith("# INC-0001")


def test_a_place_that_cannot_be_written_is_told(rolled_back: Cli) -> None:
    for place, words in ((".", "is a folder"), ("no/such/folder/r.md", "can't be written to no/such/folder/r.md")):
        result = rolled_back("report", "-o", place)
        assert result.code == 4
        assert words in result.err


def test_where_it_was_written_is_told_to_machines_too(rolled_back: Cli) -> None:
    told = rolled_back.done("--json", "report", "-o", "r.html").document
    assert told == {"path": "r.html", "format": "html", "incident": "INC-0001", "brief": False}


def test_two_formats_at_once_are_a_mistake(rolled_back: Cli) -> None:
    result = rolled_back("--json", "report", "--format", "html")
    assert result.code == 2
    assert "contradict" in result.err


def test_the_time_zone_is_the_readers(rolled_back: Cli) -> None:
    assert "Time (Asia/Kolkata)" in rolled_back.done("report", "--timezone", "Asia/Kolkata").out
    assert "| Time | Event |" in rolled_back.done("report", "--timezone", "utc").out


@pytest.mark.parametrize("zone", ["Europe/Berln", "../../etc/passwd", "Europe", "/etc/localtime", "\x00"])
def test_a_time_zone_that_there_is_not_is_a_mistake_with_a_guess(rolled_back: Cli, zone: str) -> None:
    result = rolled_back("report", "--timezone", zone)
    assert result.code == 2
    assert "there is no time zone" in result.err
    if zone == "Europe/Berln":
        assert 'did you mean "Europe/Berlin"?' in result.err


def test_the_brief_is_for_whoever_takes_over(rolled_back: Cli) -> None:
    said = rolled_back.done("report", "--brief").out
    assert "# Hand-over: INC-0001" in said
    assert "Complaints are back to the usual" in said
    document = rolled_back.done("report", "--brief", "--json").document
    assert document["next_action"]["text"]
    assert document["status"]["components"][0]["state"] == "rolled_back"


def test_without_an_incident_there_is_nothing_to_report(cli: Cli) -> None:
    result = cli("report")
    assert result.code == 4
    assert "there is no journal at" in result.err


def test_another_incident_is_named(rolled_back: Cli) -> None:
    result = rolled_back("report", "--incident", "INC-0007")
    assert result.code == 4
    assert "it holds: INC-0001" in result.err


def test_a_record_that_was_changed_gives_no_report(rolled_back: Cli) -> None:
    import sqlite3

    with sqlite3.connect(rolled_back.journal) as connection:
        connection.execute("DROP TRIGGER event_is_never_changed")
        connection.execute("UPDATE event SET body = replace(body, 'latency', 'weather') WHERE seq = 1")
    result = rolled_back("report")
    assert result.code == 1
    assert "event 1 was changed after it was written" in result.err


def test_what_only_the_vault_may_hold_is_in_no_format(cli: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted where secrets are: in a document of the vault, in the environment, and in the configuration file."""
    secrets = ("hunter2-in-the-vault", "hunter2-in-the-environment", "hunter2-in-the-file")
    monkeypatch.setenv("SLACK_TOKEN", secrets[1])
    cli.config.write_text(cli.config.read_text() + f"\n# password = {secrets[2]}\n")
    cli.done("declare", "--reason", "latency")
    cli.done("rollback", "gateway", "--confirm", "gateway")
    vault = cli.journal.with_name(cli.journal.name + ".vault")
    for document in vault.iterdir():
        document.chmod(0o600)
        document.write_text(json.dumps({"value": secrets[0]}))
    for format_ in ("md", "html", "json"):
        for more in ((), ("--brief",)):
            said = cli.done("report", "--format", format_, *more).out
            assert "INC-0001" in said
            assert not [secret for secret in secrets if secret in said]


# ---------------------------------------------------------------- follow-ups

FOLLOWUPS = """
[[followup]]
id = "review-logs"
title = "Review the logs"
section = "root_cause"
assignee = "ada"
due = "7d"
"""


@pytest.fixture
def reviewing(cli: Cli) -> Cli:
    cli.config.write_text(cli.config.read_text() + FOLLOWUPS)
    cli.done("declare", "--reason", "latency")
    return cli


def resolve(cli: Cli) -> None:
    for check in ("dashboard-is-old", "complaints"):
        cli.done("waive", check, "--reason", "not today")
    cli.done("resolve")


def test_items_come_from_the_file_and_are_due_after_the_end(reviewing: Cli) -> None:
    assert "Review the logs, ada" in reviewing.done("followup", "list").out
    resolve(reviewing)
    item = reviewing.done("followup", "list", "--json").document["followups"][0]
    due = datetime.fromisoformat(item["due_at"]) - datetime.now(UTC)
    assert timedelta(days=6.9) < due < timedelta(days=7.1)


def test_items_are_added_and_finished_after_the_end_too(reviewing: Cli) -> None:
    resolve(reviewing)
    added = reviewing.done(
        "followup", "add", "Alert on p95", "--section", "prevention", "--assignee", "noor", "--due", "2030-04-01"
    )
    assert "f1 is added: Alert on p95" in added.out
    said = reviewing.done("followup", "list").out
    assert said.index("Root cause analysis") < said.index("Prevention measures")
    assert "Alert on p95, noor, due 2030-04-01" in said
    reviewing.done("followup", "done", "f1", "--note", "in the rules since today")
    assert "Alert on p95" not in reviewing.done("followup", "list").out
    assert "by alice: in the rules since today" in reviewing.done("followup", "list", "--all").out
    assert "in the rules since today" in reviewing.done("report").out


def test_an_item_stays_open_across_the_next_incident_under_a_name_that_tells_whence(reviewing: Cli) -> None:
    resolve(reviewing)
    reviewing.done("declare", "--reason", "again")
    open_now = [f["id"] for f in reviewing.done("followup", "list", "--json").document["followups"]]
    assert sorted(open_now) == ["INC-0001/review-logs", "review-logs"]
    reviewing.done("followup", "done", "INC-0001/review-logs", "--note", "in the wiki")
    assert "in the wiki" in reviewing.done("report", "--incident", "INC-0001").out


@pytest.mark.parametrize("due", ["tomorrow", "7", "2026-02-30", "7 days", "9999999d"])
def test_a_due_date_that_is_none_is_a_mistake(reviewing: Cli, due: str) -> None:
    result = reviewing("followup", "add", "x", "--section", "recovery", "--due", due)
    assert result.code == 2
    assert "write 2026-03-31, or 7d" in result.err


def test_due_in_so_long_counts_from_now(reviewing: Cli) -> None:
    found = reviewing.done("followup", "add", "x", "--section", "recovery", "--due", "2d", "--json").document
    due = datetime.fromisoformat(found["followups"][0]["due_at"]) - datetime.now(UTC)
    assert timedelta(days=1.9) < due < timedelta(days=2.1)


def test_what_is_done_or_was_never_there_is_refused(reviewing: Cli) -> None:
    reviewing.done("followup", "done", "review-logs", "--note", "read")
    again = reviewing("followup", "done", "review-logs", "--note", "read")
    assert again.code == 4
    assert "was done at" in again.err
    assert reviewing("followup", "done", "nothing", "--note", "x").code == 4


def test_without_an_incident_there_is_nothing_to_follow(cli: Cli) -> None:
    assert "there are no follow-up items" in cli.done("followup", "list").out
    result = cli("followup", "add", "x", "--section", "recovery")
    assert result.code == 4
    assert "no incident is declared" in result.err
    assert not Path(cli.journal).exists()
