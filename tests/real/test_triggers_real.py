"""Triggers over the real Prometheus: right at the first second, honest while it is away, right again when it is back."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from console.domain.events import VerdictChanged
from console.domain.triggers import TriggerRule
from console.engine.clock import SystemClock
from console.engine.sampler import Sampler, Watched
from tests.contract.prometheus_contract import PrometheusContract, source
from tests.real.servers import PrometheusServer

P95 = TriggerRule("p95", "Response time", threshold=30, unit="s", for_seconds=300, every_seconds=15)
MINUTE = timedelta(minutes=1)


def sampler(server: PrometheusServer, rule: TriggerRule = P95, query: str = "qec_p95_seconds") -> Sampler:
    return Sampler([Watched(rule, source(server.url, query))], SystemClock())


def breach(server: PrometheusServer, since_seconds: float, until_seconds: float = 0) -> None:
    """A p95 of 12 s for an hour, and of 34.2 s between these moments, scraped every five seconds."""
    samples = [
        (float(ago), 34.2 if until_seconds <= ago <= since_seconds else 12.0)
        for ago in range(int(since_seconds) + 3600, -1, -5)
    ]
    server.backfill("qec_p95_seconds", samples)


class TestContract(PrometheusContract):
    """The `prometheus` source's promises, on the real server."""


async def test_opened_in_the_middle_of_a_breach_it_knows_since_when(prometheus: PrometheusServer) -> None:
    breach(prometheus, since_seconds=420)
    reading = (await sampler(prometheus).sample_once())["p95"]
    assert reading.verdict == "firing"
    assert reading.since is not None
    assert abs((SystemClock().now() - reading.since).total_seconds() - 420) <= 20
    assert reading.reason.startswith("34.2 s > 30 s for ")
    assert reading.reason.endswith(", at every evaluation")
    assert (min(reading.curve), max(reading.curve)) == (12, 34.2)


async def test_the_first_verdict_is_there_within_two_seconds_and_knows_since_when(prometheus: PrometheusServer) -> None:
    breach(prometheus, since_seconds=420)
    rule = TriggerRule("p95", "Response time", threshold=30, unit="s", for_seconds=300, every_seconds=1)
    told: asyncio.Queue[VerdictChanged] = asyncio.Queue()
    began = SystemClock().monotonic()
    opened = Sampler([Watched(rule, source(prometheus.url, "qec_p95_seconds"))], SystemClock(), tell=told.put)
    running = asyncio.create_task(opened.run())
    async with asyncio.timeout(10):
        first = await told.get()
    took = SystemClock().monotonic() - began
    running.cancel()
    assert first.verdict == "firing"
    assert took <= 2
    assert first.since is not None
    assert abs((SystemClock().now() - first.since).total_seconds() - took - 420) <= 20
    assert opened.readings()["p95"].curve_seconds > 1500


async def test_three_evaluations_in_a_row_are_found_in_the_past(prometheus: PrometheusServer) -> None:
    breach(prometheus, since_seconds=35)
    rule = TriggerRule("p95", "Response time", threshold=30, every_seconds=15, consecutive=3)
    reading = (await sampler(prometheus, rule).sample_once())["p95"]
    assert (reading.verdict, reading.in_a_row) == ("firing", 3)
    rule = TriggerRule("p95", "Response time", threshold=30, every_seconds=15, consecutive=4)
    assert (await sampler(prometheus, rule).sample_once())["p95"].verdict == "pending"


async def test_a_breach_since_before_the_migration_is_marked(prometheus: PrometheusServer) -> None:
    breach(prometheus, since_seconds=420)
    migrated_at = SystemClock().now() - 3 * MINUTE
    rule = TriggerRule("p95", "Response time", threshold=30, for_seconds=300, every_seconds=15, migrated_at=migrated_at)
    reading = (await sampler(prometheus, rule).sample_once())["p95"]
    assert reading.before_migration
    assert "since before the migration (" in reading.reason


async def test_a_breach_of_hours_is_followed_to_its_beginning(prometheus: PrometheusServer) -> None:
    breach(prometheus, since_seconds=9000)
    reading = (await sampler(prometheus).sample_once())["p95"]
    assert reading.since is not None
    assert abs((SystemClock().now() - reading.since).total_seconds() - 9000) <= 20
    assert not reading.open_ended


async def test_a_breach_that_has_not_lasted_is_pending_and_one_that_is_over_is_ok(prometheus: PrometheusServer) -> None:
    breach(prometheus, since_seconds=120)
    assert (await sampler(prometheus).sample_once())["p95"].verdict == "pending"
    prometheus.reset()
    breach(prometheus, since_seconds=900, until_seconds=60)
    assert (await sampler(prometheus).sample_once())["p95"].verdict == "ok"


async def test_an_empty_answer_is_no_data(prometheus: PrometheusServer) -> None:
    reading = (await sampler(prometheus, query="no_such_metric").sample_once())["p95"]
    assert (reading.verdict, reading.reason) == ("no_data", "the query finds nothing")


async def test_while_the_server_is_away_nothing_reads_ok_and_afterwards_it_is_true_again(
    prometheus: PrometheusServer,
) -> None:
    watch = sampler(prometheus)
    breach(prometheus, since_seconds=420)
    since = (await watch.sample_once())["p95"].since
    prometheus.stop()
    away = (await watch.sample_once())["p95"]
    assert away.verdict == "stale"
    assert away.was_firing_since == since
    assert "connection refused" in away.reason
    assert "was FIRING since" in away.reason
    now = SystemClock().now()
    later = [watch.readings(now + minutes * MINUTE)["p95"].verdict for minutes in range(1, 10)]
    assert later == ["stale"] * 4 + ["no_data"] * 5
    prometheus.start()
    back = (await watch.sample_once())["p95"]
    assert (back.verdict, back.since) == ("firing", since)


async def test_a_healthy_trigger_is_not_healthy_while_the_server_is_away(prometheus: PrometheusServer) -> None:
    watch = sampler(prometheus)
    breach(prometheus, since_seconds=900, until_seconds=60)
    assert (await watch.sample_once())["p95"].verdict == "ok"
    prometheus.stop()
    assert (await watch.sample_once())["p95"].verdict == "stale"
    assert watch.readings(SystemClock().now() + 6 * MINUTE)["p95"].verdict == "no_data"
    prometheus.start()
    assert (await watch.sample_once())["p95"].verdict == "ok"


async def test_a_breach_is_told_as_it_happens(prometheus: PrometheusServer) -> None:
    rule = TriggerRule("p95", "Response time", threshold=30, for_seconds=0.6, every_seconds=0.2)
    told: asyncio.Queue[VerdictChanged] = asyncio.Queue()
    prometheus.metrics["qec_p95_seconds"] = 12
    prometheus.wait_value("qec_p95_seconds", 12)
    live = Sampler([Watched(rule, source(prometheus.url, "qec_p95_seconds"))], SystemClock(), tell=told.put)
    running = asyncio.create_task(live.run())
    async with asyncio.timeout(20):
        assert (await told.get()).verdict == "ok"
        prometheus.metrics["qec_p95_seconds"] = 34.2
        assert (await told.get()).verdict == "pending"
        assert (await told.get()).verdict == "firing"
        prometheus.metrics["qec_p95_seconds"] = 12
        assert (await told.get()).verdict == "ok"
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
