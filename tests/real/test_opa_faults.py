"""`opa.restore` while replicas are away, other people edit, answers are lost and the console dies."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import Refused
from console.engine import gateway
from console.engine.gateway import Gateway
from tests.real.opa_room import (
    AUTHZ,
    QEC_AUTHZ,
    QEC_EXTRA,
    OpaRoom,
    two_replicas,
)
from tests.real.servers.opa import Fate, LossyWay, OpaServer


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OpaServer]]:
    with two_replicas(tmp_path_factory.mktemp("opa")) as running:
        yield running


@pytest.fixture
async def room(replicas: list[OpaServer], tmp_path: Path) -> AsyncIterator[OpaRoom]:
    made = OpaRoom(replicas, tmp_path)
    made.migrate()
    yield made
    await made.close()


# ---------------------------------------------------------------- replicas and other people


async def test_a_replica_that_is_down_is_named_and_nothing_is_done(room: OpaRoom) -> None:
    label = room.replicas[1].address
    step = room.step()
    console = await room.console(step)
    room.replicas[1].stop()
    planned = await console.planned()
    assert planned.blocked
    assert f"OPA {label} can't be reached: connection refused" in planned.problem
    with pytest.raises(Refused, match="connection refused"):
        await console.roll_back()
    assert "qec" in room.replicas[0].texts()
    permitting = await room.console(room.step(allow_missing=True), "permitting")
    outcome = await permitting.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert "on 1 replica;" in outcome.step.reason
    assert any(f.code == "replica_missing" and label in f.text for f in outcome.preview.steps[0].findings)


async def test_a_module_that_somebody_edits_between_preview_and_confirmation(room: OpaRoom) -> None:
    console = await room.console(room.step())
    preview = await console.preview()
    room.replicas[1].put("acgs/authz.rego", QEC_AUTHZ + "# a hot fix\n")
    before = room.fingerprints()
    outcome = await console.confirm(preview)
    assert outcome.states == ["failed"]
    assert f"{room.replicas[1].address} policy acgs/authz.rego was changed since the preview" in outcome.step.reason
    assert room.fingerprints() == before


async def test_data_that_somebody_edits_between_preview_and_confirmation(room: OpaRoom) -> None:
    console = await room.console(room.step())
    preview = await console.preview()
    room.replicas[0].put_data("acgs/roles/banned", "mallory")
    before = room.fingerprints()
    outcome = await console.confirm(preview)
    assert outcome.states == ["failed"]
    assert 'data acgs was changed since the preview: value.roles.banned: "eve" → "mallory"' in outcome.step.reason
    assert room.fingerprints() == before


async def test_undo_refuses_what_somebody_changed_since(room: OpaRoom) -> None:
    console = await room.console(room.step())
    await console.roll_back()
    room.replicas[0].put("acgs/authz.rego", AUTHZ + "# a hot fix\n")
    planned = await console.planned("forward")
    assert "module acgs/authz.rego on" in planned.problem
    assert "was changed by somebody else since it was rolled back" in planned.problem


async def test_undo_refuses_to_forget_a_replica_that_the_file_no_longer_names(room: OpaRoom) -> None:
    step = room.step()
    image = await step.capture(await step.plan())
    fewer = room.step(urls=[room.replicas[0].url])
    with pytest.raises(Refused, match="no longer names"):
        await fewer.plan_undo([image])


async def test_an_edit_in_the_middle_of_the_sending_is_not_overwritten(room: OpaRoom) -> None:
    hot_fix = QEC_EXTRA + "# a hot fix\n"
    before = room.fingerprints()

    def edit(number: int, _request: str) -> Fate:
        if number == 2:
            room.replicas[0].put("qec", hot_fix)
        return "pass"

    with LossyWay(room.replicas[0]) as way:
        console = await room.console(room.step(urls=[way.url, room.replicas[1].url]))
        way.fate = edit
        outcome = await console.roll_back()
    assert outcome.states == ["failed"]
    assert "qec on" in outcome.step.reason
    assert "was changed by somebody else in between" in outcome.step.reason
    assert room.replicas[0].texts()["qec"] == hot_fix
    room.replicas[0].put("qec", QEC_EXTRA)
    assert room.fingerprints() == before


# ---------------------------------------------------------------- lost answers and deaths


def at(number: int, fate: Fate):  # type: ignore[no-untyped-def] # a small closure
    return lambda n, _request: fate if n == number else "pass"


@pytest.mark.parametrize("fate", ["swallow", "lose"])
@pytest.mark.parametrize("number", [1, 2, 5])
async def test_a_lost_answer_is_settled_by_reading_and_going_on_completes(
    room: OpaRoom, number: int, fate: Fate
) -> None:
    before = room.fingerprints()
    with LossyWay(room.replicas[1]) as way:
        console = await room.console(room.step(urls=[room.replicas[0].url, way.url]))
        way.fate = at(number, fate)
        outcome = await console.roll_back()
        assert outcome.states == ["failed"]
        assert "no answer from OPA" in outcome.step.reason
        assert "as wanted" in outcome.step.reason
        way.fate = at(0, "pass")
        assert (await console.roll_back()).states == ["proven"]
        assert room.restored()
        assert len(way.effects) == len(set(way.effects)), "something had its effect twice"
        forward = await console.roll_forward()
        assert forward.component.state == "rolled_forward", forward.step.reason
    assert room.fingerprints() == before


async def test_the_last_answer_is_lost_and_it_is_done_all_the_same(room: OpaRoom) -> None:
    with LossyWay(room.replicas[1]) as way:
        console = await room.console(room.step(urls=[room.replicas[0].url, way.url]))
        await console.roll_back()
        last = len(way.changes)
        await console.roll_forward()
        way.changes.clear()
        way.effects.clear()
        way.fate = at(last, "swallow")
        outcome = await console.roll_back()
        assert outcome.states == ["proven"], outcome.step.reason
        assert (len(way.changes), len(way.effects)) == (last, len(set(way.effects)))
    assert room.restored()


class Died(BaseException):
    """The process ends here."""


async def test_a_death_between_modules_leaves_a_half_that_is_gone_on_with(room: OpaRoom) -> None:
    before = room.fingerprints()
    for death in range(1, 40):
        room.migrate()
        step = room.step()
        change = await step.plan()
        pre_image = await step.capture(change)
        assert (await step.probe(change.goal)).answer == "not_done"
        finished = await _dies(step, change.goal, death)
        probe = await step.probe(change.goal)
        untouched = room.fingerprints() == before
        assert probe.answer == ("done" if finished else "not_done" if untouched else "partial"), probe.detail
        again = room.step()
        rest = await again.plan()
        assert rest.already is finished
        images = [pre_image]
        if not finished:
            images.append(await again.capture(rest))
            await again.apply(rest.goal, _permit())
        assert room.restored()
        back = await again.plan_undo(images)
        await again.apply(back.goal, _permit())
        assert (await again.probe(back.goal)).answer == "done"
        assert room.fingerprints() == before
        if finished:
            return
    pytest.fail("it never came to its end")


async def _dies(step: Any, goal: Any, number: int) -> bool:
    """Applies until right before the n-th change; whether it came to its end."""
    count = 0
    replicas = step._target.replicas
    originals = [replica._change for replica in replicas]
    for replica, original in zip(replicas, originals, strict=True):

        async def change(*arguments: Any, _original: Any = original) -> None:
            nonlocal count
            count += 1
            if count == number:
                raise Died
            await _original(*arguments)

        replica._change = change
    try:
        await step.apply(goal, _permit())
    except Died:
        return False
    finally:
        for replica, original in zip(replicas, originals, strict=True):
            replica._change = original
    return True


def _permit() -> Any:
    return gateway.Permit(step="step", op="op", change="change", seal=gateway._SEAL)


async def test_no_permit_no_change(room: OpaRoom) -> None:
    step = room.step()
    change = await step.plan()
    before = room.fingerprints()
    for forged in (None, "permit", Gateway("live")):
        with pytest.raises(Refused, match="needs a permit"):
            await step.apply(change.goal, forged)  # type: ignore[arg-type]
    assert room.fingerprints() == before
