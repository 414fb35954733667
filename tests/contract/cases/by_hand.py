"""`manual` as a case of the contract: it has no effect of its own, so each promise about one is kept by there being none."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from console.domain.errors import Refused
from console.engine.ports import Json, Progress, Step
from console.steps import manual
from tests.contract.step_contract import Case, Differs, Scene, applied, at_work, probed, stored


class Desk:
    """There is nothing that could be read, lost or out of reach: a person does it, and signs."""

    place = target = "by hand"
    secrets: tuple[str, ...] = ()

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def step(self) -> Step:
        options = manual.Options(instruction="Tell the duty officer.", undo="Tell the duty officer again.")
        return manual.build("step", options)

    def state(self) -> Json:
        return None

    def writes(self) -> Mapping[str, str]:
        return {}

    def disturb(self) -> None:
        """Nothing of it is anywhere."""

    @contextlib.contextmanager
    def lose_answers(self) -> Iterator[None]:
        yield

    drop_requests = lose_answers

    def break_down(self) -> None:
        """Nobody is asked."""


async def _waits_for_a_person(scene: Scene) -> None:
    change = await scene.step().plan()
    with pytest.raises(Refused, match="carried out by a person"):
        await applied(scene, change)
    assert (await probed(scene, change)).answer == "unknown"
    with pytest.raises(Refused, match="proven by a signature"):
        assert [type(seen) async for seen in scene.step().watch(stored(change.goal))] == [Progress]
    undo = await scene.step().plan_undo([stored(await scene.step().capture(change))])
    assert not undo.already


async def _stops_the_run_until_it_is_signed(scene: Scene) -> None:
    async with at_work(scene, manual.KIND) as console:
        stopped = await console.roll_back()
    assert "waits for a person" in stopped.component.reason
    assert stopped.step.attempts == ()


async def _is_not_asked(scene: Scene) -> None:
    change = await scene.step().plan()
    scene.break_down()
    assert (await scene.step().plan()).hash == change.hash
    assert [f.level for f in await scene.step().preflight()] == ["info"]


_BY_A_PERSON: Final = Differs("a person carries it out, and a signature is its proof", _waits_for_a_person)
CASES: Final = (
    Case(
        "manual",
        "",
        Desk,
        {
            **dict.fromkeys(
                (
                    "test_it_is_done_once_proven_and_then_already_so",
                    "test_what_is_in_place_is_not_sent_again",
                    "test_it_is_taken_back_to_what_was_before",
                    "test_taking_back_what_never_happened_is_already_so",
                    "test_a_strange_change_since_the_preview_is_told_and_not_overwritten",
                    "test_a_strange_change_in_the_last_moment_is_refused_by_what_is_sent",
                    "test_without_a_permit_of_the_gateway_nothing_is_sent",
                    "test_a_lost_answer_ends_in_the_truth_and_adds_no_second_effect",
                    "test_a_request_that_never_arrived_is_not_done",
                    "test_giving_up_watching_leaves_nothing_running",
                    "test_giving_up_watching_what_is_not_there_leaves_nothing_running",
                    "test_it_never_holds_up_the_loop",
                ),
                _BY_A_PERSON,
            ),
            "test_the_engine_carries_it_out_once_and_takes_it_back": Differs(
                "the engine stops at it until it is signed", _stops_the_run_until_it_is_signed
            ),
            "test_a_target_that_is_not_there_is_named_by_every_call": Differs("it has no target", _is_not_asked),
        },
    ),
)
