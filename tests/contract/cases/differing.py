"""What several kinds have in common where they can't keep a promise: why not, and the test of what happens instead."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

from console.domain.errors import Refused
from tests.contract.step_contract import (
    Differs,
    Scene,
    applied,
    at_work,
    carried_out,
    probed,
    proof_of,
    raised,
    said_of_the_absent,
    stored,
)


async def _can_not_be_told(scene: Scene) -> None:
    change = await carried_out(scene)
    assert (await probed(scene, change)).answer == "unknown"
    assert not (await scene.step().plan()).already
    assert "no probe" in await proof_of(scene, change)


async def _lost_is_unknown(scene: Scene) -> None:
    change = await scene.step().plan()
    with scene.lose_answers():
        error = await raised(applied(scene, change))
    assert error is not None
    assert not isinstance(error, Refused)
    assert (await probed(scene, change)).answer == "unknown"


async def _dropped_is_unknown(scene: Scene) -> None:
    before = scene.state(), scene.writes()
    change = await scene.step().plan()
    with scene.drop_requests():
        assert await raised(applied(scene, change)) is not None
    assert (scene.state(), scene.writes()) == before
    assert (await probed(scene, change)).answer == "unknown"


async def _is_taken_back_unasked(scene: Scene) -> None:
    step = scene.step()
    undo = await scene.step().plan_undo([stored(await step.capture(await step.plan()))])
    assert not undo.already


async def is_carried_out_all_the_same(scene: Scene) -> None:
    change = await scene.step().plan()
    scene.disturb()
    state = scene.state()
    await applied(scene, change)
    assert scene.state() != state


async def is_not_seen(scene: Scene) -> None:
    shown = await scene.step().plan()
    scene.disturb()
    assert (await scene.step().plan()).hash == shown.hash


async def is_met_by_planning(scene: Scene) -> None:
    step = scene.step()
    change = await step.plan()
    scene.break_down()
    findings = await scene.step().preflight()
    assert [f.text for f in findings if f.level == "block"] == []
    for call in (lambda: scene.step().plan(), lambda: applied(scene, change)):
        assert re.search(scene.target, await said_of_the_absent(call))


async def is_met_by_sending(scene: Scene) -> None:
    change = await scene.step().plan()
    scene.break_down()
    assert re.search(scene.target, await said_of_the_absent(lambda: applied(scene, change)))
    assert (await scene.step().plan()).hash == change.hash
    assert (await probed(scene, change)).answer == "unknown"


async def is_met_by_starting(scene: Scene) -> None:
    change = await scene.step().plan()
    scene.break_down()
    calls: tuple[Callable[[], Awaitable[object]], ...] = (
        lambda: scene.step().plan(),
        lambda: scene.step().preflight(),
        lambda: applied(scene, change),
    )
    for call in calls:
        assert re.search(scene.target, await said_of_the_absent(call))
    assert (await probed(scene, change)).answer == "unknown"


async def _back_and_back_again(scene: Scene) -> None:
    before = scene.state()
    change = await carried_out(scene)
    undo = await scene.step().plan_undo([stored(await scene.step().capture(change))])
    assert (await probed(scene, undo)).answer == "unknown"
    await applied(scene, undo)
    assert await proof_of(scene, undo)
    assert scene.state() == before
    assert not (await scene.step().plan_undo([stored(await scene.step().capture(change))])).already


async def _runs_as_often_as_it_is_confirmed(scene: Scene) -> None:
    before = scene.state()
    async with at_work(scene, "") as console:
        for _ in range(2):
            assert (await console.roll_back()).states == ["proven"]
        assert (await console.roll_forward()).states == ["undone"]
    assert scene.state() == before


_NO_PROBE: Final = "without a probe only a person can tell what became of it"
WITHOUT_A_PROBE: Final = {
    "test_it_is_done_once_proven_and_then_already_so": Differs(_NO_PROBE, _can_not_be_told),
    "test_what_is_in_place_is_not_sent_again": Differs(_NO_PROBE, _can_not_be_told),
    "test_it_is_taken_back_to_what_was_before": Differs(_NO_PROBE, _back_and_back_again),
    "test_the_engine_carries_it_out_once_and_takes_it_back": Differs(
        "confirmed once more it is sent once more, for nothing tells that it is there",
        _runs_as_often_as_it_is_confirmed,
    ),
    "test_taking_back_what_never_happened_is_already_so": Differs(
        "without a probe it can't be seen that it never happened", _is_taken_back_unasked
    ),
    "test_a_lost_answer_ends_in_the_truth_and_adds_no_second_effect": Differs(_NO_PROBE, _lost_is_unknown),
    "test_a_request_that_never_arrived_is_not_done": Differs(_NO_PROBE, _dropped_is_unknown),
}
