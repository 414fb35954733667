"""One exchange with an API server through the official client: its status and text, or how far it came.

Called by `client.py` alone, in threads. Nothing is repeated and nothing is judged here. `NotConnected` means that nothing was
sent; `Lost` that something may have been.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

from console.engine.ports import Json
from console.targets.text import clean_line

_CONNECT_SECONDS = 5.0
_CHUNK_BYTES = 65_536
_LARGEST_ANSWER_BYTES = 256 * 1024 * 1024
_TIMED_OUT = "timed out"


class NotConnected(Exception):
    """No connection was made: nothing was sent."""


class Lost(Exception):
    """The connection broke after something may have been sent."""


class Silent(Lost):
    """It was sent, and no answer came in time, or none that ends."""


class Wire:
    """`open_client` gives the official client and the name of its context; it is called once, by the first exchange."""

    def __init__(self, open_client: Callable[[], tuple[Any, str]], timeout_seconds: float) -> None:
        self.context = ""
        self._open_client = open_client
        self._timeout_seconds = timeout_seconds
        self._client: Any = None
        self._opening = threading.Lock()

    def open(self) -> Any:
        """Imports the client and runs credential plugins. Raises Refused when kubeconfig can't be used."""
        with self._opening:
            if self._client is None:
                self._client, self.context = self._open_client()
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.rest_client.close()

    def exchange(
        self, method: str, path: str, params: Mapping[str, str], body: Json = None, content_type: str = ""
    ) -> tuple[int, str]:
        """Raises NotConnected or Lost, in bounded time however slowly the answer trickles in."""
        answer = self._request(method, path, params, body, content_type, self._timeout_seconds)
        return answer.status, _text(answer.response, self._timeout_seconds)

    def stream(self, path: str, params: Mapping[str, str], seconds: float) -> tuple[int, str, Any]:
        """The status; then the text, or with a 200 the unread response of a watch that the server ends after `seconds`."""
        answer = self._request("GET", path, params, None, "", seconds + self._timeout_seconds)
        if answer.status == 200:
            return 200, "", answer.response
        return answer.status, _text(answer.response, self._timeout_seconds), None

    def _request(
        self, method: str, path: str, params: Mapping[str, str], body: Json, content_type: str, read_seconds: float
    ) -> Any:
        import urllib3.exceptions as urllib3
        from kubernetes.client.exceptions import ApiException

        client = self.open()
        headers = {"Accept": "application/json", "Content-Type": content_type or "application/json"}
        verb, url, headers, _, _ = _prepared(client, method, path, params, headers)
        sent = json.dumps(body) if content_type.endswith("yaml") else body  # the client writes only JSON by itself
        timeouts = (min(_CONNECT_SECONDS, self._timeout_seconds), read_seconds)
        try:
            return client.rest_client.request(verb, url, headers=headers, body=sent, _request_timeout=timeouts)
        except (urllib3.NewConnectionError, urllib3.ConnectTimeoutError, urllib3.NameResolutionError) as error:
            raise NotConnected(_reason(error)) from None
        except ApiException as error:  # the client wraps TLS errors so
            raise _tls_trouble(error) from None
        except (urllib3.HTTPError, OSError) as error:
            raise _lost(error) from None


def lines_of(response: Any) -> Generator[bytes, None, None]:
    """The lines of a watch as they come. Raises Lost when it breaks; closing the generator drops the connection."""
    import urllib3.exceptions as urllib3

    rest, ended = b"", False
    try:
        while chunk := response.read1(_CHUNK_BYTES, decode_content=True):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line for line in lines if line.strip())
        ended = True
    except (urllib3.HTTPError, OSError) as error:
        raise _lost(error) from None
    finally:
        if ended:
            response.release_conn()
        else:
            response.close()


def _text(response: Any, seconds: float) -> str:
    """The whole body. Raises Lost when it breaks off, takes too long or too much room."""
    import urllib3.exceptions as urllib3

    deadline = time.monotonic() + seconds
    chunks, size, endless = [], 0, ""
    try:
        while chunk := response.read1(_CHUNK_BYTES, decode_content=True):  # what is there, never waiting for more
            chunks.append(chunk)
            size += len(chunk)
            if endless := _endless(size, deadline):
                break
    except (urllib3.HTTPError, OSError) as error:
        raise _lost(error) from None
    if endless:
        response.close()
        raise Silent(endless)
    response.release_conn()
    return b"".join(chunks).decode("utf-8", "replace")


def _endless(size: int, deadline: float) -> str:
    if size > _LARGEST_ANSWER_BYTES:
        return f"its answer is larger than {_LARGEST_ANSWER_BYTES // 1024**2} MiB"
    return "its answer does not come to an end" if time.monotonic() > deadline else ""


def _prepared(client: Any, method: str, path: str, params: Mapping[str, str], headers: dict[str, str]) -> Any:
    """The request with the user's credentials, which may have to be renewed first."""
    from console.targets.kubernetes.auth import plugin_trouble

    try:
        prepared = client.param_serialize(
            method, path, query_params=list(params.items()), header_params=headers, auth_settings=["BearerToken"]
        )
    except Exception as error:  # noqa: BLE001 - reading tokens raises many kinds
        raise NotConnected(f"no credentials: {clean_line(str(error))}") from None
    if trouble := plugin_trouble():
        raise NotConnected(f"the credential plugin failed: {trouble}")
    return prepared


def _tls_trouble(error: Any) -> Exception:
    """A certificate that is not accepted means that nothing was sent; any other break of TLS can come at any time."""
    wrapped = error.__context__
    cause = wrapped.args[0] if wrapped is not None and wrapped.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return NotConnected(f"its certificate is not accepted: {clean_line(cause.verify_message)}")
    reason = getattr(cause, "reason", None) or str(error.reason).rpartition("\n")[2]
    return Lost(clean_line(f"TLS: {str(reason).replace('_', ' ').lower()}"))


def _lost(error: BaseException) -> Lost:
    reason = _reason(error)
    return Silent(reason) if reason == _TIMED_OUT else Lost(reason)


def _reason(error: BaseException) -> str:
    """The innermost reason, in few words and without the client's object addresses."""
    text = str(error)
    if "refused" in text:
        return "connection refused"
    if _TIMED_OUT in text.lower() or type(error).__name__.endswith("TimeoutError"):
        return _TIMED_OUT
    if "reset" in text:
        return "connection reset"
    if "IncompleteRead" in text:
        return "its answer broke off"
    if "closed" in text or "aborted" in text.lower():
        return "connection closed without an answer"
    return clean_line(text.rsplit(">: ", 1)[-1])
