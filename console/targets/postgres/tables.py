"""What the catalog says about the table, its backup, and what the present role may do with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from console.engine.ports import Finding
from console.targets.postgres.restoration import Field, Restoration
from console.targets.text import clean_line

if TYPE_CHECKING:
    from console.targets.postgres.session import Transaction

_KINDS: Final = {"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence", "i": "an index"}
_TABLES: Final = ("r", "p")
SHORT_WAY: Final = 10_000
"""Up to here a sequence is advanced by counting, which can't go backwards even while others count. Beyond, it is set: that
nobody counts so far between the reading and the setting."""
_ORDERED: Final = ("bigint", "integer", "smallint", "numeric", "text", "character", "date", "timestamp")
"""Beginnings of types that have a least and a greatest value in every release."""


@dataclass(frozen=True, slots=True)
class Column:
    """`identity` is "a" for GENERATED ALWAYS, "d" for BY DEFAULT. The rights are the present role's."""

    name: str
    type: str
    generated: bool
    identity: str
    not_null: bool
    may_select: bool
    may_insert: bool


@dataclass(frozen=True, slots=True)
class Counter:
    """A sequence that gives a column its values. `last` is None where the present role may not read it."""

    column: str
    schema: str
    name: str
    last: int | None
    step: int
    may_use: bool
    may_set: bool

    @property
    def may_advance(self) -> bool:
        return self.last is not None and (self.may_use or self.may_set)

    def steps_to(self, top: int) -> int:
        """How many values have to be drawn until it is not before `top`. Only for a `last` that is known."""
        return -(-(top - (self.last or 0)) // self.step)

    def is_counted_to(self, top: int) -> bool:
        """Whether it is advanced by counting, which may end behind `top`; else it is set there."""
        return self.steps_to(top) <= SHORT_WAY or not self.may_set

    def once_advanced(self, top: int) -> int:
        """Where it stands then."""
        if self.last is None or not self.is_counted_to(top):
            return top
        return self.last + self.steps_to(top) * self.step

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key of another table to this one that changes that table when a row here is deleted."""

    name: str
    schema: str
    table: str
    columns: tuple[str, ...]
    referred: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    oid: int
    schema: str
    name: str
    kind: str
    heap: bool
    may_use_schema: bool
    may_delete: bool
    row_security: bool
    columns: tuple[Column, ...]
    keys: tuple[frozenset[str], ...]
    triggers: tuple[str, ...]
    rules: tuple[str, ...]
    counters: tuple[Counter, ...]
    cascades: tuple[Reference, ...]

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def plain_columns(self) -> tuple[Column, ...]:
        """All but those that the server computes by itself."""
        return tuple(c for c in self.columns if not c.generated)


_RELATION = """
SELECT c.oid::bigint, c.relkind::text, c.relkind = 'p' OR coalesce(a.amname = 'heap', false),
       has_schema_privilege(n.oid, 'USAGE'), has_table_privilege(c.oid, 'DELETE'), row_security_active(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_am a ON a.oid = c.relam
WHERE n.nspname = %(SCHEMA)s AND c.relname = %(NAME)s
"""
_COLUMNS = """
SELECT attname::text, format_type(atttypid, atttypmod), attgenerated <> '', attidentity::text, attnotnull,
       has_column_privilege(attrelid, attnum, 'SELECT'), has_column_privilege(attrelid, attnum, 'INSERT')
FROM pg_attribute WHERE attrelid = %(OID)s AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_KEYS = """
SELECT array_agg(a.attname::text) FROM pg_index i
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1])
WHERE i.indrelid = %(OID)s AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL GROUP BY i.indexrelid
"""
_TRIGGERS = """
SELECT tgname::text FROM pg_trigger
WHERE tgrelid = %(OID)s AND NOT tgisinternal AND tgenabled <> 'D' AND (tgtype & 4) <> 0 ORDER BY 1
"""  # 4: TRIGGER_TYPE_INSERT
_RULES = "SELECT rulename::text FROM pg_rewrite WHERE ev_class = %(OID)s AND ev_type IN ('3', '4') ORDER BY 1"
_SEQUENCES = """
SELECT a.attname::text, n.nspname::text, s.relname::text,
       CASE WHEN has_sequence_privilege(s.oid, 'USAGE,SELECT')
            THEN coalesce(pg_sequence_last_value(s.oid), q.seqstart - q.seqincrement) END,
       q.seqincrement, has_sequence_privilege(s.oid, 'USAGE'), has_sequence_privilege(s.oid, 'UPDATE')
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S' JOIN pg_namespace n ON n.oid = s.relnamespace
JOIN pg_sequence q ON q.seqrelid = s.oid
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid = %(OID)s AND d.deptype IN ('a', 'i') AND q.seqincrement > 0
"""
_CASCADES = """
SELECT k.conname::text, n.nspname::text, c.relname::text,
       (SELECT array_agg(attname::text ORDER BY u.i) FROM unnest(k.conkey) WITH ORDINALITY u(n, i)
        JOIN pg_attribute ON attrelid = k.conrelid AND attnum = u.n),
       (SELECT array_agg(attname::text ORDER BY u.i) FROM unnest(k.confkey) WITH ORDINALITY u(n, i)
        JOIN pg_attribute ON attrelid = k.confrelid AND attnum = u.n)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.confrelid = %(OID)s AND k.conparentid = 0 AND k.confdeltype IN ('c', 'n', 'd')
"""  # cascade, set null, set default
_TABLES_OF = """
SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(SCHEMA)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""


async def read_table(transaction: Transaction, schema: str, name: str) -> Table | None:
    found = await transaction.rows(_RELATION, {"SCHEMA": schema, "NAME": name})
    if not found:
        return None
    oid, kind, heap, may_use_schema, may_delete, row_security = found[0]

    async def of(query: str) -> list[tuple[Any, ...]]:
        return await transaction.rows(query, {"OID": oid})

    return Table(
        oid=oid,
        schema=schema,
        name=name,
        kind=kind,
        heap=heap,
        may_use_schema=may_use_schema,
        may_delete=may_delete,
        row_security=row_security,
        columns=tuple(Column(*row) for row in await of(_COLUMNS)),
        keys=tuple(frozenset(row[0]) for row in await of(_KEYS)),
        triggers=tuple(clean_line(row[0]) for row in await of(_TRIGGERS)),
        rules=tuple(clean_line(row[0]) for row in await of(_RULES)),
        counters=tuple(Counter(*row) for row in await of(_SEQUENCES)),
        cascades=tuple(Reference(r[0], r[1], r[2], tuple(r[3]), tuple(r[4])) for r in await of(_CASCADES)),
    )


def fields_of(restoration: Restoration, table: Table) -> Restoration:
    """The restoration with the columns that both tables have."""
    columns = {c.name: c for c in table.plain_columns}
    first = columns[restoration.key[0]]
    return replace(
        restoration,
        fields=tuple(Field(c.name, c.type, c.identity == "a") for c in columns.values()),
        counted=tuple(c.column for c in table.counters if c.column in columns),
        range_column=restoration.range_column or (first.name if first.type.startswith(_ORDERED) else ""),
    )


async def absent(transaction: Transaction, schema: str, name: str) -> Finding:
    known = [row[0] for row in await transaction.rows(_TABLES_OF, {"SCHEMA": schema})]
    close = get_close_matches(name, known, 1)
    guess = f'; did you mean "{clean_line(close[0])}"?' if close else ""
    return Finding("block", f"there is no table {schema}.{name}{guess}", "not_found")


def obstacles(table: Table, backup: Table, key: Sequence[str], range_column: str) -> list[Finding]:
    """What makes the restore impossible, by the catalog alone."""
    return [Finding("block", text, code) for code, text in _obstacles(table, backup, key, range_column)]


def _obstacles(table: Table, backup: Table, key: Sequence[str], range_column: str) -> Iterator[tuple[str, str]]:
    if table.oid == backup.oid:
        yield "same_table", f"{table} is its own backup"
    if table.kind not in _TABLES:
        yield "not_a_table", f"{table} is {_KINDS.get(table.kind, 'not a table')}; rows are restored into a table"
    elif not table.heap:
        yield "not_a_table", f"{table} has a storage of its own kind, in which rows don't tell who added them"
    yield from _different_columns(table, backup)
    yield from _not_a_key(table, key)
    if range_column and range_column not in {c.name for c in table.plain_columns}:
        yield "not_found", f'{table} has no column "{range_column}" (range_column)'
    yield from _not_permitted(table, backup)
    for one in (table, backup):
        if one.row_security:
            yield "row_security", f"row-level security hides rows of {one} from this role; use one that sees them all"
    if table.rules:
        yield "rules", f"rules of {table} rewrite its INSERT or DELETE: {', '.join(table.rules)}"


def _different_columns(table: Table, backup: Table) -> Iterator[tuple[str, str]]:
    there = {c.name: c.type for c in backup.columns}
    wanted = {c.name: c.type for c in table.plain_columns}
    if lacking := [name for name in wanted if name not in there]:
        yield "columns", f"{backup} lacks {_named(lacking)} of {table}"
    known = {c.name for c in table.columns}  # the value of a generated column stands in a copy as a plain one
    if more := [name for name in there if name not in known]:
        yield "columns", f"{backup} has {_named(more)}, which {table} lacks"
    for name, type_ in wanted.items():
        if there.get(name, type_) != type_:
            yield "columns", f"column {clean_line(name)} is {type_} in {table} and {there[name]} in {backup}"


def _not_a_key(table: Table, key: Sequence[str]) -> Iterator[tuple[str, str]]:
    columns = {c.name: c for c in table.columns}
    if unknown := [name for name in key if name not in columns]:
        yield "key", f"{table} has no {_named(unknown)} (key)"
        return
    if not any(unique <= set(key) for unique in table.keys):
        offered = "; ".join(", ".join(sorted(k)) for k in table.keys) or "none"
        yield "key", f"{', '.join(key)} is no primary or unique key of {table} (there: {clean_line(offered)})"
    if nullable := [name for name in key if not columns[name].not_null]:
        yield "key", f"{_named(nullable)} of {table} can be NULL: NULLs are never the same row"


def _not_permitted(table: Table, backup: Table) -> Iterator[tuple[str, str]]:
    for one in (table, backup):
        if not one.may_use_schema:
            yield "forbidden", f"no USAGE on schema {one.schema}"
        if denied := [c.name for c in one.columns if not c.may_select]:
            yield "forbidden", f"no SELECT on {_of(one, denied)}"
    if denied := [c.name for c in table.plain_columns if not c.may_insert]:
        yield "forbidden", f"no INSERT on {_of(table, denied)}"


def _of(table: Table, denied: list[str]) -> str:
    if len(denied) >= len(table.plain_columns):
        return str(table)
    return f"{_named(denied)} of {table}"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(clean_line(name) for name in names)
    return f"column {shown}" if len(names) == 1 else f"columns {shown}"
