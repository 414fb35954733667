"""Everything that a command prints: plain lines or JSON, clean, in colour only for a person's terminal.

A reader that goes away (a closed pipe, a lost terminal) never stops the work: what can't be written any more is dropped.
"""

from __future__ import annotations

import json
import os
import re
import sys
import unicodedata
from collections.abc import Mapping
from typing import IO, Any, Final

_UNCLEAN: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_ASCII: Final = str.maketrans(
    {
        "…": "...",
        "→": "->",
        "←": "<-",
        "–": "-",
        "—": "-",
        "−": "-",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "×": "x",
        "∞": "inf",
        "“": '"',
        "”": '"',
        "’": "'",
        "·": "-",
        "•": "*",
        "✔": "ok",
        "✘": "XX",
        "▲": "!!",
    }
)
_COLOURS: Final[Mapping[str, str]] = {"alarm": "1;31", "attention": "33", "good": "32", "dim": "2", "strong": "1"}


class Output:
    def __init__(self, *, as_json: bool = False, ascii_only: bool = False) -> None:
        self.as_json = as_json
        self.ascii_only = ascii_only or not _speaks_unicode(sys.stdout)
        self._colours = not as_json and _wants_colour(sys.stdout)
        self._gone: set[int] = set()

    @property
    def gone(self) -> bool:
        """Whether nobody reads the result any more."""
        return id(sys.stdout) in self._gone

    def line(self, text: str = "", level: str = "") -> None:
        """One line for people; nothing under --json."""
        if not self.as_json:
            self._write(sys.stdout, self.coloured(self.plain(text), level))

    def json(self, document: Any) -> None:
        """One JSON document on one line, under --json only."""
        if self.as_json:
            self.document(document)

    def document(self, document: Any, indent: int | None = None) -> None:
        """JSON in any case, for what is nothing else: a schema, an export. What a terminal obeys is escaped."""
        text = json.dumps(document, ensure_ascii=self.ascii_only, allow_nan=False, indent=indent)
        self._write(sys.stdout, _UNCLEAN.sub(lambda found: f"\\u{ord(found[0]):04x}", text))

    def aside(self, text: str) -> None:
        """A line beside the result, on standard error."""
        self._write(sys.stderr, self.plain(text))

    def plain(self, text: str) -> str:
        clean = _UNCLEAN.sub("", text)
        if not self.ascii_only or clean.isascii():
            return clean
        spelled = unicodedata.normalize("NFKD", clean.translate(_ASCII))
        return "".join(c for c in spelled if not unicodedata.combining(c)).encode("ascii", "replace").decode()

    def coloured(self, text: str, level: str) -> str:
        code = _COLOURS.get(level, "")
        return f"\x1b[{code}m{text}\x1b[0m" if code and self._colours else text

    def _write(self, stream: IO[str], text: str) -> None:
        if id(stream) in self._gone:
            return
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            stream.flush()
        except (OSError, ValueError):  # the pipe was closed, the terminal is gone
            self._gone.add(id(stream))


def leave_quietly() -> None:
    """Python writes what is buffered once more on its way out: into nothing, where the reader is gone."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)


def _wants_colour(stream: IO[str]) -> bool:
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def _speaks_unicode(stream: IO[str]) -> bool:
    return (getattr(stream, "encoding", "") or "").lower().replace("-", "") in ("utf8", "utf8mb4", "cp65001")
