"""What every channel that speaks HTTP promises: delivered once, certainly not, or nobody can say. By the drill's sinks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import ConsoleError, Refused, Undelivered, Unknown
from console.engine.ports import Message, Notifier
from console.sandbox.web import Sinks, Site
from console.targets.pace import Pace
from tests.contract.certificates import Certificates
from tests.contract.channels import (
    CHANNELS,
    FORBIDDEN,
    HOSTILE,
    SECRETS,
    Fate,
    Front,
    InstantClock,
    channel,
    message,
    permit_for,
    taken,
    texts_in,
)
from tests.contract.loopback import Loopback, Reply, Request

ANSWERED = {
    "slack-webhook": "ok",
    "slack-token": "ok, message ",
    "webhook": "201 Created: key is INC-1",
    "statuspage": "incident drill0000000 opened",
    "pagerduty": "202 Accepted",
}
SETTLES = ("statuspage", "pagerduty")
"""Those where a lost answer does not leave the question open."""


@dataclass
class Bench:
    """One channel, its sink, and the front between them."""

    kind: str
    sinks: Sinks
    front: Front
    monkeypatch: pytest.MonkeyPatch

    @property
    def url(self) -> str:
        return self.front.server.url

    def channel(self, url: str = "", **options: Any) -> Notifier:
        self.monkeypatch.setenv("SLACK_WEBHOOK", f"{url or self.url}/slack")
        return channel(self.kind, url or self.url, **options)

    async def send(self, told: Message | None = None, **options: Any) -> str:
        told = told or message()
        return await self.channel(**options).send(told, permit_for(told))


@pytest.fixture(params=CHANNELS)
async def bench(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    sinks = Sinks()
    async with Site(sinks.app()) as site:
        front = Front(site.url)
        with front.server:
            yield Bench(request.param, sinks, front, monkeypatch)


async def test_a_message_is_delivered_once_and_the_answer_told(bench: Bench) -> None:
    assert (await bench.send()).startswith(ANSWERED[bench.kind])
    assert (len(bench.sinks.received), len(bench.front.sent)) == (1, 1)
    text = "\n".join(texts_in(taken(bench.sinks)))
    assert "p95 is back" in text
    assert "The dashboard was rolled back.\nSoaking." in text


# ------------------------------------------------------------ certainly not delivered


async def test_too_many_requests_may_be_sent_again_when_the_service_says_so(bench: Bench) -> None:
    bench.front.reply = Reply(b"rate_limited", 429, {"Retry-After": "7"})
    with pytest.raises(Undelivered) as raised:
        await bench.send()
    assert (raised.value.retry, raised.value.after_seconds) == (True, 7.0)
    assert len(bench.front.sent) == 1


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("", None), ("soon", None), ("-5", None), ("1e9", None), ("9" * 5000, None), ("999999999", 86_400.0),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("Wed, 21 Oct 2115 07:28:00 GMT", 86_400.0)],
    ids=["nothing", "words", "negative", "a float", "a flood", "years", "the past", "the far future"],
)  # fmt: skip
async def test_a_retry_after_that_makes_no_sense_does_no_harm(bench: Bench, said: str, seconds: float | None) -> None:
    bench.front.reply = Reply(b"", 429, {"Retry-After": said})
    with pytest.raises(Undelivered) as raised:
        await bench.send()
    assert (raised.value.retry, raised.value.after_seconds) == (True, seconds)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
async def test_a_message_that_is_turned_away_is_not_sent_again_by_itself(bench: Bench, status: int) -> None:
    bench.front.reply = Reply(b'{"error": "not this one"}', status)
    with pytest.raises(Undelivered, match=f"{status} .*not this one") as raised:
        await bench.send()
    assert (raised.value.retry, len(bench.front.sent)) == (False, 1)
    assert "nothing was delivered" in raised.value.hint


async def test_a_redirect_is_followed_nowhere(bench: Bench) -> None:
    with Loopback(lambda _: Reply(b"ok")) as elsewhere:
        bench.front.reply = Reply(b"", 307, {"Location": elsewhere.url})
        with pytest.raises(Undelivered) as raised:
            await bench.send()
        assert not elsewhere.requests
    assert (raised.value.retry, raised.value.hint) == (
        False, "redirects are not followed; write the new address into the file",
    )  # fmt: skip


async def test_where_nobody_listens_nothing_is_delivered_and_it_may_be_tried_again(bench: Bench) -> None:
    bench.front.server.stop()
    with pytest.raises(Undelivered, match="connection refused") as raised:
        await bench.send()
    assert raised.value.retry


async def test_a_certificate_that_does_not_hold_stops_it_before_a_byte_leaves(bench: Bench, tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with Loopback(lambda _: Reply(b"ok"), certificates.context("stranger")) as server:
        with pytest.raises(Undelivered, match="certificate is not accepted") as raised:
            await bench.send(url=server.url, ca=certificates.authority)
        assert (raised.value.retry, server.requests) == (True, [])


async def test_authorities_that_can_not_be_read_are_named(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(Undelivered, match=r"nowhere\.pem can't be used") as raised:
        await bench.send(ca=tmp_path / "nowhere.pem")
    assert (raised.value.retry, bench.front.server.connections) == (False, 0)


async def test_a_secret_that_can_not_be_had_is_named_and_nothing_sent(bench: Bench) -> None:
    made = bench.channel()
    for name in ("SLACK_WEBHOOK", *SECRETS):
        bench.monkeypatch.delenv(name)
    with pytest.raises(Undelivered, match=r"secret from environment variable [A-Z_]+: it is not set"):
        await made.send(message(), permit_for(message()))
    assert bench.front.server.connections == 0


@pytest.mark.parametrize("forged", ["none", "a look-alike", "for another notice", "for another message"])
async def test_without_the_gateways_permit_nothing_is_sent(bench: Bench, forged: str) -> None:
    class LookAlike:
        step, op, change = message().notice, message().op, ""

    permits: dict[str, Any] = {
        "none": None,
        "a look-alike": LookAlike(),
        "for another notice": permit_for(message(notice="executives")),
        "for another message": permit_for(message(op="op-other")),
    }
    with pytest.raises(Refused, match="permit"):
        await bench.channel().send(message(), permits[forged])
    assert bench.front.server.connections == 0


# ------------------------------------------------------------ nobody can say


@pytest.mark.parametrize("status", [302, 303, 500, 502, 503, 504])
async def test_an_error_after_the_message_was_sent_leaves_it_open(bench: Bench, status: int) -> None:
    bench.front.reply = Reply(b"upstream broke", status)
    with pytest.raises(Unknown, match=f"{status} ") as raised:
        await bench.send()
    assert raised.value.hint.startswith("it may have arrived")


async def test_a_connection_that_ends_after_reading_leaves_it_open(bench: Bench) -> None:
    bench.front.fates = ["lose"] * 5
    with pytest.raises(Unknown, match=r"it closed the connection|broke off its answer"):
        await bench.send()
    assert not bench.sinks.received


@pytest.mark.parametrize("fate", ["swallow", "hang"])
async def test_a_lost_answer_never_delivers_twice(bench: Bench, fate: Fate) -> None:
    bench.front.fates = [fate]
    if bench.kind in SETTLES:
        await bench.send(seconds="300ms")
    else:
        with pytest.raises(Unknown):
            await bench.send(seconds="300ms")
        assert len(bench.front.sent) == 1
    assert len(bench.sinks.received) == 1


async def test_no_answer_in_time_is_said(bench: Bench) -> None:
    bench.front.reply = lambda _: Reply(bench.front.server.never())
    with pytest.raises(Unknown, match="no answer in time"):
        await bench.send(seconds="200ms")


# ------------------------------------------------------------ what comes back


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_an_answer_without_end_is_read_no_further_than_it_has_to_be(bench: Bench, status: int) -> None:
    asked = 0

    def flood(_: Request) -> Reply:
        def pieces() -> Any:
            nonlocal asked
            for _ in range(4096):
                asked += 1
                yield b"x" * 65_536

        return Reply(pieces(), status)

    bench.front.reply = flood
    try:
        said = await bench.send()
    except ConsoleError as error:
        said = str(error)
    assert len(said) < 600
    assert asked < 600  # of 4096, over all tries; the rest is what sockets hold


@pytest.mark.parametrize("status", [200, 202, 400, 429, 500])
@pytest.mark.parametrize(
    "body",
    [
        HOSTILE.encode("utf-8", "surrogatepass"),
        b"[" * 100_000,
        b'{"ok": "yes", "status": 7, "id": {"a": 1}}',
        b"\xff\xfe\x00",
        b"null",
    ],
    ids=["hostile text", "deep JSON", "wrong types", "no text", "null"],
)
async def test_whatever_it_answers_is_one_clean_line(bench: Bench, status: int, body: bytes) -> None:
    bench.front.reply = Reply(body, status)
    try:
        said = await bench.send()
    except (Undelivered, Unknown) as error:
        said = str(error)
    assert said.isprintable(), repr(said)
    assert len(said) < 600


async def test_secrets_are_in_no_error_even_where_the_service_repeats_them(bench: Bench) -> None:
    padding = "x" * 120  # an excerpt would end within the secret

    def echo(request: Request) -> Reply:
        return Reply(f"{padding} {request.path} {dict(request.headers)} {request.body!r}".encode(), 400)

    made = bench.channel()
    bench.monkeypatch.setenv("SLACK_WEBHOOK", f"{bench.url}/services/T0001/B0001/hunter2-and-more")
    bench.front.reply = echo
    with pytest.raises(Undelivered) as raised:
        await made.send(message(), permit_for(message()))
    everything = f"{raised.value} {made.destination} {made!r}"
    for secret in (*SECRETS.values(), "hunter2-and-more"):
        assert secret[:6] not in everything


# ------------------------------------------------------------ what arrives


async def test_hostile_facts_arrive_harmless(bench: Bench) -> None:
    await bench.send(message(subject=HOSTILE, text=HOSTILE, title=HOSTILE))
    for text in texts_in(taken(bench.sinks)):
        assert not any(bad in text for bad in FORBIDDEN), repr(text)
        text.encode()  # no lone surrogate
    for request in bench.front.sent:
        assert all("\n" not in value and "Bcc" not in value for value in request.headers.values())


@pytest.mark.parametrize("character", ["x", "<", "\n", "\U0001f6a8", "x\n"])
async def test_100_000_characters_are_taken_shortened_where_the_channel_says_so(bench: Bench, character: str) -> None:
    made = bench.channel()
    told = message(text=character * (100_000 // len(character)))
    await made.send(told, permit_for(told))
    assert len(bench.sinks.received) == 1
    assert made.longest is not None


async def test_a_text_as_long_as_the_channel_says_arrives_whole(bench: Bench) -> None:
    made = bench.channel()
    assert made.longest is not None
    words = "".join(f"{number:06d} word\n" for number in range(made.longest // 12))
    told = message(text=words)
    await made.send(told, permit_for(told))
    arrived = "".join(texts_in(taken(bench.sinks)))
    for number in range(made.longest // 12):
        assert f"{number:06d} word" in arrived


async def test_a_message_without_a_word_still_has_a_subject(bench: Bench) -> None:
    await bench.send(message(subject="\u200b\x1b[0m", text="\x07"))
    assert "QEC-SFT migration" in "".join(texts_in(taken(bench.sinks)))


# ------------------------------------------------------------ how often


async def test_a_target_keeps_the_pace_of_its_service() -> None:
    clock = InstantClock()
    pace = Pace(1.0, clock)
    await asyncio.gather(*(pace.turn() for _ in range(3)))
    clock.seconds += 0.25
    await pace.turn()
    clock.seconds += 60
    await pace.turn()
    assert clock.slept == [1.0, 1.0, 0.75]
