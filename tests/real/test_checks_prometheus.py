"""`prometheus.query`, `prometheus.rules`, `baseline` and `triggers.quiet` on a real Prometheus, up to the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from console.checks import baseline, prometheus_query, prometheus_rules
from console.cli import run
from console.domain.errors import Failed
from console.domain.events import BaselineTaken
from console.engine.ports import Evidence, Known
from console.targets import prometheus as targets
from console.targets.prometheus import PrometheusTarget
from tests.real.servers import PrometheusServer, poll
from tests.real.servers.prometheus import JOB

SLOW = "groups: [{name: slo, rules: [{alert: Slow, expr: qec_p95 > 0.5}, {record: 'p95:max', expr: max(qec_p95)}]}]"
LASTING = SLOW.replace("0.5}", "0.5, for: 1h}")
BROKEN = "groups: [{name: slo, rules: [{alert: Slow, expr: 'qec_p95 * on() group_left() qec_sides > 0'}]}]"


@pytest.fixture
def target(prometheus: PrometheusServer) -> Iterator[PrometheusTarget]:
    made = targets.build("prom", targets.Options.model_validate({"url": prometheus.url}))
    yield made
    made._close_idle()


# ---------------------------------------------------------------- prometheus.query


async def queried(target: PrometheusTarget, query: str = "max(qec_p95)", **options: Any) -> str:
    given = prometheus_query.Options.model_validate({"query": query, "unit": "s", **options})
    evidence = await prometheus_query.build(given, target).run()
    return f"{evidence.outcome}: {evidence.text}"


async def test_a_value_beyond_its_bound_fails_and_one_within_passes(
    prometheus: PrometheusServer, target: PrometheusTarget
) -> None:
    assert await queried(target, at_most=30) == "unknown: the query finds nothing"
    prometheus.metrics["qec_p95"] = 34.2
    prometheus.wait_value("qec_p95", 34.2)
    assert (await queried(target, at_most=30)) == "fail: 34.2 s, at most 30 s"
    prometheus.metrics["qec_p95"] = 0.4
    prometheus.wait_value("qec_p95", 0.4)
    assert (await queried(target, at_most=30)) == "pass: 0.4 s, at most 30 s"


async def test_one_series_beyond_among_many_fails_and_is_named(
    prometheus: PrometheusServer, target: PrometheusTarget
) -> None:
    for route, value in (("/a", 1.0), ("/b", 31.0), ("/c", 2.0)):
        prometheus.backfill("qec_p95", [(2, value)], {"route": route})
    said = await queried(target, "max by (route) (qec_p95)", at_most=30)
    assert said == "fail: 31 s (route=/b), at most 30 s; 1 of 3 series beyond"
    assert await queried(target, "max by (route) (qec_p95)", at_most=31, series_at_least=4) == (
        "fail: 3 series, 4 wanted at least"
    )  # fmt: skip


async def test_what_is_no_longer_scraped_is_no_pass(prometheus: PrometheusServer, target: PrometheusTarget) -> None:
    prometheus.backfill("qec_p95", [(60, 0.4)])
    assert (await queried(target, at_most=30)).startswith("pass")  # Prometheus looks back five minutes
    assert await queried(target, at_most=30, lookback="30s") == "unknown: the query finds nothing"


async def test_a_warning_of_the_server_is_shown(prometheus: PrometheusServer, target: PrometheusTarget) -> None:
    prometheus.backfill("qec_total", [(ago, 100.0 - ago) for ago in range(0, 60, 5)])
    prometheus.backfill("qec_p95", [(ago, 100.0 - ago) for ago in range(0, 60, 5)])
    said = await queried(target, "rate(qec_p95[1m])", at_least=0)
    assert said.startswith("pass: ")
    assert "Prometheus warns: PromQL info: metric might not be a counter" in said


# ---------------------------------------------------------------- prometheus.rules


def load(prometheus: PrometheusServer, rules: str) -> None:
    (prometheus.rules / "slo.yaml").write_text(rules)
    assert prometheus.reload().is_success


def state(prometheus: PrometheusServer, name: str = "Slow") -> tuple[str, str]:
    found = [r for g in prometheus.get("/api/v1/rules")["groups"] for r in g["rules"] if r["name"] == name]
    return (found[0]["state"], found[0]["health"]) if found else ("", "")


async def ruled(target: PrometheusTarget, **options: Any) -> str:
    evidence = await rules_evidence(target, **options)
    return f"{evidence.outcome}: {evidence.text}"


async def rules_evidence(target: PrometheusTarget, **options: Any) -> Evidence:
    check = prometheus_rules.build(prometheus_rules.Options.model_validate(options), target)
    try:
        return await check.run()
    finally:
        await target.close()


async def test_a_rule_that_is_missing_fails_and_one_that_works_passes(
    prometheus: PrometheusServer, target: PrometheusTarget
) -> None:
    assert await ruled(target, rules=("Slow",)) == "fail: rule Slow is not loaded"
    assert await ruled(target, quiet=True) == "fail: no alerting rule is loaded"
    load(prometheus, SLOW)
    poll("it is evaluated", lambda: state(prometheus) == ("inactive", "ok"))
    assert await ruled(target, rules=("slo",), quiet=True) == "pass: 2 rules loaded and healthy, none fires"


async def test_a_rule_that_fires_or_is_about_to_is_not_quiet(
    prometheus: PrometheusServer, target: PrometheusTarget
) -> None:
    prometheus.metrics["qec_p95"] = 0.9
    prometheus.wait_value("qec_p95", 0.9)
    load(prometheus, SLOW)
    poll("it fires", lambda: state(prometheus)[0] == "firing")
    evidence = await rules_evidence(target, quiet=True)
    assert (evidence.outcome, evidence.text) == ("fail", "rule Slow is FIRING")
    assert evidence.detail[0] == "rule Slow: firing, health ok: qec_p95 > 0.5"
    assert (await ruled(target, rules=("Slow",))).startswith("pass")  # that it works was all that was asked
    load(prometheus, LASTING)
    poll("it is pending", lambda: state(prometheus)[0] == "pending")
    assert await ruled(target, rules=("Slow",), quiet=True) == "fail: rule Slow is PENDING"


async def test_a_rule_that_can_not_be_evaluated_is_silent_and_no_pass(
    prometheus: PrometheusServer, target: PrometheusTarget
) -> None:
    prometheus.metrics.update({"qec_p95": 1.0, 'qec_sides{side="a"}': 1.0, 'qec_sides{side="b"}': 1.0})
    prometheus.wait_value("count(qec_sides)", 2)
    load(prometheus, BROKEN)
    poll("it fails", lambda: state(prometheus)[1] == "err")
    said = await ruled(target, quiet=True)
    assert said.startswith("fail: rule Slow can't be evaluated: ")
    assert "many-to-many" in said or "duplicate series" in said


async def test_a_job_is_up_with_all_of_its_targets(prometheus: PrometheusServer, target: PrometheusTarget) -> None:
    poll("it is scraped", lambda: [s["value"][1] for s in prometheus.query("up")] == ["1"])
    assert await ruled(target, jobs=(JOB,)) == "pass: 1 job up"
    assert await ruled(target, jobs=("absent",)) == "fail: job absent is not loaded"
    prometheus.exposition.up = False
    poll("it is down", lambda: [s["value"][1] for s in prometheus.query("up")] == ["0"])
    said = await ruled(target, jobs=(JOB,))
    assert said.startswith(f"fail: job {JOB} loaded, 0 of 1 targets up (")
    assert "503" in said


# ---------------------------------------------------------------- baseline

NOW_SECONDS = 2
MIGRATED_MINUTES_AGO = 60


def history(prometheus: PrometheusServer, then: float, now: float) -> datetime:
    """Two hours of `then` up to the migration an hour ago, and what it is now. Gives the moment of the migration."""
    migrated = datetime.now(UTC) - timedelta(minutes=MIGRATED_MINUTES_AGO)
    past = [(60 * minutes, then) for minutes in range(MIGRATED_MINUTES_AGO, 180)]
    prometheus.backfill("qec_p95", [*past, (NOW_SECONDS, now)])
    return migrated


def built(target: PrometheusTarget, **options: Any) -> Any:
    given = {"query": "max(qec_p95)", "unit": "s", "tolerance_percent": 20.0, **options}
    return baseline.build(baseline.Options.model_validate(given), target)


def knowing(migrated: datetime | None, **taken: float) -> Known:
    recorded = {i: BaselineTaken(i, value, "s", "as it was") for i, value in taken.items()}
    return Known(datetime.now(UTC), baselines=recorded, migrated_at=migrated)


async def test_now_is_compared_with_the_hour_before_the_migration(
    prometheus: PrometheusServer, target: PrometheusTarget
) -> None:
    migrated = history(prometheus, then=1.2, now=2.5)
    evidence = await built(target).compare("usual", knowing(migrated))
    assert evidence.outcome == "fail"
    assert evidence.text == "2.08 × baseline (1.2 s then, 2.5 s now), tolerance 20 %"
    assert f"average of 1 h up to {migrated:%Y-%m-%d %H:%M:%S} UTC, before the migration" in evidence.detail[1]
    assert (await built(target, tolerance_percent=110.0).compare("usual", knowing(migrated))).outcome == "pass"


async def test_back_to_normal_passes(prometheus: PrometheusServer, target: PrometheusTarget) -> None:
    migrated = history(prometheus, then=1.2, now=1.3)
    evidence = await built(target).compare("usual", knowing(migrated))
    assert (evidence.outcome, evidence.text) == ("pass", "1.08 × baseline (1.2 s then, 1.3 s now), tolerance 20 %")
    assert (await built(target, at=migrated).compare("usual", knowing(None))).outcome == "pass"


async def test_what_was_taken_is_the_average_before_the_migration_and_not_the_bad_time_after_it(
    prometheus: PrometheusServer, target: PrometheusTarget
) -> None:
    migrated = history(prometheus, then=1.2, now=9.0)
    taken = await built(target).measure(knowing(migrated))
    assert round(taken.value, 6) == 1.2
    with pytest.raises(Failed, match="values are known"):
        await built(target, query="max(qec_nothing)").measure(knowing(migrated))


async def test_without_a_standard_or_a_value_there_is_no_verdict(
    prometheus: PrometheusServer, target: PrometheusTarget
) -> None:
    evidence = await built(target).compare("usual", knowing(None))
    assert evidence.outcome == "unknown"
    assert "baseline take usual" in evidence.text
    assert "the query finds nothing now" in evidence.text
    long_ago = datetime.now(UTC) - timedelta(days=90)
    assert (await built(target).compare("usual", knowing(long_ago))).outcome == "unknown"


# ---------------------------------------------------------------- the whole of it

PROCEDURE = """
[incident]
title = "QEC-SFT migration"

