"""Pydantic's errors in words for people, and aware of secrets. `loading.py` imports it when a table has a flaw, and not before.

The rule for values: a message shows what was written, except where a secret may have been written by mistake: below a field
that takes a secret, behind a key that nobody knows, behind a key named like a secret.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from console.config.facts import FACTS
from console.config.flaws import DocumentPath, Flaw, closest, did_you_mean
from console.config.models import key_names
from console.config.options import LONGEST_DURATION_SECONDS
from console.config.secrets import MASK, SecretReference

LONGEST_VALUE_SHOWN: Final = 60

EXPECTED: Final = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "date_type": "a date",
    "datetime_type": "a date and time",
    "timezone_aware": "a date and time with its zone, like 2026-03-01T14:00:00Z",
    "time_type": "a time",
    "path_type": 'a path in quotes, like "backup/rules.yaml"',
    "path": "a path",
    "path_home": "a path to a known home folder",
    "url_type": "a URL",
    "url_parsing": 'a URL like "http://prometheus:9090"',
    "duration_type": 'a duration in quotes, like "5m"',
    "duration": 'a duration like "5m", "90s", "1h30m" or "500ms"',
    "duration_too_long": f"a duration of at most {LONGEST_DURATION_SECONDS / 86_400:g} days",
    "duration_not_positive": "a duration longer than nothing",
    "blank": "text that is not empty",
    "one_line": "one line without control characters",
    "none_required": "nothing",
}
"""What was expected, by pydantic's type of error; completed with what was found."""

LIMITS: Final = {
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "url_scheme": "a URL that starts with {expected_schemes}",
}
"""The same for errors that have a limit, filled from the error's context."""

KEEP_IT_ELSEWHERE: Final = (
    'the file is shared and copied; write where the secret is kept instead: { env = "NAME" }, '
    '{ file = "PATH" } or { command = ["pass", "show", "NAME"] }'
)

URL_PASSWORD: Final = re.compile(r"(?<=://)[^\s/@\"']*:[^\s/\"']*(?=@)")
_SECRET_KEY = re.compile(
    r"passw|passphrase|secret|token|credential|api[-_]?key|private[-_]?key|(^|[-_])(pw|pass|pwd|dsn)$", re.IGNORECASE
)


def looks_secret(key: object) -> bool:
    """A key whose value people write secrets behind."""
    return isinstance(key, str) and _SECRET_KEY.search(key) is not None


def flaws_of(
    error: ValidationError,
    model: type[BaseModel],
    table: Mapping[str, Any],
    path: DocumentPath,
    who: str,
    known: Sequence[str],
) -> list[Flaw]:
    """One flaw for each mistake in a table. `path` leads to the table, `known` are all of its keys."""
    wrong_types: dict[DocumentPath, list[str]] = {}
    flaws: list[Flaw] = []
    for details in error.errors(include_url=False):
        inner, missing = _place(details, table)
        place = (*path, *inner)
        masked = _is_secret(model, inner) or looks_secret(_last_key(inner))
        if details["type"] in EXPECTED:
            wrong_types.setdefault(inner, []).append(EXPECTED[details["type"]])
        elif details["type"] == "missing":
            flaws.append(_missing_key(place, str(missing), _table_words(who, inner)))
        elif details["type"] == "extra_forbidden":
            nested = _model_at(model, inner[:-1])
            keys = known if len(inner) == 1 else tuple(key_names(nested)) if nested else ()
            flaws.append(unknown_key(place, _table_words(who, inner[:-1]), keys))
        else:
            flaws.append(_other(details, place, _value_at(table, inner), masked, who))
    for inner, expected in wrong_types.items():
        masked = _is_secret(model, inner) or looks_secret(_last_key(inner))
        flaws.append(_wrong_type((*path, *inner), expected, _value_at(table, inner), masked))
    return flaws


def unknown_key(path: DocumentPath, who: str, known: Iterable[str]) -> Flaw:
    key = str(path[-1])
    return Flaw(
        path, f'unknown key "{shortened(key)}" in {who}', did_you_mean(key, known, "known keys"), at="key", masked=True
    )


