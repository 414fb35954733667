"""No secret comes out of the console, and nothing that a terminal would obey comes through it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.real import scene
from tests.real.program import Console, Ended
from tests.real.scene import DASHBOARD, GATEWAY, NAMESPACE
from tests.real.servers import ControlPlane, PrometheusServer, poll
from tests.real.terminal import Terminal

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
MANIFEST = "backup/original-policy-validator.yaml"

# ------------------------------------------------------------ secrets

IN_A_SECRET, IN_THE_ENVIRONMENT, IN_THE_MANIFEST = "planted-secret-1f3a", "planted-password-9c2e", "planted-token-77d0"
SECRET_DOCUMENT = f"""---
apiVersion: v1
kind: Secret
metadata: {{name: original-policy-key, namespace: {NAMESPACE}}}
stringData: {{signing-key: {IN_A_SECRET}}}
"""


@pytest.fixture
def planted(procedure: Path, fresh_scene: ControlPlane, prometheus: PrometheusServer) -> Console:
    """The procedure with a Secret among its manifests, and passwords in the environment of what it touches."""
    scene.breach(prometheus)
    manifest = procedure.parent / MANIFEST
    variable = f"          env: [{{name: API_TOKEN, value: {IN_THE_MANIFEST}}}]\n          envFrom:\n"
    manifest.write_text(manifest.read_text().replace("          envFrom:\n", variable) + SECRET_DOCUMENT)
    for deployment, container in ((GATEWAY, "gateway"), (DASHBOARD, "dashboard")):
        password = f"DB_PASSWORD={IN_THE_ENVIRONMENT}"
        fresh_scene.kubectl("set", "env", f"deployment/{deployment}", "-n", NAMESPACE, "-c", container, password)
        fresh_scene.wait_rolled_out(NAMESPACE, deployment)
    return Console.beside(procedure)


def secrets_of(cluster: ControlPlane) -> list[bytes]:
    """Everything that was planted, as it is and as Kubernetes encodes it."""
    plain = [cluster.access.tokens["admin"], IN_A_SECRET, IN_THE_ENVIRONMENT, IN_THE_MANIFEST]
    return [form for one in plain for form in (one.encode(), base64.b64encode(one.encode()))]


def test_no_secret_is_printed_shown_or_recorded(planted: Console, fresh_scene: ControlPlane) -> None:
    said = list(_everything_is_said(planted, fresh_scene))
    screens = _everything_is_shown(planted) if shutil.which("tmux") else b""
    export = planted.done("journal", "export").out
    beside = [file.read_bytes() for file in planted.journal.parent.iterdir() if file.is_file()]
    assert any("•••" in run.out for run in said), "nothing was masked: this shows nothing"
    for secret in secrets_of(fresh_scene):
        assert not [run for run in said if secret.decode() in run.said], f"{secret!r} was printed"
        assert secret not in screens, f"{secret!r} was shown"
        assert secret.decode() not in export, f"{secret!r} is in the export"
        assert not any(secret in file for file in beside), f"{secret!r} is in the journal"


def _everything_is_said(console: Console, cluster: ControlPlane) -> Iterable[Ended]:
    yield console.done("check", str(console.procedure))
    yield console.done("preflight")
    yield console.done("--json", "plan", *("qec-analysis", "dashboard"))
    console.declare()
    yield console.done("--json", "rollback", "qec-analysis", "--confirm", "qec-analysis")
    yield console.done("rollback", "dashboard", "--confirm", "dashboard")
    yield console.done("verify")
    yield console.done("status")
    yield console.done("--json", "status")
    yield console.done("--debug", "rollforward", "qec-analysis", "--confirm", "qec-analysis")
    cluster.kubectl("set", "env", f"deployment/{DASHBOARD}", "-n", NAMESPACE, f"DB_PASSWORD={IN_THE_ENVIRONMENT}x")
    cluster.kubectl("set", "image", f"deployment/{DASHBOARD}", "-n", NAMESPACE, "dashboard=dash:3.0")
    yield console.run("--debug", "rollforward", "dashboard", "--confirm", "dashboard")
    yield console.done("journal", "show")
    yield console.done("--json", "journal", "show")


def _everything_is_shown(console: Console) -> bytes:
    """The raw bytes of a session that opens a preview, a story, and rolls back once more."""
    with Terminal(console, 120, 60) as terminal:
        terminal.wait("rolled forward")
        terminal.press("2", "b")
        terminal.wait("Type  qec-analysis ", "QEC_ENABLED")
        terminal.press("NPage")
        terminal.type("qec-analysis")
        terminal.wait("1  QEC analysis service +✔ rolled back")
        terminal.press("V")
        terminal.wait("original-policy-validator 2/2 ready")
        return terminal.raw


def test_the_record_is_its_owners_alone(planted: Console) -> None:
    planted.declare()
    planted.done("rollback", "qec-analysis", "--confirm", "qec-analysis")
    documents = list(planted.vault.iterdir())
    assert len(documents) >= 4
    assert _mode(planted.vault) == 0o700
    assert {_mode(file) for file in documents} == {0o600}
    assert _mode(planted.journal.parent) == 0o700
    assert {_mode(file) for file in planted.journal.parent.iterdir() if file.is_file()} == {0o600}


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# ------------------------------------------------------------ dirt

EVIL = "EVIL"
DIRT = (
    f"\x1b]52;c;{EVIL}\x07\x1b]0;{EVIL}\x07\x1b[2J\x9b2J\x9d52;c;{EVIL}\x9c\x1bP{EVIL}\x1b\\"
    "\u202e[@click=app.quit]x[/]\x08\r\n"
)
CLEANED = "[@click=app.quit]x[/]"
"""What is left of it for people: a text, which no terminal obeys and no screen takes for markup."""
CRASH = 'labels: {app: original-policy-validator, test.rollback-console/crash: "true"}\n    spec:'


@pytest.fixture
def dirty(procedure: Path, fresh_scene: ControlPlane, prometheus: PrometheusServer) -> Console:
    """Hostile text wherever the API server takes one: values, annotations, managers' names, and what pods complain of."""
    scene.breach(prometheus)
    config_map = f"/api/v1/namespaces/{NAMESPACE}/configmaps/dashboard-config"
    values = {"data": {"show_qec_features": DIRT}, "metadata": {"annotations": {"argocd.argoproj.io/x": DIRT}}}
    fresh_scene.api("PATCH", config_map, values, content_type=MERGE, params={"fieldManager": CLEANED})
    gateway = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{GATEWAY}"
    template = {"containers": [{"name": "gateway", "env": [{"name": "QEC_ENABLED", "value": DIRT}]}]}
    release = {"meta.helm.sh/release-name": DIRT}
    body = {"metadata": {"annotations": release}, "spec": {"template": {"spec": template}}}
    fresh_scene.api("PATCH", gateway, body, content_type=STRATEGIC, params={"fieldManager": CLEANED})
    manifest = procedure.parent / MANIFEST
    manifest.write_text(manifest.read_text().replace("labels: {app: original-policy-validator}\n    spec:", CRASH))
    procedure.write_text(procedure.read_text().replace('path = "backup', 'timeout = "8s"\npath = "backup', 1))
    return Console.beside(procedure)


