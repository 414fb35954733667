"""The procedure's eight triggers as the sample has them, each driven to every verdict that it can have, on real sources.

Thresholds, queries, durations and windows are the sample's own; only addresses are replaced, and health checks are made faster. A
real Prometheus holds the past, a real web server answers the health checks, complaints and attestations go through a journal.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from console.domain.errors import Refused
from console.domain.events import Verdict, VerdictChanged
from console.domain.triggers import TriggerReading
from console.engine.sampler import Sampler, Watched
from console.engine.session import Session
from console.kinds import Registry
from console.wiring import Request, assemble, open_session
from tests.contract.loopback import Loopback, Reply
from tests.real.servers import PrometheusServer

SAMPLE = Path(__file__).parents[2] / "sample-config.toml"
AUTOMATIC: Mapping[str, tuple[Verdict, ...]] = {
    "latency-p95": ("ok", "firing", "no_data", "stale"),  # no duration to wait for: never pending
    "error-rate": ("ok", "firing", "no_data", "stale"),
    "memory": ("ok", "pending", "firing", "no_data", "stale"),
    "health-checks": ("ok", "pending", "firing", "no_data", "stale"),
}
MANUAL: Mapping[str, tuple[Verdict, ...]] = {
    "complaints": ("ok", "firing"),  # kept in the journal: known at any moment
    "security": ("ok", "firing"),
    "data-integrity": ("ok", "firing"),
    "compliance": ("ok", "firing"),
}
SCRAPED_SECONDS = 15


class Clock:
    """The real time of a machine, set forward by as much as a test says."""

    ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead.total_seconds()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass
class Scene:
    """The sample on a test's own servers."""

    config: Path
    journal: Path
    prometheus: PrometheusServer
    health: Loopback

    def watched(self, trigger: str) -> Watched:
        parts = assemble(Request(self.config, self.journal), Registry(), Clock())
        return next(w for w in parts.watched if w.rule.id == trigger)

    async def session(self, actor: str = "kim", clock: Clock | None = None) -> Session:
        request = Request(self.config, self.journal, actor=actor, creates=True)
        return await open_session(request, clock=clock or Clock())


@pytest.fixture
def health() -> Iterator[Loopback]:
    with Loopback(lambda _: Reply(b'{"status": "ok"}')) as server:
        yield server


@pytest.fixture
def scene(tmp_path: Path, prometheus: PrometheusServer, health: Loopback) -> Scene:
    text = SAMPLE.read_text()
    for old, new in (
        ('url = "http://prometheus:9090"', f'url = "{prometheus.url}"'),
        ('urls = ["http://api-gateway/health"]', f'urls = ["{health.url}/health"]\nevery = "100ms"'),
    ):
        assert text.count(old) == 1, f"{SAMPLE.name} holds {old} {text.count(old)} times"
        text = text.replace(old, new)
    config = tmp_path / "procedure.toml"
    config.write_text(text)
    return Scene(config, tmp_path / "journal" / "journal", prometheus, health)


# ------------------------------------------------------------ the table


def test_the_table_has_every_trigger_of_the_sample(scene: Scene) -> None:
    parts = assemble(Request(scene.config, scene.journal), Registry(), Clock())
    by_kind = {t.id: t.judged for t in parts.outline.triggers}
    assert list(by_kind) == [*AUTOMATIC, *MANUAL]
    assert [i for i, judged in by_kind.items() if judged == "measured"] == list(AUTOMATIC)
    waiting = {w.rule.id for w in parts.watched if w.rule.for_seconds or w.rule.consecutive > 1}
    assert waiting == {i for i, verdicts in AUTOMATIC.items() if "pending" in verdicts}


def test_the_thresholds_are_the_procedures(scene: Scene) -> None:
    parts = assemble(Request(scene.config, scene.journal), Registry(), Clock())
    rules = {w.rule.id: w.rule for w in parts.watched}
    assert {i: (r.threshold, r.above, r.for_seconds, r.consecutive) for i, r in rules.items()} == {
        "latency-p95": (30, True, 0, 1),
        "error-rate": (5, True, 0, 1),
        "memory": (90, True, 300, 1),
        "health-checks": (0, True, 0, 3),
    }
    assert "[10m]" in parts.watched[1].source.query
    complaints = parts.outline.trigger("complaints")
    assert complaints is not None
    assert (complaints.threshold, complaints.above, complaints.window_seconds) == (10, True, 3600)


# ------------------------------------------------------------ on a real Prometheus


