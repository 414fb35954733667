"""Writes the types of the drill's Kubernetes API from the real API server: `python -m tests.real.tools.kubernetes_schema`.

What a field is and how its lists merge comes from the server's OpenAPI; whether an empty value is kept or left out comes from
the json tags of the same release's Go sources, which OpenAPI does not tell. Kubernetes is Apache-2.0; descriptions are left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.real.servers import ControlPlane, binaries

OUTPUT = Path(__file__).parents[3] / "console" / "sandbox" / "kubernetes" / "schema.json"
KINDS = {
    "v1": "ConfigMap Endpoints Event Namespace Node PersistentVolumeClaim Pod Secret Service ServiceAccount",
    "apps/v1": "ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet",
    "autoscaling/v1": "Scale",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "batch/v1": "CronJob Job",
    "networking.k8s.io/v1": "Ingress NetworkPolicy",
    "policy/v1": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "ClusterRole ClusterRoleBinding Role RoleBinding",
    "apiextensions.k8s.io/v1": "CustomResourceDefinition",
    "authorization.k8s.io/v1": "SelfSubjectAccessReview SelfSubjectRulesReview",
    "authentication.k8s.io/v1": "SelfSubjectReview",
}
DELETE_OPTIONS = "meta.v1.DeleteOptions"
_SOURCES = {
    "core.v1": ("k8s.io/api", "core/v1"),
    "apps.v1": ("k8s.io/api", "apps/v1"),
    "autoscaling.v1": ("k8s.io/api", "autoscaling/v1"),
    "autoscaling.v2": ("k8s.io/api", "autoscaling/v2"),
    "batch.v1": ("k8s.io/api", "batch/v1"),
    "networking.v1": ("k8s.io/api", "networking/v1"),
    "policy.v1": ("k8s.io/api", "policy/v1"),
    "rbac.v1": ("k8s.io/api", "rbac/v1"),
    "authorization.v1": ("k8s.io/api", "authorization/v1"),
    "scheduling.v1alpha3": ("k8s.io/api", "scheduling/v1alpha3"),
    "authentication.v1": ("k8s.io/api", "authentication/v1"),
    "apiextensions.v1": ("k8s.io/apiextensions-apiserver", "pkg/apis/apiextensions/v1"),
    "meta.v1": ("k8s.io/apimachinery", "pkg/apis/meta/v1"),
}
_SPECIAL = {
    "resource.Quantity": "quantity",
    "meta.v1.Time": "time",
    "meta.v1.MicroTime": "time",
    "meta.v1.FieldsV1": "any",
    "runtime.RawExtension": "any",
    "intstr.IntOrString": "int-or-string",
    "apiextensions.v1.JSON": "any",
    "apiextensions.v1.JSONSchemaProps": "any",
    "apiextensions.v1.CustomResourceSubresourceStatus": "any",
}
_STRUCTS = ("quantity", "time", "int-or-string")  # structs in Go, so that "omitempty" alone never leaves them out
_FORMATS = {"byte": "bytes", "int32": "int32", "int64": "int64", "date-time": "time"}
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"^\t\w+\s+(\S+)\s+`(.*)`", re.MULTILINE)
_EMBEDDED = re.compile(r"^\t([\w.]+)\s+`(.*)`", re.MULTILINE)
_NUMBER = re.compile(r'protobuf:"\w+,(\d+),')


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, ControlPlane(Path(folder)) as cluster:
        found: dict[str, Any] = {}
        for version in KINDS:
            prefix = f"apis/{version}" if "/" in version else f"api/{version}"
            found |= cluster.api("GET", f"/openapi/v3/{prefix}")["components"]["schemas"]
    types: dict[str, Any] = {}
    kinds: dict[str, Any] = {}
    schemas = {_short(name): schema for name, schema in found.items()}
    tags, wire = _tags()
    for version, names in KINDS.items():
        for kind in names.split():
            name = next(_short(n) for n, s in found.items() if _is(s, version, kind))
            kinds.setdefault(version, {})[kind] = name
            _reach(name, schemas, types, tags)
    _reach(DELETE_OPTIONS, schemas, types, tags)
    document = {
        "origin": f"Kubernetes {binaries.version('kubernetes')} (Apache-2.0), by tests/real/tools/kubernetes_schema.py",
        "kinds": kinds,
        "types": {name: types[name] | ({"wire": wire[name]} if wire[name] else {}) for name in sorted(types)},
    }
    lines = [f"{json.dumps(n)}: {json.dumps(t, separators=(',', ':'))}" for n, t in document.pop("types").items()]
    text = json.dumps(document, indent=1)[:-2] + ',\n "types": {\n' + ",\n".join(lines) + "\n}}\n"
    assert json.loads(text)
    OUTPUT.write_text(text)


def _is(schema: Any, version: str, kind: str) -> bool:
    wanted = {"group": version.rpartition("/")[0], "version": version.rpartition("/")[2], "kind": kind}
    return wanted in schema.get("x-kubernetes-group-version-kind", []) and "properties" in schema


def _short(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[-3:]) if re.match(r"v\d", parts[-2]) else ".".join(parts[-2:])


def _tags() -> tuple[dict[str, dict[str, tuple[str, str]]], dict[str, dict[str, Any]]]:
    """Of each Go struct: json name to Go type and the tag's options; and which field has which number in protobuf.

    An embedded struct's fields are its owner's in JSON, and a message of their own in protobuf.
    """
    tools = Path(__file__).with_name("kubernetes")
    found: dict[str, dict[str, tuple[str, str]]] = {}
    wire: dict[str, dict[str, Any]] = {}
    embedded: dict[str, list[tuple[str, str]]] = {}
    for package, (module, folder) in _SOURCES.items():
        listed = ["go", "list", "-m", "-f", "{{.Dir}}", module]
        root = subprocess.run(listed, cwd=tools, capture_output=True, text=True, check=True).stdout.strip()
        for file in sorted((Path(root) / folder).glob("types*.go")):
            for struct, body in _STRUCT.findall(file.read_text()):
                name = f"{package}.{struct}"
                found[name], wire[name], embedded[name] = {}, {}, []
                inner = _EMBEDDED.findall(body)
                for go, tag in [*_FIELD.findall(body), *inner]:
                    json_name, options = _json_tag(tag)
                    numbers = _NUMBER.findall(tag)
                    if json_name:
                        found[name][json_name] = (go, options)
                        wire[name] |= dict.fromkeys(numbers, json_name)
                    elif (go, tag) in inner:
                        embedded[name].append((f"{package}.{go}", numbers[0] if numbers else ""))
    for name, structs in embedded.items():
        for one, number in structs:
            found[name] = {**found.get(one, {}), **found[name]}
            if number:
                wire[name][number] = wire[one]
    return found, wire


def _json_tag(tag: str) -> tuple[str, str]:
    written = re.search(r'json:"([^",]*)((?:,\w+)*)"', tag)
    return (written[1], written[2]) if written else ("", "")


def _reach(name: str, schemas: dict[str, Any], types: dict[str, Any], tags: dict[str, Any]) -> None:
    if name in types:
        return
    schema = schemas[name]
    fields: dict[str, Any] = {}
    types[name] = {"fields": fields}
    if schema.get("x-kubernetes-map-type") == "atomic":
        types[name]["atomic"] = True
    for field, shape in schema.get("properties", {}).items():
        go, options = tags[name].get(field, ("", ",omitempty"))
        fields[field] = _field(shape, go, options, field in schema.get("required", []))
        for reference in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(shape)):
            if _short(reference) not in _SPECIAL:
                _reach(_short(reference), schemas, types, tags)


def _field(shape: Any, go: str, options: str, required: bool) -> Any:
    """ "string" is left out when empty; `*` is a pointer, whose zero is kept; `=` always written; `!` required."""
    kind, more = _kind(shape)
    is_struct = ("." in kind or kind in _STRUCTS) and not more and not go.startswith(("*", "[]", "map["))
    always = "omitzero" not in options and (is_struct or "omitempty" not in options)
    pointer = go.startswith("*")
    text = ("*" if pointer else "") + kind + ("=" if always else "") + ("!" if required else "")
    if shape.get("default") not in (None, "", 0, False, {}):
        more["default"] = shape["default"]
    if shape.get("enum"):
        more["enum"] = shape["enum"]
    strategy = shape.get("x-kubernetes-patch-strategy")
    if strategy:
        more["strategy"] = strategy
    if key := shape.get("x-kubernetes-patch-merge-key"):
        more["merge"] = key
    if shape.get("x-kubernetes-map-type") == "atomic" and "map" not in more:
        more["atomic"] = True
    return {"of": text, **more} if more else text


def _kind(shape: Any) -> tuple[str, dict[str, Any]]:
    if "allOf" in shape:
        shape = {**shape, **shape["allOf"][0]}
    if reference := shape.get("$ref"):
        short = _short(reference.rpartition("/")[2])
        return _SPECIAL.get(short, short), {}
    if shape.get("type") == "array":
        of, inner = _kind(shape["items"])
        keys = shape.get("x-kubernetes-list-map-keys")
        return of, {
            "list": keys or shape.get("x-kubernetes-list-type", "atomic"),
            **({"items": inner} if inner else {}),
        }
    if "additionalProperties" in shape:
        of, inner = _kind(shape["additionalProperties"])
        return of, {"map": shape.get("x-kubernetes-map-type", "granular"), **({"items": inner} if inner else {})}
    return _FORMATS.get(shape.get("format", ""), shape.get("type", "any")), {}


if __name__ == "__main__":
    main()
