"""Keeps in the record what was advised and what the triggers looked like at each decision. The session owns one.

The advice itself is the domain's (`advice.py`); here it is noticed that it has changed, and that a soak has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from console.domain.commands import Record
from console.domain.errors import ConsoleError
from console.domain.events import AdviceGiven, Occasion, TriggersSeen
from console.domain.outline import Outline
from console.domain.soaking import last_soak, seen
from console.domain.triggers import TriggerReading
from console.engine.ports import Clock
from console.engine.runner import Runner
from console.engine.view import ViewState

Readings = Callable[[], Mapping[str, TriggerReading]]


class Adviser:
    def __init__(self, runner: Runner, readings: Readings, clock: Clock) -> None:
        """`readings`: every trigger that was asked or told, manual ones too."""
        self._runner = runner
        self._readings = readings
        self._clock = clock

    def triggers_seen(self, occasion: Occasion, outline: Outline, component: str = "") -> TriggersSeen | None:
        """None when nothing is known of any trigger."""
        thresholds = {t.id: t.threshold for t in outline.triggers if t.judged != "attestation"}
        triggers = tuple(seen(self._readings(), thresholds))
        return TriggersSeen(occasion, component, triggers) if triggers else None

    async def look(self, view: Callable[[], ViewState]) -> None:
        """Called now and then by a console that acts. What can't be recorded now is recorded the next time.

        `view` makes the picture, which costs something and is needed only while an incident is open.
        """
        incident = self._runner.incident
        if incident.phase != "open":
            return
        try:
            await self._keep_soak()
            await self._keep_advice(view())
        except ConsoleError:
            return

    async def _keep_soak(self) -> None:
        incident = self._runner.incident
        soak = last_soak(incident, incident.outline.soak_seconds, self._clock.now())
        if soak is None or not soak.over or soak.ended is not None:
            return
        if kept := self.triggers_seen("soak_ended", incident.outline, soak.component.id):
            await self._runner.submit(Record(kept))

    async def _keep_advice(self, view: ViewState) -> None:
        known = self._runner.incident.advised
        if known is None and not view.advised:
            return
        if known is None or known.components != view.advised:
            await self._runner.submit(Record(AdviceGiven(view.advised, view.advice)))
