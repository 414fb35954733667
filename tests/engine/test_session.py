"""A console at work: what it does by itself while it stays, and what it never does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import Failed, Refused
from console.domain.events import CheckRan, Mode, ProcedureRevised, VerdictChanged
from console.domain.outline import Outline
from console.domain.triggers import TriggerRule
from console.engine.clock import SystemClock
from console.engine.ports import Evidence, Reading, Sample
from console.engine.sampler import Watched
from console.engine.session import Parts, Session
from console.journals.sqlite import SqliteJournal
from console.journals.vault import FolderVault
from tests.domain.acting import OUTLINE


class Gauge:
    query = "p95"

    def __init__(self) -> None:
        self.value = 12.0

    async def now(self) -> Reading:
        return Reading((Sample(SystemClock().now(), self.value),))

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        return await self.now()


class Looking:
    """A check that gives its evidence when it is told to."""

    def __init__(self, outcome: Evidence | Exception) -> None:
        self.go = asyncio.Event()
        self.go.set()
        self._outcome = outcome

    async def run(self) -> Evidence:
        await self.go.wait()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Consoles:
    """Consoles on one journal, as several processes would have it open."""

    def __init__(self, folder: Path) -> None:
        self.gauge = Gauge()
        self.checks: dict[str, Any] = {
            "health": Looking(Evidence("pass", "200")),
            "nice": Looking(Failed("503")),
            "complaints": None,
        }
        self._folder = folder
        self._opened: list[Session] = []

    async def open(
        self, *, outline: Outline = OUTLINE, digest: str = "d1", mode: Mode = "live", stay: bool = True
    ) -> Session:
        rule = TriggerRule("p95", "p95", 30.0, every_seconds=0.01)
        parts = Parts(
            outline=outline,
            config_digest=digest,
            mode=mode,
            actor="kim",
            clock=SystemClock(),
            journal=SqliteJournal(self._folder / "journal"),
            vault=FolderVault(self._folder / "vault"),
            checks=self.checks,
            check_timeouts={"health": 5.0, "nice": 5.0},
            watched=(Watched(rule, self.gauge),),
        )
        session = Session(parts)
        self._opened.append(session)
        await session.open()
        if stay:
            await session.stay()
        return session

    async def close(self) -> None:
        for session in self._opened:
            await session.close()


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.engine.session.REFRESH_SECONDS", 0.01)


@pytest.fixture
async def consoles(tmp_path: Path) -> AsyncIterator[Consoles]:
    made = Consoles(tmp_path)
    yield made
    await made.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - whatever the consoles do by themselves, without an event of the test's own
            await asyncio.sleep(0)


def verdicts(session: Session) -> list[str]:
    events = (recorded.event for recorded in session.runner.history)
    return [event.verdict for event in events if isinstance(event, VerdictChanged)]


async def test_a_declaration_carries_the_verdicts_of_the_moment(consoles: Consoles) -> None:
    session = await consoles.open()
    await until(lambda: session.view().triggers[0].verdict == "ok")
    assert session.runner.history == [], "before it nobody keeps them"
    await session.declare("slow")
    assert verdicts(session) == ["ok"]


async def test_a_changed_verdict_gets_into_the_record_once_for_all_consoles(consoles: Consoles) -> None:
    first, second = await consoles.open(), await consoles.open()
    await until(lambda: first.view().triggers[0].verdict == "ok")
    await first.declare("slow")
    await until(lambda: second.runner.incident.phase == "open")
    consoles.gauge.value = 34.0
    await until(lambda: second.view().triggers[0].verdict == first.view().triggers[0].verdict == "firing")
    await until(lambda: second.runner.incident.verdict("p95") == "firing")
    await first.acknowledge("team", "told")  # reads whatever the other wrote
    assert verdicts(first) == ["ok", "firing"]


async def test_what_another_console_does_is_seen(consoles: Consoles) -> None:
    first, second = await consoles.open(), await consoles.open(mode="observe")
    await first.declare("slow")
    await until(lambda: second.view().incident.id == "INC-0001")
    with pytest.raises(Refused, match="observes"):
        await second.acknowledge("team", "told")


async def test_a_changed_file_is_taken_up_once_and_two_files_do_not_quarrel(consoles: Consoles) -> None:
    first = await consoles.open()
    await first.declare("slow")
    second = await consoles.open(digest="d2")
    await until(lambda: first.runner.incident.config_digest == "d2")
    third = await consoles.open(digest="d1")
    await until(lambda: second.runner.incident.config_digest == "d1")
    for _ in range(20):
        await asyncio.sleep(0.01)
    revisions = [r for r in third.runner.history if isinstance(r.event, ProcedureRevised)]
    assert len(revisions) == 2


async def test_checks_run_side_by_side_and_say_what_they_found(consoles: Consoles) -> None:
    session = await consoles.open(stay=False)
    await session.declare("slow")
    found = await session.verify()
    assert {i: evidence.outcome for i, evidence in found.items()} == {"health": "pass", "nice": "fail"}
    ran = [r.event.check for r in session.runner.history if isinstance(r.event, CheckRan)]
    assert sorted(ran) == ["health", "nice"]


async def test_a_check_under_way_shows_and_is_not_run_twice(consoles: Consoles) -> None:
    session = await consoles.open(stay=False)
    await session.declare("slow")
    consoles.checks["health"].go.clear()
    running = asyncio.create_task(session.verify(["health"]))
    await until(lambda: session.view().checks[0].running)
    assert await session.verify(["health"]) == {}
    consoles.checks["health"].go.set()
    assert (await running)["health"].outcome == "pass"


@pytest.mark.parametrize("check", ["complaints", "no-such-check"])
async def test_a_check_that_can_not_be_run_is_refused(consoles: Consoles, check: str) -> None:
    session = await consoles.open(stay=False)
    with pytest.raises(Refused, match=check):
        await session.verify([check])
