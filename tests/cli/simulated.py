"""Kinds that act on a JSON file instead of a cluster, so that other processes can look at what a command did.

The file: `values` by key, `trouble` by key (how a step on this key misbehaves), `sent` counts by key. `ready` files let a test
decide when a step that waits is proven. Run as a program, it is the command line with these kinds.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from console.config import FilePath, Options
from console.domain.errors import Failed, Refused, Undelivered, Unknown
from console.engine.ports import (
    Change,
    Description,
    Evidence,
    Finding,
    Known,
    Measurement,
    Message,
    Probe,
    Progress,
    Proof,
    Reading,
    Receipt,
    Sample,
    Seen,
)
from console.kinds import Registry


class World:
    """The file. `context` is what a cluster's context would be."""

    context = "sim-1"

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Any]:
        return json.loads(self.path.read_text())

    def write(self, document: dict[str, Any]) -> None:
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(document))
        temporary.replace(self.path)

    def change(self, section: str, key: str, value: Any) -> None:
        document = self.read()
        document[section][key] = value
        self.write(document)

    def value(self, key: str) -> Any:
        return self.read()["values"].get(key)

    def trouble(self, key: str) -> str:
        return str(self.read()["trouble"].get(key, ""))

    def sent(self, key: str) -> int:
        return int(self.read()["sent"].get(key, 0))

    def ready(self, key: str) -> Path:
        return self.path.with_name(f"{key}.ready")


class WorldOptions(Options):
    path: FilePath


class SetOptions(Options):
    key: str
    value: str


class SetStep:
    irreversible: str | None = None

    def __init__(self, step_id: str, options: SetOptions, world: World) -> None:
        self._id, self._key, self._value, self._world = step_id, options.key, options.value, world

    def describe(self) -> Description:
        return Description(f"set {self._key}", (f"sim set {self._key} {self._value}",))

    async def preflight(self) -> Sequence[Finding]:
        if self._world.trouble(self._key) == "forbidden":
            return [Finding("block", f"not allowed: may not set {self._key}", "forbidden")]
        return [Finding("ok", f"allowed: set {self._key}", "allowed")]

    async def plan(self, pin: Any = None) -> Change:
        return self._change(self._value)

    async def plan_undo(self, pre_images: Sequence[Any]) -> Change:
        return self._change(pre_images[0]["value"])

    async def capture(self, change: Change) -> Any:
        return {"value": self._world.value(self._key)}

    async def apply(self, goal: Any, permit: Any) -> Receipt:
        trouble = self._world.trouble(self._key)
        if trouble == "refuses":
            raise Refused(f"{self._key} was changed by somebody else", "look at it")
        if trouble == "fails":
            raise Failed(f"{self._key} can't be set")
        self._world.change("values", self._key, goal["value"])
        self._world.change("sent", self._key, self._world.sent(self._key) + 1)
        if trouble in ("lost", "blind"):
            raise Unknown("no answer came")
        return Receipt("set", {self._key: Seen(goal["value"])})

    async def probe(self, goal: Any) -> Probe:
        if self._world.trouble(self._key) == "blind":
            raise Failed("the world is dark")
        done = self._world.value(self._key) == goal["value"]
        return Probe("done" if done else "not_done", f"{self._key} is {self._world.value(self._key)}")

    async def watch(self, goal: Any) -> AsyncIterator[Progress | Proof]:
        while self._world.trouble(self._key) == "waits" and not self._world.ready(self._key).exists():
            yield Progress(f"waiting for {self._key}")
            await asyncio.sleep(0.01)
        if self._world.trouble(self._key) == "crashes":
            raise Failed(f"{self._key} does not become healthy")
        yield Proof(f"{self._key}={self._world.value(self._key)}")

    def _change(self, value: Any) -> Change:
        now = self._world.value(self._key)
        return Change(
            summary=f"set {self._key} to {value}",
            identity=[self._key, now, value],
            goal={"value": value},
            lines=() if now == value else (f'- {self._key}: "{now}"', f'+ {self._key}: "{value}"'),
            commands=(f"sim set {self._key} {value}",),
            already=now == value,
            seen={self._key: Seen(now)},
        )


