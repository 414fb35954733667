"""Makes a procedure for the test's servers from sample-config.toml itself: its addresses and paths are replaced, nothing else.

What isn't found in the sample exactly as often as expected is an error, so the sample can't drift away from what is tested.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from console.sandbox.web import STATUSPAGE_PAGE
from tests.real.scene.procedure import FOLDER

SAMPLE = Path(__file__).parents[3] / "sample-config.toml"


@dataclass(frozen=True)
class Places:
    """Where the servers of a test are."""

    kubeconfig: Path
    context: str
    prometheus: str
    opas: tuple[str, ...]
    postgres_port: int
    postgres_user: str
    clone: Path
    health: str
    sinks: str
    mail_port: int
    secrets: Path
    load_tester: Path

    @property
    def replacements(self) -> Mapping[str, tuple[int, str]]:
        """Each text of the sample, how often it stands there, and what stands here."""
        return {
            '# kubeconfig = "~/.kube/config"': (1, f"kubeconfig = {_text(self.kubeconfig)} #"),
            '# context = "prod-eu-1"': (1, f"context = {_text(self.context)} #"),
            'url = "http://prometheus:9090"': (1, f"url = {_text(self.prometheus)}"),
            'urls = ["http://opa-service:8181"]': (1, f"urls = {json.dumps(self.opas)}"),
            'host = "audit-db"': (1, f'host = "127.0.0.1"\nport = {self.postgres_port}'),
            'user = "rollback"': (1, f"user = {_text(self.postgres_user)}"),
            '"/policy-repository"': (3, _text(self.clone)),
            '"http://api-gateway/health"': (2, _text(f"http://{self.health}/health")),
            '"http://opa-service:8181/health"': (1, _text(f"{self.opas[0]}/health")),
            '"http://prometheus:9090/-/ready"': (1, _text(f"{self.prometheus}/-/ready")),
            '"http://grafana:3000/api/health"': (1, _text(f"http://{self.health}/api/health")),
            "migrated_at = 2026-03-01T14:00:00Z": (1, "# no history: the baseline is taken"),
            'webhook = { env = "SLACK_WEBHOOK" }': (1, f"webhook = {{ file = {_text(self.secrets / 'webhook')} }}"),
            'host = "mail.example.com"': (1, f'host = "127.0.0.1"\nport = {self.mail_port}\nsecurity = "plain"'),
            'page = "yourpageid"': (1, f"page = {_text(STATUSPAGE_PAGE)}\nurl = {_text(self.sinks + '/statuspage')}"),
            'api_key = { env = "STATUSPAGE_KEY" }': (1, f"api_key = {{ file = {_text(self.secrets / 'page')} }}"),
            'url = "https://tracker.example.com/api/incidents"': (1, f"url = {_text(self.sinks + '/tracker')}"),
            'kind = "triggers.quiet"\nfor = "5m"': (1, 'kind = "triggers.quiet"'),
            'window = "1h"\nunit = "s"': (1, 'window = "4s"\nunit = "s"'),
            'kind = "k6"': (1, f'kind = "k6"\nprogram = {_text(self.load_tester)}'),
        }


def write_whole_procedure(folder: Path, places: Places) -> Path:
    """The procedure and the backups that it names; the archive of the policies is the caller's."""
    text = SAMPLE.read_text()
    for old, (times, new) in places.replacements.items():
        found = text.count(old)
        if found != times:
            raise AssertionError(f"{SAMPLE.name} holds {old} {found} times, not {times}")
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(FOLDER / "backup", folder / "backup", dirs_exist_ok=True)
    path = folder / "procedure.toml"
    path.write_text(text)
    return path


def _text(value: object) -> str:
    """A JSON string without non-ASCII escapes is a TOML basic string."""
    return json.dumps(str(value), ensure_ascii=False)
