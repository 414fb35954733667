"""A real Kubernetes control plane on loopback: etcd, API server, controllers, and kwok in the kubelet's place.

There is no scheduler: a pod template carries `spec.nodeName: kwok-node-0`.
"""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.real.servers import binaries
from tests.real.servers.access import ADMIN, Access
from tests.real.servers.certificates import Authority, Pair
from tests.real.servers.ports import reserve
from tests.real.servers.processes import ServerProcess, answers, poll

NODE = "kwok-node-0"
CRASH_LABEL = "test.rollback-console/crash"
"""A pod with this label set to "true" goes into CrashLoopBackOff."""
_CONTROLLERS = "deployment-controller,replicaset-controller,namespace-controller,garbage-collector-controller"


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status


class KubectlError(Exception):
    """kubectl ended with another code than 0; the message is what it printed."""


class ControlPlane:
    """The servers, each a ServerProcess that a test may stop, kill, pause and start again, and ways to ask them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._authority = Authority(folder / "pki")
        self._server_pair = self._authority.server("rollback-console-real")
        self._service_accounts = self._authority.key("service-accounts")
        self._trust = ssl.create_default_context(cafile=str(self._authority.certificate))
        self._port = reserve()
        self.url = f"https://127.0.0.1:{self._port}"
        self.access = Access(folder, self._authority, self.url)
        self.etcd = self._etcd()
        self.apiserver = self._apiserver()
        self.controllers = self._controllers()
        self.kwok = self._kwok()
        self._http = httpx.Client(base_url=self.url, verify=self._trust, trust_env=False, timeout=30)

    @property
    def servers(self) -> tuple[ServerProcess, ...]:
        """In the order in which they need each other."""
        return (self.etcd, self.apiserver, self.controllers, self.kwok)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Brings up whatever is down or paused, side by side as far as it goes; quick when all is well.

        After an outage the controllers and kwok come back to the API server on their own, but they wait up to half a minute
        before they try; this starts them anew instead.
        """
        try:
            self._start_store()
            self._start_followers()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Ends everything and drops the data; the logs stay."""
        for server in reversed(self.servers):
            server.kill()
        self._http.close()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """The kubeconfig of admin, limited, certificate or exec; see Access."""
        return self.access.kubeconfig(user)

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        params: dict[str, str] | None = None,
        user: str = ADMIN,
    ) -> dict[str, Any]:
        """One request with the user's token; the answer's JSON, or ApiError from 400 on."""
        headers = {"Authorization": f"Bearer {self.access.tokens[user]}", "Content-Type": content_type}
        content = None if body is None else json.dumps(body)
        answer = self._http.request(method, path, params=params, headers=headers, content=content)
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise ApiError(answer.status_code, answer.text)
        found: dict[str, Any] = answer.json()
        return found

    def kubectl(
        self, *arguments: str | Path, check: bool = True, user: str = ADMIN, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Runs the kubectl of the same release; KubectlError with its stderr when it fails and `check` is set."""
        program = binaries.find("kubernetes", "kubectl")
        own = (f"--kubeconfig={self.kubeconfig(user)}", f"--cache-dir={self.folder / 'kubectl-cache'}")
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run(
            [program, *own, *arguments], input=stdin, capture_output=True, text=True, env=environment, check=False
        )
        if check and done.returncode != 0:
            words = " ".join(str(argument) for argument in arguments)
            raise KubectlError(f"kubectl {words}: exit {done.returncode}\n{done.stderr.strip()}")
        return done

    def deployment(self, namespace: str, name: str) -> dict[str, Any]:
        """The live Deployment."""
        return self.api("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    def wait_rolled_out(self, namespace: str, name: str, *, seconds: float = 20) -> dict[str, Any]:
        """Waits until the Deployment's last rollout is complete, as `kubectl rollout status` would; the live object."""
        seen: dict[str, Any] = {}

        def complete() -> bool:
            seen.update(self.deployment(namespace, name))
            return rolled_out(seen)

        poll(f"{namespace}/{name} is rolled out", complete, seconds=seconds)
        return seen

    def _start_store(self) -> None:
        for server in self.servers:
            if server.running:
                server.resume()
        self.etcd.launch()
        self.apiserver.launch()
        self.etcd.wait_ready()
        self.apiserver.wait_ready()

    def _start_followers(self) -> None:
        followers = (self.controllers, self.kwok)
        for follower in followers:
            if follower.running and follower.launched_at < self.apiserver.launched_at:
                follower.kill()
            follower.launch()
        self._create_node()
        for follower in followers:
            follower.wait_ready()

    def _create_node(self) -> None:
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NODE, "annotations": {"kwok.x-k8s.io/node": "fake"}, "labels": {"type": "kwok"}},
        }
        try:
            self.api("POST", "/api/v1/nodes", node)
        except ApiError as error:
            if error.status != httpx.codes.CONFLICT:
                raise

    def _etcd(self) -> ServerProcess:
        client, peer = (f"http://127.0.0.1:{reserve()}" for _ in range(2))
        self._etcd_url = client
        argv = (
            binaries.find("etcd", "server"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--heartbeat-interval=10",  # alone, it elects itself; the usual election takes a second
            "--election-timeout=100",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )
        return ServerProcess("etcd", argv, self.folder / "etcd.log", answers(f"{client}/health"))

    def _apiserver(self) -> ServerProcess:
        argv = (
            binaries.find("kubernetes", "kube-apiserver"),
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self._port}",
            "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/24",
            *_serving(self._server_pair),
            f"--client-ca-file={self._authority.certificate}",
            f"--token-auth-file={self.access.token_file}",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._service_accounts}",
            f"--service-account-signing-key-file={self._service_accounts}",
        )
        # Asked to end it closes its port at once, and then stays for a minute for the sake of the watches that are open.
        ready = answers(f"{self.url}/readyz", self._trust)
        return ServerProcess("kube-apiserver", argv, self.folder / "apiserver.log", ready, stop_seconds=0.5)

    def _controllers(self) -> ServerProcess:
        port = reserve()
        argv = (
            binaries.find("kubernetes", "kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig()}",
            f"--controllers={_CONTROLLERS}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            *_serving(self._server_pair),
            "--kube-api-qps=1000",
            "--kube-api-burst=2000",
        )
        ready = answers(f"https://127.0.0.1:{port}/healthz", self._trust)
        return ServerProcess("kube-controller-manager", argv, self.folder / "controllers.log", ready)

    def _kwok(self) -> ServerProcess:
        address = f"127.0.0.1:{reserve()}"
        argv = (
            binaries.find("kwok", "kwok"),
            f"--kubeconfig={self.kubeconfig()}",
            f"--config={binaries.find('kwok', 'stages.yaml')}",
            f"--config={Path(__file__).with_name('stages.yaml')}",
            f"--manage-single-node={NODE}",
            f"--server-address={address}",
        )
        # kwok reads ~/.kwok too: an empty home keeps the user's own settings out.
        environment = {"HOME": str(self.folder)}
        ready = answers(f"http://{address}/healthz")
        return ServerProcess("kwok", argv, self.folder / "kwok.log", ready, environment=environment)


def rolled_out(deployment: dict[str, Any]) -> bool:
    """Whether the Deployment's controller has seen its newest template and every wanted pod of it is available."""
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    counts = [status.get(field, 0) for field in ("updatedReplicas", "replicas", "availableReplicas")]
    return status.get("observedGeneration", 0) >= deployment["metadata"]["generation"] and counts == [wanted] * 3


def _serving(pair: Pair) -> tuple[str, str]:
    return f"--tls-cert-file={pair.certificate}", f"--tls-private-key-file={pair.key}"
