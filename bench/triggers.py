"""What two hundred triggers at one second cost, ten of them over a thousand series each: CPU, memory, and how late a verdict is.

The source is a process of its own that answers at once (`source.py`). Two consoles are measured, each for some time after it has
filled its past: the engine without a screen, which also tells how late its verdicts are, and the whole program in a terminal of
120×40. CPU is that of the console's process and threads, as a share of one core. A verdict's lag counts from the moment that its
evaluation was due to the moment that it stands, the source's answer included; what the source takes alone, asked by one bare
socket in the same run, is printed beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.figures import row
from bench.paint import Terminal

ROUNDS = 3
TRIGGERS = 200
BIG = 10
WARM_UP_SECONDS = 30.0
MEASURED_SECONDS = 20.0


def main() -> None:
    print(f"{TRIGGERS} triggers at 1 s, {BIG} of them over 1,000 series, on a source that answers at once")
    source = subprocess.Popen([sys.executable, "-m", "bench.source"], stdout=subprocess.PIPE, text=True)
    try:
        port = int((source.stdout or sys.stdin).readline())
        with tempfile.TemporaryDirectory() as name:
            file = Path(name) / "procedure.toml"
            file.write_text(_procedure(port))
            alone = [_alone(port, query) for query in ["small"] * 190 + ["big"] * 10]
            engines = [_engine(file) for _ in range(ROUNDS)]
            screens = [_screen(file) for _ in range(ROUNDS)]
    finally:
        source.terminate()
        source.wait()
    row("engine alone, CPU (aim ≤ 15 with all)", [e["cpu_percent"] for e in engines], "%")
    row("engine alone, resident memory (aim ≤ 150)", [e["megabytes"] for e in engines], "MB")
    row("engine alone, a verdict's lag, median", [e["lag_p50_ms"] for e in engines], "ms")
    row("engine alone, a verdict's lag, 99th percentile (aim ≤ 100)", [e["lag_p99_ms"] for e in engines], "ms")
    row("engine alone, evaluations a second (due: 200)", [e["evaluations_a_second"] for e in engines], "1/s")
    row("the source alone, per answer", [median(alone) * 1000, _p99(alone) * 1000], "ms")
    row("with its screen, CPU (aim ≤ 15)", [s["cpu_percent"] for s in screens], "%")
    row("with its screen, resident memory (aim ≤ 150)", [s["megabytes"] for s in screens], "MB")


def _procedure(port: int) -> str:
    tables = [
        '[incident]\ntitle = "Two hundred triggers"\n',
        f'[target.metrics]\nkind = "prometheus"\nurl = "http://127.0.0.1:{port}"\n',
    ]
    for number in range(TRIGGERS):
        query = f"{'big' if number < BIG else 'small'}_{number}"
        tables.append(
            f'[[trigger]]\nid = "t{number}"\nsource = "prometheus"\nquery = "{query}"\n'
            'above = 0.7\nfor = "60s"\nevery = "1s"\n'
        )
    return "\n".join(tables)


# ------------------------------------------------------------ the source alone


def _alone(port: int, query: str) -> float:
    """Seconds from the request to the whole answer, on a connection that is open."""
    with socket.create_connection(("127.0.0.1", port)) as wire:
        began = time.perf_counter()
        wire.sendall(f"GET /api/v1/query?query={query} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received or len(received) < _length(received):
            received += wire.recv(1 << 20)
        return time.perf_counter() - began


def _length(received: bytes) -> int:
    head, _, _ = received.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    return len(head) + 4 + length


# ------------------------------------------------------------ the engine without a screen


def _engine(file: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "bench.triggers", str(file), f"{folder}/engine.journal"],
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


async def _measured(file: Path, journal: Path) -> dict[str, float]:
    from console.engine import session as sessions
    from console.engine.clock import SystemClock
    from console.engine.sampler import Sampler
    from console.wiring import Request, open_session

    due: dict[str, float] = {}
    lags: list[float] = []

    class NotingClock(SystemClock):
        async def sleep(self, seconds: float) -> None:
            task = asyncio.current_task()
            due[task.get_name() if task else ""] = time.monotonic() + seconds
            await super().sleep(seconds)

    class NotingSampler(Sampler):
        async def _sample(self, watched: Any, deadline: float) -> None:
            await super()._sample(watched, deadline)
            began = due.get(f"sampler {watched.rule.id}")
            if began is not None:
                lags.append(time.monotonic() - began)

    sessions.Sampler = NotingSampler  # type: ignore[misc]
    session = await open_session(Request(file, journal, actor="bench", creates=True), clock=NotingClock())
    await session.stay()
    await asyncio.sleep(WARM_UP_SECONDS)
    lags.clear()
    cpu, began = time.process_time(), time.monotonic()
    await asyncio.sleep(MEASURED_SECONDS)
    seconds = time.monotonic() - began
    used, seen = time.process_time() - cpu, list(lags)
    silent = [i for i, reading in session.sampler.readings().items() if reading.verdict in ("stale", "no_data")]
    await session.close()
    if silent:
        raise RuntimeError(f"{len(silent)} triggers have no data: this measures nothing")
    return {
        "cpu_percent": 100 * used / seconds,
        "megabytes": _megabytes(os.getpid()),
        "lag_p50_ms": 1000 * median(seen),
        "lag_p99_ms": 1000 * _p99(seen),
        "evaluations_a_second": len(seen) / seconds,
    }


# ------------------------------------------------------------ the whole program


def _screen(file: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none", "XDG_STATE_HOME": folder}
        program = str(Path(sys.executable).with_name("rollback-console"))
        terminal = Terminal([program, "-c", str(file), "--journal", f"{folder}/screen.journal"], environment)
        try:
            terminal.until("Communication")
            _watch(terminal, WARM_UP_SECONDS)
            cpu, began = terminal.cpu_seconds, time.monotonic()
            _watch(terminal, MEASURED_SECONDS)
            percent = 100 * (terminal.cpu_seconds - cpu) / (time.monotonic() - began)
            return {"cpu_percent": percent, "megabytes": terminal.megabytes}
        finally:
            terminal.end()


def _watch(terminal: Terminal, seconds: float) -> None:
    """Reads what is painted, so that the program never waits for its terminal."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        terminal.quiet(min(0.5, left))
        time.sleep(min(0.05, max(0.0, end - time.monotonic())))


def _megabytes(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0]) / 1024


def _p99(values: list[float]) -> float:
    return quantiles(values, n=100)[98]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_measured(Path(sys.argv[1]), Path(sys.argv[2])))))
