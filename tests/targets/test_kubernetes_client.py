"""What each answer of an API server means, and each way of giving none; nothing that may have arrived is sent again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import ConsoleError, Failed, Refused, Unknown
from console.engine import gateway
from console.engine.gateway import Permit
from console.targets import kubernetes as targets
from console.targets.kubernetes import client as clients
from console.targets.kubernetes import wire
from console.targets.kubernetes.client import (
    APPLY,
    FIELD_MANAGER,
    MERGE,
    STRATEGIC,
    Conflict,
    KubernetesTarget,
    NotFound,
)
from console.targets.kubernetes.resources import DEPLOYMENT
from tests.contract.certificates import Certificates
from tests.targets.odd_server import Asked, Garbled, OddServer, Reset, said

PATH = "/api/v1/namespaces/shop/configmaps/config"
PERMIT = Permit(step="hide-features", op="op", change="change", seal=gateway._SEAL)
CONFIG = {"kind": "ConfigMap", "metadata": {"name": "config", "uid": "u", "resourceVersion": "7"}}
Call = Callable[[KubernetesTarget], Awaitable[Any]]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_TURNED_AWAY_PAUSES_SECONDS", (0.0, 0.0, 0.0))


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(lambda _: said(200, CONFIG)) as odd:
        yield odd


def built(folder: Path, url: str, **cluster: str) -> KubernetesTarget:
    """A target by a kubeconfig whose context is `test`."""
    document = {
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "u", "user": {"token": "t0ken"}}],
        "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(json.dumps(document))
    return targets.build("cluster", targets.Options.model_validate({"kubeconfig": kubeconfig, "timeout": "500ms"}))


@pytest.fixture
def target(server: OddServer, tmp_path: Path) -> Iterator[KubernetesTarget]:
    target = built(tmp_path, server.url)
    yield target
    asyncio.run(target.close())


def read(target: KubernetesTarget) -> Awaitable[Any]:
    return target.get(PATH)


def rehearse(target: KubernetesTarget) -> Awaitable[Any]:
    return target.rehearse(PATH, {"data": {}}, MERGE)


def patch(target: KubernetesTarget) -> Awaitable[Any]:
    return target.patch(PATH, {"data": {}}, MERGE, PERMIT)


def delete(target: KubernetesTarget) -> Awaitable[Any]:
    return target.delete(PATH, CONFIG, PERMIT)


READS, CHANGES = (read, rehearse), (patch, delete)


async def trouble(call: Call, target: KubernetesTarget) -> ConsoleError:
    with pytest.raises(ConsoleError) as error:
        await call(target)
    assert "\n" not in str(error.value)
    return error.value


# ---------------------------------------------------------------- answers

STATUS = {"kind": "Status", "message": "the server's own words"}


@pytest.mark.parametrize("call", [*READS, *CHANGES])
@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (302, Refused, "context test answered 302: the server's own words"),
        (400, Refused, "context test answered 400: the server's own words"),
        (401, Refused, "context test does not know this user: the server's own words; log in again"),
        (403, Refused, "the server's own words"),
        (404, NotFound, "the server's own words"),
        (409, Conflict, "the server's own words"),
        (422, Refused, "context test answered 422: the server's own words"),
    ],
)
async def test_a_no_means_that_nothing_happened(
    server: OddServer, target: KubernetesTarget, call: Call, status: int, kind: type, text: str
) -> None:
    server.answer = lambda _: said(status, STATUS)
    error = await trouble(call, target)
    assert (type(error), str(error)) == (kind, text)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_an_error_of_the_server_fails_a_read_and_leaves_a_change_unknown(
    server: OddServer, target: KubernetesTarget, status: int
) -> None:
    server.answer = lambda _: said(status, STATUS)
    for call in READS:
        assert type(await trouble(call, target)) is Failed
    for call in CHANGES:
        error = await trouble(call, target)
        assert (type(error), str(error)) == (Unknown, f"context test answered {status}: the server's own words")
    assert len(server.asked) == 4


@pytest.mark.parametrize("call", [*READS, *CHANGES])
async def test_whoever_is_turned_away_asks_again_and_not_for_ever(
    server: OddServer, target: KubernetesTarget, call: Call
) -> None:
    server.answer = lambda _: said(429, STATUS)
    assert type(await trouble(call, target)) is Refused
    assert len(server.asked) == 4
    answers = iter([said(429, STATUS), said(429, STATUS), said(200, CONFIG)])
    server.answer = lambda _: next(answers)
    await call(target)
    assert len(server.asked) == 7


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"<html><title>Sign in</title></html>", "text/html"), (b"", "application/json"), (b"{", "application/json"),
     (b"[" * 100_000, "application/json"), (b"\xff\xfe", "application/json")],
)  # fmt: skip
async def test_a_yes_that_is_not_json_is_no_yes(
    server: OddServer, target: KubernetesTarget, body: bytes, content_type: str
) -> None:
    server.answer = lambda _: said(200, body, content_type)
    for call in READS:
        error = await trouble(call, target)
        assert (type(error), error.message) == (Failed, "context test did not answer in JSON")
    for call in CHANGES:
        error = await trouble(call, target)
        assert (type(error), error.message) == (Unknown, "context test answered 200, but not in JSON")


async def test_a_no_in_html_or_hostile_words_is_one_harmless_line(server: OddServer, target: KubernetesTarget) -> None:
    server.answer = lambda _: said(403, b"<html>\n\x1b[2J\x07no\x00</html>", "text/html")
    assert str(await trouble(read, target)) == "<html> no</html>"
    server.answer = lambda _: said(403, {"message": "\x1b]52;c;eA==\x07a\u202eb\nc" + "x" * 9000})
    text = str(await trouble(patch, target))
    assert text.startswith("ab cxxx")
    assert len(text) <= 500


# ---------------------------------------------------------------- no answer


def hang(server: OddServer) -> Iterable[bytes]:
    server.released.wait()
    return []


def half(_: OddServer) -> Iterable[bytes]:
    return [b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b'{"kind": ']


def nothing(_: OddServer) -> Iterable[bytes]:
    return []


def reset(_: OddServer) -> Iterator[bytes]:
    raise Reset
    yield b""


def reset_in_the_body(_: OddServer) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"
    raise Reset


def no_http(_: OddServer) -> Iterable[bytes]:
    return [b"220 mail.example ESMTP\r\n"]


def trickle(server: OddServer) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    while not server.released.wait(0.05):
        yield b" "


BREAKS = [
    (half, "its answer broke off", 2),
    (nothing, "connection closed without an answer", 2),
    (reset, "connection reset", 2),
    (reset_in_the_body, "", 2),
    (no_http, "", 2),
    (hang, "timed out", 1),
    (trickle, "its answer does not come to an end", 1),
]


async def test_an_answer_that_ends_in_its_head_is_no_yes(server: OddServer, target: KubernetesTarget) -> None:
    server.answer = lambda _: [b"HTTP/1.1 200 OK\r\nConte"]
    assert type(await trouble(read, target)) is Failed
    assert type(await trouble(patch, target)) is Unknown


@pytest.mark.parametrize(("way", "said_", "times"), BREAKS)
async def test_a_read_without_an_answer_fails_in_time_after_one_more_try_if_the_connection_broke(
    server: OddServer, target: KubernetesTarget, way: Callable[[OddServer], Iterable[bytes]], said_: str, times: int
) -> None:
    server.answer = lambda _: way(server)
    began = time.monotonic()
    error = await trouble(read, target)
    assert time.monotonic() - began < 3
    assert type(error) is Failed
    assert error.message.startswith("context test does not answer: ")
    assert said_ in error.message
    assert len(server.asked) == times


@pytest.mark.parametrize("call", CHANGES)
@pytest.mark.parametrize(("way", "said_", "times"), BREAKS)
async def test_a_change_without_an_answer_is_unknown_and_never_sent_again(
    server: OddServer,
    target: KubernetesTarget,
    call: Call,
    way: Callable[[OddServer], Iterable[bytes]],
    said_: str,
    times: int,
) -> None:
    server.answer = lambda _: way(server)
    error = await trouble(call, target)
    assert type(error) is Unknown
    assert error.message.startswith("no answer from context test for hide-features: ")
    assert said_ in error.message
    assert len(server.asked) == 1


async def test_a_read_on_a_connection_that_broke_is_made_again(server: OddServer, target: KubernetesTarget) -> None:
    answers = iter([[], said(200, CONFIG)])
    server.answer = lambda _: next(answers)
    assert await target.get(PATH) == CONFIG
    answers = iter([[], said(429, STATUS), said(200, CONFIG)])
    assert await target.get(PATH) == CONFIG


async def test_an_answer_without_end_is_cut_off(
    server: OddServer, target: KubernetesTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "_LARGEST_ANSWER_BYTES", 3 * 1024**2)

    def endless(_: Asked) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        while not server.released.is_set():
            yield b" " * 65_536

    server.answer = endless
    assert "its answer is larger than 3 MiB" in str(await trouble(read, target))
    assert type(await trouble(patch, target)) is Unknown


async def test_nobody_there_fails_a_read_and_refuses_a_change(server: OddServer, target: KubernetesTarget) -> None:
    await target.get(PATH)
    server.__exit__()
    for call in READS:
        error = await trouble(call, target)
        assert (type(error), str(error)) == (
            Failed, "context test can't be reached: connection refused; is the API server up?",
        )  # fmt: skip
    for call in CHANGES:
        error = await trouble(call, target)
        assert (type(error), str(error)) == (
            Refused, "context test can't be reached: connection refused; nothing was sent",
        )  # fmt: skip


async def test_no_such_host(tmp_path: Path) -> None:
    away = built(tmp_path, "http://api-server.invalid:80")
    assert type(await trouble(read, away)) is Failed
    assert type(await trouble(patch, away)) is Refused
    await away.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


async def test_tls_that_breaks_after_the_request_leaves_a_change_unknown(
    certificates: Certificates, tmp_path: Path
) -> None:
    """The client reports every error of TLS alike; this one comes when the change may have been carried out."""

    def garbled(_: Asked) -> Iterator[bytes]:
        raise Garbled
        yield b""

    with OddServer(garbled, certificates.context("good")) as server:
        target = built(tmp_path, server.url, **{"certificate-authority": str(certificates.authority)})
        for call in CHANGES:
            error = await trouble(call, target)
            assert (type(error), error.message.startswith("no answer from context test for hide-features: TLS: ")) == (
                Unknown, True,
            )  # fmt: skip
        assert len(server.asked) == 2
        assert type(await trouble(read, target)) is Failed
        await target.close()


@pytest.mark.parametrize("name", ["expired", "stranger"])
async def test_a_certificate_that_is_not_accepted_means_that_nothing_was_sent(
    certificates: Certificates, tmp_path: Path, name: str
) -> None:
    with OddServer(lambda _: said(200, CONFIG), certificates.context(name)) as server:
        target = built(tmp_path, server.url, **{"certificate-authority": str(certificates.authority)})
        for call, kind in ((patch, Refused), (read, Failed)):
            error = await trouble(call, target)
            assert type(error) is kind
            assert "can't be reached: its certificate is not accepted: " in error.message
        assert server.asked == []
        await target.close()


# ---------------------------------------------------------------- what is sent


async def test_every_change_is_strict_and_signed_and_a_rehearsal_says_that_it_is_one(
    server: OddServer, target: KubernetesTarget
) -> None:
    await target.patch(PATH, {"data": {"a": "1"}}, STRATEGIC, PERMIT)
    await target.patch(PATH, {"data": {"a": "1"}}, APPLY, PERMIT, force=True)
    await target.rehearse(PATH, {"data": {"a": "1"}}, APPLY)
    await target.delete(PATH, CONFIG, PERMIT)
    strategic, applied, rehearsed, deleted = server.asked
    strict = {"fieldManager": [FIELD_MANAGER], "fieldValidation": ["Strict"]}
    assert [a.method for a in server.asked] == ["PATCH", "PATCH", "PATCH", "DELETE"]
    assert [a.headers.get("content-type") for a in server.asked] == [STRATEGIC, APPLY, APPLY, "application/json"]
    assert [a.headers.get("authorization") for a in server.asked] == ["Bearer t0ken"] * 4
    assert strategic.query == strict
    assert applied.query == {**strict, "force": ["true"]}
    assert rehearsed.query == {**strict, "dryRun": ["All"]}
    assert [a.body for a in server.asked[:3]] == [{"data": {"a": "1"}}] * 3
    assert deleted.body["preconditions"] == {"uid": "u", "resourceVersion": "7"}


@pytest.mark.parametrize("call", CHANGES)
async def test_without_a_permit_nothing_is_sent(server: OddServer, target: KubernetesTarget, call: Call) -> None:
    stolen: Any = object()
    with pytest.raises(Refused, match="a permit is made by the gateway alone"):
        Permit(step="s", op="o", change="c", seal=stolen)
    for permit in (None, stolen, Permit):
        with pytest.raises(Refused, match="needs a permit, which the gateway alone gives"):
            await (target.patch(PATH, {}, MERGE, permit) if call is patch else target.delete(PATH, CONFIG, permit))
    assert server.asked == []


# ---------------------------------------------------------------- lists, watches, kinds


async def test_a_list_is_read_page_by_page_and_anew_when_it_expired(
    server: OddServer, target: KubernetesTarget
) -> None:
    pages = iter([
        said(200, {"items": [1], "metadata": {"continue": "x"}}), said(410, STATUS),
        said(200, {"items": [2], "metadata": {"continue": "y"}}), said(200, {"items": [3], "metadata": {}}),
    ])  # fmt: skip
    server.answer = lambda _: next(pages)
    assert await target.list("/api/v1/pods", {"labelSelector": "a=b"}) == [2, 3]
    assert [a.query.get("continue") for a in server.asked] == [None, ["x"], None, ["y"]]
    assert all(a.query["labelSelector"] == ["a=b"] for a in server.asked)
    server.answer = lambda _: said(410, STATUS)
    with pytest.raises(Refused):
        await target.list("/api/v1/pods")


async def watched(target: KubernetesTarget) -> list[Any]:
    return [event async for event in target.watch("/api/v1/pods", "web", "7", 1)]


async def test_watch_events_come_one_by_one_as_they_are_sent(server: OddServer, target: KubernetesTarget) -> None:
    def events(_: Asked) -> Iterator[bytes]:
        yield b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"n": 1}\n{"n"'
        first.wait(5)
        yield b': 2}\n\n{"n": 3}\n'

    import threading

    first = threading.Event()
    server.answer = events
    found = []
    async for event in target.watch("/api/v1/pods", "web", "7", 1):
        found.append(event["n"])
        first.set()
    assert found == [1, 2, 3]
    assert server.asked[0].query == {
        "watch": ["1"], "fieldSelector": ["metadata.name=web"], "resourceVersion": ["7"], "timeoutSeconds": ["1"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda _: said(500, STATUS), Failed), (lambda _: said(429, STATUS), Failed), (lambda _: said(403, STATUS), Refused),
        (lambda _: said(410, STATUS), Refused), (lambda _: said(200, b"not json\n"), Failed), (lambda _: [], Failed),
        (lambda _: [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}"], Failed),
    ],
)  # fmt: skip
async def test_a_watch_that_breaks_says_so(
    server: OddServer, target: KubernetesTarget, answer: Any, kind: type[ConsoleError]
) -> None:
    server.answer = answer
    with pytest.raises(kind):
        await watched(target)


async def test_a_watch_can_be_left_at_any_time(server: OddServer, target: KubernetesTarget) -> None:
    def events(_: Asked) -> Iterator[bytes]:
        yield b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"n": 1}\n'
        server.released.wait(5)

    server.answer = events
    stream = target.watch("/api/v1/pods", "web", "7", 1)
    assert await anext(aiter(stream)) == {"n": 1}
    await target.close()
    await stream.aclose()  # type: ignore[attr-defined]


async def test_a_kind_is_looked_up_once(server: OddServer, target: KubernetesTarget) -> None:
    served = {"resources": [{"kind": "Rollout", "name": "rollouts", "namespaced": True}]}
    server.answer = lambda _: said(200, served)
    for _ in range(2):
        found = await target.resource("argoproj.io/v1alpha1", "Rollout")
        assert found.path("shop", "web") == "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web"
    assert await target.resource("apps/v1", "Deployment") is DEPLOYMENT
    assert [a.path for a in server.asked] == ["/apis/argoproj.io/v1alpha1"]


async def test_reviews_ask_for_the_present_user(server: OddServer, target: KubernetesTarget) -> None:
    server.answer = lambda asked: said(
        201, {"status": {"allowed": False, "userInfo": {"username": "kim\x1b[0m"}}, "asked": asked.path}
    )
    assert not await target.review("patch", DEPLOYMENT, "shop", "web")
    assert await target.user() == await target.user() == "kim"
    assert [a.path.rpartition("/")[2] for a in server.asked] == ["selfsubjectaccessreviews", "selfsubjectreviews"]
    assert server.asked[0].body["spec"]["resourceAttributes"] == {
        "verb": "patch", "group": "apps", "resource": "deployments", "version": "v1", "namespace": "shop", "name": "web",
    }  # fmt: skip
