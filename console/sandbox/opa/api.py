"""OPA's REST API over `service.py`, on loopback: one replica on one port while the `async with` block lasts.

What OPA has and this does not is answered with 501 and said so; docs/drill-opa.md lists it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import uuid
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import unquote

from aiohttp import web

from console.sandbox.opa.bundles import BundleSource, Follower
from console.sandbox.opa.decoding import NoJson, decoded, kind_of
from console.sandbox.opa.errors import NotInDrill
from console.sandbox.opa.evaluator import ABSENT
from console.sandbox.opa.service import VERSION, ApiError, Opa, invalid
from console.sandbox.web import Site

T = TypeVar("T")

_LARGEST_BODY_BYTES: Final = 64 * 1024 * 1024
_DEEPEST: Final = 6_000
_STACK_BYTES: Final = 64 * 1024 * 1024
_NOT_HERE: Final = ("explain", "metrics", "instrument", "provenance", "strict-builtin-errors", "rule_labels")
_OPERATIONS: Final = ("add", "remove", "replace")


class OpaApi:
    """One OPA, entered once. `opa.reset()` is a restart: without a disk it comes back empty."""

    def __init__(self, *, port: int = 0, bundles: Sequence[BundleSource] = (), status: bool = False) -> None:
        """`status`: with the plugin that `GET /v1/status` needs; without it that is a 500, as in an OPA without one."""
        self.opa = Opa()
        self._followers = [Follower(self.opa, source, self._change) for source in bundles]
        self._has_status = status
        self._id = str(uuid.uuid4())
        self._site = Site(self._app(), port)
        self._changing = asyncio.Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="opa")
        self._stack = AsyncExitStack()

    @property
    def port(self) -> int:
        return self._site.port

    @property
    def url(self) -> str:
        return self._site.url

    async def __aenter__(self) -> Self:
        self._with_room()
        await self._stack.enter_async_context(self._site)
        for follower in self._followers:
            await self._stack.enter_async_context(follower)
        return self

    async def pause(self) -> None:
        """Its port refuses; what it was given it keeps."""
        await self._site.pause()

    async def resume(self) -> None:
        await self._site.resume()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _with_room(self) -> None:
        """Rules that need rules that need rules go deep: the thread that evaluates has room for it."""
        sys.setrecursionlimit(max(sys.getrecursionlimit(), _DEEPEST))
        usual = threading.stack_size(_STACK_BYTES)
        try:
            self._thread.submit(int).result()
        finally:
            threading.stack_size(usual)

    async def _beside(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: function(*arguments))

    async def _change(self, function: Callable[..., T], *arguments: Any) -> T:
        """The same for what changes something: one after the other."""
        async with self._changing:
            return await self._beside(function, *arguments)

    # ------------------------------------------------------------ routes

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_answered], client_max_size=_LARGEST_BODY_BYTES)
        route = app.router.add_route
        for path in ("/v1/data", "/v1/data/{path:.*}"):
            route("GET", path, self._get_data)
            route("POST", path, self._post_data)
            route("PUT", path, self._put_data)
            route("PATCH", path, self._patch_data)
        route("DELETE", "/v1/data/{path:.*}", self._delete_data)
        route("GET", "/v1/policies", self._list_policies)
        route("GET", "/v1/policies/{path:.*}", self._get_policy)
        route("PUT", "/v1/policies/{path:.*}", self._put_policy)
        route("DELETE", "/v1/policies/{path:.*}", self._delete_policy)
        route("GET", "/v1/query", self._get_query)
        route("POST", "/v1/query", self._post_query)
        route("GET", "/v1/config", self._config)
        route("GET", "/v1/status", self._status)
        route("GET", "/health", self._health)
        for path in ("/", "/v0/{path:.*}", "/v1/compile", "/v1/compile/{path:.*}", "/health/{path:.+}", "/metrics"):
            route("*", path, _not_in_drill)
        return app

    # ------------------------------------------------------------ policies

    async def _list_policies(self, request: web.Request) -> web.Response:
        return _answer(request, {"result": await self._beside(self.opa.policies)})

    async def _get_policy(self, request: web.Request) -> web.Response:
        return _answer(request, {"result": await self._beside(self.opa.policy, request.match_info["path"])})

    async def _put_policy(self, request: web.Request) -> web.Response:
        await self._change(self.opa.put_policy, request.match_info["path"], await request.read())
        return _answer(request, {})

    async def _delete_policy(self, request: web.Request) -> web.Response:
        await self._change(self.opa.delete_policy, request.match_info["path"])
        return _answer(request, {})

    # ------------------------------------------------------------ data

    async def _get_data(self, request: web.Request) -> web.Response:
        given: Any = ABSENT
        if "input" in request.query:
            given = _json(request.query.getall("input")[-1], "parameter contains malformed input document: ")
        return await self._document(request, given, {})

    async def _post_data(self, request: web.Request) -> web.Response:
        body = (await request.read()).strip()
        asked = _json(body, "body contains malformed input document: ") if body else {}
        if asked is not None and not isinstance(asked, dict):
            raise invalid(
                "body contains malformed input document: "
                f"json: cannot unmarshal {kind_of(asked)} into Go value of type types.alias"
            )
        if asked and asked.get("input") is not None:
            return await self._document(request, asked["input"], {})
        warning = {"code": "api_usage_warning", "message": "'input' key missing from the request"}
        return await self._document(request, ABSENT, {"warning": warning})

    async def _document(self, request: web.Request, given: Any, more: dict[str, Any]) -> web.Response:
        _refuse_parameters(request)
        parts = [unquote(part) for part in _raw_path(request, "/v1/data").split("/") if part]
        if any('"' in part for part in parts):
            bad = next(part for part in parts if '"' in part)
            raise ApiError(500, "internal_error", f"invalid_parameter: invalid path: invalid ref term '{bad}'")
        path = [int(part) if part.isascii() and part.lstrip("-").isdigit() else part for part in parts]
        found = await self._beside(self.opa.document, path, given)
        return _answer(request, more if found is ABSENT else {"result": found, **more})

    async def _put_data(self, request: web.Request) -> web.Response:
        value = _json(await request.read())
        only_new = request.headers.get("If-None-Match") == "*"
        written = await self._change(self.opa.put_data, _path(request), value, only_new)
        return web.Response(status=204 if written else 304)

    async def _patch_data(self, request: web.Request) -> web.Response:
        operations = _json(await request.read())
        if not isinstance(operations, list):
            raise invalid(f"json: cannot unmarshal {kind_of(operations)} into Go value of type []types.PatchV1")
        root = _path(request)
        planned = []
        for operation in operations:
            if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
                raise invalid(f"bad patch operation: {operation.get('op', '') if isinstance(operation, dict) else ''}")
            planned.append(
                (operation["op"], (*root, *_pointer(str(operation.get("path", "")))), operation.get("value"))
            )
        await self._change(self.opa.patch_data, planned)
        return web.Response(status=204)

    async def _delete_data(self, request: web.Request) -> web.Response:
        await self._change(self.opa.delete_data, _path(request))
        return web.Response(status=204)

    # ------------------------------------------------------------ queries

    async def _get_query(self, request: web.Request) -> web.Response:
        if "q" not in request.query:
            raise invalid("missing parameter 'q'")
        return await self._rows(request, request.query.getall("q")[-1], ABSENT)

    async def _post_query(self, request: web.Request) -> web.Response:
        asked = _json(await request.read(), "error(s) occurred while decoding request: ")
        if not isinstance(asked, dict):
            raise invalid("error(s) occurred while decoding request: a JSON object is expected")
        given = asked.get("input")
        return await self._rows(request, str(asked.get("query") or ""), ABSENT if given is None else given)

    async def _rows(self, request: web.Request, query: str, given: Any) -> web.Response:
        _refuse_parameters(request)
        found = await self._beside(self.opa.query, query, given)
        return _answer(request, {"result": found} if found else {})

    # ------------------------------------------------------------ itself

    async def _config(self, request: web.Request) -> web.Response:
        config: dict[str, Any] = {
            "default_authorization_decision": "/system/authz/allow",
            "default_decision": "/system/main",
            "labels": {"id": self._id, "version": VERSION},
        }
        if self._followers:
            config["bundles"] = {f.source.name: {"resource": f.source.url} for f in self._followers}
        if self._has_status:
            config["status"] = {"console": True}
        return _answer(request, {"result": config})

    async def _status(self, request: web.Request) -> web.Response:
        if not self._has_status:
            raise ApiError(500, "internal_error", "status plugin not enabled")
        result: dict[str, Any] = {"labels": {"id": self._id, "version": VERSION}}
        if self._followers:
            result["bundles"] = {follower.source.name: follower.status for follower in self._followers}
        return _answer(request, {"result": result})

    async def _health(self, request: web.Request) -> web.Response:
        waiting = sorted(f.source.name for f in self._followers if not f.active)
        if waiting and "bundles" in request.query:
            return _answer(request, {"error": f"one or more bundles are not activated: {', '.join(waiting)}"}, 500)
        if waiting and "plugins" in request.query:
            return _answer(request, {"error": "one or more plugins are not up"}, 500)
        return _answer(request, {})


# ---------------------------------------------------------------- answering


_NO_GUESSING: Final = {"X-Content-Type-Options": "nosniff"}


@web.middleware
async def _answered(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return _with_body(json.dumps(error.document, indent=2), error.status)
    except NotInDrill as error:
        return _not_implemented(str(error))
    except RecursionError:
        return _not_implemented("the drill's OPA does not go that deep")
    except web.HTTPNotFound:
        return web.Response(status=404, text="404 page not found\n", headers=_NO_GUESSING)
    except web.HTTPMethodNotAllowed:
        if request.path.startswith("/v1/"):
            return web.Response(status=405)
        return web.Response(status=405, text="Method Not Allowed\n", headers=_NO_GUESSING | {"Allow": "GET, HEAD"})


def _answer(request: web.Request, document: Any, status: int = 200) -> web.Response:
    pretty = request.query.get("pretty", "false") in ("", "true")
    text = json.dumps(
        document, ensure_ascii=False, indent=2 if pretty else None, separators=None if pretty else (",", ":")
    )
    return _with_body(text, status)


async def _not_in_drill(request: web.Request) -> web.Response:
    return _not_implemented(f"the drill's OPA has no {request.method} {request.path}")


def _not_implemented(message: str) -> web.Response:
    document = {"code": "not_implemented", "message": message}
    return _with_body(json.dumps(document, indent=2), 501)


def _with_body(text: str, status: int) -> web.Response:
    """Named as OPA names it, without a character set."""
    return web.Response(status=status, body=f"{text}\n".encode("utf-8", "replace"), content_type="application/json")


def _refuse_parameters(request: web.Request) -> None:
    for name in _NOT_HERE:
        if request.query.get(name, "off") not in ("off", "false"):
            raise NotInDrill(f"the drill's OPA has no ?{name}")


# ---------------------------------------------------------------- reading requests


def _json(body: bytes | str, before: str = "") -> Any:
    try:
        return decoded(body)
    except NoJson as error:
        raise invalid(f"{before}{error}") from None


def _raw_path(request: web.Request, prefix: str) -> str:
    return request.rel_url.raw_path.removeprefix(prefix)


def _path(request: web.Request) -> tuple[str, ...]:
    trimmed = _raw_path(request, "/v1/data").strip("/")
    return tuple(unquote(part) for part in trimmed.split("/")) if trimmed else ()


def _pointer(path: str) -> tuple[str, ...]:
    trimmed = path.strip("/")
    parts = trimmed.split("/") if trimmed else []
    return tuple(unquote(part).replace("~1", "/").replace("~0", "~") for part in parts)
