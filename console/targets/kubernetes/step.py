"""What every step kind of Kubernetes shares: sending edits, probing them, watching rollouts, proving claims, taking back.

A kind only says what it is (`describe`), what stands in its way (`preflight`) and what it would change (`plan`).
"""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from console.domain.errors import ConsoleError, Failed, Refused
from console.engine.ports import Change, Finding, Json, Probe, Progress, Proof, Receipt, Seen
from console.targets.kubernetes.client import MERGE, Conflict, KubernetesTarget, NotFound
from console.targets.kubernetes.edits import ChangedSince, Edit, Goal, revert, standing, unlike
from console.targets.kubernetes.objects import (
    LAST_APPLIED,
    Ref,
    content,
    diff_lines,
    last_writer,
    made_by_others,
    managers,
    merge_patch,
    seen,
    visible,
)
from console.targets.kubernetes.resources import NAMESPACE, WORKLOAD_KINDS, Resource
from console.targets.kubernetes.rollout import status_of, until_rolled_out

if TYPE_CHECKING:
    from console.engine.gateway import Permit

_RACES = 20  # a workload that is rolling out gets a new resourceVersion with each status update
_NOT_SERVED_YET_SECONDS = 0.5  # between two tries of what a new definition or namespace makes possible in a moment
_GONE_PAUSE_SECONDS = 0.2
_HOLDS_MORE = {"Namespace": "everything in it", "CustomResourceDefinition": "every object of its kind"}


