"""Events to JSON and back, and the hash chain over them. Every journal and the export use this one form.

An entry's hash covers the hash before it and everything that the entry says, so that an entry that is changed, removed or
put in between breaks the chain at that place.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple, get_args

from pydantic import Field, TypeAdapter, ValidationError

from console.domain.errors import JournalDamaged
from console.domain.events import Event, Recorded

FORMAT_VERSION = 1
GENESIS = "0" * 64

_EVENTS: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
_TYPES = frozenset(f.default for kind in get_args(Event) for f in fields(kind) if f.name == "type")


class Entry(NamedTuple):
    """An event as it stands on disk: times in ISO 8601, `body` as `encode` wrote it, `hash` over it and the one before."""

    seq: int
    at: str
    actor: str
    epoch: int
    body: str
    hash: str


def encode(event: Event) -> str:
    """One event as a canonical line of JSON with its version."""
    document = _EVENTS.dump_python(event, mode="json")
    body = json.dumps({**document, "v": FORMAT_VERSION}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return writable(body)


def writable(text: str) -> str:
    """The text as it can stand in UTF-8: an argument that is no text reaches Python with lone surrogates."""
    return text.encode(errors="replace").decode()


def decode(seq: int, body: str) -> Event:
    try:
        document: dict[str, Any] = json.loads(body)
        version = document.pop("v")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise JournalDamaged(f"event {seq} can't be read: {error}") from None
    if version != FORMAT_VERSION:
        raise JournalDamaged(
            f"event {seq} is written in format {version}, this console reads format {FORMAT_VERSION}",
            "open it with the release that wrote it, or a newer one",
        )
    if not isinstance(document.get("type"), str) or document["type"] not in _TYPES:
        raise JournalDamaged(
            f'event {seq} is a "{document.get("type")}", which this console does not know',
            "open it with the release that wrote it, or a newer one",
        )
    try:
        return _EVENTS.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise JournalDamaged(f"event {seq} is not one that this console knows: {where}: {first['msg']}") from None


def chain(previous: str, seq: int, at: str, actor: str, epoch: int, body: str) -> str:
    """The hash (SHA-256, hexadecimal) of an entry behind `previous`."""
    entry = json.dumps([previous, seq, at, actor, epoch, body], ensure_ascii=False)
    return hashlib.sha256(entry.encode()).hexdigest()


def timestamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def recorded(seq: int, at: str, actor: str, epoch: int, body: str) -> Recorded:
    try:
        when = datetime.fromisoformat(at)
    except ValueError:
        raise JournalDamaged(f'event {seq} has no readable time: "{at[:40]}"') from None
    return Recorded(seq, when, actor, epoch, decode(seq, body))
