"""A Prometheus server, or anything that speaks its query API: target kind `prometheus`. Queries only read.

The `prometheus` metric source asks it; `prometheus_admin.py` is what `prometheus.reload` asks of it. The client library
(prometheus-api-client) is synchronous and returns `data.result` alone, so each call runs in a daemon thread of its own, and our
session's response hook keeps what the library drops (https://prometheus.io/docs/prometheus/latest/querying/api/: warnings,
infos, the error's text) and bounds what is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shlex
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import Field, model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import Redactor, SecretReference, SecretUnavailable, SecretValue, resolve
from console.domain.errors import Failed
from console.domain.triggers import span
from console.engine.clock import SystemClock
from console.engine.ports import Clock, Json
from console.targets.http import HttpUrl, excerpt, is_web_page, status_words, why
from console.targets.text import clean_line

if TYPE_CHECKING:
    from requests import Response

    from console.targets.prometheus_admin import PrometheusAdmin

KIND: Final = "prometheus"

LARGEST_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""Decompressed. Parsing more would be felt as a pause of the screen."""
MOST_REQUESTS_AT_ONCE: Final = 64
"""Threads that wait for this target; more means that it hangs and earlier ones have not come back."""
MOST_POINTS: Final = 10_000
"""Of one range query; Prometheus refuses more than 11,000 in each series."""
MOST_WARNINGS: Final = 5
MOST_LABELS: Final = 12
LABEL_LIMIT: Final = 80
CLOCK_TOLERANCE_SECONDS: Final = 5.0
"""A server's clock within this is taken for ours: its Date header is in whole seconds, and answers take their time."""

Found = TypeVar("Found")
Point = tuple[datetime, float]


