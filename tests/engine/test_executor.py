"""Carrying a component out: intent, effect, outcome, proof; and what each way of not working out leaves behind."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Failed, Refused, Unknown
from console.engine.ports import Finding
from tests.engine.simulated import FaultyJournal
from tests.engine.simulated_world import World

ROLLED_BACK = {"gateway": "off", "config": "old", "rules": "old", "dashboard": "v1"}


def seen(world: World) -> dict[str, Any]:
    objects = world.target.contents()
    return {
        "gateway": objects["gateway"]["qec"],
        "config": objects["config"]["mode"],
        "rules": objects["rules"]["set"],
        "dashboard": objects["dashboard"]["image"],
    }


def choose_a_revision(world: World) -> None:
    world.steps["one"].writes = {"gateway": {"revision": "chosen"}}
    world.journal.wanted.pop("one")  # the test looks itself


# ---------------------------------------------------------------- when all goes well


async def test_each_step_is_intended_sent_applied_and_proven_in_order(disk: World) -> None:
    process = disk.process()
    await process.declare()
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert seen(disk) == ROLLED_BACK
    life = [e.StepIntended, e.StepSent, e.StepApplied, e.StepProven]
    happened = [type(r.event) for r in process.runner.history]
    assert happened == [e.IncidentDeclared, e.ComponentConfirmed, *life * 3, e.ComponentFinished]
    assert {key[0]: count for key, count in disk.deliveries.items()} == {"one": 1, "two": 2, "three": 1}


async def test_the_intent_is_on_disk_before_anything_is_sent(disk: World) -> None:
    process = disk.process()
    await process.declare()
    on_disk: list[type] = []
    disk.steps["one"].before_apply = lambda: on_disk.extend(type(r.event) for r in disk.journal.read()[-2:])
    await process.carry_out("dash")
    assert on_disk == [e.StepIntended, e.StepSent]


async def test_rolling_forward_restores_everything_in_reverse(disk: World) -> None:
    process = disk.process()
    await process.declare()
    await process.carry_out("dash")
    disk.target.sent.clear()
    assert (await process.carry_out("dash", "forward")).state == "rolled_forward"
    assert disk.target.contents() == disk.target.original
    assert [step for step, _ in disk.target.sent] == ["three", "two", "one"]
    assert not any(s.to_undo for s in process["dash"].steps.values())


async def test_running_it_again_changes_nothing_and_keeps_the_pre_images(memory: World) -> None:
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    attempts = {i: s.attempts for i, s in process["dash"].steps.items()}
    sent = list(memory.target.sent)
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert memory.target.sent == sent
    assert {i: s.attempts for i, s in process["dash"].steps.items()} == attempts
    await process.carry_out("dash", "forward")
    assert memory.target.contents() == memory.target.original


async def test_back_and_forward_can_be_repeated(memory: World) -> None:
    process = memory.process()
    await process.declare()
    for _ in range(3):
        await process.carry_out("dash")
        assert seen(memory) == ROLLED_BACK
        await process.carry_out("dash", "forward")
        assert memory.target.contents() == memory.target.original


async def test_what_was_chosen_when_planning_is_not_chosen_again(memory: World) -> None:
    choose_a_revision(memory)
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    chosen = memory.target.objects["gateway"].content["revision"]
    memory.target.foreigner("shared", note="newer")
    memory.target.foreigner("shared", note="newer still")
    await process.carry_out("dash")
    assert memory.target.objects["gateway"].content["revision"] == chosen
    assert process.step("one").state == "proven"


async def test_a_target_that_is_there_already_is_proven_and_not_touched(memory: World) -> None:
    memory.target.foreigner("gateway", qec="off")
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    assert process.step("one").state == "already"
    assert memory.delivered("one") == 0
    await process.carry_out("dash", "forward")
    assert memory.target.objects["gateway"].content["qec"] == "off"


async def test_components_side_by_side_do_not_disturb_each_other(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].hangs = True
    await process.start("dash")
    await memory.steps["one"].watched.wait()
    with pytest.raises(Refused, match="one at a time"):
        await process.start("same")
    assert (await process.carry_out("same", side_by_side=True)).state == "rolled_back"
    assert process["dash"].state == "running"
    memory.clock.advance(301)
    await process.executor.wait("dash")


async def test_progress_is_shown_while_a_step_is_under_way_and_gone_after(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].hangs = True
    await process.start("dash")
    await memory.steps["one"].watched.wait()
    progress, since = process.executor.progress["one"]
    assert (progress.text, progress.total) == ("0 of 1 replicas", 1)
    assert since == memory.clock.monotonic()
    memory.clock.advance(301)
    await process.executor.wait("dash")
    assert process.executor.progress == {}


# ---------------------------------------------------------------- a fault in a step, then "go on"

# fault → what the step is then, and how many of its two objects are changed; "go on" changes the rest
FAULTS = {
    "refuse": ("failed", 0),
    "fail": ("failed", 0),
    "fail_after": ("proven", 2),
    "lost_before": ("failed", 0),
    "lost_after": ("proven", 2),
    "half": ("failed", 1),
    "half_lost": ("failed", 1),
    "explode": ("failed", 0),
    "explode_after": ("proven", 2),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_settled_by_reading_the_target_and_going_on_completes_it(memory: World, fault: Any) -> None:
    state, changed = FAULTS[fault]
    process = memory.process()
    await process.declare()
    memory.steps["two"].faults = [fault]
    component = await process.carry_out("dash")
    assert process.step("two").state == state
    assert component.state == ("rolled_back" if state == "proven" else "failed")
    assert memory.delivered("two") == changed
    assert [(f.refused, f.effect) for f in process.events(e.StepFailed)] == (
        [] if state == "proven" else [(fault == "refuse", changed > 0)]
    )
    assert [a.by_probe for a in process.events(e.StepApplied) if a.step == "two"] == [True] * (state == "proven")
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert seen(memory) == ROLLED_BACK
    assert memory.delivered("two") == 2
    assert memory.delivered("one") == memory.delivered("three") == 1
    assert (await process.carry_out("dash", "forward")).state == "rolled_forward"
    assert memory.target.contents() == memory.target.original


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_while_rolling_forward_leaves_nothing_behind_either(memory: World, fault: Any) -> None:
    state, changed = FAULTS[fault]
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    memory.target.effects.clear()
    memory.steps["two"].faults = [fault]
    await process.carry_out("dash", "forward")
    assert process.step("two").state == ("undone" if state == "proven" else state)
    assert memory.delivered("two") == changed
    if state != "proven":
        assert process.step("two").to_undo
        await process.carry_out("dash", "forward")
    assert process["dash"].state == "rolled_forward"
    assert memory.target.contents() == memory.target.original
    assert max(memory.deliveries.values()) <= 2
    assert memory.delivered("two") == 2


@pytest.mark.parametrize("fault", ["fail", "lost_before", "explode"])
async def test_nothing_is_ever_sent_twice_by_itself(memory: World, fault: Any) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].faults = [fault, fault, fault]
    await process.carry_out("dash")
    assert len(memory.target.sent) == 1


async def test_a_failed_component_can_be_rolled_forward_from_where_it_is(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["two"].faults = ["half"]
    await process.carry_out("dash")
    await process.carry_out("dash", "forward")
    assert process["dash"].state == "rolled_forward"
    assert memory.target.contents() == memory.target.original


@pytest.mark.parametrize("error", [Failed("quota"), Unknown("timeout"), KeyError("spec")])
async def test_a_step_that_can_not_be_planned_fails_without_anything_sent(memory: World, error: Exception) -> None:
    process = memory.process()
    await process.declare()
    preview = await process.preview("dash")
    memory.steps["one"].planning_fails = [error]
    await process.executor.confirm(preview, "dash")
    await process.executor.wait("dash")
    assert process.step("one").state == "failed"
    assert process["dash"].state == "failed"
    assert [f.effect for f in process.events(e.StepFailed)] == [False]
    assert memory.target.sent == []


@pytest.mark.parametrize("error", [Refused("too large"), Failed("read error"), KeyError("spec")])
async def test_a_pre_image_that_can_not_be_taken_means_that_nothing_is_sent(memory: World, error: Exception) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].capture_fails = [error]
    await process.carry_out("dash")
    assert (process["dash"].state, process.step("one").state) == ("failed", "failed")
    assert [f.effect for f in process.events(e.StepFailed)] == [False]
    assert memory.target.sent == []
    assert (await process.carry_out("dash")).state == "rolled_back"


async def test_a_defect_of_ours_says_so(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].capture_fails = [KeyError("spec")]
    await process.carry_out("dash")
    assert "internal error (KeyError" in process.step("one").reason


async def test_what_is_put_back_by_somebody_is_not_proven(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].settles_badly = "0 of 3 ready: image can't be pulled"
    await process.carry_out("dash")
    step = process.step("one")
    assert (step.state, bool(step.attempts)) == ("failed", True)
    assert "image can't be pulled" in step.reason
    memory.steps["one"].settles_badly = ""
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert memory.delivered("one") == 1


# ---------------------------------------------------------------- what nobody can know


@pytest.mark.parametrize("counts_as", ["done", "not_done"])
async def test_an_unreadable_target_leaves_it_unknown_until_a_person_settles_it(memory: World, counts_as: Any) -> None:
    process = memory.process()
    await process.declare()
    step = memory.steps["one"]
    step.faults = ["lost_after" if counts_as == "done" else "lost_before"]
    step.before_apply = lambda: setattr(memory.target, "unreadable", True)
    await process.carry_out("dash")
    assert (process["dash"].state, process.step("one").state) == ("unknown", "unknown")
    assert "can't be reached" in process.step("one").reason
    memory.target.unreadable, step.before_apply = False, lambda: None
    with pytest.raises(Refused, match="settle one"):
        await process.carry_out("dash")
    await process.runner.submit(c.Settle("dash", "one", counts_as, "looked at it"))
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert memory.delivered("one") == 1
    await process.carry_out("dash", "forward")
    assert memory.target.contents() == memory.target.original


async def test_a_target_that_is_neither_as_before_nor_as_wanted_needs_a_person(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].faults = ["garbled"]
    await process.carry_out("dash")
    assert process.step("one").state == "diverged"
    assert "gateway is neither" in process.step("one").reason
    assert [a.op for a in process.step("one").attempts] == [process.step("one").operation.op]


async def test_a_target_that_says_no_and_is_neither_needs_no_person_to_say_that_it_failed(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].faults = ["garbled_fail"]
    await process.carry_out("dash")
    assert (process["dash"].state, process.step("one").state) == ("failed", "failed")
    assert [f.effect for f in process.events(e.StepFailed)] == [True]
    assert len(process.step("one").attempts) == 1


async def test_the_target_is_read_again_when_it_is_gone_for_a_moment(memory: World) -> None:
    process = memory.process()
    await process.declare()
    step, probe = memory.steps["one"], memory.steps["one"].probe
    answers = [Unknown("gone"), KeyError("broken answer")]

    async def flaky(goal: Any) -> Any:
        if answers:
            raise answers.pop(0)
        return await probe(goal)

    step.probe, step.faults = flaky, ["lost_after"]
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert process.step("one").state == "proven"
    assert memory.clock.monotonic() > 0


@pytest.mark.parametrize("then", ["back", "forward"])
async def test_a_request_that_arrives_late_is_neither_forgotten_nor_repeated(memory: World, then: e.Direction) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].faults = ["late"]
    await process.carry_out("dash")
    assert process.step("one").state == "failed"
    memory.target.late_requests_arrive()
    if then == "back":
        await process.carry_out("dash")
        assert seen(memory) == ROLLED_BACK
        assert memory.delivered("one") == 1
    await process.carry_out("dash", "forward")
    assert memory.target.contents() == memory.target.original


async def test_a_late_request_is_turned_away_once_it_was_sent_anew(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].faults = ["late"]
    await process.carry_out("dash")
    assert (await process.carry_out("dash")).state == "rolled_back"
    memory.target.late_requests_arrive()
    assert memory.delivered("one") == 1
    assert [key[0] for key in memory.target.effects].count("turned away") == 1
    await process.carry_out("dash", "forward")
    assert memory.target.contents() == memory.target.original


async def test_what_was_chosen_holds_for_a_request_that_arrives_late(memory: World) -> None:
    """A rollback to "the revision before" must not go back one more because the first answer was lost."""
    choose_a_revision(memory)
    memory.steps["one"].faults = ["late"]
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    memory.target.late_requests_arrive()
    chosen = memory.target.objects["gateway"].content["revision"]
    await process.carry_out("dash")
    assert memory.target.objects["gateway"].content["revision"] == chosen
    assert memory.delivered("one") == 1


# ---------------------------------------------------------------- stopping


async def test_a_stop_comes_before_the_next_step(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].hangs = True
    await process.start("dash")
    await memory.steps["one"].watched.wait()
    await process.executor.stop("dash")
    assert process["dash"].state == "running"
    memory.clock.advance(301)
    await process.executor.wait("dash")
    assert "not there after 300 s" in process.step("one").reason  # a stop alone does not end the waiting
    assert (process["dash"].state, memory.delivered("two")) == ("failed", 0)


async def test_a_stop_while_a_step_is_sent_lets_it_be_proven(memory: World) -> None:
    process = memory.process()
    await process.declare()
    asked: list[asyncio.Task[None]] = []
    memory.steps["one"].before_apply = lambda: asked.append(asyncio.create_task(process.executor.stop("dash")))
    await process.carry_out("dash")
    assert process.step("one").state == "proven"
    assert (process["dash"].state, process["dash"].reason) == ("stopped", "stopped as asked")
    assert memory.delivered("two") == 0
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert memory.delivered("one") == 1


async def test_a_stop_while_a_step_is_planned_sends_nothing_of_it(memory: World) -> None:
    process = memory.process()
    await process.declare()
    preview = await process.preview("dash")
    other = memory.process(actor="ada")
    await other.runner.refresh()
    asked: list[None] = []

    async def ask() -> None:
        await other.runner.refresh()
        await other.executor.stop("dash")

    plan = memory.steps["two"].plan

    async def planned(pin: Any = None) -> Any:
        if not asked:
            asked.append(None)
            await ask()
        return await plan(pin)

    memory.steps["two"].plan = planned
    await process.executor.confirm(preview, "dash")
    await process.executor.wait("dash")
    assert (process["dash"].state, process["dash"].reason) == ("stopped", "stopped as asked")
    assert (process.step("two").state, memory.delivered("two")) == ("untouched", 0)


async def test_a_stop_during_the_last_step_does_not_make_it_half_done(memory: World) -> None:
    process = memory.process()
    await process.declare()
    asked: list[asyncio.Task[None]] = []
    memory.steps["three"].before_apply = lambda: asked.append(asyncio.create_task(process.executor.stop("dash")))
    assert (await process.carry_out("dash")).state == "rolled_back"


async def test_asking_twice_to_stop_also_stops_the_waiting_for_a_proof(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].hangs = True
    await process.start("dash")
    await memory.steps["one"].watched.wait()
    await process.executor.stop("dash")
    await process.executor.stop("dash")
    await process.executor.wait("dash")
    step = process.step("one")
    assert (step.state, len(step.attempts)) == ("failed", 1)
    assert "the wait was stopped: 0 of 1 replicas" in step.reason
    memory.steps["one"].hangs = False
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert memory.delivered("one") == 1


async def test_a_proof_that_does_not_come_in_time_leaves_the_effect_unproven(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].hangs = True
    await process.start("dash")
    await memory.steps["one"].watched.wait()
    memory.clock.advance(299)
    await asyncio.sleep(0)
    assert process["dash"].state == "running"
    memory.clock.advance(2)
    await process.executor.wait("dash")
    assert "not there after 300 s: 0 of 1 replicas" in process.step("one").reason
    memory.steps["one"].hangs = False
    await process.carry_out("dash", "forward")
    assert memory.target.contents() == memory.target.original


async def test_leaving_finishes_the_step_under_way_and_begins_no_other(memory: World) -> None:
    process = memory.process()
    await process.declare()
    leaving: list[asyncio.Task[None]] = []
    memory.steps["one"].before_apply = lambda: leaving.append(asyncio.create_task(process.executor.drain()))
    await process.carry_out("dash")
    await leaving[0]
    assert (process.step("one").state, process.step("two").state) == ("proven", "untouched")
    assert process["dash"].state == "stopped"
    assert not process.executor.working


async def test_leaving_begins_no_other_step_when_the_asking_could_not_be_recorded(memory: World) -> None:
    """The journal says no for a moment only, and would take the next step's intent again."""
    journal = FaultyJournal(memory.journal, at=5, error=Refused("the journal is locked"))
    process = memory.process(journal=journal)
    await process.declare()

    async def leave(apply: Any, *sent: Any) -> Any:
        leaving.append(asyncio.create_task(process.executor.drain()))
        while journal.appends < 5:  # noqa: ASYNC110 - until the asking was refused, in a thread
            await asyncio.sleep(0)
        return await apply(*sent)

    leaving: list[asyncio.Task[None]] = []
    memory.steps["one"].apply = partial(leave, memory.steps["one"].apply)
    await process.carry_out("dash")
    await leaving[0]
    assert (process.step("one").state, process.step("two").state) == ("proven", "untouched")
    assert process["dash"].state == "stopped"


