"""Answers that a Prometheus, or whatever stands in front of it, may give on a bad day; and the way to it."""

from __future__ import annotations

import asyncio
import gzip
import math
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from console.config.secrets import SecretReference
from console.domain.errors import Failed
from console.engine.ports import Reading
from console.metrics import prometheus as metrics
from console.targets import prometheus as targets
from console.targets import prometheus_clock as clocks
from tests.contract.certificates import Certificates
from tests.contract.loopback import Loopback, Reply, Request
from tests.contract.prometheus_contract import refusal, success

NOW = 1_772_000_000.0
ONE = [{"metric": {"__name__": "p95"}, "value": [NOW, "34.2"]}]


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(lambda _: success("vector", ONE)) as loopback:
        yield loopback


def source(url: str, **options: Any) -> metrics.PrometheusSource:
    target = targets.PrometheusTarget("prom", targets.Options(url=url, **options))
    return metrics.PrometheusSource(metrics.Options(query="p95"), target)


async def answered(server: Loopback, reply: Reply, **options: Any) -> Reading:
    server.answer = lambda _: reply
    return await source(server.url, **options).now()


async def failure(server: Loopback, reply: Reply, **options: Any) -> str:
    """What is said about an answer, without the server's name."""
    with pytest.raises(Failed) as failed:
        await answered(server, reply, **options)
    where, _, said = str(failed.value).partition("): ")
    assert where == f"Prometheus prom ({server.url}"
    return said


# ---------------------------------------------------------------- what the server says


async def test_warnings_and_infos_are_kept(server: Loopback) -> None:
    reading = await answered(
        server, success("vector", ONE, warnings=["store missing"], infos=["metric might be a gauge"])
    )
    assert reading.warnings == ("store missing", "metric might be a gauge")
    assert [s.value for s in reading.samples] == [34.2]


async def test_warnings_of_one_answer_do_not_stay_for_the_next(server: Loopback) -> None:
    asking = source(server.url)
    server.answer = lambda _: success("vector", ONE, warnings=["store missing"])
    assert (await asking.now()).warnings
    server.answer = lambda _: success("vector", ONE)
    assert (await asking.now()).warnings == ()


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (refusal("bad_data", "parse error"), "it refuses the query: parse error"),
        (refusal("execution", "many-to-many matching", 422), "it can't carry out the query: many-to-many matching"),
        (refusal("timeout", "query timed out", 503), "it can't answer now (503): query timed out"),
        (Reply(b"no token", 401), "it asks for credentials (401): no token"),
        (Reply(b"", 403), "it does not let these credentials read (403): an empty body"),
        (Reply(b"404 page not found\n", 404), "no query API at this address (404): 404 page not found"),
        (Reply(b"", 502), "it answers 502 Bad Gateway: an empty body"),
        (Reply(b"<html><title>502 Bad &amp; Gateway</title>", 502),
         'it answers 502 Bad Gateway: a web page titled "502 Bad & Gateway"'),
        (Reply(b"<!DOCTYPE html><title> Sign\n in </title><body>"),
         'a web page titled "Sign in" instead of an answer: is there a login page or a proxy in between?'),
        (Reply(b"", 302, {"Location": "https://sso/login"}),
         "it redirects to https://sso/login; write that address as its url"),
        (Reply(b""), "not the answer of a Prometheus: an empty body"),
        (Reply(b"[1, 2]"), "not the answer of a Prometheus: [1, 2]"),
        (Reply(b"[" * 100_000), f"not the answer of a Prometheus: {'[' * 159}…"),
        (Reply(b'{"status": "success", "data": null}'),
         'not the answer of a Prometheus: {"status": "success", "data": null}'),
        (Reply(b"\xff\xfe\x00"), "not the answer of a Prometheus: ��"),
        (success("vector", [{"metric": {}, "value": [NOW]}]), "an answer that is not understood (ValueError)"),
        (success("vector", [{"metric": {}, "value": ["now", "1"]}]), "an answer that is not understood (TypeError)"),
        (success("vector", [{"metric": {}, "value": [1e300, "1"]}]), "an answer that is not understood (OverflowError)"),
        (success("vector", [{"metric": {}, "value": [NOW, "many"]}]), "an answer that is not understood (ValueError)"),
        (success("vector", [{"metric": 3, "value": [NOW, "1"]}]), "an answer that is not understood (TypeError)"),
        (success("vector", ["p95"]), "an answer that is not understood (TypeError)"),
        (Reply(b'{"status": "success", "data": {"result": {}}}'),
         'not the answer of a Prometheus: {"status": "success", "data": {"result": {}}}'),
    ],
)  # fmt: skip
async def test_every_other_answer_fails_with_a_line_for_people(server: Loopback, reply: Reply, said: str) -> None:
    assert await failure(server, reply) == said


