"""All systems of a drill, started side by side on loopback, as the migration left them: acted on, asked and told."""

from __future__ import annotations

import asyncio
import contextlib
import io
import tarfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from console.sandbox.cluster import (
    DASHBOARD,
    GATEWAY,
    MONITORING,
    NAMESPACE,
    RELEASES,
    data_of,
    env_of,
    images_of,
    migrate,
    ready_pods,
    write_mounted,
)
from console.sandbox.database import USER, Database
from console.sandbox.kubernetes.api import KubernetesApi
from console.sandbox.mail import MailServer
from console.sandbox.model.scenario import Scenario
from console.sandbox.model.service import Service
from console.sandbox.monitoring import QEC, SERVICES, Scraped, Settings, past_begins
from console.sandbox.opa.api import OpaApi
from console.sandbox.procedure import Places, drill_procedure, sample
from console.sandbox.programs import Guard
from console.sandbox.prometheus import PrometheusApi
from console.sandbox.repository import Repository
from console.sandbox.trials import install as install_trials
from console.sandbox.web import STATUSPAGE_KEY, STATUSPAGE_PAGE, Sinks, Site, health

EVERYTHING: Final = frozenset(
    {"qec-analysis", "dashboard", "opa-policies", "monitoring", "audit-trail", "policy-repository"}
)
CONTEXT: Final = "drill"
_REPLICAS: Final = 2
_WHILE_MIGRATING: Final = 50.0
_LOOK_SECONDS: Final = 0.5
_DATA_LOOKS: Final = 6  # looks at the cluster for one at the database and the repository


