"""Kills servers whose owner died without stopping them. Run as a program, once for each process that starts servers.

It reads `+PID` and `-PID` lines, the process groups that live and that have ended, and when its input ends, which the kernel
sees to however the owner died, it kills the groups that are left. A parent-death signal would not do: it comes when the
*thread* that started the server ends, and only Linux has it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Waits for the end of the input."""
    living: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            living.add(group)
        else:
            living.discard(group)
    for group in living:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