def wrong_shape(path: DocumentPath, header: str, value: Any) -> Flaw:
    """A table where a list of tables belongs, or anything else where a table belongs."""
    if header.startswith("[[") and isinstance(value, dict):
        return Flaw(path, f"{header} needs double brackets: there can be several", f"write {header}", at="table")
    if isinstance(value, tuple) and value and isinstance(value[0], dict):
        return Flaw(path, f"{header} needs single brackets: there is one", f"write {header}", at="table")
    return Flaw(path, f"expected the table {header}, got {found(value)}", masked=looks_secret(path[-1]))


def found(value: Any, masked: bool = False) -> str:
    """A value in words: `text "five"`, `the whole number 5`, `a list`."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return "text" if masked else f'text "{shortened(value)}"'
        case int():
            return "a whole number" if masked else f"the whole number {value}"
        case float():
            return "a number" if masked else f"the number {value}"
        case datetime.date() | datetime.time():
            return "a date or time"
        case tuple() | list():
            return "a list"
        case dict():
            return "a table"
        case _:
            return "something else"


def shortened(text: str) -> str:
    """At most one short line's worth of a text from the file."""
    text = URL_PASSWORD.sub(MASK, text)  # before it is cut: without the @ behind it, a password doesn't look like one
    return text if len(text) <= LONGEST_VALUE_SHOWN else text[: LONGEST_VALUE_SHOWN - 1] + "…"


# ---------------------------------------------------------------- the words of each error


def _missing_key(path: DocumentPath, key: str, who: str) -> Flaw:
    return Flaw(path, f'missing key "{key}" in {who}', at="table")


def _wrong_type(path: DocumentPath, expected: list[str], value: Any, masked: bool) -> Flaw:
    alternatives = list(dict.fromkeys(expected))
    words = alternatives[0] if len(alternatives) == 1 else f"{', '.join(alternatives[:-1])} or {alternatives[-1]}"
    hint = "" if masked else _conversion(alternatives[0], value)
    return Flaw(path, f"expected {words}, got {found(value, masked)}", hint, masked=masked)


