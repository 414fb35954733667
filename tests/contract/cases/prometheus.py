"""`prometheus.reload` as cases of the contract: after the step that changes its files, and before it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import pytest

from console.domain.errors import Failed
from console.engine.ports import Json, Step
from console.steps import prometheus_reload
from console.targets import prometheus as targets
from console.targets.prometheus import PrometheusTarget
from tests.contract.step_contract import (
    Case,
    Differs,
    Scene,
    applied,
    at_work,
    carried_out,
    probed,
    proof_of,
    said_of_the_absent,
    stored,
)

_ORIGINAL: Final = "groups: [{name: slo, rules: [{alert: Slow, expr: qec_p95 > 0.5, for: 1m}]}]"
_MIGRATED: Final = "groups: [{name: slo-qec, rules: [{alert: SlowQec, expr: qec_p95 > 2}]}]"
_BY_ADA: Final = "groups: [{name: slo, rules: [{alert: Slow, expr: qec_p95 > 0.6}]}]"


class Server(Protocol):
    """A Prometheus, its rule files, and the administrator's reload."""

    rules: Path

    def get(self, path: str) -> Any: ...

    def reload(self) -> Any: ...


class Way(Protocol):
    """To the server. `fate` decides about each change, `effects` are those that were carried out."""

    url: str
    fate: Callable[[int, str], Any]
    effects: list[tuple[str, bytes]]


