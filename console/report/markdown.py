"""The report as Markdown (CommonMark with the tables of GitHub), so that it can be pasted into a tracker or a wiki.

Every text is cleaned and escaped here and nowhere else: what stands in an event can't become markup, a link, a cell of its own,
or the end of a code block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from console.domain.triggers import amount
from console.report.blocks import (
    LONGEST_LINE,
    LONGEST_LISTING,
    SIGNS,
    Blank,
    Block,
    Bullets,
    Code,
    Facts,
    Line,
    Listing,
    Paragraph,
    Piece,
    Plots,
    Report,
    Small,
    Strong,
    Subheading,
    Table,
    Word,
    pieces,
)
from console.report.curves import Curve
from console.targets.text import clean, clean_line

_ACTIVE: Final = re.compile(r"[\\`*_\[\]<>|~&$]")
"""What may begin markup anywhere in a line; a backslash before ASCII punctuation is always the character itself."""
_AT_THE_START: Final = re.compile(r"^(\d{1,9}(?=[.)](?:\s|$)))?((?<=\d)[.)]|[-+](?=\s|-|$)|#(?=#{0,5}(?:\s|$)))")
"""What makes a list, a heading or a rule of a line that begins with it."""
_LINKS_ITSELF: Final = re.compile(r"(?i)(https?|ftp|mailto|xmpp)(:)|(www)(\.)")
"""GitHub makes links of bare addresses: an address that somebody else wrote stays text."""
_BARS: Final = "▁▂▃▄▅▆▇█"
_BLANK: Final = r"\_\_\_\_\_\_"


def to_markdown(report: Report) -> str:
    return "\n".join(_lines(report)).rstrip("\n") + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"# {escaped(report.title)}"
    yield ""
    yield f"> **{_signed(report.banner)}**"
    yield ""
    for block in report.head:
        yield from _block(block)
    for section in report.sections:
        yield f"## {escaped(section.title)}"
        yield ""
        for block in section.blocks:
            yield from _block(block)


def _block(block: Block) -> Iterator[str]:
    """Each with an empty line behind it."""
    match block:
        case Paragraph(line, level):
            sign = f"{SIGNS[level]} " if SIGNS[level] else ""
            yield f"{sign}{_line(line)}"
        case Subheading(line):
            yield f"### {_line(line)}"
        case Facts(rows):
            yield from (f"- **{escaped(term)}**: {_line(line)}" for term, line in rows)
        case Bullets(lines):
            yield from (f"- {_line(line)}" for line in lines)
        case Table():
            yield from _table(block)
        case Listing():
            yield from _listing(block)
        case Plots(found):
            yield from (_plot(curve) for curve in found)
    yield ""


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(escaped(c) or ' ' for c in table.columns)} |"
    yield f"|{'---|' * len(table.columns)}"
    for row in table.rows:
        yield f"| {' | '.join(_cell(cell) or ' ' for cell in row)} |"


def _listing(listing: Listing) -> Iterator[str]:
    body = clean("\n".join(listing.lines), LONGEST_LISTING).split("\n")
    longest = max((len(run) for line in body for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    if listing.title:
        yield f"{escaped(listing.title)}:"
        yield ""
    yield f"{fence}{listing.language}"
    yield from body
    yield fence


def _plot(curve: Curve) -> str:
    """One line: the curve in eight heights, its first, highest and last value."""
    points = curve.points
    values = [value for _, value in points]
    ends = [amount(values[0], curve.unit), amount(max(values), curve.unit), amount(values[-1], curve.unit)]
    span = f"{_time(points[0][0])} to {_time(points[-1][0])} UTC"
    sign = ">" if curve.above else "<"
    told = f"first {ends[0]}, highest {ends[1]}, last {ends[2]}, fires {sign} {amount(curve.threshold, curve.unit)}"
    return f"- **{escaped(curve.title)}** {sparkline(values)} {escaped(f'{told} ({span})')}"


def sparkline(values: list[float], width: int = 60) -> str:
    """At most `width` signs, from nothing (or the lowest below it) to the highest value."""
    low, high = min(0.0, *values), max(0.0, *values)
    size = -(-len(values) // width)
    tops = [max(values[i : i + size], key=abs) for i in range(0, len(values), size)]
    steps = len(_BARS) - 1
    return "".join(_BARS[round((v - low) / (high - low) * steps) if high > low else 0] for v in tops)


def _time(at: datetime) -> str:
    return f"{at:%H:%M}"


# ---------------------------------------------------------------- text


def _line(line: Line) -> str:
    return "".join(_piece(piece) for piece in pieces(line)).strip()


def _cell(line: Line) -> str:
    """In a table a bar ends the cell even within a code span, and a backslash before it is the table's own."""
    return "".join(
        _piece(piece).replace("|", "\\|") if isinstance(piece, Code) else _piece(piece) for piece in pieces(line)
    ).strip()


def _piece(piece: Piece) -> str:
    match piece:
        case str():
            return _spaced(piece)
        case Word():
            return _strong(_signed(piece))
        case Strong(text):
            return _strong(escaped(text))
        case Code(text):
            return _code(text)
        case Small(text):
            found = escaped(text)
            return f" ({found})" if found else ""
        case Blank():
            return _BLANK


def _strong(found: str) -> str:
    return f"**{found}**" if found else ""


def _signed(word: Word) -> str:
    sign = SIGNS[word.level]
    return f"{sign} {escaped(word.text)}".strip()


def _spaced(text: str) -> str:
    """Escaped, with the blanks at its ends: it may stand between two pieces."""
    before = " " if text[:1].isspace() else ""
    behind = " " if text[-1:].isspace() and text.strip() else ""
    return f"{before}{escaped(text)}{behind}"


def _code(text: str) -> str:
    """A code span knows no escapes: its fence is longer than any run of backticks in it."""
    found = clean_line(text, LONGEST_LINE)
    longest = max((len(run) for run in re.findall("`+", found)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if found.startswith("`") or found.endswith("`") else ""
    return f"{fence}{pad}{found}{pad}{fence}" if found else ""


def escaped(text: str) -> str:
    """One line of text as Markdown that shows exactly this text."""
    found = clean_line(text, LONGEST_LINE)
    found = _ACTIVE.sub(r"\\\g<0>", found)
    found = _AT_THE_START.sub(r"\1\\\2", found)
    return _LINKS_ITSELF.sub(_unlinked, found)


def _unlinked(found: re.Match[str]) -> str:
    scheme, colon, www, dot = found.groups()
    return f"{scheme}\\{colon}" if scheme else f"{www}\\{dot}"
