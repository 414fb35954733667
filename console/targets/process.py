"""Programs of this machine: an argument list and never a shell, no terminal, a time limit, bounded output, ended as a group.

`command.run` runs what the file names, `git/` runs git. A program gets a session of its own: it can't ask on the terminal that
the screen is drawn on, a Ctrl-C meant for the console doesn't reach it, and it can be ended with all that it started. Waiting
happens in a daemon thread, so that nobody who leaves has to wait for it, but for the moment in which it is being ended.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import errno
import os
import selectors
import shutil
import signal
import subprocess
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, TypeAlias

from console.targets.text import clean

KEPT_BYTES: Final = 8 * 1024
"""Of each end of a program's output: its first words say what it does, its last ones why it stopped."""
GRACE_SECONDS: Final = 2.0
"""Between asking a group to end and ending it: time to remove a lock file."""
_LOOK_SECONDS: Final = 0.05
_DRAIN_SECONDS: Final = 0.5

Redact: TypeAlias = Callable[[str], str]


class NotStarted(Exception):
    """The program was never started: nothing happened. Says why."""


class Kept:
    """The first and the last bytes of a stream; what was in between is only counted."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def add(self, chunk: bytes) -> None:
        self.total += len(chunk)
        room = self._limit - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[max(room, 0) :]
        del self._tail[: -self._limit]

    @property
    def left_out(self) -> int:
        return self.total - len(self._head) - len(self._tail)

    @property
    def raw(self) -> bytes:
        return bytes(self._head + self._tail)

    def text(self, redact: Redact = str) -> str:
        """The output, harmless to a terminal and without secrets. At the cut only whole lines: half a secret is one too."""
        limit = 2 * self._limit
        if not self.left_out:
            return _shown(self.raw, redact, limit)
        head, tail = bytes(self._head[: self._head.rfind(b"\n") + 1]), bytes(self._tail).partition(b"\n")[2]
        left_out = self.total - len(head) - len(tail)
        parts = (_shown(head, redact, limit), f"… {left_out:,} bytes left out …", _shown(tail, redact, limit))
        return "\n".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended. `code` is None when it was ended by us, its time being up; negative is a signal's number."""

    code: int | None
    stdout: Kept
    stderr: Kept
    seconds: float
    left_behind: bool = False
    """It ended by itself, and something that it started goes on."""

    @property
    def words(self) -> str:
        """`exit 3 in 1.2 s`, `killed by SIGSEGV after 0.1 s`, `still running after 60.0 s, so it was ended`."""
        if self.code is None:
            return f"still running after {self.seconds:.1f} s, so it was ended"
        if self.code < 0:
            return f"killed by {_signal_name(-self.code)} after {self.seconds:.1f} s"
        return f"exit {self.code} in {self.seconds:.1f} s"


async def run(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    merged: bool = False,
    keep_bytes: int = KEPT_BYTES,
    held: IO[bytes] | None = None,
) -> Ended:
    """Runs a program to its end. Raises NotStarted. Cancelling ends it; `merged` puts its errors where it wrote them.

    `env` is the whole environment, this process's own when left out; `held` a file that it keeps open (see `marks.py`).
    """
    work = _Work(argv, timeout_seconds, env, cwd, merged=merged, keep_bytes=keep_bytes, held=held)
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Ended] = loop.create_future()

    def settle(result: Ended | BaseException) -> None:
        if future.done():
            return
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)

    def follow() -> None:
        try:
            result: Ended | BaseException = work.run()
        except BaseException as error:  # noqa: BLE001 -- it is raised again where it is awaited
            result = error
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(settle, result)

    thread = threading.Thread(target=follow, name=f"program {argv[0]}", daemon=True)
    thread.start()
    try:
        return await future
    finally:
        _being_ended.add(thread)
        work.stop.set()


_being_ended: Final[weakref.WeakSet[threading.Thread]] = weakref.WeakSet()


@atexit.register
def _see_them_end() -> None:
    """What nobody waits for any more is ended by its thread, which must not end with this process before it has."""
    deadline = time.monotonic() + GRACE_SECONDS + 1
    for thread in list(_being_ended):
        thread.join(max(0.0, deadline - time.monotonic()))


