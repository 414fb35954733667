"""What every trigger source that asks a system reads there, whichever server answers: the drill's or the real one.

`SourceContract` is mixed into a test class over a module that has the servers as fixtures (`worlds.py` says which). All cases are
in tests/contract/cases/sources.py. `prometheus_contract.py` holds more of the source that has a past.
"""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from console.domain.errors import Failed
from console.engine.ports import MetricSource, Reading
from console.kinds import Registry
from tests.contract.check_contract import nothing
from tests.contract.watching import spoken_to
from tests.contract.worlds import World, opened

ASKS_NOBODY: Final[Mapping[str, str]] = {
    "counter": "people count, and the journal keeps it",
    "attestation": "a person gives their word, and the journal keeps it",
}
"""The kinds that speak to no system, and so have no case."""
HAS_A_PAST: Final = ("prometheus",)
_NOT_ITS_NAME: Final = ("kind", "job", "instance", "__name__")


@dataclass(frozen=True)
class Case:
    """`gives` are the values by their series' labels, each told apart by what only it has; `warns` is a pattern for what is said
    with them. Where it `fails`, that is a pattern for why.

    With `meanwhile` it is read once before that, and it is the second reading that counts.
    """

    kind: str
    name: str
    world: type[World]
    options: Mapping[str, Any]
    arrange: Callable[[Any], object] = nothing
    gives: Mapping[str, float] = field(default_factory=dict)
    warns: str = ""
    fails: str = ""
    meanwhile: Callable[[Any], object] | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class SourceContract:
    """Parametrized by `case` where it is mixed in."""

    @pytest.fixture
    async def world(self, case: Case, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
        async with opened(case.world, request, tmp_path) as world:
            yield world

    async def test_it_reads_what_is_so_and_fails_in_words(self, case: Case, world: World) -> None:
        case.arrange(world)
        source = built(case, world)
        if case.meanwhile is not None:
            await source.now()
            case.meanwhile(world)
        if case.fails:
            with pytest.raises(Failed) as failed:
                await source.now()
            said = world.known_as(str(failed.value))
            assert re.fullmatch(case.fails, said), said
            _presentable(world, str(failed.value))
            return
        reading = await source.now()
        assert same(values(reading, world), case.gives), reading
        told = world.known_as("\n".join(filter(None, (reading.lacking, *reading.warnings))))
        assert re.fullmatch(case.warns, told), told
        _presentable(world, source.query, reading.lacking, *reading.warnings)
        _of_one_moment(reading)
        if case.kind not in HAS_A_PAST:
            assert await source.past(3600, 15) == Reading(())


def built(case: Case, world: World) -> MetricSource:
    """The source as the wiring builds it, which asks nobody."""
    module = Registry().module("source", case.kind)
    target = world.target() if module.TARGET_KINDS else None
    with spoken_to() as asked:
        source: MetricSource = module.build(module.Options.model_validate(world.filled(case.options)), target)
    assert asked == [], asked
    return source


def values(reading: Reading, world: World) -> dict[str, float]:
    """By what the labels say, without those that every series of the world has alike."""
    return {
        world.known_as("/".join(text for name, text in sample.labels if name not in _NOT_ITS_NAME)): sample.value
        for sample in reading.samples
    }


def same(found: Mapping[str, float], expected: Mapping[str, float]) -> bool:
    """NaN is NaN."""
    return found.keys() == expected.keys() and all(
        value == expected[name] or (math.isnan(value) and math.isnan(expected[name])) for name, value in found.items()
    )


def _of_one_moment(reading: Reading) -> None:
    assert len({sample.at for sample in reading.samples}) <= 1
    for sample in reading.samples[:1]:
        assert abs((datetime.now(UTC) - sample.at).total_seconds()) < 10


def _presentable(world: World, *texts: str) -> None:
    for text in texts:
        assert "\n" not in text
        assert text.isprintable()
        assert not any(secret in text for secret in world.secrets)
