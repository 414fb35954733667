"""The whole procedure, made from sample-config.toml, on real servers: Kubernetes, OPA, Prometheus, PostgreSQL and git at once.

What counts is what the servers say, by hash: each test compares what they hold before and after.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from console.domain.events import Direction
from console.wiring import Request, open_session
from tests.real import scene
from tests.real.conftest import START_UP
from tests.real.dying import Death, Mortal
from tests.real.opa_room import ORIGINAL
from tests.real.program import Console
from tests.real.servers import ControlPlane, NotBuilt, binaries, poll
from tests.real.servers.git import git
from tests.real.terminal import Terminal
from tests.real.whole import Whole
from tests.real.whole.monitoring import SERVICES
from tests.real.whole.policies import FOREIGN_PACKAGE, TAG
from tests.real.whole.systems import COMPONENTS, RESTORED

pytestmark = pytest.mark.timeout(600)
"""Some tests run the program two dozen times; on a busy machine that takes minutes."""
KILLED = -9
SERVERS = binaries.cache()
ACTS_ON = {
    "kubernetes": {"qec-analysis", "dashboard", "opa-policies", "monitoring"},
    "opa": {"opa-policies", "policy-repository"},
    "prometheus": {"monitoring"},
    "postgres": {"audit-trail"},
    "git": {"policy-repository"},
}
"""Which components can't go without a system."""
OF_SYSTEM = {
    "kubernetes": "dashboard",
    "opa": "opa-policies",
    "prometheus": "monitoring",
    "postgres": "audit-trail",
    "git": "policy-repository",
}
"""A component that changes it."""


@pytest.fixture(scope="module")
def servers(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    try:
        whole = Whole(tmp_path_factory.mktemp("whole"), cluster)
    except NotBuilt as absent:
        if binaries.REQUIRED:
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))
    with whole:
        yield whole


@pytest.fixture
def whole(servers: Whole) -> Whole:
    """Every system as the migration left it."""
    servers.reset()
    return servers


@pytest.fixture
def console(whole: Whole, tmp_path: Path) -> Console:
    """The sample as a procedure for these systems, and an incident."""
    console = whole.console(tmp_path)
    console.declare()
    return console


def roll(direction: str, *components: str) -> tuple[str, ...]:
    return f"roll{direction}", *components, "--confirm", ",".join(components)


def proven(console: Console, *components: str, state: str = "rolled_back") -> None:
    """The journal says of every step of these components that its target has proven it, or was so already."""
    wanted = {"already", "proven" if state == "rolled_back" else "undone"}
    for component in console.status()["components"]:
        if component["id"] in components:
            assert component["state"] == state, component
            assert {step["state"] for step in component["steps"]} <= wanted, component


def taken_back(whole: Whole) -> None:
    """Everything that the seed asks for is so, as the servers themselves say."""
    state = whole.state()
    objects, container = state["kubernetes"], lambda name: _container(state, name)
    assert {"name": "QEC_ENABLED", "value": "false"} in container("acgs-pgp/api-gateway")["env"]
    assert "Deployment acgs-pgp/original-policy-validator" in objects
    assert container("acgs-pgp/acgs-pgp-dashboard")["image"] == "dash:1.0"
    assert objects["ConfigMap acgs-pgp/dashboard-config"]["data"]["show_qec_features"] == "false"
    assert objects["ConfigMap acgs-pgp/opa-config"]["data"]["enable_qec_policies"] == "false"
    assert objects["ConfigMap monitoring/prometheus-config"]["data"]["scrape_qec"] == "false"
    modules = {name: text for name, text in ORIGINAL.items() if name.endswith(".rego")}
    for opa in whole.opas:
        assert opa.texts() == modules | FOREIGN_PACKAGE
        assert opa.decide("acgs/authz/allow", user="ada") is True
        assert opa.decide("acgs/authz/allow", user="eve") is False
    assert state["prometheus"] == {"rules": {"ApiSlow": "api_p95_seconds > 5"}, "jobs": [SERVICES]}
    assert (whole.missing_rows(), whole.trail.count) == (0, RESTORED)
    refs = state["git"]["refs"]
    assert refs["refs/heads/main"] == refs[TAG] == state["git"]["clone"]["head"]