@pytest.mark.tmux
def test_nothing_that_a_terminal_obeys_comes_through(dirty: Console, fresh_scene: ControlPlane) -> None:
    with Terminal(dirty, 120, 50) as terminal:
        terminal.wait("NEXT  Declare")
        terminal.press("n")
        terminal.wait("Why\\? One line")
        terminal.type("p95")
        terminal.wait("INC-0001")
        _look_at_the_preview(terminal)
        _watch_pods_complain(terminal, dirty, fresh_scene)
        raw = terminal.raw
    _only_the_consoles_own_sequences(raw)
    for command in (("status",), ("preflight",), ("journal", "show"), ("plan", "dashboard")):
        _only_the_consoles_own_sequences(dirty.run(*command).said.encode())
    _no_control_characters(dirty.done("journal", "export").lines)


def _look_at_the_preview(terminal: Terminal) -> None:
    terminal.press("2", "Down", "b")
    terminal.wait("Type  dashboard ", re.escape(CLEANED), "Argo CD")
    terminal.press("Escape")
    terminal.wait_without("Type  dashboard ")
    terminal.press("Up", "b")
    terminal.wait("Type  qec-analysis ", re.escape(CLEANED), "Helm")


def _watch_pods_complain(terminal: Terminal, console: Console, cluster: ControlPlane) -> None:
    """The pods of the second step crash, with words of their own; the step gives up, and says why."""
    terminal.type("qec-analysis")
    poll("the pods crash", lambda: _complain(cluster), seconds=30)
    terminal.wait("1  QEC analysis service +. FAILED")
    terminal.press("2", "V")
    terminal.wait(re.escape(CLEANED), "not there after 8 s")
    step = console.component("qec-analysis")["steps"][1]
    assert CLEANED in step["reason"], step


def _complain(cluster: ControlPlane) -> bool:
    """Gives every crashing pod a reason that is no word."""
    pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
    found = cluster.api("GET", pods, params={"labelSelector": "app=original-policy-validator"})["items"]
    crashing = [pod for pod in found if pod.get("status", {}).get("containerStatuses")]
    for pod in crashing:
        cluster.api("PATCH", f"{pods}/{pod['metadata']['name']}/status", _with_reason(pod), content_type=MERGE)
    return len(crashing) == 2


def _with_reason(pod: Any) -> Any:
    waiting = {"state": {"waiting": {"reason": DIRT, "message": DIRT}}}
    return {"status": {"containerStatuses": [{**one, **waiting} for one in pod["status"]["containerStatuses"]]}}


def _only_the_consoles_own_sequences(raw: bytes) -> None:
    """No string sequence carries what was planted, nothing erases the screen at its will, no C1 byte, no bidi control."""
    text = raw.decode(errors="replace")
    strings = re.findall(r"\x1b[\]P_^X]([^\x07\x1b]*)", text)
    assert not [one for one in strings if EVIL in one or one.startswith("52;")], strings
    assert not re.findall("[\x80-\x9f\u202a-\u202e\u2066-\u2069]", text)


def _no_control_characters(document: Any) -> None:
    """In no text of a JSON document, whoever prints it next."""
    if isinstance(document, str):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", document), repr(document)
    elif isinstance(document, dict):
        _no_control_characters([*document, *document.values()])
    elif isinstance(document, list):
        for one in document:
            _no_control_characters(one)


def test_json_keeps_the_lines_apart_whatever_the_values_are(dirty: Console) -> None:
    run = dirty.done("--json", "plan", "dashboard")
    assert len(run.out.splitlines()) == 1
    assert CLEANED in json.dumps(run.document)
    _no_control_characters(run.document)
