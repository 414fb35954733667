"""What is known of Rego and of places in `data` without OPA: packages, the order of modules, patches, what belongs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.difference import ABSENT
from console.domain.errors import Refused
from console.targets.opa.archive import Archive, Module
from console.targets.opa.client import OpaTarget
from console.targets.opa.goal import DataEdit, Edit, Goal, stored
from console.targets.opa.paths import equal, patch_of, put_at, url_of, value_at, without
from console.targets.opa.rego import in_order, package_of, placeholder, references
from console.targets.opa.replica import ActiveBundle, Replica
from console.targets.opa.scope import outside, owners, scope_of
from console.targets.opa.survey import Snapshot, Survey
from console.targets.opa.undoing import taken_back
from console.targets.opa.views import Policy, batches, query_of, views_of
from console.targets.opa.wire import Wire
from console.targets.opa.wording import diff_lines

# ---------------------------------------------------------------- Rego


@pytest.mark.parametrize(
    ("text", "package"),
    [
        ("package acgs.authz\n", ("acgs", "authz")),
        ("# a comment: package no\n\n  package acgs\nimport data.x", ("acgs",)),
        ('package acgs["odd name"].v1', ("acgs", "odd name", "v1")),
        ("\ufeffpackage a", ("a",)),
        ("allow := true", None),
        ("", None),
        ("# package a", None),
        ("packageless", None),
    ],
)
def test_the_package_of_a_module(text: str, package: tuple[str, ...] | None) -> None:
    assert package_of(text) == package


def test_references_are_imports_and_mentions() -> None:
    text = 'package a\nimport data.acgs.lib as l\nallow if data.acgs["roles"].admin[input.x]\n'
    assert references(text) == {("acgs", "lib"), ("acgs", "roles", "admin")}


def test_modules_come_after_those_they_refer_to() -> None:
    modules = {
        "a_main.rego": "package main\nallow if data.authz.allow",
        "b_authz.rego": "package authz\nimport data.lib.roles",
        "c_roles.rego": "package lib.roles\nadmin(x) if x",
        "0_other.rego": "package lib.other\nx := data.main.allow",
    }
    assert in_order(modules) == ["c_roles.rego", "b_authz.rego", "a_main.rego", "0_other.rego"]


def test_a_cycle_is_an_order_too() -> None:
    modules = {"a": "package a\nx := data.b.x", "b": "package b\nx := data.c.x", "c": "package c\nx := data.a.y"}
    assert in_order(modules) == ["c", "b", "a"]


def test_a_thousand_modules_in_a_row() -> None:
    modules = {f"{n:04}": f"package p{n}\nx := data.p{n + 1}.x" for n in range(1500)}
    assert in_order(modules) == sorted(modules, reverse=True)


def test_a_placeholder_has_the_package_and_says_whose_it_is() -> None:
    text = placeholder('package acgs["odd name"]\nallow := true')
    assert package_of(text) == ("acgs", "odd name")
    assert "rollback-console" in text


# ---------------------------------------------------------------- places in data

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab/~é"), inner, max_size=3),
    max_leaves=12,
)


def patched(document: Any, patch: list[dict[str, Any]]) -> Any:
    """As OPA does it: `add` wants the parent, `remove` wants the value."""
    for op in patch:
        path = tuple(p.replace("~1", "/").replace("~0", "~") for p in op["path"].split("/")[1:])
        assert not path or value_at(document, path[:-1]) is not ABSENT
        assert op["op"] == "add" or value_at(document, path) is not ABSENT
        document = put_at(document, path, op.get("value", ABSENT))
    return document


@given(st.dictionaries(st.sampled_from("ab/~é"), JSON), st.dictionaries(st.sampled_from("ab/~é"), JSON))
def test_a_patch_makes_one_document_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert equal(patched(before, patch_of(before, after)), after)
    assert patch_of(after, after) == []


def test_null_is_not_nothing_and_true_is_not_one() -> None:
    assert patch_of({"a": None}, {}) == [{"op": "remove", "path": "/a"}]
    assert patch_of({}, {"a": None}) == [{"op": "add", "path": "/a", "value": None}]
    assert patch_of({"a": 1}, {"a": True}) == [{"op": "add", "path": "/a", "value": True}]


def test_rules_are_taken_out_of_an_answer_and_data_beside_them_stays() -> None:
    answer = {"authz": {"allow": None}, "lib": {"p": {"q": None}, "extra": [1]}, "roles": {"a": 1}}
    rules = [("authz", "allow"), ("lib", "p", "q")]
    assert without(answer, rules, [("authz",), ("lib",)]) == {"lib": {"extra": [1]}, "roles": {"a": 1}}


def test_a_place_in_an_address() -> None:
    assert url_of(("acgs", "a b/c", "é?")) == "acgs/a%20b%2Fc/%C3%A9%3F"


def test_each_package_is_looked_at_without_its_rules_and_without_those_below() -> None:
    policies = [
        Policy("", ("acgs",), (("acgs", "x"),)),
        Policy("", ("acgs", "lib"), (("acgs", "lib", "p"), ("acgs", "lib", "p", "q"))),
        Policy("", ("billing",), (("billing", "free"),)),
    ]
    views = views_of(("acgs",), policies)
    assert [(v.path, v.masked) for v in views] == [
        (("acgs",), (("acgs", "lib"), ("acgs", "x"))),
        (("acgs", "lib"), (("acgs", "lib", "p"),)),
    ]
    assert query_of(views[1:]) == 'x0 = [v | v = data["acgs"]["lib"] with data["acgs"]["lib"]["p"] as null]'
    assert views_of((), policies)[0].masked == (("acgs",), ("billing",))
    assert views[1].without_rules({"p": None, "extra": 1}) == {"extra": 1}


def test_a_query_never_replaces_too_much() -> None:
    policies = [Policy("", (f"p{n}",), tuple((f"p{n}", f"r{k}") for k in range(300))) for n in range(20)]
    found = list(batches(views_of((), policies)))
    assert sum(len(batch) for batch in found) == 21
    assert all(sum(len(v.masked) for v in batch) <= 1000 for batch in found)


# ---------------------------------------------------------------- what belongs


def archive(roots: tuple[tuple[str, ...], ...] | None = None) -> Archive:
    modules = (Module("authz.rego", "authz.rego", "package acgs.authz\n", ("acgs", "authz")),)
    return Archive(Path("a.tar.gz"), b"", modules, {"limits": 1}, (("limits",),), roots)


def test_the_roots_own_packages_and_data_and_nothing_beside() -> None:
    scope = scope_of(archive((("acgs",), ("limits",))), "", None)
    assert scope.owns("x", ("acgs", "qec"))
    assert not scope.owns("x", ("acgsx",))
    assert scope.documents == (("acgs",), ("limits",))


def test_without_roots_it_owns_what_it_holds() -> None:
    scope = scope_of(archive(), "original/", None)
    assert scope.owns("x", ("acgs", "authz", "deep"))
    assert scope.owns("original/left-over.rego", ("billing",))
    assert not scope.owns("x", ("acgs", "qec"))
    assert scope.documents == (("limits",),)


def test_who_owns_everything_still_does_not_own_the_system() -> None:
    scope = scope_of(archive(), "", [()])
    assert scope.owns("x", ("anything",))
    assert not scope.owns("x", ("system", "authz"))


def test_what_the_file_leaves_out_is_told() -> None:
    assert outside(archive(), scope_of(archive(), "", [("limits",)])) == ["authz.rego"]
    assert outside(archive(), scope_of(archive(), "", [("acgs",)])) == ["data limits"]


@pytest.mark.parametrize(
    ("root", "owned"), [("", True), ("acgs", True), ("acgs/authz/x", True), ("limits", True), ("billing", False)]
)
def test_a_bundle_owns_what_overlaps(root: str, owned: bool) -> None:
    bundle = ActiveBundle("authz", (tuple(p for p in root.split("/") if p),), "")
    assert bool(owners(scope_of(archive(), "", None), [bundle])) is owned


# ---------------------------------------------------------------- edits

URL = "http://opa-0:8181"
OLD, NEW, ODD = "package a\nx := 1\n", "package a\nx := 2\n", "package a\nx := 3\n"


@pytest.mark.parametrize(
    ("live", "standing"), [(OLD, "old"), (NEW, "new"), (ODD, "neither"), (None, "neither"), (placeholder(OLD), "gap")]
)
def test_where_an_edit_stands(live: str | None, standing: str) -> None:
    assert Edit(URL, "a", OLD, NEW).standing(live) == standing


def test_a_change_survives_the_disk() -> None:
    goal = Goal((Edit(URL, "a", OLD, None), Edit("http://opa-1", "a", OLD, None)),
                (DataEdit(URL, ("x",), ABSENT, None, made=1),), {}, "it")  # fmt: skip
    document = goal.to_json()
    assert list(document["texts"].values()) == [OLD]
    assert Goal.from_json(document) == goal


def survey_of(text: str | None, roles: Any) -> Survey:
    policies = {} if text is None else {"a": Policy(text, ("a",), ())}
    return Survey((Snapshot(Replica(Wire(URL)), policies, {"acgs": {"roles": roles}}, ()),))


def attempt(before: str | None, after: str | None, roles: tuple[Any, Any] = (1, 1)) -> Any:
    edits, data = (Edit(URL, "a", before, after),), (DataEdit(URL, ("acgs", "roles"), *roles),)
    stored(edits, data)
    return edits, data


@pytest.mark.parametrize(
    ("attempts", "live", "goal"),
    [
        ([attempt(OLD, NEW)], NEW, OLD),
        ([attempt(OLD, NEW)], OLD, OLD),
        ([attempt(None, NEW)], NEW, None),
        ([attempt(OLD, NEW)], placeholder(OLD), OLD),
        ([attempt(OLD, NEW), attempt(placeholder(OLD), NEW)], NEW, OLD),
        ([attempt(OLD, NEW), attempt(OLD, NEW)], NEW, OLD),
        ([attempt(OLD, NEW), attempt(NEW, ODD)], ODD, OLD),
    ],
    ids=["done", "never arrived", "added", "died at a gap", "died at a gap, gone on", "lost, sent again", "twice"],
)
def test_undo_leads_through_all_attempts(attempts: Any, live: str | None, goal: str | None) -> None:
    [edit], _ = taken_back(attempts, survey_of(live, 1))
    assert (edit.before, edit.after) == (live, goal)


def test_undo_refuses_what_somebody_else_changed() -> None:
    with pytest.raises(Refused, match=r"module a on .* was changed by somebody else"):
        taken_back([attempt(OLD, NEW)], survey_of(ODD, 1))
    with pytest.raises(Refused, match=r"data acgs/roles on .* was changed by somebody else"):
        taken_back([attempt(OLD, NEW, (1, 2))], survey_of(NEW, 3))


# ---------------------------------------------------------------- how it reads


def test_the_diff_is_bounded_clean_and_says_where_once() -> None:
    target = OpaTarget("opa", ["http://opa-0:8181", "http://opa-1:8181"])
    urls = [replica.url for replica in target.replicas]
    long = "package a\n" + "".join(f"x{n} := 1\n" for n in range(500))
    edits = [Edit(url, "a", OLD, NEW) for url in urls]
    edits += [Edit(urls[0], "b", None, "package b\n# \x1b]52;c;evil\x07\n"), Edit(urls[1], "c", long, None)]
    data = [DataEdit(url, ("acgs", "roles"), {"admin": True}, {"admin": False}) for url in urls]
    lines = diff_lines(target, edits, data)
    assert lines[:4] == ["  policy a on all 2 replicas: changed", "  package a", "- x := 1", "+ x := 2"]
    assert lines[4:7] == ["  policy b on opa-0:8181: new, 2 lines", "+ package b", "+ # "]
    assert lines[7] == "  policy c on opa-1:8181: removed, 501 lines"
    assert lines[48] == "  … 461 more lines"
    assert lines[49:] == [
        "  data acgs/roles on all 2 replicas",
        "- acgs/roles.admin: true",
        "+ acgs/roles.admin: false",
    ]
    assert all(line.isprintable() for line in lines)
