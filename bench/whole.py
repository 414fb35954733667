"""The whole procedure on real servers: its commands done right by hand, each with the check that proves it, then this console.

By hand is one shell line after the other, as somebody would write them who knows what the paper gets wrong: the good revision is
named, readers are restarted, modules are put one by one on both replicas and read back, Prometheus is reloaded until its API
shows the rules, rows go in by a key and are counted, the branch is pushed with a lease and a backup. Both sides act on the same
servers in the same run; the console also previews, keeps what undo needs, and writes its journal. Side by side runs all but the
policy repository, which acts on the same OPA as the policies.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.figures import ratio, row
from bench.rollback import FEATURES_PATCH, GATEWAY_PATCH, NAMESPACE
from console.domain.events import ComponentConfirmed, ComponentFinished
from console.journals.sqlite import SqliteJournal
from tests.real import scene
from tests.real.program import Console
from tests.real.servers import ControlPlane, binaries
from tests.real.servers.postgres import PASSWORD
from tests.real.servers.postgres import binaries as postgres_binaries
from tests.real.whole import Whole
from tests.real.whole.policies import MIGRATED, TAG, write_archive
from tests.real.whole.systems import COMPONENTS

ROUNDS = 5
_MODULES = ("acgs/lib.rego", "acgs/authz.rego", "acgs/audit.rego")


def main() -> None:
    print("the whole procedure on real servers: by hand with its checks, and by the console, in turn")
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="rollback-console-bench-") as name:
        folder = Path(name)
        with ControlPlane(folder / "cluster") as cluster, Whole(folder / "whole", cluster) as whole:
            for number in range(ROUNDS + 1):
                for what, seconds in _round(whole, folder / str(number)).items():
                    figures.setdefault(what, []).extend([seconds] if number else [])  # the first round warms up
    _report(figures)


def _round(whole: Whole, folder: Path) -> dict[str, float]:
    found = {}
    whole.reset()
    found["by hand"] = _by_hand(whole, folder / "hand")
    for what, components, options in (
        ("console", COMPONENTS, ()),
        ("side by side", COMPONENTS[:-1], ("--side-by-side",)),
    ):
        whole.reset()
        console = whole.console(folder / what.replace(" ", "-"))
        console.declare()
        began = time.perf_counter()
        console.done("rollback", *components, "--confirm", ",".join(components), *options, seconds=120)
        found[what] = time.perf_counter() - began
        found[f"{what}, confirmed"] = _confirmed_to_proven(console)
    found["floor"] = _slowest_rollout(whole)
    return found


def _report(figures: dict[str, list[float]]) -> None:
    row("by hand, each command with its check", figures["by hand"])
    row("console, step after step, whole process", figures["console"])
    row("  of which confirmation to last proof", figures["console, confirmed"])
    row("console, side by side, whole process", figures["side by side"])
    row("  of which confirmation to last proof", figures["side by side, confirmed"])
    row("slowest single rollout, raw (the floor)", figures["floor"])
    ratio("confirmation to proof / by hand", figures["console, confirmed"], figures["by hand"], aim=0.9)
    ratio("side by side, confirmed / by hand", figures["side by side, confirmed"], figures["by hand"])
    ratio("side by side, confirmed / slowest rollout", figures["side by side, confirmed"], figures["floor"], aim=1.3)


# ------------------------------------------------------------ by hand


def _by_hand(whole: Whole, folder: Path) -> float:
    whole.console(folder)  # its backups lie beside the procedure
    write_archive(folder / "backup" / "original-policies.tar.gz")
    environment = _environment(whole, folder)
    lines = [*_kubernetes(), *_policies(whole), *_monitoring(whole), *_rows(), *_repository(whole)]
    began = time.perf_counter()
    for line in lines:
        done = subprocess.run(["sh", "-ec", line], cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{line}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - began


def _environment(whole: Whole, folder: Path) -> dict[str, str]:
    programs = folder / "bin"
    programs.mkdir()
    (programs / "kubectl").symlink_to(binaries.find("kubernetes", "kubectl"))
    (programs / "psql").symlink_to(postgres_binaries(whole.postgres.version) / "psql")
    return {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(folder),
        "KUBECONFIG": str(whole.cluster.kubeconfig()),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(whole.postgres.port),
        "PGDATABASE": "audit",
        "PGUSER": "postgres",
        "PGPASSWORD": PASSWORD,
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def _kubernetes() -> list[str]:
    in_namespace = shlex.join(NAMESPACE)

    def rolled_out(name: str) -> str:
        return f"kubectl {in_namespace} rollout status deployment/{name}"

    def restarted(name: str) -> str:
        return f"kubectl {in_namespace} rollout restart deployment/{name}"

    return [
        f"kubectl patch deployment api-gateway {in_namespace} -p={shlex.quote(GATEWAY_PATCH)}",
        rolled_out("api-gateway"),
        f"kubectl apply {in_namespace} -f backup/original-policy-validator.yaml",
        rolled_out("original-policy-validator"),
        f"kubectl rollout undo deployment/acgs-pgp-dashboard {in_namespace} --to-revision=1",
        rolled_out("acgs-pgp-dashboard"),
        f"kubectl patch configmap dashboard-config {in_namespace} --patch={shlex.quote(FEATURES_PATCH)}",
        restarted("acgs-pgp-dashboard"),
        rolled_out("acgs-pgp-dashboard"),
        f'kubectl patch configmap opa-config {in_namespace} --patch=\'{{"data":{{"enable_qec_policies":"false"}}}}\'',
        restarted("policy-generator"),
        rolled_out("policy-generator"),
    ]


def _policies(whole: Whole) -> list[str]:
    """The migration's modules go, the archive's come in an order that compiles, and each is read back."""
    archive = "backup/original-policies.tar.gz"
    lines = []
    for opa in whole.opas:
        gone = [name for name in MIGRATED if name.startswith(("acgs/authz", "qec"))]
        lines += [f"curl -fsS -X DELETE {opa.url}/v1/policies/{name}" for name in gone]
        for name in _MODULES:
            put = f"curl -fsS -X PUT {opa.url}/v1/policies/{name} --data-binary @-"
            lines.append(f"tar -xzOf {archive} /{name} 2>/dev/null | {put}")
            lines.append(f"curl -fsS {opa.url}/v1/policies/{name} | grep -q acgs")
        put = f"curl -fsS -X PUT {opa.url}/v1/data/acgs/roles --data-binary @-"
        lines.append(f"tar -xzOf {archive} /acgs/roles/data.json 2>/dev/null | {put}")
        lines.append(f'curl -fsS {opa.url}/v1/data/acgs/authz/allow -d \'{{"input":{{"user":"ada"}}}}\' | grep -q true')
    return lines


def _monitoring(whole: Whole) -> list[str]:
    url = whole.prometheus.url
    reload = f"curl -fsS -X POST {url}/-/reload"
    rules = f"curl -fsS {url}/api/v1/rules | grep -q 'api_p95_seconds \\\\u003e 5\"'"
    jobs = f"! curl -fsS {url}/api/v1/status/config | grep -q 'job_name: qec'"
    return [
        "kubectl apply --server-side --force-conflicts -f backup/original-prometheus-rules.yaml -n monitoring",
        'kubectl patch configmap prometheus-config -n monitoring --patch=\'{"data":{"scrape_qec":"false"}}\'',
        f"for n in $(seq 60); do {reload}; if {rules} && {jobs}; then exit 0; fi; sleep 0.2; done; exit 1",
    ]


def _rows() -> list[str]:
    where = "created_at >= '2024-01-01' AND source != 'qec-enhanced'"
    columns = "id, created_at, actor, action, source, detail"
    backup = f"SELECT {columns} FROM audit_log_backup WHERE {where}"  # noqa: S608 -- our own text
    proof = "SELECT COUNT(*), MIN(created_at), MAX(created_at) FROM audit_log WHERE created_at >= '2024-01-01'"
    insert = f"INSERT INTO audit_log ({columns}) {backup} ON CONFLICT DO NOTHING"
    missing = f"{backup} EXCEPT SELECT {columns} FROM audit_log"  # noqa: S608 -- the same
    return [shlex.join(["psql", "-v", "ON_ERROR_STOP=1", "-c", statement]) for statement in (insert, proof, missing)]


def _repository(whole: Whole) -> list[str]:
    clone = shlex.quote(str(whole.clone))
    seen, wanted = whole.remote.main, whole.remote.refs[TAG]
    push = f"git -C {clone} push --atomic --force-with-lease=main:{seen} origin {wanted}:refs/heads/main {seen}:refs/heads/kept"
    return [
        f"git -C {clone} fetch -q --tags",
        push,
        f"git -C {clone} reset -q --keep {wanted}",
        f"git -C {clone} ls-remote origin refs/heads/main | grep -q {wanted}",
    ]


# ------------------------------------------------------------ the console


def _confirmed_to_proven(console: Console) -> float:
    """Seconds by the journal's own clock, from the first confirmation to the end of the last component."""
    journal = SqliteJournal(console.journal, create=False)
    try:
        events = list(journal.read())
    finally:
        journal.close()
    began = min(r.at for r in events if isinstance(r.event, ComponentConfirmed))
    return (max(r.at for r in events if isinstance(r.event, ComponentFinished)) - began).total_seconds()


def _slowest_rollout(whole: Whole) -> float:
    slowest = 0.0
    for name in ("api-gateway", "acgs-pgp-dashboard"):
        body = {"spec": {"template": {"metadata": {"annotations": {"bench": str(time.time_ns())}}}}}
        path = f"/apis/apps/v1/namespaces/{scene.NAMESPACE}/deployments/{name}"
        began = time.perf_counter()
        whole.cluster.api("PATCH", path, body, content_type="application/merge-patch+json")
        whole.cluster.wait_rolled_out(scene.NAMESPACE, name)
        slowest = max(slowest, time.perf_counter() - began)
    return slowest
