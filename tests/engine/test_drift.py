"""What was confirmed is what runs: a foreign change is refused with who and what; one's own change before it is none."""

from __future__ import annotations

from typing import Any

import pytest

from console.domain.errors import Refused
from console.domain.events import ConfirmedChange
from console.engine.drift import Expectation
from console.engine.ports import Change, Receipt, Seen
from tests.engine.simulated_world import World


def change(identity: Any = "same", already: bool = False, **contents: Any) -> Change:
    seen = {name: Seen(content, "helm") for name, content in contents.items()}
    return Change("set it", identity, {}, seen=seen, already=already)


def confirmed(made: Change) -> ConfirmedChange:
    return ConfirmedChange("one", made.hash, made.summary, seen={n: s.fingerprint for n, s in made.seen.items()})


def test_the_world_as_it_was_confirmed_is_accepted() -> None:
    before = change(gateway={"qec": "on"})
    Expectation(before.seen).refuse_drift(change(gateway={"qec": "on"}), confirmed(before))


def test_a_foreign_change_is_refused_with_object_field_values_and_writer() -> None:
    before = change(gateway={"qec": "on", "replicas": 3})
    with pytest.raises(Refused) as refused:
        Expectation(before.seen).refuse_drift(change(gateway={"qec": "on", "replicas": 5}), confirmed(before))
    assert refused.value.message == "gateway was changed by helm since the preview: replicas: 3 → 5"
    assert "nothing was changed" in refused.value.hint


def test_a_foreign_change_elsewhere_in_the_object_counts_too() -> None:
    """The change itself would be the same, but the object is no longer the one that was looked at."""
    before = change(gateway={"qec": "on"})
    now = change(gateway={"qec": "on", "image": "v9"})
    assert now.hash == before.hash
    with pytest.raises(Refused, match='image: \\(absent\\) → "v9"'):
        Expectation(before.seen).refuse_drift(now, confirmed(before))


def test_an_object_that_came_or_went_is_told_in_words() -> None:
    absent, there = change(gateway=None), change(gateway={"image": "v1", "note": "x" * 500})
    with pytest.raises(Refused, match="gateway was created by helm since the preview;"):
        Expectation(absent.seen).refuse_drift(there, confirmed(absent))
    with pytest.raises(Refused, match="gateway was deleted since the preview;"):
        Expectation(there.seen).refuse_drift(absent, confirmed(there))


def test_long_values_are_clipped() -> None:
    before = change(gateway={"note": "x" * 500})
    with pytest.raises(Refused) as refused:
        Expectation(before.seen).refuse_drift(change(gateway={"note": "y" * 500}), confirmed(before))
    assert len(refused.value.message) < 200


def test_a_few_changes_are_all_listed() -> None:
    before = change(gateway={})
    with pytest.raises(Refused) as refused:
        Expectation(before.seen).refuse_drift(change(gateway=dict.fromkeys("abcd", 1)), confirmed(before))
    assert refused.value.message.endswith("a: (absent) → 1; b: (absent) → 1; c: (absent) → 1; d: (absent) → 1")


def test_many_changes_are_not_all_listed() -> None:
    before = change(gateway={})
    with pytest.raises(Refused, match="and 2 more"):
        Expectation(before.seen).refuse_drift(change(gateway=dict.fromkeys("abcdef", 1)), confirmed(before))


def test_a_foreign_change_to_the_goal_itself_is_still_a_foreign_change() -> None:
    before = change(gateway={"qec": "on"})
    with pytest.raises(Refused, match="changed by helm"):
        Expectation(before.seen).refuse_drift(change("nothing", True, gateway={"qec": "off"}), confirmed(before))


def test_another_change_to_the_same_objects_is_refused() -> None:
    before = change("revision 3", gateway={"qec": "on"})
    with pytest.raises(Refused, match="no longer the one that was confirmed"):
        Expectation(before.seen).refuse_drift(change("revision 2", gateway={"qec": "on"}), confirmed(before))


