"""The answer to a change is lost, or the change itself: the target is read, nothing is sent twice, the record is true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.real.room import Room
from tests.real.servers import ControlPlane, poll
from tests.real.servers.proxy import Fate, Passing, Proxy, Refusal

OFF = {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": [{"name": "QEC", "value": "false"}]}]}}}}
QEC = [{"name": "QEC", "value": "true"}]


@pytest.fixture
def proxy(cluster: ControlPlane) -> Iterator[Proxy]:
    with Proxy(cluster) as running:
        yield running


def losing(fate: Fate | Refusal, number: int = 1):  # type: ignore[no-untyped-def] # a small closure
    """This happens to the n-th change that comes by."""
    seen = 0

    def decide(passing: Passing) -> Fate | Refusal:
        nonlocal seen
        seen += passing.changes
        return fate if passing.changes and seen == number else "pass"

    return decide


def by_proxy(room: Room, proxy: Proxy) -> dict[str, object]:
    return {"target": room.target("admin", kubeconfig=proxy.kubeconfig(room.folder), timeout="5s")}


@pytest.mark.parametrize("fate", ["swallow", "cut"])
async def test_an_answer_that_is_lost_after_delivery_is_found_by_reading(room: Room, proxy: Proxy, fate: Fate) -> None:
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF, **by_proxy(room, proxy)))
    proxy.fate = losing(fate)
    outcome = await console.roll_back()
    assert (outcome.states, outcome.component.state) == (["proven"], "rolled_back")
    assert (room.generation(), len(proxy.changes)) == (2, 1)
    assert (await console.roll_forward()).component.state == "rolled_forward"


async def test_a_change_that_was_never_delivered_is_offered_again(room: Room, proxy: Proxy) -> None:
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF, **by_proxy(room, proxy)))
    proxy.fate = losing("lose")
    outcome = await console.roll_back()
    assert (outcome.states, outcome.component.state) == (["failed"], "failed")
    assert "no answer from context admin for step: connection closed without an answer" in outcome.step.reason
    assert "as it was" in outcome.step.reason
    assert (room.generation(), len(proxy.changes)) == (1, 1)
    again = await console.roll_back()
    assert (again.states, room.generation(), len(proxy.changes)) == (["proven"], 2, 2)


async def test_the_answer_to_a_creation_is_lost(room: Room, proxy: Proxy) -> None:
    path = room.manifest("{apiVersion: v1, kind: ConfigMap, metadata: {name: config}, data: {a: '1'}}")
    console = await room.console(room.apply(path, **by_proxy(room, proxy)))
    proxy.fate = losing("swallow")
    assert (await console.roll_back()).states == ["proven"]
    proxy.fate = losing("swallow")
    assert (await console.roll_forward()).component.state == "rolled_forward"
    assert not room.exists("ConfigMap", "config")
    assert [p.method for p in proxy.changes] == ["PATCH", "DELETE"]


async def test_a_refusal_in_the_middle_leaves_a_half_that_can_be_gone_on_with_or_taken_back(
    room: Room, proxy: Proxy
) -> None:
    documents = [f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: c{n}}}, data: {{a: '1'}}}}" for n in (1, 2, 3)]
    path = room.manifest("\n---\n".join(documents))
    step = room.apply(path, **by_proxy(room, proxy))
    for direction in ("on", "back"):
        console = await room.console(step)
        proxy.fate = losing(Refusal(403, "the quota is used up"), 2)
        half = await console.roll_back()
        assert (half.states, half.component.state, len(half.step.attempts)) == (["failed"], "failed", 1)
        assert f"after ConfigMap {room.name}/c1: the quota is used up" in half.step.reason
        assert [room.exists("ConfigMap", f"c{n}") for n in (1, 2, 3)] == [True, False, False]
        proxy.fate = losing("pass")
        if direction == "on":
            assert (await console.roll_back()).states == ["proven"]
            assert all(room.exists("ConfigMap", f"c{n}") for n in (1, 2, 3))
        assert (await console.roll_forward()).component.state == "rolled_forward"
        assert not any(room.exists("ConfigMap", f"c{n}") for n in (1, 2, 3))


async def test_a_gateway_timeout_after_delivery_or_before_is_settled_by_reading(room: Room, proxy: Proxy) -> None:
    room.config_map(a="1")
    console = await room.console(room.patch("ConfigMap/config", {"data": {"a": "2"}}, **by_proxy(room, proxy)))
    proxy.fate = losing(Refusal(504, "upstream timed out"))
    outcome = await console.roll_back()
    assert outcome.states == ["failed"]
    assert "answered 504: upstream timed out; read back: " in outcome.step.reason
    assert (await console.roll_back()).states == ["proven"]


async def test_a_server_that_is_too_busy_is_asked_again_and_the_effect_is_one(room: Room, proxy: Proxy) -> None:
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF, **by_proxy(room, proxy)))
    proxy.fate = losing(Refusal(429, "too many requests"))
    assert (await console.roll_back()).states == ["proven"]
    assert (room.generation(), len(proxy.changes)) == (2, 2)


async def test_a_watch_that_breaks_again_and_again_is_still_watched_to_the_end(room: Room, proxy: Proxy) -> None:
    room.deployment(env=QEC)
    console = await room.console(room.patch("Deployment/web", OFF, **by_proxy(room, proxy)))
    broken = 0

    def break_reads(passing: Passing) -> Fate:
        nonlocal broken
        if proxy.changes and passing.method == "GET" and broken < 5:
            broken += 1
            return "lose"
        return "pass"

    proxy.fate = break_reads
    assert (await console.roll_back()).states == ["proven"]
    assert broken == 5


async def test_a_lost_answer_in_the_middle_of_several_objects(room: Room, proxy: Proxy) -> None:
    room.config_map(features="on")
    variable = {"name": "F", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "features"}}}
    room.deployment(env=[variable])
    patch = {"data": {"features": "off"}}
    step = room.patch("ConfigMap/config", patch, restart_readers=True, **by_proxy(room, proxy))
    console = await room.console(step)
    proxy.fate = losing("swallow")
    half = await console.roll_back()
    assert (half.states, len(half.step.attempts), room.generation()) == (["failed"], 1, 1)
    proxy.fate = losing("pass")
    assert (await console.roll_back()).states == ["proven"]
    assert room.generation() == 2
    assert (await console.roll_forward()).component.state == "rolled_forward"
    assert room.get("ConfigMap", "config")["data"] == {"features": "on"}
    poll("the pods of before are back", lambda: len(room.revisions()) == 2)
