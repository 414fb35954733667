"""The addresses that the checklist asks and that are no server of their own here: the gateway's and Grafana's health."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class Health:
    """Answers `/health`, and `/api/health` as Grafana does; `answers` is what a test may change."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Any] | Callable[[], tuple[int, Any]]] = {
            "/health": (200, {"status": "ok"}),
            "/api/health": (200, {"database": "ok", "version": "12.1.0"}),
        }
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        health = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = health.answers.get(self.path, (404, {}))
                status, document = answer() if callable(answer) else answer
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
                """Says nothing."""

        return Handler
