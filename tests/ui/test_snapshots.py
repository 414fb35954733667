"""A few pictures. `pytest tests/ui/test_snapshots.py --snapshot-update` renews them; look at them before you commit them."""

from __future__ import annotations

from typing import Any

import pytest

from console.ui.app import RollbackConsoleApp
from tests.ui import fake_console as fake


def app(state: Any) -> RollbackConsoleApp:
    async def open_console() -> fake.FakeConsole:
        return fake.FakeConsole(state)

    return RollbackConsoleApp(open_console, title="QEC-SFT migration")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")


def test_main_screen_120_by_40(snap_compare) -> None:
    assert snap_compare(app(fake.RUNNING_VIEW), terminal_size=(120, 40))


def test_main_screen_80_by_24(snap_compare) -> None:
    assert snap_compare(app(fake.FIRING), terminal_size=(80, 24), press=["2"])


def test_preview_120_by_40(snap_compare) -> None:
    assert snap_compare(app(fake.FIRING), terminal_size=(120, 40), press=["b"])


def test_no_color(snap_compare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(app(fake.DRILL_VIEW), terminal_size=(120, 40))