def _container(state: dict[str, Any], name: str) -> Any:
    return state["kubernetes"][f"Deployment {name}"]["spec"]["template"]["spec"]["containers"][0]


def settled(whole: Whole, wanted: dict[str, str]) -> None:
    """Every system is as wanted, by hash; garbage collection and a volume's lag need a moment."""
    poll("every system is as it was", lambda: whole.hashes() == wanted)


# ------------------------------------------------------------ before anything is sent


def test_one_preflight_looks_at_the_whole_and_changes_nothing(
    console: Console, whole: Whole, request: pytest.FixtureRequest
) -> None:
    before, writes = whole.hashes(), whole.writes()
    started = time.monotonic()
    run = console.done("--json", "preflight")
    request.config.stash[START_UP]["preflight of the whole"] = time.monotonic() - started
    assert [component["id"] for component in run.document["components"]] == list(COMPONENTS)
    assert not any(component["blocked"] for component in run.document["components"])
    findings = [f for c in run.document["components"] for s in c["steps"] for f in s["findings"]]
    remarkable = {f["code"] for f in findings if f["level"] not in ("ok", "info")}
    assert remarkable == {"takes_over"}, run.out  # the rules, whose fields the migration's release owns
    assert (whole.hashes(), whole.writes()) == (before, writes)


# ------------------------------------------------------------ back, again, forward, again


def test_each_component_back_again_and_forward(console: Console, whole: Whole) -> None:
    before = whole.hashes()
    for component in COMPONENTS:
        console.done(*roll("back", component))
        proven(console, component)
    taken_back(whole)
    _again_changes_nothing(console, whole, "back", COMPONENTS)
    for component in reversed(COMPONENTS):
        console.done(*roll("forward", component))
        proven(console, component, state="rolled_forward")
    settled(whole, before)
    _again_changes_nothing(console, whole, "forward", COMPONENTS[::-1])


def test_the_whole_in_one_go_and_forward(console: Console, whole: Whole) -> None:
    before = whole.hashes()
    console.done(*roll("back", *COMPONENTS))
    proven(console, *COMPONENTS)
    taken_back(whole)
    console.done("baseline", "take")
    console.done("verify")
    _again_changes_nothing(console, whole, "back", COMPONENTS)
    console.done(*roll("forward", *reversed(COMPONENTS)))
    proven(console, *COMPONENTS, state="rolled_forward")
    settled(whole, before)


def test_all_side_by_side_what_two_of_them_share_is_changed_by_one_and_going_on_finishes(
    console: Console, whole: Whole
) -> None:
    """Two components restore OPA. Whichever comes second finds it changed, or done already; it never writes over the first."""
    run = console.run(*roll("back", *COMPONENTS), "--side-by-side")
    assert run.code in (0, 4), run.said
    stopped = [component["id"] for component in console.status()["components"] if component["state"] != "rolled_back"]
    assert set(stopped) <= ACTS_ON["opa"], run.said
    console.done(*roll("back", *COMPONENTS))
    proven(console, *COMPONENTS)
    taken_back(whole)


def _again_changes_nothing(console: Console, whole: Whole, direction: str, components: tuple[str, ...]) -> None:
    """Nothing is even written: no object's version moves, no row's transaction, nothing is pushed, PUT or reloaded."""
    held, writes = whole.hashes(), whole.writes()
    said = console.done(*roll(direction, *components)).out
    assert said.count(": nothing to change, already") == len(components), said
    assert (whole.hashes(), whole.writes()) == (held, writes)


@pytest.mark.tmux
def test_the_whole_by_keys(console: Console, whole: Whole) -> None:
    before = whole.hashes()
    with Terminal(console, 120, 50) as terminal:
        terminal.wait("1  QEC Analysis Service")
        for number, component in enumerate(COMPONENTS, start=1):
            terminal.press("2", *(["Down"] if number > 1 else []), "b")
            terminal.wait(f"Type  {component} ")
            terminal.type(component)
            terminal.wait(rf"{number}  \S.*✔ rolled back", seconds=60)
        taken_back(whole)
        for number, component in reversed([*enumerate(COMPONENTS, start=1)]):
            terminal.press("2", *(["Up"] if number < len(COMPONENTS) else []), "f")
            terminal.wait(f"Type  {component} ")
            terminal.type(component)
            terminal.wait(rf"{number}  \S.*rolled forward", seconds=60)
        terminal.press("C-q")
        assert terminal.exit_code() == 0
    proven(console, *COMPONENTS, state="rolled_forward")
    settled(whole, before)


