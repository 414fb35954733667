"""Worlds to act in: one without a disk, one with the real journal and vault. In neither may a report be a lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.journals.sqlite import SqliteJournal
from console.journals.vault import FolderVault
from tests.engine.simulated_world import World, in_memory, world


@pytest.fixture
def memory() -> Iterator[World]:
    made = in_memory()
    yield made
    assert made.journal.lies == []


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[World]:
    made = world(SqliteJournal(tmp_path / "journal.db"), FolderVault(tmp_path / "vault"))
    yield made
    assert made.journal.lies == []
    made.journal.close()
