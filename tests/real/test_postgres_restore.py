"""`postgres.restore` on a real server: the seed's restore, once and no more; what it refuses; what taking back leaves alone."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from console.domain.errors import Failed, Refused
from tests.real.postgres_scene import IN_FILTER, AuditTrail, blocks, carry_out, permit, proven, said, stored, undo
from tests.real.servers import NotBuilt
from tests.real.servers import binaries as tools
from tests.real.servers.postgres import PASSWORD, PostgresServer

IN_THE_FILTER = 879


@pytest.fixture(scope="module", params=["18", "15"])
def server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """18 comes with the development dependencies; 15, the system's own, is tried where it is."""
    try:
        postgres = PostgresServer(request.param)
    except NotBuilt as absent:
        if tools.REQUIRED and request.param == "18":
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))
    with postgres:
        yield postgres


@pytest.fixture
def trail(server: PostgresServer) -> Iterator[AuditTrail]:
    audit = AuditTrail(server)
    yield audit
    audit.close()


# ------------------------------------------------------------ the seed's restore


async def test_the_seeds_restore_is_counted_rehearsed_carried_out_and_proven(trail: AuditTrail) -> None:
    step = trail.step()
    assert blocks(await step.preflight()) == []
    change = await step.plan()
    assert change.summary == "public.audit_log: adds 879 rows of public.audit_log_backup"
    assert change.lines == (
        "- public.audit_log: 0 rows",
        "+ public.audit_log: 879 rows, created_at from 2024-01-01 00:00:00+00 to 2024-01-21 07:30:00+00",
        "- sequence public.audit_log_id_seq: 0",
        "+ sequence public.audit_log_id_seq: 999",
        "  879 rows of public.audit_log_backup in the filter: 879 missing, 0 there and equal, 0 different",
        "  missing: created_at from 2024-01-01 00:00:00+00 to 2024-01-21 07:30:00+00",
        "  rehearsed: added and rolled back",
    )
    assert trail.count == 0
    _, receipt, proof = await carry_out(step, change)
    assert receipt.detail.startswith("879 rows added; sequence public.audit_log_id_seq from 0 to 999 in transaction ")
    assert proof.text == (
        "879 rows restored; none of the backup's 879 rows in the filter is missing or differs; public.audit_log holds"
        " 879 rows, created_at from 2024-01-01 00:00:00+00 to 2024-01-21 07:30:00+00"
    )
    assert trail.one(f"SELECT count(*) FROM audit_log WHERE NOT ({IN_FILTER})") == 0  # noqa: S608
    assert (await trail.step().probe(stored(change.goal))).answer == "done"


async def test_planning_and_preflight_leave_nothing_behind(trail: AuditTrail) -> None:
    catalog = "SELECT count(*) FROM pg_class", "SELECT pg_sequence_last_value('audit_log_id_seq')"
    before = [trail.one(query) for query in catalog]
    await trail.step().preflight()
    first, second = await trail.step().plan(), await trail.step().plan()
    assert first.hash == second.hash
    assert first.goal != second.goal
    assert [trail.one(query) for query in catalog] == before
    assert trail.count == 0


async def test_running_it_twice_changes_nothing(trail: AuditTrail) -> None:
    await carry_out(trail.step())
    once = trail.sql("SELECT xmin, * FROM audit_log ORDER BY id")
    again = await trail.step().plan()
    assert again.already
    assert (await proven(trail.step(), again)).text.startswith("none of the backup's 879 rows in the filter is missing")
    assert trail.sql("SELECT xmin, * FROM audit_log ORDER BY id") == once


async def test_the_same_goal_sent_twice_is_refused_the_second_time(trail: AuditTrail) -> None:
    change, _, _ = await carry_out(trail.step())
    with pytest.raises(Refused, match=r"0 rows were missing in public\.audit_log and not 879"):
        await trail.step().apply(stored(change.goal), permit())
    assert trail.count == IN_THE_FILTER


