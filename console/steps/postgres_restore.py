"""`postgres.restore`: puts the rows of a backup table that are missing back into their table, once, and proves it.

Counted and rehearsed before it is confirmed, added in one transaction, compared afterwards. A row that is in both and not the
same is shown and never overwritten. Taking back removes the rows that this step's transaction added and nothing else: the
server itself keeps, in each row's `xmin`, who wrote it (docs/decisions/0011).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from console.config.options import OneLine, PositiveDuration
from console.config.options import Options as TableOptions
from console.domain.errors import Failed, Refused
from console.engine.ports import Change, Description, Finding, Json, Probe, Progress, Proof, Receipt, Seen
from console.targets.postgres import filters, wording
from console.targets.postgres.client import Limits, PostgresTarget
from console.targets.postgres.errors import Unreachable
from console.targets.postgres.restoration import NO_ROWS, Goal, Restoration, Rows, Survey
from console.targets.postgres.tables import Table, fields_of
from console.targets.postgres.workplace import Workplace
from console.targets.text import clean_line

if TYPE_CHECKING:
    from console.engine.gateway import Permit
    from console.targets.postgres.restoring import Work

KIND = "postgres.restore"
TARGET_KINDS = ("postgres",)

_LOOK_AGAIN_SECONDS = 1.0
_MANY = 50_000  # rows; fewer are compared one by one in no time
_LOOKS = 30  # a server that fails over is away for about so long

Identifier = Annotated[OneLine, StringConstraints(max_length=63)]
Parameter = str | bool | int | float | datetime | date


class Options(TableOptions):
    """Which rows of which backup belong in which table."""

    table: Identifier
    """The table whose rows are restored."""
    schema_name: Annotated[Identifier, Field(validation_alias="schema")] = "public"
    """The table's schema."""
    backup: Identifier
    """The table that holds the copy."""
    backup_schema: Identifier | None = None
    """The copy's schema; left out: the table's."""
    key: Annotated[tuple[Identifier, ...], Field(min_length=1)]
    """The columns that tell which row is which: a primary or unique key of the table."""
    where: Annotated[str, StringConstraints(max_length=4000)] = ""
    """Which rows of the backup: one SQL condition, its values as `%(name)s`. Left out: all of them."""
    parameters: dict[Annotated[str, StringConstraints(pattern=rf"^{filters.NAME}$")], Parameter] = Field(
        default_factory=dict
    )
    """The values of the conditions, by name. They are bound, never pasted into the SQL."""
    range_column: Identifier | None = None
    """The column whose least and greatest value are shown; left out: the first of the key."""
    verify_where: Annotated[str, StringConstraints(max_length=4000)] | None = None
    """What the count before and after goes over: one SQL condition; left out: the same as `where`."""
    on_difference: Literal["refuse", "keep"] = "refuse"
    """A row that is in both and not the same: refuse to go on, or leave the table's row as it is and restore the others."""
    lock_timeout_seconds: PositiveDuration = 5.0
    """How long to wait for a lock that another session holds."""
    statement_timeout_seconds: PositiveDuration = 600.0
    """How long one statement may take on the server."""

    @model_validator(mode="after")
    def _conditions(self) -> Options:
        parsed = []
        for name in ("where", "verify_where"):
            if text := getattr(self, name):
                try:
                    parsed.append(filters.parse(text))
                except filters.BadFilter as error:
                    raise ValueError(f'"{name}" is one condition: {error}') from None
        filters.check_parameters(parsed, self.parameters)
        return self


