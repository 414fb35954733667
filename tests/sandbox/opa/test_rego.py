"""The drill's Rego, where no real OPA is built: what compiles, what it says, and what is turned away with OPA's words."""

from __future__ import annotations

from typing import Any

import pytest

from console.sandbox.opa.errors import Broken, Mistaken, NotInDrill
from console.sandbox.opa.evaluator import ABSENT
from console.sandbox.opa.service import ApiError, Opa


def opa(*modules: str, data: Any = None) -> Opa:
    made = Opa()
    for key, value in (data or {}).items():
        made.put_data((key,), value)
    for number, text in enumerate(modules):
        made.put_policy(f"m{number}.rego", text.encode())
    return made


def said(text: str, query: str = "x", *, given: Any = ABSENT, data: Any = None) -> Any:
    """What a rule of `package p` is."""
    return opa(f"package p\n\n{text}\n", data=data).document(["p", query], given)


VALUES = {
    "arithmetic": ("x := 1 + 2 * 3 - 4 / 2", 5),
    "division that leaves a rest": ("x := 1 / 4", 0.25),
    "default": ("default x := 7\n\nx := 1 if false", 7),
    "else": ("x := 1 if false\nelse := 2 if false\nelse := 3", 3),
    "partial set": ("x contains y if some y in [3, 1, 3]", [1, 3]),
    "partial object": ("x[k] := v if some k, v in {1: 2}", {"1": 2}),
    "reference as a name": ('x.y["z w"] := 1', {"y": {"z w": 1}}),
    "comprehensions": (
        "x := [[v | v := [1, 2][_]], {v | v := [1, 1][_]}, {k: 1 | k := [2][_]}]",
        [[1, 2], [1], {"2": 1}],
    ),
    "every": ("x if every v in [1, 2] { v > 0 }", True),
    "not": ("x if not 1 == 2", True),
    "functions of two kinds": ("f(1) := 2\n\nf(y) := y * 2 if y > 1\n\nx := [f(1), f(4)]", [2, 8]),
    "unification both ways": ('x := [a, b] if [a, "q", {"k": b}] = [1, "q", {"k": 2}]', [1, 2]),
    "expressions in any order": ("x := z if {\n\tz := y + 1\n\ty = input.a\n}", 2),
    "with": ("q := input.a\n\nx := [q, r] if {\n\tr := q with input.a as 5\n}", [1, 5]),
    "mocked function": ("f(_) := 1\n\ng(_) := 2\n\ny := f(0)\n\nx := z if z := y with f as g", 2),
    "mocked built-in": ("x := y if y := count([1]) with count as 9", 9),
    "template": ('x := $"a{input.a}b{input.none}"', "a1b<undefined>"),
    "sprintf": ('x := sprintf("%d %s %v %.1f", [1, "a", {2, 1}, 1.25])', "1 a {1, 2} 1.2"),
    "walk": ("x := [p | walk({'a': [1]}, [p, v]); v == 1]".replace("'", '"'), [["a", 0]]),
    "keys in order": ('x := [k | some k, _ in {"b": 1, "a": 2}]', ["a", "b"]),
    "sets": ("x := [{1, 2} & {2}, {1} | {2}, {1, 2} - {1}]", [[2], [1, 2], [2]]),
    "true is not one": ("x := [true == 1, {1, true}]", [False, [True, 1]]),
}


@pytest.mark.parametrize(("text", "value"), VALUES.values(), ids=list(VALUES))
def test_rules_are_what_rego_says(text: str, value: Any) -> None:
    assert said(text, given={"a": 1}) == value


@pytest.mark.parametrize(
    "text",
    ["x if false", "x := 1 / 0", "x := input.a.b.c", "x := upper(input.a) if input.a", "x := f(2)\n\nf(1) := 1"],
    ids=["false", "division by zero", "no such place", "wrong argument", "no such case"],
)
def test_what_has_no_value_is_undefined(text: str) -> None:
    assert said(text, given={"a": 1}) is ABSENT


def test_a_package_shows_its_data_its_rules_and_the_packages_in_it() -> None:
    whole = opa("package a\n\nx := 1\n", "package a.b\n\nf(_) := 1\n\ny := 2 if false\n", data={"a": {"c": {"d": 1}}})
    assert whole.document([]) == {"a": {"x": 1, "b": {}, "c": {"d": 1}}}
    assert whole.document(["system", "version", "version"]) == "1.22.2"


