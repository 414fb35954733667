"""The server's web interface on loopback: the query API, what it knows of rules and targets, reloads.

`PrometheusApi` is the way in: it loads the configuration, serves, scrapes and evaluates while its `async with` lasts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from multidict import MultiDict

from console.engine.ports import Clock
from console.sandbox.prometheus import answers, parameters, promql
from console.sandbox.prometheus.documents import Unusable
from console.sandbox.prometheus.parameters import ApiError, Parameters
from console.sandbox.prometheus.promql.printing import printed
from console.sandbox.prometheus.rules import AlertingRule, Group, Rule
from console.sandbox.prometheus.scraping import Feed
from console.sandbox.prometheus.server import PrometheusServer
from console.sandbox.prometheus.storage import Series, Storage
from console.sandbox.web import Site

MOST_POINTS: Final = 11_000
_LARGEST_REQUEST: Final = 1024 * 1024
_COMPRESSED_FROM: Final = 1400
_WRITTEN: Final = ("POST", "PUT")

Data = Any


class Found:
    """What a handler found, with the remarks that go beside it."""

    def __init__(self, data: Data, warnings: Sequence[str] = (), infos: Sequence[str] = ()) -> None:
        self.data = data
        self.warnings = list(warnings)
        self.infos = list(infos)


Handler = Callable[[Parameters], Found]


class PrometheusApi:
    """A Prometheus at `url` while the block lasts: `async with PrometheusApi(config_file, feeds) as prometheus`."""

    def __init__(
        self,
        config_file: Path,
        feeds: Mapping[str, Feed] | None = None,
        *,
        clock: Clock | None = None,
        storage: Storage | None = None,
        lifecycle: bool = True,
        port: int = 0,
    ) -> None:
        self.server = PrometheusServer(config_file, feeds, clock=clock, storage=storage)
        self.url = ""
        self._lifecycle = lifecycle
        self._site = Site(self._application(), port)
        self._running: asyncio.Task[None] | None = None

    @property
    def storage(self) -> Storage:
        """To fill a past, or to look at what is there."""
        return self.server.storage

    @property
    def feeds(self) -> dict[str, Feed]:
        return self.server.feeds

    async def __aenter__(self) -> Self:
        self.server.reload()
        await self._site.__aenter__()
        self.url = self._site.url
        self._running = asyncio.create_task(self.server.run(), name="prometheus")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._site.__aexit__(kind, error, trace)
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running  # an error of a feed comes out here

    async def pause(self) -> None:
        """Its port refuses; what it has it keeps, and goes on scraping."""
        await self._site.pause()

    async def resume(self) -> None:
        await self._site.resume()

    # ------------------------------------------------------------ serving

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_LARGEST_REQUEST, middlewares=[_as_prometheus_refuses])
        application.on_response_prepare.append(self._date)
        for path, handler in self._handlers().items():
            served = _served(handler)
            application.router.add_get(path, served)
            if path in _BY_POST_TOO:
                application.router.add_post(path, served)
        application.router.add_get("/api/v1/label/{name}/values", self._label_values)
        application.router.add_get("/-/healthy", _says("Prometheus Server is Healthy.\n"))
        application.router.add_get("/-/ready", _says("Prometheus Server is Ready.\n"))
        application.router.add_get("/metrics", self._metrics)
        application.router.add_get(
            "/-/reload", _says("Only POST or PUT requests allowed", HTTPStatus.METHOD_NOT_ALLOWED)
        )
        for method in _WRITTEN:
            application.router.add_route(method, "/-/reload", self._reload)
        return application

    def _handlers(self) -> dict[str, Handler]:
        server = self.server
        return {
            "/api/v1/query": self._query,
            "/api/v1/query_range": self._query_range,
            "/api/v1/format_query": self._format_query,
            "/api/v1/series": self._series,
            "/api/v1/labels": self._labels,
            "/api/v1/rules": self._rules,
            "/api/v1/alerts": self._alerts,
            "/api/v1/targets": self._targets,
            "/api/v1/scrape_pools": lambda _: Found({"scrapePools": server.pools}),
            "/api/v1/metadata": lambda _: Found({}),
            "/api/v1/alertmanagers": lambda _: Found({"activeAlertmanagers": [], "droppedAlertmanagers": []}),
            "/api/v1/status/config": lambda _: Found({"yaml": server.configuration.text}),
            "/api/v1/status/flags": lambda _: Found(answers.flags(server, lifecycle=self._lifecycle)),
            "/api/v1/status/buildinfo": lambda _: Found(_BUILD),
            "/api/v1/status/runtimeinfo": lambda _: Found(answers.runtime(server)),
            "/api/v1/status/tsdb": lambda _: Found(answers.statistics(server.storage)),
        }

    async def _date(self, _: web.BaseRequest, response: web.StreamResponse) -> None:
        """By the clock of the drill: whoever asks compares it with his own."""
        response.headers["Date"] = answers.http_date(self.server.now())

    async def _reload(self, _: web.Request) -> web.Response:
        if not self._lifecycle:
            return web.Response(status=HTTPStatus.FORBIDDEN, text="Lifecycle API is not enabled.")
        try:
            self.server.reload()
        except Unusable as error:
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, text=f"failed to reload config: {error}\n")
        return web.Response()

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(text=answers.own_metrics(self.server), headers={"Content-Type": _EXPOSITION})

    # ------------------------------------------------------------ queries

    def _query(self, asked: Parameters) -> Found:
        limit = parameters.limit(asked)
        given = parameters.moment_if_any(asked, "time")
        at = self.server.now() if given is None else given
        limits, look_back = parameters.limits(asked), parameters.look_back(asked)
        query = asked.get("query", "")
        expr = parameters.expression(query)
        with _as_api_errors():
            found = promql.instant(
                self.storage, expr, at, look_back=look_back, default_step=self.server.default_step, limits=limits
            )
        if found.sort == "string":
            return Found(answers.text(found, at))
        return _with_remarks(found, query, limit)

    def _query_range(self, asked: Parameters) -> Found:
        limit = parameters.limit(asked)
        start, end = parameters.moment(asked, "start"), parameters.moment(asked, "end")
        if end < start:
            raise parameters.invalid("end", "end timestamp must not be before start time")
        step = parameters.duration(asked, "step")
        if step <= 0:
            reason = "zero or negative query resolution step widths are not accepted. Try a positive integer"
            raise parameters.invalid("step", reason)
        if (end - start) // step > MOST_POINTS:
            raise ApiError(
                "bad_data",
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
            )
        limits, look_back = parameters.limits(asked), parameters.look_back(asked)
        query = asked.get("query", "")
        expr = parameters.expression(query)
        with _as_api_errors():
            found = promql.over_time(
                self.storage,
                expr,
                start,
                end,
                step,
                look_back=look_back,
                default_step=self.server.default_step,
                limits=limits,
            )
        return _with_remarks(found, query, limit)

    def _format_query(self, asked: Parameters) -> Found:
        return Found(printed(parameters.expression(asked.get("query", ""))))

    # ------------------------------------------------------------ series

    def _series(self, asked: Parameters) -> Found:
        if not parameters.many(asked, "match[]"):
            raise ApiError("bad_data", "no match[] parameter provided")
        limit = parameters.limit(asked)
        found = [dict(series.labels) for series in self._matching(asked)]
        return _cut(found, limit)

    def _labels(self, asked: Parameters) -> Found:
        limit = parameters.limit(asked)
        return _cut(sorted({name for series in self._matching(asked) for name, _ in series.labels}), limit)

    async def _label_values(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]

        def values(asked: Parameters) -> Found:
            limit = parameters.limit(asked)
            return _cut(sorted({v for series in self._matching(asked) for n, v in series.labels if n == name}), limit)

        return await _served(values)(request)

    def _matching(self, asked: Parameters) -> list[Series]:
        """The series that the request names, all where it names none, with samples in its time."""
        start, end = parameters.moment_if_any(asked, "start"), parameters.moment_if_any(asked, "end")
        selectors = [parameters.selector(text) for text in parameters.many(asked, "match[]")]
        with _as_api_errors():
            sets = [promql.select(self.storage, one.every_matcher) for one in selectors]
        candidates = dict.fromkeys(series for found in sets for series in found) if sets else self.storage
        return sorted(
            (series for series in candidates if _lies_within(series, start, end)), key=lambda series: series.labels
        )

    # ------------------------------------------------------------ rules and targets

    def _rules(self, asked: Parameters) -> Found:
        sort = asked.get("type", "").lower()
        if sort not in ("", "alert", "record"):
            raise parameters.invalid("type", f'not supported value "{sort}"')
        without = asked.get("exclude_alerts", "")
        if without not in ("", "true", "false", "1", "0"):
            raise parameters.invalid(
                "exclude_alerts",
                f'error converting exclude_alerts: strconv.ParseBool: parsing "{without}": invalid syntax',
            )
        groups = []
        for group in self.server.groups:
            if not _is_wanted(group, asked):
                continue
            rules = [rule for rule in group.rules if _is_rule_wanted(rule, sort, asked)]
            if rules or not (sort or parameters.many(asked, "rule_name[]")):
                groups.append(answers.group(group, rules, with_alerts=without not in ("true", "1")))
        return Found({"groups": groups})

    def _alerts(self, _: Parameters) -> Found:
        rules = [rule for group in self.server.groups for rule in group.rules if isinstance(rule, AlertingRule)]
        return Found({"alerts": [answers.alert(alert) for rule in rules for alert in rule.active]})

    def _targets(self, asked: Parameters) -> Found:
        state, pool = asked.get("state", "").lower(), asked.get("scrapePool")
        active = [one for one in self.server.targets if pool in (None, "", one.job.name)]
        return Found(
            {
                "activeTargets": [answers.target(one) for one in active] if state != "dropped" else [],
                "droppedTargets": [],
                "droppedTargetCounts": None if state == "active" else dict.fromkeys(self.server.pools, 0),
            }
        )


_BY_POST_TOO: Final = (
    "/api/v1/query",
    "/api/v1/query_range",
    "/api/v1/format_query",
    "/api/v1/series",
    "/api/v1/labels",
)
_BUILD: Final = {
    "version": "3.16.0-drill",
    "revision": "",
    "branch": "",
    "buildUser": "",
    "buildDate": "",
    "goVersion": "",
}
_EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"


# ---------------------------------------------------------------- answers


def _served(handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        asked: Parameters = MultiDict(request.query)
        if request.method == "POST":
            form = await request.post()
            asked.extend((name, value) for name, value in form.items() if isinstance(value, str))
        try:
            found = handler(asked)
        except ApiError as error:
            return _answer(request, {"status": "error", "errorType": error.sort, "error": str(error)}, error.status)
        document: dict[str, Any] = {"status": "success", "data": found.data}
        if found.warnings:
            document["warnings"] = found.warnings
        if found.infos:
            document["infos"] = found.infos
        return _answer(request, document, HTTPStatus.OK)

    return serve


def _answer(request: web.Request, document: Mapping[str, Any], status: HTTPStatus) -> web.Response:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    response = web.Response(body=body, status=status, content_type="application/json")
    if len(body) >= _COMPRESSED_FROM and "gzip" in request.headers.get("Accept-Encoding", ""):
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _says(text: str, status: HTTPStatus = HTTPStatus.OK) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def say(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    return say


@web.middleware
async def _as_prometheus_refuses(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPNotFound:
        told = {"X-Content-Type-Options": "nosniff"}
        return web.Response(status=HTTPStatus.NOT_FOUND, text="404 page not found\n", headers=told)
    except web.HTTPMethodNotAllowed as refused:
        allowed = {"Allow": ", ".join(sorted(refused.allowed_methods))}
        return web.Response(status=HTTPStatus.METHOD_NOT_ALLOWED, text="Method Not Allowed\n", headers=allowed)


def _with_remarks(found: promql.Result, query: str, limit: int) -> Found:
    data, cut = answers.result(found, limit)
    return Found(data, [*found.remarks.warnings(query), *cut], found.remarks.infos(query))


def _cut(found: list[Any], limit: int) -> Found:
    if limit and len(found) > limit:
        return Found(found[:limit], ["results truncated due to limit"])
    return Found(found)


@contextlib.contextmanager
def _as_api_errors() -> Any:
    try:
        yield
    except promql.BadQuery as error:
        raise parameters.invalid("query", str(error)) from None
    except promql.CannotExecute as error:
        raise ApiError("execution", str(error)) from None
    except promql.TimedOut as error:
        raise ApiError("timeout", str(error)) from None
    except RecursionError:
        raise ApiError("execution", "the query is nested too deeply for the drill's Prometheus") from None


def _lies_within(series: Series, start: int | None, end: int | None) -> bool:
    if not series.times:
        return False
    return (start is None or series.times[-1] >= start) and (end is None or series.times[0] <= end)


def _is_wanted(group: Group, asked: Parameters) -> bool:
    groups, files = parameters.many(asked, "rule_group[]"), parameters.many(asked, "file[]")
    return (not groups or group.name in groups) and (not files or str(group.file) in files)


def _is_rule_wanted(rule: Rule, sort: str, asked: Parameters) -> bool:
    names = parameters.many(asked, "rule_name[]")
    if names and rule.name not in names:
        return False
    return not sort or (sort == "alert") is isinstance(rule, AlertingRule)