@dataclass(frozen=True)
class Past:
    """What Prometheus has scraped: so much of it, and since when it is as bad as the test says."""

    seconds: int = 1500
    bad_for: int = 1500

    def fill(self, server: PrometheusServer, name: str, labels: Mapping[str, str], good: float, bad: float) -> None:
        """A counter's series that grows by `good` a second, and by `bad` since it is bad."""
        value, samples = 0.0, []
        for ago in range(self.seconds, -1, -SCRAPED_SECONDS):
            samples.append((float(ago), value))
            value += SCRAPED_SECONDS * (bad if ago <= self.bad_for else good)
        server.backfill(name, samples, {"namespace": "acgs-pgp", **labels})

    def set(self, server: PrometheusServer, name: str, labels: Mapping[str, str], good: float, bad: float) -> None:
        """A gauge's series."""
        ages = range(self.seconds, -1, -SCRAPED_SECONDS)
        samples = [(float(ago), bad if ago <= self.bad_for else good) for ago in ages]
        server.backfill(name, samples, {"namespace": "acgs-pgp", **labels})


def requests_taking(server: PrometheusServer, seconds: int, past: Past = Past()) -> None:
    """Ten requests a second; those of the bad time all take up to so many seconds, the others up to ten."""
    for bound in (10, 30, 60):
        bad = 10.0 if bound >= seconds else 0.0
        past.fill(server, "http_request_duration_seconds_bucket", {"le": str(bound)}, 10, bad)
    past.fill(server, "http_request_duration_seconds_bucket", {"le": "+Inf"}, 10, 10)


def errors_of(server: PrometheusServer, percent: float, past: Past = Past(), service: str = "api-gateway") -> None:
    """Ten requests a second, so many percent of which fail."""
    past.fill(server, "http_requests_total", {"service": service, "code": "500"}, 0, percent / 10)
    past.fill(server, "http_requests_total", {"service": service, "code": "200"}, 10, 10 - percent / 10)


def memory_of(server: PrometheusServer, percent: float, past: Past = Past()) -> None:
    labels = {"pod": "web-1", "container": "web"}
    past.set(server, "container_memory_working_set_bytes", labels, 500, percent * 10)
    limit = Past(past.seconds, 0)
    limit.set(server, "kube_pod_container_resource_limits", {**labels, "resource": "memory"}, 1000, 1000)


BREAK: Mapping[str, Callable[[PrometheusServer], None]] = {
    "latency-p95": lambda server: requests_taking(server, 60),
    "error-rate": lambda server: errors_of(server, 6),
    "memory": lambda server: memory_of(server, 92, Past(bad_for=420)),
}
HEALTHY: Mapping[str, Callable[[PrometheusServer], None]] = {
    "latency-p95": lambda server: requests_taking(server, 30),
    "error-rate": lambda server: errors_of(server, 4),
    "memory": lambda server: memory_of(server, 89),
}


async def looked(scene: Scene, trigger: str) -> TriggerReading:
    """What a console says at its first second."""
    return (await Sampler([scene.watched(trigger)], Clock()).sample_once())[trigger]


@pytest.mark.parametrize(
    ("trigger", "said"),
    [("latency-p95", "58.5 s > 30 s"), ("error-rate", "6 % > 5 %"), ("memory", "92 % > 90 %")],
)
async def test_beyond_the_threshold_it_fires(scene: Scene, trigger: str, said: str) -> None:
    BREAK[trigger](scene.prometheus)
    reading = await looked(scene, trigger)
    assert reading.verdict == "firing"
    assert reading.reason.startswith(said)
    assert reading.suggests


@pytest.mark.parametrize(
    ("trigger", "said"), [("latency-p95", "29 s ≤ 30 s"), ("error-rate", "4 % ≤ 5 %"), ("memory", "89 % ≤ 90 %")]
)
async def test_below_the_threshold_it_is_ok(scene: Scene, trigger: str, said: str) -> None:
    HEALTHY[trigger](scene.prometheus)
    reading = await looked(scene, trigger)
    assert (reading.verdict, reading.reason) == ("ok", said)


async def test_exactly_at_the_threshold_is_not_beyond_it(scene: Scene) -> None:
    memory_of(scene.prometheus, 90)
    reading = await looked(scene, "memory")
    assert (reading.verdict, reading.reason) == ("ok", "90 % ≤ 90 %")