async def test_leaving_waits_for_every_component_even_when_nothing_can_be_written(memory: World) -> None:
    journal = FaultyJournal(memory.journal, at=6, error=Refused("the disk is full"), times=100)
    process = memory.process(journal=journal)
    await process.declare()
    memory.steps["one"].hangs = True
    await process.start("dash")
    await memory.steps["one"].watched.wait()
    leaving = asyncio.create_task(process.executor.drain())
    await asyncio.sleep(0)
    memory.clock.advance(301)
    await leaving
    assert not process.executor.working
    assert "the disk is full" in process.executor.fault


# ---------------------------------------------------------------- people


async def test_a_step_by_hand_waits_for_its_signature(memory: World) -> None:
    process = memory.process()
    await process.declare()
    component = await process.carry_out("people")
    assert (component.state, process.step("first").state) == ("stopped", "proven")
    assert "step call waits for a person" in component.reason
    await process.runner.submit(c.Sign("call", "rang them"))
    assert (await process.carry_out("people")).state == "rolled_back"
    assert process.step("call").state == "proven"


async def test_a_step_signed_beforehand_does_not_hold_up_the_run(memory: World) -> None:
    process = memory.process()
    await process.declare()
    signing: list[asyncio.Task[Any]] = []
    memory.steps["first"].before_apply = lambda: signing.append(
        asyncio.create_task(process.runner.submit(c.Sign("call", "rang them")))
    )
    assert (await process.carry_out("people")).state == "rolled_back"


