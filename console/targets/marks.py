"""Which programs still run, also after the console that started them has died. `command.run` asks before anything else."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import IO


class Marks:
    """A folder of locked files, one for each program that runs.

    A program keeps open a file that was locked before it was started: the lock goes when the program ends, and not before
    (flock(2): it belongs to the open file, which children inherit). So whoever comes later can tell "ended" from "under way",
    and never starts it beside itself. Good on one machine, which is why a mark carries its host's name.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or _state() / "running"

    @contextlib.contextmanager
    def held(self, token: str) -> Iterator[IO[bytes]]:
        """A locked file for one run, to be given to `run`; gone when the block ends."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(token)
        with path.open("ab", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield file
            finally:
                path.unlink(missing_ok=True)

    def running(self, token: str) -> int | None:
        """The process group that holds the mark, 0 when it isn't known yet; None when nothing does."""
        try:
            with self._path(token).open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    text = file.read(20)
                    return int(text) if text.isdigit() else 0
        except FileNotFoundError:
            pass
        return None

    def _path(self, token: str) -> Path:
        return self._folder / f"{token}.lock"


def host() -> str:
    return socket.gethostname()


def _state() -> Path:
    home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(home) if home.startswith("/") else Path.home() / ".local" / "state"
    return base / "rollback-console"
