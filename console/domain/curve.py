"""The recent values of a trigger for the eye: the worst of each stretch of time, so that no peak is lost."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from console.domain.rule import CURVE_SECONDS, TriggerRule

CURVE_POINTS: Final = 120
STRETCH_SECONDS: Final = CURVE_SECONDS / CURVE_POINTS


@dataclass(frozen=True, slots=True)
class Curve:
    """At most CURVE_POINTS finite values, oldest first, and the stretch of each, counted since 1970."""

    stretches: tuple[int, ...] = ()
    values: tuple[float, ...] = ()

    @property
    def seconds(self) -> float:
        """From the first to the last point."""
        return (self.stretches[-1] - self.stretches[0]) * STRETCH_SECONDS if self.stretches else 0.0

    def continued(self, rule: TriggerRule, at: datetime, value: float | None) -> Curve:
        """With one value more, later than all others."""
        if value is None or not math.isfinite(value):
            return self
        stretch = _stretch(at)
        if self.stretches and self.stretches[-1] == stretch:
            worst = rule.worst((self.values[-1], value))
            return self if worst == self.values[-1] else Curve(self.stretches, (*self.values[:-1], worst))
        oldest = stretch - CURVE_POINTS
        first = next((i for i, at in enumerate(self.stretches) if at > oldest), len(self.stretches))
        return Curve((*self.stretches[first:], stretch), (*self.values[first:], value))

    def with_these(self, rule: TriggerRule, values: Iterable[tuple[datetime, float | None]]) -> Curve:
        """With values of any time."""
        worst = dict(zip(self.stretches, self.values, strict=True))
        for at, value in values:
            if value is not None and math.isfinite(value):
                stretch = _stretch(at)
                worst[stretch] = rule.worst((worst.get(stretch, value), value))
        newest = max(worst, default=0)
        kept = sorted(stretch for stretch in worst if stretch > newest - CURVE_POINTS)
        return Curve(tuple(kept), tuple(worst[stretch] for stretch in kept))

    def shifted(self, seconds: float) -> Curve:
        by = round(seconds / STRETCH_SECONDS)
        return Curve(tuple(stretch + by for stretch in self.stretches), self.values)


def _stretch(at: datetime) -> int:
    return int(at.timestamp() // STRETCH_SECONDS)
