"""What a report consists of, whatever it is written as: sections of blocks, blocks of lines, lines of pieces.

The sections make these, the writers (`markdown.py`, `html.py`) turn them into text. A `str` is always text and never markup:
escaping and cleaning is the writers' part alone, so that no section can forget it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from console.engine.view import Level
from console.report.curves import Curve

LONGEST_LINE: Final = 1_000
"""Characters of one text within a line; what is longer is cut, with "…". The journal holds the whole."""
LONGEST_LISTING: Final = 20_000
"""Characters of a listing, the same way."""
SIGNS: Final[dict[Level, str]] = {"plain": "", "good": "✔", "attention": "●", "alarm": "▲"}
"""Beside the word and the colour: a state is never told by one of them alone."""


@dataclass(frozen=True, slots=True)
class Word:
    """A state, as its own word: `FIRING`, `proven`."""

    text: str
    level: Level = "plain"


@dataclass(frozen=True, slots=True)
class Code:
    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    text: str


@dataclass(frozen=True, slots=True)
class Small:
    """A remark to what stands before it."""

    text: str


@dataclass(frozen=True, slots=True)
class Blank:
    """To be filled in by hand."""


Piece: TypeAlias = str | Word | Code | Strong | Small | Blank
Line: TypeAlias = Piece | tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    line: Line
    level: Level = "plain"


@dataclass(frozen=True, slots=True)
class Subheading:
    line: Line


@dataclass(frozen=True, slots=True)
class Facts:
    rows: tuple[tuple[str, Line], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """`narrow`: indices of the columns that never break a line."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]
    narrow: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Bullets:
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Lines as they are: a diff, commands, a message, an output. `language`: diff, sh, text."""

    lines: tuple[str, ...]
    language: str = "text"
    title: str = ""


@dataclass(frozen=True, slots=True)
class Plots:
    curves: tuple[Curve, ...]


Block: TypeAlias = Paragraph | Subheading | Facts | Table | Bullets | Listing | Plots


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """`banner` says loudly whether this was life or a drill."""

    title: str
    banner: Word
    head: tuple[Block, ...]
    sections: tuple[Section, ...]


def pieces(line: Line) -> tuple[Piece, ...]:
    return line if isinstance(line, tuple) else (line,)
