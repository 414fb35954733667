"""A Prometheus server, or anything that speaks its query API: target kind `prometheus`. Queries only read.

The `prometheus` metric source asks it; `prometheus_admin.py` is what `prometheus.reload` asks of it. The client library
(prometheus-api-client) is synchronous, so each call goes to one of a few threads (`daemons.py`) and is read there; what it drops
is kept by our connection below it (`prometheus_wire.py`), answers are read by `prometheus_answers.py`, and a clock that is
minutes off is told by `prometheus_clock.py`.
"""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
from console.targets.daemons import Busy, Daemons
from console.targets.http import HttpUrl, why
from console.targets.prometheus_answers import (
    MOST_WARNINGS,
    Answer,
    Point,
    Reader,
    Series,
    evaluated_at,
    histograms,
)
from console.targets.prometheus_clock import CLOCK_TOLERANCE_SECONDS, ServerClock, Told
from console.targets.text import clean_line

if TYPE_CHECKING:
    from console.targets.prometheus_admin import PrometheusAdmin
    from console.targets.prometheus_wire import Connection

__all__ = ["CLOCK_TOLERANCE_SECONDS", "KIND", "Answer", "Options", "Point", "PrometheusTarget", "Series", "build"]

KIND: Final = "prometheus"

LARGEST_ANSWER_BYTES: Final = 8 * 1024 * 1024
"""Decompressed. Parsing more would be felt as a pause of the screen."""
MOST_REQUESTS_AT_ONCE: Final = 16
"""Threads and connections; whoever finds all of them taken waits a little."""
MOST_POINTS: Final = 10_000
"""Of one range query; Prometheus refuses more than 11,000 in each series."""
_BEFORE_ASKING_AGAIN_SECONDS: Final = 0.01
"""Evaluations are dated in milliseconds: whether one stands still shows after more than one."""

Found = TypeVar("Found")


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


