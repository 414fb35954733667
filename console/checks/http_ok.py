"""An address that answers as it should: check kind `http.ok`. What counts as that is in `targets/health.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from console.engine.ports import Check, Evidence
from console.targets.health import Healthy, NotAsked, health_of, without_query
from console.targets.http import HttpUrl, why
from console.targets.web import open_client

KIND: Final = "http.ok"
TARGET_KINDS: Final[tuple[str, ...]] = ()

LIMIT_SECONDS: Final = 60.0
"""For an answer, if whoever runs the check sets no shorter limit."""


class Options(Healthy):
    """A GET request and the answer that counts as healthy."""

    url: HttpUrl
    """What is asked."""


class HttpOk:
    """Passes when the answer is the expected one; fails otherwise, also without an answer; unknown when it can't ask."""

    def __init__(self, options: Options, *, timer: Callable[[], float] = time.perf_counter) -> None:
        self._options = options
        self._timer = timer
        self._where = without_query(options.url)

    async def run(self) -> Evidence:
        options = self._options
        # Importing httpx and reading authorities take tenths of a second that the event loop doesn't have.
        try:
            client = await asyncio.to_thread(open_client, options.ca, follow_redirects=options.follow_redirects)
        except OSError as error:
            return Evidence("unknown", f"the authorities in {options.ca} can't be used: {why(error)}")
        try:
            async with client:
                found = await health_of(client, options.url, options, limit_seconds=LIMIT_SECONDS, timer=self._timer)
        except NotAsked as error:
            return Evidence("unknown", f"{self._where} can't be asked from here: {error}")
        detail = (f"GET {self._where}", *found.detail)
        if found.healthy:
            return Evidence("pass", found.words, detail)
        return Evidence("fail", f"{self._where}: {found.words}", detail)


def build(options: Options, target: None = None) -> Check:
    del target  # it takes none
    return HttpOk(options)
