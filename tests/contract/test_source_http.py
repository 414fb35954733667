"""The trigger source `http`: an address that doesn't answer as it should is a value, and the reason reaches people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import Failed
from console.engine.ports import Reading
from console.metrics import http
from tests.contract.certificates import Certificates
from tests.contract.loopback import Loopback, Reply, Request


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(lambda _: Reply(b'{"database": "ok"}')) as loopback:
        yield loopback


def source(**options: Any) -> http.HttpHealth:
    return http.HttpHealth(http.Options.model_validate(options))


def values(reading: Reading) -> dict[str, float]:
    assert all([name for name, _ in sample.labels] == ["url"] for sample in reading.samples)
    return {sample.labels[0][1]: sample.value for sample in reading.samples}


async def told(server: Loopback, reply: Reply, **options: Any) -> tuple[float, str]:
    """The value, and the warning without the address and with every time in milliseconds as N."""
    server.answer = lambda _: reply
    reading = await source(url=f"{server.url}/health", **options).now()
    (value,) = values(reading).values()
    warning = "; ".join(reading.warnings).removeprefix(f"{server.url}/health: ")
    return value, re.sub(r"(in|within) \d+ ms", r"\1 N ms", warning)


async def test_a_healthy_answer_is_0_and_nothing_is_told(server: Loopback) -> None:
    assert await told(server, Reply(b"fine")) == (0, "")
    assert await told(server, Reply(b"", 204), status=(200, 204)) == (0, "")
    assert await told(server, Reply(b'{"database": "ok"}'), json={"database": "ok"}, max_latency="9s") == (0, "")


@pytest.mark.parametrize(
    ("reply", "options", "said"),
    [
        (Reply(b"no database\n", 503), {}, "503 Service Unavailable in N ms, expected 200: no database"),
        (Reply(b"", 302, {"Location": "/login"}), {}, "302 Found in N ms, expected 200; it redirects to /login"),
        (Reply(b'{"database": "failing"}'), {"json": {"database": "ok"}},
         '200 in N ms, but database is "failing", expected "ok"'),
        (Reply(b"", hang_up=True), {}, "it broke off its answer or does not speak HTTP"),
        (Reply(b"\x1b]52;c;aGk=\x07down\x1b[2J", 500), {}, "500 Internal Server Error in N ms, expected 200: down"),
    ],
)  # fmt: skip
async def test_another_answer_is_1_with_the_reason(
    server: Loopback, reply: Reply, options: dict[str, Any], said: str
) -> None:
    assert await told(server, reply, **options) == (1, said)


async def test_an_answer_that_is_too_slow_is_1(server: Loopback) -> None:
    assert await told(server, Reply(server.never()), timeout="100ms") == (1, "no answer within N ms")
    value, said = await told(server, Reply(b"fine"), max_latency="1ms")
    assert (value, said.endswith("slower than 1 ms")) == (1, True)


async def test_nobody_there_is_1_and_not_a_source_that_fails(server: Loopback) -> None:
    server.stop()
    assert await told(server, Reply()) == (1, "connection refused")
    reading = await source(url="http://api-gateway.invalid/health").now()
    assert list(values(reading).values()) == [1]
    assert reading.warnings == ("http://api-gateway.invalid/health: no such host",)


async def test_a_certificate_that_is_not_accepted_is_1(tmp_path_factory: pytest.TempPathFactory) -> None:
    certificates = Certificates(tmp_path_factory.mktemp("certificates"))
    with Loopback(lambda _: Reply(), certificates.context("expired")) as server:
        said = "its certificate is not accepted: certificate has expired"
        assert await told(server, Reply(b"fine"), ca=str(certificates.authority)) == (1, said)


async def test_each_address_is_a_series_of_one_moment(server: Loopback) -> None:
    def answer(request: Request) -> Reply:
        return Reply(b"") if request.path == "/a" else Reply(b"", 500)

    server.answer = answer
    reading = await source(urls=(f"{server.url}/a", f"{server.url}/b")).now()
    assert values(reading) == {f"{server.url}/a": 0, f"{server.url}/b": 1}
    assert len({sample.at for sample in reading.samples}) == 1
    assert len(reading.warnings) == 1


async def test_addresses_are_asked_side_by_side(server: Loopback) -> None:
    """Each waits until the other has been asked as well."""
    server.answer = lambda _: Reply(b"", 200 if _wait_for(server, 2) else 500)
    reading = await source(urls=(f"{server.url}/a", f"{server.url}/b"), timeout="5s").now()
    assert list(values(reading).values()) == [0, 0]


def _wait_for(server: Loopback, requests: int) -> bool:
    for _ in range(400):
        if len(server.requests) >= requests:
            return True
        server.released.wait(0.01)
    return False


async def test_of_many_addresses_the_first_reasons_are_told_and_the_others_counted(server: Loopback) -> None:
    server.answer = lambda _: Reply(b"", 500)
    reading = await source(urls=tuple(f"{server.url}/{i}" for i in range(12))).now()
    assert sum(sample.value for sample in reading.samples) == 12
    assert len(reading.warnings) == http.MOST_TOLD + 1
    assert reading.warnings[-1] == "… and 7 more addresses"


async def test_every_look_opens_a_connection_of_its_own(server: Loopback) -> None:
    asking = source(url=server.url)
    for _ in range(3):
        await asking.now()
    assert server.connections == 3


async def test_a_key_in_the_address_is_neither_label_nor_warning_nor_query(server: Loopback) -> None:
    server.answer = lambda _: Reply(b"", 500)
    urls = (f"{server.url}/health?key=s3cret", f"{server.url}/health?key=0ther")
    asking = source(urls=urls)
    reading = await asking.now()
    assert values(reading) == {f"{server.url}/health (1)": 1, f"{server.url}/health (2)": 1}
    assert "key" not in str(reading)
    assert "key" not in asking.query


async def test_a_secret_header_is_sent_and_never_shown(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTH_TOKEN", "hunter2hunter2")
    server.answer = lambda request: Reply(request.headers["Authorization"].encode(), 500)
    headers = {"Authorization": {"env": "HEALTH_TOKEN", "prefix": "Bearer "}}
    reading = await source(url=server.url, headers=headers).now()
    assert server.requests[0].headers["Authorization"] == "Bearer hunter2hunter2"
    assert "expected 200: Bearer •••" in reading.warnings[0]


async def test_what_the_console_lacks_itself_is_a_source_that_fails(server: Loopback, tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"ca\.pem can't be used: no such file or directory"):
        await source(url=server.url, ca=str(tmp_path / "ca.pem")).now()
    with pytest.raises(Failed, match="header X-Token: secret from environment variable ABSENT: it is not set"):
        await source(url=server.url, headers={"X-Token": {"env": "ABSENT"}}).now()
    assert server.requests == []


async def test_without_a_way_out_the_source_fails_unless_an_address_is_known_to_be_bad(
    server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = http.health_of

    async def without_a_way_to_b(client: Any, url: str, *arguments: Any, **named: Any) -> Any:
        if url.endswith("/b"):
            raise http.NotAsked("network is unreachable")
        return await real(client, url, *arguments, **named)

    monkeypatch.setattr(http, "health_of", without_a_way_to_b)
    asking = source(urls=(f"{server.url}/a", f"{server.url}/b"))
    with pytest.raises(Failed, match="/b can't be asked from here: network is unreachable"):
        await asking.now()
    server.answer = lambda _: Reply(b"", 500)
    reading = await asking.now()
    assert values(reading) == {f"{server.url}/a": 1}
    assert reading.warnings[1].endswith("/b can't be asked from here: network is unreachable")


async def test_it_has_no_past(server: Loopback) -> None:
    assert await source(url=server.url).past(3600, 15) == Reading(())
    assert server.requests == []


@pytest.mark.parametrize(
    "options",
    [
        {}, {"url": "http://a", "urls": ("http://b",)}, {"urls": ()}, {"urls": ("http://a", "http://a")},
        {"url": "http://a", "timeout": "10s"}, {"url": "http://me:secret@a"}, {"url": "http://a", "status": 42},
        {"url": "http://a", "headers": {"Authorization": "Bearer x"}},
        {"url": "http://a", "headers": {"X-Key": {"env": "K"}}, "follow_redirects": True},
    ],
)  # fmt: skip
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        http.Options.model_validate(options)