class KubernetesStep:
    irreversible: str | None = None

    def __init__(self, step_id: str, target: KubernetesTarget) -> None:
        self._id = step_id
        self._target = target

    # ------------------------------------------------------------ carrying out

    async def capture(self, change: Change) -> Json:
        return {"edits": change.goal["edits"]}

    async def apply(self, goal: Json, permit: Permit) -> Receipt:
        """Sends each edit that is not in place yet, in order. After the first effect every error is Failed: half is done."""
        edits = Goal.from_json(goal).edits
        left: dict[str, Seen] = {}
        done: list[str] = []
        for edit in edits:
            try:
                obj = await self._send(edit, permit)
            except Refused as error:
                if done:
                    raise Failed(f"after {', '.join(done)}: {error.message}", error.hint) from None
                raise
            left[str(edit.ref)] = seen(obj)
            done.append(str(edit.ref))
        return Receipt(f"sent: {', '.join(done)}", left)

    async def _send(self, edit: Edit, permit: Permit) -> Json:
        for _ in range(_RACES):
            live = await self._target.get_or_none(edit.ref.path)
            where, detail = standing(edit, live)
            if where == "new" and edit.changes:
                return live
            if where == "neither" or (edit.before is not None and live["metadata"]["uid"] != edit.uid):
                made_anew = where != "neither"
                raise Refused(
                    f"{edit.ref} was {'made anew' if made_anew else 'changed'}{_by(live)} in between: {detail}",
                    "nothing was changed there; preview it again",
                )
            try:
                return await self._send_once(edit, live, permit)
            except Conflict as error:
                if _owner_conflict(error):
                    raise
            except NotFound:  # its kind or namespace was created a moment ago, or somebody deleted it in between
                await asyncio.sleep(_NOT_SERVED_YET_SECONDS)
        raise Refused(
            f"{edit.ref} can't be sent: it changes faster than it can be read, or its kind or namespace is not there",
            "nothing was changed there; try again",
        )

    async def _send_once(self, edit: Edit, live: Json, permit: Permit) -> Json:
        if edit.verb == "delete":
            await self._target.delete(edit.ref.path, live, permit)
            return None
        body = edit.body
        if live is not None:
            version = {"uid": live["metadata"]["uid"], "resourceVersion": live["metadata"]["resourceVersion"]}
            body = {**body, "metadata": {**(body.get("metadata") or {}), **version}}
        return await self._target.patch(edit.ref.path, body, edit.content_type, permit, force=edit.force)

    # ------------------------------------------------------------ reading back

    async def probe(self, goal: Json) -> Probe:
        edits = Goal.from_json(goal).edits
        lives = await asyncio.gather(*(self._target.get_or_none(e.ref.path) for e in edits))
        stands = [(e, *standing(e, live)) for e, live in zip(edits, lives, strict=True)]
        told = "; ".join(f"{e.ref}: {detail}" for e, _, detail in stands)
        where = {w for _, w, _ in stands}
        if "neither" in where:
            return Probe("diverged", told)
        if where == {"old", "new"}:
            return Probe("partial", told)
        return Probe("not_done" if where == {"old"} else "done", told)

    async def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:
        wanted = Goal.from_json(goal)
        counts: list[str] = []
        just_seen: dict[str, Json] = {}
        for ref in wanted.rollouts:
            async for state in until_rolled_out(self._target, ref):
                if isinstance(state, Progress):
                    yield state
                else:
                    just_seen = {str(ref): state}
                    counts.append(f"{ref.name} {status_of(state).text}")
        for ref in wanted.gone:
            while await self._still_there(ref):
                yield Progress(f"{ref} is being deleted")
                await asyncio.sleep(_GONE_PAUSE_SECONDS)
        facts = await self._proven(wanted, {} if wanted.gone else just_seen)
        yield Proof(", ".join([*facts, *counts, *(f"{ref} is gone" for ref in wanted.gone)]))

    async def _still_there(self, ref: Ref) -> bool:
        try:
            return await self._target.get_or_none(ref.path) is not None
        except Failed:
            return True  # who is not there to be asked has not said that it is gone

    async def _proven(self, wanted: Goal, just_seen: dict[str, Json]) -> list[str]:
        """Reads back every edit and claim but those of an object that was just seen; what holds, in words."""
        refs = {str(r): r for r in [*(e.ref for e in wanted.edits), *(c.ref for c in wanted.claims)]}
        refs = {name: ref for name, ref in refs.items() if name not in just_seen}
        lives = await asyncio.gather(*(self._target.get_or_none(r.path) for r in refs.values()))
        live = {**dict(zip(refs, lives, strict=True)), **just_seen}
        broken = [text for c in wanted.claims if (text := c.broken_by(live[str(c.ref)]))]
        for edit in wanted.edits:
            where, detail = standing(edit, live[str(edit.ref)])
            broken += [f"{edit.ref}: {detail}"] if where != "new" else []
        if broken:
            raise Failed("; ".join(broken), "somebody or something put it back; look at who manages it")
        return list(dict.fromkeys([*(c.text for c in wanted.claims if c.text), *wanted.says]))

    # ------------------------------------------------------------ taking back

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        attempts = [[Edit.from_json(e) for e in image["edits"]] for image in pre_images]
        refs = {str(e.ref): e.ref for edits in attempts for e in edits}
        lives = dict(
            zip(refs, await asyncio.gather(*(self._target.get_or_none(r.path) for r in refs.values())), strict=True)
        )
        edits = [self._taken_back(ref, lives[name], attempts) for name, ref in refs.items()]
        # Data before the pods that read it, as when going back; what was created goes last, in reverse.
        edits = [e for e in edits if e.after is not None] + [e for e in reversed(edits) if e.after is None]
        kept = [e.ref for e in edits if e.after is not None]
        goal = Goal(
            edits=tuple(e for e in edits if e.changes),
            rollouts=tuple(r for r in kept if r.kind in WORKLOAD_KINDS),
            gone=tuple(e.ref for e in edits if e.after is None),
            says=tuple(f"{ref} as before" for ref in kept),
        )
        return self._change(
            f"{', '.join(refs)} back to what was before",
            goal,
            lives=lives,
            commands=[self._undo_command(edit) for edit in goal.edits],
            findings=[finding for edit in goal.edits for finding in _takes_along(edit)],
        )

    def _undo_command(self, edit: Edit) -> str:
        what = f"{edit.ref.kind.lower()}/{edit.ref.name}"
        if edit.after is None:
            return self._kubectl("delete", what, namespace=edit.ref.namespace)
        body = spelled(edit.ref.kind, edit.body)
        return self._kubectl("patch", what, "--type", "merge", "-p", body, namespace=edit.ref.namespace)

    def _taken_back(self, ref: Ref, live: Json, attempts: list[list[Edit]]) -> Edit:
        now = content(live)
        goal = now
        try:
            for edit in (e for edits in reversed(attempts) for e in reversed(edits) if e.ref == ref):
                goal = _revert_edit(edit, goal)
        except ChangedSince as error:
            raise Refused(
                f"{ref} was changed{_by(live)} since it was rolled back: {error}",
                "rolling forward would overwrite that; put it right by hand, or undo that change first",
            ) from None
        if goal is None and live is not None:
            if made_by_others(live):
                raise Refused(
                    f"{ref} was made anew{_by(live)} since it was rolled back", "delete it by hand if it must go"
                )
            return Edit(ref, now, None, verb="delete", uid=live["metadata"]["uid"])
        uid = live["metadata"]["uid"] if live else ""
        return Edit(ref, now, goal, content_type=MERGE, body=merge_patch(now, goal), uid=uid)

    # ------------------------------------------------------------ for the kinds

    def _change(
        self,
        summary: str,
        goal: Goal,
        *,
        lives: dict[str, Json],
        commands: Iterable[str] = (),
        pin: Json = None,
        findings: Iterable[Finding] = (),
    ) -> Change:
        """A change from its goal; it is `already` there when no edit is left."""
        lines = [line for edit in goal.edits for line in diff_lines(str(edit.ref), edit.before, edit.after, edit.body)]
        return Change(
            summary=summary,
            identity={"context": self._target.context, "edits": [e.identified() for e in goal.edits]},
            goal=goal.to_json(),
            lines=tuple(lines),
            commands=tuple(commands),
            already=not goal.edits,
            seen={name: seen(obj) for name, obj in lives.items()},
            pin=pin,
            findings=tuple(findings),
        )

    async def _existing(self, resource: Resource, ref: Ref) -> Json:
        """The live object. Raises NotFound that says what exactly is not there, with a guess at a misspelt name."""
        try:
            live = await self._target.get(ref.path)
        except NotFound:
            raise NotFound(f"context {self._target.context} has no {await self._absent(resource, ref)}") from None
        return {"kind": resource.kind, "apiVersion": resource.api_version, **live}

    async def _absent(self, resource: Resource, ref: Ref) -> str:
        try:
            if ref.namespace and await self._target.get_or_none(NAMESPACE.path(None, ref.namespace)) is None:
                return f"namespace {ref.namespace}"
            there = [o["metadata"]["name"] for o in await self._target.list(resource.path(ref.namespace or None))]
        except ConsoleError:  # not allowed to look further
            return str(ref)
        close = get_close_matches(ref.name, there, 1)
        return f'{ref}; did you mean "{close[0]}"?' if close else str(ref)

    def _kubectl(self, *arguments: str, namespace: str = "") -> str:
        """The equivalent command, quoted for a shell."""
        words = ["kubectl", "--context", self._target.context] if self._target.context else ["kubectl"]
        return shlex.join([*words, *(["-n", namespace] if namespace else []), *arguments])

    async def _permitted(
        self, verbs: Sequence[str], resource: Resource, namespace: str, name: str = ""
    ) -> list[Finding]:
        """One finding for each verb that the present user may not use; one "ok" when all are allowed."""
        answers = await asyncio.gather(*(self._target.review(v, resource, namespace, name) for v in verbs))
        denied = [verb for verb, allowed in zip(verbs, answers, strict=True) if not allowed]
        where = f" in namespace {namespace}" if namespace else ""
        if not denied:
            return [Finding("ok", f"allowed: {', '.join(verbs)} {resource.qualified}{where}", "allowed")]
        user = await self._target.user()
        return [
            Finding(
                "block",
                f"{user} may not {verb} {resource.qualified}{where} (context {self._target.context})",
                "forbidden",
            )
            for verb in denied
        ]


