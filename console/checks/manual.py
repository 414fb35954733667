"""Something that only a person can know: check kind `manual`. It is never run to an answer, only signed."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from console.config.options import Options as TableOptions
from console.engine.ports import Check, Evidence

KIND: Final = "manual"
TARGET_KINDS: Final[tuple[str, ...]] = ()


class Options(TableOptions):
    """A check that a person signs."""

    instruction: Annotated[str, Field(max_length=2000)] = ""
    """What to look at, and what must be so."""


class Manual:
    def __init__(self, options: Options) -> None:
        self.instruction = options.instruction.strip()

    async def run(self) -> Evidence:
        words = "to be signed by a person"
        return Evidence("unknown", f"{words}: {self.instruction}" if self.instruction else words)


def build(options: Options, target: None = None) -> Check:
    del target  # it takes none
    return Manual(options)
