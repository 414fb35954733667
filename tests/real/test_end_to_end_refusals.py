"""What must not happen does not: each refusal through the real program, with its words, its exit code, and nothing changed."""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.real import scene
from tests.real.program import Console, Ended
from tests.real.scene import DASHBOARD, GATEWAY, NAMESPACE
from tests.real.servers import ControlPlane
from tests.real.snapshots import nothing_is_written, snapshot, without_history

DONE, FAILED, REFUSED = 0, 1, 4
ALL = ("qec-analysis", "dashboard")
MANIFEST = "backup/original-policy-validator.yaml"
LONGEST_ANSWER_SECONDS = 30.0


@pytest.fixture
def console(fresh_scene: ControlPlane, tmp_path: Path) -> Console:
    """The fresh scene's procedure without triggers, and an incident that has just been declared."""
    found = Console.beside(scene.write_procedure(tmp_path, fresh_scene.kubeconfig(), "admin", None))
    found.declare()
    return found


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def refused(run: Ended, *words: str) -> None:
    """One clear line on standard error with these words, exit code 4, no traceback."""
    assert run.code == REFUSED, run.said
    told(run, *words)


def told(run: Ended, *words: str) -> None:
    assert run.err.startswith("rollback-console: "), run.said
    assert len(run.err.splitlines()) == 1, run.err
    assert all(word in run.err for word in words), run.err


# ------------------------------------------------------------ confirmation and permission


def test_a_wrong_confirmation_changes_nothing(console: Console, fresh_scene: ControlPlane) -> None:
    with nothing_is_written(fresh_scene):
        run = console.run("rollback", "dashboard", "--confirm", "qec-analysis")
        refused(run, '--confirm names "qec-analysis"', 'the command "dashboard"', "nothing was done")
        refused(console.run("rollback", *ALL, "--confirm", "dashboard"), "they must be the same")
    assert console.events() == ["incident_declared"]


def test_whoever_may_not_is_told_verb_and_resource_before_anything_is_sent(
    fresh_scene: ControlPlane, tmp_path: Path
) -> None:
    console = Console.beside(scene.write_procedure(tmp_path, fresh_scene.kubeconfig("limited"), "limited", None))
    console.declare()
    with nothing_is_written(fresh_scene):
        preflight = console.run("preflight")
        assert preflight.code == REFUSED, preflight.said
        for line in (
            "limited may not patch deployments.apps in namespace acgs-pgp (context limited)",
            "limited may not create configmaps in namespace acgs-pgp (context limited)",
            "limited may not patch configmaps in namespace acgs-pgp (context limited)",
        ):
            assert line in preflight.out
        refused(
            console.run("rollback", "qec-analysis", "--confirm", "qec-analysis"), "limited may not patch deployments"
        )
        refused(console.run("rollback", "dashboard", "--confirm", "dashboard"), "limited may not patch deployments")
    assert console.events() == ["incident_declared"]


def test_before_an_incident_is_declared_nothing_can_be_rolled_back(fresh_scene: ControlPlane, tmp_path: Path) -> None:
    console = Console.beside(scene.write_procedure(tmp_path, fresh_scene.kubeconfig(), "admin", None))
    with nothing_is_written(fresh_scene):
        refused(console.run("rollback", "dashboard", "--confirm", "dashboard"), "no incident is open", "declare")


# ------------------------------------------------------------ drift


def test_a_plan_that_is_no_longer_the_plan_is_refused(console: Console, fresh_scene: ControlPlane) -> None:
    plan = console.done("--json", "plan", "qec-analysis").document["hash"]
    fresh_scene.kubectl("set", "env", f"deployment/{GATEWAY}", "-n", NAMESPACE, "-c", "gateway", "QEC_ENABLED=perhaps")
    with nothing_is_written(fresh_scene):
        run = console.run("rollback", "qec-analysis", "--confirm", "qec-analysis", "--plan", plan)
        refused(run, f"not {plan[:12]}…", "nothing was changed")
    fresh_scene.kubectl("set", "env", f"deployment/{GATEWAY}", "-n", NAMESPACE, "-c", "gateway", "QEC_ENABLED=true")
    console.done("rollback", "qec-analysis", "--confirm", "qec-analysis", "--plan", plan)
    assert console.component("qec-analysis")["state"] == "rolled_back"


def test_what_somebody_else_changed_after_the_rollback_is_not_overwritten_by_the_way_forward(
    console: Console, fresh_scene: ControlPlane
) -> None:
    console.done("rollback", "qec-analysis", "--confirm", "qec-analysis")
    fresh_scene.kubectl("set", "env", f"deployment/{GATEWAY}", "-n", NAMESPACE, "-c", "gateway", "QEC_ENABLED=perhaps")
    with nothing_is_written(fresh_scene):
        run = console.run("rollforward", "qec-analysis", "--confirm", "qec-analysis")
        refused(run, "api-gateway was changed by kubectl-set", "since it was rolled back")