def _conversion(expected: str, value: Any) -> str:
    """What to write instead, where it can be told from the value."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if expected.startswith("a duration") and number:
        return f'write its unit: "{value}s" or "{value}m"'
    if (
        expected in ("a whole number", "a number")
        and isinstance(value, str)
        and re.fullmatch(r"[+-]?\d+(\.\d+)?", value, re.ASCII)
    ):
        return f"write it without quotes: {value}"
    if expected == "true or false" and isinstance(value, str) and value.lower() in ("true", "false"):
        return f"write it without quotes: {value.lower()}"
    if expected == "a list" and isinstance(value, str):
        return f'write ["{shortened(value)}"]'
    if expected == "text" and number:
        return f'write it in quotes: "{value}"'
    return ""


def _other(details: ErrorDetails, path: DocumentPath, value: Any, masked: bool, who: str) -> Flaw:
    context = details.get("ctx", {})
    match details["type"]:
        case "secret_in_file":
            return Flaw(path, f'"{path[-1]}" in {who} must not hold the secret itself', KEEP_IT_ELSEWHERE, masked=True)
        case "secret_exactly_one":
            given = context.get("given") or "none of them"
            return Flaw(path, f"a secret needs exactly one of env, file and command, got {given}", KEEP_IT_ELSEWHERE)
        case "unknown_fact":
            name = str(context.get("name", ""))
            return Flaw(path, f'unknown name "${shortened(name)}" in {who}', did_you_mean(name, FACTS, "names"))
        case "lone_dollar":
            return Flaw(path, f"a $ without a name in {who}", "write $$ for the sign itself, or $name for a fact")
        case "literal_error" | "enum":
            return _not_among(path, str(context.get("expected", "")), value, masked)
        case "string_pattern_mismatch":
            return _pattern(path, str(context.get("pattern", "")), value, masked)
        case "value_error" | "assertion_error":
            message = str(context.get("error", "")) or "this value is not valid"
            return Flaw(
                path,
                "this value is not valid" if masked else message,
                masked=masked,
                at="table" if isinstance(value, dict) else "value",
            )
        case limit if limit in LIMITS:
            return Flaw(path, f"expected {LIMITS[limit].format(**context)}, got {found(value, masked)}", masked=masked)
    message = details["msg"].replace("Input should be", "expected")
    message = message[:1].lower() + message[1:]
    return Flaw(path, f"not a valid value, got {found(value, masked)}" if masked else message, masked=masked)


def _not_among(path: DocumentPath, expected: str, value: Any, masked: bool) -> Flaw:
    choices = re.findall(r"'([^']*)'", expected)
    words = expected.replace("'", '"')
    match = closest(value, choices) if isinstance(value, str) and not masked else None
    hint = f'did you mean "{match}"?' if match else ""
    return Flaw(path, f"expected {words}, got {found(value, masked)}", hint, masked=masked)


def _pattern(path: DocumentPath, pattern: str, value: Any, masked: bool) -> Flaw:
    if pattern != _slug_pattern():
        if path[-1:] == ("env",):
            return Flaw(path, "expected the name of an environment variable", masked=True)
        return Flaw(path, f"expected text of the form {pattern}, got {found(value, masked)}", masked=masked)
    # A target's name is the key of its table, and every other id is a value.
    named_by_key = path[-1:] == ("name",) and path[:1] == ("target",)
    place = path[:-1] if named_by_key else path
    slug = re.sub(r"[^a-z0-9]+", "-", str(value).lower()).strip("-")[:64]
    message = f'"{shortened(str(value))}" is not an id: lower-case letters, digits and dashes, a letter or digit first'
    return Flaw(place, message, f'did you mean "{slug}"?' if slug else "", at="key" if named_by_key else "value")


def _slug_pattern() -> str:
    from console.config.options import SLUG_PATTERN

    return SLUG_PATTERN


# ---------------------------------------------------------------- where in the table, and what belongs there


def _place(details: ErrorDetails, table: Mapping[str, Any]) -> tuple[DocumentPath, str | int | None]:
    """Pydantic's location without the names of union members that it puts in between, and the key that is missing, if one is."""
    location = list(details["loc"])
    missing = location.pop() if details["type"] == "missing" and location else None
    place: list[str | int] = []
    value: Any = table
    for part in location:
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, tuple) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            continue
        place.append(part)
    return tuple(place), missing


def _value_at(table: Mapping[str, Any], path: DocumentPath) -> Any:
    value: Any = table
    for part in path:
        value = value[part]
    return value


def _last_key(path: DocumentPath) -> str | None:
    return next((part for part in reversed(path) if isinstance(part, str)), None)


def _table_words(who: str, inner: DocumentPath) -> str:
    names = ".".join(str(part) for part in inner if isinstance(part, str))
    return f'"{names}" of {who}' if names else who


def _annotations_at(model: type[BaseModel], path: DocumentPath) -> list[Any]:
    """The declared types along a path, as far as models declare them."""
    along: list[Any] = []
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int):
            continue
        field_name = key_names(current).get(part) if current else None
        if current is None or field_name is None:
            break
        annotation = current.model_fields[field_name].annotation
        along.append(annotation)
        current = _model_in(annotation)
    return along


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part)) is not None), None)


def _model_at(model: type[BaseModel], path: DocumentPath) -> type[BaseModel] | None:
    along = _annotations_at(model, path)
    return _model_in(along[-1]) if along else model


def _is_secret(model: type[BaseModel], path: DocumentPath) -> bool:
    return any(_holds_secret(annotation) for annotation in _annotations_at(model, path))


def _holds_secret(annotation: Any) -> bool:
    return annotation is SecretReference or any(_holds_secret(part) for part in get_args(annotation))
