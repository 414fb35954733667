"""Who reads a ConfigMap, and whether they notice when it changes. Pure functions over workloads.

An environment variable is read once, at the pod's start; a volume follows within a minute or two; a `subPath` mount never does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from console.engine.ports import Json


@dataclass(frozen=True, slots=True)
class Reader:
    """One workload that reads the ConfigMap, and by which ways: "env", "envFrom", "volume", "subPath"."""

    workload: Json
    ways: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.workload['kind']} {self.workload['metadata']['name']}"

    @property
    def consequence(self) -> str:
        """What happens to this reader when nobody restarts it."""
        if "subPath" in self.ways:
            return "never notices: it mounts the key by subPath"
        if {"env", "envFrom"} & set(self.ways):
            return "does not notice before its pods restart: it reads the key into its environment"
        return "notices within a minute or two, if it reads the file again"


def readers_of(config_map: str, workloads: list[Json]) -> list[Reader]:
    """The workloads whose pod template refers to the ConfigMap."""
    found = [Reader(w, tuple(dict.fromkeys(ways(w["spec"]["template"]["spec"], config_map)))) for w in workloads]
    return [reader for reader in found if reader.ways]


def ways(pod_spec: Json, config_map: str) -> Iterator[str]:
    volumes = {v["name"] for v in pod_spec.get("volumes") or [] if _volume_reads(v, config_map)}
    for container in [*(pod_spec.get("initContainers") or []), *(pod_spec.get("containers") or [])]:
        for variable in container.get("env") or []:
            if _name((variable.get("valueFrom") or {}).get("configMapKeyRef")) == config_map:
                yield "env"
        for source in container.get("envFrom") or []:
            if _name(source.get("configMapRef")) == config_map:
                yield "envFrom"
        for mount in container.get("volumeMounts") or []:
            if mount["name"] in volumes:
                yield "subPath" if mount.get("subPath") or mount.get("subPathExpr") else "volume"
    if volumes:
        yield "volume"


def _volume_reads(volume: Json, config_map: str) -> bool:
    if _name(volume.get("configMap")) == config_map:
        return True
    sources = (volume.get("projected") or {}).get("sources") or []
    return any(_name(source.get("configMap")) == config_map for source in sources)


def _name(reference: Json) -> str:
    return str((reference or {}).get("name", ""))
