"""`kubernetes.rollout_undo`: back to an earlier revision that is chosen once, at planning, and never chosen again.

`kubectl rollout undo` takes "the one before", so that running it twice deploys the bad version again. Here the revision is
named by the file (number or image) or found by evidence that it was healthy, shown with its images, and pinned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field, model_validator

from console.config.options import Duration, OneLine
from console.config.options import Options as TableOptions
from console.domain.errors import Refused
from console.engine.ports import Change, Description, Finding, Json, fingerprint
from console.targets.kubernetes.client import MERGE, KubernetesTarget
from console.targets.kubernetes.edits import Claim, Edit, Goal
from console.targets.kubernetes.objects import REVISION, content, merge_patch
from console.targets.kubernetes.resources import AUTOSCALER, DEPLOYMENT, REPLICA_SET
from console.targets.kubernetes.restarts import bare, with_restarts_of
from console.targets.kubernetes.rollout import replica_sets_of
from console.targets.kubernetes.step import KubernetesStep, managed_by, paused

KIND = "kubernetes.rollout_undo"
TARGET_KINDS = ("kubernetes",)

_HISTORY = "deployment.kubernetes.io/revision-history"


class Options(TableOptions):
    """Which Deployment goes back, and to which of its revisions."""

    namespace: OneLine
    """The Deployment's namespace."""
    deployment: OneLine
    """The Deployment's name."""
    revision: Annotated[int, Field(ge=1)] | None = None
    """The revision to go back to, as `kubectl rollout history` numbers it."""
    image: OneLine | None = None
    """The image to go back to: the newest revision in which a container runs it (name:tag, or name@digest)."""
    healthy_for_seconds: Duration = 3600.0
    """With neither: the newest earlier revision that still has ready pods, or was the current one for at least this long."""

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Options:
        if self.revision is not None and self.image is not None:
            raise ValueError("name a revision or an image, not both")
        return self


@dataclass(frozen=True, slots=True)
class Revision:
    """One ReplicaSet of the Deployment as a place to go back to."""

    number: int
    formerly: tuple[int, ...]
    template: Json
    available: int
    created: datetime

    @property
    def images(self) -> tuple[str, ...]:
        return tuple(c.get("image", "?") for c in self.template["spec"].get("containers", []))

    @property
    def pin(self) -> str:
        return fingerprint(self.template)

    def __str__(self) -> str:
        images = ", ".join(self.images)
        return f"revision {self.number} ({images})" if self.number else images


