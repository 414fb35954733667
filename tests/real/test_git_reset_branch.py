"""`git.reset_branch` on real remotes, over a file and over HTTP: the seed's recovery, and everything that `--force` forgets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from console.domain.errors import ConsoleError, Failed, Refused, Unknown
from console.engine.ports import Change, Finding, Proof, Step
from console.kinds import Registry
from console.targets.git import Options as TargetOptions
from console.targets.git import build as build_target
from tests.real.room import AtWork, permit
from tests.real.servers.git import GitServer, Remote, git

SECRET = "s3cret/of+the=git"


class Scene:
    """The policy repository after the migration: three commits of it on `main`, the state before it under its backup."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "srv"
        self.folder.mkdir()
        self._journals = folder
        self._consoles: list[AtWork] = []
        self.remote = Remote(self.folder)
        self.original = self.remote.commit("Original policies")
        self.remote.set("refs/heads/backup/pre-migration-state", self.original)
        for subject in ("QEC: rewrite", "QEC: tune", "QEC: enable"):
            self.remote.commit(subject)
        self.migrated = self.remote.main
        self.before = self.remote.refs
        self.backup = f"refs/heads/rollback-console/main-{self.migrated[:12]}"

    def step(self, *, target: dict[str, Any] | None = None, **options: Any) -> Step:
        """A step as a new process would have it."""
        given = TargetOptions.model_validate(target or {"url": str(self.remote.path)})
        module = Registry().module("step", "git.reset_branch")
        wanted = module.Options.model_validate({"to": "backup/pre-migration-state", **options})
        built: Step = module.build("policies", wanted, build_target("policies", given))
        return built

    async def console(self, step: Step | None = None) -> AtWork:
        folder = self._journals / f"console-{len(self._consoles)}"
        made = AtWork(folder, {"step": step or self.step()}, 20, {"step": "git.reset_branch"})
        self._consoles.append(made)
        await made.declare()
        return made

    def clone(self) -> Path:
        path = self._journals / "policy-repository"
        git("clone", "--quiet", str(self.remote.path), str(path), cwd=self._journals)
        return path

    async def close(self) -> None:
        for console in self._consoles:
            await console.close()


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    yield made
    await made.close()


async def applied(step: Step, change: Change | None = None) -> str:
    goal = (change or await step.plan()).goal
    return (await step.apply(json.loads(json.dumps(goal)), permit())).detail


def said(findings: list[Finding] | tuple[Finding, ...], code: str) -> list[str]:
    return [f"{f.level}: {f.text}" for f in findings if f.code == code]


# ------------------------------------------------------------ the seed's recovery


async def test_reset_proven_again_taken_back(scene: Scene) -> None:
    console = await scene.console()
    outcome = await console.roll_back()
    assert outcome.states == ["proven"]
    short = scene.migrated[:10]
    assert outcome.step.reason == (
        f"main is at {scene.original[:10]}; rollback-console/main-{scene.migrated[:12]} is at {short}"
    )
    assert scene.remote.refs == {**scene.before, "refs/heads/main": scene.original, scene.backup: scene.migrated}
    again = await console.roll_back()
    assert again.states == ["proven"]
    assert again.step.reason == f"main of {scene.remote.path} is at {scene.original[:10]}"
    outcome = await console.roll_forward()
    assert outcome.states == ["undone"]
    assert scene.remote.refs == scene.before


async def test_the_preview_shows_what_leaves_and_touches_nothing(scene: Scene) -> None:
    scene.remote.commit("Fix: close the\u202e hole\x1b[2J", author="Ada\x07 Byron")
    console = await scene.console()
    planned = await console.planned()
    now = scene.remote.main
    assert planned.change is not None
    *commits, kept = planned.change.lines
    assert [line.split(" ", 3)[0::3] for line in commits] == [
        ["-", "Ada Byron: Fix: close the hole"],
        ["-", "Migration: QEC: enable"],
        ["-", "Migration: QEC: tune"],
        ["-", "Migration: QEC: rewrite"],
    ]
    assert kept == f"+ rollback-console/main-{now[:12]}: at {now[:10]}"
    assert planned.line == (
        f"main of {scene.remote.path} from {now[:10]} to {scene.original[:10]} (backup/pre-migration-state): "
        f"4 commits leave, kept as rollback-console/main-{now[:12]}"
    )
    assert planned.commands[0].startswith(f"git push --atomic --force-with-lease=refs/heads/main:{now} ")
    assert [f.code for f in planned.findings] == ["allowed"]
    assert scene.remote.refs == {**scene.before, "refs/heads/main": now}


