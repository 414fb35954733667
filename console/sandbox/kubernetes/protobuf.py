"""Reads what kubectl sends in protobuf, which it does for the built-in kinds and does not give up when JSON is all there is.

Only reading: every client that sends protobuf takes JSON as an answer. The numbers of the fields are in `schema.json`.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from console.sandbox.kubernetes.clock import stamp
from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.errors import bad_request
from console.sandbox.kubernetes.schema import Field, FreeMap, Listing, Node, Scalar, Struct, types

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_OTHER_TYPES = {"DeleteOptions": "meta.v1.DeleteOptions"}
Wire = Mapping[str, Any]


def document_of(data: bytes) -> Object:
    """The object in the envelope that the API server's clients put around it. Raises 400 for anything else."""
    if not data.startswith(_MAGIC):
        raise bad_request("the object provided can't be read as protobuf: it has no envelope")
    try:
        envelope = dict(_parts(data[len(_MAGIC) :]))
        named = {number: value.decode() for number, value in _parts(envelope[1])}
        api_version, kind = named.get(1, ""), named.get(2, "")
        node = _node(api_version, kind)
        return {"apiVersion": api_version, "kind": kind, **_struct(node, node.wire, envelope.get(2, b""))}
    except (ValueError, KeyError, IndexError, TypeError, struct.error) as error:
        raise bad_request(f"the object provided can't be read as protobuf: {error}") from None


def _node(api_version: str, kind: str) -> Struct:
    if kind in _OTHER_TYPES:
        return types().named(_OTHER_TYPES[kind])
    return types().of_kind(api_version, kind)


def _parts(data: bytes) -> Iterator[tuple[int, Any]]:
    """Field number and raw value of each field of a message."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, form = tag >> 3, tag & 7
        if form == 0:
            value, at = _varint(data, at)
            yield number, value
        elif form == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("it breaks off")
            yield number, data[at : at + length]
            at += length
        elif form in (1, 5):
            size = 8 if form == 1 else 4
            yield number, struct.unpack_from("<d" if form == 1 else "<f", data, at)[0]
            at += size
        else:
            raise ValueError(f"wire type {form}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _struct(node: Struct, wire: Wire, data: bytes) -> Object:
    """A message as the object that it is in JSON; empty texts and numbers are what Go sends for nothing."""
    result: Object = {}
    for number, raw in _parts(data):
        name = wire.get(str(number))
        if isinstance(name, Mapping):
            result |= _struct(node, name, raw)
        elif name is not None and name in node.fields:
            _put(result, name, node.fields[name], raw)
    return {key: value for key, value in result.items() if value is not None}


def _put(result: Object, name: str, known: Field, raw: Any) -> None:
    if isinstance(known.node, Listing):
        result.setdefault(name, []).append(_value(known.node.of, raw))
    elif isinstance(known.node, FreeMap):
        entry = dict(_parts(raw))
        result.setdefault(name, {})[entry.get(1, b"").decode()] = _entry(known.node.of, entry.get(2, b""))
    else:
        value = _value(known.node, raw)
        if value in ("", 0, False) and not known.pointer and not known.required:
            return
        result[name] = value


def _entry(node: Node, raw: Any) -> Any:
    if isinstance(node, Listing):  # a map of lists wraps each list in a message
        return [_value(node.of, one) for _, one in _parts(raw)]
    return _value(node, raw)


def _value(node: Node, raw: Any) -> Any:
    if isinstance(node, Struct):
        return _struct(node, node.wire, raw)
    if isinstance(node, Scalar):
        return _scalar(node, raw)
    inner = dict(_parts(raw)).get(1, b"")  # RawExtension, FieldsV1 and JSON hold their text as JSON
    return json.loads(inner) if inner else None


def _scalar(node: Scalar, raw: Any) -> Any:
    if node.of == "boolean":
        return bool(raw)
    if node.of in ("int32", "int64", "integer"):
        return _signed(raw)
    if node.of == "number":
        return raw
    if node.of == "bytes":
        return base64.b64encode(raw).decode()
    if node.of == "string":
        return raw.decode()
    parts = dict(_parts(raw))
    if node.of == "time":
        seconds = _signed(parts.get(1, 0))
        return stamp(datetime.fromtimestamp(seconds, UTC)) if parts else None
    if node.of == "quantity":
        return parts.get(1, b"").decode()
    return parts.get(3, b"").decode() if parts.get(1) else _signed(parts.get(2, 0))
