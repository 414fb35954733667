"""A target that lives in memory, a step kind for it that keeps every promise of the port, and the faults of the real ones.

Objects are flat mappings with a version that each write raises, as a Kubernetes API server keeps them. Every effect that
reaches an object is counted, so that a test can say: exactly once.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from console.domain.errors import Failed, JournalDamaged, Refused, StaleJournal, Unknown
from console.domain.events import Event, Recorded
from console.engine.gateway import Permit
from console.engine.ports import Change, Description, Finding, Json, Probe, Progress, Proof, Receipt, Seen, fingerprint
from console.journals import codec

Fault = Literal[
    "refuse",  # the target says no before anything happens
    "fail",  # the target answers with an error, nothing happened
    "fail_after",  # the target answers with an error, but did it
    "lost_before",  # no answer, and it never arrived
    "lost_after",  # no answer, but it arrived
    "late",  # no answer now; it arrives when the test says so
    "half",  # the first object is changed, then an error
    "half_lost",  # the first object is changed, then silence
    "garbled",  # no answer, and the object is neither as it was nor as it should be
    "garbled_fail",  # the same, and the target answers with an error
    "explode",  # a defect of ours, before anything is sent
    "explode_after",  # a defect of ours, after the effect
    "die_before",  # the process dies with the request unsent
    "die_half",  # the process dies between two objects
    "die_after",  # the process dies before it reads the answer
]


class Crash(BaseException):
    """The process dies here: nothing of it may be caught, nothing after it is recorded."""


# ---------------------------------------------------------------- the target


@dataclass
class Held:
    content: dict[str, Any]
    version: int = 1
    writer: str = "setup"


class Target:
    def __init__(self, **objects: dict[str, Any]) -> None:
        self.objects = {name: Held(dict(content)) for name, content in objects.items()}
        self.original = self.contents()
        self.effects: Counter[tuple[str, str]] = Counter()  # (step, operation) → deliveries
        self.repeats: list[tuple[str, str]] = []  # deliveries that found their object as they wanted it
        self.sent: list[tuple[str, str]] = []
        self.under_way: list[Callable[[], None]] = []
        self.unreadable = False

    def contents(self) -> dict[str, dict[str, Any]]:
        return {name: dict(held.content) for name, held in self.objects.items()}

    def foreigner(self, name: str, writer: str = "helm", **content: Any) -> None:
        """Somebody else changes an object."""
        held = self.objects[name]
        self.objects[name] = Held({**held.content, **content}, held.version + 1, writer)

    def deliver(self, step: str, op: str, name: str, edit: Json) -> None:
        """One object's change, with its precondition; raises Refused when the object has moved on."""
        held = self.objects[name]
        if held.version != edit["version"]:
            raise Refused(f"{name} was changed by {held.writer} in between", "nothing was changed; preview it again")
        self.effects[step, op] += 1
        if all(held.content.get(key) == value for key, value in edit["to"].items()):
            self.repeats.append((step, name))
        self.objects[name] = Held({**held.content, **edit["to"]}, held.version + 1, "console")

    def late_requests_arrive(self) -> None:
        requests, self.under_way = self.under_way, []
        for request in requests:
            request()

    def read(self, name: str) -> Held:
        if self.unreadable:
            raise Unknown("the target can't be reached")
        return self.objects[name]


# ---------------------------------------------------------------- the step kind