class PrometheusTarget:
    """The server. Its queries raise Failed with one line for people, and nothing else."""

    def __init__(self, name: str, options: Options, *, clock: Clock | None = None) -> None:
        self.name = name
        self.url = options.url.rstrip("/")
        self._options = options
        self._clock = clock or SystemClock()
        self._redactor = Redactor()
        self._idle: list[Connection] = []
        self._threads = Daemons(f"prometheus {name}", MOST_REQUESTS_AT_ONCE)
        self._reader = Reader()
        self._server_clock = ServerClock()
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
        return await self.asked(promql, lambda answer: answer, lookback_seconds=lookback_seconds)

    async def asked(
        self, promql: str, made: Callable[[Answer], Found], *, lookback_seconds: float | None = None
    ) -> Found:
        """What `made` makes, in the thread that asked, of the query's value now."""
        return await self._in_thread(lambda: made(self._query(promql, lookback_seconds)))

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
        return await self.asked_of_the_past(
            promql, lambda answer: answer, seconds, step_seconds, lookback_seconds=lookback_seconds
        )

    async def asked_of_the_past(
        self,
        promql: str,
        made: Callable[[Answer], Found],
        seconds: float,
        step_seconds: float,
        *,
        lookback_seconds: float | None = None,
    ) -> Found:
        """What `made` makes, in the thread that asked, of the query at every step of the last so many seconds."""
        return await self._in_thread(lambda: made(self._query_range(promql, seconds, step_seconds, lookback_seconds)))

    async def close(self) -> None:
        """Ends the connections that are kept; those in use end with their answers."""
        self._close_idle()
        self._threads.end()
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
        patience = self._options.timeout_seconds / 2
        try:
            return await self._threads.run(work, patience)
        except Busy:
            raise self.failed(f"{self._threads.most} earlier requests have not come back") from None

    def _query(self, promql: str, lookback_seconds: float | None) -> Answer:
        told = self._told_now(promql, lookback_seconds)
        if self._server_clock.note(told.time):
            time.sleep(_BEFORE_ASKING_AGAIN_SECONDS)
            told = self._told_now(promql, lookback_seconds)
            self._server_clock.note(told.time)
        answer = self._answer(told.result, told.warnings)
        if any(len(one.points) != 1 for one in answer.series):
            raise self.failed("the query gives ranges of samples; it must give one value for each series")
        return answer

    def _told_now(self, promql: str, lookback_seconds: float | None) -> _Result:
        parameters = self._parameters(lookback_seconds)
        return self._ask(promql, lambda client: client.custom_query(promql, params=parameters), instant=True)

    def _query_range(self, promql: str, seconds: float, step: float, lookback_seconds: float | None) -> Answer:
        believed = self._server_clock.ahead_seconds
        answer = self._range(promql, seconds, step, lookback_seconds)
        if self._server_clock.ahead_seconds == believed:
            return answer
        # It was asked about the wrong stretch of time; its answer told what its clock is.
        return self._range(promql, seconds, step, lookback_seconds)

    def _range(
        self, promql: str, seconds: float, step: float, lookback_seconds: float | None, until: float | None = None
    ) -> Answer:
        end = until if until is not None else self._clock.now().timestamp() + self._server_clock.ahead_seconds
        steps = int(seconds / step)
        result: list[Json] = []
        warnings: list[str] = []
        for first in range(0, steps + 1, MOST_POINTS):
            last = min(first + MOST_POINTS - 1, steps)
            since, until = end - (steps - first) * step, end - (steps - last) * step
            part = self._part(promql, since, until, step, self._parameters(lookback_seconds))
            self._server_clock.note(part.time)
            result += part.result
            warnings += part.warnings
        return self._answer(result, warnings)

    def _part(self, promql: str, since: float, until: float, step: float, params: dict[str, str]) -> _Result:
        # The library rounds times to whole seconds; parameters of our own replace its.
        exact = {**params, "start": f"{since:.3f}", "end": f"{until:.3f}"}
        start_time, end_time = datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC)
        return self._ask(
            promql,
            lambda client: client.custom_query_range(promql, start_time, end_time, f"{step:.3f}", params=exact),
            instant=False,
        )

    def _parameters(self, lookback_seconds: float | None) -> dict[str, str]:
        parameters = {"timeout": f"{self._options.timeout_seconds:.3f}"}
        if lookback_seconds is not None:
            parameters["lookback_delta"] = f"{lookback_seconds:.3f}"
        return parameters

    def _answer(self, result: Json, warnings: Iterable[str]) -> Answer:
        """The answer, with its times brought to this machine's clock: ages are counted on it."""
        ahead = self._server_clock.ahead_seconds
        told = tuple(dict.fromkeys(warnings))[:MOST_WARNINGS]
        if ahead:
            way = "ahead of" if ahead > 0 else "behind"
            told = (*told, f"its clock is {span(abs(ahead))} {way} this machine's")
        with self._understanding():
            return Answer(tuple(self._reader.series(result, ahead)), told)

    def _ask(self, asked: str, call: Callable[[Any], Json], *, instant: bool) -> _Result:
        """One request on a connection that no other thread uses. After a failure every idle connection is dropped."""
        from console.targets.prometheus_wire import UNANSWERED

        connection = self._connection()
        sent = self._clock.now().timestamp()
        try:
            with self._understanding():
                result = call(connection.client)
        except Failed:
            self._drop(connection)
            raise
        except UNANSWERED as error:
            self._drop(connection)
            raise self._unanswered(error) from None
        with self._understanding():
            evaluated = evaluated_at(result) if instant else None
            warnings = [*histograms(result), *connection.warnings]
        told = Told(asked, sent, self._clock.now().timestamp(), evaluated, connection.date)
        self._idle.append(connection)
        return _Result(result, warnings, told)

    @contextlib.contextmanager
    def _understanding(self) -> Iterator[None]:
        try:
            yield
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            if isinstance(error, OSError):  # a certificate that is not accepted is a ValueError too
                raise
            raise self.failed(f"an answer that is not understood ({type(error).__name__})") from None

    def _unanswered(self, error: Exception) -> Failed:
        reason = why(error)
        limit = span(self._options.timeout_seconds)
        return self.failed(f"no answer within {limit}" if reason == "no answer in time" else reason)

    # ------------------------------------------------------------ connections

    def _connection(self) -> Connection:
        with contextlib.suppress(IndexError):
            return self._idle.pop()
        from console.targets.prometheus_wire import Access, Connection

        authorization = self.authorization()
        access = Access(
            url=self.url,
            ca=self._options.ca,
            headers=authorization.headers or {},
            basic=authorization.basic,
            timeout_seconds=self._options.timeout_seconds,
            largest_bytes=LARGEST_ANSWER_BYTES,
        )
        return Connection(access, self.failed)

    def _drop(self, connection: Connection) -> None:
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


@dataclass(frozen=True, slots=True, repr=False)
class Authorization:
    headers: dict[str, str] | None = None
    basic: tuple[bytes, bytes] | None = None


@dataclass(frozen=True, slots=True)
class _Result:
    """What the library gives of an answer, and what it drops."""

    result: Json
    warnings: Sequence[str]
    time: Told