[target.prom]
kind = "prometheus"
url = "{url}"

[[trigger]]
id = "p95"
title = "p95"
source = "prometheus"
query = "max(qec_p95)"
above = 5
every = "1s"

[[check]]
id = "usual"
title = "p95 is as before"
kind = "baseline"
query = "max(qec_p95)"
unit = "s"
tolerance_percent = 20
window = "4s"

[[check]]
id = "quiet"
title = "No trigger fires"
kind = "triggers.quiet"
"""


def test_taken_before_declared_after_and_verified_by_the_command_line(
    prometheus: PrometheusServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    procedure = tmp_path / "procedure.toml"
    procedure.write_text(PROCEDURE.format(url=prometheus.url))
    common = ["-c", str(procedure), "--journal", str(tmp_path / "journal"), "--as", "kim"]

    def cli(*arguments: str) -> tuple[int, Any]:
        code = run([*common, *arguments, "--json"])
        return code, json.loads(capsys.readouterr().out)

    def verified() -> dict[str, tuple[str, str]]:
        return {c["id"]: (c["state"], c["evidence"]) for c in cli("verify")[1]["checks"]}

    prometheus.backfill("qec_p95", [(ago / 2, 1.2) for ago in range(20)])
    code, taken = cli("baseline", "take")
    assert (code, [(b["check"], round(b["value"], 6), b["by"]) for b in taken["baselines"]]) == (
        0, [("usual", 1.2, "kim")],
    )  # fmt: skip
    assert cli("declare", "--reason", "p95 fires")[0] == 0
    prometheus.metrics["qec_p95"] = 6.0
    prometheus.wait_value("max(qec_p95)", 6.0)
    found = verified()
    assert found["usual"] == ("fail", "5 × baseline (1.2 s then, 6 s now), tolerance 20 %")
    assert found["quiet"][0] == "fail"
    assert "1 of 1 trigger not quiet: p95 FIRING since" in found["quiet"][1]
    prometheus.metrics["qec_p95"] = 1.3
    prometheus.wait_value("max(qec_p95)", 1.3)
    found = verified()
    assert found["usual"] == ("pass", "1.08 × baseline (1.2 s then, 1.3 s now), tolerance 20 %")
    assert found["quiet"] == ("pass", "1 trigger ok")
    checks = {c["id"]: c for c in cli("status", "--offline")[1]["checks"]}
    assert checks["usual"]["detail"][0] == "query: max(qec_p95)"
    assert "average of 4 s up to" in checks["usual"]["detail"][1]
