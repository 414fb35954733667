"""What a trigger asks of its samples. Wiring makes it from the file; the fold and the verdict go by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

CURVE_SECONDS: Final = 1800.0
"""How much of the past is kept for the eye."""
STALE_AFTER_EVALUATIONS: Final = 3
SHORTEST_STALE_AFTER_SECONDS: Final = 30.0
NO_DATA_AFTER_SECONDS: Final = 300.0
"""Prometheus itself forgets a sample after this long: its default look-back."""
LONGEST_GAP_STEPS: Final = 1.5
"""Two evaluations further apart than so many steps have one missing between them."""


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """What a trigger asks of its samples. `above`: fires above the threshold; otherwise below it. All durations in seconds."""

    id: str
    title: str
    threshold: float
    above: bool = True
    unit: str = ""
    for_seconds: float = 0.0
    every_seconds: float = 15.0
    stale_after_seconds: float | None = None  # None: three evaluations, at least 30 s
    no_data_after_seconds: float | None = None  # None: 5 min, and never sooner than stale
    suggests: tuple[str, ...] = ()
    suggests_by: Mapping[str, Mapping[str, tuple[str, ...]]] = field(
        default_factory=dict
    )  # label, its value, components
    consecutive: int = 1  # how many evaluations in a row must cross the threshold
    clear: float | None = (
        None  # hysteresis: a crossed trigger is clear again only beyond this value; None: the threshold
    )
    migrated_at: datetime | None = None  # what is broken since before this moment was broken already

    @property
    def stale_after(self) -> float:
        """The age in seconds from which the newest sample says nothing about now."""
        if self.stale_after_seconds is not None:
            return self.stale_after_seconds
        return max(STALE_AFTER_EVALUATIONS * self.every_seconds, SHORTEST_STALE_AFTER_SECONDS)

    @property
    def no_data_after(self) -> float:
        """The age in seconds from which there is no newest sample any more."""
        if self.no_data_after_seconds is not None:
            return self.no_data_after_seconds
        return max(NO_DATA_AFTER_SECONDS, self.stale_after)

    @property
    def longest_gap(self) -> float:
        """Two evaluations further apart than this many seconds have one missing between them."""
        return LONGEST_GAP_STEPS * self.every_seconds

    @property
    def held_seconds(self) -> float:
        """How much of the past decides the verdict: what must have held, by time and by count, and a little before it."""
        return max(self.for_seconds, self.consecutive * self.every_seconds) + 2 * self.every_seconds

    @property
    def window_seconds(self) -> float:
        """How much of the past is needed for a verdict that is right at once, and for the curve."""
        return max(self.held_seconds, CURVE_SECONDS + 2 * self.every_seconds)

    def crosses(self, value: float) -> bool:
        return value > self.threshold if self.above else value < self.threshold

    def clears(self, value: float) -> bool:
        """Whether a series that crossed before is healthy again. A NaN never is."""
        clear = self.threshold if self.clear is None else self.clear
        return value <= clear if self.above else value >= clear

    def worst(self, values: Iterable[float]) -> float:
        return max(values) if self.above else min(values)
