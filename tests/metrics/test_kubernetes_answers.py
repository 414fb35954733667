"""The trigger source `kubernetes` and a server that is away, silent, or answers nonsense: one line, and never a number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.domain.errors import Failed
from console.metrics import kubernetes as metrics
from console.targets.kubernetes.client import KubernetesTarget
from tests.targets.odd_server import OddServer, said
from tests.targets.test_kubernetes_client import built

FORBIDDEN = {"kind": "Status", "message": 'pods is forbidden: User "kim" \x1b[31mcannot list', "reason": "Forbidden"}


@pytest.fixture
def server() -> Iterator[OddServer]:
    with OddServer(lambda _: said(200, {"items": []})) as odd:
        yield odd


async def failure(target: KubernetesTarget, measure: str = "not_ready") -> str:
    options = metrics.Options.model_validate({"measure": measure, "namespace": "shop"})
    try:
        with pytest.raises(Failed) as failed:
            await metrics.KubernetesSource(options, target).now()
    finally:
        await target.close()
    assert "\n" not in str(failed.value)
    return str(failed.value)


@pytest.mark.parametrize("measure", ["restarts", "unavailable", "not_ready"])
async def test_nobody_there(tmp_path: Path, measure: str) -> None:
    assert "context test can't be reached: connection refused" in await failure(
        built(tmp_path, "http://127.0.0.1:1"), measure
    )


async def test_an_answer_that_is_no_list(server: OddServer, tmp_path: Path) -> None:
    server.answer = lambda _: said(403, FORBIDDEN)
    assert await failure(built(tmp_path, server.url)) == 'pods is forbidden: User "kim" cannot list'
    server.answer = lambda _: said(503, {"message": "etcd is away"})
    assert "answered 503: etcd is away" in await failure(built(tmp_path, server.url))
    server.answer = lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"]
    assert "did not answer in JSON" in await failure(built(tmp_path, server.url))


async def test_a_server_that_does_not_answer(
    server: OddServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: object) -> Iterator[bytes]:
        server.released.wait()
        yield b""

    server.answer = never
    monkeypatch.setattr(metrics, "LIMIT_SECONDS", 0.2)
    assert await failure(built(tmp_path, server.url)) == "context test: no answer within 200 ms"


async def test_names_are_harmless(server: OddServer, tmp_path: Path) -> None:
    pod = {"metadata": {"name": "web\x1b[2J", "uid": "u", "namespace": "shop"}, "status": {"phase": "Running"}}
    server.answer = lambda _: said(200, {"items": [pod]})
    target = built(tmp_path, server.url)
    options = metrics.Options.model_validate({"measure": "not_ready", "namespace": "shop"})
    reading = await metrics.KubernetesSource(options, target).now()
    await target.close()
    assert reading.samples[0].labels == (("kind", "Pod"), ("workload", "web"))
    assert reading.warnings == ("web: not ready",)
