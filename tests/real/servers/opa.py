"""A real OPA on loopback, a bundle server for it, and a way in between that loses answers."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal, Self

import httpx

from tests.real.servers import binaries
from tests.real.servers.ports import reserve
from tests.real.servers.processes import ServerProcess, answers

Fate = Literal[
    "pass",
    "lose",  # never delivered, and the connection breaks
    "swallow",  # delivered, and the connection breaks instead of an answer
]


class OpaServer:
    """One OPA. What it was given lives as long as its process: a stopped one comes back empty."""

    def __init__(self, folder: Path, *, bundles: str | None = None, arguments: tuple[str, ...] = ()) -> None:
        """`bundles`: the address of a bundle server, from which it fetches `bundle.tar.gz` as the bundle `authz`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.address = f"127.0.0.1:{reserve()}"
        self.url = f"http://{self.address}"
        argv: list[str | Path] = [binaries.find("opa", "opa"), "run", "--server", "--addr", self.address]
        argv += ["--log-level", "error", "--disable-telemetry", "--shutdown-grace-period", "1", *arguments]
        if bundles is not None:
            config = folder / "config.json"
            config.write_text(json.dumps(_bundled(bundles)))
            argv += ["--config-file", config]
        self.process = ServerProcess("opa", argv, folder / "opa.log", answers(f"{self.url}/health"))
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=10)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        self.process.start()

    def stop(self) -> None:
        """Its port refuses connections; what it was given is gone."""
        self.process.stop()

    def close(self) -> None:
        self.process.kill()
        self._http.close()

    def put(self, policy_id: str, text: str) -> None:
        self._http.put(f"/v1/policies/{policy_id}", content=text).raise_for_status()

    def delete(self, policy_id: str) -> None:
        self._http.delete(f"/v1/policies/{policy_id}").raise_for_status()

    def put_data(self, path: str, value: object) -> None:
        self._http.put(f"/v1/data/{path}", json=value).raise_for_status()

    def texts(self) -> dict[str, str]:
        """Every module by its id."""
        found = self._http.get("/v1/policies").raise_for_status().json().get("result") or []
        return {policy["id"]: policy["raw"] for policy in found}

    def data(self, path: str = "") -> Any:
        """A document, with what rules make of it."""
        return self._http.get(f"/v1/data/{path}").raise_for_status().json().get("result")

    def decide(self, path: str, **given: object) -> Any:
        return self._http.post(f"/v1/data/{path}", json={"input": given}).raise_for_status().json().get("result")

    def fingerprint(self, *documents: str) -> str:
        """Of everything in it: all modules, and these documents."""
        whole = [self.texts(), [self.data(path) for path in documents]]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()

    def reset(self) -> None:
        """An OPA that has seen nothing."""
        self.process.kill()
        self.start()


def _bundled(url: str) -> dict[str, Any]:
    polling = {"min_delay_seconds": 1, "max_delay_seconds": 1}
    return {
        "services": {"home": {"url": url}},
        "bundles": {"authz": {"service": "home", "resource": "bundle.tar.gz", "polling": polling}},
    }


class _Web:
    """A web server of a test on loopback, in threads of its own."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        raise NotImplementedError


class BundleServer(_Web):
    """Serves one file and takes another by PUT, with an ETag that it also checks. `requests` tells what came.

    With `swallows` it takes it, and hangs up instead of an answer.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.requests: list[str] = []
        self.swallows = False
        super().__init__()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if web.file.exists():
                    self._answer(200, web.file.read_bytes())
                else:
                    self._answer(404, b"")

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.requests.append("PUT")
                if self.headers.get("If-Match") not in (None, self._etag()):
                    self._answer(412, b"")
                    return
                web.file.write_bytes(body)
                if web.swallows:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self._answer(204, b"")

            def _etag(self) -> str:
                return f'"{hashlib.sha256(web.file.read_bytes()).hexdigest()}"' if web.file.exists() else ""

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                if etag := self._etag():
                    self.send_header("ETag", etag)
                if status != 204:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
                """Says nothing."""

        return Handler


class LossyWay(_Web):
    """Passes requests on to an OPA; `fate` decides about each change (PUT, PATCH, DELETE) before it is delivered."""

    CHANGES: ClassVar = ("PUT", "PATCH", "DELETE")

    def __init__(self, opa: OpaServer) -> None:
        self.fate: Callable[[int, str], Fate] = lambda _number, _request: "pass"
        self.changes: list[str] = []
        """Every change that came here, delivered or not: `PUT /v1/policies/…`."""
        self.effects: list[tuple[str, bytes]] = []
        """Every change that OPA carried out, with its body."""
        self._opa = opa
        super().__init__()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        way = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fate: Fate = "pass"
                if self.command in way.CHANGES:
                    way.changes.append(f"{self.command} {self.path}")
                    fate = way.fate(len(way.changes), way.changes[-1])
                if fate != "lose":
                    self._deliver(body, swallow=fate == "swallow")
                if fate != "pass":
                    self.close_connection = True
                    with contextlib.suppress(OSError):
                        self.connection.shutdown(socket.SHUT_RDWR)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - the names of http.server

            def _deliver(self, body: bytes, *, swallow: bool) -> None:
                upstream = http.client.HTTPConnection(way._opa.address, timeout=30)
                headers = {k: v for k, v in self.headers.items() if k not in ("Host", "Connection")}
                upstream.request(self.command, self.path, body or None, headers)
                answer = upstream.getresponse()
                text = answer.read()
                upstream.close()
                if self.command in way.CHANGES and answer.status < 400:
                    way.effects.append((f"{self.command} {self.path}", body))
                if swallow:
                    return
                self.send_response(answer.status)
                if answer.status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
                """Says nothing."""

        return Handler
