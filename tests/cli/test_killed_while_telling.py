"""A message whose console is killed (SIGKILL) at each point of the outbox: never sent twice without a word, never forgotten.

A real process posts to a small server here. Afterwards another console opens and stays, as somebody would open one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from console.cli import run
from console.engine.session import Session
from console.wiring import Request, open_session
from tests.cli.conftest import Cli
from tests.cli.dying import registry
from tests.cli.processes import start, until

STAYS_SECONDS = 10.0


class Arrived(NamedTuple):
    key: str
    text: str


class Server:
    """Keeps what arrives, and answers as it is told: with 503 at first, not before it may, or not at all to a killed sender."""

    def __init__(self) -> None:
        self.busy = 0
        self.kills = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.arrived: list[Arrived] = []
        self.turned_away = 0
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.receive(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}/"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def receive(self, request: BaseHTTPRequestHandler) -> None:
        text = request.rfile.read(int(request.headers["Content-Length"])).decode()
        if self.busy:
            self.busy -= 1
            self.turned_away += 1
            request.send_error(503)
            return
        self.arrived.append(Arrived(request.headers["Idempotency-Key"], text))
        if self.kills:
            self.kills -= 1
            os.kill(int(request.headers["Sender"]), signal.SIGKILL)
            return
        self.may_answer.wait(30)
        request.send_response(200)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def close(self) -> None:
        self.may_answer.set()
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def room(cli: Cli, server: Server) -> Cli:
    plan = f'\n[[notice]]\nid = "team"\nafter = "0s"\nchannel = "sim.post"\nurl = "{server.url}"\n'
    cli.config.write_text(cli.config.read_text() + plan)
    assert run(["-c", str(cli.config), "--as", "alice", "declare", "--reason", "latency"], registry()) == 0
    return cli


def tells(room: Cli, *more: str) -> int:
    """How a command ends that nobody kills."""
    return run(["-c", str(room.config), "--as", "carol", "notify", "team", *more], registry())


def is_killed(room: Cli, death: str, *more: str) -> bool:
    """Whether the process that was to send the notice died where it should, or on the way."""
    program = start(room.folder, "notify", "team", *more, program="tests.cli.dying", DEATH=death)
    program.communicate(timeout=40)
    return program.returncode == -signal.SIGKILL


async def _stays(room: Cli, seconds: float, until_: set[str]) -> str:
    session = await open_session(Request(room.config, room.journal, "bob"), registry())
    try:
        changed = asyncio.Event()
        session.runner.listen(lambda _: changed.set())
        await session.stay()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while _state(session) not in until_:
                    changed.clear()
                    await changed.wait()
        await session.communicator.drain()
        return _state(session)
    finally:
        await session.close()


def _state(session: Session) -> str:
    return next(n.state for n in session.view().notices if n.id == "team")


def another_console(room: Cli, *until_: str, seconds: float = STAYS_SECONDS) -> str:
    """Opens and stays until the notice is in one of these states; gives the state in the end."""
    return asyncio.run(_stays(room, seconds, set(until_)))


@pytest.mark.parametrize(
    ("death", "state", "arrived"),
    [
        ("append:before:1", "due", 0),
        ("append:after:1", "maybe_sent", 0),
        ("send:before:1", "maybe_sent", 0),
        ("on its way", "maybe_sent", 1),
        ("send:after:1", "maybe_sent", 1),
        ("append:before:2", "maybe_sent", 1),
        ("append:after:2", "sent", 1),
    ],
)
def test_a_message_whose_sender_is_killed(room: Cli, server: Server, death: str, state: str, arrived: int) -> None:
    server.kills = death == "on its way"
    assert is_killed(room, death)
    assert another_console(room, state) == state
    assert len(server.arrived) == arrived
    without_a_word = tells(room)
    assert without_a_word == (0 if state == "due" else 4)
    assert len(server.arrived) <= 1, "twice without a word"
    if state == "maybe_sent":
        assert tells(room, "--again", "it is not there") == 0
        assert another_console(room, "sent") == "sent"
        assert len(server.arrived) == arrived + 1


@pytest.mark.parametrize(
    ("death", "state", "arrived"),
    [
        ("append:before:2", "maybe_sent", 0),  # it was turned away, and nobody alive knows that
        ("append:after:2", "sent", 1),  # it is known, and the other console tries it again
        ("append:before:3", "sent", 1),
        ("append:after:3", "maybe_sent", 0),
        ("send:before:2", "maybe_sent", 0),
        ("on its way", "maybe_sent", 1),
        ("append:before:4", "maybe_sent", 1),
        ("append:after:4", "sent", 1),
    ],
)
def test_a_message_that_is_not_delivered_at_first_and_whose_sender_is_killed(
    room: Cli, server: Server, death: str, state: str, arrived: int
) -> None:
    server.busy, server.kills = 1, death == "on its way"
    assert is_killed(room, death)
    assert another_console(room, state) == state
    assert (server.turned_away, len(server.arrived)) == (1, arrived)
    assert tells(room) == 4
    assert len(server.arrived) == arrived, "twice without a word"


def test_what_a_living_console_is_sending_is_left_to_it(room: Cli, server: Server) -> None:
    server.may_answer.clear()
    sender = start(room.folder, "notify", "team", program="tests.cli.dying")
    until("it arrived", lambda: len(server.arrived) == 1)
    assert another_console(room, "maybe_sent", seconds=1.5) == "sending"
    assert tells(room, "--again", "now") == 4
    server.may_answer.set()
    sender.communicate(timeout=40)
    assert sender.returncode == 0
    assert another_console(room, "sent") == "sent"
    assert len(server.arrived) == 1


def test_a_signal_lets_the_message_under_way_come_to_its_end(room: Cli, server: Server) -> None:
    server.may_answer.clear()
    sender = start(room.folder, "notify", "team", program="tests.cli.dying")
    until("it arrived", lambda: len(server.arrived) == 1)
    sender.send_signal(signal.SIGINT)
    assert sender.poll() is None
    server.may_answer.set()
    out, _ = sender.communicate(timeout=40)
    assert sender.returncode == 0
    assert "team is sent to" in out


def test_five_consoles_at_once_send_it_once(room: Cli, server: Server) -> None:
    senders = [start(room.folder, "notify", "team", program="tests.cli.dying") for _ in range(5)]
    for sender in senders:
        sender.communicate(timeout=60)
    assert sorted(sender.returncode for sender in senders) == [0, 4, 4, 4, 4]
    assert len(server.arrived) == 1


def test_the_record_is_whole_after_all_that(room: Cli, server: Server, folder: Path) -> None:
    for death in ("append:after:1", "send:after:1"):
        assert is_killed(room, death, "--again", "it is not there")
        another_console(room, "maybe_sent")
    assert run(["-c", str(room.config), "journal", "verify"], registry()) == 0
