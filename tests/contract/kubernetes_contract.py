"""The step kinds of Kubernetes under the contract of all step kinds, whichever server answers.

`KubernetesStepContract` is mixed into a test class that has a fixture `room`: an empty namespace as `Room` describes it. It
runs against the real control plane in tests/real; another backend needs nothing but that fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest

from tests.contract.cases.kubernetes import CASES, Room, Way
from tests.contract.step_contract import Case, Scene, StepContract

__all__ = ["KubernetesStepContract", "Room", "Way"]


class KubernetesStepContract(StepContract):
    """A class gives a `way` as well where it can lose answers, and its own `case` where it serves fewer or more kinds."""

    @pytest.fixture(params=[case for case in CASES if case.kind != "kubernetes.hold"], ids=str)
    def case(self, request: pytest.FixtureRequest) -> Case:
        """What every server has; holds are of custom resources."""
        assert isinstance(request.param, Case)
        return request.param

    @pytest.fixture
    def way(self) -> AbstractContextManager[Way] | None:
        """Between the console and the server; without one, the promises about what is lost on the way are skipped."""
        return None

    @pytest.fixture
    def scene(self, case: Case, room: Room, way: AbstractContextManager[Way] | None) -> Iterator[Scene]:
        with ExitStack() as stack:
            yield case.open(room, stack.enter_context(way) if way else None, stack.close)

    async def test_its_commands_are_those_of_kubectl(self, scene: Scene) -> None:
        commands = [*scene.step().describe().commands, *(await scene.step().plan()).commands]
        assert commands
        assert all(command.startswith("kubectl ") for command in commands)