async def test_after_a_failure_the_next_answer_counts(server: Loopback) -> None:
    asking = source(server.url)
    server.answer = lambda _: refusal("timeout", "query timed out", 503)
    with pytest.raises(Failed):
        await asking.now()
    server.answer = lambda _: success("vector", ONE)
    assert [s.value for s in (await asking.now()).samples] == [34.2]


async def test_numbers_that_are_none(server: Loopback) -> None:
    values = ["NaN", "+Inf", "-Inf", "0x1p3"]
    replies = [success("vector", [{"metric": {}, "value": [NOW, value]}]) for value in values]
    assert math.isnan((await answered(server, replies[0])).samples[0].value)
    assert [(await answered(server, reply)).samples[0].value for reply in replies[1:3]] == [math.inf, -math.inf]
    assert "ValueError" in await failure(server, replies[3])


async def test_native_histograms_are_left_out_with_a_word(server: Loopback) -> None:
    histogram = {"metric": {}, "histogram": [NOW, {"count": "3", "sum": "1"}]}
    reading = await answered(server, success("vector", [histogram, *ONE]))
    assert [s.value for s in reading.samples] == [34.2]
    assert reading.warnings == ("1 native histograms left out: let the query make a number of them",)


async def test_nothing_from_outside_comes_in_unclean(server: Loopback) -> None:
    hostile = "\x1b]52;c;ZXZpbA==\x07\x1b[31mred\x1b[0m\u202e\x9b2J\r\nline"
    labels = {"route": hostile, f"l{hostile}": "x" * 500, "__name__": "p95"}
    reading = await answered(server, success("vector", [{"metric": labels, "value": [NOW, "1"]}], warnings=[hostile]))
    assert reading.warnings == ("red line",)
    assert dict(reading.samples[0].labels)["route"] == "red line"
    assert dict(reading.samples[0].labels)["lred line"] == "x" * 79 + "…"
    assert await failure(server, refusal("bad_data", hostile)) == "it refuses the query: red line"
    assert await failure(server, Reply(hostile.encode(), 500)) == "it answers 500 Internal Server Error: red line"
    assert "red" in await failure(server, Reply(b"", 307, {"Location": "/\x1b[31mred"}))


# ---------------------------------------------------------------- size and time


async def test_an_endless_answer_is_cut_off(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "LARGEST_ANSWER_BYTES", 1024 * 1024)

    def endless() -> Iterator[bytes]:
        while True:
            yield b" " * 65_536

    assert await failure(server, Reply(endless())) == ("an answer of more than 1 MiB; let the query give fewer series")


async def test_a_small_answer_that_unpacks_to_a_huge_one_is_cut_off(server: Loopback) -> None:
    bomb = gzip.compress(b" " * (targets.LARGEST_ANSWER_BYTES + 1))
    assert len(bomb) < 100_000
    assert "more than 8 MiB" in await failure(server, Reply(bomb, headers={"Content-Encoding": "gzip"}))


