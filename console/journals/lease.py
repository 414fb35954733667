"""The right to cause effects, one process at a time: a lock on a file beside the journal, freed by the process's death."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from console.domain.errors import Refused

_LOOKED_AT_SECONDS = 0.1  # somebody who only looks (`held`) has the lock for a moment; whoever works has it for longer


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

    def held(self) -> bool:
        with self._guard:
            if self._holders:
                return True
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def _lock(self) -> int:
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Refused(f"the lease {self._path} can't be taken: {error.strerror}", "nothing was done") from None
        try:
            _lock_within(descriptor, _LOOKED_AT_SECONDS)
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


def _lock_within(descriptor: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(seconds / 20)
        else:
            return