async def test_the_shown_command_does_the_same(scene: Scene) -> None:
    change = await scene.step().plan()
    clone = scene.clone()
    git(*change.commands[0].split()[1:], cwd=clone)
    assert scene.remote.refs == {**scene.before, "refs/heads/main": scene.original, scene.backup: scene.migrated}


@pytest.mark.parametrize("to", ["tag", "annotated", "sha", "short", "refs/heads/backup/pre-migration-state"])
async def test_every_name_of_a_commit(scene: Scene, to: str) -> None:
    git("tag", "before", scene.original, cwd=scene.remote.path)
    git("tag", "-a", "-m", "x", "annotated", scene.original, cwd=scene.remote.path)
    named = {"tag": "before", "sha": scene.original, "short": scene.original[:9]}.get(to, to)
    change = await scene.step(to=named).plan()
    assert change.pin == scene.original
    await applied(scene.step(to=named), change)
    assert scene.remote.main == scene.original


async def test_a_backup_that_only_the_local_clone_has(scene: Scene) -> None:
    clone = scene.clone()
    (clone / "policy.rego").write_text("# by hand\n")
    git("commit", "--quiet", "-am", "Never pushed", cwd=clone)
    git("branch", "only-here", cwd=clone)
    only_here = git("rev-parse", "only-here", cwd=clone)
    git("reset", "--quiet", "--hard", "origin/main", cwd=clone)
    step = scene.step(to="only-here", target={"repository": str(clone)})
    console = await scene.console(step)
    outcome = await console.roll_back()
    assert outcome.states == ["proven"]
    assert scene.remote.main == only_here
    assert git("for-each-ref", "--format=%(refname)", "refs/seen", "refs/kept", cwd=clone) == ""


async def test_the_chosen_commit_is_pinned_until_it_is_taken_back(scene: Scene) -> None:
    scene.remote.hook("pre-receive", "exit 1")
    console = await scene.console()
    assert (await console.roll_back()).states == ["failed"]
    (scene.remote.path / "hooks" / "pre-receive").unlink()
    change = await scene.step().plan()
    scene.remote.set("refs/heads/backup/pre-migration-state", scene.migrated)
    assert (await scene.step().plan(change.pin)).goal["moves"][0]["after"] == scene.original


# ------------------------------------------------------------ somebody else


async def test_a_push_after_the_preview_is_refused_with_who_and_what(scene: Scene) -> None:
    console = await scene.console()
    preview = await console.preview()
    theirs = scene.remote.commit("Hotfix: deny all", author="Grace")
    outcome = await console.confirm(preview)
    assert outcome.states == ["failed"]
    assert f"main of {scene.remote.path} was changed by Grace since the preview" in outcome.step.reason
    assert "Hotfix: deny all" in outcome.step.reason
    assert scene.remote.refs == {**scene.before, "refs/heads/main": theirs}


async def test_a_push_in_the_last_moment_is_refused_by_the_lease(scene: Scene) -> None:
    step = scene.step()
    change = await step.plan()
    theirs = scene.remote.commit("Hotfix: deny all", author="Grace")
    with pytest.raises(Refused) as refused:
        await applied(step, change)
    assert str(refused.value) == (
        f"main of {scene.remote.path} was moved in between, its last commit is by Grace: 1 commit comes "
        f"({theirs[:10]} Grace: Hotfix: deny all); nothing was changed; preview it again"
    )
    assert scene.remote.refs == {**scene.before, "refs/heads/main": theirs}


async def test_a_branch_deleted_in_the_last_moment_stays_deleted(scene: Scene) -> None:
    change = await scene.step().plan()
    git("update-ref", "-d", "refs/heads/main", cwd=scene.remote.path)
    with pytest.raises(Refused, match=r"main of .* is gone; nothing was changed"):
        await applied(scene.step(), change)
    assert "refs/heads/main" not in scene.remote.refs


async def test_a_backup_moved_after_the_preview_is_not_followed(scene: Scene) -> None:
    console = await scene.console()
    preview = await console.preview()
    scene.remote.set("refs/heads/backup/pre-migration-state", scene.migrated)
    outcome = await console.confirm(preview)
    assert outcome.states == ["failed"]
    assert "backup/pre-migration-state of " in outcome.step.reason
    assert scene.remote.main == scene.migrated


async def test_a_backup_name_that_is_taken_is_refused(scene: Scene) -> None:
    scene.remote.set(scene.backup, scene.original)
    with pytest.raises(Refused, match="not at what it would keep"):
        await scene.step().plan()


