"""A request as the file writes it, and the answer that is expected of it. Used by `http.request`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from console.config.options import FilePath
from console.config.options import Options as TableOptions
from console.domain.errors import Refused
from console.targets.headers import HeaderTable
from console.targets.http import HttpUrl
from console.targets.json_values import is_json, matched, wrong_values
from console.targets.web import LARGEST_BODY_BYTES, Answer

LARGEST_SENT_BYTES: Final = 64 * 1024 * 1024
_SHOWN_LINES: Final = 30

Method: TypeAlias = Literal["POST", "PUT", "PATCH", "DELETE"]
Status: TypeAlias = Annotated[int, Field(ge=100, le=599)]
Statuses: TypeAlias = Status | Annotated[tuple[Status, ...], Field(min_length=1)]


class Call(TableOptions):
    """A request that changes something, and the answer that means success."""

    method: Method
    """POST, PUT, PATCH or DELETE."""
    url: HttpUrl
    """Where it is sent: `https://api.example.com/v1/flags/qec`."""
    headers: HeaderTable | None = None
    """Headers. Secrets by reference: `{ Authorization = { env = "TOKEN", prefix = "Bearer " } }`. An undo without any has
    those of the request, where it asks the same server."""
    json_body: Annotated[Any, Field(validation_alias="json")] = None
    """The body, sent as JSON: `{ enabled = false }`."""
    text: Annotated[str, StringConstraints(max_length=1_000_000)] | None = None
    """The body, as text."""
    file: FilePath | None = None
    """A file that is the body."""
    expect: Statuses | None = None
    """The status that means success, or a list of them; left out: any from 200 to 299."""
    expect_json: dict[str, Any] = Field(default_factory=dict)
    """Values that the answer's JSON must hold: `{ state = "off" }`."""

    @model_validator(mode="after")
    def _one_body(self) -> Call:
        if sum(body is not None for body in (self.json_body, self.text, self.file)) > 1:
            raise ValueError('at most one of "json", "text" and "file"')
        try:
            json.dumps(self.json_body)
        except TypeError:
            raise ValueError("a date or time is written as text, in quotes") from None
        return self

    @property
    def content_type(self) -> str:
        if self.json_body is not None:
            return "application/json"
        if self.text is not None:
            return "text/plain; charset=utf-8"
        return "application/octet-stream" if self.file is not None else ""

    def unexpected(self, answer: Answer) -> bool:
        if self.expect is None:
            return not 200 <= answer.status <= 299
        return answer.status not in as_tuple(self.expect)


class Look(TableOptions):
    """A GET that only looks: whether the effect is there."""

    url: HttpUrl
    """What is asked."""
    headers: HeaderTable | None = None
    """Headers; left out: those of the request, where it asks the same server."""
    expect: Statuses = 200
    """The status of an answer that can be judged, or a list of them."""
    expect_json: dict[str, Any] = Field(default_factory=dict)
    """Values that the answer's JSON holds when the effect is there: `{ state = "off" }`."""
    absent: Statuses | None = None
    """A status that means that the effect is not there, or a list of them: `404`."""

    @model_validator(mode="after")
    def _tells_something(self) -> Look:
        absent = as_tuple(self.absent) if self.absent is not None else ()
        if not (self.expect_json or absent):
            raise ValueError('name "expect_json" or "absent": otherwise every answer means that the effect is there')
        if both := set(absent) & set(as_tuple(self.expect)):
            raise ValueError(f"in expect and in absent: {', '.join(map(str, sorted(both)))}")
        return self

    def judge(self, answer: Answer) -> tuple[bool | None, str]:
        """Whether the effect is there, None where this answer does not tell, and why."""
        if self.absent is not None and answer.status in as_tuple(self.absent):
            return False, f"it answers {answer.status}"
        if answer.status not in as_tuple(self.expect):
            return None, f"it answers {answer.status}"
        if not self.expect_json:
            return True, f"it answers {answer.status}"
        if not answer.complete:
            return None, too_long()
        wrong = wrong_values(answer.body, self.expect_json)
        if wrong and not is_json(answer.body):
            return None, wrong
        return not wrong, wrong or matched(self.expect_json)


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent, what it is, and how it is shown."""

    content: bytes | None = None
    label: str = "no body"
    lines: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content or b"").hexdigest()


async def body_of(call: Call) -> Body:
    """Read now. Refused when its file can't be read."""
    if call.file is not None:
        content = await asyncio.to_thread(_read, call.file)
        sha256 = hashlib.sha256(content).hexdigest()
        label = f"{call.file} ({len(content)} bytes, SHA-256 {sha256[:12]}…)"
        return Body(content, label)
    if call.text is not None:
        return Body(call.text.encode(), "text", _lines(call.text))
    if call.json_body is not None:
        content = json.dumps(call.json_body, ensure_ascii=False).encode()
        pretty = json.dumps(call.json_body, ensure_ascii=False, indent=2)
        return Body(content, "JSON", _lines(pretty))
    return Body()


def body_for_curl(call: Call) -> list[str]:
    if call.file is not None:
        return [f"--data-binary {shlex.quote(f'@{call.file}')}"]
    if call.text is not None:
        return [f"--data-raw {shlex.quote(call.text)}"]
    if call.json_body is not None:
        return [f"--data-raw {shlex.quote(json.dumps(call.json_body, ensure_ascii=False))}"]
    return []


def too_long() -> str:
    return f"its body is longer than {LARGEST_BODY_BYTES // 1024} KiB"


def as_tuple(statuses: int | tuple[int, ...]) -> tuple[int, ...]:
    return (statuses,) if isinstance(statuses, int) else statuses


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_SENT_BYTES + 1)
    except OSError as error:
        raise Refused(f"{file} can't be read: {error.strerror}", "nothing was sent") from None
    if len(content) > LARGEST_SENT_BYTES:
        raise Refused(f"{file} is larger than {LARGEST_SENT_BYTES // 1024**2} MiB", "nothing was sent")
    return content


def _lines(text: str) -> tuple[str, ...]:
    lines = text.splitlines()
    more = (f"… {len(lines) - _SHOWN_LINES} more lines",) if len(lines) > _SHOWN_LINES else ()
    return (*lines[:_SHOWN_LINES], *more)
