"""Reads history from the cache, by GitPython: who wrote what, cleaned. Local, bounded, and never of a clone of the user's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from console.domain.errors import Failed
from console.targets.git.names import SHORT
from console.targets.text import clean_line

if TYPE_CHECKING:
    from git import Commit

MOST_SHOWN: Final = 30
_MOST_COUNTED: Final = 10_000
_SUBJECT: Final = 100
_AUTHOR: Final = 60

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Told:
    """A commit in words."""

    sha: str
    author: str
    subject: str

    def __str__(self) -> str:
        return f"{self.sha[:SHORT]} {self.author}: {self.subject}"


@dataclass(frozen=True, slots=True)
class Way:
    """From one commit to another: what leaves a branch that goes this way, and what comes. Newest first, bounded; counted."""

    leaving: tuple[Told, ...]
    leaving_count: int
    coming: tuple[Told, ...]
    coming_count: int
    related: bool


def way(cache: Path, before: str, after: str) -> Way:
    """Blocks; call it in a thread. Raises Failed when the cache can't be read."""

    def read(repo: Any) -> Way:
        leaving, leaving_count = _between(repo, after, before)
        coming, coming_count = _between(repo, before, after)
        return Way(leaving, leaving_count, coming, coming_count, bool(repo.merge_base(before, after)))

    return _reading(cache, read)


def told(cache: Path, sha: str) -> Told:
    """One commit. Blocks; call it in a thread."""
    return _reading(cache, lambda repo: _told(repo.commit(sha)))


def _reading(cache: Path, read: Callable[[Any], Found]) -> Found:
    import git

    try:
        with git.Repo(cache) as repo:
            repo.git.update_environment(GIT_DIR=str(cache), GIT_NO_REPLACE_OBJECTS="1")
            return read(repo)
    except (git.GitError, ValueError, OSError) as error:
        raise Failed(f"the history in {cache} can't be read ({type(error).__name__})", "remove that folder") from None


def _between(repo: Any, old: str, new: str) -> tuple[tuple[Told, ...], int]:
    commits: Iterable[Commit] = repo.iter_commits(f"{old}..{new}", max_count=MOST_SHOWN)
    shown = tuple(_told(commit) for commit in commits)
    if len(shown) < MOST_SHOWN:
        return shown, len(shown)
    return shown, int(repo.git.rev_list("--count", f"--max-count={_MOST_COUNTED}", f"{old}..{new}"))


def _told(commit: Commit) -> Told:
    author = clean_line(str(commit.author.name or commit.author.email or "nobody"), _AUTHOR)
    return Told(commit.hexsha, author, clean_line(str(commit.summary), _SUBJECT))
