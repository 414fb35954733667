"""The restore of a bundle-managed OPA: the archive goes where its bundle comes from, and is awaited on every replica."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from console.domain.errors import ConsoleError, Failed, Refused
from console.engine.ports import Change, Finding, Json, Probe, Seen
from console.targets.opa.archive import Archive, read_archive
from console.targets.opa.client import OpaTarget
from console.targets.opa.goal import Claims, DataEdit, Decision, Edit, Goal, HomeEdit
from console.targets.opa.home import Home, packed, unpacked
from console.targets.opa.scope import Scope, owners, scope_of
from console.targets.opa.survey import Survey, Wanted, edits_to, survey, wanted_of
from console.targets.opa.wording import diff_lines


class Published:
    """`name` is the bundle's, where the file says it."""

    def __init__(self, target: OpaTarget, home: Home, name: str | None) -> None:
        self._target = target
        self._home = home
        self._name = name

    async def plan(self, archive: Archive, scope: Scope, decisions: Sequence[Decision]) -> Change:
        found = await survey(self._target, scope.documents)
        _refuse_missing(found)
        name, findings = await self._bundle(found, scope)
        edit = HomeEdit(packed(await self._home.read()), packed(archive.packed), name, self._home.readable)
        prefix = f"{name}/"  # OPA names a bundle's modules so
        wanted = wanted_of(archive, scope, prefix)
        closed = Scope(prefix, scope.packages, scope.documents)
        edits, data = _differing(found, closed, wanted)
        there = edit.before == edit.after if self._home.readable else not edits and not data
        goal = self._goal(found, wanted.claims, f"{wanted.words} as in {archive.file.name}", edit, closed, decisions)
        say = "is there already" if there else "is replaced"
        return self._change(
            f"{archive.file.name} to the {self._home.label} (bundle {name}), which {say}",
            goal,
            edit,
            lines=[] if there else [*self._home_lines(edit), *diff_lines(self._target, edits, data)],
            already=there,
            commands=[] if there else [self._home.command(archive.file)],
            findings=[*findings, *_unreadable(self._home)],
        )

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        if not self._home.readable:
            raise Refused(
                f"what the {self._home.label} published can't be taken back by itself", "publish the one before"
            )
        now = before = packed(await self._home.read())
        bundle = ""
        for edit in (HomeEdit(*image["home"]) for image in reversed(pre_images) if image.get("home")):
            if before not in (edit.after, edit.before):
                raise Refused(
                    f"{self._home.label} was replaced by somebody else since it was rolled back",
                    "rolling forward would overwrite that; put it right by hand first",
                )
            before, bundle = edit.before, edit.bundle
        found = await survey(self._target, ())
        _refuse_missing(found)
        claims, words = _as_it_was(self._home.label, before, bundle)
        edit = HomeEdit(now, before, bundle)
        goal = self._goal(found, claims, words, edit)
        return self._change(
            f"{self._home.label} back to what was there before",
            goal,
            edit,
            lines=[] if now == before else self._home_lines(edit),
            already=now == before,
            commands=[self._home.command(None)] if before is None and now is not None else [],
        )

    async def _bundle(self, found: Survey, scope: Scope) -> tuple[str, list[Finding]]:
        """Which bundle it is; one that is configured and was never activated is one too."""
        if self._name:
            return self._name, []
        active = {b.name for s in found.snapshots for b in owners(scope, s.bundles)}
        if len(active) == 1:
            return active.pop(), []
        if active:
            raise Refused(
                f"bundles {', '.join(sorted(active))} share what the archive holds", 'say which: bundle.name = "…"'
            )
        configured = {name for s in found.snapshots for name in await s.replica.configured_bundles()}
        if len(configured) == 1:
            name = configured.pop()
            return name, [Finding("warn", f"bundle {name} is configured but not active", "bundle_inactive")]
        raise Refused(
            "no bundle owns what the archive holds: nobody would fetch it",
            'leave out bundle = { … }, or say which: bundle.name = "…"',
        )

    def _goal(
        self,
        found: Survey,
        claims: Claims,
        says: str,
        edit: HomeEdit,
        closed: Scope | None = None,
        decisions: Sequence[Decision] = (),
    ) -> Goal:
        urls = [s.replica.url for s in found.snapshots]
        return Goal((), (), dict.fromkeys(urls, claims), says, closed, tuple(decisions), edit)

    def _home_lines(self, edit: HomeEdit) -> list[str]:
        signs = [(sign, hash_) for sign, hash_ in zip("-+", edit.hashes, strict=True) if hash_ is not None]
        if not self._home.readable:
            return [f"  {self._home.label}"]
        return [f"{sign} {self._home.label}: {_fingerprint(hash_)}" for sign, hash_ in signs]

    def _change(
        self,
        summary: str,
        goal: Goal,
        edit: HomeEdit,
        *,
        lines: Sequence[str],
        already: bool,
        commands: Sequence[str],
        findings: Sequence[Finding] = (),
    ) -> Change:
        before = {"archive": "absent"} if edit.before is None else {"sha256": edit.hashes[0]}
        return Change(
            summary=summary,
            identity={"home": self._home.label, "archives": edit.hashes, "replicas": goal.replicas},
            goal=goal.to_json(),
            lines=tuple(lines),
            commands=tuple(commands),
            already=already,
            seen={self._home.label: Seen(before)},
            findings=tuple(findings),
        )


def _differing(found: Survey, closed: Scope, wanted: Wanted) -> tuple[list[Edit], list[DataEdit]]:
    """How the replicas differ from the archive now: what publishing it will change."""
    pairs = [edits_to(snapshot, closed, wanted) for snapshot in found.snapshots]
    return [e for edits, _ in pairs for e in edits if e.changes], [d for _, data in pairs for d in data if d.changes]


def _as_it_was(label: str, before: str | None, bundle: str) -> tuple[Claims, str]:
    """What the replicas must show with the archive of before; nothing can be said where there was none, or an odd one."""
    content = unpacked(before)
    if content is None:
        return Claims(), f"{label} is empty as before (OPA keeps the last bundle that it had)"
    try:
        archive = read_archive(Path(label), content)
    except Refused:
        return Claims(), f"{label} as before"
    wanted = wanted_of(archive, scope_of(archive, "", None), f"{bundle}/")
    return wanted.claims, f"{wanted.words} as before"


def _refuse_missing(found: Survey) -> None:
    if found.missing:
        told = "; ".join(found.missing.values())
        raise Failed(told, "every replica has to be seen with the archive; bring it back or take it out of urls")


def _unreadable(home: Home) -> list[Finding]:
    if home.readable:
        return []
    return [Finding("warn", f"what stands there before can't be read back from the {home.label}", "unreadable_home")]


def _fingerprint(hash_: str) -> str:
    return f"sha256 {hash_[:16]}…"


async def where_home_stands(home: Home, edit: HomeEdit, unproven: Callable[[], Awaitable[list[str]]]) -> Probe:
    """By what lies at the home; where that can't be read, by whether the replicas have the archive."""
    try:
        if not home.readable:
            wrong = await unproven()
            return Probe("unknown", "; ".join(wrong[:3])) if wrong else Probe("done", "the replicas have it")
        now = packed(await home.read())
    except ConsoleError as error:
        return Probe("unknown", error.message)
    if now == edit.after:
        return Probe("done", f"{home.label} is as wanted")
    if now == edit.before:
        return Probe("not_done", f"{home.label} is as before")
    return Probe("diverged", f"{home.label} is neither what was there before nor what was published")
