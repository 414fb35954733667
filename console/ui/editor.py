"""Hands the terminal to the person's own editor for one text, and takes it back with what was written. `screens/compose.py` asks.

The engine goes on meanwhile: the editor is waited for without holding up the event loop. Its text is in a file that nobody else
can read, in a folder of its own, so that what the editor leaves beside it goes with the folder.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.domain.errors import Failed, Refused
from console.ui.literal import lines

if TYPE_CHECKING:
    from textual.app import App

DEFAULT: Final = "vi"
LONGEST_BYTES: Final = 400_000
_HERE: Final = "the text can be written here as well"
_SETTLING_SECONDS: Final = 2.0


async def edited(app: App[object], text: str) -> str:
    """The text as the editor left it, cleaned. Raises Refused or Failed, in words, with the text as it was."""
    from textual.app import SuspendNotSupported

    command = editor_command(os.environ)
    with tempfile.TemporaryDirectory(prefix="rollback-console-") as folder:
        path = _private_file(Path(folder), text)
        try:
            with app.suspend(), _not_stopped():
                code = await _run([*command, str(path)])
        except SuspendNotSupported:
            raise Refused("this terminal can't be handed to an editor", _HERE) from None
        name = Path(command[0]).name
        if isinstance(code, OSError):
            raise Refused(f'the editor "{name}" does not start: {code.strerror}', _HERE)
        if code:
            how = f"was ended by a signal ({signal.strsignal(-code)})" if code < 0 else f"ended with {code}"
            raise Failed(f'the editor "{name}" {how}', "the text is as it was before")
        return _read(path)


def editor_command(environ: Mapping[str, str]) -> list[str]:
    """$VISUAL, else $EDITOR, else vi, as an argument list. Raises Refused where there is no such program."""
    given = environ.get("VISUAL", "").strip() or environ.get("EDITOR", "").strip() or DEFAULT
    try:
        command = shlex.split(given)
    except ValueError as error:
        raise Refused(f"$VISUAL or $EDITOR is not a command: {error}", _HERE) from None
    if not command or shutil.which(command[0]) is None:
        name = command[0] if command else given
        raise Refused(f'there is no editor "{name}" here', f"set VISUAL or EDITOR; {_HERE}")
    return command


def _private_file(folder: Path, text: str) -> Path:
    path = folder / "message.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text if text.endswith("\n") else f"{text}\n")
    return path


async def _run(command: list[str]) -> int | OSError:
    """An error is given back, not raised: the screen would not come back from being suspended."""
    try:
        process = await asyncio.create_subprocess_exec(*command)
    except OSError as error:
        return error
    try:
        return await process.wait()
    finally:
        if process.returncode is None:  # the console is closing: nobody is left to take the text
            with suppress(ProcessLookupError):
                process.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _SETTLING_SECONDS)


@contextmanager
def _not_stopped() -> Iterator[None]:
    """Ctrl-Z in the editor would stop this process too, and the rollback in progress. The editor inherits that it is ignored."""
    before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, before)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > LONGEST_BYTES:
            raise Refused(f"the text is longer than {LONGEST_BYTES:,} bytes", "the text is as it was before")
        written = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Failed(f"the editor's text can't be read: {error.strerror}", "the text is as it was before") from None
    return "\n".join(lines(written.rstrip("\n")))
