"""A channel that keeps what it was given, the faults of the real ones, and consoles that share a journal and a wall clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from console.domain import commands as c
from console.domain import events as e
from console.domain.errors import Undelivered, Unknown
from console.domain.incident import NoticeProgress
from console.domain.outline import NoticeOutline, Outline
from console.engine.communicator import Communicator
from console.engine.drafts import Template
from console.engine.gateway import Gateway, Permit
from console.engine.ports import Message
from console.engine.projection import Surroundings, project
from console.engine.runner import Runner
from console.engine.session import Parts, Session
from console.engine.view import ViewState
from console.journals.sqlite import SqliteJournal
from tests.domain.acting import OUTLINE
from tests.engine.simulated import Crash, FakeClock, MemoryVault

Fault = Literal[
    "",  # it arrives and is answered
    "busy",  # certainly not delivered, later it may be
    "no",  # certainly not delivered, and never will be
    "lost_before",  # no answer, and it never arrived
    "lost_after",  # no answer, but it arrived
    "explode",  # a defect of the channel, before anything is sent
    "explode_after",  # a defect of the channel, after it arrived
    "broken_off",  # it cancels itself
    "hangs",  # no answer until the test says so
    "die_before",  # the process dies with the message unsent
    "die_after",  # the process dies before it reads the answer
]

PLAN = (
    NoticeOutline("team", "The team", 0.0, "slack"),
    NoticeOutline("boss", "The boss", 900.0, "email"),
    NoticeOutline("tracker", "The tracker", 0.0, "webhook", repeat_seconds=1200.0),
    NoticeOutline("page", "The status page", 300.0, "statuspage", impact="user_facing"),
    NoticeOutline("briefing", "Brief the executives", 3600.0),
)
BY_CONSOLE = tuple(n.id for n in PLAN if n.channel != "manual")


class WallClock(FakeClock):
    """Can be set, as people and time servers do. What really passes is not moved by it."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = timedelta()

    def now(self) -> datetime:
        return super().now() + self.offset

    def step(self, minutes: float) -> None:
        self.offset += timedelta(minutes=minutes)


class Channel:
    """Delivers to a list. `faults` are what befalls the next messages, in turn."""

    def __init__(self, destination: str, longest: int | None = None) -> None:
        self.destination = destination
        self.longest = longest
        self.faults: list[Fault] = []
        self.asks_to_wait: float | None = None
        self.tried: list[Message] = []
        self.delivered: list[Message] = []
        self.answer = asyncio.Event()
        self.asked = asyncio.Event()
        self.on_disk: Callable[[], list[Any]] | None = None  # None where nothing is recorded

    async def send(self, message: Message, permit: Permit) -> str:
        assert isinstance(permit, Permit)
        assert (permit.step, permit.op) == (message.notice, message.op)
        self._must_be_on_disk(message)
        self.tried.append(message)
        self.asked.set()
        fault = self.faults.pop(0) if self.faults else ""
        self._before(fault)
        if fault == "hangs":
            await self.answer.wait()
        self.delivered.append(message)
        self._after(fault)
        return "200 ok"

    def _must_be_on_disk(self, message: Message) -> None:
        """Not a byte leaves before the journal says so."""
        if self.on_disk is None:
            return
        own = [event for event in self.on_disk() if getattr(event, "notice", "") == message.notice]
        assert isinstance(own[-1], e.NoticeSending)
        assert (own[-1].op, own[-1].subject, own[-1].text) == (message.op, message.subject, message.text)

    def _before(self, fault: Fault) -> None:
        if fault == "busy":
            raise Undelivered("503", "nothing was delivered", retry=True, after_seconds=self.asks_to_wait)
        if fault == "no":
            raise Undelivered("404: no such channel")
        if fault == "lost_before":
            raise Unknown("no answer")
        if fault == "explode":
            raise KeyError("channel")
        if fault == "broken_off":
            raise asyncio.CancelledError
        if fault == "die_before":
            raise Crash

    def _after(self, fault: Fault) -> None:
        if fault == "lost_after":
            raise Unknown("no answer")
        if fault == "explode_after":
            raise KeyError("ts")
        if fault == "die_after":
            raise Crash


async def settled() -> None:
    """Until no message is under way."""
    tasks = [t for t in asyncio.all_tasks() if t.get_name().startswith("send notice")]
    await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Console:
    """One life of a console: what the session makes of a journal, without the parts that act on targets."""

    runner: Runner
    communicator: Communicator
    channels: Mapping[str, Channel]

    def __getitem__(self, notice: str) -> NoticeProgress:
        return self.runner.incident.notices[notice]

    async def tell(self, notice: str, text: str = "p95 is at 34 s", again: str = "", subject: str = "p95") -> str:
        await self.runner.refresh()
        return await self.communicator.notify(notice, subject, text, again)

    async def tend(self) -> None:
        """As a console that stays does now and then; what it began is waited for."""
        await self.runner.refresh()
        await self.communicator.tend()
        await settled()

    def events(self, kind: type[Any] | tuple[type[Any], ...]) -> list[Any]:
        return [r.event for r in self.runner.history if isinstance(r.event, kind)]

    def life(self, notice: str) -> list[str]:
        """What the journal says of a notice, in order."""
        events = [r.event for r in self.runner.history if getattr(r.event, "notice", "") == notice]
        return [type(event).__name__.removeprefix("Notice").lower() for event in events]


@dataclass
class Room:
    """What outlives the consoles: the journal, the channels, the clock."""

    journal: Any
    clock: WallClock = field(default_factory=WallClock)
    plan: tuple[NoticeOutline, ...] = PLAN
    mode: e.Mode = "live"
    templates: Mapping[str, Template] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=lambda: {i: Channel(f"#{i}") for i in BY_CONSOLE})

    def __post_init__(self) -> None:
        for channel in self.channels.values():
            channel.on_disk = lambda: [r.event for r in self.journal.read()]

    @property
    def outline(self) -> Outline:
        return replace(OUTLINE, notices=self.plan)

    def console(self, actor: str = "kim", *, journal: Any = None, mode: e.Mode | None = None) -> Console:
        gateway = Gateway(mode or self.mode)
        runner = Runner(journal or self.journal, self.clock, gateway, actor)

        def view() -> ViewState:
            around = Surroundings(self.outline, self.mode)
            return project(runner.incident, runner.history, self.clock.now(), around)

        communicator = Communicator(runner, gateway, self.clock, self.channels, self.templates, view)
        return Console(runner, communicator, self.channels)

    async def declared(self, actor: str = "kim") -> Console:
        console = self.console(actor)
        await console.runner.submit(c.Declare("p95 fires", self.mode, self.outline, "digest"))
        return console

    def delivered(self) -> Counter[str]:
        return Counter(m.notice for channel in self.channels.values() for m in channel.delivered)

    async def session(self, path: Path, actor: str = "kim") -> Session:
        """A whole session on the journal in this file, opened and not staying: the test says when it tends."""
        self.journal = SqliteJournal(path)
        session = Session(
            Parts(
                outline=self.outline,
                config_digest="digest",
                mode=self.mode,
                actor=actor,
                clock=self.clock,
                journal=self.journal,
                vault=MemoryVault(),
                notifiers=self.channels,
                templates=self.templates,
            )
        )
        await session.open()
        return session
