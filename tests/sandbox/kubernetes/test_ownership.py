"""Server-side apply and strategic merge: the laws that hold for every object, and the cases that people trip over."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.sandbox.kubernetes import jsonpatch, strategic
from console.sandbox.kubernetes.documents import equal
from console.sandbox.kubernetes.errors import ApiError
from console.sandbox.kubernetes.fields import FieldSet
from console.sandbox.kubernetes.label_selectors import labels_match
from console.sandbox.kubernetes.ownership import Manager, applied, read, updated
from console.sandbox.kubernetes.quantities import canonical_quantity
from console.sandbox.kubernetes.schema import of_custom_resource, types, zero
from console.sandbox.kubernetes.selectors import fields_match
from console.sandbox.kubernetes.typed import compare, fields_of, merge, remove

CONFIG_MAP = types().of_kind("v1", "ConfigMap")
DEPLOYMENT = types().of_kind("apps/v1", "Deployment")
NOTHING = FieldSet()
NOW = "2026-01-01T00:00:00Z"
APPLIER = Manager("applier", True, "", "v1")
OTHER = Manager("other", True, "", "v1")
WRITER = Manager("writer", False, "", "v1")

names = st.sampled_from("abcd")
data = st.dictionaries(names, st.text("xyz", max_size=2), max_size=4)
variables = st.lists(st.fixed_dictionaries({"name": names, "value": st.text("xyz", max_size=2)}), max_size=4,
                     unique_by=lambda one: one["name"])  # fmt: skip


def config_map(values: dict[str, str]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": values}


def pod(*env: dict[str, str]) -> dict[str, Any]:
    spec = {"containers": [{"name": "web", "env": list(env)}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "d"},
        "spec": {"template": {"spec": spec}},
    }


def env_of(obj: dict[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = obj["spec"]["template"]["spec"]["containers"][0].get("env") or []
    return found


# ------------------------------------------------------------ sets of fields


@given(data, data)
def test_sets_of_fields_obey_the_laws_of_sets(one: dict[str, str], other: dict[str, str]) -> None:
    left, right = fields_of(CONFIG_MAP, config_map(one)), fields_of(CONFIG_MAP, config_map(other))
    assert (left | right) == (right | left)
    assert (left & right) == (right & left)
    assert not ((left - right) & right)
    assert ((left - right) | (left & right)) == left


@given(variables)
def test_managed_fields_are_read_back_as_they_were_written(env: list[dict[str, str]]) -> None:
    fields = fields_of(DEPLOYMENT, pod(*env))
    assert FieldSet.from_json(fields.to_json()) == fields


# ------------------------------------------------------------ applying


@given(data, data)
def test_what_is_applied_is_there_and_applying_it_again_changes_nothing(
    live: dict[str, str], wanted: dict[str, str]
) -> None:
    before = updated(CONFIG_MAP, {}, config_map(live), WRITER, NOW, NOTHING)
    once = applied(CONFIG_MAP, before, config_map(wanted), APPLIER, NOW, NOTHING, force=True)
    assert {**once["data"], **wanted} == once["data"]
    assert live.keys() <= once["data"].keys(), "what a plain writer put there is not an applier's to remove"
    again = applied(CONFIG_MAP, once, config_map(wanted), APPLIER, NOW, NOTHING, force=False)
    assert equal(again, once)


@given(data, data)
def test_what_is_no_longer_applied_goes_unless_somebody_else_owns_it(
    first: dict[str, str], second: dict[str, str]
) -> None:
    empty = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    once = applied(CONFIG_MAP, empty, config_map(first), APPLIER, NOW, NOTHING, force=False)
    twice = applied(CONFIG_MAP, once, config_map(second), APPLIER, NOW, NOTHING, force=False)
    assert (twice.get("data") or {}) == second


@given(data, data)
def test_a_conflict_is_exactly_a_field_of_another_with_another_value(
    mine: dict[str, str], theirs: dict[str, str]
) -> None:
    empty = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    before = applied(CONFIG_MAP, empty, config_map(theirs), OTHER, NOW, NOTHING, force=False)
    expected = {f".data.{key}" for key in mine.keys() & theirs.keys() if mine[key] != theirs[key]}
    if not expected:
        applied(CONFIG_MAP, before, config_map(mine), APPLIER, NOW, NOTHING, force=False)
        return
    with pytest.raises(ApiError) as refused:
        applied(CONFIG_MAP, before, config_map(mine), APPLIER, NOW, NOTHING, force=False)
    assert (refused.value.code, refused.value.reason) == (409, "Conflict")
    assert {cause["field"] for cause in (refused.value.details or {})["causes"]} == expected


def test_two_who_apply_the_same_share_it_and_the_last_to_leave_removes_it() -> None:
    empty = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    both = empty
    for manager in (APPLIER, OTHER):
        both = applied(CONFIG_MAP, both, config_map({"a": "1"}), manager, NOW, NOTHING, force=False)
    one = applied(CONFIG_MAP, both, config_map({}), APPLIER, NOW, NOTHING, force=False)
    assert one["data"] == {"a": "1"}
    none = applied(CONFIG_MAP, one, config_map({}), OTHER, NOW, NOTHING, force=False)
    assert not none.get("data")


def test_a_plain_write_takes_what_it_changes_and_nothing_else() -> None:
    first = updated(CONFIG_MAP, {}, config_map({"a": "1", "b": "1"}), WRITER, NOW, NOTHING)
    changed = copy.deepcopy(first) | {"data": {"a": "2", "b": "1"}}
    second = updated(CONFIG_MAP, first, changed, Manager("editor", False, "", "v1"), NOW, NOTHING)
    owners = {manager.name: share.fields.to_json() for manager, share in read(second).items()}
    assert owners["editor"] == {"f:data": {"f:a": {}}}
    assert "f:a" not in owners["writer"]["f:data"]


def test_of_many_plain_writers_the_oldest_become_one() -> None:
    obj = config_map({})
    for number in range(15):
        after = copy.deepcopy(obj) | {"data": {**obj["data"], f"k{number}": "1"}}
        manager = Manager(f"m{number}", False, "", "v1")
        obj = updated(CONFIG_MAP, obj, after, manager, f"2026-01-01T00:00:{number:02}Z", NOTHING)
    managers = {manager.name for manager in read(obj)}
    assert len(managers) == 10
    assert "ancient-changes" in managers


# ------------------------------------------------------------ comparing, merging, removing


@given(variables, variables)
def test_a_comparison_names_what_a_merge_would_change(one: list[dict[str, str]], other: list[dict[str, str]]) -> None:
    merged = merge(DEPLOYMENT, pod(*one), pod(*other))
    difference = compare(DEPLOYMENT, pod(*one), merged)
    assert not difference.removed
    assert bool(difference.added or difference.modified) == (not equal(pod(*one), merged))
    assert {v["name"] for v in env_of(merged)} == {v["name"] for v in [*one, *other]}
    order = [v["name"] for v in env_of(merged) if v["name"] in {o["name"] for o in other}]
    assert order == [v["name"] for v in other], "who applies says in which order"


@given(variables)
def test_removing_everything_that_somebody_owns_leaves_nothing_of_it(env: list[dict[str, str]]) -> None:
    fields = fields_of(DEPLOYMENT, pod(*env))
    left = remove(DEPLOYMENT, pod(*env), fields) or {}
    assert not (fields_of(DEPLOYMENT, left) & fields)


# ------------------------------------------------------------ strategic merge


@given(variables, variables)
def test_a_strategic_patch_merges_by_name_and_is_idempotent(
    one: list[dict[str, str]], other: list[dict[str, str]]
) -> None:
    patch = pod(*other)
    once = strategic.patched(DEPLOYMENT, pod(*one), patch)
    assert {v["name"]: v["value"] for v in env_of(once)} == {v["name"]: v["value"] for v in [*one, *other]}
    assert equal(strategic.patched(DEPLOYMENT, once, patch), once)


@given(variables, st.permutations("abcd"))
def test_a_given_order_is_kept(env: list[dict[str, str]], order: list[str]) -> None:
    present = [name for name in order if name in {v["name"] for v in env}]
    container = {"name": "web", "$setElementOrder/env": [{"name": name} for name in present]}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    assert [v["name"] for v in env_of(strategic.patched(DEPLOYMENT, pod(*env), patch))] == present


def test_what_is_deleted_by_name_is_gone_and_may_be_gone_already() -> None:
    patch = pod({"name": "a", "$patch": "delete"})
    left = strategic.patched(DEPLOYMENT, pod({"name": "a", "value": "1"}, {"name": "b", "value": "2"}), patch)
    assert env_of(left) == [{"name": "b", "value": "2"}]
    assert equal(strategic.patched(DEPLOYMENT, left, patch), left)


def test_values_are_taken_out_of_a_set_and_put_into_it() -> None:
    live = {"metadata": {"finalizers": ["a", "b"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}}
    assert strategic.patched(CONFIG_MAP, live, patch) == {"metadata": {"finalizers": ["c", "b"]}}


def test_keys_that_are_not_retained_go() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic.patched(DEPLOYMENT, live, patch)["spec"] == {"strategy": {"type": "Recreate"}}


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(ApiError, match="does not contain declared merge key: name"):
        strategic.patched(DEPLOYMENT, pod(), {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}})


# ------------------------------------------------------------ the rest


@given(st.recursive(st.none() | st.booleans() | st.integers(0, 2) | st.text("ab", max_size=2),
                    lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8))  # fmt: skip
def test_a_merge_patch_is_idempotent(patch: Any) -> None:
    once = jsonpatch.merged({"a": {"b": 1}}, patch)
    assert equal(jsonpatch.merged(once, patch), once)


@pytest.mark.parametrize(
    "operation",
    [{"op": "test", "path": "/a", "value": 2}, {"op": "remove", "path": "/b"}, {"op": "add", "path": "/b/c", "value": 1},
     {"op": "move", "path": "/b"}, {"op": "frob", "path": "/a"}, {"path": "/a"}, "x", {"op": "add", "path": "a", "value": 1}],
    ids=str,
)  # fmt: skip
def test_a_json_patch_that_can_not_be_applied_is_refused_as_a_whole(operation: Any) -> None:
    before = {"a": 1}
    with pytest.raises(ApiError) as refused:
        jsonpatch.patched(before, [{"op": "replace", "path": "/a", "value": 1}, operation])
    assert refused.value.code == 422
    assert before == {"a": 1}


@pytest.mark.parametrize(
    ("selector", "labels", "matches"),
    [("a=b", {"a": "b"}, True), ("a==b,c!=d", {"a": "b"}, True), ("a in (b,c)", {"a": "c"}, True),
     ("a notin (b)", {}, True), ("!a", {"a": ""}, False), ("a", {"a": ""}, True), ("a=", {"a": ""}, True),
     ("a>7", {"a": "12"}, True), ("a<7", {"a": "12"}, False), ("a>7", {}, False), ("in in (in),!notin", {"in": "in"}, True),
     ("a in (,b)", {"a": ""}, True), ("", {}, True)],
)  # fmt: skip
def test_label_selectors(selector: str, labels: dict[str, str], matches: bool) -> None:
    assert labels_match(selector)(labels) is matches


@pytest.mark.parametrize(
    ("selector", "said"),
    [("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
     ("a in b", "unable to parse requirement: found 'b' expected: '('"),
     ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
     ("a=b c", "found 'c', expected: ',' or 'end of string'"),
     ("a,", "found '', expected: identifier after ','"),
     ("=b", "found '=', expected: !, identifier, or 'end of string'"),
     ("a>b", """unable to parse requirement: values[0]: Invalid value: "b": for 'Gt', 'Lt' operators, the value must be """
             "an integer"),
     ("/a", 'unable to parse requirement: <nil>: Invalid value: "/a": prefix part must be non-empty')],
)  # fmt: skip
def test_a_label_selector_that_can_not_be_read_is_refused_in_the_servers_words(selector: str, said: str) -> None:
    with pytest.raises(ApiError) as refused:
        labels_match(selector)
    assert (refused.value.code, refused.value.message) == (400, said)


def test_field_selectors_know_a_few_fields_of_each_kind() -> None:
    pod_ = {"metadata": {"name": "p"}, "spec": {"nodeName": "n"}, "status": {"phase": "Running"}}
    assert fields_match("spec.nodeName=n,status.phase!=Pending", "Pod")(pod_)
    assert not fields_match("metadata.name=q", "ConfigMap")(pod_)
    with pytest.raises(ApiError, match="field label not supported"):
        fields_match("spec.foo=1", "Pod")


@pytest.mark.parametrize(
    ("given_", "written"),
    [("1000m", "1"), ("0.5", "500m"), ("1024Mi", "1Gi"), ("1500Mi", "1500Mi"), (2, "2"), ("1e3", "1e3"), ("1000k", "1M"),
     ("0", "0")],
)  # fmt: skip
def test_quantities_have_one_form(given_: Any, written: str) -> None:
    assert canonical_quantity(given_) == written


def test_a_custom_resource_without_a_schema_is_merged_by_its_shape() -> None:
    kind = of_custom_resource("It", None)
    live = {"metadata": {"name": "x"}, "spec": {"a": {"b": 1}, "l": [1]}}
    merged = merge(kind, live, {"spec": {"a": {"c": 2}, "l": [2]}})
    assert merged["spec"] == {"a": {"b": 1, "c": 2}, "l": [2]}


def test_an_empty_object_has_the_fields_that_are_always_written() -> None:
    assert zero(DEPLOYMENT)["spec"]["template"]["spec"] == {"containers": None}
    assert zero(CONFIG_MAP) == {"metadata": {}}
