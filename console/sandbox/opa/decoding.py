"""Reads JSON as OPA's server does: the first value of a body, and in the words of Go's decoder what is wrong with it."""

from __future__ import annotations

import json
from typing import Any, Final

_LITERALS: Final = {"t": "true", "f": "false", "n": "null"}
_SPACE: Final = " \t\r\n"


class NoJson(Exception):
    """What Go's decoder says."""


def decoded(body: bytes | str) -> Any:
    """The first value; what comes after it is left alone. Raises NoJson."""
    try:
        text = (body if isinstance(body, str) else body.decode()).lstrip(_SPACE)
    except UnicodeDecodeError:
        raise NoJson("invalid UTF-8 in JSON") from None
    if not text:
        raise NoJson("EOF")
    try:
        value, _ = json.JSONDecoder(parse_constant=_refuse).raw_decode(text)
    except json.JSONDecodeError as error:
        raise NoJson(_words(error)) from None
    return value


def _refuse(text: str) -> Any:
    """NaN and Infinity, which Python takes and JSON does not have."""
    raise NoJson(f"invalid character '{text[0]}' looking for beginning of value")


def _words(error: json.JSONDecodeError) -> str:
    text, at = error.doc, error.pos
    if at >= len(text.rstrip(_SPACE)) or error.msg.startswith("Unterminated string"):
        return "unexpected EOF"
    if literal := _LITERALS.get(text[at]) if error.msg == "Expecting value" else None:
        for number, expected in enumerate(literal):
            if at + number >= len(text):
                return "unexpected EOF"
            if text[at + number] != expected:
                return f"invalid character {_quoted(text[at + number])} in literal {literal} (expecting '{expected}')"
    return f"invalid character {_quoted(text[at])} {_place(error)}"


def _place(error: json.JSONDecodeError) -> str:
    if "property name" in error.msg or "Illegal trailing comma before end of object" in error.msg:
        return "looking for beginning of object key string"
    if error.msg == "Expecting ':' delimiter":
        return "after object key"
    if error.msg == "Expecting ',' delimiter":
        return "after array element" if _within_array(error.doc[: error.pos]) else "after object key:value pair"
    return "looking for beginning of value"


def _within_array(text: str) -> bool:
    """Whether the innermost bracket that is open is an array's."""
    opened: list[str] = []
    in_string = escaped = False
    for char in text:
        if in_string:
            escaped, in_string = (char == "\\" and not escaped), (char != '"' or escaped)
        elif char == '"':
            in_string = True
        elif char in "[{":
            opened.append(char)
        elif char in "]}":
            opened.pop()
    return opened[-1:] == ["["]


def _quoted(char: str) -> str:
    """As Go quotes a character."""
    return {"'": r"'\''", '"': "'\"'"}.get(char, f"'{char}'")


def kind_of(value: Any) -> str:
    """What Go calls a value that was to be another."""
    kinds = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    return kinds.get(type(value), "null")
