"""A public status page at Atlassian Statuspage: target kind `statuspage`.

https://developer.statuspage.io: one request a second, 420 or 429 beyond that. A page has no idempotency key, but an incident
carries `metadata` of our own. It holds which incident of the console it tells of and which messages it has had, so that the page
itself answers two questions: is there an incident to update, and did a message arrive whose answer was lost. Used by the
`statuspage` channel.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any, Final

from pydantic import StringConstraints

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import SecretReference
from console.domain.errors import Undelivered, Unknown
from console.engine.gateway import Permit
from console.engine.ports import Json, Message
from console.targets.delivery import NOTHING, Delivery, Post, ServiceUrl, must_be_permitted
from console.targets.pace import Pace
from console.targets.text import clean_line
from console.targets.web import Answer

KIND: Final = "statuspage"

SECONDS_BETWEEN: Final = 1.0
LARGEST_LIST_BYTES: Final = 8 * 1024 * 1024
MARK: Final = "rollback-console"
"""The key of our object in an incident's `metadata`, whose values must be objects."""
_NEWEST: Final = 50  # incidents that are looked through for ours
_MOST_OPS: Final = 50
_ENHANCE_YOUR_CALM: Final = 420
_HINTS: Final[Mapping[int, str]] = {
    401: "the API key is not valid: make a new one",
    403: "the API key may not do this",
    404: "is the page's id right?",
    422: "the page does not take this incident",
}


class Options(TableOptions):
    """A page at Statuspage."""

    api_key: SecretReference
    """Where the API key is kept (user menu, API info)."""
    page: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")]
    """The page's id: `kctbh9vrtdwd`."""
    url: ServiceUrl = "https://api.statuspage.io"
    """Where the API is."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    timeout_seconds: PositiveDuration = 10.0
    """How long an answer may take."""


@dataclass(frozen=True, slots=True)
class Update:
    """What the page is told. `status` None: the page's own stays; of a new incident it is `investigating`."""

    name: str
    body: str
    status: str | None
    impact: str | None
    deliver: bool


@dataclass(frozen=True, slots=True)
class _Ours:
    """The incident of the page that tells of ours."""

    id: str
    ops: tuple[str, ...]
    metadata: Mapping[str, Json]


class StatuspageTarget:
    def __init__(self, name: str, options: Options) -> None:
        self.name = name
        self.page = options.page
        self.delivery = Delivery(
            f"Statuspage ({name})", ca=options.ca, seconds=options.timeout_seconds, pace=Pace(SECONDS_BETWEEN)
        )
        self._options = options
        self._incidents = f"{options.url.rstrip('/')}/v1/pages/{options.page}/incidents"

    async def tell(self, message: Message, permit: Permit, update: Update) -> str:
        """Opens the page's incident, or updates it, once; the answer in a line. Raises Undelivered or Unknown."""
        must_be_permitted(message, permit)
        key = await self.delivery.secret("API key", self._options.api_key)
        headers = {"Authorization": f"OAuth {key}", "Content-Type": "application/json"}
        ours = await self._ours(message, headers)
        if ours is not None and message.op in ours.ops:
            return self._told_already(ours)
        try:
            answer = await self.delivery.send(message, permit, self._post(message, update, ours, headers))
            if answer.status not in (HTTPStatus.OK, HTTPStatus.CREATED):
                raise self._refusal(answer)
        except Unknown as maybe:
            return await self._settled(message, headers, maybe)
        return f"incident {ours.id} updated" if ours else f"incident {_id_in(answer.body)} opened"

    def _post(self, message: Message, update: Update, ours: _Ours | None, headers: Mapping[str, str]) -> Post:
        ops = [*(ours.ops if ours else ()), message.op][-_MOST_OPS:]
        mark = {MARK: {"incident": message.incident, "ops": ops}}
        incident: dict[str, Json] = {
            "body": update.body,
            "deliver_notifications": update.deliver,
            "metadata": {**(ours.metadata if ours else {}), **mark},
        }
        if update.status is not None:
            incident["status"] = update.status
        if ours is not None:
            return Post("PATCH", f"{self._incidents}/{ours.id}", headers, _encoded(incident))
        incident = {"status": "investigating", **incident, "name": update.name}
        if update.impact is not None:
            incident["impact_override"] = update.impact
        return Post("POST", self._incidents, headers, _encoded(incident))

    async def _settled(self, message: Message, headers: Mapping[str, str], maybe: Unknown) -> str:
        """After a lost answer: the page tells whether it has the message. That it has not yet does not mean that it won't."""
        try:
            ours = await self._ours(message, headers)
        except Undelivered:
            raise maybe from None
        if ours is None or message.op not in ours.ops:
            raise maybe
        return self._told_already(ours)

    def _told_already(self, ours: _Ours) -> str:
        return f"incident {ours.id} has it, as the page itself says"

    async def _ours(self, message: Message, headers: Mapping[str, str]) -> _Ours | None:
        """Raises Undelivered: this only reads."""
        answer = await self.delivery.read(f"{self._incidents}?limit={_NEWEST}", headers, LARGEST_LIST_BYTES)
        if answer.status != HTTPStatus.OK:
            refusal = self._refusal(answer)
            if isinstance(refusal, Undelivered):
                raise refusal
            raise Undelivered(refusal.message, NOTHING, retry=True)
        listed = await asyncio.to_thread(_parsed, answer.body)
        if not isinstance(listed, list):
            told = self.delivery.told(f"it does not answer as Statuspage does: {self.delivery.words(answer)}")
            raise Undelivered(told, NOTHING)
        return next((ours for one in listed if (ours := _marked(one, message.incident))), None)

    def _refusal(self, answer: Answer) -> Undelivered | Unknown:
        hint = _HINTS.get(answer.status)
        if answer.status == _ENHANCE_YOUR_CALM:  # its older word for 429
            answer = replace(answer, status=int(HTTPStatus.TOO_MANY_REQUESTS))
        return self.delivery.refusal(answer, f"{NOTHING}; {hint}" if hint else NOTHING)


def _marked(listed: Json, incident: str) -> _Ours | None:
    """An incident of the list, if its mark is for ours; whatever else people or programs put there is passed over."""
    metadata = listed.get("metadata") if isinstance(listed, dict) else None
    mark = metadata.get(MARK) if isinstance(metadata, dict) else None
    if not isinstance(mark, dict) or mark.get("incident") != incident or not _is_id(listed.get("id")):
        return None
    ops = mark.get("ops")
    return _Ours(listed["id"], tuple(str(op) for op in ops) if isinstance(ops, list) else (), metadata or {})


def _is_id(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isalnum()


def _id_in(body: bytes) -> str:
    document = _parsed(body)
    found = document.get("id") if isinstance(document, dict) else None
    return clean_line(found) if _is_id(found) and isinstance(found, str) else "of unknown id"


def _parsed(body: bytes) -> Json:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _encoded(incident: Mapping[str, Json]) -> bytes:
    return json.dumps({"incident": dict(incident)}).encode()


def build(name: str, options: Options) -> StatuspageTarget:
    return StatuspageTarget(name, options)
