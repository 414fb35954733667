"""The server's own configuration file: what is scraped, how often, and where the rules are.

What would change what a scrape gives (relabelling, service discovery, limits) is refused; what only concerns how a real server
reaches its targets, keeps its data or sends alerts is read over.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from console.sandbox.prometheus import documents
from console.sandbox.prometheus.documents import Unusable

MINUTE: Final = 60_000
_TOP: Final = (
    "global",
    "rule_files",
    "scrape_configs",
    "alerting",
    "storage",
    "otlp",
    "runtime",
    "tracing",
    "scrape_config_files",
    "remote_write",
    "remote_read",
)
_NOT_DONE: Final = ("scrape_config_files", "remote_read")
_GLOBAL: Final = (
    "scrape_interval",
    "scrape_timeout",
    "evaluation_interval",
    "external_labels",
    "query_log_file",
    "scrape_failure_log_file",
    "rule_query_offset",
)
_SCRAPE_REACHING: Final = (
    "authorization",
    "basic_auth",
    "bearer_token",
    "bearer_token_file",
    "enable_compression",
    "enable_http2",
    "fallback_scrape_protocol",
    "follow_redirects",
    "http_headers",
    "oauth2",
    "proxy_url",
    "scrape_protocols",
    "tls_config",
    "body_size_limit",
)
_SCRAPE_DONE: Final = ("job_name", "scrape_interval", "scrape_timeout", "metrics_path", "scheme", "static_configs")
_SCRAPE_NOT_DONE: Final = (
    "relabel_configs",
    "metric_relabel_configs",
    "honor_labels",
    "honor_timestamps",
    "params",
    "sample_limit",
    "label_limit",
    "target_limit",
    "kubernetes_sd_configs",
    "file_sd_configs",
    "http_sd_configs",
    "dns_sd_configs",
    "consul_sd_configs",
    "ec2_sd_configs",
)


@dataclass(frozen=True)
class Endpoint:
    """One target of a job: its address, and the labels that the configuration gives it."""

    address: str
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Job:
    """Times here and below are milliseconds."""

    name: str
    interval: int
    timeout: int
    path: str
    scheme: str
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True)
class Configuration:
    evaluation_interval: int
    query_offset: int
    external_labels: Mapping[str, str]
    rule_files: tuple[Path, ...]
    jobs: tuple[Job, ...]
    text: str


def load(path: Path) -> Configuration:
    """Raises Unusable in the words of a Prometheus that would not load it."""
    text = documents.read(path)
    try:
        return _load(text, path.parent)
    except Unusable as error:
        raise Unusable(f"parsing YAML file {path}: {error}") from None


def _load(text: str, folder: Path) -> Configuration:
    top = documents.mapping(documents.parsed(text), _TOP, "config.plain", text)
    for field in _NOT_DONE:
        if top.get(field):
            raise Unusable(f"the drill's Prometheus does not do {field}")
    shared = documents.mapping(top.get("global"), _GLOBAL, "config.plain", text)
    interval = documents.duration(shared.get("scrape_interval"), MINUTE)
    timeout = documents.duration(shared.get("scrape_timeout"), min(10_000, interval))
    if timeout > interval:
        raise Unusable("global scrape timeout greater than scrape interval")
    jobs = [_job(one, interval, timeout, text) for one in documents.listed(top.get("scrape_configs"), "ScrapeConfig")]
    names = [job.name for job in jobs]
    for name in names:
        if names.count(name) > 1:
            raise Unusable(f'found multiple scrape configs with job name "{name}"')
    return Configuration(
        documents.duration(shared.get("evaluation_interval"), MINUTE),
        documents.duration(shared.get("rule_query_offset"), 0),
        documents.strings(shared.get("external_labels"), "labels"),
        _rule_files(documents.listed(top.get("rule_files"), "string"), folder),
        tuple(jobs),
        text,
    )


def _job(value: Any, interval: int, timeout: int, text: str) -> Job:
    fields = (*_SCRAPE_DONE, *_SCRAPE_REACHING, *_SCRAPE_NOT_DONE)
    table = documents.mapping(value, fields, "config.plain", text)
    name = str(table.get("job_name") or "")
    if not name:
        raise Unusable("job_name is empty")
    for field in _SCRAPE_NOT_DONE:
        if field in table:
            raise Unusable(f'the drill\'s Prometheus does not do {field}, which the job "{name}" asks for')
    own_interval = documents.duration(table.get("scrape_interval"), interval)
    own_timeout = documents.duration(table.get("scrape_timeout"), min(timeout, own_interval))
    if own_timeout > own_interval:
        raise Unusable(f'scrape timeout greater than scrape interval for scrape config with job name "{name}"')
    endpoints: list[Endpoint] = []
    for group in documents.listed(table.get("static_configs"), "targetgroup"):
        one = documents.mapping(group, ("targets", "labels"), "struct", text)
        labels = documents.strings(one.get("labels"), "labels")
        endpoints += [Endpoint(str(address), labels) for address in documents.listed(one.get("targets"), "string")]
    path, scheme = str(table.get("metrics_path") or "/metrics"), str(table.get("scheme") or "http")
    return Job(name, own_interval, own_timeout, path, scheme, tuple(endpoints))


def _rule_files(patterns: list[Any], folder: Path) -> tuple[Path, ...]:
    found: dict[Path, None] = {}
    for pattern in patterns:
        where = str(folder / str(pattern))
        matches = sorted(glob.glob(where)) if glob.has_magic(where) else [where]  # noqa: PTH207 - absolute patterns
        found.update(dict.fromkeys(map(Path, matches)))
    return tuple(found)
