"""The check `command.run`: the exit code decides, the end of the output is kept, and nothing that was started lives on."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest

from console.checks.command_run import CommandRun, Options, build
from console.engine.ports import Evidence
from console.targets.programs import DETAIL_LINE_LIMIT, DETAIL_LINES
from tests.real.servers import poll


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def check(folder: Path, *command: str, **options: Any) -> CommandRun:
    built = build(Options.model_validate({"command": command, "cwd": str(folder), **options}))
    assert isinstance(built, CommandRun)
    return built


async def shell(folder: Path, script: str, **options: Any) -> Evidence:
    return await check(folder, "sh", "-c", script, **options).run()


def told(evidence: Evidence) -> str:
    return f"{evidence.outcome}: " + re.sub(r"\d+\.\d s", "N s", evidence.text)


async def test_the_exit_code_decides_whatever_was_written(folder: Path) -> None:
    assert told(await shell(folder, "echo 40 passed")) == "pass: exit 0 in N s: 40 passed"
    assert told(await shell(folder, "echo all good; exit 1")) == "fail: exit 1 in N s: all good"
    assert told(await shell(folder, "echo FAILED >&2")) == "pass: exit 0 in N s: FAILED"
    assert told(await shell(folder, "true")) == "pass: exit 0 in N s"


async def test_other_codes_may_be_a_pass(folder: Path) -> None:
    assert (await shell(folder, "exit 3", expect_exit=(0, 3))).outcome == "pass"
    assert (await shell(folder, "exit 0", expect_exit=3)).outcome == "fail"


async def test_a_signal_is_a_fail(folder: Path) -> None:
    assert told(await shell(folder, "kill -SEGV $$")) == "fail: killed by SIGSEGV after N s"


async def test_the_end_of_the_output_is_the_detail(folder: Path) -> None:
    evidence = await shell(folder, f"for i in $(seq {DETAIL_LINES + 60}); do echo line $i; done; echo; exit 2")
    assert told(evidence) == f"fail: exit 2 in N s: line {DETAIL_LINES + 60}"
    assert len(evidence.detail) == DETAIL_LINES
    assert evidence.detail[-1] == f"line {DETAIL_LINES + 60}"


async def test_a_flood_is_bounded_and_harmless(folder: Path) -> None:
    evidence = await shell(folder, r"head -c 5000000 /dev/zero | tr '\0' x; printf '\n\033]52;c;aGk=\007\033[2Jend'")
    assert evidence.text.endswith(": end")
    assert evidence.detail[-1] == "end"
    assert all(len(line) <= DETAIL_LINE_LIMIT for line in evidence.detail)
    assert "\x1b" not in "".join(evidence.detail)


async def test_no_shell_reads_the_arguments(folder: Path) -> None:
    evidence = await check(folder, "echo", "$HOME; touch made", "*").run()
    assert evidence.text.endswith(": $HOME; touch made *")
    assert not (folder / "made").exists()


async def test_it_has_no_terminal_and_no_input(folder: Path) -> None:
    assert (await shell(folder, "cat; test ! -t 0 && ! (: < /dev/tty) 2> /dev/null")).outcome == "pass"


async def test_it_runs_where_it_is_told_with_what_it_is_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHBOARD_TOKEN", "hunter2hunter2")
    env = {"MODE": "old style", "TOKEN": {"env": "DASHBOARD_TOKEN"}}
    evidence = await shell(folder, 'echo "$PWD $MODE $TOKEN"; test ${#TOKEN} = 14', env=env)
    assert (evidence.outcome, evidence.detail) == ("pass", (f"{folder} old style •••",))
    assert "hunter2" not in str(evidence)


async def test_a_secret_among_the_arguments_is_not_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHBOARD_TOKEN", "hunter2hunter2")
    evidence = await check(folder, "touch", "hunter2hunter2", env={"T": {"env": "DASHBOARD_TOKEN"}}).run()
    assert evidence.outcome == "unknown"
    assert "every user of this machine sees arguments" in evidence.text
    assert not (folder / "hunter2hunter2").exists()


@pytest.mark.parametrize(
    ("command", "options", "said"),
    [
        (("./absent.sh",), {}, "there is no program ./absent.sh"),
        (("./run.sh --all",), {}, "there is no program ./run.sh --all; write its arguments one by one"),
        (("echo",), {"cwd": "/no/such/folder"}, "there is no folder /no/such/folder"),
        (("echo",), {"env": {"T": {"env": "ABSENT"}}}, "T: secret from environment variable ABSENT: it is not set"),
        (("./plain.txt",), {}, "./plain.txt may not be run by this user"),
    ],
)
async def test_what_can_not_be_run_is_unknown(
    folder: Path, command: tuple[str, ...], options: dict[str, Any], said: str
) -> None:
    (folder / "plain.txt").write_text("no program")
    evidence = await check(folder, *command, **options).run()
    assert (evidence.outcome, evidence.text) == ("unknown", said)


async def test_time_that_is_up_is_unknown_and_keeps_what_was_written(folder: Path) -> None:
    evidence = await shell(folder, "echo half way; exec sleep 60", kill_after="200ms")
    assert told(evidence) == "unknown: still running after N s, so it was ended: half way"
    assert evidence.detail == ("half way",)


async def test_whoever_runs_it_may_stop_waiting_and_all_of_it_ends(folder: Path) -> None:
    script = "sleep 60 & echo $! > inner; echo $$ > outer; wait"
    running = asyncio.create_task(shell(folder, script))
    await asyncio.to_thread(poll, "it runs", lambda: (folder / "outer").exists() and (folder / "outer").read_text())
    pids = [int((folder / name).read_text()) for name in ("inner", "outer")]
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    for pid in pids:
        await asyncio.to_thread(poll, f"process {pid} ends", lambda pid=pid: not _lives(pid))


def _lives(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


async def test_what_goes_on_behind_it_is_told(folder: Path) -> None:
    evidence = await shell(folder, "sleep 5 > /dev/null 2>&1 & echo $! > inner; echo started")
    os.kill(int((folder / "inner").read_text()), 9)
    assert told(evidence) == "pass: exit 0 in N s; something that it started goes on: started"


@pytest.mark.parametrize(
    "options",
    [
        {}, {"command": ()}, {"command": "sh run.sh"}, {"command": (" ",)}, {"command": ("a\0b",)},
        {"command": ("a",), "expect_exit": 256}, {"command": ("a",), "kill_after": "0s"},
        {"command": ("a",), "env": {"NO-NAME": "x"}}, {"command": ("a",), "probe": ("b",)},
    ],
)  # fmt: skip
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Options.model_validate(options)