async def test_memory_is_pending_until_it_has_lasted_five_minutes(scene: Scene) -> None:
    memory_of(scene.prometheus, 92, Past(bad_for=180))
    reading = await looked(scene, "memory")
    assert reading.verdict == "pending"
    assert reading.reason.startswith("92 % > 90 % for ")
    assert reading.reason.endswith(" of 5 m")
    assert 150 <= reading.held_seconds <= 210


async def test_errors_of_ten_minutes_count_and_older_ones_do_not(scene: Scene) -> None:
    errors_of(scene.prometheus, 20, Past(bad_for=150))  # a quarter of the ten minutes: 5 % and a little
    reading = await looked(scene, "error-rate")
    assert reading.value is not None
    assert 4 <= reading.value <= 6
    scene.prometheus.reset()
    errors_of(scene.prometheus, 0)
    assert (await looked(scene, "error-rate")).reason == "0 % ≤ 5 %"


async def test_the_service_that_fails_is_what_is_suggested(scene: Scene) -> None:
    errors_of(scene.prometheus, 1, service="api-gateway")
    errors_of(scene.prometheus, 9, service="acgs-pgp-dashboard")
    reading = await looked(scene, "error-rate")
    assert (reading.verdict, reading.suggests) == ("firing", ("dashboard",))


@pytest.mark.parametrize("trigger", BREAK)
async def test_an_empty_answer_is_no_data(scene: Scene, trigger: str) -> None:
    reading = await looked(scene, trigger)
    assert (reading.verdict, reading.reason) == ("no_data", "the query finds nothing")


@pytest.mark.parametrize("trigger", BREAK)
async def test_without_its_source_it_is_stale_and_then_without_data_and_never_healthy(
    scene: Scene, trigger: str
) -> None:
    HEALTHY[trigger](scene.prometheus)
    sampler = Sampler([scene.watched(trigger)], clock := Clock())
    assert (await sampler.sample_once())[trigger].verdict == "ok"
    scene.prometheus.stop()
    away = (await sampler.sample_once())[trigger]
    assert away.verdict == "stale"
    assert "connection refused" in away.reason
    assert sampler.readings(clock.now() + timedelta(minutes=6))[trigger].verdict == "no_data"


@pytest.mark.parametrize("trigger", BREAK)
async def test_a_firing_one_is_not_cleared_by_silence(scene: Scene, trigger: str) -> None:
    BREAK[trigger](scene.prometheus)
    sampler = Sampler([scene.watched(trigger)], Clock())
    assert (await sampler.sample_once())[trigger].verdict == "firing"
    scene.prometheus.stop()
    away = (await sampler.sample_once())[trigger]
    assert away.verdict == "stale"
    assert away.was_firing_since is not None
    assert "was FIRING since" in away.reason


# ------------------------------------------------------------ on a real web server


class Watch:
    """A sampler at work on one trigger, and what it told."""

    def __init__(self, watched: Watched) -> None:
        self.id = watched.rule.id
        self.clock = Clock()
        self.told: asyncio.Queue[VerdictChanged] = asyncio.Queue()
        self.sampler = Sampler([watched], self.clock, tell=self.told.put)
        self._running = asyncio.create_task(self.sampler.run())

    async def next(self) -> VerdictChanged:
        async with asyncio.timeout(20):
            return await self.told.get()

    async def end(self) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    def reading(self, later: timedelta = timedelta()) -> TriggerReading:
        return self.sampler.readings(self.clock.now() + later)[self.id]


@pytest.fixture
async def watch(scene: Scene) -> AsyncIterator[Watch]:
    made = Watch(scene.watched("health-checks"))
    yield made
    await made.end()


async def test_three_failed_health_checks_in_a_row_and_not_two(watch: Watch, health: Loopback) -> None:
    assert (await watch.next()).verdict == "ok"
    health.answer = lambda _: Reply(b"no database", 503)
    first = await watch.next()
    assert first.verdict == "pending"
    assert "1 of 3 evaluations in a row" in first.reason
    asked = len(health.requests)
    fired = await watch.next()
    assert fired.verdict == "firing"
    assert "1 failing > 0 failing" in fired.reason
    assert "3 in a row" in fired.reason
    assert len(health.requests) - asked >= 2
    assert "503 Service Unavailable" in watch.reading().warnings[0]
    assert watch.reading().suggests == ("qec-analysis",)
    health.answer = lambda _: Reply(b"fine")
    assert (await watch.next()).verdict == "ok"


