"""The node's part: pods are placed, take their time to start, become ready, crash if they ail, and take their time to stop."""

from __future__ import annotations

import fnmatch
import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from console.sandbox.kubernetes.controllers import Name
from console.sandbox.kubernetes.controllers.hands import Hands, leaving
from console.sandbox.kubernetes.documents import Object, dig, equal
from console.sandbox.kubernetes.storage import Event

_LONGEST_BACK_OFF_SECONDS = 300.0


@dataclass(frozen=True)
class Pace:
    """How long a pod takes, in the cluster's own seconds."""

    start_seconds: tuple[float, float] = (2.0, 6.0)
    """Between these two, by chance."""
    stop_seconds: float = 1.0
    first_back_off_seconds: float = 10.0


@dataclass(frozen=True)
class Ailment:
    """What is wrong with a pod: it crashes after its start, its image can't be pulled, it never gets ready, it never starts."""

    kind: Literal["crash", "pull", "unready", "stall"] = "crash"
    restarts: int = 1
    """How often it has crashed when that is first seen."""


class Health:
    """Which pods ail: by a pattern of one of their images, or by a label."""

    def __init__(self) -> None:
        self._images: dict[str, Ailment] = {}
        self._labels: dict[tuple[str, str], Ailment] = {}

    def mark_image(self, pattern: str, ailment: Ailment | None = None) -> None:
        """Pods with an image like this (`dash:2.*`) ail from their next start on."""
        self._images[pattern] = ailment or Ailment()

    def mark_label(self, key: str, value: str, ailment: Ailment | None = None) -> None:
        self._labels[key, value] = ailment or Ailment()

    def heal_image(self, pattern: str) -> None:
        self._images.pop(pattern, None)

    def of(self, pod: Object) -> Ailment | None:
        labels = pod["metadata"].get("labels") or {}
        for (key, value), ailment in self._labels.items():
            if labels.get(key) == value:
                return ailment
        images = [str(container.get("image", "")) for container in pod["spec"].get("containers") or []]
        for pattern, ailment in self._images.items():
            if any(fnmatch.fnmatchcase(image, pattern) for image in images):
                return ailment
        return None


@dataclass
class _Seen:
    """A pod as this node knows it: when what comes next is due, and how often it has crashed."""

    due: float
    restarts: int = 0
    stops: float | None = None


