"""Kills programs and removes folders whose owner died without doing so. Run as a file, once for each process that has some.

It reads `+PID` and `-PID` lines, the process groups that live and that have ended, and `/folder` lines; when its input ends,
which the kernel sees to however the owner died, it kills the groups that are left and removes the folders. A parent-death
signal would not do: only Linux has it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys


def main() -> None:
    """Waits for the end of the input. A Ctrl-C meant for the console is none of its business: it has a session of its own."""
    living: set[int] = set()
    folders: list[str] = []
    for line in sys.stdin:
        if line[0] == "/":
            folders.append(line.rstrip("\n"))
        elif line[0] == "+":
            living.add(int(line[1:]))
        else:
            living.discard(int(line[1:]))
    for group in living:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
