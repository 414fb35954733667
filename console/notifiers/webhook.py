"""`webhook`: a message to whatever takes JSON by HTTP: a ticket in Jira, an issue at GitHub, an incident in ServiceNow.

The body is a JSON document with `$names` in its texts. They are filled in as values, after the document was parsed, so that no
fact can end a string or add a key. docs/channels.md has such documents for the usual systems.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import SecretReference
from console.domain.errors import ConsoleError, Refused, Undelivered, Unknown
from console.engine.ports import Json, Message, Notifier
from console.targets.calls import Statuses, as_tuple
from console.targets.delivery import MAYBE, NOTHING, Delivery, Post, harmless, must_be_permitted
from console.targets.headers import HeaderName, Headers, HeaderTable
from console.targets.http import HttpUrl, status_words
from console.targets.json_values import shown, value_at
from console.targets.text import clean_line
from console.targets.web import Answer

if TYPE_CHECKING:
    from console.engine.gateway import Permit

KIND: Final = "webhook"
TARGET_KINDS: Final[tuple[str, ...]] = ()

LONGEST: Final = 30_000
"""The smallest of the limits of those that take tickets: Jira's 32,767 characters a text."""

_NAME: Final = re.compile(r"\$(?:\$|(?P<bare>[a-z_]+)|\{(?P<braced>[a-z_]+)\}|(?P<stray>))")
_BACKTICKS: Final = re.compile("`+")
_MAY_HAVE_HAPPENED: Final = (HTTPStatus.CONFLICT,)
"""With an idempotency key, 409 may mean that the first request with it is still being worked on."""


class Options(TableOptions):
    """A message to whatever takes JSON by HTTP."""

    url: HttpUrl | SecretReference
    """Where it is sent: an address, or where an address is kept that is a secret itself: `{ env = "HOOK_URL" }`."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """POST, PUT or PATCH."""
    headers: HeaderTable = Field(default_factory=dict)
    """Headers. Secrets by reference: `{ Authorization = { env = "TOKEN", prefix = "Bearer " } }`."""
    json_body: Annotated[dict[str, Any], Field(validation_alias="json")] = Field(
        default_factory=lambda: {name: f"${name}" for name in NAMES if name != "code"}
    )
    """The body. `$names` in its texts stand for the message's: `$subject`, `$text`, `$code` (the text as a Markdown code block),
    `$incident`, `$title`, `$notice`, `$op`, `$audience`, `$drill`, `$resolved`; `$$` is a dollar. Left out: all of them."""
    expect: Statuses | None = None
    """The status that means success, or a list of them; left out: any from 200 to 299."""
    shows: Annotated[str, StringConstraints(pattern=r"^[^.\s]+(\.[^.\s]+)*$", max_length=100)] | None = None
    """What of the answer's JSON is worth noting, by its path: `key`, a ticket's number."""
    idempotency_key: HeaderName | Literal[""] = "Idempotency-Key"
    """The header that carries the message's id, by which a server knows a message that it has had; `""`: none."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    answer_within_seconds: PositiveDuration = 20.0
    """How long an answer may take."""

    @model_validator(mode="after")
    def _can_be_sent(self) -> Options:
        if self.idempotency_key.lower() in {name.lower() for name in self.headers}:
            raise ValueError(f'{self.idempotency_key} carries the message\'s id; name another as "idempotency_key"')
        for text in _texts(self.json_body):
            for match in _NAME.finditer(text):
                name = match["bare"] or match["braced"]
                if match["stray"] is not None or (name and name not in NAMES):
                    known = ", ".join(f"${known}" for known in NAMES)
                    raise ValueError(f'"{clean_line(text)}" holds an unknown name; known: {known}; "$$" is a dollar')
        try:
            json.dumps(self.json_body)
        except TypeError:
            raise ValueError("a date or time is written as text, in quotes") from None
        return self


def _code(text: str) -> str:
    """A Markdown code block that nothing in the text can end, so that it mentions nobody and shows no picture."""
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _values(message: Message) -> dict[str, str | bool]:
    return {
        "subject": message.subject,
        "text": message.text,
        "code": _code(message.text),
        "incident": message.incident,
        "title": message.title,
        "notice": message.notice,
        "op": message.op,
        "audience": message.audience or "",
        "drill": message.drill,
        "resolved": message.resolved,
    }


NAMES: Final[tuple[str, ...]] = tuple(_values(Message("", "", "", "", "", "")))


class WebhookNotifier:
    longest: int | None = LONGEST

    def __init__(self, options: Options) -> None:
        self._options = options
        self.destination = f"{options.method} {_where(options.url)}"
        self._delivery = Delivery(self.destination, ca=options.ca, seconds=options.answer_within_seconds)

    async def send(self, message: Message, permit: Permit) -> str:
        must_be_permitted(message, permit)
        told = harmless(message, LONGEST)
        body = json.dumps(_filled(self._options.json_body, _values(told))).encode()
        url = await self._url()
        post = Post(self._options.method, url, await self._headers(message), body)
        return self._judged(await self._delivery.send(message, permit, post))

    async def _url(self) -> str:
        if isinstance(self._options.url, str):
            return self._options.url
        url = await self._delivery.secret("address", self._options.url)
        try:
            TypeAdapter(HttpUrl).validate_python(url)
        except ValidationError:
            raise Undelivered(self._delivery.told("the secret is not an address"), NOTHING) from None
        self._delivery.learn_address(url)
        return url

    async def _headers(self, message: Message) -> dict[str, str]:
        try:
            headers = await Headers(self._options.headers, self._delivery.redactor).resolved()
        except Refused as error:
            raise Undelivered(self._delivery.told(error.message), NOTHING) from None
        if "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = "application/json"
        if self._options.idempotency_key:
            headers[self._options.idempotency_key] = message.op
        return headers

    def _judged(self, answer: Answer) -> str:
        if self._is_success(answer.status):
            return f"{status_words(answer.status)}{self._noted(answer)}"
        raise self._no_success(answer)

    def _is_success(self, status: int) -> bool:
        if self._options.expect is None:
            return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
        return status in as_tuple(self._options.expect)

    def _no_success(self, answer: Answer) -> ConsoleError:
        if answer.status in _MAY_HAVE_HAPPENED or answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return Unknown(self._delivery.told(self._delivery.words(answer)), MAYBE)
        return self._delivery.refusal(answer)

    def _noted(self, answer: Answer) -> str:
        if self._options.shows is None:
            return ""
        value = value_at(answer.body, self._options.shows)
        text = clean_line(value) if isinstance(value, str) else shown(value)
        return self._delivery.redactor.redact(f": {self._options.shows} is {text}")


def _where(url: str | SecretReference) -> str:
    if not isinstance(url, str):
        return f"the address from {clean_line(str(url))}"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query string may hold a key


def _filled(value: Json, names: Mapping[str, str | bool]) -> Json:
    """The document with the names in its texts replaced, once: a `$name` that a fact holds stays as it is."""
    if isinstance(value, dict):
        return {key: _filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(inner, names) for inner in value]
    if not isinstance(value, str):
        return value
    alone = _NAME.fullmatch(value)
    if alone and isinstance(flag := names.get(alone["bare"] or alone["braced"] or ""), bool):
        return flag
    return _NAME.sub(lambda match: _word(match, names), value)


def _word(match: re.Match[str], names: Mapping[str, str | bool]) -> str:
    name = match["bare"] or match["braced"]
    if name is None:
        return "$"
    value = names[name]
    return str(value).lower() if isinstance(value, bool) else value


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def build(options: Options, target: None = None) -> Notifier:
    del target  # it takes none
    return WebhookNotifier(options)
