"""`command.run`: its exit code decides, its probe tells what became of it, and nothing is ever run twice by itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from console.domain.errors import Failed, Refused, Unknown
from console.engine.ports import Change, Json, Proof
from console.steps.command_run import CommandRun, Options
from console.targets.marks import Marks
from tests.real.room import AtWork, permit
from tests.real.servers import poll

COUNTED = "echo run >> runs; touch effect"
PROBE = ("sh", "-c", "test -e effect")
UNDO = ("sh", "-c", "echo undone >> runs; rm -f effect")


class Workshop:
    """A folder in which commands are run, and a console that acts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.folder.mkdir()
        self.marks = Marks(folder / "marks")
        self._journals = folder
        self._consoles: list[AtWork] = []

    def step(self, script: str = COUNTED, **options: Any) -> CommandRun:
        given = {"command": ("sh", "-c", script), "cwd": str(self.folder), **options}
        return CommandRun("step", Options.model_validate(given), marks=self.marks)

    async def console(self, step: CommandRun) -> AtWork:
        made = AtWork(self._journals / f"console-{len(self._consoles)}", {"step": step}, 20, {"step": "command.run"})
        self._consoles.append(made)
        await made.declare()
        return made

    @property
    def runs(self) -> list[str]:
        file = self.folder / "runs"
        return file.read_text().split() if file.exists() else []

    @property
    def effect(self) -> bool:
        return (self.folder / "effect").exists()

    async def close(self) -> None:
        for console in self._consoles:
            await console.close()


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    await made.close()


async def applied(step: CommandRun, change: Change | None = None) -> str:
    goal = (change or await step.plan()).goal
    return (await step.apply(json.loads(json.dumps(goal)), permit())).detail


# ------------------------------------------------------------ the whole life, by the real engine


async def test_run_proven_run_again_taken_back(shop: Workshop) -> None:
    console = await shop.console(shop.step(probe=PROBE, undo=UNDO))
    outcome = await console.roll_back()
    assert outcome.states == ["proven"]
    assert "finds it there (exit 0 in " in outcome.step.reason
    assert (await console.roll_back()).states == ["proven"]
    assert shop.runs == ["run"]
    outcome = await console.roll_forward()
    assert outcome.states == ["undone"]
    assert "finds it not there (exit 1 in " in outcome.step.reason
    assert (shop.runs, shop.effect) == (["run", "undone"], False)


async def test_what_is_there_already_is_not_run(shop: Workshop) -> None:
    (shop.folder / "effect").touch()
    console = await shop.console(shop.step(probe=PROBE))
    preview = await console.preview()
    assert (await console.confirm(preview)).states == ["already"]
    assert shop.runs == []


async def test_what_was_shown_as_there_and_is_not_any_more_is_shown_anew(shop: Workshop) -> None:
    (shop.folder / "effect").touch()
    console = await shop.console(shop.step(probe=PROBE))
    preview = await console.preview()
    (shop.folder / "effect").unlink()
    outcome = await console.confirm(preview)
    assert outcome.states == ["failed"]
    assert "no longer the one that was confirmed" in outcome.step.reason
    assert shop.runs == []


