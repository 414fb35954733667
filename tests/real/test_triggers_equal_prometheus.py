"""A trigger is what Prometheus' own rule would be, at every evaluation, and says where it means to be more.

A real Prometheus scrapes 270 generated shapes and evaluates an alerting rule over each, every second. One recording rule in front
of them writes down what the rules then see, at the same moment, so that the console is asked about exactly that.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from console.domain.triggers import Track, TriggerReading, observe, verdict
from console.engine.clock import SystemClock
from console.engine.ports import Reading, Sample
from console.engine.sampler import Sampler, Watched
from console.targets.prometheus_answers import Reader
from tests.contract.prometheus_contract import source
from tests.real.servers import PrometheusServer
from tests.real.shapes import Case, Shape, cases

pytestmark = pytest.mark.timeout(300)  # it takes a minute and a half

MOVING_SECONDS = 60
STILL_SECONDS = 16
"""At the end every shape keeps its last value, longer than the longest `for`: whoever opens a console then finds it settled."""

SAME = "the same state"
EMPTY = "no data, where the query gives nothing and the rule is inactive"
NAN = "no data, where there is nothing but NaN and the rule is inactive"
HELD = "held by hysteresis over a silence, which makes the rule's own ALERTS forget"
LEFT_OUT = "begun anew, since the server left an evaluation out"
OF_VERDICT = {"ok": "inactive", "pending": "pending", "firing": "firing"}


@dataclass
class Played:
    """What the server saw, and what it made of it, at each of its evaluations."""

    cases: list[Case]
    times: list[float]
    seen: Mapping[str, Mapping[float, list[Sample]]]
    states: Mapping[str, Mapping[float, set[str]]]
    active_since: Mapping[str, Mapping[float, float]]

    def state(self, case: Case, at: float) -> str:
        states = self.states[case.name].get(at, set())
        return next((state for state in ("firing", "pending") if state in states), "inactive")


@dataclass
class Tally:
    counts: Counter[str] = field(default_factory=Counter)
    remembered: int = 0
    compared_beginnings: int = 0
    unexplained: list[str] = field(default_factory=list)


class Player(threading.Thread):
    """Shows the server each second of the shapes, then their last values."""

    def __init__(self, server: PrometheusServer, shapes: Mapping[str, Shape]) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._shapes = shapes
        self._ended = threading.Event()
        self.began = time.monotonic()

    def run(self) -> None:
        second = 0
        while not self._ended.wait(max(0.0, self.began + second - time.monotonic())):
            self._server.exposition.metrics = dict(self._page(min(second, MOVING_SECONDS - 1)))
            second += 1

    def end(self) -> None:
        self._ended.set()
        self.join()

    def _page(self, second: int) -> Iterator[tuple[str, float]]:
        for case, shape in self._shapes.items():
            for series, values in shape.items():
                if (value := values[second]) is not None:
                    yield f'shape{{case="{case}",series="{series}"}}', value


@pytest.fixture(scope="module")
def server(prometheus_server: PrometheusServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """A server of its own, which scrapes and evaluates every second."""
    del prometheus_server  # it says when there is none
    server = PrometheusServer(tmp_path_factory.mktemp("equal"), scrape_interval="1s")
    rules = [{"record": "seen", "expr": "shape"}, {"record": "evaluated", "expr": "vector(1)"}]
    group = {"name": "all", "interval": "1s", "rules": rules + [case.alert() for case in ALL]}
    (server.rules / "all.yaml").write_text(yaml.safe_dump({"groups": [group]}))
    with server:
        yield server


ALL = cases(MOVING_SECONDS)


@pytest.fixture(scope="module")
def played(server: PrometheusServer) -> Iterator[Played]:
    """The end of the performance; the shapes stand still from now on."""
    # A server that has just started writes no ALERTS until it has looked for those of its life before.
    server.wait_value("count_over_time(evaluated[1m]) > bool 3", 1)
    player = Player(server, {case.name: case.shape for case in ALL})
    player.start()
    player.join(MOVING_SECONDS + STILL_SECONDS)
    yield _played(server)
    player.end()


def _played(server: PrometheusServer) -> Played:
    reader = Reader()
    [evaluated] = server.query("evaluated[5m]")
    seen: dict[str, dict[float, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for series in reader.series(server.query("seen[5m]")):
        for at, value in series.points:
            seen[dict(series.labels)["case"]][at.timestamp()].append(Sample(at, value, series.labels))
    states: dict[str, dict[float, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in server.query("ALERTS[5m]"):
        for at, _ in one["values"]:
            states[one["metric"]["alertname"]][at].add(one["metric"]["alertstate"])
    since: dict[str, dict[float, float]] = defaultdict(dict)
    for one in server.query("ALERTS_FOR_STATE[5m]"):
        for at, value in one["values"]:
            known = since[one["metric"]["alertname"]]
            known[at] = min(known.get(at, math.inf), float(value))
    times = [at for at, _ in evaluated["values"]][:-1]  # the last evaluation may have been under way
    return Played(ALL, times, seen, states, since)


def test_a_trigger_is_what_the_servers_own_rule_is_at_every_evaluation(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    for case in played.cases:
        _compare(case, played, tally)
    evaluations = len(played.times)
    with capsys.disabled():
        print(f"\n{len(played.cases)} rules, {evaluations} evaluations each:")
        for what, count in tally.counts.most_common():
            print(f"  {count:6}  {what}")
        print(f"  {tally.compared_beginnings:6}  times the same beginning, to the second")
        print(f"  {tally.remembered:6}  times it also says that it fired before the silence")
    assert tally.unexplained[:20] == []
    assert evaluations >= MOVING_SECONDS
    assert len(played.cases) >= 200
    assert tally.counts[SAME] > 0.75 * evaluations * len(played.cases)
    fired = {case.kind for case in played.cases if any("firing" in s for s in played.states[case.name].values())}
    assert fired >= {case.kind for case in played.cases} - {"never"}


def _compare(case: Case, played: Played, tally: Tally) -> None:
    """Folds what the rule saw, evaluation by evaluation, and holds each verdict to the server's state."""
    track, before, left_out, silent = Track(), None, False, False
    for at in played.times:
        moment = datetime.fromtimestamp(at, UTC)
        samples = played.seen[case.name].get(at, [])
        track = observe(case.rule, track, Reading(tuple(samples)), moment)
        reading = verdict(case.rule, track, moment)
        server = played.state(case, at)
        left_out = server != "inactive" and (left_out or (before is not None and at - before > case.rule.longest_gap))
        numbers = [sample for sample in samples if not math.isnan(sample.value)]
        silent = silent or len(numbers) < len(case.shape)
        why = _difference(case, reading, server, samples, left_out=left_out, silent=silent)
        tally.counts[why] += 1
        if reading.was_firing_since:
            tally.remembered += 1
        if why.startswith("UNEXPLAINED"):
            tally.unexplained.append(f"{case.name} at {at - played.times[0]:.0f} s: {why}: {reading.reason}")
        elif why == SAME and server != "inactive" and not left_out and case.rule.clear is None:
            assert reading.since is not None
            assert int(reading.since.timestamp()) == played.active_since[case.name][at], (case.name, at, reading)
            tally.compared_beginnings += 1
        before = at


