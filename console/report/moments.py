"""One event with the incident before and after it: what the stories of the report are read from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from console.domain.events import Event, Recorded
from console.domain.incident import Incident
from console.domain.outline import Outline
from console.engine.view import Level
from console.engine.wording import told_event


@dataclass(frozen=True, slots=True)
class Moment:
    """`outline` is the procedure as it was then; of what was said before the declaration, as it was declared."""

    before: Incident
    recorded: Recorded
    after: Incident
    outline: Outline

    @property
    def event(self) -> Event:
        return self.recorded.event

    @property
    def at(self) -> datetime:
        return self.recorded.at

    @property
    def by(self) -> str:
        return self.recorded.actor

    @property
    def told(self) -> tuple[str, Level]:
        """In the words of the screen's timeline, with the titles of the procedure at that moment."""
        return told_event(self.event, self.by, self.outline)
