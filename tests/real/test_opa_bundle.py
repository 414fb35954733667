"""An OPA that gets its policies as a bundle: told so, and restored where the bundle comes from."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import Refused
from console.steps import opa_restore
from console.targets import opa as targets
from tests.real.opa_room import AUTHZ, DECISIONS, LIB, ORIGINAL, QEC_AUTHZ, QEC_EXTRA, QEC_LIB, need_opa, packed
from tests.real.room import AtWork
from tests.real.servers import poll
from tests.real.servers.opa import BundleServer, OpaServer

QEC = packed(
    {
        "acgs/lib.rego": QEC_LIB,
        "acgs/authz.rego": QEC_AUTHZ,
        "acgs/qec.rego": QEC_EXTRA,
        "acgs/roles/data.json": json.dumps({"banned": "eve"}),
        ".manifest": json.dumps({"revision": "qec-9", "roots": ["acgs"]}),
    }
)


@dataclass
class BundleRoom:
    """An OPA under a bundle server that serves what the migration published."""

    opa: OpaServer
    server: BundleServer
    folder: Path
    opened: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.archive = self.folder / "original-policies.tar.gz"
        self.archive.write_bytes(packed(ORIGINAL))

    def publish(self, content: bytes) -> None:
        self.server.file.write_bytes(content)
        want = "acgs/qec.rego" if content == QEC else "acgs/audit.rego"
        poll("the bundle is active", lambda: f"authz/{want}" in self.opa.texts(), seconds=20)
        self.server.requests.clear()

    async def console(self, bundle: dict[str, Any] | None, name: str = "console", **options: Any) -> AtWork:
        target = targets.build("opa", targets.Options.model_validate({"urls": (self.opa.url,), "timeout": "5s"}))
        given = {"archive": str(self.archive), "decisions": DECISIONS, **options}
        given |= {"bundle": {"wait": "20s", **bundle}} if bundle is not None else {}
        step = opa_restore.build("step", opa_restore.Options.model_validate(given), target)
        (self.folder / name).mkdir()
        console = AtWork(self.folder / name, {"step": step}, 30, {"step": "opa.restore"})
        self.opened += [target, console]
        await console.declare()
        return console

    def home(self, way: str) -> dict[str, Any]:
        return {"put": f"{self.server.url}/bundle.tar.gz"} if way == "put" else {"file": str(self.server.file)}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpaServer, BundleServer]]:
    need_opa()
    folder = tmp_path_factory.mktemp("bundled")
    with BundleServer(folder / "bundle.tar.gz") as server:
        server.file.write_bytes(QEC)
        with OpaServer(folder / "opa", bundles=server.url) as opa:
            yield opa, server


@pytest.fixture
async def room(served: tuple[OpaServer, BundleServer], tmp_path: Path) -> AsyncIterator[BundleRoom]:
    made = BundleRoom(*served, tmp_path)
    made.publish(QEC)
    yield made
    for one in made.opened:
        await one.close()


async def test_what_a_bundle_owns_is_refused_with_the_way_out(room: BundleRoom) -> None:
    console = await room.console(None)
    planned = await console.planned()
    assert "acgs on" in planned.problem
    assert 'belongs to bundle "authz" (revision qec-9): OPA takes no change there' in planned.problem
    assert "give the step bundle = {" in planned.problem
    assert "bundle_managed" in {f.code for f in planned.findings if f.level == "block"}
    with pytest.raises(Refused, match='belongs to bundle "authz"'):
        await console.roll_back()
    assert set(room.opa.texts()) == {"authz/acgs/lib.rego", "authz/acgs/authz.rego", "authz/acgs/qec.rego"}


@pytest.mark.parametrize("way", ["put", "file"])
async def test_restored_at_its_home_and_proven_on_the_replica(room: BundleRoom, way: str) -> None:
    console = await room.console(room.home(way))
    planned = await console.planned()
    assert planned.line.endswith("(bundle authz), which is replaced")
    assert planned.change is not None
    assert "  policy authz/acgs/qec.rego on" in " ".join(planned.change.lines)
    outcome = await console.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert outcome.step.reason == (
        "3 modules, 1 data document as in original-policies.tar.gz on 1 replica (bundle authz, revision original-1); "
        "3 decisions as expected"
    )
    assert room.opa.texts()["authz/acgs/authz.rego"] == AUTHZ
    assert (await console.planned()).change.already  # type: ignore[union-attr] # it was planned
    await console.roll_back()
    assert room.server.requests == (["PUT"] if way == "put" else [])
    forward = await console.roll_forward()
    assert forward.component.state == "rolled_forward", forward.step.reason
    assert "2 data documents" not in forward.step.reason
    assert room.server.file.read_bytes() == QEC
    assert room.opa.texts()["authz/acgs/authz.rego"] == QEC_AUTHZ


async def test_a_foreign_publication_in_between_is_not_overwritten(room: BundleRoom) -> None:
    console = await room.console(room.home("put"))
    preview = await console.preview()
    other = packed({"acgs/lib.rego": LIB, ".manifest": '{"roots": ["acgs"]}'})
    room.server.file.write_bytes(other)
    outcome = await console.confirm(preview)
    assert outcome.states == ["failed"]
    assert "was changed since the preview" in outcome.step.reason
    assert room.server.file.read_bytes() == other
    await console.roll_back()
    room.server.file.write_bytes(other + b"\0")
    assert "was replaced by somebody else since" in (await console.planned("forward")).problem


async def test_a_publication_whose_answer_is_lost_is_found_and_not_repeated(room: BundleRoom) -> None:
    console = await room.console(room.home("put"))
    room.server.swallows = True
    outcome = await console.roll_back()
    room.server.swallows = False
    assert (outcome.states, room.server.requests) == (["proven"], ["PUT"]), outcome.step.reason


async def test_an_archive_that_opa_does_not_activate_is_told_with_its_reason(room: BundleRoom) -> None:
    room.archive.write_bytes(packed({**ORIGINAL, "acgs/authz.rego": "package acgs.authz\n\nallow { true }\n"}))
    console = await room.console({**room.home("put"), "wait": "3s"})
    outcome = await console.roll_back()
    assert outcome.states == ["failed"]
    assert "module authz/acgs/authz.rego is another one" in outcome.step.reason
    forward = await console.roll_forward()
    assert forward.component.state == "rolled_forward", forward.step.reason


async def test_a_command_publishes_and_can_not_be_taken_back(room: BundleRoom) -> None:
    copy = "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])"
    command = (sys.executable, "-c", copy, str(room.archive), str(room.server.file))
    console = await room.console({"command": command})
    planned = await console.planned()
    assert {"irreversible", "unreadable_home"} <= {f.code for f in planned.findings}
    outcome = await console.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert "can't be taken back by itself" in (await console.planned("forward")).problem


async def test_a_command_that_fails_says_what_it_said(room: BundleRoom) -> None:
    command = (sys.executable, "-c", "import sys; print('\\x1b[2Jno such bucket'); sys.exit(3)")
    console = await room.console({"command": command})
    outcome = await console.roll_back()
    assert outcome.states in (["unknown"], ["failed"])
    assert "ended with 3: no such bucket" in outcome.step.reason
    assert room.server.file.read_bytes() == QEC


async def test_a_home_for_a_bundle_that_nobody_has(room: BundleRoom, tmp_path: Path) -> None:
    room.archive.write_bytes(
        packed({"billing.rego": "package billing\n\nx := 1\n", ".manifest": '{"roots": ["billing"]}'})
    )
    console = await room.console(room.home("file"), decisions=())
    planned = await console.planned()
    assert "bundle_inactive" in {f.code for f in planned.findings}


async def test_a_home_that_can_not_be_read(room: BundleRoom) -> None:
    console = await room.console({"put": "http://127.0.0.1:1/bundle.tar.gz"})
    assert "can't be read: connection refused" in (await console.planned()).problem