async def test_the_equivalent_commands_do_the_same(trail: AuditTrail) -> None:
    change = await trail.step().plan()
    assert '"' not in change.commands[0].replace('-c "', "", 1)[:-1]
    for command in change.commands:
        paste(command, trail)
    assert trail.count == IN_THE_FILTER
    assert (await trail.step().plan()).already
    assert trail.one("SELECT nextval('audit_log_id_seq')") == 1000


async def test_only_what_is_missing_is_added(trail: AuditTrail) -> None:
    trail.add_by_hand("id BETWEEN 100 AND 199")
    by_hand = trail.sql("SELECT xmin, * FROM audit_log ORDER BY id")
    change, receipt, _ = await carry_out(trail.step())
    assert "789 missing, 90 there and equal, 0 different" in "\n".join(change.lines)
    assert receipt.detail.startswith("789 rows added")
    assert trail.sql("SELECT xmin, * FROM audit_log WHERE id BETWEEN 100 AND 199 ORDER BY id") == by_hand
    assert trail.count == IN_THE_FILTER + 10


async def test_new_rows_of_the_running_system_stay_and_do_not_disturb(trail: AuditTrail) -> None:
    step = trail.step()
    change = await step.plan()
    trail.sql("INSERT INTO audit_log SELECT 5000 + i, now(), 'live', 'x', 'gateway', NULL FROM generate_series(1, 7) i")
    again = await step.plan()
    assert (again.hash, dict(again.seen)) == (change.hash, dict(change.seen))
    await carry_out(step, again)
    assert said(await trail.step().preflight(), "extra") == (
        "public.audit_log holds 7 rows in the filter that the backup lacks; nothing happens to them"
    )


# ------------------------------------------------------------ columns, keys, sequences


async def test_reordered_columns_of_the_same_type_do_not_swap(trail: AuditTrail) -> None:
    trail.sql("ALTER TABLE audit_log_backup RENAME TO old")
    trail.sql("CREATE TABLE audit_log_backup AS SELECT detail, source, action, actor, created_at, id FROM old")
    await carry_out(trail.step())
    assert trail.one("SELECT count(*) FROM audit_log WHERE actor LIKE 'user-%' AND source = 'gateway'") == IN_THE_FILTER


async def test_missing_extra_and_different_columns_are_named(trail: AuditTrail) -> None:
    trail.sql(
        "ALTER TABLE audit_log_backup DROP COLUMN detail, ADD COLUMN note text, ALTER COLUMN action TYPE varchar(50)"
    )
    assert blocks(await trail.step().preflight()) == [
        "public.audit_log_backup lacks column detail of public.audit_log",
        "public.audit_log_backup has column note, which public.audit_log lacks",
        "column action is text in public.audit_log and character varying(50) in public.audit_log_backup",
    ]
    with pytest.raises(Refused, match="lacks column detail"):
        await trail.step().plan()


async def test_generated_columns_are_left_to_the_server(trail: AuditTrail) -> None:
    trail.sql(
        "ALTER TABLE audit_log ADD COLUMN day date GENERATED ALWAYS AS ((created_at AT TIME ZONE 'UTC')::date) STORED"
    )
    trail.sql("ALTER TABLE audit_log_backup ADD COLUMN day date")
    await carry_out(trail.step())
    assert trail.one("SELECT count(*) FROM audit_log WHERE day >= '2024-01-01'") == IN_THE_FILTER


async def test_a_key_that_is_not_unique_is_blocked(trail: AuditTrail) -> None:
    trail.sql("ALTER TABLE audit_log DROP CONSTRAINT audit_log_pkey")
    assert blocks(await trail.step().preflight()) == [
        "id is no primary or unique key of public.audit_log (there: none)"
    ]
    trail.sql("CREATE UNIQUE INDEX ON audit_log (actor)")
    trail.sql("ALTER TABLE audit_log ALTER COLUMN id DROP IDENTITY, ALTER COLUMN id DROP NOT NULL")
    assert blocks(await trail.step(key=("actor", "nope")).preflight()) == ["public.audit_log has no column nope (key)"]
    trail.sql("CREATE UNIQUE INDEX ON audit_log (id)")
    assert blocks(await trail.step().preflight()) == [
        "column id of public.audit_log can be NULL: NULLs are never the same row"
    ]