async def test_rolling_forward_never_drops_what_was_pushed_since(scene: Scene) -> None:
    console = await scene.console()
    await console.roll_back()
    theirs = scene.remote.commit("Work goes on", author="Grace")
    planned = await console.planned("forward")
    assert f"its last commit is by Grace: 1 commit comes ({theirs[:10]} Grace: Work goes on)" in planned.problem
    assert scene.remote.main == theirs
    assert scene.remote.refs[scene.backup] == scene.migrated


async def test_rolling_forward_without_its_backup_is_refused(scene: Scene) -> None:
    console = await scene.console()
    await console.roll_back()
    git("update-ref", "-d", scene.backup, cwd=scene.remote.path)
    assert "the backup of what it held is gone" in (await console.planned("forward")).problem


async def test_an_attempt_without_effect_is_nothing_to_take_back(scene: Scene) -> None:
    step = scene.step()
    attempt = (await step.plan()).goal
    change = await step.plan_undo([attempt])
    assert change.already
    theirs = scene.remote.commit("Work goes on")
    assert (await step.plan_undo([attempt])).already
    assert scene.remote.main == theirs


# ------------------------------------------------------------ the remote says no


async def test_a_hook_that_declines_is_quoted_cleaned(scene: Scene) -> None:
    scene.remote.hook(
        "pre-receive", r"""printf 'main is \033[31mprotected\033[0m\nask \033]0;x\007the platform team\n' >&2; exit 1"""
    )
    console = await scene.console()
    outcome = await console.roll_back()
    assert outcome.states == ["failed"]
    assert outcome.step.reason == (
        f"{scene.remote.path} refuses the push: main: [remote rejected] (pre-receive hook declined): "
        "main is protected; ask the platform team; nothing was changed"
    )
    assert scene.remote.refs == scene.before
    assert console.incident.components["it"].steps["step"].attempts == ()


async def test_a_protected_branch_takes_its_backup_along(scene: Scene) -> None:
    scene.remote.hook("update", 'test "$1" != refs/heads/main || { echo no force >&2; exit 1; }')
    with pytest.raises(Refused, match=r"main: \[remote rejected\] \(hook declined\): no force"):
        await applied(scene.step())
    assert scene.remote.refs == scene.before


async def test_a_server_that_denies_deletions_keeps_both_as_they_are(scene: Scene) -> None:
    console = await scene.console()
    await console.roll_back()
    after = scene.remote.refs
    git("config", "receive.denyDeletes", "true", cwd=scene.remote.path)
    outcome = await console.roll_forward()
    assert outcome.states == ["failed"]
    assert "refuses the push" in outcome.step.reason
    assert scene.remote.refs == after


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"url": "/no/such/repository.git"}, "no such repository"),
        ({"url": "http://127.0.0.1:9/policies.git"}, "connection refused"),
        ({"url": "http://no-such-host.invalid/policies.git"}, "no such host"),
        ({"url": "ssh://git@127.0.0.1:9/policies.git"}, "connection refused"),
    ],
)
async def test_a_remote_that_is_not_there_is_told(scene: Scene, target: dict[str, Any], said: str) -> None:
    step = scene.step(target=target)
    with pytest.raises(Failed, match=said):
        await step.plan()
    with pytest.raises(ConsoleError):
        await step.preflight()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "backup/pre-migration"}, r'has no backup/pre-migration; did you mean "backup/pre-migration-state"\?'),
        ({"branch": "mian"}, r'has no refs/heads/mian; did you mean "main"\?'),
        ({"to": "f" * 40}, "has no commit " + "f" * 40),
        ({"to": "both"}, "both is a tag and a branch of"),
        ({"to": "tree"}, "is it a tag's, a tree's, or gone"),
    ],
)
async def test_names_that_mean_nothing_or_two_things(scene: Scene, options: dict[str, Any], said: str) -> None:
    scene.remote.set("refs/heads/both", scene.original)
    scene.remote.set("refs/tags/both", scene.migrated)
    git("tag", "tree", git("rev-parse", f"{scene.original}^{{tree}}", cwd=scene.remote.path), cwd=scene.remote.path)
    with pytest.raises(Refused, match=said):
        await scene.step(**options).plan()


# ------------------------------------------------------------ lost answers, over HTTP


async def test_over_http_there_and_back(scene: Scene) -> None:
    with GitServer(scene.folder) as server:
        console = await scene.console(scene.step(target={"url": f"{server.url}/policies.git"}))
        assert (await console.roll_back()).states == ["proven"]
        assert (await console.roll_forward()).states == ["undone"]
        assert server.pushes == 2
    assert scene.remote.refs == scene.before


