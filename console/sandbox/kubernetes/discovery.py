"""What is served, in the three forms in which clients ask: the groups, the resources of one version, and OpenAPI."""

from __future__ import annotations

from typing import Any

from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.kinds import REVIEWS, Catalog, Kind
from console.sandbox.kubernetes.schema import Field, FreeMap, Listing, Node, Scalar, Struct

SERVER_VERSION = "v1.37.2"
_PATCHES = ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")


def version() -> Object:
    major, minor, _ = SERVER_VERSION.removeprefix("v").split(".")
    return {"major": major, "minor": minor, "gitVersion": SERVER_VERSION, "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none", "compiler": "none",
            "platform": "rollback-console/drill"}  # fmt: skip


def core_versions(address: str) -> Object:
    found = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": found}


def group_list(catalog: Catalog) -> Object:
    groups = [_group(name, versions) for name, versions in catalog.groups().items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalog: Catalog, name: str) -> Object | None:
    versions = catalog.groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def _group(name: str, versions: list[str]) -> Object:
    found = [{"groupVersion": f"{name}/{one}", "version": one} for one in versions]
    return {"name": name, "versions": found, "preferredVersion": found[0]}


def resource_list(catalog: Catalog, api_version: str) -> Object | None:
    resources = [entry for kind in catalog if kind.api_version == api_version for entry in _resources(kind)]
    for name, plural in REVIEWS.get(api_version, ()):
        resources.append(
            {"name": plural, "singularName": name.lower(), "namespaced": False, "kind": name, "verbs": ["create"]}
        )
    if not resources:
        return None
    resources.sort(key=lambda entry: entry["name"])
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version, "resources": resources}


def _resources(kind: Kind) -> list[Object]:
    own: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    own |= {"shortNames": list(kind.short_names)} if kind.short_names else {}
    own |= {"categories": list(kind.categories)} if kind.categories else {}
    found = [own]
    for subresource in kind.subresources:
        scale = (
            {"group": "autoscaling", "version": "v1", "kind": "Scale"}
            if subresource == "scale"
            else {"kind": kind.kind}
        )
        entry = {"name": f"{kind.plural}/{subresource}", "singularName": "", "namespaced": kind.namespaced}
        verbs = ["update"] if subresource == "finalize" else ["get", "patch", "update"]
        found.append({**entry, **scale, "verbs": verbs})
    return found


# ------------------------------------------------------------ OpenAPI


def openapi_index(catalog: Catalog) -> Object:
    versions = sorted({kind.api_version for kind in catalog})
    prefix = {one: f"apis/{one}" if "/" in one else f"api/{one}" for one in versions}
    return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}"} for path in prefix.values()}}


def openapi(catalog: Catalog, api_version: str) -> Object | None:
    """The types of one version, without descriptions: as much as kubectl needs to validate, to merge and to explain."""
    kinds = [kind for kind in catalog if kind.api_version == api_version]
    if not kinds:
        return None
    schemas: dict[str, Object] = {}
    paths: Object = {}
    for kind in kinds:
        name = _describe(kind.node, schemas)
        names = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        schemas[name]["x-kubernetes-group-version-kind"] = [names]
        paths[_path(kind)] = _operations(kind, names, name)
    info = {"title": "Kubernetes", "version": SERVER_VERSION}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _path(kind: Kind) -> str:
    prefix = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.api_version}"
    return f"{prefix}{'/namespaces/{namespace}' if kind.namespaced else ''}/{kind.plural}/{{name}}"


def _operations(kind: Kind, names: Object, schema: str) -> Object:
    strategic = () if kind.custom else ("application/strategic-merge-patch+json",)
    parameters = [{"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
                  for name in ("dryRun", "fieldManager", "fieldValidation", "force")]  # fmt: skip
    answer = {"200": {"description": "OK", "content": {"application/json": {"schema": {"$ref": _reference(schema)}}}}}
    patch = {
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": names,
        "parameters": parameters,
        "requestBody": {"content": {one: {"schema": {"type": "object"}} for one in (*_PATCHES, *strategic)}},
        "responses": answer,
    }
    get = {"x-kubernetes-action": "get", "x-kubernetes-group-version-kind": names, "responses": answer}
    return {"get": get, "patch": patch}


def _describe(node: Struct, schemas: dict[str, Object]) -> str:
    name = f"io.k8s.{node.name}" if "." in node.name else node.name
    if name not in schemas:
        schemas[name] = {}
        properties = {key: _property(one, schemas) for key, one in node.fields.items()}
        wanted = [key for key, one in node.fields.items() if one.required]
        schemas[name] |= {"type": "object", "properties": properties} | ({"required": wanted} if wanted else {})
        schemas[name] |= {"x-kubernetes-map-type": "atomic"} if node.atomic else {}
        schemas[name] |= {"x-kubernetes-preserve-unknown-fields": True} if node.open else {}
    return name


def _property(one: Field, schemas: dict[str, Object]) -> Object:
    shape = _shape(one.node, schemas)
    more: Object = {}
    if one.strategies:
        more["x-kubernetes-patch-strategy"] = ",".join(sorted(one.strategies))
    if one.merge_key:
        more["x-kubernetes-patch-merge-key"] = one.merge_key
    if one.default is not None:
        more["default"] = one.default
    if "$ref" in shape:
        return {"allOf": [shape], **more} if more else shape
    return {**shape, **more}


def _shape(node: Node, schemas: dict[str, Object]) -> Any:
    if isinstance(node, Struct):
        return {"$ref": _reference(_describe(node, schemas))}
    if isinstance(node, FreeMap):
        return {"type": "object", "additionalProperties": _shape(node.of, schemas)}
    if isinstance(node, Listing):
        listed: Object = {"type": "array", "items": _shape(node.of, schemas), "x-kubernetes-list-type": node.kind}
        return listed | ({"x-kubernetes-list-map-keys": list(node.keys)} if node.keys else {})
    if isinstance(node, Scalar):
        return _SCALARS.get(node.of, {"type": "string"}) | ({"enum": list(node.enum)} if node.enum else {})
    return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


_SCALARS: dict[str, Object] = {
    "boolean": {"type": "boolean"},
    "bytes": {"type": "string", "format": "byte"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "integer": {"type": "integer"},
    "int-or-string": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "number": {"type": "number"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "time": {"type": "string", "format": "date-time"},
}


def _reference(name: str) -> str:
    return f"#/components/schemas/{name}"
