"""What surrounds the procedure's systems: traffic that Prometheus scrapes, and those who are told.

The traffic is a calm service's. The channels are the drill's sinks, which answer as the real services document it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from types import TracebackType
from typing import Self

from console.sandbox.mail import MailServer
from console.sandbox.model.scenario import load
from console.sandbox.model.service import Service
from console.sandbox.model.traffic import exposition
from console.sandbox.web import Sinks, Site
from tests.real.servers.exposition import Exposition

_EVERY_SECONDS = 0.1


class Traffic:
    """Moves the counters of a service while the block lasts, as the scrapes find them."""

    def __init__(self, shown: Exposition) -> None:
        self._shown = shown
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._flow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _flow(self) -> None:
        service = Service(load("quiet"), at=time.time())
        while not self._ended.wait(_EVERY_SECONDS):
            service.advance(time.time(), ())
            for name, labels, value in exposition(service):
                series = ",".join(f'{label}="{text}"' for label, text in labels.items())
                self._shown.metrics[f"{name}{{{series}}}"] = value
            self._shown.metrics["api_p95_seconds"] = service.levels.p95


class Told:
    """The channels, in a loop of their own: `sinks.received` is what arrived."""

    def __init__(self) -> None:
        self.sinks = Sinks()
        self.url = ""
        self.mail_port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        async with contextlib.AsyncExitStack() as running:
            site = await running.enter_async_context(Site(self.sinks.app()))
            mail = await running.enter_async_context(MailServer(self.sinks))
            self.url, self.mail_port = site.url, mail.port
            self._ready.set()
            await self._end.wait()
