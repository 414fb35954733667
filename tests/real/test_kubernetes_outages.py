"""The API server goes away or freezes at each moment of a step: nothing hangs, nothing is guessed, the record is true."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from console.domain.errors import Failed
from tests.real.room import Room
from tests.real.servers import ControlPlane, poll

OFF = {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "QEC", "value": "false"}]}]}}}}
QEC = [{"name": "QEC", "value": "true"}]


@pytest.fixture(autouse=True)
async def all_is_well_again(cluster: ControlPlane, room: Room) -> AsyncIterator[None]:
    yield
    await asyncio.to_thread(cluster.start)


async def test_away_before_the_preview(room: Room) -> None:
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF), room.rollout_undo())
    room.cluster.apiserver.kill()
    began = time.monotonic()
    preview = await console.preview()
    assert time.monotonic() - began < 5
    for planned in preview.steps:
        assert planned.blocked
        assert planned.problem == "context admin can't be reached: connection refused; is the API server up?"
    with pytest.raises(Failed, match="connection refused"):
        await room.pods_ready()


async def test_away_between_preview_and_confirmation(room: Room) -> None:
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF))
    preview = await console.preview()
    room.cluster.apiserver.kill()
    outcome = await console.confirm(preview)
    assert (outcome.states, outcome.step.attempts) == (["failed"], ())
    assert "can't be reached: connection refused" in outcome.step.reason
    await asyncio.to_thread(room.cluster.start)
    assert (await console.roll_back()).states == ["proven"]
    assert room.generation() == 2


async def test_away_while_it_rolls_out_and_back_again_is_still_proven(room: Room) -> None:
    """The controllers stand still, so that the rollout is certainly under way when the API server goes."""
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF), timeout_seconds=60)
    preview = await console.preview()
    room.cluster.controllers.pause()
    await console.start(preview)
    await console.until("applied")
    await asyncio.to_thread(room.cluster.apiserver.kill)
    await console.until("applied", shown="can't be reached")
    await asyncio.to_thread(room.cluster.start)
    outcome = await console.ended(preview)
    assert (outcome.states, outcome.step.reason) == (["proven"], "QEC=false, web 1/1 ready")


async def test_away_for_good_ends_by_the_steps_timeout(room: Room) -> None:
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF), timeout_seconds=2)
    preview = await console.preview()
    room.cluster.controllers.pause()
    await console.start(preview)
    await console.until("applied")
    await asyncio.to_thread(room.cluster.apiserver.kill)
    began = time.monotonic()
    outcome = await console.ended(preview)
    assert time.monotonic() - began < 5
    assert outcome.states == ["failed"]
    assert outcome.step.reason.startswith(
        "not there after 2 s: web: context admin can't be reached: connection refused"
    )
    assert outcome.step.to_undo


async def test_frozen_before_the_preview(room: Room) -> None:
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF, room.target(timeout="500ms")))
    room.cluster.apiserver.pause()
    began = time.monotonic()
    planned = await console.planned()
    assert time.monotonic() - began < 5
    assert planned.problem == "context admin does not answer: timed out; is the API server reachable?"


async def test_a_store_that_freezes_before_the_change_leaves_it_to_a_person_until_it_can_be_read(room: Room) -> None:
    """Sent, and never answered: the truth is what is read when it can be read."""
    room.config_map(features="on")
    target = room.target(timeout="500ms")
    step = room.patch("ConfigMap/config", {"data": {"features": "off"}}, target)
    console = await room.console(step)
    preview = await console.preview()
    change = target._change

    def freeze_and_send(*arguments: object) -> object:
        room.cluster.etcd.pause()
        return change(*arguments)  # type: ignore[arg-type]

    target._change = freeze_and_send  # type: ignore[assignment, method-assign]
    began = time.monotonic()
    outcome = await console.confirm(preview)
    assert time.monotonic() - began < 15
    assert (outcome.states, outcome.component.state) == (["unknown"], "unknown")
    assert "no answer from context admin for step: timed out" in outcome.step.reason
    room.cluster.etcd.resume()
    poll("the store answers again", lambda: room.get("ConfigMap", "config"))
    target._change = change  # type: ignore[method-assign]
    applied = (await step.plan()).already
    await console.settle("done" if applied else "not_done")
    assert (await console.roll_back()).states == ["proven"]
    assert room.get("ConfigMap", "config")["data"] == {"features": "off"}
    assert (await console.roll_forward()).component.state == "rolled_forward"
    assert room.get("ConfigMap", "config")["data"] == {"features": "on"}


async def test_a_late_change_is_never_forgotten(room: Room) -> None:
    """The answer doesn't come in time, and the change may arrive even after the target was read: either way it is on record."""
    room.config_map(features="on")
    target = room.target(timeout="1s")
    console = await room.console(room.patch("ConfigMap/config", {"data": {"features": "off"}}, target))
    preview = await console.preview()
    change = target._change

    def freeze_shortly(*arguments: object) -> object:
        room.cluster.etcd.pause()
        loop.call_soon_threadsafe(loop.call_later, 1.3, room.cluster.etcd.resume)
        return change(*arguments)  # type: ignore[arg-type]

    loop = asyncio.get_running_loop()
    target._change = freeze_shortly  # type: ignore[assignment, method-assign]
    outcome = await console.confirm(preview)
    target._change = change  # type: ignore[method-assign]
    assert outcome.states[0] in ("proven", "failed")
    assert outcome.step.to_undo
    if outcome.states == ["proven"]:
        assert room.get("ConfigMap", "config")["data"] == {"features": "off"}
    assert (await console.roll_back()).states == ["proven"]
    assert (await console.roll_forward()).component.state == "rolled_forward"
    assert room.get("ConfigMap", "config")["data"] == {"features": "on"}


async def test_a_restart_of_the_server_between_two_calls_goes_unnoticed(room: Room) -> None:
    """Connections that were kept open are dead; a read on one is made again."""
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF))
    await console.preview()
    await asyncio.to_thread(room.cluster.apiserver.kill)
    await asyncio.to_thread(room.cluster.start)
    assert (await console.planned()).problem == ""
    assert (await console.roll_back()).states == ["proven"]
