"""From exec to first paint, against an empty Textual app, in turn, in a pty of 120×40; memory at that moment; keys while loading.

A paint counts when a text of the first screen has arrived on the terminal.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.figures import ratio, row

ROUNDS = 11
EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("first paint")
Empty().run()
"""
PROCEDURE = """
[incident]
title = "QEC-SFT migration"
[target.cluster]
kind = "kubernetes"
kubeconfig = "absent"
[target.metrics]
kind = "prometheus"
url = "http://127.0.0.1:9"
[[trigger]]
id = "latency-p95"
source = "prometheus"
query = "up"
above = 30
[[component]]
id = "dashboard"
[[component.step]]
id = "undo-dashboard"
kind = "kubernetes.rollout_undo"
namespace = "acgs-pgp"
deployment = "acgs-pgp-dashboard"
"""
MANY_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Painted:
    seconds: float
    megabytes: float
    key_seconds: float | None = None  # from a key sent at the first paint to its answer on the screen
    later_key_seconds: float | None = None  # the same key when everything is loaded


class Terminal:
    """A program in a pty of its own, and everything that it has written."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._screen, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.began = time.perf_counter()
        self._process = subprocess.Popen(
            command, stdin=inside, stdout=inside, stderr=inside, env=dict(environment), start_new_session=True
        )
        os.close(inside)
        self._written = b""

    def until(self, text: str, after: int = 0) -> float:
        """Reads until the text has been written behind `after`; the moment (perf_counter) when it was there."""
        wanted = text.encode()
        deadline = time.perf_counter() + MANY_SECONDS
        while wanted not in self._written[after:]:
            if not select.select([self._screen], [], [], max(0, deadline - time.perf_counter()))[0]:
                raise TimeoutError(f"{text!r} was not painted; the screen says {self._written[-600:]!r}")
            self._written += os.read(self._screen, 65_536)
        return time.perf_counter()

    def quiet(self, seconds: float) -> None:
        while select.select([self._screen], [], [], seconds)[0]:
            self._written += os.read(self._screen, 65_536)

    def press(self, key: str, answer: str) -> float:
        """Seconds from the key to its answer on the screen."""
        before, sent = len(self._written), time.perf_counter()
        os.write(self._screen, key.encode())
        return self.until(answer, before) - sent

    @property
    def megabytes(self) -> float:
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024

    @property
    def cpu_seconds(self) -> float:
        """Of the program so far, its threads included."""
        times = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._screen)


def empty(environment: Mapping[str, str]) -> Painted:
    terminal = Terminal([sys.executable, "-c", EMPTY_APP], environment)
    try:
        return Painted(terminal.until("first paint") - terminal.began, terminal.megabytes)
    finally:
        terminal.end()


def console(environment: Mapping[str, str], folder: Path) -> Painted:
    program = str(Path(sys.executable).with_name("rollback-console"))
    command = [program, "-c", str(folder / "procedure.toml"), "--journal", str(folder / "paint.journal")]
    terminal = Terminal(command, environment)
    try:
        seconds, megabytes = terminal.until("Communication") - terminal.began, terminal.megabytes
        key = terminal.press("3", "Checklist")
        terminal.quiet(1.5)
        return Painted(seconds, megabytes, key, terminal.press("4", "Communication"))
    finally:
        terminal.end()


def main() -> None:
    print("exec to first paint, 120×40, in turn with an empty Textual app")
    environment = {**os.environ, "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none", "COLORTERM": "truecolor"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment["XDG_STATE_HOME"] = name
        (folder / "procedure.toml").write_text(PROCEDURE)
        pairs = [(empty(environment), console(environment, folder)) for _ in range(ROUNDS + 1)][1:]
    ours, theirs = [c for _, c in pairs], [e for e, _ in pairs]
    row("empty Textual app, exec to first paint", [e.seconds for e in theirs])
    row("rollback-console, exec to first paint", [c.seconds for c in ours])
    ratio("rollback-console / empty app", [c.seconds for c in ours], [e.seconds for e in theirs], aim=1.4)
    row("empty Textual app, resident memory at first paint", [e.megabytes for e in theirs], "MB")
    row("rollback-console, resident memory at first paint (aim ≤ 60)", [c.megabytes for c in ours], "MB")
    row("a key (another panel) at first paint, while everything loads", [c.key_seconds or 0 for c in ours])
    row("such a key when everything is loaded", [c.later_key_seconds or 0 for c in ours])
