"""What a commit of a local clone holds: its files as a gzipped tar, the same bytes each time. Speaks to no remote."""

from __future__ import annotations

import asyncio
import gzip
import io
import shlex
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from console.domain.errors import Refused
from console.targets.git.access import Access, Environments
from console.targets.git.names import SHA, SHORT
from console.targets.git.pushing import said
from console.targets.process import Ended, NotStarted, run
from console.targets.text import clean_line

LARGEST_BYTES: Final = 64 * 1024 * 1024
_SECONDS: Final = 60.0
_NOTHING: Final = "nothing was changed"


class Snapshots:
    """The commits of one local clone, or of a bare repository on this machine. `tree` spells what is taken of a commit."""

    def __init__(self, clone: Path, tree: Callable[[str], str] = str) -> None:
        self._clone = clone
        self._tree = tree
        self._environment = Environments(Access()).offline()

    def shown(self, commit: str) -> str:
        """The shell command that packs the same files."""
        file = f"--output={Path.cwd() / self.name(commit)}"
        return shlex.join(["git", "-C", str(self._clone), "archive", "--format=tar.gz", file, self._tree(commit)])

    def name(self, commit: str) -> str:
        """What such an archive is called: the clone and the commit."""
        return f"{self._clone.name.removesuffix('.git')}-{commit[:SHORT]}.tar.gz"

    async def resolved(self, name: str) -> str:
        """The commit that a tag, a branch, a branch of the remote or a commit stands for; Refused when there is none."""
        for candidate in (name, f"refs/remotes/origin/{name}"):
            found = await self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{candidate}^{{commit}}")
            sha = found.stdout.raw.decode("ascii", "replace").strip()
            if found.code == 0 and SHA.fullmatch(sha):
                return sha
            if found.code == 128 and (reason := said(found.stderr.text())) and "single revision" not in reason:
                raise Refused(f"{self._clone}: {reason}", _NOTHING)
        raise Refused(
            f"{self._clone} knows no {clean_line(name)}",
            "git fetch there, or name a commit that it has; nothing was changed",
        )

    async def packed(self, commit: str) -> bytes:
        """The files as a gzipped tar, their names those below the folder. Refused when the commit has no such folder."""
        with tempfile.TemporaryDirectory(prefix="rollback-console-") as folder:
            file = Path(folder) / "snapshot.tar"
            done = await self._git("archive", "--format=tar", f"--output={file}", self._tree(commit))
            if done.code != 0:
                raise Refused(f"{self._clone}: {said(done.stderr.text())}", _NOTHING)
            return await asyncio.to_thread(self._repacked, file)

    def _repacked(self, file: Path) -> bytes:
        """Packed anew without times and owners: git writes the present time for a folder."""
        if file.stat().st_size > LARGEST_BYTES:
            raise Refused(f"{self._clone}: that commit holds more than {LARGEST_BYTES // 1024**2} MiB", _NOTHING)
        buffer = io.BytesIO()
        with tarfile.open(file) as source, tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as packed:
            for member in source:
                plain = tarfile.TarInfo(member.name)
                plain.type, plain.size, plain.linkname = member.type, member.size, member.linkname
                packed.addfile(plain, source.extractfile(member) if member.isreg() else None)
        return gzip.compress(buffer.getvalue(), mtime=0)

    async def _git(self, *arguments: str) -> Ended:
        try:
            return await run(
                ("git", "-C", str(self._clone), *arguments), timeout_seconds=_SECONDS, env=self._environment
            )
        except NotStarted as error:
            raise Refused(str(error), _NOTHING) from None