async def test_the_preview_says_everything_before_it_is_confirmed(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_TOKEN", "hunter2hunter2")
    env = {"MODE": "old style", "TOKEN": {"env": "RESTORE_TOKEN"}}
    console = await shop.console(shop.step(env=env, kill_after="90s", expect_exit=(0, 3)))
    planned = await console.planned()
    assert planned.change is not None
    assert planned.change.lines == (
        "+ run: sh -c 'echo run >> runs; touch effect'",
        f"  in {shop.folder}, for at most 1 m 30 s; success is exit 0 or 3",
        "  with MODE = old style",
        "  with TOKEN = (secret from environment variable RESTORE_TOKEN)",
        "  no probe: if its end is not seen, only a person can tell what it did",
    )
    line = f"cd {shop.folder} && MODE='old style' TOKEN=\"$RESTORE_TOKEN\" sh -c 'echo run >> runs; touch effect'"
    assert planned.commands == (line,)
    assert {f.code: f.level for f in planned.findings} == {"program": "ok", "no_probe": "warn", "irreversible": "warn"}
    assert shop.runs == []


async def test_without_undo_rolling_forward_is_refused(shop: Workshop) -> None:
    console = await shop.console(shop.step())
    assert (await console.roll_back()).states == ["proven"]
    assert 'can\'t be taken back: its step names no "undo" command' in (await console.planned("forward")).problem


async def test_a_script_replaced_after_the_preview_is_not_run(shop: Workshop) -> None:
    script = shop.folder / "restore.sh"
    script.write_text(f"#!/bin/sh\n{COUNTED}\n")
    script.chmod(0o755)
    for command in (("./restore.sh",), ("sh", "restore.sh")):
        console = await shop.console(shop.step(command=command))
        preview = await console.preview()
        script.write_text(script.read_text() + "rm -rf everything\n")
        outcome = await console.confirm(preview)
        assert outcome.states == ["failed"]
        assert f"program {shop.folder}/restore.sh was changed by " in outcome.step.reason
    assert shop.runs == []


# ------------------------------------------------------------ bad ends


async def test_a_failure_without_effect_by_the_probe_can_be_tried_again(shop: Workshop) -> None:
    step = shop.step("echo run >> runs; test -e ready || { echo not ready; exit 4; }; touch effect", probe=PROBE)
    console = await shop.console(step)
    outcome = await console.roll_back()
    assert outcome.states == ["failed"]
    assert "exit 4 in " in outcome.step.reason
    assert ": not ready; read back: " in outcome.step.reason
    (shop.folder / "ready").touch()
    assert (await console.roll_back()).states == ["proven"]
    assert shop.runs == ["run", "run"]


async def test_a_failure_with_effect_is_taken_for_what_the_probe_says(shop: Workshop) -> None:
    console = await shop.console(shop.step(COUNTED + "; exit 1", probe=PROBE))
    assert (await console.roll_back()).states == ["proven"]
    assert shop.runs == ["run"]


async def test_a_failure_without_a_probe_needs_a_person_and_is_not_repeated(shop: Workshop) -> None:
    console = await shop.console(shop.step(COUNTED + "; echo broken; exit 1"))
    outcome = await console.roll_back()
    assert outcome.states == ["unknown"]
    assert ": broken; there is no probe to ask" in outcome.step.reason
    with pytest.raises(Refused, match="step step of it is unknown"):
        await console.roll_back()
    assert shop.runs == ["run"]


@pytest.mark.parametrize(("probe", "state"), [(PROBE, "proven"), (None, "unknown"), (("sh", "-c", "exit 9"), "failed")])
async def test_when_its_time_is_up_the_probe_decides(shop: Workshop, probe: Any, state: str) -> None:
    if state == "failed":  # a probe that can't tell stops it before anything is run
        with pytest.raises(Refused, match=r"step step can't work: the probe can't tell: exit 9"):
            await (await shop.console(shop.step(probe=probe))).roll_back()
        assert shop.runs == []
        return
    step = shop.step(COUNTED + "; exec sleep 60", kill_after="500ms", probe=probe)
    outcome = await (await shop.console(step)).roll_back()
    assert outcome.states == [state]
    assert shop.runs == ["run"]
    if state == "unknown":
        assert "still running after " in outcome.step.reason


async def test_killed_by_a_signal_is_no_success(shop: Workshop) -> None:
    with pytest.raises(Failed, match=r"killed by SIGKILL after "):
        await applied(shop.step("kill -KILL $$"))


async def test_a_program_that_vanished_after_the_preview_was_never_started(shop: Workshop) -> None:
    script = shop.folder / "x.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    step = shop.step(command=("./x.sh",))
    change = await step.plan()
    script.unlink()
    with pytest.raises(Refused, match=r"there is no program \./x\.sh; nothing was run"):
        await applied(step, change)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"command": ("no-such-program", "-x")}, "command: there is no program no-such-program on the PATH"),
        (
            {"command": ("./gone.sh --all",)},
            "command: there is no program ./gone.sh --all in {}; write its arguments one by one",
        ),
        ({"probe": ("absent-probe",)}, "probe: there is no program absent-probe on the PATH"),
        ({"undo": ("absent-undo",)}, "undo: there is no program absent-undo on the PATH"),
        ({"cwd": "/no/such/folder"}, "there is no folder /no/such/folder"),
        (
            {"env": {"T": {"env": "NOT_SET_ANYWHERE"}}},
            "T: secret from environment variable NOT_SET_ANYWHERE: it is not set",
        ),
    ],
)
async def test_preflight_blocks_what_can_not_work(shop: Workshop, options: dict[str, Any], said: str) -> None:
    blocked = [f.text for f in await shop.step(**options).preflight() if f.level == "block"]
    assert blocked[:1] == [said.format(shop.folder)]


# ------------------------------------------------------------ output and secrets


async def test_output_is_kept_cleaned_and_can_not_pass_for_ours(shop: Workshop) -> None:
    detail = await applied(shop.step(r"printf '\033[2Jone\n'; printf '✔ proven\n\033]0;title\007'"))
    headline, *lines = detail.splitlines()
    assert headline.startswith("exit 0 in ")
    assert lines == ["    | one", "    | ✔ proven"]


async def test_huge_output_is_bounded(shop: Workshop) -> None:
    detail = await applied(shop.step("yes 0123456789 | head -n 100000; echo the end"))
    assert len(detail) < 40_000
    assert "bytes left out" in detail
    assert detail.endswith("| the end")
    with pytest.raises(Failed) as failed:
        await applied(shop.step("yes 0123456789 | head -n 100000; echo the end; exit 1"))
    assert len(str(failed.value)) < 4_000
    assert str(failed.value).endswith("| the end")


