"""Where the API server serves a kind of object: built-in kinds from a table, all others by discovery."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

from console.domain.errors import Refused
from console.engine.ports import Json
from console.targets.kubernetes.objects import Ref


@dataclass(frozen=True, slots=True)
class Resource:
    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        return self.api_version.partition("/")[0] if "/" in self.api_version else ""

    @property
    def version(self) -> str:
        return self.api_version.rpartition("/")[2]

    @property
    def qualified(self) -> str:
        """As RBAC rules and kubectl name it: `deployments.apps`, `configmaps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None, name: str = "") -> str:
        prefix = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        middle = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{prefix}{middle}/{self.plural}" + (f"/{name}" if name else "")

    def ref(self, namespace: str, name: str) -> Ref:
        """One object; the namespace doesn't matter to a kind that has none."""
        namespace = namespace if self.namespaced else ""
        return Ref(self.api_version, self.kind, namespace, name, self.path(namespace, name))


_WELL_KNOWN = {
    resource.kind: resource
    for resource in (
        Resource("apps/v1", "Deployment", "deployments"),
        Resource("apps/v1", "ReplicaSet", "replicasets"),
        Resource("apps/v1", "StatefulSet", "statefulsets"),
        Resource("apps/v1", "DaemonSet", "daemonsets"),
        Resource("batch/v1", "Job", "jobs"),
        Resource("batch/v1", "CronJob", "cronjobs"),
        Resource("v1", "ConfigMap", "configmaps"),
        Resource("v1", "Secret", "secrets"),
        Resource("v1", "Service", "services"),
        Resource("v1", "ServiceAccount", "serviceaccounts"),
        Resource("v1", "Pod", "pods"),
        Resource("v1", "Namespace", "namespaces", namespaced=False),
        Resource("networking.k8s.io/v1", "Ingress", "ingresses"),
        Resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
        Resource("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
        Resource("rbac.authorization.k8s.io/v1", "Role", "roles"),
        Resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    )
}

DEPLOYMENT = _WELL_KNOWN["Deployment"]
REPLICA_SET = _WELL_KNOWN["ReplicaSet"]
POD = _WELL_KNOWN["Pod"]
NAMESPACE = _WELL_KNOWN["Namespace"]
CONFIG_MAP = _WELL_KNOWN["ConfigMap"]
AUTOSCALER = _WELL_KNOWN["HorizontalPodAutoscaler"]
WORKLOADS = (DEPLOYMENT, _WELL_KNOWN["StatefulSet"], _WELL_KNOWN["DaemonSet"])
WORKLOAD_KINDS = frozenset(resource.kind for resource in WORKLOADS)
_STRATEGIC_GROUPS = frozenset(r.group for r in _WELL_KNOWN.values()) | {"policy", "storage.k8s.io"}


def workload_ref(workload: Json) -> Ref:
    return _WELL_KNOWN[workload["kind"]].ref(workload["metadata"]["namespace"], workload["metadata"]["name"])


def well_known(api_version: str, kind: str) -> Resource | None:
    found = _WELL_KNOWN.get(kind)
    return found if found and found.api_version == api_version else None


def takes_strategic(api_version: str) -> bool:
    """Whether the server knows how to merge lists of these kinds: those built into it, never custom resources."""
    group, slash, _ = api_version.rpartition("/")
    return not slash or group in _STRATEGIC_GROUPS


def default_api_version(kind: str) -> str:
    """The API version of a built-in kind. Raises Refused for any other, with a guess at a misspelt one."""
    if kind in _WELL_KNOWN:
        return _WELL_KNOWN[kind].api_version
    close = get_close_matches(kind, _WELL_KNOWN, 1)
    guess = f'; did you mean "{close[0]}"?' if close else ""
    raise Refused(f'"{kind}" is not a built-in kind{guess}', "name its api_version")


def resource_from_definition(definition: Json, api_version: str, kind: str) -> Resource | None:
    """How a CustomResourceDefinition will have the kind served, or None when it defines another."""
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    versions = [f"{spec.get('group')}/{v.get('name')}" for v in spec.get("versions") or []]
    if definition.get("kind") != "CustomResourceDefinition" or names.get("kind") != kind or api_version not in versions:
        return None
    return Resource(api_version, kind, str(names.get("plural")), spec.get("scope") == "Namespaced")


def resource_from_discovery(served: Json, api_version: str, kind: str) -> Resource:
    kinds = {r["kind"]: r for r in served.get("resources", []) if "/" not in r["name"]}
    if kind not in kinds:
        close = get_close_matches(kind, kinds, 1)
        guess = f'; did you mean "{close[0]}"?' if close else ""
        raise Refused(f"{api_version} has no kind {kind}{guess}")
    return Resource(api_version, kind, kinds[kind]["name"], bool(kinds[kind]["namespaced"]))
