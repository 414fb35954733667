"""Loopback web servers of the drill: health endpoints, and sinks that take what is sent to Slack, the tracker, the status page.

A sink answers as the real service documents it (docs/decisions/0034): its words for what it does not take, its limits, who may
speak to it. It keeps what came, for the debrief. Nothing listens anywhere but on 127.0.0.1.
"""

from __future__ import annotations

import time
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


SLACK_TOKEN: Final = "xoxb-drill-0000"  # noqa: S105 -- it opens nothing but a drill
STATUSPAGE_KEY: Final = "drill-statuspage-key"
STATUSPAGE_PAGE: Final = "drillpage"
ROUTING_KEY: Final = "drill0routing0key00000000000000"

MOST_BLOCKS: Final = 50
MOST_BLOCKS_CHARACTERS: Final = 12_000
BLOCK_CHARACTERS: Final[Mapping[str, int]] = {"section": 3000, "header": 150}
STATUSPAGE_A_MINUTE: Final = 60
_STATUSES: Final = ("investigating", "identified", "monitoring", "resolved")
_SEVERITIES: Final = ("critical", "error", "warning", "info")


class Sinks:
    """What was received, in its order. `seconds` tells the time by which a page counts its requests."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self.received: list[Received] = []
        self._seconds = seconds
        self._incidents: dict[str, dict[str, Any]] = {}
        self._asked: list[float] = []
        self._alerts: set[str] = set()

    def take(self, channel: str, text: str) -> None:
        if len(self.received) < _MOST_KEPT:
            self.received.append(Received(datetime.now(UTC), channel, text))

    def app(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_BODY_BYTES)
        app.router.add_post("/slack", self._slack)
        app.router.add_post("/slack/api/chat.postMessage", self._slack_api)
        app.router.add_post("/tracker", self._tracker)
        page = f"/statuspage/v1/pages/{STATUSPAGE_PAGE}/incidents"
        app.router.add_get(page, self._page_lists)
        app.router.add_post(page, self._page_opens)
        app.router.add_patch(f"{page}/{{id}}", self._page_updates)
        app.router.add_post("/pagerduty/v2/enqueue", self._pagerduty)
        return app

    # ------------------------------------------------------------ Slack: an incoming webhook, and a bot's token

    async def _slack(self, request: web.Request) -> web.Response:
        document = await _document(request)
        if not isinstance(document, dict):
            return web.Response(status=400, text="invalid_payload")
        if wrong := _not_postable(document):
            return web.Response(status=400, text=wrong)
        self.take("slack", await request.text())
        return web.Response(text="ok")

    async def _slack_api(self, request: web.Request) -> web.Response:
        document = await _document(request)
        if wrong := _not_authorized(request) or self._not_taken(document):
            return web.json_response({"ok": False, "error": wrong})
        self.take("slack", await request.text())
        return web.json_response({"ok": True, "channel": document["channel"], "ts": f"{time.time():.6f}"})

    def _not_taken(self, document: Any) -> str:
        if not isinstance(document, dict):
            return "invalid_json"
        return _not_postable(document) if document.get("channel") else "channel_not_found"

    # ------------------------------------------------------------ a tracker, whose every POST is another ticket

    async def _tracker(self, request: web.Request) -> web.Response:
        if not isinstance(await _document(request), dict):
            return web.json_response({"errorMessages": ["a JSON object is expected"], "errors": {}}, status=400)
        self.take("tracker", await request.text())
        number = sum(one.channel == "tracker" for one in self.received)
        return web.json_response({"id": str(10_000 + number), "key": f"INC-{number}"}, status=201)

    # ------------------------------------------------------------ a status page

    async def _page_lists(self, request: web.Request) -> web.Response:
        return self._page_refuses(request) or web.json_response(list(reversed(self._incidents.values())))

    async def _page_opens(self, request: web.Request) -> web.Response:
        if refusal := self._page_refuses(request):
            return refusal
        incident = _incident_in(await _document(request))
        if incident is None or not incident.get("name"):
            return web.json_response({"error": ["Validation failed: Name can't be blank"]}, status=422)
        made = {"id": f"drill{len(self._incidents):07d}", "status": "investigating", "metadata": {}, **incident}
        self._incidents[made["id"]] = made
        self.take("statuspage", await request.text())
        return web.json_response(made, status=201)

    async def _page_updates(self, request: web.Request) -> web.Response:
        if refusal := self._page_refuses(request):
            return refusal
        known = self._incidents.get(request.match_info["id"])
        incident = _incident_in(await _document(request))
        if known is None:
            return web.json_response({"error": "Incident not found"}, status=404)
        if incident is None:
            return web.json_response({"error": ["Validation failed: incident is not valid"]}, status=422)
        known.update(incident)
        self.take("statuspage", await request.text())
        return web.json_response(known)

    def _page_refuses(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"OAuth {STATUSPAGE_KEY}":
            return web.json_response({"error": "Could not authenticate"}, status=401)
        now = self._seconds()
        self._asked = [at for at in self._asked if at > now - 60] + [now]
        if len(self._asked) > STATUSPAGE_A_MINUTE:
            return web.json_response({"error": "Too many requests"}, status=429)
        return None

    # ------------------------------------------------------------ PagerDuty, where an open alert swallows its own repetition

    async def _pagerduty(self, request: web.Request) -> web.Response:
        document = await _document(request)
        if wrong := _not_an_event(document):
            answer = {"status": "invalid event", "message": "Event object is invalid", "errors": wrong}
            return web.json_response(answer, status=400)
        key = str(document.get("dedup_key") or f"drill-{len(self._alerts)}")
        if document["event_action"] == "resolve":
            self._alerts.discard(key)
        elif document["event_action"] == "trigger" and key not in self._alerts:
            self._alerts.add(key)
            self.take("pagerduty", await request.text())
        answer = {"status": "success", "message": "Event processed", "dedup_key": key}
        return web.json_response(answer, status=202)


def _not_authorized(request: web.Request) -> str:
    token = request.headers.get("Authorization", "")
    if not token:
        return "not_authed"
    return "" if token == f"Bearer {SLACK_TOKEN}" else "invalid_auth"


def _not_postable(document: Mapping[str, Any]) -> str:
    """Slack's word for a message that it does not take; empty for one that it does."""
    blocks = document.get("blocks") or []
    if not (document.get("text") or blocks):
        return "no_text"
    if not isinstance(blocks, list) or len(blocks) > MOST_BLOCKS or not all(map(_is_block, blocks)):
        return "invalid_blocks"
    whole = sum(len(block["text"]["text"]) for block in blocks if "text" in block)
    return "msg_blocks_too_long" if whole > MOST_BLOCKS_CHARACTERS else ""


