"""The `http.ok` check: what counts as healthy, and what it says about everything else."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.checks import http_ok, manual
from console.engine.ports import Evidence
from console.targets.web import LARGEST_BODY_BYTES
from tests.contract.certificates import Certificates
from tests.contract.loopback import Loopback, Reply, Request

HEALTH = {"database": "ok", "version": "11.2", "shards": [{"state": "STARTED"}], "cluster": {"green": True, "nodes": 3}}


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(lambda _: Reply(b"fine")) as loopback:
        yield loopback


async def checked(url: str, **options: Any) -> Evidence:
    return await http_ok.build(http_ok.Options.model_validate({"url": url, **options})).run()


async def answered(server: Loopback, reply: Reply, **options: Any) -> str:
    """`pass` or `fail` and the text, without the address and with every latency as N."""
    server.answer = lambda _: reply
    evidence = await checked(f"{server.url}/health", **options)
    text = evidence.text.removeprefix(f"{server.url}/health: ")
    return f"{evidence.outcome}: " + re.sub(r"in \d+ ms", "in N ms", text)


def as_json(value: Any) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


async def test_the_expected_status_passes(server: Loopback) -> None:
    assert await answered(server, Reply(b"fine")) == "pass: 200 in N ms"
    assert await answered(server, Reply(b"", 204), status=(200, 204)) == "pass: 204 in N ms"
    assert await answered(server, Reply(b"", 401), status=401) == "pass: 401 in N ms"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"database is down\n", 503), "503 Service Unavailable in N ms, expected 200: database is down"),
        (Reply(b"<html><title>Bad Gateway</title>", 502),
         '502 Bad Gateway in N ms, expected 200: a web page titled "Bad Gateway"'),
        (Reply(b"", 302, {"Location": "/login"}), "302 Found in N ms, expected 200; it redirects to /login"),
        (Reply(b"\x1b[31mdown\x1b[0m\x00", 500), "500 Internal Server Error in N ms, expected 200: down"),
        (Reply(b"x" * 5000, 500), f"500 Internal Server Error in N ms, expected 200: {'x' * 159}…"),
        (Reply(b"", 299, {}), "299 in N ms, expected 200"),
    ],
)  # fmt: skip
async def test_another_status_fails_with_what_was_said(server: Loopback, reply: Reply, said: str) -> None:
    assert await answered(server, reply) == f"fail: {said}"


async def test_redirects_are_followed_only_when_asked(server: Loopback) -> None:
    def answer(request: Request) -> Reply:
        return Reply(b"", 302, {"Location": "/there"}) if request.path == "/health" else Reply(b"fine")

    server.answer = answer
    assert (await checked(f"{server.url}/health")).outcome == "fail"
    assert (await checked(f"{server.url}/health", follow_redirects=True)).outcome == "pass"
    server.answer = lambda _: Reply(b"", 302, {"Location": "/again"})
    evidence = await checked(f"{server.url}/health", follow_redirects=True)
    assert (evidence.outcome, "redirects" in evidence.text) == ("fail", True)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"database": "ok"}, "pass: 200 in N ms"),
        ({"cluster": {"green": True, "nodes": 3}, "shards.0.state": "STARTED"}, "pass: 200 in N ms"),
        ({"database": "failing"}, 'fail: 200 in N ms, but database is "ok", expected "failing"'),
        ({"cluster.green": 1}, "fail: 200 in N ms, but cluster.green is true, expected 1"),
        ({"cluster": {"nodes": 5}, "replica": "ok"},
         'fail: 200 in N ms, but cluster.nodes is 3, expected 5; replica is missing, expected "ok"'),
        ({"shards.7.state": "STARTED"}, 'fail: 200 in N ms, but shards.7.state is missing, expected "STARTED"'),
    ],
)  # fmt: skip
async def test_values_of_the_json_are_compared(server: Loopback, wanted: dict[str, Any], said: str) -> None:
    assert await answered(server, as_json(HEALTH), json=wanted) == said


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"ok", "its body is not JSON: ok"),
        (b"", "its body is not JSON: it is empty"),
        (b"<html><title>Log in</title>", 'its body is not JSON: a web page titled "Log in"'),
        (b"[" * 100_000, f"its body is not JSON: {'[' * 159}…"),
        (b'{"database": "\\u001b[31mbad"}', 'database is "\\u001b[31mbad", expected "ok"'),
        (b"[1]", 'database is missing, expected "ok"'),
        (b" " * (LARGEST_BODY_BYTES + 1), "its body is longer than 1024 KiB"),
    ],
)
async def test_a_body_that_is_not_the_expected_json(server: Loopback, body: bytes, said: str) -> None:
    assert await answered(server, Reply(body), json={"database": "ok"}) == f"fail: 200 in N ms, but {said}"


async def test_an_endless_body_is_not_waited_for(server: Loopback) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    assert await answered(server, Reply(endless())) == "pass: 200 in N ms"


async def test_a_slow_answer_fails_when_there_is_a_limit(server: Loopback) -> None:
    options = http_ok.Options.model_validate({"url": server.url, "max_latency": "500ms"})
    for latency, outcome in ((2.44, "fail"), (0.5, "pass")):
        times = iter((10.0, 10.0 + latency))
        evidence = await http_ok.HttpOk(options, timer=lambda times=times: next(times)).run()
        assert evidence.outcome == outcome
        assert ("200 in 2.4 s, slower than 500 ms" in evidence.text) == (outcome == "fail")


async def test_nobody_there_fails(server: Loopback) -> None:
    server.stop()
    assert await answered(server, Reply()) == "fail: connection refused"
    assert (await checked("http://api-gateway.invalid/health")).text.endswith(": no such host")


async def test_no_answer_fails_in_time(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_ok, "LIMIT_SECONDS", 0.05)
    assert await answered(server, Reply(server.never())) == "fail: no answer within N ms"


async def test_whoever_runs_it_may_stop_waiting(server: Loopback) -> None:
    server.answer = lambda _: Reply(server.never())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await checked(server.url)


async def test_an_answer_that_breaks_off_fails(server: Loopback) -> None:
    reply = Reply(iter([b"half"]), headers={"Content-Length": "500"})
    assert await answered(server, reply) == "fail: it broke off its answer or does not speak HTTP"


async def test_a_key_in_the_address_is_not_shown(server: Loopback) -> None:
    server.answer = lambda _: Reply(b"", 500)
    assert "s3cret" not in (await checked(f"{server.url}/health?key=s3cret")).text


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("good", "pass: 200 in N ms"),
        ("expired", "fail: its certificate is not accepted: certificate has expired"),
        (
            "stranger",
            "fail: its certificate is not accepted: IP address mismatch, certificate is not valid for '127.0.0.1'.",
        ),
    ],
)
async def test_tls_is_verified(
    certificates: Certificates, name: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.other_authority))
    with Loopback(lambda _: Reply(), certificates.context(name)) as server:
        assert await answered(server, Reply(b"fine"), ca=str(certificates.authority)) == said
        unknown = await answered(server, Reply(b"fine"))
        assert unknown.startswith("fail: its certificate is not accepted: ")


async def test_authorities_that_are_not_there_leave_it_open(server: Loopback, tmp_path: Path) -> None:
    evidence = await checked(server.url, ca=str(tmp_path / "ca.pem"))
    assert evidence.outcome == "unknown"
    assert evidence.text.endswith("can't be used: no such file or directory")


@pytest.mark.parametrize(
    "options",
    [
        {"url": "api-gateway"}, {"url": "http://me:secret@api"}, {"url": "http://a", "status": 42},
        {"url": "http://a", "status": ()}, {"url": "http://a", "max_latency": "0s"}, {"url": "http://a", "headers": {}},
    ],
)  # fmt: skip
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        http_ok.Options.model_validate(options)


async def test_a_manual_check_is_never_answered_by_running_it() -> None:
    plain = await manual.build(manual.Options()).run()
    assert (plain.outcome, plain.text) == ("unknown", "to be signed by a person")
    told = await manual.build(manual.Options(instruction="Ask support for the count of the last hour.\n")).run()
    assert told.text == "to be signed by a person: Ask support for the count of the last hour."
