"""`manual`: something that only a person can do. The console shows the instruction and waits for a signature with a note."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from console.config.options import Options as TableOptions
from console.domain.errors import Refused
from console.engine.ports import Change, Description, Finding, Json, Probe, Progress, Proof, Receipt

if TYPE_CHECKING:
    from console.engine.gateway import Permit

KIND = "manual"
TARGET_KINDS: tuple[str, ...] = ()

_SIGNATURE = "a person carries this out; sign it when it is done"


class Options(TableOptions):
    """What the person is to do, and how it is taken back."""

    instruction: Annotated[str, Field(min_length=1, max_length=2000)]
    """What to do, in words that hold at 3 a.m."""
    undo: str = ""
    """How to take it back when the component is rolled forward; left out: the same words are shown again."""
    assignee: str = ""
    """Who is asked to do it."""


class ManualStep:
    irreversible: str | None = None

    def __init__(self, step_id: str, options: Options) -> None:
        self._id = step_id
        self._options = options

    def describe(self) -> Description:
        who = f" ({self._options.assignee})" if self._options.assignee else ""
        return Description(f"by hand{who}: {self._options.instruction}")

    async def preflight(self) -> Sequence[Finding]:
        return [Finding("info", _SIGNATURE, "manual")]

    async def plan(self, pin: Json = None) -> Change:  # noqa: ARG002 - nothing to pin
        return self._change(self._options.instruction)

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:  # noqa: ARG002 - a person remembers
        return self._change(self._options.undo or f"take back: {self._options.instruction}")

    async def capture(self, change: Change) -> Json:
        return {"instruction": change.summary}

    async def apply(self, goal: Json, permit: Permit) -> Receipt:  # noqa: ARG002 - the port's signature
        raise Refused(f"step {self._id} is carried out by a person", "sign it when it is done")

    async def probe(self, goal: Json) -> Probe:  # noqa: ARG002 - the port's signature
        return Probe("unknown", "only the person who did it can tell")

    async def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:  # noqa: ARG002 - the port's signature
        yield Progress(_SIGNATURE)
        raise Refused(f"step {self._id} is proven by a signature", "sign it when it is done")

    def _change(self, words: str) -> Change:
        return Change(
            summary=words, identity={"manual": self._id, "words": words}, goal={"words": words}, lines=(f"  {words}",)
        )


def build(step_id: str, options: Options, target: None = None) -> ManualStep:  # noqa: ARG001 - kinds are built alike
    return ManualStep(step_id, options)
