"""Whole drills by command, one a scenario: what is guilty heals when it goes, and nothing is left behind."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from console.sandbox.model import scenario as scenarios
from tests.real.drilling import Drilling, drilling
from tests.real.program import Console
from tests.real.servers import poll
from tests.real.terminal import Terminal


def is_gone(folder: Path) -> bool:
    """No process and no folder of the drill is left."""
    return not folder.exists() and not any(str(folder).encode() in line for line in _command_lines())


def _command_lines() -> Iterator[bytes]:
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                yield (place / "cmdline").read_bytes()


def test_a_drill_from_the_first_trigger_to_the_resolved_incident(tmp_path: Path) -> None:
    with drilling(tmp_path, "slow-analysis") as drill:
        console = drill.console
        drill.fires("latency-p95")
        assert console.status()["incident"]["mode"] == "drill"
        console.declare()
        console.done("notify", "development-team")
        drill.roll_back("qec-analysis")
        drill.is_healed()
        measured = ("performance", "response-time", "load-tests")
        poll("it is as fast as before", lambda: console.run("verify", *measured).code == 0, seconds=LATER_SECONDS)
        verified = console.run("--json", "verify").document["checks"]
        standing = {check["id"] for check in verified if check["state"] in ("fail", "unknown")}
        # The dashboard has not been touched, and a command of a moment has not watched the health checks for five minutes.
        assert standing == {"dashboard-works", "monitoring-stable"}
        console.done("waive", "monitoring-stable", "--reason", "watched on the dashboards")
        for check in verified:
            if check["state"] == "not_run":
                console.done("sign", check["id"], "--note", "looked at it")
        for notice in ("engineering-management", "incident-tracker", "executives"):
            console.done("notify", notice)
        console.done("impact", "user-facing", "yes", "--note", "support says so")
        console.done("notify", "status-page")
        console.done("resolve", "--note", "p95 is back")
        debrief = drill.end()
    assert (debrief["unnecessary"], debrief["forgotten"]) == ([], [])
    assert debrief["declared"] < debrief["rolled_back"] < debrief["recovered"] < debrief["resolved"]
    assert [told["given"] is not None for told in debrief["told"]] == [True] * 5
    assert is_gone(console.procedure.parent)


def test_the_first_release_heals_where_the_one_before_is_broken_too(tmp_path: Path) -> None:
    with drilling(tmp_path, "broken-dashboard") as drill:
        drill.fires("error-rate")
        drill.console.declare()
        drill.roll_back("dashboard")
        drill.is_healed()
        debrief = drill.end()
    assert debrief["unnecessary"] == []
    assert debrief["recovered"] is not None


def test_one_of_two_guilty_ones_is_not_enough_and_the_triggers_say_which_is_left(tmp_path: Path) -> None:
    with drilling(tmp_path, "two-guilty") as drill:
        drill.fires("latency-p95", "error-rate")
        drill.console.declare()
        drill.roll_back("qec-analysis")
        drill.is_healed("latency-p95", "memory")
        assert drill.verdicts()["error-rate"] == "firing"
        drill.roll_back("opa-policies")
        drill.is_healed()
        debrief = drill.end()
    assert debrief["unnecessary"] == []
    assert not [f for f in debrief["forgotten"] if f.startswith("to roll back")]


def test_missing_records_are_recovered_though_no_trigger_knows_of_them(tmp_path: Path) -> None:
    with drilling(tmp_path, "missing-records") as drill:
        assert set(drill.verdicts().values()) == {"ok"}
        drill.console.declare()
        drill.roll_back("audit-trail")
        debrief = drill.end()
    assert debrief["rolled_back"] is not None
    assert debrief["unnecessary"] == []


def test_a_replica_that_is_away_stops_the_restore_until_it_is_back(tmp_path: Path) -> None:
    with drilling(tmp_path, "a-replica-goes-down", speed=30) as drill:
        console = drill.console
        console.declare()
        poll("opa-2 is away", lambda: console.run("preflight", "opa-policies").code != 0, seconds=30)
        refused = console.run("rollback", "opa-policies", "--confirm", "opa-policies")
        assert refused.code in (1, 4)
        assert "connection refused" in refused.said
        poll("opa-2 is back", lambda: console.run("preflight", "opa-policies").code == 0, seconds=60)
        drill.roll_back("opa-policies")
        drill.is_healed()
        drill.end()
    assert "opa-2 is being moved to another node." in drill.said


@pytest.mark.tmux
def test_what_a_colleague_changes_meanwhile_is_not_overwritten_unseen(tmp_path: Path) -> None:
    with drilling(tmp_path, "a-colleague-helps", speed=10) as drill, Terminal(drill.console, 120, 40) as terminal:
        terminal.wait("DRILL", "NEXT  Declare the incident")
        terminal.press("n")
        terminal.wait("Why\\? One line")
        terminal.type("p95 is at 34 s")
        terminal.wait("NEXT  Roll back QEC Analysis Service")
        terminal.press("n")
        terminal.wait("Type  qec-analysis ")
        poll("the colleague has helped", lambda: drill.cluster("deployments/api-gateway")["spec"]["replicas"] == 4)
        terminal.type("qec-analysis")
        terminal.wait("was changed by jonas")
        drill.end()
    assert "(jonas)" in drill.said


def test_argo_puts_back_what_is_rolled_back_unless_it_is_held(tmp_path: Path) -> None:
    with drilling(tmp_path, "argo-fights-back") as drill:
        console = drill.console
        drill.fires("latency-p95")
        console.declare()
        console.run("rollback", "qec-analysis", "--confirm", "qec-analysis")
        back = "QEC_ENABLED=false"
        poll("Argo CD has put it back", lambda: back in console.done("plan", "qec-analysis").said, seconds=30)
        drill.roll_back("hold-gitops")
        drill.roll_back("qec-analysis")
        drill.is_healed()
        assert "hold" in console.run("resolve", "--note", "done").said.lower()
        drill.end()


def test_on_a_quiet_evening_nothing_fires_and_nothing_is_forgotten(tmp_path: Path) -> None:
    with drilling(tmp_path, "quiet") as drill:
        assert set(drill.verdicts().values()) == {"ok"}
        debrief = drill.end()
    assert (debrief["unnecessary"], debrief["forgotten"]) == ([], [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda s: s.name)
def test_whatever_ends_a_drill_nothing_is_left_behind(tmp_path: Path, number: signal.Signals) -> None:
    with drilling(tmp_path, "quiet") as drill:
        folder = drill.console.procedure.parent
        drill.process.send_signal(number)
        drill.process.wait(30)
        poll("all of it is gone", lambda: is_gone(folder), seconds=30)


def told_by_people(drill: Drilling, name: str) -> None:
    """What no system knows: the auditors' call."""
    if name == "missing-records":
        drill.console.done("attest", "data-integrity", "--reason", "the auditors miss this year's entries")


