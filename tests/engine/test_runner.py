"""The single writer: what it appends, what it does when others append too, and whom it tells."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.domain import commands as c
from console.domain.errors import JournalDamaged, Refused, StaleJournal
from console.engine.gateway import Gateway
from console.engine.runner import Runner
from console.journals.sqlite import SqliteJournal
from tests.engine.simulated import FakeClock, FaultyJournal, MemoryJournal
from tests.engine.simulated_world import OUTLINE, World

DECLARE = c.Declare("p95 fires", "drill", OUTLINE, "digest")


def runner(journal: Any, actor: str = "kim") -> Runner:
    return Runner(journal, FakeClock(), Gateway("drill"), actor)


async def test_an_event_is_on_disk_when_submit_returns(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.db")
    recorded = await runner(journal).submit(DECLARE)
    assert list(SqliteJournal(tmp_path / "journal.db").read()) == list(recorded)
    assert recorded[0].actor == "kim"


async def test_the_state_in_memory_is_the_one_that_a_restart_finds(memory: World) -> None:
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    after_restart = memory.process()
    await after_restart.runner.refresh()
    assert after_restart.runner.incident == process.runner.incident
    assert after_restart.runner.history == process.runner.history


async def test_a_refused_command_leaves_no_trace(memory: World) -> None:
    process = memory.process()
    with pytest.raises(Refused):
        await process.runner.submit(c.Resolve("done"))
    assert memory.journal.last_seq() == 0


async def test_a_yes_on_an_old_state_is_decided_again_on_the_new_one() -> None:
    journal = MemoryJournal()
    one, other = runner(journal), runner(journal, "ada")
    await one.submit(DECLARE)
    with pytest.raises(Refused, match="INC-0001 is open"):
        await other.submit(DECLARE)
    assert journal.last_seq() == 1


async def test_a_no_on_an_old_state_is_decided_again_on_the_new_one() -> None:
    journal = MemoryJournal()
    one, other = runner(journal), runner(journal, "ada")
    await one.submit(DECLARE)
    recorded = await other.submit(c.Waive("health", "there is no such thing here"))
    assert [r.seq for r in recorded] == [2]


async def test_nothing_to_do_on_an_old_state_is_decided_again_on_the_new_one(memory: World) -> None:
    one, other = memory.process(), memory.process(actor="ada")
    await one.declare()
    memory.steps["one"].hangs = True
    await one.start("dash")
    await memory.steps["one"].watched.wait()
    await one.executor.stop("dash")
    await other.runner.refresh()
    await one.executor.stop("dash")
    await one.executor.wait("dash")
    memory.steps["one"].watched.clear()
    await one.start("dash")
    await memory.steps["one"].watched.wait()
    assert await other.runner.submit(c.Stop("dash"))  # the old stop was for the run before
    memory.clock.advance(301)
    await one.executor.wait("dash")


async def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    one, other = runner(SqliteJournal(path)), runner(SqliteJournal(path), "ada")
    await one.submit(DECLARE)
    said = [f"note {n}" for n in range(10)]
    await asyncio.gather(*(w.submit(c.Waive("health", f"{w.actor} {s}")) for s in said for w in (one, other)))
    await one.refresh()
    await other.refresh()
    assert one.history == other.history
    reasons = sorted(r.event.reason for r in one.history[1:])
    assert reasons == sorted(f"{who} {s}" for s in said for who in ("kim", "ada"))


async def test_two_processes_may_not_carry_out_at_once(disk: World) -> None:
    first = disk.process()
    await first.declare()
    disk.steps["one"].hangs = True
    await first.start("dash")
    await disk.steps["one"].watched.wait()
    second_journal = SqliteJournal(disk.journal.path)
    second = disk.process(journal=second_journal, actor="ada")
    with pytest.raises(Refused, match="another console is carrying something out"):
        await second.start("same", side_by_side=True)
    assert disk.delivered("left") == 0
    disk.clock.advance(301)
    await first.executor.wait("dash")
    assert (await second.carry_out("same")).state == "rolled_back"


@pytest.fixture
def holder(disk: World) -> Iterator[subprocess.Popen[str]]:
    """Another program that holds the lease until it is killed."""
    code = (
        "import sys, pathlib; from console.journals.lease import FileLease\n"
        "with FileLease(pathlib.Path(sys.argv[1])).acquire():\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(disk.journal.path.with_name("journal.db.lease"))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "held\n"
        yield program
        program.kill()


async def test_a_lease_held_by_another_program_is_named_and_freed_by_its_death(
    disk: World, holder: subprocess.Popen[str]
) -> None:
    process = disk.process()
    await process.declare()
    with pytest.raises(Refused, match=f"process {holder.pid}"):
        await process.start("dash")
    assert process["dash"].state == "untouched"
    assert disk.journal.lease.held()
    holder.kill()
    holder.wait()
    assert (await process.carry_out("dash")).state == "rolled_back"


async def test_listeners_hear_every_event_in_order_also_those_of_others() -> None:
    journal = MemoryJournal()
    one, other = runner(journal), runner(journal, "ada")
    heard: list[int] = []
    one.listen(lambda recorded: heard.extend(r.seq for r in recorded))
    await one.submit(DECLARE)
    await other.submit(c.Waive("health", "because"))
    await one.refresh()
    assert heard == [1, 2]


async def test_a_listener_that_fails_stops_neither_the_writer_nor_the_others() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    writer, heard = runner(MemoryJournal()), []

    def broken(_: Any) -> None:
        raise KeyError("a widget is gone")

    writer.listen(broken)
    writer.listen(heard.extend)
    await writer.submit(DECLARE)
    assert len(heard) == writer.incident.seq == 1
    assert isinstance(told[0]["exception"], KeyError)


async def test_a_journal_that_never_rests_is_given_up() -> None:
    journal = FaultyJournal(MemoryJournal(), at=1, error=StaleJournal("again"), times=10_000)
    with pytest.raises(Refused, match="without pause"):
        await runner(journal).submit(DECLARE)


async def test_a_damaged_journal_stops_everything(memory: World) -> None:
    process = memory.process(
        journal=FaultyJournal(memory.journal, at=4, error=JournalDamaged("event 3 was changed"), times=100)
    )
    await process.declare()
    await process.carry_out("dash")
    assert memory.target.sent == []
    assert "event 3 was changed" in process.executor.fault


async def test_a_cancelled_submit_is_found_again(tmp_path: Path) -> None:
    """The append may have happened although nobody waited for it: the next command sees it."""
    journal = SqliteJournal(tmp_path / "journal.db")
    writer = runner(journal)
    await writer.submit(DECLARE)
    doing = asyncio.create_task(writer.submit(c.Waive("health", "because")))
    await asyncio.sleep(0)
    doing.cancel()
    await asyncio.gather(doing, return_exceptions=True)
    await writer.submit(c.ReviseProcedure(OUTLINE, "digest-2"))
    assert [r.seq for r in writer.history] == list(range(1, journal.last_seq() + 1))
    assert writer.incident.config_digest == "digest-2"
