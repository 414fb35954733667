"""A restoration inside one transaction: looking, adding, taking back. Imported when a database is first asked.

A million rows never pass through here: what does is counts, sums of hashes, transaction ids, and a few rows to show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from console.domain.errors import Refused
from console.targets.postgres import server
from console.targets.postgres.restoration import Difference, Extent, Restoration, Rows, Survey
from console.targets.postgres.statements import Statements
from console.targets.postgres.tables import Counter, read_table
from console.targets.text import clean_line

if TYPE_CHECKING:
    from console.engine.gateway import Permit
    from console.targets.postgres.session import Row, Transaction

REHEARSED: Final = 50_000
"""Rows that a rehearsal adds or removes at most. They stay in the table as dead rows until it is vacuumed: a rehearsal of a
million made the real insert two and a half times as slow as without. Counting and comparing go over all rows."""


class Work:
    """What one transaction does about one restoration."""

    def __init__(self, transaction: Transaction, restoration: Restoration) -> None:
        self.transaction = transaction
        self._spec = restoration
        self._statements = Statements(restoration)
        self._settings: str | None = None

    # ------------------------------------------------------------ the transaction's mark

    async def mark(self, token: str) -> None:
        """Takes the lock by which others see that this operation's transaction has not ended."""
        (free,) = await self.transaction.row(server.TRY_LOCK, {"LOCK": _lock(token)})
        if not free:
            raise Refused("this very operation is under way on the server", "nothing more was sent; look again")

    async def wait_for(self, token: str) -> None:
        """Returns when that transaction has ended, and so its rows are visible or will never be. Rejected when it lasts."""
        await self.transaction.rows(server.WAIT_FOR_LOCK, {"LOCK": _lock(token)})

    # ------------------------------------------------------------ looking

    async def survey(self) -> Survey:
        row = await self._joined(self._statements.survey())
        backup_rows, missing, digest, differing, without_key, horizon, low, high, *tops = row
        return Survey(
            backup_rows=backup_rows,
            missing=Rows(missing, digest),
            differing=differing,
            without_key=without_key,
            low=_shown(low),
            high=_shown(high),
            horizon=horizon,
            tops={c: int(top) for c, top in zip(self._spec.counted, tops, strict=True) if top is not None},
        )

    async def extent(self) -> Extent:
        return _extent(await self._row(self._statements.extent()))

    async def extent_with_missing(self) -> Extent:
        return _extent(await self._joined(self._statements.extent_with_missing()))

    async def extent_without(self, xids: tuple[str, ...]) -> Extent:
        return _extent(await self._row(self._statements.extent_without(), XIDS=_array(xids)))

    async def kept(self, xid: str) -> tuple[int, Extent]:
        """How many of the rows that a transaction added are there as it left them, and the verification's count.

        A row that anybody has written since is no longer that transaction's.
        """
        count, *extent = await self._row(self._statements.kept(), XIDS=_array((xid,)))
        return count, _extent(extent)

    async def differences(self) -> list[Difference]:
        names = [f.name for f in self._spec.fields if f.name not in self._spec.key]
        found = []
        for row in await self._joined_rows(self._statements.differences()):
            values = row[len(self._spec.key) :]
            pairs = zip(names, values[::2], values[1::2], strict=True)
            unlike = tuple((clean_line(n), _shown(t), _shown(b)) for n, t, b in pairs if t != b)
            found.append(Difference(self._key(row), unlike or (("a value", "another", "not the same"),)))
        return found

    async def undecided(self) -> int:
        return _count(await self._row(self._statements.undecided())) if self._spec.where else 0

    async def extras(self) -> int:
        return _count(await self._joined(self._statements.extras()))

    async def duplicates(self) -> list[str]:
        return [self._key(row) for row in await self._rows(self._statements.duplicates())]

    async def spelled(self) -> dict[str, str]:
        """The names as a person writes them: quoted where the server says that they must be."""
        spec = self._spec
        names = [spec.schema, spec.table, spec.backup_schema, spec.backup, *spec.key, *(f.name for f in spec.fields)]
        return {name: str(text) for name, text in await self._rows(server.SPELLED, NAMES=names)}

    async def who_and_where(self) -> Row:
        """Version, database, role, whether it is a standby, whether it is read-only."""
        version, database, user, standby, read_only = await self._row(server.WHO_AND_WHERE)
        return clean_line(version), clean_line(database), clean_line(user), standby, read_only

    async def holders(self) -> list[str]:
        """Who holds locks on the table that stand in the way of writing."""
        found = await self._rows(server.LOCK_HOLDERS, **self._names)
        return [
            clean_line(f"process {pid} of {user} ({application}, {mode})") for pid, user, application, mode in found
        ]

    # ------------------------------------------------------------ adding

    async def insert(self, expected: Rows) -> None:
        """Adds what is missing, if that is what is expected and is stored as it is in the backup; Refused otherwise."""
        if expected.count > REHEARSED and (await self._row(server.READ_SOON, **self._names))[0]:
            await self._joined_rows(self._statements.plain_insert())
            (self.transaction.xid,) = await self._row(server.XID)
            stored = Rows(*await self._row(self._statements.stored(), XIDS=_array((self.transaction.xid,))))
        else:
            count, digest, self.transaction.xid = await self._joined(self._statements.insert())
            stored = Rows(count, digest)
        if stored == expected:
            return
        if stored.count == expected.count:
            raise self._stored_otherwise()
        reason = f"{stored.count:,} rows were missing in {self._spec} and not {expected.count:,}"
        raise Refused(reason, "rolled back, nothing was changed; preview it again")

    def _stored_otherwise(self) -> Refused:
        reason = f"what {self._spec} stored is not what {self._spec.source} holds: changed since, or by a trigger"
        return Refused(reason, "rolled back, nothing was changed; preview it again")

    async def rehearse_insert(self, expected: Rows) -> int:
        """Adds what is missing, or the first REHEARSED of it, as if it stayed; how many. Refused when it can't be."""
        if expected.count <= REHEARSED:
            await self.insert(expected)
        else:
            await self._refuse_duplicates()
            count, _, xid = await self._joined(self._statements.insert(REHEARSED))
            if (await self.standing((str(xid),))).count != count:
                raise self._stored_otherwise()
        await self._rows(server.CHECK_CONSTRAINTS)
        return min(expected.count, REHEARSED)

    async def _refuse_duplicates(self) -> None:
        """What the key would refuse, in all of the rows and not only in those that are rehearsed."""
        if twice := await self.duplicates():
            raise self.duplicated(twice)

    def duplicated(self, keys: Sequence[str]) -> Refused:
        return Refused(f"{self._spec.source} holds rows more than once ({'; '.join(keys)}, …)", "nothing was changed")

    async def advance(self, permit: Permit) -> list[str]:  # noqa: ARG002 - a sequence is not rolled back
        """Puts the sequences of the added columns behind the greatest value; what was done, in words."""
        table = await read_table(self.transaction, self._spec.schema, self._spec.table)
        return [text for c in (table.counters if table else ()) if (text := await self._advance_one(c))]

    async def _advance_one(self, counter: Counter) -> str:
        (top,) = await self._row(self._statements.top(counter.column))
        if top is None or counter.last is None or counter.last >= top:
            return ""
        name = self._statements.sequence(counter)
        if counter.is_counted_to(top):
            await self._rows(server.COUNT_ON, SEQUENCE=name, STEPS=counter.steps_to(top))
        else:
            await self._rows(server.SET_SEQUENCE, SEQUENCE=name, TOP=top)
        return f"sequence {counter} from {counter.last} to {counter.once_advanced(top)}"

    # ------------------------------------------------------------ taking back

    async def adder(self, rows: Rows, horizon: str) -> str:
        """The transaction since `horizon` that added exactly these rows and all of them still stand; "" when there is none."""
        parameters = {"HORIZON": horizon, "COUNT": rows.count, "DIGEST": rows.digest}
        for xid, count, digest in await self._joined_rows(self._statements.groups(), **parameters):
            if Rows(count, digest) == rows:
                return str(xid)
        return ""

    async def standing(self, xids: tuple[str, ...]) -> Rows:
        return Rows(*await self._joined(self._statements.standing(), XIDS=_array(xids)))

    async def written_since(self, horizon: str, xids: tuple[str, ...]) -> int:
        return _count(await self._joined(self._statements.written_since(), HORIZON=horizon, XIDS=_array(xids)))

    async def touched(self, horizon: str, xids: tuple[str, ...]) -> list[str]:
        """Some of the rows that are not as the restore left them, and what became of each."""
        largest = {"HORIZON": horizon, "COUNT": -1, "DIGEST": "0"}
        groups = await self._joined_rows(self._statements.groups(), **largest)
        ours = _array((*xids, *(str(g[0]) for g in groups[:1])))
        found = await self._joined_rows(self._statements.touched(), HORIZON=horizon, XIDS=ours)
        return [f"{self._key(row)} was {row[-1]}" for row in found]

    async def remove(self, expected: Rows, xids: tuple[str, ...]) -> None:
        """Removes what these transactions added; Refused unless that is what is expected, and nothing hangs on it."""
        await self._refuse_cascades(xids)
        count, digest, self.transaction.xid = await self._joined(self._statements.delete(), XIDS=_array(xids))
        if Rows(count, digest) != expected:
            raise Refused(
                f"{count:,} of the {expected.count:,} restored rows stand as they were restored",
                "rolled back, nothing was changed; preview it again",
            )

    async def rehearse_remove(self, expected: Rows, xids: tuple[str, ...]) -> int:
        """Removes it, or what is ours of the first REHEARSED rows, as if it were gone; how many. Refused when it can't be."""
        if expected.count <= REHEARSED:
            await self.remove(expected, xids)
            count = expected.count
        else:
            await self._refuse_cascades(xids)
            count, _, _ = await self._joined(self._statements.delete(REHEARSED), XIDS=_array(xids))
        await self._rows(server.CHECK_CONSTRAINTS)
        return count

    async def _refuse_cascades(self, xids: tuple[str, ...]) -> None:
        table = await read_table(self.transaction, self._spec.schema, self._spec.table)
        for reference in table.cascades if table else ():
            (referred,) = await self._joined(self._statements.referred(reference), XIDS=_array(xids))
            if referred:
                who = clean_line(f"{reference.schema}.{reference.table}")
                raise Refused(
                    f"rows of {who} refer to restored rows and would be removed or changed with them ({reference.name})",
                    "nothing was changed; take those back first",
                )

    # ------------------------------------------------------------ small things

    @property
    def _names(self) -> dict[str, str]:
        spec = self._spec
        names = {"SCHEMA": spec.schema, "TABLE": spec.table}
        return {**names, "BACKUP_SCHEMA": spec.backup_schema, "BACKUP_TABLE": spec.backup}

    async def _joined(self, query: Any, **parameters: Any) -> Row:
        """The one row of a statement that joins table and backup, in a way that doesn't hang on what the server guesses.

        A table that was empty when its statistics were taken is taken for empty, and a plan made for empty tables takes
        hours on a million rows. So a small backup is joined by the key's index and any other by hashing.
        """
        return (await self._joined_rows(query, **parameters))[0]

    async def _joined_rows(self, query: Any, **parameters: Any) -> list[Row]:
        if self._settings is None:
            (small,) = await self._row(server.SMALL, **self._names)
            self._settings = "enable_seqscan" if small else "enable_nestloop"
        await self._row(server.SWITCH, SETTING=self._settings, VALUE="off")
        rows = await self._rows(query, **parameters)
        await self._row(server.SWITCH, SETTING=self._settings, VALUE="on")
        return rows

    async def _rows(self, query: Any, **parameters: Any) -> list[Row]:
        return await self.transaction.rows(query, {**self._spec.parameters, **parameters})

    async def _row(self, query: Any, **parameters: Any) -> Row:
        return (await self._rows(query, **parameters))[0]

    def _key(self, row: Row) -> str:
        return ", ".join(f"{clean_line(n)}={_shown(v)}" for n, v in zip(self._spec.key, row, strict=False))


def _extent(row: Sequence[Any]) -> Extent:
    count, low, high = (*row, None, None)[:3]
    return Extent(int(count), _shown(low), _shown(high))


def _lock(token: str) -> int:
    """The token as an advisory lock's key: a signed 64-bit number."""
    return int.from_bytes(bytes.fromhex(token), signed=True)


def _array(xids: tuple[str, ...]) -> str:
    return "{" + ",".join(xids) + "}"


def _count(row: Row) -> int:
    return int(row[0])


def _shown(value: Any) -> str:
    return "NULL" if value is None else clean_line(str(value))
