"""The right to cause effects, one process at a time: a lock on a file beside the journal, freed by the process's death."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.domain.errors import Refused


class FileLease:
    """Counted inside this process, so that components may run side by side under one lease."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._guard = threading.Lock()
        self._holders = 0
        self._descriptor = -1

    @contextmanager
    def acquire(self) -> Iterator[None]:
        with self._guard:
            if self._holders == 0:
                self._descriptor = self._lock()
            self._holders += 1
        try:
            yield
        finally:
            with self._guard:
                self._holders -= 1
                if self._holders == 0:
                    os.close(self._descriptor)

    def _lock(self) -> int:
        descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip()
            os.close(descriptor)
            raise Refused(
                f"another console is carrying something out just now (process {holder or 'unknown'})",
                "wait until it has ended; status shows how far it is",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        return descriptor
