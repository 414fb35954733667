"""The web interface: what it takes, what it refuses and in which words; the rest is compared with the real one in tests/real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from console.sandbox.prometheus import PrometheusApi, labels_of
from tests.sandbox.prometheus.queries import NOT_DONE
from tests.sandbox.prometheus.room import CONFIG, START, MovedClock

START_MS = round(START * 1000)


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[PrometheusApi]:
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG)
    async with PrometheusApi(config, {"shop": lambda _: [("load", {}, 2.0)]}, clock=MovedClock()) as api:
        yield api


@pytest.fixture
async def client(prometheus: PrometheusApi) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=prometheus.url, trust_env=False) as made:
        yield made


async def test_it_serves_on_loopback_alone(prometheus: PrometheusApi) -> None:
    assert prometheus.url.startswith("http://127.0.0.1:")


async def test_a_query_may_come_in_a_form(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/query", data={"query": "vector(1)", "time": "7.5"})
    assert answer.json()["data"]["result"] == [{"metric": {}, "value": [7.5, "1"]}]


async def test_the_time_is_that_of_the_clock_in_the_answer_and_in_its_date(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/query", params={"query": "time()"})
    assert answer.json()["data"]["result"] == [START, "1800000000"]
    assert answer.headers["Date"] == "Fri, 15 Jan 2027 08:00:00 GMT"


async def test_large_answers_are_compressed_where_that_is_understood(client: httpx.AsyncClient) -> None:
    asked = {"query": "vector(1)", "start": "0", "end": "5000", "step": "1"}
    answer = await client.get("/api/v1/query_range", params=asked)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.json()["data"]["result"][0]["values"]) == 5001
    plain = await client.get("/api/v1/query_range", params=asked, headers={"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize("query", NOT_DONE)
async def test_what_it_does_not_do_it_says(client: httpx.AsyncClient, prometheus: PrometheusApi, query: str) -> None:
    prometheus.storage.append(labels_of("temperature", {"zone": "a"}), START_MS, 1.0)
    answer = await client.get("/api/v1/query", params={"query": query})
    assert (answer.status_code, answer.json()["errorType"]) == (422, "execution")


async def test_a_query_that_would_touch_too_much_is_refused(
    client: httpx.AsyncClient, prometheus: PrometheusApi
) -> None:
    prometheus.storage.backfill(labels_of("many", {}), ((START_MS - i * 100, 1.0) for i in range(100_000)))
    asked = {"query": "sum_over_time(many[3h])", "start": f"{START - 9000}", "end": f"{START}", "step": "10"}
    answer = await client.get("/api/v1/query_range", params=asked)
    assert (answer.status_code, answer.json()["errorType"]) == (422, "execution")
    assert "too many samples" in answer.json()["error"]


async def test_a_query_that_takes_too_long_is_ended(client: httpx.AsyncClient) -> None:
    slow = {
        "query": "count_over_time(vector(1)[9000s:1s])",
        "start": "0",
        "end": "9000",
        "step": "10",
        "timeout": "1ms",
    }
    answer = await client.get("/api/v1/query_range", params=slow)
    assert (answer.status_code, answer.json()["errorType"]) == (503, "timeout")


async def test_a_query_nested_too_deeply_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/api/v1/query", data={"query": "abs(" * 20_000 + "load" + ")" * 20_000})
    assert (answer.status_code, answer.json()["errorType"]) == (422, "execution")
    assert "does not do queries" in answer.json()["error"]
    assert (await client.get("/-/healthy")).status_code == 200


async def test_without_the_lifecycle_flag_nothing_is_reloaded(tmp_path: Path) -> None:
    config = tmp_path / "prometheus.yml"
    config.write_text(CONFIG)
    async with (
        PrometheusApi(config, lifecycle=False) as prometheus,
        httpx.AsyncClient(base_url=prometheus.url, trust_env=False) as client,
    ):
        answer = await client.post("/-/reload")
        assert (answer.status_code, answer.text) == (403, "Lifecycle API is not enabled.")
        flags = await client.get("/api/v1/status/flags")
        assert flags.json()["data"]["web.enable-lifecycle"] == "false"


async def test_a_reload_is_told_in_the_metrics(client: httpx.AsyncClient, prometheus: PrometheusApi) -> None:
    assert "\nprometheus_config_last_reload_successful 1\n" in (await client.get("/metrics")).text
    prometheus.server.config_file.write_text("[")
    assert (await client.post("/-/reload")).status_code == 500
    assert "\nprometheus_config_last_reload_successful 0\n" in (await client.get("/metrics")).text


async def test_targets_tell_their_health(client: httpx.AsyncClient) -> None:
    (target,) = (await client.get("/api/v1/targets")).json()["data"]["activeTargets"]
    assert target["labels"] == {"instance": "shop:80", "job": "shop", "zone": "north"}
    assert (target["scrapePool"], target["health"], target["lastScrape"]) == ("shop", "up", "2027-01-15T08:00:00Z")


async def test_series_and_labels_are_found_by_selectors_and_time(
    client: httpx.AsyncClient, prometheus: PrometheusApi
) -> None:
    prometheus.storage.append(labels_of("load", {"kind": "old"}), 1000, 1.0)
    found = await client.get("/api/v1/series", params={"match[]": ["load", "up"], "start": "10"})
    assert [one["__name__"] for one in found.json()["data"]] == ["load", "up"]
    kinds = await client.get("/api/v1/label/kind/values")
    assert kinds.json()["data"] == ["old"]
    names = await client.get("/api/v1/labels", params={"match[]": 'load{kind="old"}'})
    assert names.json()["data"] == ["__name__", "kind"]


async def test_unknown_addresses_and_methods_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/nothing")).text == "404 page not found\n"
    refused = await client.delete("/api/v1/query")
    assert (refused.status_code, refused.text) == (405, "Method Not Allowed\n")


async def test_while_it_pauses_its_port_refuses_and_nothing_is_forgotten(
    client: httpx.AsyncClient, prometheus: PrometheusApi
) -> None:
    await prometheus.pause()
    with pytest.raises(httpx.ConnectError):
        await client.get("/-/ready")
    await prometheus.resume()
    answer = await client.get("/api/v1/query", params={"query": "load"})
    assert answer.json()["data"]["result"][0]["value"] == [START, "2"]


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind(
    tmp_path: Path, prometheus: PrometheusApi
) -> None:
    port = int(prometheus.url.rpartition(":")[2])
    with pytest.raises(OSError, match="address already in use"):
        async with PrometheusApi(prometheus.server.config_file, port=port):
            pass
