"""A restoration in words: what was found, what would change, what is proven, what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.domain.errors import Failed
from console.engine.ports import Finding, Json, Probe, Proof
from console.targets.postgres.restoration import Difference, Extent, Goal, Restoration, Rows, Survey
from console.targets.postgres.tables import Counter, Table


def rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"


def summary(spec: Restoration, survey: Survey) -> str:
    if survey.missing.count:
        return f"{spec}: adds {rows(survey.missing.count)} of {spec.source}"
    if survey.differing:
        return f"{spec}: nothing is missing, but not the same in both: {rows(survey.differing)}"
    return f"{spec}: nothing of {spec.source} is missing"


def identity(spec: Restoration, survey: Survey) -> Json:
    """What makes it the same change: the same rows into the same columns, from the same filter."""
    return {
        "table": str(spec),
        "backup": spec.source,
        "where": spec.where,
        "parameters": {name: str(value) for name, value in spec.parameters.items()},
        "columns": [[f.name, f.type] for f in spec.fields],
        "missing": survey.missing.to_json(),
        "from": survey.low,
        "to": survey.high,
    }


def contents(survey: Survey) -> Json:
    """What must not change between the preview and the effect. New rows of the running system are not in it."""
    return {
        "rows in the backup": survey.backup_rows,
        "missing": survey.missing.count,
        "missing rows' digest": survey.missing.digest,
        "equal": survey.equal,
        "different": survey.differing,
    }


def facts(spec: Restoration, survey: Survey, differences: Sequence[Difference]) -> Iterator[str]:
    yield (
        f"  {rows(survey.backup_rows)} of {spec.source} in the filter: {survey.missing.count:,} missing,"
        f" {survey.equal:,} there and equal, {survey.differing:,} different"
    )
    for difference in differences:
        yield f"  {difference}"


def lines(
    spec: Restoration, survey: Survey, before: Extent, after: Extent, table: Table, rehearsed: int
) -> Iterator[str]:
    yield f"- {spec}: {before.said(spec.range_column)}"
    yield f"+ {spec}: {after.said(spec.range_column)}"
    for counter, top in behind(table, survey):
        yield f"- sequence {counter}: {counter.last}"
        yield f"+ sequence {counter}: {counter.once_advanced(top)}"
    yield from facts(spec, survey, ())
    if spec.range_column:
        yield f"  missing: {spec.range_column} from {survey.low} to {survey.high}"
    yield f"  rehearsed: {_all_of(rehearsed, survey.missing)}added and rolled back"


def undo_lines(
    spec: Restoration, taken: Rows, xids: Sequence[str], before: Extent, after: Extent, rehearsed: int
) -> Iterator[str]:
    yield f"- {spec}: {before.said(spec.range_column)}"
    yield f"+ {spec}: {after.said(spec.range_column)}"
    whose = ", ".join(xids)
    yield f"  {rows(taken.count)} that transaction {whose} added, each as it was added; rows of others stay"
    yield f"  rehearsed: {_all_of(rehearsed, taken)}removed and rolled back; sequences stay where they are"


def _all_of(rehearsed: int, whole: Rows) -> str:
    return "" if rehearsed == whole.count else f"{rehearsed:,} of the {whole.count:,} "


def behind(table: Table, survey: Survey) -> Iterator[tuple[Counter, int]]:
    """The sequences that would give values again which the table has by then, and their greatest one: what apply advances."""
    for counter in table.counters if survey.missing.count else ():
        top = survey.tops.get(counter.column)
        if top is not None and (counter.last is None or counter.last < top):
            yield counter, top


def plan_findings(
    spec: Restoration, table: Table, survey: Survey, differences: Sequence[Difference]
) -> Iterator[Finding]:
    if survey.without_key:
        text = f"{spec.source} holds {rows(survey.without_key)} without {', '.join(spec.key)}"
        yield Finding("block", text, "key")
    if survey.differing:
        shown = "; ".join(str(d) for d in differences)
        text = f"{rows(survey.differing)} in both and not the same ({shown})"
        if spec.on_difference == "refuse":
            yield Finding("block", f"{text}; decide which is right, nothing is overwritten", "differs")
        else:
            yield Finding("warn", f"{text}; left as in {spec}", "differs")
    for counter, top in behind(table, survey):
        if not counter.may_advance:
            text = f"sequence {counter} must not stand before {top}, and this role may not read and advance it (USAGE)"
            yield Finding("block", text, "forbidden")


def preflight(spec: Restoration, table: Table, undecided: int, extras: int) -> Iterator[Finding]:
    yield Finding("ok", f"allowed: SELECT and INSERT on {spec}, SELECT on {spec.source}", "allowed")
    if not table.may_delete:
        yield Finding("warn", f"no DELETE on {spec}: this role could not take the restore back", "irreversible")
    if table.triggers:
        names = ", ".join(table.triggers)
        yield Finding("warn", f"triggers of {spec} run for each row, in the rehearsal too: {names}", "triggers")
    if undecided:
        text = f"not restored: {rows(undecided)} of {spec.source} where the filter compares a NULL, which is never true"
        yield Finding("warn", text, "null")
    if extras:
        yield Finding(
            "info", f"{spec} holds {rows(extras)} in the filter that the backup lacks; nothing happens to them", "extra"
        )


# ------------------------------------------------------------ afterwards


def proof(wanted: Goal, survey: Survey, extent: Extent, standing: Rows, differences: Sequence[Difference]) -> Proof:
    """Raises Failed when the rows are not as they should be."""
    spec = wanted.restoration
    now = extent.said(spec.range_column)
    if wanted.action == "remove":
        if standing.count or survey.missing != wanted.missing_after:
            raise Failed(_removal_now(wanted, survey, standing), "somebody changed it since; look at the table")
        removed = f"{rows(wanted.rows.count)} removed" if wanted.rows.count else "nothing was to be removed"
        return Proof(f"{removed}; {spec} holds {now}")
    if survey.missing.count or survey.differing > wanted.differing:
        shown = "".join(f"; {d}" for d in differences)
        raise Failed(
            f"{spec}: of the backup's rows {survey.missing.count:,} missing, {survey.differing:,} different{shown}",
            "somebody changed it since; preview it again",
        )
    differ = "or differs" if not survey.differing else f"and {survey.differing:,} different, left as found"
    return _held(wanted, survey.backup_rows, differ, now)


def proof_of_all(wanted: Goal, extent: Extent) -> Proof:
    """For a restore of every row of the backup in the filter."""
    return _held(wanted, wanted.rows.count, "or differs", extent.said(wanted.restoration.range_column))


def _held(wanted: Goal, backup_rows: int, differ: str, now: str) -> Proof:
    held = (
        f"none of the backup's {rows(backup_rows)} in the filter is missing {differ}; {wanted.restoration} holds {now}"
    )
    return Proof(f"{rows(wanted.rows.count)} restored; {held}" if wanted.rows.count else held)


def probe_of_restoration(wanted: Goal, survey: Survey, xid: str) -> Probe:
    count = rows(wanted.rows.count)
    if xid:
        return Probe("done", f"{count} are there, added by transaction {xid}")
    if not wanted.rows.count and not survey.missing.count:
        return Probe("done", "nothing was to be added, nothing is missing")
    if survey.missing == wanted.rows:
        return Probe("not_done", f"all of the {count} are still missing")
    return Probe(
        "diverged",
        f"{count} were to be added by one transaction, and none added just these; now"
        f" {survey.missing.count:,} of the backup's rows are missing, {survey.differing:,} different",
    )


def probe_of_removal(wanted: Goal, survey: Survey, standing: Rows) -> Probe:
    if standing == wanted.rows:
        return Probe("not_done", f"all of the {rows(standing.count)} are still there")
    if not standing.count and survey.missing == wanted.missing_after:
        return Probe("done", f"{rows(wanted.rows.count)} are gone")
    return Probe("diverged", _removal_now(wanted, survey, standing))


def _removal_now(wanted: Goal, survey: Survey, standing: Rows) -> str:
    return (
        f"{rows(wanted.rows.count)} were to be removed: {standing.count:,} of them are there as they were restored, and"
        f" {survey.missing.count:,} of the backup's rows are missing ({wanted.missing_after.count:,} should be)"
    )
