"""`git.reset_branch` as cases of the contract: on a remote over HTTP, alone and with a working clone that goes along."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from console.engine.ports import Json, Step
from console.steps import git_reset_branch
from console.targets.git import Options as TargetOptions
from console.targets.git import build as build_target
from tests.contract.step_contract import Case

BACKUP: Final = "backup/pre-migration-state"
USER: Final = "robot"
SECRET: Final = "s3cret/of+the=git"


class Remote(Protocol):
    """A bare repository with a branch `main` and the backup of what it was."""

    path: Path

    @property
    def refs(self) -> dict[str, str]: ...

    def commit(self, subject: str, *, author: str = ...) -> str: ...


class Server(Protocol):
    """Serves it to USER with SECRET. `fate` decides about each push."""

    url: str
    fate: Callable[[], Any]


class GitScene:
    secrets: tuple[str, ...] = (SECRET,)
    place = "main of .*Grace"

    def __init__(self, folder: Path, remote: Remote, server: Server, cut: Callable[[], object]) -> None:
        self.folder = folder
        self.target = server.url
        self._remote = remote
        self._server = server
        self._password = folder / "password"
        self._password.write_text(SECRET)
        self.break_down = cut

    def step(self) -> Step:
        url = f"{self._server.url}/{self._remote.path.name}"
        access = {"url": url, "username": USER, "password": {"file": str(self._password)}}
        target = build_target("policies", TargetOptions.model_validate(access))
        options = git_reset_branch.Options.model_validate({"to": BACKUP, **self._options()})
        return git_reset_branch.build("step", options, target)

    def state(self) -> Json:
        return self._remote.refs

    def writes(self) -> Mapping[str, str]:
        return {"remote": _written(self._remote.path)}

    def disturb(self) -> None:
        self._remote.commit("Fix: close the hole", author="Grace")

    def lose_answers(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("swallow")

    def drop_requests(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("lose")

    def _options(self) -> dict[str, str]:
        return {}

    @contextlib.contextmanager
    def _on_the_way(self, fate: str) -> Iterator[None]:
        self._server.fate = lambda: fate
        yield
        self._server.fate = lambda: "pass"


class GitSceneWithClone(GitScene):
    def __init__(
        self, folder: Path, remote: Remote, server: Server, cut: Callable[[], object], clone: Callable[[], Path]
    ) -> None:
        super().__init__(folder, remote, server, cut)
        self._clone = clone()

    def state(self) -> Json:
        refs = {str(f.relative_to(self._clone)): f.read_text() for f in _files(self._clone / ".git" / "refs")}
        files = {f.name: f.read_text() for f in self._clone.iterdir() if f.is_file()}
        return {"remote": super().state(), "refs": refs, "files": files}

    def writes(self) -> Mapping[str, str]:
        return {**super().writes(), "clone": _written(self._clone / ".git")}

    def _options(self) -> dict[str, str]:
        return {"clone": str(self._clone)}


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file())


def _written(repository: Path) -> str:
    """Of the refs and their logs, to which git adds a line with each write."""
    files = [*_files(repository / "refs"), *_files(repository / "logs")]
    return hashlib.sha256(b"\0".join(str(f).encode() + b"\0" + f.read_bytes() for f in files)).hexdigest()


def _opened(folder: Path, remote: Remote, server: Server, cut: Callable[[], object], _: object) -> GitScene:
    return GitScene(folder, remote, server, cut)


CASES: Final = (
    Case("git.reset_branch", "over HTTP", _opened),
    Case("git.reset_branch", "with a working clone", GitSceneWithClone),
)
