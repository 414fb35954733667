"""The proxy of the real servers' tests, but before a server that speaks plain HTTP."""

from __future__ import annotations

import http.client
import threading
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from tests.real.servers.proxy import Proxy, _Server
from tests.sandbox.kubernetes.cluster import DrillCluster


class PlainProxy(Proxy):
    def __init__(self, cluster: DrillCluster) -> None:
        self.fate = lambda _: "pass"
        self.changes = []
        self._drill = cluster
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def kubeconfig(self, folder: Path) -> Path:
        document = yaml.safe_load(self._drill.kubeconfig().read_text())
        for entry in document["clusters"]:
            entry["cluster"]["server"] = f"http://127.0.0.1:{self._server.server_port}"
        path = folder / "proxy.kubeconfig"
        path.write_text(yaml.safe_dump(document))
        return path

    def upstream(self) -> http.client.HTTPConnection:  # type: ignore[override] # used as one
        address = urlsplit(self._drill.url)
        assert address.hostname is not None
        return http.client.HTTPConnection(address.hostname, address.port, timeout=30)
