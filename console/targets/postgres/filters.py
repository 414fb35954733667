"""The `where` of a step: the procedure's own SQL condition, checked to be one condition, with its values bound and never pasted.

The query of a check is held to the same.

It stands in parentheses in several statements. Whatever could end the parentheses, the statement or the rest of the line is
refused; the values go to the server apart from the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

NAME: Final = r"[a-z_][a-z0-9_]*"  # the statements' own parameters are in capitals

_TOKEN: Final = re.compile(
    rf"""
      (?P<parameter>%\((?P<name>{NAME})\)s)
    | (?P<literal>[eE]?'(?:[^']|'')*')
    | (?P<identifier>"(?:[^"]|"")+")
    | (?P<comment>--|/\*)
    | (?P<dollar>\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$)
    | (?P<bracket>[()\[\]])
    | (?P<percent>%%?)
    | (?P<plain>[^%'"();$/\[\]eE-]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


class BadFilter(ValueError):
    """Not one condition; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition as its pieces: texts, and the parameters between them as (name,)."""

    pieces: tuple[str | tuple[str], ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(piece[0] for piece in self.pieces if isinstance(piece, tuple))

    @property
    def bound(self) -> str:
        """For psycopg: with its placeholders, and each percent sign twice."""
        return self.text(lambda name: f"%({name})s")

    def text(self, parameter: Callable[[str], str]) -> str:
        """With each parameter as `parameter` writes it, and each percent sign twice."""
        return "".join(p.replace("%", "%%") if isinstance(p, str) else parameter(p[0]) for p in self.pieces)


def parse(condition: str) -> Filter:
    """Raises BadFilter."""
    pieces: list[str | tuple[str]] = []
    open_brackets: list[str] = []
    for token in _tokens(condition):
        kind, text = token.lastgroup, token[0]
        if token["name"]:
            pieces.append((token["name"],))
            continue
        if kind == "bracket":
            _match_bracket(text, open_brackets)
        pieces.append("%" if kind == "percent" else text.replace("%%", "%"))
    if open_brackets:
        raise BadFilter(f'"{open_brackets[-1]}" is not closed')
    return Filter(tuple(pieces))


def check_parameters(filters: list[Filter], parameters: Mapping[str, Any]) -> None:
    """Raises BadFilter unless exactly the parameters that the conditions name are given."""
    wanted = frozenset[str]().union(*(f.names for f in filters))
    if missing := sorted(wanted - set(parameters)):
        raise BadFilter(f"parameters lacks {', '.join(missing)}")
    if unused := sorted(set(parameters) - wanted):
        raise BadFilter(f"nothing uses the parameter {', '.join(unused)}; it is written %({unused[0]})s")


def _tokens(condition: str) -> Iterator[re.Match[str]]:
    if "\0" in condition or not condition.strip():
        raise BadFilter("it is empty" if not condition.strip() else "it holds a NUL")
    for token in _TOKEN.finditer(condition):
        kind, text = token.lastgroup, token[0]
        if text == ";":
            raise BadFilter('no ";" in it')
        if kind == "comment":
            raise BadFilter("no comments; write them in the file")
        if kind == "dollar":
            raise BadFilter("no $-quoted text; use a parameter")
        if text in ("'", '"'):
            raise BadFilter(f"{text} is not closed")
        if kind == "literal" and "\\" in text:
            raise BadFilter("no backslash in quotes; use a parameter")
        if kind == "percent" and condition[token.start() : token.start() + 2] == "%(":
            raise BadFilter("a parameter is written %(name)s, its name in small letters")
        yield token


def _match_bracket(text: str, open_brackets: list[str]) -> None:
    pairs = {")": "(", "]": "["}
    if text not in pairs:
        open_brackets.append(text)
    elif not open_brackets or open_brackets.pop() != pairs[text]:
        raise BadFilter(f'"{text}" closes nothing')
