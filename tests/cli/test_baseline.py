"""`baseline take|show`: what is normal, on record before anything is declared. `verify`: what stands behind a check."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli
from tests.cli.simulated import World

USUAL = """
[[check]]
id = "latency-usual"
title = "Latency is as usual"
kind = "sim.usual"
key = "latency"

[[check]]
id = "errors-usual"
title = "Errors are as usual"
kind = "sim.usual"
key = "errors"
"""
QUIET = """
[[check]]
id = "quiet"
title = "No trigger fires"
kind = "triggers.quiet"
"""


@pytest.fixture
def usual(cli: Cli, world: World) -> Cli:
    world.change("values", "errors", 0)
    cli.config.write_text(cli.config.read_text() + USUAL)
    return cli


def test_a_baseline_is_taken_before_any_incident_and_begins_the_journal(usual: Cli) -> None:
    assert not usual.journal.exists()
    taken = usual.done("baseline", "take", "--json").document["baselines"]
    assert [(b["check"], b["value"], b["unit"], b["of"], b["by"]) for b in taken] == [
        ("latency-usual", 12.0, "s", "as it stood", "alice"),
        ("errors-usual", 0.0, "s", "as it stood", "alice"),
    ]
    assert usual.done("journal", "verify").out.endswith("intact, 2 events\n")


def test_showing_begins_no_journal(usual: Cli) -> None:
    shown = usual.done("baseline", "show")
    assert "latency-usual: not taken; rollback-console baseline take latency-usual" in shown.out
    assert usual.done("baseline", "show", "--json").document == {
        "baselines": [],
        "missing": ["latency-usual", "errors-usual"],
    }
    assert not usual.journal.exists()


def test_the_last_record_of_a_check_is_the_one_that_counts(usual: Cli, world: World) -> None:
    usual.done("baseline", "take")
    world.change("values", "latency", 9)
    usual.done("baseline", "take", "latency-usual")
    shown = usual.done("baseline", "show", "--json").document
    assert [(b["check"], b["value"]) for b in shown["baselines"]] == [("latency-usual", 9.0), ("errors-usual", 0.0)]
    line = usual.done("baseline", "show").out.splitlines()[0]
    assert line.startswith("latency-usual: 9 s, as it stood; taken 20")
    assert line.endswith(" by alice")


def test_a_check_is_compared_with_what_was_taken_under_its_own_id(usual: Cli, world: World) -> None:
    usual.done("baseline", "take", "latency-usual")
    usual.done("declare", "--reason", "latency")
    world.change("values", "latency", 30)
    checks = {c["id"]: c for c in usual("verify", "--json").document["checks"]}
    assert (checks["latency-usual"]["state"], checks["latency-usual"]["evidence"]) == ("fail", "30 now, 12.0 then")
    assert checks["errors-usual"]["state"] == "unknown"
    assert "baseline take errors-usual" in checks["errors-usual"]["evidence"]


def test_all_are_recorded_or_none(usual: Cli, world: World) -> None:
    world.change("values", "errors", "broken")
    result = usual("baseline", "take")
    assert (result.code, result.err) == (
        1, "rollback-console: errors-usual: the source is down; no baseline was taken\n",
    )  # fmt: skip
    assert usual.done("baseline", "show", "--json").document["baselines"] == []


def test_what_takes_no_baseline_is_refused_with_what_does(usual: Cli, cli: Cli) -> None:
    result = usual("baseline", "take", "dashboard-is-old")
    assert result.code == 4
    assert (
        'no check "dashboard-is-old" that takes a baseline; checks that do: latency-usual, errors-usual' in result.err
    )


def test_a_baseline_that_may_be_the_incident_itself_is_called_in_question(usual: Cli) -> None:
    usual.done("declare", "--reason", "latency")
    assert "is what was measured just now normal?" in usual.done("baseline", "take").out
    known = usual.config.read_text().replace('soak = "5s"', 'soak = "5s"\nmigrated_at = 2026-01-01T00:00:00Z')
    usual.config.write_text(known)
    usual("verify")  # the incident goes on with the file as it is now
    assert "normal?" not in usual.done("baseline", "take").out


def test_verify_shows_what_stands_behind_a_check_that_failed(declared: Cli, world: World) -> None:
    lines = declared("verify").out.splitlines()
    at = next(i for i, line in enumerate(lines) if "dashboard-is-old" in line)
    assert lines[at + 1 : at + 3] == ["    the world says new", "    wanted was old"]
    world.change("values", "dashboard", "old")
    assert "the world says" not in declared.done("verify").out


def test_verify_gives_machines_the_detail_of_every_check_and_the_journal_keeps_it(declared: Cli) -> None:
    told = declared("verify", "--json").document["checks"][0]
    assert told["detail"] == ["the world says new", "wanted was old"]
    kept = next(c for c in declared.status()["checks"] if c["id"] == "dashboard-is-old")
    assert (kept["state"], kept["detail"]) == ("fail", told["detail"])


def test_evidence_is_stale_after_a_later_change_and_is_still_there_to_read(declared: Cli) -> None:
    declared("verify")
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    kept = next(c for c in declared.status()["checks"] if c["id"] == "dashboard-is-old")
    assert (kept["state"], kept["evidence"]) == ("stale", "dashboard is new")
    assert kept["detail"] == ["the world says new", "wanted was old"]


def test_verify_asks_the_triggers_for_a_check_that_reads_their_verdicts(declared: Cli, world: World) -> None:
    declared.config.write_text(declared.config.read_text() + QUIET)
    quiet = declared.done("verify", "quiet", "--json").document["checks"][-1]
    assert (quiet["state"], quiet["evidence"]) == ("pass", "1 trigger ok")
    world.change("values", "latency", 31)
    result = declared("verify", "quiet")
    assert result.code == 1
    assert "1 of 1 trigger not quiet: Latency FIRING since" in result.out
