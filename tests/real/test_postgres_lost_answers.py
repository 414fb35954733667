"""Lost answers, locks, deaths and wrong logins: the truth is found by looking, and nothing happens twice or halfway."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.config.secrets import SecretReference
from console.domain.errors import Refused, Unknown
from tests.real.dying import Death, Mortal
from tests.real.postgres_scene import AuditTrail, carry_out, permit, proven, stored, undo
from tests.real.program import Console
from tests.real.room import AtWork
from tests.real.servers import NotBuilt, poll
from tests.real.servers import binaries as tools
from tests.real.servers.ports import reserve
from tests.real.servers.postgres import PASSWORD, PostgresServer
from tests.real.servers.postgres_proxy import PostgresProxy

PROCEDURE = """
[incident]
title = "QEC-SFT migration"
[target.audit]
kind = "postgres"
host = "127.0.0.1"
port = {port}
dbname = "audit"
user = "postgres"
password = {{ file = "{password}" }}
[[component]]
id = "audit-trail"
[[component.step]]
id = "restore-audit-log"
kind = "postgres.restore"
target = "audit"
table = "audit_log"
backup = "audit_log_backup"
key = ["id"]
where = "created_at >= %(since)s AND source != %(source)s"
parameters = {{ since = 2024-01-01T00:00:00Z, source = "qec-enhanced" }}
range_column = "created_at"
lock_timeout = "20s"
"""
CONFIRM = ("audit-trail", "--confirm", "audit-trail")


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
    audit = AuditTrail(server)
    yield audit
    audit.close()


@pytest.fixture
def proxy(server: PostgresServer) -> Iterator[PostgresProxy]:
    with PostgresProxy(server.port) as between:
        yield between


# ------------------------------------------------------------ the answer to COMMIT


async def test_a_commit_whose_answer_was_lost_is_found_done(trail: AuditTrail, proxy: PostgresProxy) -> None:
    step = trail.step(port=proxy.port)
    change = await step.plan()
    proxy.fate = "swallow"
    with pytest.raises(Unknown, match=r"no answer to the COMMIT of transaction \d+"):
        await step.apply(stored(change.goal), permit())
    probe = await trail.step().probe(stored(change.goal))
    assert (probe.answer, "879 rows are there, added by transaction" in probe.detail) == ("done", True)
    assert "879 rows restored" in (await proven(trail.step(), change)).text


async def test_a_commit_that_never_arrived_is_found_not_done(trail: AuditTrail, proxy: PostgresProxy) -> None:
    step = trail.step(port=proxy.port)
    change = await step.plan()
    proxy.fate = "lose"
    with pytest.raises(Unknown):
        await step.apply(stored(change.goal), permit())
    probe = await trail.step().probe(stored(change.goal))
    assert (probe.answer, trail.count) == ("not_done", 0)


async def test_a_commit_that_is_still_under_way_is_unknown_until_it_ends(
    trail: AuditTrail, proxy: PostgresProxy
) -> None:
    step, looking = trail.step(port=proxy.port, lock_timeout="30s"), trail.step(lock_timeout="300ms")
    change = await step.plan()
    trail.sql("CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS"
              " $$ BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END $$")  # fmt: skip
    trail.sql("CREATE CONSTRAINT TRIGGER lingering AFTER INSERT ON audit_log DEFERRABLE INITIALLY DEFERRED"
              " FOR EACH ROW EXECUTE FUNCTION linger()")  # fmt: skip
    trail.sql("SELECT pg_advisory_lock(42)")
    proxy.fate = "abandon"
    with pytest.raises(Unknown):
        await step.apply(stored(change.goal), permit())
    probe = await looking.probe(stored(change.goal))
    assert (probe.answer, "still under way" in probe.detail) == ("unknown", True)
    with pytest.raises(Refused, match="still under way"):
        await undo(looking, change)
    trail.sql("SELECT pg_advisory_unlock(42)")
    assert (await trail.step().probe(stored(change.goal))).answer == "done"


@pytest.mark.parametrize(("fate", "left"), [("swallow", 0), ("lose", 879)])
async def test_the_same_for_taking_back(trail: AuditTrail, proxy: PostgresProxy, fate: str, left: int) -> None:
    step = trail.step(port=proxy.port)
    change, _, _ = await carry_out(step)
    back = await undo(step, change)
    proxy.fate = fate  # type: ignore[assignment] # one of its words
    with pytest.raises(Unknown):
        await step.apply(stored(back.goal), permit())
    probe = await trail.step().probe(stored(back.goal))
    assert (probe.answer, trail.count) == ("not_done" if left else "done", left)


@pytest.mark.parametrize("fate", ["swallow", "lose"])
async def test_the_engine_records_the_truth_and_causes_one_effect(
    trail: AuditTrail, proxy: PostgresProxy, tmp_path: Path, fate: str
) -> None:
    console = AtWork(tmp_path, {"step": trail.step(port=proxy.port)}, 30)
    await console.declare()
    proxy.fate = fate  # type: ignore[assignment] # one of its words
    outcome = await console.roll_back()
    assert outcome.step.state == ("proven" if fate == "swallow" else "failed")
    assert proxy.commits == 1
    proxy.fate = "pass"
    if fate == "lose":
        assert "all of the 879 rows are still missing" in outcome.step.reason
        outcome = await console.roll_back()
    assert (outcome.step.state, trail.count, proxy.commits) == ("proven", 879, 1 + (fate == "lose"))
    outcome = await console.roll_forward()
    assert (outcome.step.state, trail.count) == ("undone", 0)
    await console.close()


async def test_a_deferred_constraint_that_fails_at_the_commit_is_refused(trail: AuditTrail) -> None:
    step = trail.step()
    change = await step.plan()
    trail.sql("CREATE TABLE actors (name text PRIMARY KEY)")
    trail.sql("ALTER TABLE audit_log ADD FOREIGN KEY (actor) REFERENCES actors DEFERRABLE INITIALLY DEFERRED")
    with pytest.raises(Refused, match="violates foreign key constraint"):
        await step.apply(stored(change.goal), permit())
    assert trail.count == 0


# ------------------------------------------------------------ locks


async def test_a_lock_of_another_session_is_refused_in_time_and_its_holder_named(trail: AuditTrail) -> None:
    step = trail.step(lock_timeout="300ms")
    change = await step.plan()
    with trail.server.connect("audit", application_name="nightly-reindex") as other, other.transaction():
        other.execute("LOCK TABLE audit_log IN SHARE MODE")
        began = time.monotonic()
        with pytest.raises(
            Refused, match=r"longer than lock_timeout .*: process \d+ of postgres \(nightly-reindex, Share"
        ):
            await step.apply(stored(change.goal), permit())
        assert time.monotonic() - began < 3
        assert (await step.probe(stored(change.goal))).answer == "not_done"
    assert trail.count == 0
    await carry_out(step)


async def test_a_statement_that_takes_too_long_is_refused(trail: AuditTrail) -> None:
    trail.sql("CREATE FUNCTION slow() RETURNS boolean LANGUAGE sql AS 'SELECT pg_sleep(0.01) IS NULL'")
    with pytest.raises(Refused, match="longer than statement_timeout"):
        await trail.step(where="slow()", verify_where="", parameters={}, statement_timeout="300ms").plan()


async def test_cancelling_leaves_at_once_and_without_effect(trail: AuditTrail) -> None:
    step = trail.step(lock_timeout="30s")
    change = await step.plan()
    with trail.server.connect("audit") as other, other.transaction():
        other.execute("LOCK TABLE audit_log IN SHARE MODE")
        task = asyncio.create_task(step.apply(stored(change.goal), permit()))
        await asyncio.to_thread(poll, "it waits for the lock", lambda: waiting(trail))
        began = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 1
        await asyncio.to_thread(poll, "the server has noticed", lambda: not waiting(trail))
    assert trail.count == 0


async def test_a_server_process_that_stands_still_is_given_up(
    trail: AuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.targets.postgres.session.GRACE_SECONDS", 0.5)
    step = trail.step(lock_timeout="1s", statement_timeout="1s")
    change = await step.plan()
    with trail.server.connect("audit") as other, other.transaction():
        other.execute("LOCK TABLE audit_log IN SHARE MODE")
        task = asyncio.create_task(step.apply(stored(change.goal), permit()))
        await asyncio.to_thread(poll, "it waits for the lock", lambda: waiting(trail))
        backend = trail.one("SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        os.kill(backend, signal.SIGSTOP)
        try:
            with pytest.raises(Refused, match="nothing was changed"):
                await asyncio.wait_for(task, 10)
        finally:
            os.kill(backend, signal.SIGCONT)
    assert (await trail.step().probe(stored(change.goal))).answer == "not_done"


async def test_a_server_that_accepts_nobody_is_given_up(trail: AuditTrail) -> None:
    trail.server.process.pause()
    try:
        with pytest.raises(Refused, match="no answer in time"):
            await trail.step(connect_seconds=1.0).plan()
    finally:
        trail.server.process.resume()


def waiting(trail: AuditTrail) -> bool:
    return bool(trail.one("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


# ------------------------------------------------------------ logins


async def test_a_refused_connection_is_refused(trail: AuditTrail) -> None:
    closed = reserve()
    with pytest.raises(Refused) as refused:
        await trail.step(port=closed).plan()
    assert str(refused.value) == f"PostgreSQL audit@127.0.0.1:{closed}: connection refused; nothing was changed"


async def test_a_wrong_password_is_refused_and_never_shown(trail: AuditTrail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUDIT_PASSWORD", "wrong-and-secret")
    with pytest.raises(Refused) as refused:
        await trail.step(secret=SecretReference(env="AUDIT_PASSWORD")).plan()
    assert "user or password is not accepted" in str(refused.value)
    assert refused.value.__cause__ is None
    monkeypatch.delenv("AUDIT_PASSWORD")
    with pytest.raises(Refused, match="AUDIT_PASSWORD: it is not set"):
        await trail.step(secret=SecretReference(env="AUDIT_PASSWORD")).plan()


# ------------------------------------------------------------ the program


@pytest.fixture
def console(trail: AuditTrail, tmp_path: Path) -> Console:
    procedure = tmp_path / "procedure.toml"
    procedure.write_text(PROCEDURE.format(port=trail.server.port, password=trail.server.password))
    return Console.beside(procedure)


def test_the_program_restores_and_takes_back(console: Console, trail: AuditTrail) -> None:
    console.done("check", str(console.procedure))
    console.declare()
    assert "adds 879 rows of public.audit_log_backup" in console.done("plan", "audit-trail").out
    console.done("rollback", *CONFIRM)
    assert trail.count == 879
    assert "879 rows restored" in console.component("audit-trail")["steps"][0]["reason"]
    console.done("rollback", *CONFIRM)
    assert trail.count == 879
    console.done("rollforward", *CONFIRM)
    assert trail.count == 0
    everything = b"".join(p.read_bytes() for p in console.journal.parent.rglob("*") if p.is_file())
    assert PASSWORD.encode() not in everything


def test_killed_between_the_commit_and_its_record_it_is_found_done(console: Console, trail: AuditTrail) -> None:
    console.declare()
    with Mortal() as mortal:
        died = mortal.run(
            console, Death("before", 4), "rollback", *CONFIRM
        )  # confirmed, intended, sent, and not: applied
    assert (died.code, trail.count) == (-signal.SIGKILL, 879), died.said
    once = trail.sql("SELECT xmin, * FROM audit_log ORDER BY id")
    console.done("rollback", *CONFIRM)
    assert trail.sql("SELECT xmin, * FROM audit_log ORDER BY id") == once
    assert console.component("audit-trail")["state"] == "rolled_back"
    assert "879 rows are there, added by transaction" in console.done("journal", "show").out


def test_killed_in_the_middle_of_the_insert_nothing_has_happened(console: Console, trail: AuditTrail) -> None:
    console.declare()
    trail.sql("CREATE SEQUENCE inserts")  # not rolled back: it counts the rehearsal too
    trail.sql("""CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('inserts') > 1 THEN PERFORM pg_advisory_xact_lock_shared(42); END IF; RETURN NULL; END $$""")
    trail.sql("CREATE TRIGGER lingering AFTER INSERT ON audit_log EXECUTE FUNCTION linger()")
    trail.sql("SELECT pg_advisory_lock(42)")
    with console.started("rollback", *CONFIRM) as process:
        poll("its insert is under way", lambda: waiting(trail), seconds=30)
        process.send_signal(signal.SIGKILL)
        process.wait()
    poll("the server has noticed", lambda: not waiting(trail))
    trail.sql("SELECT pg_advisory_unlock(42)")
    assert trail.count == 0
    again = console.run("rollback", *CONFIRM)
    assert (again.code, trail.count) == (0, 879), again.said
    assert "all of the 879 rows are still missing" in console.done("journal", "show").out
