"""Previews: everything is planned, nothing is done, and one step that can't be planned doesn't hide the others."""

from __future__ import annotations

import asyncio

import pytest

from console.domain.errors import Failed, Refused
from console.engine import planner
from console.engine.planner import confirmed, told
from console.engine.ports import Finding
from tests.engine.simulated_world import World


async def test_a_preview_shows_each_step_and_touches_nothing(memory: World) -> None:
    process = memory.process()
    await process.declare()
    preview = await process.preview("dash")
    assert [(s.id, s.change.lines) for s in preview.steps] == [
        ("one", ("+ gateway.qec: off",)),
        ("two", ("+ config.mode: old", "+ rules.set: old")),
        ("three", ("+ dashboard.image: v1",)),
    ]
    assert not preview.blocked
    assert not preview.already
    assert memory.target.contents() == memory.target.original
    assert memory.journal.last_seq() == 1


async def test_a_confirmation_keeps_what_was_shown(memory: World) -> None:
    process = memory.process()
    await process.declare()
    preview = await process.preview("dash")
    first, shown = confirmed(preview)[0], preview.steps[0].change
    assert (first.step, first.hash, first.summary, first.already) == ("one", shown.hash, shown.summary, False)
    assert (first.lines, first.commands) == (("+ gateway.qec: off",), ("simctl set one",))
    assert first.seen == {"gateway": shown.seen["gateway"].fingerprint}


async def test_a_preview_of_what_is_done_says_so(memory: World) -> None:
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    assert (await process.preview("dash")).already


async def test_a_preview_of_rolling_forward_shows_the_way_back(memory: World) -> None:
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    preview = await process.preview("dash", "forward")
    assert [line for s in preview.steps for line in s.change.lines] == [
        "+ gateway.qec: on",
        "+ config.mode: new",
        "+ rules.set: new",
        "+ dashboard.image: v2",
    ]


async def test_rolling_forward_what_was_never_done_is_refused(memory: World) -> None:
    process = memory.process()
    await process.declare()
    with pytest.raises(Refused, match="nothing to roll forward"):
        await process.preview("dash", "forward")


async def test_a_step_that_can_not_be_planned_says_why_beside_the_others(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["two"].planning_fails = [Failed("the API server is gone")]
    preview = await process.preview("dash")
    assert [s.problem for s in preview.steps] == ["", "the API server is gone", ""]
    assert [s.blocked for s in preview.steps] == [False, True, False]
    with pytest.raises(Refused, match="step two can't work: the API server is gone"):
        confirmed(preview)


async def test_a_step_that_left_the_file_says_so_beside_the_others(memory: World) -> None:
    process = memory.process()
    await process.declare()
    del memory.steps["two"]
    preview = await process.preview("dash")
    assert [bool(s.problem) for s in preview.steps] == [False, True, False]
    assert "not in the configuration file" in preview.steps[1].problem


async def test_a_preflight_that_fails_blocks(memory: World) -> None:
    process = memory.process()
    await process.declare()

    async def broken() -> list[Finding]:
        raise KeyError("status")

    memory.steps["one"].preflight = broken
    preview = await process.preview("dash")
    assert preview.blocked
    assert "KeyError" in preview.steps[0].problem


async def test_what_can_not_be_undone_is_said_before_it_is_confirmed(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].irreversible = "the queue is emptied"
    (finding,) = (await process.preview("dash")).steps[0].findings
    assert (finding.level, finding.text) == ("warn", "can't be rolled forward: the queue is emptied")


async def test_a_lost_pre_image_blocks_rolling_forward_with_a_reason(memory: World) -> None:
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    memory.vault.lose_everything()
    preview = await process.preview("dash", "forward")
    assert all("is lost" in s.problem for s in preview.steps)


def test_a_defect_is_told_as_one_and_an_interruption_is_not_swallowed() -> None:
    assert told(KeyError("spec")) == "internal error (KeyError: 'spec'); please report it"
    assert told(Refused("no", "ask")) == "no; ask"
    with pytest.raises(KeyboardInterrupt):
        told(KeyboardInterrupt())


class Meeting:
    """Counts who is inside, and lets nobody out before `size` have been there at once."""

    def __init__(self, size: int) -> None:
        self.size, self.inside, self.most = size, 0, 0
        self.complete = asyncio.Event()

    async def attend(self) -> list[Finding]:
        self.inside += 1
        self.most = max(self.most, self.inside)
        if self.inside == self.size:
            self.complete.set()
        await asyncio.wait_for(self.complete.wait(), 5)
        self.inside -= 1
        return []


async def test_the_steps_of_all_components_are_looked_at_side_by_side(memory: World) -> None:
    process = memory.process()
    await process.declare()
    meeting = Meeting(len(memory.steps))
    for step in memory.steps.values():
        step.preflight = meeting.attend
    previews = await asyncio.gather(*(process.preview(c) for c in process.runner.incident.components))
    assert [s.problem for p in previews for s in p.steps] == [""] * meeting.size


async def test_no_more_than_so_many_steps_are_looked_at_at_once(memory: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "MOST_AT_ONCE", 2)
    process = memory.process()
    await process.declare()
    meeting = Meeting(2)
    for step in memory.steps.values():
        step.preflight = meeting.attend
    await asyncio.gather(*(process.preview(c) for c in process.runner.incident.components))
    assert meeting.most == 2
