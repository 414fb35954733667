"""Signals, broken pipes and sudden death: the step under way is finished and recorded, or found out about afterwards."""

from __future__ import annotations

import signal

import pytest

from tests.cli.conftest import Cli
from tests.cli.processes import Terminal, start, until
from tests.cli.simulated import World

ROLL_BACK = ("rollback", "dashboard", "--confirm", "dashboard")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_step_under_way_is_finished_and_the_next_not_begun(
    declared: Cli, world: World, number: signal.Signals
) -> None:
    world.change("trouble", "dashboard", "waits")
    process = start(declared.folder, *ROLL_BACK)
    until("the first step is sent", lambda: world.sent("dashboard") == 1)
    process.send_signal(number)
    until("it was asked to stop", lambda: "asked Dashboard to stop" in declared("journal", "show").out)
    assert process.poll() is None, "it waits for the proof"
    world.ready("dashboard").touch()
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "finishing Undo the dashboard" in err
    component = declared.component("dashboard")
    assert component["state"] == "stopped"
    assert [s["state"] for s in component["steps"]] == ["proven", "untouched"]
    assert world.sent("features") == 0
    world.change("trouble", "dashboard", "")
    declared.done(*ROLL_BACK)
    assert world.sent("dashboard") == 1


def test_a_second_signal_stops_waiting_for_the_proof(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "waits")
    process = start(declared.folder, *ROLL_BACK)
    until("the first step is sent", lambda: world.sent("dashboard") == 1)
    process.send_signal(signal.SIGINT)
    until("it was asked to stop", lambda: "asked Dashboard to stop" in declared("journal", "show").out)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    step = declared.component("dashboard")["steps"][0]
    assert (step["state"], "stands" in step["reason"]) == ("failed", True)


def test_somebody_else_can_ask_it_to_stop(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "waits")
    process = start(declared.folder, *ROLL_BACK)
    until("the first step is sent", lambda: world.sent("dashboard") == 1)
    declared.done("stop", "dashboard")
    world.ready("dashboard").touch()
    process.communicate(timeout=30)
    assert process.returncode == 4
    assert world.sent("features") == 0


def test_while_one_works_another_is_refused_and_sees_it_running(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "waits")
    process = start(declared.folder, *ROLL_BACK)
    until("the first step is sent", lambda: world.sent("dashboard") == 1)
    assert declared.component("dashboard")["state"] == "running"
    refused = declared("rollback", "gateway", "--confirm", "gateway", "--side-by-side")
    assert refused.code == 4
    assert str(process.pid) in refused.err
    assert declared("recover").code == 4
    world.ready("dashboard").touch()
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_after_a_sudden_death_it_is_shown_as_interrupted_and_found_out_about(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "waits")
    process = start(declared.folder, *ROLL_BACK)
    until("the first step is sent", lambda: world.sent("dashboard") == 1)
    process.kill()
    process.communicate()
    status = declared.status()
    assert status["components"][0]["state"] == "stopped"
    assert "interrupted" in status["components"][0]["reason"]
    assert status["next_action"]["command"] == "recover"
    world.ready("dashboard").touch()
    result = declared.done(*ROLL_BACK)
    assert "left behind by another console" in result.out
    assert world.read()["sent"] == {"dashboard": 1, "features": 1}


def test_a_reader_that_goes_away_does_not_stop_the_work(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "waits")
    process = start(declared.folder, *ROLL_BACK)
    until("the first step is sent", lambda: world.sent("dashboard") == 1)
    assert process.stdout is not None
    process.stdout.close()
    world.ready("dashboard").touch()
    assert process.wait(30) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert declared.component("dashboard")["state"] == "rolled_back"


def test_a_broken_pipe_is_quiet(declared: Cli) -> None:
    process = start(declared.folder, "status")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(30) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


# ------------------------------------------------------------ the console on the screen


def test_a_terminal_that_vanishes_ends_the_picture_and_not_the_step(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "waits")
    terminal = Terminal(declared.folder, program="tests.cli.on_screen")
    terminal.until_shown("waiting for dashboard")
    terminal.vanish()
    until("it was asked to stop", lambda: "asked Dashboard to stop" in declared("journal", "show").out)
    world.ready("dashboard").touch()
    assert terminal.until_ended() == 130
    component = declared.component("dashboard")
    assert [s["state"] for s in component["steps"]] == ["proven", "untouched"]


def test_leaving_waits_for_the_proof_and_says_so(declared: Cli, world: World) -> None:
    world.change("trouble", "dashboard", "waits")
    terminal = Terminal(declared.folder, program="tests.cli.on_screen")
    terminal.until_shown("waiting for dashboard")
    terminal.signal(signal.SIGTERM)
    terminal.until_shown("finishing Undo the dashboard, then leaving")
    terminal.signal(signal.SIGINT)
    assert terminal.until_ended() == 130
    assert declared.component("dashboard")["steps"][0]["state"] == "failed"


def test_a_configuration_that_is_wrong_is_told_on_the_normal_screen(declared: Cli) -> None:
    declared.config.write_text(declared.config.read_text().replace("soak", "soka", 1))
    terminal = Terminal(declared.folder)
    assert terminal.until_ended() == 2
    assert b"soka" in terminal.seen.rpartition(b"\x1b[?1049l")[2]


@pytest.mark.parametrize("text", ["[incident\n", None])
def test_what_a_glance_can_tell_is_told_before_the_screen_opens(declared: Cli, text: str | None) -> None:
    declared.config.unlink() if text is None else declared.config.write_text(text)
    terminal = Terminal(declared.folder)
    assert terminal.until_ended() == 2
    assert b"\x1b[?1049h" not in terminal.seen


def test_without_a_terminal_it_says_so(declared: Cli) -> None:
    process = start(declared.folder)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "needs a terminal" in err


def test_the_terminal_is_given_back(declared: Cli) -> None:
    terminal = Terminal(declared.folder)
    terminal.until_shown("INC-0001")
    terminal.signal(signal.SIGTERM)
    assert terminal.until_ended() == 130
    assert b"\x1b[?1049l" in terminal.seen
