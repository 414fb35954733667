"""One server process: started, waited for, stopped, killed, paused; and never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

import httpx

POLL_SECONDS = 0.02


class ServerFailed(Exception):
    """A server ended or never became ready; carries the tail of its log."""


class DeadlineMissed(AssertionError):
    """Something that a test waited for did not happen in time."""


def poll(what: str, condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Waits until the condition holds; whatever it raises counts as not yet, and is shown when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
            last: BaseException | None = None
        except Exception as error:  # noqa: BLE001 - a server that is not up yet fails in many ways
            last = error
        if time.monotonic() > deadline:
            raise DeadlineMissed(f"not within {seconds} s: {what}") from last
        time.sleep(POLL_SECONDS)


def answers(url: str, verify: object = True) -> Callable[[], bool]:
    """A readiness probe: the URL answers 200."""
    client = httpx.Client(verify=verify, trust_env=False, timeout=2)  # type: ignore[arg-type] # an SSLContext or a flag
    return lambda: client.get(url).status_code == httpx.codes.OK


class ServerProcess:
    """A program in a process group of its own, with its output in a log file and a probe that tells when it serves."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        log: Path,
        ready: Callable[[], bool],
        *,
        environment: Mapping[str, str] | None = None,
        ready_seconds: float = 60,
        stop_seconds: float = 15,
    ) -> None:
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log = log
        self._ready = ready
        self._ready_seconds = ready_seconds
        self._stop_seconds = stop_seconds
        self._environment = {"PATH": os.environ.get("PATH", os.defpath), **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self.launched_at = 0.0
        """When it was last started, on the monotonic clock."""

    @property
    def running(self) -> bool:
        """Whether the process lives (it may be paused)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process, which leads its group."""
        assert self._process is not None, f"{self.name} is not running"
        return self._process.pid

    def start(self) -> None:
        """Starts it and waits until it serves; nothing to do when it runs already."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Starts it without waiting, so that several can come up side by side."""
        if self.running:
            return
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                cwd=self.log.parent,
                start_new_session=True,
            )
        _guard.add(self._process.pid)
        self.launched_at = time.monotonic()

    def wait_ready(self) -> None:
        """Waits until the probe holds; ServerFailed with the log's tail when the process ends first or takes too long."""
        try:
            poll(f"{self.name} is ready", self._ready_or_ended, seconds=self._ready_seconds)
        except DeadlineMissed as missed:
            raise ServerFailed(f"{missed}\n{self.log_tail()}") from missed
        if not self.running:
            raise ServerFailed(f"{self.name} ended before it was ready\n{self.log_tail()}")

    def stop(self) -> None:
        """Asks it to end and waits; kills it when it does not end in its time."""
        if self.running:
            self.resume()
            self._signal(signal.SIGTERM)
            assert self._process is not None
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._stop_seconds)
        self.kill()

    def kill(self) -> None:
        """Ends its whole process group at once and waits for it."""
        if self._process is None:
            return
        self._signal(signal.SIGKILL)
        self._process.wait()
        _guard.remove(self._process.pid)
        self._process = None

    def restart(self) -> None:
        """Stops and starts it, on the same port and data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freezes it: connections are accepted by the kernel and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused one go on."""
        self._signal(signal.SIGCONT)

    def log_tail(self, lines: int = 30) -> str:
        """The end of the log, under a line that says whose it is."""
        tail = self.log.read_text(errors="replace").splitlines()[-lines:] if self.log.exists() else ["no log"]
        return "\n".join([f"--- the end of {self.log} ---", *tail])

    def _ready_or_ended(self) -> bool:
        return not self.running or self._ready()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class _Guard:
    """This process's end of `guard.py`, started with the first server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: IO[bytes] | None = None

    def add(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._lines is None:
                self._lines = self._start()
            self._lines.write(line.encode())

    @staticmethod
    def _start() -> IO[bytes]:
        program = Path(__file__).with_name("guard.py")
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", program], stdin=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        assert process.stdin is not None
        return process.stdin


_guard = _Guard()
