"""The real program as its users start it: a process of its own, with a clean environment, a journal, and a deadline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAM = Path(sys.executable).with_name("rollback-console")
DEADLINE_SECONDS = 60.0
_KEPT = ("PATH", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended, and all that it said."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def lines(self) -> list[Any]:
        """Its output under --json: one document a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        """The last document of its output under --json."""
        return self.lines[-1]


@dataclass(frozen=True)
class Console:
    """One procedure and one journal, from the command line."""

    procedure: Path
    journal: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def beside(cls, procedure: Path, **environment: str) -> Console:
        """With a journal of its own in a folder beside the procedure."""
        return cls(procedure, procedure.parent / "record" / "journal.sqlite", environment)

    @property
    def vault(self) -> Path:
        return self.journal.with_name(self.journal.name + ".vault")

    @property
    def common(self) -> list[str]:
        """The arguments of every call; taken behind the command's name too."""
        return ["-c", str(self.procedure), "--journal", str(self.journal), "--actor", "ada"]

    @property
    def environ(self) -> dict[str, str]:
        """What the program finds around it, and nothing else of this machine's."""
        home = str(self.procedure.parent)
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return {**kept, "HOME": home, "LANG": "C.UTF-8", "TERM": "xterm-256color", "USER": "ada", **self.environment}

    def run(self, *arguments: str, seconds: float = DEADLINE_SECONDS) -> Ended:
        """Runs a command to its end; a failed test, with what it said, when it does not end in time."""
        try:
            done = subprocess.run(
                [PROGRAM, *self.common, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=self.environ,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise AssertionError(
                f"not within {seconds} s: {arguments}\n{_text(late.stdout)}{_text(late.stderr)}"
            ) from None
        return Ended(done.returncode, _text(done.stdout), _text(done.stderr))

    def done(self, *arguments: str, seconds: float = DEADLINE_SECONDS) -> Ended:
        """The same for what must succeed."""
        ended = self.run(*arguments, seconds=seconds)
        assert ended.code == 0, f"{arguments} ended with {ended.code}\n{ended.said}"
        return ended

    def declare(self) -> None:
        self.done("declare", "--reason", "p95 is at 34 s")

    def status(self) -> Any:
        """`status --json`, without asking the metric sources."""
        return self.done("--json", "status", "--offline").document

    def component(self, component: str) -> Any:
        return next(c for c in self.status()["components"] if c["id"] == component)

    def events(self) -> list[str]:
        """The types of the journal's events, in order."""
        return [one["event"] for one in self.done("--json", "journal", "show").lines]

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """The program at work in the background, in a session of its own; killed at the end if it still lives."""
        process = subprocess.Popen(
            [PROGRAM, *self.common, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environ,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def ended(process: subprocess.Popen[bytes], seconds: float = DEADLINE_SECONDS) -> Ended:
    """Waits for a started program and takes what it said."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {seconds} s\n{_text(out)}{_text(err)}") from None
    return Ended(process.returncode, _text(out), _text(err))


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")
