"""What the engine asks of the world, as Protocols, and the values that cross. The engine knows no adapter.

A *fingerprint* is a SHA-256 over the canonical JSON of an object's content without what its server maintains by itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from console.domain.events import BaselineTaken, CheckOutcome, Event, ProbeAnswer, Recorded
from console.domain.outline import Audience
from console.domain.triggers import TriggerReading

if TYPE_CHECKING:
    from console.engine.gateway import Permit

Json: TypeAlias = Any  # None, bool, int, float, str, list, dict of the same


def canonical(value: Json) -> str:
    """One text for one value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fingerprint(value: Json) -> str:
    return hashlib.sha256(canonical(value).encode()).hexdigest()


# ---------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class Description:
    line: str
    commands: tuple[str, ...] = ()  # the equivalent shell commands


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that preflight found out. `block` means: as it stands this step can't work."""

    level: Literal["ok", "info", "warn", "block"]
    text: str
    code: str = ""  # a stable word for machines: "forbidden", "not_found", "managed_by", "irreversible" …


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as it was when somebody looked: enough to notice a foreign change and to say what and who."""

    content: Json
    last_writer: str = ""

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.content)


@dataclass(frozen=True, slots=True)
class Change:
    """What a step would do now.

    `lines` is the readable diff: "- path: value", "+ path: value", or "  " and context. `goal` is the kind's own document: what
    `apply` sends, what `probe` compares with and what `capture` keeps. `identity` is what makes two changes the same change to
    the person who confirms: the objects, and each path with its old and new value. `seen` maps each object to how it was found.
    `pin` is whatever was chosen at planning time and must not be chosen again (a revision).
    """

    summary: str
    identity: Json
    goal: Json
    lines: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    already: bool = False
    seen: Mapping[str, Seen] = field(default_factory=dict)
    pin: Json = None
    findings: tuple[Finding, ...] = ()

    @property
    def hash(self) -> str:
        return fingerprint(self.identity)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the target answered to `apply`, and each object as our own effect left it."""

    detail: str
    left: Mapping[str, Seen] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Probe:
    """What the target says about a change, read at this moment. `detail` shows both sides where they differ.

    `done`, `not_done`, or `partial`: each object is either as it was or as it should be, so going on is safe. `diverged`:
    something is neither. `unknown`: it can't be read.
    """

    answer: ProbeAnswer
    detail: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the target is on its way, for the screen only; `done` of `total` where it can be counted."""

    text: str
    done: int = 0
    total: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """What the target itself says after the step, read back."""

    text: str


class Step(Protocol):
    """A step of a kind, bound to its options and target. Every method but `apply` only reads and is safe at any time.

    Undoing is a change like any other: `plan_undo` makes it from the pre-images of the attempts, oldest first, and the same
    `apply`, `probe` and `watch` carry it out, so that it has the same intent, precondition, recovery and proof. An attempt
    without effect may be among them; where two speak of the same place, the newer one knows what it found there.
    """

    irreversible: str | None

    def describe(self) -> Description: ...

    async def preflight(self) -> Sequence[Finding]: ...

    async def plan(self, pin: Json = None) -> Change: ...

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change: ...

    async def capture(self, change: Change) -> Json:
        """The pre-image: what `plan_undo` will need."""

    async def apply(self, goal: Json, permit: Permit) -> Receipt:
        """Sends the change, with a precondition on what was seen. Raises Refused, Failed or Unknown."""

    async def probe(self, goal: Json) -> Probe: ...

    def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:
        """Progress until the target has settled, then exactly one Proof, last. Raises Failed when it settles badly."""


# ---------------------------------------------------------------- triggers and checks


@dataclass(frozen=True, slots=True)
class Sample:
    at: datetime
    value: float
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer of a metric source: no sample means that it knows of none. Warnings are the source's own words.

    `lacking` says why there is no number yet, where the source knows better than "nothing found".
    """

    samples: tuple[Sample, ...]
    warnings: tuple[str, ...] = ()
    lacking: str = ""