async def test_packed_answers_are_understood(server: Loopback) -> None:
    packed = gzip.compress(bytes(success("vector", ONE).body))
    assert (await answered(server, Reply(packed, headers={"Content-Encoding": "gzip"}))).samples[0].value == 34.2


async def test_a_server_that_says_nothing(server: Loopback) -> None:
    assert await failure(server, Reply(server.never()), timeout="50ms") == "no answer within 50 ms"


async def test_a_server_that_drips(server: Loopback) -> None:
    def drops() -> Iterator[bytes]:
        while not server.released.wait(0.01):
            yield b" "

    assert await failure(server, Reply(drops()), timeout="100ms") == "no complete answer within 100 ms"


async def test_an_answer_that_breaks_off(server: Loopback) -> None:
    reply = Reply(iter([b'{"status"']), headers={"Content-Length": "500"})
    assert await failure(server, reply) == "it broke off its answer or does not speak HTTP"


async def test_waiting_does_not_stop_the_event_loop(server: Loopback) -> None:
    server.answer = lambda _: Reply(server.never())
    waiting = asyncio.create_task(source(server.url, timeout="5s").now())
    while not server.requests:  # noqa: ASYNC110 - a loop that stood still would come here when the call has failed
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_target_that_hangs_for_good_says_so(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "MOST_REQUESTS_AT_ONCE", 1)
    server.answer = lambda _: Reply(server.never())
    asking = source(server.url, timeout="400ms")
    first = asyncio.create_task(asking.now())
    await asyncio.sleep(0)
    with pytest.raises(Failed, match="1 earlier requests have not come back"):
        await asking.now()
    first.cancel()


async def test_the_server_is_told_how_long_it_may_take(server: Loopback) -> None:
    await source(server.url, timeout="1.5s").now()
    assert server.requests[0].parameters == {"query": "p95", "timeout": "1.500"}


async def test_connections_are_kept_and_never_shared(server: Loopback) -> None:
    asking = source(server.url)
    for _ in range(3):
        await asking.now()
    assert server.connections == 1
    await asyncio.gather(*(asking.now() for _ in range(5)))
    assert 1 <= server.connections <= 5


async def test_a_closed_target_keeps_no_connection(server: Loopback) -> None:
    target = targets.PrometheusTarget("prom", targets.Options(url=server.url))
    await target.query("p95")
    await target.close()
    await target.query("p95")
    assert server.connections == 2


# ---------------------------------------------------------------- clocks


@pytest.mark.parametrize("ahead", [3600.0, -90.0])
async def test_another_clock_is_noticed_and_made_up_for(server: Loopback, ahead: float) -> None:
    theirs = datetime.now(UTC) + timedelta(seconds=ahead)
    server.date = format_datetime(theirs, usegmt=True)
    server.answer = lambda _: success("vector", [{"metric": {}, "value": [theirs.timestamp(), "1"]}])
    reading = await source(server.url).now()
    assert abs((datetime.now(UTC) - reading.samples[0].at).total_seconds()) < 3
    assert "this machine's" in reading.warnings[0]
    assert ("ahead of" if ahead > 0 else "behind") in reading.warnings[0]


async def test_the_past_is_asked_for_by_the_servers_clock(server: Loopback) -> None:
    theirs = datetime.now(UTC) + timedelta(hours=1)
    server.date = format_datetime(theirs, usegmt=True)
    server.answer = lambda _: success("matrix", [])
    await source(server.url).past(60, 10)
    assert [round(float(r.parameters["end"]) - theirs.timestamp(), -1) for r in server.requests] == [-3600.0, 0.0]


async def test_a_clock_that_is_nearly_right_is_left_alone(server: Loopback) -> None:
    server.date = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    reading = await source(server.url).now()
    assert reading.warnings == ()
    assert reading.samples[0].at == datetime.fromtimestamp(NOW, UTC)