async def test_identity_that_is_always_generated_keeps_its_values_and_the_sequence_follows(trail: AuditTrail) -> None:
    trail.sql("ALTER TABLE audit_log ALTER COLUMN id SET GENERATED ALWAYS")
    await carry_out(trail.step())
    assert trail.one("SELECT max(id) FROM audit_log") == 999
    trail.sql("INSERT INTO audit_log (created_at, actor) VALUES (now(), 'live')")
    assert trail.one("SELECT max(id) FROM audit_log") == 1000


@pytest.mark.parametrize("last", [998, 2_000_000])
async def test_a_sequence_never_goes_backwards(trail: AuditTrail, last: int) -> None:
    trail.sql(f"SELECT setval('audit_log_id_seq', {last})")
    await carry_out(trail.step())
    assert trail.one("SELECT pg_sequence_last_value('audit_log_id_seq')") == max(last, 999)


async def test_a_sequence_far_behind_is_set(trail: AuditTrail) -> None:
    trail.sql("INSERT INTO audit_log_backup VALUES (3000000000, '2024-06-01', 'late', 'x', 'gateway', NULL)")
    _, receipt, _ = await carry_out(trail.step())
    assert "sequence public.audit_log_id_seq from 0 to 3000000000" in receipt.detail
    assert trail.one("SELECT nextval('audit_log_id_seq')") == 3_000_000_001


async def test_the_preview_says_where_the_sequence_will_stand(trail: AuditTrail) -> None:
    """The table may hold greater values than the missing rows, and counting by tens may end behind the greatest."""
    trail.sql("INSERT INTO audit_log (id, created_at, actor) OVERRIDING SYSTEM VALUE VALUES (4995, now(), 'live')")
    trail.sql("SELECT setval('audit_log_id_seq', 2000)")
    step = trail.step()
    change = await step.plan()
    assert "+ sequence public.audit_log_id_seq: 4995" in change.lines
    assert "setval('public.audit_log_id_seq', 4995)" in change.commands[1].replace('"', "")
    trail.sql("ALTER SEQUENCE audit_log_id_seq INCREMENT 10")
    step = trail.step()
    change = await step.plan()
    assert "+ sequence public.audit_log_id_seq: 5000" in change.lines
    _, receipt, _ = await carry_out(step, change)
    assert "sequence public.audit_log_id_seq from 2000 to 5000" in receipt.detail
    assert trail.one("SELECT pg_sequence_last_value('audit_log_id_seq')") == 5000


async def test_odd_names_and_types_without_equality(trail: AuditTrail) -> None:
    trail.sql("""
        CREATE SCHEMA "Old ""%""s";
        CREATE TABLE "Old ""%""s"."Order" (
            "Key" uuid, part int, "per % cent" json, "from" point, tags text[], PRIMARY KEY ("Key", part));
        CREATE TABLE "Old ""%""s".copy AS SELECT gen_random_uuid() AS "Key", i AS part, '{"a": 1}'::json AS "per % cent",
            point(i, 1) AS "from", ARRAY['a%', 'b'] AS tags FROM generate_series(1, 20) i
    """)
    options = {"schema": 'Old "%"s', "table": "Order", "backup": "copy", "key": ("Key", "part"), "verify_where": None}
    step = trail.step(
        **options, range_column=None, where="tags[1] LIKE 'a%' AND part % 2 = %(odd)s", parameters={"odd": 1}
    )
    _, _, proof = await carry_out(step)
    assert proof.text == (
        '10 rows restored; none of the backup\'s 10 rows in the filter is missing or differs; Old "%"s.Order holds 10 rows'
    )
    await carry_out(trail.step(**options, range_column=None, where="", parameters={}))
    trail.sql("""UPDATE "Old ""%""s"."Order" SET "per % cent" = '{"a": 2}' WHERE part = 1""")
    assert 'per % cent is {"a": 2}, in the backup {"a": 1}' in blocks((await step.plan()).findings)[0]


# ------------------------------------------------------------ rows that differ, NULLs, duplicates


