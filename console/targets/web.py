"""One HTTP exchange by the standards of this console: what was asked is what is spoken to, and whether it was sent is known.

No proxy and no authority of the environment, no redirect followed unless asked for, no decompression, no body without end.
`NotSent` means that no byte of a request left; `Lost` that something did, and no answer came. Used by the `http.*` kinds and
by what changes a Prometheus.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from console.targets.http import why

if TYPE_CHECKING:
    import httpx

LARGEST_BODY_BYTES: Final = 1024 * 1024
MOST_REDIRECTS: Final = 5


class NotSent(Exception):
    """Nothing of the request left this machine."""


class Lost(Exception):
    """Something of the request was sent, and there is no whole answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`complete` is False where the body was longer than what is read of one. Header names are in lower case."""

    status: int
    body: bytes = b""
    complete: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def location(self) -> str:
        return self.headers.get("location", "")


def authorities(ca: Path | None) -> ssl.SSLContext:
    """Whom a server's certificate must come from, none of them from the environment. Call it in a thread. OSError: unusable."""
    import httpx

    return ssl.create_default_context(cafile=ca) if ca else httpx.create_ssl_context(trust_env=False)


def open_client(ca: Path | None, *, follow_redirects: bool = False) -> httpx.AsyncClient:
    """Call it in a thread: importing httpx and reading authorities take tenths of a second. OSError: unusable authorities."""
    import httpx

    return httpx.AsyncClient(
        verify=authorities(ca),
        trust_env=False,
        timeout=None,  # noqa: S113 -- one limit for the whole answer, set by whoever asks
        follow_redirects=follow_redirects,
        max_redirects=MOST_REDIRECTS,
        headers={"User-Agent": "rollback-console", "Accept-Encoding": "identity"},  # no decompression bombs
    )


async def exchange(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    largest: int = LARGEST_BODY_BYTES,
) -> Answer:
    """Asks once. Raises NotSent or Lost, with the reason in a few words, and nothing else."""
    sent = False

    async def trace(event: str, _: Any) -> None:
        nonlocal sent
        sent = sent or event.endswith("send_request_headers.started")

    try:
        async with (
            asyncio.timeout(seconds),
            client.stream(
                method, url, headers=dict(headers or {}), content=body, extensions={"trace": trace}
            ) as response,
        ):
            received, complete = await bounded(response, largest)
            return Answer(response.status_code, received, complete, dict(response.headers))
    except TimeoutError:
        raise (Lost if sent else NotSent)("no answer in time") from None
    except Exception as error:  # noqa: BLE001 -- httpx lets errors of TLS, sockets and codecs through as they are
        raise (Lost if sent else NotSent)(why(error)) from None


async def bounded(response: httpx.Response, largest: int = LARGEST_BODY_BYTES) -> tuple[bytes, bool]:
    """The body as it is on the wire, or its beginning where it is too long, and whether it is all of it."""
    received = bytearray()
    async for chunk in response.aiter_raw():
        received += chunk
        if len(received) > largest:
            return bytes(received), False
    return bytes(received), True
