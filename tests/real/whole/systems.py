"""Everything that the whole procedure acts on, on loopback, and what each of it holds at a moment."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from console.engine.ports import fingerprint
from console.sandbox import trials
from console.sandbox.web import STATUSPAGE_KEY
from tests.real import scene
from tests.real.postgres_scene import COLUMNS, IN_FILTER, AuditTrail
from tests.real.program import Console
from tests.real.room import lasting
from tests.real.servers import ControlPlane, poll
from tests.real.servers.git import GitServer, Remote, git
from tests.real.servers.opa import OpaServer
from tests.real.servers.postgres import PASSWORD, PostgresServer
from tests.real.servers.prometheus import JOB
from tests.real.whole import policies
from tests.real.whole.health import Health
from tests.real.whole.kubelet import Kubelet
from tests.real.whole.monitoring import SERVICES, Monitoring
from tests.real.whole.sample import Places, write_whole_procedure
from tests.real.whole.surroundings import Told, Traffic

COMPONENTS = ("qec-analysis", "dashboard", "opa-policies", "monitoring", "audit-trail", "policy-repository")
SYSTEMS = ("kubernetes", "opa", "prometheus", "postgres", "git")
_OBJECTS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
}
RESTORED = 929
"""The rows of `audit_log` when it holds each row of the backup once: 879 in the filter, 10 outside of it that were never lost,
and 40 of the migration's own."""
_BACKUP_ROWS, _LOST_UNTIL = 1000, 900
_MISSING = f"SELECT {COLUMNS} FROM audit_log_backup WHERE {IN_FILTER} EXCEPT SELECT {COLUMNS} FROM audit_log"  # noqa: S608
_MIGRATED_ROWS = """
INSERT INTO audit_log (id, created_at, actor, action, source, detail)
SELECT i, timestamptz '2024-02-01 00:00+00' + i * interval '1 minute', 'qec', 'policy.evaluate', 'qec-enhanced', NULL
FROM generate_series(5001, 5040) i
"""