class MetricSource(Protocol):
    """Where a trigger's samples come from. Raises Failed with the reason when the source can't answer."""

    query: str

    async def now(self) -> Reading: ...

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        """Samples of the last `seconds`, oldest first, one each `step_seconds`."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a check found: one line, and behind it what was seen (a body's excerpt, the end of an output), bounded and clean."""

    outcome: CheckOutcome
    text: str
    detail: tuple[str, ...] = ()


class Check(Protocol):
    async def run(self) -> Evidence: ...


@dataclass(frozen=True, slots=True)
class Known:
    """What the console knows by itself at the moment `at`, for checks that compare with it.

    `readings` go by trigger, `baselines` by check.
    """

    at: datetime
    readings: Mapping[str, TriggerReading] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)  # of the triggers
    baselines: Mapping[str, BaselineTaken] = field(default_factory=dict)
    migrated_at: datetime | None = None


class Comparison(Protocol):
    """A check that is judged against what the console knows; `run` alone could only say that it needs that."""

    async def compare(self, check_id: str, known: Known) -> Evidence:
        """`check_id` is the check's own, by which `known` names what was recorded of it."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """`of` says in words what was measured, and when."""

    value: float
    unit: str
    of: str


class Measured(Protocol):
    """A check whose standard is taken beforehand: `baseline take` asks it."""

    async def measure(self, known: Known) -> Measurement:
        """Raises Failed with the reason when there is no value."""


# ---------------------------------------------------------------- notices


@dataclass(frozen=True, slots=True)
class Message:
    """What a notifier delivers. `op` stays the same for every attempt at one message: the idempotency key, the Message-ID.

    `subject` is one line; `text` is plain text of several. Both are clean of control characters and hold no markup: what a
    channel would take for its own syntax is the notifier's to escape. `title` is the procedure's.
    """

    op: str
    notice: str
    subject: str
    text: str
    incident: str
    title: str
    audience: Audience | None = None
    drill: bool = False
    resolved: bool = False


class Notifier(Protocol):
    """A channel, bound to its options and target."""

    destination: str
    """Where it goes, for people; no secret in it."""
    longest: int | None
    """How many characters of text arrive whole; None: as many as one likes."""

    async def send(self, message: Message, permit: Permit) -> str:
        """Delivers once and gives the answer in a line. Raises Undelivered or Unknown, never anything in between."""


# ---------------------------------------------------------------- journal, vault, clock


class Lease(Protocol):
    """The right to cause effects, held by one process at a time and freed by its death."""

    def acquire(self) -> AbstractContextManager[None]:
        """Raises Refused, naming the holder, when another process has it."""

    def held(self) -> bool:
        """Whether this or another process has it at this moment."""


class Journal(Protocol):
    """The append-only record. An append is on disk when `append` returns."""

    @property
    def lease(self) -> Lease: ...

    def outbox_lease(self, notice: str) -> Lease:
        """The right to send one notice: whoever holds it is sending, and what nobody holds was left behind."""

    def read(self, after: int = 0) -> Sequence[Recorded]: ...

    def append(
        self, events: Iterable[Event], *, after: int, actor: str, epoch: int, at: datetime
    ) -> Sequence[Recorded]:
        """Appends behind sequence number `after`; raises StaleJournal when somebody else appended first."""

    def last_seq(self) -> int: ...

    def close(self) -> None: ...


class Vault(Protocol):
    """Documents named by their hash: changes and pre-images. Readable by the commander alone, never exported."""

    def put(self, document: Json) -> str: ...

    def get(self, name: str) -> Json: ...


class Clock(Protocol):
    def now(self) -> datetime:
        """UTC wall time."""

    def monotonic(self) -> float:
        """Seconds, never going back."""

    async def sleep(self, seconds: float) -> None: ...


Listener: TypeAlias = Callable[[Sequence[Recorded]], None]