async def test_secrets_go_by_the_environment_and_are_masked_everywhere(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_TOKEN", "hunter2hunter2")
    env = {"TOKEN": {"env": "RESTORE_TOKEN"}}
    step = shop.step('echo "got $TOKEN"; test "${#TOKEN}" = 14', env=env)
    change = await step.plan()
    assert "hunter2" not in str(change.goal) + str(change.lines[1:]) + str(change.identity["env"])
    assert (await applied(step, change)).endswith(": got •••")
    with pytest.raises(Failed) as failed:
        await applied(shop.step('echo "got $TOKEN"; exit 1', env=env))
    assert str(failed.value).endswith(": got •••")
    with pytest.raises(Refused, match=r"an argument holds the secret for TOKEN.*; let the program read \$TOKEN"):
        await shop.step("curl -H hunter2hunter2", env=env).plan()


async def test_the_operation_is_told_to_the_program(shop: Workshop) -> None:
    assert (await applied(shop.step('echo "$ROLLBACK_CONSOLE_OPERATION"'))).endswith(": op")


@pytest.mark.parametrize(
    "options",
    [
        {"command": "rm -rf x"},
        {"command": ()},
        {"command": ("",)},
        {"command": ("a", "b\0")},
        {"command": ("a", {"env": "SECRET"})},
        {"command": ("a",), "expect_exit": 256},
        {"command": ("a",), "env": {"A=B": "x"}},
    ],
)
def test_what_is_no_argument_list_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Options.model_validate(options)


def test_the_folder_is_the_files_own(tmp_path: Path) -> None:
    options = Options.model_validate({"command": ("a",)}, context={"folder": tmp_path})
    assert options.cwd == tmp_path


# ------------------------------------------------------------ a console that dies

DIES = """
import asyncio, json, sys
from pathlib import Path
from console.steps.command_run import CommandRun, Options
from console.targets.marks import Marks
from tests.real.room import permit
folder, goal = Path(sys.argv[1]), json.loads(sys.argv[2])
options = Options.model_validate({"command": tuple(goal["argv"]), "cwd": str(folder / "work")})
asyncio.run(CommandRun("step", options, marks=Marks(folder / "marks")).apply(goal, permit()))
"""


def run_and_die(shop: Workshop, goal: Json) -> None:
    """Another console carries it out and is killed as soon as the command has begun."""
    argv = [sys.executable, "-c", DIES, str(shop.folder.parent), json.dumps(goal)]
    with subprocess.Popen(argv, cwd=Path(__file__).parents[2]) as console:
        poll("the command runs, and its process is on record", lambda: shop.runs and shop.marks.running(goal["token"]))
        console.kill()


async def ended(shop: Workshop, goal: Json) -> None:
    await asyncio.to_thread(poll, "the command has ended", lambda: shop.marks.running(goal["token"]) is None)


async def test_a_command_whose_console_died_is_waited_for_then_probed(shop: Workshop) -> None:
    step = shop.step("echo run >> runs; until test -e go; do sleep 0.05; done; touch effect", probe=PROBE)
    goal = (await step.plan()).goal
    run_and_die(shop, goal)
    probe = await step.probe(goal)
    assert probe.answer == "unknown"
    assert "is still running, as process " in probe.detail
    with pytest.raises(Refused, match="is still running, as process "):
        await step.apply(goal, permit())
    with pytest.raises(Refused, match="is still running"):
        await shop.step(undo=UNDO, probe=PROBE).plan_undo([goal])
    (shop.folder / "go").touch()
    await ended(shop, goal)
    assert (await step.probe(goal)).answer == "done"
    assert shop.runs == ["run"]


async def test_a_command_that_died_with_its_console_is_not_done(shop: Workshop) -> None:
    step = shop.step("echo run >> runs; exec sleep 60", probe=PROBE)
    goal = (await step.plan()).goal
    run_and_die(shop, goal)
    group = shop.marks.running(goal["token"])
    assert group
    os.killpg(group, signal.SIGKILL)
    await ended(shop, goal)
    assert (await step.probe(goal)).answer == "not_done"
    assert (await shop.step("x").probe(goal)).answer == "unknown"


async def test_a_command_of_another_machine_is_not_judged_from_here(shop: Workshop) -> None:
    step = shop.step(probe=PROBE)
    goal = {**(await step.plan()).goal, "host": "another"}
    probe = await step.probe(goal)
    assert probe.answer == "unknown"
    assert "it was run on another" in probe.detail


async def test_watching_waits_until_the_probe_finds_it(shop: Workshop) -> None:
    step = shop.step("(sleep 0.3; touch effect) >/dev/null 2>&1 &", probe=PROBE)
    change = await step.plan()
    assert (await applied(step, change)).endswith("something that it started goes on")
    seen = [s async for s in step.watch(change.goal)]
    assert isinstance(seen[-1], Proof)
    assert seen[-1].text.startswith("exit 0 in ")


async def test_its_time_is_up_is_unknown_and_not_failed(shop: Workshop) -> None:
    with pytest.raises(Unknown, match="still running after "):
        await applied(shop.step("sleep 60", kill_after="200ms"))
