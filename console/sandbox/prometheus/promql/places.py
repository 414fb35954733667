"""What the grammar does not tell of a query's text: where each part starts, and whether it is written for a newer grammar.

The server's remarks name the places. The parts come in the order of the text, which is the order in which `syntax` reads the
tree.
"""

from __future__ import annotations

import math
import re
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<blank>[ \t\r\n]+|\#[^\n]*)
    |(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    |(?P<number>0[xX][0-9a-fA-F_]+|(?:[0-9]+(?:ms|[smhdwy]))+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<word>(?:[a-zA-Z_]|:(?=[a-zA-Z_:]))[a-zA-Z0-9_:]*)
    |(?P<sign>[()+\-\[\]{},:@]|[=!<>]=?|=~|!~|[*/%^])""",
    re.VERBOSE | re.DOTALL,
)
_LISTS: Final = ("by", "without", "on", "ignoring", "group_left", "group_right")
_NEWER_WORDS: Final = ("smoothed", "anchored")
_SIGNS: Final = ("+", "-")
_BEFORE_SPANS: Final = ("offset", "[", ":")
_MOST_SECONDS: Final = 9e9
_LONGEST_SPAN: Final = 10
_ARITHMETIC: Final = ("+", "-", "*", "/", "%", "^", "(")
_OPERATORS: Final = ("and", "or", "unless", "atan2", "bool")
AGGREGATIONS: Final = frozenset(
    [
        "sum",
        "avg",
        "count",
        "min",
        "max",
        "group",
        "stddev",
        "stdvar",
        "topk",
        "bottomk",
        "count_values",
        "quantile",
        "limitk",
        "limit_ratio",
    ]
)
_CLOSING: Final = {"{": "}", "[": "]", "(": ")"}


def starts(query: str) -> list[int]:
    """The start of every number, text, selector, call, aggregation, sign and pair of parentheses, in bytes."""
    tokens = [found for found in _TOKEN.finditer(query) if found.lastgroup != "blank"]
    return [len(query[:start].encode()) for start in _Walk(tokens).starts()]


def parts(query: str) -> int:
    """How many words, signs, numbers and texts a query has."""
    return sum(found.lastgroup != "blank" for found in _TOKEN.finditer(query))


def newer(query: str) -> str | None:
    """What Prometheus 3.16 reads in this query and the grammar does not."""
    inside = False
    before = ""
    for found in _TOKEN.finditer(query):
        part = found.group().lower()
        if found.lastgroup == "blank":
            continue
        if found.lastgroup == "word" and part in _NEWER_WORDS:
            return f'"{part}"'
        inside = part == "[" or (inside and part != "]")
        if (inside and part in _ARITHMETIC) or (before == "offset" and part == "("):
            return "arithmetic of durations"
        if before in ("<", ">") and part == "/":
            return f"the operator {before}/"
        before = part
    return None


def out_of_range(query: str) -> str | None:
    """A time that the grammar's library breaks down over, in words; each is one that nothing was measured at."""
    before = ["", ""]
    for found in _TOKEN.finditer(query):
        part = found.group().lower()
        if found.lastgroup == "blank":
            continue
        after_at = before[1] == "@" or (before[0] == "@" and before[1] in _SIGNS)
        if after_at and part == "-":
            return "times before 1970"
        is_span = before[1] in _BEFORE_SPANS or (before[1] in _SIGNS and before[0] in _BEFORE_SPANS)
        if is_span and part in ("inf", "nan"):
            return "times so far away"
        if found.lastgroup == "number" and (is_span or after_at) and _seconds(part) > _MOST_SECONDS:
            return "times so far away"
        before = [before[1], part]
    return None


def _seconds(number: str) -> float:
    """Of a plain number; spans with units are read by the grammar as they are, but for those of many digits."""
    if number[-1].isalpha() and not number.startswith("0x"):
        return math.inf if len(number) > _LONGEST_SPAN else 0.0
    text = number.replace("_", "")
    return float(int(text, 16)) if text.startswith("0x") else float(text)


def too_large(query: str) -> str | None:
    """A number beyond all that a float can hold, which is an error and not infinity."""
    for found in _TOKEN.finditer(query):
        text = found.group().lower().replace("_", "")
        if found.lastgroup == "number" and text[-1].isdigit() and not text.startswith("0x") and float(text) == math.inf:
            return found.group()
    return None


class _Walk:
    def __init__(self, tokens: list[re.Match[str]]) -> None:
        self._tokens = tokens
        self._at = 0
        self._found: list[int] = []
        self._operand_is_next = True
        self._call_opens = False

    def starts(self) -> list[int]:
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            if token.lastgroup == "sign":
                self._sign(token)
            elif token.lastgroup == "word":
                self._word(token)
            else:
                self._operand(token.start())
        return self._found

    def _operand(self, start: int) -> None:
        self._found.append(start)
        self._operand_is_next = False

    def _sign(self, token: re.Match[str]) -> None:
        sign = token.group()
        if sign == "(":
            if not self._call_opens:
                self._found.append(token.start())
            self._call_opens = False
            self._operand_is_next = True
        elif sign == "{":
            if self._operand_is_next:
                self._operand(token.start())
            self._skip(sign)
        elif sign == "[":
            self._skip(sign)
        elif sign == "@":
            self._modifier()
        elif sign == ")":
            self._operand_is_next = False
        elif sign in "+-" and self._operand_is_next:
            self._negation(token)
        else:
            self._operand_is_next = True

    def _negation(self, token: re.Match[str]) -> None:
        """A sign before a number is part of it, unless the number is the base of a power."""
        signs = [token]
        while self._next() in ("+", "-"):
            signs.append(self._tokens[self._at])
            self._at += 1
        follower = self._tokens[self._at] if self._at < len(self._tokens) else token
        is_number = follower.lastgroup == "number" or follower.group().lower() in ("inf", "nan")
        if is_number and self._next(1) != "^":
            self._at += 1
            self._operand(token.start())
        else:
            self._found += [sign.start() for sign in signs if sign.group() == "-"]

    def _word(self, token: re.Match[str]) -> None:
        word = token.group().lower()
        if word == "offset":
            self._modifier()
        elif word in _LISTS:
            if self._next() == "(":
                self._at += 1
                self._skip("(")
            if word in ("by", "without") and self._next() != "(":
                self._operand_is_next = False
        elif word in _OPERATORS:
            self._operand_is_next = True
        else:
            self._operand(token.start())
            self._call_opens = word in AGGREGATIONS or self._next() == "("

    def _modifier(self) -> None:
        """Skips what comes after `offset` or `@`: a sign, then a number or start() or end()."""
        if self._next() in ("+", "-"):
            self._at += 1
        self._at += 1
        if self._next() == "(":
            self._at += 2
        self._operand_is_next = False

    def _skip(self, opening: str) -> None:
        closing = _CLOSING[opening]
        while self._at < len(self._tokens) and self._tokens[self._at].group() != closing:
            self._at += 1
        self._at += 1

    def _next(self, further: int = 0) -> str:
        at = self._at + further
        return self._tokens[at].group() if at < len(self._tokens) else ""
