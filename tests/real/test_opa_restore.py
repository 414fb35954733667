"""`opa.restore` on real OPA servers: two replicas, an archive whose modules need each other, and what does not compile."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from console.targets.opa.rego import placeholder
from tests.real.opa_room import (
    AUTHZ,
    MODULES,
    ORIGINAL,
    OpaRoom,
    packed,
    two_replicas,
)
from tests.real.servers import binaries
from tests.real.servers.opa import LossyWay, OpaServer


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OpaServer]]:
    with two_replicas(tmp_path_factory.mktemp("opa")) as running:
        yield running


@pytest.fixture
async def room(replicas: list[OpaServer], tmp_path: Path) -> AsyncIterator[OpaRoom]:
    made = OpaRoom(replicas, tmp_path)
    made.migrate()
    yield made
    await made.close()


# ---------------------------------------------------------------- when all goes well


async def test_the_archive_is_restored_on_every_replica_and_proven(room: OpaRoom) -> None:
    console = await room.console(room.step())
    before = room.fingerprints()
    outcome = await console.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert outcome.step.reason == (
        "3 modules, 1 data document as in original-policies.tar.gz on 2 replicas; 3 decisions as expected"
    )
    assert room.restored()
    forward = await console.roll_forward()
    assert forward.component.state == "rolled_forward", forward.step.reason
    assert room.fingerprints() == before


async def test_the_preview_shows_what_changes_and_what_goes(room: OpaRoom) -> None:
    console = await room.console(room.step())
    planned = await console.planned()
    assert planned.line == (
        "original-policies.tar.gz: modules 2 changed, 1 added, 1 removed, 1 data document on 2 replicas"
    )
    assert planned.change is not None
    lines = planned.change.lines
    assert "  policy acgs/audit.rego on all 2 replicas: new, 5 lines" in lines
    assert "  policy qec on all 2 replicas: removed, 5 lines" in lines
    assert "- allow if lib.quantum_ok(input.user)" in lines
    assert '- acgs.roles.banned: "eve"' in lines
    assert not any("billing" in line for line in lines)
    assert {f.code for f in planned.findings} >= {"reachable", "scope", "not_atomic"}


async def test_run_twice_the_second_time_changes_nothing(room: OpaRoom) -> None:
    console = await room.console(room.step())
    await console.roll_back()
    with LossyWay(room.replicas[0]) as way:
        again = await room.console(room.step(urls=[way.url, room.replicas[1].url]), "again")
        outcome = await again.roll_back()
        assert (outcome.states, way.changes) == (["already"], [])
    assert outcome.preview.steps[0].line == (
        "original-policies.tar.gz: 3 modules, 1 data document on 2 replicas already"
    )
    assert room.restored()


async def test_the_commands_do_the_same_from_a_shell(room: OpaRoom) -> None:
    """Where no two modules block each other; a shell line can't try another order."""
    room.migrate(
        **{"acgs/authz.rego": "package acgs.authz\n\nallow := true\n", "qec": "package acgs.qec\n\nfast := 1\n"}
    )
    before = room.fingerprints()
    console = await room.console(room.step())
    await asyncio.to_thread(typed, (await console.planned()).commands)
    assert room.restored()
    for opa in room.replicas:
        opa.reset()
    room.migrate(
        **{"acgs/authz.rego": "package acgs.authz\n\nallow := true\n", "qec": "package acgs.qec\n\nfast := 1\n"}
    )
    await console.roll_back()
    await asyncio.to_thread(typed, (await console.planned("forward")).commands)
    assert room.fingerprints() == before
    assert (await console.roll_forward()).states == ["undone"]


def typed(commands: Sequence[str]) -> None:
    for command in commands:
        subprocess.run(["/bin/bash", "-o", "pipefail", "-ec", command], check=True, capture_output=True)


async def test_modules_of_a_prefix_are_its_own(room: OpaRoom) -> None:
    room.migrate(**{"original-bundle/old.rego": "package elsewhere\n\nx := 1\n"})
    console = await room.console(room.step(prefix="original-bundle/"))
    outcome = await console.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    wanted = {f"original-bundle/{name}" for name in MODULES} | {"billing.rego"}
    assert [set(opa.texts()) for opa in room.replicas] == [wanted, wanted]


async def test_rules_that_would_fail_when_asked_do_not_stand_in_the_way(room: OpaRoom) -> None:
    """OPA evaluates every rule of a document that is read; a conflict among them is a 500 there."""
    room.migrate(boom="package acgs.boom\n\nx := 1 if true\n\nx := 2 if true\n\np.q[k] := 1 if some k in [1]\n")
    console = await room.console(room.step())
    outcome = await console.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert (await console.roll_forward()).component.state == "rolled_forward"
    assert room.replicas[0].data("acgs/qec") == {"on": True}


