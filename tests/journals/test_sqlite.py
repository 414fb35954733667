"""The default journal: what it promises of an append, and that it never reads back something else than was written."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from console.domain import events as e
from console.domain.errors import ConsoleError, JournalDamaged, Refused, StaleJournal
from console.journals import codec
from console.journals.sqlite import APPLICATION_ID, SCHEMA_VERSION, SqliteJournal
from tests.journals.history import AT, HISTORY

Open = Callable[..., SqliteJournal]
STOP = e.StopRequested("dashboard")


def append(
    journal: SqliteJournal, *events: e.Event, after: int, epoch: int = 1, actor: str = "kim"
) -> list[e.Recorded]:
    return list(journal.append(events, after=after, actor=actor, epoch=epoch, at=AT))


def read(path: Path) -> list[e.Recorded]:
    with closing(SqliteJournal(path, create=False)) as journal:
        return list(journal.read())


def tamper(path: Path, *statements: str, given: tuple[Any, ...] = ()) -> None:
    """Somebody with a tool of their own, who knows about the triggers. `given` is for the last statement."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TRIGGER event_is_never_changed")
        connection.execute("DROP TRIGGER event_is_never_removed")
        for statement in statements[:-1]:
            connection.execute(statement)
        connection.execute(statements[-1], given)


# ---------------------------------------------------------------- what is written


def test_everything_appended_is_read_back(path: Path, written: list[e.Recorded]) -> None:
    assert [r.event for r in written] == list(HISTORY)
    assert [r.seq for r in written] == list(range(1, len(HISTORY) + 1))
    assert {(r.at, r.actor, r.epoch) for r in written} == {(AT, "kim", 1)}


def test_reading_on_from_any_place_gives_the_rest(path: Path, written: list[e.Recorded], open_journal: Open) -> None:
    for after in range(len(written) + 1):
        assert list(open_journal(path).read(after)) == written[after:]


def test_an_append_gives_what_a_restart_reads(tmp_path: Path, open_journal: Open) -> None:
    given = append(open_journal(tmp_path / "j"), *HISTORY, after=0)
    assert list(open_journal(tmp_path / "j").read()) == given


def test_several_events_are_appended_together_or_not_at_all(tmp_path: Path, open_journal: Open) -> None:
    journal = open_journal(tmp_path / "j")
    bad = e.VerdictChanged("p95", "levitating", "")  # type: ignore[arg-type]
    with pytest.warns(UserWarning, match="Expected `literal"), pytest.raises(ConsoleError):
        append(journal, STOP, bad, after=0)
    assert journal.last_seq() == 0
    assert append(journal, STOP, after=0)[0].seq == 1


def test_an_event_that_could_not_be_read_back_is_not_written(tmp_path: Path, open_journal: Open) -> None:
    """Otherwise one defect would make the whole journal unreadable."""
    journal = open_journal(tmp_path / "j")
    with pytest.warns(UserWarning, match="Expected `literal"), pytest.raises(ConsoleError):
        append(journal, e.CheckRan("pods", "perhaps", "", 0.1), after=0)  # type: ignore[arg-type]
    assert list(open_journal(tmp_path / "j").read()) == []


def test_an_actor_whose_name_is_no_text_can_act(tmp_path: Path, open_journal: Open) -> None:
    append(open_journal(tmp_path / "j"), STOP, after=0, actor="caf\udce9")
    assert read(tmp_path / "j")[0].actor == "caf?"


def test_it_can_be_used_from_other_threads(path: Path, open_journal: Open, written: list[e.Recorded]) -> None:
    journal = open_journal(path)
    with ThreadPoolExecutor(4) as threads:
        assert all(found == written for found in threads.map(lambda _: list(journal.read()), range(8)))
        (appended,) = threads.submit(append, journal, STOP, after=len(written)).result()
    assert journal.last_seq() == appended.seq == len(written) + 1


# ---------------------------------------------------------------- how it is kept


