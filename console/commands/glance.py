"""A glance at the configuration file with nothing but the standard library: is it there, is it TOML, what is its title?"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any


def document_of(path: Path) -> dict[str, Any]:
    """The file as TOML, light. What is wrong with it is told in full by the configuration's own reader."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        from console.config import ConfigErrors, load
        from console.kinds import Registry

        load(path, Registry())
        raise ConfigErrors([]) from None  # it was put right between the two readings
