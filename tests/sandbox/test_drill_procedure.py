"""The drill's procedure is the sample itself: valid, at the drill's addresses, its clocks at the drill's pace."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from console.config import load
from console.domain.errors import Failed
from console.kinds import Registry
from console.sandbox.procedure import Places, drill_procedure, paced, sample

PLACES = Places(
    kubeconfig=Path("/drill/kubeconfig"),
    context="drill",
    prometheus="http://127.0.0.1:9001",
    opas=("http://127.0.0.1:9002", "http://127.0.0.1:9003"),
    gateway="http://127.0.0.1:9004",
    grafana="http://127.0.0.1:9005",
    database_port=9006,
    database_user="console",
    password_file=Path("/drill/password"),
    clone=Path("/drill/policy-repository"),
    migrated_at=datetime(2026, 3, 14, 2, 53, tzinfo=UTC),
    sinks="http://127.0.0.1:9007",
    mail_port=9008,
    webhook_file=Path("/drill/slack-webhook"),
    page="drillpage",
    page_key_file=Path("/drill/statuspage-key"),
    load_tester=Path("/drill/bin/k6"),
)


def test_the_sample_becomes_a_procedure_of_the_drill(tmp_path: Path) -> None:
    file = tmp_path / "procedure.toml"
    file.write_text(drill_procedure(sample(), PLACES, 20))
    procedure = load(file, Registry())
    assert procedure.incident.title == "Drill: QEC-SFT migration"
    assert procedure.incident.soak_seconds == 15
    assert [n.after_seconds for n in procedure.notices] == [0, 45, 90, 180, 0, 0, 0]
    assert procedure.incident.migrated_at == PLACES.migrated_at
    assert next(t for t in procedure.triggers if t.id == "complaints").options.window_seconds == 180  # type: ignore[attr-defined]
    assert next(t for t in procedure.triggers if t.id == "memory").for_seconds == 15


def test_what_the_sample_offers_for_argo_is_a_component_when_its_marks_are_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "procedure.toml"
    file.write_text(drill_procedure(sample(), PLACES, 1, holds=True))
    procedure = load(file, Registry())
    assert [c.id for c in procedure.components][:2] == ["hold-gitops", "qec-analysis"]
    assert procedure.components[0].steps[0].kind == "kubernetes.hold"
    assert procedure.components[1].after == ("hold-gitops",)


def test_no_address_of_the_sample_is_left() -> None:
    text = drill_procedure(sample(), PLACES, 1)
    settings = "\n".join(line.partition("#")[0] for line in text.splitlines())
    gone = "opa-service: api-gateway/ grafana: prometheus:9 audit-db AUDIT_DB tracker.example mail.example SLACK STATUSPAGE"
    for name in gone.split():
        assert name not in settings


def test_limits_keep_their_length_while_clocks_and_ranges_follow_the_pace() -> None:
    text = 'soak = "5m"\ntimeout = "15m"\nquery = "rate(x[10m])"\nafter = "1h"'
    assert paced(text, 20) == 'soak = "15s"\ntimeout = "15m"\nquery = "rate(x[30000ms])"\nafter = "3m"'
    assert paced(text, 1) == text


def test_a_sample_that_was_changed_is_refused() -> None:
    with pytest.raises(Failed, match="audit-db"):
        drill_procedure(sample().replace("audit-db", "other-db"), PLACES, 1)
