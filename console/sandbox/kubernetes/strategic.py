"""Strategic merge patch: a merge patch that knows by the type which lists are merged, and by which key.

The directives are `$patch` (replace, delete), `$retainKeys`, `$deleteFromPrimitiveList/<field>` and `$setElementOrder/<field>`.
"""

from __future__ import annotations

from typing import Any

from console.sandbox.kubernetes.documents import Object, compact
from console.sandbox.kubernetes.errors import ApiError
from console.sandbox.kubernetes.schema import Listing, Node, Scalar, Struct, child

_PATCH, _RETAIN = "$patch", "$retainKeys"
_DELETE, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


def patched(node: Node, original: Object, patch: Object) -> Object:
    """The original with the patch merged in; neither is changed."""
    if _PATCH in patch:
        return _directed(patch)
    result = _retained(original, patch)
    done = _ordered_lists(node, result, patch)
    for key, value in patch.items():
        if key == _RETAIN or key.startswith((_ORDER, *done)) or key in done:
            continue
        if key.startswith(_DELETE):
            _drop_values(result, key.removeprefix(_DELETE), value)
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(node, key, result.get(key), value)
    return result


def _directed(patch: Object) -> Object:
    directive = patch[_PATCH]
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _PATCH}
    if directive == "delete":
        return {}
    raise _unfit(f"unknown patch type: {directive} in map: {_go_map(patch)}")


def _retained(original: Object, patch: Object) -> Object:
    if _RETAIN not in patch:
        return dict(original)
    kept = patch[_RETAIN]
    if not isinstance(kept, list):
        raise _unfit("invalid patch format of retainKeys")
    for key in patch:
        if not key.startswith("$") and patch[key] is not None and key not in kept:
            raise _unfit("patch contains fields not present in retainKeys list")
    return {key: value for key, value in original.items() if key in kept}


def _merged(node: Node, key: str, old: Any, new: Any) -> Any:
    inner = child(node, key)
    if isinstance(old, dict) and isinstance(new, dict):
        if "replace" in _strategies(node, key):
            return new
        return patched(inner or Scalar("string"), old, new)
    if isinstance(old, list) and isinstance(new, list):
        return _merged_list(node, key, old, new, order=None)
    return _plain(new)


def _strategies(node: Node, key: str) -> frozenset[str]:
    known = node.fields.get(key) if isinstance(node, Struct) else None
    return known.strategies if known else frozenset()


def _merged_list(node: Node, key: str, old: list[Any], new: list[Any], order: list[Any] | None) -> list[Any]:
    known = node.fields.get(key) if isinstance(node, Struct) else None
    if known is None or "merge" not in known.strategies or not isinstance(known.node, Listing):
        return [_plain(item) for item in new]
    if not all(isinstance(item, dict) for item in [*old, *new]):
        values = [*old, *(item for item in new if item not in old)]
        return _in_order(values, order if order is not None else new, old, lambda item: item)
    return _merged_items(known.node.of, known.merge_key, old, new, order)


def _merged_items(node: Node, key: str, old: list[Any], new: list[Any], order: list[Any] | None) -> list[Any]:
    if any(item.get(_PATCH) == "replace" for item in new):
        return [item for item in new if item.get(_PATCH) is None]
    result = list(old)
    additions: list[Object] = []
    for item in new:
        directive = item.get(_PATCH)
        if key not in item:
            raise _unfit(f"map: {_go_map(item)} does not contain declared merge key: {key}")
        if directive == "delete":
            result = [one for one in result if one.get(key) != item[key]]
        elif directive not in (None, "merge"):
            raise _unfit(f"unknown patch type: {directive} in map: {_go_map(item)}")
        else:
            additions.append({name: value for name, value in item.items() if name != _PATCH})
    for item in additions:
        index = next((i for i, one in enumerate(result) if one.get(key) == item[key]), None)
        if index is None:
            result.append(_plain(item))
        else:
            result[index] = patched(node, result[index], item)
    return _in_order(result, order if order is not None else additions, old, lambda item: item.get(key))


def _in_order(items: list[Any], order: list[Any], old: list[Any], key: Any) -> list[Any]:
    """What the patch names in the patch's order, and in between, as far as it goes, the rest in the order that it had."""
    wanted = [key(item) for item in order]
    before = [key(item) for item in old]
    named = sorted((item for item in items if key(item) in wanted), key=lambda item: wanted.index(key(item)))
    rest = [item for item in items if key(item) not in wanted]
    result: list[Any] = []
    while named and rest:
        left, right = key(rest[0]), key(named[0])
        earlier = left in before and right in before and before.index(left) < before.index(right)
        result.append(rest.pop(0) if earlier else named.pop(0))
    return [*result, *named, *rest]


def _ordered_lists(node: Node, result: Object, patch: Object) -> set[str]:
    """Merges each list that comes with an order; the fields that are done with."""
    done: set[str] = set()
    for directive, order in patch.items():
        if not directive.startswith(_ORDER):
            continue
        key = directive.removeprefix(_ORDER)
        _drop_values(result, key, patch.get(f"{_DELETE}{key}", []))
        if key in patch or key in result:
            old, new = result.get(key) or [], patch.get(key) or []
            merged = _merged_list(node, key, old, new, order) if new else _reordered(node, key, old, order)
            result[key] = merged
        done |= {key, f"{_DELETE}{key}"}
    return done


def _reordered(node: Node, key: str, old: list[Any], order: list[Any]) -> list[Any]:
    known = node.fields.get(key) if isinstance(node, Struct) else None
    if known is None or not known.merge_key:
        return _in_order(old, order, old, lambda item: item)
    return _in_order(old, order, old, lambda item: item.get(known.merge_key))


def _drop_values(result: Object, key: str, values: Any) -> None:
    if not isinstance(values, list):
        raise _unfit("invalid patch format of primitive list")
    if isinstance(result.get(key), list):
        result[key] = [item for item in result[key] if item not in values]


def _plain(value: Any) -> Any:
    """What is put where nothing was: without directives, and without the nulls that would have deleted something."""
    if isinstance(value, dict):
        if value.get(_PATCH) == "delete":
            return {}
        return {k: _plain(v) for k, v in value.items() if not k.startswith("$") and v is not None}
    if isinstance(value, list):
        return [_plain(v) for v in value if not (isinstance(v, dict) and v.get(_PATCH) == "delete")]
    return value


def _go_map(item: Object) -> str:
    return (
        "map["
        + " ".join(f"{key}:{item[key] if isinstance(item[key], str) else compact(item[key])}" for key in sorted(item))
        + "]"
    )


def _unfit(message: str) -> ApiError:
    """A patch that makes no sense; the real server calls that an error of its own."""
    return ApiError(500, "", message)


def refuse_for_custom() -> ApiError:
    said = "the body of the request was in an unknown format - accepted media types include: "
    return ApiError(
        415,
        "UnsupportedMediaType",
        said + "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
    )
