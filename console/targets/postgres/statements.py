"""The SQL of a restoration. Names are quoted, values bound; the filter is the procedure's own condition, in parentheses.

Rows are compared by their binary image (`*=`, `*<>`: what REFRESH MATERIALIZED VIEW CONCURRENTLY uses), which every type has,
and identified as a set by the sum of their hashes, so that a million rows never leave the server. Who added a row is told by
its `xmin`, the transaction that wrote this version of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from psycopg import sql

from console.targets.postgres.filters import Filter, parse
from console.targets.postgres.restoration import Field, Restoration

if TYPE_CHECKING:
    from psycopg.sql import Composable, Composed

    from console.targets.postgres.tables import Counter, Reference

_SAMPLE = 4
_SPECIAL = re.compile(r'["$`\\\n]|!(?![=\s])')  # what a shell minds between double quotes
_SIMPLE = re.compile(r"[a-z_][a-z0-9_]*")
_VALUE_LIMIT = 60


class Statements:
    """With `spelled`, names are written as it says and values stand in the text: for people to read and paste, never run here."""

    def __init__(self, restoration: Restoration, *, spelled: Mapping[str, str] | None = None) -> None:
        self._spec = restoration
        self._spelled = spelled
        self._b, self._t = sql.SQL("b"), sql.SQL("t")
        self.table = self._name(restoration.schema, restoration.table)
        self._backup = self._name(restoration.backup_schema, restoration.backup)
        self._names = [f.name for f in restoration.fields]

    # ------------------------------------------------------------ looking

    def survey(self) -> Composed:
        """One row: what `Survey` holds, then the tops of the counted columns, the missing rows among the table's.

        Both tables are read once, but for a counted column without an index.
        """
        column = self._spec.range_column
        bounds = [self._of_missing(f, column, "::text") if column else sql.SQL("NULL") for f in ("min", "max")]
        tops = [
            sql.SQL("greatest({}, ({}))").format(self._of_missing("max", counted), self.top(counted))
            for counted in self._spec.counted
        ]
        return sql.SQL(
            "SELECT count(*), count(*) FILTER (WHERE {absent}), coalesce(sum({hash}) FILTER (WHERE {absent}), 0)::text,"
            " count(*) FILTER (WHERE NOT {absent} AND {differs}), count(*) FILTER (WHERE {keyless}),"
            " pg_snapshot_xmax(pg_current_snapshot())::text, {rest} FROM {backup} LEFT JOIN {table} t ON {same_key}"
        ).format(
            absent=self._absent,
            hash=self._hash(self._b),
            differs=self._differs,
            keyless=_any(sql.SQL("{} IS NULL").format(self._of(self._b, k)) for k in self._spec.key),
            rest=_comma([*bounds, *tops]),
            backup=self._filtered("b"),
            table=self.table,
            same_key=self._same_key,
        )

    def extent(self) -> Composed:
        """One row: count, least and greatest of the table's rows that the verification counts."""
        return self._extent_of(sql.SQL("{} t").format(self.table))

    def extent_with_missing(self) -> Composed:
        """The same as it will be when what is missing has been added."""
        columns = _comma(self._ident(n) for n in self._names)
        return self._extent_of(
            sql.SQL("(SELECT {} FROM {} UNION ALL {}) t").format(columns, self.table, self._missing_rows())
        )

    def extent_without(self) -> Composed:
        """The same as it will be when what the transactions %(XIDS)s added is gone."""
        return self._extent_of(sql.SQL("(SELECT * FROM {} t WHERE NOT {}) t").format(self.table, _OURS))

    def stored(self) -> Composed:
        """One row from one scan of the table: how many rows %(XIDS)s wrote, and the sum of their hashes."""
        return sql.SQL("SELECT count(*), coalesce(sum({}), 0)::text FROM {} t WHERE {}").format(
            self._hash(self._t), self.table, _OURS
        )

    def kept(self) -> Composed:
        """One row from one scan of the table: how many rows of %(XIDS)s are there, then what `extent` gives."""
        counts = self._condition(self._spec.verify_where)
        extent = (sql.SQL("({} FILTER (WHERE ({})))::text").format(what, counts) for what in self._extent_columns())
        return sql.SQL("SELECT count(*) FILTER (WHERE {}), {} FROM {} t").format(_OURS, _comma(extent), self.table)

    def differences(self) -> Composed:
        """Some rows that differ: the key's columns, then each other column in the table and in the backup, as text."""
        keys = [_text(self._of(self._b, name)) for name in self._spec.key]
        pairs = [_text(self._of(side, name)) for name in self._others for side in (self._t, self._b)]
        return sql.SQL("SELECT {} FROM {} JOIN {} t ON {} WHERE {} LIMIT {}").format(
            _comma([*keys, *pairs]), self._filtered("b"), self.table, self._same_key, self._differs, _SAMPLE
        )

    def undecided(self) -> Composed:
        """How many of the backup's rows the filter neither keeps nor drops, because what it compares is NULL."""
        return sql.SQL("SELECT count(*) FROM {} WHERE ({}) IS NULL").format(
            self._backup, self._condition(self._spec.where)
        )

    def extras(self) -> Composed:
        """How many of the table's rows in the filter the backup has not."""
        return sql.SQL("SELECT count(*) FROM {} WHERE NOT EXISTS (SELECT FROM {} b WHERE {})").format(
            self._filtered("t", self.table), self._backup, self._same_key
        )

    def duplicates(self) -> Composed:
        """Some keys that the backup has more than once."""
        keys = _comma(self._of(self._b, name) for name in self._spec.key)
        shown = _comma(_text(self._of(self._b, name)) for name in self._spec.key)
        return sql.SQL("SELECT {} FROM {} GROUP BY {} HAVING count(*) > 1 LIMIT {}").format(
            shown, self._filtered("b"), keys, _SAMPLE
        )

    # ------------------------------------------------------------ restoring

    def insert(self, most: int | None = None) -> Composed:
        """Inserts what is missing. One row: how many, the sum of the hashes of what was stored, the transaction's id.

        `most` is how many of them a rehearsal takes.
        """
        limit = sql.SQL("") if most is None else sql.SQL(" LIMIT {}").format(most)
        return sql.SQL(
            "WITH added AS ({}{} RETURNING {} AS h)"
            " SELECT count(*), coalesce(sum(h), 0)::text, pg_current_xact_id()::xid::text FROM added"
        ).format(self.plain_insert(), limit, self._hash(None))

    def plain_insert(self) -> Composed:
        overriding = sql.SQL(" OVERRIDING SYSTEM VALUE" if any(f.identity for f in self._spec.fields) else "")
        columns = _comma(self._ident(n) for n in self._names)
        return sql.SQL("INSERT INTO {} ({}){} {}").format(self.table, columns, overriding, self._missing_rows())

    def top(self, column: str) -> Composed:
        return sql.SQL("SELECT max({}) FROM {}").format(self._ident(column), self.table)

    def plain_advance(self, counter: Counter, top: int) -> Composed:
        return sql.SQL("SELECT setval({}, {})").format(self.sequence(counter), top)

    @staticmethod
    def sequence(counter: Counter) -> str:
        """A sequence's name as `regclass` reads it."""
        parts = (counter.schema, counter.name)
        return ".".join(p if _SIMPLE.fullmatch(p) else sql.Identifier(p).as_string(None) for p in parts)

    # ------------------------------------------------------------ taking back

    def groups(self) -> Composed:
        """Some of the transactions since %(HORIZON)s whose rows stand as in the backup: id, how many, the sum of their hashes.

        The one that wrote exactly %(COUNT)s rows with the sum %(DIGEST)s comes first.
        """
        return sql.SQL(
            "SELECT xid, n, h::text FROM (SELECT t.xmin::text AS xid, count(*) AS n, sum({hash}) AS h"
            " FROM {backup} JOIN {table} t ON {same_key} WHERE NOT {differs} AND {since} GROUP BY 1) g"
            " ORDER BY n = %(COUNT)s AND h = %(DIGEST)s::numeric DESC, n DESC LIMIT {limit}"
        ).format(**self._joined, hash=self._hash(self._b), limit=_SAMPLE)

    def written_since(self) -> Composed:
        """How many of the backup's rows others than %(XIDS)s have written in the table since %(HORIZON)s."""
        return sql.SQL(
            "SELECT count(*) FROM {backup} JOIN {table} t ON {same_key} WHERE {since} AND NOT {ours}"
        ).format(**self._joined)

    def standing(self) -> Composed:
        """How many rows of the transactions %(XIDS)s stand as in the backup, and the sum of their hashes."""
        return sql.SQL(
            "SELECT count(*), coalesce(sum({hash}), 0)::text"
            " FROM {backup} JOIN {table} t ON {same_key} WHERE NOT {differs} AND {ours}"
        ).format(**self._joined, hash=self._hash(self._b))

    def touched(self) -> Composed:
        """Some rows that are not as the restore left them: the key's columns, and what became of them."""
        keys = [_text(self._of(self._b, name)) for name in self._spec.key]
        what = sql.SQL("CASE WHEN {} THEN 'removed' WHEN {} THEN 'changed' ELSE 'written again' END").format(
            self._absent, self._differs
        )
        return sql.SQL(
            "SELECT {what} FROM {backup} LEFT JOIN {table} t ON {same_key} WHERE {absent} OR {since} AND NOT {ours} LIMIT {n}"
        ).format(**self._joined, what=_comma([*keys, what]), absent=self._absent, n=_SAMPLE)

    def delete(self, most: int | None = None) -> Composed:
        """Removes what the transactions %(XIDS)s added and nobody changed. One row, as of `insert`; `most` as there."""
        return sql.SQL(
            "WITH gone AS ({} RETURNING {} AS h)"
            " SELECT count(*), coalesce(sum(h), 0)::text, pg_current_xact_id()::xid::text FROM gone"
        ).format(self._delete(sql.SQL("%(XIDS)s::xid[]"), most), self._hash(self._t))

    def plain_delete(self, xids: Iterable[str]) -> Composed:
        return self._delete(sql.SQL("{}::xid[]").format("{" + ",".join(xids) + "}"))

    def _delete(self, xids: Composable, most: int | None = None) -> Composed:
        return sql.SQL("DELETE FROM {table} t USING {backup} WHERE {same_key} AND NOT {differs} AND {mine}").format(
            **{**self._joined, "backup": self._filtered("b", most=most)},
            mine=sql.SQL("t.xmin = ANY ({})").format(xids),
        )

    def referred(self, reference: Reference) -> Composed:
        """Whether rows of another table refer to rows that the transactions %(XIDS)s added."""
        same = sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(self._of(sql.SQL("c"), theirs), self._of(self._t, ours))
            for theirs, ours in zip(reference.columns, reference.referred, strict=True)
        )
        return sql.SQL("SELECT EXISTS (SELECT FROM {} c JOIN {} t ON {} WHERE {})").format(
            self._name(reference.schema, reference.table), self.table, same, _OURS
        )

    # ------------------------------------------------------------ pieces

    @property
    def _joined(self) -> dict[str, Composable]:
        return {
            "backup": self._filtered("b"),
            "table": self.table,
            "same_key": self._same_key,
            "differs": self._differs,
            "since": _SINCE,
            "ours": _OURS,
        }

    @property
    def _others(self) -> list[str]:
        return [name for name in self._names if name not in self._spec.key]

    @property
    def _same_key(self) -> Composable:
        pairs = (sql.SQL("{} = {}").format(self._of(self._b, k), self._of(self._t, k)) for k in self._spec.key)
        return sql.SQL(" AND ").join(pairs)

    @property
    def _absent(self) -> Composable:
        return sql.SQL("{} IS NULL").format(self._of(self._t, self._spec.key[0]))

    @property
    def _differs(self) -> Composable:
        both = (_comma(self._of(side, n) for n in self._names) for side in (self._b, self._t))
        return sql.SQL("ROW({})::record *<> ROW({})::record").format(*both)

    def _ident(self, name: str) -> Composable:
        text = sql.Identifier(name).as_string(None) if self._spelled is None else self._spelled[name]
        return sql.SQL(text.replace("%", "%%"))  # the text goes through psycopg's placeholders

    def _of(self, side: Composable, name: str) -> Composable:
        return sql.SQL("{}.{}").format(side, self._ident(name))

    def _name(self, schema: str, name: str) -> Composable:
        return sql.SQL("{}.{}").format(self._ident(schema), self._ident(name))

    def _missing_rows(self) -> Composed:
        return sql.SQL("SELECT {} FROM {} WHERE NOT EXISTS (SELECT FROM {} t WHERE {})").format(
            _comma(self._of(self._b, n) for n in self._names), self._filtered("b"), self.table, self._same_key
        )

    def _extent_of(self, relation: Composable) -> Composed:
        columns = _comma(sql.SQL("({})::text").format(what) for what in self._extent_columns())
        return sql.SQL("SELECT {} FROM {} WHERE ({})").format(
            columns, relation, self._condition(self._spec.verify_where)
        )

    def _extent_columns(self) -> list[Composable]:
        column = self._spec.range_column
        bounds = [sql.SQL("{}({})").format(sql.SQL(f), self._of(self._t, column)) for f in ("min", "max") if column]
        return [sql.SQL("count(*)"), *bounds]

    def _of_missing(self, aggregate: str, column: str, cast: str = "") -> Composable:
        return sql.SQL("({}({}) FILTER (WHERE {})){}").format(
            sql.SQL(aggregate), self._of(self._b, column), self._absent, sql.SQL(cast)
        )

    def _hash(self, side: Composable | None) -> Composable:
        values = (_hashable(f, self._of(side, f.name) if side else self._ident(f.name)) for f in self._spec.fields)
        return sql.SQL("hash_record_extended(ROW({}), 0)").format(_comma(values))

    def _filtered(self, alias: str, relation: Composable | None = None, most: int | None = None) -> Composable:
        """The rows in the filter, as a relation of their own, so that the condition's names mean that relation's columns."""
        limit = sql.SQL("") if most is None else sql.SQL(" LIMIT {}").format(most)
        return sql.SQL("(SELECT * FROM {} WHERE ({}){}) {}").format(
            relation or self._backup, self._condition(self._spec.where), limit, sql.SQL(alias)
        )

    def _condition(self, where: str) -> Composable:
        if not where:
            return sql.SQL("true")
        condition: Filter = parse(where)
        text = condition.bound if self._spelled is None else condition.text(self._literal)
        return sql.SQL(text)  # checked to be one condition by `filters.py`

    def _literal(self, name: str) -> str:
        return sql.Literal(self._spec.parameters[name]).as_string(None).replace("%", "%%")


_SINCE = sql.SQL("age(t.xmin) <= age(%(HORIZON)s::xid8::xid)")  # ages: the plain comparison of xids ends at 2^31
_OURS = sql.SQL("t.xmin = ANY (%(XIDS)s::xid[])")


def psql(place: str, statement: Composable) -> str:
    """The command that runs a statement made with literals; for people to read and to paste."""
    text = statement.as_string(None).replace("%%", "%")
    quoted = shlex.quote(text) if _SPECIAL.search(text) else f'"{text}"'  # SQL is full of single quotes
    return f"psql {shlex.quote(place)} -v ON_ERROR_STOP=1 -c {quoted}"


def _hashable(field: Field, value: Composable) -> Composable:
    return value if field.hashed else sql.SQL("{}::text").format(value)


def _text(value: Composable) -> Composable:
    return sql.SQL("left({}::text, {})").format(value, _VALUE_LIMIT)


def _comma(pieces: Iterable[Composable]) -> Composed:
    return sql.SQL(", ").join(pieces)


def _any(pieces: Iterable[Composable]) -> Composed:
    return sql.SQL(" OR ").join(pieces)
