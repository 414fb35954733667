"""Journals to read and to harm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from console.domain import events as e
from console.journals.sqlite import SqliteJournal
from tests.journals.history import AT, HISTORY


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a journal with the whole history in it."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    with closing(SqliteJournal(path)) as journal:
        for seq, event in enumerate(HISTORY):
            journal.append([event], after=seq, actor="kim", epoch=1, at=AT)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path: Path, whole: bytes) -> Path:
    """The same, for one test to harm."""
    path = tmp_path / "journal.db"
    path.write_bytes(whole)
    return path


@pytest.fixture
def written(path: Path) -> list[e.Recorded]:
    with closing(SqliteJournal(path)) as journal:
        return list(journal.read())


@pytest.fixture
def open_journal() -> Iterator[Callable[[Path], SqliteJournal]]:
    opened: list[SqliteJournal] = []

    def open_(path: Path, *, create: bool = True) -> SqliteJournal:
        opened.append(SqliteJournal(path, create=create))
        return opened[-1]

    yield open_
    for journal in opened:
        journal.close()