def test_rules_with_variables_in_their_names_join_those_beside_them() -> None:
    assert said("x[k].a := 1 if k := 'u'\n\nx.v.a := 2".replace("'", '"')) == {"u": {"a": 1}, "v": {"a": 2}}
    with pytest.raises(ApiError) as conflict:
        said('x[k] := 1 if k := "u"\n\nx.u := 2')
    assert conflict.value.document["errors"][0]["message"] == "object keys must be unique"


TURNED_AWAY = {
    "unsafe": ("x if y == 1", "rego_unsafe_var_error", "var y is unsafe"),
    "undefined function": ("x := data.p.f(1)", "rego_type_error", "undefined function data.p.f"),
    "arity": ("f(y) := y\n\nx := f(1, 2, 3)", "rego_type_error", "function data.p.f has arity 1, got 3 arguments"),
    "wrong kind": ('x := 1 + "a"', "rego_type_error", "plus: invalid argument(s)"),
    "recursion": (
        "x if y\n\ny if x",
        "rego_recursion_error",
        "rule data.p.x is recursive: data.p.x -> data.p.y -> data.p.x",
    ),
    "two kinds": ("x := 1\n\nx contains 2", "rego_type_error", "conflicting rules data.p.x found"),
    "assigned twice": ("x if {\n\ty := 1\n\ty := 2\n}", "rego_compile_error", "var y assigned above"),
    "never used": ("x if {\n\tsome y\n\ttrue\n}", "rego_compile_error", "declared var y unused"),
    "v0": ("x { true }", "rego_parse_error", "`if` keyword is required before rule body"),
    "cut off": ("x if {", "rego_parse_error", "unexpected eof token"),
}


@pytest.mark.parametrize(("text", "code", "message"), TURNED_AWAY.values(), ids=list(TURNED_AWAY))
def test_what_does_not_compile_is_turned_away_with_its_place(text: str, code: str, message: str) -> None:
    with pytest.raises(ApiError) as refused:
        said(text)
    assert refused.value.status == 400
    first = refused.value.document["errors"][0]
    assert (first["code"], first["message"], first["location"]["file"]) == (code, message, "m0.rego")
    assert first["location"]["row"] >= 3


def test_more_than_ten_mistakes_are_cut_short() -> None:
    with pytest.raises(ApiError) as refused:
        said("\n".join(f"x{n} if y{n} == 1" for n in range(12)))
    messages = [error["message"] for error in refused.value.document["errors"]]
    assert (len(messages), messages[-1]) == (11, "error limit reached")


def test_two_values_for_one_rule_are_an_error_of_the_evaluation() -> None:
    with pytest.raises(ApiError) as broken:
        said("x := 1\n\nx := 2")
    assert broken.value.status == 500
    assert broken.value.document["errors"][0]["code"] == "eval_conflict_error"
    assert (
        "produced conflicting values:\n  1 at m0.rego:3\n  2 at m0.rego:5"
        in (broken.value.document["errors"][0]["message"])
    )


@pytest.mark.parametrize(
    "text", ["x := http.send({})", "import rego.v2\n\nx := 1", "import future.keywords.or\n\nx := 1"]
)
def test_what_the_drill_does_not_have_is_said_and_not_guessed(text: str) -> None:
    with pytest.raises(NotInDrill, match="the drill's OPA has no"):
        said(text)


def test_a_document_without_its_rules_can_be_seen() -> None:
    """The query by which the console tells data from rules."""
    whole = opa("package a\n\nx := 1 if input.never.asked.for\n\nbad := 1\n\nbad := 2\n", data={"a": {"roles": [1]}})
    rows = whole.query('x0 = [v | v = data["a"] with data["a"]["bad"] as null with data["a"]["x"] as null]')
    assert rows == [{"x0": [{"roles": [1], "x": None, "bad": None}]}]


def test_a_long_chain_of_rules_is_followed_to_its_end() -> None:
    from console.sandbox.opa.api import OpaApi

    rules = "\n".join(f"r{n} := r{n + 1} + 1" for n in range(300))
    api = OpaApi()
    api.opa.put_policy("deep.rego", f"package deep\n\n{rules}\n\nr300 := 0\n".encode())
    api._with_room()
    assert api._thread.submit(api.opa.document, ["deep", "r0"]).result() == 300
    api._thread.shutdown()


def test_errors_tell_themselves_as_opa_does() -> None:
    with pytest.raises(ApiError) as refused:
        opa("package a\n\nx := 1\n").put_data(("a",), {"x": 3})
    expected = "1 error occurred: m0.rego:3: rego_compile_error: conflicting rule for data path a/x found"
    assert str(refused.value) == expected
    assert str(Mistaken([])) == "0 errors occurred: "
    assert str(Broken("eval_conflict_error", "no")) == "eval_conflict_error: no"
