"""A process that is killed in the middle of its appends: everything that it was told is on disk is there."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from console.domain import events as e
from console.journals.sqlite import SqliteJournal
from tests.journals.history import AT

APPEND = """
import itertools, pathlib, sys
from datetime import UTC, datetime
from console.domain import events as e
from console.journals.sqlite import SqliteJournal

journal = SqliteJournal(pathlib.Path(sys.argv[1]))
for n in itertools.count():
    both = [e.CheckRan("pods", "pass", f"run {n}", 0.1), e.CheckSigned("complaints", f"run {n}")]
    journal.append(both, after=2 * n, actor="kim", epoch=1, at=datetime.now(UTC))
    print(n, flush=True)
"""


@pytest.mark.parametrize("acknowledged", [1, 7, 20])
def test_what_was_acknowledged_before_a_kill_is_there_after(tmp_path: Path, acknowledged: int) -> None:
    path = tmp_path / "journal.db"
    with subprocess.Popen([sys.executable, "-c", APPEND, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(acknowledged)]
        writer.kill()
        said += writer.stdout.readlines()
    with closing(SqliteJournal(path, create=False)) as journal:
        found = [r.event for r in journal.read()]
        assert len(found) % 2 == 0  # appended together: both or none
        assert len(found) >= 2 * len([line for line in said if line.endswith("\n")])
        assert [ev.evidence for ev in found[::2]] == [f"run {n}" for n in range(len(found) // 2)]
        journal.append([e.StopRequested("dash")], after=len(found), actor="ada", epoch=1, at=AT)
