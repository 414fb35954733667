"""A number that an address tells in its JSON: trigger source `http_json`. It has no past: an address tells what is now."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Annotated, Any, Final, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from console.config.options import FilePath, PositiveDuration
from console.config.options import Options as TableOptions
from console.config.secrets import Redactor
from console.domain.errors import Failed, Refused
from console.engine.clock import SystemClock
from console.engine.ports import Clock, Json, MetricSource, Reading, Sample
from console.engine.sampler import CALL_TIMEOUT_SECONDS
from console.targets.headers import Headers, HeaderTable
from console.targets.health import without_query
from console.targets.http import HttpUrl, excerpt, status_words, why
from console.targets.json_values import MISSING, at_path, shown
from console.targets.text import clean_line
from console.targets.web import LARGEST_BODY_BYTES, Answer, Lost, NotSent, exchange, open_client

KIND: Final = "http_json"
TARGET_KINDS: Final[tuple[str, ...]] = ()

MOST_SERIES: Final = 1000
LABEL_LIMIT: Final = 80
SETUP_SECONDS: Final = 1.0
_TOLD: Final = 3

Part: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Path: TypeAlias = (
    Annotated[str, StringConstraints(min_length=1, max_length=1000)] | Annotated[tuple[Part, ...], Field(min_length=1)]
)


class Options(TableOptions):
    """A GET request, and where in the answer's JSON the number is."""

    url: HttpUrl
    """What is asked."""
    path: Path | None = None
    """Where the number is: `"queue.depth"`, items of a list by number from 0: `"shards.0.lag"`. A key that holds a dot:
    `["queue.depth", "now"]`. Left out: the JSON itself, or each item of `each`, is the number."""
    each: Path | None = None
    """Where a list or table of several is; each of its items is a series, and `path` leads on from there."""
    label: Path | None = None
    """Where in each item its name is, which becomes a label under that key. Left out: the label `item`, with the key of a
    table's item or the number of a list's."""
    headers: HeaderTable = Field(default_factory=dict)
    """Headers. Secrets by reference: `{ Authorization = { env = "TOKEN", prefix = "Bearer " } }`."""
    ca: FilePath | None = None
    """A PEM file with the authorities to trust instead of the usual ones."""
    timeout_seconds: PositiveDuration = 5.0
    """How long the answer may take; at most 9s."""

    @model_validator(mode="after")
    def _fits(self) -> Options:
        if self.label is not None and self.each is None:
            raise ValueError('"label" names the items of "each"')
        if self.timeout_seconds > CALL_TIMEOUT_SECONDS - SETUP_SECONDS:
            raise ValueError(f'"timeout" is at most {CALL_TIMEOUT_SECONDS - SETUP_SECONDS:g}s')
        return self


class HttpJson:
    def __init__(self, options: Options, *, clock: Clock | None = None) -> None:
        self._options = options
        self._clock = clock or SystemClock()
        self._redactor = Redactor()
        self._headers = Headers(options.headers, self._redactor)
        self._where = clean_line(without_query(options.url))
        self._path, self._each, self._label = (_parts(p) for p in (options.path, options.each, options.label))
        self.query = f"GET {self._where} → {self._described()}"

    async def now(self) -> Reading:
        """The number, or one sample for each item; an item without a number is NaN. Warnings say what is no number."""
        answer = await self._answer()
        at = self._clock.now()
        document = self._document(answer)
        if self._options.each is None:
            value, problem = _number(at_path(document, self._path))
            if problem:
                return Reading((), (self._told(f"{self._at(self._path)} {problem}"),))
            return Reading((Sample(at, value),))
        samples, problems = [], []
        for labels, item in self._items(document):
            value, problem = _number(at_path(item, self._path))
            samples.append(Sample(at, value, labels))
            problems += [f"{labels[0][1]}: {self._at(self._path)} {problem}"] if problem else []
        return Reading(tuple(samples), tuple(map(self._told, _some(problems))))

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        """Nothing is known of it."""
        del seconds, step_seconds
        return Reading(())

    async def _answer(self) -> Answer:
        options = self._options
        try:
            headers = {"Accept": "application/json", **await self._headers.resolved()}
            client = await asyncio.to_thread(open_client, options.ca)
        except Refused as error:
            raise self._failed(error.message) from None
        except OSError as error:
            raise self._failed(f"the authorities in {options.ca} can't be used: {why(error)}") from None
        try:
            async with client:
                return await exchange(client, "GET", options.url, seconds=options.timeout_seconds, headers=headers)
        except (NotSent, Lost) as error:
            raise self._failed(str(error)) from None

    def _document(self, answer: Answer) -> Json:
        if not 200 <= answer.status <= 299:
            leads = f"; it redirects to {clean_line(answer.location)}: write that address as its url"
            said = leads if answer.location else f": {excerpt(answer.body)}" if answer.body else ""
            raise self._failed(f"it answers {status_words(answer.status)}{said}")
        if not answer.complete:
            raise self._failed(f"its answer is longer than {LARGEST_BODY_BYTES // 1024} KiB")
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self._failed(f"its answer is not JSON: {excerpt(answer.body) or 'it is empty'}") from None

    def _items(self, document: Json) -> Iterator[tuple[tuple[tuple[str, str], ...], Json]]:
        found = at_path(document, self._each)
        if not isinstance(found, dict | list):
            raise self._failed(f"{self._at(self._each)} is {shown(found)}, expected a list or a table")
        if len(found) > MOST_SERIES:
            raise self._failed(f"{self._at(self._each)} has {len(found)} items, more than {MOST_SERIES}")
        named = found.items() if isinstance(found, dict) else enumerate(found)
        for key, item in named:
            if self._options.label is None:
                yield (("item", clean_line(str(key), LABEL_LIMIT)),), item
            else:
                name = at_path(item, self._label)
                text = name if isinstance(name, str) else shown(name)
                yield ((clean_line(self._label[-1], LABEL_LIMIT), clean_line(text, LABEL_LIMIT)),), item

    def _failed(self, reason: str) -> Failed:
        return Failed(self._told(f"{self._where}: {reason}"))

    def _told(self, text: str) -> str:
        return self._redactor.redact(text)

    def _at(self, path: tuple[str, ...]) -> str:
        return clean_line(".".join(path)) or "it"

    def _described(self) -> str:
        if self._options.each is None:
            return clean_line(".".join(self._path)) or "the number"
        return clean_line(".".join((*self._each, "*", *self._path)))


def build(options: Options, target: None = None) -> MetricSource:
    del target  # it takes none
    return HttpJson(options)


def _parts(path: Any) -> tuple[str, ...]:
    if path is None:
        return ()
    return tuple(path.split(".")) if isinstance(path, str) else path


def _number(found: Json) -> tuple[float, str]:
    """The value, or NaN and what is wrong with it. A text that looks like a number is a text: units hide in them."""
    if found is MISSING:
        return math.nan, "is missing"
    if isinstance(found, bool) or not isinstance(found, int | float):
        return math.nan, f"is {shown(found)}, not a number"
    try:
        value = float(found)
    except OverflowError:
        return math.nan, "is larger than any measure"
    return value, "is NaN" if math.isnan(value) else ""


def _some(problems: list[str]) -> list[str]:
    more = [f"… and {len(problems) - _TOLD} more without a number"] if len(problems) > _TOLD else []
    return problems[:_TOLD] + more
