"""When a message that was certainly not delivered is tried again by itself, and when that is left to a person.

`communicator.py` asks. How long to wait is in the journal by wall time, so that any console can go on with it; a console that
is there counts by the time that really passes, since clocks may be set meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from console.domain import events as e
from console.domain.errors import Undelivered
from console.domain.incident import NoticeProgress
from console.domain.triggers import span
from console.engine.ports import Clock

RETRY_PAUSES_SECONDS: Final = (2.0, 10.0, 30.0, 60.0, 60.0)
"""Between the attempts at one message; after the last, a person decides."""
LONGEST_PAUSE_SECONDS: Final = 300.0
"""A channel that asks for a longer pause is not waited for: by then the message says what is no longer so."""
RETRY_WITHIN_SECONDS: Final = 300.0
"""A console that finds a retry whose time came longer ago than this leaves it to a person, for the same reason."""


def undelivered(notice: str, progress: NoticeProgress, error: Undelivered) -> e.NoticeFailed:
    """The failure as it is recorded: with its pause where the same message is tried again."""
    if not error.retry:
        return e.NoticeFailed(notice, progress.op, str(error))
    if progress.attempt > len(RETRY_PAUSES_SECONDS):
        return e.NoticeFailed(notice, progress.op, f"{error}; given up after {progress.attempt} attempts")
    pause = max(RETRY_PAUSES_SECONDS[progress.attempt - 1], error.after_seconds or 0.0)
    if pause > LONGEST_PAUSE_SECONDS:
        return e.NoticeFailed(notice, progress.op, f"{error}; it asks to wait {span(pause)}")
    return e.NoticeFailed(notice, progress.op, str(error), pause)


@dataclass(frozen=True, slots=True)
class _Wait:
    """From when (monotonic) and how long; `stale`: its time had come too long before anybody was there."""

    since: float
    seconds: float
    stale: bool


class Waits:
    """The failed messages that this process has seen, each with what is left of its pause."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waits: dict[tuple[str, int], _Wait] = {}

    def left_seconds(self, failed: NoticeProgress) -> float | None:
        """Until it is tried again; 0 when its time has come; None when it is a person's to decide."""
        if failed.retry_at is None:
            return None
        key = (failed.op, failed.attempt)
        if key not in self._waits:
            pause = (failed.retry_at - failed.at).total_seconds()
            left = (failed.retry_at - self._clock.now()).total_seconds()
            self._waits[key] = _Wait(self._clock.monotonic(), min(max(left, 0.0), pause), left < -RETRY_WITHIN_SECONDS)
        wait = self._waits[key]
        return None if wait.stale else max(0.0, wait.since + wait.seconds - self._clock.monotonic())
