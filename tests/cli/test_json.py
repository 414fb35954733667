"""The names and shapes that machines read. Fields may be added; what stands here never changes."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from tests.cli.conftest import Cli
from tests.cli.simulated import World


def shape(document: Any) -> Any:
    """The keys of a document, and those of the first item of each list."""
    if isinstance(document, dict):
        return {key: shape(value) for key, value in document.items()}
    return [shape(document[0])] if isinstance(document, list) and document else type(document).__name__


def test_status_is_one_object_with_the_agreed_names(declared: Cli) -> None:
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    result = declared.done("status", "--json")
    assert len(result.out.splitlines()) == 1
    status = result.document
    assert {"incident", "triggers", "components", "checks", "notices", "next_action"} <= set(status)
    assert {"id", "title", "state", "declared_at", "elapsed_seconds", "commander", "epoch", "mode"} <= set(
        status["incident"]
    )
    assert {"id", "verdict", "value", "threshold", "unit", "since", "reason"} <= set(status["triggers"][0])
    assert {"id", "state", "steps"} <= set(status["components"][0])
    assert {"id", "kind", "state", "reason"} <= set(status["components"][0]["steps"][0])
    assert {"id", "group", "state", "evidence"} <= set(status["checks"][0])
    assert {"id", "state", "due_at"} <= set(status["notices"][0])
    assert {"text", "command"} <= set(status["next_action"])


def test_status_says_what_is_so(declared: Cli) -> None:
    declared.done("rollback", "dashboard", "--confirm", "dashboard")
    status = declared.status()
    assert status["incident"]["state"] == "open"
    assert status["incident"]["commander"] == "alice"
    assert status["incident"]["mode"] == "live"
    assert [(c["id"], c["state"]) for c in status["components"]] == [
        ("dashboard", "rolled_back"),
        ("gateway", "untouched"),
        ("provider", "untouched"),
    ]
    assert [s["state"] for s in status["components"][0]["steps"]] == ["proven", "proven"]
    assert [(c["id"], c["state"]) for c in status["checks"]] == [
        ("dashboard-is-old", "not_run"),
        ("complaints", "not_run"),
    ]
    assert [(n["id"], n["state"]) for n in status["notices"]] == [("developers", "due"), ("management", "waiting")]


def test_times_are_rfc_3339_with_their_zone(declared: Cli) -> None:
    status = declared.status()
    for text in (status["at"], status["incident"]["declared_at"], status["notices"][0]["due_at"]):
        assert text.endswith("Z")
        assert datetime.fromisoformat(text).tzinfo is not None


def test_status_before_any_incident_leaves_no_file_behind(cli: Cli) -> None:
    status = cli.status()
    assert status["incident"]["state"] == "none"
    assert status["incident"]["declared_at"] is None
    assert [c["state"] for c in status["components"]] == ["untouched"] * 3
    assert not cli.journal.parent.exists()


def test_a_firing_trigger_is_in_the_status_and_in_the_record(cli: Cli, world: World) -> None:
    world.change("values", "latency", 34.2)
    trigger = cli.status()["triggers"][0]
    assert (trigger["verdict"], trigger["value"], trigger["threshold"], trigger["unit"]) == ("firing", 34.2, 30.0, "s")
    cli.done("declare", "--reason", "latency")
    offline = cli.done("status", "--json", "--offline").document
    assert offline["triggers"][0]["verdict"] == "firing", "the declaration recorded it"
    assert offline["next_action"]["command"] == "rollback dashboard --confirm dashboard"


def test_a_source_that_is_down_never_reads_as_healthy(cli: Cli, world: World) -> None:
    world.change("values", "latency", "broken")
    trigger = cli.done("triggers", "--json").document["triggers"][0]
    assert trigger["verdict"] == "no_data"
    assert "the source is down" in trigger["reason"]


def test_a_plan_shows_each_change_and_its_hash(cli: Cli) -> None:
    plan = cli.done("plan", "dashboard", "gateway", "--json").document
    assert shape(plan) == {
        "components": [
            {
                "id": "str",
                "title": "str",
                "direction": "str",
                "contexts": ["str"],
                "blocked": "bool",
                "already": "bool",
                "hash": "str",
                "steps": [
                    {
                        "id": "str",
                        "kind": "str",
                        "title": "str",
                        "summary": "str",
                        "hash": "str",
                        "already": "bool",
                        "lines": ["str"],
                        "commands": ["str"],
                        "findings": [{"level": "str", "text": "str", "code": "str"}],
                        "problem": "str",
                    }
                ],
            }
        ],
        "hash": "str",
    }
    step = plan["components"][0]["steps"][0]
    assert step["lines"] == ['- dashboard: "new"', '+ dashboard: "old"']
    assert step["commands"] == ["sim set dashboard old"]


def test_preflight_names_what_is_forbidden(cli: Cli, world: World) -> None:
    world.change("trouble", "gateway", "forbidden")
    result = cli("preflight", "--json")
    assert result.code == 4
    blocked = {c["id"]: c["blocked"] for c in result.document["components"]}
    assert blocked == {"dashboard": False, "gateway": True, "provider": False}
    finding = result.document["components"][1]["steps"][0]["findings"][0]
    assert finding == {"level": "block", "text": "not allowed: may not set gateway", "code": "forbidden"}


def test_preflight_ends_with_what_is_ready_and_what_is_not(cli: Cli, world: World) -> None:
    assert cli("preflight").out.splitlines()[-1] == "3 of 3 ready: dashboard, gateway, provider"
    world.change("trouble", "gateway", "forbidden")
    assert cli("preflight").out.splitlines()[-2:] == ["2 of 3 ready: dashboard, provider", "BLOCKED: gateway"]


def test_rollback_prints_an_object_for_each_event(declared: Cli) -> None:
    lines = declared.done("rollback", "dashboard", "--confirm", "dashboard", "--json").documents
    assert lines[0]["event"] == "plan"
    assert lines[-1]["event"] == "ended"
    assert lines[-1]["exit_code"] == 0
    assert lines[-1]["components"][0]["state"] == "rolled_back"
    steps = [(line["step"]["id"], line["step"]["state"]) for line in lines if "step" in line]
    life = ["intended", "sent", "applied", "proven"]
    assert steps == [(step, state) for step in ("undo-dashboard", "hide-features") for state in life]
    assert shape(lines[2]) == {
        "event": "str",
        "seq": "int",
        "at": "str",
        "actor": "str",
        "component": {"id": "str", "state": "str"},
        "step": {"id": "str", "kind": "str", "state": "str", "reason": "str"},
    }


def test_verify_gives_evidence(declared: Cli) -> None:
    result = declared("verify", "--json")
    assert result.code == 1
    assert result.document["recorded"] is True
    checks = {c["id"]: (c["state"], c["evidence"]) for c in result.document["checks"]}
    assert checks == {"dashboard-is-old": ("fail", "dashboard is new"), "complaints": ("not_run", "")}


def test_an_error_is_an_object_too(cli: Cli) -> None:
    result = cli("rollback", "dashboard", "--confirm", "dashboard", "--json")
    error = result.document["error"]
    assert (error["exit_code"], error["message"]) == (4, "no incident is open")
    assert "declare" in error["hint"]


def test_configuration_errors_have_their_places(cli: Cli) -> None:
    cli.config.write_text('[incident]\ntitle = "x"\nsoka = "5m"\n')
    result = cli("check", "--json")
    assert result.code == 2
    problem = result.document["problems"][0]
    assert (problem["line"], problem["column"]) == (3, 1)
    assert "soak" in problem["hint"]


def test_the_schema_is_one(cli: Cli) -> None:
    schema = json.loads(cli.done("schema").out)
    assert schema["type"] == "object"
