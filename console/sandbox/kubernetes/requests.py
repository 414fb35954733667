"""What a request asks for, read from its path and query, before anybody looks at objects."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from console.sandbox.kubernetes import protobuf
from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.errors import Cause, bad_request, forbidden_field, invalid, required, unsupported
from console.sandbox.kubernetes.registry import Deletion, PatchKind, Writing

PATCH_KINDS: dict[str, PatchKind] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
_VALIDATIONS = ("", "Ignore", "Strict", "Warn")
_PROPAGATIONS = ("Foreground", "Background", "Orphan", "nil")
_LONGEST_MANAGER = 128
_LARGEST_NUMBER = 2**63


@dataclass(frozen=True)
class Target:
    """A path below /api or /apis: which resource, where, and which object of it."""

    api_version: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]


def target_of(path: str) -> Target | None:
    """None for a path that names no resource."""
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 3 and parts[0] == "api":
        api_version, rest = parts[1], parts[2:]
    elif len(parts) >= 4 and parts[0] == "apis":
        api_version, rest = f"{parts[1]}/{parts[2]}", parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) >= 3 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if len(rest) > 3:
        return None
    name, subresource = (*rest[1:], "", "")[:2]
    return Target(api_version, rest[0], namespace, name, subresource)


def number_of(query: Mapping[str, str], name: str, default: float = 0) -> float:
    """A number of the query. Raises 400 for what is none."""
    given = query.get(name, "")
    try:
        number = float(given) if given else default
    except ValueError:
        raise bad_request(f'{name}: Invalid value: "{given}": must be a number') from None
    if not 0 <= number < _LARGEST_NUMBER:
        raise bad_request(f'{name}: Invalid value: "{given}": must be greater than or equal to 0')
    return number


def is_true(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "true")


def writing_of(
    query: Mapping[str, str], agent: str, options: str, subresource: str, how: PatchKind | None = None
) -> Writing:
    """How a write is meant. Raises 422 with what is wrong with the query; `options` is the kind that it is told of."""
    causes: list[Cause] = []
    dry_run, validation = query.get("dryRun", ""), query.get("fieldValidation", "")
    manager, force = query.get("fieldManager", ""), query.get("force", "")
    if force and how is not None and how != "apply":
        causes.append(forbidden_field("force", "may not be specified for non-apply patch"))
    if not manager and how == "apply":
        causes.append(required("fieldManager", "is required for apply patch"))
    if len(manager) > _LONGEST_MANAGER:
        causes.append(Cause("FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes"))
    if dry_run not in ("", "All"):
        causes.append(unsupported("dryRun", [dry_run], ["All"]))
    if validation not in _VALIDATIONS:
        causes.append(unsupported("fieldValidation", validation, _VALIDATIONS))
    if causes:
        raise invalid(options, "meta.k8s.io", "", causes)
    name = manager or agent.partition("/")[0][:_LONGEST_MANAGER] or "unknown"
    return Writing(name, dry_run == "All", validation or "Warn", is_true(query, "force"), subresource)


def deletion_of(query: Mapping[str, str], body: Any) -> Deletion:
    """DeleteOptions from the body and the query; the body counts."""
    options: Object = body if isinstance(body, dict) else {}
    preconditions = options.get("preconditions") or {}
    propagation = options.get("propagationPolicy") or query.get("propagationPolicy") or ""
    orphans = options.get("orphanDependents", query.get("orphanDependents"))
    if not propagation and orphans is not None:
        propagation = "Orphan" if orphans in (True, "true", "1") else "Background"
    grace = options.get("gracePeriodSeconds", query.get("gracePeriodSeconds"))
    dry_run = options.get("dryRun") or ([query["dryRun"]] if "dryRun" in query else [])
    causes = []
    if propagation and propagation not in _PROPAGATIONS:
        listed = ", ".join(f'"{one}"' for one in _PROPAGATIONS)
        said = f'Unsupported value: "{propagation}": supported values: {listed}'
        causes.append(Cause("FieldValueNotSupported", "propagationPolicy", said))
    if dry_run not in ([], ["All"]):
        causes.append(unsupported("dryRun", dry_run, ["All"]))
    if causes:
        raise invalid("DeleteOptions", "meta.k8s.io", "", causes)
    return Deletion(
        preconditions.get("uid"),
        preconditions.get("resourceVersion"),
        propagation,
        None if grace is None else int(number_of({"gracePeriodSeconds": str(grace)}, "gracePeriodSeconds")),
        bool(dry_run),
    )


def json_of(text: str, kind: str) -> Any:
    try:
        return _loaded(text)
    except (ValueError, RecursionError):
        said = f"couldn't get version/kind; json parse error: {_go_words(text)} ({text[:50]})"
        raise bad_request(f"the object provided is unrecognized (must be of type {kind}): {said}") from None


def patch_of(body: bytes, how: PatchKind) -> Any:
    text = body.decode("utf-8", "replace")
    if how == "apply":
        return _yaml(text)
    try:
        return _loaded(text)
    except (ValueError, RecursionError):
        raise bad_request("invalid JSON patch") from None


def _loaded(text: str) -> Any:
    """JSON as Go takes it: NaN and Infinity are none."""

    def refuse(constant: str) -> Any:
        raise ValueError(constant)

    return json.loads(text, parse_constant=refuse)


def body_of(body: bytes, content_type: str, kind: str) -> Any:
    if content_type == protobuf.CONTENT_TYPE:
        return protobuf.document_of(body)
    text = body.decode("utf-8", "replace")
    return _yaml(text) if content_type.endswith("yaml") else json_of(text, kind)


def _yaml(text: str) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return _loaded(text)
    try:
        documents = list(yaml.load_all(text, _Loader))
        return json.loads(json.dumps(documents[0] if documents else None))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        first = str(error).partition("\n")[0]
        raise bad_request(f"error decoding YAML: {first}") from None


class _Loader(yaml.SafeLoader):
    """A date in a manifest stays the text that it is."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the name and shape that PyYAML wants
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _go_words(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()):
            return "unexpected end of JSON input"
        return f"invalid character '{text[error.pos]}' looking for beginning of value"
    except RecursionError:
        return "exceeded max depth"
    return "invalid number"
