"""A change of refs as the vault keeps it: what was, and what is to be. The same for going back and for taking back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from console.engine.ports import Json
from console.targets.git.names import SHORT, plain

Where = Literal["old", "new", "neither"]


@dataclass(frozen=True, slots=True)
class Move:
    """A ref from one commit to another; None: it isn't there."""

    ref: str
    before: str | None
    after: str | None

    def where(self, now: str | None) -> Where:
        return "new" if now == self.after else "old" if now == self.before else "neither"

    def told(self, now: str | None) -> str:
        """Where it is; both sides too unless it is where it is to be."""
        where = f"{plain(self.ref)} is {at(now)}"
        return where if now == self.after else f"{where} (was {at(self.before)}, to be {at(self.after)})"


@dataclass(frozen=True, slots=True)
class Clone:
    """A working clone that goes along: the branch that it has checked out, and the refs that keep what leaves it."""

    path: str
    branch: Move
    kept: Move | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """`moves` go to the remote in one atomic push; the first one is the branch's. `tip`: where the branch is without any."""

    moves: tuple[Move, ...] = ()
    clone: Clone | None = None
    tip: str | None = None

    def to_json(self) -> Json:
        return {**asdict(self), "moves": [asdict(move) for move in self.moves]}

    @classmethod
    def from_json(cls, goal: Json) -> Goal:
        moves = tuple(Move(**move) for move in goal["moves"])
        if (clone := goal["clone"]) is None:
            return cls(moves, tip=goal["tip"])
        kept = Move(**clone["kept"]) if clone["kept"] else None
        return cls(moves, Clone(clone["path"], Move(**clone["branch"]), kept), goal["tip"])

    def standing(self, refs: Mapping[str, str]) -> set[Where]:
        return {move.where(refs.get(move.ref)) for move in self.moves}


def at(sha: str | None) -> str:
    return f"at {sha[:SHORT]}" if sha else "not there"
