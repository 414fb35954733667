"""Runs the real program in processes that kill themselves (SIGKILL) at a chosen append to their journal, or request.

`python -m tests.real.dying` imports the console once and then, for each line of JSON on its input, forks a process that
becomes `rollback-console` with the arguments given there; it answers with how that process ended. `Mortal` is its other end.
The fork spares the imports, which a test of many deaths would otherwise spend most of its time in.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from tests.real.program import DEADLINE_SECONDS, Console, Ended

_IMPORTED_FIRST = (
    "console.cli",
    "console.wiring",
    "console.commands.rollback",
    "console.commands.looking",
    "console.engine.status",
    "console.steps.kubernetes_apply",
    "console.steps.kubernetes_patch",
    "console.steps.kubernetes_rollout_undo",
    "console.ui.wording",
    "kubernetes.client",
    "kubernetes.config.kube_config",
    "yaml",
)


class Death(NamedTuple):
    """Right before the n-th append of a process, when all that came before it has happened, or right after it.

    Or before or after its n-th request that changes something: in the middle of a step that changes several objects.
    """

    when: Literal["before", "after"]
    number: int
    of: Literal["append", "request"] = "append"

    def __str__(self) -> str:
        return f"{self.when} {self.of} {self.number}"


class Mortal:
    """Starts one dying program after another; one for each thread that wants to."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.real.dying"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "LANG": "C.UTF-8"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, console: Console, death: Death | None, *arguments: str) -> Ended:
        """How the program ended: with code -9 where it died as wanted, with its own where it never came that far.

        Without a death it is the program as its users have it, but for the imports that it finds done.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory() as folder:
            said = Path(folder) / "said"
            wanted = {
                "argv": [*console.common, *arguments],
                "environment": console.environ,
                "death": death,
                "said": str(said),
            }
            self._process.stdin.write(json.dumps(wanted) + "\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline() or "1")
            return Ended(code, said.read_text(errors="replace"), "")


# ------------------------------------------------------------ the program that forks


def main() -> None:
    for name in _IMPORTED_FIRST:
        __import__(name)
    for line in sys.stdin:
        wanted = json.loads(line)
        child = os.fork()
        if child == 0:
            _become_the_program(wanted)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become_the_program(wanted: dict[str, Any]) -> None:
    """Never returns. What it says goes into a file; a deadline ends it (SIGALRM) should it hang."""
    code = 1
    try:
        os.setsid()
        output = os.open(wanted["said"], os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.clear()
        os.environ.update(wanted["environment"])
        signal.alarm(int(DEADLINE_SECONDS))
        if wanted["death"]:
            _die_at(Death(*wanted["death"]))
        sys.argv = ["rollback-console", *wanted["argv"]]
        code = _program()
    except BaseException:  # noqa: BLE001 - a forked copy must not go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _program() -> int:
    from console.__main__ import main as program

    try:
        program()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    return 0


def _die_at(death: Death) -> None:
    from console.journals.sqlite import SqliteJournal
    from console.targets.kubernetes.client import KubernetesTarget

    owner, name = (SqliteJournal, "append") if death.of == "append" else (KubernetesTarget, "_change")
    call: Callable[..., Any] = getattr(owner, name)
    calls = 0

    @wraps(call)
    def mortal(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        _die_if(death == ("before", calls, death.of))
        answer = call(*arguments, **options)
        _die_if(death == ("after", calls, death.of))
        return answer

    setattr(owner, name, mortal)


def _die_if(time_has_come: bool) -> None:
    if time_has_come:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