class SimulatedStep:
    """Sets fields of objects. `writes` maps an object to the fields that it should have."""

    def __init__(self, step_id: str, target: Target, **writes: dict[str, Any]) -> None:
        self.irreversible: str | None = None
        self.faults: list[Fault] = []
        self.findings: list[Finding] = []
        self.polls = 1  # how often `watch` says that it is not there yet
        self.hangs = False
        self.settles_badly = ""
        self.planning_fails: list[Exception] = []
        self.capture_fails: list[Exception] = []
        self.before_apply: Callable[[], Any] = lambda: None
        self.before_plan: Callable[[], Any] = lambda: None
        self.watched = asyncio.Event()
        self._id = step_id
        self._target = target
        self.writes = writes

    def describe(self) -> Description:
        return Description(f"set {self.writes}", (f"simctl set {self._id}",))

    async def preflight(self) -> Sequence[Finding]:
        return list(self.findings)

    async def plan(self, pin: Json = None) -> Change:
        chosen = pin if pin is not None else self._choose()
        return self._change({n: self._to(n, fields, chosen) for n, fields in self.writes.items()}, chosen)

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        """As it would be had these operations never been; a field that is neither theirs nor as before is not touched."""
        wanted: dict[str, dict[str, Any]] = {}
        for pre_image in reversed(pre_images):
            for name, edit in pre_image.items():
                now = self._target.read(name).content
                for key, old in edit["from"].items():
                    if key in wanted.get(name, {}):
                        continue  # a newer operation knows what it found here
                    if now.get(key) not in (old, edit["to"][key]):
                        raise Refused(f"{name}.{key} was changed since", "put it right by hand")
                    wanted.setdefault(name, {})[key] = old
        return self._change(wanted, None)

    async def capture(self, change: Change) -> Json:
        if self.capture_fails:
            raise self.capture_fails.pop(0)
        return change.goal

    async def apply(self, goal: Json, permit: Permit) -> Receipt:
        assert isinstance(permit, Permit)
        assert permit.step == self._id
        self.before_apply()
        self._target.sent.append((self._id, permit.op))
        fault = self.faults.pop(0) if self.faults else None
        with self._after(fault):
            self._before(fault, goal, permit.op)
            self._deliver(goal, permit.op, fault)
        return Receipt("accepted", {name: self._seen(name) for name in goal})

    async def probe(self, goal: Json) -> Probe:
        states = {name: self._state(name, edit) for name, edit in goal.items()}
        detail = ", ".join(f"{name} is {state}" for name, state in states.items())
        if set(states.values()) == {"new"} or not states:
            return Probe("done", detail)
        if set(states.values()) == {"old"}:
            return Probe("not_done", detail)
        return Probe("diverged" if "neither" in states.values() else "partial", detail)

    async def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:
        for poll in range(self.polls):
            yield Progress(f"{poll} of {self.polls} replicas", poll, self.polls)
        self.watched.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.settles_badly:
            raise Failed(self.settles_badly)
        probe = await self.probe(goal)
        if probe.answer != "done":
            raise Failed(f"put back: {probe.detail}")
        yield Proof(f"read back: {probe.detail}")

    # ------------------------------------------------------------ inside

    def _choose(self) -> Json:
        """Something that is chosen anew at each planning unless it is pinned, like the revision before this one."""
        return max(held.version for held in self._target.objects.values())

    def _to(self, name: str, fields: dict[str, Any], chosen: Json) -> dict[str, Any]:
        return {key: (chosen if value == "chosen" else value) for key, value in fields.items()}

    def _change(self, wanted: dict[str, dict[str, Any]], pin: Json) -> Change:
        if self.planning_fails:
            raise self.planning_fails.pop(0)
        self.before_plan()
        goal, lines = {}, []
        for name, fields in wanted.items():
            held = self._target.read(name)
            to = {key: value for key, value in fields.items() if held.content.get(key) != value}
            if to:
                goal[name] = {"from": {key: held.content.get(key) for key in to}, "to": to, "version": held.version}
                lines += [f"+ {name}.{key}: {value}" for key, value in to.items()]
        return Change(
            summary=f"set {wanted}",
            identity=[[name, edit["from"], edit["to"]] for name, edit in goal.items()],
            goal=goal,
            lines=tuple(lines),
            commands=(f"simctl set {self._id}",),
            already=not goal,
            seen={name: self._seen(name) for name in wanted},
            pin=pin,
        )

    def _seen(self, name: str) -> Seen:
        held = self._target.read(name)
        return Seen(dict(held.content), held.writer)

    def _state(self, name: str, edit: Json) -> str:
        now = {key: self._target.read(name).content.get(key) for key in edit["to"]}
        return "new" if now == edit["to"] else "old" if now == edit["from"] else "neither"

    def _before(self, fault: Fault | None, goal: Json, op: str) -> None:
        if fault == "refuse":
            raise Refused("forbidden", "ask for the permission")
        if fault == "fail":
            raise Failed("the server says no")
        if fault == "lost_before":
            raise Unknown("no answer")
        if fault == "late":
            self._target.under_way.append(lambda: self._arrive(goal, op))
            raise Unknown("no answer")
        if fault in ("garbled", "garbled_fail"):
            for name, edit in goal.items():
                self._target.foreigner(name, "webhook", **dict.fromkeys(edit["to"], "garbled"))
            raise Unknown("no answer") if fault == "garbled" else Failed("the server says no")
        if fault == "explode":
            raise KeyError("spec")
        if fault == "die_before":
            raise Crash

    def _arrive(self, goal: Json, op: str) -> None:
        try:
            self._deliver(goal, op, None)
        except Refused:
            self._target.effects["turned away", op] += 1

    def _deliver(self, goal: Json, op: str, fault: Fault | None) -> None:
        for index, (name, edit) in enumerate(goal.items()):
            if index and fault == "half":
                raise Failed(f"{name}: the server says no")
            if index and fault == "half_lost":
                raise Unknown(f"{name}: no answer")
            if index and fault == "die_half":
                raise Crash
            try:
                self._target.deliver(self._id, op, name, edit)
            except Refused as error:
                if index:
                    raise Failed(f"after other objects: {error.message}") from None
                raise

    @contextmanager
    def _after(self, fault: Fault | None) -> Iterator[None]:
        yield
        if fault == "fail_after":
            raise Failed("the server says no")
        if fault == "lost_after":
            raise Unknown("no answer")
        if fault == "explode_after":
            raise KeyError("status")
        if fault == "die_after":
            raise Crash


