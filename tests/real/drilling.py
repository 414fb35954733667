"""A drill as its users start it, and the commands of the other terminals beside it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.real.program import PROGRAM, Console
from tests.real.servers import poll

_START_SECONDS = 60.0
_HEAL_SECONDS = 60.0


class Drilling:
    """A running drill; `console` acts on it, `end` gives the debrief as its JSON document."""

    def __init__(self, process: subprocess.Popen[str], console: Console) -> None:
        self.process = process
        self.console = console
        self.said = ""

    def end(self, number: signal.Signals = signal.SIGINT) -> Any:
        self.process.send_signal(number)
        out, self.said = self.process.communicate(timeout=30)
        return json.loads(out.splitlines()[-1])

    def verdicts(self) -> dict[str, str]:
        return {t["id"]: t["verdict"] for t in self.console.done("--json", "triggers").document["triggers"]}

    def fires(self, *triggers: str) -> None:
        """Waits until these fire."""
        poll(f"{triggers} fire", lambda: all(self.verdicts()[t] == "firing" for t in triggers), seconds=_HEAL_SECONDS)

    def is_healed(self, *triggers: str) -> None:
        """Waits until these are ok, or all when none is named."""
        poll(f"{triggers} are ok", lambda: self._all_ok(triggers), seconds=_HEAL_SECONDS)

    def _all_ok(self, triggers: tuple[str, ...]) -> bool:
        return all(verdict == "ok" for t, verdict in self.verdicts().items() if not triggers or t in triggers)

    def cluster(self, path: str) -> Any:
        """An object of the application's namespace; `deployments/api-gateway`."""
        settings = yaml.safe_load((self.console.procedure.parent / "kubernetes" / "admin.kubeconfig").read_text())
        users = {user["name"]: user["user"]["token"] for user in settings["users"]}
        url = f"{settings['clusters'][0]['cluster']['server']}/apis/apps/v1/namespaces/acgs-pgp/{path}"
        headers = {"Authorization": f"Bearer {users['admin']}"}
        return httpx.get(url, headers=headers, trust_env=False, timeout=10).raise_for_status().json()

    def roll_back(self, *components: str) -> None:
        self.console.done("rollback", *components, "--confirm", ",".join(components))


@contextmanager
def drilling(folder: Path, scenario: str, *, speed: int = 60) -> Iterator[Drilling]:
    """The drill without its screen, in a session of its own, its state in the folder."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "LANG": "C.UTF-8",
        "USER": "ada",
    }
    process = subprocess.Popen(
        [PROGRAM, "--json", "drill", "--no-screen", "--scenario", scenario, "--speed", str(speed)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        start_new_session=True,
    )
    late = threading.Timer(_START_SECONDS, process.kill)
    late.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        late.cancel()
        assert line, process.stderr.read() if process.stderr else ""
        ready = json.loads(line)
        yield Drilling(process, Console(Path(ready["procedure"]), Path(ready["journal"])))
    finally:
        late.cancel()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
