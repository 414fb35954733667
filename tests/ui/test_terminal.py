"""The bytes that really reach a terminal, on a pseudo-terminal of our own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time

PROGRAM = """
import asyncio
from tests.ui import fake_console as fake
from console.ui.app import RollbackConsoleApp
async def open_console():
    return fake.FakeConsole(fake.hostile_view())
app = RollbackConsoleApp(open_console, title=fake.EVIL)
app.run()
print("left:", app.return_code, app.fatal)
"""


def test_no_byte_of_outside_text_is_obeyed_by_the_terminal() -> None:
    raw = _session(PROGRAM, until=b"OVERDUE", then=b"q", end=b"left: 0 None")
    assert b"\x1b]52" not in raw
    assert b"\x1b]2;1 FIRING 1 OVERDUE INC-0007" in raw
    assert b"\x07" not in raw.split(b"\x1b]2;", 1)[1].split(b"\x07", 1)[0]
    assert not {c for c in raw.decode("utf-8") if "\x80" <= c <= "\x9f" or "\u202a" <= c <= "\u202e"}
    assert b"@click=app.quit" in raw
    assert b"\x1b[23;2t" in raw, "the window's title is given back"
    assert b"left: 0 None" in raw


def _session(program: str, until: bytes, then: bytes, end: bytes) -> bytes:
    """Runs a program on a 120×40 terminal: waits for some bytes, types others, reads to the end."""
    primary, secondary = pty.openpty()
    fcntl.ioctl(secondary, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=secondary, stdout=secondary, stderr=secondary, env=environment
    )
    os.close(secondary)
    try:
        return _talk(primary, until, then, end)
    finally:
        process.kill()
        process.wait()
        os.close(primary)


def _talk(primary: int, until: bytes, then: bytes, end: bytes) -> bytes:
    raw, typed, deadline = b"", False, time.monotonic() + 60
    while end not in raw and time.monotonic() < deadline:
        if not select.select([primary], [], [], 1)[0]:
            continue
        try:
            raw += os.read(primary, 65536)
        except OSError:
            break
        if not typed and until in raw:
            os.write(primary, then)
            typed = True
    return raw