class _Work:
    """One run, in a thread. `stop` makes it end the program."""

    def __init__(
        self,
        argv: Sequence[str],
        timeout_seconds: float,
        env: Mapping[str, str] | None,
        cwd: Path | None,
        *,
        merged: bool,
        keep_bytes: int,
        held: IO[bytes] | None,
    ) -> None:
        self.stop = threading.Event()
        self._argv = list(argv)
        self._timeout_seconds = timeout_seconds
        self._env = env
        self._cwd = cwd
        self._merged = merged
        self._held = held
        self._out = Kept(keep_bytes)
        self._err = Kept(keep_bytes)

    def run(self) -> Ended:
        started = time.monotonic()
        process = self._start()
        try:
            in_time = self._follow(process, started + self._timeout_seconds)
        finally:
            _close(process)
        seconds = time.monotonic() - started
        if not in_time:
            return Ended(None, self._out, self._err, seconds)
        return Ended(process.returncode, self._out, self._err, seconds, left_behind=_group_lives(process.pid))

    def _start(self) -> subprocess.Popen[bytes]:
        try:
            process = subprocess.Popen(  # noqa: S603 -- an argument list, no shell
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if self._merged else subprocess.PIPE,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
                pass_fds=(self._held.fileno(),) if self._held else (),
            )
        except (OSError, ValueError) as error:
            raise NotStarted(_why_not(error, self._argv[0], self._cwd)) from None
        if self._held:
            self._held.write(b"%d" % process.pid)
            self._held.close()  # from here on it is the program's alone
        return process

    def _follow(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        """Reads until the program ends; False when it had to be ended."""
        with selectors.DefaultSelector() as selector:
            for stream, kept in ((process.stdout, self._out), (process.stderr, self._err)):
                if stream is not None:
                    selector.register(stream, selectors.EVENT_READ, kept)
            in_time = self._until(process, selector, deadline)
            if not in_time:
                _signal_group(process, signal.SIGTERM)
                self.stop.clear()
                self._until(process, selector, time.monotonic() + GRACE_SECONDS)
                _signal_group(process, signal.SIGKILL)
                process.wait()
            drained = time.monotonic() + _DRAIN_SECONDS
            while selector.get_map() and time.monotonic() < drained and _read_ready(selector, 0):
                pass
        return in_time

    def _until(self, process: subprocess.Popen[bytes], selector: selectors.BaseSelector, deadline: float) -> bool:
        while process.poll() is None:
            if self.stop.is_set() or time.monotonic() > deadline:
                return False
            if selector.get_map():
                _read_ready(selector, _LOOK_SECONDS)
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_LOOK_SECONDS)
        return True


def _read_ready(selector: selectors.BaseSelector, seconds: float) -> bool:
    """Reads what is there; False when there was nothing."""
    ready = selector.select(seconds)
    for key, _ in ready:
        chunk = os.read(key.fd, 65_536)
        if chunk:
            key.data.add(chunk)
        else:
            selector.unregister(key.fileobj)
    return bool(ready)


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # all of it has ended
        os.killpg(process.pid, number)


def _group_lives(group: int) -> bool:
    """Whether something of the group goes on; what ends with its parent is given a moment."""
    for pause in (0.0, _LOOK_SECONDS):
        time.sleep(pause)
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return False
    return True


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _shown(raw: bytes, redact: Redact, limit: int) -> str:
    # Twice: a secret may hold what cleaning removes, and may be hidden by what it removes.
    return redact(clean(redact(raw.decode("utf-8", "replace")), limit)).strip("\n")


def _why_not(error: Exception, program: str, cwd: Path | None) -> str:
    if not isinstance(error, OSError):
        return "an argument that no program can be given (a zero byte)"
    if cwd is not None and not cwd.is_dir():
        return f"there is no folder {cwd}"
    if error.errno == errno.ENOENT:
        there = "/" in program and ((cwd or Path()) / program).is_file()
        return f"{program} names an interpreter that is not there" if there else f"there is no program {program}"
    if error.errno == errno.ENOEXEC:
        return f"{program} is no program: does its first line begin with #! ?"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{program} may not be run by this user"
    return f"{program} can't be started: {(error.strerror or type(error).__name__).lower()}"


def find_program(name: str, cwd: Path, env: Mapping[str, str]) -> Path | None:
    """The file that would be run: by `cwd` where the name has a slash, else by PATH. None when there is none to run."""
    if "/" in name:
        path = cwd / name
        return path if path.is_file() and os.access(path, os.X_OK) else None
    found = shutil.which(name, path=env.get("PATH"))
    return Path(found) if found else None
