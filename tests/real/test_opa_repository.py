"""`opa.restore` from a commit: the policies are those of the repository, and the commit is the one that was shown."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from console.domain.errors import Refused
from tests.real.opa_room import MODULES, ORIGINAL, OpaRoom, two_replicas
from tests.real.servers.git import git
from tests.real.servers.opa import OpaServer


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OpaServer]]:
    with two_replicas(tmp_path_factory.mktemp("opa")) as started:
        yield started


@pytest.fixture
async def opa(replicas: list[OpaServer], tmp_path: Path) -> AsyncIterator[OpaRoom]:
    made = OpaRoom(replicas, tmp_path)
    made.migrate()
    yield made
    await made.close()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the original policies in a folder, tagged, and the migration's commit on top."""
    folder = tmp_path / "policy-repository"
    for name, text in ORIGINAL.items():
        file = folder / "bundle" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    git("init", "--quiet", "--initial-branch=main", str(folder), cwd=tmp_path)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "-m", "original", cwd=folder)
    git("branch", "backup/pre-migration-state", cwd=folder)
    (folder / "bundle" / "acgs" / "lib.rego").write_text("package acgs.lib\n\nqec := true\n")
    git("commit", "--quiet", "-am", "migrated", cwd=folder)
    return folder


def source(folder: Path) -> dict[str, object]:
    return {
        "archive": None,
        "repository": {"clone": str(folder), "ref": "backup/pre-migration-state", "folder": "bundle"},
    }


async def test_the_policies_of_a_commit_are_restored_proven_and_taken_back(opa: OpaRoom, repository: Path) -> None:
    before = opa.fingerprints()
    console = await opa.console(opa.step(**source(repository)))
    outcome = await console.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert opa.restored()
    assert opa.replicas[0].texts().keys() >= MODULES.keys()
    await console.roll_forward()
    assert opa.fingerprints() == before


async def test_the_commit_of_the_preview_is_restored_though_the_name_moves_on(opa: OpaRoom, repository: Path) -> None:
    step = opa.step(**source(repository))
    shown = await step.plan()
    git("branch", "--force", "backup/pre-migration-state", "main", cwd=repository)
    assert (await step.plan(shown.pin)).hash == shown.hash
    assert (await step.plan()).hash != shown.hash
    assert shown.findings[0].text.startswith(f"from commit {shown.pin[:10]} of ")
    assert shown.commands[0].startswith(f"git -C {repository} archive ")


async def test_an_unknown_name_is_told_before_anything_is_planned(opa: OpaRoom, repository: Path) -> None:
    git("branch", "--quiet", "-D", "backup/pre-migration-state", cwd=repository)
    step = opa.step(**source(repository))
    told = [f.text for f in await step.preflight() if f.code == "archive"]
    assert [("knows no backup/pre-migration-state" in text) for text in told] == [True]
    with pytest.raises(Refused, match="knows no backup/pre-migration-state"):
        await step.plan()


async def test_a_link_in_the_repository_is_refused(opa: OpaRoom, repository: Path) -> None:
    git("checkout", "--quiet", "backup/pre-migration-state", cwd=repository)
    (repository / "bundle" / "evil.rego").symlink_to("/etc/passwd")
    git("add", "--all", cwd=repository)
    git("commit", "--quiet", "-m", "link", cwd=repository)
    before = opa.fingerprints()
    with pytest.raises(Refused, match="is a link"):
        await opa.step(**source(repository)).plan()
    assert opa.fingerprints() == before
