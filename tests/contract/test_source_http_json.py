"""The trigger source `http_json`: a number is a number, and everything else is told."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import Failed
from console.engine.ports import Reading
from console.metrics import http_json
from console.targets.web import LARGEST_BODY_BYTES
from tests.contract.loopback import Loopback, Reply

STATE = {
    "queue": {"depth": 17, "names": ["mail"]},
    "ok": True,
    "text": "12",
    "nothing": None,
    "a.b": {"c": 4},
    "shards": [{"name": "one", "lag": 0.5}, {"name": "two", "lag": 7}, {"name": "three"}],
    "services": {"dashboard": {"errors": 3}, "gateway": {"errors": "many"}},
    "plain": {"mail": 1, "sms": 2},
}


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(lambda _: as_json(STATE)) as loopback:
        yield loopback


def as_json(value: Any) -> Reply:
    return Reply(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


async def read(server: Loopback, **options: Any) -> Reading:
    given = {"url": f"{server.url}/state?key=s3cret", **options}
    return await http_json.HttpJson(http_json.Options.model_validate(given)).now()


def by_label(reading: Reading) -> dict[tuple[str, str], float]:
    return {sample.labels[0]: sample.value for sample in reading.samples}


async def failure(server: Loopback, reply: Reply | None = None, **options: Any) -> str:
    if reply is not None:
        server.answer = lambda _: reply
    with pytest.raises(Failed) as failed:
        await read(server, **{"path": "queue.depth", **options})
    return str(failed.value).replace(server.url, "SERVER")


@pytest.mark.parametrize(
    ("path", "value"), [("queue.depth", 17), ("shards.1.lag", 7), ("shards.0.lag", 0.5), (("a.b", "c"), 4)]
)
async def test_the_number_at_a_path_is_the_one_sample(server: Loopback, path: Any, value: float) -> None:
    reading = await read(server, path=path)
    assert [(sample.value, sample.labels) for sample in reading.samples] == [(value, ())]
    assert reading.warnings == ()


async def test_an_answer_may_be_nothing_but_the_number(server: Loopback) -> None:
    server.answer = lambda _: Reply(b"42.5\n")
    assert [sample.value for sample in (await read(server)).samples] == [42.5]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("queue.depht", "queue.depht is missing"),
        ("shards.7.lag", "shards.7.lag is missing"),
        ("ok", "ok is true, not a number"),
        ("text", 'text is "12", not a number'),
        ("nothing", "nothing is null, not a number"),
        ("queue", 'queue is {"depth": 17, "names": ["mail"]}, not a number'),
    ],
)
async def test_what_is_no_number_is_no_sample_and_is_told(server: Loopback, path: str, said: str) -> None:
    assert await read(server, path=path) == Reading((), (said,))


async def test_each_item_is_a_series_and_one_without_a_number_is_neither_healthy_nor_not(server: Loopback) -> None:
    reading = await read(server, each="shards", path="lag", label="name")
    found = by_label(reading)
    assert math.isnan(found.pop(("name", "three")))
    assert found == {("name", "one"): 0.5, ("name", "two"): 7}
    assert reading.warnings == ("three: lag is missing",)
    assert len({sample.at for sample in reading.samples}) == 1


async def test_without_a_label_the_items_go_by_key_or_number(server: Loopback) -> None:
    assert by_label(await read(server, each="plain")) == {("item", "mail"): 1, ("item", "sms"): 2}
    found = by_label(await read(server, each="shards", path="lag"))
    assert list(found) == [("item", "0"), ("item", "1"), ("item", "2")]
    reading = await read(server, each="services", path="errors")
    assert reading.warnings == ('gateway: errors is "many", not a number',)


async def test_many_items_without_a_number_are_counted(server: Loopback) -> None:
    server.answer = lambda _: as_json([None] * 10)
    with pytest.raises(Failed, match="shards is missing, expected a list or a table"):
        await read(server, each="shards")
    server.answer = lambda _: as_json({"shards": [None] * 10})
    assert (await read(server, each="shards")).warnings[-1] == "… and 7 more without a number"


async def test_an_empty_list_is_no_sample(server: Loopback) -> None:
    server.answer = lambda _: as_json({"shards": []})
    assert await read(server, each="shards") == Reading(())


async def test_answers_that_are_none(server: Loopback) -> None:
    assert await failure(server, Reply(b"down", 503)) == (
        "SERVER/state: it answers 503 Service Unavailable: down"
    )  # fmt: skip
    assert await failure(server, Reply(b"", 302, {"Location": "/login"})) == (
        "SERVER/state: it answers 302 Found; it redirects to /login: write that address as its url"
    )
    assert await failure(server, Reply(b"<html><title>Log in</title>")) == (
        'SERVER/state: its answer is not JSON: a web page titled "Log in"'
    )
    assert await failure(server, Reply(b"")) == "SERVER/state: its answer is not JSON: it is empty"
    assert await failure(server, Reply(b"[" * 100_000)) == f"SERVER/state: its answer is not JSON: {'[' * 159}…"
    too_long = await failure(server, Reply(b" " * (LARGEST_BODY_BYTES + 1)))
    assert too_long == "SERVER/state: its answer is longer than 1024 KiB"


async def test_more_items_than_anybody_reads_are_refused(server: Loopback) -> None:
    server.answer = lambda _: as_json({"shards": [1] * (http_json.MOST_SERIES + 1)})
    assert await failure(server, each="shards", path=None) == "SERVER/state: shards has 1001 items, more than 1000"


async def test_no_answer_is_a_source_that_fails(server: Loopback) -> None:
    assert await failure(server, Reply(server.never()), timeout="50ms") == "SERVER/state: no answer in time"
    server.stop()
    assert await failure(server) == "SERVER/state: connection refused"


async def test_what_an_answer_says_is_harmless_and_holds_no_secret(
    server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_TOKEN", "hunter2hunter2")
    headers = {"X-Token": {"env": "STATE_TOKEN"}}
    server.answer = lambda request: Reply(b"\x1b[2J" + request.headers["X-Token"].encode(), 500)
    assert await failure(server, headers=headers) == "SERVER/state: it answers 500 Internal Server Error: •••"
    server.answer = lambda request: as_json({"items": {"\x1b[31mred": 1, "x": request.headers["X-Token"]}})
    reading = await read(server, each="items", headers=headers)
    assert list(by_label(reading)) == [("item", "red"), ("item", "x")]
    assert reading.warnings == ('x: it is "•••", not a number',)


async def test_what_the_console_lacks_itself_is_told(server: Loopback, tmp_path: Path) -> None:
    assert (await failure(server, headers={"X": {"env": "ABSENT"}})).endswith("ABSENT: it is not set")
    assert (await failure(server, ca=str(tmp_path / "ca.pem"))).endswith("can't be used: no such file or directory")
    assert server.requests == []


async def test_it_has_no_past_and_says_what_it_asks(server: Loopback) -> None:
    options = http_json.Options.model_validate({"url": "http://api/state?key=s3cret", "each": "shards", "path": "lag"})
    asking = http_json.HttpJson(options)
    assert asking.query == "GET http://api/state → shards.*.lag"
    assert await asking.past(3600, 15) == Reading(())


@pytest.mark.parametrize(
    "options",
    [
        {}, {"url": "http://a", "path": ""}, {"url": "http://a", "label": "name"}, {"url": "http://a", "path": ()},
        {"url": "http://a", "path": "x", "timeout": "10s"}, {"url": "http://a", "headers": {"Cookie": "x"}},
    ],
)  # fmt: skip
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        http_json.Options.model_validate(options)
