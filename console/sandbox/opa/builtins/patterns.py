"""Regular expressions and globs. OPA's are Go's: the few forms that Python spells differently are rewritten."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

from console.sandbox.opa.builtins.given import Undefined, listed, string, whole
from console.sandbox.opa.values import Value

_POSIX: Final = {
    "[:alpha:]": "A-Za-z", "[:digit:]": "0-9", "[:alnum:]": "0-9A-Za-z", "[:upper:]": "A-Z", "[:lower:]": "a-z",
    "[:space:]": r"\s", "[:word:]": r"\w", "[:xdigit:]": "0-9A-Fa-f",
}  # fmt: skip


@functools.lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    for name, plain in _POSIX.items():
        pattern = pattern.replace(name, plain)
    pattern = pattern.replace(r"\z", r"\Z")
    try:
        return re.compile(pattern, re.ASCII)
    except re.error:
        raise Undefined from None


def _is_valid(pattern: Value) -> bool:
    try:
        _compiled(string(pattern))
    except Undefined:
        return False
    return True


def _find_n(pattern: Value, text: Value, count: Value) -> Value:
    found = [match[0] for match in _compiled(string(pattern)).finditer(string(text))]
    return tuple(found if whole(count) < 0 else found[: whole(count)])


def _groups_n(pattern: Value, text: Value, count: Value) -> Value:
    found = [(m[0], *(g or "" for g in m.groups())) for m in _compiled(string(pattern)).finditer(string(text))]
    return tuple(found if whole(count) < 0 else found[: whole(count)])


def _replace(text: Value, pattern: Value, by: Value) -> str:
    form = re.sub(r"\\", r"\\\\", string(by))
    form = re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda m: rf"\g<{m[1] or m[2]}>", form)
    try:
        return _compiled(string(pattern)).sub(form, string(text))
    except (re.error, IndexError):
        raise Undefined from None


def _template(template: Value, text: Value, start: Value, end: Value) -> bool:
    opened, closed = re.escape(string(start)), re.escape(string(end))
    parts = re.split(f"{opened}(.*?){closed}", string(template))
    pattern = "".join(f"(?:{part})" if number % 2 else re.escape(part) for number, part in enumerate(parts))
    return _compiled(f"^{pattern}$").match(string(text)) is not None


def _glob(pattern: Value, delimiters: Value, text: Value) -> bool:
    between = [string(d) for d in listed(delimiters)] if delimiters is not None else []
    if delimiters is not None and not between:
        between = ["."]
    one = f"[^{''.join(re.escape(d) for d in between)}]" if between else "."
    try:
        return re.fullmatch(_globbed(string(pattern), one), string(text), re.DOTALL) is not None
    except re.error:
        raise Undefined from None


def _globbed(glob: str, one: str) -> str:
    """A glob as a regular expression; `one` is what a `?` stands for."""
    made, position = "", 0
    while position < len(glob):
        char = glob[position]
        if glob.startswith("**", position):
            made, position = made + ".*", position + 1
        elif char == "*":
            made += f"{one}*"
        elif char == "?":
            made += one
        elif char == "[" and "]" in glob[position:]:
            close = glob.index("]", position)
            inner = glob[position + 1 : close]
            made += f"[{'^' + inner[1:] if inner[:1] == '!' else inner}]"
            position = close
        elif char == "{" and "}" in glob[position:]:
            close = glob.index("}", position)
            made += "(?:" + "|".join(_globbed(part, one) for part in glob[position + 1 : close].split(",")) + ")"
            position = close
        elif char == "\\" and position + 1 < len(glob):
            made, position = made + re.escape(glob[position + 1]), position + 1
        else:
            made += re.escape(char)
        position += 1
    return made


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "regex.match": lambda a, b: _compiled(string(a)).search(string(b)) is not None,
    "regex.is_valid": lambda a: isinstance(a, str) and _is_valid(a),
    "regex.find_n": _find_n,
    "regex.find_all_string_submatch_n": _groups_n,
    "regex.replace": _replace,
    "regex.split": lambda a, b: tuple(_compiled(string(a)).split(string(b))),
    "regex.template_match": _template,
    "glob.match": _glob,
    "glob.quote_meta": lambda a: re.sub(r"([*?\\\[\]{}])", r"\\\1", string(a)),
}
