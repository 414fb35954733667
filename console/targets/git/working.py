"""A working clone whose files go along with the branch. What is not committed there is never overwritten, only named.

`git reset --hard` drops uncommitted work without a word. Here uncommitted work stands in the way (it is somebody's, and only
they know whether it counts), commits that were never pushed are kept under a ref, and the files move by `git reset --keep`,
which refuses by itself if anything was changed in the moment between.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from console.domain.errors import Refused
from console.engine.gateway import Permit
from console.targets.git.goal import Clone, Move
from console.targets.git.names import branch_ref, plain
from console.targets.git.pushing import said
from console.targets.process import Ended, NotStarted, run
from console.targets.text import clean_line

_SECONDS: Final = 120.0
_MOST_NAMED: Final = 5
_UNTOUCHED: Final = "nothing was changed there"


class WorkingClone:
    """`environment` is git's, without credentials; `cache` has every commit that is spoken of."""

    def __init__(self, path: Path, branch: str, environment: Mapping[str, str], cache: Path) -> None:
        self.path = path
        self._ref = branch_ref(branch)
        self._environment = environment
        self._cache = cache

    async def tip(self) -> str:
        """The commit that is checked out. Refused when it is another branch's, or something is not committed."""
        head = await self._git("symbolic-ref", "--quiet", "HEAD", good=(0, 1, 128))
        if head.code == 128:
            raise Refused(f"{self.path}: {said(head.stderr.text())}", _UNTOUCHED)
        out = _line(head)
        if out != self._ref:
            what = plain(out) if out else "no branch"
            raise Refused(f"{self.path} has {clean_line(what)} checked out, not {plain(self._ref)}", _UNTOUCHED)
        await self._refuse_uncommitted()
        return _line(await self._git("rev-parse", "--verify", "HEAD"))

    async def _refuse_uncommitted(self) -> None:
        status = await self._git("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames")
        names = [
            clean_line(entry[3:], 80) for entry in status.stdout.raw.decode("utf-8", "replace").split("\0") if entry
        ]
        if names:
            more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
            raise Refused(
                f"{self.path} holds uncommitted changes: {', '.join(names[:_MOST_NAMED])}{more}",
                "commit or stash them, so that nothing of them is lost",
            )

    async def refuse_collisions(self, before: str, after: str) -> None:
        """Refused when files that git doesn't know of stand where the new ones belong."""
        index = self.path / _line(await self._git("rev-parse", "--git-path", "index"))
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp))
        try:
            copy = folder / "index"  # git locks the index that it reads, also for a rehearsal
            await asyncio.to_thread(shutil.copy2, index, copy)
            merge = ("read-tree", "-n", "-m", "-u", before, after)
            ended = await self._git(*merge, good=(0, 1, 128), borrow=True, GIT_INDEX_FILE=str(copy))
        finally:
            await asyncio.to_thread(shutil.rmtree, folder)
        if ended.code != 0:
            raise Refused(f"{self.path}: {said(ended.stderr.text())}", _UNTOUCHED)

    async def unpushed(self, tip: str, *known: str) -> int:
        """How many commits of the clone are in none of the known ones, and in nothing that it knows of any remote."""
        excluded = [f"^{sha}" for sha in known]
        return int(
            _line(await self._git("rev-list", "--count", tip, *excluded, "--not", "--remotes", borrow=True)) or 0
        )

    def move(self, before: str, after: str) -> Clone:
        kept = Move(f"refs/rollback-console/{plain(self._ref)}-{before[:12]}", None, before)
        return Clone(str(self.path), Move(self._ref, before, after), kept)

    async def kept(self, clone: Clone) -> str | None:
        """The commit under the ref that keeps what left."""
        if clone.kept is None:
            return None
        ended = await self._git("rev-parse", "--verify", "--quiet", clone.kept.ref, good=(0, 1))
        return _line(ended) or None

    async def carry_out(self, clone: Clone, permit: Permit) -> None:
        """Moves branch, files and the keeping ref, unless they are there. Refused when nothing was moved."""
        if not isinstance(permit, Permit):
            raise Refused(f"{self.path}: a reset needs a permit, which the gateway alone gives")
        tip = await self.tip()
        if tip == clone.branch.after:
            return
        if tip != clone.branch.before:
            raise Refused(f"{self.path} was moved in between", _UNTOUCHED)
        target = clone.branch.after or ""
        await self._bring(target)
        if clone.kept is not None and clone.kept.after is not None:
            await self._git("update-ref", clone.kept.ref, clone.kept.after)
        await self._git("reset", "--quiet", "--keep", target, "--")
        if clone.kept is not None and clone.kept.after is None:
            await self._git("update-ref", "-d", clone.kept.ref, clone.kept.before or "")

    async def _bring(self, sha: str) -> None:
        """Makes sure that the clone itself has a commit, from the cache."""
        if (await self._git("cat-file", "-e", sha + "^{commit}", good=(0, 1, 128))).code == 0:
            return
        ref = f"refs/kept/{sha}"  # only what a ref leads to can be fetched
        await self._git("--git-dir", str(self._cache), "update-ref", ref, sha, at_home=False)
        await self._git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", str(self._cache), ref)

    async def _git(
        self, *arguments: str, good: tuple[int, ...] = (0,), borrow: bool = False, at_home: bool = True, **more: str
    ) -> Ended:
        """`borrow`: with the cache's commits, for this command alone; nothing is written in the clone."""
        env = {**self._environment, **more}
        if borrow:
            env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = str(self._cache / "objects")
        where = ("-C", str(self.path)) if at_home else ()
        try:
            ended = await run(("git", *where, *arguments), timeout_seconds=_SECONDS, env=env, keep_bytes=1024 * 1024)
        except NotStarted as error:
            raise Refused(str(error), _UNTOUCHED) from None
        if ended.code not in good:
            raise Refused(f"{self.path}: git {arguments[0]}: {said(ended.stderr.text())}", _UNTOUCHED)
        return ended


def _line(ended: Ended) -> str:
    return ended.stdout.raw.decode("utf-8", "replace").strip()
