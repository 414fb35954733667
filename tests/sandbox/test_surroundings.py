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
from console.sandbox.web import ROUTING_KEY, SLACK_TOKEN, STATUSPAGE_KEY, STATUSPAGE_PAGE, Sinks, Site, health
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


SECTION = {"type": "section", "text": {"type": "plain_text", "text": "x" * 3000}}
PAGE = f"/statuspage/v1/pages/{STATUSPAGE_PAGE}/incidents"
EVENT = {
    "routing_key": ROUTING_KEY,
    "event_action": "trigger",
    "dedup_key": "d",
    "payload": {"summary": "p95", "source": "api", "severity": "critical"},
}


@pytest.mark.parametrize(
    ("path", "body", "status", "channel"),
    [
        ("/slack", {"text": "we look into it"}, 200, "slack"),
        ("/slack", {"blocks": [SECTION]}, 200, "slack"),
        ("/slack", {}, 400, None),
        ("/slack", [], 400, None),
        ("/slack", {"blocks": [SECTION] * 51}, 400, None),
        ("/slack", {"blocks": [SECTION] * 5}, 400, None),
        ("/slack", {"blocks": [{"type": "section", "text": {"type": "plain_text", "text": ""}}]}, 400, None),
        ("/slack", {"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}, 400, None),
        ("/tracker", {"state": "in progress"}, 201, "tracker"),
        ("/tracker", [], 400, None),
        (PAGE, {"incident": {"name": "Slow"}}, 201, "statuspage"),
        (PAGE, {"name": "Slow"}, 422, None),
        (PAGE, {"incident": {"name": "Slow", "status": "bad"}}, 422, None),
        (PAGE, {"incident": {"name": "Slow", "metadata": {"a": 1}}}, 422, None),
        ("/pagerduty/v2/enqueue", EVENT, 202, "pagerduty"),
        ("/pagerduty/v2/enqueue", EVENT | {"routing_key": "another"}, 400, None),
        ("/pagerduty/v2/enqueue", EVENT | {"payload": {"summary": "p95"}}, 400, None),
        ("/pagerduty/v2/enqueue", {}, 400, None),
    ],
)
async def test_a_sink_answers_as_the_real_one_and_keeps_what_was_told(
    path: str, body: object, status: int, channel: str | None
) -> None:
    sinks = Sinks()
    headers = {"Authorization": f"OAuth {STATUSPAGE_KEY}"}
    async with Site(sinks.app()) as site, httpx.AsyncClient(trust_env=False, headers=headers) as client:
        assert (await client.post(site.url + path, json=body)).status_code == status
    assert [r.channel for r in sinks.received] == ([channel] if channel else [])


@pytest.mark.parametrize(
    ("token", "body", "error"),
    [
        ("", {"channel": "#a", "text": "x"}, "not_authed"),
        ("Bearer xoxb-other", {"channel": "#a", "text": "x"}, "invalid_auth"),
        (f"Bearer {SLACK_TOKEN}", {"text": "x"}, "channel_not_found"),
        (f"Bearer {SLACK_TOKEN}", {"channel": "#a"}, "no_text"),
        (f"Bearer {SLACK_TOKEN}", {"channel": "#a", "text": "x"}, None),
    ],
)
async def test_slacks_api_answers_200_and_its_ok_tells(token: str, body: object, error: str | None) -> None:
    sinks = Sinks()
    async with Site(sinks.app()) as site, httpx.AsyncClient(trust_env=False) as client:
        headers = {"Authorization": token} if token else {}
        answer = await client.post(f"{site.url}/slack/api/chat.postMessage", json=body, headers=headers)
    assert (answer.status_code, answer.json()["ok"], answer.json().get("error")) == (200, error is None, error)
    assert len(sinks.received) == (0 if error else 1)


async def test_a_page_knows_its_key_and_takes_sixty_requests_a_minute() -> None:
    now = 0.0
    sinks = Sinks(lambda: now)
    async with Site(sinks.app()) as site, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(site.url + PAGE)).status_code == 401
        headers = {"Authorization": f"OAuth {STATUSPAGE_KEY}"}
        statuses = [(await client.get(site.url + PAGE, headers=headers)).status_code for _ in range(61)]
        now = 61.0
        statuses.append((await client.get(site.url + PAGE, headers=headers)).status_code)
    assert statuses == [200] * 60 + [429, 200]


async def test_an_open_alert_swallows_its_own_repetition_and_a_closed_one_does_not() -> None:
    sinks = Sinks()
    async with Site(sinks.app()) as site, httpx.AsyncClient(trust_env=False) as client:
        for action in ("trigger", "trigger", "resolve", "trigger"):
            answer = await client.post(f"{site.url}/pagerduty/v2/enqueue", json=EVENT | {"event_action": action})
            assert (answer.status_code, answer.json()["dedup_key"]) == (202, "d")
    assert len(sinks.received) == 2


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
