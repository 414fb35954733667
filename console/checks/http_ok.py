"""An address that answers as it should: check kind `http.ok`.

What `curl -f` keeps to itself (the status, the body, how long it took) is the evidence here.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import Field

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.domain.triggers import span
from console.engine.ports import Check, Evidence, Json
from console.targets.http import HttpUrl, excerpt, status_words, why
from console.targets.text import clean_line

if TYPE_CHECKING:
    import httpx

KIND: Final = "http.ok"
TARGET_KINDS: Final[tuple[str, ...]] = ()

LIMIT_SECONDS: Final = 60.0
"""For an answer, if whoever runs the check sets no shorter limit."""
LARGEST_BODY_BYTES: Final = 1024 * 1024
MOST_REDIRECTS: Final = 5
VALUE_LIMIT: Final = 60
MISSING: Final = object()

Status = Annotated[int, Field(ge=100, le=599)]


class Options(TableOptions):
    """A GET request and the answer that counts as healthy."""

    url: HttpUrl
    """What is asked."""
    status: Status | Annotated[tuple[Status, ...], Field(min_length=1)] = 200
    """The status that is expected, or a list of them."""
    json_values: Annotated[dict[str, Any], Field(validation_alias="json", default_factory=dict)]
    """Values that the answer's JSON must hold: `{ database = "ok", shards.0.state = "STARTED" }`."""
    max_latency_seconds: PositiveDuration | None = None
    """The answer must be complete within this time."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    follow_redirects: bool = False
    """Go where a redirect leads; otherwise a redirect is the answer."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    location: str
    body: bytes
    complete: bool
    seconds: float

    def __str__(self) -> str:
        return f"{self.status} in {_latency(self.seconds)}"


class HttpOk:
    """Passes when the answer is the expected one; fails otherwise, also without an answer; unknown when it can't ask."""

    def __init__(self, options: Options, *, timer: Callable[[], float] = time.perf_counter) -> None:
        self._options = options
        self._timer = timer
        self._expected = (options.status,) if isinstance(options.status, int) else options.status
        parts = urlsplit(options.url)
        self._where = f"{parts.scheme}://{parts.netloc}{parts.path}"  # a query string may hold a key

    async def run(self) -> Evidence:
        # Importing httpx and reading authorities take tenths of a second that the event loop doesn't have.
        try:
            client = await asyncio.to_thread(_client, self._options)
        except OSError as error:
            return Evidence("unknown", f"the authorities in {self._options.ca} can't be used: {why(error)}")
        try:
            async with client, asyncio.timeout(LIMIT_SECONDS):
                answer = await self._ask(client)
        except TimeoutError:
            return Evidence("fail", f"{self._where}: no answer within {span(LIMIT_SECONDS)}")
        except Exception as error:  # noqa: BLE001 -- httpx lets errors of TLS, sockets and codecs through as they are
            return Evidence("fail", f"{self._where}: {why(error)}")
        if problem := self._problem(answer):
            return Evidence("fail", f"{self._where}: {problem}")
        return Evidence("pass", str(answer))

    async def _ask(self, client: httpx.AsyncClient) -> _Answer:
        started = self._timer()
        body = bytearray()
        async with client.stream("GET", self._options.url) as response:
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > LARGEST_BODY_BYTES:
                    break
            seconds = self._timer() - started
            location = response.headers.get("location", "")
            return _Answer(response.status_code, location, bytes(body), len(body) <= LARGEST_BODY_BYTES, seconds)

    def _problem(self, answer: _Answer) -> str:
        """What is wrong with the answer; empty when nothing is."""
        latency = self._options.max_latency_seconds
        if answer.status not in self._expected:
            return self._wrong_status(answer)
        if self._options.json_values and (problem := self._wrong_json(answer)):
            return f"{answer}, but {problem}"
        if latency is not None and answer.seconds > latency:
            return f"{answer}, slower than {_latency(latency)}"
        return ""

    def _wrong_status(self, answer: _Answer) -> str:
        expected = " or ".join(str(status) for status in self._expected)
        words = f"{status_words(answer.status)} in {_latency(answer.seconds)}, expected {expected}"
        if answer.location:
            return f"{words}; it redirects to {clean_line(answer.location)}"
        shown = excerpt(answer.body)
        return f"{words}: {shown}" if shown else words

    def _wrong_json(self, answer: _Answer) -> str:
        if not answer.complete:
            return f"its body is longer than {LARGEST_BODY_BYTES // 1024} KiB"
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            return f"its body is not JSON: {excerpt(answer.body) or 'it is empty'}"
        problems = [
            f"{'.'.join(path)} is {_shown(found)}, expected {_shown(value)}"
            for path, value in _wanted(self._options.json_values)
            if not _same(found := _at(document, path), value)
        ]
        return "; ".join(problems[:3])


def build(options: Options, target: None = None) -> Check:
    del target  # it takes none
    return HttpOk(options)


def _client(options: Options) -> httpx.AsyncClient:
    """Without the environment's proxies and authorities: what the file says is what is asked."""
    import httpx

    return httpx.AsyncClient(
        verify=ssl.create_default_context(cafile=options.ca)
        if options.ca
        else httpx.create_ssl_context(trust_env=False),
        trust_env=False,
        timeout=None,  # noqa: S113 -- one limit for the whole answer, in `run`
        follow_redirects=options.follow_redirects,
        max_redirects=MOST_REDIRECTS,
        headers={"User-Agent": "rollback-console", "Accept-Encoding": "identity"},  # no decompression bombs
    )


def _wanted(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Each expected value with its path; tables nest and keys may be dotted."""
    for key, value in values.items():
        path = (*above, *key.split("."))
        if isinstance(value, dict):
            yield from _wanted(value, path)
        else:
            yield path, value


def _at(document: Json, path: tuple[str, ...]) -> Json:
    """What the document holds at a path; numbers count the items of a list from 0. MISSING when there is nothing."""
    for part in path:
        if isinstance(document, dict) and part in document:
            document = document[part]
        elif isinstance(document, list) and part.isascii() and part.isdigit() and int(part) < len(document):
            document = document[int(part)]
        else:
            return MISSING
    return document


def _same(found: Json, expected: Json) -> bool:
    """Equal, and both or neither true-or-false: in Python `1 == True`."""
    if isinstance(expected, tuple):
        return isinstance(found, list) and tuple(found) == expected
    return isinstance(found, bool) == isinstance(expected, bool) and bool(found == expected)


def _shown(value: Json) -> str:
    if value is MISSING:
        return "missing"
    return clean_line(json.dumps(value, ensure_ascii=False, default=str), VALUE_LIMIT)


def _latency(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
