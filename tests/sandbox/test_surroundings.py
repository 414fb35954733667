"""What surrounds the drill's cluster: a database, a repository, those who are told. Real where it can be, gone when it ends."""

from __future__ import annotations

import asyncio
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from console.sandbox.database import ROWS, Database
from console.sandbox.mail import MailServer
from console.sandbox.programs import Guard, Program
from console.sandbox.repository import Repository
from console.sandbox.web import Sinks, Site, health
from tests.real.servers.processes import poll


@pytest.fixture
def guard() -> Iterator[Guard]:
    made = Guard()
    yield made
    made.close()


async def test_the_database_lacks_rows_only_where_the_scenario_lost_them(guard: Guard, tmp_path: Path) -> None:
    database = Database(tmp_path, guard)
    await database.start(rows_lost=True)
    missing = await asyncio.to_thread(database.missing)
    assert 0 < missing < ROWS
    await database.pause()
    with pytest.raises(Exception, match="refused"):
        await asyncio.to_thread(database.missing)
    await database.resume()
    assert await asyncio.to_thread(database.missing) == missing
    assert (database.password_file.stat().st_mode & 0o777) == 0o600
    await database.close()


def test_the_repository_has_left_its_original_and_keeps_it_under_a_branch(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.make(
        {"authz.rego": "package authz\n"}, {"authz.rego": "package authz\n\nqec := true\n", "qec.rego": "package qec\n"}
    )
    assert not repository.is_original()
    subprocess.run(
        ["git", "push", "--quiet", "--force", "origin", "backup/pre-migration-state:main"],
        cwd=repository.clone,
        check=True,
    )
    assert repository.is_original()
    repository.push_by_somebody_else("Raise the limits", "Jonas")
    assert not repository.is_original()


@pytest.mark.parametrize(
    ("path", "body", "status", "channel"),
    [
        ("/slack", {"text": "we look into it"}, 200, "slack"),
        ("/slack", {}, 400, None),
        ("/tracker", {"state": "in progress"}, 201, "tracker"),
        ("/statuspage", {"incident": {"name": "Slow"}}, 201, "statuspage"),
        ("/statuspage", {"name": "Slow"}, 422, None),
        ("/pagerduty/v2/enqueue", {"routing_key": "k", "event_action": "trigger", "dedup_key": "d"}, 202, "pagerduty"),
        ("/pagerduty/v2/enqueue", {}, 400, None),
    ],
)
async def test_a_sink_answers_as_the_real_one_and_keeps_what_was_told(
    path: str, body: object, status: int, channel: str | None
) -> None:
    sinks = Sinks()
    async with Site(sinks.app()) as site, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(site.url + path, json=body)).status_code == status
    assert [r.channel for r in sinks.received] == ([channel] if channel else [])


async def test_mail_is_taken_and_kept() -> None:
    sinks = Sinks()
    message = EmailMessage()
    message["To"], message["From"], message["Subject"] = "managers@example.com", "console@example.com", "p95 is back"
    message.set_content("The dashboard was rolled back.")

    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as smtp:
            smtp.send_message(message)

    async with MailServer(sinks) as server:
        await asyncio.to_thread(send, server.port)
    assert sinks.received[0].text.startswith("To: managers@example.com\nSubject: p95 is back\n\nThe dashboard was")


async def test_health_is_asked_anew_each_time() -> None:
    answers = iter([(200, {"status": "ok"}), (503, {"status": "slow"})])
    async with Site(health({"/health": lambda: next(answers)})) as site, httpx.AsyncClient(trust_env=False) as client:
        assert [(await client.get(f"{site.url}/health")).status_code for _ in range(2)] == [200, 503]


_OWNER = """
import sys, time
from pathlib import Path
from console.sandbox.programs import Guard, Program
guard = Guard()
folder = Path(sys.argv[1])
folder.mkdir()
guard.folder(folder)
program = Program(["sleep", "600"], folder / "log", guard)
program.start()
print(program._process.pid, guard._process.pid, flush=True)
time.sleep(600)
"""


def test_an_owner_that_is_killed_leaves_no_program_and_no_folder(tmp_path: Path) -> None:
    folder = tmp_path / "drill"
    with subprocess.Popen([sys.executable, "-c", _OWNER, str(folder)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        program, watcher = map(int, owner.stdout.readline().split())
        owner.send_signal(signal.SIGKILL)
    poll("the guard has ended", lambda: not _lives(watcher))
    assert not folder.exists()
    assert not _lives(program)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_program_is_stopped_with_all_that_it_started(guard: Guard, tmp_path: Path) -> None:
    program = Program(["sh", "-c", "sleep 600 & echo $!; wait"], tmp_path / "log", guard)
    program.start()
    while not (text := (tmp_path / "log").read_text().strip()):
        assert program.running
    program.stop()
    assert not program.running
    poll("it has ended", lambda: not _lives(int(text)))
