"""Puts the parts together: configuration, targets, steps, sources, checks, journal. The only importer of adapters.

Commands and the screen call `open_session`. Nothing here speaks to a server: targets connect when they are first asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from console.config import Procedure, TriggerConfig, load
from console.domain.events import Mode
from console.domain.outline import (
    CheckOutline,
    ComponentOutline,
    FollowUpOutline,
    Judged,
    NoticeOutline,
    Outline,
    StepOutline,
    TriggerOutline,
)
from console.domain.triggers import TriggerRule
from console.engine.clock import SystemClock
from console.engine.drafts import Template
from console.engine.ports import Clock, Journal, MetricSource
from console.engine.rolling import DEFAULT_AGGREGATE, RollingSource
from console.engine.sampler import Watched
from console.engine.session import Parts, Session
from console.journals.absent import AbsentJournal
from console.journals.places import default_path
from console.journals.sqlite import SqliteJournal
from console.journals.vault import FolderVault
from console.kinds import Registry


@dataclass(frozen=True, slots=True)
class Request:
    """What a command asks for. Without a `journal` it is the default place for the procedure's title.

    `creates`: begin a journal where there is none. Commands that only look, or act on an incident, leave no empty file behind.
    """

    config: Path
    journal: Path | None = None
    actor: str = ""
    mode: Mode = "live"
    acts: bool = True
    creates: bool = False


async def open_session(request: Request, registry: Registry | None = None, clock: Clock | None = None) -> Session:
    """A session that has read its journal. Raises ConfigErrors or a ConsoleError; reads and imports in a thread."""
    parts = await asyncio.to_thread(assemble, request, registry or Registry(), clock or SystemClock())
    session = Session(parts)
    try:
        await session.open(acts=request.acts)
    except BaseException:
        await session.close()
        raise
    return session


def assemble(request: Request, registry: Registry, clock: Clock) -> Parts:
    procedure = load(request.config, registry)
    path = request.journal or default_path(procedure.incident.title)
    if procedure.incident.drill:
        _keep_here(procedure)
    targets = _Targets(procedure, registry)
    return Parts(
        outline=outline_of(procedure, registry),
        config_digest=procedure.digest,
        mode="drill" if procedure.incident.drill and request.mode != "observe" else request.mode,
        actor=request.actor,
        clock=clock,
        journal=_journal(path, creates=request.creates),
        vault=FolderVault(path.with_name(path.name + ".vault")),
        steps={
            s.id: registry.module("step", s.kind).build(s.id, s.options, targets.get(s.target))
            for component in procedure.components
            for s in component.steps
        },
        step_timeouts={s.id: s.timeout_seconds for component in procedure.components for s in component.steps},
        checks={
            c.id: registry.module("check", c.kind).build(c.options, targets.get(c.target)) for c in procedure.checks
        },
        check_timeouts={c.id: c.timeout_seconds for c in procedure.checks},
        watched=tuple(
            _watched(t, procedure, registry, targets) for t in procedure.triggers if _judged(t, registry) == "measured"
        ),
        notifiers={
            n.id: registry.module("channel", n.channel).build(n.options, targets.get(n.target))
            for n in procedure.notices
            if n.channel != "manual"
        },
        templates={n.id: Template(n.subject or "", n.text or "") for n in procedure.notices},
        contexts=targets.contexts,
        contexts_of=targets.contexts_of,
        connect=targets.connect,
        close=targets.close,
    )


def _keep_here(procedure: Procedure) -> None:
    """A drill can't be mistaken for life: nothing that it names, and nothing that it connects to, is on another machine."""
    from console.sandbox.loopback import refuse_outside, stay_here

    named = [target.options for target in procedure.targets]
    named += [trigger.options for trigger in procedure.triggers]
    named += [step.options for component in procedure.components for step in component.steps]
    named += [check.options for check in procedure.checks]
    named += [notice.options for notice in procedure.notices]
    for options in named:
        refuse_outside(options.model_dump())
    stay_here()


# ------------------------------------------------------------ the procedure as the domain knows it


