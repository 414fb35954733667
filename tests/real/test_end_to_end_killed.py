"""Killed with SIGKILL anywhere, started again as people start it: every change once, everything proven, and the way back.

A component of two steps appends ten events in each direction: it dies right before and right after each of them, and in the
middle of the steps that change several objects, between two requests. Most of the time it is started again by the fork of
`dying.py`, which is the same program without its second of imports; at the places where most can go wrong, by its command.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from console.journals.sqlite import SqliteJournal
from tests.real import scene
from tests.real.dying import Death, Mortal
from tests.real.program import Console, Ended
from tests.real.servers import ControlPlane
from tests.real.snapshots import Snapshot, at_rest, expect, snapshot, without_history

RUN = (
    "component_confirmed",
    *("step_intended", "step_sent", "step_applied", "step_proven") * 2,
    "component_finished",
)
SENT, APPLIED = RUN.index("step_sent") + 1, RUN.index("step_applied") + 1
BETWEEN_TWO_EVENTS = [death for n in range(1, len(RUN) + 1) for death in (Death("before", n), Death("after", n))]
WITHIN_A_STEP = [Death("after", n, "request") for n in (1, 2, 3)]
SENT_AND_NOT_ANSWERED = [Death("after", SENT), Death("before", APPLIED), Death("after", 2, "request")]
KILLED = -9

Start = Callable[..., Ended]
"""Starts a component's program with these arguments and waits for its end."""


@dataclass
class Component:
    """One of the two components: its objects' names begin with `apps`; no object belongs to both."""

    id: str
    apps: tuple[str, ...]
    console: Console
    mortal: Mortal = field(default_factory=Mortal)
    original: Snapshot = field(default_factory=dict)
    back: Snapshot = field(default_factory=dict)
    forward: Snapshot = field(default_factory=dict)

    def command(self, direction: str) -> tuple[str, ...]:
        return "--json", f"roll{direction}", self.id, "--confirm", self.id

    def with_journal(self, journal: Path) -> Component:
        """The same with a copy of its journal, in which the incident has just been declared."""
        journal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.console.journal, journal)
        return replace(self, console=replace(self.console, journal=journal))


@pytest.fixture(scope="module")
def components(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Component]]:
    """Both components, each with what an undisturbed run there and back leaves, and a journal with an open incident."""
    cluster.start()
    scene.reset(cluster)
    folder = tmp_path_factory.mktemp("killed")
    procedure = scene.write_procedure(folder, cluster.kubeconfig(), "admin", None)
    found = [
        Component("qec-analysis", ("api-gateway", "original-"), Console(procedure, folder / "a" / "journal.sqlite")),
        Component("dashboard", ("acgs-", "dashboard-"), Console(procedure, folder / "b" / "journal.sqlite")),
    ]
    with ThreadPoolExecutor(len(found)) as threads:
        for measured in [threads.submit(_measure_undisturbed, cluster, one, folder) for one in found]:
            measured.result()
    yield found
    for one in found:
        one.mortal.__exit__(None, None, None)


def _measure_undisturbed(cluster: ControlPlane, component: Component, folder: Path) -> None:
    component.console.declare()
    undisturbed = component.with_journal(folder / f"undisturbed-{component.id}.sqlite")
    component.original = at_rest(cluster, *component.apps)
    _settled(undisturbed.console.run(*component.command("back")), "rolled_back")
    component.back = at_rest(cluster, *component.apps)
    _settled(undisturbed.console.run(*component.command("forward")), "rolled_forward")
    component.forward = at_rest(cluster, *component.apps)
    assert undisturbed.console.events() == ["incident_declared", *RUN, *RUN], (
        "the places of death are no longer all places"
    )
    assert component.back != component.original
    assert without_history(component.forward) == without_history(component.original)


@pytest.mark.parametrize("death", [*BETWEEN_TWO_EVENTS, *WITHIN_A_STEP], ids=lambda d: str(d).replace(" ", "-"))
def test_killed_and_started_again_every_change_is_made_once_and_can_be_taken_back(
    components: list[Component], fresh_scene: ControlPlane, tmp_path: Path, death: Death
) -> None:
    def start_again(one: Component, *arguments: str) -> Ended:
        return one.mortal.run(one.console, None, *arguments)

    _side_by_side(components, fresh_scene, tmp_path, [death], start_again)


@pytest.mark.parametrize("death", SENT_AND_NOT_ANSWERED, ids=lambda d: str(d).replace(" ", "-"))
def test_killed_with_its_question_unanswered_it_goes_on_when_its_command_is_given_again(
    components: list[Component], fresh_scene: ControlPlane, tmp_path: Path, death: Death
) -> None:
    _side_by_side(components, fresh_scene, tmp_path, [death], _by_its_command)


def test_dying_over_and_over_it_arrives_all_the_same(
    components: list[Component], fresh_scene: ControlPlane, tmp_path: Path
) -> None:
    """Killed in the recovery of what it was killed in, at places drawn from a fixed seed."""
    draw = random.Random(7)  # noqa: S311 - the same places each time
    deaths = [Death(draw.choice(("before", "after")), draw.randint(1, 7)) for _ in range(8)]
    _side_by_side(components, fresh_scene, tmp_path, deaths, _by_its_command)


def _by_its_command(component: Component, *arguments: str) -> Ended:
    return component.console.run(*arguments)


def _side_by_side(
    components: list[Component], cluster: ControlPlane, folder: Path, deaths: list[Death], start_again: Start
) -> None:
    """Both components at once, each with a journal of its own: no object belongs to both, and waiting is cheap."""
    with ThreadPoolExecutor(len(components)) as threads:
        mine = [one.with_journal(folder / one.id / "journal.sqlite") for one in components]
        for running in [threads.submit(_die_and_go_on, cluster, one, deaths, start_again) for one in mine]:
            running.result()


def _die_and_go_on(cluster: ControlPlane, component: Component, deaths: list[Death], start_again: Start) -> None:
    for direction, wanted in (("back", component.back), ("forward", component.forward)):
        for death in deaths:
            died = component.mortal.run(component.console, death, *component.command(direction))
            assert died.code in ((KILLED,) if _certain(death, deaths) else (KILLED, 0)), died.said
        _settled(start_again(component, *component.command(direction)), f"rolled_{direction}")
        expect(cluster, wanted, *component.apps)
    assert without_history(snapshot(cluster, *component.apps)) == without_history(component.original)
    _no_change_was_made_twice(component.console)


def _certain(death: Death, deaths: list[Death]) -> bool:
    """Whether every run comes as far as this death; after an earlier one there may be less left to do."""
    return len(deaths) == 1 and death.of == "append"


def _settled(run: Ended, state: str) -> None:
    """It ended well, in this state, with no step in doubt and each one proven."""
    assert run.code == 0, run.said
    [component] = run.document["components"]
    assert component["state"] == state, component
    wanted = {"proven", "already"} if state == "rolled_back" else {"undone"}
    assert {step["state"] for step in component["steps"]} <= wanted, component


def _no_change_was_made_twice(console: Console) -> None:
    """The journal is intact and tells the same: in each direction a step was proven once at most."""
    journal = SqliteJournal(console.journal, create=False)
    try:
        proven = [e.event.step for e in journal.read() if e.event.type == "step_proven"]
    finally:
        journal.close()
    assert all(proven.count(step) <= 2 for step in proven), proven
