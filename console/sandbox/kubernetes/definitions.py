"""The kinds of custom resource that a drill knows from the beginning: those of Argo CD, Flux and the Prometheus operator."""

from __future__ import annotations

from console.sandbox.kubernetes.documents import Object

_KINDS = (
    ("argoproj.io", "v1alpha1", "Application", "applications", ("app", "apps")),
    ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations", ("ks",)),
    ("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases", ("hr",)),
    ("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules", ("promrule",)),
)


def well_known_definitions() -> list[Object]:
    """Their fields are not checked: what their own operators refuse is not refused here."""
    return [_definition(*kind) for kind in _KINDS]


def _definition(group: str, version: str, kind: str, plural: str, short: tuple[str, ...]) -> Object:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "shortNames": list(short)}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