async def test_a_success_in_between_begins_the_count_anew(watch: Watch, health: Loopback) -> None:
    assert (await watch.next()).verdict == "ok"
    answers = iter([503, 503, 200, 503, 503])
    health.answer = lambda _: Reply(b"", next(answers, 200))
    verdicts = [(await watch.next()).verdict for _ in range(4)]
    assert verdicts == ["pending", "ok", "pending", "ok"]


async def test_health_checks_against_nobody_fire(watch: Watch, health: Loopback) -> None:
    assert (await watch.next()).verdict == "ok"
    health.stop()
    assert [(await watch.next()).verdict for _ in range(2)] == ["pending", "firing"]
    assert watch.reading().warnings[0].endswith(": connection refused")


async def test_health_checks_that_are_not_made_are_stale_and_then_without_data(watch: Watch) -> None:
    assert (await watch.next()).verdict == "ok"
    await watch.end()
    assert watch.reading(timedelta(seconds=40)).verdict == "stale"
    assert watch.reading(timedelta(minutes=6)).verdict == "no_data"


async def test_health_checks_that_can_not_be_made_are_no_data_and_told(scene: Scene, tmp_path: Path) -> None:
    text = scene.config.read_text()
    scene.config.write_text(text.replace('every = "100ms"', f"ca = {json.dumps(str(tmp_path / 'absent.pem'))}"))
    reading = await looked(scene, "health-checks")
    assert reading.verdict == "no_data"
    assert "absent.pem can't be used: no such file or directory" in reading.reason
    assert scene.health.requests == []


# ------------------------------------------------------------ through the journal


@pytest.fixture
async def session(scene: Scene) -> AsyncIterator[Session]:
    opened = await scene.session()
    await opened.declare("p95 over half a minute")
    yield opened
    await opened.close()


async def elsewhere(scene: Scene, trigger: str) -> TriggerReading:
    """What another console says, which has nothing but the journal."""
    other = await scene.session("ada")
    try:
        return other.readings()[trigger]
    finally:
        await other.close()


async def test_ten_complaints_are_ok_and_one_more_fires(scene: Scene, session: Session) -> None:
    assert session.readings()["complaints"].verdict == "ok"
    await session.count("complaints", 10, "the support queue at nine")
    reading = await elsewhere(scene, "complaints")
    assert (reading.verdict, reading.reason) == ("ok", "10 in the last 1 h ≤ 10")
    await session.count("complaints", 1)
    reading = await elsewhere(scene, "complaints")
    assert (reading.verdict, reading.reason) == ("firing", "11 in the last 1 h > 10")
    assert reading.since is not None


async def test_a_complaint_taken_back_clears_it(scene: Scene, session: Session) -> None:
    await session.count("complaints", 11)
    await session.count("complaints", -1, "one was counted twice")
    assert (await elsewhere(scene, "complaints")).verdict == "ok"


async def test_after_an_hour_complaints_count_no_more(scene: Scene) -> None:
    clock = Clock()
    session = await scene.session(clock=clock)
    try:
        await session.declare("complaints")
        await session.count("complaints", 8)
        clock.ahead = timedelta(minutes=50)
        await session.count("complaints", 8)
        assert session.readings()["complaints"].verdict == "firing"
        clock.ahead = timedelta(minutes=61)
        reading = session.readings()["complaints"]
        assert (reading.verdict, reading.value) == ("ok", 8)
    finally:
        await session.close()


@pytest.mark.parametrize("trigger", ["security", "data-integrity", "compliance"])
async def test_what_a_person_gives_their_word_for_fires_until_it_is_withdrawn(
    scene: Scene, session: Session, trigger: str
) -> None:
    assert (session.readings()[trigger].verdict, session.readings()[trigger].reason) == ("ok", "nobody has said so")
    await session.attest(trigger, True, "found by the night shift")
    reading = await elsewhere(scene, trigger)
    assert reading.verdict == "firing"
    assert reading.reason.startswith("attested by kim at ")
    assert reading.reason.endswith(": found by the night shift")
    await session.attest(trigger, False, "a false alarm")
    reading = await elsewhere(scene, trigger)
    assert reading.verdict == "ok"
    assert reading.reason.startswith("withdrawn by kim at ")


async def test_an_attestation_brings_its_notices_and_needs_a_reason(session: Session) -> None:
    with pytest.raises(Refused):
        await session.attest("security", True, " ")
    await session.attest("security", True, "found by the night shift")
    assert {impact: word.applies for impact, word in session.runner.incident.impacts.items()} == {"security": True}
