"""The target: a remote that is looked at through a private cache, and changed by one atomic push with a permit.

Nothing of the user's is touched by looking: what is fetched goes into a bare repository of the console's own, in the cache
folder. The git program does what speaks to others (docs/decisions/0012); `commits.py` reads the cache.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from console.domain.errors import Failed, Refused, Unknown
from console.domain.triggers import span
from console.engine.gateway import Permit
from console.targets.git import commits
from console.targets.git.access import Access, Environments
from console.targets.git.commits import Told, Way
from console.targets.git.goal import Move
from console.targets.git.names import HEADS, SHA, TAGS, candidates, expanded, is_good_url, place, plain
from console.targets.git.pushing import Pushed, judge, not_sent, said
from console.targets.process import Ended, NotStarted, run
from console.targets.text import clean_line

_LARGEST_ANSWER_BYTES: Final = 8 * 1024 * 1024  # of each end; refs by the ten thousand
_LOCAL_SECONDS: Final = 60.0
_LOCK_PAUSE_SECONDS: Final = 0.05
_ABBREVIATED: Final = re.compile(r"[0-9a-f]{7,39}")


class GitTarget:
    def __init__(
        self,
        name: str,
        *,
        url: str = "",
        repository: Path | None = None,
        remote: str = "origin",
        access: Access | None = None,
        timeout_seconds: float = 60.0,
        cache: Path | None = None,
    ) -> None:
        self.name = name
        self.repository = repository
        self._url = expanded(url)
        self._remote = remote
        self._timeout_seconds = timeout_seconds
        self._environments = Environments(access or Access())
        self._caches = cache or _cache_folder()
        self._busy = asyncio.Lock()

    @property
    def context(self) -> str:
        """The remote as the screens name it, once it is known."""
        return clean_line(place(self._url)) if self._url else ""

    # ------------------------------------------------------------ looking

    async def refs(self, *names: str) -> dict[str, str]:
        """The commits of these full ref names, where the remote has them; annotated tags give their commit."""
        url = await self.url()
        patterns = [pattern for name in names for pattern in (name, name + "^{}")]
        ended = await self._speak("ls-remote", "--", url, *patterns)
        found: dict[str, str] = {}
        for line in ended.stdout.raw.decode("utf-8", "replace").splitlines():
            sha, _, ref = line.partition("\t")
            if SHA.fullmatch(sha) and ref.removesuffix("^{}") in names and (ref.endswith("^{}") or ref not in found):
                found[ref.removesuffix("^{}")] = sha
        return found

    async def resolved(self, name: str, refs: Mapping[str, str]) -> str:
        """The commit that a name of the file means. Refused when it means none, or two."""
        if SHA.fullmatch(name):
            return name
        found = {refs[ref] for ref in candidates(name) if ref in refs}
        if len(found) > 1:
            raise Refused(f"{name} is a tag and a branch of {self.context}", f"write {TAGS}{name} or {HEADS}{name}")
        if found:
            return found.pop()
        if _ABBREVIATED.fullmatch(name) and (whole := await self._whole(name)):
            return whole
        if self.repository is not None and (local := await self._local(name)):
            return local
        raise Refused(f"{self.context} has no {name}{await self._guess(name)}", "nothing was changed")

    async def fetch(self, *refs: str) -> None:
        """Brings these refs' objects into the cache."""
        url = await self.url()
        async with self._cache_locked():
            await self._speak(
                "fetch", *_FETCH, "--", url, *(f"+{ref}:refs/seen/{ref.removeprefix('refs/')}" for ref in refs)
            )

    async def need(self, sha: str, *refs: str) -> None:
        """Makes sure that the cache has a commit: by these refs, by all branches and tags, by the local clone. Refused if not."""
        for names in (refs, (HEADS + "*", TAGS + "*")):
            if await self.has(sha):
                return
            if names:
                await self.fetch(*names)
        if not await self.has(sha) and self.repository is not None:
            await self._fetch_local(sha)
        if not await self.has(sha):
            raise Refused(
                f"{self.context} has no commit {sha}", "nothing was changed; is it a tag's, a tree's, or gone?"
            )

    async def has(self, sha: str) -> bool:
        ended = await self.git("cat-file", "-e", sha + "^{commit}", good=(0, 1, 128))
        return ended.code == 0

    async def way(self, before: str, after: str) -> Way:
        return await asyncio.to_thread(commits.way, await self.cache(), before, after)

    async def told(self, sha: str) -> Told:
        return await asyncio.to_thread(commits.told, await self.cache(), sha)

    # ------------------------------------------------------------ changing

    async def rehearse(self, moves: Sequence[Move]) -> Pushed:
        """A push that is not carried out: credentials and leases are looked at, hooks are not asked."""
        return await self._push(moves, "--dry-run")

    async def push(self, moves: Sequence[Move], permit: Permit) -> Pushed:
        """All moves or none, each from exactly what was seen. Raises Unknown when nobody can say what became of them."""
        if not isinstance(permit, Permit):
            raise Refused(f"git {self.context}: a push needs a permit, which the gateway alone gives")
        pushed = await self._push(moves)
        if pushed.outcome == "unknown":
            raise Unknown(self.redacted(f"git {self.context}: no answer to the push: {pushed.reason}"))
        return pushed

    async def _push(self, moves: Sequence[Move], *options: str) -> Pushed:
        url = await self.url()
        arguments = ("push", "--porcelain", "--atomic", "--no-verify", "--no-follow-tags", "--no-recurse-submodules")
        try:
            ended = await self._online(*arguments, *options, *_leases(moves), "--", url, *_specs(moves))
        except NotStarted as error:
            return Pushed("not_sent", str(error))
        return judge(ended.code, ended.stdout.text(self.redacted), ended.stderr.text(self.redacted))

    def command(self, moves: Sequence[Move]) -> str:
        """The equivalent line for a shell."""
        return shlex.join(("git", "push", "--atomic", *_leases(moves), self._url or self._remote, *_specs(moves)))

    # ------------------------------------------------------------ running git

    async def url(self) -> str:
        """Where it is pushed to; by the local clone's settings where the file names that."""
        if self._url or self.repository is None:
            return self._url
        try:
            ended = await run(
                ("git", "-C", str(self.repository), "remote", "get-url", "--push", "--", self._remote),
                timeout_seconds=_LOCAL_SECONDS, env=self._environments.offline(),
            )  # fmt: skip
        except NotStarted as error:
            raise Refused(str(error), "nothing was changed") from None
        found = ended.stdout.raw.decode("utf-8", "replace").strip()
        if ended.code != 0:
            raise Refused(f"{self.repository}: {said(ended.stderr.text())}", "nothing was changed")
        if not is_good_url(found):
            raise Refused(
                f"{self.repository}: its {self._remote} is no address that is used here: {clean_line(place(found))}",
                "write the target's url, and its secret by reference",
            )
        self._url = found
        return found

    async def cache(self) -> Path:
        """The bare repository of the console's own for this remote; made when it isn't there."""
        folder = self._caches / f"{hashlib.sha256((await self.url()).encode()).hexdigest()[:20]}.git"
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made beside and moved: somebody else, or another task, may make it at the same time.
            made = Path(tempfile.mkdtemp(dir=folder.parent))
            argv = ("git", "init", "--quiet", "--bare", "--", str(made))
            await run(argv, timeout_seconds=_LOCAL_SECONDS, env=self._environments.offline())
            try:
                await asyncio.to_thread(made.rename, folder)
            except OSError:
                await asyncio.to_thread(shutil.rmtree, made)
        return folder

    async def git(self, *arguments: str, good: tuple[int, ...] = (0,)) -> Ended:
        """A command on the cache that speaks to nobody. Raises Failed."""
        try:
            environment = self._environments.offline(GIT_DIR=str(await self.cache()))
            ended = await run(("git", *arguments), timeout_seconds=_LOCAL_SECONDS, env=environment)
        except NotStarted as error:
            raise Failed(str(error)) from None
        if ended.code not in good:
            raise Failed(
                f"git {arguments[0]} in {await self.cache()}: {said(ended.stderr.text())}", "remove that folder"
            )
        return ended

    def redacted(self, text: str) -> str:
        return self._environments.redact(text)

    def offline(self, **more: str) -> dict[str, str]:
        return self._environments.offline(**more)

    async def _online(self, *arguments: str) -> Ended:
        env = await asyncio.to_thread(self._environments.online, await self.url())
        return await run(
            ("git", *arguments),
            timeout_seconds=self._timeout_seconds,
            env={**env, "GIT_DIR": str(await self.cache())},
            keep_bytes=_LARGEST_ANSWER_BYTES,
        )

    async def _speak(self, *arguments: str) -> Ended:
        """A command that only reads from the remote. Raises Failed in words."""
        try:
            ended = await self._online(*arguments)
        except NotStarted as error:
            raise Failed(str(error)) from None
        if ended.code is None:
            raise Failed(f"git {self.context}: no answer within {span(self._timeout_seconds)}")
        errors = ended.stderr.text(self.redacted)
        if ended.code != 0:
            words = not_sent(errors)
            raise Failed(f"git {self.context}: {f'{words}: ' if words else ''}{said(errors)}")
        if ended.stdout.left_out:
            raise Failed(f"git {self.context}: an answer of more than {2 * _LARGEST_ANSWER_BYTES // 1024**2} MiB")
        return ended

    async def _whole(self, abbreviated: str) -> str:
        """The one commit of a branch or tag that begins so; empty when there is none, or more than one."""
        await self.fetch(HEADS + "*", TAGS + "*")
        ended = await self.git("rev-parse", "--verify", "--quiet", abbreviated + "^{commit}", good=(0, 1, 128))
        return ended.stdout.raw.decode("ascii", "replace").strip() if ended.code == 0 else ""

    async def _local(self, name: str) -> str:
        """A name in the local clone, for a backup that was never pushed; empty when it has none."""
        argv = (
            "git",
            "-C",
            str(self.repository),
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            name + "^{commit}",
        )
        ended = await run(argv, timeout_seconds=_LOCAL_SECONDS, env=self._environments.offline())
        found = ended.stdout.raw.decode("ascii", "replace").strip()
        return found if ended.code == 0 and SHA.fullmatch(found) else ""

    async def _fetch_local(self, sha: str) -> None:
        """From the local clone, which is only read. It may not have it either: who asked looks again."""
        argv = ("git", "fetch", *_FETCH, "--", str(self.repository), f"+{sha}:refs/kept/{sha}")
        env = self._environments.offline(GIT_DIR=str(await self.cache()))
        async with self._cache_locked():
            await run(argv, timeout_seconds=self._timeout_seconds, env=env)

    async def _guess(self, name: str) -> str:
        ended = await self._speak("ls-remote", "--heads", "--tags", "--refs", "--", await self.url())
        lines = ended.stdout.raw.decode("utf-8", "replace").splitlines()
        names = [plain(line.partition("\t")[2]) for line in lines]
        close = get_close_matches(plain(name), names, 1)
        return f'; did you mean "{clean_line(close[0])}"?' if close else ""

    @contextlib.asynccontextmanager
    async def _cache_locked(self) -> AsyncIterator[None]:
        """One fetch at a time, also among several consoles."""
        folder = await self.cache()
        async with self._busy:
            with folder.with_suffix(".lock").open("a") as file:
                until = time.monotonic() + self._timeout_seconds
                while not _locked(file.fileno()):
                    if time.monotonic() > until:
                        raise Failed(f"{folder} is in use by another console", "try again")
                    await asyncio.sleep(_LOCK_PAUSE_SECONDS)
                yield


def _leases(moves: Sequence[Move]) -> list[str]:
    """Each ref from exactly what was seen; nothing behind the colon: it must not be there yet (git-push(1))."""
    return [f"--force-with-lease={move.ref}:{move.before or ''}" for move in moves]


def _specs(moves: Sequence[Move]) -> list[str]:
    return [f"{move.after or ''}:{move.ref}" for move in moves]


_FETCH: Final = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _cache_folder() -> Path:
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if home.startswith("/") else Path.home() / ".cache") / "rollback-console" / "git"
