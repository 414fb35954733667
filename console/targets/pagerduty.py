"""A PagerDuty service, by its Events API v2: target kind `pagerduty`. The one channel where sending twice delivers once.

https://developer.pagerduty.com/docs/events-api-v2-overview: 202 means taken, 400 an event that is not valid, 429 too many,
and an event whose `dedup_key` names an open alert makes no second one. So what got no answer is sent again here, at once and
with the same key, and only what stays unanswered is Unknown: an alert that people closed in the meantime would open anew, so
nobody may repeat it hours later on their own. Used by the `pagerduty` channel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import SecretReference
from console.domain.errors import Undelivered, Unknown
from console.engine.clock import SystemClock
from console.engine.gateway import Permit
from console.engine.ports import Clock, Json, Message
from console.targets.delivery import MAYBE, NOTHING, Delivery, Post, ServiceUrl, must_be_permitted
from console.targets.web import Answer

KIND: Final = "pagerduty"

TRIES: Final = 3
SECONDS_BETWEEN: Final = 1.0


class Options(TableOptions):
    """A PagerDuty service."""

    routing_key: SecretReference
    """Where the integration key of the service's "Events API v2" integration is kept."""
    url: ServiceUrl = "https://events.pagerduty.com"
    """Where the Events API is; in the European region `https://events.eu.pagerduty.com`."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    timeout_seconds: PositiveDuration = 10.0
    """How long an answer may take; what gets none is sent again, three times in all."""


class PagerDutyTarget:
    def __init__(self, name: str, options: Options, clock: Clock | None = None) -> None:
        self.name = name
        self.delivery = Delivery(f"PagerDuty ({name})", ca=options.ca, seconds=options.timeout_seconds)
        self._options = options
        self._clock = clock or SystemClock()

    async def trigger(self, message: Message, permit: Permit, event: Mapping[str, Json]) -> str:
        """Opens an alert, once; the answer in a line. `event` holds its `dedup_key`. Raises Undelivered or Unknown."""
        must_be_permitted(message, permit)
        key = await self.delivery.secret("routing key", self._options.routing_key)
        body = json.dumps({"routing_key": key, "event_action": "trigger", **event}, ensure_ascii=False).encode()
        url = f"{self._options.url.rstrip('/')}/v2/enqueue"
        post = Post("POST", url, {"Content-Type": "application/json"}, body)
        try:
            return self._taken(await self.delivery.send(message, permit, post))
        except Unknown as error:
            maybe = error
        for _ in range(TRIES - 1):
            await self._clock.sleep(SECONDS_BETWEEN)
            try:
                return self._taken(await self.delivery.send(message, permit, post))
            except Unknown as error:
                maybe = error
            except Undelivered as error:  # this try, but not the one before
                raise Unknown(maybe.message, f"{MAYBE} (the next try: {error.message})") from None
        raise maybe

    def _taken(self, answer: Answer) -> str:
        if answer.status != HTTPStatus.ACCEPTED:
            raise self.delivery.refusal(answer, f"{NOTHING}; is the routing key that of an Events API v2 integration?")
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or document.get("status") != "success":
            told = self.delivery.told(f"it does not answer as PagerDuty does: {self.delivery.words(answer)}")
            raise Unknown(told, MAYBE)
        return "202 Accepted"


def build(name: str, options: Options) -> PagerDutyTarget:
    return PagerDutyTarget(name, options)
