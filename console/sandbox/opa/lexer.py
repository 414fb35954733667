"""Cuts Rego into tokens."""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

from console.sandbox.opa.errors import Mistaken, RegoError
from console.sandbox.opa.syntax import Place

KEYWORDS: Final = frozenset(
    {"package", "import", "as", "default", "else", "not", "some", "with", "null", "true", "false"}
    | {"if", "in", "contains", "every"}
)
_NAMES: Final = {
    "{": "{", "}": "}", "(": "(", ")": ")", "[": "[", "]": "]", ",": ",", ";": ";", ".": ".", ":": ":",
    ":=": "assign", "=": "eq", "==": "equal", "!=": "neq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte",
    "+": "plus", "-": "minus", "*": "mul", "/": "div", "%": "rem", "&": "and", "|": "or",
}  # fmt: skip
_SIGNS: Final = re.compile(r":=|==|!=|<=|>=|[{}()\[\],;.:=<>+\-*/%&|]")
_IDENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_STRING: Final = re.compile(r'"(?:[^"\\\n\0\udc80-\udcff]|\\.)*"')
_BAD_ESCAPE: Final = re.compile(r'(?<!\\)(?:\\\\)*\\(?:[^"\\/bfnrtu]|u(?![0-9A-Fa-f]{4}))')
_RAW: Final = re.compile(r"`[^`\0\udc80-\udcff]*`")
_SPACE: Final = re.compile(r"[ \t\r\n]+|#[^\n\0\udc80-\udcff]*")
_BAD: Final = re.compile(r"[\0\ufeff\udc80-\udcff]")


class Token(NamedTuple):
    """`kind` is ident, string, number, template, keyword, sign, illegal or eof.

    `text` is what it says; of something illegal, what is wrong with it, if more than that it is not Rego.
    """

    kind: str
    text: str
    row: int
    col: int
    start: int
    end: int
    space: bool
    """White space comes before it."""
    newline: bool
    """A line ends before it."""

    @property
    def shown(self) -> str:
        """As OPA names it in "unexpected … token"."""
        if self.kind == "sign":
            return _NAMES[self.text]
        return {"template": "string"}.get(self.kind, self.text if self.kind == "keyword" else self.kind)


def tokens_of(source: str) -> list[Token]:
    """All tokens, up to one that is illegal, or `eof`."""
    if source.startswith("\ufeff"):
        source = source[1:]
    found: list[Token] = []
    offset, row, line_start = 0, 1, 0
    space = newline = False
    while True:
        if gap := _SPACE.match(source, offset):
            if not gap[0].startswith("#"):
                space = True
            if "\n" in gap[0]:
                newline = True
                row += gap[0].count("\n")
                line_start = gap.start() + gap[0].rindex("\n") + 1
            offset = gap.end()
            continue
        col = len(source[line_start:offset].encode(errors="surrogateescape")) + 1
        if offset >= len(source):
            found.append(Token("eof", "eof", row, col - 1, offset, offset, space, newline))
            return found
        kind, end, text = _next(source, offset)
        if offset and _BAD.match(source, offset):
            col -= 1  # OPA reads one character ahead, and names the place where it was
        found.append(Token(kind, text, row, col, offset, end, space, newline))
        if kind == "illegal":
            return found
        if "\n" in text:
            row += text.count("\n")
            line_start = offset + text.rindex("\n") + 1
        offset = end
        space = newline = False


def _next(source: str, offset: int) -> tuple[str, int, str]:
    """The kind of the token, where it ends, and what it says."""
    char = source[offset]
    if found := _IDENT.match(source, offset):
        return ("keyword" if found[0] in KEYWORDS else "ident"), found.end(), found[0]
    if char.isdigit() and char.isascii():
        return _number(source, offset)
    if char in '"`':
        found = (_STRING if char == '"' else _RAW).match(source, offset)
        if found is None:
            bad = _BAD.search(source, offset)
            return "illegal", offset + 1, _unreadable(bad[0]) if bad else "non-terminated string"
        if char == '"' and _BAD_ESCAPE.search(found[0]):
            return "illegal", offset + 1, "illegal escape sequence"
        return "string", found.end(), found[0]
    if char == "$" and source[offset + 1 : offset + 2] in ('"', "`"):
        end = _template_end(source, offset)
        return ("template", end, source[offset:end]) if end else ("illegal", offset + 1, "non-terminated string")
    if found := _SIGNS.match(source, offset):
        return "sign", found.end(), found[0]
    if _BAD.match(char):
        return "illegal", offset + 1, _unreadable(char)
    if bad := _BAD.match(source, offset + 1):
        return "illegal", offset + 1, _unreadable(bad[0])
    return "illegal", offset + 1, f"illegal {char} character" if char in "!$" else ""


def _unreadable(char: str) -> str:
    """What OPA says of a byte that is no text. `service.py` hands those over as half a surrogate pair."""
    told = {"\0": "illegal null character", "\ufeff": "illegal byte-order mark"}
    return told.get(char, "illegal utf-8 character")


def _number(source: str, offset: int) -> tuple[str, int, str]:
    found = _NUMBER.match(source, offset)
    end = found.end() if found else offset + 1
    following = source[end : end + 1]
    if following == "." and not re.match(r"\.[A-Za-z_]", source[end:]):
        return "illegal", end, "expected fraction"
    if following in ("e", "E"):
        return "illegal", end, "expected exponent"
    if re.match(r"[A-Za-z_]", following):
        return "illegal", end, "illegal number format"
    return "number", end, source[offset:end]


def _template_end(source: str, offset: int) -> int:
    """Behind the closing quote of `$"…"`, past whatever stands in braces within; 0 where there is none."""
    quote, position, depth = source[offset + 1], offset + 2, 0
    while position < len(source):
        char = source[position]
        if char == "\\" and depth == 0:
            position += 1
        elif char == "{":
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        elif depth and char in '"`':
            inner = (_STRING if char == '"' else _RAW).match(source, position)
            if inner is None:
                break
            position = inner.end() - 1
        elif depth == 0 and char == quote:
            return position + 1
        position += 1
    return 0


def text_of(token: Token, at: Place) -> str:
    """What a string token says."""
    if token.text[0] == "`":
        return token.text[1:-1]
    try:
        return str(json.loads(token.text))
    except ValueError:
        raise wrong("illegal escape sequence", at) from None


def wrong(message: str, at: Place) -> Mistaken:
    return Mistaken([RegoError("rego_parse_error", message, at)])
