"""Every kind of check as a file writes it: what is read of its keys, and what is said of a mistake, with its line."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from console.config import ConfigErrors, load
from console.kinds import Registry

HEAD = """
[incident]
title = "QEC-SFT migration"
migrated_at = 2026-03-01T14:00:00Z

[target.opa]
kind = "opa"
urls = ["http://opa-0:8181", "http://opa-1:8181"]

[target.prom]
kind = "prometheus"
url = "http://prometheus:9090"

[target.audit]
kind = "postgres"
host = "db"
dbname = "audit"

[target.cluster]
kind = "kubernetes"
context = "prod"

[[check]]
id = "it"
"""


def options(folder: Path, text: str) -> Any:
    file = folder / "procedure.toml"
    file.write_text(HEAD + text)
    return load(file, Registry()).check("it").options


def test_a_decision_with_any_input_and_answer(tmp_path: Path) -> None:
    text = """
kind = "opa.decision"
path = "acgs/authz/allow"
input = { user = "ada", roles = ["admin", "ops"], level = 1.5 }
expect = { allow = true, reasons = [] }
"""
    decision = options(tmp_path, text).decision()
    assert decision.path == ("acgs", "authz", "allow")
    assert decision.given == {"user": "ada", "roles": ["admin", "ops"], "level": 1.5}
    assert decision.expected == {"allow": True, "reasons": []}


def test_rows_and_values_that_a_query_must_give(tmp_path: Path) -> None:
    text = 'kind = "postgres.query"\nquery = "SELECT a, b FROM t WHERE at > %(since)s"\n'
    text += "parameters = { since = 2024-01-01T00:00:00Z }\n"
    read = options(tmp_path, text + 'expect = [[1, "x"], [2, "y"]]')
    assert read.expect == ((1, "x"), (2, "y"))
    assert read.parameters == {"since": datetime(2024, 1, 1, tzinfo=UTC)}
    assert options(tmp_path, text + 'expect = [1, "x"]').expect == (1, "x")
    assert options(tmp_path, text + "expect = []").expect == ()
    assert options(tmp_path, text + "expect = 12").expect == 12
    assert options(tmp_path, text + "at_least = 1").at_least == 1


def test_bounds_rules_baselines_and_quiet_triggers(tmp_path: Path) -> None:
    assert options(tmp_path, 'kind = "prometheus.query"\nquery = "up"\nat_least = 1\nseries_at_least = 3').at_least == 1
    assert options(tmp_path, 'kind = "prometheus.rules"\nrules = ["Slow"]\njobs = ["api"]\nquiet = true').quiet
    at = options(
        tmp_path, 'kind = "baseline"\nquery = "p95"\ntolerance_percent = 20\nat = 2026-03-01T14:00:00+01:00'
    ).at
    assert at == datetime(2026, 3, 1, 13, tzinfo=UTC)
    assert options(tmp_path, 'kind = "triggers.quiet"\nfor = "10m"\ntriggers = ["p95"]').for_seconds == 600.0
    assert options(tmp_path, 'kind = "kubernetes.pods_ready"\nnamespace = "a"\nsteady = "90s"').steady_seconds == 90.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "opa.decision"\npath = "a/b"', 'either "expect" or "undefined = true"'),
        ('kind = "prometheus.query"\nquery = "up"', 'give "at_most", "at_least" or both'),
        ('kind = "prometheus.query"\nquery = "up"\nat_mots = 1', "at_most"),
        ('kind = "prometheus.rules"', 'ask that all rules be "quiet"'),
        ('kind = "postgres.query"\nquery = "SELECT 1; SELECT 2"\nexpect = 1', 'no ";" in it'),
        ('kind = "postgres.query"\nquery = "UPDATE t SET a = 1"\nexpect = 1', "begins with SELECT"),
        ('kind = "baseline"\nquery = "p95"', "tolerance_percent"),
        ('kind = "baseline"\nquery = "p95"\ntolerance_percent = 1\nat = 2026-03-01T14:00:00', "at"),
        ('kind = "triggers.quiet"\nfor = 600', "duration"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigErrors) as errors:
        options(tmp_path, text)
    problem = errors.value.problems[0]
    assert problem.line > HEAD.count("\n") - 3
    assert said in f"{problem.message} {problem.hint}"
