"""The kinds of object that are served: built-in ones from a table, all others from CustomResourceDefinitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from console.sandbox.kubernetes.documents import Object
from console.sandbox.kubernetes.schema import Struct, of_custom_resource, types

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, eq=False)
class Kind:
    """One kind of object. `counted` kinds have a generation that grows with their spec."""

    api_version: str
    kind: str
    plural: str
    node: Struct
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    counted: bool = False
    custom: bool = False
    columns: tuple[Object, ...] = field(default=())

    @property
    def group(self) -> str:
        return self.api_version.partition("/")[0] if "/" in self.api_version else ""

    @property
    def version(self) -> str:
        return self.api_version.rpartition("/")[2]

    @property
    def key(self) -> tuple[str, str]:
        """How the store files it."""
        return self.group, self.plural

    @property
    def qualified(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def verbs(self) -> tuple[str, ...]:
        """All of them, but that nobody deletes all namespaces at once."""
        return tuple(verb for verb in VERBS if self.kind != "Namespace" or verb != "deletecollection")

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


_ALL = ("all",)
_BUILT_IN: tuple[tuple[str, str, str, bool, str, tuple[str, ...], tuple[str, ...], bool], ...] = (
    # api version, kind, plural, namespaced, short names, subresources, categories, counted
    ("v1", "ConfigMap", "configmaps", True, "cm", (), (), False),
    ("v1", "Endpoints", "endpoints", True, "ep", (), (), False),
    ("v1", "Event", "events", True, "ev", (), (), False),
    ("v1", "Namespace", "namespaces", False, "ns", ("status", "finalize"), (), False),
    ("v1", "Node", "nodes", False, "no", ("status",), (), False),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", True, "pvc", ("status",), (), False),
    ("v1", "Pod", "pods", True, "po", ("status",), _ALL, True),
    ("v1", "Secret", "secrets", True, "", (), (), False),
    ("v1", "Service", "services", True, "svc", ("status",), _ALL, False),
    ("v1", "ServiceAccount", "serviceaccounts", True, "sa", (), (), False),
    ("apps/v1", "ControllerRevision", "controllerrevisions", True, "", (), (), False),
    ("apps/v1", "DaemonSet", "daemonsets", True, "ds", ("status",), _ALL, True),
    ("apps/v1", "Deployment", "deployments", True, "deploy", ("scale", "status"), _ALL, True),
    ("apps/v1", "ReplicaSet", "replicasets", True, "rs", ("scale", "status"), _ALL, True),
    ("apps/v1", "StatefulSet", "statefulsets", True, "sts", ("scale", "status"), _ALL, True),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", True, "hpa", ("status",), _ALL, True),
    ("batch/v1", "CronJob", "cronjobs", True, "cj", ("status",), _ALL, True),
    ("batch/v1", "Job", "jobs", True, "", ("status",), _ALL, True),
    ("networking.k8s.io/v1", "Ingress", "ingresses", True, "ing", ("status",), (), True),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", True, "netpol", (), (), True),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", True, "pdb", ("status",), (), True),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", False, "", (), (), False),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", False, "", (), (), False),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", True, "", (), (), False),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", True, "", (), (), False),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", False, "crd crds",
     ("status",), ("api-extensions",), True),
)  # fmt: skip
REVIEWS = {
    "authorization.k8s.io/v1": (
        ("SelfSubjectAccessReview", "selfsubjectaccessreviews"),
        ("SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    ),
    "authentication.k8s.io/v1": (("SelfSubjectReview", "selfsubjectreviews"),),
}
"""What is asked by creating it and never kept."""


class Catalog:
    """Every kind that is served now."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str], Kind] = {}
        self._by_name: dict[tuple[str, str], Kind] = {}
        for api_version, kind, plural, namespaced, short, subresources, categories, counted in _BUILT_IN:
            node = types().of_kind(api_version, kind)
            names = tuple(short.split())
            self._add(
                Kind(
                    api_version, kind, plural, node, namespaced, kind.lower(), names, subresources, categories, counted
                )
            )

    def _add(self, kind: Kind) -> None:
        self._kinds[kind.api_version, kind.plural] = kind
        self._by_name[kind.api_version, kind.kind] = kind

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def served(self, api_version: str, plural: str) -> Kind | None:
        return self._kinds.get((api_version, plural))

    def named(self, api_version: str, kind: str) -> Kind | None:
        return self._by_name.get((api_version, kind))

    def of_group(self, group: str, kind: str) -> Kind | None:
        """Some version of the kind; ownerReferences name a version that may no longer be served."""
        return next((one for one in self if one.group == group and one.kind == kind), None)

    def built_in(self, kind: str) -> Kind:
        return next(one for one in self if one.kind == kind and not one.custom)

    def groups(self) -> dict[str, list[str]]:
        """Group to its versions, the core group left out."""
        found: dict[str, list[str]] = {}
        for api_version in [*(kind.api_version for kind in self), *REVIEWS]:
            group, _, version = api_version.rpartition("/")
            if group and version not in found.setdefault(group, []):
                found[group].append(version)
        return found

    def define(self, definition: Object) -> None:
        """Serves what a CustomResourceDefinition defines, in place of what it defined before."""
        self.undefine(definition)
        spec = definition["spec"]
        names = spec["names"]
        for version in spec.get("versions") or []:
            if not version.get("served"):
                continue
            subresources = version.get("subresources") or {}
            self._add(
                Kind(
                    f"{spec['group']}/{version['name']}",
                    names["kind"],
                    names["plural"],
                    of_custom_resource(names["kind"], (version.get("schema") or {}).get("openAPIV3Schema")),
                    spec.get("scope") == "Namespaced",
                    names.get("singular") or names["kind"].lower(),
                    tuple(names.get("shortNames") or ()),
                    tuple(one for one in ("status", "scale") if one in subresources),
                    tuple(names.get("categories") or ()),
                    counted=True,
                    custom=True,
                    columns=tuple(version.get("additionalPrinterColumns") or ()),
                )
            )

    def undefine(self, definition: Object) -> None:
        group, plural = definition["spec"]["group"], definition["spec"]["names"]["plural"]
        for kind in [k for k in self if k.custom and (k.group, k.plural) == (group, plural)]:
            del self._kinds[kind.api_version, kind.plural]
            self._by_name.pop((kind.api_version, kind.kind), None)
