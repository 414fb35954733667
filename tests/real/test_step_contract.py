"""The promises of every step kind whose system is real here: Kubernetes, OPA, PostgreSQL, git and Prometheus."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from tests.contract.cases import git, kubernetes, opa, postgres, prometheus
from tests.contract.kubernetes_contract import KubernetesStepContract
from tests.contract.step_contract import Case, Scene, StepContract
from tests.real.opa_room import QEC_AUTHZ, QEC_EXTRA, QEC_LIB, OpaRoom, need_opa, packed, two_replicas
from tests.real.postgres_scene import AuditTrail
from tests.real.servers import ApiError, ControlPlane, NotBuilt, PrometheusServer, binaries, poll
from tests.real.servers.git import GitServer, Remote
from tests.real.servers.git import git as run_git
from tests.real.servers.opa import BundleServer, LossyWay, OpaServer
from tests.real.servers.postgres import PASSWORD, PostgresServer
from tests.real.servers.postgres_proxy import PostgresProxy
from tests.real.servers.proxy import Proxy

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

# ---------------------------------------------------------------- Kubernetes


@pytest.fixture(scope="module")
def reconciled_by_flux(cluster: ControlPlane) -> Iterator[None]:
    """The API server knows the objects of Flux; nothing reconciles them."""
    group, version, plural = kubernetes.HELD
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"kind": kubernetes.HELD_KIND, "plural": plural, "singular": kubernetes.HELD_KIND.lower()}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
    poll("its definition is taken", lambda: _answers(cluster, "POST", DEFINITIONS, definition))
    poll("its kind is served", lambda: _answers(cluster, "GET", f"/apis/{group}/{version}/{plural}"))
    yield
    cluster.api("DELETE", f"{DEFINITIONS}/{plural}.{group}")
    poll("it is gone", lambda: not _answers(cluster, "GET", f"{DEFINITIONS}/{plural}.{group}"))


def _answers(cluster: ControlPlane, method: str, path: str, body: object = None) -> bool:
    try:
        cluster.api(method, path, body)
    except ApiError:
        return False
    return True


class TestKubernetes(KubernetesStepContract):
    @pytest.fixture(params=kubernetes.CASES, ids=str)
    def case(self, request: pytest.FixtureRequest, reconciled_by_flux: None) -> Case:
        assert isinstance(request.param, Case)
        return request.param

    @pytest.fixture
    def way(self, cluster: ControlPlane) -> Proxy:
        return Proxy(cluster)


# ---------------------------------------------------------------- git


@pytest.mark.parametrize("case", git.CASES, ids=str)
class TestGit(StepContract):
    @pytest.fixture
    def scene(self, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        (tmp_path / "srv").mkdir()
        remote = Remote(tmp_path / "srv")
        run_git("config", "core.logAllRefUpdates", "always", cwd=remote.path)
        remote.set(f"refs/heads/{git.BACKUP}", remote.commit("Original policies"))
        remote.commit("QEC: rewrite")
        remote.commit("QEC: enable")

        def clone() -> Path:
            path = tmp_path / "policy-repository"
            run_git("clone", "--quiet", str(remote.path), str(path), cwd=tmp_path)
            return path

        with ExitStack() as stack:
            server = stack.enter_context(GitServer(remote.path.parent, credentials=f"{git.USER}:{git.SECRET}"))
            yield case.open(tmp_path, remote, server, stack.close, clone)


# ---------------------------------------------------------------- PostgreSQL


@pytest.fixture(scope="module")
def postgres_server() -> Iterator[PostgresServer]:
    try:
        server = PostgresServer()
    except NotBuilt as absent:
        if binaries.REQUIRED:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))
    with server:
        yield server


@pytest.mark.parametrize("case", postgres.CASES, ids=str)
class TestPostgres(StepContract):
    @pytest.fixture
    def scene(self, case: Case, postgres_server: PostgresServer, tmp_path: Path) -> Iterator[Scene]:
        trail = AuditTrail(postgres_server)
        with ExitStack() as stack, closing(trail):
            way = stack.enter_context(PostgresProxy(postgres_server.port))
            yield case.open(tmp_path, trail, way, stack.close, PASSWORD)


# ---------------------------------------------------------------- OPA


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OpaServer]]:
    with two_replicas(tmp_path_factory.mktemp("opa")) as running:
        yield running


@pytest.mark.parametrize("case", [opa.PUSHED], ids=str)
class TestOpa(StepContract):
    @pytest.fixture
    async def scene(self, case: Case, replicas: list[OpaServer], tmp_path: Path) -> AsyncIterator[Scene]:
        room = OpaRoom(replicas, tmp_path)
        room.migrate()
        with ExitStack() as stack:
            ways = [stack.enter_context(LossyWay(replica)) for replica in replicas]
            yield case.open(room, ways, stack.close, tmp_path)
            await room.close()


MIGRATED = {
    "acgs/lib.rego": QEC_LIB,
    "acgs/authz.rego": QEC_AUTHZ,
    "acgs/qec.rego": QEC_EXTRA,
    ".manifest": json.dumps({"revision": "qec-9", "roots": ["acgs"]}),
}


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpaServer, BundleServer]]:
    """An OPA that gets its policies from a bundle server."""
    need_opa()
    folder = tmp_path_factory.mktemp("bundled")
    with BundleServer(folder / "bundle.tar.gz") as home:
        home.file.write_bytes(packed(MIGRATED))
        with OpaServer(folder / "opa", bundles=home.url) as server:
            yield server, home


@pytest.mark.parametrize("case", [opa.PUBLISHED], ids=str)
class TestOpaBundle(StepContract):
    @pytest.fixture
    async def scene(self, case: Case, bundled: tuple[OpaServer, BundleServer], tmp_path: Path) -> AsyncIterator[Scene]:
        server, home = bundled
        home.file.write_bytes(packed(MIGRATED))
        poll("the migration's bundle is active", lambda: "authz/acgs/qec.rego" in server.texts(), seconds=20)
        room = OpaRoom([server], tmp_path)
        with ExitStack() as stack:
            way = stack.enter_context(LossyWay(SimpleNamespace(address=home.url.removeprefix("http://"))))  # type: ignore[arg-type]
            yield case.open(room, [way], stack.close, home.file)
            await room.close()


# ---------------------------------------------------------------- Prometheus


class ReloadsBy(LossyWay):
    CHANGES: ClassVar = ("POST",)  # type: ignore[assignment] # as many as there are


@pytest.mark.parametrize("case", prometheus.CASES, ids=str)
class TestPrometheus(StepContract):
    @pytest.fixture
    async def scene(
        self, case: Case, prometheus_server: PrometheusServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> AsyncIterator[Scene]:
        monkeypatch.setattr("console.steps.prometheus_reload._RELOAD_AGAIN_SECONDS", 0.5)
        with ExitStack() as stack:
            way = stack.enter_context(ReloadsBy(prometheus_server))  # type: ignore[arg-type]
            scene = case.open(tmp_path, prometheus_server, way, stack.close)
            assert isinstance(scene, prometheus.PrometheusScene)
            yield scene
            for target in scene.opened:
                await target.close()
