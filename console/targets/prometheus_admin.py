"""What `prometheus.reload` asks of a Prometheus: a reload, and the documents that tell what it has loaded.

Beside `prometheus.py`, whose client library knows queries alone. Reading raises Failed; a reload raises Refused (nothing was
sent, or it does not take reloads), Failed (it answered that it could not) or Unknown.
"""

from __future__ import annotations

import asyncio
import base64
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from console.domain.errors import Failed, Refused, Unknown
from console.engine.gateway import Permit
from console.engine.ports import Json
from console.targets.http import excerpt, status_words, why
from console.targets.prometheus import PrometheusTarget
from console.targets.text import clean_line
from console.targets.web import Answer, Lost, NotSent, exchange, open_client

if TYPE_CHECKING:
    import httpx

LARGEST_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""Thousands of rules with their annotations."""
RELOAD_SECONDS: Final = 60.0
"""Prometheus answers when it has loaded everything; with many rules that takes longer than a query may."""
NO_LIFECYCLE: Final = "it takes no reloads: it runs without --web.enable-lifecycle"
LIFECYCLE_HINT: Final = 'start it with that flag, or let something else reload it and write "send = false"'
_MAY_HAVE_PASSED: Final = (502, 503, 504)


class PrometheusAdmin:
    def __init__(self, target: PrometheusTarget) -> None:
        self.target = target
        self._opened: tuple[httpx.AsyncClient, dict[str, str]] | None = None
        self._opening = asyncio.Lock()

    async def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened[0].aclose()

    async def read(self, path: str, **parameters: str) -> Json:
        """The `data` of an answer of the API; None where this server has no such address."""
        url = f"{self.target.url}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        try:
            answer = await self._get(url)
        except (NotSent, Lost) as error:
            raise self.target.failed(str(error)) from None
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.location:
            raise self.target.failed(f"it redirects to {clean_line(answer.location)}; write that address as its url")
        if not answer.complete:
            raise self.target.failed(f"more than {LARGEST_ANSWER_BYTES // 1024**2} MiB at {path}")
        document = await asyncio.to_thread(_parsed, answer.body)
        if answer.status != HTTPStatus.OK or document.get("status") != "success":
            said = clean_line(str(document.get("error", "")), 400) or excerpt(answer.body) or "an empty body"
            raise self.target.failed(f"it answers {status_words(answer.status)} to {path}: {said}")
        return document.get("data")

    async def formatted(self, expression: str) -> str:
        """The expression in the server's own spelling."""
        spelled = await self.read("/api/v1/format_query", query=expression)
        if spelled is None:
            raise self.target.failed("it can't compare expressions: that needs Prometheus 2.41 or later")
        return str(spelled)

    async def reload(self, permit: Permit) -> None:
        """Asks once; it has loaded everything when this returns."""
        if not isinstance(permit, Permit):
            raise Refused("POST /-/reload needs a permit, which the gateway alone gives")
        try:
            # A kept connection may be closed at the other end by now: a loss that means nothing.
            client, authorization = await asyncio.to_thread(self._open)
        except Failed as error:
            raise Refused(error.message, "nothing was sent") from None
        try:
            async with client:
                url = f"{self.target.url}/-/reload"
                answer = await exchange(client, "POST", url, seconds=RELOAD_SECONDS, headers=authorization)
        except NotSent as error:
            raise Refused(self.target.told(str(error)), "nothing was sent") from None
        except Lost as error:
            raise Unknown(self.target.told(f"no answer to the reload: {error}")) from None
        if answer.status != HTTPStatus.OK:
            raise self._refusal(answer)

    def _refusal(self, answer: Answer) -> Refused | Failed | Unknown:
        said = excerpt(answer.body) or "an empty body"
        words = f"{status_words(answer.status)}: {said}"
        if answer.location:
            return Refused(self.target.told(f"it redirects to {clean_line(answer.location)}"), "write that as its url")
        if answer.status == HTTPStatus.FORBIDDEN and "ifecycle" in said:
            return Refused(self.target.told(NO_LIFECYCLE), LIFECYCLE_HINT)
        if answer.status in _MAY_HAVE_PASSED:
            return Unknown(self.target.told(f"no answer to the reload but {words}"))
        if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Refused(self.target.told(f"it answers {words}"), "nothing was reloaded")
        return Failed(self.target.told(f"it could not load all of its files: {said}"), "its log tells which and why")

    async def _get(self, url: str) -> Answer:
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._open)
            client, authorization = self._opened
        seconds = self.target.timeout_seconds
        answer = await exchange(
            client, "GET", url, seconds=seconds, headers=authorization, largest=LARGEST_ANSWER_BYTES
        )
        if answer.status == HTTPStatus.UNAUTHORIZED:
            await self.close()  # a renewed token is found by the next one
        return answer

    def _open(self) -> tuple[httpx.AsyncClient, dict[str, str]]:
        authorization = self.target.authorization()
        headers = dict(authorization.headers or {})
        if authorization.basic is not None:
            pair = base64.b64encode(b":".join(authorization.basic)).decode()
            headers = {"Authorization": f"Basic {pair}"}
        try:
            return open_client(self.target.ca), headers
        except OSError as error:
            raise self.target.failed(f"the authorities in {self.target.ca} can't be used: {why(error)}") from None


def _parsed(body: bytes) -> dict[str, Json]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
