"""What every step kind promises to the engine, whatever it acts on.

`StepContract` is mixed into a test class that has a fixture `scene`: a `Scene`, opened by a `Case`. The cases of a system are
in tests/contract/cases; they take their world as an argument, so that a second backend of a system needs a fixture and
nothing else. After every call the step is built anew, and what it gave is read back as the vault would: as after a crash.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Protocol, TypeAlias

import pytest

from console.domain.errors import ConsoleError, Failed, Refused, Unknown
from console.domain.events import ConfirmedChange
from console.engine import gateway
from console.engine.drift import Expectation
from console.engine.gateway import Permit
from console.engine.ports import Change, Finding, Json, Probe, Proof, Receipt, Step
from console.journals.vault import FolderVault
from tests.contract.watching import blocking_calls, running, settled, spoken_to
from tests.real.room import AtWork

LEVELS: Final = ("ok", "info", "warn", "block")
CODES: Final = frozenset(
    """
    allowed already archive autoscaler bundle_inactive bundle_managed clone commit connected decision deletes_more
    differs extra fast_forward forbidden ignored immutable irreversible kept key last_applied lifecycle managed_by
    manual no_history no_probe no_readers not_atomic not_found not_rehearsed null paused program reachable read_only
    reader_not_restarted readers_unknown rego_v0 release reload_failed replica_missing restart scope secret
    signature_not_verified takes_over triggers undo_order unpushed unreadable_home unrelated
    """.split()  # noqa: SIM905 - read as prose
)
"""The stable words of findings. A new one is added here when a kind says it."""
LONGEST_SECONDS: Final = 30.0
"""Within which each call ends on a target that is not there."""


class Scene(Protocol):
    """One target with something on it that a step is about to change, and other people's hands."""

    folder: Path
    """A folder of the test's own."""
    target: str
    """A pattern that finds the target's name in a message about it."""
    place: str
    """A pattern that finds the name of what `disturb` changes."""
    secrets: tuple[str, ...]
    """The credentials in use."""

    def step(self) -> Step:
        """A step as a new process would have it."""

    def state(self) -> Json:
        """Everything of the target that people care about, read past the step."""

    def writes(self) -> Mapping[str, str]:
        """A mark for each place of the target that every write there changes, one of the same content too."""

    def disturb(self) -> None:
        """Somebody else changes what the step is about to change."""

    def lose_answers(self) -> AbstractContextManager[None]:
        """While it lasts, changes are delivered and their answers lost."""

    def drop_requests(self) -> AbstractContextManager[None]:
        """While it lasts, changes are sent and never delivered."""

    def break_down(self) -> object:
        """From now on the target can't be reached by a step that is built anew."""


Instead: TypeAlias = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Differs:
    """A promise that a kind can't keep: why not, and what happens instead."""

    why: str
    instead: Instead


@dataclass(frozen=True)
class Case:
    """One way in which a kind is used. `open` takes the world of the system and gives a scene in it."""

    kind: str
    name: str
    open: Callable[..., Scene]
    differs: Mapping[str, Differs] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


def promise(test: Callable[[Any, Scene, Case], Awaitable[None]]) -> Callable[[Any, Scene, Case], Awaitable[None]]:
    """The test of a promise; where the case differs in it, the test of what happens instead."""

    async def kept(self: Any, scene: Scene, case: Case) -> None:
        differs = case.differs.get(test.__name__)
        await (differs.instead(scene) if differs else test(self, scene, case))

    kept.__name__, kept.__qualname__, kept.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return kept


