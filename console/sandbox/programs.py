"""Programs that the drill starts (PostgreSQL): in a process group of their own, their output in a file, never left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

_STOP_SECONDS: Final = 10.0


class Guard:
    """The process that kills what this one leaves behind; see `guard.py`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def program(self, sign: str, group: int) -> None:
        """`+` it lives, `-` it has ended."""
        self._tell(f"{sign}{group}")

    def folder(self, path: Path) -> None:
        """To be removed at the end, whoever ends how."""
        self._tell(str(path))

    def _tell(self, line: str) -> None:
        if self._process is None:
            self._process = subprocess.Popen(  # noqa: S603 -- this interpreter, a file of this package
                [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()

    def close(self) -> None:
        """Waits until all is gone."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait()
            self._process = None


class Program:
    """One program. `stop_signal` is how it is asked to end; after a while it is killed."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        guard: Guard,
        *,
        environment: Mapping[str, str] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._argv = list(argv)
        self._log = log
        self._guard = guard
        self._environment = {"PATH": os.environ.get("PATH", os.defpath), **(environment or {})}
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        if self.running:
            return
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 -- an argument list of the drill's own
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                cwd=self._log.parent,
                start_new_session=True,
            )
        self._guard.program("+", self._process.pid)

    def stop(self) -> None:
        """Blocks until it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._guard.program("-", process.pid)

    def last_words(self) -> str:
        """The end of what it said."""
        try:
            return self._log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
        except OSError:
            return ""
