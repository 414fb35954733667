"""`opa.decision` on two real OPAs, and `http.ok` on real sockets: they fail for the right reason, and pass when all is right."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from console.checks import http_ok, opa_decision
from console.engine.ports import Evidence
from console.targets import opa as targets
from tests.contract.certificates import Certificates
from tests.contract.loopback import Loopback, Reply, Request
from tests.real.opa_room import AUTHZ, LIB, two_replicas
from tests.real.servers.opa import OpaServer

# ---------------------------------------------------------------- opa.decision


@pytest.fixture(scope="module")
def opas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[OpaServer]]:
    with two_replicas(tmp_path_factory.mktemp("opa")) as replicas:
        yield replicas


@pytest.fixture
def replicas(opas: list[OpaServer]) -> list[OpaServer]:
    """Both with the same policy: ada is an admin, eve is not."""
    for opa in opas:
        opa.reset()
        opa.put("lib.rego", LIB)
        opa.put("authz.rego", AUTHZ)
        opa.put_data("acgs/roles", {"admins": ["ada"]})
    return opas


async def decided(replicas: list[OpaServer], path: str = "acgs/authz/allow", **options: Any) -> Evidence:
    target = targets.build("opa", targets.Options.model_validate({"urls": tuple(r.url for r in replicas)}))
    try:
        given = opa_decision.Options.model_validate({"path": path, **options})
        return await opa_decision.build(given, target).run()
    finally:
        await target.close()


async def test_every_replica_decides_as_expected(replicas: list[OpaServer]) -> None:
    evidence = await decided(replicas, input={"user": "ada"}, expect=True)
    assert (evidence.outcome, evidence.text) == ("pass", "acgs/authz/allow is true on 2 replicas")
    assert (await decided(replicas, input={"user": "eve"}, expect=False)).outcome == "pass"
    assert (await decided(replicas, "acgs/qec/fast", input={"user": "eve"}, undefined=True)).outcome == "pass"


async def test_one_replica_that_kept_the_migrations_data_is_named(replicas: list[OpaServer]) -> None:
    replicas[1].put_data("acgs/roles", {"admins": ["eve"]})
    evidence = await decided(replicas, input={"user": "ada"}, expect=True)
    assert evidence.outcome == "fail"
    assert evidence.text == (
        f"acgs/authz/allow, expected true: {replicas[1].address} says false; 1 of 2 replicas as expected"
    )  # fmt: skip
    assert evidence.detail == (
        "expected: true",
        f"{replicas[0].address}: says true",
        f"{replicas[1].address}: says false",
    )


async def test_an_opa_without_a_policy_is_healthy_and_does_not_pass(replicas: list[OpaServer]) -> None:
    replicas[0].reset()
    health = http_ok.Options.model_validate({"url": f"{replicas[0].url}/health"})
    assert (await http_ok.build(health).run()).outcome == "pass"
    evidence = await decided(replicas, input={"user": "ada"}, expect=True)
    assert evidence.outcome == "fail"
    assert f"{replicas[0].address} says undefined" in evidence.text


async def test_a_replica_that_is_away_is_named(replicas: list[OpaServer]) -> None:
    replicas[1].stop()
    try:
        evidence = await decided(replicas, input={"user": "ada"}, expect=True)
    finally:
        replicas[1].start()
    assert evidence.outcome == "fail"
    assert f"{replicas[1].address} can't be asked" in evidence.text
    assert "connection refused" in evidence.text


# ---------------------------------------------------------------- http.ok


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def web() -> Iterator[Loopback]:
    with Loopback(lambda _: Reply(b'{"database": "ok"}')) as server:
        yield server


async def answered(server: Loopback, **options: Any) -> Evidence:
    return await http_ok.build(http_ok.Options.model_validate({"url": f"{server.url}/health", **options})).run()


async def test_a_500_fails_with_what_it_said(web: Loopback) -> None:
    web.answer = lambda _: Reply(b"pool exhausted\nat db.connect\n", 500)
    evidence = await answered(web)
    assert evidence.outcome == "fail"
    assert "500 Internal Server Error in" in evidence.text
    assert evidence.detail[:2] == (f"GET {web.url}/health", "HTTP/1.1 500 Internal Server Error")
    assert evidence.detail[2].startswith("complete after ")
    assert evidence.detail[3:] == ("body:", "pool exhausted", "at db.connect")
    web.answer = lambda _: Reply(b"fine")
    assert (await answered(web)).outcome == "pass"


async def test_a_slow_answer_fails_by_the_clock(web: Loopback) -> None:
    hurry = threading.Event()

    def slow(_: Request) -> Reply:
        hurry.wait(0.3)
        return Reply(b"fine")

    web.answer = slow
    evidence = await answered(web, max_latency="200ms")
    assert evidence.outcome == "fail"
    assert evidence.text.endswith(", slower than 200 ms")
    hurry.set()
    assert (await answered(web, max_latency="200ms")).outcome == "pass"


async def test_json_of_another_value_fails(web: Loopback) -> None:
    web.answer = lambda _: Reply(json.dumps({"database": "failing"}).encode())
    evidence = await answered(web, json={"database": "ok"})
    assert evidence.outcome == "fail"
    assert evidence.text.endswith('but database is "failing", expected "ok"')
    assert evidence.detail[-1] == '{"database": "failing"}'
    web.answer = lambda _: Reply(b'{"database": "ok"}')
    assert (await answered(web, json={"database": "ok"})).outcome == "pass"


async def test_an_expired_certificate_is_shown_as_such(certificates: Certificates) -> None:
    ca = str(certificates.authority)
    with Loopback(lambda _: Reply(b"fine"), certificates.context("expired")) as server:
        evidence = await answered(server, ca=ca)
        assert evidence.outcome == "fail"
        assert evidence.text.endswith("its certificate is not accepted: certificate has expired")
        assert server.requests == []
    with Loopback(lambda _: Reply(b"fine"), certificates.context("good")) as server:
        evidence = await answered(server, ca=ca)
        assert evidence.outcome == "pass"
        assert "certificate valid until Dec 31 23:59:59 2099 GMT" in evidence.detail


async def test_a_body_that_floods_or_hides_is_bounded_and_clean(web: Loopback) -> None:
    web.answer = lambda _: Reply(("\x1b[2J\x1b]0;owned\x07line\n" * 10_000).encode(), 503)
    detail = (await answered(web)).detail
    assert len(detail) == 4 + 12 + 1
    assert detail[4:] == ("line",) * 12 + ("…",)