class ByHand:
    """A step that a person carries out."""

    irreversible: str | None = None

    def describe(self) -> Description:
        return Description("call the provider")

    async def preflight(self) -> Sequence[Finding]:
        return []

    async def plan(self, pin: Json = None) -> Change:
        return Change("call the provider", "call", {})

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        return Change("call the provider again", "call again", {})


# ---------------------------------------------------------------- clock, journal, vault


class FakeClock:
    """Short pauses pass by themselves; for a long wait the test says when time goes on."""

    SHORT_SECONDS = 10.0

    def __init__(self) -> None:
        self._now = 0.0
        self._number = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 22, 0, tzinfo=UTC) + timedelta(seconds=self._now)

    def monotonic(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= self.SHORT_SECONDS:
            self._now += seconds
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._number), woken))
        await woken

    def advance(self, seconds: float) -> None:
        self._now += seconds
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                woken.set_result(None)


class FreeLease:
    @contextmanager
    def acquire(self) -> Iterator[None]:
        yield

    def held(self) -> bool:
        return False


class MemoryJournal:
    """The journal's promises without a disk. What it hands out went through JSON, as from a file."""

    def __init__(self) -> None:
        self.lease = FreeLease()
        self.outbox: dict[str, Any] = {}  # a lease for each notice, where a test brings one
        self.rows: list[tuple[int, str, str, int, str]] = []

    def outbox_lease(self, notice: str) -> Any:
        return self.outbox.setdefault(notice, FreeLease())

    def read(self, after: int = 0) -> Sequence[Recorded]:
        return [codec.recorded(*row) for row in self.rows[after:]]

    def append(
        self, events: Iterable[Event], *, after: int, actor: str, epoch: int, at: datetime
    ) -> Sequence[Recorded]:
        if after != len(self.rows):
            raise StaleJournal(f"the journal is at event {len(self.rows)}, not {after}")
        rows = [
            (seq, codec.timestamp(at), actor, epoch, codec.encode(event))
            for seq, event in enumerate(events, start=after + 1)
        ]
        self.rows += rows
        return [codec.recorded(*row) for row in rows]

    def last_seq(self) -> int:
        return len(self.rows)

    def close(self) -> None:
        pass


class MemoryVault:
    def __init__(self) -> None:
        self.documents: dict[str, Json] = {}

    def put(self, document: Json) -> str:
        name = fingerprint(document)
        self.documents[name] = document
        return name

    def get(self, name: str) -> Json:
        if name not in self.documents:
            raise JournalDamaged(f"document {name[:12]}… is lost")
        return self.documents[name]

    def lose_everything(self) -> None:
        self.documents.clear()


@dataclass
class FaultyJournal:
    """A journal over another that dies, or says no, before or after the n-th append (counted from 1)."""

    journal: Any
    at: int
    when: Literal["before", "after"] = "before"
    error: BaseException = field(default_factory=Crash)
    times: int = 1
    appends: int = 0

    @property
    def lease(self) -> Any:
        return self.journal.lease

    def outbox_lease(self, notice: str) -> Any:
        return self.journal.outbox_lease(notice)

    def read(self, after: int = 0) -> Sequence[Recorded]:
        return self.journal.read(after)

    def append(self, events: Iterable[Event], **words: Any) -> Sequence[Recorded]:
        self.appends += 1
        struck = self.at <= self.appends < self.at + self.times
        if isinstance(self.error, Crash) and self.appends > self.at:
            raise self.error  # the dead write nothing
        if struck and self.when == "before":
            raise self.error
        recorded = self.journal.append(events, **words)
        if struck:
            raise self.error
        return recorded

    def last_seq(self) -> int:
        return self.journal.last_seq()

    def close(self) -> None:
        self.journal.close()
