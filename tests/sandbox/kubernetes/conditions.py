"""A cluster whose time stands still until a test lets it pass: no server, no waiting, the same order each time."""

from __future__ import annotations

from typing import Any

from console.sandbox.kubernetes.api import Cluster
from console.sandbox.kubernetes.clock import SteppedClock
from console.sandbox.kubernetes.controllers.kubelet import Pace

PACE = Pace(start_seconds=(2.0, 2.0), stop_seconds=1.0, first_back_off_seconds=10.0)


class SteppedCluster(Cluster):
    """`pass_time` is the only way in which anything happens by itself."""

    def __init__(self) -> None:
        self.time = SteppedClock()
        super().__init__(self.time, pace=PACE)

    def pass_time(self, seconds: float = 0.0) -> None:
        self.time.advance(seconds)

    def deployment(self, name: str = "web", image: str = "web:1", replicas: int = 3, **spec: Any) -> dict[str, Any]:
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "web", "image": image}]},
        }
        return self.create({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "default"},
            "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template, **spec},
        })  # fmt: skip

    def release(self, image: str, name: str = "web", **spec: Any) -> None:
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": image}]}}, **spec}}
        self.change("apps/v1", "Deployment", "default", name, patch, how="strategic", manager="migration")

    def live(self, name: str = "web", kind: str = "Deployment") -> dict[str, Any]:
        found = self.get("apps/v1", kind, "default", name)
        assert found is not None
        return found

    def pods(self) -> list[dict[str, Any]]:
        return list(self.registry.all("Pod", "default"))

    def images(self) -> list[str]:
        """Of the pods that are not being deleted."""
        standing = [pod for pod in self.pods() if not pod["metadata"].get("deletionTimestamp")]
        return sorted(pod["spec"]["containers"][0]["image"] for pod in standing)

    def reason(self, kind: str = "Progressing", name: str = "web") -> str:
        conditions = {c["type"]: c["reason"] for c in self.live(name)["status"]["conditions"]}
        return str(conditions.get(kind, ""))