class Options(TableOptions):
    """A Prometheus server, or another server with its query API."""

    url: HttpUrl
    """Its address, with the path it is served under, if any: `http://prometheus:9090`."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    token: SecretReference | None = None
    """A bearer token to send."""
    username: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The user for basic authentication."""
    password: SecretReference | None = None
    """That user's password."""
    timeout_seconds: PositiveDuration = 5.0
    """How long a query may take."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Options:
        if (self.username is None) != (self.password is None):
            raise ValueError('"username" and "password" go together')
        if self.token is not None and self.username is not None:
            raise ValueError('either "token" or "username" and "password", not both')
        return self


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer, its labels cleaned, its points by this machine's clock (UTC) and oldest first."""

    labels: tuple[tuple[str, str], ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()


class PrometheusTarget:
    """The server. Its queries raise Failed with one line for people, and nothing else."""

    def __init__(self, name: str, options: Options, *, clock: Clock | None = None) -> None:
        self.name = name
        self.url = options.url.rstrip("/")
        self._options = options
        self._clock = clock or SystemClock()
        self._redactor = Redactor()
        self._idle: list[_Connection] = []
        self._places = threading.BoundedSemaphore(MOST_REQUESTS_AT_ONCE)
        self._ahead_seconds = 0.0
        self._adopted: list[PrometheusAdmin] = []

    @property
    def ca(self) -> Path | None:
        return self._options.ca

    @property
    def timeout_seconds(self) -> float:
        return self._options.timeout_seconds

    @property
    def credentials_shown(self) -> str:
        """How curl is told the credentials, by the names of variables: never the credentials themselves."""
        if self._options.token is not None:
            variable = self._options.token.env or "PROMETHEUS_TOKEN"
            return f' -H "Authorization: Bearer ${variable}"'
        if self._options.username is not None:
            return f" -u {shlex.quote(self._options.username)}"  # curl asks for the password
        return ""

    def adopt(self, admin: PrometheusAdmin) -> PrometheusAdmin:
        """Closed together with the target."""
        self._adopted.append(admin)
        return admin

    async def query(self, promql: str, *, lookback_seconds: float | None = None) -> Answer:
        """The query's value now, by the server's clock: each series with one point."""
        return await self._in_thread(lambda: self._query(promql, lookback_seconds))

    async def query_range(
        self,
        promql: str,
        seconds: float,
        step_seconds: float,
        *,
        lookback_seconds: float | None = None,
        until: datetime | None = None,
    ) -> Answer:
        """The query at every step of so many seconds, ending at `until` or now; asked in parts when there are many points."""
        if until is not None:  # a moment that somebody named is the same one on every clock
            end = until.timestamp()
            return await self._in_thread(lambda: self._range(promql, seconds, step_seconds, lookback_seconds, end))
        return await self._in_thread(lambda: self._query_range(promql, seconds, step_seconds, lookback_seconds))

    async def close(self) -> None:
        """Ends the connections that are kept; those in use end with their answers."""
        self._close_idle()
        for admin in self._adopted:
            await admin.close()

    def failed(self, reason: str) -> Failed:
        """A failure of this server. Whatever text of the server is in the reason has been cleaned."""
        return Failed(self.told(reason))

    def told(self, reason: str) -> str:
        """The same as a text, without any secret of this target."""
        return self._redactor.redact(f"Prometheus {self.name} ({self.url}): {reason}")

    # ------------------------------------------------------------ in a thread

    async def _in_thread(self, work: Callable[[], Found]) -> Found:
        """Runs blocking work in a daemon thread: a pool's threads would be waited for when the console leaves."""
        if not self._places.acquire(blocking=False):
            raise self.failed(f"{MOST_REQUESTS_AT_ONCE} earlier requests have not come back")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Found] = loop.create_future()

        def run() -> None:
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 -- it is raised again where it is awaited
                settle = _setter(future, error=error)
            else:
                settle = _setter(future, result=result)
            finally:
                self._places.release()
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(settle)

        threading.Thread(target=run, name=f"prometheus {self.name}", daemon=True).start()
        return await future

    def _query(self, promql: str, lookback_seconds: float | None) -> Answer:
        params = self._parameters(lookback_seconds)
        series, warnings = self._ask(lambda client: client.custom_query(promql, params=params))
        if any(len(one.points) != 1 for one in series):
            raise self.failed("the query gives ranges of samples; it must give one value for each series")
        return self._answer(series, warnings)

    def _query_range(self, promql: str, seconds: float, step: float, lookback_seconds: float | None) -> Answer:
        believed = self._ahead_seconds
        answer = self._range(promql, seconds, step, lookback_seconds)
        if self._ahead_seconds == believed:
            return answer
        # It was asked about the wrong stretch of time; its answer told what its clock is.
        return self._range(promql, seconds, step, lookback_seconds)

    def _range(
        self, promql: str, seconds: float, step: float, lookback_seconds: float | None, until: float | None = None
    ) -> Answer:
        end = until if until is not None else self._clock.now().timestamp() + self._ahead_seconds
        steps = int(seconds / step)
        series: list[Series] = []
        warnings: list[str] = []
        for first in range(0, steps + 1, MOST_POINTS):
            last = min(first + MOST_POINTS - 1, steps)
            since, until = end - (steps - first) * step, end - (steps - last) * step
            part, more = self._part(promql, since, until, step, self._parameters(lookback_seconds))
            series += part
            warnings += more
        return self._answer(series, warnings)

    def _part(
        self, promql: str, since: float, until: float, step: float, params: dict[str, str]
    ) -> tuple[list[Series], list[str]]:
        # The library rounds times to whole seconds; parameters of our own replace its.
        exact = {**params, "start": f"{since:.3f}", "end": f"{until:.3f}"}
        start_time, end_time = datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)
        return self._ask(
            lambda client: client.custom_query_range(promql, start_time, end_time, f"{step:.3f}", params=exact)
        )

    def _parameters(self, lookback_seconds: float | None) -> dict[str, str]:
        parameters = {"timeout": f"{self._options.timeout_seconds:.3f}"}
        if lookback_seconds is not None:
            parameters["lookback_delta"] = f"{lookback_seconds:.3f}"
        return parameters

    def _answer(self, series: Sequence[Series], warnings: Iterable[str]) -> Answer:
        """The answer, with its times brought to this machine's clock: ages are counted on it."""
        told = tuple(dict.fromkeys(warnings))[:MOST_WARNINGS]
        ahead = self._ahead_seconds
        if not ahead:
            return Answer(tuple(series), told)
        shifted = tuple(
            Series(one.labels, tuple((_shifted(at, -ahead), value) for at, value in one.points)) for one in series
        )
        way = "ahead of" if ahead > 0 else "behind"
        return Answer(shifted, (*told, f"its clock is {span(abs(ahead))} {way} this machine's"))

    def _ask(self, call: Callable[[Any], Json]) -> tuple[list[Series], list[str]]:
        """One request on a connection that no other thread uses. After a failure every idle connection is dropped."""
        import requests
        import urllib3

        connection = self._connection()
        try:
            result = call(connection.client)
            series = _series(result)
        except Failed:
            self._drop(connection)
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            self._drop(connection)
            raise self._unanswered(error) from None
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            self._drop(connection)
            raise self.failed(f"an answer that is not understood ({type(error).__name__})") from None
        self._note_clock(connection.server_time)
        warnings = [*_histograms(result), *connection.warnings]
        self._idle.append(connection)
        return series, warnings

    def _unanswered(self, error: Exception) -> Failed:
        reason = why(error)
        limit = span(self._options.timeout_seconds)
        return self.failed(f"no answer within {limit}" if reason == "no answer in time" else reason)

    def _note_clock(self, server_time: datetime | None) -> None:
        if server_time is None:
            return
        ahead = (server_time - self._clock.now()).total_seconds()
        if abs(ahead - self._ahead_seconds) > CLOCK_TOLERANCE_SECONDS:
            self._ahead_seconds = ahead if abs(ahead) > CLOCK_TOLERANCE_SECONDS else 0.0

    # ------------------------------------------------------------ connections

    def _connection(self) -> _Connection:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        return _Connection(self, self._options, self.authorization())

    def _drop(self, connection: _Connection) -> None:
        connection.close()
        self._close_idle()

    def _close_idle(self) -> None:
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()

    def authorization(self) -> Authorization:
        """Resolved for each new connection, so that a renewed token is found after the old one was refused."""
        options = self._options
        if options.token is not None:
            token = self._resolved(options.token).reveal()
            if not (token.isascii() and token.isprintable()):  # the library's own error would quote it
                raise self.failed("its token holds characters that a header can't carry")
            return Authorization(headers={"Authorization": f"Bearer {token}"})
        if options.username is not None and options.password is not None:
            password = self._resolved(options.password).reveal()
            return Authorization(basic=(options.username.encode(), password.encode()))
        return Authorization()

    def _resolved(self, reference: SecretReference) -> SecretValue:
        try:
            secret = resolve(reference)
        except SecretUnavailable as error:
            raise self.failed(clean_line(str(error))) from None
        self._redactor.add(secret)
        return secret


