"""The record as files and as commands: where it is, who may read it, whether it is whole, and what an export holds."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import stat
from pathlib import Path

from tests.cli.conftest import Cli


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_it_is_in_the_state_folder_for_the_owner_alone(declared: Cli) -> None:
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    assert mode(declared.journal) == 0o600
    assert mode(declared.journal.parent) == 0o700
    vault = declared.journal.with_name(declared.journal.name + ".vault")
    assert mode(vault) == 0o700
    assert {mode(document) for document in vault.iterdir()} == {0o600}


def test_it_can_be_anywhere_else(cli: Cli) -> None:
    elsewhere = cli.folder / "else where.journal"
    cli.done("--journal", f"sqlite://{str(elsewhere).replace(' ', '%20')}", "declare", "--reason", "r")
    assert elsewhere.exists()
    assert cli.done("--journal", str(elsewhere), "status", "--json").document["incident"]["state"] == "open"
    assert cli.status()["incident"]["state"] == "none"


def test_verify_counts_the_events_of_an_intact_record(declared: Cli) -> None:
    assert "intact, 3 events" in declared.done("journal", "verify").out
    assert declared.done("journal", "verify", "--json").document == {
        "path": str(declared.journal),
        "intact": True,
        "events": 3,
    }


def test_verify_names_the_event_that_was_changed(declared: Cli) -> None:
    declared.done("ack", "developers", "--note", "told at 14:02")
    with sqlite3.connect(declared.journal) as connection:
        connection.execute("DROP TRIGGER event_is_never_changed")
        connection.execute("UPDATE event SET body = replace(body, '14:02', '13:02') WHERE seq = 4")
    result = declared("journal", "verify", "--json")
    assert result.code == 1
    assert result.document["intact"] is False
    assert "event 4 was changed" in result.err


def test_verify_names_the_event_that_is_missing(declared: Cli) -> None:
    declared.done("ack", "developers", "--note", "told")
    with sqlite3.connect(declared.journal) as connection:
        connection.execute("DROP TRIGGER event_is_never_removed")
        connection.execute("DELETE FROM event WHERE seq = 2")
    result = declared("journal", "verify")
    assert result.code == 1
    assert "event 2 is missing" in result.err


def test_show_tells_the_story(declared: Cli) -> None:
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    shown = declared.done("journal", "show").out
    assert "INC-0001 declared by alice: latency" in shown
    assert "Undo the dashboard: proven: dashboard=old" in shown


def test_an_export_carries_its_own_proof_and_nothing_of_the_vault(declared: Cli) -> None:
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    entries = declared.done("journal", "export").documents
    previous = "0" * 64
    for number, entry in enumerate(entries, start=1):
        body = json.dumps(entry["event"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        chained = [previous, number, entry["at"], entry["actor"], entry["epoch"], body]
        expected = hashlib.sha256(json.dumps(chained, ensure_ascii=False).encode()).hexdigest()
        assert (entry["previous"], entry["hash"]) == (previous, expected)
        previous = entry["hash"]
    intended = next(e["event"] for e in entries if e["event"]["type"] == "step_intended")
    assert len(intended["pre_image"]) == 64, "a name, not the document"


def test_it_is_read_without_a_valid_configuration(declared: Cli) -> None:
    declared.config.write_text('[incident]\ntitle = "Simulated migration"\nnonsense = 1\n')
    declared.done("journal", "verify")
