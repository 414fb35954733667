"""Whether an address answers as it should: asked once by the check `http.ok`, again and again by the trigger source `http`.

What `curl -f` keeps to itself (the status, the body, how long it took) is in the words here.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import Field

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.domain.triggers import span
from console.targets.http import excerpt, is_web_page, status_words, why
from console.targets.json_values import wrong_values
from console.targets.text import clean_line, clean_lines
from console.targets.web import LARGEST_BODY_BYTES, bounded

if TYPE_CHECKING:
    import httpx

Status: TypeAlias = Annotated[int, Field(ge=100, le=599)]

_OUR_OWN: Final = frozenset(
    (errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EMFILE, errno.ENFILE, errno.ENOBUFS)
)
"""Errors of this machine: no way out, no file handle left. They say nothing about the address."""
_SHOWN_BYTES: Final = 4096
_SHOWN_LINES: Final = 12


class Healthy(TableOptions):
    """The answer to a GET request that counts as healthy."""

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

    @property
    def statuses(self) -> tuple[int, ...]:
        return (self.status,) if isinstance(self.status, int) else self.status


@dataclass(frozen=True, slots=True)
class Health:
    """`words` say what was answered, or what is wrong, and `detail` what was seen; of others' text, clean and bounded."""

    healthy: bool
    words: str
    detail: tuple[str, ...] = ()


class NotAsked(Exception):
    """This machine could not ask, which says nothing about the address. Says why."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    location: str
    body: bytes
    complete: bool
    seconds: float
    version: str = ""
    certificate_until: str = ""

    @property
    def detail(self) -> tuple[str, ...]:
        """The status line, how long it took, and the beginning of the body."""
        lines = [f"{self.version} {status_words(self.status)}".strip(), f"complete after {_latency(self.seconds)}"]
        lines += [f"redirects to {clean_line(self.location)}"] if self.location else []
        lines += [f"certificate valid until {self.certificate_until}"] if self.certificate_until else []
        if is_web_page(self.body):
            return (*lines, f"body: {excerpt(self.body)}")
        shown = clean_lines(self.body[:_SHOWN_BYTES].decode("utf-8", "replace"), _SHOWN_LINES)
        return (*lines, "body:", *shown) if shown else (*lines, "an empty body")

    def __str__(self) -> str:
        return f"{self.status} in {_latency(self.seconds)}"


async def health_of(
    client: httpx.AsyncClient,
    url: str,
    wanted: Healthy,
    *,
    limit_seconds: float,
    headers: Mapping[str, str] | None = None,
    timer: Callable[[], float] = time.perf_counter,
) -> Health:
    """Asks once. No answer is not healthy either; NotAsked where this machine itself is what stands in the way."""
    started = timer()
    try:
        async with (
            asyncio.timeout(limit_seconds),
            client.stream("GET", url, headers=dict(headers or {})) as response,
        ):
            body, complete = await bounded(response)
            answer = _Answer(
                status=response.status_code,
                location=response.headers.get("location", ""),
                body=body,
                complete=complete,
                seconds=timer() - started,
                version=clean_line(response.http_version),
                certificate_until=_certificate_until(response),
            )
    except TimeoutError:
        return Health(False, f"no answer within {span(limit_seconds)}")
    except Exception as error:  # noqa: BLE001 -- httpx lets errors of TLS, sockets and codecs through as they are
        if ours := _own_trouble(error):
            raise NotAsked(ours) from None
        return Health(False, why(error))
    problem = _problem(answer, wanted)
    return Health(not problem, problem or str(answer), answer.detail)


def _certificate_until(response: httpx.Response) -> str:
    """Until when the certificate holds that was shown and accepted; empty without TLS."""
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    shown: dict[str, Any] = (tls.getpeercert() if tls is not None else None) or {}
    return clean_line(str(shown.get("notAfter", "")))


def without_query(url: str) -> str:
    """The address as it is shown: a query string may hold a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{parts.path}"


def _problem(answer: _Answer, wanted: Healthy) -> str:
    """What is wrong with the answer; empty when nothing is."""
    latency = wanted.max_latency_seconds
    if answer.status not in wanted.statuses:
        return _wrong_status(answer, wanted)
    if wanted.json_values and (problem := _wrong_json(answer, wanted)):
        return f"{answer}, but {problem}"
    if latency is not None and answer.seconds > latency:
        return f"{answer}, slower than {_latency(latency)}"
    return ""


def _wrong_status(answer: _Answer, wanted: Healthy) -> str:
    expected = " or ".join(str(status) for status in wanted.statuses)
    words = f"{status_words(answer.status)} in {_latency(answer.seconds)}, expected {expected}"
    if answer.location:
        return f"{words}; it redirects to {clean_line(answer.location)}"
    shown = excerpt(answer.body)
    return f"{words}: {shown}" if shown else words


def _wrong_json(answer: _Answer, wanted: Healthy) -> str:
    if not answer.complete:
        return f"its body is longer than {LARGEST_BODY_BYTES // 1024} KiB"
    return wrong_values(answer.body, wanted.json_values)


def _own_trouble(error: BaseException) -> str:
    """What is wrong with this machine; empty when the error speaks of the address."""
    for cause in _chain(error):
        if isinstance(cause, socket.gaierror):  # "no such host" is an answer
            return "no name server answers" if cause.errno == socket.EAI_AGAIN else ""
        if isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError) and cause.errno in _OUR_OWN:
            return why(cause)
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from; connecting to several addresses of a host fails as a group."""
    current: BaseException | None = error
    while current is not None:
        yield current
        if isinstance(current, BaseExceptionGroup):
            for inner in current.exceptions:
                yield from _chain(inner)
        current = current.__cause__ or current.__context__


def _latency(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
