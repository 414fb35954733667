"""HTTP in front of the registry: who asks, what for, may they, and the answer as the real API server words it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from console.sandbox.kubernetes import discovery, errors, requests, tables
from console.sandbox.kubernetes.access import Access, Attempt, User, access_review, rules_review, who_am_i
from console.sandbox.kubernetes.documents import Object, compact
from console.sandbox.kubernetes.errors import ApiError, bad_request
from console.sandbox.kubernetes.kinds import REVIEWS, Kind
from console.sandbox.kubernetes.paging import Pages, matcher
from console.sandbox.kubernetes.registry import Deletion, Registry, Written
from console.sandbox.kubernetes.requests import Target, is_true, target_of
from console.sandbox.kubernetes.scaling import scale_of
from console.sandbox.kubernetes.watching import Watch, error_event

_log = logging.getLogger(__name__)
_LARGEST_BODY_BYTES = 3 * 1024 * 1024
_WATCH_SECONDS = 1800.0
_AS_USER = "/as/"
_NOT_DONE = frozenset(
    ("log", "exec", "attach", "portforward", "proxy", "eviction", "binding", "ephemeralcontainers", "resize", "token",
     "approval")
)  # fmt: skip


class ApiServer:
    """Serves one registry on loopback. `frozen` leaves every request without an answer until it is set again."""

    def __init__(self, registry: Registry, access: Access, *, host: str, port: int) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the drill's Kubernetes API serves on loopback only, not on {host}")
        self._registry = registry
        self._access = access
        self._host = host
        self._port = port
        self.pages = Pages()
        self._serving: asyncio.Server | None = None
        self._protocol: web.Server | None = None
        self.flowing = asyncio.Event()
        self.flowing.set()

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Begins to serve, on the same port as before."""
        if self._serving is None:
            self._protocol = web.Server(self._handle, handler_cancellation=True, access_log=None)
            self._serving = await asyncio.get_running_loop().create_server(self._protocol, self._host, self._port)
            self._port = self._serving.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Closes the port and breaks every connection."""
        serving, protocol = self._serving, self._protocol
        self._serving = self._protocol = None
        if serving is not None and protocol is not None:
            serving.close()
            for connection in list(protocol.connections):
                if connection.transport is not None:
                    connection.transport.abort()
            await protocol.shutdown(0.1)

    # ------------------------------------------------------------ one request

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """A watch ends with its connection. What else was sent is carried out, whoever hangs up before the answer."""
        if is_true(request.query, "watch"):
            return await self._answered(request)
        return await asyncio.shield(asyncio.ensure_future(self._answered(request)))

    async def _answered(self, request: web.BaseRequest) -> web.StreamResponse:
        await self.flowing.wait()
        try:
            return await self._answer(request)
        except ApiError as error:
            return _json(error.status(), error.code)
        except ConnectionError:  # nobody is there any more to be answered
            return web.Response(status=400)
        except Exception as error:  # noqa: BLE001 - a fault in one answer is that answer, and not the end of the cluster
            _log.exception("%s %s", request.method, request.path)
            return _json(ApiError(500, "InternalError", f"Internal error occurred: {error}", {}).status(), 500)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        path, token = _whose(request)
        _check_headers(request)
        user = self._access.by_token(token)
        target = target_of(path)
        kind = self._kind(target) if target else None
        if target is None or kind is None:
            return await self._other(request, path, target, user)
        self._access.check(user, _attempt(request, target))
        self._check_subresource(kind, target)
        body = await _body(request)
        handler = self._handlers().get((request.method, bool(target.name)))
        verb = _attempt(request, target).verb
        if handler is None or (verb not in kind.verbs) or (target.subresource == "finalize" and verb != "update"):
            raise errors.method_not_allowed()
        answer: web.StreamResponse = await handler(request, kind, target, body, user)
        return answer

    def _handlers(self) -> dict[tuple[str, bool], Callable[..., Any]]:
        return {
            ("GET", False): self._list,
            ("GET", True): self._get,
            ("POST", False): self._create,
            ("PUT", True): self._replace,
            ("PATCH", True): self._patch,
            ("DELETE", True): self._delete,
            ("DELETE", False): self._delete_all,
        }

    def _kind(self, target: Target) -> Kind | None:
        return self._registry.catalog.served(target.api_version, target.resource)

    def _check_subresource(self, kind: Kind, target: Target) -> None:
        if kind.namespaced and target.name and not target.namespace:
            raise errors.no_such_resource()
        if not kind.namespaced and target.namespace:
            raise errors.no_such_resource()
        if target.subresource in _NOT_DONE:
            raise errors.not_served(f"{kind.plural}/{target.subresource}")
        if target.subresource and target.subresource not in kind.subresources:
            raise errors.no_such_resource()

    # ------------------------------------------------------------ reading

    async def _get(
        self, request: web.BaseRequest, kind: Kind, target: Target, _: bytes, __: User
    ) -> web.StreamResponse:
        if is_true(request.query, "watch"):
            return await self._watch(request, kind, target)
        obj = self._registry.get(kind, target.namespace, target.name)
        return self._shown(request, kind, scale_of(obj) if target.subresource == "scale" else obj)

    async def _list(
        self, request: web.BaseRequest, kind: Kind, target: Target, _: bytes, __: User
    ) -> web.StreamResponse:
        if is_true(request.query, "watch"):
            return await self._watch(request, kind, target)
        self._check_version(request)
        matches = matcher(request.query, kind)
        found = [obj for obj in self._registry.list(kind, target.namespace) if matches(obj)]
        items, metadata = self.pages.page(found, str(self._registry.store.version), request.query)
        if tables.wanted(request.headers.get("Accept", "")):
            return _json(tables.table(kind, items, metadata, request.query.get("includeObject", "")))
        return _json(_list_of(kind, items, metadata))

    def _check_version(self, request: web.BaseRequest) -> None:
        wanted = request.query.get("resourceVersion", "")
        if not wanted.isdigit():
            if wanted:
                raise bad_request(f'Invalid value: "{wanted}": resourceVersion must be a number')
            return
        if request.query.get("resourceVersionMatch") == "Exact" and int(wanted) != self._registry.store.version:
            raise errors.not_served("lists of a past resourceVersion")
        if int(wanted) > self._registry.store.version:
            version = self._registry.store.version
            details = {"causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]}
            raise ApiError(
                504, "Timeout", f"Timeout: Too large resource version: {wanted}, current: {version}", details
            )

    async def _watch(self, request: web.BaseRequest, kind: Kind, target: Target) -> web.StreamResponse:
        query = request.query
        matches = matcher(query, kind, target.name)
        initial = is_true(query, "sendInitialEvents")
        given = query.get("resourceVersion", "")
        start = None if initial or given in ("", "0") else int(requests.number_of(query, "resourceVersion"))
        seconds = requests.number_of(query, "timeoutSeconds", _WATCH_SECONDS)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        as_table = tables.wanted(request.headers.get("Accept", ""))
        try:
            watch = Watch(
                self._registry.store, kind, target.namespace, matches, start,
                bookmarks=is_true(query, "allowWatchBookmarks"), mark_initial=initial,
            )  # fmt: skip
        except ApiError as error:
            await response.prepare(request)
            await response.write(_line(error_event(error)))
            return response
        with watch, contextlib.suppress(ConnectionError):
            await response.prepare(request)
            async for event in watch.events(seconds):
                await self.flowing.wait()
                told = tables.event(kind, event, query.get("includeObject", "")) if as_table else event
                await response.write(_line(told))
        return response

    # ------------------------------------------------------------ writing

    async def _create(
        self, request: web.BaseRequest, kind: Kind, target: Target, body: bytes, _: User
    ) -> web.StreamResponse:
        writing = requests.writing_of(request.query, _agent(request), "CreateOptions", target.subresource)
        document = requests.body_of(body, _content_type(request), kind.kind)
        return self._wrote(request, kind, self._registry.create(kind, target.namespace, document, writing))

    async def _replace(
        self, request: web.BaseRequest, kind: Kind, target: Target, body: bytes, user: User
    ) -> web.StreamResponse:
        self._check_may_make(kind, target, "put", user)
        writing = requests.writing_of(request.query, _agent(request), "UpdateOptions", target.subresource)
        document = requests.body_of(body, _content_type(request), kind.kind)
        written = self._registry.replace(kind, target.namespace, target.name, document, writing)
        return self._wrote(request, kind, written, target.subresource)

    async def _patch(
        self, request: web.BaseRequest, kind: Kind, target: Target, body: bytes, user: User
    ) -> web.StreamResponse:
        how = requests.PATCH_KINDS.get(_content_type(request))
        if how is None:
            raise errors.unsupported_media_type()
        writing = requests.writing_of(request.query, _agent(request), "PatchOptions", target.subresource, how)
        patch = requests.patch_of(body, how)
        self._check_may_make(kind, target, how, user)
        written = self._registry.patch(kind, target.namespace, target.name, how, patch, writing)
        return self._wrote(request, kind, written, target.subresource)

    def _check_may_make(self, kind: Kind, target: Target, how: str, user: User) -> None:
        """Raises 403 for whoever may change what is there, and would make what is not."""
        if self._registry.may_make(kind, target.namespace, target.name, how):
            self._access.check(user, Attempt("create", kind.group, kind.plural, "", target.namespace, target.name))

    def _wrote(
        self, request: web.BaseRequest, kind: Kind, written: Written, subresource: str = ""
    ) -> web.StreamResponse:
        obj = scale_of(written.object) if subresource == "scale" else written.object
        response = self._shown(request, kind, obj, 201 if written.created else 200)
        for warning in written.warnings:
            response.headers.add("Warning", f"299 - {compact(warning)}")
        return response

    async def _delete(
        self, request: web.BaseRequest, kind: Kind, target: Target, body: bytes, _: User
    ) -> web.StreamResponse:
        if target.subresource:
            raise errors.method_not_allowed()
        wanted = requests.deletion_of(
            request.query, requests.body_of(body, _content_type(request), kind.kind) if body else None
        )
        deleted = self._registry.delete(kind, target.namespace, target.name, wanted)
        if not deleted.gone or kind.kind == "Pod":
            return self._shown(request, kind, deleted.object)
        details = {"name": target.name} | ({"group": kind.group} if kind.group else {})
        details |= {"kind": kind.plural, "uid": deleted.object["metadata"]["uid"]}
        return _json({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    async def _delete_all(
        self, request: web.BaseRequest, kind: Kind, target: Target, body: bytes, _: User
    ) -> web.StreamResponse:
        wanted = requests.deletion_of(
            request.query, requests.body_of(body, _content_type(request), kind.kind) if body else None
        )
        matches = matcher(request.query, kind)
        items = [obj for obj in self._registry.list(kind, target.namespace) if matches(obj)]
        each = Deletion(None, None, wanted.propagation, wanted.grace_seconds, wanted.dry_run)
        for obj in items:
            with contextlib.suppress(ApiError):  # somebody else, the collector say, has been faster
                self._registry.delete(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"], each)
        return _json(_list_of(kind, items, {"resourceVersion": str(self._registry.store.version)}))

    def _shown(self, request: web.BaseRequest, kind: Kind, obj: Object, code: int = 200) -> web.Response:
        if tables.wanted(request.headers.get("Accept", "")) and obj.get("kind") == kind.kind:
            metadata = {"resourceVersion": obj["metadata"].get("resourceVersion", "")}
            return _json(tables.table(kind, [obj], metadata, request.query.get("includeObject", "")), code)
        return _json(obj, code)

    # ------------------------------------------------------------ everything that is no object

    async def _other(
        self, request: web.BaseRequest, path: str, target: Target | None, user: User
    ) -> web.StreamResponse:
        if target is not None and (reviewed := self._review_of(target)) is not None:
            self._access.check(user, _attempt(request, target))
            return await self._review(request, reviewed, user)
        if target is not None and self._registry.catalog.groups().get(target.group) is None and target.group:
            return web.Response(status=404, text="404 page not found\n")
        if target is not None:
            self._access.check(user, _attempt(request, target))
            raise errors.no_such_resource()
        self._access.check(user, Attempt(request.method.lower(), path=path.rstrip("/") or "/"))
        if request.method != "GET":
            raise errors.method_not_allowed()
        if path.rstrip("/") in ("/healthz", "/livez", "/readyz"):
            return web.Response(text="ok")
        document = self._document(path.rstrip("/"))
        return web.Response(status=404, text="404 page not found\n") if document is None else _json(document)

    def _document(self, path: str) -> Object | None:
        catalog = self._registry.catalog
        parts = path.strip("/").split("/")
        if path == "/version":
            return discovery.version()
        if path == "/api":
            return discovery.core_versions(f"{self._host}:{self._port}")
        if path == "/apis":
            return discovery.group_list(catalog)
        if path == "/openapi/v3":
            return discovery.openapi_index(catalog)
        if path.startswith("/openapi/v3/"):
            return discovery.openapi(catalog, path.removeprefix("/openapi/v3/").partition("/")[2])
        if path.startswith("/openapi/"):
            raise errors.not_served("OpenAPI version 2; version 3 is at /openapi/v3")
        if parts[0] == "apis" and len(parts) == 2:
            return discovery.group(catalog, parts[1])
        if parts[0] in ("api", "apis") and len(parts) == (2 if parts[0] == "api" else 3):
            return discovery.resource_list(catalog, "/".join(parts[1:]))
        return None

    def _review_of(self, target: Target) -> str | None:
        found = [name for name, plural in REVIEWS.get(target.api_version, ()) if plural == target.resource]
        return found[0] if found and not target.name else None

    async def _review(self, request: web.BaseRequest, kind: str, user: User) -> web.StreamResponse:
        if request.method != "POST":
            raise errors.method_not_allowed()
        document = requests.body_of(await _body(request), _content_type(request), kind)
        if kind == "SelfSubjectReview":
            return _json(self._registry.reviewed(who_am_i(user)), 201)
        answer = access_review if kind == "SelfSubjectAccessReview" else rules_review
        return _json(
            self._registry.reviewed(answer(self._access, user, document), _agent(request).partition("/")[0]), 201
        )


# ------------------------------------------------------------ small things


def _whose(request: web.BaseRequest) -> tuple[str, str | None]:
    """The path, and the token: from the header, or from the path's beginning for clients that send none over plain HTTP."""
    path, token = unquote(request.path), None
    if path.startswith(_AS_USER):
        token, _, rest = path.removeprefix(_AS_USER).partition("/")
        path = f"/{rest}"
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        token = given.strip()
    return path, token


