"""Speaks to one API server through the official client, with plain JSON in and out, in threads of its own.

Every error becomes Refused (nothing happened), Failed (a read that got no good answer) or Unknown (sent, no answer). A call
that changes something takes a `Permit`. Nothing is retried but reads, and changes that the server itself turned away with 429.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from console.domain.errors import Failed, Refused, Unknown
from console.engine.ports import Json
from console.targets.kubernetes.resources import Resource, resource_from_discovery, well_known
from console.targets.text import clean_line

if TYPE_CHECKING:
    from console.engine.gateway import Permit

FIELD_MANAGER = "rollback-console"
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_PAGE = 500
_THREADS = 12
_TURNED_AWAY_TRIES = 4

T = TypeVar("T")


class NotFound(Refused):
    """404: there is no such object."""


class Conflict(Refused):
    """409: the object is not the one that was seen, or a field has another owner."""


class KubernetesTarget:
    """A cluster context. The connection is opened by the first call."""

    def __init__(self, name: str, *, kubeconfig: Path | None, context: str | None, in_cluster: bool = False) -> None:
        self.name = name
        self.context = "in-cluster" if in_cluster else (context or "")
        self._kubeconfig = kubeconfig
        self._wanted_context = context
        self._in_cluster = in_cluster
        self._client: Any = None
        self._opening = threading.Lock()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"kubernetes-{name}")
        self._resources: dict[tuple[str, str], Resource] = {}
        self._user: str | None = None

    # ------------------------------------------------------------ reading

    async def connect(self) -> None:
        """Opens the client (imports it, runs credential plugins) without asking the server anything."""
        await self._in_thread(self._open)

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        return await self._in_thread(lambda: self._read("GET", path, params))

    async def get_or_none(self, path: str) -> Json:
        try:
            return await self.get(path)
        except NotFound:
            return None

    async def list(self, path: str, params: Mapping[str, str] | None = None) -> list[Json]:
        """All items, page by page."""
        items: list[Json] = []
        following: dict[str, str] = {}
        while True:
            page = await self.get(path, {**(params or {}), "limit": str(_PAGE), **following})
            items += page.get("items") or []
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return items
            following = {"continue": token}

    async def resource(self, api_version: str, kind: str) -> Resource:
        """How the server serves a kind. Raises Refused when it doesn't."""
        if known := well_known(api_version, kind):
            return known
        key = (api_version, kind)
        if key not in self._resources:
            prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                served = await self.get(prefix)
            except NotFound:
                raise Refused(f"context {self.context} serves no {api_version}", "is its operator installed?") from None
            self._resources[key] = resource_from_discovery(served, api_version, kind)
        return self._resources[key]

    async def review(self, verb: str, resource: Resource, namespace: str | None, name: str = "") -> bool:
        """Whether the present user may. The answer says nothing about whether the object exists."""
        attributes = {"verb": verb, "group": resource.group, "resource": resource.plural, "version": resource.version}
        attributes |= {"namespace": namespace or "", "name": name}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = await self._in_thread(lambda: self._read("POST", path, None, body))
        return bool(answer["status"].get("allowed"))

    async def user(self) -> str:
        """The name that the server knows the present user by."""
        if self._user is None:
            body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
            path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
            answer = await self._in_thread(lambda: self._read("POST", path, None, body))
            self._user = clean_line(str(answer["status"]["userInfo"].get("username", "unknown")))
        return self._user

    async def rehearse(self, path: str, body: Json, content_type: str, *, force: bool = False) -> Json:
        """What the object would be after this patch: the server's own dry run. Persists nothing."""
        params = _patch_params(content_type, force) | {"dryRun": "All"}
        return await self._in_thread(lambda: self._read("PATCH", path, params, body, content_type))

    async def watch(self, path: str, name: str, resource_version: str, seconds: int) -> AsyncIterator[Json]:
        """Watch events of one object until the server ends the watch, after `seconds` at most."""
        params = {
            "watch": "1",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(seconds),
        }
        stream = await self._in_thread(lambda: self._stream(path, params, seconds))
        try:
            while (event := await self._in_thread(lambda: next(stream, None))) is not None:
                yield event
        finally:
            self._threads.submit(stream.close)

    # ------------------------------------------------------------ changing

    async def patch(self, path: str, body: Json, content_type: str, permit: Permit, *, force: bool = False) -> Json:
        """Sends a patch. `body` carries uid and resourceVersion, so that a foreign change in between is a Conflict."""
        params = _patch_params(content_type, force)
        return await self._in_thread(lambda: self._change("PATCH", path, params, body, content_type, permit))

    async def delete(self, path: str, uid: str, permit: Permit) -> None:
        """Deletes exactly this object and, in the background, what it owns."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        await self._in_thread(lambda: self._change("DELETE", path, {}, body, "application/json", permit))

    # ------------------------------------------------------------ inside, in threads

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _open(self) -> Any:
        with self._opening:
            if self._client is None:
                from console.targets.kubernetes.auth import open_client

                self._client, self.context = open_client(self._kubeconfig, self._wanted_context, self._in_cluster)
        return self._client

    def _read(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Json = None, content_type: str = ""
    ) -> Json:
        """A call that changes nothing: repeated once when the connection was lost."""
        try:
            status, text = self._call(method, path, params, body, content_type)
        except _Lost:
            try:
                status, text = self._call(method, path, params, body, content_type)
            except _Lost as error:
                raise Failed(f"{self._server} does not answer: {error}", "is the API server reachable?") from None
        except _NotConnected as error:
            raise Failed(f"{self._server} can't be reached: {error}", "is the API server up?") from None
        if status >= 500:
            raise Failed(f"{self._server} answered {status}: {_message(text)}")
        return self._good(status, text)

    def _change(
        self, method: str, path: str, params: Mapping[str, str], body: Json, content_type: str, permit: Permit
    ) -> Json:
        for attempt in range(_TURNED_AWAY_TRIES):
            try:
                status, text = self._call(method, path, params, body, content_type)
            except _NotConnected as error:
                raise Refused(f"{self._server} can't be reached: {error}", "nothing was sent") from None
            except _Lost as error:
                raise Unknown(f"no answer from {self._server} for {permit.step}: {error}") from None
            if status != 429:
                break
            time.sleep(0.25 * 2**attempt)
        if status >= 500:
            raise Unknown(f"{self._server} answered {status}: {_message(text)}")
        return self._good(status, text)

    def _call(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Json, content_type: str
    ) -> tuple[int, str]:
        import urllib3.exceptions as lost
        from kubernetes.client.exceptions import ApiException

        client = self._open()
        headers = {"Accept": "application/json", "Content-Type": content_type or "application/json"}
        request = client.param_serialize(
            method,
            path,
            query_params=list((params or {}).items()),
            header_params=headers,
            auth_settings=["BearerToken"],
        )
        verb, url, sent_headers, _, _ = request
        text = None if body is None else (body if content_type != APPLY else json.dumps(body))
        try:
            answer = client.rest_client.request(
                verb, url, headers=sent_headers, body=text, _request_timeout=(_CONNECT_SECONDS, _READ_SECONDS)
            )
            return answer.status, (answer.read() or b"").decode("utf-8", "replace")
        except (lost.NewConnectionError, lost.ConnectTimeoutError, lost.NameResolutionError) as error:
            raise _NotConnected(_network_reason(error)) from None
        except ApiException as error:  # the client wraps TLS errors so
            raise _NotConnected(clean_line(str(error.reason))) from None
        except (lost.HTTPError, OSError) as error:
            raise _Lost(_network_reason(error)) from None

    def _stream(self, path: str, params: Mapping[str, str], seconds: int) -> Generator[Json, None, None]:
        import urllib3.exceptions as lost

        client = self._open()
        verb, url, headers, _, _ = client.param_serialize(
            "GET", path, query_params=list(params.items()), header_params={}, auth_settings=["BearerToken"]
        )
        try:
            answer = client.rest_client.request(
                verb, url, headers=headers, _request_timeout=(_CONNECT_SECONDS, seconds + _READ_SECONDS)
            )
        except (lost.HTTPError, OSError) as error:
            raise Failed(f"{self._server} can't be watched: {_network_reason(error)}") from None
        if answer.status != 200:
            self._good(answer.status, (answer.read() or b"").decode("utf-8", "replace"))
        return self._events(answer.response)

    def _events(self, response: Any) -> Generator[Json, None, None]:
        import urllib3.exceptions as lost

        rest, ended = b"", False
        try:
            for chunk in response.stream(65_536, decode_content=True):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())
            ended = True
        except (lost.HTTPError, OSError, ValueError) as error:
            raise Failed(f"the watch of {self._server} broke: {_network_reason(error)}") from None
        finally:
            if ended:
                response.release_conn()
            else:
                response.close()

    def _good(self, status: int, text: str) -> Json:
        if 200 <= status < 300:
            try:
                return json.loads(text)
            except ValueError:
                raise Failed(f"{self._server} did not answer in JSON", "is it really an API server?") from None
        said = _message(text)
        if status == 404:
            raise NotFound(said)
        if status == 409:
            raise Conflict(said)
        if status == 401:
            raise Refused(f"{self._server} does not know this user: {said}", "log in again")
        raise Refused(said if status == 403 else f"{self._server} answered {status}: {said}")

    @property
    def _server(self) -> str:
        return f"context {self.context or self.name}"


class _NotConnected(Exception):
    """No connection was made: nothing was sent."""


class _Lost(Exception):
    """The connection broke or went silent after something may have been sent."""


def _patch_params(content_type: str, force: bool) -> dict[str, str]:
    params = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    return params | {"force": "true"} if content_type == APPLY and force else params


def _message(text: str) -> str:
    """The server's own words from a Status document, or the beginning of whatever else it sent."""
    try:
        said = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        said = text
    return clean_line(str(said)) or "no message"


def _network_reason(error: BaseException) -> str:
    """The innermost reason, in few words and without the client's object addresses."""
    text = str(error)
    if "refused" in text:
        return "connection refused"
    if "timed out" in text.lower() or type(error).__name__.endswith("TimeoutError"):
        return "timed out"
    if "reset" in text:
        return "connection reset"
    if "closed" in text or "aborted" in text.lower():
        return "connection closed without an answer"
    return clean_line(text.rsplit(">: ", 1)[-1])
