"""Puts the scene on a control plane, and puts it back as it was, quickly, for the next test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.real.servers import ApiError, ControlPlane, poll

FOLDER = Path(__file__).parent
NAMESPACE, MONITORING = "acgs-pgp", "monitoring"
GATEWAY, DASHBOARD = "api-gateway", "acgs-pgp-dashboard"
DASHBOARD_IMAGES = ("dash:1.0", "dash:2.0-rc1", "dash:2.0-qec")
"""The dashboard's revisions 1, 2 and 3: the good one and the two bad ones after it."""

_OWNERS = ("/apis/apps/v1/{}/deployments", "/apis/apps/v1/{}/replicasets")
_PODS = "/api/v1/{}/pods"
_OTHERS = (
    "/api/v1/{}/configmaps",
    "/api/v1/{}/secrets",
    "/api/v1/{}/services",
    "/api/v1/{}/events",
    "/apis/autoscaling/v2/{}/horizontalpodautoscalers",
)


def seed(control_plane: ControlPlane) -> None:
    """Creates the scene: all objects, and the dashboard's three revisions, each rolled out to the end before the next."""
    for file in ("namespaces.yaml", "configmaps.yaml", "api-gateway.yaml", "dashboard.yaml"):
        create(control_plane, FOLDER / file)
    for image in DASHBOARD_IMAGES[1:]:
        control_plane.wait_rolled_out(NAMESPACE, DASHBOARD)
        _release(control_plane, image)
    for deployment in (GATEWAY, DASHBOARD):
        control_plane.wait_rolled_out(NAMESPACE, deployment)


def reset(control_plane: ControlPlane) -> None:
    """The scene as it was after `seed`, whatever a test did to the objects of its namespaces."""
    clear(control_plane)
    seed(control_plane)


def clear(control_plane: ControlPlane) -> None:
    """Empties the scene's namespaces but for their access rules, and waits until they are empty."""
    for namespace in (NAMESPACE, MONITORING):
        for collection in _OTHERS:
            _delete_all(control_plane, collection, namespace)
    poll("the scene is gone", lambda: _workloads_gone(control_plane))


def _workloads_gone(control_plane: ControlPlane) -> bool:
    # Owners first, so that no controller makes anew what is deleted here; one that has not noticed yet is met next time.
    empty = True
    for collection in (*_OWNERS, _PODS):
        for namespace in (NAMESPACE, MONITORING):
            if control_plane.api("GET", _path(collection, namespace))["items"]:
                _delete_all(control_plane, collection, namespace)
                empty = False
    return empty


def _delete_all(control_plane: ControlPlane, collection: str, namespace: str) -> None:
    options = {"propagationPolicy": "Background", "gracePeriodSeconds": "0"}
    control_plane.api("DELETE", _path(collection, namespace), params=options)


def _path(collection: str, namespace: str) -> str:
    return collection.format(f"namespaces/{namespace}")


_COLLECTIONS = {
    "Namespace": "/api/v1/namespaces",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
}


def create(control_plane: ControlPlane, file: Path) -> None:
    """Creates the objects of a file, as the migration's release did."""
    for document in yaml.safe_load_all(file.read_text()):
        _create(control_plane, document)


def _create(control_plane: ControlPlane, document: dict[str, Any]) -> None:
    """Creates an object; the namespaces and what goes with them may be there already."""
    path = _COLLECTIONS[document["kind"]].format(**document["metadata"])
    try:
        control_plane.api("POST", path, document, params={"fieldManager": "migration"})
    except ApiError as error:
        if error.status != httpx.codes.CONFLICT:
            raise


def _release(control_plane: ControlPlane, image: str) -> None:
    template = {"spec": {"containers": [{"name": "dashboard", "image": image}]}}
    control_plane.api(
        "PATCH",
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{DASHBOARD}",
        {
            "metadata": {"annotations": {"kubernetes.io/change-cause": f"release {image}"}},
            "spec": {"template": template},
        },
        content_type="application/strategic-merge-patch+json",
        params={"fieldManager": "migration"},
    )
