"""From a file to plain values: reads it, parses TOML, and refuses what no configuration needs.

The only place that touches the file. What comes out has tuples for lists (so that strict models accept it), whole numbers of
at most 64 bits, and a depth that nothing after it can stumble over.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

from console.config.flaws import DocumentPath, Flaw
from console.config.problems import ConfigErrors, Problem

LARGEST_FILE_BYTES: Final = 1024 * 1024
DEEPEST_NESTING: Final = 24

_PLACE = re.compile(r" \(at line (\d+), column (\d+)\)$")
_END: Final = " (at end of document)"
_TABLE = re.compile(r"\(('[^']*'(?:, '[^']*')*),?\)")

WRITTEN_TWICE: Final = "Cannot overwrite a value"
CUT_OFF: Final = "the file ends too early"
SYNTAX_WORDS: Final = {
    WRITTEN_TWICE: ("this key or table is written twice", "keep one of them"),
    "Invalid value": ("not a value", 'text and durations need quotes: soak = "5m"'),
    "Expected newline or end of document after a statement": (
        "nothing may follow on this line",
        'text and durations need quotes: soak = "5m"',
    ),
    "Illegal character '\\n'": ("the quotes are not closed on this line", 'close them, or use """ for several lines'),
    "Unterminated string": ("the quotes are never closed", ""),
    "Invalid initial character for a key part": (
        "a key is missing here",
        "a key with other than letters, digits, - and _ needs quotes",
    ),
}
"""What tomllib says, in words that say what to do."""


class SyntaxFlaw(Exception):
    """The text is not TOML. `line` and `column` count from 1."""

    def __init__(self, message: str, hint: str, line: int, column: int) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.line = line
        self.column = column


def read(source: Path) -> str:
    """The file's text. Raises ConfigErrors for a file that is missing, unreadable, empty, too large or no text."""
    try:
        with source.open("rb") as stream:
            content = stream.read(LARGEST_FILE_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(source, *_why_unreadable(error)) from None
    if len(content) > LARGEST_FILE_BYTES:
        raise _unreadable(source, "larger than 1 MiB", "is this the configuration file?")
    text, valid_bytes = _decoded(content)
    if text is None:
        raise _not_utf8(source, content[:valid_bytes].decode("utf-8-sig"))
    if not text.strip():
        raise _unreadable(source, "the file is empty", 'it starts with [incident] and its title = "…"')
    return text


def _decoded(content: bytes) -> tuple[str | None, int]:
    """The text, or None; and how many bytes are valid. (An error raised in a handler would carry the content with it.)"""
    try:
        return content.decode("utf-8-sig"), len(content)
    except UnicodeDecodeError as error:
        return None, error.start


def _unreadable(source: Path, message: str, hint: str) -> ConfigErrors:
    return ConfigErrors([Problem(source, 0, 0, message, hint)])


def _not_utf8(source: Path, before: str) -> ConfigErrors:
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    return ConfigErrors([Problem(source, line, column, "the file is not UTF-8 text", "save it as UTF-8")])


def _why_unreadable(error: Exception) -> tuple[str, str]:
    match error:
        case FileNotFoundError():
            return "no such file", "give the configuration file with -c FILE"
        case IsADirectoryError():
            return "this is a folder, not a file", "give the configuration file with -c FILE"
        case PermissionError():
            return "this file may not be read", "check its permissions"
        case OSError(strerror=str() as reason):
            return f"the file can't be read: {reason.lower()}", ""
        case _:
            return "the file can't be read", ""


def parse(text: str) -> dict[str, Any]:
    """The document as plain values. Raises SyntaxFlaw."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line, column = _placed(str(error), text)
    except RecursionError:
        message, line, column = "lists or tables are nested too deeply", 1, 1
    except ValueError:  # a number of thousands of digits, which Python refuses to read
        message, line, column = _huge_number(text)
    if message == WRITTEN_TWICE or message.startswith("Cannot declare"):
        # tomllib notices at the end of the statement; the eye looks for its start.
        statement = text.split("\n")[line - 1]
        column = len(statement) - len(statement.lstrip()) + 1
    words, hint = SYNTAX_WORDS.get(message, (message[:1].lower() + message[1:], ""))
    words = _TABLE.sub(_table_name, words)
    raise SyntaxFlaw(words, hint, line, column)


def _placed(message: str, text: str) -> tuple[str, int, int]:
    place = _PLACE.search(message)
    if place is not None:
        message, line, column = message[: place.start()], int(place[1]), int(place[2])
    else:
        message = CUT_OFF if message.startswith("Invalid value") else message.removesuffix(_END)
        last_line = text.rstrip("\n").rpartition("\n")[2]
        line, column = text.rstrip("\n").count("\n") + 1, len(last_line) + 1
    return message, line, column


def _table_name(names: re.Match[str]) -> str:
    """`('target', 'cluster')`, as tomllib names a table, in the way of the file."""
    return "[" + ".".join(re.findall(r"'([^']*)'", names[1])) + "]"


def _huge_number(text: str) -> tuple[str, int, int]:
    digits = re.search(r"\d[\d_]{999,}", text)
    before = text[: digits.start()] if digits else ""
    return "a number with too many digits", before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def settle(document: dict[str, Any]) -> tuple[dict[str, Any], list[Flaw]]:
    """The same document with tuples for lists, and what is too large or too deep in it."""
    flaws: list[Flaw] = []
    settled = {key: _settled(value, (key,), flaws) for key, value in document.items()}
    return settled, flaws


def _settled(value: Any, path: DocumentPath, flaws: list[Flaw]) -> Any:
    if isinstance(value, dict | list) and len(path) > DEEPEST_NESTING:
        flaws.append(Flaw(path, "lists or tables are nested too deeply"))
        return None
    if isinstance(value, dict):
        return {key: _settled(item, (*path, key), flaws) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_settled(item, (*path, position), flaws) for position, item in enumerate(value))
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        flaws.append(Flaw(path, "a whole number of more than 64 bits"))
        return None
    return value


def digest(document: dict[str, Any]) -> str:
    """SHA-256 of the content in a canonical form: layout, comments and the order of keys don't count."""
    canonical = json.dumps(
        document,
        sort_keys=True,
        separators=(",", ":"),
        default=lambda moment: {type(moment).__name__: moment.isoformat()},  # TOML's dates and times
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