class PostgresRestore:
    irreversible: str | None = None

    def __init__(self, step_id: str, options: Options, target: PostgresTarget) -> None:
        self._id = step_id
        self._target = target
        self._place = Workplace(target, Limits(options.lock_timeout_seconds, options.statement_timeout_seconds))
        self._wanted = Restoration(
            schema=options.schema_name,
            table=options.table,
            backup_schema=options.backup_schema or options.schema_name,
            backup=options.backup,
            key=options.key,
            where=options.where,
            verify_where=options.where if options.verify_where is None else options.verify_where,
            range_column=options.range_column or "",
            parameters={name: _plain(value) for name, value in options.parameters.items()},
            on_difference=options.on_difference,
        )
        self._rehearsed: dict[str, tuple[str, ...]] = {}
        self._sent: dict[str, str] = {}

    def describe(self) -> Description:
        where = f" where {clean_line(self._wanted.where)}" if self._wanted.where else ""
        return Description(f"restore missing rows of {self._wanted} from {self._wanted.source}{where}")

    # ------------------------------------------------------------ before

    async def preflight(self) -> Sequence[Finding]:
        async with self._place.look(self._wanted) as work:
            found = [await self._place.server(work)]
            table, backup, problems = await self._place.tables(work, self._wanted)
            if table is None or backup is None or problems:
                return [*found, *problems]
            spec = fields_of(self._wanted, table)
        async with self._place.look(spec) as work:
            undecided, extras = await work.undecided(), await work.extras()
        return [*found, *wording.preflight(spec, table, undecided, extras)]

    async def plan(self, pin: Json = None) -> Change:  # noqa: ARG002 - nothing is chosen here
        async with self._place.look(self._wanted) as work:
            table, backup, problems = await self._place.tables(work, self._wanted)
        if table is None or backup is None or problems:
            raise Refused(problems[0].text, "nothing was changed; put it right in the file or in the database")
        spec = fields_of(self._wanted, table)
        async with self._place.look(spec) as work:
            survey = await work.survey()
            differences = await work.differences() if survey.differing else []
            identity = {"context": self._target.context, **wording.identity(spec, survey)}
            present = survey.backup_rows - survey.missing.count
            goal = Goal(
                "restore", secrets.token_hex(8), spec, survey.missing, survey.horizon, present, survey.differing
            )
            change = Change(
                summary=wording.summary(spec, survey),
                identity=identity,
                goal=goal.to_json(),
                commands=self._commands(spec, await work.spelled(), table, survey),
                already=not survey.missing.count and (not survey.differing or spec.on_difference == "keep"),
                seen={_filter_of(spec): Seen(wording.contents(survey))},
                findings=tuple(wording.plan_findings(spec, table, survey, differences)),
            )
            if change.already or any(f.level == "block" for f in change.findings):
                return replace(change, lines=tuple(wording.facts(spec, survey, differences)))
            lines = await self._rehearse(work, change, spec, survey, table)
        return replace(change, lines=lines)

    async def _rehearse(
        self, work: Work, change: Change, spec: Restoration, survey: Survey, table: Table
    ) -> tuple[str, ...]:
        """The lines of the preview. A change that this process has rehearsed already is not rehearsed again at its turn."""
        if change.hash not in self._rehearsed:
            before, after = await work.extent(), await work.extent_with_missing()
            lines = wording.lines(spec, survey, before, after, table, await work.rehearse_insert(survey.missing))
            self._rehearsed = {change.hash: tuple(lines)}
        return self._rehearsed[change.hash]

    async def plan_undo(self, pre_images: Sequence[Json]) -> Change:
        attempts = [Goal.from_json(image) for image in pre_images]
        for attempt in attempts:
            await self._place.ended(attempt)
        attempts = [a for a in attempts if a.rows.count]
        spec = attempts[-1].restoration if attempts else self._wanted
        if not attempts:
            return self._nothing_to_take_back(spec)
        async with self._place.look(spec) as work:
            added = await self._added(work, attempts)
            survey = await work.survey()
            rows = sum(added.values(), NO_ROWS)
            xids = tuple(added)
            goal = Goal("remove", secrets.token_hex(8), spec, rows, survey.horizon,
                        xids=xids, missing_after=survey.missing + rows)  # fmt: skip
            change = Change(
                summary=f"remove {wording.rows(rows.count)} of {spec} that the rollback added",
                identity={
                    "context": self._target.context,
                    "table": str(spec),
                    "remove": {x: r.to_json() for x, r in added.items()},
                },
                goal=goal.to_json(),
                commands=self._undo_commands(spec, await work.spelled(), xids),
                already=not rows.count,
                seen={_filter_of(spec): Seen({"restored rows that stand": rows.count})},
            )
            if change.already:
                return replace(change, summary=f"{spec}: nothing to take back")
            if change.hash not in self._rehearsed:
                before, after = await work.extent(), await work.extent_without(xids)
                lines = wording.undo_lines(spec, rows, xids, before, after, await work.rehearse_remove(rows, xids))
                self._rehearsed = {change.hash: tuple(lines)}
        return replace(change, lines=self._rehearsed[change.hash])

    async def _added(self, work: Work, attempts: Sequence[Goal]) -> Mapping[str, Rows]:
        """Which transaction added what, of the attempts whose rows stand untouched. Refused when somebody touched some."""
        found = [(a, await work.adder(a.rows, a.horizon)) for a in attempts]
        added = {xid: attempt.rows for attempt, xid in found if xid}
        for attempt in (a for a, xid in found if not xid):
            # It had no effect, or what it added is not as it was.
            if others := await work.written_since(attempt.horizon, tuple(added)):
                told = "; ".join(await work.touched(attempt.horizon, tuple(added)))
                raise Refused(
                    f"{attempt.restoration}: {attempt.rows.count:,} rows were to be restored; since then {others:,} of the"
                    f" backup's rows were written, and not all stand as they were restored: {told}",
                    "rolling forward would guess which rows are whose; put it right by hand",
                )
        return added

    def _nothing_to_take_back(self, spec: Restoration) -> Change:
        goal = Goal("remove", secrets.token_hex(8), spec, NO_ROWS, "3")
        return Change(f"{spec}: nothing to take back", {"table": str(spec)}, goal.to_json(), already=True)

    async def capture(self, change: Change) -> Json:
        return change.goal

    # ------------------------------------------------------------ the effect, and what became of it

    async def apply(self, goal: Json, permit: Permit) -> Receipt:
        wanted = Goal.from_json(goal)
        if wanted.action == "restore" and wanted.differing and wanted.restoration.on_difference == "refuse":
            raise Refused(f"{wording.rows(wanted.differing)} in both and not the same", "nothing was changed")
        count = wording.rows(wanted.rows.count)
        async with self._place.effect(wanted.restoration, permit) as work:
            await work.mark(wanted.token)
            if wanted.action == "restore":
                await work.insert(wanted.rows)
                what = "; ".join([f"{count} added", *await work.advance(permit)])
            else:
                await work.remove(wanted.rows, wanted.xids)
                what = f"{count} removed"
        xid = work.transaction.xid
        self._sent = {wanted.token: xid}
        return Receipt(f"{what} in transaction {xid}")

    async def probe(self, goal: Json) -> Probe:
        """The truth is in the rows, once the operation's transaction has certainly ended: before, nobody can see them."""
        wanted = Goal.from_json(goal)
        try:
            await self._place.ended(wanted)
        except Refused as error:
            return Probe("unknown", str(error))
        async with self._place.look(wanted.restoration) as work:
            survey = await work.survey()
            if wanted.action == "remove":
                standing = await work.standing(wanted.xids)
                return wording.probe_of_removal(wanted, survey, standing)
            xid = await work.adder(wanted.rows, wanted.horizon) if wanted.rows.count else ""
        return wording.probe_of_restoration(wanted, survey, xid)

    async def watch(self, goal: Json) -> AsyncIterator[Progress | Proof]:
        wanted = Goal.from_json(goal)
        yield Progress(f"comparing {wanted.restoration} with {wanted.restoration.source}")
        for look in range(_LOOKS):
            try:
                yield await self._proof(wanted)
            except Unreachable as error:
                if look == _LOOKS - 1:
                    raise Failed(error.message, "what was sent stands; go on to look again") from None
                yield Progress(error.message)
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            except Refused as error:
                raise Failed(error.message, "what was sent stands; go on to look again") from None
            else:
                return

    async def _proof(self, wanted: Goal) -> Proof:
        if not wanted.restoration.fields:
            return Proof(f"{wanted.restoration}: nothing was added")
        xid = self._sent.get(wanted.token)
        async with self._place.look(wanted.restoration) as work:
            if xid and wanted.action == "restore" and not wanted.present and wanted.rows.count >= _MANY:
                # The transaction compared what it stored with the backup before it was committed, and a row that anybody
                # has written since would no longer be its row: counting them says all that comparing again would.
                kept, extent = await work.kept(xid)
                if kept == wanted.rows.count:
                    return wording.proof_of_all(wanted, extent)
            survey, extent = await work.survey(), await work.extent()
            standing = await work.standing(wanted.xids) if wanted.action == "remove" else NO_ROWS
            differences = await work.differences() if survey.differing > wanted.differing else []
        return wording.proof(wanted, survey, extent, standing, differences)

    # ------------------------------------------------------------ small things

    def _commands(self, spec: Restoration, spelled: Mapping[str, str], table: Table, survey: Survey) -> tuple[str, ...]:
        from console.targets.postgres.statements import Statements, psql

        statements = Statements(spec, spelled=spelled)
        moves = [statements.plain_advance(counter, top) for counter, top in wording.behind(table, survey)]
        return tuple(psql(self._target.login.for_psql, s) for s in (statements.plain_insert(), *moves))

    def _undo_commands(self, spec: Restoration, spelled: Mapping[str, str], xids: Sequence[str]) -> tuple[str, ...]:
        from console.targets.postgres.statements import Statements, psql

        statement = Statements(spec, spelled=spelled).plain_delete(xids)
        return (psql(self._target.login.for_psql, statement),) if xids else ()


def _filter_of(spec: Restoration) -> str:
    where = f" where {clean_line(spec.where)}" if spec.where else ""
    return f"{spec} against {spec.source}{where}"


def _plain(value: Parameter) -> Json:
    return value.isoformat() if isinstance(value, date) else value


def build(step_id: str, options: Options, target: PostgresTarget) -> PostgresRestore:
    return PostgresRestore(step_id, options, target)
