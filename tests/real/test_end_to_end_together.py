"""Several terminals on one incident, and the machine-readable picture that each of them gives of it at every phase."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.real import scene
from tests.real.held_rollout import held_rollouts, recorded, wait_recorded
from tests.real.program import Console, ended
from tests.real.servers import ControlPlane, PrometheusServer
from tests.real.snapshots import nothing_is_written

REFUSED = 4
ROLLBACK = ("rollback", "qec-analysis", "--confirm", "qec-analysis")
RUN = ["component_confirmed", *["step_intended", "step_sent", "step_applied", "step_proven"] * 2, "component_finished"]


@pytest.fixture
def console(procedure: Path, prometheus: PrometheusServer) -> Console:
    """The procedure with triggers, which fire."""
    scene.breach(prometheus)
    return Console.beside(procedure)


# ------------------------------------------------------------ two processes


def test_while_one_process_rolls_back_another_is_refused_by_its_number(
    console: Console, fresh_scene: ControlPlane
) -> None:
    console.declare()
    with held_rollouts(fresh_scene) as go_on, console.started(*ROLLBACK) as process:
        wait_recorded(console, "step_applied")
        same = console.run(*ROLLBACK)
        other = console.run("rollback", "dashboard", "--confirm", "dashboard")
        go_on()
        first = ended(process)
    for second in (same, other):
        assert second.code == REFUSED, second.said
        assert f"another console is carrying something out just now (process {process.pid})" in second.err
    assert first.code == 0, first.said
    assert [event for event in recorded(console) if event in RUN] == RUN
    assert fresh_scene.deployment(scene.NAMESPACE, scene.DASHBOARD)["spec"]["template"]["spec"]["containers"][0][
        "image"
    ] == ("dash:2.0-qec")


def test_others_sign_and_tell_while_a_rollback_is_running(console: Console, fresh_scene: ControlPlane) -> None:
    console.declare()
    with held_rollouts(fresh_scene) as go_on, console.started("--json", *ROLLBACK) as process:
        wait_recorded(console, "step_applied")
        console.done("ack", "development-team", "--note", "told #dev on Slack")
        console.done("sign", "complaints", "--note", "two in the last hour")
        refused = console.run("ack", "development-team", "--note", "again")
        seen = console.component("qec-analysis")
        go_on()
        run = ended(process)
    assert (refused.code, "was acknowledged at" in refused.err) == (REFUSED, True), refused.said
    assert (seen["state"], [step["state"] for step in seen["steps"]]) == ("running", ["applied", "untouched"])
    assert run.code == 0, run.said
    told = [one["event"] for one in run.lines]
    assert told == ["plan", *RUN, "ended"], "the run tells its own component's events and no others"
    events = recorded(console)
    assert {"notice_acknowledged", "check_signed"} < set(
        events[events.index("step_applied") : events.index("step_proven")]
    )


def test_another_terminal_stops_it_before_its_next_step(console: Console, fresh_scene: ControlPlane) -> None:
    console.declare()
    with held_rollouts(fresh_scene) as go_on, console.started(*ROLLBACK) as process:
        wait_recorded(console, "step_applied")
        console.done("stop", "qec-analysis")
        go_on()
        run = ended(process)
    assert run.code == REFUSED, run.said
    assert recorded(console)[-3:] == ["stop_requested", "step_proven", "component_stopped"]


# ------------------------------------------------------------ the shape of the picture

TEXT, NUMBER, TRUTH, TIME = "text", "number", "truth", "time"
INCIDENT_STATES = {"none", "open", "resolved"}
COMPONENT_STATES = {"untouched", "running", "stopped", "failed", "unknown", "rolled_back", "rolled_forward"}
STEP_STATES = {"untouched", "intended", "sent", "applied", "proven", "already"} | {
    *("failed", "unknown", "diverged", "undone"),
}
SHAPES: dict[str, dict[str, Any]] = {
    "incident": {"id": TEXT, "title": TEXT, "state": INCIDENT_STATES, "declared_at": TIME, "elapsed_seconds": NUMBER}
    | {"commander": TEXT, "epoch": NUMBER, "mode": {"live", "drill", "observe"}},
    "triggers": {"id": TEXT, "verdict": {"ok", "pending", "firing", "no_data", "stale"}, "value": NUMBER}
    | {"threshold": NUMBER, "unit": TEXT, "since": TIME, "reason": TEXT},
    "components": {"id": TEXT, "state": COMPONENT_STATES},
    "steps": {"id": TEXT, "kind": TEXT, "state": STEP_STATES, "reason": TEXT},
    "checks": {"id": TEXT, "group": TEXT, "evidence": TEXT}
    | {"state": {"not_run", "pass", "fail", "unknown", "stale", "signed", "waived"}},
    "notices": {"id": TEXT, "due_at": TIME}
    | {
        "state": {"waiting", "due", "overdue", "sending", "sent", "maybe_sent", "failed", "acknowledged"}
        | {"snoozed", "unasked", "not_needed", "withdrawn"}
    },
    "next_action": {"text": TEXT, "command": TEXT},
}


def picture(console: Console, *arguments: str) -> Any:
    """`status --json` as one object on one line, of the promised shape."""
    run = console.done("--json", "status", *arguments)
    assert len(run.out.splitlines()) == 1
    status = run.document
    for part, shape in SHAPES.items():
        for one in _parts(status, part):
            wrong = [name for name, wanted in shape.items() if name not in one or not _fits(one[name], wanted)]
            assert not wrong, (part, wrong, one)
    return status


def _parts(status: Any, part: str) -> list[Any]:
    if part == "steps":
        return [step for component in status["components"] for step in component["steps"]]
    return status[part] if isinstance(status[part], list) else [status[part]]


def _fits(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, set):
        return value in wanted
    if wanted == TIME:
        return value is None or datetime.fromisoformat(value).tzinfo is not None
    if wanted == NUMBER:
        return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    return isinstance(value, str)


def test_the_status_has_its_promised_shape_at_every_phase(console: Console, fresh_scene: ControlPlane) -> None:
    _before_the_incident(picture(console))
    console.declare()
    _declared(picture(console))
    with held_rollouts(fresh_scene) as go_on, console.started(*ROLLBACK) as process:
        wait_recorded(console, "step_applied")
        running = picture(console, "--offline")
        go_on()
        assert ended(process).code == 0
    assert _states(running) == {"qec-analysis": "running", "dashboard": "untouched"}
    assert picture(console)["components"][0]["steps"][0]["reason"] == "QEC_ENABLED=false, api-gateway 3/3 ready"
    console.done("verify")
    console.done("sign", "complaints", "--note", "n")
    console.done("rollforward", "qec-analysis", "--confirm", "qec-analysis")
    assert _states(picture(console)) == {"qec-analysis": "rolled_forward", "dashboard": "untouched"}
    assert _checks(picture(console)) == {"pods-acgs": "stale", "complaints": "stale", "monitoring": "stale"}
    console.done("sign", "complaints", "--note", "n")
    console.done("verify")
    console.done("resolve")
    resolved = picture(console)
    assert resolved["incident"]["state"] == "resolved"
    assert _checks(resolved) == {"pods-acgs": "pass", "complaints": "signed", "monitoring": "pass"}


def _before_the_incident(status: Any) -> None:
    assert status["incident"]["state"] == "none"
    assert [t["verdict"] for t in status["triggers"]] == ["firing", "firing"]
    assert status["next_action"]["command"] == 'declare --reason "…"'


def _declared(status: Any) -> None:
    assert (status["incident"]["state"], status["incident"]["commander"]) == ("open", "ada")
    assert [n["state"] for n in status["notices"]] == ["due", "waiting", "waiting", "waiting"]
    assert status["next_action"]["command"] == "rollback qec-analysis --confirm qec-analysis"


def _states(status: Any) -> dict[str, str]:
    return {component["id"]: component["state"] for component in status["components"]}


def _checks(status: Any) -> dict[str, str]:
    return {check["id"]: check["state"] for check in status["checks"]}


def test_a_rollback_for_machines_tells_one_object_a_line_as_it_happens(
    console: Console, fresh_scene: ControlPlane
) -> None:
    console.declare()
    with held_rollouts(fresh_scene) as go_on, console.started("--json", *ROLLBACK) as process:
        assert process.stdout is not None
        lines = [json.loads(process.stdout.readline()) for _ in range(5)]  # there when its event is, not at the end
        assert [one["event"] for one in lines] == ["plan", *RUN[:4]]
        go_on()
        lines += [json.loads(line) for line in process.stdout]
        assert process.wait() == 0
    assert [one["event"] for one in lines] == ["plan", *RUN, "ended"]
    numbers = [one["seq"] for one in lines[1:-1]]
    kept = [one for one in console.done("--json", "journal", "show").lines if one["event"] in RUN]
    assert numbers == [one["seq"] for one in kept], "by the journal's numbers; what is kept of triggers stands between"
    assert [one["step"]["state"] for one in lines[2:-2]] == ["intended", "sent", "applied", "proven"] * 2
    assert (lines[-1]["exit_code"], lines[-1]["components"][0]["state"]) == (0, "rolled_back")


def test_a_reader_who_goes_away_does_not_stop_the_work(console: Console, fresh_scene: ControlPlane) -> None:
    console.declare()
    with console.started("rollback", "dashboard", "--confirm", "dashboard") as process:
        _close(process)
        process.wait(60)
    assert recorded(console)[-1] == "component_finished"
    with nothing_is_written(fresh_scene):
        again = console.done("rollback", "dashboard", "--confirm", "dashboard")
    assert "nothing to change, already so" in again.out


def _close(process: subprocess.Popen[bytes]) -> None:
    """Closes the reading end of the pipe, as `| head -1` does."""
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