class NumberOptions(Options):
    key: str


class Numbers:
    """A metric source: one fresh sample with the key's value, or none where the key has none."""

    def __init__(self, options: NumberOptions, world: World) -> None:
        self.query, self._key, self._world = options.key, options.key, world

    async def now(self) -> Reading:
        value = self._world.value(self._key)
        if value == "broken":
            raise Failed("the source is down")
        return Reading(() if value is None else (Sample(datetime.now(UTC), float(value)),))

    async def past(self, seconds: float, step_seconds: float) -> Reading:
        now = await self.now()
        steps = range(int(seconds // step_seconds), 0, -1)
        return Reading(
            tuple(Sample(s.at - timedelta(seconds=n * step_seconds), s.value) for n in steps for s in now.samples)
        )


class EqualsOptions(Options):
    key: str
    value: str


class Equals:
    def __init__(self, options: EqualsOptions, world: World) -> None:
        self._options, self._world = options, world

    async def run(self) -> Evidence:
        value = self._world.value(self._options.key)
        if value == "hangs":
            await asyncio.Event().wait()
        detail = (f"the world says {value}", f"wanted was {self._options.value}")
        return Evidence("pass" if value == self._options.value else "fail", f"{self._options.key} is {value}", detail)


class UsualOptions(Options):
    key: str


class Usual:
    """The key's value now against the one that was recorded."""

    def __init__(self, options: UsualOptions, world: World) -> None:
        self._key, self._world = options.key, world

    async def run(self) -> Evidence:
        return Evidence("unknown", "the console knows")

    async def compare(self, check_id: str, known: Known) -> Evidence:
        then, now = known.baselines.get(check_id), self._world.value(self._key)
        if then is None:
            return Evidence("unknown", f"no baseline is known; baseline take {check_id}")
        return Evidence("pass" if then.value == now else "fail", f"{now} now, {then.value} then")

    async def measure(self, known: Known) -> Measurement:
        value = self._world.value(self._key)
        if value == "broken":
            raise Failed("the source is down")
        return Measurement(float(value), "s", "as it stood")


class RoomOptions(Options):
    room: str


class Room:
    """A channel: each message is a line of `messages.jsonl`. The trouble of its room befalls every message, or one."""

    longest: int | None = 3000

    def __init__(self, options: RoomOptions, world: World) -> None:
        self.destination, self._room, self._world = f"#{options.room}", options.room, world

    async def send(self, message: Message, permit: Any) -> str:
        assert (permit.step, permit.op) == (message.notice, message.op)
        trouble = self._world.trouble(self._room)
        if trouble == "busy once":
            self._world.change("trouble", self._room, "")
        if trouble.startswith("busy"):
            raise Undelivered("503 from the room", "nothing was delivered", retry=True)
        if trouble == "shut":
            raise Undelivered("404: there is no such room")
        with self._world.path.with_name("messages.jsonl").open("a") as messages:
            messages.write(json.dumps(asdict(message)) + "\n")
        if trouble == "lost":
            raise Unknown("no answer came")
        return "200 ok"


def _kind(name: str, options: type[Options], build: Any, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(KIND=name, Options=options, build=build, **more)


def registry(*channels: Any) -> Registry:
    on_world = {"TARGET_KINDS": ("sim.world",)}
    return Registry(
        {
            "target": [_kind("sim.world", WorldOptions, lambda name, options: World(options.path))],
            "step": [_kind("sim.set", SetOptions, SetStep, **on_world)],
            "source": [_kind("sim.number", NumberOptions, Numbers, **on_world)],
            "check": [
                _kind("sim.equals", EqualsOptions, Equals, **on_world),
                _kind("sim.usual", UsualOptions, Usual, **on_world),
            ],
            "channel": [_kind("sim.room", RoomOptions, Room, **on_world), *channels],
        }
    )


if __name__ == "__main__":
    from console.cli import run

    sys.exit(run(sys.argv[1:], registry()))