class StepContract:
    """The promises of `ports.Step`."""

    # ------------------------------------------------------------ looking

    @promise
    async def test_it_says_what_it_is_without_asking_anybody(self, scene: Scene, case: Case) -> None:
        step = scene.step()
        with spoken_to() as asked:
            description = step.describe()
        assert asked == [], asked
        for text in (description.line, *description.commands):
            assert text.strip()
            assert "\n" not in text
        _nothing_secret(scene, description)

    @promise
    async def test_looking_changes_nothing_and_two_looks_see_the_same(self, scene: Scene, case: Case) -> None:
        before = scene.state(), scene.writes()
        first, second = await scene.step().plan(), await scene.step().plan()
        findings = await scene.step().preflight()
        pre_image = await scene.step().capture(first)
        await scene.step().probe(stored(first.goal))
        await scene.step().plan_undo([stored(pre_image)])
        assert (scene.state(), scene.writes()) == before
        assert (first.hash, first.summary) == (second.hash, second.summary)
        assert first.summary.strip()
        assert first.lines, "a change that is not there yet has something to show"
        assert not first.already
        assert [f.text for f in findings if f.level == "block"] == []
        _nothing_secret(scene, first, findings, pre_image)

    @promise
    async def test_its_findings_speak_the_known_words(self, scene: Scene, case: Case) -> None:
        findings: list[Finding] = [*await scene.step().preflight(), *(await scene.step().plan()).findings]
        scene.disturb()
        findings += await _looked(scene.step().preflight)
        for finding in findings:
            assert finding.level in LEVELS
            assert finding.code in CODES, f"{finding.code!r} is no known word: {finding.text}"
            assert finding.text.strip()
            assert "\n" not in finding.text

    @promise
    async def test_what_the_vault_keeps_is_what_is_read(self, scene: Scene, case: Case) -> None:
        vault = FolderVault(scene.folder / "vault")
        step = scene.step()
        change = await step.plan()
        undo = await scene.step().plan_undo([stored(await step.capture(change))])
        for document in (change.goal, change.pin, await step.capture(change), undo.goal, await step.capture(undo)):
            assert stored(document) == document
            assert vault.get(vault.put({"document": document})) == {"document": document}
        json.dumps([change.identity, *(seen.content for seen in change.seen.values())])

    # ------------------------------------------------------------ there and back

    @promise
    async def test_it_is_done_once_proven_and_then_already_so(self, scene: Scene, case: Case) -> None:
        change = await carried_out(scene)
        assert (await probed(scene, change)).answer == "done"
        writes = scene.writes()
        again = await scene.step().plan(stored(change.pin))
        assert again.already
        assert await proof_of(scene, again)
        assert scene.writes() == writes

    @promise
    async def test_what_is_in_place_is_not_sent_again(self, scene: Scene, case: Case) -> None:
        change = await carried_out(scene)
        again = await scene.step().plan(stored(change.pin))
        assert again.already
        writes = scene.writes()
        for sent in (again, change):
            error = await raised(applied(scene, sent))
            assert error is None or isinstance(error, Refused), error
        assert scene.writes() == writes

    @promise
    async def test_it_is_taken_back_to_what_was_before(self, scene: Scene, case: Case) -> None:
        before = scene.state()
        pre_images: list[Json] = []
        await carried_out(scene, pre_images)
        assert scene.state() != before
        undo = await scene.step().plan_undo(stored(pre_images))
        assert not undo.already
        assert (await probed(scene, undo)).answer == "not_done"
        await applied(scene, undo)
        assert await proof_of(scene, undo)
        assert scene.state() == before
        assert (await probed(scene, undo)).answer == "done"
        assert (await scene.step().plan_undo(stored(pre_images))).already
        assert not (await scene.step().plan()).already

    @promise
    async def test_taking_back_what_never_happened_is_already_so(self, scene: Scene, case: Case) -> None:
        step = scene.step()
        undo = await scene.step().plan_undo([stored(await step.capture(await step.plan()))])
        assert undo.already

    @promise
    async def test_the_engine_carries_it_out_once_and_takes_it_back(self, scene: Scene, case: Case) -> None:
        before = scene.state()
        async with at_work(scene, case.kind) as console:
            back = await console.roll_back()
            assert back.states == ["proven"], back.step.reason
            writes = scene.writes()
            assert (await console.roll_back()).component.state == "rolled_back"
            assert scene.writes() == writes
            forward = await console.roll_forward()
            assert forward.states == ["undone"], forward.step.reason
        assert scene.state() == before

    # ------------------------------------------------------------ other people, and nobody's permit

    @promise
    async def test_a_strange_change_since_the_preview_is_told_and_not_overwritten(
        self, scene: Scene, case: Case
    ) -> None:
        shown = await scene.step().plan()
        scene.disturb()
        state = scene.state()
        error = await raised(_at_its_turn(scene, shown))
        assert isinstance(error, Refused), error
        assert re.search(scene.place, str(error)), error
        assert scene.state() == state

    @promise
    async def test_a_strange_change_in_the_last_moment_is_refused_by_what_is_sent(
        self, scene: Scene, case: Case
    ) -> None:
        change = await scene.step().plan()
        scene.disturb()
        state, writes = scene.state(), scene.writes()
        error = await raised(applied(scene, change))
        assert isinstance(error, (Refused, Failed)), error
        assert re.search(scene.place, str(error)), error
        assert scene.state() == state
        if isinstance(error, Refused):  # Failed: another place was reached before, and has been put back
            assert scene.writes() == writes
        assert (await probed(scene, change)).answer in ("diverged", "partial", "not_done")

    @promise
    async def test_without_a_permit_of_the_gateway_nothing_is_sent(self, scene: Scene, case: Case) -> None:
        before = scene.state(), scene.writes()
        change = await scene.step().plan()
        forged: tuple[Any, ...] = (None, object(), SimpleNamespace(step="step", op="op", change=change.hash))
        for permit in forged:
            with pytest.raises(Refused, match="permit"):
                await scene.step().apply(stored(change.goal), permit)
        assert (scene.state(), scene.writes()) == before

    # ------------------------------------------------------------ lost on the way

    @promise
    async def test_a_lost_answer_ends_in_the_truth_and_adds_no_second_effect(self, scene: Scene, case: Case) -> None:
        before = scene.writes()
        change = await scene.step().plan()
        with scene.lose_answers():
            error = await raised(applied(scene, change))
        assert error is None or isinstance(error, (Unknown, Failed)), "Refused means that nothing happened"
        had_effect = {place: mark for place, mark in scene.writes().items() if before.get(place) != mark}
        assert had_effect
        found = await probed(scene, change)
        assert found.answer in ("done", "partial"), found.detail
        rest = await scene.step().plan(stored(change.pin))
        assert rest.already is (found.answer == "done")
        if not rest.already:
            await applied(scene, rest)
        assert await proof_of(scene, rest)
        assert had_effect.items() <= scene.writes().items(), "something had its effect twice"

    @promise
    async def test_a_request_that_never_arrived_is_not_done(self, scene: Scene, case: Case) -> None:
        before = scene.state(), scene.writes()
        change = await scene.step().plan()
        assert (await probed(scene, change)).answer == "not_done"
        with scene.drop_requests():
            error = await raised(applied(scene, change))
        assert isinstance(error, ConsoleError), error
        assert (scene.state(), scene.writes()) == before
        assert (await probed(scene, change)).answer == "not_done"
        again = await scene.step().plan(stored(change.pin))
        assert again.hash == change.hash
        await applied(scene, again)
        assert await proof_of(scene, again)

    @promise
    async def test_a_target_that_is_not_there_is_named_by_every_call(self, scene: Scene, case: Case) -> None:
        step = scene.step()
        change = await step.plan()
        pre_image = await step.capture(change)
        state = scene.state()
        scene.break_down()
        calls: dict[str, Callable[[], Awaitable[Any]]] = {
            "plan": lambda: scene.step().plan(stored(change.pin)),
            "preflight": lambda: scene.step().preflight(),
            "probe": lambda: scene.step().probe(stored(change.goal)),
            "apply": lambda: applied(scene, change),
            "plan_undo": lambda: scene.step().plan_undo([stored(pre_image)]),
        }
        for name, call in calls.items():
            async with asyncio.timeout(LONGEST_SECONDS):
                said = await said_of_the_absent(call)
            unasked = name == "plan_undo" and not said  # nothing was sent, so that nothing need be asked
            assert unasked or re.search(scene.target, said), f"{name} does not name it: {said}"
            assert "Traceback" not in said
            _nothing_secret(scene, said)
        assert scene.state() == state

    # ------------------------------------------------------------ a console that is busy with other things

    @promise
    async def test_giving_up_watching_leaves_nothing_running(self, scene: Scene, case: Case) -> None:
        change = await carried_out(scene)
        await _given_up(scene, change)

    @promise
    async def test_giving_up_watching_what_is_not_there_leaves_nothing_running(self, scene: Scene, case: Case) -> None:
        change = await carried_out(scene)
        scene.break_down()
        await _given_up(scene, change)

    @promise
    async def test_it_never_holds_up_the_loop(self, scene: Scene, case: Case) -> None:
        """No file is opened, no name looked up, no sleep and no program begun in the thread that draws the screen.

        Told by audit events and not by the clock, which would tell how busy the machine is.
        """
        with blocking_calls() as found:
            step = scene.step()
            await step.preflight()
            change = await step.plan()
            pre_image = await step.capture(change)
            await applied(scene, change)
            await probed(scene, change)
            await proof_of(scene, change)
            await scene.step().plan_undo([stored(pre_image)])
        assert found == [], found


