"""A commit's files as an archive: the same bytes each time, read from a local clone and from nowhere else."""

from __future__ import annotations

import asyncio
import gzip
import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from console.domain.errors import Refused
from console.targets.git.snapshot import Snapshots
from tests.real.servers.git import git


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose remote has a branch that the clone has not checked out."""
    origin = tmp_path / "policies.git"
    desk = tmp_path / "desk"
    git("init", "--quiet", "--initial-branch=main", str(desk), cwd=tmp_path)
    (desk / "policies").mkdir()
    (desk / "policies" / "authz.rego").write_text("package authz\n")
    (desk / "README").write_text("for people\n")
    git("add", "--all", cwd=desk)
    git("commit", "--quiet", "-m", "original", cwd=desk)
    git("branch", "backup/pre-migration-state", cwd=desk)
    (desk / "policies" / "authz.rego").write_text("package qec\n")
    git("commit", "--quiet", "-am", "migrated", cwd=desk)
    git("clone", "--quiet", "--bare", str(desk), str(origin), cwd=tmp_path)
    git("clone", "--quiet", str(origin), str(tmp_path / "clone"), cwd=tmp_path)
    return tmp_path / "clone"


def names(packed: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as tar:
        return {m.name: (tar.extractfile(m) or io.BytesIO()).read() for m in tar if m.isreg()}


async def test_a_branch_that_only_the_remote_has_is_found_under_its_plain_name(clone: Path) -> None:
    snapshots = Snapshots(clone)
    commit = await snapshots.resolved("backup/pre-migration-state")
    assert commit == git("rev-parse", "origin/backup/pre-migration-state", cwd=clone)
    assert names(await snapshots.packed(commit)) == {
        "README": b"for people\n",
        "policies/authz.rego": b"package authz\n",
    }


async def test_a_folder_alone_has_its_files_at_the_top_and_packs_to_the_same_bytes(clone: Path) -> None:
    snapshots = Snapshots(clone, lambda commit: f"{commit}:policies")
    commit = await snapshots.resolved("backup/pre-migration-state")
    packed = await snapshots.packed(commit)
    assert names(packed) == {"authz.rego": b"package authz\n"}
    assert packed == await snapshots.packed(commit)


def test_the_command_that_is_shown_packs_the_same_files(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    snapshots = Snapshots(clone)
    commit = asyncio.run(snapshots.resolved("main"))
    subprocess.run(snapshots.shown(commit), shell=True, check=True)  # noqa: S602 - what a person would paste
    assert names((tmp_path / snapshots.name(commit)).read_bytes()) == names(asyncio.run(snapshots.packed(commit)))


@pytest.mark.parametrize(
    ("name", "said"),
    [("original", "knows no original"), ("--output=/tmp/x", "knows no --output"), ("HEAD:README", "no HEAD")],
)
async def test_a_name_that_the_clone_does_not_know_is_refused(clone: Path, name: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        await Snapshots(clone).resolved(name)


async def test_a_folder_that_is_no_clone_is_refused_with_gits_reason(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not a git repository"):
        await Snapshots(tmp_path).resolved("main")


async def test_a_folder_that_the_commit_lacks_is_refused(clone: Path) -> None:
    snapshots = Snapshots(clone, lambda commit: f"{commit}:rules")
    with pytest.raises(Refused, match="rules"):
        await snapshots.packed(await snapshots.resolved("main"))
