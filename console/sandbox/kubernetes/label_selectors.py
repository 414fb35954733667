"""Label selectors as `kubectl get -l` sends them, read as the API server reads them (apimachinery, labels/selector.go).

A slip in a selector is answered in the words that the real server has for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, NamedTuple

from console.sandbox.kubernetes.errors import ApiError, Cause, bad_request, shown, wrong
from console.sandbox.kubernetes.names import label_value_problems, qualified_problems

Labels = Mapping[str, str]
Test = Callable[[Labels], bool]

_SPECIAL: Final = "=!(),<>"
_WORD: Final = re.compile(rf"[^\s{re.escape(_SPECIAL)}]+")
_OPERATORS: Final = ("in", "notin", "=", "==", "!=", "gt", "lt")
_SYMBOLS: Final = {")", ",", "!", "==", "=", ">", "<", "!=", "("}
_WHOLE: Final = re.compile(r"[+-]?\d+")


class _Token(NamedTuple):
    """`kind` is the symbol itself, `word`, `error`, or nothing at the end of the text."""

    kind: str
    text: str


class _Unreadable(Exception):
    """What stands where something else was expected."""


def labels_match(text: str) -> Test:
    """A test of labels. Raises 400 for a selector that can't be read."""
    tests = _Reader(list(_tokens(text))).requirements()
    return lambda labels: all(test(labels) for test in tests)


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif word := _WORD.match(text, at):
            at = word.end()
            yield _Token(word[0] if word[0] in ("in", "notin") else "word", word[0])
        else:
            symbol = text[at : at + 2] if text[at : at + 2] in _SYMBOLS else text[at]
            at += len(symbol)
            yield _Token(symbol, symbol)
    yield _Token("", "")


class _Reader:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def requirements(self) -> list[Test]:
        found: list[Test] = []
        while self._next.kind:
            if self._next.kind not in ("word", "!"):
                raise bad_request(f"found '{self._next.text}', expected: !, identifier, or 'end of string'")
            found.append(self._requirement())
            after = self._take()
            if not after.kind:
                break
            if after.kind != ",":
                raise bad_request(f"found '{after.text}', expected: ',' or 'end of string'")
            if self._next.kind not in ("word", "!"):
                raise bad_request(f"found '{self._next.text}', expected: identifier after ','")
        return found

    @property
    def _next(self) -> _Token:
        """What comes; the words of the operators are labels and values like any other where no operator stands."""
        token = self._tokens[self._at]
        return _Token("word", token.text) if token.kind in ("in", "notin") else token

    def _take(self, *, operator: bool = False) -> _Token:
        token = self._tokens[self._at] if operator else self._next
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _requirement(self) -> Test:
        try:
            return self._read()
        except _Unreadable as error:
            raise _unparsable(str(error)) from None

    def _read(self) -> Test:
        negated = self._next.kind == "!" and bool(self._take())
        key = self._take()
        if key.kind != "word":
            raise _Unreadable(f"found '{key.text}', expected: identifier")
        _refuse(key.text, qualified_problems("<nil>", key.text))
        if negated:
            return lambda labels: key.text not in labels
        if self._next.kind in ("", ","):
            return lambda labels: key.text in labels
        operator = self._take(operator=True)
        if operator.kind in ("in", "notin"):
            return _among(key.text, self._values(), negated=operator.kind == "notin")
        if operator.kind in ("=", "==", "!="):
            return _among(key.text, {self._value()}, negated=operator.kind == "!=")
        if operator.kind in ("<", ">"):
            return _beyond(key.text, self._value(), above=operator.kind == ">")
        raise _Unreadable(f"found '{operator.text}', expected: {', '.join(_OPERATORS)}")

    def _value(self) -> str:
        if self._next.kind in ("", ","):
            return ""
        value = self._take()
        if value.kind != "word":
            raise _Unreadable(f"found '{value.text}', expected: identifier")
        return value.text

    def _values(self) -> set[str]:
        opening = self._take()
        if opening.kind != "(":
            raise _Unreadable(f"found '{opening.text}' expected: '('")
        if self._next.kind not in ("word", ",", ")"):
            raise _Unreadable(f"found '{self._next.text}', expected: ',', ')' or identifier")
        values: set[str] = set()
        if self._next.kind == ")":
            values.add("")
        while self._next.kind != ")":
            values |= self._one_of_several(first=not values)
        self._take()
        return values

    def _one_of_several(self, *, first: bool) -> set[str]:
        token = self._take()
        if token.kind == "word":
            if self._next.kind not in (",", ")"):
                raise _Unreadable(f"found '{self._next.text}', expected: ',' or ')'")
            return {token.text}
        if token.kind != ",":
            raise _Unreadable(f"found '{token.text}', expected: ',', or identifier")
        empty = first or self._next.kind in (",", ")")
        if self._next.kind == ",":
            self._take()
        return {""} if empty else set()


def _among(key: str, values: Collection[str], *, negated: bool) -> Test:
    for place, value in enumerate(sorted(values)):
        _refuse(value, label_value_problems(f"values[{place}][{key}]", value))
    if negated:
        return lambda labels: labels.get(key) not in values
    return lambda labels: labels.get(key) in values


def _beyond(key: str, value: str, *, above: bool) -> Test:
    if not _WHOLE.fullmatch(value):
        _refuse(value, [wrong("values[0]", value, "for 'Gt', 'Lt' operators, the value must be an integer")])
    _refuse(value, label_value_problems(f"values[0][{key}]", value))
    bound = int(value)

    def test(labels: Labels) -> bool:
        text = labels.get(key, "")
        return bool(_WHOLE.fullmatch(text)) and (int(text) > bound if above else int(text) < bound)

    return test


def _refuse(value: str, problems: list[Cause]) -> None:
    """Whatever is wrong with one key or value is told as one thing."""
    if problems:
        again = f"Invalid value: {shown(value)}: "
        raise _Unreadable(f"{problems[0].field}: {again}{'; '.join(p.text.removeprefix(again) for p in problems)}")


def _unparsable(reason: str) -> ApiError:
    return bad_request(f"unable to parse requirement: {reason}")
