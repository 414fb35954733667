"""The exit codes, stated once."""

from __future__ import annotations

from typing import Final

DONE: Final = 0
FAILED: Final = 1
"""A check failed or a step failed."""
USAGE: Final = 2
"""The command line or the configuration is wrong."""
UNKNOWN: Final = 3
"""An outcome that nobody knows: a person has to look."""
REFUSED: Final = 4
"""Confirmation, epoch, drift or a gate stood in the way, or a person's turn has come."""
CANCELLED: Final = 130
