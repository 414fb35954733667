"""Did it help? The component that was rolled back last, its soak, and each trigger before and after.

Pure: before is what the journal kept at the confirmation, after is what is seen now, or what it kept when the soak ended.
`advice.py` and `projection.py` ask; the adviser of the engine journals the end of a soak.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from console.domain.events import SeenTrigger, TriggersSeen, Verdict
from console.domain.incident import ComponentProgress, Incident
from console.domain.triggers import TriggerReading

_CLEARLY: Final = 0.03
"""A value that moved by less than this share of the threshold stands where it was."""


@dataclass(frozen=True, slots=True)
class Before:
    value: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Soak:
    """`ended`: the triggers as the journal kept them at the end of it; None while it lasts or before anybody kept them."""

    component: ComponentProgress
    left_seconds: float
    before: Mapping[str, Before]
    ended: TriggersSeen | None

    @property
    def over(self) -> bool:
        return self.left_seconds <= 0


def last_soak(incident: Incident, soak_seconds: float, now: datetime) -> Soak | None:
    """Of the component that was rolled back last; None when nothing is, or something is under way."""
    done = [(c.ended_at, c) for c in incident.components.values() if c.state == "rolled_back" and c.ended_at]
    if not done or incident.running:
        return None
    ended_at, component = max(done, key=lambda pair: pair[0])
    left = soak_seconds - (now - ended_at).total_seconds()
    return Soak(component, max(0.0, left), _before(incident, component), kept_at_the_end(incident, component))


def _before(incident: Incident, component: ComponentProgress) -> dict[str, Before]:
    """Each as it was when the component was confirmed, or at the declaration where nobody saw it then."""
    before: dict[str, Before] = {}
    for then in incident.seen:
        of_this = then.event.component == component.id and then.event.occasion == "confirmed"
        if of_this or then.event.occasion == "declared":
            before |= {t.trigger: Before(t.value, t.verdict) for t in then.event.triggers}
    return before


def kept_at_the_end(incident: Incident, component: ComponentProgress) -> TriggersSeen | None:
    """What the triggers looked like when its last soak ended; None before anybody kept it."""
    for then in reversed(incident.seen):
        late_enough = component.ended_at is not None and then.at >= component.ended_at
        if then.event.occasion == "soak_ended" and then.event.component == component.id and late_enough:
            return then.event
    return None


def movement(before: float | None, now: float | None, threshold: float) -> str:
    """`falling`, `rising` or `steady`, by more than a little of the threshold; empty where one of the two is not known."""
    if before is None or now is None:
        return ""
    if abs(now - before) <= _CLEARLY * abs(threshold or before or 1.0):
        return "steady"
    return "falling" if now < before else "rising"


def seen(readings: Mapping[str, TriggerReading], thresholds: Mapping[str, float]) -> Sequence[SeenTrigger]:
    """A compact excerpt of every trigger, for the journal."""
    return tuple(
        SeenTrigger(
            trigger=trigger,
            verdict=reading.verdict,
            value=_finite(reading.value),
            threshold=thresholds.get(trigger),
            since=reading.since,
            reason=reading.reason,
            curve=_thinned(reading.curve),
            curve_seconds=round(reading.curve_seconds, 3),
        )
        for trigger, reading in readings.items()
    )


_KEPT_POINTS: Final = 60


def _thinned(curve: tuple[float, ...]) -> tuple[float, ...]:
    """At most 60 points; of each stretch the value that is furthest from the curve's start, so that no peak is lost."""
    stretch = -(-len(curve) // _KEPT_POINTS) or 1
    origin = curve[0] if curve else 0.0
    parts = (curve[i : i + stretch] for i in range(0, len(curve), stretch))
    return tuple(float(f"{max(part, key=lambda v: abs(v - origin)):.6g}") for part in parts)


def _finite(value: float | None) -> float | None:
    return value if value is not None and value - value == 0 else None
