"""What a drill leaves to read: its report beside its journal, with the debrief, and compared with the drill before it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.real.drilling import drilling
from tests.report.reading import markdown_text, page

pytestmark = pytest.mark.real


def test_a_drill_leaves_its_report_with_the_debrief_beside_its_journal(tmp_path: Path) -> None:
    with drilling(tmp_path, "slow-analysis") as drill:
        drill.fires("latency-p95")
        drill.console.declare()
        drill.roll_back("qec-analysis")
        told = drill.end()
    html, markdown = (Path(path) for path in told["reports"])
    assert [html, markdown] == [Path(told["journal"]).with_suffix(f".report.{ending}") for ending in ("html", "md")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (html, markdown)} == {0o600}
    for said in (page(html.read_text()).text, markdown_text(markdown.read_text())):
        assert "DRILL: an exercise" in said
        assert "Debrief of the drill" in said
        assert "Forgotten: " in said
        assert "QEC Analysis Service" in said

    with drilling(tmp_path, "slow-analysis") as drill:
        drill.fires("latency-p95")
        drill.console.declare()
        again = drill.end()
    assert "best so far" in markdown_text(Path(again["reports"][1]).read_text())


def test_a_drill_in_which_nothing_was_declared_leaves_none(tmp_path: Path) -> None:
    with drilling(tmp_path, "slow-analysis") as drill:
        told = drill.end()
    assert told["reports"] == []
    assert not list((tmp_path / "state").rglob("*.report.*"))
