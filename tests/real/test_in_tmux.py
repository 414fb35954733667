"""By keys, in a real terminal, on real servers: what the commander sees and does on the evening that the console is made for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.real import scene
from tests.real.program import Console
from tests.real.servers import ControlPlane, PrometheusServer
from tests.real.snapshots import nothing_is_written, snapshot, without_history
from tests.real.terminal import Terminal

pytestmark = pytest.mark.tmux

STAMP = "rollback-console/read-dashboard-config"
FIRST_SECONDS = 15.0
"""From the first key to a picture that says what fires: about one second on a quiet machine."""


def kubectl(cluster: ControlPlane, kind: str, name: str) -> Any:
    return json.loads(cluster.kubectl("get", kind, name, "-n", scene.NAMESPACE, "-o", "json").stdout)


def env_of(deployment: Any, container: str) -> dict[str, str]:
    found = {c["name"]: c for c in deployment["spec"]["template"]["spec"]["containers"]}
    return {e["name"]: e.get("value") for e in found[container]["env"]}


def open_on_a_breach(terminal: Terminal) -> None:
    """Everything is on the screen at once: that it fires, since when, and what is next."""
    since = r"for (5:[45]|6:[0-4])\d"  # back-filled: six minutes, and not since the console was opened
    value = r"34\.2 s  max 30   "
    terminal.wait("FIRING.*API response time", "FIRING.*Memory usage", value + since, seconds=FIRST_SECONDS)
    terminal.wait(rf"94 %  max 90   {since}", "NEXT  Declare the incident: API response time")


def declare(terminal: Terminal) -> None:
    terminal.press("n")
    terminal.wait("Why\\? One line")
    terminal.type("p95 is at 34 s")
    terminal.wait("INC-0001", "NEXT  Roll back QEC analysis service")


def confirm(terminal: Terminal, component: str, *shown: str) -> None:
    """The preview shows these, then the component's name is typed."""
    terminal.wait(*shown, f"Type  {component} ")
    terminal.type(component)
    terminal.wait_without(f"Type  {component} ")


def test_an_incident_from_the_breach_to_its_end(
    procedure: Path, fresh_scene: ControlPlane, prometheus: PrometheusServer
) -> None:
    scene.breach(prometheus)
    with Terminal(Console.beside(procedure), 120, 40) as terminal:
        open_on_a_breach(terminal)
        declare(terminal)
        _roll_back_the_analysis(terminal, fresh_scene)
        _roll_back_the_dashboard(terminal, fresh_scene)
        _a_second_time_changes_nothing(terminal, fresh_scene)
        _walk_the_checklist_and_tell(terminal)
        _resolve(terminal)
        terminal.press("C-q")
        assert terminal.exit_code() == 0
    assert "intact" in Console.beside(procedure).done("journal", "verify").out


def _roll_back_the_analysis(terminal: Terminal, cluster: ControlPlane) -> None:
    terminal.press("n")
    diff = r"− spec\.template\.spec\.containers\[gateway\]\.env\[QEC_ENABLED\]\.value: \"true\""
    confirm(terminal, "qec-analysis", "⎈ admin  LIVE", diff, diff.replace("−", r"\+").replace("true", "false"))
    terminal.wait(r"1  QEC analysis service\s+✔ rolled back")
    _story(terminal, "QEC_ENABLED=false, api-gateway 3/3 ready", "original-policy-validator 2/2 ready")
    gateway = kubectl(cluster, "deployment", scene.GATEWAY)
    assert env_of(gateway, "gateway") == {"QEC_ENABLED": "false", "UPSTREAM_TIMEOUT": "30s"}
    assert env_of(gateway, "access-log") == {"LOG_LEVEL": "info"}
    assert gateway["status"]["updatedReplicas"] == gateway["status"]["readyReplicas"] == 3
    assert kubectl(cluster, "configmap", "original-policy-validator")["data"]["policies"] == "original-bundle"
    assert kubectl(cluster, "deployment", "original-policy-validator")["status"]["readyReplicas"] == 2
    assert kubectl(cluster, "service", "original-policy-validator")["spec"]["ports"][0]["targetPort"] == "http"


def _roll_back_the_dashboard(terminal: Terminal, cluster: ControlPlane) -> None:
    terminal.press("2", "Down", "b")
    confirm(
        terminal, "dashboard", "dash:2.0-qec", r"revision 1 \(dash:1\.0\)", r"\+ data\.show_qec_features: \"false\""
    )
    terminal.wait(r"2  Dashboard components\s+✔ rolled back")
    _story(terminal, "runs dash:1.0, acgs-pgp-dashboard 3/3 ready", "show_qec_features=false, acgs-pgp-dashboard 3/3")
    deployment = kubectl(cluster, "deployment", scene.DASHBOARD)
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "dash:1.0"
    assert kubectl(cluster, "configmap", "dashboard-config")["data"] == {
        "show_qec_features": "false",
        "refresh_seconds": "30",
    }
    _reader_was_restarted(cluster, deployment)


