"""An address that answers as it should: check kind `http.ok`.

What `curl -f` keeps to itself (the status, the body, how long it took) is the evidence here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import Field

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.domain.triggers import span
from console.engine.ports import Check, Evidence
from console.targets.http import HttpUrl, excerpt, status_words, why
from console.targets.json_values import wrong_values
from console.targets.text import clean_line
from console.targets.web import LARGEST_BODY_BYTES, bounded, open_client

if TYPE_CHECKING:
    import httpx

KIND: Final = "http.ok"
TARGET_KINDS: Final[tuple[str, ...]] = ()

LIMIT_SECONDS: Final = 60.0
"""For an answer, if whoever runs the check sets no shorter limit."""

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
            client = await asyncio.to_thread(
                open_client, self._options.ca, follow_redirects=self._options.follow_redirects
            )
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
        async with client.stream("GET", self._options.url) as response:
            body, complete = await bounded(response)
            seconds = self._timer() - started
            return _Answer(response.status_code, response.headers.get("location", ""), body, complete, seconds)

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
        return wrong_values(answer.body, self._options.json_values)


def build(options: Options, target: None = None) -> Check:
    del target  # it takes none
    return HttpOk(options)


def _latency(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