# ------------------------------------------------------------ killed


@pytest.fixture(scope="module")
def mortal() -> Iterator[Mortal]:
    with Mortal() as mortal:
        yield mortal


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("of", ["first", "last"])
def test_killed_with_a_question_open_each_component_goes_on_and_comes_back(
    console: Console, whole: Whole, mortal: Mortal, component: str, of: str
) -> None:
    """Killed right after the first step was marked as sent, or right before the answer to the last one is recorded."""
    before = whole.hashes()
    for direction in ("back", "forward"):
        steps = [s for s in console.component(component)["steps"] if direction == "back" or _sends_forward(s["id"])]
        sent, applied = 1 + 2, 1 + 4 * (len(steps) - 1) + 3
        death = Death("after", sent) if of == "first" else Death("before", applied)
        died = mortal.run(console, death, "--json", *roll(direction, component))
        assert died.code == KILLED, died.said
        console.done(*roll(direction, component))
        proven(console, component, state=f"rolled_{'back' if direction == 'back' else 'forward'}")
    settled(whole, before)


def _sends_forward(step: str) -> bool:
    """Whether the step has anything to send when it is rolled forward; the others are recorded as already so."""
    return step not in ("reload-prometheus",)


@pytest.mark.parametrize("append", [4, 25, 47])
def test_killed_in_the_middle_of_the_whole_the_same_command_goes_on(
    console: Console, whole: Whole, mortal: Mortal, append: int
) -> None:
    died = mortal.run(console, Death("after", append), "--json", *roll("back", *COMPONENTS))
    assert died.code == KILLED, died.said
    console.done(*roll("back", *COMPONENTS))
    proven(console, *COMPONENTS)
    taken_back(whole)
    _again_changes_nothing(console, whole, "back", COMPONENTS)


# ------------------------------------------------------------ somebody else


def _someone_releases(whole: Whole) -> str:
    patch = '{"spec":{"template":{"spec":{"containers":[{"name":"dashboard","image":"dash:3.0"}]}}}}'
    whole.cluster.kubectl("patch", "deployment", scene.DASHBOARD, "-n", scene.NAMESPACE, "-p", patch)
    return "kubectl"


def _someone_puts_a_policy(whole: Whole) -> str:
    whole.opas[1].put("acgs/lib.rego", "package acgs.lib\n\nquantum_ok(_)\n\nis_admin(_) if false\n")
    return "acgs/lib.rego"


def _someone_edits_the_rules(whole: Whole) -> str:
    rules = {"groups": [{"name": "acgs-pgp", "rules": [{"alert": "ApiSlow", "expr": "api_p95_seconds > 7"}]}]}
    patch = json.dumps({"data": {"rules.yaml": json.dumps(rules)}})
    whole.cluster.kubectl("patch", "configmap", "prometheus-rules", "-n", scene.MONITORING, "-p", patch)
    return "prometheus-rules"


def _someone_writes_an_entry(whole: Whole) -> str:
    """Restores one by hand, or changes it where it is restored already."""
    if whole.missing_rows():
        whole.trail.add_by_hand("id = 101")
    else:
        whole.trail.sql("UPDATE audit_log SET actor = 'eve' WHERE id = 101")
    return "audit_log"


def _someone_pushes(whole: Whole) -> str:
    desk = whole.folder / f"desk-{time.monotonic_ns()}"
    git("clone", "--quiet", str(whole.remote.path), str(desk), cwd=whole.folder)
    (desk / "fix.md").write_text("a fix\n")
    git("add", "--all", cwd=desk)
    git("commit", "--quiet", "--message", "A fix", cwd=desk, author="Grace")
    git("push", "--quiet", "origin", "HEAD:main", cwd=desk)
    return "Grace"


SOMEONE: dict[str, Callable[[Whole], str]] = {
    "kubernetes": _someone_releases,
    "opa": _someone_puts_a_policy,
    "prometheus": _someone_edits_the_rules,
    "postgres": _someone_writes_an_entry,
    "git": _someone_pushes,
}