def _difference(
    case: Case, reading: TriggerReading, server: str, samples: list[Sample], *, left_out: bool, silent: bool
) -> str:
    """The class of a difference that is meant, and UNEXPLAINED for every other."""
    if OF_VERDICT.get(reading.verdict) == server:
        return SAME
    if reading.verdict == "no_data" and server == "inactive":
        if not samples:
            return EMPTY
        if all(math.isnan(sample.value) for sample in samples):
            return NAN
    if case.rule.clear is not None and silent and reading.verdict in ("pending", "firing"):
        order = ("inactive", "pending", "firing")
        if order.index(reading.verdict) > order.index(server):
            return HELD
    if left_out and (reading.verdict, server) == ("pending", "firing"):
        return LEFT_OUT
    return f"UNEXPLAINED {reading.verdict}, the server says {server}"


async def test_a_console_that_is_opened_afterwards_finds_the_same(server: PrometheusServer, played: Played) -> None:
    """By the whole way: the client, the range query for the past, the sampler."""
    asking = source(server.url, "up")  # one target, as one procedure has
    watched = [Watched(case.rule, _source_of(asking, f'shape{{case="{case.name}"}}')) for case in played.cases]
    readings = await Sampler(watched, SystemClock()).sample_once(timeout_seconds=60)
    states: dict[str, set[str]] = defaultdict(set)
    for alert in server.get("/api/v1/alerts")["alerts"]:
        states[alert["labels"]["alertname"]].add(alert["state"])
    differing = []
    for case in played.cases:
        reading, found = readings[case.name], states[case.name]
        expected = next((state for state in ("firing", "pending") if state in found), "inactive")
        if reading.verdict == "no_data" and expected == "inactive" and reading.value is None:
            continue
        if OF_VERDICT.get(reading.verdict) != expected and case.rule.clear is None:
            differing.append(f"{case.name}: {reading.verdict} ({reading.reason}), the server says {expected}")
    assert differing == []
    assert sum(reading.verdict == "firing" for reading in readings.values()) > 30


def _source_of(asking: Any, query: str) -> Any:
    from console.metrics.prometheus import Options, PrometheusSource

    return PrometheusSource(Options(query=query), asking._target)
