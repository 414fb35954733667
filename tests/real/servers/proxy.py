"""Between a client and the API server: ends TLS, passes each request on, and loses what a test wants lost.

A request is delivered whole before its answer is thrown away, so that "sent, and no answer" is exactly that.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal, Self
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.real.servers.kubernetes import ControlPlane

Fate = Literal[
    "pass",
    "lose",  # never delivered, and the connection breaks
    "swallow",  # delivered, and the connection breaks instead of an answer
    "cut",  # delivered, and the answer breaks off half-way
]


@dataclass(frozen=True)
class Passing:
    """A request on its way; `changes` tells one that has an effect from a read and from a rehearsal."""

    method: str
    path: str
    changes: bool


@dataclass(frozen=True)
class Refusal:
    """An answer that the API server never gave; nothing is delivered."""

    status: int
    message: str = "turned away by the proxy"


class Proxy:
    """Serves while the `with` block lasts. `fate` decides about each request and is called before it is delivered."""

    def __init__(self, cluster: ControlPlane) -> None:
        self.fate: Callable[[Passing], Fate | Refusal] = lambda _: "pass"
        self.changes: list[Passing] = []
        """Every request with an effect that came here, delivered or not."""
        self._cluster = cluster
        pki = cluster.folder / "pki"
        self._trust = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        serving.load_cert_chain(pki / "rollback-console-real.crt", pki / "rollback-console-real.key")
        self._server = _Server(self)
        self._server.socket = serving.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def kubeconfig(self, folder: Path) -> Path:
        """The administrator's kubeconfig, by way of this proxy."""
        document = yaml.safe_load(self._cluster.kubeconfig().read_text())
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._server.server_port}"
        path = folder / "proxy.kubeconfig"
        path.write_text(yaml.safe_dump(document))
        return path

    def upstream(self) -> http.client.HTTPSConnection:
        address = urlsplit(self._cluster.url)
        assert address.hostname is not None
        return http.client.HTTPSConnection(address.hostname, address.port, context=self._trust, timeout=30)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _proxy(self) -> Proxy:
        assert isinstance(self.server, _Server)
        return self.server.proxy

    def handle_one_request(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            super().handle_one_request()
            return
        self.close_connection = True

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        passing = _passing(self.command, self.path)
        if passing.changes:
            self._proxy.changes.append(passing)
        fate = self._proxy.fate(passing)
        if isinstance(fate, Refusal):
            self._refuse(fate)
        elif fate == "lose":
            self._hang_up()
        else:
            self._deliver(body, fate)

    do_GET = do_POST = do_PATCH = do_DELETE = _pass  # noqa: N815 - the names of http.server

    def _deliver(self, body: bytes, fate: Fate) -> None:
        upstream = self._proxy.upstream()
        headers = {k: v for k, v in self.headers.items() if k not in ("Host", "Connection")}
        upstream.request(self.command, self.path, body or None, headers)
        answer = upstream.getresponse()
        if fate == "swallow":
            answer.read()
            self._hang_up()
        else:
            self._answer(answer, cut=fate == "cut")
        upstream.close()

    def _answer(self, answer: http.client.HTTPResponse, *, cut: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
        if "watch=1" in self.path:
            self.send_header("Connection", "close")
            self.end_headers()
            while chunk := answer.read1():
                self.wfile.write(chunk)
            self.close_connection = True
            return
        text = answer.read()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text[: len(text) // 2] if cut else text)
        if cut:
            self._hang_up()

    def _refuse(self, refusal: Refusal) -> None:
        text = json.dumps({"kind": "Status", "message": refusal.message}).encode()
        self.send_response(refusal.status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        """Says nothing."""


def _passing(method: str, target: str) -> Passing:
    parts = urlsplit(target)
    rehearsed = "dryRun" in parse_qs(parts.query)
    reviews = method == "POST" and parts.path.endswith("reviews")
    return Passing(method, parts.path, method != "GET" and not rehearsed and not reviews)
