"""Reads the data files of an archive as JSON, and refuses what could not be given to OPA exactly as it is written."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final, NoReturn

from console.engine.ports import Json
from console.targets.opa.paths import normal
from console.targets.text import clean_line

DEEPEST: Final = 200
"""Levels. Deeper ones are not written by people, and break what comes after."""


class NotExact(Exception):
    """The document can't be read, or not without losing something."""


def as_json(content: bytes) -> Json:
    try:
        value = json.loads(content.decode("utf-8-sig"), parse_float=_exact, parse_constant=_constant)
    except UnicodeDecodeError:
        raise NotExact("it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise NotExact(f"it is not JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):
        raise NotExact("it is not JSON, or nests too deep") from None
    return _bounded(value)


def as_yaml(content: bytes) -> Json:
    """YAML as far as it says the same as JSON: no dates, no keys but text, no aliases (a small file can mean gigabytes)."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Its floats are as exact as those of JSON."""

    Loader.add_constructor("tag:yaml.org,2002:float", lambda _, node: _exact(node.value))
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(content, yaml.SafeLoader)):
            raise NotExact("it has aliases (*name), which are not read here; write it as JSON")
        value = yaml.load(content, Loader)  # noqa: S506 - a SafeLoader
        _refuse_foreign(value)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NotExact(f"it is not YAML: {clean_line(str(error), 120)}") from None
    except (ValueError, RecursionError):
        raise NotExact("it is not YAML, or nests too deep") from None
    return _bounded(value)


def _refuse_foreign(value: Any) -> None:
    if isinstance(value, dict):
        if odd := next((key for key in value if not isinstance(key, str)), None):
            raise NotExact(f"its key {clean_line(str(odd), 40)} is not text; put it in quotes")
        for item in value.values():
            _refuse_foreign(item)
    elif isinstance(value, list):
        for item in value:
            _refuse_foreign(item)
    elif value is not None and not isinstance(value, bool | int | float | str):
        raise NotExact(f"{clean_line(str(value), 40)} is no JSON value; put it in quotes")


def _exact(text: str) -> float:
    try:
        value = float(text)
    except ValueError:  # what only YAML calls a number: .inf, 1:30.5
        raise NotExact(f"{clean_line(text, 40)} is not a number in JSON") from None
    if value in (float("inf"), float("-inf")) or Decimal(text) != Decimal(repr(value)):
        raise NotExact(f"the number {clean_line(text, 40)} has more digits than can be given back exactly")
    return value


def _constant(text: str) -> NoReturn:
    raise NotExact(f"{text} is not a number in JSON")


def _bounded(value: Json, depth: int = 0) -> Json:
    if depth > DEEPEST:
        raise NotExact(f"it nests deeper than {DEEPEST} levels")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _bounded(item, depth + 1)
    return normal(value) if depth == 0 else value
