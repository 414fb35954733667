"""Deployments: one ReplicaSet for each pod template, the newest scaled up and the others down as the strategy allows.

The steps, their order, the annotations, conditions and their reasons are those of the real deployment controller.
"""

from __future__ import annotations

from collections.abc import Iterable

from console.sandbox.kubernetes.controllers import Name
from console.sandbox.kubernetes.controllers.counting import (
    DESIRED,
    HASH,
    HISTORY,
    REVISION,
    age_of,
    condition_of,
    copied_annotations,
    count_of,
    current_set,
    deadline_of,
    digest_of,
    has_got_on,
    is_complete,
    is_saturated,
    newest_revision,
    revision_of,
    room_for,
    share_of,
    size_annotations,
    status_of,
    surge_allowed,
    unavailable_allowed,
    wanted_replicas,
)
from console.sandbox.kubernetes.controllers.hands import Hands, adopted, controlled_by, controller_of, leaving
from console.sandbox.kubernetes.documents import Object, clone, dig, equal
from console.sandbox.kubernetes.selectors import selected
from console.sandbox.kubernetes.storage import Event

_COMPONENT = "deployment-controller"


class Deployments:
    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._progressed: dict[str, float] = {}
        """When each Deployment last got on, in the cluster's own seconds."""

    def concerns(self, event: Event) -> Iterable[Name]:
        metadata = event.object["metadata"]
        if event.key == ("apps", "deployments"):
            yield metadata["namespace"], metadata["name"]
        elif event.key == ("apps", "replicasets"):
            owner = controller_of(event.object)
            if owner and owner["kind"] == "Deployment":
                yield metadata["namespace"], owner["name"]
        elif event.key == ("", "pods") and event.type == "DELETED":  # Recreate waits for the last old pod
            yield from self._recreating(event.object)

    def _recreating(self, pod: Object) -> Iterable[Name]:
        namespace = pod["metadata"]["namespace"]
        for one in self._hands.registry.all("Deployment", namespace):
            if one["spec"]["strategy"]["type"] == "Recreate":
                yield namespace, one["metadata"]["name"]

    def reconcile(self, namespace: str, name: str) -> float | None:
        found = self._hands.registry.find("Deployment", namespace, name)
        if found is None:
            return None
        if not leaving(found):
            self._adopt(found)
        sets = self._sets(found)
        if leaving(found):
            self._write_status(found, status_of(found, sets, current_set(found, sets)))
            return None
        if self._pause_noted(found):
            return None  # the write brings us here again
        current = current_set(found, sets)
        if found["spec"].get("paused"):
            self._scale(found, sets, current)
            self._write_status(found, status_of(found, self._sets(found), current))
            return None
        if current is not None and self._synced(found, sets, current):
            return None
        if self._is_scaling(found, sets):
            self._scale(found, sets, current)
            self._write_status(found, status_of(found, self._sets(found), current))
            return None
        if found["spec"]["strategy"]["type"] == "Recreate":
            return self._recreate(found, sets, current)
        return self._roll(found, sets, current)

    # ------------------------------------------------------------ the two strategies

    def _roll(self, deployment: Object, sets: list[Object], current: Object | None) -> float | None:
        if current is None:
            current = self._new_set(deployment, sets, room_for(deployment, sets, 0))
            sets = self._sets(deployment)
        elif current["spec"]["replicas"] != wanted_replicas(deployment):
            here = int(current["spec"]["replicas"])
            goal = (
                wanted_replicas(deployment)
                if here > wanted_replicas(deployment)
                else here + room_for(deployment, sets, here)
            )
            self._resize(deployment, current, goal)
        self._shrink_old(deployment, current)
        return self._finish(deployment, current)

    def _shrink_old(self, deployment: Object, current: Object) -> None:
        sets = self._sets(deployment)
        current = next(one for one in sets if one["metadata"]["uid"] == current["metadata"]["uid"])
        old = sorted((one for one in sets if one is not current and one["spec"]["replicas"]), key=age_of)
        if not old:
            return
        least = wanted_replicas(deployment) - unavailable_allowed(deployment)
        missing = int(current["spec"]["replicas"]) - count_of(current, "availableReplicas")
        spare = sum(int(one["spec"]["replicas"]) for one in sets) - least - missing
        for one in old:  # those that do not serve go first
            ailing = int(one["spec"]["replicas"]) - count_of(one, "availableReplicas")
            if spare > 0 and ailing > 0:
                gone = min(spare, ailing)
                self._resize(deployment, one, int(one["spec"]["replicas"]) - gone)
                spare -= gone
        if spare <= 0:
            return
        sets = self._sets(deployment)
        surplus = sum(count_of(one, "availableReplicas") for one in sets) - least
        for one in sorted((o for o in sets if o["metadata"]["uid"] != current["metadata"]["uid"]), key=age_of):
            replicas = int(one["spec"]["replicas"])
            if surplus > 0 and replicas:
                gone = min(surplus, replicas)
                self._resize(deployment, one, replicas - gone)
                surplus -= gone

    def _recreate(self, deployment: Object, sets: list[Object], current: Object | None) -> float | None:
        old = [one for one in sets if one is not current]
        for one in old:
            self._resize(deployment, one, 0)
        pods = [pod for one in old for pod in self._hands.owned_by(one, "Pod")]
        if any(dig(pod, "status", "phase") not in ("Failed", "Succeeded") for pod in pods):
            return self._finish(deployment, current)
        if current is None:
            current = self._new_set(deployment, sets, wanted_replicas(deployment))
        else:
            self._resize(deployment, current, wanted_replicas(deployment))
        return self._finish(deployment, current)

    def _finish(self, deployment: Object, current: Object | None) -> float | None:
        """Status, conditions, history; and when to look whether the deadline has passed."""
        name = deployment["metadata"]["name"]
        live = self._hands.registry.find("Deployment", deployment["metadata"]["namespace"], name)
        if live is None:
            return None
        sets = self._sets(live)
        current = next((s for s in sets if current and s["metadata"]["uid"] == current["metadata"]["uid"]), None)
        status = status_of(live, sets, current)
        self._judge_progress(live, status, current)
        if is_complete(live, status):
            self._clean_up(live, [one for one in sets if one is not current])
        self._write_status(live, status)
        return self._until_deadline(live, status)

    # ------------------------------------------------------------ ReplicaSets

    def _adopt(self, deployment: Object) -> None:
        """Takes over ReplicaSets that nobody controls and the selector matches: those of a Deployment that was here before."""
        for one in self._hands.registry.all("ReplicaSet", deployment["metadata"]["namespace"]):
            labels = one["metadata"].get("labels") or {}
            if controller_of(one) is None and not leaving(one) and selected(deployment["spec"]["selector"], labels):
                self._hands.update(adopted(one, deployment))

    def _sets(self, deployment: Object) -> list[Object]:
        return sorted(self._hands.owned_by(deployment, "ReplicaSet"), key=age_of)

    def _new_set(self, deployment: Object, sets: list[Object], replicas: int) -> Object:
        metadata, spec = deployment["metadata"], deployment["spec"]
        template = clone(spec["template"])
        digest = digest_of(template, int(dig(deployment, "status", "collisionCount", default=0)))
        labels = {**(dig(template, "metadata", "labels", default={})), HASH: digest}
        template["metadata"] = {**(template.get("metadata") or {}), "labels": labels}
        selector = clone(spec["selector"])
        selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH: digest}
        revision = str(newest_revision(sets) + 1)
        body: Object = {"replicas": replicas, "selector": selector, "template": template}
        body |= {"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}
        made = self._hands.create({
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{metadata['name']}-{digest}",
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": {**copied_annotations(deployment), **size_annotations(deployment), REVISION: revision},
                "ownerReferences": [controlled_by(deployment)],
            },
            "spec": body,
        })  # fmt: skip
        if replicas:
            text = f"Scaled up replica set {made['metadata']['name']} from 0 to {replicas}"
            self._hands.tell(deployment, "Normal", "ScalingReplicaSet", text, _COMPONENT)
        status = clone(deployment.get("status") or {})
        if deadline_of(deployment):
            text = f'Created new replica set "{made["metadata"]["name"]}"'
            self._set_condition(status, deployment, "Progressing", "True", "NewReplicaSetCreated", text)
        self._hands.annotate(deployment, {REVISION: revision}, status)
        return made

    def _synced(self, deployment: Object, sets: list[Object], current: Object) -> bool:
        """Whether the current set's annotations or the Deployment's own had to be put right, so that this step is done."""
        others = [one for one in sets if one is not current]
        annotations = current["metadata"].get("annotations") or {}
        wanted = {**annotations, **copied_annotations(deployment)}
        before, now = annotations.get(REVISION), newest_revision(others) + 1
        if before is None or int(before) < now:
            wanted[REVISION] = str(now)
            if before is not None:
                past = [*filter(None, str(annotations.get(HISTORY, "")).split(",")), before]
                wanted[HISTORY] = ",".join(past)
        if wanted != annotations:
            self._hands.update({**current, "metadata": {**current["metadata"], "annotations": wanted}})
            return True
        if dig(deployment, "metadata", "annotations", default={}).get(REVISION) == wanted[REVISION]:
            return False
        self._hands.annotate(deployment, {REVISION: wanted[REVISION]}, deployment.get("status") or {})
        return True

    def _resize(self, deployment: Object, one: Object, replicas: int, *, note: bool = False) -> None:
        """Scales a set, and notes in it what the Deployment wants; with `note` even when its size is right."""
        before = int(one["spec"]["replicas"])
        if before == replicas and not note:
            return
        annotations = {**(one["metadata"].get("annotations") or {}), **size_annotations(deployment)}
        metadata = {**one["metadata"], "annotations": annotations}
        self._hands.update({**one, "metadata": metadata, "spec": {**one["spec"], "replicas": replicas}})
        if before == replicas:
            return
        way = "up" if replicas > before else "down"
        text = f"Scaled {way} replica set {one['metadata']['name']} from {before} to {replicas}"
        self._hands.tell(deployment, "Normal", "ScalingReplicaSet", text, _COMPONENT)

    def _is_scaling(self, deployment: Object, sets: list[Object]) -> bool:
        """Whether the number of replicas was changed while pods of an active set still follow the old one."""
        noted = [dig(one, "metadata", "annotations", DESIRED) for one in sets if one["spec"]["replicas"]]
        return any(one is not None and int(one) != wanted_replicas(deployment) for one in noted)

    def _scale(self, deployment: Object, sets: list[Object], current: Object | None) -> None:
        active = [one for one in sets if one["spec"]["replicas"]]
        if len(active) <= 1:
            only = active[0] if active else (current or (sets[-1] if sets else None))
            if only is not None:
                self._resize(deployment, only, wanted_replicas(deployment))
        elif current is not None and is_saturated(deployment, current):
            for one in active:
                if one is not current:
                    self._resize(deployment, one, 0)
        else:
            self._scale_in_proportion(deployment, active)

    def _scale_in_proportion(self, deployment: Object, active: list[Object]) -> None:
        """In the middle of a rollout every set grows or shrinks by its share, the largest first, which takes the rest."""
        wanted = wanted_replicas(deployment)
        most = wanted + surge_allowed(deployment) if wanted else 0
        to_add = most - sum(int(one["spec"]["replicas"]) for one in active)
        by_age = sorted(active, key=age_of, reverse=to_add > 0)
        active = sorted(by_age, key=lambda one: -int(one["spec"]["replicas"]))
        grown = [0] * len(active)
        for index, one in enumerate(active):
            left = to_add - sum(grown)
            share = share_of(deployment, one, most)
            grown[index] = min(share, left) if to_add > 0 else max(share, left)
        grown[0] += to_add - sum(grown)
        for one, change in zip(active, grown, strict=True):
            self._resize(deployment, one, max(int(one["spec"]["replicas"]) + change, 0), note=True)

    def _clean_up(self, deployment: Object, old: list[Object]) -> None:
        kept = deployment["spec"].get("revisionHistoryLimit", 10)
        gone = [one for one in sorted(old, key=revision_of) if not leaving(one)]
        for one in gone[: max(len(gone) - kept, 0)]:
            if not one["spec"]["replicas"] and not count_of(one, "replicas"):
                self._hands.delete(one)

    # ------------------------------------------------------------ status

    def _pause_noted(self, deployment: Object) -> bool:
        """A pause and its end are conditions of their own, so that a pause never counts as standing still."""
        if not deadline_of(deployment):
            return False
        progressing = condition_of(deployment.get("status") or {}, "Progressing")
        if (progressing or {}).get("reason") == "ProgressDeadlineExceeded":
            return False
        noted = progressing is not None and progressing.get("reason") == "DeploymentPaused"
        status = clone(deployment.get("status") or {})
        if deployment["spec"].get("paused") and not noted:
            self._set_condition(
                status, deployment, "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"
            )
        elif not deployment["spec"].get("paused") and noted:
            self._set_condition(
                status, deployment, "Progressing", "Unknown", "DeploymentResumed", "Deployment is resumed"
            )
        else:
            return False
        self._hands.set_status(deployment, status)
        return True

    def _judge_progress(self, deployment: Object, status: Object, current: Object | None) -> None:
        """The Progressing condition: got on, arrived, or stood still for too long."""
        if not deadline_of(deployment):
            status["conditions"] = [c for c in status["conditions"] if c["type"] != "Progressing"]
            return
        before = deployment.get("status") or {}
        condition = condition_of(before, "Progressing")
        settled = condition is not None and condition["reason"] == "NewReplicaSetAvailable"
        if status.get("replicas", 0) == status.get("updatedReplicas", 0) and settled:
            return
        what = (
            f'ReplicaSet "{current["metadata"]["name"]}"'
            if current
            else f'Deployment "{deployment["metadata"]["name"]}"'
        )
        if is_complete(deployment, status):
            text = f"{what} has successfully progressed."
            self._set_condition(status, deployment, "Progressing", "True", "NewReplicaSetAvailable", text)
        elif has_got_on(before, status):
            text = f"{what} is progressing."
            status["conditions"] = [c for c in status["conditions"] if c["type"] != "Progressing"]
            since = condition["lastTransitionTime"] if condition and condition["status"] == "True" else None
            self._set_condition(status, deployment, "Progressing", "True", "ReplicaSetUpdated", text, since)
        elif self._timed_out(deployment, condition):
            text = f"{what} has timed out progressing."
            self._set_condition(status, deployment, "Progressing", "False", "ProgressDeadlineExceeded", text)

    def _timed_out(self, deployment: Object, condition: Object | None) -> bool:
        if condition is None or condition["reason"] == "NewReplicaSetAvailable":
            return False
        if condition["reason"] == "ProgressDeadlineExceeded":
            return True
        return self._stood_still(deployment) >= deadline_of(deployment)

    def _stood_still(self, deployment: Object) -> float:
        now = self._hands.clock.elapsed()
        return now - self._progressed.setdefault(deployment["metadata"]["uid"], now)

    def _until_deadline(self, deployment: Object, status: Object) -> float | None:
        condition = condition_of(status, "Progressing")
        if not deadline_of(deployment) or condition is None or is_complete(deployment, status):
            return None
        if condition["reason"] == "ProgressDeadlineExceeded":
            return None
        return max(deadline_of(deployment) - self._stood_still(deployment), 0.0) + 0.05

    def _set_condition(
        self,
        status: Object,
        deployment: Object,
        kind: str,
        value: str,
        reason: str,
        message: str,
        since: str | None = None,
    ) -> None:
        """Unless it says the same already; when it last changed its value is kept."""
        old = condition_of(status, kind)
        if old is not None and (old["status"], old["reason"]) == (value, reason):
            return
        if kind == "Progressing":
            self._progressed[deployment["metadata"]["uid"]] = self._hands.clock.elapsed()
        if old is not None and old["status"] == value:
            since = old["lastTransitionTime"]
        condition = {"type": kind, "status": value, "lastUpdateTime": self._hands.now,
                     "lastTransitionTime": since or self._hands.now, "reason": reason, "message": message}  # fmt: skip
        status["conditions"] = [c for c in status.get("conditions") or [] if c["type"] != kind] + [condition]

    def _write_status(self, deployment: Object, status: Object) -> None:
        least = wanted_replicas(deployment) - unavailable_allowed(deployment)
        if status.get("availableReplicas", 0) >= least:
            said = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        else:
            said = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        self._set_condition(status, deployment, "Available", *said)
        live = self._hands.registry.find(
            "Deployment", deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        )
        if live is not None and not equal(live.get("status"), status):
            self._hands.set_status(live, status)