def test_only_its_owner_can_read_it(tmp_path: Path, open_journal: Open) -> None:
    before = os.umask(0)
    try:
        journal = open_journal(tmp_path / "not" / "there" / "new" / "j")
        append(journal, STOP, after=0)
        with journal.lease.acquire():
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in journal.path.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == {"j": 0o600, "j.lease": 0o600}
    assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_each_notice_has_a_lease_of_its_own_beside_the_journal(path: Path, open_journal: Open) -> None:
    before = os.umask(0)
    try:
        journal, other = open_journal(path), open_journal(path)
        with journal.outbox_lease("team").acquire():
            assert other.outbox_lease("team").held()
            assert not other.outbox_lease("boss").held()
            assert not other.lease.held()
            with pytest.raises(Refused, match="another console"), other.outbox_lease("team").acquire():
                pytest.fail("two send it")
    finally:
        os.umask(before)
    folder = path.with_name(path.name + ".outbox")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in folder.iterdir()} == {"team.lease": 0o600}
    assert not other.outbox_lease("team").held()


def test_a_notice_of_any_name_stays_in_its_folder(path: Path, open_journal: Open) -> None:
    journal = open_journal(path)
    with journal.outbox_lease("../../elsewhere").acquire():
        folder = path.with_name(path.name + ".outbox")
        assert [p.name for p in folder.iterdir()] == ["..%2F..%2Felsewhere.lease"]


def test_where_no_lease_can_be_kept_it_is_refused_in_words(path: Path, open_journal: Open) -> None:
    journal = open_journal(path)
    path.with_name(path.name + ".outbox").write_text("in the way")
    with pytest.raises(Refused, match="can't be taken"), journal.outbox_lease("team").acquire():
        pytest.fail("it was taken")


def test_an_append_is_synced_to_the_disk_with_the_folder(path: Path, open_journal: Open) -> None:
    connection = open_journal(path)._connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (3,)  # EXTRA
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_no_append_leaves_a_file_behind(path: Path) -> None:
    assert [p.name for p in path.parent.iterdir()] == ["journal.db"]


