"""The process of a drill's systems: `python -m console.sandbox FOLDER --scenario …`. Its owner is at the other end of its input.

It says what happens as JSON lines: `{"ready": …}` once, `{"says": …}` in between, `{"ended": …}` or `{"failed": …}`. When its
input ends, which the kernel sees to however its owner died, everything ends and the folder goes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

from console.domain.errors import ConsoleError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m console.sandbox", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenario", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pace", type=float, default=1.0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is meant for the console
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(_serve(given.folder, given.scenario, given.seed, given.pace))
    return 130


async def _serve(folder: Path, name: str, seed: int, pace: float) -> int:
    from console.sandbox import happenings
    from console.sandbox.model import scenario as scenarios
    from console.sandbox.systems import Systems

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.run_in_executor(None, _until_input_ends, lambda: loop.call_soon_threadsafe(ended.set))
    try:
        async with Systems(folder, scenarios.load(name), seed=seed, pace=pace, tell=lambda t: _say(says=t)) as systems:
            _say(ready={"procedure": str(systems.procedure)})
            going = asyncio.create_task(happenings.carry_out(systems, lambda text: _say(says=text)))
            await ended.wait()
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
            _say(ended={"well_since": systems.well_since, "received": [r.channel for r in systems.sinks.received]})
    except ConsoleError as error:
        _say(failed=f"{error.message}{f'; {error.hint}' if error.hint else ''}")
        return 1
    return 0


def _until_input_ends(told: Any) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop has ended before it
        told()


def _say(**document: Any) -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    # A thread of the executor may still wait for the input; nobody waits for it.
    code = main()
    sys.stdout.flush()
    import os

    os._exit(code)
