"""What is wrong with a configuration file, placed and in words: the one error of this package, and its plain rendering.

`load` raises `ConfigErrors` with every problem at once; the command line prints `render`, the screens read the fields. Every
text in a `Problem` is clean: control characters are escaped and whatever may be a secret is masked (see `excerpts.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A line of the file, made safe to show, and the stretch of it that is meant."""

    line: int
    """Counted from 1."""
    column: int
    """Counted from 1, in characters of the file, as editors count."""
    source_line: str
    """The line, or the part of it around the column, ready to be shown."""
    caret: int = 0
    """Cells of `source_line` before the caret."""
    width: int = 1
    """How many carets."""
    note: str = ""
    """What this line has to do with the problem, when it is not the problem itself."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right in the file. Without a place (a file that can't be read) `line` and `column` are 0."""

    path: Path
    line: int
    column: int
    message: str
    hint: str = ""
    source_line: str = ""
    excerpt: Excerpt | None = None
    related: tuple[Excerpt, ...] = ()
    """Other lines that belong to it: where a repeated id was used first."""

    def __str__(self) -> str:
        place = f"{printable(str(self.path))}:{self.line}:{self.column}" if self.line else printable(str(self.path))
        return f"{place}: {self.message}" + (f"; {self.hint}" if self.hint else "")


class ConfigErrors(Exception):
    """The configuration file can't be used. Holds every problem, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return render(self.problems)


def render(problems: Iterable[Problem]) -> str:
    """Plain text as compilers print it: place, message and hint, then the line of the file with carets below."""
    return "\n".join(line for problem in problems for line in _lines(problem))


def _lines(problem: Problem) -> list[str]:
    excerpts = [excerpt for excerpt in (problem.excerpt, *problem.related) if excerpt is not None]
    gutter = max((len(str(excerpt.line)) for excerpt in excerpts), default=0)
    lines = [str(problem)]
    for excerpt in excerpts:
        carets = " " * excerpt.caret + "^" * excerpt.width + (f" {excerpt.note}" if excerpt.note else "")
        lines.append(f"  {excerpt.line:>{gutter}} | {excerpt.source_line}")
        lines.append(f"  {'':>{gutter}} | {carets}")
    return lines


def printable(text: str) -> str:
    """The text with everything that could move a cursor, hide or reorder letters written as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def _escape(character: str) -> str:
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    if named is not None:
        return named
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
