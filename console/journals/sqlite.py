"""The default journal: one SQLite file that only the commander can read.

Rollback journal and `synchronous=EXTRA`, not WAL: an acknowledged append must survive a power loss (FULL does not sync the
folder that the rollback journal was removed from, so the last commit could come undone), and the WAL-reset bug of SQLite
before 3.51.3 can lose commits of two writers. Every append is one transaction that checks the last sequence number, so
two processes can share a file and neither can act on a past that has moved on.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from console.domain.errors import JournalDamaged, Refused, StaleJournal
from console.domain.events import Event, Recorded
from console.journals import codec
from console.journals.lease import FileLease

APPLICATION_ID = 0x524C4243  # "RLBC": tells this product's file from any other SQLite file
SCHEMA_VERSION = 1
_BUSY_SECONDS = 10.0
_KEEP = "keep the file as it is; journal verify says how far it can be read"
_HEADER_BYTES = 100  # of any SQLite file; one of a single byte SQLite itself takes for a new one

_SCHEMA = """
CREATE TABLE event (
    seq   INTEGER PRIMARY KEY,
    at    TEXT NOT NULL,
    actor TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    body  TEXT NOT NULL,
    hash  TEXT NOT NULL
) STRICT;
CREATE TRIGGER event_is_never_changed BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER event_is_never_removed BEFORE DELETE ON event BEGIN SELECT RAISE(ABORT, 'append only'); END;
"""

_Row = tuple[int, str, str, int, str, str]


class SqliteJournal:
    """Safe to use from several threads; each call is one transaction."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self.lease = FileLease(path.with_name(path.name + ".lease"))
        self._outbox: dict[str, FileLease] = {}
        self._lock = threading.Lock()
        self._last_hash: tuple[int, str] = (0, codec.GENESIS)
        self._connection = self._open(create)

    def outbox_lease(self, notice: str) -> FileLease:
        """One file for each notice, in a folder of their own beside the journal: messages don't wait for each other."""
        if notice not in self._outbox:
            folder = self.path.with_name(self.path.name + ".outbox")
            with suppress(OSError):  # without it the lease can't be taken, and says so
                folder.mkdir(mode=0o700, exist_ok=True)
            self._outbox[notice] = FileLease(folder / f"{quote(notice, safe='')}.lease")
        return self._outbox[notice]

    def read(self, after: int = 0) -> Sequence[Recorded]:
        """The events behind `after`, each checked against the chain."""
        with self._lock, self._told():
            previous = self._hash_of(after)
            rows: list[_Row] = self._connection.execute(
                "SELECT seq, at, actor, epoch, body, hash FROM event WHERE seq > ? ORDER BY seq", (after,)
            ).fetchall()
            events = list(_checked(rows, after, previous))
            if rows:
                self._last_hash = (rows[-1][0], rows[-1][5])
            return events

    def entries(self) -> Sequence[codec.Entry]:
        """Every entry as it stands on disk, the chain checked: an export must say what was hashed, not what is made of it."""
        with self._lock, self._told():
            rows: list[_Row] = self._connection.execute(
                "SELECT seq, at, actor, epoch, body, hash FROM event ORDER BY seq"
            ).fetchall()
            for _ in _checked(rows, 0, codec.GENESIS):
                pass
            return [codec.Entry(*row) for row in rows]

    def append(
        self, events: Iterable[Event], *, after: int, actor: str, epoch: int, at: datetime
    ) -> Sequence[Recorded]:
        when = codec.timestamp(at)
        with self._lock, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                rows = self._rows(events, after, codec.writable(actor), epoch, when)
                recorded = [codec.recorded(*row[:5]) for row in rows]  # what can't be read back is not written
                self._connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", rows)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            if rows:
                self._last_hash = (rows[-1][0], rows[-1][5])
        return recorded

    def last_seq(self) -> int:
        with self._lock, self._told():
            return self._last()[0]

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    # ------------------------------------------------------------ inside

    def _rows(self, events: Iterable[Event], after: int, actor: str, epoch: int, when: str) -> list[_Row]:
        last, last_epoch = self._last()
        if last < after:
            raise JournalDamaged(
                f"{self.path} ends at event {last}, but event {after} was read from it", "the file was cut or replaced"
            )
        if last != after:
            raise StaleJournal(f"the journal is at event {last}, not {after}")
        if epoch < last_epoch:
            raise Refused(f"command was taken over (epoch {last_epoch})", "this console may no longer act")
        previous = self._hash_of(after)
        rows: list[_Row] = []
        for seq, event in enumerate(events, start=after + 1):
            body = codec.encode(event)
            previous = codec.chain(previous, seq, when, actor, epoch, body)
            rows.append((seq, when, actor, epoch, body, previous))
        return rows

    def _last(self) -> tuple[int, int]:
        row = self._connection.execute("SELECT seq, epoch FROM event ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, 0)

    def _hash_of(self, seq: int) -> str:
        if seq == self._last_hash[0]:
            return self._last_hash[1]
        if seq == 0:
            return codec.GENESIS
        row = self._connection.execute("SELECT hash FROM event WHERE seq = ?", (seq,)).fetchone()
        if row is None:
            raise JournalDamaged(f"{self.path}: event {seq} is missing", "the file was cut or replaced")
        return str(row[0])

    def _open(self, create: bool) -> sqlite3.Connection:
        try:
            size = self._size()
            if size is None and not create:
                raise Refused(
                    f"there is no journal at {self.path}", "declare an incident first, or name one with --journal"
                )
            if size and size < _HEADER_BYTES:
                raise JournalDamaged(f"{self.path} is not a journal: too short", "name another file with --journal")
            if size is None:
                self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(self.path, os.O_CREAT | os.O_WRONLY, 0o600))
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            raise Refused(f"the journal {self.path} can't be opened: {_reason(error)}", "see --journal") from None
        try:
            with self._told():
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _size(self) -> int | None:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return None

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous=EXTRA")
        application, version = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if application == 0 and version == 0 and tables == 0:
            self._create(connection)
        elif application != APPLICATION_ID:
            raise JournalDamaged(f"{self.path} is an SQLite file of something else", "name another file with --journal")
        elif version != SCHEMA_VERSION:
            raise JournalDamaged(
                f"{self.path} has schema version {version}, this console knows {SCHEMA_VERSION}", "use a newer release"
            )
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != "delete":
            raise JournalDamaged(f"{self.path} is in journal mode {mode}", "it was changed by another tool")

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:  # nobody was faster
            for statement in _statements(_SCHEMA):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's errors in words: a foreign or torn file is damage, everything else a refusal."""
        try:
            yield
        except UnicodeDecodeError:  # SQLite quotes what is broken, and the quotation is no text
            raise JournalDamaged(f"{self.path} is torn: its own description can't be read", _KEEP) from None
        except sqlite3.DatabaseError as error:
            text = _reason(error)
            if "not a database" in text:
                raise JournalDamaged(
                    f"{self.path} is not a journal: {text}", "name another file with --journal"
                ) from None
            if "malformed" in text or "corrupt" in text or "decode" in text:
                raise JournalDamaged(f"{self.path} is torn: {text}", _KEEP) from None
            raise Refused(f"the journal {self.path} can't be used: {text}", "nothing was done") from None


def _checked(rows: Sequence[_Row], after: int, previous: str) -> Iterator[Recorded]:
    for expected, (seq, at, actor, epoch, body, written) in enumerate(rows, start=after + 1):
        if seq != expected:
            raise JournalDamaged(f"event {expected} is missing from the journal", "keep the file as it is")
        is_text = all(isinstance(column, str) for column in (at, actor, body, written))
        if not is_text or codec.chain(previous, seq, at, actor, epoch, body) != written:
            raise JournalDamaged(
                f"event {seq} was changed after it was written (its hash does not match)",
                "keep the file as it is; the events before it are intact",
            )
        previous = written
        yield codec.recorded(seq, at, actor, epoch, body)


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
