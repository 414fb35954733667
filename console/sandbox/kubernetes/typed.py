"""Objects as their types see them: which fields they have, how two differ, how one is merged into the other.

The rules are those of structured-merge-diff, on which server-side apply rests: a struct's field is owned by its leaves, an item
of a keyed list or of a map is owned by itself too, an atomic list or map as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from console.sandbox.kubernetes.documents import Object, compact, equal
from console.sandbox.kubernetes.fields import FieldSet, Path, keyed, named, spelled, valued
from console.sandbox.kubernetes.schema import FreeMap, Listing, Node, Scalar, Struct, Untyped, child, granular

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "ABSENT", "__bool__": lambda _: False})()
"""What a missing field compares as; null is something else."""


class Undeclared(Exception):
    """The object does not fit its type; each line says where and why."""


def element_of(node: Listing, item: Any) -> str:
    """Which item of the list this is. Raises Undeclared when that can't be said."""
    if node.kind == "set":
        if isinstance(item, dict):
            raise Undeclared("associative list without keys has an element that's a map type")
        if item is None:
            raise Undeclared("associative list without keys has an element that's an explicit null")
        return valued(item)
    if not isinstance(item, dict):
        kind = "a null element" if item is None else "non-map elements"
        raise Undeclared(f"associative list with keys may not have {kind}")
    found: Object = {}
    for key in node.keys:
        if key in item:
            found[key] = item[key]
        elif isinstance(node.of, Struct) and (default := _key_default(node.of, key)) is not None:
            found[key] = default
    if not found:
        keys = " ".join(f'"{key}"' for key in node.keys)
        said = f"associative list with keys has an element that omits all key fields [{keys}]"
        raise Undeclared(f"{said} (and doesn't have default values for any key fields)")
    return keyed(found)


def _key_default(node: Struct, key: str) -> Any:
    known = node.fields.get(key)
    if known is None or known.default is not None or not (known.always and isinstance(known.node, Scalar)):
        return known.default if known else None
    return known.node.zero


def check(node: Node, value: Any) -> None:
    """Raises Undeclared when the value does not fit, in the words of the real server."""
    problems = list(_problems(node, value, ""))
    if problems:
        said = problems[0] if len(problems) == 1 else "\n".join(["errors:", *(f"  {one}" for one in problems)])
        raise Undeclared(said)


def _problems(node: Node, value: Any, path: str) -> Iterator[str]:
    at = f"{path}: " if path else ""
    if value is None:
        return
    if isinstance(node, Struct | FreeMap):
        if not isinstance(value, dict):
            yield f"{at}expected map, got {_go(value)}"
            return
        for key, inner in value.items():
            typed = child(node, key)
            if typed is None:
                yield f"{path}.{key}: field not declared in schema"
                return
            else:
                yield from _problems(typed, inner, f"{path}.{key}")
    elif isinstance(node, Listing):
        if not isinstance(value, list):
            yield f"{at}expected list, got {_go(value)}"
            return
        yield from _item_problems(node, value, path, at)
    elif isinstance(node, Scalar) and (wanted := _misfit(node, value)):
        yield f"{at}{wanted}"


