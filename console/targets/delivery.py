"""What everything that delivers messages has in common: the permit, harmless text, secrets, and an answer's meaning by HTTP.

A message was delivered, was certainly not (`Undelivered`), or nobody can say (`Unknown`): there is nothing in between, and
whatever is not sure is `Unknown`, because a person is asked then, while an `Undelivered` may be sent again by itself. Used by
the targets of the channels and by the `webhook` channel.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator

from console.config.secrets import Redactor, SecretReference, SecretUnavailable, SecretValue, resolve
from console.domain.errors import Refused, Undelivered, Unknown
from console.engine.gateway import Permit
from console.engine.ports import Message
from console.targets.http import HttpUrl, excerpt, status_words, why
from console.targets.pace import Pace
from console.targets.text import clean, clean_line
from console.targets.web import Answer, Lost, NotSent, exchange, open_client

NOTHING: Final = "nothing was delivered"
MAYBE: Final = "it may have arrived: look there before it is sent again"

SUBJECT_LIMIT: Final = 200
LARGEST_ANSWER_BYTES: Final = 64 * 1024
"""Of an answer that is read: those of the services are a few lines."""
LONGEST_WAIT_SECONDS: Final = 24 * 3600.0
_EXCERPT_FROM: Final = 100_000  # characters of a body in which secrets are looked for before it is cut
_CARRIED: Final = re.compile(r"[\x21-\x7e]+")
_SECONDS: Final = re.compile(r"\d{1,9}")

_TURNED_AWAY_FOR_NOW: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
"""Not taken, and the same may be taken later (RFC 9110 §15.5.9, RFC 8470 §5.2, RFC 6585 §4)."""
_MOVED: Final = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT)
"""Asks for the same request elsewhere. 302 and 303 may also follow upon a POST that was taken (RFC 9110 §15.4)."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _encrypted(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("https only: the secret would go there unencrypted")
    return url


ServiceUrl: TypeAlias = Annotated[HttpUrl, AfterValidator(_encrypted)]
"""Where a service is that a secret is sent to: https, or this machine."""


def must_be_permitted(message: Message, permit: Permit) -> None:
    """Raises Refused unless the gateway permitted this very message."""
    if not isinstance(permit, Permit):
        raise Refused(f"notice {message.notice} needs a permit, which the gateway alone gives", "nothing was sent")
    if (permit.step, permit.op) != (message.notice, message.op):
        raise Refused(f"the permit is for another message than {message.op} of notice {message.notice}", NOTHING)


def harmless(message: Message, longest: int) -> Message:
    """The message as it may leave: no control character, the subject one line that is not empty, at most `longest` of text."""
    subject = clean_line(message.subject, SUBJECT_LIMIT) or clean_line(message.title, SUBJECT_LIMIT) or message.notice
    return replace(
        message,
        subject=subject,
        text=clean(message.text, longest).strip("\n"),
        title=clean_line(message.title, SUBJECT_LIMIT),
    )


async def fetched(what: str, reference: SecretReference, redactor: Redactor) -> str:
    """A secret, anew each time so that a renewed one is found, and known to the redactor. Raises Undelivered."""
    try:
        secret = await asyncio.to_thread(resolve, reference)
    except SecretUnavailable as error:
        raise Undelivered(f"{what}: {clean_line(str(error))}", NOTHING) from None
    redactor.add(secret)
    return secret.reveal()


@dataclass(frozen=True, slots=True)
class Post:
    """One request that delivers."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


class Delivery:
    """Exchanges with one service. `name` is what errors call it, and holds no secret."""

    def __init__(self, name: str, *, ca: Path | None, seconds: float, pace: Pace | None = None) -> None:
        self.name = name
        self.redactor = Redactor()
        self.pace = pace
        self._ca = ca
        self._seconds = seconds

    async def secret(self, what: str, reference: SecretReference) -> str:
        """A token, a key or an address, which is one word that a header can carry. Raises Undelivered."""
        secret = await fetched(f"{self.name}: {what}", reference, self.redactor)
        if not _CARRIED.fullmatch(secret):  # a library's own error would quote it
            raise Undelivered(self.told(f"{what}: the secret from {reference} is not one word of ASCII"), NOTHING)
        return secret

    async def send(self, message: Message, permit: Permit, post: Post) -> Answer:
        """Sends it once. Raises Undelivered when nothing left, Unknown when something did and no answer came."""
        must_be_permitted(message, permit)
        try:
            return await self._exchange(post.method, post.url, post.headers, post.body, LARGEST_ANSWER_BYTES)
        except NotSent as error:
            raise Undelivered(self.told(str(error)), NOTHING, retry=True) from None
        except Lost as error:
            raise Unknown(self.told(f"sent, and then: {error}"), MAYBE) from None

    async def read(self, url: str, headers: Mapping[str, str], largest: int) -> Answer:
        """A GET before anything is sent. Raises Undelivered, which may be tried again."""
        try:
            return await self._exchange("GET", url, headers, None, largest)
        except (NotSent, Lost) as error:
            raise Undelivered(self.told(str(error)), NOTHING, retry=True) from None

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, largest: int
    ) -> Answer:
        try:
            client = await asyncio.to_thread(open_client, self._ca)
        except OSError as error:
            raise Undelivered(
                self.told(f"the authorities in {self._ca} can't be used: {why(error)}"), NOTHING
            ) from None
        async with client:
            if self.pace is not None:
                await self.pace.turn()
            return await exchange(
                client, method, url, seconds=self._seconds, headers=headers, body=body, largest=largest
            )

    def refusal(self, answer: Answer, hint: str = NOTHING) -> Undelivered | Unknown:
        """What an answer that is no success says, by its status alone."""
        told = self.told(self.words(answer))
        if answer.status in _TURNED_AWAY_FOR_NOW:
            return Undelivered(told, NOTHING, retry=True, after_seconds=retry_after_seconds(answer))
        if answer.status in _MOVED:
            return Undelivered(told, "redirects are not followed; write the new address into the file")
        if HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Undelivered(told, hint)
        return Unknown(told, MAYBE)

    def words(self, answer: Answer) -> str:
        """`503 Service Unavailable: what its body begins with`."""
        said = self.excerpt(answer.body)
        return f"{status_words(answer.status)}: {said}" if said else status_words(answer.status)

    def told(self, text: str) -> str:
        return self.redactor.redact(f"{self.name}: {text}")

    def excerpt(self, body: bytes) -> str:
        """The start of a body. Secrets go before it is cut, for half of one would not be found, and again once it is clean."""
        text = clean(self.redactor.redact(body[:_EXCERPT_FROM].decode("utf-8", "replace")), _EXCERPT_FROM)
        return excerpt(self.redactor.redact(text).encode())

    def learn_address(self, url: str) -> None:
        """An address that is a secret: its parts are secret too, wherever a service repeats them."""
        parts = urlsplit(url)
        for part in (parts.path, parts.query, *parts.path.split("/"), *parts.query.split("&")):
            if len(part) > len("services"):  # shorter ones are words of the address, and don't open it alone
                self.redactor.add(SecretValue(part))


def retry_after_seconds(answer: Answer) -> float | None:
    """What Retry-After asks for, in seconds from now; None where it does not say (RFC 9110 §10.2.3)."""
    value = answer.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), LONGEST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT_SECONDS)