def dated(evaluated: float) -> Reply:
    return success("vector", [{"metric": {}, "value": [evaluated, "1"]}])


@pytest.mark.parametrize("ahead", [300.0, -300.0])
async def test_a_clock_that_is_off_is_noticed_behind_a_proxy_with_a_right_one(server: Loopback, ahead: float) -> None:
    server.answer = lambda _: dated(time.time() + ahead)
    reading = await source(server.url).now()
    assert len(server.requests) == 2  # it asked again, and that evaluation was a later one
    assert abs((datetime.now(UTC) - reading.samples[0].at).total_seconds()) < 3
    way = "ahead of" if ahead > 0 else "behind"
    assert re.fullmatch(rf"its clock is (5 m|4 m 59 s) {way} this machine's", reading.warnings[0])


async def test_an_old_answer_that_is_given_again_and_again_stays_old(server: Loopback) -> None:
    made = time.time() - 600
    server.answer = lambda _: dated(made)
    asking = source(server.url)
    for _ in range(3):
        reading = await asking.now()
        assert reading.samples[0].at.timestamp() == pytest.approx(made, abs=0.001)
        assert reading.warnings == ()
    assert len(server.requests) == 4  # asked again once only


async def test_an_old_answer_with_its_old_date_is_believed_once_at_most(server: Loopback) -> None:
    made = datetime.now(UTC) - timedelta(seconds=600)
    server.date = format_datetime(made, usegmt=True)
    server.answer = lambda _: dated(made.timestamp())
    asking = source(server.url)
    await asking.now()
    await asyncio.sleep(0.01)
    assert (await asking.now()).samples[0].at.timestamp() == pytest.approx(made.timestamp(), abs=0.001)


async def test_a_clock_that_is_put_right_again_is_noticed(server: Loopback) -> None:
    asking, ahead = source(server.url), [300.0]
    server.answer = lambda _: dated(time.time() + ahead[0])
    assert (await asking.now()).warnings
    ahead[0] = 0.0
    reading = await asking.now()
    assert reading.warnings == ()
    assert abs((datetime.now(UTC) - reading.samples[0].at).total_seconds()) < 3


async def test_a_slow_answer_is_no_clock_that_is_behind(server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "CLOCK_TOLERANCE_SECONDS", 0.05)

    def slow(_: Request) -> Reply:
        began = time.time()
        server.released.wait(0.3)
        return dated(began)

    server.answer = slow
    assert (await source(server.url).now()).warnings == ()


# ---------------------------------------------------------------- the way to it


