"""The restore through OPA's own API, for an OPA whose policies no bundle owns: planned, and planned back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from console.domain.difference import ABSENT
from console.domain.errors import Failed, Refused
from console.engine.ports import Change, Finding, Json, Seen
from console.targets.opa.archive import Archive
from console.targets.opa.client import OpaTarget
from console.targets.opa.goal import Claims, DataEdit, Decision, Edit, Goal, document_hash, text_hash
from console.targets.opa.proof import decisions_wrong
from console.targets.opa.scope import Scope
from console.targets.opa.sending import operations
from console.targets.opa.survey import AT_HOME, Survey, counted, edits_to, owned, seen_of, survey, wanted_of
from console.targets.opa.undoing import attempts_of, places_of, taken_back
from console.targets.opa.wording import commands, diff_lines


class Pushed:
    def __init__(self, target: OpaTarget, *, allow_missing: bool) -> None:
        self._target = target
        self._allow_missing = allow_missing

    async def plan(self, archive: Archive, scope: Scope, prefix: str, decisions: Sequence[Decision]) -> Change:
        found = await survey(self._target, scope.documents)
        missing = self._missing(found)
        if trouble := owned(found, scope):
            raise Refused("; ".join(trouble), AT_HOME)
        wanted = wanted_of(archive, scope, prefix)
        planned = [edits_to(snapshot, scope, wanted) for snapshot in found.snapshots]
        edits, data = [e for modules, _ in planned for e in modules], [d for _, documents in planned for d in documents]
        goal = Goal(
            tuple(e for e in edits if e.changes),
            tuple(d for d in data if d.changes),
            {s.replica.url: wanted.claims for s in found.snapshots},
            f"{wanted.words} as in {archive.file.name}",
            closed=scope,
            decisions=tuple(decisions),
        )
        findings = [*missing, *_moments(goal), *await self._decided(goal)]
        seen = _objects(found, edits, data)
        summary = f"{archive.file.name}: {_summary(goal, wanted.words)}"
        return self._change(summary, goal, seen, findings, archive.file, wanted.entries)

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        attempts = attempts_of(pre_images)
        touched = {e.replica for edits, _ in attempts for e in edits} | {
            d.replica for _, data in attempts for d in data
        }
        for url in touched:
            self._target.replica(url)  # refuses what the file no longer names: it would stay as it is, unnoticed
        found = await survey(self._target, places_of(attempts))
        missing = self._missing(found)
        edits, data = taken_back(attempts, found)
        # Had the last run been interrupted, what it had not come to is as before already and is proven all the same.
        claims = {s.replica.url: _claims_after(s.replica.url, edits, data) for s in found.snapshots}
        goal = Goal(
            tuple(e for e in edits if e.changes),
            tuple(d for d in data if d.changes),
            claims,
            _before_words(edits, data),
        )
        summary = f"OPA back to what was before: {_summary(goal, goal.says)}"
        return self._change(summary, goal, _objects(found, edits, data), [*missing, *_moments(goal)], None, {})

    def _change(
        self,
        summary: str,
        goal: Goal,
        seen: Mapping[str, Seen],
        findings: Iterable[Finding],
        archive: Path | None,
        entries: Mapping[str, str],
    ) -> Change:
        planned = [o for url in goal.replicas for o in operations(self._target.replica(url), goal)]
        return Change(
            summary=summary,
            identity={
                "replicas": goal.replicas,
                "modules": [e.identity for e in goal.edits],
                "data": [d.identity for d in goal.data],
            },
            goal=goal.to_json(),
            lines=tuple(diff_lines(self._target, goal.edits, goal.data)),
            commands=tuple(commands(self._target, planned, archive, entries)),
            already=not goal.edits and not goal.data,
            seen=seen,
            findings=tuple(findings),
        )

    def _missing(self, found: Survey) -> list[Finding]:
        """Raises Failed when a replica doesn't answer, unless the file says to go on without it."""
        told = "; ".join(found.missing.values())
        if found.missing and (not self._allow_missing or not found.snapshots):
            raise Failed(told, "every replica is restored and proven, or none; bring it back or take it out of urls")
        return [
            Finding("warn", f"{label} is left out and stays as it is: {reason}", "replica_missing")
            for label, reason in found.missing.items()
        ]

    async def _decided(self, goal: Goal) -> list[Finding]:
        """Decisions that are wrong although nothing is left to restore: the archive is not what the file expects of it."""
        if goal.edits or goal.data:
            return []
        wrong = await decisions_wrong(self._target, goal)
        return [Finding("warn", f"although all is as in the archive, {text}", "decision") for text in wrong]


def _objects(found: Survey, edits: Iterable[Edit], data: Iterable[DataEdit]) -> dict[str, Seen]:
    edits, data = list(edits), list(data)
    seen: dict[str, Seen] = {}
    for snapshot in found.snapshots:
        url = snapshot.replica.url
        seen |= seen_of(snapshot, [e for e in edits if e.replica == url], [d for d in data if d.replica == url])
    return seen


def _claims_after(url: str, edits: Iterable[Edit], data: Iterable[DataEdit]) -> Claims:
    """What must be read back of a replica once all edits are through."""
    return Claims(
        {e.id: None if e.after is None else text_hash(e.after) for e in edits if e.replica == url},
        {d.path: document_hash(d.after) for d in data if d.replica == url},
    )


def _before_words(edits: Iterable[Edit], data: Iterable[DataEdit]) -> str:
    """`2 modules, 1 data document as before, 1 module gone again`."""
    edits, data = list(edits), list(data)
    kept = counted(
        len({e.id for e in edits if e.after is not None}), len({d.path for d in data if d.after is not ABSENT})
    )
    gone = counted(len({e.id for e in edits if e.after is None}), len({d.path for d in data if d.after is ABSENT}))
    told = [(kept, "as before"), (gone, "gone again")]
    return ", ".join(f"{words} {fate}" for words, fate in told if words) or "nothing was changed"


def _summary(goal: Goal, words: str) -> str:
    """`3 modules changed, 1 added, 2 removed, 1 data document on 2 replicas`."""
    where = f"on {len(goal.replicas)} replica{'' if len(goal.replicas) == 1 else 's'}"
    if not goal.edits and not goal.data:
        return f"{words} {where} already"
    added = {e.id for e in goal.edits if e.before is None}
    removed = {e.id for e in goal.edits if e.after is None}
    changed = {e.id for e in goal.edits} - added - removed
    parts = [(changed, "changed"), (added, "added"), (removed, "removed")]
    modules = ", ".join(f"{len(ids)} {fate}" for ids, fate in parts if ids)
    documents = counted(0, len({d.path for d in goal.data})) if goal.data else ""
    return f"{', '.join(t for t in (f'modules {modules}' if modules else '', documents) if t)} {where}"


def _moments(goal: Goal) -> list[Finding]:
    if len({e.id for e in goal.edits}) < 2:
        return []
    text = "OPA takes modules one by one: for some moments decisions come from a mixture, and some can be undefined"
    return [Finding("info", text, "not_atomic")]
