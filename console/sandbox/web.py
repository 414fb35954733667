"""Loopback web servers of the drill: health endpoints, and sinks that take what is sent to Slack, the tracker, the status page.

A sink answers as the real service does and keeps what came, for the debrief. Nothing listens anywhere but on 127.0.0.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

LOOPBACK: Final = "127.0.0.1"
LARGEST_BODY_BYTES: Final = 1024 * 1024
_MOST_KEPT: Final = 1000


class Site:
    """One aiohttp application on a free port of the loopback interface while the `with` block lasts."""

    def __init__(self, app: web.Application, port: int = 0) -> None:
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        self._site: web.TCPSite | None = None
        self.port = port

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await self.resume()
        return self

    async def resume(self) -> None:
        """Serves, on the same port as before."""
        if self._site is None:
            self._site = web.TCPSite(self._runner, LOOPBACK, self.port)
            await self._site.start()
            self.port = int(self._runner.addresses[0][1])

    async def pause(self) -> None:
        """Closes the port and breaks every connection; what the application knows it keeps."""
        site, self._site = self._site, None
        if site is not None:
            await site.stop()
        for connection in list(self._runner.server.connections) if self._runner.server else ():
            connection.force_close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()


def health(answers: Mapping[str, Callable[[], tuple[int, Any]]]) -> web.Application:
    """GETs with a status and a JSON document each, asked anew every time."""
    app = web.Application()
    for path, answer in answers.items():

        async def reply(request: web.Request, answer: Callable[[], tuple[int, Any]] = answer) -> web.Response:
            del request
            status, document = answer()
            return web.json_response(document, status=status)

        app.router.add_get(path, reply)
    return app


@dataclass(frozen=True, slots=True)
class Received:
    """Something that was told to somebody outside. `channel` is `slack`, `tracker`, `statuspage`, `pagerduty` or `email`."""

    at: datetime
    channel: str
    text: str


class Sinks:
    """What was received, in its order."""

    def __init__(self) -> None:
        self.received: list[Received] = []

    def take(self, channel: str, text: str) -> None:
        if len(self.received) < _MOST_KEPT:
            self.received.append(Received(datetime.now(UTC), channel, text))

    def app(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_BODY_BYTES)
        app.router.add_post("/slack", self._slack)
        app.router.add_post("/tracker", self._tracker)
        app.router.add_post("/statuspage", self._statuspage)
        app.router.add_post("/pagerduty/v2/enqueue", self._pagerduty)
        return app

    async def _slack(self, request: web.Request) -> web.Response:
        document = await _document(request)
        if not isinstance(document, dict) or not (document.get("text") or document.get("blocks")):
            return web.Response(status=400, text="no_text")
        self.take("slack", await request.text())
        return web.Response(text="ok")

    async def _tracker(self, request: web.Request) -> web.Response:
        if not isinstance(await _document(request), dict):
            return web.json_response({"error": "a JSON object is expected"}, status=400)
        self.take("tracker", await request.text())
        return web.json_response({"id": f"INC-{len(self.received):04d}"}, status=201)

    async def _statuspage(self, request: web.Request) -> web.Response:
        document = await _document(request)
        if not isinstance(document, dict) or not isinstance(document.get("incident"), dict):
            return web.json_response({"error": "incident is missing"}, status=422)
        self.take("statuspage", await request.text())
        return web.json_response({"id": f"page-{len(self.received):04d}", **document["incident"]}, status=201)

    async def _pagerduty(self, request: web.Request) -> web.Response:
        document = await _document(request)
        if not isinstance(document, dict) or "routing_key" not in document or "event_action" not in document:
            return web.json_response({"status": "invalid event", "errors": ["routing_key, event_action"]}, status=400)
        self.take("pagerduty", await request.text())
        return web.json_response({"status": "success", "dedup_key": document.get("dedup_key", "drill")}, status=202)


async def _document(request: web.Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        return None
