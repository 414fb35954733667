"""The documents of the API, as Prometheus shapes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from console.sandbox.prometheus.durations import stamp, written
from console.sandbox.prometheus.promql import Result
from console.sandbox.prometheus.promql.numbers import in_json, scientific
from console.sandbox.prometheus.rules import Alert, AlertingRule, Group, Rule
from console.sandbox.prometheus.scraping import Target
from console.sandbox.prometheus.server import PrometheusServer
from console.sandbox.prometheus.storage import NAME, Labels, Storage

Json = Any
_MOST_STATISTICS: Final = 10


def result(found: Result, limit: int = 0) -> tuple[dict[str, Json], list[str]]:
    """An answer's data, and the warning that it was cut."""
    series = found.series[:limit] if limit else found.series
    cut = ["results truncated due to limit"] if len(series) < len(found.series) else []
    if found.sort == "vector":
        shown: Json = [{"metric": dict(labels), "value": _point(*points[0])} for labels, points in series]
    elif found.sort == "matrix":
        shown = [{"metric": dict(labels), "values": [_point(*one) for one in points]} for labels, points in series]
    else:
        shown, cut = _point(*found.series[0][1][0]), []
    return {"resultType": found.sort, "result": shown}, cut


def text(found: Result, time: int) -> dict[str, Json]:
    return {"resultType": "string", "result": [_seconds(time), found.text]}


def _point(time: int, value: float) -> list[Json]:
    return [_seconds(time), in_json(value)]


def _seconds(time: int) -> float:
    return time / 1000 if time % 1000 else time // 1000


def group(found: Group, rules: Iterable[Rule], *, with_alerts: bool) -> dict[str, Json]:
    return {
        "name": found.name,
        "file": str(found.file),
        "rules": [_rule(rule, with_alerts=with_alerts) for rule in rules],
        "interval": _short(found.interval / 1000),
        "limit": found.limit,
        "evaluationTime": found.evaluation_seconds,
        "lastEvaluation": stamp(found.last_evaluation),
    }


def _rule(found: Rule, *, with_alerts: bool) -> dict[str, Json]:
    health: dict[str, Json] = {"health": found.health}
    if found.last_error:
        health["lastError"] = found.last_error
    health |= {"evaluationTime": found.evaluation_seconds, "lastEvaluation": stamp(found.last_evaluation)}
    if not isinstance(found, AlertingRule):
        labels = dict(found.labels)
        return {"name": found.name, "query": found.query, "labels": labels, **health, "type": "recording"}
    return {
        "state": found.state,
        "name": found.name,
        "query": found.query,
        "duration": _short(found.hold / 1000),
        "keepFiringFor": _short(found.keep_firing / 1000),
        "labels": dict(found.labels),
        "annotations": dict(found.annotations),
        "alerts": [alert(one) for one in found.active] if with_alerts else None,
        **health,
        "type": "alerting",
    }


def alert(found: Alert) -> dict[str, Json]:
    kept = {} if found.keep_firing_since is None else {"keepFiringSince": stamp(found.keep_firing_since)}
    return {
        "labels": dict(found.labels),
        "annotations": dict(found.annotations),
        "state": found.state,
        "activeAt": stamp(found.active_at),
        **kept,
        "value": scientific(found.value),
    }


def target(found: Target) -> dict[str, Json]:
    job = found.job
    discovered = {
        "__address__": found.endpoint.address,
        "__metrics_path__": job.path,
        "__scheme__": job.scheme,
        "__scrape_interval__": written(job.interval),
        "__scrape_timeout__": written(job.timeout),
        "job": job.name,
        **found.endpoint.labels,
    }
    return {
        "discoveredLabels": discovered,
        "labels": found.labels,
        "scrapePool": job.name,
        "scrapeUrl": found.url,
        "globalUrl": found.url,
        "lastError": found.last_error,
        "lastScrape": stamp(found.last_scrape),
        "lastScrapeDuration": found.last_seconds,
        "health": found.health,
        "scrapeInterval": written(job.interval),
        "scrapeTimeout": written(job.timeout),
    }


def statistics(storage: Storage) -> dict[str, Json]:
    """Of the store: how many series, and under which names and labels."""
    names: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    values: dict[str, set[str]] = {}
    for series in storage:
        for name, value in series.labels:
            pairs[f"{name}={value}"] += 1
            values.setdefault(name, set()).add(value)
            if name == NAME:
                names[value] += 1
    counts = Counter({name: len(found) for name, found in values.items()})
    size = Counter({name: sum(map(len, found)) for name, found in values.items()})
    return {
        "headStats": {
            "numSeries": len(storage),
            "numLabelPairs": len(pairs),
            "chunkCount": len(storage),
            "minTime": storage.oldest() or 0,
            "maxTime": storage.newest,
        },
        "seriesCountByMetricName": _most(names),
        "labelValueCountByLabelName": _most(counts),
        "memoryInBytesByLabelName": _most(size),
        "seriesCountByLabelValuePair": _most(pairs),
    }


def runtime(server: PrometheusServer) -> dict[str, Json]:
    return {
        "startTime": stamp(server.started),
        "CWD": str(server.config_file.parent),
        "serverTime": stamp(server.now()),
        "reloadConfigSuccess": server.last_reload_ok,
        "lastConfigTime": stamp(server.last_reload_at),
        "corruptionCount": 0,
        "storageRetention": written(server.storage.retention),
    }


def flags(server: PrometheusServer, *, lifecycle: bool) -> dict[str, str]:
    return {
        "config.file": str(server.config_file),
        "query.lookback-delta": "5m",
        "query.max-samples": "5000000",
        "query.timeout": "2m",
        "storage.tsdb.retention.time": written(server.storage.retention),
        "web.enable-admin-api": "false",
        "web.enable-lifecycle": str(lifecycle).lower(),
    }


def own_metrics(server: PrometheusServer) -> str:
    """What the server exposes about itself: the part that tells of reloads, rules and the store."""
    loaded = (server.last_reload_at or 0) / 1000
    failed = sum(rule.health == "err" for one in server.groups for rule in one.rules)
    lines = (
        (
            "prometheus_config_last_reload_successful",
            "gauge",
            "Whether the last reload succeeded.",
            float(server.last_reload_ok),
        ),
        ("prometheus_config_last_reload_success_timestamp_seconds", "gauge", "When a reload last succeeded.", loaded),
        ("prometheus_rule_group_rules_failing", "gauge", "Rules whose last evaluation failed.", float(failed)),
        ("prometheus_tsdb_head_series", "gauge", "Series in memory.", float(len(server.storage))),
    )
    return "".join(
        f"# HELP {name} {help_text}\n# TYPE {name} {sort}\n{name} {in_json(value)}\n"
        for name, sort, help_text, value in lines
    )


def labels(found: Labels) -> dict[str, str]:
    return dict(found)


def http_date(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def _most(counts: Counter[str]) -> list[dict[str, Json]]:
    return [{"name": name, "value": count} for name, count in counts.most_common(_MOST_STATISTICS)]


def _short(seconds: float) -> float:
    return int(seconds) if seconds.is_integer() else seconds
