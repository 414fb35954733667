"""Whatever takes the terminal away in the middle of a step: the step ends proven, and the next one is not begun."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real import scene
from tests.real.held_rollout import held_rollouts, recorded, wait_recorded
from tests.real.program import DEADLINE_SECONDS, Console, ended
from tests.real.scene import GATEWAY, NAMESPACE
from tests.real.servers import ControlPlane, poll
from tests.real.snapshots import snapshot
from tests.real.terminal import BarePty, Terminal, gone

CANCELLED = 130
ROLLBACK = ("rollback", "qec-analysis", "--confirm", "qec-analysis")
LEFT_AFTER_THE_STEP = ["step_applied", "stop_requested", "step_proven", "component_stopped"]


@pytest.fixture
def console(fresh_scene: ControlPlane, tmp_path: Path) -> Console:
    """The scene's procedure, and an incident that has just been declared."""
    found = Console.beside(scene.write_procedure(tmp_path, fresh_scene.kubeconfig(), "admin", None))
    found.declare()
    return found


def the_step_was_finished_and_the_next_not_begun(console: Console, cluster: ControlPlane) -> None:
    assert recorded(console)[-4:] == LEFT_AFTER_THE_STEP, recorded(console)
    assert recorded(console).count("step_intended") == 1
    component = console.component("qec-analysis")
    assert component["state"] == "stopped", component
    assert [step["state"] for step in component["steps"]] == ["proven", "untouched"], component
    assert _switch(cluster) == "false"
    assert not snapshot(cluster, "original-")


def going_on_completes_it(console: Console, cluster: ControlPlane) -> None:
    generation = cluster.deployment(NAMESPACE, GATEWAY)["metadata"]["generation"]
    run = console.done("--json", *ROLLBACK)
    assert run.document["components"][0]["state"] == "rolled_back"
    assert cluster.deployment(NAMESPACE, GATEWAY)["metadata"]["generation"] == generation
    assert "Deployment original-policy-validator" in snapshot(cluster, "original-")


def _switch(cluster: ControlPlane) -> str:
    gateway = cluster.deployment(NAMESPACE, GATEWAY)["spec"]["template"]["spec"]["containers"][0]
    return str({e["name"]: e["value"] for e in gateway["env"]}["QEC_ENABLED"])


# ------------------------------------------------------------ the screen


@contextmanager
def rolling_back_by_keys(console: Console) -> Iterator[Terminal]:
    """The console in tmux while the first step of a component is being watched."""
    with Terminal(console, 120, 40) as terminal:
        terminal.wait("QEC analysis service", "NEXT  Due now")
        terminal.press("2", "b")
        terminal.wait("Type  qec-analysis ")
        terminal.type("qec-analysis")
        wait_recorded(console, "step_applied")
        yield terminal


def has_left(terminal: Terminal | BarePty) -> None:
    poll("the program has left", lambda: gone(terminal.pid), seconds=DEADLINE_SECONDS)


def _terminate(terminal: Terminal) -> None:
    os.kill(terminal.pid, signal.SIGTERM)


def _leave_by_keys(terminal: Terminal) -> None:
    terminal.press("C-q")
    terminal.wait("Leave\\?", "QEC analysis service is running")
    terminal.press("Tab", "Enter")
    terminal.wait("finishing disable-qec, then leaving")


WAYS_TO_LEAVE: dict[str, Callable[[Terminal], None]] = {
    "the tmux server is killed": Terminal.kill_tmux,
    "SIGTERM": _terminate,
    "leaving by keys": _leave_by_keys,
}


@pytest.mark.tmux
@pytest.mark.parametrize("way", WAYS_TO_LEAVE)
def test_when_the_screen_goes_the_step_under_way_is_finished_first(
    console: Console, fresh_scene: ControlPlane, way: str
) -> None:
    with held_rollouts(fresh_scene) as go_on, rolling_back_by_keys(console) as terminal:
        WAYS_TO_LEAVE[way](terminal)
        wait_recorded(console, "stop_requested")
        assert not gone(terminal.pid), "it left before the step's proof"
        go_on()
        has_left(terminal)
    the_step_was_finished_and_the_next_not_begun(console, fresh_scene)
    going_on_completes_it(console, fresh_scene)


