"""What a request asks for: its parameters, read as Prometheus reads them and refused in its words."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Final

from multidict import MultiDict

from console.sandbox.prometheus import durations, promql
from console.sandbox.prometheus.promql.evaluation import LOOK_BACK

LONGEST_SECONDS: Final = 120.0

Parameters = MultiDict[str]


class ApiError(Exception):
    """An answer with a status and one of the API's types of error."""

    def __init__(self, sort: str, text: str) -> None:
        super().__init__(text)
        self.sort = sort

    @property
    def status(self) -> HTTPStatus:
        return {
            "bad_data": HTTPStatus.BAD_REQUEST,
            "execution": HTTPStatus.UNPROCESSABLE_ENTITY,
            "timeout": HTTPStatus.SERVICE_UNAVAILABLE,
        }[self.sort]


def invalid(name: str, reason: str) -> ApiError:
    return ApiError("bad_data", f'invalid parameter "{name}": {reason}')


def expression(query: str) -> promql.Expr:
    try:
        return promql.parse(query)
    except promql.BadQuery as error:
        raise invalid("query", str(error)) from None
    except promql.CannotExecute as error:
        raise ApiError("execution", str(error)) from None


def selector(text: str) -> promql.Selector:
    try:
        expr = promql.parse(text)
    except (promql.BadQuery, promql.CannotExecute) as error:
        raise invalid("match[]", str(error)) from None
    if not isinstance(expr, promql.Selector):
        raise invalid("match[]", "parse error: expected a series selector")
    return expr


def moment(asked: Parameters, name: str) -> int:
    """Milliseconds; it must be there."""
    try:
        return durations.moment(asked.get(name, ""))
    except ValueError as error:
        raise invalid(name, str(error)) from None


def moment_if_any(asked: Parameters, name: str) -> int | None:
    if not asked.get(name):
        return None
    try:
        return durations.moment(asked[name])
    except ValueError as error:
        raise invalid(name, f"invalid time value for '{name}': {error}") from None


def many(asked: Parameters, name: str) -> list[str]:
    """All the values of a parameter that may come several times."""
    return [value for key, value in asked.items() if key == name]


def duration(asked: Parameters, name: str) -> int:
    try:
        return durations.parameter(asked.get(name, ""))
    except ValueError as error:
        raise invalid(name, str(error)) from None


def limits(asked: Parameters) -> promql.Limits:
    seconds = LONGEST_SECONDS
    if asked.get("timeout"):
        given = duration(asked, "timeout")
        if given <= 0:
            raise invalid("timeout", f"timeout must be positive, got {durations.written(given)}")
        seconds = min(seconds, given / 1000)
    return promql.Limits(time.monotonic() + seconds)


def look_back(asked: Parameters) -> int:
    if not asked.get("lookback_delta"):
        return LOOK_BACK
    try:
        return durations.parameter(asked["lookback_delta"])
    except ValueError as error:
        raise ApiError("bad_data", f"error parsing lookback delta duration: {error}") from None


def limit(asked: Parameters) -> int:
    text = asked.get("limit", "") or "0"
    if not text.lstrip("+-").isdigit():
        raise invalid("limit", f'strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise invalid("limit", "limit must be non-negative")
    return int(text)
