"""What Prometheus scrapes in the tests: a page of metrics that the test sets."""

from __future__ import annotations

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Exposition:
    """Serves `metrics` on a loopback port; a key is a series as PromQL writes it: `name` or `name{label="value"}`."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}
        self.up = True
        """False answers 503, so that the scrape fails."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        exposition = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                lines = [f"{series} {value}\n" for series, value in exposition.metrics.copy().items()]
                page = "".join(lines).encode()
                self.send_response(HTTPStatus.OK if exposition.up else HTTPStatus.SERVICE_UNAVAILABLE)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
                """Says nothing: a scrape every 200 ms would fill the test's output."""

        return Handler
