"""What everything that speaks HTTP says alike: addresses in the file, failures in words, bodies in one harmless line.

Used by `prometheus.py` (requests) and the `http.*` kinds (httpx). Both hide the cause of a failure in chains of their own
exceptions; below them lie the same errors of the standard library, and those are the ones that mean something to people.
"""

from __future__ import annotations

import html
import re
import socket
import ssl
from collections.abc import Iterator
from http import HTTPStatus
from typing import Annotated, Final, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from console.targets.text import clean_line

EXCERPT_LIMIT: Final = 160
"""Characters of a body that are shown: enough to recognise an error page or message."""
_TITLE: Final = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_TITLE_WITHIN: Final = 20_000  # characters of a page that are searched for its title


def _http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isprintable() or " " in text:
        raise PydanticCustomError("url_parsing", "not an address")
    if parts.username is not None or parts.password is not None:
        raise PydanticCustomError("secret_in_file", "a secret is never written in the file")
    return text


HttpUrl: TypeAlias = Annotated[
    str, AfterValidator(_http_url), WithJsonSchema({"type": "string", "pattern": "^https?://[^@/]+"})
]
"""An address that starts with http:// or https:// and holds no user name or password."""


def why(error: BaseException) -> str:
    """Why a request got no answer, in a few words: `connection refused`, `no such host`, `its certificate …`."""
    causes = list(_causes(error))
    for words in (_tls, _network, _by_name):
        for cause in causes:
            if reason := words(cause):
                return reason
    return clean_line(f"{type(error).__name__}: {error}")


def status_words(status: int) -> str:
    """`503 Service Unavailable`; the bare number where it has no name."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def excerpt(body: bytes) -> str:
    """The start of a body as one clean line; of a web page, that it is one and its title. Empty for an empty body."""
    text = body[: 4 * _TITLE_WITHIN].decode("utf-8", "replace")
    if not is_web_page(body):
        return clean_line(text, EXCERPT_LIMIT)
    title = _TITLE.search(text[:_TITLE_WITHIN])
    words = clean_line(html.unescape(title[1]), EXCERPT_LIMIT) if title else ""
    return f'a web page titled "{words}"' if words else "a web page"


def is_web_page(body: bytes) -> bool:
    start = body[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that it came from: causes, contexts, groups, and what urllib3 keeps in `reason` and `args`."""
    seen: set[int] = set()
    queue: list[BaseException] = [error]
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        queue += [one for one in inner if isinstance(one, BaseException)]
        if isinstance(current, BaseExceptionGroup):
            queue += current.exceptions


def _tls(cause: BaseException) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {clean_line(cause.verify_message or str(cause))}"
    if isinstance(cause, ssl.SSLError):
        reason = (cause.reason or "").lower().replace("_", " ")
        if reason in ("wrong version number", "http request", "record layer failure", "packet length too long"):
            return "it does not speak TLS at this port"
        return f"TLS failed: {clean_line(reason or str(cause))}"
    return ""


def _network(cause: BaseException) -> str:
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(cause, socket.gaierror):
        return "no such host"
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, ConnectionError):
        return "it closed the connection"
    if isinstance(cause, OSError) and cause.strerror and cause.errno:
        return clean_line(cause.strerror).lower()
    return ""


def _by_name(cause: BaseException) -> str:
    """For errors that libraries make out of nothing: a time limit of their own, half an answer."""
    name = type(cause).__name__
    if "Timeout" in name:
        return "no answer in time"
    if name in ("IncompleteRead", "RemoteProtocolError", "ProtocolError", "BadStatusLine", "RemoteDisconnected"):
        return "it broke off its answer or does not speak HTTP"
    return ""
