"""The way out to the terminal, which may hang or be gone at any moment. `commands/screen.py` puts it under the app.

Textual's own writer has room for thirty texts and dies with the first error: on a closed or stalled terminal its `write` then
blocks the event loop, and with it the rollback in progress. This one never makes anybody wait, and drops what has no reader.
"""

from __future__ import annotations

import os
import sys
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.driver import Driver

_LAST_WORDS_SECONDS: Final = 1.0
_MOST_WAITING_CHARACTERS: Final = 4_000_000
"""What may wait for a terminal that has stalled; beyond it the picture is given up, never the work."""


def driver_for(chosen: type[Driver]) -> type[Driver]:
    """The driver that Textual chose, or ours where it chose the one for terminals."""
    return TerminalDriver if chosen is LinuxDriver else chosen


class TerminalDriver(LinuxDriver):
    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self._out = _writer()

    def start_application_mode(self) -> None:
        """At the beginning, and again when an editor has given the terminal back."""
        if self._out.stopped:
            self._out = _writer()
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual has no types here

    def write(self, data: str) -> None:
        """Nothing is written once it is closed: the terminal then belongs to an editor, or to the shell."""
        self._out.write(data)

    def close(self) -> None:
        self._out.stop()
        super().close()


def _writer() -> TerminalWriter:
    writer = TerminalWriter(sys.__stderr__.fileno() if sys.__stderr__ else 2)
    writer.start()
    return writer


class TerminalWriter(threading.Thread):
    """Writes to a file descriptor from a thread of its own, past Python's buffers, whose locks it would hold for ever."""

    def __init__(self, descriptor: int) -> None:
        super().__init__(daemon=True, name="terminal-output")
        self._descriptor = descriptor
        self._texts: SimpleQueue[str | None] = SimpleQueue()
        self._waiting = 0
        self._gone = False
        self.stopped = False

    def write(self, text: str) -> None:
        if self._gone or self.stopped:
            return
        self._waiting += len(text)
        self._gone = self._waiting > _MOST_WAITING_CHARACTERS
        self._texts.put(text)

    def stop(self) -> None:
        """Waits for the last words only as long as a terminal that listens needs for them."""
        self.stopped = True
        self._texts.put(None)
        self.join(_LAST_WORDS_SECONDS)

    def run(self) -> None:
        while (text := self._texts.get()) is not None:
            self._waiting -= len(text)
            if not self._gone:
                self._send(text.encode(errors="replace"))

    def _send(self, content: bytes) -> None:
        try:
            while content:
                content = content[os.write(self._descriptor, content) :]
        except OSError:
            self._gone = True
