"""Rolling back and forward: what is sent, what is never sent twice, and what is said about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.simulated import World


def test_a_second_run_changes_nothing_and_says_so(declared: Cli, world: World) -> None:
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    result = declared.done("rollback", "dashboard", "--confirm", "dashboard")
    assert "nothing to change, already so" in result.out
    assert world.read()["sent"] == {"dashboard": 1, "features": 1}
    assert declared.component("dashboard")["state"] == "rolled_back"


def test_rolling_forward_undoes_in_reverse_and_twice_changes_nothing(declared: Cli, world: World) -> None:
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    lines = declared.done("rollforward", "dashboard", "--confirm", "dashboard", "--json").documents
    undone = [line["step"]["id"] for line in lines if line["event"] == "step_proven"]
    assert undone == ["hide-features", "undo-dashboard"]
    assert [s["id"] for s in lines[0]["components"][0]["steps"]] == undone, "the plan shows the order of the work"
    assert (world.value("dashboard"), world.value("features")) == ("new", "shown")
    again = declared.done("rollforward", "dashboard", "--confirm", "dashboard")
    assert "nothing to change" in again.out
    assert world.sent("dashboard") == 2


def test_several_components_go_one_after_the_other(declared: Cli, world: World) -> None:
    declared.done("rollback", "dashboard", "gateway", "--confirm", "gateway,dashboard")
    shown = declared.done("journal", "show").out
    assert shown.index("Dashboard: rolled back") < shown.index("confirmed: roll back Gateway")


def test_the_confirmation_can_be_given_name_by_name(declared: Cli) -> None:
    declared.done("rollback", "dashboard", "gateway", "--confirm", "dashboard", "--confirm", "gateway")


def test_side_by_side_carries_all_out(declared: Cli, world: World) -> None:
    declared.done("rollback", "dashboard", "gateway", "--confirm", "dashboard,gateway", "--side-by-side")
    assert (world.value("dashboard"), world.value("gateway")) == ("old", "plain")


def test_components_behind_one_that_failed_are_not_begun(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "fails")
    result = declared("rollback", "dashboard", "gateway", "--confirm", "dashboard,gateway")
    assert result.code == 1
    assert "not begun: gateway" in result.out
    assert world.read()["sent"] == {}


def test_a_component_that_shares_an_object_with_the_one_before_is_shown_and_done_as_it_was(
    declared: Cli, world: World
) -> None:
    text = declared.config.read_text().replace('key = "gateway"\nvalue = "plain"', 'key = "features"\nvalue = "gone"')
    declared.config.write_text(text)
    result = declared("rollback", "dashboard", "gateway", "--confirm", "dashboard,gateway")
    assert result.code == 4
    assert "no longer the one that was shown" in result.err
    assert world.value("features") == "hidden"


def test_what_the_component_before_has_done_already_is_no_other_plan(declared: Cli, world: World) -> None:
    both = '[[component.step]]\nid = "hide-again"\nkind = "sim.set"\nkey = "features"\nvalue = "hidden"\n'
    text = declared.config.read_text()
    assert text.count('value = "plain"\n') == 1
    declared.config.write_text(text.replace('value = "plain"\n', f'value = "plain"\n\n{both}'))
    declared.done("rollback", "dashboard", "gateway", "--confirm", "dashboard,gateway")
    assert world.read()["sent"] == {"dashboard": 1, "features": 1, "gateway": 1}
    assert declared.component("gateway")["state"] == "rolled_back"


def test_the_plan_that_was_approved_is_the_plan_that_runs(declared: Cli, world: World) -> None:
    approved = declared.done("plan", "dashboard", "--json").document["hash"]
    world.change("values", "features", "half hidden")
    refused = declared("rollback", "dashboard", "--confirm", "dashboard", "--plan", approved)
    assert refused.code == 4
    assert "steps with a change now: undo-dashboard, hide-features; see: plan dashboard" in refused.err
    assert world.read()["sent"] == {}
    world.change("values", "features", "shown")
    of_more = declared("rollback", "dashboard", "gateway", "--confirm", "dashboard,gateway", "--plan", approved)
    assert "that is the plan of dashboard alone; see: plan dashboard gateway" in of_more.err
    assert world.read()["sent"] == {}
    declared.done("rollback", "dashboard", "--confirm", "dashboard", "--plan", approved)
    again = declared.done("rollback", "dashboard", "--confirm", "dashboard", "--plan", approved)
    assert "already so" in again.out, "where nothing would change, no plan is broken"


def test_a_lost_answer_is_read_back_and_not_sent_again(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "lost")
    result = declared.done("rollback", "dashboard", "--confirm", "dashboard")
    assert "read back" in result.out
    assert world.sent("dashboard") == 1


def test_a_step_in_doubt_is_settled_by_a_person(declared: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.engine.executor._PROBE_PAUSES_SECONDS", (0.0,))
    world.change("trouble", "dashboard", "blind")
    doubtful = declared("rollback", "dashboard", "--confirm", "dashboard")
    assert "settle undo-dashboard" in doubtful.out
    assert declared.component("dashboard")["state"] == "unknown"
    declared.done("settle", "undo-dashboard", "--as", "done", "--note", "I looked: it is old")
    world.change("trouble", "dashboard", "")
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    assert world.sent("dashboard") == 1


def test_a_persons_step_is_signed_and_the_component_goes_on(declared: Cli) -> None:
    assert declared("rollback", "provider", "--confirm", "provider").code == 4
    declared.done("sign", "call-provider", "--note", "spoke to Bo, done at 22:10")
    result = declared.done("rollback", "provider", "--confirm", "provider")
    assert "nothing to change, already so" in result.out
    assert declared.component("provider")["state"] == "rolled_back"


def test_from_declared_to_resolved(declared: Cli) -> None:
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    assert declared("resolve").code == 4
    declared.done("verify")
    declared.done("sign", "complaints", "--note", "two in the last hour")
    declared.done("ack", "developers", "--note", "told on the channel")
    declared.done("resolve", "--note", "stable")
    assert declared.status()["incident"]["state"] == "resolved"
    declared.done("declare", "--reason", "it is back")
    assert declared.status()["incident"]["id"] == "INC-0002"


def test_a_changed_configuration_is_taken_up_and_recorded(declared: Cli) -> None:
    declared.config.write_text(declared.config.read_text().replace('title = "Gateway"', 'title = "API gateway"'))
    assert declared.component("gateway")["title"] == "Gateway", "looking changes nothing"
    declared.done("rollback", "gateway", "--confirm", "gateway")
    assert declared.component("gateway")["title"] == "API gateway"
    assert "changed configuration file" in declared.done("journal", "show").out


def test_checks_run_outside_an_incident_too_but_are_not_kept(cli: Cli, world: World) -> None:
    world.change("values", "dashboard", "old")
    result = cli.done("verify")
    assert "not recorded" in result.out
    assert not cli.journal.exists()


def test_a_check_that_hangs_is_unknown_in_its_time(declared: Cli, world: World) -> None:
    declared.config.write_text(
        declared.config.read_text().replace(
            'key = "dashboard"\nvalue = "old"\ncrit', 'timeout = "50ms"\nkey = "dashboard"\nvalue = "old"\ncrit'
        )
    )
    world.change("values", "dashboard", "hangs")
    result = declared("verify", "--json")
    assert result.code == 1
    assert result.document["checks"][0]["state"] == "unknown"


def confirmed(cli: Cli) -> dict[str, Any]:
    """The last confirmation, as the record keeps it."""
    lines = [json.loads(line)["event"] for line in cli.done("journal", "export").out.splitlines()]
    return next(event for event in reversed(lines) if event["type"] == "component_confirmed")


def test_what_was_advised_is_kept_with_the_decision_and_whether_it_was_another_one(declared: Cli, world: World) -> None:
    declared.done("rollback", "gateway", "--confirm", "gateway")
    against = confirmed(declared)
    assert (against["overrules"], against["advice"]) == (True, "Nothing to roll back: no trigger fires.")
    world.change("values", "latency", 34.0)
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    following = confirmed(declared)
    assert (following["overrules"], following["advice"]) == (
        False,
        "Roll back Dashboard, because Latency points to it.",
    )
