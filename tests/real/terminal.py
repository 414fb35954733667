"""A person's terminal: the console in a real tmux of its own, keys in, screens out, every wait with a deadline.

No test sleeps: it waits for what the screen says, and when that does not come in time, shows the screen as it was.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import secrets
import select
import shlex
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NoReturn, Self

import pytest

from tests.real.program import PROGRAM, Console

REQUIRED = os.environ.get("ROLLBACK_CONSOLE_REQUIRE_REAL") == "1"
SCREEN_SECONDS = 30.0
_LOOK_SECONDS = 0.05
WINDOW = "war room"
"""How the window of every terminal here is called, until the program calls it otherwise."""


def need_tmux() -> None:
    """Skips where there is no tmux, with one clear line; fails where the real things are required."""
    if shutil.which("tmux") is None:
        if REQUIRED:
            pytest.fail("tmux is not installed", pytrace=False)
        pytest.skip("tmux is not installed")


class Terminal:
    """The console's screen in a tmux server of its own, on a socket that nobody else uses."""

    def __init__(
        self,
        console: Console,
        width: int = 120,
        height: int = 40,
        *arguments: str,
        program: Sequence[str] = (str(PROGRAM),),
    ) -> None:
        need_tmux()
        # A socket's path must be short, whatever folder the tests have been given.
        self._sockets = tempfile.TemporaryDirectory(prefix="rc-", dir="/tmp")
        self._socket = f"rollback-console-{secrets.token_hex(4)}"
        self._environ = {**console.environ, "TMUX_TMPDIR": self._sockets.name}
        command = shlex.join([*program, *console.common, *arguments])
        self._ended = Path(self._sockets.name) / "exit-code"
        # The shell stays, so that what is left on the normal screen can be read; the code goes into a file.
        shell = f"{command}; echo $? > {self._ended}; exec cat"
        self._raw = Path(self._sockets.name) / "raw"
        size = ("-x", str(width), "-y", str(height))
        pipe = ("pipe-pane", f"exec cat > {self._raw}")
        named = ("-n", WINDOW)  # tmux leaves it to the person whether a program may name a window
        renamed = ("set-option", "-g", "allow-rename", "on")
        self._tmux("-f", "/dev/null", "new-session", "-d", *named, *size, shell, ";", *pipe, ";", *renamed)
        self.pid = self._child_of_the_pane()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill_tmux()
        if not gone(self.pid):
            os.kill(self.pid, signal.SIGKILL)
        self._sockets.cleanup()

    # ------------------------------------------------------------ looking

    @property
    def screen(self) -> str:
        """What a person sees now, as lines of text."""
        return self._tmux("capture-pane", "-p")

    @property
    def raw(self) -> bytes:
        """All that the program has written to its terminal, byte by byte, before tmux made a picture of it."""
        return self._raw.read_bytes()

    @property
    def window(self) -> str:
        """How the window is called."""
        return self._tmux("display-message", "-p", "#{window_name}").strip()

    def wait_window(self, name: str, seconds: float = SCREEN_SECONDS) -> None:
        self.wait_until(f"the window is called {name}", lambda _: self.window == name, seconds)

    def wait_gone(self, seconds: float = SCREEN_SECONDS) -> None:
        """Waits for the program's end once its terminal is closed."""
        deadline = time.monotonic() + seconds
        while not gone(self.pid):
            assert time.monotonic() < deadline, f"the program still runs {seconds} s after its terminal was closed"
            time.sleep(_LOOK_SECONDS)

    def wait(self, *wanted: str, seconds: float = SCREEN_SECONDS) -> str:
        """Waits until the screen shows each of these regular expressions; the screen that does."""
        return self.wait_until(
            f"the screen shows {wanted}", lambda screen: all(re.search(one, screen) for one in wanted), seconds
        )

    def wait_without(self, unwanted: str, seconds: float = SCREEN_SECONDS) -> str:
        """Waits until the screen no longer shows this regular expression."""
        return self.wait_until(
            f"the screen no longer shows {unwanted}", lambda screen: not re.search(unwanted, screen), seconds
        )

    def wait_until(self, what: str, condition: Callable[[str], object], seconds: float = SCREEN_SECONDS) -> str:
        deadline = time.monotonic() + seconds
        while True:
            screen = self.screen
            if condition(screen):
                return screen
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}\n{_framed(screen)}"
            time.sleep(_LOOK_SECONDS)

    # ------------------------------------------------------------ acting

    def press(self, *keys: str) -> None:
        """Presses keys by tmux's names: n, Enter, Escape, Down, C-r."""
        self._tmux("send-keys", *keys)

    def type(self, text: str) -> None:
        """Types the text and Enter, faster than anybody can."""
        self._tmux("send-keys", "-l", text, ";", "send-keys", "Enter")

    def kill_tmux(self) -> None:
        """Closes the terminal for good, as a reboot of its machine's would."""
        self._tmux("kill-server", check=False)

    def exit_code(self, seconds: float = SCREEN_SECONDS) -> int:
        """Waits for the program's end in the living terminal."""
        self.wait_until("the program has ended", lambda _: self._ended.exists() and self._ended.read_text(), seconds)
        return int(self._ended.read_text())

    # ------------------------------------------------------------ inside

    def _tmux(self, *arguments: str, check: bool = True) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=self._environ, check=False, timeout=30)
        assert done.returncode == 0 or not check, f"{arguments}: {done.stderr}"
        return done.stdout

    def _child_of_the_pane(self) -> int:
        """The program's own process: the shell of the pane has no other child."""
        shell = self._tmux("display-message", "-p", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children")
        deadline = time.monotonic() + SCREEN_SECONDS
        while not (found := children.read_text().split()):
            assert time.monotonic() < deadline, f"the program did not start\n{_framed(self.screen)}"
            time.sleep(_LOOK_SECONDS)
        return int(found[0])


class BarePty:
    """The program on a pseudo-terminal and nothing else, whose other end can be closed."""

    def __init__(self, console: Console, *arguments: str, width: int = 120, height: int = 40) -> None:
        pid, self._end = pty.fork()
        if pid == 0:
            _become([str(PROGRAM), *console.common, *arguments], console.environ)
        self.pid = pid
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        self._closing = threading.Event()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()
        self._reaper = threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True)
        self._reaper.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._reaper.join(10)

    def close(self) -> None:
        """Closes the terminal's end: the program is hung up on."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._reader.join(10)
        os.close(self._end)

    def _drain(self) -> None:
        """Reads what the program writes, so that it never has to wait."""
        while not self._closing.is_set():
            readable, _, _ = select.select([self._end], [], [], _LOOK_SECONDS)
            try:
                os.read(self._end, 65_536) if readable else b""
            except OSError:  # the program has ended
                return


def _become(command: list[str], environment: dict[str, str]) -> NoReturn:
    try:
        os.execve(command[0], command, environment)  # noqa: S606 - there is nothing for a shell to do
    finally:
        os._exit(127)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody reaps stays in the table as a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def _framed(screen: str) -> str:
    return "\n".join(f"│{line}" for line in screen.splitlines())
