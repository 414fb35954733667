"""The trigger sources and the checks that run programs, as the file writes them: every key arrives, and none costs start-up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from console.config import ConfigErrors, load
from console.engine.clock import SystemClock
from console.kinds import Registry
from console.wiring import Request, assemble

FILE = """
[incident]
title = "A migration"

[target.cluster]
kind = "kubernetes"

[target.audit]
kind = "postgres"
host = "audit-db"
dbname = "audit"

[[trigger]]
id = "health"
source = "http"
urls = ["http://api-gateway/health", "http://grafana/api/health?key=1"]
status = [200, 204]
json = { database = "ok" }
max_latency = "2s"
ca = "ca.pem"
headers = { Authorization = { env = "TOKEN", prefix = "Bearer " }, X-Who = "console" }
timeout = "3s"
above = 0
consecutive = 3

[[trigger]]
id = "queue"
source = "http_json"
url = "http://queue/stats?key=1"
each = "queues"
path = ["depth.now"]
label = "name"
above = 100
for = "1m"

[[trigger]]
id = "doubles"
source = "postgres"
query = "SELECT count(*) FROM audit_log WHERE source = %(source)s"
parameters = { source = "qec" }
statement_timeout = "2s"
above = 0

[[trigger]]
id = "crashes"
source = "kubernetes"
measure = "restarts"
namespace = "acgs-pgp"
selector = "app=api-gateway"
above = 3

[[component]]
id = "it"

[[component.step]]
id = "step"
kind = "manual"
instruction = "Do it."

[[check]]
id = "tests"
kind = "command.run"
command = ["./tests/run.sh", "--all"]
cwd = "/srv"
env = { MODE = "old", TOKEN = { file = "token" } }
expect_exit = [0, 3]
kill_after = "9m"
timeout = "10m"

[[check]]
id = "load"
kind = "k6"
script = "tests/load-test-original.js"
args = ["--vus", "20"]
timeout = "10m"
"""
NEW = "http, http_json, postgres, kubernetes"


def test_what_the_file_says_is_what_is_built(tmp_path: Path) -> None:
    config = tmp_path / "procedure.toml"
    config.write_text(FILE)
    parts = assemble(Request(config, tmp_path / "journal"), Registry(), SystemClock())
    assert {w.rule.id: w.source.query for w in parts.watched} == {
        "health": "GET http://api-gateway/health, http://grafana/api/health answers 200 or 204",
        "queue": "GET http://queue/stats → queues.*.depth.now",
        "doubles": "SELECT count(*) FROM audit_log WHERE source = %(source)s",
        "crashes": "restarts of the workloads in acgs-pgp (app=api-gateway)",
    }
    assert parts.check_timeouts == {"tests": 600, "load": 600}
    load_test = load(config, Registry()).check("load").options
    assert getattr(load_test, "script") == tmp_path / "tests/load-test-original.js"  # noqa: B009 -- of any kind's options


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('measure = "restarts"', 'measure = "restart"', "restarts"),
        ('timeout = "3s"', 'timeout = "30s"', '"timeout" is at most 9s'),
        ("%(source)s", "%(sauce)s", "parameters lacks sauce"),
        ('"Bearer " }, X-Who', '"Bearer " }, Cookie = "x", X-Who', "Cookie is a secret"),
        ('args = ["--vus", "20"]', 'args = ["--no-summary"]', "--no-summary is set by the console"),
        ('command = ["./tests/run.sh", "--all"]', 'command = "./tests/run.sh --all"', "list"),
    ],
)
def test_a_mistake_is_told_at_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    config = tmp_path / "procedure.toml"
    assert old in FILE
    config.write_text(FILE.replace(old, new))
    with pytest.raises(ConfigErrors) as errors:
        load(config, Registry())
    (problem,) = errors.value.problems
    assert said in str(problem)


def test_importing_the_kinds_imports_no_client() -> None:
    code = (
        f"import sys; from console.metrics import {NEW}; from console.checks import command_run, k6;"
        "print([m for m in ('httpx', 'psycopg', 'kubernetes', 'requests', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