class KubernetesRolloutUndo(KubernetesStep):
    def __init__(self, step_id: str, options: Options, target: KubernetesTarget) -> None:
        super().__init__(step_id, target)
        self._options = options
        self._ref = DEPLOYMENT.ref(options.namespace, options.deployment)

    def describe(self) -> Description:
        chosen = self._options.image or (f"revision {self._options.revision}" if self._options.revision else "")
        to = f" to {chosen}" if chosen else " to its newest healthy revision"
        return Description(f"{self._ref} back{to}", (self._command(self._options.revision),))

    async def preflight(self) -> Sequence[Finding]:
        namespace, name = self._options.namespace, self._options.deployment
        findings = await self._permitted(["get", "patch"], DEPLOYMENT, namespace, name)
        findings += await self._permitted(["list"], REPLICA_SET, namespace)
        if any(f.level == "block" for f in findings):
            return [f for f in findings if f.level == "block"]
        live = await self._live()
        if live["spec"].get("revisionHistoryLimit") == 0:
            text = f"{self._ref} keeps no history (revisionHistoryLimit: 0): there is no revision to go back to"
            findings.append(Finding("block", text, "no_history"))
        return [*findings, *paused(live), *managed_by(live), *await self._autoscaler()]

    async def plan(self, pin: Json = None) -> Change:
        live = await self._live()
        revisions = [_revision(r) for r in await replica_sets_of(self._target, live)]
        current = live["spec"]["template"]
        chosen = self._pinned(revisions, bare(current), pin) if pin else self._choose(revisions, bare(current))
        goal_template = with_restarts_of(current, chosen.template)
        edit = await self._edit(live, goal_template)
        claim = Claim(
            self._ref, ("spec", "template"), edit.after["spec"]["template"], f"runs {', '.join(chosen.images)}"
        )
        goal = Goal((edit,) if edit.changes else (), (claim,), (self._ref,))
        words = f"{self._ref} → {chosen}" if edit.changes else f"{self._ref} runs {chosen} already"
        return self._change(
            words,
            goal,
            lives={str(self._ref): live},
            commands=[self._command(chosen.number)],
            pin={"template": chosen.pin},
        )

    async def _edit(self, live: Json, template: Json) -> Edit:
        before = after = content(live)
        body = {"spec": {"template": merge_patch(before["spec"]["template"], template)}}
        if body["spec"]["template"]:
            after = content(await self._target.rehearse(self._ref.path, body, MERGE))
        return Edit(self._ref, before, after, content_type=MERGE, body=body, uid=live["metadata"]["uid"])

    # ------------------------------------------------------------ choosing

    def _pinned(self, revisions: list[Revision], current: Json, pin: Json) -> Revision:
        """The revision that was chosen before, wherever it now stands in the history."""
        for revision in reversed(revisions):
            if revision.pin == pin["template"]:
                return revision
        if fingerprint(current) == pin["template"]:
            return Revision(0, (), current, 0, datetime.min)  # noqa: DTZ901 - a place holder that is never compared
        raise Refused(f"the revision of {self._ref} that was chosen before is no longer in its history")

    def _choose(self, revisions: list[Revision], current: Json) -> Revision:
        if not revisions:
            raise Refused(f"{self._ref} has no revision at all", "it was never rolled out, or keeps no history")
        if number := self._options.revision:
            named = [r for r in revisions if number == r.number or number in r.formerly]
            return self._newest(named, revisions, f"revision {number}")
        if image := self._options.image:
            return self._newest([r for r in revisions if _runs(r, image)], revisions, f"image {image}")
        return self._healthy(revisions, current)

    def _newest(self, found: list[Revision], revisions: list[Revision], wanted: str) -> Revision:
        if found:
            return found[-1]
        raise Refused(f"{self._ref} has no {wanted} in its history", f"it has: {_listed(revisions)}")

    def _healthy(self, revisions: list[Revision], current: Json) -> Revision:
        """The newest earlier revision with evidence: pods that are available now, or a long life as the current one."""
        earlier = [r for r in revisions if r.template != current]
        for revision in reversed(earlier):
            lasted = _lasted(revision, revisions)
            if revision.available or (lasted is not None and lasted >= self._options.healthy_for_seconds):
                return revision
        raise Refused(
            f"no earlier revision of {self._ref} shows that it was healthy",
            f"name one with revision = or image =; it has: {_listed(earlier) or 'none'}",
        )

    # ------------------------------------------------------------ small things

    async def _autoscaler(self) -> list[Finding]:
        try:
            found = await self._target.list(AUTOSCALER.path(self._options.namespace))
        except Refused:
            return []  # not allowed to look: nothing to say
        names = [
            a["metadata"]["name"]
            for a in found
            if (a["spec"]["scaleTargetRef"]["kind"], a["spec"]["scaleTargetRef"]["name"])
            == ("Deployment", self._options.deployment)
        ]
        return [Finding("info", f"autoscaler {n} sets its replicas; they are left alone", "autoscaler") for n in names]

    async def _live(self) -> Json:
        return await self._existing(DEPLOYMENT, self._ref)

    def _command(self, revision: int | None) -> str:
        to = (f"--to-revision={revision}",) if revision else ()
        return self._kubectl(
            "rollout", "undo", f"deployment/{self._options.deployment}", *to, namespace=self._options.namespace
        )


def _revision(replica_set: Json) -> Revision:
    metadata = replica_set["metadata"]
    annotations = metadata.get("annotations") or {}
    formerly = tuple(int(n) for n in str(annotations.get(_HISTORY, "")).split(",") if n.strip().isdigit())
    return Revision(
        number=int(annotations.get(REVISION, 0)),
        formerly=formerly,
        template=bare(replica_set["spec"]["template"]),
        available=int((replica_set.get("status") or {}).get("availableReplicas", 0)),
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
    )


def _lasted(revision: Revision, revisions: list[Revision]) -> float | None:
    """Seconds as the current one. None when unknown: a revision that came back is still as old as its first time."""
    following = next((r for r in revisions if r.number > revision.number), None)
    if following is None or revision.formerly or following.formerly:
        return None
    return (following.created - revision.created).total_seconds()


def _runs(revision: Revision, image: str) -> bool:
    return any(image in (found, found.rpartition("@")[2], found.rpartition("/")[2]) for found in revision.images)


def _listed(revisions: list[Revision]) -> str:
    return ", ".join(str(r) for r in revisions)


def build(step_id: str, options: Options, target: KubernetesTarget) -> KubernetesRolloutUndo:
    return KubernetesRolloutUndo(step_id, options, target)
