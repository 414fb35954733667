"""`git.reset_branch`: a branch of a remote goes to another commit; what leaves it is kept under a backup ref, in the same push.

`git reset --hard` and `git push --force` drop whatever anybody pushed in between, with no copy. Here the push goes from exactly
the commit that was shown (docs/decisions/0012), and taking back pushes back in the same way, and only what this step moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.config.options import FilePath
from console.config.options import Options as TableOptions
from console.domain.errors import ConsoleError, Failed, Refused, Unknown
from console.engine.ports import Change, Description, Finding, Json, Probe, Progress, Proof, Receipt, Seen
from console.targets.git import wording
from console.targets.git.client import GitTarget
from console.targets.git.commits import Way
from console.targets.git.goal import Clone, Goal, Move, at
from console.targets.git.names import SHORT, BackupName, RefName, backup_ref, branch_ref, candidates, plain
from console.targets.git.working import WorkingClone

if TYPE_CHECKING:
    from console.engine.gateway import Permit

KIND: Final = "git.reset_branch"
TARGET_KINDS: Final = ("git",)

_LOOK_AGAIN_SECONDS: Final = 1.0
_UNCHANGED: Final = "nothing was changed; preview it again"


class Options(TableOptions):
    """Which branch goes where, and under which name what leaves it is kept."""

    to: RefName
    """Where it goes: a branch, a tag or a commit of the remote, `backup/pre-migration-state`."""
    branch: RefName = "main"
    """The branch that is reset."""
    backup: BackupName = "rollback-console/{branch}-{sha}"
    """The branch that keeps what leaves, made by the same push; `{sha}` is the commit that is left, `{branch}` the branch."""
    clone: FilePath | None = None
    """A working clone on this machine whose files go along. Uncommitted changes there are refused, never overwritten."""


@dataclass(frozen=True, slots=True)
class _Situation:
    refs: Mapping[str, str]
    now: str
    to: str
    moves: tuple[Move, ...]


class GitResetBranch:
    irreversible: str | None = None

    def __init__(self, step_id: str, options: Options, target: GitTarget) -> None:
        self._id = step_id
        self._options = options
        self._target = target
        self._ref = branch_ref(options.branch)
        self._branch = plain(self._ref)

    def describe(self) -> Description:
        return Description(f"reset {self._branch}{self._of} to {self._options.to}")

    @property
    def _of(self) -> str:
        return f" of {self._target.context}" if self._target.context else ""

    @property
    def _name(self) -> str:
        return f"{self._branch}{self._of}"

    # ------------------------------------------------------------ before

    async def preflight(self) -> Sequence[Finding]:
        situation = await self._look()
        findings = []
        if situation.moves:
            pushed = await self._target.rehearse(situation.moves)
            if pushed.outcome in ("done", "stale"):
                text = f"may push to {self._target.context} (rehearsed; its hooks and branch rules are asked by the push itself)"
                findings.append(Finding("ok", text, "allowed"))
            else:
                reason = f"a push to {self._target.context} would not be taken: {pushed.reason}"
                findings.append(Finding("block", reason, "forbidden"))
        try:
            await self._clone_move(situation.to)
        except Refused as error:
            findings.append(Finding("block", error.message, "clone"))
        return findings

    async def plan(self, pin: Json = None) -> Change:
        situation = await self._look(pin)
        clone = await self._clone_move(situation.to)
        way = await self._target.way(situation.now, situation.to)
        goal = Goal(situation.moves, clone, situation.to)
        named = (self._ref, *candidates(self._options.to))
        return await self._change(
            wording.reset(self._name, self._options.to, situation.to, goal, way),
            goal,
            way,
            refs={ref: situation.refs[ref] for ref in named if ref in situation.refs},
            pin=situation.to,
            findings=[*wording.remarks(goal, way, self._options.to), *await self._clone_remarks(clone, situation)],
        )

    async def _look(self, pin: Json = None) -> _Situation:
        options, target = self._options, self._target
        names = candidates(options.to)
        refs = await target.refs(self._ref, *names)
        if self._ref not in refs:
            await target.resolved(self._ref, refs)  # says what is not there, with a guess
        now = refs.get(self._ref, "")
        to = str(pin) if pin else await target.resolved(options.to, refs)
        await target.need(now, self._ref)
        await target.need(to, *(name for name in names if refs.get(name) == to))
        if now == to:
            return _Situation(refs, now, to, ())
        backup = backup_ref(options.backup, options.branch, now)
        there = (await target.refs(backup)).get(backup)
        if there not in (None, now):
            raise Refused(f"{plain(backup)}{self._of} is {at(there)}, not at what it would keep", "nothing was changed")
        kept = () if there else (Move(backup, None, now),)
        return _Situation(refs, now, to, (Move(self._ref, now, to), *kept))

    async def _change(
        self,
        summary: str,
        goal: Goal,
        way: Way | None,
        *,
        refs: Mapping[str, str],
        pin: Json = None,
        findings: Iterable[Finding] = (),
    ) -> Change:
        seen = {f"{plain(ref)}{self._of}": await self._seen(sha) for ref, sha in refs.items()}
        if goal.clone:
            seen[f"{goal.clone.path}"] = Seen({"commit": goal.clone.branch.before})
        return Change(
            summary=summary,
            identity={"remote": self._target.context, **goal.to_json()},
            goal=goal.to_json(),
            lines=tuple(wording.lines(goal, way)),
            commands=self._commands(goal),
            already=not goal.moves and goal.clone is None,
            seen=seen,
            pin=pin,
            findings=tuple(findings),
        )

    async def _seen(self, sha: str) -> Seen:
        told = await self._target.told(sha)
        return Seen({"commit": f"{sha} {told.subject}"}, told.author)

    def _commands(self, goal: Goal) -> tuple[str, ...]:
        push = (self._target.command(goal.moves),) if goal.moves else ()
        clone = (f"git -C {goal.clone.path} reset --keep {goal.clone.branch.after}",) if goal.clone else ()
        return (*push, *clone)

    # ------------------------------------------------------------ the clone

    async def _working(self, path: FilePath) -> WorkingClone:
        return WorkingClone(path, self._options.branch, self._target.offline(), await self._target.cache())

    async def _clone_move(self, to: str) -> Clone | None:
        if self._options.clone is None:
            return None
        working = await self._working(self._options.clone)
        tip = await working.tip()
        if tip == to:
            return None
        await working.refuse_collisions(tip, to)
        return working.move(tip, to)

    async def _clone_remarks(self, clone: Clone | None, situation: _Situation) -> list[Finding]:
        if clone is None or clone.kept is None or self._options.clone is None:
            return []
        working = await self._working(self._options.clone)
        count = await working.unpushed(clone.branch.before or "", situation.now, situation.to)
        return wording.unpushed(count, clone)

    # ------------------------------------------------------------ taking back

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        attempts = [Goal.from_json(image) for image in pre_images]
        refs = await self._target.refs(self._ref, *{move.ref for goal in attempts for move in goal.moves})
        moves = await self._moves_back([goal for goal in attempts if goal.moves], refs)
        clone = await self._clone_back([goal.clone for goal in attempts if goal.clone])
        goal = Goal(tuple(moves), clone)
        if not moves:
            summary = (
                f"{clone.path} back to {at(clone.branch.after)}" if clone else f"{self._name} is as before already"
            )
            return await self._change(summary, goal, None, refs={})
        branch, dropped = moves[0], {move.ref for move in moves}
        await self._target.need(branch.after or "", *(move.ref for move in moves))
        older = [m for g in attempts for m in g.moves[1:] if m.ref not in dropped and refs.get(m.ref) == m.after]
        return await self._change(
            f"{self._name} back to {(branch.after or '')[:SHORT]}",
            goal,
            await self._target.way(branch.before or "", branch.after or ""),
            refs={self._ref: refs[self._ref]},
            findings=wording.still_kept(older),
        )

    async def _moves_back(self, attempts: Sequence[Goal], refs: Mapping[str, str]) -> list[Move]:
        """From the newest attempt that had an effect, which its backup proves. Refused when somebody moved on from there."""
        now = refs.get(self._ref)
        for branch, *kept in (goal.moves for goal in reversed(attempts)):
            landed = all(refs.get(move.ref) == move.after for move in kept)
            if now == branch.after and landed:
                return [Move(branch.ref, branch.after, branch.before), *(Move(m.ref, m.after, None) for m in kept)]
            if now == branch.before or (kept and not landed and now != branch.after):
                continue  # it never arrived, or it was taken back already
            why = f"{self._name} is {at(now)}, but the backup of what it held is gone"
            if now != branch.after:
                why = await self._moved(branch.ref, branch.after, now)
            raise Refused(why, "rolling forward would drop what is somebody else's; put it right by hand")
        return []

    async def _clone_back(self, clones: Sequence[Clone]) -> Clone | None:
        if not clones or self._options.clone is None:
            return None
        clone = clones[-1]
        working = await self._working(self._options.clone)
        tip = await working.tip()
        if tip == clone.branch.before:
            return None
        if tip != clone.branch.after:
            raise Refused(f"{clone.path} was moved on to {tip[:SHORT]} since", "put it right by hand")
        kept = Move(clone.kept.ref, clone.kept.after, None) if clone.kept else None
        return Clone(clone.path, Move(clone.branch.ref, clone.branch.after, clone.branch.before), kept)

    async def capture(self, change: Change) -> Json:
        return change.goal

    # ------------------------------------------------------------ the effect, and what became of it

    async def apply(self, goal: Json, permit: Permit) -> Receipt:
        wanted = Goal.from_json(goal)
        told = [await self._push(wanted, permit)] if wanted.moves else []
        if wanted.clone is not None:
            try:
                await (await self._working_of(wanted.clone)).carry_out(wanted.clone, permit)
            except Refused as error:
                if told:
                    raise Failed(f"{told[0]}; then {error.message}", error.hint) from None
                raise
            told.append(f"{wanted.clone.path} {at(wanted.clone.branch.after)}")
        left = {f"{self._name}": await self._seen(wanted.moves[0].after or "")} if wanted.moves else {}
        return Receipt("; ".join(told), left)

    async def _push(self, goal: Goal, permit: Permit) -> str:
        pushed = await self._target.push(goal.moves, permit)
        told = "; ".join(f"{plain(move.ref)} {at(move.after)}" for move in goal.moves)
        if pushed.outcome == "done":
            return f"pushed: {told}"
        if pushed.outcome == "not_sent":
            raise Refused(f"git {self._target.context}: {pushed.reason}", "nothing was changed")
        # The library below git sends a request again when its connection breaks: what was refused may be the second one.
        try:
            refs = await self._target.refs(*(move.ref for move in goal.moves))
        except ConsoleError as error:
            raise Unknown(f"{pushed.reason}; and it can't be read back: {error}") from None
        if goal.standing(refs) == {"new"}:
            return f"pushed, though its answer was lost: {told}"
        for move in goal.moves:
            if move.where(refs.get(move.ref)) != "old":
                raise Refused(await self._moved(move.ref, move.before, refs.get(move.ref)), _UNCHANGED)
        raise Refused(f"{self._target.context} refuses the push: {pushed.reason}", "nothing was changed")

    async def _moved(self, ref: str, before: str | None, now: str | None) -> str:
        """What became of a ref that is not where it was left, in words."""
        name = f"{plain(ref)}{self._of}"
        if now is None:
            return f"{name} is gone"
        if before is None:
            return f"{name} was made in between, {at(now)}"
        await self._target.need(now, ref)
        return wording.moved(name, await self._target.way(before, now), await self._target.told(now))

    async def probe(self, goal: Json) -> Probe:
        wanted = Goal.from_json(goal)
        refs = await self._target.refs(*(move.ref for move in wanted.moves)) if wanted.moves else {}
        told = [move.told(refs.get(move.ref)) for move in wanted.moves]
        where = wanted.standing(refs)
        if wanted.clone is not None:
            try:
                tip = await (await self._working_of(wanted.clone)).tip()
            except Refused as error:
                return Probe("diverged", "; ".join([*told, error.message]))
            where.add(wanted.clone.branch.where(tip))
            told.append(f"{wanted.clone.path}: {wanted.clone.branch.told(tip)}")
        detail = "; ".join(told)
        if where == {"new"}:
            return Probe("done", detail)
        if where == {"old"}:
            return Probe("not_done", detail)
        # The refs go together or not at all: one of them alone was moved by somebody else.
        half = wanted.clone is not None and "neither" not in where and len(wanted.standing(refs)) == 1
        return Probe("partial" if half else "diverged", detail)

    async def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:
        wanted = Goal.from_json(goal)
        yield Progress(f"reading {self._name} back")
        while True:
            try:
                found = await self.probe(goal)
                break
            except Failed as error:
                yield Progress(error.message)
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        if not wanted.moves and wanted.clone is None:
            found = await self._standing_at(wanted.tip)
        if found.answer != "done":
            raise Failed(found.detail, "somebody moved it; look at who pushes there")
        yield Proof(found.detail)

    async def _standing_at(self, tip: str | None) -> Probe:
        now = (await self._target.refs(self._ref)).get(self._ref)
        return Probe("done" if tip in (None, now) else "diverged", f"{self._name} is {at(now)}")

    async def _working_of(self, clone: Clone) -> WorkingClone:
        return await self._working(Path(clone.path))


def build(step_id: str, options: Options, target: GitTarget) -> GitResetBranch:
    return GitResetBranch(step_id, options, target)