# ---------------------------------------------------------------- confirming


async def test_a_wrong_word_starts_nothing_and_holds_nothing(disk: World) -> None:
    process = disk.process()
    await process.declare()
    with pytest.raises(Refused, match="is not"):
        await process.executor.confirm(await process.preview("dash"), "same")
    assert disk.target.sent == []
    assert not disk.journal.lease.held()
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert not disk.journal.lease.held()


async def test_a_step_that_can_not_work_blocks_the_confirmation(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["two"].findings = [Finding("block", "you may not patch config", "forbidden")]
    with pytest.raises(Refused, match="step two can't work: you may not patch config"):
        await process.start("dash")
    assert process["dash"].state == "untouched"


# ---------------------------------------------------------------- a disk that is full


@pytest.mark.parametrize("append", [2, 3, 4])
async def test_a_full_disk_before_the_sending_means_that_nothing_is_sent(memory: World, append: int) -> None:
    """Append 2 is the confirmation, 3 the intent, 4 the sending."""
    journal = FaultyJournal(memory.journal, at=append, error=Refused("the disk is full"), times=100)
    process = memory.process(journal=journal)
    await process.declare()
    if append == 2:
        with pytest.raises(Refused, match="the disk is full"):
            await process.start("dash")
    else:
        await process.carry_out("dash")
        assert "the disk is full" in process.executor.fault
    assert memory.target.sent == []


async def test_a_disk_that_is_full_for_a_moment_fails_the_step_before_it_is_sent(memory: World) -> None:
    journal = FaultyJournal(memory.journal, at=3, error=Refused("the disk is full"))
    process = memory.process(journal=journal)
    await process.declare()
    assert (await process.carry_out("dash")).state == "failed"
    assert memory.target.sent == []
    assert (await process.carry_out("dash")).state == "rolled_back"


@pytest.mark.parametrize("append", [5, 6])
async def test_a_full_disk_after_the_effect_is_settled_by_recovery(memory: World, append: int) -> None:
    """Append 5 is the outcome, 6 the proof."""
    journal = FaultyJournal(memory.journal, at=append, error=Refused("the disk is full"), times=100)
    process = memory.process(journal=journal)
    await process.declare()
    await process.carry_out("dash")
    assert memory.delivered("one") == 1
    assert process.step("one").state == {5: "sent", 6: "applied"}[append]
    journal.times = 0
    assert await process.recovery.recover() == ("dash: the console died here during step one, which is proven",)
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert memory.delivered("one") == 1
    await process.carry_out("dash", "forward")
    assert memory.target.contents() == memory.target.original


@pytest.mark.parametrize("append", range(2, 14))
async def test_an_append_that_is_on_disk_but_reported_as_failed_does_no_harm(memory: World, append: int) -> None:
    journal = FaultyJournal(memory.journal, at=append, when="after", error=Refused("the disk is failing"))
    process = memory.process(journal=journal)
    await process.declare()
    try:
        await process.carry_out("dash")
    except Refused:
        assert append == 2
    await process.recovery.recover()
    if process["dash"].state != "rolled_back":
        await process.carry_out("dash")
    assert seen(memory) == ROLLED_BACK
    assert set(memory.deliveries.values()) <= {1, 2}
    assert {i: memory.delivered(i) for i in ("one", "two", "three")} == {"one": 1, "two": 2, "three": 1}