PROMISES: Final = frozenset(name for name in vars(StepContract) if name.startswith("test_"))


# ---------------------------------------------------------------- what a contract's tests and its cases share


def stored(document: Json) -> Json:
    """A document as it comes back from the vault."""
    return json.loads(json.dumps(document))


def permit(change: Change) -> Permit:
    """Such as the gateway gives once the intent is on disk."""
    return Permit(step="step", op="op", change=change.hash, seal=gateway._SEAL)


async def applied(scene: Scene, change: Change) -> Receipt:
    return await scene.step().apply(stored(change.goal), permit(change))


async def probed(scene: Scene, change: Change) -> Probe:
    found = await scene.step().probe(stored(change.goal))
    assert found.detail.strip()
    _nothing_secret(scene, found)
    return found


async def proof_of(scene: Scene, change: Change) -> str:
    async with asyncio.timeout(LONGEST_SECONDS):
        seen = [state async for state in scene.step().watch(stored(change.goal))]
    assert [isinstance(state, Proof) for state in seen] == [False] * (len(seen) - 1) + [True]
    _nothing_secret(scene, *seen)
    return seen[-1].text


async def carried_out(scene: Scene, pre_images: list[Json] | None = None) -> Change:
    """A change that was planned, sent and proven."""
    change = await scene.step().plan()
    if pre_images is not None:
        pre_images.append(await scene.step().capture(change))
    receipt = await applied(scene, change)
    assert receipt.detail.strip()
    _nothing_secret(scene, receipt)
    assert await proof_of(scene, change)
    return change