def advised(drill: Drilling) -> list[str]:
    found: list[str] = drill.console.done("--json", "status").document["advised"]
    return found


@pytest.mark.parametrize("name", scenarios.names())
def test_the_advice_names_what_is_guilty_one_after_the_other_and_stops_when_it_is_healed(
    tmp_path: Path, name: str
) -> None:
    scenario = scenarios.load(name)
    away = any(h.what == "down" for h in scenario.happenings)
    with drilling(tmp_path, name, speed=30 if away else 60) as drill:
        console = drill.console
        holds = ["hold-gitops"] if any(h.what == "selfheal" for h in scenario.happenings) else []
        told_by_people(drill, name)
        expected = [*holds, *scenario.guilty]
        poll("the guilty are named", lambda: advised(drill) == expected, seconds=LATER_SECONDS)
        console.declare()
        gone = []
        while left := advised(drill):
            assert left[0] in expected, f"{left} after {gone}"
            if away:
                poll("every replica is there", lambda: console.run("preflight", left[0]).code == 0, seconds=60)
            drill.roll_back(left[0])
            gone.append(left[0])
            if name == "missing-records":
                console.done("withdraw", "data-integrity", "--reason", "the rows are back")
        assert gone == expected
        drill.is_healed()
        assert advised(drill) == []
        words = "Stop here" if gone else "Nothing to roll back"
        assert console.done("--json", "status").document["advice"].startswith(words)
        assert drill.end()["unnecessary"] == []


COMPONENTS = ("qec-analysis", "dashboard", "opa-policies", "monitoring", "audit-trail", "policy-repository")
LATER_SECONDS = 60.0


