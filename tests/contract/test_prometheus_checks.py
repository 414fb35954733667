"""The checks `prometheus.query`, `prometheus.rules` and `baseline`, whatever a Prometheus answers. tests/real asks a real one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.checks import baseline, prometheus_query, prometheus_rules
from console.domain.errors import Failed
from console.domain.events import BaselineTaken
from console.engine.ports import Evidence, Known
from console.targets import prometheus as targets
from tests.contract.loopback import Loopback, Reply, Request

EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202eevil"
NOW = datetime.now(UTC).replace(microsecond=0)


def success(data: Any, **more: Any) -> Reply:
    return Reply(json.dumps({"status": "success", "data": data, **more}).encode())


def vector(*values: float | str, name: str = "pod", warnings: Sequence[str] = ()) -> Reply:
    """A series for each value, told apart by a label; one alone has none."""
    labels = [{name: chr(97 + i)} for i in range(len(values))] if len(values) > 1 else [{}] * len(values)
    result = [{"metric": m, "value": [NOW.timestamp(), str(v)]} for m, v in zip(labels, values, strict=True)]
    return success({"resultType": "vector", "result": result}, warnings=list(warnings))


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(lambda _: vector()) as loopback:
        yield loopback


@pytest.fixture
def target(server: Loopback) -> Iterator[targets.PrometheusTarget]:
    made = targets.build("prom", targets.Options.model_validate({"url": server.url}))
    yield made
    made._close_idle()


# ---------------------------------------------------------------- prometheus.query


async def queried(server: Loopback, target: targets.PrometheusTarget, answer: Reply, **options: Any) -> Evidence:
    server.answer = lambda _: answer
    given = prometheus_query.Options.model_validate({"query": "p95", "unit": "s", **options})
    return await prometheus_query.build(given, target).run()


@pytest.mark.parametrize(
    ("values", "options", "said"),
    [
        ((12.5,), {"at_most": 30}, "pass: 12.5 s, at most 30 s"),
        ((30,), {"at_most": 30}, "pass: 30 s, at most 30 s"),
        ((34.2,), {"at_most": 30}, "fail: 34.2 s, at most 30 s"),
        ((30.0004,), {"at_most": 30}, "fail: 30.0004 s, at most 30 s"),
        ((1, 2, 3), {"at_least": 1, "at_most": 3}, "pass: 1 s to 3 s in 3 series, at least 1 s and at most 3 s"),
        ((1, 40, 35), {"at_most": 30}, "fail: 40 s (pod=b), 35 s (pod=c), at most 30 s; 2 of 3 series beyond"),
        ((1, 0), {"at_least": 1}, "fail: 0 s (pod=b), at least 1 s; 1 of 2 series beyond"),
        ((1, 1), {"at_least": 1, "at_most": 1}, "pass: 1 s in 2 series, expected 1 s"),
        ((2,), {"at_least": 1, "at_most": 1}, "fail: 2 s, expected 1 s"),
        (("+Inf",), {"at_most": 30}, "fail: ∞ s, at most 30 s"),
        (("-Inf",), {"at_least": 0}, "fail: -∞ s, at least 0 s"),
        ((1, 1), {"at_least": 1, "series_at_least": 3}, "fail: 2 series, 3 wanted at least"),
    ],
)
async def test_every_series_lies_within_the_bounds(
    server: Loopback, target: targets.PrometheusTarget, values: tuple[Any, ...], options: dict[str, Any], said: str
) -> None:
    evidence = await queried(server, target, vector(*values), **options)
    assert f"{evidence.outcome}: {evidence.text}" == said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (vector(), "the query finds nothing"),
        (vector("NaN"), "1 of 1 series is no number (NaN)"),
        (vector(1, "NaN"), "1 of 2 series is no number (NaN)"),
    ],
)
async def test_nothing_to_judge_is_no_pass(
    server: Loopback, target: targets.PrometheusTarget, answer: Reply, said: str
) -> None:
    evidence = await queried(server, target, answer, at_most=30)
    assert (evidence.outcome, evidence.text) == ("unknown", said)


async def test_a_number_beyond_counts_although_others_are_none(
    server: Loopback, target: targets.PrometheusTarget
) -> None:
    assert (await queried(server, target, vector(40, "NaN"), at_most=30)).outcome == "fail"


async def test_what_prometheus_warns_of_is_shown(server: Loopback, target: targets.PrometheusTarget) -> None:
    evidence = await queried(server, target, vector(1, warnings=["a store is away" + EVIL]), at_most=30)
    assert evidence.outcome == "pass"
    assert evidence.text == "1 s, at most 30 s; Prometheus warns: a store is awayevil"
    assert evidence.detail == ("query: p95", "value: 1 s", "warning: a store is awayevil")


async def test_the_worst_are_listed_first_and_not_all_of_them(
    server: Loopback, target: targets.PrometheusTarget
) -> None:
    evidence = await queried(server, target, vector(*range(26)), at_most=24)
    assert evidence.detail[1] == "pod=z: 25 s"
    assert evidence.detail[-1] == "and 6 more series"


async def test_nobody_to_ask_is_no_failure_of_what_is_measured(
    server: Loopback, target: targets.PrometheusTarget
) -> None:
    refused = Reply(b'{"status": "error", "error": "parse error"}', 400)
    evidence = await queried(server, target, refused, at_most=30)
    assert (evidence.outcome, evidence.text.rpartition("): ")[2]) == ("unknown", "it refuses the query: parse error")
    server.stop()
    evidence = await queried(server, target, refused, at_most=30)
    assert (evidence.outcome, evidence.text.rpartition("): ")[2]) == ("unknown", "connection refused")


@pytest.mark.parametrize("options", [{}, {"at_most": 1, "at_least": 2}, {"at_most": 1, "series_at_least": 0}])
def test_bounds_that_say_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        prometheus_query.Options.model_validate({"query": "up", **options})


# ---------------------------------------------------------------- prometheus.rules


def rule(name: str, state: str = "inactive", health: str = "ok", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "query": f"{name.lower()} > 1",
        "state": state,
        "health": health,
        "lastEvaluation": NOW.isoformat(),
        "type": "alerting",
        **more,
    }


RECORDS = {
    "type": "recording",
    "name": "p95:max",
    "query": "max(p95)",
    "health": "ok",
    "lastEvaluation": NOW.isoformat(),
}


def ruled(*rules: Mapping[str, Any], jobs: Mapping[str, Sequence[str]] | None = None) -> Callable[[Request], Reply]:
    """A server with these rules in the group `slo`, and jobs with targets of these healths."""

    def answer(request: Request) -> Reply:
        pool = request.parameters.get("scrapePool", "")
        found = [
            {"scrapePool": pool, "health": h, "lastError": "refused" * (h == "down")}
            for h in (jobs or {}).get(pool, ())
        ]
        answers: dict[str, Any] = {
            "/api/v1/rules": {"groups": [{"name": "slo", "rules": list(rules)}]},
            "/api/v1/scrape_pools": {"scrapePools": sorted(jobs or {})},
            "/api/v1/targets": {"activeTargets": found},
            "/api/v1/status/config": {"yaml": ""},
            "/api/v1/status/runtimeinfo": {},
        }
        return success(answers[request.path])

    return answer


async def rules_checked(
    server: Loopback, target: targets.PrometheusTarget, answer: Callable[[Request], Reply], **options: Any
) -> Evidence:
    server.answer = answer
    check = prometheus_rules.build(prometheus_rules.Options.model_validate(options), target)
    try:
        return await check.run()
    finally:
        await target.close()


@pytest.mark.parametrize(
    ("rules", "options", "said"),
    [
        ((rule("Slow"),), {"rules": ("Slow",)}, "pass: 1 rule loaded and healthy"),
        ((rule("Slow", "firing"),), {"rules": ("Slow",)}, "pass: 1 rule loaded and healthy"),
        ((rule("Slow"), RECORDS), {"rules": ("slo",), "quiet": True}, "pass: 2 rules loaded and healthy, none fires"),
        ((rule("Slow"),), {"quiet": True}, "pass: 1 rule loaded and healthy, none fires"),
        ((rule("Slow", "firing"),), {"quiet": True}, "fail: rule Slow is FIRING"),
        ((rule("Slow", "pending"),), {"rules": ("Slow",), "quiet": True}, "fail: rule Slow is PENDING"),
        ((rule("Other", "firing"), rule("Slow")), {"rules": ("Slow",), "quiet": True},
         "pass: 1 rule loaded and healthy, none fires"),
        ((rule("Other"),), {"rules": ("Slow",)}, "fail: rule Slow is not loaded"),
        ((), {"rules": ("Slow",), "quiet": True}, "fail: rule Slow is not loaded"),
        ((), {"quiet": True}, "fail: no alerting rule is loaded"),
        ((RECORDS,), {"rules": ("p95:max",), "quiet": True}, "fail: none of them alerts"),
        ((rule("Slow", health="err", lastError="many-to-many" + EVIL),), {"rules": ("Slow",)},
         "fail: rule Slow can't be evaluated: many-to-manyevil"),
        ((rule("Slow", health="unknown"),), {"rules": ("Slow",)}, "unknown: rule Slow has not been evaluated yet"),
        ((rule("Slow", lastEvaluation="0001-01-01T00:00:00Z"),), {"quiet": True},
         "unknown: rule Slow has not been evaluated yet"),
        ((rule("Slow", "unknown"),), {"quiet": True}, "unknown: rule Slow has not been evaluated yet"),
    ],
)  # fmt: skip
async def test_rules_are_there_work_and_are_quiet(
    server: Loopback, target: targets.PrometheusTarget, rules: Any, options: dict[str, Any], said: str
) -> None:
    evidence = await rules_checked(server, target, ruled(*rules), **options)
    assert f"{evidence.outcome}: {evidence.text}" == said


async def test_the_troubled_rules_come_first_in_the_detail(server: Loopback, target: targets.PrometheusTarget) -> None:
    answer = ruled(rule("Calm"), rule("Slow", "firing"))
    evidence = await rules_checked(server, target, answer, quiet=True)
    assert evidence.detail == (
        "rule Slow: firing, health ok: slow > 1",
        "rule Calm: inactive, health ok: calm > 1",
    )


@pytest.mark.parametrize(
    ("jobs", "said"),
    [
        ({"api": ("up", "up")}, "pass: 1 job up"),
        ({"api": ("up", "down")}, "fail: job api loaded, 1 of 2 targets up (refused)"),
        ({"api": ()}, "fail: job api loaded, without targets"),
        ({"api": ("up", "unknown")}, "unknown: job api loaded, 1 of 2 targets up; not all have been scraped yet"),
        ({}, "fail: job api is not loaded"),
    ],
)
async def test_jobs_are_scraped(
    server: Loopback, target: targets.PrometheusTarget, jobs: dict[str, tuple[str, ...]], said: str
) -> None:
    evidence = await rules_checked(server, target, ruled(jobs=jobs), jobs=("api",))
    assert f"{evidence.outcome}: {evidence.text}" == said


@pytest.mark.parametrize("body", [b'{"status": "success", "data": {"groups": [1]}}', b"<html>", b"[]"])
async def test_an_answer_that_is_none_is_an_error_in_words(
    server: Loopback, target: targets.PrometheusTarget, body: bytes
) -> None:
    with pytest.raises(Failed, match="Prometheus prom"):
        await rules_checked(server, target, lambda _: Reply(body), quiet=True)


def test_asking_for_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match='ask that all rules be "quiet"'):
        prometheus_rules.Options.model_validate({})


# ---------------------------------------------------------------- baseline

MIGRATED = NOW - timedelta(hours=3)


class Past:
    """A Prometheus whose query has one value now, and others at the moments of a range."""

    def __init__(self, now: Reply, past: Sequence[float | str] = ()) -> None:
        self._now = now
        self._past = past
        self.asked: list[Mapping[str, str]] = []

    def __call__(self, request: Request) -> Reply:
        if request.path.endswith("/query"):
            return self._now
        self.asked.append(request.parameters)
        start = float(request.parameters["start"])
        values = [[start + i, str(v)] for i, v in enumerate(self._past)]
        result = [{"metric": {}, "values": values}] if values else []
        return success({"resultType": "matrix", "result": result})


def compared_check(target: targets.PrometheusTarget, **options: Any) -> baseline.Baseline:
    given = {"query": "p95", "unit": "s", "tolerance_percent": 20.0, "window": "1h", **options}
    return baseline.build(baseline.Options.model_validate(given), target)  # type: ignore[return-value]


def known(taken: float | None = None, unit: str = "s", migrated_at: datetime | None = None) -> Known:
    recorded = {} if taken is None else {"usual": BaselineTaken("usual", taken, unit, "as it was")}
    return Known(NOW, baselines=recorded, migrated_at=migrated_at)


@pytest.mark.parametrize(
    ("taken", "now", "options", "said"),
    [
        (1.2, 2.5, {}, "fail: 2.08 × baseline (1.2 s then, 2.5 s now), tolerance 20 %"),
        (1.2, 1.44, {}, "pass: 1.2 × baseline (1.2 s then, 1.44 s now), tolerance 20 %"),
        (1.2, 0.3, {}, "pass: 0.25 × baseline (1.2 s then, 0.3 s now), tolerance 20 %"),
        (100, 79, {"worse": "lower"}, "fail: 0.79 × baseline (100 s then, 79 s now), tolerance 20 %"),
        (100, 300, {"worse": "lower"}, "pass: 3 × baseline (100 s then, 300 s now), tolerance 20 %"),
        (0, 0.01, {}, "fail: baseline (0 s then, 0.01 s now), tolerance 20 %"),
        (0, 0.01, {"slack": 0.02}, "pass: baseline (0 s then, 0.01 s now), tolerance 20 % and 0.02 s"),
        (-10, -7, {}, "fail: baseline (-10 s then, -7 s now), tolerance 20 %"),
        (1.2, "+Inf", {}, "fail: baseline (1.2 s then, ∞ s now), tolerance 20 %"),
    ],
)
async def test_now_is_compared_with_what_was_recorded(
    server: Loopback, target: targets.PrometheusTarget, taken: float, now: Any, options: dict[str, Any], said: str
) -> None:
    server.answer = Past(vector(now))
    evidence = await compared_check(target, **options).compare("usual", known(taken))
    assert f"{evidence.outcome}: {evidence.text}" == said


async def test_the_detail_says_what_was_compared_with_what(server: Loopback, target: targets.PrometheusTarget) -> None:
    server.answer = Past(vector(2.5))
    evidence = await compared_check(target).compare("usual", known(1.2))
    assert evidence.detail == ("query: p95", "then: 1.2 s (as it was)", "now: 2.5 s; at most 1.44 s is allowed")


async def test_without_a_standard_there_is_no_verdict_but_what_to_do(
    server: Loopback, target: targets.PrometheusTarget
) -> None:
    server.answer = Past(vector(1.0), [1.0] * 61)
    evidence = await compared_check(target).compare("usual", known())
    assert evidence.outcome == "unknown"
    assert "no baseline is known; rollback-console baseline take usual before the migration" in evidence.text
    later = known(migrated_at=NOW + timedelta(hours=1))  # there is no time before it yet
    assert (await compared_check(target).compare("usual", later)).outcome == "unknown"
    of_another = Known(NOW, baselines={"other": BaselineTaken("other", 1.0, "s", "")})
    assert (await compared_check(target).compare("usual", of_another)).outcome == "unknown"


async def test_history_before_the_migration_stands_in_for_what_nobody_recorded(
    server: Loopback, target: targets.PrometheusTarget
) -> None:
    server.answer = past = Past(vector(2.5), [1.1, "NaN", 1.3, *[1.2] * 58])
    evidence = await compared_check(target).compare("usual", known(migrated_at=MIGRATED))
    assert evidence.text == "2.08 × baseline (1.2 s then, 2.5 s now), tolerance 20 %"
    asked = f"average of 1 h up to {MIGRATED:%Y-%m-%d %H:%M:%S} UTC, before the migration, 60 of 61 values"
    assert evidence.detail[1] == f"then: 1.2 s ({asked})"
    assert float(past.asked[0]["end"]) == MIGRATED.timestamp()
    assert float(past.asked[0]["start"]) == MIGRATED.timestamp() - 3600


async def test_what_was_recorded_goes_before_history(server: Loopback, target: targets.PrometheusTarget) -> None:
    server.answer = past = Past(vector(2.5), [9.0] * 61)
    evidence = await compared_check(target).compare("usual", known(1.2, migrated_at=MIGRATED))
    assert "(1.2 s then" in evidence.text
    assert past.asked == []


async def test_a_moment_or_a_value_of_the_file_goes_before_all(
    server: Loopback, target: targets.PrometheusTarget
) -> None:
    server.answer = past = Past(vector(2.0), [4.0] * 61)
    at = NOW - timedelta(days=2)
    assert "(4 s then" in (await compared_check(target, at=at).compare("usual", known(1.2))).text
    assert float(past.asked[0]["end"]) == at.timestamp()
    fixed = compared_check(target, value=2.0)
    assert "1 × baseline (2 s then, 2 s now)" in (await fixed.compare("usual", known(1.2))).text
    assert not hasattr(fixed, "measure")  # there is nothing to take


async def test_a_past_that_is_hardly_known_is_no_standard(server: Loopback, target: targets.PrometheusTarget) -> None:
    server.answer = Past(vector(2.0), [1.0] * 20)
    evidence = await compared_check(target).compare("usual", known(migrated_at=MIGRATED))
    assert evidence.outcome == "unknown"
    assert "20 of 61 values are known of the 1 h up to" in evidence.text


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (vector(), "the query finds nothing now"),
        (vector("NaN"), "the query gives no number now (NaN)"),
        (vector(1, 2), "the query gives 2 series; let it give one value"),
        (Reply(b"", 503), "Prometheus prom"),
    ],
)
async def test_without_one_number_now_there_is_no_verdict(
    server: Loopback, target: targets.PrometheusTarget, now: Reply, said: str
) -> None:
    server.answer = Past(now)
    evidence = await compared_check(target).compare("usual", known(1.2))
    assert (evidence.outcome, said in evidence.text) == ("unknown", True), evidence.text


async def test_a_baseline_in_another_unit_is_not_compared(server: Loopback, target: targets.PrometheusTarget) -> None:
    server.answer = Past(vector(1.2))
    evidence = await compared_check(target).compare("usual", known(1200, unit="ms"))
    assert evidence.outcome == "unknown"
    assert "taken in ms, and the procedure says s" in evidence.text


async def test_what_is_taken_is_the_time_up_to_now_or_up_to_the_migration(
    server: Loopback, target: targets.PrometheusTarget
) -> None:
    server.answer = past = Past(vector(9.0), [1.0] * 61)
    taking = compared_check(target)
    assert isinstance(taking, baseline.TakenBaseline)
    before = await taking.measure(known(migrated_at=NOW + timedelta(hours=1)))
    after = await taking.measure(known(migrated_at=MIGRATED))
    assert [float(asked["end"]) for asked in past.asked] == [NOW.timestamp(), MIGRATED.timestamp()]
    assert (before.value, before.unit, after.value) == (1.0, "s", 1.0)
    assert after.of.endswith("before the migration")
    server.answer = Past(vector(9.0))
    with pytest.raises(Failed, match="0 of 61 values"):
        await taking.measure(known())


async def test_run_alone_says_that_it_needs_the_console(target: targets.PrometheusTarget) -> None:
    assert (await compared_check(target).run()).outcome == "unknown"


def test_two_standards_are_refused() -> None:
    with pytest.raises(ValueError, match='either "at" or "value"'):
        baseline.Options.model_validate({"query": "a", "tolerance_percent": 1.0, "at": NOW, "value": 1.0})
