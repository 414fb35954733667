"""A console's engine over a simulated target. Each `process` is one life of it; journal, vault and target outlive it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.domain import commands as c
from console.domain import events as e
from console.domain.incident import ComponentProgress, StepProgress
from console.domain.outline import CheckOutline, ComponentOutline, Outline, StepOutline
from console.engine.executor import Executor
from console.engine.gateway import Gateway
from console.engine.planner import Planner
from console.engine.recovery import Recovery
from console.engine.runner import Runner
from console.engine.view import Preview
from tests.engine.simulated import ByHand, Crash, FakeClock, MemoryJournal, MemoryVault, SimulatedStep, Target

OUTLINE = Outline(
    title="A migration",
    components=(
        ComponentOutline("dash", "Dashboard", tuple(StepOutline(i, i, "sim") for i in ("one", "two", "three"))),
        ComponentOutline(
            "same", "One object", (StepOutline("left", "left", "sim"), StepOutline("right", "right", "sim"))
        ),
        ComponentOutline(
            "people", "People", (StepOutline("first", "first", "sim"), StepOutline("call", "call", "manual"))
        ),
    ),
    checks=(CheckOutline("health", "Health", "health", "http"),),
)


@dataclass
class Process:
    """One life of a console on a journal."""

    runner: Runner
    planner: Planner
    executor: Executor
    recovery: Recovery
    gateway: Gateway
    proofs: list[str] = field(default_factory=list)

    async def declare(self) -> None:
        await self.runner.submit(c.Declare("p95 fires", "drill", OUTLINE, "digest"))

    async def preview(self, component: str, direction: e.Direction = "back") -> Preview:
        await self.runner.refresh()
        return await self.planner.preview(self[component], direction)

    async def start(self, component: str, direction: e.Direction = "back", **words: Any) -> None:
        await self.executor.confirm(await self.preview(component, direction), component, **words)

    async def carry_out(self, component: str, direction: e.Direction = "back", **words: Any) -> ComponentProgress:
        """Preview, confirm, and wait for the end."""
        await self.start(component, direction, **words)
        await self.executor.wait(component)
        return self[component]

    def step(self, step_id: str) -> StepProgress:
        return next(k.steps[step_id] for k in self.runner.incident.components.values() if step_id in k.steps)

    def __getitem__(self, component: str) -> ComponentProgress:
        return self.runner.incident.components[component]

    def events(self, kind: type[Any]) -> list[Any]:
        return [r.event for r in self.runner.history if isinstance(r.event, kind)]


@dataclass
class World:
    target: Target
    steps: dict[str, Any]
    journal: Any
    vault: Any
    clock: FakeClock = field(default_factory=FakeClock)

    def process(self, mode: e.Mode = "drill", *, journal: Any = None, actor: str = "kim") -> Process:
        gateway = Gateway(mode)
        runner = Runner(journal or self.journal, self.clock, gateway, actor)
        planner = Planner(runner, self.vault, self.steps, gateway, self.clock)
        executor = Executor(runner, planner, gateway, self.vault, self.clock, {})
        return Process(runner, planner, executor, Recovery(runner, executor, self.vault), gateway)

    @property
    def deliveries(self) -> Mapping[tuple[str, str], int]:
        """How often each operation's change reached an object; requests that were turned away are not in it."""
        return {key: count for key, count in self.target.effects.items() if key[0] != "turned away"}

    def delivered(self, step_id: str) -> int:
        return sum(count for (step, _), count in self.deliveries.items() if step == step_id)


WANTED: dict[str, dict[str, dict[str, Any]]] = {
    "one": {"gateway": {"qec": "off"}},
    "two": {"config": {"mode": "old"}, "rules": {"set": "old"}},
    "three": {"dashboard": {"image": "v1"}},
    "left": {"shared": {"left": "off"}},
    "right": {"shared": {"right": "off"}},
    "first": {"phone": {"line": "open"}},
}


def target() -> Target:
    return Target(
        gateway={"qec": "on", "replicas": 3},
        config={"mode": "new"},
        rules={"set": "new"},
        dashboard={"image": "v2"},
        shared={"left": "on", "right": "on"},
        phone={"line": "shut"},
    )


def world(journal: Any, vault: Any) -> World:
    there = target()
    steps: dict[str, Any] = {i: SimulatedStep(i, there, **writes) for i, writes in WANTED.items()}
    return World(there, {**steps, "call": ByHand()}, Witness(journal, there), vault)


@dataclass
class Witness:
    """A journal that looks at the target whenever something is reported as proven, and remembers each lie."""

    journal: Any
    target: Target
    lies: list[str] = field(default_factory=list)
    wanted: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: dict(WANTED))
    _directions: dict[str, e.Direction] = field(default_factory=dict)

    def append(self, events: Iterable[e.Event], **words: Any) -> Sequence[e.Recorded]:
        written = tuple(events)
        recorded = self.journal.append(written, **words)
        for event in written:
            self._believe(event)
        return recorded

    def _believe(self, event: Any) -> None:
        if isinstance(event, e.StepIntended):
            self._directions[event.op] = event.direction
        if isinstance(event, e.StepProven | e.StepAlready) and event.step in self.wanted:
            back = "back" in (getattr(event, "direction", ""), self._directions.get(getattr(event, "op", "")))
            for name, fields in self.wanted[event.step].items():
                expected = fields if back else {key: self.target.original[name].get(key) for key in fields}
                now = self.target.objects[name].content
                if any(now.get(key) != value for key, value in expected.items()):
                    self.lies.append(f"{event} while {name} is {now}")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.journal, name)


def in_memory() -> World:
    return world(MemoryJournal(), MemoryVault())


async def dies(doing: Any) -> bool:
    """Whether the process died while doing it."""
    try:
        await doing
    except Crash:
        return True
    return False
