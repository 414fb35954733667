"""The statements that ask about anything but the rows: locks, sizes, sequences, spelling. All names and values are bound."""

from __future__ import annotations

from typing import Final

SCANNED: Final = 4
"""Up to so many times the backup's size, a table is read once more for what was stored in it: on two cores that takes half the
time of having the INSERT return it."""
SMALL_BYTES: Final = 16 * 1024 * 1024

WHO_AND_WHERE: Final = """
SELECT current_setting('server_version'), current_database()::text, current_user::text,
       pg_is_in_recovery(), current_setting('transaction_read_only')::boolean
"""
SPELLED: Final = "SELECT n, quote_ident(n) FROM unnest(%(NAMES)s::text[]) n"

TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock(%(LOCK)s)"
WAIT_FOR_LOCK: Final = "SELECT pg_advisory_xact_lock_shared(%(LOCK)s)"
XID: Final = "SELECT pg_current_xact_id()::xid::text"
CHECK_CONSTRAINTS: Final = "SET CONSTRAINTS ALL IMMEDIATE"
"""What a COMMIT would check, which a rehearsal never reaches."""

COUNT_ON: Final = "SELECT max(nextval(%(SEQUENCE)s::regclass)) FROM generate_series(1, %(STEPS)s)"
SET_SEQUENCE: Final = "SELECT setval(%(SEQUENCE)s::regclass, %(TOP)s)"

SWITCH: Final = "SELECT set_config(%(SETTING)s, %(VALUE)s, true)"
_SIZE: Final = """(
SELECT pg_relation_size(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %({0}SCHEMA)s AND c.relname = %({0}TABLE)s AND c.relkind IN ('r', 'm'))"""
READ_SOON: Final = f"SELECT coalesce({_SIZE.format('')} <= {SCANNED} * {_SIZE.format('BACKUP_')}, false)"
"""Whether the table is not much larger than its backup."""
SMALL: Final = f"SELECT coalesce({_SIZE.format('BACKUP_')} <= {SMALL_BYTES}, false)"
"""Whether the backup is small; what has no size of its own (a view, partitions) is not."""

LOCK_HOLDERS: Final = """
SELECT DISTINCT a.pid, coalesce(a.usename, '?')::text, coalesce(nullif(a.application_name, ''), 'no application name'), l.mode
FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation
JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_database d ON d.oid = l.database
WHERE d.datname = current_database() AND n.nspname = %(SCHEMA)s AND c.relname = %(TABLE)s AND l.granted
  AND l.pid <> pg_backend_pid()
  AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock') ORDER BY 1 LIMIT 3
"""
"""In the modes that an INSERT's own lock conflicts with."""
