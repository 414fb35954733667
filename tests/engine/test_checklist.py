"""The checklist at work: side by side, each within its time, told what the console knows, and all of its evidence kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Failed, Refused
from console.domain.outline import CheckOutline
from console.engine.checklist import Checklist
from console.engine.ports import Evidence, Known, Measurement
from tests.engine.simulated import MemoryJournal, MemoryVault
from tests.engine.simulated_world import OUTLINE, Process, World, world

FOUND = Evidence("fail", "503", ("HTTP/1.1 503", "body:", "database is down"))
CHECKS = tuple(CheckOutline(i, i, "health", "sim") for i in ("one", "two"))


class Says:
    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence

    async def run(self) -> Evidence:
        return self._evidence


class Waits:
    """Passes once another check of its kind is asked as well."""

    def __init__(self, barrier: asyncio.Barrier) -> None:
        self._barrier = barrier

    async def run(self) -> Evidence:
        await self._barrier.wait()
        return Evidence("pass", "met")

    async def measure(self, known: Known) -> Measurement:
        await self._barrier.wait()
        return Measurement(1.0, "s", f"at {known.at:%H:%M}")


class Compares:
    async def run(self) -> Evidence:
        raise AssertionError("it is compared")

    async def compare(self, check_id: str, known: Known) -> Evidence:
        return Evidence("pass", f"{check_id} at {known.at:%H:%M}")

    async def measure(self, known: Known) -> Measurement:
        raise Failed("the source is down")


def at_work(
    here: World, checks: Mapping[str, Any], timeouts: Mapping[str, float] | None = None
) -> tuple[Process, Checklist]:
    process = here.process()
    outline = replace(OUTLINE, checks=CHECKS)
    known = Known(here.clock.now())
    return process, Checklist(process.runner, outline, checks, timeouts or {}, here.clock, lambda: known)


@pytest.fixture
def here() -> World:
    return world(MemoryJournal(), MemoryVault())


async def declare(process: Process) -> None:
    outline = replace(OUTLINE, checks=CHECKS)
    await process.runner.submit(c.Declare("p95 fires", "drill", outline, "digest"))


async def test_checks_run_side_by_side(here: World) -> None:
    met = asyncio.Barrier(2)
    _, checklist = at_work(here, {"one": Waits(met), "two": Waits(met)})
    assert {i: found.text for i, found in (await checklist.run()).items()} == {"one": "met", "two": "met"}


async def test_one_that_hangs_takes_its_own_time_and_nobody_elses(here: World) -> None:
    alone = asyncio.Barrier(2)
    _, checklist = at_work(here, {"one": Waits(alone), "two": Says(FOUND)}, {"one": 0.01})
    found = await checklist.run()
    assert (found["one"].outcome, found["one"].text) == (
        "unknown",
        "no answer within 10 ms, its timeout in the procedure",
    )
    assert found["two"] == FOUND


async def test_the_whole_evidence_is_in_the_journal_and_goes_stale_with_the_next_change(here: World) -> None:
    process, checklist = at_work(here, {"one": Says(FOUND)})
    await declare(process)
    await checklist.run(["one"])
    kept = process.events(e.CheckRan)[-1]
    assert (kept.evidence, kept.detail) == (FOUND.text, FOUND.detail)
    assert process.runner.incident.check_state("one") == "fail"
    await process.carry_out("dash")
    later = here.process()  # another console, from the journal alone
    await later.runner.refresh()
    assert later.runner.incident.check_state("one") == "stale"
    assert later.runner.incident.checks["one"].detail == FOUND.detail


async def test_a_step_that_is_sent_meanwhile_leaves_it_open_and_what_was_seen_is_kept(here: World) -> None:
    process, _ = at_work(here, {})

    class Meanwhile:
        async def run(self) -> Evidence:
            await process.carry_out("dash")
            return Evidence("pass", "200", ("HTTP/1.1 200",))

    checklist = Checklist(
        process.runner, OUTLINE, {"one": Meanwhile()}, {}, here.clock, lambda: Known(here.clock.now())
    )
    await declare(process)
    found = (await checklist.run())["one"]
    assert (found.outcome, found.detail) == ("unknown", ("HTTP/1.1 200",))
    assert "a step was sent while it ran" in found.text


async def test_a_check_that_is_compared_is_told_its_own_id(here: World) -> None:
    _, checklist = at_work(here, {"one": Compares(), "two": Says(FOUND)})
    assert checklist.compared == ("one",)
    assert (await checklist.run(["one"]))["one"].text == f"one at {here.clock.now():%H:%M}"


async def test_baselines_are_measured_side_by_side(here: World) -> None:
    met = asyncio.Barrier(2)
    _, checklist = at_work(here, {"one": Waits(met), "two": Waits(met)})
    assert [taken.check for taken in await checklist.measure()] == ["one", "two"]


async def test_of_baselines_all_are_given_or_none(here: World) -> None:
    met = asyncio.Barrier(1)
    _, checklist = at_work(here, {"one": Waits(met), "two": Compares()})
    with pytest.raises(Failed, match="two: the source is down"):
        await checklist.measure()
    with pytest.raises(Refused, match='no check "three" that takes a baseline'):
        await checklist.measure(["three"])
