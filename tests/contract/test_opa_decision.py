"""The `opa.decision` check: every replica is asked, and what each one said is the evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from console.checks import opa_decision
from console.engine.ports import Evidence
from console.targets import opa as targets
from tests.contract.loopback import Loopback, Reply

ASKED = {"path": "acgs/authz/allow", "input": {"user": "ada"}, "expect": True}


def deciding(result: Any) -> Reply:
    return Reply(json.dumps({"result": result}).encode())


@pytest.fixture
def replicas() -> Iterator[tuple[Loopback, Loopback]]:
    with Loopback(lambda _: deciding(True)) as one, Loopback(lambda _: deciding(True)) as other:
        yield one, other


async def checked(*servers: Loopback, **options: Any) -> Evidence:
    target = targets.build("opa", targets.Options.model_validate({"urls": tuple(s.url for s in servers)}))
    try:
        return await opa_decision.build(opa_decision.Options.model_validate({**ASKED, **options}), target).run()
    finally:
        await target.close()


def host(server: Loopback) -> str:
    return server.url.removeprefix("http://")


async def test_the_expected_decision_everywhere_passes(replicas: tuple[Loopback, Loopback]) -> None:
    evidence = await checked(*replicas)
    assert (evidence.outcome, evidence.text) == ("pass", "acgs/authz/allow is true on 2 replicas")
    assert evidence.detail == ("expected: true", *(f"{host(r)}: says true" for r in replicas))
    for replica in replicas:
        (request,) = replica.requests
        assert (request.path, json.loads(request.body)) == ("/v1/data/acgs/authz/allow", {"input": {"user": "ada"}})


async def test_one_replica_that_decides_otherwise_fails_and_is_named(replicas: tuple[Loopback, Loopback]) -> None:
    one, other = replicas
    other.answer = lambda _: deciding(False)
    evidence = await checked(one, other)
    assert evidence.outcome == "fail"
    assert evidence.text == (
        f"acgs/authz/allow, expected true: {host(other)} says false; 1 of 2 replicas as expected"
    )  # fmt: skip
    assert f"{host(one)}: says true" in evidence.detail


async def test_undefined_is_an_answer_of_its_own(replicas: tuple[Loopback, Loopback]) -> None:
    one, _ = replicas
    one.answer = lambda _: Reply(b"{}")
    assert (await checked(one)).text.startswith(f"acgs/authz/allow, expected true: {host(one)} says undefined")
    undefined = {"path": "acgs/qec/fast", "input": {}, "undefined": True}
    target = targets.build("opa", targets.Options.model_validate({"urls": (one.url,)}))
    check = opa_decision.build(opa_decision.Options.model_validate(undefined), target)
    assert (await check.run()).outcome == "pass"
    one.answer = lambda _: deciding(None)  # null is a value
    assert (await check.run()).outcome == "fail"
    await target.close()


@pytest.mark.parametrize(("given", "expected"), [(1, True), ("true", True), ([], {}), ({"a": 1, "b": 2}, {"a": 1})])
async def test_nearly_the_same_is_not_the_same(replicas: tuple[Loopback, Loopback], given: Any, expected: Any) -> None:
    replicas[0].answer = lambda _: deciding(given)
    assert (await checked(replicas[0], expect=expected)).outcome == "fail"


async def test_a_replica_that_is_away_has_not_passed(replicas: tuple[Loopback, Loopback]) -> None:
    one, other = replicas
    other.stop()
    evidence = await checked(one, other)
    assert evidence.outcome == "fail"
    assert f"{host(other)} can't be asked (OPA {host(other)} can't be reached: connection refused)" in evidence.text


async def test_a_replica_that_is_silent_is_named_in_time(
    replicas: tuple[Loopback, Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opa_decision, "LIMIT_SECONDS", 0.1)
    one, other = replicas
    other.answer = lambda _: Reply(other.never())
    evidence = await checked(one, other)
    assert evidence.outcome == "fail"
    assert f"{host(other)} can't be asked (no answer within 100 ms)" in evidence.text


async def test_a_replica_that_does_not_let_us_ask_leaves_it_open(replicas: tuple[Loopback, Loopback]) -> None:
    one, other = replicas
    other.answer = lambda _: Reply(b'{"message": "no"}', 401)
    assert (await checked(one, other)).outcome == "unknown"
    one.answer = lambda _: deciding(False)
    assert (await checked(one, other)).outcome == "fail"


async def test_what_a_replica_says_is_clean_and_bounded(replicas: tuple[Loopback, Loopback]) -> None:
    one, _ = replicas
    one.answer = lambda _: deciding("\x1b]52;c;ZXZpbA==\x07\u202eevil" + "x" * 10_000)
    evidence = await checked(one)
    whole = "\n".join((evidence.text, *evidence.detail))
    assert all(c.isprintable() or c == "\n" for c in whole)
    assert len(whole) < 600


@pytest.mark.parametrize(
    "options",
    [
        {"path": "a b", "expect": True}, {"path": "a/b"}, {"path": "a/b", "expect": True, "undefined": True},
        {"path": "/a", "expect": 1}, {"path": "a", "expect": True, "replicas": 2},
    ],
)  # fmt: skip
def test_options_that_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        opa_decision.Options.model_validate(options)
