"""The channels that speak HTTP, each bound to the drill's own sink, with a front before it where answers get lost.

What counts as delivered is what the sink took, not what the channel says of itself.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from console.engine import gateway
from console.engine.gateway import Permit
from console.engine.ports import Message, Notifier
from console.notifiers import pagerduty, slack, statuspage, webhook
from console.sandbox.web import ROUTING_KEY, SLACK_TOKEN, STATUSPAGE_KEY, STATUSPAGE_PAGE, Sinks
from console.targets import pagerduty as pagerduty_target
from console.targets import slack as slack_target
from console.targets import statuspage as statuspage_target
from tests.contract.loopback import Loopback, Reply, Request

Fate = Literal[
    "pass",
    "lose",  # read, and the connection closed before anything was done
    "swallow",  # done, and the connection closed instead of an answer
    "hang",  # done, and no answer comes
]
CHANNELS = ("slack-webhook", "slack-token", "webhook", "statuspage", "pagerduty")

HOSTILE = (
    "<!channel> <@U123> <https://evil.example|click here> & &lt;b&gt; [link](https://evil.example)\n"
    "[/oops] [@click=app.quit]x[/] "
    '<script>alert(1)</script> <img src=x onerror=alert(1)> "quoted" \\ $text ${subject} {{7*7}} %s\n'
    "```\n@everyone\r\nBcc: victim@example.com\r\n.\r\nQUIT\r\n"
    ".leading dot\n\x1b]52;c;aGk=\x07\x1b[2J\x00\x07\x9b31m\u202egnp.exe\u2066\u200b\ud800 \U0001f6a8 ünï"
)
"""A fact as an attacker, or bad luck, would word it."""
FORBIDDEN = ("\x1b", "\x00", "\x07", "\x9b", "\u202e", "\u2066", "\u200b", "\r")
"""What may be in no text that arrives."""


def message(**changes: Any) -> Message:
    given: dict[str, Any] = {
        "op": "op-1f3a",
        "notice": "development-team",
        "subject": "p95 is back",
        "text": "The dashboard was rolled back.\nSoaking.",
        "incident": "inc-7",
        "title": "QEC-SFT migration",
        "audience": "developers",
    }
    return Message(**{**given, **changes})


def permit_for(told: Message) -> Permit:
    """Such as the gateway gives for this message."""
    return Permit(step=told.notice, op=told.op, change="", seal=gateway._SEAL)


class InstantClock:
    """Time passes when somebody sleeps, and only then."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        raise NotImplementedError

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@dataclass
class Front:
    """Stands before the sinks. `fates` are for what changes something, in turn; then all passes. `reply` is said instead."""

    behind: str
    fates: list[Fate] = field(default_factory=list)
    reply: Reply | Callable[[Request], Reply] | None = None

    def __post_init__(self) -> None:
        self.server = Loopback(self.answer)

    @property
    def sent(self) -> list[Request]:
        """What was to change something."""
        return [request for request in self.server.requests if request.method != "GET"]

    def answer(self, request: Request) -> Reply:
        if request.method == "GET":
            return self._forwarded(request)
        if self.reply is not None:
            return self.reply if isinstance(self.reply, Reply) else self.reply(request)
        fate = self.fates.pop(0) if self.fates else "pass"
        if fate == "lose":
            return Reply(hang_up=True)
        answered = self._forwarded(request)
        if fate == "hang":
            return Reply(self.server.never())
        return Reply(hang_up=True) if fate == "swallow" else answered

    def _forwarded(self, request: Request) -> Reply:
        parts = urlsplit(self.behind)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request(request.method, request.path, request.body, dict(request.headers))
            response = connection.getresponse()
            return Reply(response.read(), response.status)
        finally:
            connection.close()


SECRETS = {
    "SLACK_TOKEN": SLACK_TOKEN,
    "STATUSPAGE_KEY": STATUSPAGE_KEY,
    "ROUTING_KEY": ROUTING_KEY,
    "TRACKER_TOKEN": "hunter2-of-the-tracker",
}
"""Beside them SLACK_WEBHOOK, which is an address."""


def channel(kind: str, url: str, *, seconds: str = "5s", ca: Path | None = None) -> Notifier:
    """A channel bound to a sink at `url`, without the pauses that the real services ask for."""
    common: dict[str, Any] = {"timeout": seconds} | ({"ca": ca} if ca else {})
    if kind == "slack-webhook":
        return _slack({"webhook": {"env": "SLACK_WEBHOOK"}, **common}, {})
    if kind == "slack-token":
        return _slack({"token": {"env": "SLACK_TOKEN"}, "url": f"{url}/slack/api", **common}, {"to": "#incidents"})
    if kind == "statuspage":
        table = {"api_key": {"env": "STATUSPAGE_KEY"}, "page": STATUSPAGE_PAGE, "url": f"{url}/statuspage", **common}
        page = statuspage_target.build("page", statuspage_target.Options.model_validate(table))
        page.delivery.pace = None
        return statuspage.build(statuspage.Options(), page)
    if kind == "pagerduty":
        table = {"routing_key": {"env": "ROUTING_KEY"}, "url": f"{url}/pagerduty", **common}
        pager = pagerduty_target.PagerDutyTarget(
            "pager", pagerduty_target.Options.model_validate(table), InstantClock()
        )
        return pagerduty.build(pagerduty.Options(), pager)
    table = {
        "url": f"{url}/tracker", "shows": "key", "answer_within": seconds,
        "headers": {"Authorization": {"env": "TRACKER_TOKEN", "prefix": "Bearer "}},
    } | ({"ca": ca} if ca else {})  # fmt: skip
    return webhook.build(webhook.Options.model_validate(table))


def _slack(target: dict[str, Any], options: dict[str, Any]) -> Notifier:
    workspace = slack_target.build("chat", slack_target.Options.model_validate(target))
    workspace.delivery.pace = None
    return slack.build(slack.Options.model_validate(options), workspace)


def taken(sinks: Sinks) -> Sequence[Any]:
    """The documents that the sinks took."""
    return [json.loads(one.text) for one in sinks.received]


def texts_in(document: Any) -> list[str]:
    """Every text of a document, keys included."""
    if isinstance(document, str):
        return [document]
    if isinstance(document, dict):
        return [text for key, value in document.items() for text in (*texts_in(key), *texts_in(value))]
    return [text for value in document for text in texts_in(value)] if isinstance(document, list) else []