class Kubelet:
    def __init__(self, hands: Hands, node: str, health: Health, pace: Pace, chance: random.Random) -> None:
        self._hands = hands
        self._node = node
        self._health = health
        self._pace = pace
        self._chance = chance
        self._seen: dict[str, _Seen] = {}
        self._addresses = 0

    def concerns(self, event: Event) -> Iterable[Name]:
        if event.key == ("", "pods"):
            if event.type == "DELETED":
                self._seen.pop(event.object["metadata"]["uid"], None)
            else:
                yield event.object["metadata"]["namespace"], event.object["metadata"]["name"]

    def reconcile(self, namespace: str, name: str) -> float | None:
        pod = self._hands.registry.find("Pod", namespace, name)
        if pod is None:
            return None
        if not pod["spec"].get("nodeName"):
            self._hands.update({**pod, "spec": {**pod["spec"], "nodeName": self._node}})
            return None
        if pod["spec"]["nodeName"] != self._node:
            return None  # a node that is not there
        now = self._hands.clock.elapsed()
        seen = self._seen.get(pod["metadata"]["uid"])
        if seen is None:
            seen = self._seen[pod["metadata"]["uid"]] = _Seen(now + self._chance.uniform(*self._pace.start_seconds))
        if leaving(pod):
            return self._stop(pod, seen, now)
        if dig(pod, "status", "startTime") is None:
            self._hands.set_status(pod, self._starting(pod))
        if now < seen.due:
            return seen.due - now
        return self._running(pod, seen, now)

    def _stop(self, pod: Object, seen: _Seen, now: float) -> float | None:
        if seen.stops is None:
            grace = float(pod["metadata"].get("deletionGracePeriodSeconds", 0))
            seen.stops = now + min(self._pace.stop_seconds, grace)
        if now < seen.stops:
            return seen.stops - now
        if not pod["metadata"].get("finalizers"):
            self._hands.registry.finish(self._hands.kind_of(pod), pod)
        return None

    def _running(self, pod: Object, seen: _Seen, now: float) -> float | None:
        """One step of a pod whose start is over; a crashing one tries again and again, and recovers once it is healed."""
        ailment = self._health.of(pod)
        if ailment is None:
            if not _is_up(pod):
                self._hands.set_status(pod, self._up(pod, seen))
            return None
        if ailment.kind == "stall":
            return None
        if ailment.kind == "crash":
            seen.restarts = max(seen.restarts + 1, ailment.restarts)
        self._hands.set_status(pod, self._ailing(pod, seen, ailment))
        if ailment.kind == "unready":
            return None
        pause = self._back_off(seen)
        seen.due = now + pause
        return pause

    def _back_off(self, seen: _Seen) -> float:
        """Seconds until it is tried again: twice as long after each crash."""
        doubled: float = self._pace.first_back_off_seconds * 2 ** (max(seen.restarts, 1) - 1)
        return min(doubled, _LONGEST_BACK_OFF_SECONDS)

    # ------------------------------------------------------------ statuses

    def _starting(self, pod: Object) -> Object:
        waiting = {"waiting": {"reason": "ContainerCreating"}}
        status = self._status(pod, "Pending", ready=False, state=waiting, restarts=0)
        status["conditions"] = [c for c in status["conditions"] if c["type"] != "PodReadyToStartContainers"]
        return status

    def _up(self, pod: Object, seen: _Seen) -> Object:
        running = {"running": {"startedAt": self._hands.now}}
        status = self._status(pod, "Running", ready=True, state=running, restarts=seen.restarts)
        return status | self._address(pod)

    def _ailing(self, pod: Object, seen: _Seen, ailment: Ailment) -> Object:
        if ailment.kind == "unready":
            running = {"running": {"startedAt": self._hands.now}}
            return self._status(pod, "Running", ready=False, state=running, restarts=0) | self._address(pod)
        if ailment.kind == "pull":
            image = pod["spec"]["containers"][0].get("image", "")
            back_off = {"waiting": {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}"'}}
            return self._status(pod, "Pending", ready=False, state=back_off, restarts=0)
        name = pod["spec"]["containers"][0]["name"]
        which = "{name}_{namespace}({uid})".format(**pod["metadata"])
        said = f"back-off {_told(self._back_off(seen))} restarting failed container={name} pod={which}"
        crashed = {"waiting": {"reason": "CrashLoopBackOff", "message": said}}
        status = self._status(pod, "Running", ready=False, state=crashed, restarts=seen.restarts)
        self._hands.tell(pod, "Warning", "BackOff", "Back-off restarting failed container", "kubelet")
        return status | self._address(pod)

    def _status(self, pod: Object, phase: str, *, ready: bool, state: Object, restarts: int) -> Object:
        before = pod.get("status") or {}
        reason = {} if ready else {"reason": "ContainersNotReady", "message": _unready(pod)}
        conditions = [self._condition(before, kind, True, {}) for kind in ("PodScheduled", "Initialized")]
        conditions += [self._condition(before, kind, ready, reason) for kind in ("ContainersReady", "Ready")]
        return {
            "phase": phase,
            "conditions": conditions,
            "hostIP": "127.0.0.1",
            "startTime": before.get("startTime") or self._hands.now,
            "containerStatuses": [self._container(c, ready, state, restarts) for c in pod["spec"]["containers"]],
            "qosClass": before.get("qosClass", "BestEffort"),
        }

    def _condition(self, before: Object, kind: str, value: bool, more: Object) -> Object:
        status = "True" if value else "False"
        old = next((c for c in before.get("conditions") or [] if c["type"] == kind), None)
        since = old["lastTransitionTime"] if old and old["status"] == status else self._hands.now
        return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": since, **more}

    def _container(self, container: Object, ready: bool, state: Object, restarts: int) -> Object:
        last: Object = {}
        if restarts:
            ended = {"exitCode": 1, "reason": "Error", "startedAt": self._hands.now, "finishedAt": self._hands.now}
            last = {"terminated": ended}
        image = container.get("image", "")
        started = "running" in state
        return {"name": container["name"], "state": state, "lastState": last, "ready": ready, "restartCount": restarts,
                "image": image, "imageID": "", "started": started}  # fmt: skip

    def _address(self, pod: Object) -> Object:
        if known := dig(pod, "status", "podIP"):
            return {"podIP": known, "podIPs": [{"ip": known}]}
        self._addresses += 1
        found = f"10.0.{self._addresses // 250 % 250}.{self._addresses % 250 + 1}"
        return {"podIP": found, "podIPs": [{"ip": found}]}


def _told(seconds: float) -> str:
    """As Go writes a duration: `10s`, `2m40s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


def _unready(pod: Object) -> str:
    return f"containers with unready status: [{' '.join(c['name'] for c in pod['spec']['containers'])}]"


def _is_up(pod: Object) -> bool:
    conditions = dig(pod, "status", "conditions", default=[])
    return equal([c["status"] for c in conditions if c["type"] == "Ready"], ["True"])
