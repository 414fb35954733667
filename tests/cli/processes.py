"""The command line in a process of its own, on simulated kinds: what signals, broken pipes and sudden death do."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 40.0
_PAUSE_SECONDS = 0.02


def until(what: str, holds: Callable[[], bool]) -> None:
    """Waits for something that another process does."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"still waiting: {what}"
        time.sleep(_PAUSE_SECONDS)


def start(
    folder: Path, *arguments: str, program: str = "tests.cli.simulated", **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _command(folder, arguments, program),
        cwd=folder,
        env={**_environment(folder), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Terminal:
    """The command in a terminal of 120×40. `read` must go on, or the terminal stalls."""

    def __init__(self, folder: Path, program: str = "tests.cli.simulated") -> None:
        self.seen = b""
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            command = _command(folder, (), program)
            os.chdir(folder)
            environment = {**_environment(folder), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
            os.execve(command[0], command, environment)  # noqa: S606 - the forked child becomes the console

    def until_shown(self, text: str) -> None:
        until(f"{text!r} on the screen", lambda: self.read() and text.encode() in self.seen)

    def until_ended(self) -> int:
        status: list[int] = []

        def ended() -> bool:
            self.read()
            pid, code = os.waitpid(self.pid, os.WNOHANG)
            status.extend([code] if pid else [])
            return bool(pid)

        until("its end", ended)
        return os.waitstatus_to_exitcode(status[0])

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def vanish(self) -> None:
        """As when the window is closed: the terminal is gone and its session is told."""
        os.close(self._master)
        self._master = -1

    def read(self) -> bool:
        """Takes what was written so far; always true, so that it can stand in a condition."""
        while self._master >= 0 and select.select([self._master], [], [], 0)[0]:
            try:
                self.seen += os.read(self._master, 65_536)
            except OSError:  # the other end is closed
                break
        return True


def _command(folder: Path, arguments: Sequence[str], program: str = "tests.cli.simulated") -> list[str]:
    config = folder / "procedure.toml"
    return [sys.executable, "-m", program, "-c", str(config), "--as", "alice", *arguments]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
