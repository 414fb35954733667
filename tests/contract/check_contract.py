"""What every check kind that asks a system finds there, whichever server answers: the drill's or the real one.

`CheckContract` is mixed into a test class over a module that has the servers as fixtures (`worlds.py` says which). A case
arranges the world and says what the check finds; all are in tests/contract/cases/checks.py. What is found goes the way that it
goes in the console: an error of a target becomes what the checklist makes of it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest

from console.domain.events import BaselineTaken, CheckOutcome
from console.domain.incident import Incident
from console.domain.outline import Outline
from console.engine.checklist import Checklist
from console.engine.clock import SystemClock
from console.engine.ports import Evidence, Known
from console.kinds import Registry
from tests.contract.watching import spoken_to
from tests.contract.worlds import World, opened

ASKS_NOBODY: Final[Mapping[str, str]] = {
    "manual": "a person signs it",
    "command.run": "it runs a program on this machine, whatever that asks (test_check_command_run.py)",
    "k6": "it runs a program on this machine, whatever that asks (test_check_k6.py)",
    "triggers.quiet": "it reads what the console knows itself (test_triggers_quiet.py)",
}
"""The kinds that speak to no system, and so have no case."""
TIMEOUT_SECONDS: Final = 10.0


def nothing(world: Any) -> None:
    """The world as it is when it is opened."""
    del world


def nothing_known(world: Any) -> Known:
    del world
    return Known(datetime.now(UTC))


@dataclass(frozen=True)
class Case:
    """`says` is the evidence's line and `shows` a part of what is behind it, as patterns in the words of the world."""

    kind: str
    name: str
    world: type[World]
    outcome: CheckOutcome
    says: str
    options: Mapping[str, Any] = field(default_factory=dict)
    arrange: Callable[[Any], object] = nothing
    shows: str = ""
    known: Callable[[Any], Known] = nothing_known

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class CheckContract:
    """Parametrized by `case` where it is mixed in."""

    @pytest.fixture
    async def world(self, case: Case, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
        async with opened(case.world, request, tmp_path) as world:
            yield world

    async def test_it_finds_what_is_so_and_says_it(self, case: Case, world: World) -> None:
        case.arrange(world)
        evidence = await found(case, world)
        told = f"{evidence.outcome}: {world.known_as(evidence.text)}"
        assert re.fullmatch(f"{case.outcome}: {case.says}", told), told
        detail = world.known_as("\n".join(evidence.detail))
        assert re.search(case.shows, detail), detail
        for text in (evidence.text, *evidence.detail):
            assert "\n" not in text
            assert text.isprintable()
            assert not any(secret in text for secret in world.secrets)


async def found(case: Case, world: World) -> Evidence:
    """What the console's checklist says; building the check asks nobody."""
    module = Registry().module("check", case.kind)
    target = world.target() if module.TARGET_KINDS else None
    with spoken_to() as asked:
        check = module.build(module.Options.model_validate(world.filled(case.options)), target)
    assert asked == [], asked
    checklist = Checklist(
        _NoIncident(), Outline("", ()), {"it": check}, {"it": TIMEOUT_SECONDS}, SystemClock(), lambda: case.known(world)
    )  # type: ignore[arg-type] # as much of a runner as is used while nothing is recorded
    return (await checklist.run())["it"]


class _NoIncident(SimpleNamespace):
    """No incident is open, so that nothing is recorded."""

    incident: Final = Incident()

    async def refresh(self) -> None:
        """Nothing was written meanwhile."""


def migrated(world: Any) -> Known:
    """The procedure says when the migration was."""
    return Known(datetime.now(UTC), migrated_at=world.migrated_at)


def taken(value: float) -> Callable[[Any], Known]:
    """`baseline take` has recorded this."""

    def known(world: Any) -> Known:
        del world
        return Known(datetime.now(UTC), baselines={"it": BaselineTaken("it", value, "s", "as it was")})

    return known
