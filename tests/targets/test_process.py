"""The runner of programs: nothing waits for ever, nothing floods, nothing that was ended lives on."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from console.targets.marks import Marks
from console.targets.process import Kept, NotStarted, find_program, run
from tests.real.servers import poll


async def shell(script: str, seconds: float = 20.0) -> str:
    """How a shell script ended, and what it wrote."""
    ended = await run(["sh", "-c", script], timeout_seconds=seconds, merged=True)
    return f"{ended.code}: {ended.stdout.text()}"


def lives(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> bool:
    await asyncio.to_thread(poll, f"process {pid} ends", lambda: not lives(pid))
    return True


async def pid_in(file: Path) -> int:
    return await asyncio.to_thread(waited_for, file)


def waited_for(file: Path) -> int:
    poll(f"{file} is written", lambda: file.read_text().endswith("\n"))
    return int(file.read_text())


def killed_once(condition: Callable[[], object], argv: list[str]) -> None:
    """Starts a program and kills it as soon as the condition holds."""
    with subprocess.Popen(argv, cwd=Path(__file__).parents[2]) as console:
        poll("it came so far", condition)
        console.kill()


async def test_exit_codes_output_and_order() -> None:
    assert await shell("echo one; echo two >&2; echo three") == "0: one\ntwo\nthree"
    assert await shell("exit 37") == "37: "
    assert await shell("kill -SEGV $$") == f"-{int(signal.SIGSEGV)}: "


async def test_errors_stand_apart_when_asked_for() -> None:
    ended = await run(["sh", "-c", "echo out; echo err >&2"], timeout_seconds=20)
    assert (ended.stdout.raw, ended.stderr.raw) == (b"out\n", b"err\n")
    assert ended.words.startswith("exit 0 in ")


async def test_it_has_no_terminal_and_no_input() -> None:
    assert (await shell("cat; (: < /dev/tty) 2>/dev/null && echo a terminal || echo none")) == "0: none"


async def test_a_group_of_its_own_that_is_ended_with_all_its_children(tmp_path: Path) -> None:
    children = tmp_path / "child", tmp_path / "grandchild"
    inner = f"echo $$ > {children[1]}; trap '' TERM; while :; do sleep 0.1; done"
    script = f'sh -c "{inner}" & echo $! > {children[0]}; wait'
    ended = await run(["sh", "-c", script], timeout_seconds=1.0)
    assert ended.code is None
    assert ended.words.startswith("still running after ")
    assert await gone(await pid_in(children[0]))
    assert await gone(await pid_in(children[1]))


async def test_one_that_cleans_up_gets_the_time_to() -> None:
    script = "trap 'echo cleaned up; exit 1' TERM; while :; do sleep 0.05; done"
    ended = await run(["sh", "-c", script], timeout_seconds=0.5)
    assert ended.code is None
    assert ended.stdout.text() == "cleaned up"


async def test_whoever_keeps_the_output_open_is_not_waited_for() -> None:
    started = time.monotonic()
    ended = await run(["sh", "-c", "sleep 60 & echo $!"], timeout_seconds=30)
    pid = int(ended.stdout.text())
    assert ended.code == 0
    assert ended.left_behind
    assert time.monotonic() - started < 10
    assert lives(pid)
    os.kill(pid, signal.SIGKILL)


async def test_cancelling_ends_it(tmp_path: Path) -> None:
    task = asyncio.create_task(run(["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60"], timeout_seconds=60))
    pid = await pid_in(tmp_path / "pid")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(pid)


async def test_a_flood_is_bounded_and_counted() -> None:
    script = "import sys\nfor i in range(100_000): print('line', i)\nprint('the end')"
    ended = await run([sys.executable, "-c", script], timeout_seconds=60)
    text = ended.stdout.text()
    assert text.startswith("line 0\nline 1\n")
    assert text.endswith("line 99999\nthe end")
    assert re.search(r"\n… 1,[0-9]{3},[0-9]{3} bytes left out …\nline 9", text)
    assert len(text) < 3 * 8 * 1024


async def test_what_a_terminal_obeys_is_dropped() -> None:
    assert await shell(r"printf 'a\033]52;c;aGk=\007b\033[2Jc\000d\377\n'") == "0: abcd\ufffd"


def test_half_a_secret_is_never_shown() -> None:
    kept = Kept(16)
    kept.add(b"one\ntwo\nSECRETSECRETSECRETSECRET\nlast\n")
    assert kept.text() == "one\ntwo\n… 25 bytes left out …\nlast"
    assert Kept(16).text() == ""
    line = Kept(4)
    line.add(b"0123456789")
    assert line.text() == "… 10 bytes left out …"


def test_a_secret_is_masked_also_where_control_bytes_hide_it() -> None:
    kept = Kept()
    kept.add(b"key: hun\x1b[0mter2 and hunter2\n")
    assert kept.text(lambda text: text.replace("hunter2", "•••")) == "key: ••• and •••"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["no-such-program"], "there is no program no-such-program"),
        (["./absent"], "there is no program ./absent"),
        (["./data"], "./data may not be run by this user"),
        (["./odd"], "./odd is no program: does its first line begin with #! ?"),
        (["./orphan"], "./orphan names an interpreter that is not there"),
        (["sh", "a\0b"], "an argument that no program can be given (a zero byte)"),
    ],
)
async def test_what_can_not_be_started_was_not(argv: list[str], said: str, tmp_path: Path) -> None:
    for name, text, mode in (("data", "x", 0o600), ("odd", "\0\1\2", 0o700), ("orphan", "#!/no/such/sh\n", 0o700)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    with pytest.raises(NotStarted, match=f"^{re.escape(said)}$"):
        await run(argv, timeout_seconds=5, cwd=tmp_path)


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match="there is no folder"):
        await run(["true"], timeout_seconds=5, cwd=tmp_path / "absent")


def test_a_program_is_found_as_it_would_be_run(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    assert find_program("./tool", tmp_path, {}) is None
    (tmp_path / "tool").chmod(0o755)
    assert find_program("./tool", tmp_path, {}) == tmp_path / "tool"
    assert find_program("tool", Path("/"), {"PATH": str(tmp_path)}) == tmp_path / "tool"
    assert find_program("tool", Path("/"), {"PATH": "/nowhere"}) is None


# ------------------------------------------------------------ programs that outlive us


async def test_a_mark_is_held_for_as_long_as_the_program_runs(tmp_path: Path) -> None:
    marks = Marks(tmp_path)
    assert marks.running("a") is None
    with marks.held("a") as mark:
        task = asyncio.create_task(run(["sleep", "60"], timeout_seconds=1.0, held=mark))
        await asyncio.to_thread(poll, "it runs", lambda: marks.running("a"))
        group = marks.running("a")
        with pytest.raises(BlockingIOError), marks.held("a"):
            pass
        assert marks.running("a") == group
        await task
    assert marks.running("a") is None
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - a look


async def test_a_mark_outlives_the_process_that_made_it(tmp_path: Path) -> None:
    program = f"""
