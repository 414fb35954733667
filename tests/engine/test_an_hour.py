"""An incident of an hour in fake time, on the real journal: every clock of the plan, to the minute, whatever happens meanwhile.

Once in one console; once with the console closed and opened again five times; and with the clock of the machine set.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from console.domain.events import NoticeSent
from console.domain.notices import NoticeState
from console.engine.session import Session
from tests.engine.simulated_channel import PLAN, Room, settled

HOUR = 70  # minutes: the last notice is due at 60, and someone has to be late with it
REOPENED = (7, 16, 29, 41, 55)


@dataclass
class Evening:
    """A person who looks once a minute and gives what has been due for two minutes; the console tends every three seconds."""

    room: Room
    path: Path
    session: Session
    late_by: int = 2
    minute: int = 0
    states: dict[str, dict[int, NoticeState]] = field(default_factory=lambda: defaultdict(dict))
    given: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    async def reopen(self) -> None:
        await self.session.close()
        self.session = await self.room.session(self.path)

    async def pass_(self, minutes: int, happens: dict[int, Callable[[], Awaitable[None]]]) -> None:
        for minute in range(self.minute, minutes):
            self.minute = minute
            if minute in happens:
                await happens[minute]()
            for notice in self.session.view().notices:
                self.states[notice.id][minute] = notice.state
                due = notice.due_in_seconds
                if notice.state in ("due", "overdue") and due is not None and due <= -60 * self.late_by:
                    await self._give(notice.id, notice.channel)
            await self._a_minute()

    async def _give(self, notice: str, channel: str) -> None:
        self.given[notice].append(self.minute)
        if channel == "manual":
            await self.session.acknowledge(notice, "told them on the phone")
            return
        draft = await self.session.draft(notice)
        assert not draft.already
        await self.session.notify(notice, draft.subject, draft.text)

    async def _a_minute(self) -> None:
        for _ in range(20):
            self.room.clock.advance(3)
            await self.session.communicator.tend()
            await settled()

    def changes(self, notice: str) -> list[tuple[int, NoticeState]]:
        """From which minute it was seen in which state."""
        found: list[tuple[int, NoticeState]] = []
        for minute, state in self.states[notice].items():
            if not found or found[-1][1] != state:
                found.append((minute, state))
        return found


@pytest.fixture
async def evening(tmp_path: Path) -> AsyncIterator[Evening]:
    room = Room(None)
    path = tmp_path / "journal"
    made = Evening(room, path, await room.session(path))
    await made.session.declare("p95 fires")
    yield made
    await made.session.close()


async def users_are_touched(evening: Evening) -> None:
    await evening.session.state_impact("user_facing", True, "complaints")


async def the_boss_is_put_off(evening: Evening) -> None:
    await evening.session.snooze("boss", 600, "she is in this call")


@pytest.mark.parametrize("reopened", [(), REOPENED], ids=["one console", "opened again five times"])
async def test_an_hour_to_the_minute(evening: Evening, reopened: tuple[int, ...]) -> None:
    evening.room.channels["boss"].faults = ["busy", "busy"]
    happens: dict[int, Callable[[], Awaitable[None]]] = dict.fromkeys(reopened, evening.reopen)
    happens[14] = lambda: the_boss_is_put_off(evening)
    happens[20] = lambda: users_are_touched(evening)
    await evening.pass_(HOUR, happens)
    assert evening.changes("team") == [(0, "due"), (2, "overdue"), (3, "sent")]
    assert evening.changes("boss") == [(0, "waiting"), (14, "snoozed"), (24, "due"), (26, "overdue"), (27, "sent")]
    assert evening.changes("tracker") == [
        (0, "due"), (2, "overdue"), (3, "sent"), (22, "due"), (24, "overdue"), (25, "sent"),
        (44, "due"), (46, "overdue"), (47, "sent"), (66, "due"), (68, "overdue"), (69, "sent"),
    ]  # fmt: skip
    assert evening.changes("page") == [(0, "unasked"), (20, "waiting"), (25, "due"), (27, "overdue"), (28, "sent")]
    assert evening.changes("briefing") == [(0, "waiting"), (60, "due"), (62, "overdue"), (63, "acknowledged")]
    assert evening.room.delivered() == {"team": 1, "boss": 1, "tracker": 4, "page": 1}
    boss = evening.room.channels["boss"]
    assert len(boss.tried) == 3, "not delivered twice, and tried again by itself"
    assert len({m.op for m in boss.tried}) == 1


async def test_a_laptop_that_slept_wakes_up_to_what_is_overdue(evening: Evening) -> None:
    await evening.pass_(4, {})
    evening.room.clock.advance(3600)  # suspended: nothing ran
    standing = {n.id: n.state for n in evening.session.view().notices}
    assert standing == {
        "team": "sent",
        "boss": "overdue",
        "tracker": "overdue",
        "page": "unasked",
        "briefing": "overdue",
    }


@pytest.mark.parametrize("at", [1, 50])
@pytest.mark.parametrize("step", [-10, +10])
async def test_a_clock_that_is_set_neither_repeats_nor_forgets(evening: Evening, step: int, at: int) -> None:
    evening.room.channels["team"].faults = ["busy"]
    happens: dict[int, Callable[[], Awaitable[None]]] = dict.fromkeys(REOPENED, evening.reopen)
    happens[20] = lambda: users_are_touched(evening)

    async def set_the_clock() -> None:
        evening.room.clock.step(step)

    happens[at] = set_the_clock
    await evening.pass_(HOUR + 15, happens)
    delivered = evening.room.delivered()
    tracker = evening.given["tracker"]
    assert {i: delivered[i] for i in ("team", "boss", "page")} == {"team": 1, "boss": 1, "page": 1}
    assert len(evening.given["briefing"]) == 1
    assert delivered["tracker"] == len(tracker)
    assert tracker[-1] >= HOUR + 15 - 22 - 10
    gaps = [later - sooner for sooner, later in pairwise(tracker)]
    assert sum(gap != 22 for gap in gaps) <= 1, "a turn is 20 minutes and the two that the person is late"
    assert all(gap in (22, 22 - step) for gap in gaps), (
        "the one in which the clock was set is as much shorter or longer"
    )
    given_at = [
        r.at for r in evening.session.runner.history if isinstance(r.event, NoticeSent) and r.event.notice == "tracker"
    ]
    assert all(later - sooner >= timedelta(minutes=20) for sooner, later in pairwise(given_at)), "as the record has it"
    assert all(
        len({m.op for m in channel.delivered}) == len(channel.delivered) for channel in evening.room.channels.values()
    )
    assert {n.id: n.state for n in evening.session.view().notices if n.id != "tracker"} == {
        "team": "sent",
        "boss": "sent",
        "page": "sent",
        "briefing": "acknowledged",
    }


def test_the_plan_has_every_sort_of_notice() -> None:
    assert {n.channel == "manual" for n in PLAN} == {True, False}
    assert any(n.repeat_seconds for n in PLAN)
    assert any(n.impact for n in PLAN)