@pytest.mark.parametrize("system", SOMEONE)
async def test_a_change_between_the_preview_and_the_word_is_refused_and_told(
    console: Console, whole: Whole, system: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {**console.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ROLLBACK_CONSOLE_REAL", str(SERVERS))
    component = OF_SYSTEM[system]
    state, reason, held, told = await asyncio.wait_for(_confirmed_late(console, whole, component, system), 60)
    assert state in ("failed", "stopped"), reason
    assert told in reason, reason
    assert whole.hashes()[system] == held[system], "nothing but the other's change"


async def _confirmed_late(
    console: Console, whole: Whole, component: str, system: str, direction: Direction = "back"
) -> tuple[str, str, dict[str, str], str]:
    session = await open_session(Request(console.procedure, console.journal, "ada"))
    try:
        preview = await session.preview(component, direction)
        told = await asyncio.to_thread(SOMEONE[system], whole)
        held = await asyncio.to_thread(whole.hashes)
        await session.confirm(preview, component)
        await session.wait(component)
        view = next(c for c in session.view().components if c.id == component)
        return view.state, " ".join([view.reason, *(s.reason for s in view.steps)]), held, told
    finally:
        await session.close()


@pytest.mark.parametrize("system", SOMEONE)
def test_what_somebody_changed_after_the_rollback_is_not_overwritten_on_the_way_forward(
    console: Console, whole: Whole, system: str
) -> None:
    console.done(*roll("back", *COMPONENTS))
    told = SOMEONE[system](whole)
    held = whole.hashes()
    run = console.run(*roll("forward", OF_SYSTEM[system]))
    assert run.code in (1, 4), run.said
    assert told in run.said, run.said
    assert whole.hashes()[system] == held[system]


# ------------------------------------------------------------ one system is down


def _down(whole: Whole, system: str) -> None:
    stop: dict[str, Callable[[], object]] = {
        "kubernetes": whole.cluster.apiserver.stop,
        "opa": whole.opas[1].stop,
        "prometheus": whole.prometheus.stop,
        "postgres": whole.postgres.process.kill,
        "git": lambda: whole.git.__exit__(None, None, None),
    }
    stop[system]()


@pytest.mark.parametrize("system", ACTS_ON)
def test_with_one_system_down_the_others_are_ready_and_it_is_named(console: Console, whole: Whole, system: str) -> None:
    _down(whole, system)
    assert _blocked(console) == ACTS_ON[system]
    lines = console.run("preflight").out.splitlines()
    for component in COMPONENTS:
        word = "BLOCKED" if component in ACTS_ON[system] else "ok"
        assert any(line.endswith(f"({component}): {word}") for line in lines), lines
    other = "audit-trail" if system != "postgres" else "dashboard"
    console.done(*roll("back", other))
    proven(console, other)
    refused = console.run(*roll("back", OF_SYSTEM[system]))
    assert refused.code == 4, refused.said


@pytest.mark.parametrize("system", [name for name in ACTS_ON if name != "git"])
def test_with_one_system_silent_the_preflight_ends_and_names_it(
    console: Console, whole: Whole, system: str, request: pytest.FixtureRequest
) -> None:
    frozen = {
        "kubernetes": whole.cluster.apiserver,
        "opa": whole.opas[1].process,
        "prometheus": whole.prometheus.process,
        "postgres": whole.postgres.process,
    }[system]
    frozen.pause()
    try:
        started = time.monotonic()
        blocked = _blocked(console)
        request.config.stash[START_UP][f"preflight with {system} silent"] = time.monotonic() - started
    finally:
        frozen.resume()
    assert blocked == ACTS_ON[system]


def _blocked(console: Console) -> set[str]:
    """The components that can't go, as preflight says; each of them with a reason for people."""
    run = console.run("--json", "preflight")
    assert run.code == 4, run.said
    blocked = [component for component in run.document["components"] if component["blocked"]]
    for component in blocked:
        told = [s["problem"] or f["text"] for s in component["steps"] for f in s["findings"] or [{"text": ""}]]
        assert any(told), component
        assert not any("internal error" in one for one in told), told
    return {component["id"] for component in blocked}
