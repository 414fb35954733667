"""The procedure as an incident remembers it: ids, titles and order, without anything that a target needs.

It is part of the journal's first event, so that a journal explains itself when its configuration file is long gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepOutline:
    id: str
    title: str
    kind: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class ComponentOutline:
    id: str
    title: str
    steps: tuple[StepOutline, ...]
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TriggerOutline:
    id: str
    title: str
    threshold: float
    unit: str = ""
    above: bool = True
    suggests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckOutline:
    id: str
    title: str
    group: str
    kind: str
    criterion: bool = False

    @property
    def by_person(self) -> bool:
        return self.kind == "manual"


@dataclass(frozen=True, slots=True)
class NoticeOutline:
    id: str
    title: str
    after_seconds: float
    channel: str = "manual"


@dataclass(frozen=True, slots=True)
class Outline:
    title: str
    components: tuple[ComponentOutline, ...] = ()
    triggers: tuple[TriggerOutline, ...] = ()
    checks: tuple[CheckOutline, ...] = ()
    notices: tuple[NoticeOutline, ...] = ()
    soak_seconds: float = 300.0

    def component(self, component_id: str) -> ComponentOutline | None:
        return next((c for c in self.components if c.id == component_id), None)

    def steps(self) -> Iterator[tuple[ComponentOutline, StepOutline]]:
        for component in self.components:
            for step in component.steps:
                yield component, step