@pytest.mark.tmux
@pytest.mark.parametrize("name", scenarios.names())
def test_a_drill_by_keys_from_its_start_to_its_debrief(tmp_path: Path, name: str) -> None:
    scenario = scenarios.load(name)
    holds = [h for h in scenario.happenings if h.what == "selfheal"]
    order = ("hold-gitops", *COMPONENTS) if holds else COMPONENTS
    away = any(h.what == "down" for h in scenario.happenings)
    speed = "20" if away else "60"  # time enough to see it away
    anywhere = Console(tmp_path / "none.toml", tmp_path / "none", {"XDG_STATE_HOME": str(tmp_path)})
    with Terminal(anywhere, 120, 40, "drill", "--scenario", name, "--speed", speed) as terminal:
        terminal.wait("DRILL", "1  (QEC|Hold)", seconds=LATER_SECONDS)
        if scenario.guilty:
            terminal.press("d")
            terminal.wait("Why\\? One line")
            terminal.type("a drill")
            terminal.wait("INC-0001")
            tell_by_keys(terminal)
        if away:
            preview_until_blocked(terminal, order.index(scenario.guilty[0]))
        for component in (*(["hold-gitops"] if holds else []), *scenario.guilty):
            roll_back_by_keys(terminal, order.index(component), component)
        terminal.press("q")
        terminal.wait(f"Debrief: {scenario.title}", "Unnecessary: nothing", seconds=LATER_SECONDS)
        if not scenario.guilty:
            terminal.wait("Forgotten: nothing")


def tell_by_keys(terminal: Terminal) -> None:
    """The first notice is read and sent."""
    terminal.press("4", "m")
    terminal.wait("Send: Notify the development team", "DRILL - this is an exercise", seconds=LATER_SECONDS)
    terminal.press("C-s")
    terminal.wait(r"sent to Slack \(chat\)", seconds=LATER_SECONDS)


def select(terminal: Terminal, row: int) -> None:
    terminal.press("2", *["k"] * len(COMPONENTS), *["j"] * row)


def close(terminal: Terminal) -> None:
    """Only when the frame has gone: Escape and a letter right behind it are one key to a terminal."""
    terminal.press("Escape")
    terminal.wait_without("┏")


def preview_until_blocked(terminal: Terminal, row: int) -> None:
    """Until the system that the scenario takes away has gone: what is sent at that very moment would be a person's to settle."""
    select(terminal, row)
    deadline = time.monotonic() + LATER_SECONDS
    blocked = False
    while not blocked and time.monotonic() < deadline:
        terminal.press("b")
        terminal.wait("Type  |can't work", seconds=LATER_SECONDS)
        blocked = "can't work" in terminal.screen
        close(terminal)
    assert blocked, terminal.screen


def roll_back_by_keys(terminal: Terminal, row: int, component: str) -> None:
    """Tried again where something happened meanwhile, as a person would after reading why it was refused."""
    select(terminal, row)
    deadline = time.monotonic() + LATER_SECONDS
    while time.monotonic() < deadline:
        terminal.press("b")
        terminal.wait(f"Type  {component} |BLOCKED|can't be planned", seconds=LATER_SECONDS)
        if f"Type  {component} " in terminal.screen:
            terminal.type(component)
            terminal.wait(r": (rolled back|FAILED|stopped)[.]", seconds=LATER_SECONDS)
            if ": rolled back." in terminal.screen:
                return
        else:
            close(terminal)
    raise AssertionError(terminal.screen)


def test_every_scenario_has_its_drill_here() -> None:
    text = Path(__file__).read_text()
    assert not [name for name in scenarios.names() if f'drilling(tmp_path, "{name}"' not in text]


def test_a_second_drill_is_compared_with_the_first(tmp_path: Path) -> None:
    for _ in range(2):
        with drilling(tmp_path, "quiet") as drill:
            drill.console.declare()
            drill.end()
    history = tmp_path / "state" / "rollback-console" / "drills" / "history.jsonl"
    assert len(history.read_text().splitlines()) == 2


def test_drills_never_share_a_journal_with_anything_else(tmp_path: Path) -> None:
    with drilling(tmp_path, "quiet") as drill:
        assert drill.console.journal.parent == tmp_path / "state" / "rollback-console" / "drills"
        drill.end()
