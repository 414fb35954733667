"""What an OPA, or whatever stands in its place, may answer: each answer is Refused, Failed or Unknown, and its text is clean."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from console.config.secrets import SecretReference
from console.domain.difference import ABSENT
from console.domain.errors import Failed, Refused, Unknown
from console.engine import gateway
from console.engine.gateway import Permit
from console.targets.opa import wire
from console.targets.opa.client import OpaTarget
from console.targets.opa.paths import equal
from console.targets.opa.replica import Rejected, Replica
from tests.contract.loopback import Loopback, Reply, Request
from tests.targets.odd_server import Answer, Asked, OddServer, Reset, said

EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202eevil\x00"


def permit() -> Permit:
    return Permit(step="step", op="op", change="change", seal=gateway._SEAL)


def answering(status: int, body: bytes | str | dict[str, Any]) -> Callable[[Request], Reply]:
    text = json.dumps(body) if isinstance(body, dict) else body
    return lambda _: Reply(text.encode() if isinstance(text, str) else text, status)


def replica(url: str, **options: Any) -> Replica:
    return OpaTarget("opa", [url], timeout_seconds=1, **options).replicas[0]


READS = {
    "policies": lambda r: r.policies(),
    "bundles": lambda r: r.bundles(),
    "data": lambda r: r.data([("a",)], {}),
}


@pytest.mark.parametrize("read", READS.values(), ids=list(READS))
@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (answering(200, "<html><title>Sign in" + EVIL + "</title>"), Failed),
        (answering(200, "[1]"), Failed),
        (answering(200, b"\xff\xfe"), Failed),
        (answering(200, "[" * 100_000), Failed),
        (answering(500, {"message": "broken" + EVIL}), Failed),
        (answering(503, EVIL), Failed),
        (answering(401, {"message": "no" + EVIL}), Refused),
        (answering(302, EVIL), Refused),
        (answering(400, {"message": EVIL, "errors": [{"message": EVIL, "location": {"file": EVIL}}]}), Refused),
        (answering(400, {"message": "x", "errors": "odd"}), Refused),
    ],
    ids=["web page", "list", "bytes", "deep", "500", "503", "401", "302", "400", "400 odd"],
)
async def test_reads(read: Callable[[Replica], Any], reply: Callable[[Request], Reply], error: type[Exception]) -> None:
    with Loopback(reply) as server:
        opa = replica(server.url)
        with pytest.raises(error) as told:
            await read(opa)
        assert str(told.value).isprintable()
        assert len(str(told.value)) < 1000
        await opa.close()


async def test_an_endless_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "LARGEST_ANSWER_BYTES", 1024 * 1024)
    with Loopback(lambda _: Reply(b"x" * 65_536 for _ in range(1000))) as server:
        opa = replica(server.url)
        with pytest.raises(Failed, match="larger than 1 MiB"):
            await opa.policies()
        await opa.close()


async def test_a_change_that_can_not_be_delivered_is_refused() -> None:
    opa = replica("http://127.0.0.1:1")
    with pytest.raises(Refused, match="connection refused"):
        await opa.put_policy("a", "package a", permit())
    with pytest.raises(Failed, match="connection refused"):
        await opa.policies()


@pytest.mark.parametrize("forged", [None, object(), "permit"])
async def test_no_change_without_a_permit(forged: Any) -> None:
    opa = replica("http://127.0.0.1:1")
    for change in (
        lambda: opa.put_policy("a", "package a", forged),
        lambda: opa.delete_policy("a", forged),
        lambda: opa.patch_data([], forged),
    ):
        with pytest.raises(Refused, match="needs a permit"):
            await change()


async def test_rego_errors_carry_their_places() -> None:
    errors = [
        {"code": "rego_type_error", "message": "undefined function data.a.f", "location": {"file": "x.rego", "row": 3}},
        {"code": "rego_parse_error", "message": "unexpected eof", "location": {"file": "y.rego", "row": 1}},
    ]
    with Loopback(answering(400, {"code": "invalid_parameter", "message": "compile", "errors": errors})) as server:
        opa = replica(server.url)
        with pytest.raises(Rejected) as told:
            await opa.policies()
        await opa.close()
    assert told.value.hopeless
    assert [e.module for e in told.value.errors] == ["x.rego", "y.rego"]
    assert "x.rego:3: undefined function data.a.f; y.rego:1: unexpected eof" in told.value.message


async def test_a_conflict_that_is_only_told_in_words_has_its_place_too() -> None:
    words = "1 error occurred: ob/a.rego:3: rego_compile_error: conflicting rule for data path acgs/authz/allow found"
    with Loopback(answering(400, {"message": words})) as server:
        opa = replica(server.url)
        with pytest.raises(Rejected) as told:
            await opa.policies()
        await opa.close()
    assert [(e.module, e.code) for e in told.value.errors] == [("ob/a.rego", "rego_compile_error")]


async def test_a_token_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPA_TOKEN", "s3cr3t-token")
    seen: list[str] = []

    def echo(request: Request) -> Reply:
        seen.append(request.headers.get("Authorization", ""))
        return Reply(json.dumps({"message": f"not {seen[-1]}"}).encode(), 401)

    with Loopback(echo) as server:
        opa = replica(server.url, token=SecretReference.model_validate({"env": "OPA_TOKEN"}))
        with pytest.raises(Refused) as told:
            await opa.policies()
        await opa.close()
    assert seen == ["Bearer s3cr3t-token"]
    assert "s3cr3t" not in str(told.value)


async def test_a_token_that_is_not_there_means_nothing_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPA_TOKEN", raising=False)
    with Loopback(answering(200, {})) as server:
        opa = replica(server.url, token=SecretReference.model_validate({"env": "OPA_TOKEN"}))
        with pytest.raises(Refused, match="OPA_TOKEN: it is not set"):
            await opa.put_policy("a", "package a", permit())
        assert server.requests == []


async def test_undefined_is_not_null_and_not_false() -> None:
    for body, decision in (({}, ABSENT), ({"result": None}, None), ({"result": False}, False), ({"result": 1.0}, 1)):
        with OddServer(lambda _, body=body: said(200, body)) as server:
            opa = replica(server.url)
            assert equal(await opa.decide(("a",), ABSENT), decision)
            await opa.close()


CHANGES = {
    "patch": lambda r: r.patch_data([{"op": "remove", "path": "/a"}], permit()),
    "delete": lambda r: r.delete_policy("a b/c.rego", permit()),
}


def breaking(_: Asked) -> Iterable[bytes]:
    raise Reset


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda _: said(204, b""), None),
        (lambda _: said(200, {}), None),
        (lambda _: said(400, {"message": "path a is owned by bundle" + EVIL}), Refused),
        (lambda _: said(401, {"message": EVIL}), Refused),
        (lambda _: said(404, {"message": EVIL}), Refused),
        (lambda _: said(302, b""), Refused),
        (lambda _: said(500, {"message": EVIL}), Unknown),
        (lambda _: said(504, EVIL.encode()), Unknown),
        (lambda _: [], Unknown),
        (lambda _: [b"HTTP/1.1 204 No"], Unknown),
        (lambda _: [b"SSH-2.0-odd" + EVIL.encode() + b"\r\n"], Unknown),
        (breaking, Unknown),
    ],
    ids=["204", "200", "400", "401", "404", "302", "500", "504", "nothing", "half", "not HTTP", "reset"],
)
async def test_changes(change: Callable[[Replica], Any], answer: Answer, error: type[Exception] | None) -> None:
    with OddServer(answer) as server:
        opa = replica(server.url)
        if error is None:
            await change(opa)
        else:
            with pytest.raises(error) as told:
                await change(opa)
            assert str(told.value).isprintable()
        assert len(server.asked) == 1  # whatever comes back, a change is never sent again
        await opa.close()


async def test_a_change_that_nobody_answers_is_unknown_in_time() -> None:
    def silent(_: Asked) -> Iterable[bytes]:
        server.released.wait()
        return []

    with OddServer(silent) as server:
        opa = OpaTarget("opa", [server.url], timeout_seconds=0.2).replicas[0]
        with pytest.raises(Unknown, match="no answer in time"):
            await opa.delete_policy("a", permit())
        await opa.close()


async def test_ids_are_escaped_in_the_address() -> None:
    with OddServer(lambda _: said(200, {})) as server:
        opa = replica(server.url)
        await opa.delete_policy("a b/ü?.rego", permit())
        await opa.close()
        assert [asked.path for asked in server.asked] == ["/v1/policies/a%20b/%C3%BC%3F.rego"]
