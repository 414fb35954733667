"""What the tests of `opa.restore` share: an archive whose modules need each other, and two replicas as a migration left them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from console.steps import opa_restore
from console.targets import opa as targets
from tests.real.room import AtWork
from tests.real.servers import NotBuilt, binaries
from tests.real.servers.opa import OpaServer

LIB = "package acgs.lib\n\nis_admin(user) if user in data.acgs.roles.admins\n"
AUTHZ = """package acgs.authz

import data.acgs.lib

default allow := false

allow if lib.is_admin(input.user)
"""
AUDIT = "package acgs.audit\n\nimport data.acgs.authz\n\nlogged if not authz.allow\n"
MANIFEST = json.dumps({"revision": "original-1", "roots": ["acgs"]})
ORIGINAL = {
    "acgs/authz.rego": AUTHZ,  # its name comes before that of the library it needs
    "acgs/lib.rego": LIB,
    "acgs/audit.rego": AUDIT,
    "acgs/roles/data.json": json.dumps({"admins": ["ada"], "limits": {"a/b": 1.0, "none": None}}),
    ".manifest": MANIFEST,
}
MODULES = {name: text for name, text in ORIGINAL.items() if name.endswith(".rego")}

# What the migration left: another library, with another function, and everything changed to use it.
QEC_LIB = "package acgs.lib\n\nquantum_ok(user) if user != data.acgs.roles.banned\n"
QEC_AUTHZ = (
    "package acgs.authz\n\nimport data.acgs.lib\n\ndefault allow := false\n\nallow if lib.quantum_ok(input.user)\n"
)
QEC_EXTRA = "package acgs.qec\n\nimport data.acgs.lib\n\nfast if lib.quantum_ok(input.user)\n"
FOREIGN = "package billing\n\nfree := true\n"
DECISIONS = (
    {"path": "acgs/authz/allow", "input": {"user": "ada"}, "expect": True},
    {"path": "acgs/authz/allow", "input": {"user": "eve"}, "expect": False},
    {"path": "acgs/qec/fast", "input": {"user": "eve"}, "undefined": True},
)


def packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo("/" + name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


class OpaRoom:
    """Two replicas as the migration left them, and consoles that act on them."""

    def __init__(self, replicas: list[OpaServer], folder: Path) -> None:
        self.replicas = replicas
        self.folder = folder
        self.archive = folder / "original-policies.tar.gz"
        self.archive.write_bytes(packed(ORIGINAL))
        self._opened: list[Any] = []

    def migrate(self, **modules: str) -> None:
        for opa in self.replicas:
            opa.reset()
            for policy_id, text in {
                "acgs/lib.rego": QEC_LIB,
                "acgs/authz.rego": QEC_AUTHZ,
                "qec": QEC_EXTRA,
                "billing.rego": FOREIGN,
                **modules,
            }.items():
                opa.put(policy_id, text)
            opa.put_data("acgs", {"roles": {"banned": "eve"}, "qec": {"on": True}})
            opa.put_data("billing_rates", {"a": 1})

    def step(self, *, urls: list[str] | None = None, **options: Any) -> opa_restore.OpaRestore:
        target = targets.build(
            "opa",
            targets.Options.model_validate({"urls": tuple(urls or [r.url for r in self.replicas]), "timeout": "5s"}),
        )
        self._opened.append(target)
        given = {"archive": str(self.archive), "decisions": DECISIONS, **options}
        return opa_restore.build("step", opa_restore.Options.model_validate(given), target)

    async def console(self, step: Any, folder: str = "console") -> AtWork:
        (self.folder / folder).mkdir(exist_ok=True)
        console = AtWork(self.folder / folder, {"step": step}, 30, {"step": "opa.restore"})
        self._opened.append(console)
        await console.declare()
        return console

    async def close(self) -> None:
        for one in self._opened:
            await one.close()

    def fingerprints(self) -> list[str]:
        return [opa.fingerprint("acgs", "billing_rates") for opa in self.replicas]

    def restored(self) -> bool:
        roles = json.loads(ORIGINAL["acgs/roles/data.json"])
        return all(
            opa.texts() == {**MODULES, "billing.rego": FOREIGN}
            and opa.data("acgs/roles") == roles
            and opa.data("acgs/qec") is None
            and opa.data("billing_rates") == {"a": 1}
            for opa in self.replicas
        )


def need_opa() -> None:
    """Skips, or fails where the servers are required, when OPA is not built."""
    try:
        binaries.require("opa")
    except NotBuilt as absent:
        if binaries.REQUIRED:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))


@contextmanager
def two_replicas(folder: Path) -> Iterator[list[OpaServer]]:
    need_opa()
    with OpaServer(folder / "0") as one, OpaServer(folder / "1") as other:
        yield [one, other]
