"""`prometheus.reload` on a real Prometheus: proven by the rules and jobs it has loaded, never by "reloaded"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from console.domain.errors import Failed, Refused, Unknown
from console.engine.ports import Step
from console.steps import prometheus_reload
from console.steps.command_run import CommandRun
from console.steps.command_run import Options as CommandOptions
from console.steps.prometheus_reload import PrometheusReload
from console.targets import prometheus as targets
from console.targets.marks import Marks
from tests.contract.loopback import Loopback, Reply
from tests.real.room import AtWork, permit
from tests.real.servers import PrometheusServer, poll
from tests.real.servers.opa import LossyWay
from tests.real.servers.prometheus import JOB

ORIGINAL = "groups: [{name: slo, rules: [{alert: Slow, expr: qec_p95 > 0.5, for: 1m}]}]"
MIGRATED = (
    "groups: [{name: slo-qec, rules: [{alert: SlowQec, expr: qec_p95 > 2}, {record: qec:p95, expr: max(qec_p95)}]}]"
)
CHANGED = ORIGINAL.replace("0.5", "0.9")
BROKEN = "groups: [{name: slo, rules: [{alert: Slow, expr: qec_p95 > > 0.5}]}]"
EXPECTED: dict[str, Any] = {"rules_present": ("Slow",), "rules_absent": ("SlowQec", "slo-qec")}


class Way(LossyWay):
    CHANGES: ClassVar = ("POST",)


class Room:
    """A Prometheus as the migration left it, its files, and consoles that act on it."""

    def __init__(self, server: PrometheusServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.file = server.rules / "slo.yaml"
        self._opened: list[Any] = []
        self.load(MIGRATED)

    def load(self, rules: str) -> None:
        self.file.write_text(rules)
        assert self.server.reload().is_success

    def names(self) -> list[str]:
        groups = self.server.get("/api/v1/rules")["groups"]
        return [rule["name"] for group in groups for rule in group["rules"]]

    def health(self, name: str) -> str:
        groups = self.server.get("/api/v1/rules")["groups"]
        return next(str(rule["health"]) for group in groups for rule in group["rules"] if rule["name"] == name)

    def step(self, url: str = "", **options: Any) -> PrometheusReload:
        target = targets.build("prom", targets.Options.model_validate({"url": url or self.server.url}))
        self._opened.append(target)
        given = {"wait": "0s", **(options or EXPECTED)}
        return prometheus_reload.build("step", prometheus_reload.Options.model_validate(given), target)

    def file_step(self) -> CommandRun:
        """The step that puts the original file back."""
        for name, text in (("original", ORIGINAL), ("migrated", MIGRATED)):
            (self.folder / name).write_text(text)
        given = {
            "command": ("cp", "original", str(self.file)),
            "probe": ("cmp", "original", str(self.file)),
            "undo": ("cp", "migrated", str(self.file)),
            "cwd": str(self.folder),
        }
        return CommandRun("file", CommandOptions.model_validate(given), marks=Marks(self.folder / "marks"))

    async def console(self, **steps: Step) -> AtWork:
        folder = self.folder / f"console-{len(self._opened)}"
        folder.mkdir()
        console = AtWork(folder, steps, 30, dict.fromkeys(steps, "prometheus.reload"))
        self._opened.append(console)
        await console.declare()
        return console

    async def close(self) -> None:
        for one in self._opened:
            await one.close()


@pytest.fixture
async def room(prometheus: PrometheusServer, tmp_path: Path) -> AsyncIterator[Room]:
    made = Room(prometheus, tmp_path)
    yield made
    await made.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus_reload, "_RELOAD_AGAIN_SECONDS", 0.2)
    monkeypatch.setattr(prometheus_reload, "_LOOK_AGAIN_SECONDS", 0.05)


# ---------------------------------------------------------------- rolling back


async def test_the_reload_is_proven_by_the_rules_that_are_loaded(room: Room) -> None:
    room.file.write_text(ORIGINAL)
    console = await room.console(step=room.step())
    planned = await console.planned()
    assert planned.line == "reload Prometheus prom: rule Slow loaded; rule SlowQec not loaded and 1 more"
    assert planned.change is not None
    assert planned.change.lines[:3] == (
        "- rule Slow: not loaded",
        "+ rule Slow: loaded",
        "- rule SlowQec: loaded as qec_p95 > 2",
    )
    assert planned.commands == (
        f"curl -fsS -X POST {room.server.url}/-/reload",
        f"curl -fsS {room.server.url}/api/v1/rules",
    )
    outcome = await console.roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert "rule Slow loaded as qec_p95 > 0.5" in outcome.step.reason
    assert "rule SlowQec not loaded; rule slo-qec not loaded; configuration of" in outcome.step.reason
    assert room.names() == ["Slow"]


async def test_run_twice_the_second_time_sends_nothing(room: Room) -> None:
    room.file.write_text(ORIGINAL)
    with Way(room.server) as way:
        console = await room.console(step=room.step(way.url))
        await console.roll_back()
        again = await room.console(step=room.step(way.url))
        assert (await again.roll_back()).states == ["already"]
        assert way.changes == ["POST /-/reload"]


async def test_what_was_loaded_meanwhile_is_not_reloaded(room: Room) -> None:
    with Way(room.server) as way:
        step = room.step(way.url)
        change = await step.plan()
        room.load(ORIGINAL)
        assert (await step.apply(change.goal, permit())).detail == "nothing is sent: it is all loaded already"
        assert way.changes == []


async def test_a_rule_that_keeps_its_name_is_told_apart_by_its_expression(room: Room) -> None:
    room.load(CHANGED)
    room.file.write_text(ORIGINAL)
    by_name = await room.step(rules_present=("Slow",)).plan()
    assert by_name.already
    console = await room.console(step=room.step(expressions={"Slow": "qec_p95>0.5"}))
    planned = await console.planned()
    assert planned.change is not None
    assert planned.change.lines == (
        "- rule Slow: loaded as qec_p95 > 0.9",
        "+ rule Slow: loaded as qec_p95>0.5",
    )
    assert (await console.roll_back()).states == ["proven"]


async def test_an_expression_that_is_none_stops_before_anything_is_sent(room: Room) -> None:
    with pytest.raises(Failed, match="parse error"):
        await room.step(expressions={"SlowQec": "qec_p95 > > 1"}).plan()


async def test_scrape_jobs_are_waited_for_and_gone(room: Room) -> None:
    room.server.scrape("qec-shadow")
    assert room.server.reload().is_success
    room.server.scrape("original")
    step = room.step(jobs_present=(JOB, "original"), jobs_absent=("qec-shadow",))
    outcome = await (await room.console(step=step)).roll_back()
    assert outcome.states == ["proven"], outcome.step.reason
    assert f"job {JOB} loaded, 1 of 1 targets up" in outcome.step.reason
    assert "job qec-shadow not loaded" in outcome.step.reason


async def test_files_that_arrive_late_are_reloaded_until_they_are_there(room: Room, impatient: None) -> None:
    with Way(room.server) as way:

        def arrive(number: int, _: str) -> Any:
            if number == 3:
                room.file.write_text(ORIGINAL)
            return "pass"

        way.fate = arrive
        step = room.step(way.url, **EXPECTED, wait="20s")
        change = await step.plan()
        assert (await step.apply(change.goal, permit())).detail == "reloaded 3 times"
        assert len(way.changes) == 3


async def test_a_broken_file_about_to_be_replaced_is_waited_out(room: Room, impatient: None) -> None:
    room.file.write_text(BROKEN)
    with Way(room.server) as way:

        def arrive(number: int, _: str) -> Any:
            if number == 2:
                room.file.write_text(ORIGINAL)
            return "pass"

        way.fate = arrive
        outcome = await (await room.console(step=room.step(way.url, **EXPECTED, wait="20s"))).roll_back()
        assert (outcome.states, len(way.changes)) == (["proven"], 2)


# ---------------------------------------------------------------- what stands in the way


async def test_a_broken_file_leaves_the_old_rules_running_and_is_a_failure(room: Room) -> None:
    room.file.write_text(BROKEN)
    outcome = await (await room.console(step=room.step())).roll_back()
    assert outcome.states == ["failed"]
    assert "reloaded once, and rule Slow is not loaded; rule SlowQec is loaded still" in outcome.step.reason
    assert "it could not load all of its files: failed to reload config: one or more errors" in outcome.step.reason
    assert room.names() == ["SlowQec", "qec:p95"]
    findings = await room.step().preflight()
    assert "reload_failed" in {finding.code for finding in findings}


async def test_what_was_loaded_of_a_broken_reload_is_told_as_partial(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prometheus_reload, "_RELOAD_AGAIN_SECONDS", 1.0)
    room.file.write_text(BROKEN)
    room.server.scrape("original")
    step = room.step(**EXPECTED, jobs_present=("original",))
    change = await step.plan()
    with pytest.raises(Failed, match="could not load all"):
        await step.apply(change.goal, permit())
    found = await step.probe(change.goal)
    assert (found.answer, found.detail.partition(";")[0]) == ("partial", "rule Slow is not loaded")


async def test_files_that_never_arrive_are_a_failure(room: Room, impatient: None) -> None:
    step = room.step(**EXPECTED, wait="500ms")
    change = await step.plan()
    with pytest.raises(Failed, match=r"reloaded \d times, and rule Slow is not loaded"):
        await step.apply(change.goal, permit())
    assert (await step.probe(change.goal)).answer == "not_done"


async def test_a_server_that_is_down_is_refused_and_nothing_was_sent(room: Room) -> None:
    step = room.step()
    change = await step.plan()
    room.server.stop()
    try:
        with pytest.raises(Refused, match="connection refused; nothing was sent"):
            await step.apply(change.goal, permit())
        with pytest.raises(Failed, match="connection refused"):
            await step.plan()
    finally:
        room.server.start()


@pytest.fixture(scope="module")
def without_lifecycle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    with PrometheusServer(tmp_path_factory.mktemp("no-lifecycle"), lifecycle=False) as server:
        yield server


async def test_without_the_lifecycle_api_the_preview_says_so(
    prometheus: PrometheusServer, without_lifecycle: PrometheusServer, room: Room
) -> None:
    step = room.step(without_lifecycle.url, rules_present=("Slow",))
    blocks = [f.text for f in await step.preflight() if f.level == "block"]
    assert len(blocks) == 1
    assert "it runs without --web.enable-lifecycle; start it with that flag, or let something else" in blocks[0]
    change = await step.plan()
    with pytest.raises(Refused, match=r"--web\.enable-lifecycle"):
        await step.apply(change.goal, permit())
    waiting = room.step(without_lifecycle.url, rules_present=("Slow",), send=False)
    assert not [f for f in await waiting.preflight() if f.level in ("warn", "block")]


async def test_without_a_permit_nothing_is_sent(room: Room) -> None:
    with Way(room.server) as way:
        step = room.step(way.url)
        change = await step.plan()
        with pytest.raises(Refused, match="permit"):
            await step.apply(change.goal, None)  # type: ignore[arg-type]
        assert way.changes == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"status": "success", "data": {"groups": [[1]]}}', "an answer that is not understood"),
        (b"<html><title>Log in</title>", 'it answers 200 OK to /api/v1/status/runtimeinfo: a web page titled "Log in"'),
        (b'{"status": "success", "data": 1}', "an answer that is not understood"),
    ],
    ids=["other groups", "login page", "a number"],
)
async def test_something_else_at_the_address_is_told_as_such(room: Room, body: bytes, told: str) -> None:
    with Loopback(lambda _: Reply(body)) as other, pytest.raises(Failed) as raised:
        await room.step(other.url).plan()
    assert told in str(raised.value)


# ---------------------------------------------------------------- lost answers


async def test_a_lost_answer_is_settled_by_what_is_loaded(room: Room) -> None:
    room.file.write_text(ORIGINAL)
    with Way(room.server) as way:
        way.fate = lambda _number, _request: "swallow"
        outcome = await (await room.console(step=room.step(way.url))).roll_back()
        assert (outcome.states, len(way.changes)) == (["proven"], 1)


async def test_a_reload_that_never_arrived_is_not_done_and_not_sent_again(room: Room, impatient: None) -> None:
    room.file.write_text(ORIGINAL)
    with Way(room.server) as way:
        way.fate = lambda _number, _request: "lose"
        step = room.step(way.url)
        change = await step.plan()
        with pytest.raises(Unknown, match="no answer to the reload"):
            await step.apply(change.goal, permit())
        assert (await step.probe(change.goal)).answer == "not_done"
        assert len(way.changes) == 1
    assert room.names() == ["SlowQec", "qec:p95"]


# ---------------------------------------------------------------- rolling forward


async def test_two_steps_around_the_file_reload_after_it_in_both_directions(room: Room) -> None:
    names = {"rules_present": ("Slow",), "rules_absent": ("SlowQec", "qec:p95")}
    console = await room.console(
        first=room.step(**names, direction="forward"), file=room.file_step(), last=room.step(**names)
    )
    before = room.server.get("/api/v1/rules")["groups"][0]["rules"]
    back = await console.roll_back()
    assert back.states == ["proven", "proven", "proven"], [s.reason for s in back.component.steps.values()]
    assert back.step.reason == (
        "noted: rule Slow not loaded; rule SlowQec loaded as qec_p95 > 2; rule qec:p95 loaded as max(qec_p95)"
    )
    assert room.names() == ["Slow"]
    forward = await console.roll_forward()
    assert forward.component.state == "rolled_forward", forward.component.reason
    assert "rule SlowQec loaded as qec_p95 > 2" in forward.step.reason
    assert forward.component.steps["last"].reason.startswith("nothing was reloaded: its files come back after")
    after = room.server.get("/api/v1/rules")["groups"][0]["rules"]
    assert [(rule["name"], rule["query"]) for rule in after] == [(rule["name"], rule["query"]) for rule in before]


async def test_rolling_forward_waits_until_the_rules_are_as_they_were_to_the_letter(room: Room) -> None:
    room.load(CHANGED)
    step = room.step(rules_present=("Slow",), direction="forward")
    noted = await step.capture(await step.plan())
    room.load(ORIGINAL)
    undo = await step.plan_undo([noted])
    assert not undo.already
    with pytest.raises(Failed, match=r"rule Slow is not loaded as it was: qec_p95 > 0\.5"):
        await step.apply(undo.goal, permit())
    room.file.write_text(CHANGED)
    await step.apply(undo.goal, permit())
    assert (await step.probe(undo.goal)).answer == "done"


async def test_what_was_noted_first_counts_and_is_not_noted_again(room: Room) -> None:
    step = room.step(**EXPECTED, direction="forward")
    first = await step.plan()
    room.load(ORIGINAL)
    again = await step.plan(first.pin)
    assert (again.already, again.pin) == (True, first.pin)
    undo = await step.plan_undo([await step.capture(first), await step.capture(again)])
    assert [wish["loaded"] for wish in undo.goal["expected"]] == [False, True, True]


async def test_a_step_after_the_files_says_that_rolling_forward_does_nothing_here(room: Room) -> None:
    room.server.stop()  # it has nothing to ask
    try:
        undo = await room.step().plan_undo([{"work": "reload", "expected": []}])
        assert undo.already
        assert undo.summary == "nothing is reloaded here: its files come back after this step"
    finally:
        room.server.start()


# ---------------------------------------------------------------- somebody else reloads it


async def test_what_something_else_reloads_is_waited_for(room: Room, impatient: None) -> None:
    with Way(room.server) as way:
        step = room.step(way.url, **EXPECTED, send=False, wait="20s")
        console = await room.console(step=step)
        assert (await console.planned()).line == (
            "wait until something reloads Prometheus prom: rule Slow loaded; rule SlowQec not loaded and 1 more"
        )
        working = asyncio.create_task(console.roll_back())
        await console.until("applied", shown="rule Slow is not loaded")
        room.load(ORIGINAL)
        assert (await working).states == ["proven"]
        assert way.changes == []


# ---------------------------------------------------------------- what is remarked


async def test_a_loaded_rule_that_can_not_be_evaluated_is_remarked(room: Room) -> None:
    room.server.metrics["qec_p95"] = 3.0
    room.server.wait_value("qec_p95", 3.0)
    room.load("groups: [{name: g, rules: [{record: bad, expr: 'up * on() group_left() (up or vector(1))'}]}]")
    step = room.step(rules_present=("bad",))
    poll("the rule was evaluated", lambda: room.health("bad") == "err")
    detail = (await step.probe((await step.plan()).goal)).detail
    assert "can't be evaluated: " in detail
    assert "rule bad loaded as" in detail


async def test_no_secret_of_the_target_is_shown(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROM_TOKEN", "hunter2-hunter2")
    options = {"url": room.server.url, "token": {"env": "PROM_TOKEN"}}
    target = targets.build("prom", targets.Options.model_validate(options))
    step = prometheus_reload.build("step", prometheus_reload.Options.model_validate(EXPECTED), target)
    change = await step.plan()
    assert "hunter2" not in repr((change, step.describe()))
    assert '-H "Authorization: Bearer $PROM_TOKEN"' in change.commands[0]
    await target.close()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "name at least one rule or job"),
        ({"rules_present": ("A",), "rules_absent": ("A",)}, "present and absent at once: A"),
        ({"expressions": {"A": "up"}, "rules_absent": ("A",)}, "present and absent at once: A"),
    ],
    ids=["nothing is expected", "a rule both ways", "an expression both ways"],
)
def test_options_that_prove_nothing_are_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        prometheus_reload.Options.model_validate(given)