class Whole:
    """The servers, started once; `reset` puts all of them back to what the migration left, for the next test."""

    def __init__(self, folder: Path, cluster: ControlPlane) -> None:
        self.folder = folder
        self.cluster = cluster
        self.opas = (OpaServer(folder / "opa-0"), OpaServer(folder / "opa-1"))
        self.prometheus = Monitoring(folder / "prometheus")
        self.postgres = PostgresServer()
        self.health = Health()
        self.health.answers["/dashboard"] = self._dashboard
        self.told = Told()
        self.traffic = Traffic(self.prometheus.exposition)
        self.git: GitServer
        self.remote: Remote
        self.clone: Path
        self.trail: AuditTrail
        self._running = contextlib.ExitStack()
        self._of_this_reset = contextlib.ExitStack()
        self._resets = 0

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            for server in (*self.opas, self.prometheus, self.postgres, self.health, self.told, self.traffic):
                starting.enter_context(server)
            self._running = starting.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._of_this_reset.close()
        self._running.close()

    # ------------------------------------------------------------ as the migration left it

    def reset(self) -> None:
        self._of_this_reset.close()
        self._resets += 1
        with ThreadPoolExecutor(4) as threads:
            works = (
                self._reset_cluster,
                self._reset_opas,
                self._reset_postgres,
                self._reset_git,
                self.prometheus.reset,
            )
            for work in [threads.submit(work) for work in works]:
                work.result()
        mounts = {"prometheus-rules": self.prometheus.mount_rules, "prometheus-config": self.prometheus.mount_config}
        kubelet = Kubelet(self.cluster, scene.MONITORING, mounts)
        kubelet.look()
        self.prometheus.reload().raise_for_status()
        self._of_this_reset.enter_context(kubelet)
        poll("Prometheus scrapes QEC", lambda: self.prometheus.jobs() == [SERVICES, JOB])

    def _reset_cluster(self) -> None:
        self.cluster.start()
        scene.reset(self.cluster)
        scene.create(self.cluster, Path(__file__).with_name("objects.yaml"))
        for namespace, name in ((scene.NAMESPACE, "policy-generator"), (scene.MONITORING, "prometheus")):
            self.cluster.wait_rolled_out(namespace, name)

    def _reset_opas(self) -> None:
        for opa in self.opas:
            opa.reset()
            policies.migrate(opa)

    def _reset_postgres(self) -> None:
        self.postgres.process.start()
        if self._resets > 1:
            self.trail.close()
        self.trail = AuditTrail(self.postgres, rows=_BACKUP_ROWS)
        self.trail.add_by_hand(f"id > {_LOST_UNTIL}")
        self.trail.sql(_MIGRATED_ROWS)

    def _reset_git(self) -> None:
        served = self.folder / f"git-{self._resets}"
        self.remote = policies.migrated_repository(served)
        self.git = self._of_this_reset.enter_context(GitServer(served))
        self.clone = served / "policy-repository"
        git("clone", "--quiet", f"{self.git.url}/policies.git", str(self.clone), cwd=served)

    # ------------------------------------------------------------ the console

    def console(self, folder: Path) -> Console:
        """A procedure made from the sample, with its backups, and a journal of its own."""
        opas = tuple(opa.url for opa in self.opas)
        places = Places(
            kubeconfig=self.cluster.kubeconfig(),
            context="admin",
            prometheus=self.prometheus.url,
            opas=opas,
            postgres_port=self.postgres.port,
            postgres_user="postgres",
            clone=self.clone,
            health=self.health.address,
            sinks=self.told.url,
            mail_port=self.told.mail_port,
            secrets=folder,
            load_tester=folder / "bin" / "k6",
        )
        procedure = write_whole_procedure(folder, places)
        policies.write_archive(folder / "backup" / "original-policies.tar.gz")
        for name, text in (("webhook", f"{self.told.url}/slack"), ("page", STATUSPAGE_KEY)):
            (folder / name).write_text(text)
        asked = {"gateway": f"http://{self.health.address}", "opas": opas, "prometheus": self.prometheus.url}
        trials.install(folder, {**asked, "pace": 1, "release": "dash:1.0"})
        return Console.beside(procedure, AUDIT_DB_PASSWORD=PASSWORD)

    def _dashboard(self) -> tuple[int, Any]:
        """What its users get to see: the release that runs, and the setting as its newest pods found it when they started."""
        container = self._served("acgs-pgp-dashboard")
        settings = self.cluster.api("GET", "/api/v1/namespaces/acgs-pgp/configmaps/dashboard-config")["data"]
        return 200, {"qec_features": settings["show_qec_features"] == "true", "release": container["image"]}

    def _served(self, deployment: str) -> Any:
        path = f"/apis/apps/v1/namespaces/acgs-pgp/deployments/{deployment}"
        return self.cluster.api("GET", path)["spec"]["template"]["spec"]["containers"][0]

    # ------------------------------------------------------------ what is true

    def state(self) -> dict[str, Any]:
        """What each system holds, but for what it maintains by itself."""
        return {
            "kubernetes": {name: lasting(thing) for name, thing in self._objects()},
            "opa": [_held(opa) for opa in self.opas],
            "prometheus": {"rules": self.prometheus.rule_names(), "jobs": self.prometheus.jobs()},
            "postgres": self.trail.sql(f"SELECT {COLUMNS}, xmin::text FROM audit_log ORDER BY id"),  # noqa: S608
            "git": {"refs": self.remote.refs, "clone": self._clone()},
        }

    def missing_rows(self) -> int:
        """How many rows of the backup in the seed's filter are not in the table."""
        return int(self.trail.one(f"SELECT count(*) FROM ({_MISSING}) missing"))  # noqa: S608 - our own text

    def hashes(self) -> dict[str, str]:
        return {system: hashed(held) for system, held in self.state().items()}

    def writes(self) -> dict[str, Any]:
        """A mark for each system that every write to it moves, also one that changes nothing."""
        return {
            "kubernetes": {name: _last_write(thing) for name, thing in self._objects()},
            "opa": [_changes(opa) for opa in self.opas],
            "prometheus": self.prometheus.last_reload(),
            "postgres": self.trail.one("SELECT max(xmin::text::bigint) FROM audit_log"),
            "git": self.git.pushes,
        }

    def _objects(self) -> list[tuple[str, dict[str, Any]]]:
        return [
            (f"{kind} {namespace}/{item['metadata']['name']}", item)
            for kind, path in _OBJECTS.items()
            for namespace in (scene.NAMESPACE, scene.MONITORING)
            for item in self.cluster.api("GET", path.format(namespace))["items"]
        ]

    def _clone(self) -> dict[str, str]:
        at = {"head": git("rev-parse", "HEAD", cwd=self.clone), "status": git("status", "--short", cwd=self.clone)}
        return at | {"refs": git("for-each-ref", cwd=self.clone)}


def hashed(held: Any) -> str:
    return fingerprint(_plain(held))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _held(opa: OpaServer) -> dict[str, Any]:
    """Modules by text, and the documents that nobody computes."""
    return {"modules": opa.texts(), "data": [opa.data(path) for path in ("acgs/roles", "acgs/qec", "billing_rates")]}


def _changes(opa: OpaServer) -> int:
    """How many requests have changed it, or tried to."""
    lines = httpx.get(f"{opa.url}/metrics", trust_env=False, timeout=10).raise_for_status().text.splitlines()
    counts = (line for line in lines if line.startswith("http_request_duration_seconds_count"))
    return sum(
        int(line.split()[-1]) for line in counts if any(f'method="{m}"' in line for m in ("put", "patch", "delete"))
    )


def _last_write(thing: dict[str, Any]) -> Any:
    """A workload's version moves with its status too; its generation and its owners' entries don't."""
    metadata = thing["metadata"]
    if "generation" not in metadata:
        return metadata["resourceVersion"]
    entries = [entry for entry in metadata["managedFields"] if entry.get("subresource") != "status"]
    return [metadata["generation"], metadata["uid"], entries]