# ------------------------------------------------------------ what can't work, found before it is tried

Break = Callable[[ControlPlane, Path], object]

CANNOT_WORK: dict[str, tuple[str, str, Break]] = {
    "a container that is not there": (
        "qec-analysis",
        'has no container "gatway" (there: gateway, access-log); did you mean "gateway"?',
        lambda _, procedure: edit(procedure, 'name = "gateway"', 'name = "gatway"'),
    ),
    "a variable that is not there": (
        "qec-analysis",
        'has no variable "QEC_ENABLE" (there: QEC_ENABLED, UPSTREAM_TIMEOUT); did you mean "QEC_ENABLED"?',
        lambda _, procedure: edit(procedure, 'name = "QEC_ENABLED"', 'name = "QEC_ENABLE"'),
    ),
    "a deployment without history": (
        "dashboard",
        "keeps no history (revisionHistoryLimit: 0)",
        lambda cluster, _: cluster.kubectl(
            *("patch", "deployment", DASHBOARD, "-n", NAMESPACE, "-p", '{"spec":{"revisionHistoryLimit":0}}')
        ),
    ),
    "a paused deployment": (
        "dashboard",
        "acgs-pgp-dashboard is paused",
        lambda cluster, _: cluster.kubectl("rollout", "pause", f"deployment/{DASHBOARD}", "-n", NAMESPACE),
    ),
    "an image that was never there": (
        "dashboard",
        'acgs-pgp-dashboard has no image dash:0.9 in its history; it has: revision 1 (dash:1.0)',
        lambda _, procedure: edit(procedure, 'image = "dash:1.0"', 'image = "dash:0.9"'),
    ),
    "a misspelt field in a manifest": (
        "qec-analysis",
        ".spec.replcas",
        lambda _, procedure: edit(procedure.parent / MANIFEST, "replicas: 2", "replcas: 2"),
    ),
    "a manifest that is not there": (
        "qec-analysis",
        "there is no ",
        lambda _, procedure: (procedure.parent / MANIFEST).unlink(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CANNOT_WORK)
def test_what_cannot_work_is_found_before_anything_is_sent(
    console: Console, fresh_scene: ControlPlane, what: str
) -> None:
    component, words, break_it = CANNOT_WORK[what]
    break_it(fresh_scene, console.procedure)
    with nothing_is_written(fresh_scene):
        for command in ("preflight", "plan"):
            looked = console.run(command, component)
            assert (looked.code, words in looked.out) == (REFUSED, True), looked.said
        refused(console.run("rollback", component, "--confirm", component), words)
    assert "step_intended" not in console.events()


# ------------------------------------------------------------ a rollout that never becomes ready


def test_a_rollout_that_never_becomes_ready_fails_with_its_reason_and_the_way_forward_heals(
    console: Console, fresh_scene: ControlPlane
) -> None:
    original = snapshot(fresh_scene)
    crash = 'labels: {app: original-policy-validator, test.rollback-console/crash: "true"}\n    spec:'
    edit(console.procedure.parent / MANIFEST, "labels: {app: original-policy-validator}\n    spec:", crash)
    edit(console.procedure, 'path = "backup', 'timeout = "5s"\npath = "backup')
    run = console.run("--json", "rollback", "qec-analysis", "--confirm", "qec-analysis")
    assert run.code == FAILED, run.said
    [component] = run.document["components"]
    first, second = component["steps"]
    assert (component["state"], first["state"], second["state"]) == ("failed", "proven", "failed")
    assert re.search(r"not there after 5 s: .*pod original-policy-validator-\S+: CrashLoopBackOff", second["reason"])
    healed = console.done("--json", "rollforward", "qec-analysis", "--confirm", "qec-analysis").document
    assert healed["components"][0]["state"] == "rolled_forward"
    assert without_history(snapshot(fresh_scene)) == without_history(original)


# ------------------------------------------------------------ the API server is gone


def _run_within(console: Console, *arguments: str) -> Ended:
    started = time.monotonic()
    run = console.run(*arguments, seconds=4 * LONGEST_ANSWER_SECONDS)
    assert time.monotonic() - started < LONGEST_ANSWER_SECONDS, f"{arguments} took its time\n{run.said}"
    assert "Traceback" not in run.said
    return run


WITHOUT_THE_API_SERVER: tuple[tuple[str, ...], ...] = (
    ("status",),
    ("triggers",),
    ("recover",),
    ("journal", "verify"),
    ("journal", "show"),
    ("sign", "complaints", "--note", "two in the last hour"),
    ("ack", "executives", "--note", "called them"),
)


def test_without_the_api_server_every_command_ends_soon_with_one_clear_line(
    console: Console, fresh_scene: ControlPlane
) -> None:
    console.done("rollback", "dashboard", "--confirm", "dashboard")
    events = console.events()
    fresh_scene.apiserver.stop()
    gone = "context admin can't be reached: connection refused"
    for command in ("preflight", "plan"):
        looked = _run_within(console, command, "qec-analysis")
        assert (looked.code, gone in looked.out, looked.err) == (REFUSED, True, ""), looked.said
    refused(_run_within(console, "rollback", "qec-analysis", "--confirm", "qec-analysis"), gone)
    refused(_run_within(console, "rollforward", "dashboard", "--confirm", "dashboard"), gone)
    checks = _run_within(console, "verify")
    assert (checks.code, gone in checks.out) == (FAILED, True), checks.said
    for arguments in WITHOUT_THE_API_SERVER:
        assert _run_within(console, *arguments).code == DONE, arguments
    assert console.events() == [*events, "check_ran", "check_signed", "notice_acknowledged"]
    fresh_scene.start()
    console.done("rollforward", "dashboard", "--confirm", "dashboard")


def test_an_api_server_that_is_silent_is_given_up_on(console: Console, fresh_scene: ControlPlane) -> None:
    edit(console.procedure, 'kind = "kubernetes"\n', 'kind = "kubernetes"\ntimeout = "1s"\n')
    fresh_scene.apiserver.pause()
    try:
        looked = _run_within(console, "preflight")
        run = _run_within(console, "rollback", "dashboard", "--confirm", "dashboard")
    finally:
        fresh_scene.apiserver.resume()
    assert (looked.code, "context admin" in looked.out) == (REFUSED, True), looked.said
    refused(run, "context admin")
    assert "step_intended" not in console.events()


# ------------------------------------------------------------ a journal that can't be trusted


def _edited(journal: Path) -> None:
    with sqlite3.connect(journal) as connection:
        connection.execute("DROP TRIGGER event_is_never_changed")
        connection.execute("UPDATE event SET body = replace(body, 'disable-qec', 'disable-all') WHERE seq = 3")
    connection.close()


def _shortened_in_the_middle(journal: Path) -> None:
    with sqlite3.connect(journal) as connection:
        connection.execute("DROP TRIGGER event_is_never_removed")
        connection.execute("DELETE FROM event WHERE seq = 3")
    connection.close()


def _torn(journal: Path) -> None:
    whole = journal.read_bytes()
    journal.write_bytes(whole[: len(whole) // 2])


def _of_another_program(journal: Path) -> None:
    journal.unlink()
    with sqlite3.connect(journal) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()


def _no_database(journal: Path) -> None:
    journal.write_text("dear diary, today the migration went wrong\n" * 50)


UNTRUSTED: dict[str, tuple[Callable[[Path], None], str]] = {
    "edited": (_edited, "event 3 was changed after it was written (its hash does not match)"),
    "shortened": (_shortened_in_the_middle, "event 3 is missing from the journal"),
    "torn": (_torn, "malformed"),
    "of another program": (_of_another_program, "is an SQLite file of something else"),
    "no database": (_no_database, "is not a database"),
}


@pytest.fixture(scope="module")
def used_journal(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Console:
    """The journal of a component that was rolled back."""
    cluster.start()
    scene.reset(cluster)
    folder = tmp_path_factory.mktemp("used")
    console = Console.beside(scene.write_procedure(folder, cluster.kubeconfig(), "admin", None))
    console.declare()
    console.done("rollback", "qec-analysis", "--confirm", "qec-analysis")
    return console


@pytest.mark.parametrize("how", UNTRUSTED)
def test_a_journal_that_cannot_be_trusted_is_named_and_left_alone(
    used_journal: Console, tmp_path: Path, how: str
) -> None:
    spoil, words = UNTRUSTED[how]
    journal = tmp_path / "journal.sqlite"
    shutil.copy(used_journal.journal, journal)
    spoil(journal)
    console = Console(used_journal.procedure, journal)
    before = hashlib.sha256(journal.read_bytes()).hexdigest()
    for command in (
        ("journal", "verify"),
        ("status", "--offline"),
        ("ack", "executives", "--note", "n"),
        ("rollforward", "qec-analysis", "--confirm", "qec-analysis"),
    ):
        run = console.run(*command)
        assert run.code == FAILED, (command, run.said)
        told(run, words)
    assert hashlib.sha256(journal.read_bytes()).hexdigest() == before
    assert not list(tmp_path.glob("*-journal"))
