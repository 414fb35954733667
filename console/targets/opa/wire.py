"""One HTTP exchange: the status and the body, or how far it came. `replica.py` and `home.py` say what an answer means.

Nothing is repeated and nothing is judged here. `NotConnected` means that nothing was sent; `Lost` that something may have been.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.config.secrets import Redactor, SecretReference, SecretUnavailable, resolve
from console.domain.errors import Refused
from console.targets.http import why

if TYPE_CHECKING:
    import httpx

LARGEST_ANSWER_BYTES: Final = 128 * 1024 * 1024
"""OPA gives each module with its syntax tree, which is many times its text."""
_CONNECT_SECONDS: Final = 5.0


class NotConnected(Exception):
    """No connection was made: nothing was sent."""


class Lost(Exception):
    """The connection broke, or no answer came, after something may have been sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Wire:
    """The way to one server. It is opened, and its secret fetched, by the first exchange."""

    def __init__(
        self, url: str, *, ca: Path | None = None, token: SecretReference | None = None, timeout_seconds: float = 10.0
    ) -> None:
        self.url = url.rstrip("/")
        self._ca = ca
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._redactor = Redactor()
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    def redact(self, text: str) -> str:
        return self._redactor.redact(text)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def exchange(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Raises NotConnected or Lost; Refused when there is no way to even try."""
        import httpx

        client = await self._opened()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS + self._timeout_seconds):
                return await self._answer(client, method, self.url + path, body, headers or {})
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise NotConnected(why(error)) from None
        except (httpx.HTTPError, httpx.StreamError, OSError, TimeoutError) as error:
            raise Lost(why(error)) from None

    async def _answer(
        self, client: httpx.AsyncClient, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        received = bytearray()
        async with client.stream(method, url, content=body, headers=dict(headers)) as response:
            async for chunk in response.aiter_raw():
                received += chunk
                if len(received) > LARGEST_ANSWER_BYTES:
                    raise Lost(f"its answer is larger than {LARGEST_ANSWER_BYTES // 1024**2} MiB")
            return Answer(response.status_code, bytes(received), response.headers)

    async def _opened(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._client is None:
                self._client = await asyncio.to_thread(self._open)
            return self._client

    def _open(self) -> httpx.AsyncClient:
        """Without the environment's proxies and authorities: what the file says is what is spoken to."""
        import httpx

        headers = {"User-Agent": "rollback-console", "Accept-Encoding": "identity"}  # no decompression bombs
        try:
            if self._token is not None:
                secret = resolve(self._token)
                self._redactor.add(secret)
                headers["Authorization"] = f"Bearer {secret.reveal()}"
            trust = (
                ssl.create_default_context(cafile=self._ca) if self._ca else httpx.create_ssl_context(trust_env=False)
            )
        except SecretUnavailable as error:
            raise Refused(f"{self.url}: {error}", "nothing was sent") from None
        except OSError as error:
            raise Refused(f"the authorities in {self._ca} can't be used: {why(error)}", "nothing was sent") from None
        timeout = httpx.Timeout(self._timeout_seconds, connect=min(_CONNECT_SECONDS, self._timeout_seconds))
        return httpx.AsyncClient(verify=trust, trust_env=False, timeout=timeout, headers=headers)
