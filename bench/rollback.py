"""Components 1 and 2 of the runbook on a real control plane: the runbook's own commands, then this console, in turn.

The runbook's side is each `kubectl` command followed by `kubectl rollout status`, which is its proof. The console's side is one
process with preview, pre-image, journal and proof; it also restarts the dashboard's readers, which the runbook forgets, so the
runbook is timed once as written and once with that restart.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.figures import ratio, row
from console.domain.events import ComponentConfirmed, ComponentFinished
from console.journals.sqlite import SqliteJournal
from tests.real.scene import reset, seed, write_procedure
from tests.real.servers import ControlPlane

ROUNDS = 9
GATEWAY_PATCH = (
    '{"spec":{"template":{"spec":{"containers":[{"name":"gateway","env":[{"name":"QEC_ENABLED","value":"false"}]}]}}}}'
)
FEATURES_PATCH = '{"data":{"show_qec_features":"false"}}'
NAMESPACE = ("-n", "acgs-pgp")
APPS = "/apis/apps/v1/namespaces/acgs-pgp/deployments"


def main() -> None:
    print("components 1 and 2 from confirmation to proof, on a real control plane, in turn")
    with tempfile.TemporaryDirectory() as name, ControlPlane(Path(name) / "cluster") as cluster:
        seed(cluster)
        folder = Path(name)
        procedure = write_procedure(folder / "procedure", cluster.kubeconfig(), "admin", None)
        figures: dict[str, list[float]] = {}
        for number in range(ROUNDS + 1):
            for what, run in _contestants(cluster, procedure, folder, number).items():
                if not what.endswith("confirmed"):
                    reset(cluster)
                figures.setdefault(what, []).extend([run()] if number else [])  # the first round warms up
    _report(figures)


def _contestants(cluster: ControlPlane, procedure: Path, folder: Path, number: int) -> dict[str, Callable[[], float]]:
    journals = [folder / f"{kind}-{number}.journal" for kind in ("sequence", "side")]
    return {
        "runbook": lambda: _timed(lambda: _runbook(cluster, procedure, restart=False)),
        "runbook and restart": lambda: _timed(lambda: _runbook(cluster, procedure, restart=True)),
        "console": lambda: _console(procedure, journals[0]),
        "console, confirmed": lambda: _confirmed_to_proven(journals[0]),
        "console, side by side": lambda: _console(procedure, journals[1], "--side-by-side"),
        "console, side by side, confirmed": lambda: _confirmed_to_proven(journals[1]),
        "single rollout": lambda: max(_rollout(cluster, name) for name in ("api-gateway", "acgs-pgp-dashboard")),
        "two rollouts in a row": lambda: (
            _rollout(cluster, "acgs-pgp-dashboard") + _rollout(cluster, "acgs-pgp-dashboard")
        ),
    }


def _report(figures: dict[str, list[float]]) -> None:
    row("runbook, each command and kubectl rollout status", figures["runbook"])
    row("the same, and kubectl rollout restart of the reader", figures["runbook and restart"])
    row("console, step after step, whole process", figures["console"])
    row("  of which confirmation to last proof", figures["console, confirmed"])
    row("console, side by side, whole process", figures["console, side by side"])
    row("  of which confirmation to last proof", figures["console, side by side, confirmed"])
    row("slowest single rollout, raw (the floor)", figures["single rollout"])
    row("two rollouts of one Deployment in a row, raw", figures["two rollouts in a row"])
    for whole, name in (("console", "whole process"), ("console, confirmed", "confirmation to proof")):
        ratio(f"{name} / runbook as written", figures[whole], figures["runbook"], aim=0.9)
        ratio(f"{name} / runbook with the restart", figures[whole], figures["runbook and restart"], aim=0.9)
    side = figures["console, side by side, confirmed"]
    ratio("side by side, confirmed / slowest single rollout", side, figures["single rollout"], aim=1.15)
    ratio("side by side, confirmed / two rollouts in a row", side, figures["two rollouts in a row"])


def _timed(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def _runbook(cluster: ControlPlane, procedure: Path, *, restart: bool) -> None:
    status = (*NAMESPACE, "rollout", "status")
    cluster.kubectl("patch", "deployment", "api-gateway", *NAMESPACE, f"-p={GATEWAY_PATCH}")
    cluster.kubectl(*status, "deployment/api-gateway")
    cluster.kubectl("apply", *NAMESPACE, "-f", str(procedure.parent / "backup" / "original-policy-validator.yaml"))
    cluster.kubectl(*status, "deployment/original-policy-validator")
    cluster.kubectl("rollout", "undo", "deployment/acgs-pgp-dashboard", *NAMESPACE, "--to-revision=1")
    cluster.kubectl(*status, "deployment/acgs-pgp-dashboard")
    cluster.kubectl("patch", "configmap", "dashboard-config", *NAMESPACE, f"--patch={FEATURES_PATCH}")
    if restart:
        cluster.kubectl(*NAMESPACE, "rollout", "restart", "deployment/acgs-pgp-dashboard")
        cluster.kubectl(*status, "deployment/acgs-pgp-dashboard")


def _console(procedure: Path, journal: Path, *options: str) -> float:
    """Seconds of the whole process that previews, confirms, carries out and proves. The incident is declared before."""
    program = [str(Path(sys.executable).with_name("rollback-console")), "-c", str(procedure), "--journal", str(journal)]
    subprocess.run([*program, "declare", "--reason", "bench"], check=True, capture_output=True)
    command = [*program, "rollback", "qec-analysis", "dashboard", "--confirm", "qec-analysis,dashboard", *options]
    return _timed(lambda: subprocess.run(command, check=True, capture_output=True) and None)


def _confirmed_to_proven(path: Path) -> float:
    """Seconds by the journal's own clock, from the first confirmation to the end of the last component."""
    journal = SqliteJournal(path, create=False)
    try:
        moments = {
            kind: [r.at for r in journal.read() if isinstance(r.event, kind)]
            for kind in (ComponentConfirmed, ComponentFinished)
        }
    finally:
        journal.close()
    return (max(moments[ComponentFinished]) - min(moments[ComponentConfirmed])).total_seconds()


def _rollout(cluster: ControlPlane, name: str) -> float:
    """One rollout by one raw request, and polling until it is complete."""
    stamp = str(time.time_ns())
    body = {"spec": {"template": {"metadata": {"annotations": {"bench": stamp}}}}}
    began = time.perf_counter()
    cluster.api("PATCH", f"{APPS}/{name}", body, content_type="application/merge-patch+json")
    cluster.wait_rolled_out("acgs-pgp", name)
    return time.perf_counter() - began