@asynccontextmanager
async def at_work(scene: Scene, kind: str) -> AsyncIterator[AtWork]:
    """A console with this one step, by the real engine. None of its files holds a credential afterwards."""
    console = AtWork(scene.folder / "console", {"step": scene.step()}, LONGEST_SECONDS, {"step": kind})
    await console.declare()
    try:
        yield console
    finally:
        await console.close()
    _nothing_secret(scene, *(file.read_bytes() for file in scene.folder.glob("console/**/*") if file.is_file()))


async def raised(call: Awaitable[Any]) -> Exception | None:
    try:
        await call
    except ConsoleError as error:
        return error
    return None


async def _at_its_turn(scene: Scene, shown: Change) -> None:
    """What the engine does with a confirmed change when its turn has come."""
    now = await scene.step().plan(stored(shown.pin))
    seen = {name: seen.fingerprint for name, seen in shown.seen.items()}
    confirmed = ConfirmedChange(
        step="step", hash=shown.hash, summary=shown.summary, lines=shown.lines, commands=shown.commands, seen=seen
    )
    Expectation(shown.seen).refuse_drift(now, confirmed)


async def _looked(preflight: Callable[[], Awaitable[Any]]) -> list[Finding]:
    try:
        return list(await preflight())
    except ConsoleError:  # what stands in the way may also be told so
        return []


async def said_of_the_absent(call: Callable[[], Awaitable[Any]]) -> str:
    """What a call says of a target that is not there; a probe and preflight may answer, but only so."""
    try:
        answer = await call()
    except (Refused, Failed, Unknown) as error:
        return str(error)
    if isinstance(answer, Probe):
        assert answer.answer == "unknown"
        return answer.detail
    if isinstance(answer, Change):
        assert answer.already, f"nobody was there to be asked, and it plans: {answer.summary}"
        return ""
    assert isinstance(answer, (list, tuple)), f"nobody was there to be asked, and it answered {answer}"
    blocks = [finding.text for finding in answer if finding.level == "block"]
    assert blocks, "nobody is there, and nothing stands in the way"
    return "; ".join(blocks)


async def _given_up(scene: Scene, change: Change) -> None:
    """Somebody stops waiting as soon as the first word is heard, as the engine stops: by cancelling."""
    before = running()
    heard = asyncio.Event()

    async def watch() -> None:
        async for _ in scene.step().watch(stored(change.goal)):
            heard.set()

    watching = asyncio.create_task(watch())
    hearing = asyncio.create_task(heard.wait())
    async with asyncio.timeout(LONGEST_SECONDS):
        await asyncio.wait((watching, hearing), return_when=asyncio.FIRST_COMPLETED)
        for task in (watching, hearing):
            task.cancel()
        ended, _ = await asyncio.gather(watching, hearing, return_exceptions=True)
    assert ended is None or isinstance(ended, (asyncio.CancelledError, ConsoleError)), ended
    await settled(before)


def _nothing_secret(scene: Scene, *said: object) -> None:
    text = "\n".join(one.decode("latin-1") if isinstance(one, bytes) else repr(one) for one in said)
    for secret in scene.secrets:
        assert secret not in text
