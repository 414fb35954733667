"""What a type's fields are, how its lists merge, what is left out when empty: one source for everything that needs to know.

The built-in types come from `schema.json`, which `tests/real/tools/kubernetes_schema.py` writes from a real API server; those of
custom resources from their definitions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

from console.sandbox.kubernetes.documents import Object

GO_NAMES = {
    "string": "string",
    "integer": "int64",
    "int32": "int32",
    "int64": "int64",
    "number": "float64",
    "boolean": "bool",
    "bytes": "[]uint8",
    "time": "string",
}


@dataclass(frozen=True)
class Scalar:
    """`of` is string, boolean, integer, int32, int64, number, bytes, time, quantity or int-or-string."""

    of: str
    enum: tuple[str, ...] = ()

    @property
    def zero(self) -> Any:
        return {"boolean": False, "time": None, "quantity": "0"}.get(self.of, "" if self.is_text else 0)

    @property
    def is_text(self) -> bool:
        return self.of in ("string", "bytes", "time")


@dataclass(frozen=True)
class Untyped:
    """Anything. What nobody typed is one leaf (`opaque`), or is merged by the shape that it has."""

    opaque: bool = False


@dataclass(frozen=True)
class FreeMap:
    """A map with free keys."""

    of: Node
    atomic: bool = False


@dataclass(frozen=True)
class Listing:
    """`kind` says whether it is replaced as a whole, is a set of values, or a map whose items are told apart by `keys`."""

    of: Node
    kind: Literal["atomic", "set", "map"] = "atomic"
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Struct:
    """Named fields. `open` keeps what it does not know; `atomic` is owned as a whole."""

    name: str
    given: Callable[[], Mapping[str, Field]]
    atomic: bool = False
    open: bool = False
    wire: Mapping[str, Any] = field(default_factory=dict)
    """Which field has which number in protobuf; the fields of an embedded struct under the number of that."""
    _fields: list[Mapping[str, Field]] = field(default_factory=list)

    @property
    def fields(self) -> Mapping[str, Field]:
        if not self._fields:
            self._fields.append(self.given())
        return self._fields[0]

    @property
    def go_name(self) -> str:
        return self.name.rpartition(".")[2]


Node = Scalar | Untyped | FreeMap | Listing | Struct


@dataclass(frozen=True)
class Field:
    """A field of a struct. `always` is written even when empty, a `pointer` keeps an explicit zero."""

    node: Node
    required: bool = False
    always: bool = False
    pointer: bool = False
    default: Any = None
    strategies: frozenset[str] = frozenset()
    merge_key: str = ""


class Types:
    """The built-in types by name, made when somebody asks for them."""

    def __init__(self, document: Object) -> None:
        self.kinds: dict[str, dict[str, str]] = document["kinds"]
        self.origin: str = document["origin"]
        self.written: dict[str, Object] = document["types"]
        self._made: dict[str, Struct] = {}

    def of_kind(self, api_version: str, kind: str) -> Struct:
        return self.named(self.kinds[api_version][kind])

    def named(self, name: str) -> Struct:
        if name not in self._made:
            written = self.written[name]
            self._made[name] = Struct(
                name,
                lambda: {key: self._field(text) for key, text in written["fields"].items()},
                bool(written.get("atomic")),
                wire=written.get("wire", {}),
            )
        return self._made[name]

    def _field(self, written: str | Object) -> Field:
        more: Object = {} if isinstance(written, str) else written
        text = written if isinstance(written, str) else str(written["of"])
        name = text.strip("*=!")
        node = self._node(name, more)
        return Field(
            node,
            required="!" in text,
            always="=" in text,
            pointer=text.startswith("*"),
            default=more.get("default"),
            strategies=frozenset(str(more.get("strategy", "")).split(",")) - {""},
            merge_key=more.get("merge", ""),
        )

    def _node(self, name: str, more: Object) -> Node:
        inner = more.get("items")
        node: Node
        if inner:
            node = self._node(name, inner)
        elif name == "any":
            node = Untyped(opaque=True)
        elif "." in name:
            node = self.named(name)
            if more.get("atomic") and "list" not in more and "map" not in more:
                node = Struct(node.name, lambda: self.named(name).fields, atomic=True, wire=node.wire)
        else:
            node = Scalar(name, tuple(more.get("enum", ())))
        if "list" in more:
            kind = more["list"]
            return Listing(node, "map", tuple(kind)) if isinstance(kind, list) else Listing(node, kind)
        if "map" in more:
            return FreeMap(node, more["map"] == "atomic")
        return node


@cache
def types() -> Types:
    text = resources.files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    return Types(json.loads(text))


# ------------------------------------------------------------ custom resources


def of_custom_resource(kind: str, schema: Object | None) -> Struct:
    """The type of a custom resource from its definition's openAPIV3Schema."""
    shape = schema or {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    built = _custom(kind, shape)
    fields = dict(built.fields) if isinstance(built, Struct) else {}
    fields |= {
        "apiVersion": Field(Scalar("string")),
        "kind": Field(Scalar("string")),
        "metadata": Field(types().named("meta.v1.ObjectMeta"), always=True),
    }
    return Struct(kind, lambda: fields, open=isinstance(built, Struct) and built.open)


def _custom(name: str, shape: Object) -> Node:
    kind = shape.get("type")
    if shape.get("x-kubernetes-int-or-string"):
        return Scalar("int-or-string")
    if kind == "object" or "properties" in shape:
        if isinstance(shape.get("additionalProperties"), dict):
            return FreeMap(_custom(name, shape["additionalProperties"]), shape.get("x-kubernetes-map-type") == "atomic")
        wanted = shape.get("required", [])
        fields = {
            key: Field(_custom(key, inner), required=key in wanted, pointer=True, default=inner.get("default"))
            for key, inner in shape.get("properties", {}).items()
        }
        unknown_kept = bool(shape.get("x-kubernetes-preserve-unknown-fields"))
        return Struct(name, lambda: fields, shape.get("x-kubernetes-map-type") == "atomic", unknown_kept)
    if kind == "array":
        listed = shape.get("x-kubernetes-list-type", "atomic")
        keys = tuple(shape.get("x-kubernetes-list-map-keys", ()))
        return Listing(_custom(name, shape.get("items") or {}), listed, keys)
    if kind in ("string", "integer", "number", "boolean"):
        return Scalar(kind, tuple(str(one) for one in shape.get("enum", ())))
    return Untyped()


# ------------------------------------------------------------ small questions


def child(node: Node, key: str) -> Node | None:
    """The type of what stands under a key; None when no such key may stand there."""
    if isinstance(node, Struct):
        known = node.fields.get(key)
        return known.node if known else (Untyped() if node.open else None)
    if isinstance(node, FreeMap):
        return node.of
    return Untyped() if isinstance(node, Untyped) else None


def granular(node: Node, value: Any) -> Node:
    """What a value of no declared type is taken for: a map is merged, a list is one leaf."""
    if not isinstance(node, Untyped) or node.opaque:
        return node
    return FreeMap(Untyped()) if isinstance(value, dict) else node


def zero(node: Node) -> Any:
    """What an empty object of this type looks like when it is written: the fields that are never left out."""
    if isinstance(node, Struct):
        return {key: empty(f) for key, f in node.fields.items() if f.always}
    return node.zero if isinstance(node, Scalar) else None


def empty(one: Field) -> Any:
    """What stands for a field that was not given but is always written."""
    return None if one.pointer or not isinstance(one.node, (Scalar, Struct)) else zero(one.node)
