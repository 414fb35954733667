"""A Slack workspace: target kind `slack`. An incoming webhook, which has its channel, or a bot token, which is told one.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and /reference/methods/chat.postMessage. A webhook
answers by status and a word; the Web API answers 200 to almost everything, and its `ok` tells. Used by the `slack` channel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError, model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import SecretReference
from console.domain.errors import Undelivered, Unknown
from console.engine.gateway import Permit
from console.engine.ports import Json, Message
from console.targets.delivery import (
    MAYBE,
    NOTHING,
    Delivery,
    Post,
    ServiceUrl,
    must_be_permitted,
    retry_after_seconds,
)
from console.targets.pace import Pace
from console.targets.text import clean_line
from console.targets.web import Answer

KIND: Final = "slack"

API: Final = "https://slack.com/api"
SECONDS_BETWEEN: Final = 1.0
"""https://docs.slack.dev/apis/web-api/rate-limits: about one message a second and channel, for both ways."""

_MAY_HAVE_SUCCEEDED: Final = ("fatal_error", "internal_error", "service_unavailable")
""""It's possible some aspect of the operation succeeded before the error was raised", say the docs of the first two."""
_FOR_NOW: Final = ("ratelimited", "rate_limited", "request_timeout")
_RENEW: Final = "renew the bot token"
_HINTS: Final[Mapping[str, str]] = {
    "not_in_channel": "invite the bot to the channel",
    "channel_not_found": "name a channel that exists, and invite the bot if it is a private one",
    "is_archived": "name a channel that is in use",
    "channel_is_archived": "make a webhook for a channel that is in use",
    "missing_scope": "give the bot the scope chat:write",
    "invalid_auth": _RENEW,
    "not_authed": _RENEW,
    "token_revoked": _RENEW,
    "token_expired": _RENEW,
    "account_inactive": _RENEW,
    "invalid_token": "the webhook is not valid any more: make a new one",
    "no_service": "the webhook was revoked or disabled: make a new one",
    "no_active_hooks": "the webhook was disabled: enable it or make a new one",
    "action_prohibited": "an administrator restricts who may post there",
}


class Options(TableOptions):
    """A Slack workspace, by an incoming webhook or by a bot token."""

    webhook: SecretReference | None = None
    """Where the address of an incoming webhook is kept; the address is the secret."""
    token: SecretReference | None = None
    """Where a bot token (`xoxb-…`) with the scope `chat:write` is kept; each notice then names its channel."""
    url: ServiceUrl | None = None
    """Where the Web API is, for a token; left out: `https://slack.com/api`."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    timeout_seconds: PositiveDuration = 10.0
    """How long an answer may take."""

    @model_validator(mode="before")
    @classmethod
    def _usual_api(cls, table: Any) -> Any:
        """Written out, so that whoever judges addresses (a drill) sees where a token goes."""
        if isinstance(table, dict) and "token" in table and "url" not in table:
            return {**table, "url": API}
        return table

    @model_validator(mode="after")
    def _one_way(self) -> Options:
        if (self.webhook is None) == (self.token is None):
            raise ValueError('either "webhook" or "token"')
        if self.webhook is not None and self.url is not None:
            raise ValueError('"url" goes with "token": a webhook is an address already')
        return self


class SlackTarget:
    def __init__(self, name: str, options: Options) -> None:
        self.name = name
        self.delivery = Delivery(
            f"Slack ({name})", ca=options.ca, seconds=options.timeout_seconds, pace=Pace(SECONDS_BETWEEN)
        )
        self._options = options

    @property
    def needs_channel(self) -> bool:
        return self._options.token is not None

    async def post(self, message: Message, permit: Permit, document: Mapping[str, Json], channel: str) -> str:
        """Posts once; the answer in a line. Raises Undelivered or Unknown."""
        must_be_permitted(message, permit)
        body = json.dumps(dict(document)).encode()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if self._options.webhook is not None:
            url = await self._webhook(self._options.webhook)
            return self._hooked(await self.delivery.send(message, permit, Post("POST", url, headers, body)))
        token = await self._token()
        body = json.dumps({"channel": channel, **document}).encode()
        url = f"{(self._options.url or API).rstrip('/')}/chat.postMessage"
        headers["Authorization"] = f"Bearer {token}"
        return self._posted(await self.delivery.send(message, permit, Post("POST", url, headers, body)))

    async def _token(self) -> str:
        if self._options.token is None:
            raise Undelivered(self.delivery.told("no token"), NOTHING)
        return await self.delivery.secret("bot token", self._options.token)

    async def _webhook(self, reference: SecretReference) -> str:
        url = await self.delivery.secret("webhook", reference)
        try:
            TypeAdapter(ServiceUrl).validate_python(url)
        except ValidationError:
            told = self.delivery.told(f"the secret from {reference} is not an https address")
            raise Undelivered(told, f"{NOTHING}; a webhook looks like https://hooks.slack.com/services/…") from None
        self.delivery.learn_address(url)
        return url

    def _hooked(self, answer: Answer) -> str:
        if answer.status == HTTPStatus.OK:
            if answer.body.strip() == b"ok":
                return "ok"
            raise Unknown(self.delivery.told(f"it does not answer as Slack does: {self.delivery.words(answer)}"), MAYBE)
        word = answer.body[:100].decode("ascii", "replace").strip()
        raise self.delivery.refusal(answer, f"{NOTHING}; {_HINTS[word]}" if word in _HINTS else NOTHING)

    def _posted(self, answer: Answer) -> str:
        if answer.status != HTTPStatus.OK:
            raise self.delivery.refusal(answer)
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("ok"), bool):
            raise Unknown(self.delivery.told(f"it does not answer as Slack does: {self.delivery.words(answer)}"), MAYBE)
        if document["ok"]:
            return self.delivery.redactor.redact(
                clean_line(f"ok, message {document.get('ts', 'without a time stamp')}")
            )
        raise self._error(str(document.get("error", "no reason given")), answer)

    def _error(self, word: str, answer: Answer) -> Undelivered | Unknown:
        told = self.delivery.told(clean_line(word))
        if word in _MAY_HAVE_SUCCEEDED:
            return Unknown(told, MAYBE)
        if word in _FOR_NOW:
            return Undelivered(told, NOTHING, retry=True, after_seconds=retry_after_seconds(answer))
        return Undelivered(told, f"{NOTHING}; {_HINTS[word]}" if word in _HINTS else NOTHING)


def build(name: str, options: Options) -> SlackTarget:
    return SlackTarget(name, options)