def _item_problems(node: Listing, items: list[Any], path: str, at: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        where = f"[{index}]"
        if node.kind != "atomic":
            try:
                element = element_of(node, item)
            except Undeclared as error:
                yield f"{at}element {index}: {error}"
                return
            where = _bracket(element)
            if element in seen:
                yield f"{at}duplicate entries for key {where}"
            seen.add(element)
        yield from _problems(node.of, item, f"{path}{where}")


def _bracket(element: str) -> str:
    return spelled((element,))


def _misfit(node: Scalar, value: Any) -> str:
    if node.of == "boolean":
        return "" if isinstance(value, bool) else f"expected boolean, got {_go(value)}"
    if node.is_text:
        return "" if isinstance(value, str) else f"expected string, got &value.valueUnstructured{{Value:{_go(value)}}}"
    if node.of in ("quantity", "int-or-string"):
        return "" if isinstance(value, str | int | float) else f"expected any scalar, got {_go(value)}"
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if fits else f"expected numeric (int or float), got {_go_type(value)}"


def _go(value: Any) -> str:
    return compact(value)


def _go_type(value: Any) -> str:
    return {bool: "bool", str: "string", dict: "map[string]interface {}", list: "[]interface {}"}.get(
        type(value), "int64"
    )


# ------------------------------------------------------------ the fields of one object


def fields_of(node: Node, value: Any) -> FieldSet:
    """The fields that somebody who applies this object lays claim to."""
    found = FieldSet()
    _collect(node, value, (), found)
    return found


def _collect(node: Node, value: Any, path: Path, found: FieldSet) -> None:
    node = granular(node, value)
    if isinstance(node, Struct | FreeMap) and not node.atomic:
        for key, inner in (value or {}).items():
            here = (*path, named(key))
            _collect(child(node, key) or Untyped(), inner, here, found)
            declared = isinstance(node, Struct) and key in node.fields
            if inner is None or inner == {} or not declared:
                found.insert(here)
    elif isinstance(node, Listing) and node.kind != "atomic":
        for item in value or []:
            here = (*path, element_of(node, item))
            _collect(node.of, item, here, found)
            found.insert(here)
    elif path:
        found.insert(path)


def with_named(fields: FieldSet, node: Node | None) -> FieldSet:
    """The set with every struct field that has children in it being a member too."""
    members = set(fields.members)
    children: dict[str, FieldSet] = {}
    for element, inner in fields.children.items():
        if isinstance(node, Struct) and element.startswith("f:") and element[2:] in node.fields:
            members.add(element)
        children[element] = with_named(inner, _below(node, element))
    return FieldSet(members, children)


def _below(node: Node | None, element: str) -> Node | None:
    if node is None:
        return None
    if element.startswith("f:"):
        return child(node, element[2:])
    return node.of if isinstance(node, Listing) else None


# ------------------------------------------------------------ two objects


@dataclass
class Comparison:
    added: FieldSet = field(default_factory=FieldSet)
    modified: FieldSet = field(default_factory=FieldSet)
    removed: FieldSet = field(default_factory=FieldSet)

    def without(self, ignored: FieldSet) -> Comparison:
        return Comparison(self.added.without(ignored), self.modified.without(ignored), self.removed.without(ignored))


def compare(node: Node, old: Any, new: Any) -> Comparison:
    """Which fields the new object adds, changes and drops."""
    found = Comparison()
    _compare(node, old, new, (), found)
    return found


def _compare(node: Node, old: Any, new: Any, path: Path, found: Comparison) -> None:
    node = granular(node, new if isinstance(new, dict) else old)
    nested = [v for v in (old, new) if v is not ABSENT and v is not None and v not in ({}, [])]
    structured = isinstance(node, Struct | FreeMap) and all(isinstance(v, dict) for v in nested)
    listed = isinstance(node, Listing) and node.kind != "atomic"
    atomic = getattr(node, "atomic", False)
    if not nested or atomic or not (structured or listed):
        _leaf(old, new, path, found)
        return
    if isinstance(node, Listing):
        _compare_items(node, old or [], new or [], path, found)
    else:
        left, right = old or {}, new or {}
        for key in [*left, *(k for k in right if k not in left)]:
            inner = child(node, key) or Untyped()
            _compare(inner, left.get(key, ABSENT), right.get(key, ABSENT), (*path, named(key)), found)
    if path and old is ABSENT:
        found.added.insert(path)
    elif path and new is ABSENT:
        found.removed.insert(path)


def _leaf(old: Any, new: Any, path: Path, found: Comparison) -> None:
    if not path:
        return
    if old is ABSENT:
        found.added.insert(path)
    elif new is ABSENT:
        found.removed.insert(path)
    elif not equal(old, new):
        found.modified.insert(path)


def _compare_items(node: Listing, old: list[Any], new: list[Any], path: Path, found: Comparison) -> None:
    left, right = _grouped(node, old), _grouped(node, new)
    for element in [*left, *(e for e in right if e not in left)]:
        here = (*path, element)
        ours, theirs = left.get(element, []), right.get(element, [])
        if len(ours) <= 1 and len(theirs) <= 1:
            _compare(node.of, ours[0] if ours else ABSENT, theirs[0] if theirs else ABSENT, here, found)
        elif len(ours) > 1 and len(theirs) > 1:
            if not equal(ours, theirs):
                found.modified.insert(here)
        elif len(ours) > 1:
            if theirs:
                _compare(node.of, ABSENT, theirs[0], here, found)
            found.removed.insert(here)
        else:
            if ours:
                _compare(node.of, ours[0], ABSENT, here, found)
            found.added.insert(here)


def _grouped(node: Listing, items: list[Any]) -> dict[str, list[Any]]:
    groups: dict[str, list[Any]] = {}
    for item in items:
        groups.setdefault(element_of(node, item), []).append(item)
    return groups


# ------------------------------------------------------------ merging and removing


def merge(node: Node, live: Any, applied: Any) -> Any:
    """The live value with everything that is applied put over it; lists in the order of who applies."""
    if applied is ABSENT:
        return live
    node = granular(node, applied)
    if isinstance(node, Struct | FreeMap) and not node.atomic and isinstance(live, dict) and isinstance(applied, dict):
        merged = dict(live)
        for key, value in applied.items():
            merged[key] = merge(child(node, key) or Untyped(), live.get(key, ABSENT), value)
        return merged
    if isinstance(node, Listing) and node.kind != "atomic" and isinstance(live, list) and isinstance(applied, list):
        return _merge_items(node, live, applied)
    return applied


def _merge_items(node: Listing, live: list[Any], applied: list[Any]) -> list[Any]:
    theirs = [element_of(node, item) for item in live]
    ours = [element_of(node, item) for item in applied]
    there, wanted = dict(zip(theirs, live, strict=True)), dict(zip(ours, applied, strict=True))
    shared = [element for element in ours if element in there]
    merged: list[Any] = []
    done: set[str] = set()

    def take() -> None:
        element = ours[len(done)]
        merged.append(merge(node.of, there.get(element, ABSENT), wanted[element]))
        done.add(element)
        if shared and shared[0] == element:
            shared.pop(0)

    left = 0
    while left < len(theirs) or len(done) < len(ours):
        element = theirs[left] if left < len(theirs) else ""
        if element and len(done) < len(ours):
            if element == ours[len(done)]:
                take()
                left += 1
                continue
            if element in wanted and shared and shared[0] != element:
                left += 1  # it comes later, in the place that the applied list gives it
                continue
        if element and element not in wanted:
            merged.append(live[left])
            left += 1
            continue
        if element in done:
            left += 1
        if len(done) < len(ours):
            take()
    return merged


def remove(node: Node, value: Any, fields: FieldSet) -> Any:
    """The value without these fields; what held nothing else becomes null."""
    node = granular(node, value)
    if isinstance(node, Struct | FreeMap) and isinstance(value, dict):
        if node.atomic or not value:
            return None
        kept = {}
        for key, inner in value.items():
            element = named(key)
            if fields.has(element):
                continue
            below = fields.below(element)
            kept[key] = remove(child(node, key) or Untyped(), inner, below) if below else inner
        return kept or None
    if isinstance(node, Listing) and isinstance(value, list):
        if node.kind == "atomic" or not value:
            return None
        items = []
        for item in value:
            element = element_of(node, item)
            if not fields.has(element):
                below = fields.below(element)
                items.append(remove(node.of, item, below) if below else item)
        return items or None
    return value