def _is_block(block: Any) -> bool:
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    longest = BLOCK_CHARACTERS.get(block["type"])
    if longest is None:
        return True
    text = block.get("text")
    return isinstance(text, dict) and isinstance(text.get("text"), str) and 0 < len(text["text"]) <= longest


def _incident_in(document: Any) -> dict[str, Any] | None:
    """What a page would take of an incident; None for what it would not."""
    incident = document.get("incident") if isinstance(document, dict) else None
    if not isinstance(incident, dict) or incident.get("status", "investigating") not in _STATUSES:
        return None
    metadata = incident.get("metadata", {})
    fits = isinstance(metadata, dict) and all(isinstance(value, dict) for value in metadata.values())
    return incident if fits else None


def _not_an_event(document: Any) -> list[str]:
    if not isinstance(document, dict):
        return ["the event is not a JSON object"]
    payload = document.get("payload")
    payload = payload if isinstance(payload, dict) else {}
    action = document.get("event_action")
    wrong = [] if document.get("routing_key") == ROUTING_KEY else ["'routing_key' is invalid"]
    wrong += [] if action in ("trigger", "acknowledge", "resolve") else ["'event_action' is invalid"]
    if action == "trigger":
        wrong += [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not payload.get(name)]
        wrong += [] if payload.get("severity") in _SEVERITIES else ["'payload.severity' is invalid"]
    wrong += ["'dedup_key' is too long"] if len(str(document.get("dedup_key", ""))) > 255 else []
    return wrong


async def _document(request: web.Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        return None