def _check_headers(request: web.BaseRequest) -> None:
    """What would change the answer and is not done must not be passed over."""
    if any(name.lower().startswith("impersonate-") for name in request.headers):
        raise errors.not_served("impersonation")
    accepted = request.headers.get("Accept", "")
    if accepted and not any(kind in accepted for kind in ("json", "*/*", "application/*", "text/")):
        raise errors.not_served(f"answers in {accepted}")


def _attempt(request: web.BaseRequest, target: Target) -> Attempt:
    verbs = {
        "POST": "create",
        "PUT": "update",
        "PATCH": "patch",
        "DELETE": "delete" if target.name else "deletecollection",
    }
    verb = verbs.get(request.method, "get" if target.name else "list")
    if request.method == "GET" and is_true(request.query, "watch"):
        verb = "watch"
    namespace = target.namespace
    if target.resource == "namespaces" and target.api_version == "v1" and target.name:
        namespace = target.name  # a namespace is in itself, so that its own roles can speak of it
    return Attempt(verb, target.group, target.resource, target.subresource, namespace, target.name)


async def _body(request: web.BaseRequest) -> bytes:
    chunks, size = [], 0
    async for chunk in request.content.iter_any():
        chunks.append(chunk)
        size += len(chunk)
        if size > _LARGEST_BODY_BYTES:
            said = f"Request entity too large: limit is {_LARGEST_BODY_BYTES}"
            raise ApiError(413, "RequestEntityTooLarge", said, {})
    return b"".join(chunks)


def _content_type(request: web.BaseRequest) -> str:
    return request.headers.get("Content-Type", "application/json").partition(";")[0].strip()


def _agent(request: web.BaseRequest) -> str:
    return request.headers.get("User-Agent", "")


def _list_of(kind: Kind, items: list[Object], metadata: Object) -> Object:
    bare = (
        items if kind.custom else [{k: v for k, v in obj.items() if k not in ("kind", "apiVersion")} for obj in items]
    )
    if kind.custom:
        metadata = {"continue": "", **metadata}
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": bare}


def _json(document: Object, code: int = 200) -> web.Response:
    return web.Response(status=code, body=compact(document).encode("utf-8", "replace"), content_type="application/json")


def _line(event: Object) -> bytes:
    return compact(event).encode("utf-8", "replace") + b"\n"