async def test_a_row_that_differs_is_shown_and_refused(trail: AuditTrail) -> None:
    trail.add_by_hand("id IN (101, 102)")
    trail.sql("UPDATE audit_log SET actor = 'someone', detail = NULL WHERE id = 101")
    before = trail.as_it_is()
    change = await trail.step().plan()
    assert blocks(change.findings) == [
        "1 row in both and not the same (id=101: actor is someone, in the backup user-3, detail is NULL, in the backup"
        ' {"n": 101}); decide which is right, nothing is overwritten'
    ]
    with pytest.raises(Refused, match="1 row in both and not the same"):
        await trail.step().apply(stored(change.goal), permit())
    assert trail.as_it_is() == before


async def test_a_row_that_differs_can_be_kept(trail: AuditTrail) -> None:
    trail.add_by_hand("id IN (101, 102)")
    trail.sql("UPDATE audit_log SET actor = 'someone' WHERE id = 101")
    step = trail.step(on_difference="keep")
    change, _, proof = await carry_out(step)
    assert "left as in public.audit_log" in said(change.findings, "differs")
    assert "missing and 1 different, left as found" in proof.text
    assert trail.one("SELECT actor FROM audit_log WHERE id = 101") == "someone"
    assert (await step.plan()).already
    await carry_out(step, await undo(step, change))
    assert trail.count == 2


async def test_rows_that_the_filter_drops_for_a_null_are_told(trail: AuditTrail) -> None:
    trail.sql("UPDATE audit_log_backup SET source = NULL WHERE id IN (201, 202)")
    assert said(await trail.step().preflight(), "null") == (
        "not restored: 2 rows of public.audit_log_backup where the filter compares a NULL, which is never true"
    )


async def test_duplicates_in_the_backup_are_named(trail: AuditTrail) -> None:
    trail.sql("INSERT INTO audit_log_backup SELECT * FROM audit_log_backup WHERE id = 101")
    with pytest.raises(Refused, match=r"public.audit_log_backup holds rows more than once \(id=101, …\)"):
        await trail.step().plan()


async def test_rows_without_a_key_are_blocked(trail: AuditTrail) -> None:
    trail.sql("ALTER TABLE audit_log_backup ALTER COLUMN id DROP NOT NULL")
    trail.sql("INSERT INTO audit_log_backup VALUES (NULL, '2024-06-01', 'late', 'x', 'gateway', NULL)")
    assert blocks((await trail.step().plan()).findings) == ["public.audit_log_backup holds 1 row without id"]


# ------------------------------------------------------------ what stands in the way


async def test_a_foreign_key_that_would_break_is_refused_in_the_preview(trail: AuditTrail) -> None:
    trail.sql("CREATE TABLE actors (name text PRIMARY KEY)")
    trail.sql(
        "ALTER TABLE audit_log ADD CONSTRAINT known FOREIGN KEY (actor) REFERENCES actors DEFERRABLE INITIALLY DEFERRED"
    )
    with pytest.raises(Refused, match='violates foreign key constraint "known"'):
        await trail.step().plan()
    trail.sql("INSERT INTO actors SELECT 'user-' || i FROM generate_series(0, 6) i")
    await carry_out(trail.step())


async def test_triggers_are_told_and_one_that_changes_rows_is_refused(trail: AuditTrail) -> None:
    trail.sql(
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.action := 'stamped'; RETURN NEW; END $$"
    )
    trail.sql("CREATE TRIGGER stamping BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION stamp()")
    assert "stamping" in said(await trail.step().preflight(), "triggers")
    with pytest.raises(Refused, match=r"what public\.audit_log stored is not what public\.audit_log_backup holds"):
        await trail.step().plan()


async def test_rules_and_row_security_are_blocked(trail: AuditTrail) -> None:
    trail.sql("CREATE RULE nowhere AS ON INSERT TO audit_log DO INSTEAD NOTHING")
    assert "rules of public.audit_log" in blocks(await trail.step().preflight())[0]
    trail.sql("DROP RULE nowhere ON audit_log")
    limited(trail, "GRANT SELECT, INSERT ON audit_log TO limited; GRANT SELECT ON audit_log_backup TO limited")
    trail.sql("ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY")
    found = blocks(await trail.step(user="limited").preflight())
    assert found == ["row-level security hides rows of public.audit_log from this role; use one that sees them all"]


