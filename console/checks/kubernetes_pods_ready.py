"""`kubernetes.pods_ready`: every pod of a namespace is ready, there is at least one, and no workload is half rolled out.

`kubectl get pods` exits 0 while every pod crashes and when there is none; this check passes in neither case.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from console.config.options import OneLine
from console.config.options import Options as TableOptions
from console.engine.ports import Evidence, Json
from console.targets.kubernetes.client import KubernetesTarget
from console.targets.kubernetes.resources import POD, WORKLOADS
from console.targets.kubernetes.rollout import complaint, is_ready, status_of

KIND = "kubernetes.pods_ready"
TARGET_KINDS = ("kubernetes",)

_SHOWN = 3


class Options(TableOptions):
    """Which pods have to be ready."""

    namespace: OneLine
    """The namespace."""
    selector: str = ""
    """A label selector, as `kubectl get pods -l` takes it; left out: every pod, and every workload's rollout too."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """How many ready pods there must be."""


class PodsReady:
    def __init__(self, options: Options, target: KubernetesTarget) -> None:
        self._options = options
        self._target = target

    async def run(self) -> Evidence:
        params = {"labelSelector": self._options.selector} if self._options.selector else None
        pods, rolling = await asyncio.gather(
            self._target.list(POD.path(self._options.namespace), params), self._rolling_out()
        )
        counted = [p for p in pods if (p.get("status") or {}).get("phase") != "Succeeded"]
        return _judged(counted, rolling, self._options)

    async def _rolling_out(self) -> list[str]:
        """The workloads whose rollout is not complete: an old pod that still serves is not a pass."""
        if self._options.selector:
            return []
        found = await asyncio.gather(*(self._target.list(w.path(self._options.namespace)) for w in WORKLOADS))
        unfinished = []
        for resource, items in zip(WORKLOADS, found, strict=True):
            for item in items:
                status = status_of({**item, "kind": resource.kind})
                if status.state != "complete":
                    unfinished.append(f"{item['metadata']['name']}: {status.text}")
        return unfinished


def _judged(pods: list[Json], rolling: list[str], options: Options) -> Evidence:
    ready = [p for p in pods if is_ready(p) and not p["metadata"].get("deletionTimestamp")]
    standing = [p for p in pods if not p["metadata"].get("deletionTimestamp")]
    if not pods:
        return Evidence("fail", f"0 found in {options.namespace}")
    if len(ready) < len(standing):
        bad = [f"{p['metadata']['name']} {complaint(p) or 'not ready'}" for p in standing if not is_ready(p)]
        return Evidence("fail", f"{len(ready)}/{len(standing)} ready; {_some(bad)}")
    if rolling:
        return Evidence("fail", f"{len(ready)}/{len(standing)} ready, but rolling out: {_some(rolling)}")
    if len(ready) < options.at_least:
        return Evidence("fail", f"{len(ready)} ready, {options.at_least} wanted")
    return Evidence("pass", f"{len(ready)}/{len(standing)} ready")


def _some(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def build(options: Options, target: KubernetesTarget) -> PodsReady:
    return PodsReady(options, target)
