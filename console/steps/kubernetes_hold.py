"""`kubernetes.hold`: suspends the controller that would put a rolled-back object back, until it is released.

Argo CD's auto-sync and Flux's reconciliation undo a rollback within minutes. A hold is a change like any other: previewed,
proven, and released by rolling its component forward, which restores exactly what stood there. An incident with a hold that
nobody released can't be resolved unseen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from pydantic import StringConstraints

from console.config.options import OneLine
from console.config.options import Options as TableOptions
from console.domain.difference import ABSENT, lookup
from console.engine.ports import Change, Description, Finding, Json
from console.targets.kubernetes.client import MERGE, KubernetesTarget
from console.targets.kubernetes.edits import Edit, Goal
from console.targets.kubernetes.objects import content
from console.targets.kubernetes.resources import Resource
from console.targets.kubernetes.step import KubernetesStep

KIND = "kubernetes.hold"
TARGET_KINDS = ("kubernetes",)

_API_VERSIONS = {
    "Application": "argoproj.io/v1alpha1",
    "Kustomization": "kustomize.toolkit.fluxcd.io/v1",
    "HelmRelease": "helm.toolkit.fluxcd.io/v2",
}
# What holds each: Argo CD syncs by itself only while `automated` is there; Flux reconciles unless `suspend` is true.
_PATCHES: dict[str, Json] = {
    "Application": {"spec": {"syncPolicy": {"automated": None}}},
    "Kustomization": {"spec": {"suspend": True}},
    "HelmRelease": {"spec": {"suspend": True}},
}
_OWNERS = {"Application": "Argo CD", "Kustomization": "Flux", "HelmRelease": "Flux"}


class Options(TableOptions):
    """What is held."""

    object: Annotated[str, StringConstraints(pattern=r"^(Application|Kustomization|HelmRelease)/[a-z0-9][a-z0-9.-]*$")]
    """Kind and name: `Application/acgs-pgp` (Argo CD), `Kustomization/apps` or `HelmRelease/dashboard` (Flux)."""
    namespace: OneLine
    """The namespace of that object; Argo CD's is often `argocd`."""
    api_version: OneLine | None = None
    """Left out: argoproj.io/v1alpha1, kustomize.toolkit.fluxcd.io/v1, helm.toolkit.fluxcd.io/v2."""


class KubernetesHold(KubernetesStep):
    def __init__(self, step_id: str, options: Options, target: KubernetesTarget) -> None:
        super().__init__(step_id, target)
        self._kind, _, self._name = options.object.partition("/")
        self._namespace = options.namespace
        self._api_version = options.api_version or _API_VERSIONS[self._kind]
        self._owner = _OWNERS[self._kind]

    def describe(self) -> Description:
        return Description(f"hold {self._owner}: {self._kind} {self._namespace}/{self._name}", (self._command(),))

    async def preflight(self) -> Sequence[Finding]:
        resource = await self._resource()
        allowed, live = await asyncio.gather(
            self._permitted(["get", "patch"], resource, self._namespace, self._name), self._live(resource)
        )
        return [*allowed, *self._surprises(live)]

    async def plan(self, pin: Json = None) -> Change:  # noqa: ARG002 - nothing is chosen here
        resource = await self._resource()
        live = await self._live(resource)
        ref = resource.ref(self._namespace, self._name)
        before, patch = content(live), _PATCHES[self._kind]
        held = _is_held(self._kind, before)
        after = before if held else content(await self._target.rehearse(ref.path, patch, MERGE))
        edit = Edit(ref, before, after, content_type=MERGE, body=patch, uid=live["metadata"]["uid"])
        words = f"{self._owner} is held: {ref}"
        goal = Goal((edit,) if edit.changes else (), says=(words,))
        summary = f"{words} already" if held else f"hold {self._owner}: {ref}"
        return self._change(summary, goal, lives={str(ref): live}, commands=[self._command()])

    def _surprises(self, live: Json) -> list[Finding]:
        owners = [o for o in (live["metadata"].get("ownerReferences") or []) if o.get("kind") == "ApplicationSet"]
        found = [
            Finding("warn", f"ApplicationSet {o['name']} makes this Application and may put it back", "managed_by")
            for o in owners
        ]
        released = f"releasing it makes {self._owner} deploy what is in its source: revert that first"
        return [*found, Finding("info", released, "release")]

    async def _resource(self) -> Resource:
        return await self._target.resource(self._api_version, self._kind)

    async def _live(self, resource: Resource) -> Json:
        return await self._existing(resource, resource.ref(self._namespace, self._name))

    def _command(self) -> str:
        patches = {
            "Argo CD": '{"spec":{"syncPolicy":{"automated":null}}}',
            "Flux": '{"spec":{"suspend":true}}',
        }
        what = f"{self._kind.lower()}/{self._name}"
        return self._kubectl("patch", what, "--type", "merge", "-p", patches[self._owner], namespace=self._namespace)


def _is_held(kind: str, live: Json) -> bool:
    if kind == "Application":
        return lookup(live, ("spec", "syncPolicy", "automated")) in (ABSENT, None)
    return lookup(live, ("spec", "suspend")) is True


def build(step_id: str, options: Options, target: KubernetesTarget) -> KubernetesHold:
    return KubernetesHold(step_id, options, target)
