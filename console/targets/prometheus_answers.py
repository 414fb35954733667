"""The answers of Prometheus' query API (https://prometheus.io/docs/prometheus/latest/querying/api/), read with suspicion.

`prometheus.py` asks. What a server, or whatever stands in front of it, may answer on a bad day becomes a line for people; labels
and remarks are cleaned here, where they enter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from console.engine.ports import Json
from console.targets.http import excerpt, is_web_page, status_words
from console.targets.text import clean_line

MOST_WARNINGS: Final = 5
MOST_LABELS: Final = 12
LABEL_LIMIT: Final = 80
_MOST_KNOWN: Final = 50_000
"""Series whose labels are remembered as they were cleaned."""

Point = tuple[datetime, float]
Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer, its labels cleaned, its points by this machine's clock (UTC) and oldest first."""

    labels: Labels
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Answer:
    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()


def parsed(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; empty when it is none."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}


def refusal(status: int, answer: dict[str, Any], body: bytes) -> str:
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


def remarks(answer: dict[str, Any]) -> list[str]:
    """What the server remarks about its own answer."""
    texts = [*(answer.get("warnings") or ()), *(answer.get("infos") or ())]
    return [clean_line(str(text)) for text in texts[:MOST_WARNINGS]]


def histograms(result: Json) -> list[str]:
    """Native histograms have no number to compare; left out without a word they would look like nothing at all."""
    count = sum(isinstance(one, dict) and ("histogram" in one or "histograms" in one) for one in result)
    return [f"{count} native histograms left out: let the query make a number of them"] if count else []


class Reader:
    """Reads results. It knows the labels that it has cleaned before: a thousand series are the same ones a second later.

    Series of the same labels share one object, and points of the same moment one time, so that whoever compares is done at once.
    """

    def __init__(self) -> None:
        self._cleaned: dict[tuple[tuple[str, str], ...], Labels] = {}

    def series(self, result: Json, ahead_seconds: float = 0.0) -> list[Series]:
        """A vector, a matrix or a scalar, from a clock that is so far ahead; the errors of Python for anything else."""
        times: dict[float, datetime] = {}

        def point(pair: Json) -> Point:
            at, value = pair
            if at not in times:
                times[at] = datetime.fromtimestamp(at - ahead_seconds, UTC)
            return times[at], float(value)

        if len(result) == 2 and not isinstance(result[0], dict):
            return [Series((), (point(result),))]
        series = []
        for one in result:
            if not isinstance(one, dict):
                raise TypeError
            points = one["values"] if "values" in one else [one["value"]] if "value" in one else ()
            if points:
                series.append(Series(self._labels(one.get("metric", {})), tuple([point(pair) for pair in points])))
        return series

    def _labels(self, metric: Json) -> Labels:
        if not isinstance(metric, dict):
            raise TypeError
        key = tuple(metric.items())
        known = self._cleaned.get(key)
        if known is None:
            if len(self._cleaned) >= _MOST_KNOWN:
                self._cleaned.clear()
            known = self._cleaned[key] = _clean(metric)
        return known


def evaluated_at(result: Json) -> float | None:
    """When the server evaluated an instant query, by its own clock; None when its answer does not tell."""
    if not result:
        return None
    pair = result if not isinstance(result[0], dict) else result[0].get("value")
    at = pair[0] if isinstance(pair, list) and pair else None
    return float(at) if isinstance(at, int | float) else None


def _clean(metric: dict[str, str]) -> Labels:
    """Cleaned and bounded; the metric's own name only where nothing else tells the series apart."""
    names = sorted(name for name in metric if name != "__name__") or sorted(metric)
    return tuple(
        (clean_line(name, LABEL_LIMIT), clean_line(str(metric[name]), LABEL_LIMIT)) for name in names[:MOST_LABELS]
    )
