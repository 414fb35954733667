"""What differs between two documents: each difference is true, and none is left out."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.difference import ABSENT, Difference, differences, has_lines, line_differences, lookup, say, spell

leaves = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "a", "b", "a.b", "x/y"])
names = st.sampled_from(["a", "b", "gateway"])
keys = st.sampled_from(["a", "b", "spec", "x/y", "name"])
named = st.fixed_dictionaries({"name": names}, optional={"value": leaves, "env": leaves})
documents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(named, max_size=3, unique_by=lambda item: item["name"])
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=10,
)
quick = settings(max_examples=40, deadline=None)


@quick
@given(documents)
def test_a_document_does_not_differ_from_itself(document: Any) -> None:
    assert list(differences(document, copy.deepcopy(document))) == []


@quick
@given(documents, documents)
def test_each_difference_is_what_stands_at_its_path_in_both(old: Any, new: Any) -> None:
    for found in differences(old, new):
        assert _same(lookup(old, found.path), found.old)
        assert _same(lookup(new, found.path), found.new)
        assert not _same(found.old, found.new)


@quick
@given(documents, documents)
def test_documents_without_a_difference_mean_the_same(old: Any, new: Any) -> None:
    if not list(differences(old, new)):
        assert _meaning(old) == _meaning(new)


@quick
@given(documents, documents)
def test_looking_the_other_way_gives_the_same_paths_turned_round(old: Any, new: Any) -> None:
    there = {(d.path, repr(d.old), repr(d.new)) for d in differences(old, new)}
    back = {(d.path, repr(d.new), repr(d.old)) for d in differences(new, old)}
    assert there == back


@quick
@given(
    st.lists(named, max_size=3, unique_by=lambda i: i["name"]).flatmap(
        lambda x: st.tuples(st.just(x), st.permutations(x))
    )
)
def test_the_order_of_a_keyed_list_is_no_difference(lists: tuple[list[Any], list[Any]]) -> None:
    assert list(differences(*lists)) == []


def test_items_of_a_keyed_list_are_named_in_the_path() -> None:
    old = {"containers": [{"name": "gateway", "env": [{"name": "QEC", "value": "on"}]}, {"name": "sidecar"}]}
    new = {"containers": [{"name": "sidecar"}, {"name": "gateway", "env": [{"name": "QEC", "value": "off"}]}]}
    assert [(d.where, d.old, d.new) for d in differences(old, new)] == [
        ("containers[gateway].env[QEC].value", "on", "off")
    ]


def test_an_item_that_came_or_went_is_one_difference() -> None:
    old, new = [{"name": "a", "v": 1}], [{"name": "b", "v": 2}]
    assert [(d.where, d.old, d.new) for d in differences(old, new)] == [
        ("[b]", ABSENT, new[0]),
        ("[a]", old[0], ABSENT),
    ]


@pytest.mark.parametrize(
    "items",
    [[{"name": "a"}, {"name": "a"}], [{"name": "a"}, {"id": 1}], [{"name": 1}], ["a"]],
    ids=["twice the same name", "one without a name", "a name that is no text", "no objects"],
)
def test_other_lists_are_compared_by_position(items: list[Any]) -> None:
    assert [d.where for d in differences([*items, "end"], items)] == [f"[{len(items)}]"]


def test_true_is_not_one() -> None:
    assert list(differences({"a": 1}, {"a": True})) == [Difference(("a",), 1, True)]


def test_an_absent_value_is_not_null() -> None:
    assert list(differences({}, {"a": None})) == [Difference(("a",), ABSENT, None)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "replicas"), "spec.replicas"),
        (("metadata", "labels", "app.kubernetes.io/name"), "metadata.labels['app.kubernetes.io/name']"),
        (("limits", "gpu.count"), "limits['gpu.count']"),
        (("rewrites", "/old"), "rewrites['/old']"),
        (("args", 0), "args[0]"),
        (("containers", "[gateway]", "image"), "containers[gateway].image"),
    ],
)
def test_a_path_is_spelled_as_people_write_it(path: Any, text: str) -> None:
    assert spell(path) == text


@pytest.mark.parametrize("path", [("a", "b", "c"), ("a", 5), ("a", "[x]"), ("zz",)])
def test_looking_where_nothing_is_says_absent(path: Any) -> None:
    assert lookup({"a": [1]}, path) is ABSENT


@pytest.mark.parametrize(
    ("value", "text"), [("5", '"5"'), (5, "5"), (None, "null"), (ABSENT, "(absent)"), ("ü", '"ü"')]
)
def test_a_value_is_said_so_that_text_and_number_can_be_told_apart(value: Any, text: str) -> None:
    assert say(value) == text


texts = st.lists(st.sampled_from(["", "a", "b", "--", "++ c", "@@ d"]), max_size=30).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@quick
@given(texts, texts)
def test_a_text_with_its_changed_lines_exchanged_is_the_other_text(old: str, new: str) -> None:
    told = list(line_differences(old, new))
    before, after = (Counter(text.split("\n")[:-1]) for text in (old, new))
    gone, come = (Counter(line for sign, line in told if sign == wanted) for wanted in "-+")
    assert gone <= before
    assert before - gone + come == after
    assert {sign for sign, _ in told} <= {"-", "+", " ", "…"}


def test_lines_far_from_any_change_are_left_out() -> None:
    old = "\n".join("abcdefghijkl")
    found = [sign + line for sign, line in line_differences(old, old.replace("b", "B").replace("k", "K"))]
    assert found == [" a", "-b", "+B", " c", " d", "…", " i", " j", "-k", "+K", " l"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("", "a\nb\n", [("+", "a"), ("+", "b")]),
        ("a\nb\n", "", [("-", "a"), ("-", "b")]),
        ("a\nb", "a\nb\n", [(" ", "a"), (" ", "b"), ("+", "")]),
        ("-- a\n", "a\n", [("-", "-- a"), ("+", "a")]),
        ("a\n", "a\n", []),
    ],
    ids=["came", "went", "a line end more", "a line that looks like a header", "the same"],
)
def test_texts_are_told_line_by_line(old: str, new: str, told: list[tuple[str, str]]) -> None:
    assert list(line_differences(old, new)) == told


@pytest.mark.parametrize(("value", "has"), [("a\nb", True), ("a\n", False), ("a", False), (5, False), (ABSENT, False)])
def test_a_text_of_several_lines_is_known(value: Any, has: bool) -> None:
    assert has_lines(value) is has


def _same(one: Any, other: Any) -> bool:
    """Equal, and True is not 1."""
    return repr(one) == repr(other) or (isinstance(one, dict | list) and _meaning(one) == _meaning(other))


def _meaning(document: Any) -> Any:
    """The document with keyed lists as mappings; leaves with their type."""
    if isinstance(document, dict):
        return {key: _meaning(value) for key, value in document.items()}
    if isinstance(document, list):
        if all(isinstance(i, dict) and isinstance(i.get("name"), str) for i in document):
            named_items = {i["name"]: _meaning(i) for i in document}
            if len(named_items) == len(document):
                return ("keyed", sorted(named_items.items(), key=lambda item: item[0]))
        return [_meaning(item) for item in document]
    return (type(document).__name__, document)
