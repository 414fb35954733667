"""Where an object stands between before and after, and taking a change back without losing anybody else's."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from console.domain.difference import ABSENT
from console.targets.kubernetes.edits import ChangedSince, Claim, Edit, Goal, revert, standing
from console.targets.kubernetes.objects import Ref, same

REF = Ref("v1", "ConfigMap", "shop", "config", "/api/v1/namespaces/shop/configmaps/config")


def config(**data: Any) -> dict[str, Any]:
    return {"kind": "ConfigMap", "metadata": {"name": "config", "annotations": {}}, "data": data}


def edit(before: Any, after: Any, **more: Any) -> Edit:
    return Edit(REF, before, after, **more)


# ---------------------------------------------------------------- standing

PATCHED = edit(config(a="1", b="x"), config(a="2", b="x"))
CREATED = edit(None, config(a="1"))
DELETED = edit(config(a="1"), None, verb="delete")
ADDED = edit(config(b="x"), config(a="2", b="x"))


@pytest.mark.parametrize(
    ("change", "live", "where"),
    [
        (PATCHED, config(a="1", b="x"), ("old", "as it was")),
        (PATCHED, config(a="2", b="x"), ("new", "as it should be")),
        (PATCHED, config(a="2", b="other"), ("new", "as it should be")),
        (PATCHED, config(a="1", b="other", c="1"), ("old", "as it was")),
        (PATCHED, config(a="3", b="x"), ("neither", 'data.a should be "2", is "3"')),
        (PATCHED, config(b="x"), ("neither", 'data.a should be "2", is (absent)')),
        (PATCHED, None, ("neither", "it is gone")),
        (ADDED, config(b="x"), ("old", "as it was")),
        (ADDED, config(a="2"), ("new", "as it should be")),
        (CREATED, None, ("old", "not there")),
        (CREATED, config(a="1"), ("new", "there")),
        (CREATED, config(a="1", added="by the server"), ("new", "there")),
        (CREATED, config(a="2"), ("neither", 'data.a should be "1", is "2"')),
        (DELETED, config(a="1"), ("old", "still there")),
        (DELETED, None, ("new", "gone")),
    ],
)
def test_where_an_object_stands(change: Edit, live: Any, where: tuple[str, str]) -> None:
    assert standing(change, live) == where


def test_a_secret_value_is_not_told_by_where_it_stands() -> None:
    def secret(value: str) -> dict[str, Any]:
        return {**config(mode=value), "kind": "Secret"}

    _, detail = standing(edit(secret("b25l"), secret("dHdv")), secret("dGhyZWU="))
    assert detail.startswith('data.mode should be "••• (')
    assert "dHdv" not in detail
    assert "dGhyZWU=" not in detail


def test_a_change_survives_the_journal() -> None:
    goal = Goal((PATCHED, CREATED, DELETED), (Claim(REF, ("data", "a"), "2", "a=2"),), (REF,), (REF,), ("said",))
    assert Goal.from_json(goal.to_json()) == goal


def test_an_edit_that_changes_nothing() -> None:
    assert not edit(config(a="1"), config(a="1")).changes
    assert edit(config(a=1), config(a=True)).changes
    assert PATCHED.identified() == ["ConfigMap shop/config", "", [["data.a", '"1"', '"2"']]]


def test_a_claim_is_broken_by_another_value_or_by_its_absence() -> None:
    claim = Claim(REF, ("data", "a"), "2", "a=2")
    assert claim.broken_by(config(a="2")) == ""
    assert claim.broken_by(config(a="3")) == 'ConfigMap shop/config no longer has a=2: it reads "3"'
    assert claim.broken_by(config()) == "ConfigMap shop/config no longer has a=2: it reads (absent)"
    assert claim.broken_by(None) == "ConfigMap shop/config is gone"
    secret = {**config(a="s3cret"), "kind": "Secret"}
    assert "s3cret" not in claim.broken_by(secret)


# ---------------------------------------------------------------- taking back

scalars = st.integers(0, 2) | st.sampled_from(["x", "y", ""])
named = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("pqrs")}, optional={"value": scalars}),
    max_size=3,
    unique_by=lambda item: item["name"],
)
values = st.recursive(
    scalars | named, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(objects, objects)
def test_a_change_that_nobody_touched_is_taken_back_entirely(before: Any, after: Any) -> None:
    assert same(revert(before, after, after), before)


@given(objects, objects)
def test_taking_back_what_is_back_already_changes_nothing(before: Any, after: Any) -> None:
    assert same(revert(before, after, before), before)


@given(objects, objects)
def test_where_nothing_was_changed_everything_is_kept(before: Any, live: Any) -> None:
    assert same(revert(before, before, live), live)


@given(objects, objects, st.sampled_from("stu"), values)
def test_what_somebody_else_put_beside_it_is_kept(before: Any, after: Any, key: str, theirs: Any) -> None:
    result = revert(before, after, {**after, key: theirs})
    assert same(result, {**before, key: theirs})


@given(objects, objects, st.integers(10, 19))
def test_what_somebody_else_changed_at_the_same_place_is_never_overwritten(
    before: Any, after: Any, theirs: int
) -> None:
    changed = [key for key in {*before, *after} if not same(before.get(key, ABSENT), after.get(key, ABSENT))]
    assume(changed)
    key = sorted(changed)[0]
    with pytest.raises(ChangedSince, match=f"^{key}"):
        revert(before, after, {**after, key: theirs})


@given(objects, objects, objects)
def test_taking_back_gives_only_values_that_somebody_wanted(before: Any, after: Any, live: Any) -> None:
    sides = copy.deepcopy((before, after, live))
    try:
        result = revert(before, after, live)
    except ChangedSince:
        result = live
    assert set(result) <= {*before, *live}
    assert (before, after, live) == sides


def test_the_order_of_a_list_is_restored() -> None:
    before = {"env": [{"name": "A"}, {"name": "B"}, {"name": "C"}]}
    after = {"env": [{"name": "A"}, {"name": "C"}]}
    live = {"env": [{"name": "A"}, {"name": "C"}, {"name": "THEIRS"}]}
    assert [e["name"] for e in revert(before, after, live)["env"]] == ["A", "B", "C", "THEIRS"]


def test_a_mapping_that_we_made_may_hold_something_of_others() -> None:
    """Annotations that were not there before: ours goes, theirs stays; without theirs the mapping goes too."""
    before: dict[str, Any] = {"metadata": {}}
    after = {"metadata": {"annotations": {"ours": "1"}}}
    live = {"metadata": {"annotations": {"ours": "1", "theirs": "2"}}}
    assert revert(before, after, live) == {"metadata": {"annotations": {"theirs": "2"}}}
    assert revert(before, after, after) == before


def test_a_list_without_names_is_taken_back_only_as_a_whole() -> None:
    before, after = {"args": ["a"]}, {"args": ["b"]}
    assert revert(before, after, {"args": ["b"]}) == before
    with pytest.raises(ChangedSince, match=r"^args is neither what this console left there"):
        revert(before, after, {"args": ["b", "c"]})


def test_the_place_of_a_foreign_change_is_spelled_as_in_a_diff() -> None:
    def template(image: str) -> Any:
        return {"spec": {"containers": [{"name": "web", "image": image}]}}

    with pytest.raises(ChangedSince, match=r"^spec\.containers\[web\]\.image is neither"):
        revert(template("1"), template("2"), template("3"))
