"""Health checks that fail: trigger source `http`. A series is 1 while its address doesn't answer as it should, 0 while it does.

"Three failed health checks in a row" is `source = "http"` with `above = 0` and `consecutive = 3`. It has no past to fill in: what
an address answered before the console was there, nobody knows.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from pydantic import Field, model_validator

from console.config.options import PositiveDuration
from console.config.secrets import Redactor
from console.domain.errors import Failed, Refused
from console.engine.clock import SystemClock
from console.engine.ports import Clock, MetricSource, Reading, Sample
from console.engine.sampler import CALL_TIMEOUT_SECONDS
from console.targets.headers import Headers, HeaderTable
from console.targets.health import Health, Healthy, NotAsked, health_of, without_query
from console.targets.http import HttpUrl, why
from console.targets.text import clean_line
from console.targets.web import open_client

KIND: Final = "http"
TARGET_KINDS: Final[tuple[str, ...]] = ()

MOST_ADDRESSES: Final = 50
MOST_TOLD: Final = 5
SETUP_SECONDS: Final = 1.0
"""Left for authorities and secrets, so that an address that is too slow is what is told, and not that the source was."""


class Options(Healthy):
    """Health checks of one address or several, and the answer that counts as healthy."""

    url: HttpUrl | None = None
    """The address that is asked."""
    urls: Annotated[tuple[HttpUrl, ...], Field(min_length=1, max_length=MOST_ADDRESSES)] | None = None
    """Several addresses, each a series with the label `url`: every replica, rather than the service before them."""
    headers: HeaderTable = Field(default_factory=dict)
    """Headers for all of them. Secrets by reference: `{ Authorization = { env = "TOKEN", prefix = "Bearer " } }`."""
    timeout_seconds: PositiveDuration = 5.0
    """An address that has not answered by then has failed; at most 9s."""

    @model_validator(mode="after")
    def _addresses(self) -> Options:
        if (self.url is None) == (self.urls is None):
            raise ValueError('either "url" or "urls"')
        if len(set(self.addresses)) != len(self.addresses):
            raise ValueError("an address is named twice")
        if self.timeout_seconds > CALL_TIMEOUT_SECONDS - SETUP_SECONDS:
            raise ValueError(f'"timeout" is at most {CALL_TIMEOUT_SECONDS - SETUP_SECONDS:g}s')
        if self.follow_redirects and any(not isinstance(value, str) for value in self.headers.values()):
            raise ValueError("a redirect would carry the secret of a header elsewhere: leave follow_redirects out")
        return self

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.urls or ((self.url,) if self.url is not None else ())


class HttpHealth:
    def __init__(self, options: Options, *, clock: Clock | None = None) -> None:
        self.query = _described(options)
        self._options = options
        self._clock = clock or SystemClock()
        self._redactor = Redactor()
        self._headers = Headers(options.headers, self._redactor)
        self._named = _labels(options.addresses)

    async def now(self) -> Reading:
        """One sample for each address. Failed when none is known to be bad and one could not be asked from here."""
        found = await self._asked()
        asked = [(label, health) for label, health in found if isinstance(health, Health)]
        unasked = [f"{label} can't be asked from here: {health}" for label, health in found if isinstance(health, str)]
        if unasked and all(health.healthy for _, health in asked):
            raise Failed(unasked[0])
        at = self._clock.now()
        samples = tuple(Sample(at, 0.0 if health.healthy else 1.0, (("url", label),)) for label, health in asked)
        bad = [f"{label}: {health.words}" for label, health in asked if not health.healthy]
        return Reading(samples, tuple(map(self._redactor.redact, _some([*bad, *unasked]))))

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        """Nothing is known of it."""
        del seconds, step_seconds
        return Reading(())

    async def _asked(self) -> list[tuple[str, Health | str]]:
        """What became of each address: its health, or why it could not be asked."""
        options = self._options
        try:
            headers = await self._headers.resolved()
            # A client of its own each time: a connection that is kept would hide that new ones are refused.
            client = await asyncio.to_thread(open_client, options.ca, follow_redirects=options.follow_redirects)
        except Refused as error:
            raise Failed(error.message) from None
        except OSError as error:
            raise Failed(f"the authorities in {options.ca} can't be used: {why(error)}") from None

        async def ask(url: str) -> Health | str:
            try:
                return await health_of(client, url, options, limit_seconds=options.timeout_seconds, headers=headers)
            except NotAsked as error:
                return str(error)

        async with client:
            return list(zip(self._named, await asyncio.gather(*map(ask, options.addresses)), strict=True))


def build(options: Options, target: None = None) -> MetricSource:
    del target  # it takes none
    return HttpHealth(options)


def _labels(addresses: tuple[str, ...]) -> list[str]:
    """What each address is called: without its query, unless that alone tells two of them apart; then by a number."""
    bare = [clean_line(without_query(url)) for url in addresses]
    return [
        label if bare.count(label) == 1 else f"{label} ({bare[:i].count(label) + 1})" for i, label in enumerate(bare)
    ]


def _some(told: list[str]) -> list[str]:
    return told[:MOST_TOLD] + ([f"… and {len(told) - MOST_TOLD} more addresses"] if len(told) > MOST_TOLD else [])


def _described(options: Options) -> str:
    expected = " or ".join(map(str, options.statuses))
    return f"GET {', '.join(_labels(options.addresses))} answers {expected}"
