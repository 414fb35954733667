"""Rule files, good and bad, configurations and requests, for the comparison with the real Prometheus."""

from __future__ import annotations

RULES = """
groups:
- name: second
  interval: 200ms
  labels: {team: core}
  rules:
  - alert: High
    expr: load > 1
    keep_firing_for: 1h
    labels: {severity: page, seen: "{{ $value }}"}
    annotations:
      summary: '{{ $labels.host }}{{ .Labels.none }} is {{ $value | humanize }}, {{ printf "%.2f" $value }}, {{$value}}'
      duration: "{{ humanizeDuration $value }} {{ $value | humanizePercentage }} {{ $value | humanize1024 }}"
  - alert: Slow
    expr: load > 1
    for: 1h
  - alert: Never
    expr: load > on (host) group_left () load * 100
  - record: load:sum
    expr: sum(load) by (kind)
    labels: {from: rule, kind: ""}
  - alert: Broken
    expr: load + on () group_left () load
- name: first
  limit: 1
  rules:
  - alert: TooMany
    expr: load > 0
  - record: load:twice
    expr: load * 2
  - record: load:rate
    expr: rate(load{host!="x",a=~"b|c"}[5m] offset 1m) + on (a) group_left (b) sum without (c) (load @ 5) or -load
  - record: load:max
    expr: max_over_time(rate(load[5m])[1h:30s] @ end()) > bool 1e3 unless load{host="q\\"uote"}
  - record: load:quantile
    expr: quantile by (host) (0.9, (load)) and topk(3, load) or vector(1.50)
  - record: load:late
    expr: load and ignoring (a, b) load ^ -2 % 5m
"""
BAD_RULES = {
    "a query that ends too early": "groups: [{name: g, rules: [{alert: X, expr: 'foo >'}]}]",
    "an unknown field of a group": "groups: [{nam: g}]",
    "an unknown field of a rule": "groups: [{name: g, rules: [{alert: X, expr: foo, fo: 5m}]}]",
    "no YAML": "groups: [",
    "no query": "groups: [{name: g, rules: [{alert: X}]}]",
    "alert and record": "groups: [{name: g, rules: [{alert: X, record: y, expr: foo}]}]",
    "neither alert nor record": "groups: [{name: g, rules: [{expr: foo}]}]",
    "no name of a group": "groups: [{rules: [{alert: X, expr: foo}]}]",
    "a group twice": "groups: [{name: g}, {name: g}]",
    "no duration": "groups: [{name: g, rules: [{alert: X, expr: foo, for: 5q}]}]",
    "an unfinished template": "groups: [{name: g, rules: [{alert: X, expr: foo, annotations: {s: '{{ $labels.a '}}]}]",
    "a template with an unknown function": "groups: [{name: g, rules: [{alert: X, expr: foo, labels: {s: '{{ nix 1 }}'}}]}]",
    "a recording rule that waits": "groups: [{name: g, rules: [{record: X, expr: foo, for: 5m}]}]",
    "a list instead of a mapping": "[groups]",
    "a list instead of labels": "groups: [{name: g, rules: [{alert: X, expr: foo, labels: [a]}]}]",
}

BAD_CONFIGURATIONS = {
    "an unknown field": "foo: 1",
    "an unknown field of a job": "scrape_configs: [{job_name: a, foo: 1}]",
    "no YAML": "[",
    "a job without a name": "scrape_configs: [{scrape_interval: 1s}]",
    "a job twice": "scrape_configs: [{job_name: a}, {job_name: a}]",
    "a timeout beyond the interval": "global: {scrape_interval: 1s, scrape_timeout: 2s}",
}

REQUESTS: list[tuple[str, dict[str, str]]] = [
    ("/api/v1/query", {}),
    ("/api/v1/query", {"query": "load", "time": "x"}),
    ("/api/v1/query", {"query": "load", "time": "2026-01-02T03:04:05Z"}),
    ("/api/v1/query", {"query": "time()", "time": "2026-01-02T03:04:05.678+01:00"}),
    ("/api/v1/query", {"query": "time()", "time": "1700000000.1239"}),
    ("/api/v1/query", {"query": "load", "timeout": "x"}),
    ("/api/v1/query", {"query": "load", "timeout": "0s"}),
    ("/api/v1/query", {"query": "load", "lookback_delta": "x"}),
    ("/api/v1/query", {"query": "load", "limit": "x"}),
    ("/api/v1/query", {"query": "load", "limit": "-1"}),
    ("/api/v1/query", {"query": "count_values('v', vector(1) or on () load)", "limit": "1", "time": "7"}),
    ("/api/v1/query_range", {"query": "load"}),
    ("/api/v1/query_range", {"query": "load", "start": "1"}),
    ("/api/v1/query_range", {"query": "load", "start": "1", "end": "2"}),
    ("/api/v1/query_range", {"query": "load", "start": "1", "end": "0", "step": "1"}),
    ("/api/v1/query_range", {"query": "load", "start": "1", "end": "2", "step": "0"}),
    ("/api/v1/query_range", {"query": "load", "start": "1", "end": "2", "step": "-1"}),
    ("/api/v1/query_range", {"query": "load", "start": "1", "end": "2", "step": "x"}),
    ("/api/v1/query_range", {"query": "load[5m]", "start": "1", "end": "2", "step": "1"}),
    ("/api/v1/query_range", {"query": "1", "start": "1", "end": "11001", "step": "1"}),
    ("/api/v1/query_range", {"query": "1", "start": "1", "end": "11002", "step": "1"}),
    ("/api/v1/query_range", {"query": "time()", "start": "1", "end": "3601", "step": "30m"}),
    ("/api/v1/query_range", {"query": "'text'", "start": "1", "end": "2", "step": "1"}),
    ("/api/v1/series", {}),
    ("/api/v1/series", {"match[]": "load["}),
    ("/api/v1/series", {"match[]": "no_such"}),
    ("/api/v1/series", {"match[]": 'load{host="a"}', "limit": "x"}),
    ("/api/v1/label/host/values", {}),
    ("/api/v1/label/no_such/values", {}),
    ("/api/v1/label/host/values", {"match[]": 'load{kind="disk"}'}),
    ("/api/v1/label/host/values", {"limit": "1"}),
    ("/api/v1/labels", {"match[]": "load"}),
    ("/api/v1/labels", {"match[]": "load", "limit": "2"}),
    ("/api/v1/labels", {"start": "x"}),
    ("/api/v1/rules", {"type": "x"}),
    ("/api/v1/rules", {"exclude_alerts": "x"}),
    ("/api/v1/format_query", {"query": "sum( load )by(a)"}),
    ("/api/v1/metadata", {"metric": "no_such"}),
    ("/api/v1/alertmanagers", {}),
    ("/api/v1/scrape_pools", {}),
    ("/api/v1/no_such", {}),
    ("/no_such", {}),
    ("/-/healthy", {}),
    ("/-/ready", {}),
    ("/-/reload", {}),
]
