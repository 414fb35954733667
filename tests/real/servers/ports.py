"""Ports that nobody else gets, for servers that have to be told their port before they start.

Asking the kernel for a free port and closing it again leaves a gap in which another test run, or any outgoing connection,
can take it; and a server that a test stops must find its port free when it starts again. So the ports come from below the
range of outgoing connections, and a locked file holds each one for as long as this process lives.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import IO

RANGE = range(18000, 30000)
_held: list[IO[str]] = []


def reserve() -> int:
    """A port on 127.0.0.1 that is free now and that no other test run takes while this process lives."""
    folder = Path(tempfile.gettempdir()) / f"rollback-console-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for port in random.sample(RANGE, len(RANGE)):
        lock = (folder / str(port)).open("w")
        if _locked(lock) and _free(port):
            _held.append(lock)
            return port
        lock.close()
    raise RuntimeError(f"no free port between {RANGE.start} and {RANGE.stop}")


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
