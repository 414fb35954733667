"""Turns what came over the wire into an object of its type: unknown fields out and told, empty values as Go would keep them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from console.sandbox.kubernetes.documents import Object, clone
from console.sandbox.kubernetes.quantities import canonical_quantity
from console.sandbox.kubernetes.schema import GO_NAMES, Field, FreeMap, Listing, Node, Scalar, Struct, empty, types


class Undecodable(Exception):
    """A value has another type than its field, in the words of Go's JSON decoder."""


@dataclass
class Decoded:
    """The object, and each field that the type does not know, spelled as `spec.template.spec.containers[0].imagee`."""

    object: Object
    unknown: list[str] = field(default_factory=list)


def decoded(node: Struct, document: Any) -> Decoded:
    """Raises Undecodable. The document is not changed."""
    result = Decoded({})
    result.object = _struct(node, document, _Place(node.go_name, "", ""), result.unknown)
    return result


@dataclass(frozen=True)
class _Place:
    """`path` counts list items, for people; `go` does not, for Go's decoder; `owner` is the struct that the field is of."""

    owner: str
    go: str
    path: str

    def key(self, name: str) -> _Place:
        return _Place(
            self.owner, f"{self.go}.{name}" if self.go else name, f"{self.path}.{name}" if self.path else name
        )

    def inside(self, extra: str) -> _Place:
        return _Place(self.owner, self.go, self.path + extra)

    def of(self, owner: str) -> _Place:
        return _Place(owner, self.go, self.path)


def _struct(node: Struct, document: Any, place: _Place, unknown: list[str]) -> Object:
    if not isinstance(document, dict):
        raise _mismatch(document, place, f"v1.{node.go_name}")
    result: Object = {}
    here = place.of(node.go_name)
    for key, given in document.items():
        if key in node.fields:
            value = _field(node.fields[key], given, here.key(key), unknown)
            if value is not _LEFT_OUT:
                result[key] = value
        elif node.open:
            result[key] = clone(given)
        else:
            unknown.append(here.key(key).path)
    return result | {key: empty(known) for key, known in node.fields.items() if known.always and key not in result}


_LEFT_OUT = object()


def _field(known: Field, value: Any, place: _Place, unknown: list[str]) -> Any:
    if value is None:
        return empty(known) if known.always else _LEFT_OUT
    result = _value(known.node, value, place, unknown)
    if known.always or known.pointer:
        return result
    if isinstance(known.node, Scalar):
        return _LEFT_OUT if result == known.node.zero else result
    return _LEFT_OUT if result in ({}, []) and not isinstance(known.node, Struct) else result


def _value(node: Node, value: Any, place: _Place, unknown: list[str]) -> Any:
    if isinstance(node, Struct):
        return _struct(node, value, place, unknown)
    if isinstance(node, Scalar):
        return _scalar(node, value, place)
    if isinstance(node, FreeMap):
        if not isinstance(value, dict):
            raise _mismatch(value, place, f"map[string]{_go_type(node.of)}")
        return {key: _value(node.of, one, place.inside(f".{key}"), unknown) for key, one in value.items()}
    if isinstance(node, Listing):
        if not isinstance(value, list):
            raise _mismatch(value, place, f"[]{_go_type(node.of)}")
        return [_value(node.of, one, place.inside(f"[{i}]"), unknown) for i, one in enumerate(value)]
    return clone(value)


def _scalar(node: Scalar, value: Any, place: _Place) -> Any:
    if node.of == "quantity":
        return canonical_quantity(value)
    if node.of == "int-or-string":
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise _mismatch(value, place, "intstr.IntOrString")
    fits = {
        "boolean": isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
    }.get(node.of, isinstance(value, str) if node.is_text else isinstance(value, int) and not isinstance(value, bool))
    if value is None:
        return node.zero
    if not fits:
        raise _mismatch(value, place, GO_NAMES[node.of])
    if node.of == "bytes":
        _check_base64(value)
    return value


def _check_base64(text: str) -> None:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Undecodable("illegal base64 data at input byte 0") from None


def _mismatch(value: Any, place: _Place, wanted: str) -> Undecodable:
    kind = {dict: "object", list: "array", str: "string", bool: "bool"}.get(type(value), "number")
    if not place.go:
        return Undecodable(f"json: cannot unmarshal {kind} into Go value of type {wanted}")
    return Undecodable(f"json: cannot unmarshal {kind} into Go struct field {place.owner}.{place.go} of type {wanted}")


def _go_type(node: Node) -> str:
    return GO_NAMES.get(node.of, node.of) if isinstance(node, Scalar) else f"v1.{getattr(node, 'go_name', 'object')}"


# ------------------------------------------------------------ custom resources


def decoded_custom(node: Struct, document: Object) -> Decoded:
    """A custom resource: what its schema does not know is dropped, everything else is kept as it was sent, defaults filled in."""
    unknown: list[str] = []
    result = Decoded(_pruned(node, document, "", unknown), unknown)
    metadata = types().named("meta.v1.ObjectMeta")
    result.object["metadata"] = _struct(
        metadata, document.get("metadata") or {}, _Place("", "metadata", "metadata"), unknown
    )
    return result


def _pruned(node: Node, value: Any, path: str, unknown: list[str]) -> Any:
    if isinstance(node, Struct) and isinstance(value, dict):
        result = {}
        for key, inner in value.items():
            here = f"{path}.{key}" if path else key
            if key in node.fields:
                result[key] = inner if here == "metadata" else _pruned(node.fields[key].node, inner, here, unknown)
            elif node.open:
                result[key] = clone(inner)
            else:
                unknown.append(here)
        for key, known in node.fields.items():
            if known.default is not None and key not in result:
                result[key] = clone(known.default)
        return result
    if isinstance(node, FreeMap) and isinstance(value, dict):
        return {key: _pruned(node.of, inner, f"{path}.{key}", unknown) for key, inner in value.items()}
    if isinstance(node, Listing) and isinstance(value, list):
        return [_pruned(node.of, inner, f"{path}[{i}]", unknown) for i, inner in enumerate(value)]
    return clone(value)


def misfits(node: Node, value: Any, path: str) -> Iterator[tuple[str, Any, str]]:
    """Each value of a custom resource that has another type than its schema wants: where, what, and the wanted type."""
    if value is None:
        return
    if isinstance(node, Struct | FreeMap):
        if not isinstance(value, dict):
            yield path, value, "object"
            return
        for key, inner in value.items():
            below = node.fields[key].node if isinstance(node, Struct) and key in node.fields else None
            below = node.of if isinstance(node, FreeMap) else below
            if below is not None and (path or key != "metadata"):
                yield from misfits(below, inner, f"{path}.{key}" if path else key)
    elif isinstance(node, Listing):
        if not isinstance(value, list):
            yield path, value, "array"
            return
        for index, inner in enumerate(value):
            yield from misfits(node.of, inner, f"{path}[{index}]")
    elif isinstance(node, Scalar):
        fits = {
            "string": isinstance(value, str),
            "boolean": isinstance(value, bool),
            "integer": isinstance(value, int) and not isinstance(value, bool),
            "number": isinstance(value, int | float) and not isinstance(value, bool),
        }.get(node.of, True)
        if not fits:
            yield path, value, node.of
