"""`opa.restore` on real OPA servers: two replicas, an archive whose modules need each other, and everything that goes wrong."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import Refused
from console.engine.gateway import Gateway
from console.steps import opa_restore
from console.targets import opa as targets
from console.targets.opa.rego import placeholder
from tests.real.room import AtWork
from tests.real.servers import NotBuilt, binaries
from tests.real.servers.opa import Fate, LossyWay, OpaServer

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


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OpaServer]]:
    try:
        binaries.require("opa")
    except NotBuilt as absent:
        if binaries.REQUIRED:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))
    folder = tmp_path_factory.mktemp("opa")
    with OpaServer(folder / "0") as one, OpaServer(folder / "1") as other:
        yield [one, other]


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


# ---------------------------------------------------------------- replicas and other people


async def test_a_replica_that_is_down_is_named_and_nothing_is_done(room: OpaRoom) -> None:
    label = room.replicas[1].address
    step = room.step()
    console = await room.console(step)
    room.replicas[1].stop()
    planned = await console.planned()
    assert planned.blocked
    assert f"OPA {label} can't be reached: connection refused" in planned.problem
    with pytest.raises(Refused, match="connection refused"):
        await console.roll_back()
    assert "qec" in room.replicas[0].texts()
    permitting = await room.console(room.step(allow_missing=True), "permitting")
    outcome = await permitting.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert "on 1 replica;" in outcome.step.reason
    assert any(f.code == "replica_missing" and label in f.text for f in outcome.preview.steps[0].findings)


async def test_a_module_that_somebody_edits_between_preview_and_confirmation(room: OpaRoom) -> None:
    console = await room.console(room.step())
    preview = await console.preview()
    room.replicas[1].put("acgs/authz.rego", QEC_AUTHZ + "# a hot fix\n")
    before = room.fingerprints()
    outcome = await console.confirm(preview)
    assert outcome.states == ["failed"]
    assert f"{room.replicas[1].address} policy acgs/authz.rego was changed since the preview" in outcome.step.reason
    assert room.fingerprints() == before


async def test_data_that_somebody_edits_between_preview_and_confirmation(room: OpaRoom) -> None:
    console = await room.console(room.step())
    preview = await console.preview()
    room.replicas[0].put_data("acgs/roles/banned", "mallory")
    before = room.fingerprints()
    outcome = await console.confirm(preview)
    assert outcome.states == ["failed"]
    assert 'data acgs was changed since the preview: value.roles.banned: "eve" → "mallory"' in outcome.step.reason
    assert room.fingerprints() == before


async def test_undo_refuses_what_somebody_changed_since(room: OpaRoom) -> None:
    console = await room.console(room.step())
    await console.roll_back()
    room.replicas[0].put("acgs/authz.rego", AUTHZ + "# a hot fix\n")
    planned = await console.planned("forward")
    assert "module acgs/authz.rego on" in planned.problem
    assert "was changed by somebody else since it was rolled back" in planned.problem


async def test_an_edit_in_the_middle_of_the_sending_is_not_overwritten(room: OpaRoom) -> None:
    hot_fix = QEC_EXTRA + "# a hot fix\n"
    before = room.fingerprints()

    def edit(number: int, _request: str) -> Fate:
        if number == 2:
            room.replicas[0].put("qec", hot_fix)
        return "pass"

    with LossyWay(room.replicas[0]) as way:
        console = await room.console(room.step(urls=[way.url, room.replicas[1].url]))
        way.fate = edit
        outcome = await console.roll_back()
    assert outcome.states == ["failed"]
    assert "qec on" in outcome.step.reason
    assert "was changed by somebody else in between" in outcome.step.reason
    assert room.replicas[0].texts()["qec"] == hot_fix
    room.replicas[0].put("qec", QEC_EXTRA)
    assert room.fingerprints() == before


# ---------------------------------------------------------------- lost answers and deaths


def at(number: int, fate: Fate):  # type: ignore[no-untyped-def] # a small closure
    return lambda n, _request: fate if n == number else "pass"


@pytest.mark.parametrize("fate", ["swallow", "lose"])
@pytest.mark.parametrize("number", [1, 2, 5])
async def test_a_lost_answer_is_settled_by_reading_and_going_on_completes(
    room: OpaRoom, number: int, fate: Fate
) -> None:
    before = room.fingerprints()
    with LossyWay(room.replicas[1]) as way:
        console = await room.console(room.step(urls=[room.replicas[0].url, way.url]))
        way.fate = at(number, fate)
        outcome = await console.roll_back()
        assert outcome.states == ["failed"]
        assert "no answer from OPA" in outcome.step.reason
        assert "as wanted" in outcome.step.reason
        way.fate = at(0, "pass")
        assert (await console.roll_back()).states == ["proven"]
        assert room.restored()
        assert len(way.effects) == len(set(way.effects)), "something had its effect twice"
        forward = await console.roll_forward()
        assert forward.component.state == "rolled_forward", forward.step.reason
    assert room.fingerprints() == before


async def test_the_last_answer_is_lost_and_it_is_done_all_the_same(room: OpaRoom) -> None:
    with LossyWay(room.replicas[1]) as way:
        console = await room.console(room.step(urls=[room.replicas[0].url, way.url]))
        await console.roll_back()
        last = len(way.changes)
        await console.roll_forward()
        way.changes.clear()
        way.effects.clear()
        way.fate = at(last, "swallow")
        outcome = await console.roll_back()
        assert outcome.states == ["proven"], outcome.step.reason
        assert (len(way.changes), len(way.effects)) == (last, len(set(way.effects)))
    assert room.restored()


class Died(BaseException):
    """The process ends here."""


async def test_a_death_between_modules_leaves_a_half_that_is_gone_on_with(room: OpaRoom) -> None:
    before = room.fingerprints()
    for death in range(1, 40):
        room.migrate()
        step = room.step()
        change = await step.plan()
        pre_image = await step.capture(change)
        assert (await step.probe(change.goal)).answer == "not_done"
        finished = await _dies(step, change.goal, death)
        probe = await step.probe(change.goal)
        untouched = room.fingerprints() == before
        assert probe.answer == ("done" if finished else "not_done" if untouched else "partial"), probe.detail
        again = room.step()
        rest = await again.plan()
        assert rest.already is finished
        images = [pre_image]
        if not finished:
            images.append(await again.capture(rest))
            await again.apply(rest.goal, _permit())
        assert room.restored()
        back = await again.plan_undo(images)
        await again.apply(back.goal, _permit())
        assert (await again.probe(back.goal)).answer == "done"
        assert room.fingerprints() == before
        if finished:
            return
    pytest.fail("it never came to its end")


async def _dies(step: Any, goal: Any, number: int) -> bool:
    """Applies until right before the n-th change; whether it came to its end."""
    count = 0
    replicas = step._target.replicas
    originals = [replica._change for replica in replicas]
    for replica, original in zip(replicas, originals, strict=True):

        async def change(*arguments: Any, _original: Any = original) -> None:
            nonlocal count
            count += 1
            if count == number:
                raise Died
            await _original(*arguments)

        replica._change = change
    try:
        await step.apply(goal, _permit())
    except Died:
        return False
    finally:
        for replica, original in zip(replicas, originals, strict=True):
            replica._change = original
    return True


def _permit() -> Any:
    from console.engine import gateway

    return gateway.Permit(step="step", op="op", change="change", seal=gateway._SEAL)


async def test_no_permit_no_change(room: OpaRoom) -> None:
    step = room.step()
    change = await step.plan()
    before = room.fingerprints()
    for forged in (None, "permit", Gateway("live")):
        with pytest.raises(Refused, match="needs a permit"):
            await step.apply(change.goal, forged)  # type: ignore[arg-type]
    assert room.fingerprints() == before
