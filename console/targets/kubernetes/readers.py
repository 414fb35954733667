"""Who reads a ConfigMap or a Secret, and whether they notice when it changes. Pure functions over workloads.

An environment variable is read once, at the pod's start; a volume follows within a minute or two; a `subPath` mount never does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from console.engine.ports import Json

# How a pod template refers to each kind: in a variable, in envFrom, in a volume and under which key there, in a projection.
_REFERENCES = {
    "ConfigMap": ("configMapKeyRef", "configMapRef", "configMap", "name", "configMap"),
    "Secret": ("secretKeyRef", "secretRef", "secret", "secretName", "secret"),
}


@dataclass(frozen=True, slots=True)
class Reader:
    """One workload that reads the object, and by which ways: "env", "envFrom", "volume", "subPath"."""

    workload: Json
    ways: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.workload['kind']} {self.workload['metadata']['name']}"

    @property
    def notices(self) -> bool:
        """Whether it sees a change without being restarted."""
        return set(self.ways) == {"volume"}

    @property
    def consequence(self) -> str:
        """What happens to this reader when nobody restarts it."""
        if "subPath" in self.ways:
            return "never notices: it mounts the key by subPath"
        if not self.notices:
            return "does not notice before its pods restart: it reads the key into its environment"
        return "notices within a minute or two, if it reads the file again"


def readers_of(kind: str, name: str, workloads: list[Json]) -> list[Reader]:
    """The workloads whose pod template refers to the ConfigMap or Secret."""
    found = [Reader(w, tuple(dict.fromkeys(ways(w["spec"]["template"]["spec"], kind, name)))) for w in workloads]
    return [reader for reader in found if reader.ways]


def ways(pod_spec: Json, kind: str, name: str) -> Iterator[str]:
    variable_key, source_key, _, _, _ = _REFERENCES[kind]
    volumes = {v["name"] for v in pod_spec.get("volumes") or [] if _volume_reads(v, kind, name)}
    mounted = set()
    for container in [*(pod_spec.get("initContainers") or []), *(pod_spec.get("containers") or [])]:
        for variable in container.get("env") or []:
            if ((variable.get("valueFrom") or {}).get(variable_key) or {}).get("name") == name:
                yield "env"
        for source in container.get("envFrom") or []:
            if (source.get(source_key) or {}).get("name") == name:
                yield "envFrom"
        for mount in container.get("volumeMounts") or []:
            if mount["name"] in volumes:
                mounted.add(mount["name"])
                yield "subPath" if mount.get("subPath") or mount.get("subPathExpr") else "volume"
    if volumes - mounted:
        yield "volume"


def _volume_reads(volume: Json, kind: str, name: str) -> bool:
    _, _, volume_key, name_key, projection_key = _REFERENCES[kind]
    if (volume.get(volume_key) or {}).get(name_key) == name:
        return True
    sources = (volume.get("projected") or {}).get("sources") or []
    return any((source.get(projection_key) or {}).get("name") == name for source in sources)