async def test_a_token_is_sent_and_never_shown(server: Loopback, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cr3t-t0ken\n")
    token = SecretReference(file=tmp_path / "token")
    await source(server.url, token=token).now()
    assert server.requests[0].headers["Authorization"] == "Bearer s3cr3t-t0ken"
    said = await failure(server, Reply(b"invalid token s3cr3t-t0ken", 401), token=token)
    assert said == "it asks for credentials (401): invalid token •••"


async def test_a_renewed_token_is_found_after_the_old_one_was_refused(server: Loopback, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old-token")
    asking = source(server.url, token=SecretReference(file=file))
    server.answer = lambda r: (
        success("vector", ONE) if r.headers["Authorization"] == "Bearer new-token" else Reply(b"expired", 401)
    )
    with pytest.raises(Failed, match="expired"):
        await asking.now()
    file.write_text("new-token")
    assert (await asking.now()).samples


async def test_one_refusal_renews_every_connection(server: Loopback, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old-token")
    asking = source(server.url, token=SecretReference(file=file))
    together = threading.Barrier(3)

    def answer(_: Request) -> Reply:
        together.wait(10)
        return success("vector", [{"metric": {}, "value": [time.time(), "34.2"]}])

    server.answer = answer
    await asyncio.gather(*(asking.now() for _ in range(3)))
    server.answer = lambda _: Reply(b"expired", 401)
    with pytest.raises(Failed):
        await asking.now()
    file.write_text("new-token")
    server.answer = answer
    await asyncio.gather(*(asking.now() for _ in range(3)))
    assert {request.headers["Authorization"] for request in server.requests[-3:]} == {"Bearer new-token"}


async def test_a_user_and_a_password(server: Loopback, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pässword")
    await source(server.url, username="ops", password=SecretReference(file=tmp_path / "password")).now()
    assert server.requests[0].headers["Authorization"] == "Basic b3BzOnDDpHNzd29yZA=="


@pytest.mark.parametrize("content", ["two\nlines", "ünïcode"])
async def test_a_token_that_no_header_can_carry(server: Loopback, tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    said = await failure(server, Reply(), token=SecretReference(file=tmp_path / "token"))
    assert said == "its token holds characters that a header can't carry"


async def test_a_secret_that_is_not_there(server: Loopback, tmp_path: Path) -> None:
    said = await failure(server, Reply(), token=SecretReference(file=tmp_path / "token"))
    assert "no such file or directory" in said
    assert server.requests == []


async def test_the_environment_neither_sends_secrets_nor_decides_whom_to_trust(
    server: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    (tmp_path / "token").write_text("ours-and-no-other")
    await source(server.url, token=SecretReference(file=tmp_path / "token")).now()
    assert server.requests[0].headers["Authorization"] == "Bearer ours-and-no-other"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


async def test_tls_is_verified_with_the_authorities_of_the_file(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates.other_authority))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificates.other_authority))
    with Loopback(lambda _: success("vector", ONE), certificates.context("good")) as server:
        assert (await source(server.url, ca=str(certificates.authority)).now()).samples
        for trusted in ({}, {"ca": str(certificates.other_authority)}):
            said = await failure(server, success("vector", ONE), **trusted)
            assert said.startswith("its certificate is not accepted: ")


async def test_an_expired_certificate_is_called_so(certificates: Certificates) -> None:
    with Loopback(lambda _: Reply(), certificates.context("expired")) as server:
        said = await failure(server, Reply(), ca=str(certificates.authority))
    assert said == "its certificate is not accepted: certificate has expired"


async def test_a_certificate_for_another_name_is_called_so(certificates: Certificates) -> None:
    with Loopback(lambda _: Reply(), certificates.context("stranger")) as server:
        said = await failure(server, Reply(), ca=str(certificates.authority))
    assert said.startswith("its certificate is not accepted: IP address mismatch")


async def test_a_server_without_tls_where_tls_is_expected(server: Loopback) -> None:
    with pytest.raises(Failed, match="it does not speak TLS at this port"):
        await source(server.url.replace("http:", "https:")).now()


async def test_a_host_that_does_not_exist() -> None:
    with pytest.raises(Failed, match="no such host"):
        await source("http://prometheus.invalid:9090").now()


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    "options",
    [
        {"url": "prometheus:9090"}, {"url": "ftp://prometheus"}, {"url": "http://"}, {"url": "http://[::1"},
        {"url": "http://user:secret@prometheus"}, {"url": "http://prom etheus"}, {"url": "http://p", "username": "ops"},
        {"url": "http://p", "token": {"env": "T"}, "username": "ops", "password": {"env": "P"}},
        {"url": "http://p", "timeout": "0s"}, {"url": "http://p", "retries": 3},
    ],
)  # fmt: skip
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        targets.Options.model_validate(options)


def test_a_path_in_the_address_is_kept() -> None:
    with Loopback(lambda _: success("vector", ONE)) as server:
        asyncio.run(source(f"{server.url}/prometheus/").now())
        assert server.requests[0].path == "/prometheus/api/v1/query"


def test_importing_the_kind_does_not_import_the_client() -> None:
    code = (
        "import sys, console.metrics.prometheus, console.checks.http_ok;"
        "print([m for m in ('requests', 'urllib3', 'httpx', 'prometheus_api_client') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
