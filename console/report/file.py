"""A report on disk: the whole of it or nothing, for its owner alone, and never over a file that somebody may miss."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from console.domain.errors import Refused


def save(path: Path, text: str, *, force: bool = False) -> None:
    """Raises Refused where a file is there already (but for `force`), and where it can't be written."""
    try:
        if path.is_dir():
            raise Refused(f"{path} is a folder", "name a file in it")
        if path.exists() and not force:
            raise Refused(f"{path} is there already", "name another file, or overwrite it with --force")
        _write(path, text)
    except OSError as error:
        raise Refused(
            f"the report can't be written to {path}: {error.strerror}", "name another place with -o"
        ) from None


def _write(path: Path, text: str) -> None:
    """Beside its place first: whoever looks there sees the old file or the new one, never a half."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.")  # 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
