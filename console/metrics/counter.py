"""Something that people count as they hear of it, complaints as a rule: trigger source `counter`. Kept in the journal."""

from __future__ import annotations

from typing import Final

from console.config.options import Options as TableOptions
from console.config.options import PositiveDuration

KIND: Final = "counter"
JUDGED: Final = "counter"
WINDOW_HINT: Final = 'write window = "5m"'
TARGET_KINDS: Final[tuple[str, ...]] = ()


class Options(TableOptions):
    """A count kept by people; it fires while more than the threshold fall within the window."""

    window_seconds: PositiveDuration = 3600.0
    """How long something counts."""
