"""`triggers`: the verdict, and below it why the source says so."""

from __future__ import annotations

from tests.cli.conftest import Cli

HEALTH = """
[[trigger]]
id = "health"
title = "Health checks"
source = "http"
url = "http://127.0.0.1:1/health?key=s3cret"
above = 0
consecutive = 3
"""


def test_why_a_health_check_failed_stands_below_it(cli: Cli) -> None:
    cli.config.write_text(cli.config.read_text() + HEALTH)
    for command, indent in (("triggers", ""), ("status", "  ")):
        lines = cli.done(command).out.splitlines()
        (at,) = [i for i, line in enumerate(lines) if "PENDING  Health checks: 1 > 0" in line]
        assert lines[at].endswith(" 1 of 3 evaluations in a row")
        assert lines[at + 1] == f"{indent}    http://127.0.0.1:1/health: connection refused"
    (trigger,) = [t for t in cli.done("triggers", "--json").document["triggers"] if t["id"] == "health"]
    assert trigger["warnings"] == ["http://127.0.0.1:1/health: connection refused"]
