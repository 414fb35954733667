"""Speaks to one API server with plain JSON in and out, in threads of its own, and says what each answer means.

Every error becomes Refused (nothing happened), Failed (a read that got no good answer) or Unknown (sent, no good answer). A
call that changes something takes a `Permit`. Nothing is repeated but reads whose connection broke, and whatever the server
itself turned away with 429. No call outlasts a few times the target's `timeout`, whatever the server does.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from console.domain.errors import ConsoleError, Failed, Refused, Unknown
from console.engine.gateway import Permit
from console.engine.ports import Json
from console.targets.kubernetes.objects import FIELD_MANAGER
from console.targets.kubernetes.resources import Resource, resource_from_discovery, well_known
from console.targets.kubernetes.wire import Lost, NotConnected, Silent, Wire, lines_of
from console.targets.text import clean_line

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
TIMEOUT_SECONDS = 30.0

_PAGE = 500
_THREADS = 12
_TURNED_AWAY = 429
_TURNED_AWAY_PAUSES_SECONDS = (0.25, 0.5, 1.0)

T = TypeVar("T")


class NotFound(Refused):
    """404: there is no such object."""


class Conflict(Refused):
    """409: the object is not the one that was seen, or a field has another owner.

    `owners` holds each owner's fields, as the server names both; empty when the conflict is not about owners.
    """

    owners: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Expired(Refused):
    """410: a list or a watch can't be continued, because its version is too old; begin anew."""


