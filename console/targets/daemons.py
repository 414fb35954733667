"""Threads for calls that block: a few, kept, and never waited for when the console leaves, as those of an executor would be."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Found = TypeVar("Found")


class Busy(Exception):
    """Every thread was taken all the time that the caller would wait."""


class Daemons:
    """At most so many threads, started when there is work for them. `run` may be awaited from any event loop."""

    def __init__(self, name: str, most: int) -> None:
        self.most = most
        self._name = name
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._unfinished = 0

    async def run(self, work: Callable[[], Found], patience_seconds: float) -> Found:
        """What the work gives or raises. Raises Busy when it could not begin in so many seconds."""
        loop = asyncio.get_running_loop()
        job = _Job(work, loop)
        self._take_in(job)
        giving_up = loop.call_later(patience_seconds, job.give_up)
        try:
            return await job.future
        finally:
            giving_up.cancel()
            job.give_up()  # cancelled: whoever waited has left, and what has not begun need not begin

    def end(self) -> None:
        """Lets the threads go once they have nothing to do; the next work brings new ones."""
        with self._lock:
            leaving, self._threads = self._threads, 0
        for _ in range(leaving):
            self._jobs.put(None)

    def _take_in(self, job: _Job[Any]) -> None:
        with self._lock:
            self._unfinished += 1
            more = self._unfinished > self._threads and self._threads < self.most
            self._threads += more
        self._jobs.put(job)
        if more:
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.carry_out()
            del job  # its outcome would be kept until the next one comes
            with self._lock:
                self._unfinished -= 1


class _Job(Generic[Found]):
    """Work for a thread, and the future of whoever waits for it. It begins or is given up, never both."""

    def __init__(self, work: Callable[[], Found], loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[Found] = loop.create_future()
        self._work = work
        self._loop = loop
        self._decided = threading.Lock()

    def give_up(self) -> None:
        """In the loop's thread."""
        if self._decided.acquire(blocking=False) and not self.future.done():
            self.future.set_exception(Busy())

    def carry_out(self) -> None:
        if not self._decided.acquire(blocking=False):
            return
        result: Any = None
        failure: BaseException | None = None
        try:
            result = self._work()
        except BaseException as error:  # noqa: BLE001 -- it is raised again where it is awaited
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(self._settle, result, failure)

    def _settle(self, result: Any, failure: BaseException | None) -> None:
        if self.future.done():  # cancelled: whoever waited has given up
            return
        if failure is not None:
            self.future.set_exception(failure)
        else:
            self.future.set_result(result)