def test_it_says_what_it_is_to_other_tools(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


@pytest.mark.parametrize("statement", ["UPDATE event SET actor = 'eve'", "DELETE FROM event WHERE seq = 3"])
def test_other_tools_can_not_change_it_by_accident(path: Path, statement: str, written: list[e.Recorded]) -> None:
    with closing(sqlite3.connect(path)) as connection, pytest.raises(sqlite3.IntegrityError, match="append only"):
        connection.execute(statement)
    assert read(path) == written


# ---------------------------------------------------------------- two writers


def test_who_appends_behind_an_old_end_is_told(path: Path, open_journal: Open) -> None:
    one, other = open_journal(path), open_journal(path)
    last = one.last_seq()
    append(one, STOP, after=last)
    with pytest.raises(StaleJournal, match=f"at event {last + 1}, not {last}"):
        append(other, STOP, after=last)
    assert [r.seq for r in other.read(last)] == [last + 1]
    assert append(other, STOP, after=last + 1)[0].seq == last + 2
    assert list(one.read()) == list(other.read())


def test_a_new_journal_opened_by_two_is_one_journal(tmp_path: Path, open_journal: Open) -> None:
    one, other = open_journal(tmp_path / "j"), open_journal(tmp_path / "j")
    append(one, STOP, after=0)
    with pytest.raises(StaleJournal):
        append(other, STOP, after=0)


def test_an_older_epoch_is_refused(path: Path, open_journal: Open) -> None:
    journal = open_journal(path)
    last = journal.last_seq()
    append(journal, STOP, after=last, epoch=2)
    with pytest.raises(Refused, match=r"taken over \(epoch 2\)"):
        append(journal, STOP, after=last + 1, epoch=1)
    assert journal.last_seq() == last + 1


def test_a_file_that_got_shorter_is_damage_and_not_a_race(path: Path, open_journal: Open, tmp_path: Path) -> None:
    journal = open_journal(path)
    last = len(journal.read())
    tamper(path, "DELETE FROM event WHERE seq > 10")
    with pytest.raises(JournalDamaged, match="cut or replaced"):
        append(journal, STOP, after=last)


def test_a_writer_that_holds_the_file_is_waited_for_and_then_refused(
    path: Path, open_journal: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.journals.sqlite._BUSY_SECONDS", 0.0)
    journal = open_journal(path)
    last = journal.last_seq()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Refused, match="locked"):
            append(journal, STOP, after=last)
        other.execute("ROLLBACK")
    assert append(journal, STOP, after=last)


def test_a_closed_journal_refuses(path: Path) -> None:
    journal = SqliteJournal(path)
    journal.close()
    with pytest.raises(Refused):
        journal.read()
    with pytest.raises(Refused):
        append(journal, STOP, after=len(HISTORY))


# ---------------------------------------------------------------- rows that somebody changed

FORGED = "INSERT INTO event SELECT ?, at, actor, epoch, body, hash FROM event WHERE seq = 4"
LAST = len(HISTORY)
TAMPERED = {
    "a body": ("UPDATE event SET body = replace(body, 'p95', 'p50') WHERE seq = ?", 2, "event 2 was changed"),
    "an actor": ("UPDATE event SET actor = 'eve' WHERE seq = ?", 5, "event 5 was changed"),
    "a time": ("UPDATE event SET at = '2026-03-01T21:00:00.123456+00:00' WHERE seq = ?", 5, "event 5 was changed"),
    "an epoch": ("UPDATE event SET epoch = 9 WHERE seq = ?", 5, "event 5 was changed"),
    "a hash": ("UPDATE event SET hash = '0' WHERE seq = ?", 5, "event 5 was changed"),
    "the last row": ("UPDATE event SET actor = 'eve' WHERE seq = ?", LAST, f"event {LAST} was changed"),
    "a row removed": ("DELETE FROM event WHERE seq = ?", 5, "event 5 is missing"),
    "the first row removed": ("DELETE FROM event WHERE seq = ?", 1, "event 1 is missing"),
    "a row put behind": (FORGED, LAST + 1, f"event {LAST + 1} was changed"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_changed_row_is_noticed(path: Path, case: str) -> None:
    statement, seq, words = TAMPERED[case]
    tamper(path, statement, given=(seq,))
    with pytest.raises(JournalDamaged, match=words):
        read(path)


@pytest.mark.parametrize("column", ["at", "actor", "body", "hash"])
def test_a_column_that_is_no_text_any_more_is_noticed(path: Path, column: str) -> None:
    """A strict table takes no BLOB for TEXT, but bytes on a disk may become one."""
    tamper(path, "CREATE TABLE loose AS SELECT * FROM event", "DROP TABLE event", "ALTER TABLE loose RENAME TO event")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE event SET {column} = CAST({column} AS BLOB) WHERE seq = 5")  # noqa: S608 - a test's own names
    with pytest.raises(JournalDamaged, match="event 5 was changed"):
        read(path)


def test_a_row_in_front_of_the_first_is_no_part_of_the_journal(path: Path, written: list[e.Recorded]) -> None:
    tamper(path, FORGED, given=(0,))
    assert read(path) == written


def test_swapped_rows_are_noticed(path: Path) -> None:
    tamper(
        path,
        "UPDATE event SET seq = 1000 WHERE seq = 5",
        "UPDATE event SET seq = 5 WHERE seq = 6",
        "UPDATE event SET seq = 6 WHERE seq = 1000",
    )
    with pytest.raises(JournalDamaged, match="event 5 was changed"):
        read(path)


def test_a_row_put_in_between_is_noticed(path: Path) -> None:
    make_room = ("UPDATE event SET seq = seq + 1000 WHERE seq > 5", "UPDATE event SET seq = seq - 999 WHERE seq > 1000")
    tamper(path, *make_room, FORGED, given=(6,))
    with pytest.raises(JournalDamaged, match="event 6 was changed"):
        read(path)


def test_a_row_that_was_edited_with_its_own_hash_is_noticed_at_the_next(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM event WHERE seq IN (4, 5) ORDER BY seq").fetchall()
    before, (seq, at, _, epoch, body, _) = rows[0][5], rows[1]
    forged = codec.chain(before, seq, at, "eve", epoch, body)
    tamper(path, "UPDATE event SET actor = 'eve', hash = ? WHERE seq = 5", given=(forged,))
    with pytest.raises(JournalDamaged, match="event 6 was changed"):
        read(path)


def test_who_reads_on_notices_that_the_past_was_exchanged(path: Path, open_journal: Open) -> None:
    """Another journal of the same length, put in place of the one that was read."""
    journal = open_journal(path)
    last = len(journal.read())
    tamper(path, "DELETE FROM event")
    with closing(SqliteJournal(path)) as other:
        for seq in range(last + 1):
            append(other, STOP, after=seq, actor="eve")
    with pytest.raises(JournalDamaged, match=f"event {last + 1} was changed"):
        journal.read(last)


def test_the_events_before_the_damage_can_still_be_read(
    path: Path, written: list[e.Recorded], open_journal: Open
) -> None:
    tamper(path, "UPDATE event SET actor = 'eve' WHERE seq = 5")
    with pytest.raises(JournalDamaged, match="the events before it are intact"):
        read(path)
    assert open_journal(path).last_seq() == len(written)


# ---------------------------------------------------------------- bytes that went bad


def survives(path: Path, written: list[e.Recorded]) -> bool:
    """Whether the journal can be read, and then it is the same; anything but a clear error is a failure."""
    try:
        found = read(path)
    except (JournalDamaged, Refused):
        return False
    assert found == written
    return True


def test_a_flipped_bit_anywhere_is_noticed_or_of_no_account(
    path: Path, written: list[e.Recorded], tmp_path: Path
) -> None:
    whole = path.read_bytes()
    dice = random.Random(20260301)  # noqa: S311 - the same offsets each time
    flipped, noticed = tmp_path / "flipped.db", 0
    offsets = [*range(100), *dice.sample(range(100, len(whole)), 500)]
    for offset in offsets:
        damaged = bytearray(whole)
        damaged[offset] ^= 1 << dice.randrange(8)
        for extra in ("-journal", "-wal", "-shm"):
            flipped.with_name(flipped.name + extra).unlink(missing_ok=True)
        flipped.write_bytes(damaged)
        noticed += not survives(flipped, written)
    assert noticed > len(offsets) // 4


def test_a_broken_byte_in_the_tables_own_description_is_noticed_or_of_no_account(
    path: Path, written: list[e.Recorded], whole: bytes
) -> None:
    """SQLite's message then quotes bytes that are no text."""
    size = int.from_bytes(whole[16:18], "big")
    described = [n for n in range(100, size) if whole[n] > 32]
    noticed = 0
    for offset in described[::3]:
        damaged = bytearray(whole)
        damaged[offset] = 0xA1
        path.write_bytes(damaged)
        noticed += not survives(path, written)
    assert noticed > len(described) // 6


@pytest.mark.parametrize("part", [0.02, 0.25, 0.5, 0.75, 0.99])
def test_a_torn_file_is_noticed(path: Path, part: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(JournalDamaged):
        read(path)


@pytest.mark.parametrize("page", [1, 2, 5])
def test_a_page_of_zeros_is_noticed(path: Path, written: list[e.Recorded], page: int) -> None:
    whole = bytearray(path.read_bytes())
    size = int.from_bytes(whole[16:18], "big")
    whole[(page - 1) * size : page * size] = bytes(size)
    path.write_bytes(whole)
    assert not survives(path, written)


# ---------------------------------------------------------------- files that are something else


def test_an_empty_file_becomes_a_journal(tmp_path: Path, open_journal: Open) -> None:
    (tmp_path / "j").touch()
    assert list(open_journal(tmp_path / "j").read()) == []


def test_there_is_no_journal_to_look_at(tmp_path: Path, open_journal: Open) -> None:
    with pytest.raises(Refused, match="there is no journal at"):
        open_journal(tmp_path / "j", create=False)
    assert not (tmp_path / "j").exists()


def foreign_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE moz_places (url TEXT)")


def newer_schema(path: Path) -> None:
    SqliteJournal(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")


def in_wal_mode(path: Path) -> None:
    SqliteJournal(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


FOREIGN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "another program's database": (foreign_database, "an SQLite file of something else"),
    "a text": (lambda p: p.write_text("incident notes\n" * 100), "is not a journal"),
    "a short text": (lambda p: p.write_text("notes"), "is not a journal"),
    "a single byte": (lambda p: p.write_text("x"), "is not a journal"),
    "a folder": (lambda p: p.mkdir(), "can't be opened"),
    "a later release's journal": (newer_schema, f"schema version {SCHEMA_VERSION + 1}"),
    "a journal that another tool switched to WAL": (in_wal_mode, "journal mode wal"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_no_journal_is_told_apart_and_left_alone(tmp_path: Path, case: str, open_journal: Open) -> None:
    make, words = FOREIGN[case]
    path = tmp_path / "j"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises((JournalDamaged, Refused), match=words) as refused:
        open_journal(path)
    assert refused.value.hint
    assert (path.read_bytes() if path.is_file() else None) == before


def test_an_event_of_a_later_release_is_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        last, previous = connection.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        row = (last + 1, codec.timestamp(AT), "kim", 1, '{"type":"soak_ended","v":1}')
        connection.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", (*row, codec.chain(previous, *row)))
    with pytest.raises(JournalDamaged, match=f'event {last + 1} is a "soak_ended"') as damaged:
        read(path)
    assert "newer" in damaged.value.hint


# ---------------------------------------------------------------- files that may not be used

NOBODY = 65534
_TRY = """
import os, sys, pathlib
from console.domain import events as e
from console.domain.errors import Refused
from console.journals.sqlite import SqliteJournal
from datetime import datetime, UTC
user = int(sys.argv[2])
if user:
    os.setgroups([]); os.setgid(user); os.setuid(user)
try:
    journal = SqliteJournal(pathlib.Path(sys.argv[1]))
    print(len(journal.read()))
    journal.append([e.StopRequested("dash")], after=journal.last_seq(), actor="kim", epoch=1, at=datetime.now(UTC))
except Refused as error:
    print("refused:", error)
"""


@pytest.mark.parametrize(
    ("file", "folder", "words"),
    [(0o000, 0o755, "can't be"), (0o444, 0o755, "readonly"), (0o444, 0o555, "readonly"), (0o600, 0o000, "can't be")],
    ids=["unreadable file", "read-only file", "read-only folder", "closed folder"],
)
def test_a_file_that_may_not_be_used_is_refused_in_words(path: Path, file: int, folder: int, words: str) -> None:
    inner = path.parent / "inner"
    inner.mkdir()
    path = path.rename(inner / path.name)
    user = NOBODY if os.geteuid() == 0 else 0
    for above in path.parents[1 : len(path.parents) - 1]:
        if above.owner() == inner.owner() and above.is_relative_to(path.parents[4]):
            above.chmod(0o755)
    path.chmod(file)
    inner.chmod(folder)
    try:
        found = subprocess.run(
            [sys.executable, "-c", _TRY, str(path), str(user)], capture_output=True, text=True, check=False
        )
    finally:
        inner.chmod(0o700)
    assert "Traceback" not in found.stderr
    assert found.stdout.splitlines()[-1].startswith("refused: the journal")
    assert words in found.stdout


def test_a_place_where_nothing_can_be_made_is_refused_in_words(tmp_path: Path, open_journal: Open) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match=r"can't be opened: .*(Not a directory|File exists)"):
        open_journal(tmp_path / "file" / "journal.db")
