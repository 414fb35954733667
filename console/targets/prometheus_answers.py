"""The answers of Prometheus' query API (https://prometheus.io/docs/prometheus/latest/querying/api/), read with suspicion.

`prometheus.py` asks. What a server, or whatever stands in front of it, may answer on a bad day becomes a line for people; labels
and remarks are cleaned here, where they enter.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

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


class Series(NamedTuple):
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
        self._cleaned: dict[tuple[str, ...], dict[tuple[str, ...], Labels]] = {}  # by the names, then by their texts
        self._known = 0

    def series(self, result: Json, ahead_seconds: float = 0.0) -> list[Series]:
        """A vector, a matrix or a scalar, from a clock that is so far ahead; the errors of Python for anything else."""
        times = _Times(ahead_seconds)
        if len(result) == 2 and not isinstance(result[0], dict):
            at, value = result
            return [Series((), ((times[at], float(value)),))]
        labels, series = self._labels, []
        for one in result:
            if not isinstance(one, dict):
                raise TypeError
            if "values" in one:
                points: Sequence[Point] = [(times[at], float(value)) for at, value in one["values"]]
            elif "value" in one:
                at, value = one["value"]
                points = ((times[at], float(value)),)
            else:
                continue
            if points:
                series.append(Series(labels(one.get("metric", {})), points))
        return series

    def _labels(self, metric: Json) -> Labels:
        if not isinstance(metric, dict):
            raise TypeError
        names, texts = tuple(metric), tuple(metric.values())
        of_these = self._cleaned.get(names)
        known = of_these.get(texts) if of_these else None
        return known if known is not None else self._learn(metric, names, texts)

    def _learn(self, metric: dict[str, str], names: tuple[str, ...], texts: tuple[str, ...]) -> Labels:
        if self._known >= _MOST_KNOWN:
            self._cleaned, self._known = {}, 0
        self._known += 1
        cleaned = _clean(metric)
        self._cleaned.setdefault(names, {})[texts] = cleaned
        return cleaned


class _Times(dict[float, datetime]):
    """The times of an answer, each made once."""

    def __init__(self, ahead_seconds: float) -> None:
        super().__init__()
        self._ahead_seconds = ahead_seconds

    def __missing__(self, at: float) -> datetime:
        made = self[at] = datetime.fromtimestamp(at - self._ahead_seconds, UTC)
        return made


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
