"""The trigger source `postgres` on a real server: numbers come, nothing is written, one statement and no more."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import pytest

from console.config.secrets import SecretReference
from console.domain.errors import Failed
from console.engine.ports import Reading
from console.metrics.postgres import MOST_SERIES, Options, PostgresSource
from console.targets.postgres.client import PostgresTarget
from console.targets.postgres.login import Login
from tests.real.servers import NotBuilt, poll
from tests.real.servers import binaries as tools
from tests.real.servers.postgres import PostgresServer


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


class Complaints:
    """A table of them, and sources over it."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        server.create_database("complaints")
        self.connection = server.connect("complaints")
        self.sql("CREATE TABLE complaint (id bigserial PRIMARY KEY, service text, at timestamptz DEFAULT now())")

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def add(self, service: str, count: int, age: str = "0") -> None:
        self.sql(
            f"INSERT INTO complaint (service, at) SELECT '{service}', now() - interval '{age}' FROM generate_series(1, {count})"  # noqa: S608
        )

    @property
    def count(self) -> int:
        return int(self.sql("SELECT count(*) FROM complaint")[0][0])

    def source(self, query: str, **options: Any) -> PostgresSource:
        port = str(options.pop("port", self.server.port))
        fields = {"host": "127.0.0.1", "port": port, "dbname": "complaints", "user": "postgres"}
        target = PostgresTarget("complaints", Login("", fields), SecretReference(file=self.server.password))
        return PostgresSource(Options.model_validate({"query": query, **options}), target)

    async def read(self, query: str, **options: Any) -> Reading:
        return await self.source(query, **options).now()

    async def failure(self, query: str, **options: Any) -> str:
        with pytest.raises(Failed) as failed:
            await self.read(query, **options)
        return str(failed.value).replace(f"PostgreSQL complaints@127.0.0.1:{self.server.port}: ", "")


@pytest.fixture
def complaints(server: PostgresServer) -> Iterator[Complaints]:
    made = Complaints(server)
    yield made
    made.connection.close()


def values(reading: Reading) -> list[float]:
    return [sample.value for sample in reading.samples]


async def test_a_number_is_one_sample(complaints: Complaints) -> None:
    complaints.add("dashboard", 12)
    complaints.add("dashboard", 5, age="2 hours")
    query = "SELECT count(*) FROM complaint WHERE at > now() - %(window)s::interval"
    reading = await complaints.read(query, parameters={"window": "1 hour"})
    assert [(sample.value, sample.labels) for sample in reading.samples] == [(12, ())]
    assert values(await complaints.read("SELECT 0.5::numeric;")) == [0.5]
    assert values(await complaints.read("SELECT 'NaN'::float8 / 1, 'infinity'::float8")) == [math.inf]


async def test_rows_are_series_with_their_columns_as_labels(complaints: Complaints) -> None:
    complaints.add("dashboard", 3)
    complaints.add("\x1b[31mgateway", 2)
    reading = await complaints.read(
        "SELECT service, 'eu' AS region, count(*) FROM complaint GROUP BY 1 ORDER BY 1 DESC"
    )
    assert {sample.labels: sample.value for sample in reading.samples} == {
        (("service", "dashboard"), ("region", "eu")): 3,
        (("service", "gateway"), ("region", "eu")): 2,
    }
    assert len({sample.at for sample in reading.samples}) == 1


async def test_no_row_is_no_sample_and_a_null_is_no_number(complaints: Complaints) -> None:
    assert await complaints.read("SELECT id FROM complaint") == Reading(())
    reading = await complaints.read("SELECT max(id) FROM complaint")
    assert math.isnan(reading.samples[0].value)
    assert reading.warnings == ("1 of 1 rows have no number",)


