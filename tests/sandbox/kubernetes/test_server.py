"""The drill's API server over HTTP: who is let in, what a watch and a list promise, and what it says it does not do."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from console.sandbox.kubernetes import KubernetesApi
from console.sandbox.kubernetes.access import MASTERS, User

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[KubernetesApi]:
    users = (User("admin", (MASTERS,)), User("nobody"))
    async with KubernetesApi(tmp_path, users=users) as running:
        yield running


@pytest.fixture
async def http(api: KubernetesApi) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {api.token('admin')}"}
    async with httpx.AsyncClient(base_url=api.url, headers=headers, trust_env=False, timeout=10) as client:
        yield client


async def made(http: httpx.AsyncClient, name: str, **data: str) -> dict[str, Any]:
    answer = await http.post(CONFIG_MAPS, json={"metadata": {"name": name}, "data": data})
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()
    return found


async def watched(http: httpx.AsyncClient, count: int, **params: str) -> list[dict[str, Any]]:
    """The first events of a watch."""
    events: list[dict[str, Any]] = []
    async with http.stream("GET", CONFIG_MAPS, params={"watch": "1", "timeoutSeconds": "5", **params}) as answer:
        async for line in answer.aiter_lines():
            events.append(json.loads(line))
            if len(events) == count:
                break
    return events


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])  # noqa: S104 - refused
async def test_it_serves_nobody_but_this_machine(tmp_path: Path, host: str) -> None:
    with pytest.raises(ValueError, match="on loopback only"):
        async with KubernetesApi(tmp_path, host=host):
            pass


async def test_a_token_opens_and_nothing_else_does(api: KubernetesApi, http: httpx.AsyncClient) -> None:
    assert (await http.get(CONFIG_MAPS)).status_code == 200
    wrong = await http.get(CONFIG_MAPS, headers={"Authorization": "Bearer wr0ng"})
    assert (wrong.status_code, wrong.json()["message"]) == (401, "Unauthorized")
    async with httpx.AsyncClient(base_url=api.url, trust_env=False) as stranger:
        refused = await stranger.get(CONFIG_MAPS)
        assert 'User "system:anonymous" cannot list resource "configmaps"' in refused.json()["message"]
        assert (await stranger.get("/readyz")).text == "ok"
        in_path = await stranger.get(f"/as/{api.token('admin')}{CONFIG_MAPS}")
        assert in_path.status_code == 200, "kubectl sends no token over plain HTTP"


async def test_the_kubeconfig_is_its_owners_alone_and_names_the_drill(api: KubernetesApi) -> None:
    file = api.kubeconfig("nobody")
    document = yaml.safe_load(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert document["current-context"] == "drill"
    [current] = [c["context"] for c in document["contexts"] if c["name"] == "drill"]
    assert current["user"] == "nobody"
    with pytest.raises(LookupError, match="no user somebody"):
        api.kubeconfig("somebody")


async def test_a_list_in_pages_is_of_one_moment(http: httpx.AsyncClient) -> None:
    for name in ("a", "b", "c"):
        await made(http, name)
    first = (await http.get(CONFIG_MAPS, params={"limit": "2"})).json()
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    await made(http, "d")
    rest = (await http.get(CONFIG_MAPS, params={"limit": "2", "continue": first["metadata"]["continue"]})).json()
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_page_that_is_too_old_says_so(api: KubernetesApi, http: httpx.AsyncClient) -> None:
    for name in ("a", "b"):
        await made(http, name)
    token = (await http.get(CONFIG_MAPS, params={"limit": "1"})).json()["metadata"]["continue"]
    api.forget_history()
    answer = await http.get(CONFIG_MAPS, params={"limit": "1", "continue": token})
    assert (answer.status_code, answer.json()["reason"]) == (410, "Expired")


async def test_a_watch_misses_nothing_between_the_list_and_itself(http: httpx.AsyncClient) -> None:
    await made(http, "a")
    version = (await http.get(CONFIG_MAPS)).json()["metadata"]["resourceVersion"]
    await made(http, "b")
    await http.patch(
        f"{CONFIG_MAPS}/a", content='{"data": {"x": "1"}}', headers={"Content-Type": "application/merge-patch+json"}
    )
    await http.delete(f"{CONFIG_MAPS}/b")
    events = await watched(http, 3, resourceVersion=version)
    assert [(e["type"], e["object"]["metadata"]["name"]) for e in events] == [
        ("ADDED", "b"), ("MODIFIED", "a"), ("DELETED", "b"),
    ]  # fmt: skip
    versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in events]
    assert versions == sorted(versions)
    assert events[0]["object"]["kind"] == "ConfigMap"


async def test_a_watch_of_a_selection_sees_what_enters_and_leaves_it(http: httpx.AsyncClient) -> None:
    version = (await made(http, "a"))["metadata"]["resourceVersion"]
    for labels in ('{"on": "yes"}', '{"on": null}'):
        body = f'{{"metadata": {{"labels": {labels}}}}}'
        await http.patch(f"{CONFIG_MAPS}/a", content=body, headers={"Content-Type": "application/merge-patch+json"})
    events = await watched(http, 2, resourceVersion=version, labelSelector="on=yes")
    assert [event["type"] for event in events] == ["ADDED", "DELETED"]


async def test_a_watch_from_a_forgotten_version_is_told_to_begin_anew(
    api: KubernetesApi, http: httpx.AsyncClient
) -> None:
    await made(http, "a")
    await made(http, "b")
    api.forget_history()
    [event] = await watched(http, 1, resourceVersion="2")
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_a_watch_ends_in_its_time(http: httpx.AsyncClient) -> None:
    assert await watched(http, 99, timeoutSeconds="0.1", fieldSelector="metadata.name=none") == []


async def test_initial_events_end_with_a_mark(http: httpx.AsyncClient) -> None:
    await made(http, "a")
    params = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    first, mark = await watched(http, 2, fieldSelector="metadata.name=a", **params)
    assert (first["type"], mark["type"]) == ("ADDED", "BOOKMARK")
    assert mark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_away_it_refuses_frozen_it_is_silent_and_it_forgets_nothing(
    api: KubernetesApi, http: httpx.AsyncClient
) -> None:
    await made(http, "a")
    await api.pause()
    with pytest.raises(httpx.TransportError):
        await http.get(CONFIG_MAPS)
    await api.resume()
    api.freeze()
    with pytest.raises(httpx.ReadTimeout):
        await http.get(CONFIG_MAPS, timeout=0.1)
    api.thaw()
    assert len((await http.get(CONFIG_MAPS, params={"fieldSelector": "metadata.name=a"})).json()["items"]) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/default/pods/p/log"),
        ("POST", "/api/v1/namespaces/default/pods/p/eviction"),
        ("GET", "/openapi/v2"),
        ("GET", "/api/v1/namespaces/default/configmaps?resourceVersion=1&resourceVersionMatch=Exact"),
    ],
)
async def test_what_it_does_not_do_it_says(http: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await http.request(method, path, content="{}" if method == "POST" else None)
    assert answer.status_code == 501
    assert answer.json()["message"].startswith("the drill's Kubernetes API does not do this: ")


@pytest.mark.parametrize(
    "headers", [{"Impersonate-User": "somebody"}, {"Accept": "application/yaml"}], ids=lambda h: next(iter(h))
)
async def test_what_would_change_the_answer_is_not_passed_over(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await http.get(CONFIG_MAPS, headers=headers)).status_code == 501


async def test_nobody_may_do_what_no_role_allows(api: KubernetesApi, http: httpx.AsyncClient) -> None:
    mine = {"Authorization": f"Bearer {api.token('nobody')}"}
    assert (await http.get(CONFIG_MAPS, headers=mine)).status_code == 403
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}
    await http.post(f"{rbac}/clusterroles", json={"metadata": {"name": "look"}, "rules": [rule]})
    binding = {"metadata": {"name": "look"}, "roleRef": {"kind": "ClusterRole", "name": "look"},
               "subjects": [{"kind": "Group", "name": "system:authenticated"}]}  # fmt: skip
    await http.post(f"{rbac}/namespaces/default/rolebindings", json=binding)
    assert (await http.get(CONFIG_MAPS, headers=mine)).status_code == 200
    assert (await http.get("/api/v1/namespaces/kube-system/configmaps", headers=mine)).status_code == 403
    assert (await http.delete(CONFIG_MAPS, headers=mine)).status_code == 403


async def test_many_writers_at_once_lose_no_write(http: httpx.AsyncClient) -> None:
    """Each reads, adds one, and writes with the version that it read; whoever is too late reads again."""
    await made(http, "count", n="0")

    async def add_one() -> None:
        while True:
            live = (await http.get(f"{CONFIG_MAPS}/count")).json()
            live["data"]["n"] = str(int(live["data"]["n"]) + 1)
            written = await http.put(f"{CONFIG_MAPS}/count", json=live)
            if written.status_code == 200:
                return
            assert written.status_code == 409

    await asyncio.gather(*(add_one() for _ in range(10)))
    assert (await http.get(f"{CONFIG_MAPS}/count")).json()["data"]["n"] == "10"


async def test_what_argo_cd_flux_and_the_prometheus_operator_define_is_served(http: httpx.AsyncClient) -> None:
    for group, version, plural in (
        ("argoproj.io", "v1alpha1", "applications"),
        ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations"),
        ("helm.toolkit.fluxcd.io", "v2", "helmreleases"),
        ("monitoring.coreos.com", "v1", "prometheusrules"),
    ):
        served = (await http.get(f"/apis/{group}/{version}")).json()["resources"]
        assert plural in {resource["name"] for resource in served}


async def test_haste_is_made_and_ended_at_any_time(api: KubernetesApi, http: httpx.AsyncClient) -> None:
    """What waits already comes sooner, too: pods that were to take seconds are there at once."""
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    deployments = "/apis/apps/v1/namespaces/default/deployments"
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    await http.post(deployments, json={"metadata": {"name": "web"}, "spec": spec})
    await asyncio.sleep(0)
    api.speed = 1000
    async with asyncio.timeout(2):
        while (await http.get(f"{deployments}/web")).json()["status"].get("availableReplicas") != 2:  # noqa: ASYNC110 - on the other side of HTTP
            await asyncio.sleep(0)
    api.speed = 1
    assert api.speed == 1


@pytest.mark.parametrize(
    ("query", "said"),
    [({"limit": "many"}, "limit"), ({"limit": "-1"}, "limit"), ({"watch": "1", "timeoutSeconds": "soon"}, "timeoutSeconds"),
     ({"watch": "1", "resourceVersion": "new"}, "resourceVersion"), ({"resourceVersion": "new"}, "resourceVersion"),
     ({"continue": "nonsense"}, "continue token"), ({"labelSelector": "a b c"}, "requirement")],
)  # fmt: skip
async def test_a_query_that_makes_no_sense_is_refused(
    http: httpx.AsyncClient, query: dict[str, str], said: str
) -> None:
    answer = await http.get(CONFIG_MAPS, params=query)
    assert answer.status_code == 400
    assert said in answer.json()["message"]


NONSENSE = ["", "{", "[]", "NaN", '{"data": NaN}', "[" * 100_000, '{"metadata": {"name": "a"}, "data": []}', "\x00"]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: body[:20] or "nothing")
async def test_a_body_that_makes_no_sense_is_refused(http: httpx.AsyncClient, body: str) -> None:
    answer = await http.post(CONFIG_MAPS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


async def test_half_a_character_stops_nobody_from_reading(http: httpx.AsyncClient) -> None:
    body = '{"metadata": {"name": "odd"}, "data": {"a": "\\ud800"}}'
    await http.post(CONFIG_MAPS, content=body, headers={"Content-Type": "application/json"})
    assert (await http.get(CONFIG_MAPS)).status_code == 200