def build(name: str, options: Options) -> PrometheusTarget:
    return PrometheusTarget(name, options)


def _setter(future: asyncio.Future[Found], **outcome: Any) -> Callable[[], None]:
    def settle() -> None:
        if future.done():  # cancelled: whoever waited has given up
            return
        if "error" in outcome:
            future.set_exception(outcome["error"])
        else:
            future.set_result(outcome["result"])

    return settle


def _shifted(at: datetime, seconds: float) -> datetime:
    return datetime.fromtimestamp(at.timestamp() + seconds, UTC)


# ---------------------------------------------------------------- one connection


@dataclass(frozen=True, slots=True, repr=False)
class Authorization:
    headers: dict[str, str] | None = None
    basic: tuple[bytes, bytes] | None = None


class _Connection:
    """A session of our own below the library's client. Not for two threads at a time.

    The session ignores the environment: REQUESTS_CA_BUNDLE would replace the authorities of the file, and ~/.netrc the token.
    """

    def __init__(self, target: PrometheusTarget, options: Options, authorization: Authorization) -> None:
        import requests
        from prometheus_api_client import PrometheusConnect
        from urllib3.util.retry import Retry

        self._target = target
        self._timeout_seconds = options.timeout_seconds
        self.warnings: list[str] = []
        self.server_time: datetime | None = None
        session = requests.Session()
        session.trust_env = False
        session.verify = str(options.ca) if options.ca is not None else True
        session.hooks["response"].append(self._receive)
        self.client: Any = PrometheusConnect(
            url=target.url,
            headers=authorization.headers,
            auth=authorization.basic,
            retry=Retry(0, read=False),
            session=session,
            timeout=options.timeout_seconds,
        )

    def close(self) -> None:
        self.client.close()

    def _receive(self, response: Response, **_: Any) -> None:
        """The session's response hook: reads within bounds, keeps what the library drops, refuses what it can't judge."""
        body = self._body(response.raw)
        response.raw = io.BytesIO(body)
        if response.is_redirect:
            where = clean_line(response.headers.get("Location", ""))
            raise self._target.failed(f"it redirects to {where}; write that address as its url")
        answer = _parsed(body)
        data = answer.get("data")
        understood = isinstance(data, dict) and isinstance(data.get("result"), list)
        if response.status_code != 200 or answer.get("status") != "success" or not understood:
            raise self._target.failed(_refusal(response.status_code, answer, body))
        self.warnings = _warnings(answer)
        self.server_time = _date(response)
        if answer["data"].get("resultType") not in ("vector", "matrix", "scalar"):
            raise self._target.failed("the query gives a text; it must give numbers")

    def _body(self, raw: Any) -> bytes:
        """The whole body, decompressed. The library would read without end, and a time limit of a socket is one for each read."""
        deadline = time.monotonic() + self._timeout_seconds
        body = bytearray()
        while chunk := raw.read1(64 * 1024, decode_content=True):
            body += chunk
            if len(body) > LARGEST_ANSWER_BYTES:
                limit = LARGEST_ANSWER_BYTES // (1024 * 1024)
                raise self._target.failed(f"an answer of more than {limit} MiB; let the query give fewer series")
            if time.monotonic() > deadline:
                raise self._target.failed(f"no complete answer within {span(self._timeout_seconds)}")
        return bytes(body)