class KubernetesTarget:
    """A cluster context. The connection is opened by the first call. No answer for `timeout_seconds` is no answer."""

    def __init__(
        self,
        name: str,
        *,
        kubeconfig: Path | None,
        context: str | None,
        in_cluster: bool = False,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.name = name
        self._named = "in-cluster" if in_cluster else (context or "")
        self._kubeconfig = kubeconfig
        self._wanted_context = context
        self._in_cluster = in_cluster
        self._wire = Wire(self._open_client, timeout_seconds)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"kubernetes-{name}")
        self._resources: dict[tuple[str, str], Resource] = {}
        self._user: str | None = None

    @property
    def context(self) -> str:
        """The context's name; empty while it is kubeconfig's current one and nobody has asked yet."""
        return self._wire.context or self._named

    async def connect(self) -> None:
        """Opens the client (imports it, runs credential plugins) without asking the server anything."""
        await self._in_thread(self._wire.open)

    async def close(self) -> None:
        """Drops the connections. A call that is under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._wire.close()

    # ------------------------------------------------------------ reading

    async def get(self, path: str, params: Mapping[str, str] | None = None) -> Json:
        return await self._in_thread(lambda: self._read("GET", path, params or {}))

    async def get_or_none(self, path: str) -> Json:
        try:
            return await self.get(path)
        except NotFound:
            return None

    async def list(self, path: str, params: Mapping[str, str] | None = None) -> list[Json]:
        """All items, page by page; from the first page again when the server has forgotten where it was."""
        items: list[Json] = []
        following: dict[str, str] = {}
        while True:
            try:
                page = await self.get(path, {**(params or {}), "limit": str(_PAGE), **following})
            except Expired:
                if not following:
                    raise
                items, following = [], {}
                continue
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
        answer = await self._review("authorization", "SelfSubjectAccessReview", {"resourceAttributes": attributes})
        return bool(answer["status"].get("allowed"))

    async def user(self) -> str:
        """The name that the server knows the present user by."""
        if self._user is None:
            answer = await self._review("authentication", "SelfSubjectReview", None)
            self._user = clean_line(str(answer["status"]["userInfo"].get("username", "unknown")))
        return self._user

    async def _review(self, group: str, kind: str, spec: Json) -> Json:
        api_version = f"{group}.k8s.io/v1"
        body = {"apiVersion": api_version, "kind": kind} | ({"spec": spec} if spec else {})
        path = f"/apis/{api_version}/{kind.lower()}s"
        return await self._in_thread(lambda: self._read("POST", path, {}, body))

    async def rehearse(self, path: str, body: Json, content_type: str, *, force: bool = False) -> Json:
        """What the object would be after this patch: the server's own dry run. Persists nothing."""
        params = _patch_params(content_type, force) | {"dryRun": "All"}
        return await self._in_thread(lambda: self._read("PATCH", path, params, body, content_type))

    async def watch(self, path: str, name: str, resource_version: str, seconds: int) -> AsyncIterator[Json]:
        """Watch events of one object until the server ends the watch, after `seconds` at most. Raises Failed when it breaks."""
        params = {
            "watch": "1",
            "fieldSelector": f"metadata.name={name}",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(seconds),
        }
        events = await self._in_thread(lambda: self._events(path, params, seconds))
        try:
            while (event := await self._in_thread(lambda: next(events, None))) is not None:
                yield event
        finally:
            with suppress(RuntimeError):  # the target was closed, and its connections with it
                self._threads.submit(events.close)

    # ------------------------------------------------------------ changing

    async def patch(self, path: str, body: Json, content_type: str, permit: Permit, *, force: bool = False) -> Json:
        """Sends a patch. `body` carries uid and resourceVersion, so that a foreign change in between is a Conflict."""
        params = _patch_params(content_type, force)
        return await self._in_thread(lambda: self._change("PATCH", path, params, body, content_type, permit))

    async def delete(self, path: str, live: Json, permit: Permit) -> None:
        """Deletes exactly this object, as it was seen, and in the background what it owns."""
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {k: live["metadata"][k] for k in ("uid", "resourceVersion")},
        }
        await self._in_thread(lambda: self._change("DELETE", path, {}, body, "application/json", permit))

    # ------------------------------------------------------------ inside, in threads

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _open_client(self) -> tuple[Any, str]:
        from console.targets.kubernetes.auth import open_client

        return open_client(self._kubeconfig, self._wanted_context, self._in_cluster)

    def _read(
        self, method: str, path: str, params: Mapping[str, str], body: Json = None, content_type: str = ""
    ) -> Json:
        """A call that changes nothing."""
        try:
            status, text = _let_in(lambda: self._twice(method, path, params, body, content_type))
        except NotConnected as error:
            raise Failed(f"{self._server} can't be reached: {error}", "is the API server up?") from None
        except Lost as error:
            raise Failed(f"{self._server} does not answer: {error}", "is the API server reachable?") from None
        if status >= 500:
            raise Failed(f"{self._server} answered {status}: {_message(text)}")
        if status >= 300:
            raise self._refusal(status, text)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise Failed(f"{self._server} did not answer in JSON", "is it really an API server?") from None

    def _twice(
        self, method: str, path: str, params: Mapping[str, str], body: Json, content_type: str
    ) -> tuple[int, str]:
        """Asked once more when the connection broke: it may have been an old one. Silence is not asked again."""
        try:
            return self._wire.exchange(method, path, params, body, content_type)
        except Silent:
            raise
        except Lost:
            return self._wire.exchange(method, path, params, body, content_type)

    def _change(
        self, method: str, path: str, params: Mapping[str, str], body: Json, content_type: str, permit: Permit
    ) -> Json:
        if not isinstance(permit, Permit):
            raise Refused(f"{method} {path} needs a permit, which the gateway alone gives")
        try:
            status, text = _let_in(lambda: self._wire.exchange(method, path, params, body, content_type))
        except NotConnected as error:
            raise Refused(f"{self._server} can't be reached: {error}", "nothing was sent") from None
        except Lost as error:
            raise Unknown(f"no answer from {self._server} for {permit.step}: {error}") from None
        if status >= 500:
            raise Unknown(f"{self._server} answered {status}: {_message(text)}")
        if status >= 300:
            raise self._refusal(status, text)
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise Unknown(f"{self._server} answered {status}, but not in JSON") from None

    def _events(self, path: str, params: Mapping[str, str], seconds: int) -> Generator[Json, None, None]:
        try:
            status, text, response = self._wire.stream(path, params, seconds)
        except (NotConnected, Lost) as error:
            raise Failed(f"{self._server} can't be watched: {error}") from None
        if response is not None:
            return self._parsed(response)
        if status >= 500 or status == _TURNED_AWAY:
            raise Failed(f"{self._server} answered {status}: {_message(text)}")
        raise self._refusal(status, text)

    def _parsed(self, response: Any) -> Generator[Json, None, None]:
        try:
            for line in lines_of(response):
                yield json.loads(line)
        except (Lost, ValueError, RecursionError) as error:
            reason = error if isinstance(error, Lost) else "not JSON"
            raise Failed(f"the watch of {self._server} broke: {reason}") from None

    def _refusal(self, status: int, text: str) -> ConsoleError:
        said = _message(text)
        if status == 409:
            conflict = Conflict(said)
            conflict.owners = _owners(text)
            return conflict
        if status in _MEANINGS:
            return _MEANINGS[status](said)
        if status == 401:
            return Refused(f"{self._server} does not know this user: {said}", "log in again")
        return Refused(f"{self._server} answered {status}: {said}")

    @property
    def _server(self) -> str:
        return f"context {self.context or self.name}"


_MEANINGS = {403: Refused, 404: NotFound, 410: Expired}
_OWNER = re.compile(r'conflict with "(.+?)"')


def _let_in(call: Callable[[], tuple[int, str]]) -> tuple[int, str]:
    """Asks again while the server turns the call away unread (429)."""
    for pause in _TURNED_AWAY_PAUSES_SECONDS:
        status, text = call()
        if status != _TURNED_AWAY:
            return status, text
        time.sleep(pause)
    return call()


def _patch_params(content_type: str, force: bool) -> dict[str, str]:
    params = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
    return params | {"force": "true"} if content_type == APPLY and force else params


def _message(text: str) -> str:
    """The server's own words from a Status document, or the beginning of whatever else it sent."""
    try:
        said = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = text
    return clean_line(str(said), limit=500) or "no message"


def _owners(text: str) -> dict[str, tuple[str, ...]]:
    """Who owns which fields, from the causes of a Status document."""
    found: dict[str, tuple[str, ...]] = {}
    try:
        for cause in json.loads(text)["details"]["causes"]:
            if owner := _OWNER.match(cause["message"]):
                name = clean_line(owner[1])
                found[name] = (*found.get(name, ()), clean_line(cause["field"].removeprefix(".")))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return found