class Systems:
    """Everything is up within the block; `folder` is the drill's own and goes with it."""

    def __init__(
        self, folder: Path, scenario: Scenario, *, seed: int = 0, pace: float = 1.0, tell: Callable[[str], None] = print
    ) -> None:
        self.folder = folder
        self.scenario = scenario
        self.pace = pace
        self.sinks = Sinks()
        self.guard = Guard()
        self.guard.folder(folder)
        self.database = Database(folder, self.guard)
        self.repository = Repository(folder) if Repository.possible() else None
        self.settings = Settings(folder / "prometheus")
        self.service = Service(scenario, at=past_begins(time.time(), pace), seed=seed, pace=pace)
        self.scraped = Scraped(self.service, time.time())
        self.kubernetes = KubernetesApi(folder / "kubernetes", speed=pace, seed=seed)
        self.opas = tuple(OpaApi() for _ in range(_REPLICAS))
        self.prometheus: PrometheusApi
        self.places: Places
        self.well_since: float | None = None
        """Since when the service is well again, by the wall clock; None while it is not, or when it never was ill."""
        self._was_ill = False
        self._features: dict[str, str] = {}  # by dashboard pod
        self._tell = tell
        self._running = contextlib.AsyncExitStack()
        self._looks = 0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._running.aclose()
            self.guard.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._running.aclose()
        await asyncio.to_thread(self.guard.close)

    @property
    def _fights_back(self) -> bool:
        return any(h.what == "selfheal" for h in self.scenario.happenings)

    @property
    def procedure(self) -> Path:
        return self.folder / "procedure.toml"

    # ------------------------------------------------------------ starting

    async def _start(self) -> None:
        for folder in (self.settings.folder, self.folder / "backup"):
            folder.mkdir(parents=True)
        await asyncio.gather(
            self._start_cluster(), self._start_opas(), self._start_database(), self._start_repository()
        )
        await self._start_prometheus()
        gateway = await self._site(health({"/health": self._gateway_health, "/dashboard": self._dashboard_page}))
        grafana = await self._site(health({"/api/health": lambda: (200, {"database": "ok", "version": "12.1.0"})}))
        sinks = await self._site(self.sinks.app())
        mail = await self._running.enter_async_context(MailServer(self.sinks))
        asked = {"gateway": gateway, "opas": [o.url for o in self.opas], "prometheus": self.prometheus.url}
        load_tester = install_trials(self.folder, {**asked, "pace": self.pace, "release": RELEASES[0]})
        self.places = Places(
            kubeconfig=self.kubernetes.kubeconfig("commander"),
            context=CONTEXT,
            prometheus=self.prometheus.url,
            opas=tuple(opa.url for opa in self.opas),
            gateway=gateway,
            grafana=grafana,
            database_port=self.database.port,
            database_user=USER,
            password_file=self.database.password_file,
            clone=self.repository.clone if self.repository else None,
            migrated_at=datetime.fromtimestamp(round(time.time() - self.scenario.since_seconds / self.pace), UTC),
            sinks=sinks,
            mail_port=mail.port,
            webhook_file=self._secret("slack-webhook", f"{sinks}/slack"),
            page=STATUSPAGE_PAGE,
            page_key_file=self._secret("statuspage-key", STATUSPAGE_KEY),
            load_tester=load_tester,
        )
        _write_backups(self.folder / "backup")
        self.procedure.write_text(
            drill_procedure(sample(), self.places, self.pace, holds=self._fights_back), encoding="utf-8"
        )
        self._task = asyncio.create_task(self._live(), name="the drill's world")

    def _secret(self, name: str, text: str) -> Path:
        """A file as people keep secrets in them."""
        place = self.folder / name
        place.touch(0o600)
        place.write_text(text, encoding="utf-8")
        return place

    async def _site(self, app: Any) -> str:
        return (await self._running.enter_async_context(Site(app))).url

    async def _start_cluster(self) -> None:
        await self._running.enter_async_context(self.kubernetes)
        self.kubernetes.speed = max(self.pace, _WHILE_MIGRATING)  # nobody watches the migration
        await migrate(self.kubernetes.cluster)
        self.kubernetes.speed = self.pace

    async def _start_opas(self) -> None:
        for opa in self.opas:
            await self._running.enter_async_context(opa)
            _put_migrated(opa)

    async def _start_database(self) -> None:
        self._running.push_async_callback(self.database.close)
        await self.database.start(rows_lost="audit-trail" in self.scenario.guilty)

    async def _start_repository(self) -> None:
        if self.repository is None:
            self._tell("There is no git on this machine: the drill goes without the policy repository.")
            return
        await asyncio.to_thread(self.repository.make, _texts("original"), _texts("migrated"))

    async def _start_prometheus(self) -> None:
        write_mounted(self.settings.rules, data_of(self.kubernetes.cluster, MONITORING, "prometheus-rules"))
        self.settings.write(scrapes_qec=True)
        feeds = {SERVICES: self._services, QEC: self.scraped.qec}
        self.prometheus = PrometheusApi(self.settings.file, feeds)
        since = self.scenario.since_seconds
        await asyncio.to_thread(
            self.scraped.fill_past, self.prometheus.storage, EVERYTHING, ends=time.time(), since=since, pace=self.pace
        )
        await self._running.enter_async_context(self.prometheus)

    # ------------------------------------------------------------ living

    def _services(self, instance: str) -> Any:
        self.scraped.now = time.time()
        return self.scraped.services(instance)

    def _gateway_health(self) -> tuple[int, Any]:
        return (200, {"status": "ok"}) if self.service.healthy else (503, {"status": "overloaded"})

    def _dashboard_page(self) -> tuple[int, Any]:
        """What a user of the dashboard gets to see, by what its ready pods run."""
        pods = ready_pods(self.kubernetes.cluster, DASHBOARD)
        if not pods:
            return 503, {"error": "no dashboard"}
        self._start_dashboards()
        shows = any(self._features[pod["metadata"]["uid"]] == "true" for pod in pods)
        return 200, {"qec_features": shows, "release": ", ".join(sorted(set().union(*map(images_of, pods))))}

    def _start_dashboards(self) -> None:
        """What a container does: it reads the setting when it starts, and never again."""
        setting = data_of(self.kubernetes.cluster, NAMESPACE, "dashboard-config").get("show_qec_features", "")
        pods = ready_pods(self.kubernetes.cluster, DASHBOARD)
        self._features = {(uid := p["metadata"]["uid"]): self._features.get(uid, setting) for p in pods}

    async def _live(self) -> None:
        """Looks at what is deployed, so that the service follows."""
        while True:
            self.scraped.in_place = await self.in_place()
            self._feel()
            await asyncio.sleep(_LOOK_SECONDS)

    def _feel(self) -> None:
        if self.service.levels.hurt:
            self._was_ill, self.well_since = True, None
        elif self._was_ill and self.well_since is None:
            self.well_since = time.time()

    async def in_place(self) -> frozenset[str]:
        """Which of the migration's components are there, by what runs and not by what is asked for."""
        self._mount()
        self._start_dashboards()
        return EVERYTHING - {*self._gone_from_cluster(), *self._gone_from_opa(), *await self._gone_from_data()}

    def _mount(self) -> None:
        """What a kubelet does: Prometheus' files follow the ConfigMaps. It reads them at its next reload."""
        cluster = self.kubernetes.cluster
        write_mounted(self.settings.rules, data_of(cluster, MONITORING, "prometheus-rules"))
        self.settings.write(scrapes_qec=data_of(cluster, MONITORING, "prometheus-config").get("scrape_qec") == "true")

    def _gone_from_cluster(self) -> Iterator[str]:
        gateways = ready_pods(self.kubernetes.cluster, GATEWAY)
        dashboards = ready_pods(self.kubernetes.cluster, DASHBOARD)
        if gateways and not any(env_of(pod, "QEC_ENABLED") == "true" for pod in gateways):
            yield "qec-analysis"
        if dashboards and not any("qec" in image for pod in dashboards for image in images_of(pod)):
            yield "dashboard"
        if not any(target.job.name == QEC for target in self.prometheus.server.targets):
            yield "monitoring"

    def _gone_from_opa(self) -> Iterator[str]:
        if not any("quantum" in text for opa in self.opas for text in opa.opa.state.texts.values()):
            yield "opa-policies"

    async def _gone_from_data(self) -> list[str]:
        import psycopg

        self._looks += 1
        if self._looks % _DATA_LOOKS != 1:
            return [c for c in ("audit-trail", "policy-repository") if c not in self.scraped.in_place]
        gone = []
        with contextlib.suppress(psycopg.Error):
            if not await asyncio.to_thread(self.database.missing):
                gone.append("audit-trail")
        if self.repository is not None and await asyncio.to_thread(self.repository.is_original):
            gone.append("policy-repository")
        return gone


def _put_migrated(opa: OpaApi) -> None:
    """OPA as the migration left it."""
    for name, text in _texts("migrated").items():
        if name.endswith(".rego"):
            opa.opa.put_policy(name, text.encode())
    opa.opa.put_data(("acgs",), {"roles": {"banned": "eve"}})


def _texts(state: str) -> dict[str, str]:
    """The files of the policies before or after the migration, by their paths."""
    found: dict[str, str] = {}

    def walk(folder: Traversable, place: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                walk(entry, f"{place}{entry.name}/")
            else:
                found[place + entry.name] = entry.read_text(encoding="utf-8")

    walk(resources.files("console.sandbox.scene").joinpath(state), "")
    return dict(sorted(found.items(), key=lambda item: ("lib.rego" not in item[0], item[0])))


def _write_backups(folder: Path) -> None:
    """What the procedure names as its backups."""
    for entry in resources.files("console.sandbox.scene").joinpath("backup").iterdir():
        (folder / entry.name).write_bytes(entry.read_bytes())
    with tarfile.open(folder / "original-policies.tar.gz", "w:gz") as tar:
        for name, text in _texts("original").items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