@pytest.mark.tmux
def test_a_screen_that_is_killed_is_picked_up_by_the_next_one(console: Console, fresh_scene: ControlPlane) -> None:
    with held_rollouts(fresh_scene), rolling_back_by_keys(console) as terminal:
        os.kill(terminal.pid, signal.SIGKILL)
        has_left(terminal)
    assert recorded(console)[-1] == "step_applied"
    generation = fresh_scene.deployment(NAMESPACE, GATEWAY)["metadata"]["generation"]
    with Terminal(console, 120, 40) as terminal:
        terminal.wait("1  QEC analysis service +. stopped", "disable-qec +proven", "the console died here")
        terminal.press("g")
        terminal.wait("already so", "Type  qec-analysis ")
        terminal.type("qec-analysis")
        terminal.wait("1  QEC analysis service +✔ rolled back")
    assert fresh_scene.deployment(NAMESPACE, GATEWAY)["metadata"]["generation"] == generation
    assert "Deployment original-policy-validator" in snapshot(fresh_scene, "original-")


# ------------------------------------------------------------ the command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_to_the_command_lets_it_finish_its_step(
    console: Console, fresh_scene: ControlPlane, number: signal.Signals
) -> None:
    with held_rollouts(fresh_scene) as go_on, console.started(*ROLLBACK) as process:
        wait_recorded(console, "step_applied")
        process.send_signal(number)
        wait_recorded(console, "stop_requested")
        go_on()
        run = ended(process)
    assert run.code == CANCELLED, run.said
    assert "finishing disable-qec, then stopping" in run.err
    assert "stopped as asked" in run.out
    the_step_was_finished_and_the_next_not_begun(console, fresh_scene)
    going_on_completes_it(console, fresh_scene)


def test_a_second_signal_stops_waiting_for_the_proof_and_says_so(console: Console, fresh_scene: ControlPlane) -> None:
    with held_rollouts(fresh_scene), console.started(*ROLLBACK) as process:
        wait_recorded(console, "step_applied")
        process.send_signal(signal.SIGINT)
        wait_recorded(console, "stop_requested")
        process.send_signal(signal.SIGINT)
        run = ended(process)
    assert run.code == CANCELLED, run.said
    assert "the wait was stopped" in run.out
    assert recorded(console)[-2:] == ["step_failed", "component_stopped"]
    fresh_scene.wait_rolled_out(NAMESPACE, GATEWAY, seconds=30)
    going_on_completes_it(console, fresh_scene)


def test_a_signal_before_anything_is_confirmed_changes_nothing(console: Console, fresh_scene: ControlPlane) -> None:
    fresh_scene.apiserver.pause()  # the preview waits for it
    try:
        with console.started(*ROLLBACK) as process:
            poll("the program is up", lambda: _handles_signals(process.pid), seconds=DEADLINE_SECONDS)
            process.send_signal(signal.SIGINT)
            fresh_scene.apiserver.resume()
            run = ended(process)
    finally:
        fresh_scene.apiserver.resume()
    assert run.code == CANCELLED, run.said
    assert "nothing was changed" in run.err
    assert recorded(console) == ["incident_declared"]


def _handles_signals(pid: int) -> bool:
    """Whether SIGHUP is caught: by default it would kill, and Python alone leaves it so."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(caught & 1 << (signal.SIGHUP - 1))


def test_a_closed_terminal_lets_the_command_finish_its_step(console: Console, fresh_scene: ControlPlane) -> None:
    """The pseudo-terminal's other end is closed, as by an ssh connection that is lost."""
    with held_rollouts(fresh_scene) as go_on, BarePty(console, *ROLLBACK) as terminal:
        wait_recorded(console, "step_applied")
        terminal.close()
        wait_recorded(console, "stop_requested")
        assert not gone(terminal.pid), "it left before the step's proof"
        go_on()
        has_left(terminal)
    the_step_was_finished_and_the_next_not_begun(console, fresh_scene)
    going_on_completes_it(console, fresh_scene)
