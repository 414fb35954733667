"""The drill's OPA over HTTP, where no real OPA is built: changes as a whole, bundles, replicas, and its limits."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.sandbox.opa.api import OpaApi
from console.sandbox.opa.bundles import BundleSource


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with OpaApi() as api, httpx.AsyncClient(base_url=api.url, trust_env=False) as client:
        yield client


def packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


async def test_a_patch_is_carried_out_as_a_whole_or_not_at_all(http: httpx.AsyncClient) -> None:
    wanted = [{"op": "add", "path": "/kept", "value": 1}, {"op": "remove", "path": "/nope"}]
    answer = await http.patch("/v1/data", content=json.dumps(wanted))
    assert (answer.status_code, answer.json()["code"]) == (404, "resource_not_found")
    assert (await http.get("/v1/data")).json() == {"result": {}}


async def test_a_module_that_breaks_another_is_refused_and_changes_nothing(http: httpx.AsyncClient) -> None:
    await http.put("/v1/policies/lib", content="package lib\n\nf(x) := x\n")
    await http.put("/v1/policies/user", content="package user\n\ny := data.lib.f(1)\n")
    answer = await http.put("/v1/policies/lib", content="package lib\n\ng(x) := x\n")
    assert answer.json()["errors"][0]["location"]["file"] == "user"
    assert (await http.delete("/v1/policies/lib")).json()["code"] == "invalid_operation"
    assert (await http.get("/v1/data/user/y")).json() == {"result": 1}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/"),
        ("POST", "/v0/data/x"),
        ("POST", "/v1/compile"),
        ("GET", "/metrics"),
        ("GET", "/health/live"),
        ("GET", "/v1/data?explain=full"),
        ("GET", "/v1/data?metrics=true"),
        ("GET", "/v1/data?strict-builtin-errors=true"),
    ],
)
async def test_what_opa_has_and_the_drill_does_not_is_answered_with_501(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await http.request(method, path)
    assert answer.status_code == 501
    assert answer.json()["message"].startswith("the drill's OPA has no ")


async def test_replicas_stand_beside_each_other_and_share_nothing() -> None:
    async with OpaApi() as one, OpaApi() as other, httpx.AsyncClient(trust_env=False) as http:
        assert one.port != other.port
        await http.put(f"{one.url}/v1/data/x", content="1")
        assert (await http.get(f"{one.url}/v1/data/x")).json() == {"result": 1}
        assert (await http.get(f"{other.url}/v1/data/x")).json() == {}


async def test_a_paused_replica_refuses_and_keeps_what_it_had() -> None:
    async with OpaApi() as api, httpx.AsyncClient(trust_env=False) as http:
        await http.put(f"{api.url}/v1/data/x", content="1")
        await api.pause()
        with pytest.raises(httpx.TransportError):
            await http.get(f"{api.url}/v1/data/x")
        await api.resume()
        assert (await http.get(f"{api.url}/v1/data/x")).json() == {"result": 1}
        api.opa.reset()
        assert (await http.get(f"{api.url}/v1/data/x")).json() == {}


BUNDLE = {
    "a.rego": "package a\n\nx := data.a.y\n",
    "a/data.json": '{"y": 1}',
    ".manifest": '{"revision": "r1", "roots": ["a"]}',
}


class Followed:
    """An OPA that follows a bundle from a file, and looks when it is told to."""

    def __init__(self, api: OpaApi, file: Path, http: httpx.AsyncClient) -> None:
        self.file = file
        self.http = http
        self._follower = api._followers[0]

    async def publish(self, files: dict[str, str]) -> None:
        self.file.write_bytes(packed(files))
        await self._follower.look()

    async def got(self, path: str) -> Any:
        return (await self.http.get(path)).json()


@pytest.fixture
async def followed(tmp_path: Path) -> AsyncIterator[Followed]:
    file = tmp_path / "bundle.tar.gz"
    source = BundleSource("main", file.as_uri(), every_seconds=3600)
    async with (
        OpaApi(bundles=[source], status=True) as api,
        httpx.AsyncClient(base_url=api.url, trust_env=False) as http,
    ):
        yield Followed(api, file, http)


async def test_a_bundle_owns_its_roots_and_nothing_else(followed: Followed) -> None:
    assert (await followed.http.get("/health?bundles")).status_code == 500
    await followed.publish(BUNDLE)
    assert (await followed.http.get("/health?bundles&plugins")).status_code == 200
    assert await followed.got("/v1/data/a") == {"result": {"x": 1, "y": 1}}
    assert [p["id"] for p in (await followed.got("/v1/policies"))["result"]] == ["main/a.rego"]
    refused = await followed.http.put("/v1/data/a/y", content="2")
    assert (refused.status_code, refused.json()["message"]) == (400, 'path a/y is owned by bundle "main"')
    assert (await followed.http.put("/v1/data/b", content="2")).status_code == 204
    book = await followed.got("/v1/data/system/bundles/main/manifest")
    assert book == {"result": {"revision": "r1", "roots": ["a"]}}


async def test_a_bundle_that_does_not_compile_leaves_the_last_one_and_says_why(followed: Followed) -> None:
    await followed.publish(BUNDLE)
    await followed.publish({**BUNDLE, "a.rego": "package a\n\nx := data.a.f(1)\n"})
    assert await followed.got("/v1/data/a/x") == {"result": 1}
    status = (await followed.got("/v1/status"))["result"]["bundles"]["main"]
    assert status["active_revision"] == "r1"
    assert "undefined function data.a.f" in status["message"]
    await followed.publish({**BUNDLE, ".manifest": '{"revision": "r2", "roots": ["a"]}'})
    status = (await followed.got("/v1/status"))["result"]["bundles"]["main"]
    assert (status["active_revision"], "message" in status) == ("r2", False)


async def test_what_an_old_bundle_owned_goes_with_it(followed: Followed) -> None:
    await followed.publish(BUNDLE)
    await followed.publish({"b.rego": "package b\n\nz := 1\n", ".manifest": '{"roots": ["b"]}'})
    assert await followed.got("/v1/data") == {"result": {"b": {"z": 1}}}
