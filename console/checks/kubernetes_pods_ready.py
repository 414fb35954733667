"""`kubernetes.pods_ready`: every pod of a namespace is ready, there is at least one, and no workload is half rolled out.

`kubectl get pods` exits 0 while every pod crashes and when there is none; this check passes in neither case. Nor does it pass
while a pod of an earlier release is still there, or in the moments between two crashes in which a pod is ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from console.config.options import Duration, OneLine
from console.config.options import Options as TableOptions
from console.domain.triggers import span
from console.engine.clock import SystemClock
from console.engine.ports import Clock, Evidence, Json
from console.targets.kubernetes.client import KubernetesTarget
from console.targets.kubernetes.pods import (
    is_ending,
    last_end,
    left_behind,
    name_of,
    restarts,
    seconds_since_restart,
    waiting_message,
    workloads_of,
)
from console.targets.kubernetes.resources import POD, REPLICA_SET, WORKLOADS
from console.targets.kubernetes.rollout import complaint, is_ready, status_of
from console.targets.text import clean_line

KIND = "kubernetes.pods_ready"
TARGET_KINDS = ("kubernetes",)

_SHOWN: Final = 3
_LISTED: Final = 40


class Options(TableOptions):
    """Which pods have to be ready."""

    namespace: OneLine
    """The namespace."""
    selector: str = ""
    """A label selector, as `kubectl get pods -l` takes it; left out: every pod, and the rollout of every workload. With one:
    the rollouts of the workloads whose pods it selects."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """How many ready pods there must be."""
    steady_seconds: Duration = 300.0
    """How long a container must have run since it was restarted: in a crash loop a pod is ready from time to time."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was found, none of it judged. `rolling` are the workloads whose rollout is not complete, `former` the pods of an
    earlier release, `shaky` those that were restarted a moment ago: by pod, in words."""

    pods: tuple[Json, ...]
    rolling: tuple[str, ...]
    former: dict[str, str]
    shaky: dict[str, str]

    @property
    def standing(self) -> list[Json]:
        return [p for p in self.pods if not is_ending(p)]

    @property
    def ready(self) -> list[Json]:
        return [p for p in self.standing if is_ready(p)]


class PodsReady:
    def __init__(self, options: Options, target: KubernetesTarget, *, clock: Clock | None = None) -> None:
        self._options = options
        self._target = target
        self._clock = clock or SystemClock()

    async def run(self) -> Evidence:
        seen = await self._look()
        outcome, text = _judged(seen, self._options)
        return Evidence("pass" if outcome else "fail", text, tuple(_lines(seen)))

    async def _look(self) -> _Seen:
        namespace = self._options.namespace
        selected = {"labelSelector": self._options.selector} if self._options.selector else None
        pods, replica_sets, *workloads = await asyncio.gather(
            self._target.list(POD.path(namespace), selected),
            self._target.list(REPLICA_SET.path(namespace)),
            *(self._target.list(w.path(namespace)) for w in WORKLOADS),
        )
        counted = tuple(p for p in pods if (p.get("status") or {}).get("phase") != "Succeeded")
        mine = workloads_of(counted, replica_sets) if selected else None
        rolling = [
            f"{clean_line(str(item['metadata']['name']))}: {status.text}"
            for resource, items in zip(WORKLOADS, workloads, strict=True)
            for item in items
            if (mine is None or item["metadata"]["uid"] in mine)
            and (status := status_of({**item, "kind": resource.kind})).state != "complete"
        ]
        former = left_behind(counted, replica_sets, workloads[0])
        shaky = {name_of(p): words for p in counted if is_ready(p) and (words := self._restarted(p))}
        return _Seen(counted, tuple(rolling), former, shaky)

    def _restarted(self, pod: Json) -> str:
        seconds = seconds_since_restart(pod, self._clock.now())
        if seconds is None or seconds >= self._options.steady_seconds:
            return ""
        end = last_end(pod)
        return f"restarted {span(max(seconds, 0.0))} ago{end and f' after {end}'}, {_restarts(pod)}"


def _judged(seen: _Seen, options: Options) -> tuple[bool, str]:
    """Whether all is well, and the line that says so or says what is not."""
    standing, ready = seen.standing, seen.ready
    count = f"{len(ready)}/{len(standing)} ready"
    if not seen.pods:
        return False, f"0 found in {options.namespace}"
    if len(ready) < len(standing):
        bad = [f"{name_of(p)} {complaint(p) or 'not ready'}" for p in standing if not is_ready(p)]
        return False, f"{count}; {_some(bad)}"
    if seen.rolling:
        return False, f"{count}, but rolling out: {_some(list(seen.rolling))}"
    if seen.former:
        old = [f"{name} ({words})" for name, words in seen.former.items()]
        return False, f"{count}, but {'old pods are' if len(old) > 1 else 'an old pod is'} still there: {_some(old)}"
    if seen.shaky:
        return False, f"{count}, but {_some([f'{name} {words}' for name, words in seen.shaky.items()])}"
    if len(ready) < options.at_least:
        return False, f"{len(ready)} ready, {options.at_least} wanted"
    return True, count


def _lines(seen: _Seen) -> Iterator[str]:
    """A line for each rollout that is under way and each pod, the troubled ones first."""
    yield from (f"rolling out: {text}" for text in seen.rolling[:_LISTED])
    lines = sorted((_line(pod, seen) for pod in seen.pods), key=lambda line: line[0])
    yield from (text for _, text in lines[:_LISTED])
    if len(lines) > _LISTED:
        yield f"and {len(lines) - _LISTED} more pods"


def _line(pod: Json, seen: _Seen) -> tuple[bool, str]:
    name, ready = name_of(pod), is_ready(pod)
    reasons = [
        complaint(pod).partition(", ")[0],
        waiting_message(pod),
        seen.former.get(name, ""),
        seen.shaky.get(name, ""),
    ]
    told = [clean_line(reason) for reason in reasons if reason]
    state = "ending" if is_ending(pod) else "ready" if ready else "not ready"
    well = ready and not is_ending(pod) and not told
    return well, f"pod {name}: {state}, {_restarts(pod)}{''.join(f'; {reason}' for reason in told)}"


def _restarts(pod: Json) -> str:
    count = restarts(pod)
    return f"{count} restart{'' if count == 1 else 's'}"


def _some(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def build(options: Options, target: KubernetesTarget) -> PodsReady:
    return PodsReady(options, target)