async def test_a_swallowed_answer_is_found_out(scene: Scene) -> None:
    with GitServer(scene.folder) as server:
        server.fate = lambda: "swallow"
        console = await scene.console(scene.step(target={"url": f"{server.url}/policies.git"}))
        outcome = await console.roll_back()
        assert outcome.states == ["proven"]
        reset = {**scene.before, "refs/heads/main": scene.original, scene.backup: scene.migrated}
        assert scene.remote.refs == reset
        assert (await console.roll_back()).states == ["proven"]
        assert scene.remote.refs == reset
        assert (await console.roll_forward()).states == ["undone"]
    assert scene.remote.refs == scene.before


async def test_a_push_that_never_arrived_is_found_out_and_offered_again(scene: Scene) -> None:
    with GitServer(scene.folder) as server:
        server.fate = lambda: "lose"
        console = await scene.console(scene.step(target={"url": f"{server.url}/policies.git"}))
        outcome = await console.roll_back()
        assert outcome.states == ["failed"]
        assert "no answer to the push" in outcome.step.reason
        assert f"main is at {scene.migrated[:10]}" in outcome.step.reason
        server.fate = lambda: "pass"
        assert (await console.roll_back()).states == ["proven"]
        assert (await console.roll_forward()).states == ["undone"]
    assert scene.remote.refs == scene.before


async def test_a_remote_that_is_gone_after_a_lost_answer_leaves_the_outcome_open(scene: Scene) -> None:
    with GitServer(scene.folder) as server:
        server.fate = lambda: "swallow"
        step = scene.step(target={"url": f"{server.url}/policies.git"})
        change = await step.plan()
        with pytest.raises(Unknown, match="no answer to the push"):
            await applied(step, change)
    with pytest.raises(Failed, match="connection refused"):
        await step.probe(change.goal)