def _reader_was_restarted(cluster: ControlPlane, deployment: Any) -> None:
    """Each pod was made from a template stamped with the data that it reads, so it was made after that data was written."""
    stamp = deployment["spec"]["template"]["metadata"]["annotations"][STAMP]
    pods = json.loads(
        cluster.kubectl("get", "pods", "-n", scene.NAMESPACE, "-l", f"app={scene.DASHBOARD}", "-o", "json").stdout
    )["items"]
    running = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert [pod["metadata"]["annotations"][STAMP] for pod in running] == [stamp] * 3


def _story(terminal: Terminal, *proofs: str) -> None:
    """The proofs stand in the details of the selected component."""
    terminal.press("2", "V")
    terminal.wait_until(
        f"the details show {proofs}", lambda screen: all(proof in _unwrapped(screen) for proof in proofs)
    )
    terminal.press("Escape")
    terminal.wait("4 Communication")


def _unwrapped(screen: str) -> str:
    """The text of the modal in the middle, its lines joined as they were before they were wrapped."""
    inside = [found[1] for line in screen.splitlines() if (found := re.search(r"[┃│]\s*([^┃│]*?)\s*[┃│]\W*$", line))]
    return re.sub(r"\s+", " ", " ".join(inside) + " " + screen)


def _a_second_time_changes_nothing(terminal: Terminal, cluster: ControlPlane) -> None:
    with nothing_is_written(cluster):
        terminal.press("b")
        confirm(terminal, "dashboard", "Everything is so already. Confirming changes nothing")
        terminal.wait("undo-dashboard: already so", "hide-qec-features: already")


def _walk_the_checklist_and_tell(terminal: Terminal) -> None:
    terminal.press("r")
    terminal.wait("A closing note")
    terminal.press("Enter")
    terminal.wait("criterion complaints is not run")
    terminal.press("Escape")
    terminal.wait_without("A closing note")
    terminal.press("v")
    terminal.wait("pass +Every pod of", "pass +Monitoring answers")
    terminal.press("3", "Down", "s")
    terminal.wait("Sign: User complaints are back to the usual")
    terminal.type("two in the last hour")
    terminal.wait("signed +◆ User complaints")
    terminal.press("4", "a")
    terminal.wait("Who was told, and how")
    terminal.type("#dev on Slack")
    terminal.wait(r"told \d\d:\d\d +ada", "Recorded: Notify the develop")


def _resolve(terminal: Terminal) -> None:
    terminal.press("r")
    terminal.wait("A closing note")
    terminal.type("p95 is back")
    terminal.wait("RESOLVED")


def test_the_same_on_a_small_screen_one_panel_at_a_time(
    procedure: Path, fresh_scene: ControlPlane, prometheus: PrometheusServer
) -> None:
    scene.breach(prometheus)
    original = snapshot(fresh_scene)
    with Terminal(Console.beside(procedure), 80, 24) as terminal:
        open_on_a_breach(terminal)
        declare(terminal)
        terminal.press("2", "Down", "b")
        confirm(terminal, "dashboard", r"revision 1 \(dash:1\.0\)")
        terminal.wait(r"2  Dashboard components\s+✔ rolled back")
        assert kubectl(fresh_scene, "deployment", scene.DASHBOARD)["spec"]["template"]["spec"]["containers"][0][
            "image"
        ] == ("dash:1.0")
        terminal.press("f")
        confirm(terminal, "dashboard", r"\+ data\.show_qec_features: \"true\"")
        terminal.wait(r"2  Dashboard components\s+. rolled forward")
        terminal.press("C-q")
        assert terminal.exit_code() == 0
    assert without_history(snapshot(fresh_scene)) == without_history(original)


def test_somebody_elses_change_between_the_preview_and_the_word_is_refused_with_who_and_what(
    procedure: Path, fresh_scene: ControlPlane, prometheus: PrometheusServer
) -> None:
    scene.breach(prometheus)
    with Terminal(Console.beside(procedure), 120, 40) as terminal:
        open_on_a_breach(terminal)
        declare(terminal)
        terminal.press("n")
        terminal.wait("Type  qec-analysis ")
        patch = '{"spec":{"template":{"spec":{"containers":[{"name":"gateway","image":"gateway:3.2"}]}}}}'
        fresh_scene.kubectl("patch", "deployment", scene.GATEWAY, "-n", scene.NAMESPACE, "-p", patch)
        terminal.type("qec-analysis")
        terminal.wait_until("the refusal", lambda screen: "was changed by kubectl-patch" in _unwrapped(screen))
        told = _unwrapped(terminal.screen)
        assert '"gateway:3.1" → "gateway:3.2"' in told, terminal.screen
    gateway = kubectl(fresh_scene, "deployment", scene.GATEWAY)
    assert env_of(gateway, "gateway")["QEC_ENABLED"] == "true"
    assert gateway["metadata"]["generation"] == 2  # the other's change, and no other