async def test_missing_privileges_are_named(trail: AuditTrail) -> None:
    limited(trail, "GRANT SELECT (id, actor) ON audit_log_backup TO limited; GRANT SELECT ON audit_log TO limited")
    assert blocks(await trail.step(user="limited").preflight()) == [
        "no SELECT on columns created_at, action, source, detail of public.audit_log_backup",
        "no INSERT on public.audit_log",
    ]
    trail.sql("GRANT SELECT ON audit_log_backup TO limited; GRANT INSERT ON audit_log TO limited")
    step = trail.step(user="limited")
    assert "could not take the restore back" in said(await step.preflight(), "irreversible")
    assert "may not read and advance it" in blocks((await step.plan()).findings)[0]
    trail.sql("GRANT USAGE ON SEQUENCE audit_log_id_seq TO limited")
    change, _, _ = await carry_out(step)
    assert trail.one("SELECT pg_sequence_last_value('audit_log_id_seq')") == 999
    with pytest.raises(Refused, match="permission denied for table audit_log"):
        await undo(step, change)


def limited(trail: AuditTrail, grants: str) -> None:
    """A role with the superuser's password and these privileges alone."""
    trail.sql("DO $$ BEGIN CREATE ROLE limited LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    secret = PASSWORD.replace("'", "''")
    trail.sql(f"ALTER ROLE limited PASSWORD '{secret}'")
    trail.sql(grants)


async def test_a_missing_table_is_told_with_a_guess(trail: AuditTrail) -> None:
    findings = await trail.step(backup="audit_log_bakcup").preflight()
    assert blocks(findings) == ['there is no table public.audit_log_bakcup; did you mean "audit_log_backup"?']


async def test_a_read_only_server_is_refused(trail: AuditTrail) -> None:
    trail.sql("ALTER DATABASE audit SET default_transaction_read_only = on")
    assert "read-only" in blocks(await trail.step().preflight())[0]
    with pytest.raises(Refused, match="the server is read-only"):
        await trail.step().plan()


async def test_a_partitioned_table_is_restored_and_taken_back(trail: AuditTrail) -> None:
    trail.sql("DROP TABLE audit_log")
    trail.sql(
        "CREATE TABLE audit_log (LIKE audit_log_backup, PRIMARY KEY (id, created_at)) PARTITION BY RANGE (created_at)"
    )
    for month in (1, 2):
        bounds = f"FROM ('2024-0{month}-01') TO ('2024-0{month + 1}-01')"
        trail.sql(f"CREATE TABLE audit_log_{month} PARTITION OF audit_log FOR VALUES {bounds}")
    trail.fill(2000, 2100)
    step = trail.step(key=("id", "created_at"))
    change, _, _ = await carry_out(step)
    await carry_out(step, await undo(step, change))
    assert trail.count == 0


# ------------------------------------------------------------ foreign changes


async def test_a_change_of_the_backup_between_preview_and_effect_is_refused(trail: AuditTrail) -> None:
    step = trail.step()
    change = await step.plan()
    trail.sql("UPDATE audit_log_backup SET actor = 'forged' WHERE id = 500")
    trail.sql("UPDATE audit_log_backup SET actor = 'forged' WHERE id = 501")
    now = await step.plan()
    assert now.hash != change.hash
    with pytest.raises(Refused, match="changed since"):
        await step.apply(stored(change.goal), permit())
    assert trail.count == 0
    assert (await step.probe(stored(change.goal))).answer == "diverged"


async def test_somebody_who_restores_some_rows_first_makes_it_refused(trail: AuditTrail) -> None:
    step = trail.step()
    change = await step.plan()
    trail.add_by_hand("id BETWEEN 101 AND 103")
    with pytest.raises(Refused, match=r"876 rows were missing in public\.audit_log and not 879"):
        await step.apply(stored(change.goal), permit())
    assert trail.count == 3
    probe = await step.probe(stored(change.goal))
    assert (probe.answer, "876 of the backup's rows are missing" in probe.detail) == ("diverged", True)


async def test_the_runbooks_own_line_run_by_somebody_else_is_not_taken_for_ours(trail: AuditTrail) -> None:
    step = trail.step()
    change = await step.plan()
    trail.add_by_hand(f"{IN_FILTER} AND id < 500")
    trail.add_by_hand(f"{IN_FILTER} AND id >= 500")
    assert (await step.probe(stored(change.goal))).answer == "diverged"


async def test_rows_that_change_after_the_restore_are_not_proven(trail: AuditTrail) -> None:
    change, _, _ = await carry_out(trail.step())
    trail.sql("UPDATE audit_log SET actor = 'someone' WHERE id = 101; DELETE FROM audit_log WHERE id = 102")
    with pytest.raises(Failed, match="1 missing, 1 different; id=101: actor is someone"):
        await proven(trail.step(), change)


# ------------------------------------------------------------ taking back


async def test_taking_back_removes_exactly_what_was_added(trail: AuditTrail) -> None:
    trail.add_by_hand("id BETWEEN 100 AND 199")
    before = trail.sql("SELECT xmin, * FROM audit_log ORDER BY id")
    step = trail.step()
    change, _, _ = await carry_out(step)
    trail.sql("INSERT INTO audit_log SELECT 5000 + i, now(), 'live', 'x', 'gateway', NULL FROM generate_series(1, 7) i")
    back = await undo(trail.step(), change)
    assert back.summary == "remove 789 rows of public.audit_log that the rollback added"
    assert (await step.probe(stored(back.goal))).answer == "not_done"
    _, receipt, proof = await carry_out(trail.step(), back)
    assert receipt.detail.startswith("789 rows removed in transaction ")
    assert proof.text.startswith("789 rows removed; public.audit_log holds 107 rows")
    assert trail.sql("SELECT xmin, * FROM audit_log WHERE id < 5000 ORDER BY id") == before
    assert trail.one("SELECT count(*) FROM audit_log WHERE id > 5000") == 7
    assert (await step.probe(stored(back.goal))).answer == "done"
    assert (await undo(step, change)).already


async def test_taking_back_survives_vacuum_freeze_and_a_rewrite(trail: AuditTrail) -> None:
    step = trail.step()
    change, _, _ = await carry_out(step)
    trail.sql("VACUUM (FREEZE) audit_log")
    trail.sql("VACUUM (FULL, FREEZE) audit_log")
    await carry_out(step, await undo(step, change))
    assert trail.count == 0


@pytest.mark.parametrize(
    ("touch", "told"),
    [
        ("UPDATE audit_log SET actor = 'someone' WHERE id = 101", "id=101 was changed"),
        ("UPDATE audit_log SET actor = actor WHERE id = 101", "id=101 was written again"),
        ("DELETE FROM audit_log WHERE id = 101", "id=101 was removed"),
    ],
)
async def test_a_restored_row_that_was_touched_since_is_named_and_refused(
    trail: AuditTrail, touch: str, told: str
) -> None:
    step = trail.step()
    change, _, _ = await carry_out(step)
    trail.sql(touch)
    before = trail.as_it_is()
    with pytest.raises(Refused, match=told):
        await undo(step, change)
    assert trail.as_it_is() == before


async def test_a_row_touched_between_the_preview_of_taking_back_and_its_effect_is_refused(trail: AuditTrail) -> None:
    step = trail.step()
    change, _, _ = await carry_out(step)
    back = await undo(step, change)
    trail.sql("UPDATE audit_log SET actor = actor WHERE id = 101")
    with pytest.raises(Refused, match="878 of the 879 restored rows stand as they were restored"):
        await step.apply(stored(back.goal), permit())
    assert trail.count == IN_THE_FILTER


async def test_two_restores_are_taken_back_together(trail: AuditTrail) -> None:
    step = trail.step()
    first, _, _ = await carry_out(step)
    trail.fill(1001, 1100)
    second, _, _ = await carry_out(step)
    back = await undo(step, first, second)
    assert back.summary == "remove 969 rows of public.audit_log that the rollback added"
    await carry_out(step, back)
    assert trail.count == 0


async def test_an_attempt_without_effect_is_no_obstacle_to_taking_back(trail: AuditTrail) -> None:
    step = trail.step()
    without_effect = await step.plan()
    assert (await undo(step, without_effect)).already
    trail.fill(1001, 1100)
    change, _, _ = await carry_out(step)
    await carry_out(step, await undo(step, without_effect, change))
    assert trail.count == 0


async def test_rows_that_others_hung_on_the_restored_ones_are_not_removed_with_them(trail: AuditTrail) -> None:
    trail.sql("CREATE TABLE notes (id bigint REFERENCES audit_log ON DELETE CASCADE, note text)")
    step = trail.step()
    change, _, _ = await carry_out(step)
    trail.sql("INSERT INTO notes VALUES (101, 'seen')")
    with pytest.raises(Refused, match=r"rows of public\.notes refer to restored rows"):
        await undo(step, change)
    trail.sql("DELETE FROM notes")
    await carry_out(step, await undo(step, change))


# ------------------------------------------------------------ many rows


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treats the rows of these tests as it does a million."""
    monkeypatch.setattr("console.targets.postgres.restoring.REHEARSED", 100)
    monkeypatch.setattr("console.steps.postgres_restore._MANY", 100)


async def test_of_many_rows_the_first_are_rehearsed(trail: AuditTrail, many: None) -> None:
    step = trail.step()
    change, _, proof = await carry_out(step)
    assert change.lines[-1] == "  rehearsed: 100 of the 879 added and rolled back"
    assert proof.text.startswith("879 rows restored; none of the backup's 879 rows in the filter is missing or differs")
    back = await undo(step, change)
    assert "rehearsed: 100 of the 879 removed and rolled back" in back.lines[-1]
    await carry_out(step, back)
    assert trail.count == 0


async def test_of_many_rows_all_are_compared(trail: AuditTrail, many: None) -> None:
    step = trail.step()
    change, _, _ = await carry_out(step)
    trail.sql("UPDATE audit_log SET actor = 'someone' WHERE id = 901")
    with pytest.raises(Failed, match="0 missing, 1 different; id=901: actor is someone"):
        await proven(step, change)


async def test_of_many_rows_a_duplicate_is_found_wherever_it_is(trail: AuditTrail, many: None) -> None:
    trail.sql("INSERT INTO audit_log_backup SELECT * FROM audit_log_backup WHERE id = 999")
    with pytest.raises(Refused, match=r"more than once \(id=999, …\)"):
        await trail.step().plan()


@pytest.mark.parametrize("only_late_rows", [True, False])
async def test_of_many_rows_one_that_a_trigger_changes_is_not_let_through(
    trail: AuditTrail, many: None, only_late_rows: bool
) -> None:
    step = trail.step()
    change = await step.plan()
    trail.sql(
        "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.action := 'stamped'; RETURN NEW; END $$"
    )
    late = "WHEN (NEW.id > 900)" if only_late_rows else ""
    trail.sql(f"CREATE TRIGGER stamping BEFORE INSERT ON audit_log FOR EACH ROW {late} EXECUTE FUNCTION stamp()")
    if not only_late_rows:
        with pytest.raises(Refused, match="changed since, or by a trigger"):
            await trail.step().plan()
    with pytest.raises(Refused, match="changed since, or by a trigger"):
        await step.apply(stored(change.goal), permit())
    assert trail.count == 0


async def test_a_table_that_the_server_takes_for_empty_is_compared_in_time(trail: AuditTrail) -> None:
    trail.sql("VACUUM ANALYZE audit_log")
    trail.fill(1001, 60_000)
    step = trail.step(statement_timeout="30s")
    change, _, _ = await carry_out(step)
    trail.sql("UPDATE pg_class SET reltuples = 0 WHERE relname = 'audit_log'")
    assert (await trail.step(statement_timeout="30s").probe(stored(change.goal))).answer == "done"


def paste(command: str, trail: AuditTrail) -> None:
    environment = {"PATH": str(trail.server.binaries), "PGPASSWORD": PASSWORD}
    subprocess.run(command, shell=True, check=True, env=environment)  # noqa: S602 - what a person would paste
