"""The drill's policy repository: a bare git remote, its branch as the migration left it, and the clone that the runbook names.

It needs git, as the step that acts on it does; where there is none, the drill goes without this system and says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from console.domain.errors import Failed

ORIGINAL: Final = "backup/pre-migration-state"
_AUTHOR: Final = "Migration team"


class Repository:
    """`url` is the bare remote, `clone` a working clone of it. Files lie under `policies/` in it."""

    def __init__(self, folder: Path) -> None:
        self.remote = folder / "policies.git"
        self.clone = folder / "policy-repository"

    @staticmethod
    def possible() -> bool:
        return shutil.which("git") is not None

    def make(self, original: Mapping[str, str], migrated: Mapping[str, str]) -> None:
        """The two states by file name and text. Blocks."""
        _git("init", "--quiet", "--bare", "--initial-branch=main", str(self.remote), cwd=self.remote.parent)
        _git("clone", "--quiet", str(self.remote), str(self.clone), cwd=self.clone.parent)
        _git("checkout", "--quiet", "-b", "main", cwd=self.clone)
        self._commit("Policies as audited", original)
        _git("branch", ORIGINAL, cwd=self.clone)
        for name in original:
            (self.clone / "policies" / name).unlink()
        self._commit("QEC-SFT: policies by the analysis service", migrated)
        _git("push", "--quiet", "origin", "main", ORIGINAL, cwd=self.clone)

    def is_original(self) -> bool:
        """Whether main is where it was before the migration. Blocks."""
        return self._sha("main") == self._sha(ORIGINAL)

    def push_by_somebody_else(self, subject: str, author: str) -> None:
        """A commit on top of main, pushed by a colleague from a clone of their own. Blocks."""
        desk = self.remote.parent / "colleague"
        if not desk.exists():
            _git("clone", "--quiet", str(self.remote), str(desk), cwd=desk.parent)
        _git("fetch", "--quiet", "origin", cwd=desk)
        _git("checkout", "--quiet", "--detach", "origin/main", cwd=desk)
        (desk / "NOTES").write_text(f"{subject}\n")
        _git("add", "--all", cwd=desk)
        _git("commit", "--quiet", "--message", subject, cwd=desk, author=author)
        _git("push", "--quiet", "origin", "HEAD:main", cwd=desk)

    def _commit(self, subject: str, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            file = self.clone / "policies" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        _git("add", "--all", cwd=self.clone)
        _git("commit", "--quiet", "--message", subject, cwd=self.clone)

    def _sha(self, name: str) -> str:
        return _git("rev-parse", "--verify", f"refs/heads/{name}", cwd=self.remote)


def _git(*arguments: str, cwd: Path, author: str = _AUTHOR) -> str:
    mail = "someone@example.com"
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    env = {
        **kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": author, "GIT_AUTHOR_EMAIL": mail, "GIT_COMMITTER_NAME": author, "GIT_COMMITTER_EMAIL": mail,
    }  # fmt: skip
    done = subprocess.run(  # noqa: S603 -- git, with arguments of the drill's own
        ["git", *arguments],  # noqa: S607 -- the user's git
        cwd=cwd, env=env, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        raise Failed(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()