def outline_of(procedure: Procedure, registry: Registry) -> Outline:
    return Outline(
        title=procedure.incident.title,
        components=tuple(
            ComponentOutline(
                c.id, c.label, tuple(StepOutline(s.id, s.label, s.kind, s.target or "") for s in c.steps), c.after
            )
            for c in procedure.components
        ),
        triggers=tuple(
            TriggerOutline(
                t.id,
                t.label,
                t.threshold or 0.0,
                t.unit or "",
                t.below is None,
                t.suggests,
                _judged(t, registry),
                getattr(t.options, "window_seconds", 3600.0),
                t.impact,
            )
            for t in procedure.triggers
        ),
        checks=tuple(CheckOutline(c.id, c.label, c.group, c.kind, c.criterion) for c in procedure.checks),
        notices=tuple(
            NoticeOutline(n.id, n.label, n.after_seconds, n.channel, n.repeat_seconds, n.impact, n.audience)
            for n in procedure.notices
        ),
        soak_seconds=procedure.incident.soak_seconds,
        followups=tuple(
            FollowUpOutline(f.id, f.title, f.section, f.assignee or "", f.due_seconds) for f in procedure.followups
        ),
        migrated_at=procedure.incident.migrated_at,
    )


def _judged(trigger: TriggerConfig, registry: Registry) -> Judged:
    judged: Judged = getattr(registry.module("source", trigger.source), "JUDGED", "measured")
    return judged


def _watched(trigger: TriggerConfig, procedure: Procedure, registry: Registry, targets: _Targets) -> Watched:
    rule = TriggerRule(
        id=trigger.id,
        title=trigger.label,
        threshold=trigger.threshold or 0.0,
        above=trigger.below is None,
        unit=trigger.unit or "",
        for_seconds=trigger.for_seconds,
        every_seconds=trigger.every_seconds,
        stale_after_seconds=trigger.stale_after_seconds,
        no_data_after_seconds=trigger.no_data_after_seconds,
        suggests=trigger.suggests,
        suggests_by=trigger.suggests_by,
        consecutive=trigger.consecutive,
        clear=trigger.clear,
        migrated_at=procedure.incident.migrated_at,
    )
    module = registry.module("source", trigger.source)
    source: MetricSource = module.build(trigger.options, targets.get(trigger.target))
    if trigger.over_seconds is not None:
        aggregate = trigger.aggregate or DEFAULT_AGGREGATE
        source = RollingSource(source, trigger.over_seconds, aggregate, every_seconds=trigger.every_seconds)
    return Watched(rule, source)


_CLUSTER = "kubernetes"


class _Targets:
    """The targets of the file, each built when somebody needs it."""

    def __init__(self, procedure: Procedure, registry: Registry) -> None:
        self._procedure = procedure
        self._registry = registry
        self._built: dict[str, Any] = {}

    def get(self, name: str | None) -> Any:
        if name is None:
            return None
        if name not in self._built:
            config = self._procedure.target(name)
            module = self._registry.module("target", config.kind)
            self._built[name] = module.build(name, config.options)
        return self._built[name]

    def contexts(self) -> tuple[str, ...]:
        """The clusters of the procedure; the contexts of its other systems where it has no cluster. As far as they are known."""
        clusters = [name for name in self._built if self._procedure.target(name).kind == _CLUSTER]
        return _named(getattr(self._built[name], "context", "") for name in clusters or self._built)

    def contexts_of(self, component_id: str) -> tuple[str, ...]:
        """Where the component's own steps act. A target that has no context of its own goes by its name in the file."""
        steps = next((c.steps for c in self._procedure.components if c.id == component_id), ())
        return _named(getattr(self.get(step.target), "context", step.target) for step in steps if step.target)

    async def connect(self) -> None:
        """Opens clients that take their time (imports, credential plugins), each in its own thread."""
        opening = (target.connect() for target in self._built.values() if hasattr(target, "connect"))
        await asyncio.gather(*opening, return_exceptions=True)

    async def close(self) -> None:
        for target in self._built.values():
            close: Callable[[], Awaitable[None]] | None = getattr(target, "close", None)
            if close is not None:
                await close()


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in names if name))


def _journal(path: Path, *, creates: bool) -> Journal:
    if not creates and not path.exists():
        return AbsentJournal(path)
    return SqliteJournal(path)
