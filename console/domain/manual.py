"""The verdicts of manual triggers: what people counted in a rolling window, and what a person gave their word for.

Both follow from the journal and the time alone, so that every console and every report sees the same. `projection.py` asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from console.domain.incident import Attestation, Counted, Incident
from console.domain.outline import TriggerOutline
from console.domain.triggers import TriggerReading, amount, clock_time, span

_CURVE_POINTS: Final = 40


def manual_reading(outline: TriggerOutline, incident: Incident, now: datetime) -> TriggerReading:
    if outline.judged == "attestation":
        return _attestation(incident.attested.get(outline.id), now)
    return _counter(outline, incident.counted.get(outline.id, ()), now)


def _attestation(word: Attestation | None, now: datetime) -> TriggerReading:
    if word is None:
        return TriggerReading("ok", "nobody has said so")
    said = f"{word.by} at {clock_time(word.at, now)}: {word.reason}"
    if word.holds:
        return TriggerReading("firing", f"attested by {said}", since=word.at)
    return TriggerReading("ok", f"withdrawn by {said}", since=word.at)


def _counter(outline: TriggerOutline, counted: Sequence[Counted], now: datetime) -> TriggerReading:
    """Fires while more than the threshold were counted within the window that ends now."""
    window = timedelta(seconds=outline.window_seconds)
    value = _sum_at(counted, window, now)
    crosses = value > outline.threshold if outline.above else value < outline.threshold
    words = f"{amount(value, outline.unit)} in the last {span(outline.window_seconds)}"
    sign = (">" if crosses else "≤") if outline.above else ("<" if crosses else "≥")
    return TriggerReading(
        "firing" if crosses else "ok",
        f"{words} {sign} {amount(outline.threshold, outline.unit)}",
        value=value,
        since=_since(outline, counted, window, now, crosses=crosses),
        age_seconds=0.0,
        curve=tuple(
            _sum_at(counted, window, now - window + window * (i + 1) / _CURVE_POINTS) for i in range(_CURVE_POINTS)
        ),
        curve_seconds=outline.window_seconds,
    )


def _sum_at(counted: Sequence[Counted], window: timedelta, at: datetime) -> float:
    """A count that was taken back beyond what was counted leaves nothing, not less than nothing."""
    return max(0.0, float(sum(one.count for one in counted if at - window < one.at <= at)))


def _since(
    outline: TriggerOutline, counted: Sequence[Counted], window: timedelta, now: datetime, *, crosses: bool
) -> datetime | None:
    """Backwards over the moments at which the sum changed, to the first of those that were as now without a break.

    None for one that has never been otherwise.
    """
    moments = sorted({m for one in counted for m in (one.at, one.at + window) if m <= now}, reverse=True)
    since = None
    for moment in moments:
        value = _sum_at(counted, window, moment)
        if (value > outline.threshold if outline.above else value < outline.threshold) is not crosses:
            return since
        since = moment
    return since if crosses else None
