"""Every way in which a command can end has its code; scripts and people's shells depend on these."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Cli
from tests.cli.simulated import World

ROLL_BACK = ("rollback", "dashboard", "--confirm", "dashboard")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("rollback", "--help"),
        ("--version",),
        ("check",),
        ("schema",),
        ("status",),
        ("triggers",),
        ("plan", "dashboard"),
        ("preflight",),
        ("declare", "--reason", "latency"),
        ("recover",),
    ],
)
def test_done_is_0(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli(*arguments).code == 0


def test_a_component_rolled_back_with_proof_is_0(declared: Cli, world: World) -> None:
    assert declared(*ROLL_BACK).code == 0
    assert world.value("dashboard") == "old"


def test_a_check_that_fails_is_1(declared: Cli) -> None:
    assert declared("verify").code == 1


def test_a_step_that_fails_is_1(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "crashes")
    assert declared(*ROLL_BACK).code == 1


def test_a_damaged_journal_is_1(declared: Cli) -> None:
    declared.journal.write_bytes(b"this is no journal at all" * 100)
    assert declared("journal", "verify").code == 1
    assert declared("status").code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("no-such-command",),
        ("rollback",),
        ("rollback", "dashboard"),
        ("declare",),
        ("settle", "x", "--as", "maybe", "--note", "n"),
        ("check", "missing.toml"),
        ("-c", "missing.toml", "status"),
        ("--json",),
        ("journal",),
    ],
)
def test_usage_is_2(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli(*arguments).code == 2


@pytest.mark.parametrize("url", ["postgres://host/db", "sqlite://host/path", "sqlite://", "sqlite:///x?mode=ro"])
def test_a_journal_address_that_is_none_is_2(cli: Cli, url: str) -> None:
    result = cli("--journal", url, "status")
    assert result.code == 2
    assert "sqlite:///path/to/file" in result.err


@pytest.mark.parametrize("text", ["[incident\n", '[incident]\ntitel = "x"\n', "", "\x00"])
def test_a_configuration_that_is_wrong_is_2(cli: Cli, text: str) -> None:
    cli.config.write_text(text)
    for command in (("check",), ("status",), ("plan", "dashboard")):
        assert cli(*command).code == 2


def test_an_outcome_that_nobody_knows_is_3(declared: Cli, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.engine.executor._PROBE_PAUSES_SECONDS", (0.0,))
    world.change("trouble", "dashboard", "blind")
    assert declared(*ROLL_BACK).code == 3
    assert declared(*ROLL_BACK).code == 3, "it waits for a person, however often it is asked"
    assert world.sent("dashboard") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ROLL_BACK,
        ("sign", "complaints", "--note", "n"),
        ("waive", "complaints", "--reason", "r"),
        ("ack", "developers", "--note", "n"),
        ("resolve",),
        ("settle", "undo-dashboard", "--as", "done", "--note", "n"),
        ("plan", "no-such-component"),
        ("verify", "no-such-check"),
        ("verify", "complaints"),
        ("journal", "show"),
    ],
)
def test_refused_without_an_incident_is_4(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli(*arguments).code == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ("declare", "--reason", "again"),
        ("declare", "--reason", "  "),
        ("resolve",),
        ("rollback", "dashboard", "--confirm", "dashbord"),
        ("rollback", "dashboard", "gateway", "--confirm", "dashboard"),
        ("rollback", "dashboard", "--confirm", "dashboard,gateway"),
        ("rollback", "no-such-component", "--confirm", "no-such-component"),
        ("rollforward", "dashboard", "--confirm", "dashboard"),
        ("rollback", "dashboard", "--confirm", "dashboard", "--plan", "0" * 64),
        ("stop", "dashboard"),
        ("sign", "dashboard-is-old", "--note", "n"),
        ("ack", "nobody", "--note", "n"),
    ],
)
def test_refused_is_4_and_changes_nothing(declared: Cli, world: World, arguments: tuple[str, ...]) -> None:
    assert declared(*arguments).code == 4
    assert world.read()["sent"] == {}


def test_a_missing_permission_is_4(declared: Cli, world: World) -> None:
    world.change("trouble", "features", "forbidden")
    assert declared("preflight").code == 4
    assert declared("plan", "dashboard").code == 4
    assert declared(*ROLL_BACK).code == 4
    assert world.read()["sent"] == {}


def test_a_foreign_change_is_4(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "refuses")
    result = declared(*ROLL_BACK)
    assert result.code == 4
    assert "changed by somebody else" in result.out


def test_a_persons_turn_is_4(declared: Cli) -> None:
    result = declared("rollback", "provider", "--confirm", "provider")
    assert result.code == 4
    assert "sign call-provider" in result.out
    assert declared.component("provider")["state"] == "stopped"
