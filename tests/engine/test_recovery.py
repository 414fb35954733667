"""Whatever dies in the middle: nothing reported as done is undone, nothing done is done twice, nothing done is forgotten.

The process dies before and after each append of a run, in both directions, also while it recovers from dying, also between
two objects of one step. A new process then recovers, goes on, and rolls forward.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Refused
from console.domain.incident import NEEDS_PERSON, UNDER_WAY
from tests.engine.simulated import Crash, FaultyJournal
from tests.engine.simulated_world import Process, World, dies, in_memory

When = Literal["before", "after"]
STEPS = ("one", "two", "three")
OBJECTS = {"one": 1, "two": 2, "three": 1}
APPENDS = 14  # the confirmation, four for each of three steps, the end


async def prepared(world: World, direction: e.Direction) -> None:
    """Declared; for rolling forward also rolled back, with the books opened anew."""
    process = world.process()
    await process.declare()
    if direction == "forward":
        await process.carry_out("dash")
        world.target.effects.clear()


async def crashed_run(world: World, direction: e.Direction, at: int, when: When) -> None:
    process = world.process(journal=FaultyJournal(world.journal, at, when))
    assert await dies(process.carry_out("dash", direction))


async def recovered(world: World) -> Process:
    """The next process on the same machine; it settles what was left behind and says so."""
    process = world.process(actor="ada")
    await process.recovery.recover()
    nothing_is_left_behind(process)
    return process


def nothing_is_left_behind(process: Process) -> None:
    for component in process.runner.incident.components.values():
        assert component.state != "running"
        for step in component.steps.values():
            assert step.state not in UNDER_WAY
            assert step.operation is None or step.state in NEEDS_PERSON


async def gone_on(process: Process, direction: e.Direction) -> None:
    """Confirms again until the component is through."""
    there = "rolled_back" if direction == "back" else "rolled_forward"
    if process["dash"].state != there:
        await process.carry_out("dash", direction)
    assert process["dash"].state == there


def each_effect_came_exactly_once(world: World) -> None:
    assert {step: world.delivered(step) for step in STEPS} == OBJECTS


async def all_is_well(world: World, process: Process, direction: e.Direction) -> None:
    """The end state is right, each effect came once, nothing reported was a lie, and the original can be restored."""
    each_effect_came_exactly_once(world)
    if direction == "back":
        assert world.target.contents() != world.target.original
        await process.carry_out("dash", "forward")
    assert process["dash"].state == "rolled_forward"
    assert world.target.contents() == world.target.original
    assert world.journal.lies == []
    assert not any(s.to_undo for s in process["dash"].steps.values())


@pytest.mark.parametrize("direction", ["back", "forward"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(1, APPENDS + 1))
async def test_dying_at_any_append_loses_and_repeats_nothing(direction: e.Direction, at: int, when: When) -> None:
    world = in_memory()
    await prepared(world, direction)
    await crashed_run(world, direction, at, when)
    process = await recovered(world)
    await gone_on(process, direction)
    await all_is_well(world, process, direction)


async def test_a_run_has_no_more_appends_than_are_tested(memory: World) -> None:
    process = memory.process(journal=FaultyJournal(memory.journal, at=1000))
    await process.declare()
    await process.carry_out("dash")
    assert process.runner.journal.appends == APPENDS + 1  # the declaration


@pytest.mark.parametrize("direction", ["back", "forward"])
@pytest.mark.parametrize("fault", ["die_before", "die_half", "die_after"])
@pytest.mark.parametrize("step", STEPS)
async def test_dying_around_the_effect_itself_loses_and_repeats_nothing(
    memory: World, direction: e.Direction, fault: Any, step: str
) -> None:
    await prepared(memory, direction)
    memory.steps[step].faults = [fault]
    if fault == "die_half" and OBJECTS[step] == 1:
        fault = None  # a step of one object has no half
    died = await dies(memory.process().carry_out("dash", direction))
    assert died == (fault is not None)
    process = await recovered(memory)
    await gone_on(process, direction)
    await all_is_well(memory, process, direction)


@pytest.mark.parametrize("direction", ["back", "forward"])
@pytest.mark.parametrize("step", STEPS)
async def test_dying_where_undo_begins_instead_of_going_on(memory: World, direction: e.Direction, step: str) -> None:
    """Half way, the commander turns round: what was done is undone, what was undone is done again."""
    await prepared(memory, direction)
    memory.steps[step].faults = ["die_after"]
    assert await dies(memory.process().carry_out("dash", direction))
    process = await recovered(memory)
    await process.carry_out("dash", "forward" if direction == "back" else "back")
    if direction == "forward":
        assert process["dash"].state == "rolled_back"
        await process.carry_out("dash", "forward")
    assert process["dash"].state == "rolled_forward"
    assert memory.target.contents() == memory.target.original


@pytest.mark.parametrize("direction", ["back", "forward"])
@pytest.mark.parametrize("at", range(1, APPENDS + 1))
async def test_dying_again_at_any_append_of_the_recovery(direction: e.Direction, at: int) -> None:
    again, when_again = 1, 0
    while True:
        world = in_memory()
        await prepared(world, direction)
        await crashed_run(world, direction, at, "after")
        dying = world.process(journal=FaultyJournal(world.journal, again, ("before", "after")[when_again]))
        if not await dies(dying.recovery.recover()):
            break
        process = await recovered(world)
        await gone_on(process, direction)
        await all_is_well(world, process, direction)
        again, when_again = (again, 1) if when_again == 0 else (again + 1, 0)
    assert again > 1 or at == APPENDS  # after the last append there is nothing to recover


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [3, 4, 5, 9])
async def test_dying_with_the_real_journal_and_vault(disk: World, at: int, when: When) -> None:
    await prepared(disk, "back")
    await crashed_run(disk, "back", at, when)
    process = await recovered(disk)
    await gone_on(process, "back")
    await all_is_well(disk, process, "back")


@pytest.mark.parametrize("fault", ["lost_before", "lost_after", "late", "half", "half_lost"])
@pytest.mark.parametrize("at", [4, 5, 6])
async def test_dying_while_a_lost_answer_is_settled(memory: World, fault: Any, at: int) -> None:
    await prepared(memory, "back")
    memory.steps["two"].faults = [fault]
    process = memory.process(journal=FaultyJournal(memory.journal, at + 4, "before"))
    await dies(process.carry_out("dash"))
    process = await recovered(memory)
    memory.target.late_requests_arrive()
    await gone_on(process, "back")
    await all_is_well(memory, process, "back")


# ---------------------------------------------------------------- anything, in any order


@dataclass(frozen=True)
class Round:
    """One life of a console: which way it goes, what the target does to it, and where it dies."""

    direction: e.Direction
    faults: dict[str, list[Any]]
    dies_at: int
    when: When
    late_arrive_first: bool
    stop_in: str
    unreadable_after: str


FAULTS = [
    "refuse", "fail", "fail_after", "lost_before", "lost_after", "late", "half", "half_lost",
    "explode", "explode_after", "die_before", "die_half", "die_after",
]  # fmt: skip
rounds = st.builds(
    Round,
    direction=st.sampled_from(["back", "forward"]),
    faults=st.dictionaries(st.sampled_from(STEPS), st.lists(st.sampled_from(FAULTS), max_size=2), max_size=3),
    dies_at=st.integers(1, 40),  # half of the lives end by themselves
    when=st.sampled_from(["before", "after"]),
    late_arrive_first=st.booleans(),
    stop_in=st.sampled_from(["", "", "", *STEPS]),
    unreadable_after=st.sampled_from(["", "", "", *STEPS]),
)


@settings(max_examples=int(os.environ.get("ROLLBACK_CONSOLE_EXAMPLES", "40")), deadline=None)
@given(st.lists(rounds, min_size=1, max_size=5))
def test_whatever_happens_in_whatever_order_the_end_is_right(lives: list[Round]) -> None:
    asyncio.run(_lived_through(lives))


async def _lived_through(lives: list[Round]) -> None:
    world = in_memory()
    await world.process().declare()
    for life in lives:
        await _lived(world, life)
    world.target.late_requests_arrive()
    process = await _settled(world)
    await gone_on(process, "back")
    assert all(step.state in ("proven", "already") for step in process["dash"].steps.values())
    if any(step.to_undo for step in process["dash"].steps.values()):
        await process.carry_out("dash", "forward")
    assert world.target.contents() == world.target.original
    assert world.target.repeats == []
    assert world.journal.lies == []
    assert all(count <= OBJECTS[step] for (step, _), count in world.deliveries.items())


async def _lived(world: World, life: Round) -> None:
    process = world.process(journal=FaultyJournal(world.journal, life.dies_at, life.when))
    world.target.unreadable = False
    if life.late_arrive_first or life.direction == "forward":
        world.target.late_requests_arrive()
    for step_id in STEPS:
        world.steps[step_id].faults = list(life.faults.get(step_id, []))
        world.steps[step_id].before_apply = _surprise(world, process, life, step_id)
    if await dies(process.recovery.recover()):
        return
    await _settle_what_is_in_doubt(world, process)
    try:
        await dies(process.carry_out("dash", life.direction))
    except Refused as refused:
        assert "nothing to roll forward" in str(refused) or "in doubt" in str(refused) or "settle" in str(refused)  # noqa: PT017
    await asyncio.gather(*(t for t in asyncio.all_tasks() if t is not asyncio.current_task()), return_exceptions=True)


def _surprise(world: World, process: Process, life: Round, step_id: str) -> Any:
    def happen() -> None:
        if life.stop_in == step_id:
            stopping = dies(process.executor.stop("dash"))
            asyncio.get_running_loop().create_task(stopping)
        if life.unreadable_after == step_id:
            world.target.unreadable = True

    return happen


async def _settled(world: World) -> Process:
    world.target.unreadable = False
    for step_id in STEPS:
        world.steps[step_id].faults = []
        world.steps[step_id].before_apply = lambda: None
    process = await recovered(world)
    await _settle_what_is_in_doubt(world, process)
    return process


async def _settle_what_is_in_doubt(world: World, process: Process) -> None:
    """A person looks at the target and says what is true; what is half done is not done, and going on completes it."""
    while doubtful := process["dash"].in_doubt:
        goal = world.vault.get(doubtful.operation.change)["goal"]
        answer = (await world.steps[doubtful.id].probe(goal)).answer
        counts_as = "done" if answer == "done" else "not_done"
        try:
            await process.runner.submit(c.Settle("dash", doubtful.id, counts_as, "looked"))
        except Crash:
            return


# ---------------------------------------------------------------- what recovery says


@pytest.mark.parametrize(
    ("at", "when", "found"),
    [
        (1, "after", "before its next step"),
        (2, "after", "step one: the console died here before anything was sent"),
        (3, "after", "step one failed: the console died here after sending; read back: gateway is old"),
        (4, "before", "during step one, which is proven"),
        (4, "after", "during step one, which is proven"),
        (5, "after", "before its next step"),
        (14, "before", "after its last step; everything is proven"),
    ],
)
async def test_recovery_says_what_it_found(memory: World, at: int, when: When, found: str) -> None:
    await prepared(memory, "back")
    await crashed_run(memory, "back", at, when)
    process = memory.process(actor="ada")
    (line,) = await process.recovery.recover()
    assert line.startswith("dash: ")
    assert found in line
    assert (found in process["dash"].reason) == (process["dash"].state != "rolled_back")
    assert not any(failed.refused for failed in process.events(e.StepFailed))  # nobody refused: something died


async def test_recovery_finds_nothing_after_a_good_end(memory: World) -> None:
    await prepared(memory, "forward")
    process = memory.process()
    before = memory.journal.last_seq()
    assert await process.recovery.recover() == ()
    assert memory.journal.last_seq() == before


async def test_recovery_never_sends(memory: World) -> None:
    await prepared(memory, "back")
    await crashed_run(memory, "back", 4, "before")
    sent = list(memory.target.sent)
    await recovered(memory)
    assert memory.target.sent == sent


async def test_recovering_twice_is_recovering_once(memory: World) -> None:
    await prepared(memory, "back")
    await crashed_run(memory, "back", 4, "before")
    process = await recovered(memory)
    events = len(process.runner.history)
    assert await process.recovery.recover() == ()
    assert len(process.runner.history) == events


async def test_a_target_that_can_not_be_read_leaves_a_step_for_a_person(memory: World) -> None:
    await prepared(memory, "back")
    await crashed_run(memory, "back", 4, "before")
    memory.target.unreadable = True
    process = await recovered(memory)
    assert (process["dash"].state, process.step("one").state) == ("unknown", "unknown")
    memory.target.unreadable = False
    await process.runner.submit(c.Settle("dash", "one", "done", "I looked at the cluster"))
    await gone_on(process, "back")
    await all_is_well(memory, process, "back")


async def test_a_change_by_somebody_else_in_between_is_shown_and_not_touched(memory: World) -> None:
    await prepared(memory, "back")
    await crashed_run(memory, "back", 4, "before")
    memory.target.foreigner("gateway", qec="half")
    process = await recovered(memory)
    assert process.step("one").state == "diverged"
    assert memory.target.objects["gateway"].content["qec"] == "half"


@pytest.mark.parametrize(("at", "state"), [(4, "unknown"), (5, "failed")])
async def test_a_vault_that_lost_the_change_leaves_the_step_for_a_person(memory: World, at: int, state: str) -> None:
    """At 4 nothing is known of the effect; at 5 the target had said yes, so the effect stands."""
    await prepared(memory, "back")
    await crashed_run(memory, "back", at, "before")
    memory.vault.lose_everything()
    process = await recovered(memory)
    step = process.step("one")
    assert (step.state, len(step.attempts)) == (state, 1)
    assert "lost" in step.reason
    assert [(f.refused, f.effect) for f in process.events(e.StepFailed)] == ([(False, True)] if at == 5 else [])


async def test_a_step_that_left_the_configuration_is_left_for_a_person(memory: World) -> None:
    await prepared(memory, "back")
    await crashed_run(memory, "back", 4, "before")
    del memory.steps["one"]
    process = await recovered(memory)
    assert process.step("one").state == "unknown"
    assert "not in the configuration file" in process.step("one").reason


# ---------------------------------------------------------------- who may recover


async def test_recovery_leaves_alone_what_this_process_is_carrying_out(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].hangs = True
    await process.start("dash")
    await memory.steps["one"].watched.wait()
    assert await process.recovery.recover() == ()
    assert (process["dash"].state, process.step("one").state) == ("running", "applied")
    memory.steps["one"].hangs = False
    memory.clock.advance(301)
    await process.executor.wait("dash")


async def test_recovery_is_refused_while_another_process_works(disk: World) -> None:
    from console.journals.lease import FileLease

    process = disk.process()
    await process.declare()
    disk.steps["one"].hangs = True
    await process.start("dash")
    await disk.steps["one"].watched.wait()
    other = disk.process()
    disk.journal.journal.lease, held = FileLease(disk.journal.path.with_name("journal.db.lease")), disk.journal.lease
    with pytest.raises(Refused, match="another console"):
        await other.recovery.recover()
    disk.journal.journal.lease = held
    assert process["dash"].state == "running"
    disk.clock.advance(301)
    await process.executor.wait("dash")


async def test_an_observer_recovers_nothing(memory: World) -> None:
    await prepared(memory, "back")
    await crashed_run(memory, "back", 4, "before")
    before = memory.journal.last_seq()
    observer = memory.process("observe")
    with pytest.raises(Refused, match="observes"):
        await observer.recovery.recover()
    assert memory.journal.last_seq() == before


async def test_a_cancelled_run_is_recovered_like_a_dead_one(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].hangs = True
    await process.start("dash")
    await memory.steps["one"].watched.wait()
    task = next(t for t in asyncio.all_tasks() if t.get_name() == "carry out dash")
    task.cancel()
    await asyncio.wait([task])
    memory.steps["one"].hangs = False
    assert await process.recovery.recover() != ()
    await gone_on(process, "back")
    await all_is_well(memory, process, "back")
