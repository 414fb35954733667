"""The one way to any effect: who gets a permit, and that nobody else makes one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Refused
from console.domain.incident import Incident, Operation
from console.engine.gateway import Gateway, Permit
from tests.engine.simulated import FaultyJournal
from tests.engine.simulated_world import OUTLINE, World

OPERATION = Operation("op1", "back", "change", "pre", "summary")


async def at_sending(world: World) -> Incident:
    """The state as it is when step one's sending is on disk."""
    process = world.process(journal=FaultyJournal(world.journal, at=5, error=Refused("full"), times=100))
    await process.declare()
    await process.carry_out("dash")
    return process.runner.incident


async def test_a_step_that_is_intended_and_sent_gets_its_permit(memory: World) -> None:
    incident = await at_sending(memory)
    operation = incident.components["dash"].steps["one"].operation
    permit = Gateway("live").permit(incident, "dash", "one", operation, incident.epoch)
    assert (permit.step, permit.op, permit.change) == ("one", operation.op, operation.change)
    assert operation.op in repr(permit)


@pytest.mark.parametrize(
    "other",
    [{"op": "op1"}, {"change": "something else"}, {"pre_image": "none"}, {"direction": "forward"}],
    ids=lambda other: next(iter(other)),
)
async def test_an_operation_that_is_not_the_one_on_disk_gets_none(memory: World, other: dict[str, Any]) -> None:
    incident = await at_sending(memory)
    operation = replace(incident.components["dash"].steps["one"].operation, **other)
    with pytest.raises(Refused, match="no intent on disk"):
        Gateway("live").permit(incident, "dash", "one", operation, incident.epoch)


async def test_a_step_that_is_only_intended_gets_none(memory: World) -> None:
    process = memory.process(journal=FaultyJournal(memory.journal, at=4, error=Refused("full"), times=100))
    await process.declare()
    await process.carry_out("dash")
    step = process.step("one")
    assert step.state == "intended"
    with pytest.raises(Refused, match="no intent on disk"):
        process.gateway.permit(process.runner.incident, "dash", "one", step.operation, 1)


async def test_a_step_that_has_its_outcome_gets_no_second_permit(memory: World) -> None:
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    done = process.step("one").attempts[0]
    with pytest.raises(Refused, match="no intent on disk"):
        process.gateway.permit(process.runner.incident, "dash", "one", done, 1)


async def test_who_lost_the_command_gets_none(memory: World) -> None:
    incident = await at_sending(memory)
    operation = incident.components["dash"].steps["one"].operation
    with pytest.raises(Refused, match="taken command"):
        Gateway("live").permit(replace(incident, epoch=2), "dash", "one", operation, 1)


async def test_a_permit_that_is_refused_after_the_sending_is_recorded_as_nothing_done(
    memory: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = memory.process()
    await process.declare()

    def taken_over(*_: Any) -> Permit:
        raise Refused("somebody else has taken command of this incident")

    monkeypatch.setattr(process.gateway, "permit", taken_over)
    await process.carry_out("dash")
    assert (process["dash"].state, process.step("one").state) == ("failed", "failed")
    assert not process.step("one").to_undo
    assert memory.target.sent == []


def test_nobody_else_makes_a_permit() -> None:
    with pytest.raises(Refused, match="gateway alone"):
        Permit(step="one", op="op1", change="change", seal=object())
    with pytest.raises(TypeError):
        Permit(step="one", op="op1", change="change")  # type: ignore[call-arg]


COMMANDS: list[c.Command] = [
    c.Declare("why", "drill", OUTLINE, "d"),
    c.Stop("dash"),
    c.Settle("dash", "one", "done", "looked"),
    c.Sign("call", "called"),
    c.Waive("health", "because"),
    c.Resolve("done"),
    c.Record(e.CheckRan("health", "pass", "200", 0.1)),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: type(command).__name__)
async def test_an_observer_writes_nothing(memory: World, command: c.Command) -> None:
    await memory.process().declare()
    observer = memory.process("observe")
    await observer.runner.refresh()
    with pytest.raises(Refused, match="observes"):
        await observer.runner.submit(command)
    assert memory.journal.last_seq() == 1


@pytest.mark.parametrize("direction", ["back", "forward"])
async def test_an_observer_carries_nothing_out(memory: World, direction: e.Direction) -> None:
    commander = memory.process()
    await commander.declare()
    await commander.carry_out("dash")
    before, sent = memory.journal.last_seq(), list(memory.target.sent)
    observer = memory.process("observe")
    preview = await observer.preview("dash", direction)
    with pytest.raises(Refused, match="observes"):
        await observer.executor.confirm(preview, "dash")
    with pytest.raises(Refused, match="observes"):
        await observer.executor.stop("dash")
    assert (memory.journal.last_seq(), memory.target.sent) == (before, sent)


def test_an_observer_gets_no_permit() -> None:
    with pytest.raises(Refused, match="observes"):
        Gateway("observe").permit(Incident(), "dash", "one", OPERATION, 1)
