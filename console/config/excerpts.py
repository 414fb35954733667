"""From flaws to problems: looks up their places and cuts out the lines to show, cleaned and without anything secret.

`loading.py` imports it once it knows that the file can't be used. Masked in every line shown: values behind keys that are
unknown or named like a secret, values where a secret's reference belongs, and passwords in URLs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from console.config.document import SyntaxFlaw
from console.config.flaws import DocumentPath, Flaw
from console.config.positions import Positions, Span, index
from console.config.problems import Excerpt, Problem, printable
from console.config.secrets import MASK
from console.config.wording import URL_PASSWORD, looks_secret

WIDEST_EXCERPT: Final = 110
SHOWN_BEFORE: Final = 60


def located(flaws: Iterable[Flaw], source: Path, text: str, document: Mapping[str, Any]) -> list[Problem]:
    """The flaws with their places, in the order of the file."""
    flaws = list(flaws)
    positions = index(text)
    secret = set(_secret_places(document, flaws))
    # Everything below a secret place, too: an unknown key may be a whole table.
    masked = [
        span for path, span in positions.values.items() if any(path[:end] in secret for end in range(len(path) + 1))
    ]
    page = Page(source, text, masked)
    problems = {page.problem(flaw, positions): None for flaw in flaws}  # the same words at the same place once
    return sorted(problems, key=lambda problem: (problem.line, problem.column))


def located_syntax(flaw: SyntaxFlaw, source: Path, text: str) -> Problem:
    """The one problem of a text that is not TOML: nothing in it has a known place but the error itself."""
    page = Page(source, text, [], by_name=True)
    excerpt = page.excerpt(Span(flaw.line, flaw.column, flaw.line, flaw.column + 1))
    message = f"not TOML: {_said(flaw.message)}"
    return Problem(source, flaw.line, flaw.column, message, flaw.hint, excerpt.source_line, excerpt)


def _secret_places(document: Mapping[str, Any], flaws: Iterable[Flaw]) -> Iterator[DocumentPath]:
    yield from (flaw.path for flaw in flaws if flaw.masked)
    waiting: list[tuple[DocumentPath, Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        entries = value.items() if isinstance(value, Mapping) else enumerate(value)
        for part, item in entries:
            here = (*path, part)
            if isinstance(item, Mapping | tuple):
                waiting.append((here, item))
            elif looks_secret(next((key for key in reversed(here) if isinstance(key, str)), None)):
                yield here


class Page:
    """The text by lines, as far as it may be shown."""

    def __init__(self, source: Path, text: str, masked: Iterable[Span], *, by_name: bool = False) -> None:
        self._source = source
        self._lines = text.split("\n")
        self._by_name = by_name
        self._masked: dict[int, list[tuple[int, int]]] = {}
        for span in masked:
            self._mask(span)

    def problem(self, flaw: Flaw, positions: Positions) -> Problem:
        place = _span(flaw, positions)
        excerpt = self.excerpt(place)
        related = tuple(self.excerpt(positions.value(path), note) for path, note in flaw.related)
        if related:
            lines = ", ".join(f"line {other.line}" for other in related)
            message = f"{_said(flaw.message)} (see {lines})"
        else:
            message = _said(flaw.message)
        return Problem(
            self._source, place.line, place.column, message, _said(flaw.hint), excerpt.source_line, excerpt, related
        )

    def excerpt(self, place: Span, note: str = "") -> Excerpt:
        """The line of a place: masked, escaped, and cut to a width around the caret."""
        line = self._lines[place.line - 1] if place.line <= len(self._lines) else ""
        start = min(place.column - 1, len(line))
        end = min(place.end_column - 1, len(line)) if place.end_line == place.line else len(line.rstrip())
        shown = self._shown(place.line, line.rstrip("\r"))
        first = max(0, start - SHOWN_BEFORE)
        before = ("…" if first else "") + "".join(shown[first:start])
        meant = "".join(shown[start:end])
        behind = "".join(shown[end:])
        whole = before + meant + behind
        if len(whole) > WIDEST_EXCERPT:
            whole = whole[:WIDEST_EXCERPT] + "…"
        width = min(_cells(meant), max(1, WIDEST_EXCERPT - _cells(before)))
        return Excerpt(place.line, place.column, whole.rstrip(), _cells(before), max(1, width), note)

    def _mask(self, span: Span) -> None:
        for number in range(span.line, min(span.end_line, len(self._lines)) + 1):
            first = span.column - 1 if number == span.line else 0
            last = span.end_column - 1 if number == span.end_line else len(self._lines[number - 1])
            self._masked.setdefault(number, []).append((first, last))

    def _shown(self, number: int, line: str) -> list[str]:
        """What each character of the line is shown as."""
        shown = ["    " if character == "\t" else printable(character) for character in line]
        hidden = [*self._masked.get(number, ()), *(match.span() for match in URL_PASSWORD.finditer(line))]
        if self._by_name:
            hidden += _named_like_secrets(line)
        for first, last in hidden:
            shown[first:last] = [MASK, *[""] * (len(shown[first:last]) - 1)] if shown[first:last] else []
        return shown


def _said(text: str) -> str:
    """A message or hint, which may quote the file, as it may be shown."""
    return printable(URL_PASSWORD.sub(MASK, text))


def _named_like_secrets(line: str) -> Iterator[tuple[int, int]]:
    """In a line that can't be parsed: everything behind a key that is named like a secret."""
    for start in re.finditer(r"""[\w."'-]+(?=\s*=)""", line):
        if looks_secret(start.group().strip("\"'")):
            value = line.index("=", start.end()) + 1
            yield value, len(line)
            return


def _span(flaw: Flaw, positions: Positions) -> Span:
    match flaw.at:
        case "key":
            return positions.key(flaw.path)
        case "table":
            return positions.table(flaw.path)
        case _:
            return positions.value(flaw.path)


def _cells(text: str) -> int:
    """Cells of a terminal that the text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
