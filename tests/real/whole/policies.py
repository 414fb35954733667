"""The policies before and after the migration, as a backup archive, as commits of a repository, and as OPA holds them."""

from __future__ import annotations

from pathlib import Path

from tests.real.opa_room import FOREIGN, ORIGINAL, QEC_AUTHZ, QEC_EXTRA, QEC_LIB, packed
from tests.real.servers.git import Remote, git
from tests.real.servers.opa import OpaServer

TAG = "refs/tags/backup/pre-migration-state"
FOLDER = "policies"
FOREIGN_PACKAGE = {"billing.rego": FOREIGN}
"""Somebody else's, which no restore may touch."""
MIGRATED = {"acgs/lib.rego": QEC_LIB, "acgs/authz.rego": QEC_AUTHZ, "qec": QEC_EXTRA, **FOREIGN_PACKAGE}
MIGRATED_DATA = {"acgs": {"roles": {"banned": "eve"}, "qec": {"on": True}}, "billing_rates": {"a": 1}}


def write_archive(file: Path) -> None:
    file.write_bytes(packed(ORIGINAL))


def migrate(opa: OpaServer) -> None:
    """An empty OPA as the migration left it; the billing policies are somebody else's."""
    for policy_id, text in MIGRATED.items():
        opa.put(policy_id, text)
    for path, document in MIGRATED_DATA.items():
        opa.put_data(path, document)


def migrated_repository(folder: Path) -> Remote:
    """A bare remote: the original policies, tagged as their backup, and three commits of the migration after them."""
    folder.mkdir(parents=True)
    remote = Remote(folder)
    remote.commit("The first policies", file="README.md")
    desk = folder / "author"
    git("clone", "--quiet", str(remote.path), str(desk), cwd=folder)
    _write(desk, ORIGINAL)
    _commit(desk, "The original policies")
    remote.set(TAG, remote.main)
    for subject, files in (
        ("QEC: rewrite the library", {"acgs/lib.rego": QEC_LIB, "acgs/authz.rego": QEC_AUTHZ}),
        ("QEC: add its own policy", {"acgs/qec.rego": QEC_EXTRA}),
        ("QEC: ban by name", {"acgs/roles/data.json": '{"banned": "eve"}'}),
    ):
        _write(desk, files)
        _commit(desk, subject)
    return remote


def _write(desk: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        file = desk / FOLDER / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _commit(desk: Path, subject: str) -> None:
    git("add", "--all", cwd=desk)
    git("commit", "--quiet", "--message", subject, cwd=desk)
    git("push", "--quiet", "origin", "HEAD:main", cwd=desk)