class PrometheusScene:
    """The original files are there and not loaded yet."""

    place = ""
    secrets: tuple[str, ...] = ()
    _waiting = _ORIGINAL
    _direction = "back"

    def __init__(self, folder: Path, server: Server, way: Way, cut: Callable[[], object]) -> None:
        self.folder = folder
        self.target = re.escape(way.url)
        self.opened: list[PrometheusTarget] = []
        self._server = server
        self._file = server.rules / "slo.yaml"
        self._way = way
        self.break_down = cut
        self.load(_MIGRATED)
        self.put(self._waiting)

    def put(self, rules: str) -> None:
        """What the steps beside it do."""
        self._file.write_text(rules)

    def load(self, rules: str) -> None:
        """What an administrator does."""
        self.put(rules)
        self._server.reload()

    def step(self) -> Step:
        target = targets.build("prom", targets.Options.model_validate({"url": self._way.url}))
        self.opened.append(target)
        given = {"rules_present": ("Slow",), "rules_absent": ("SlowQec",), "wait": "0s", "direction": self._direction}
        return prometheus_reload.build("step", prometheus_reload.Options.model_validate(given), target)

    def state(self) -> Json:
        groups = self._server.get("/api/v1/rules")["groups"]
        return [(rule["name"], rule["query"]) for group in groups for rule in group["rules"]]

    def writes(self) -> Mapping[str, str]:
        return {"reloads": str(len(self._way.effects))}

    def disturb(self) -> None:
        self.put(_BY_ADA)

    def lose_answers(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("swallow")

    def drop_requests(self) -> contextlib.AbstractContextManager[None]:
        return self._on_the_way("lose")

    @contextlib.contextmanager
    def _on_the_way(self, fate: str) -> Iterator[None]:
        self._way.fate = lambda _number, _request: fate
        yield
        self._way.fate = lambda _number, _request: "pass"


class NotingScene(PrometheusScene):
    """The files of the migration are there and loaded; a later step is going to change them."""

    _waiting = _MIGRATED
    _direction = "forward"


async def _loads_what_is_there(scene: Scene) -> None:
    shown = await scene.step().plan()
    scene.disturb()
    now = await scene.step().plan()
    assert now.hash == shown.hash
    await applied(scene, now)
    assert "qec_p95 > 0.6" in await proof_of(scene, now)


async def _stays_loaded(scene: Scene) -> None:
    change = await carried_out(scene)
    state, writes = scene.state(), scene.writes()
    undo = await scene.step().plan_undo([stored(await scene.step().capture(change))])
    assert undo.already
    assert (await probed(scene, undo)).answer == "done"
    assert "its files come back after this step" in await proof_of(scene, undo)
    assert (scene.state(), scene.writes()) == (state, writes)


async def _leaves_the_reload_to_a_later_step(scene: Scene) -> None:
    async with at_work(scene, prometheus_reload.KIND) as console:
        assert (await console.roll_back()).states == ["proven"]
        state, writes = scene.state(), scene.writes()
        assert (await console.roll_back()).component.state == "rolled_back"
        forward = await console.roll_forward()
    assert forward.component.state == "rolled_forward"
    assert (scene.state(), scene.writes()) == (state, writes)


async def _reloads_until_it_is_as_noted(scene: Scene) -> None:
    assert isinstance(scene, NotingScene)
    before = scene.state()
    noted = stored(await scene.step().capture(await carried_out(scene)))
    assert scene.state() == before
    scene.load(_ORIGINAL)
    undo = await scene.step().plan_undo([noted])
    assert (await probed(scene, undo)).answer == "not_done"
    with pytest.raises(Failed, match="not loaded"):
        await applied(scene, undo)
    scene.put(_MIGRATED)
    await applied(scene, undo)
    assert await proof_of(scene, undo)
    assert scene.state() == before
    assert (await scene.step().plan_undo([noted])).already


async def _sends_nothing(scene: Scene) -> None:
    before = scene.state(), scene.writes()
    change = await scene.step().plan()
    for on_the_way in (scene.drop_requests, scene.lose_answers):
        with on_the_way():
            await applied(scene, change)
    scene.disturb()
    await applied(scene, change)
    assert (scene.state(), scene.writes()) == before
    assert (await probed(scene, change)).answer == "done"


async def _is_carried_out_without_it(scene: Scene) -> None:
    change = await scene.step().plan()
    scene.break_down()
    assert re.search(scene.target, await said_of_the_absent(lambda: scene.step().plan()))
    assert re.search(scene.target, await said_of_the_absent(lambda: scene.step().preflight()))
    await applied(scene, change)
    assert "noted" in await proof_of(scene, change)


async def _has_nothing_to_undo(scene: Scene) -> None:
    before = scene.state(), scene.writes()
    async with at_work(scene, prometheus_reload.KIND) as console:
        assert (await console.roll_back()).states == ["proven"]
        assert (await console.roll_forward()).component.state == "rolled_forward"
    assert (scene.state(), scene.writes()) == before


_NOTES: Final = "rolling back it only notes what is loaded, and sends nothing"
_THE_FILES: Final = "a reload loads the files that are there, whoever wrote them, and writes none"
_AFTERWARDS: Final = "the files come back after this step, and the reload after them is another step's"
CASES: Final = (
    Case(
        "prometheus.reload",
        "after its files",
        PrometheusScene,
        {
            "test_a_strange_change_since_the_preview_is_told_and_not_overwritten": Differs(
                _THE_FILES, _loads_what_is_there
            ),
            "test_a_strange_change_in_the_last_moment_is_refused_by_what_is_sent": Differs(
                _THE_FILES, _loads_what_is_there
            ),
            "test_it_is_taken_back_to_what_was_before": Differs(_AFTERWARDS, _stays_loaded),
            "test_the_engine_carries_it_out_once_and_takes_it_back": Differs(
                _AFTERWARDS, _leaves_the_reload_to_a_later_step
            ),
        },
    ),
    Case(
        "prometheus.reload",
        "before its files",
        NotingScene,
        {
            "test_a_strange_change_since_the_preview_is_told_and_not_overwritten": Differs(_NOTES, _sends_nothing),
            "test_a_strange_change_in_the_last_moment_is_refused_by_what_is_sent": Differs(_NOTES, _sends_nothing),
            "test_a_lost_answer_ends_in_the_truth_and_adds_no_second_effect": Differs(_NOTES, _sends_nothing),
            "test_a_request_that_never_arrived_is_not_done": Differs(_NOTES, _sends_nothing),
            "test_it_is_taken_back_to_what_was_before": Differs(_NOTES, _reloads_until_it_is_as_noted),
            "test_the_engine_carries_it_out_once_and_takes_it_back": Differs(_NOTES, _has_nothing_to_undo),
            "test_a_target_that_is_not_there_is_named_by_every_call": Differs(_NOTES, _is_carried_out_without_it),
        },
    ),
)
