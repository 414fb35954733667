"""What happens in a drill whatever the commander does: a system goes away, a colleague helps, Argo CD puts things back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from console.sandbox.cluster import GATEWAY, change_container, heal_by_argo
from console.sandbox.model.scenario import Happening

if TYPE_CHECKING:
    from console.sandbox.systems import Systems

COLLEAGUE: Final = "jonas"

Act = Callable[[], Awaitable[None]]


async def carry_out(systems: Systems, tell: Callable[[str], None]) -> None:
    """Runs all happenings of the scenario, each at its time; ends when the last is over."""
    async with asyncio.TaskGroup() as group:
        for happening in systems.scenario.happenings:
            group.create_task(_carry_out(systems, happening, tell))


async def _carry_out(systems: Systems, happening: Happening, tell: Callable[[str], None]) -> None:
    await asyncio.sleep(happening.at_seconds / systems.pace)
    if happening.says:
        tell(happening.says)
    if happening.what == "colleague":
        container = {"name": "gateway", "env": [{"name": "UPSTREAM_TIMEOUT", "value": "60s"}]}
        change_container(systems.kubernetes.cluster, GATEWAY, container, by=COLLEAGUE, replicas=4)
    elif happening.what == "selfheal":
        heal_by_argo(systems.kubernetes.cluster)
    elif happening.what == "down":
        await _down(systems, happening)


async def _down(systems: Systems, happening: Happening) -> None:
    pause, resume = _switches(systems)[happening.system or ""]
    await pause()
    if happening.lasts_seconds is not None:
        await asyncio.sleep(happening.lasts_seconds / systems.pace)
        await resume()


def _switches(systems: Systems) -> Mapping[str, tuple[Act, Act]]:
    first, second = systems.opas
    return {
        "cluster": (systems.kubernetes.pause, systems.kubernetes.resume),
        "opa": (first.pause, first.resume),
        "opa-2": (second.pause, second.resume),
        "metrics": (systems.prometheus.pause, systems.prometheus.resume),
        "database": (systems.database.pause, systems.database.resume),
    }
