"""Something that only a person can say, with a name and a reason: trigger source `attestation`. Kept in the journal."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from console.config.options import Options as TableOptions

KIND: Final = "attestation"
JUDGED: Final = "attestation"
HAS_THRESHOLD: Final = False
TARGET_KINDS: Final[tuple[str, ...]] = ()


class Options(TableOptions):
    """A person's word; it fires from when it is given until it is withdrawn."""

    instruction: Annotated[str, Field(max_length=2000)] = ""
    """What has to be so for somebody to give their word."""
