"""The procedure of a drill: the sample itself, with the drill's addresses in it and its clocks at the drill's pace.

What isn't found in the sample as often as expected is an error, so that the sample and the drill can't drift apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Final

from console.config.options import format_duration, parse_duration
from console.domain.errors import Failed

_PACED: Final = re.compile(
    r'^(?P<key>soak|for|after|every|stale_after|no_data_after|window|over|repeat|due) = "(?P<text>[^"]+)"', re.MULTILINE
)
"""The durations that people wait for. Limits such as `timeout` stay as they are: the drill's systems are no faster."""
_OFFERED: Final = re.compile(r"^#: ?", re.MULTILINE)
"""What the sample offers to whoever takes the marks away."""
_RANGE: Final = re.compile(r"\[(\d+(?:ms|[smhd]))\]")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the drill's systems are. `clone` is None where there is no git."""

    kubeconfig: Path
    context: str
    prometheus: str
    opas: tuple[str, ...]
    gateway: str
    grafana: str
    database_port: int
    database_user: str
    password_file: Path
    clone: Path | None
    migrated_at: datetime
    sinks: str
    mail_port: int
    webhook_file: Path
    page: str
    page_key_file: Path
    load_tester: Path

    @property
    def replacements(self) -> Mapping[str, tuple[int, str]]:
        """Each text of the sample, how often it stands there, and what stands in the drill."""
        return {
            'title = "QEC-SFT migration"': (1, 'title = "Drill: QEC-SFT migration"\ndrill = true'),
            '# kubeconfig = "~/.kube/config"': (1, f"kubeconfig = {_text(self.kubeconfig)} #"),
            '# context = "prod-eu-1"': (1, f"context = {_text(self.context)} #"),
            'url = "http://prometheus:9090"': (1, f"url = {_text(self.prometheus)}"),
            'urls = ["http://opa-service:8181"]': (1, f"urls = {json.dumps(self.opas)}"),
            'host = "audit-db"': (1, f'host = "127.0.0.1"\nport = {self.database_port}'),
            'user = "rollback"': (1, f"user = {_text(self.database_user)}"),
            'password = { env = "AUDIT_DB_PASSWORD" }': (1, f"password = {{ file = {_text(self.password_file)} }}"),
            '"/policy-repository"': (3, _text(self.clone or "/policy-repository")),
            '"http://api-gateway/health"': (2, _text(f"{self.gateway}/health")),
            '"http://opa-service:8181/health"': (1, _text(f"{self.opas[0]}/health")),
            '"http://prometheus:9090/-/ready"': (1, _text(f"{self.prometheus}/-/ready")),
            '"http://grafana:3000/api/health"': (1, _text(f"{self.grafana}/api/health")),
            "migrated_at = 2026-03-01T14:00:00Z": (1, f"migrated_at = {self.migrated_at.isoformat()}"),
            'webhook = { env = "SLACK_WEBHOOK" }': (1, f"webhook = {{ file = {_text(self.webhook_file)} }}"),
            'host = "mail.example.com"': (1, f'host = "127.0.0.1"\nport = {self.mail_port}\nsecurity = "plain"'),
            'page = "yourpageid"': (1, f"page = {_text(self.page)}\nurl = {_text(self.sinks + '/statuspage')}"),
            'api_key = { env = "STATUSPAGE_KEY" }': (1, f"api_key = {{ file = {_text(self.page_key_file)} }}"),
            'url = "https://tracker.example.com/api/incidents"': (1, f"url = {_text(self.sinks + '/tracker')}"),
            'kind = "k6"': (1, f'kind = "k6"\nprogram = {_text(self.load_tester)}'),
        }


def sample() -> str:
    """The procedure that this program comes with."""
    return resources.files("console.sandbox").joinpath("sample-config.toml").read_text(encoding="utf-8")


def drill_procedure(text: str, places: Places, pace: float, *, holds: bool = False) -> str:
    """`pace`: how many of the procedure's seconds pass in one. `holds`: with the component that holds Argo CD."""
    if holds:
        text = _OFFERED.sub("", text)
    for old, (times, new) in places.replacements.items():
        if text.count(old) != times:
            raise Failed(f"the sample procedure holds {old} {text.count(old)} times, not {times}", "it was changed")
        text = text.replace(old, new)
    return paced(text, pace)


def paced(text: str, pace: float) -> str:
    """The same procedure with its clocks, and the ranges of its queries, at another pace."""
    if pace == 1.0:
        return text
    text = _PACED.sub(lambda m: f'{m["key"]} = "{_shorter(m["text"], pace)}"', text)
    return _RANGE.sub(lambda m: f"[{_milliseconds(m[1], pace)}ms]", text)


def _shorter(text: str, pace: float) -> str:
    return format_duration(parse_duration(text) / pace)


def _milliseconds(text: str, pace: float) -> int:
    return max(1, round(parse_duration(text) / pace * 1000))


def _text(value: object) -> str:
    """A JSON string without non-ASCII escapes is a TOML basic string."""
    return json.dumps(str(value), ensure_ascii=False)
