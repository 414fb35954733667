"""What a Prometheus' clock shows, by its own answers: evaluations that it dates minutes ahead or behind are not old or new.

`prometheus.py` tells it of every answer and brings times to this machine's clock by `ahead_seconds`. The rule:

- An instant query without a time of ours is evaluated between sending it and receiving its answer, so its date tells the
  server's clock; where an answer holds no evaluation, its Date header does (in whole seconds; not from a cache, whose answer
  tells its `Age`).
- A difference of up to CLOCK_TOLERANCE_SECONDS is none.
- An evaluation that is minutes off is either a clock, or an old answer that something in between gives again and again. It
  counts as a clock when the Date header says the same, or when the query asked again gives a later evaluation; one that
  stands still is left as old as it is, and its trigger becomes stale.
- Where evaluations and Date header differ, the header is a proxy's, and only evaluations count from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

CLOCK_TOLERANCE_SECONDS: Final = 5.0
"""A server's clock within this is taken for ours: its Date header is in whole seconds, and answers take their time."""
_STANDS_STILL_SECONDS: Final = 0.003
"""Evaluations are dated in milliseconds; two of them so far apart have different dates."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one answer tells of the time, all in seconds since 1970. `sent` and `received` are by this machine's clock."""

    asked: str
    sent: float
    received: float
    evaluated: float | None = None  # by the server; None for a range, whose times are ours, and for an empty answer
    date: float | None = None  # its Date header


@dataclass(slots=True)
class ServerClock:
    """`ahead_seconds`: how far it is ahead of this machine's; negative when it is behind; 0 when it is right enough."""

    ahead_seconds: float = 0.0
    _evaluated: dict[str, tuple[float, float]] = field(default_factory=dict)  # of each query, and when it was received
    _believed_for: float | None = None  # the evaluation that `ahead_seconds` rests on
    _date_is_anothers: bool = False

    def note(self, told: Told) -> bool:
        """Takes an answer's word. True: it may be a clock or an old answer; asking again soon would tell."""
        if told.evaluated is None:
            self._note_date(told)
            return False
        before = self._evaluated.get(told.asked)
        if before and before[0] == told.evaluated and told.received - before[1] > _STANDS_STILL_SECONDS:
            if self._believed_for == told.evaluated:
                self.ahead_seconds, self._believed_for = 0.0, None
            return False
        self._evaluated[told.asked] = (told.evaluated, told.received)
        date_agrees = told.date is not None and abs(told.date + 0.5 - told.evaluated) <= _allowed(told)
        self._date_is_anothers = told.date is not None and not date_agrees
        if self._fits(told.evaluated - told.received, told.evaluated - told.sent):
            return False
        ahead = _least(told.evaluated - told.received, told.evaluated - told.sent)
        moved = before is not None and _moved_on(before, told.evaluated, told.received)
        if ahead and not date_agrees and not moved:
            return True
        self.ahead_seconds, self._believed_for = ahead, told.evaluated if ahead else None
        return False

    def _note_date(self, told: Told) -> None:
        if told.date is None or self._date_is_anothers:
            return
        low, high = told.date - told.received, told.date + 1 - told.sent
        if not self._fits(low, high):
            self.ahead_seconds, self._believed_for = _least(low, high), None

    def _fits(self, low: float, high: float) -> bool:
        return low - CLOCK_TOLERANCE_SECONDS <= self.ahead_seconds <= high + CLOCK_TOLERANCE_SECONDS


def _least(low: float, high: float) -> float:
    """The smallest difference that explains the times; none within the tolerance."""
    least = low if low > 0 else high if high < 0 else 0.0
    return least if abs(least) > CLOCK_TOLERANCE_SECONDS else 0.0


def _allowed(told: Told) -> float:
    return CLOCK_TOLERANCE_SECONDS + (told.received - told.sent)


def _moved_on(before: tuple[float, float], evaluated: float, received: float) -> bool:
    """Whether both clocks went on by the same time since an earlier answer to the same query."""
    theirs, ours = evaluated - before[0], received - before[1]
    return ours > _STANDS_STILL_SECONDS and theirs > 0 and abs(theirs - ours) <= CLOCK_TOLERANCE_SECONDS