def managed_by(obj: Json) -> list[Finding]:
    """Who will put the object back, and what a stale last-applied annotation will do."""
    name = f"{obj['kind']} {obj['metadata']['name']}"
    found = [
        Finding("warn", f"{who} manages {name} and may put it back; hold it first", "managed_by")
        for who in managers(obj)
    ]
    if LAST_APPLIED in (obj["metadata"].get("annotations") or {}):
        found.append(
            Finding(
                "info",
                f"{name} was made by kubectl apply: applying the old manifest again would undo this",
                "last_applied",
            )
        )
    return found


def paused(obj: Json) -> list[Finding]:
    if (obj.get("spec") or {}).get("paused") is True:
        text = f"{obj['kind']} {obj['metadata']['name']} is paused: the API would take the change and nothing would roll out"
        return [Finding("block", f"{text}; resume it first", "paused")]
    return []


def _revert_edit(edit: Edit, now: Json) -> Json:
    """The content as it would be had this edit never been made."""
    if edit.before is None:
        changed = [d for d in unlike(edit.after, now) if d.path != _REPLICAS] if now is not None else []
        if changed:
            raise ChangedSince(changed[0].path)
        return None
    if now is None:
        raise Refused(f"{edit.ref} is gone since it was rolled back", "make it by hand as it was, then look again")
    return revert(edit.before, edit.after, now)


_REPLICAS = ("spec", "replicas")  # an autoscaler's, once it is there


def _takes_along(edit: Edit) -> list[Finding]:
    if edit.after is not None or edit.ref.kind not in _HOLDS_MORE:
        return []
    text = f"deleting {edit.ref} deletes {_HOLDS_MORE[edit.ref.kind]}, whoever made it"
    return [Finding("warn", text, "deletes_more")]


def _by(live: Json) -> str:
    who = last_writer(live) if live is not None else ""
    return f" by {who}" if who else ""


def _owner_conflict(error: ConsoleError) -> bool:
    return "conflict with" in error.message or "conflicts with" in error.message


def spelled(kind: str, body: Json) -> str:
    """A patch as JSON for an equivalent command, secrets masked."""
    shown = visible({**body, "kind": kind})
    return json.dumps({k: v for k, v in shown.items() if k in body}, ensure_ascii=False)
