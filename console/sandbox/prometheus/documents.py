"""YAML as Prometheus reads it: strictly, an unknown field is an error that tells its line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from console.sandbox.prometheus import durations


class Unusable(Exception):
    """A file that can't be loaded; nothing of it was taken over."""


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Unusable(f"open {path}: {reason.lower()}") from None


def parsed(text: str) -> Any:
    """The document, after its fields have been found to be known by whoever asks."""
    try:
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Unusable(f"yaml: line {line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unusable(f"yaml: {error}") from None


def mapping(value: Any, fields: Collection[str], sort: str, text: str = "") -> Mapping[str, Any]:
    """The value as a mapping with known fields only."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unusable(f"yaml: unmarshal errors:\n  cannot unmarshal {_called(value)} into {sort}")
    for field in value:
        if field not in fields:
            raise Unusable(
                f"yaml: unmarshal errors:\n  line {_line(text, str(field))}: field {field} not found in type {sort}"
            )
    return value


def listed(value: Any, sort: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unusable(f"yaml: unmarshal errors:\n  cannot unmarshal {_called(value)} into []{sort}")
    return value


def strings(value: Any, what: str) -> dict[str, str]:
    """A mapping of names to texts; numbers are texts too, as they are for Prometheus."""
    if value is None:
        return {}
    if not isinstance(value, dict) or any(isinstance(one, dict | list) for one in value.values()):
        raise Unusable(f"yaml: unmarshal errors:\n  cannot unmarshal {_called(value)} into {what}")
    return {str(name): _scalar(one) for name, one in value.items()}


def duration(value: Any, default: int) -> int:
    if value is None:
        return default
    try:
        return durations.span(str(value))
    except ValueError as error:
        raise Unusable(str(error)) from None


def _scalar(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _called(value: Any) -> str:
    return {list: "!!seq", dict: "!!map", str: "!!str", int: "!!int"}.get(type(value), "a value")


def _line(text: str, field: str) -> int:
    """Where a field stands for the first time; good enough to find it."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip(" -").startswith((f"{field}:", f'"{field}":', f"'{field}':")):
            return number
    return 1
