"""The types from which every model of the file is made: this package's tables and the options of each kind.

A kind subclasses `Options` and gives each field a docstring; `schema.py` hands it to the file's editors. (Pydantic's own
`use_attribute_docstrings` reads the source of every model at import, which was half of this package's start-up.)
Types are strict: `"5"` is not a whole number, and `1` is not `true`. Lists of the file arrive as tuples, so fields are
declared as `tuple[…, ...]`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

from pydantic import (
    AfterValidator,
    AliasGenerator,
    BaseModel,
    ConfigDict,
    PlainValidator,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

SLUG_PATTERN: Final = r"^[a-z0-9][a-z0-9-]*$"
DURATION_PATTERN: Final = r"^(\d+(\.\d+)?d)?(\d+(\.\d+)?h)?(\d+(\.\d+)?m)?(\d+(\.\d+)?s)?(\d+(\.\d+)?ms)?$"
SECONDS_IN: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
LONGEST_DURATION_SECONDS: Final = 366 * SECONDS_IN["d"]

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(ms|[dhms])", re.ASCII)
_DURATION = re.compile(DURATION_PATTERN, re.ASCII)


def key_of(field_name: str) -> str:
    """The file's key for a field: `soak_seconds` in code, where the unit is fixed; `soak = "5m"` in the file, which writes it."""
    return field_name.removesuffix("_seconds")


class Options(BaseModel):
    """A table of the file: every key known, every type strict, nothing to be changed afterwards."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        alias_generator=AliasGenerator(validation_alias=key_of),
        hide_input_in_errors=True,  # a value may be a secret written in the wrong place
    )


def parse_duration(text: object) -> float:
    """Seconds from `"5m"`, `"90s"`, `"1h30m"`, `"1.5s"`, `"500ms"`: larger units first, each at most once."""
    if isinstance(text, bool) or not isinstance(text, str):
        raise PydanticCustomError("duration_type", "expected a duration")
    if not text or len(text) > 64 or not _DURATION.fullmatch(text):
        raise PydanticCustomError("duration", "not a duration")
    seconds = sum(float(number) * SECONDS_IN[unit] for number, unit in _AMOUNT.findall(text))
    if seconds > LONGEST_DURATION_SECONDS:
        raise PydanticCustomError("duration_too_long", "a duration of at most 366d")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as these seconds, for defaults shown to people."""
    remaining = round(seconds * 1000)
    parts = []
    for unit, size in SECONDS_IN.items():
        count, remaining = divmod(remaining, round(size * 1000))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise PydanticCustomError("duration_not_positive", "a duration longer than nothing")
    return seconds


def _one_line(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "text that is not empty")
    if not text.isprintable():
        raise PydanticCustomError("one_line", "one line without control characters")
    return text


def _file_path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("path_type", "expected a path")
    if not value or "\0" in value:
        raise PydanticCustomError("path", "not a path")
    context: Any = info.context
    folder: Path = context["folder"] if isinstance(context, dict) else Path()
    try:
        path = Path(value).expanduser()
    except RuntimeError:  # the home of a user whom this machine doesn't know
        raise PydanticCustomError("path_home", "no such home folder") from None
    return folder / path


_duration_schema = WithJsonSchema(
    {"type": "string", "pattern": DURATION_PATTERN, "minLength": 2, "examples": ["5m", "90s", "1h30m", "500ms"]}
)

Duration: TypeAlias = Annotated[float, PlainValidator(parse_duration), _duration_schema]
"""Seconds in code, `"1h30m"` in the file. Name the field `…_seconds`; the key in the file goes without."""

PositiveDuration: TypeAlias = Annotated[
    float, PlainValidator(parse_duration), AfterValidator(_positive), _duration_schema
]
"""A duration that can't be zero."""

Slug: TypeAlias = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=64)]
"""An id: lower-case letters, digits and dashes."""

OneLine: TypeAlias = Annotated[str, StringConstraints(max_length=200), AfterValidator(_one_line)]
"""Text for one line of a screen or a report."""

FilePath: TypeAlias = Annotated[
    Path,
    PlainValidator(_file_path),
    WithJsonSchema({"type": "string", "description": "A path; a relative one starts at this file's folder."}),
]
"""A path; a relative one starts at the configuration file's folder, `~` is the home folder."""