# ---------------------------------------------------------------- reading answers


def _parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; empty when it is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def _refusal(status: int, answer: dict[str, Any], body: bytes) -> str:
    """Why there is no result, in words; Prometheus' own message where it gave one."""
    said = clean_line(str(answer.get("error", "")), 400)
    shown = said or excerpt(body) or "an empty body"
    if is_web_page(body) and status == 200:
        return f"{shown} instead of an answer: is there a login page or a proxy in between?"
    words = {
        200: "not the answer of a Prometheus",
        400: "it refuses the query",
        401: "it asks for credentials (401)",
        403: "it does not let these credentials read (403)",
        404: "no query API at this address (404)",
        422: "it can't carry out the query",
        503: "it can't answer now (503)",
    }
    return f"{words.get(status, f'it answers {status_words(status)}')}: {shown}"


def _warnings(answer: dict[str, Any]) -> list[str]:
    """What the server remarks about its own answer."""
    texts = [*(answer.get("warnings") or ()), *(answer.get("infos") or ())]
    return [clean_line(str(text)) for text in texts[:MOST_WARNINGS]]


def _histograms(result: Json) -> list[str]:
    """Native histograms have no number to compare; left out without a word they would look like nothing at all."""
    count = sum(isinstance(one, dict) and ("histogram" in one or "histograms" in one) for one in result)
    return [f"{count} native histograms left out: let the query make a number of them"] if count else []


def _date(response: Response) -> datetime | None:
    if "Age" in response.headers:  # an answer from a cache tells an old time
        return None
    try:
        date = parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _series(result: Json) -> list[Series]:
    """A vector, a matrix or a scalar as series; the errors of Python for anything else."""
    if len(result) == 2 and not isinstance(result[0], dict):
        return [Series((), (_point(result),))]
    series = []
    for one in result:
        if not isinstance(one, dict):
            raise TypeError
        points = one["values"] if "values" in one else [one["value"]] if "value" in one else ()
        if points:
            series.append(Series(_labels(one.get("metric", {})), tuple(_point(point) for point in points)))
    return series


def _point(pair: Json) -> Point:
    at, value = pair
    return datetime.fromtimestamp(at, UTC), float(value)


def _labels(metric: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Cleaned and bounded; the metric's own name only where nothing else tells the series apart."""
    names = sorted(name for name in metric if name != "__name__") or sorted(metric)
    return tuple(
        (clean_line(name, LABEL_LIMIT), clean_line(str(metric[name]), LABEL_LIMIT)) for name in names[:MOST_LABELS]
    )
