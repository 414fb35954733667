"""`postgres.query` on a real server: the wrong count fails, the right one passes, and nothing can be written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from console.checks import postgres_query
from console.checks.postgres_query import MOST_ROWS, Options
from console.config.secrets import SecretReference
from console.engine.ports import Evidence
from console.targets.postgres.client import PostgresTarget
from console.targets.postgres.login import Login
from tests.real.postgres_scene import AuditTrail
from tests.real.servers import NotBuilt
from tests.real.servers import binaries as tools
from tests.real.servers.postgres import PostgresServer

ENTRIES = "SELECT count(*) AS entries FROM audit_log WHERE source != %(source)s"
BOUND = {"source": "qec-enhanced"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    try:
        postgres = PostgresServer()
    except NotBuilt as absent:
        if tools.REQUIRED:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))
    with postgres:
        yield postgres


@pytest.fixture
def trail(server: PostgresServer) -> Iterator[AuditTrail]:
    audit = AuditTrail(server, rows=20)
    yield audit
    audit.close()


async def checked(trail: AuditTrail, query: str, user: str = "postgres", port: int = 0, **options: Any) -> Evidence:
    fields = {"host": "127.0.0.1", "port": str(port or trail.server.port), "dbname": trail.database, "user": user}
    target = PostgresTarget("audit", Login("", fields), SecretReference(file=trail.server.password))
    return await postgres_query.build(Options.model_validate({"query": query, **options}), target).run()


async def told(trail: AuditTrail, query: str, **options: Any) -> str:
    evidence = await checked(trail, query, **options)
    place = f"PostgreSQL {trail.database}@127.0.0.1:{trail.server.port}: "
    return f"{evidence.outcome}: {evidence.text.removeprefix(place)}"


async def test_a_wrong_count_fails_and_the_right_one_passes(trail: AuditTrail) -> None:
    trail.add_by_hand("id <= 10")
    assert await told(trail, ENTRIES, parameters=BOUND, expect=18) == "fail: entries 9; expected 18"
    trail.add_by_hand("id > 10")
    evidence = await checked(trail, ENTRIES, parameters=BOUND, expect=18)
    assert (evidence.outcome, evidence.text) == ("pass", "entries 18")
    assert evidence.detail == (f"query: {ENTRIES}", "entries 18")


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ({"at_least": 18.0}, "pass: count 18, at least 18"),
        ({"at_least": 19.0}, "fail: count 18, at least 19"),
        ({"at_least": 1.0, "at_most": 17.5}, "fail: count 18, at least 1 and at most 17.5"),
    ],
)
async def test_a_number_lies_within_its_bounds(trail: AuditTrail, bounds: dict[str, float], said: str) -> None:
    query = "SELECT count(*) FROM audit_log_backup WHERE source != %(source)s"
    assert await told(trail, query, parameters=BOUND, **bounds) == said


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT max(id) FROM audit_log", "unknown: max NULL, which is no number"),
        ("SELECT id FROM audit_log", "unknown: no row; a bound needs one number"),
        ("SELECT 1, 2", "unknown: ?column? 1, ?column? 2; a bound needs one number"),
        ("SELECT 'NaN'::float8", "unknown: float8 nan, which is no number"),
        ("SELECT true AS there", "unknown: there True, which is no number"),
    ],
)
async def test_without_one_number_there_is_no_verdict(trail: AuditTrail, query: str, said: str) -> None:
    assert await told(trail, query, at_least=0.0) == said


@pytest.mark.parametrize(
    ("query", "expect"),
    [
        ("SELECT 0.1::numeric, 0.1::float8, 7::bigint", (0.1, 0.1, 7)),
        ("SELECT true, NULL IS NULL", (True, True)),
        ("SELECT uuid '00000000-0000-0000-0000-000000000001', interval '1 day'",
         ("00000000-0000-0000-0000-000000000001", "1 day, 0:00:00")),
        ("SELECT timestamptz '2024-01-01 01:00+01', date '2024-02-03'",
         (datetime(2024, 1, 1, tzinfo=UTC), date(2024, 2, 3))),
        ("SELECT n, n % 2 = 0 FROM generate_series(1, 2) n ORDER BY n", ((1, False), (2, True))),
        ("WITH a AS (SELECT 1 AS n) SELECT n FROM a WHERE n > 5", ()),
        ("VALUES ('50 %% off')", "50 % off"),
        ("SELECT actor FROM audit_log_backup WHERE actor LIKE 'user-%' ORDER BY id LIMIT 1", "user-1"),
    ],
)  # fmt: skip
async def test_values_and_rows_of_every_kind_are_compared(trail: AuditTrail, query: str, expect: Any) -> None:
    evidence = await checked(trail, query, expect=expect)
    assert evidence.outcome == "pass", evidence.text


@pytest.mark.parametrize(
    ("query", "expect", "said"),
    [
        ("SELECT 1 AS n", True, "n 1; expected True"),
        ("SELECT true AS there", 1, "there True; expected 1"),
        ("SELECT NULL::text AS actor", "None", "actor NULL; expected None"),
        ("SELECT 2 AS n", ((2,), (3,)), "n 2; expected 2 rows: 2; 3"),
        ("SELECT n FROM generate_series(1, 5) n", (), "5 rows: 1; 2; 3 …; expected no row"),
        ("SELECT n FROM generate_series(2, 1) n", 1, "no row; expected 1"),
        ("SELECT E'a\\u202eb\\x1b[2J' AS actor", "a", "refused"),
    ],
)
async def test_nearly_the_same_is_not_the_same(trail: AuditTrail, query: str, expect: Any, said: str) -> None:
    if said == "refused":
        with pytest.raises(ValueError, match="no backslash in quotes"):
            Options.model_validate({"query": query, "expect": expect})
        return
    assert await told(trail, query, expect=expect) == f"fail: {said}"


async def test_what_a_row_says_is_clean(trail: AuditTrail) -> None:
    trail.sql("INSERT INTO audit_log (created_at, actor) VALUES (now(), E'a\\x1b[2J\\u202eb')")
    evidence = await checked(trail, "SELECT actor FROM audit_log", expect="a")
    assert evidence.text == "actor ab; expected a"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("WITH gone AS (DELETE FROM audit_log_backup RETURNING id) SELECT count(*) FROM gone", "WITH"),
        ("SELECT setval('audit_log_id_seq', 99)", "cannot execute setval() in a read-only transaction"),
        ("SELECT id FROM audit_log_backup FOR UPDATE", "cannot execute"),
        ("SELECT nothing FROM audit_log", 'column "nothing" does not exist'),
    ],
)
async def test_a_query_that_writes_or_is_wrong_is_no_pass_and_writes_nothing(
    trail: AuditTrail, query: str, said: str
) -> None:
    before = trail.one("SELECT count(*) FROM audit_log_backup"), trail.one("SELECT last_value FROM audit_log_id_seq")
    evidence = await checked(trail, query, at_least=0.0)
    assert evidence.outcome == "unknown"
    assert said in evidence.text
    assert before == (
        trail.one("SELECT count(*) FROM audit_log_backup"), trail.one("SELECT last_value FROM audit_log_id_seq"),
    )  # fmt: skip


async def test_a_query_that_takes_too_long_is_stopped_by_the_server(trail: AuditTrail) -> None:
    said = await told(trail, "SELECT count(*) FROM pg_sleep(60)", at_least=0.0, statement_timeout="100ms")
    assert said.startswith("unknown: it took longer than statement_timeout")


async def test_a_table_is_not_fetched(trail: AuditTrail) -> None:
    said = await told(trail, "SELECT generate_series(1, 100000000)", expect=())
    assert said == f"unknown: more than {MOST_ROWS} rows; let the query count or sum them"


async def test_rows_that_one_may_not_see_are_no_count(trail: AuditTrail) -> None:
    trail.sql("DROP ROLE IF EXISTS auditor")
    trail.sql(f"CREATE ROLE auditor LOGIN PASSWORD '{trail.server.password.read_text().replace(chr(39), chr(39) * 2)}'")
    trail.sql("GRANT SELECT ON audit_log_backup TO auditor")
    trail.sql("ALTER TABLE audit_log_backup ENABLE ROW LEVEL SECURITY")
    evidence = await checked(trail, "SELECT count(*) FROM audit_log_backup", user="auditor", expect=0)
    assert (evidence.outcome, "row-level security" in evidence.text) == ("unknown", True), evidence.text


async def test_a_database_that_is_away_leaves_it_open(trail: AuditTrail) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    evidence = await checked(trail, "SELECT 1", port=port, expect=1)
    assert (evidence.outcome, evidence.text) == ("unknown", f"PostgreSQL audit@127.0.0.1:{port}: connection refused")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"query": "SELECT 1; DROP TABLE audit_log", "expect": 1}, 'no ";"'),
        ({"query": "DELETE FROM audit_log", "expect": 1}, "begins with SELECT"),
        ({"query": "SELECT 1 -- one", "expect": 1}, "no comments"),
        ({"query": "SELECT %(n)s", "expect": 1}, "parameters lacks n"),
        ({"query": "SELECT 1", "parameters": {"n": 1}, "expect": 1}, "nothing uses the parameter n"),
        ({"query": "SELECT 1"}, "either"),
        ({"query": "SELECT 1", "expect": 1, "at_least": 1.0}, "either"),
        ({"query": "SELECT 1", "at_least": 2.0, "at_most": 1.0}, "nothing could hold"),
    ],
)
def test_queries_that_are_refused_before_anybody_is_asked(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Options.model_validate(options)