async def test_credentials_are_used_and_never_shown(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SECRET", SECRET)
    with GitServer(scene.folder, credentials=f"robot:{SECRET}") as server:
        url = f"{server.url}/policies.git"
        with pytest.raises(Failed, match="it asks for credentials"):
            await scene.step(target={"url": url}).plan()
        access = {"url": url, "username": "robot", "password": {"env": "GIT_SECRET"}}
        console = await scene.console(scene.step(target=access))
        assert (await console.roll_back()).states == ["proven"]
        assert (await console.roll_forward()).states == ["undone"]
        monkeypatch.setenv("GIT_SECRET", "wrong")
        with pytest.raises(Failed, match="it does not accept these credentials"):
            await scene.step(target=access).plan()
    for file in scene.folder.parent.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes()


async def test_a_bearer_token_goes_in_a_header_and_in_no_argument(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_SECRET", SECRET)
    with GitServer(scene.folder, bearer=SECRET) as server:
        step = scene.step(target={"url": f"{server.url}/policies.git", "token": {"env": "GIT_SECRET"}})
        await applied(step)
    assert scene.remote.main == scene.original


async def test_a_missing_secret_is_refused_by_its_name(scene: Scene) -> None:
    with pytest.raises(Refused, match="environment variable NOT_SET: it is not set"):
        await scene.step(target={"url": str(scene.remote.path), "token": {"env": "NOT_SET"}}).plan()


# ------------------------------------------------------------ a working clone that goes along


async def test_the_clone_goes_along_and_comes_back(scene: Scene) -> None:
    clone = scene.clone()
    (clone / "notes.txt").write_text("not git's")
    step = scene.step(target={"repository": str(clone)}, clone=str(clone))
    before = git("for-each-ref", cwd=clone)
    console = await scene.console(step)
    assert (await console.roll_back()).states == ["proven"]
    assert git("rev-parse", "HEAD", cwd=clone) == scene.original
    assert (clone / "policy.rego").read_text() == "# Original policies\n"
    assert (clone / "notes.txt").read_text() == "not git's"
    assert (await console.roll_back()).states == ["proven"]
    assert (await console.roll_forward()).states == ["undone"]
    assert git("for-each-ref", cwd=clone) == before
    assert (clone / "policy.rego").read_text() == "# QEC: enable\n"
    assert scene.remote.refs == scene.before


async def test_uncommitted_work_stands_in_the_way_and_is_named(scene: Scene) -> None:
    clone = scene.clone()
    (clone / "policy.rego").write_text("# precious\n")
    console = await scene.console(scene.step(clone=str(clone)))
    planned = await console.planned()
    assert planned.problem.startswith(f"{clone} holds uncommitted changes: policy.rego; commit or stash them")
    assert said(planned.findings, "clone") == [f"block: {clone} holds uncommitted changes: policy.rego"]
    with pytest.raises(Refused, match="step step can't work"):
        await console.roll_back()
    assert (clone / "policy.rego").read_text() == "# precious\n"
    assert scene.remote.refs == scene.before


async def test_commits_that_were_never_pushed_are_kept_and_told(scene: Scene) -> None:
    clone = scene.clone()
    (clone / "policy.rego").write_text("# local\n")
    git("commit", "--quiet", "-am", "Local only", cwd=clone)
    local = git("rev-parse", "HEAD", cwd=clone)
    console = await scene.console(scene.step(clone=str(clone)))
    planned = await console.planned()
    kept = f"refs/rollback-console/main-{local[:12]}"
    assert said(planned.findings, "unpushed") == [f"warn: {clone}: 1 commit was never pushed; kept there as {kept}"]
    assert (await console.roll_back()).states == ["proven"]
    assert git("rev-parse", kept, cwd=clone) == local
    assert (await console.roll_forward()).states == ["undone"]
    assert git("rev-parse", "HEAD", cwd=clone) == local
    assert git("for-each-ref", "refs/rollback-console", cwd=clone) == ""


async def test_untracked_files_are_not_overwritten(scene: Scene) -> None:
    clone = scene.clone()
    git("rm", "--quiet", "policy.rego", cwd=clone)
    git("commit", "--quiet", "-m", "Removed", cwd=clone)
    (clone / "policy.rego").write_text("# somebody's\n")
    with pytest.raises(Refused, match=r"policy\.rego"):
        await scene.step(clone=str(clone)).plan()
    assert (clone / "policy.rego").read_text() == "# somebody's\n"


async def test_a_clone_on_another_branch_is_refused(scene: Scene) -> None:
    clone = scene.clone()
    git("checkout", "--quiet", "-b", "feature", cwd=clone)
    with pytest.raises(Refused, match="has feature checked out, not main"):
        await scene.step(clone=str(clone)).plan()
    git("checkout", "--quiet", "--detach", cwd=clone)
    with pytest.raises(Refused, match="has no branch checked out, not main"):
        await scene.step(clone=str(clone)).plan()
    with pytest.raises(Refused, match="not a git repository"):
        await scene.step(clone=str(scene.folder)).plan()


async def test_a_clone_changed_in_the_last_moment_leaves_half_and_goes_on_later(scene: Scene) -> None:
    clone = scene.clone()
    step = scene.step(clone=str(clone))
    change = await step.plan()
    (clone / "policy.rego").write_text("# precious\n")
    with pytest.raises(Failed, match=r"pushed: main .*; then .* holds uncommitted changes"):
        await applied(step, change)
    assert (clone / "policy.rego").read_text() == "# precious\n"
    assert scene.remote.main == scene.original
    git("checkout", "--quiet", "policy.rego", cwd=clone)
    assert (await step.probe(change.goal)).answer == "partial"
    rest = await step.plan(change.pin)
    assert not rest.goal["moves"]
    await applied(step, rest)
    assert git("rev-parse", "HEAD", cwd=clone) == scene.original
    back = await step.plan_undo([change.goal, rest.goal])
    await applied(step, back)
    assert git("rev-parse", "HEAD", cwd=clone) == scene.migrated
    assert scene.remote.refs == scene.before


async def test_a_clone_with_an_address_that_runs_programs_is_refused(scene: Scene) -> None:
    clone = scene.clone()
    git("remote", "set-url", "origin", "ext::sh -c touch% /tmp/pwned", cwd=clone)
    with pytest.raises(Refused, match="no address that is used here"):
        await scene.step(target={"repository": str(clone)}).plan()


# ------------------------------------------------------------ proof


async def test_the_proof_is_what_the_remote_says(scene: Scene) -> None:
    step = scene.step()
    change = await step.plan()
    await applied(step, change)
    seen = [s async for s in step.watch(change.goal)]
    assert isinstance(seen[-1], Proof)
    assert (await step.probe(change.goal)).answer == "done"
    scene.remote.commit("Put back by a robot", author="Robot")
    assert (await step.probe(change.goal)).answer == "diverged"
    with pytest.raises(Failed, match=r"main is at .* somebody moved it"):
        [s async for s in step.watch(change.goal)]


async def test_the_same_goal_sent_twice_has_one_effect(scene: Scene) -> None:
    step = scene.step()
    change = await step.plan()
    await applied(step, change)
    after = scene.remote.refs
    assert (await applied(step, change)).startswith("pushed: ")
    assert scene.remote.refs == after
