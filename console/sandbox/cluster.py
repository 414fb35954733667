"""The drill's hands on its own cluster: the migration's objects, a look at what runs, what a colleague and Argo CD do."""

from __future__ import annotations

import asyncio
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml

from console.sandbox.kubernetes.api import Cluster
from console.sandbox.kubernetes.documents import Object

NAMESPACE: Final = "acgs-pgp"
MONITORING: Final = "monitoring"
GATEWAY: Final = "api-gateway"
DASHBOARD: Final = "acgs-pgp-dashboard"
RELEASES: Final = ("dash:1.0", "dash:2.0-qec", "dash:2.1-qec")
"""The dashboard's images: the second and third are the migration's, and broken both."""
MIGRATION: Final = "migration-team"
_APPLICATION: Final = ("argocd", "acgs-pgp")
_ROLLED_OUT_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.02


def manifests(name: str) -> list[Object]:
    """The objects of a file of the scene."""
    text = resources.files("console.sandbox.scene").joinpath(name).read_text(encoding="utf-8")
    return [document for document in yaml.safe_load_all(text) if document]


async def migrate(cluster: Cluster) -> None:
    """Creates the scene and releases the dashboard twice, each release rolled out before the next."""
    namespaces = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in (NAMESPACE, MONITORING)]
    cluster.load([*namespaces, *manifests("objects.yaml")], manager=MIGRATION)
    for image in RELEASES[1:]:
        await _rolled_out(cluster, NAMESPACE, DASHBOARD)
        change_container(cluster, DASHBOARD, {"name": "dashboard", "image": image}, by=MIGRATION)
    for namespace, name in ((NAMESPACE, GATEWAY), (NAMESPACE, DASHBOARD), (MONITORING, "prometheus")):
        await _rolled_out(cluster, namespace, name)


def change_container(cluster: Cluster, deployment: str, container: Object, *, by: str, **spec: Any) -> None:
    """Somebody changes a container of a Deployment, and whatever else of its spec."""
    patch = {"spec": {**spec, "template": {"spec": {"containers": [container]}}}}
    cluster.change("apps/v1", "Deployment", NAMESPACE, deployment, patch, manager=by, how="strategic")


def heal_by_argo(cluster: Cluster) -> None:
    """From now on Argo CD puts the gateway back to what its repository says."""
    namespace, name = _APPLICATION
    git = [d for d in manifests("objects.yaml") if d["kind"] == "Deployment" and d["metadata"]["name"] == GATEWAY]
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, *manifests("application.yaml")]
    cluster.gitops.manage(namespace, name, git)
    cluster.load(made, manager="argocd-server")


def ready_pods(cluster: Cluster, app: str) -> list[Object]:
    pods = cluster.store.list(("", "pods"), NAMESPACE)
    return [p for p in pods if p["metadata"].get("labels", {}).get("app") == app and _is_ready(p)]


def data_of(cluster: Cluster, namespace: str, name: str) -> dict[str, str]:
    """What a ConfigMap holds; nothing where there is none."""
    found = cluster.get("v1", "ConfigMap", namespace, name)
    return dict((found or {}).get("data") or {})


def env_of(pod: Object, name: str) -> str | None:
    """A variable of a pod, where a container has it by value."""
    for container in pod["spec"]["containers"]:
        for variable in container.get("env", ()):
            if variable["name"] == name and "value" in variable:
                return str(variable["value"])
    return None


def images_of(pod: Object) -> set[str]:
    return {container["image"] for container in pod["spec"]["containers"]}


def write_mounted(folder: Path, data: dict[str, str]) -> None:
    """A volume that holds a ConfigMap's data: a file for each key."""
    folder.mkdir(parents=True, exist_ok=True)
    before = {file.name: file.read_text(encoding="utf-8") for file in folder.iterdir()}
    for name in before.keys() - data.keys():
        (folder / name).unlink()
    for name, text in data.items():
        if before.get(name) != text:
            (folder / name).write_text(text, encoding="utf-8")


async def _rolled_out(cluster: Cluster, namespace: str, name: str) -> None:
    async with asyncio.timeout(_ROLLED_OUT_SECONDS):
        while not _is_rolled_out(cluster.get("apps/v1", "Deployment", namespace, name) or {}):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _is_rolled_out(deployment: Object) -> bool:
    wanted, status = deployment["spec"].get("replicas", 1), deployment.get("status", {})
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("updatedReplicas", 0) == status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
    )
