"""One connection to a Prometheus, below the client library (prometheus-api-client), which asks through a session of ours.

The library speaks by `requests.Session.request` and reads `data.result` alone. Ours answers that call with one request on a
kept urllib3 connection, which is a third of the cost of what `requests` does around it, and keeps what the library drops:
warnings, infos, the error's text, the Date header. It reads within bounds of size and time. `prometheus.py` imports this module
when it first asks: `requests` is heavy.
"""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
import urllib3
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from console.domain.errors import Failed
from console.domain.triggers import span
from console.targets.prometheus_answers import parsed, refusal, remarks
from console.targets.text import clean_line

UNANSWERED = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
"""What says that no answer came."""


@dataclass(frozen=True, slots=True, repr=False)
class Access:
    """The way in. `largest_bytes` of a decompressed answer are read."""

    url: str
    ca: Path | None
    headers: Mapping[str, str]
    basic: tuple[bytes, bytes] | None
    timeout_seconds: float
    largest_bytes: int


class Connection:
    """The library's client, and what its last answer told besides the result. Not for two threads at a time."""

    def __init__(self, access: Access, failed: Callable[[str], Failed]) -> None:
        self._session = _Session(access, failed)
        self.client: Any = PrometheusConnect(
            url=access.url,
            headers=dict(access.headers),
            retry=Retry(0, read=False),
            session=self._session,
            timeout=access.timeout_seconds,
        )

    @property
    def warnings(self) -> list[str]:
        return self._session.warnings

    @property
    def date(self) -> float | None:
        """What the Date header of the last answer says, in seconds since 1970; None from a cache."""
        return self._session.date

    def close(self) -> None:
        self.client.close()


class _Answered:
    """As much of a `requests.Response` as the library reads."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.status_code = 200
        self._answer = answer

    def json(self) -> dict[str, Any]:
        return self._answer


class _Session(requests.Session):
    """Ignores the environment: REQUESTS_CA_BUNDLE would replace the authorities of the file, and ~/.netrc the token."""

    def __init__(self, access: Access, failed: Callable[[str], Failed]) -> None:
        super().__init__()
        self.trust_env = False
        self.warnings: list[str] = []
        self.date: float | None = None
        self._access = access
        self._failed = failed
        self._pool = _pool(access)
        self._sent_headers = {**_ALWAYS_SENT, **access.headers, **_basic(access.basic)}

    def request(self, method: Any, url: Any, params: Any = None, *_: Any, **__: Any) -> Any:
        """What the library calls. Raises Failed for every answer that is no result, and the errors of urllib3 for none."""
        place = f"{urlsplit(url).path}?{urlencode(params or {})}"
        response = self._pool.urlopen(
            method, place, headers=self._sent_headers, retries=False, redirect=False, preload_content=False
        )
        try:
            return _Answered(self._understood(response, self._body(response)))
        except BaseException:
            response.close()  # what is left of it would be taken for the next answer
            raise

    def close(self) -> None:
        self._pool.close()
        super().close()

    def _understood(self, response: Any, body: bytes) -> dict[str, Any]:
        if response.status in (301, 302, 303, 307, 308) and "Location" in response.headers:
            where = clean_line(response.headers["Location"])
            raise self._failed(f"it redirects to {where}; write that address as its url")
        answer = parsed(body)
        data = answer.get("data")
        understood = isinstance(data, dict) and isinstance(data.get("result"), list)
        if response.status != 200 or answer.get("status") != "success" or not understood:
            raise self._failed(refusal(response.status, answer, body))
        self.warnings, self.date = remarks(answer), _date(response.headers)
        if answer["data"].get("resultType") not in ("vector", "matrix", "scalar"):
            raise self._failed("the query gives a text; it must give numbers")
        return answer

    def _body(self, response: Any) -> bytes:
        """The whole body, decompressed: a time limit of a socket is one for each read."""
        limit, timeout = self._access.largest_bytes, self._access.timeout_seconds
        deadline = time.monotonic() + timeout
        body = bytearray()
        while chunk := response.read1(64 * 1024, decode_content=True):
            body += chunk
            if len(body) > limit:
                mebibytes = limit // (1024 * 1024)
                raise self._failed(f"an answer of more than {mebibytes} MiB; let the query give fewer series")
            if time.monotonic() > deadline:
                raise self._failed(f"no complete answer within {span(timeout)}")
        return bytes(body)


_ALWAYS_SENT = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": "rollback-console"}


def _pool(access: Access) -> urllib3.HTTPConnectionPool:
    parts = urlsplit(access.url)
    timeout = urllib3.Timeout(access.timeout_seconds)
    host = parts.hostname or ""
    if parts.scheme == "http":
        return urllib3.HTTPConnectionPool(host, parts.port, timeout=timeout, maxsize=1)
    authorities = str(access.ca) if access.ca is not None else requests.utils.DEFAULT_CA_BUNDLE_PATH
    return urllib3.HTTPSConnectionPool(
        host, parts.port, timeout=timeout, maxsize=1, cert_reqs="CERT_REQUIRED", ca_certs=authorities
    )


def _basic(credentials: tuple[bytes, bytes] | None) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(b':'.join(credentials)).decode()}"} if credentials else {}


def _date(headers: Mapping[str, str]) -> float | None:
    if "Age" in headers:  # an answer from a cache tells an old time
        return None
    return _moment(headers.get("Date", ""))


@lru_cache(maxsize=4)  # it is the same for a second, and two hundred triggers ask within one
def _moment(text: str) -> float | None:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