def test_what_the_run_left_itself_is_expected() -> None:
    before = change(gateway={"qec": "on"})
    expectation = Expectation(before.seen)
    expectation.leave(Receipt("ok", {"gateway": Seen({"qec": "off"}, "console")}))
    expectation.refuse_drift(change(gateway={"qec": "off"}), confirmed(before))
    with pytest.raises(Refused, match='qec: "off" → "half"'):
        expectation.refuse_drift(change(gateway={"qec": "half"}), confirmed(before))


def test_an_object_that_nobody_previewed_is_judged_by_the_change_alone() -> None:
    before = change("same")
    Expectation().refuse_drift(change("same", rules={"set": 1}), confirmed(before))


# ---------------------------------------------------------------- in a run


@pytest.mark.parametrize("step", ["one", "two", "three"])
async def test_a_change_between_preview_and_run_is_refused_and_not_overwritten(memory: World, step: str) -> None:
    process = memory.process()
    await process.declare()
    preview = await process.preview("dash")
    name = {"one": "gateway", "two": "rules", "three": "dashboard"}[step]
    memory.target.foreigner(name, "argocd", note="mine")
    await process.executor.confirm(preview, "dash")
    await process.executor.wait("dash")
    refused = process.step(step)
    assert (process["dash"].state, refused.state, refused.to_undo) == ("failed", "failed", False)
    assert f'{name} was changed by argocd since the preview: note: (absent) → "mine"' in refused.reason
    assert memory.delivered(step) == 0
    assert (await process.carry_out("dash")).state == "rolled_back"
    assert memory.target.objects[name].content["note"] == "mine"
    await process.carry_out("dash", "forward")
    assert memory.target.contents() == {
        **memory.target.original,
        name: {**memory.target.original[name], "note": "mine"},
    }


async def test_a_change_between_planning_and_sending_is_refused_by_the_target(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["one"].before_apply = lambda: memory.target.foreigner("gateway", "argocd", qec="mine")
    await process.carry_out("dash")
    assert memory.target.objects["gateway"].content["qec"] == "mine"
    assert (process.step("one").state, process.step("one").to_undo) == ("failed", False)
    assert "changed by argocd" in process.step("one").reason


async def test_ones_own_change_to_the_same_object_is_no_drift(memory: World) -> None:
    process = memory.process()
    await process.declare()
    assert (await process.carry_out("same")).state == "rolled_back"
    assert memory.target.contents()["shared"] == {"left": "off", "right": "off"}
    assert (await process.carry_out("same", "forward")).state == "rolled_forward"
    assert memory.target.contents() == memory.target.original


async def test_a_foreign_change_after_ones_own_to_the_same_object_is_drift(memory: World) -> None:
    process = memory.process()
    await process.declare()
    memory.steps["left"].polls = 3
    watch = memory.steps["left"].watch

    async def watched(goal: Any) -> Any:
        async for seen in watch(goal):
            yield seen
            if not memory.target.objects["shared"].content.get("note"):
                memory.target.foreigner("shared", "argocd", note="mine")

    memory.steps["left"].watch = watched
    await process.carry_out("same")
    assert (process.step("left").state, process.step("right").state) == ("proven", "failed")
    assert "shared was changed by argocd" in process.step("right").reason


async def test_after_a_lost_answer_the_next_step_on_the_same_object_asks_again(memory: World) -> None:
    """What exactly was left behind is not known then, so it is shown anew rather than taken for one's own."""
    process = memory.process()
    await process.declare()
    memory.steps["left"].faults = ["lost_after"]
    await process.carry_out("same")
    assert (process.step("left").state, process.step("right").state) == ("proven", "failed")
    assert (await process.carry_out("same")).state == "rolled_back"
    assert memory.delivered("left") == memory.delivered("right") == 1


async def test_rolling_forward_does_not_overwrite_what_somebody_changed_meanwhile(memory: World) -> None:
    process = memory.process()
    await process.declare()
    await process.carry_out("dash")
    memory.target.foreigner("gateway", "argocd", qec="theirs")
    preview = await process.preview("dash", "forward")
    assert "gateway.qec was changed since" in next(s for s in preview.steps if s.id == "one").problem
    with pytest.raises(Refused, match="step one can't work"):
        await process.executor.confirm(preview, "dash")
    assert memory.target.objects["gateway"].content["qec"] == "theirs"