async def test_data_that_had_no_parent_leaves_none_behind(room: OpaRoom) -> None:
    room.archive.write_bytes(
        packed(
            {
                "deep/er/data.json": "[1]",
                ".manifest": '{"roots": ["deep/er"]}',
                "d.rego": "package deep.er.x\n\ny := 1\n",
            }
        )
    )
    before = room.fingerprints()
    console = await room.console(room.step(decisions=({"path": "deep/er", "expect": [1]},)))
    refused = await console.roll_back()  # a package inside of a list is a conflict, and OPA says so
    assert refused.states == ["failed"]
    assert room.fingerprints() == before
    room.archive.write_bytes(packed({"deep/er/data.json": '{"a": 1}', ".manifest": '{"roots": ["deep/er"]}'}))
    again = await room.console(room.step(decisions=({"path": "deep/er", "expect": {"a": 1}},)), "again")
    assert (await again.roll_back()).states == ["proven"]
    assert room.replicas[0].data("deep") == {"er": {"a": 1}}
    assert (await again.roll_forward()).component.state == "rolled_forward"
    assert room.replicas[0].data("deep") is None


# ---------------------------------------------------------------- what does not compile


BROKEN = {
    "does not parse": {"acgs/authz.rego": "package acgs.authz\n\nallow if {\n"},
    "v0": {"acgs/authz.rego": "package acgs.authz\n\nallow { input.user == 1 }\n"},
    "unknown function": {"acgs/authz.rego": "package acgs.authz\n\nallow if data.acgs.lib.no_such(1)\n"},
    "unsafe": {"acgs/zz.rego": "package acgs.zz\n\nallow if x == 1\n"},
    "two defaults": {"acgs/zz.rego": "package acgs.authz\n\ndefault allow := true\n"},
    "a rule where data is": {"acgs/zz.rego": "package acgs\n\nroles := 1\n"},
}


@pytest.mark.parametrize("files", BROKEN.values(), ids=list(BROKEN))
async def test_rego_that_does_not_compile_changes_nothing(room: OpaRoom, files: dict[str, str]) -> None:
    room.archive.write_bytes(packed({**ORIGINAL, **files}))
    before = room.fingerprints()
    console = await room.console(room.step())
    outcome = await console.roll_back()
    assert outcome.states == ["failed"]
    assert "is turned away: OPA" in outcome.step.reason
    assert "rego_" not in outcome.step.reason.partition("read back")[0]
    assert "nothing is changed" in outcome.step.reason or "nothing was changed" in outcome.step.reason
    assert room.fingerprints() == before
    assert not any(opa.texts().get("acgs/authz.rego") == placeholder(AUTHZ) for opa in room.replicas)


async def test_a_module_outside_that_needs_the_old_library_stops_it(room: OpaRoom) -> None:
    room.migrate(**{"billing.rego": "package billing\n\nfree if data.acgs.lib.quantum_ok(input.user)\n"})
    before = room.fingerprints()
    outcome = await (await room.console(room.step())).roll_back()
    assert outcome.states == ["failed"]
    assert "billing.rego" in outcome.step.reason
    assert room.fingerprints() == before


@pytest.mark.parametrize("files", [BROKEN["v0"], BROKEN["unknown function"]], ids=["v0", "unknown function"])
async def test_with_an_opa_program_it_cannot_even_be_confirmed(room: OpaRoom, files: dict[str, str]) -> None:
    room.archive.write_bytes(packed({**ORIGINAL, **files}))
    step = room.step(check_with=(str(binaries.find("opa", "opa")),))
    planned = await (await room.console(step)).planned()
    assert "original-policies.tar.gz does not compile" in planned.problem
    room.archive.write_bytes(packed(ORIGINAL))
    assert not (await (await room.console(step, "again")).planned()).problem


async def test_decisions_that_are_not_as_expected_fail_the_proof(room: OpaRoom) -> None:
    wrong = ({"path": "acgs/authz/allow", "input": {"user": "eve"}, "expect": True},)
    console = await room.console(room.step(decisions=wrong))
    outcome = await console.roll_back()
    assert outcome.states == ["failed"]
    assert "decision acgs/authz/allow is false, expected true" in outcome.step.reason
    planned = await console.planned()
    assert "decision" in {f.code for f in planned.findings}
    assert (await console.roll_forward()).component.state == "rolled_forward"