async def test_a_percent_sign_is_a_percent_sign(complaints: Complaints) -> None:
    complaints.add("100% done", 4)
    reading = await complaints.read("SELECT count(*) % 3 FROM complaint WHERE service LIKE '100%'")
    assert values(reading) == [1]
    query = "SELECT count(*) FROM complaint WHERE service LIKE '%done' AND id > %(least)s"
    assert values(await complaints.read(query, parameters={"least": 1})) == [3]


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM complaint",
        "DELETE FROM complaint RETURNING id",
        "WITH gone AS (DELETE FROM complaint RETURNING id) SELECT count(*) FROM gone",
        "SELECT 1; DELETE FROM complaint",
        "SELECT 1; COMMIT; DELETE FROM complaint",
        "COMMIT",
        "SET TRANSACTION READ WRITE",
        "SELECT count(*) INTO taken FROM complaint",
        "SELECT id FROM complaint FOR UPDATE",
        "SELECT nextval('complaint_id_seq')",
        "SELECT lost()",
        "SELECT set_config('transaction_read_only', 'off', true)::int",
        "TRUNCATE complaint",
        "COPY complaint TO '/dev/null'",
        "DO $$ BEGIN DELETE FROM complaint; END $$",
        "CALL losing()",
    ],
)
async def test_nothing_but_one_select_is_carried_out(complaints: Complaints, query: str) -> None:
    complaints.add("dashboard", 3)
    body = "DELETE FROM complaint"
    complaints.sql(f"CREATE FUNCTION lost() RETURNS int LANGUAGE sql AS $$ {body}; SELECT 1 $$")
    complaints.sql(f"CREATE PROCEDURE losing() LANGUAGE sql AS $$ {body} $$")
    before = complaints.sql("SELECT last_value, (SELECT count(*) FROM complaint) FROM complaint_id_seq")
    assert await complaints.failure(query)
    assert complaints.sql("SELECT last_value, (SELECT count(*) FROM complaint) FROM complaint_id_seq") == before


async def test_a_value_can_not_become_sql(complaints: Complaints) -> None:
    complaints.add("dashboard", 3)
    hostile = {"service": "dashboard'; DELETE FROM complaint; --"}
    assert values(
        await complaints.read("SELECT count(*) FROM complaint WHERE service = %(service)s", parameters=hostile)
    ) == [0]
    assert complaints.count == 3


async def test_failures_are_one_clean_line(complaints: Complaints) -> None:
    assert await complaints.failure("SELECT count(*) FROM complaints") == 'relation "complaints" does not exist'
    assert await complaints.failure("SELECT coun") == 'column "coun" does not exist'
    assert await complaints.failure("SELECT 1 FROM generate_series(1, 2)") == (
        "the query gives several rows: put a column before the number that tells them apart"
    )
    assert await complaints.failure("SELECT 'many' AS n") == (
        "the query's last column, n, is not a number (str); cast it: …::float8"
    )
    assert (await complaints.failure("SELECT true AS ok")).startswith(
        "the query's last column, ok, is not a number (bool)"
    )
    over = {"over": MOST_SERIES + 1}
    many = await complaints.failure("SELECT i, i FROM generate_series(1, %(over)s) i", parameters=over)
    assert many == f"the query gives more than {MOST_SERIES} rows"
    assert "\x1b" not in await complaints.failure("SELECT E'\\x1b[31mred'::int")


async def test_a_query_that_takes_too_long_is_ended_by_the_server(complaints: Complaints) -> None:
    said = await complaints.failure("SELECT 1 FROM pg_sleep(30)", statement_timeout="100ms")
    assert said.startswith("it took longer than statement_timeout")


async def test_a_lock_is_not_waited_for_long(complaints: Complaints) -> None:
    with complaints.server.connect("complaints") as other, other.transaction():
        other.execute("LOCK TABLE complaint IN ACCESS EXCLUSIVE MODE")
        assert "holds a lock on it for longer than lock_timeout" in await complaints.failure(
            "SELECT count(*) FROM complaint"
        )


async def test_whoever_asked_may_leave_and_the_server_ends_its_query(complaints: Complaints) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await complaints.read("SELECT 1 FROM pg_sleep(7)")
    asleep = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(7)%' AND pid <> pg_backend_pid()"
    poll("its session is gone", lambda: complaints.sql(asleep) == [(0,)])


async def test_nobody_there_and_a_password_that_is_not_accepted(complaints: Complaints) -> None:
    assert (await complaints.failure("SELECT 1", port=1)).endswith("complaints@127.0.0.1:1: connection refused")


async def test_it_has_no_past_and_shows_its_query(complaints: Complaints) -> None:
    asking = complaints.source("SELECT\n  1")
    assert (asking.query, await asking.past(3600, 15)) == ("SELECT 1", Reading(()))


@pytest.mark.parametrize(
    "options",
    [
        {}, {"query": ""}, {"query": "SELECT %(a)s"}, {"query": "SELECT 1", "parameters": {"a": 1}},
        {"query": "SELECT 1", "statement_timeout": "9s"}, {"query": "SELECT \0"},
    ],
)  # fmt: skip
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Options.model_validate(options)