import asyncio
from pathlib import Path
from console.targets.marks import Marks
from console.targets.process import run
async def main():
    with Marks(Path({str(tmp_path)!r})).held("a") as mark:
        await run(["sleep", "60"], timeout_seconds=60, held=mark)
asyncio.run(main())
"""
    marks = Marks(tmp_path)
    killed_once(lambda: marks.running("a"), [sys.executable, "-c", program])
    group = marks.running("a")
    assert group
    os.killpg(group, signal.SIGKILL)
    assert await gone(group)
    assert marks.running("a") is None


LEAVES = """
import asyncio, sys
from console.targets.process import run

async def main():
    async with asyncio.timeout(0.5):
        await run(["sh", "-c", sys.argv[1]], timeout_seconds=60)

try:
    asyncio.run(main())
except TimeoutError:
    print("left")
"""


@pytest.mark.parametrize("ends", ["", "trap '' TERM;"], ids=["at once", "when it is made to"])
def test_whoever_gives_up_and_leaves_leaves_nothing_running(tmp_path: Path, ends: str) -> None:
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    script = f"{ends} sleep 60 & echo $! > {inner}; echo $$ > {outer}; wait; sleep 60"
    argv = [sys.executable, "-c", LEAVES, script]
    left = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert left.stdout == "left\n"
    assert not any(lives(int(file.read_text())) for file in (inner, outer))
