"""The same requests to the real OPA and to the drill's: the same answers, but for what docs/drill-opa.md explains."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.real.opa_room import AUDIT, AUTHZ, LIB, MODULES, QEC_AUTHZ, QEC_LIB, need_opa, packed
from tests.real.servers import poll
from tests.real.servers.opa import BundleServer, OpaServer
from tests.sandbox.opa.drill_opa import DrillOpa

Request = tuple[str, str, Any]
ROLES: Final[Request] = ("PUT", "data/acgs/roles", {"admins": ["ada"], "limits": {"a/b": 1.0, "none": None}})
ACGS: Final[list[Request]] = [
    ROLES,
    ("PUT", "policies/acgs/lib.rego", LIB),
    ("PUT", "policies/acgs/authz.rego", AUTHZ),
    ("PUT", "policies/acgs/audit.rego", AUDIT),
]


def module(policy_id: str, text: str | bytes) -> Request:
    return ("PUT", f"policies/{policy_id}", text)


def query(text: str, **more: Any) -> Request:
    return ("POST", "query", {"query": text, **more})


def patch(*operations: Any, at: str = "data") -> Request:
    return ("PATCH", at, [dict(zip(("op", "path", "value"), operation, strict=False)) for operation in operations])


def asked(path: str = "data") -> Request:
    return ("GET", path, None)


NO_JSON: Final = (
    *("{x", "[1,", '"abc', "tru", "nul1", "1 2", "", " ", "{'a':1}", '{"a" 1}', '{"a":1,}', "[1 2]", "[1,]", "{", "["),
    *('{"a":', '{"a"', '{"a":}', "two", "x", "]", '{"a":1 "b":2}', "{1: 2}", '["a"'),
)

SEQUENCES: Final[dict[str, list[Request]]] = {
    "in good order": [*ACGS, asked(), asked("policies"), asked("policies/acgs/authz.rego"), asked("policies/nope")],
    "in bad order": [
        ("PUT", "policies/acgs/audit.rego", AUDIT),
        ("PUT", "policies/acgs/authz.rego", AUTHZ),
        ("PUT", "policies/acgs/lib.rego", LIB),
        ("PUT", "policies/acgs/authz.rego", AUTHZ),
        asked("policies"),
        asked(),
    ],
    "deletes that break others": [
        *ACGS,
        ("DELETE", "policies/acgs/lib.rego", None),
        ("DELETE", "policies/acgs/authz.rego", None),
        ("DELETE", "policies/acgs/lib.rego", None),
        ("DELETE", "policies/acgs/lib.rego", None),
        asked("policies"),
        asked(),
    ],
    "modules that block each other": [
        *ACGS,
        ("PUT", "policies/acgs/lib.rego", QEC_LIB),
        ("PUT", "policies/acgs/authz.rego", QEC_AUTHZ),
        ("PUT", "policies/acgs/authz.rego", "package acgs.authz\n# nothing for the moment\n"),
        ("PUT", "policies/acgs/lib.rego", QEC_LIB),
        ("PUT", "policies/acgs/authz.rego", QEC_AUTHZ),
        asked("data/acgs"),
    ],
    "put again": [module("a", "package a\n\nx := 1\n"), module("a", "package a\n\nx := 1\n"), asked("data/a")],
    "ids with signs": [
        module("a%2Fb%20c", "package q"),
        module("old/ü.rego", "package u\n\nx := 1\n"),
        asked("policies"),
        asked("policies/a/b%20c"),
        ("DELETE", "policies/a/b%20c", None),
    ],
    "empty modules": [module("a", ""), module("a", "\n# only a comment\n"), module("a", "package a")],
    "unsafe variables": [
        module("a", "package a\n\nx if y\n"),
        module("a", "package a\n\nx if y == 1\n"),
        module("a", "package a\n\nx if z = y\n"),
        module("a", "package a\n\nx := y\n"),
        module("a", "package a\n\nx contains y if true\n"),
        module("a", "package a\n\nx if not input.a[i] == 1\n"),
        module("a", "package a\n\nx := [y | true]\n"),
        module("a", "package a\n\nx := y + 1 if true\n"),
        module("a", "package a\n\nf(x) := y if x\n"),
        module("a", "package a\n\nx if {\n\tsome i\n\tinput.a[i] > j\n}\n"),
        module("a", "package a\n\nx if every i in input.a { i > j }\n"),
        module("a", "package a\n\nx if count(y) > 1\n"),
        module("a", "package a\n\nx if {\n\ty := z\n\tz > 1\n}\n"),
        module("a", "package a\n\nx if input.a == 1 with input as y\n"),
        asked("policies"),
    ],
    "names": [
        module("a", "package a\n\nx if {\n\ty := 1\n\ty := 2\n}\n"),
        module("a", "package a\n\nx if {\n\ty == 1\n\ty := 2\n}\n"),
        module("a", "package a\n\nf(x) if x := 1\n"),
        module("a", "package a\n\nx if {\n\tsome y\n\tsome y\n\tinput[y]\n}\n"),
        module("a", "package a\n\nimport data.b\nimport data.c.b\n\nx := 1\n"),
        module("a", "package a\n\ninput := 1\n"),
        module("a", "package a\n\nx if input.x := 1\n"),
        module("a", "package a\n\nx if not y := 1\n"),
        module("a", "package a\n\nx if 1 := 1\n"),
        module("a", "package a\n\nx if {\n\tsome y\n\ttrue\n}\n"),
    ],
    "functions": [
        module("a", "package a\n\nx := f(1)\n"),
        module("a", "package a\n\nx := data.b.f(1)\n"),
        module("a", "package a\n\nf(x) := x\n\ny := f(1, 2, 3)\n"),
        module("a", "package a\n\nf(x) := x\n\ny := f()\n"),
        module("a", "package a\n\ny := count(1, 2, 3)\n"),
        module("a", "package a\n\nf(x) := 1\n\nf(x, y) := 2\n"),
        module("a", "package a\n\nf(x) := 1\n\nf := 2\n"),
        module("a", "package a\n\nf(x) := x + 1\n\ny := f(1)\n\nz if f(2, 3)\n"),
        asked("data/a"),
        asked("data/a/f"),
    ],
    "types": [
        module("a", 'package a\n\nx := 1 + "a"\n'),
        module("a", "package a\n\nx := count(1)\n"),
        module("a", "package a\n\ny := 1\n\nx := upper(y)\n"),
        module("a", 'package a\n\nx if {\n\ty := "a"\n\ty > 1\n\tlower(y) == "a"\n\tabs(y) > 1\n}\n'),
        module("a", 'package a\n\nx if {\n\ty := 1\n\ty = "a"\n}\n'),
        module("a", "package a\n\nx := startswith(1, true)\n"),
    ],
    "deprecated functions": [
        module("a", "package a\n\nx if any([true])\n"),
        module("a", "package a\n\nx := [y | y := re_match(`a`, input.a)]\n\nz := set_diff({1}, {2})\n"),
    ],
    "recursion": [
        module("a", "package a\n\na if b\nb if c\nc if a\nd if d\n"),
        module("a", "package a\n\nf(x) := f(x)\n"),
        module("a", "package a\n\np contains x if p[x]\n"),
        module("a", "package a\n\np if data.a.q\n\nq if not p\n"),
        module("a", "package a\n\np := data[2]\n"),
        ("PUT", "data/2", '"two"'),
        asked("data/a"),
    ],
    "conflicts between rules": [
        module("a", "package a\n\ndefault x := 1\n\ndefault x := 2\n"),
        module("a", "package a\n\nx := 1\n\nx contains 2\n"),
        module("a", "package a\n\nx.y := 1\n\nx := 2\n"),
        module("a", "package a\n\nx := 1\n"),
        module("b", "package a.x\n\ny := 1\n"),
        module("b", "package a\n\ndefault x := 1\n"),
        module("c", "package a\n\ndefault x := 2\n"),
        module("c", "package a\n\nx.y := 2\n"),
        asked("policies"),
    ],
    "conflicts with data": [
        ("PUT", "data/a", {"x": 1, "l": [1]}),
        module("a", "package a\n\nx := 1\n"),
        module("a", "package a.x\n\ny := 1\n"),
        module("a", "package a.l\n\ny := 1\n"),
        module("a", "package a.z\n\ny := 1\n"),
        ("PUT", "data/a/z/y", 1),
        ("PUT", "data/a/z", {"y": 1}),
        ("PUT", "data/a/z", 1),
        ("PUT", "data/a/z/other", 1),
        patch(("add", "/a/z/y", 1)),
        asked(),
    ],
    "conflicts while evaluating": [
        module("a", "package a\n\nx := 1 if true\n\nx := 2 if true\n\ny if x\n\nz := 3\n"),
        asked("data/a"),
        asked("data/a/y"),
        asked("data/a/z"),
        module("b", "package b\n\nf(x) := 1\n\nf(x) := 2 if x\n\ny := f(1)\n\no[k] := v if some v, k in [1, 1]\n"),
        asked("data/b/y"),
        asked("data/b/o"),
        query("x = data.a.x"),
    ],
    "data put and deleted": [
        ("PUT", "data/a/b", {"c": 1}),
        ("PUT", "data/a/b/c/d", 1),
        ("PUT", "data", [1]),
        ("PUT", "data/a/b", "{x"),
        ("PUT", "data/a/l", [1, 2]),
        ("PUT", "data/a/l/1", 7),
        ("PUT", "data/a/l/77", 7),
        ("PUT", "data/a/l/x", 7),
        asked("data/a/l/1"),
        asked("data/a/l"),
        ("DELETE", "data/a/l/0", None),
        ("DELETE", "data/nope", None),
        ("DELETE", "data/a/nope", None),
        ("DELETE", "data/a/b/c", None),
        asked(),
        ("PUT", "data/2/x", 1),
        asked("data/2"),
        ("PUT", "data", {"new": True}),
        asked(),
        asked("data/a%2Fb"),
        ("PUT", "data/a%2Fb", 1),
        asked("data/a%2Fb"),
        asked(),
    ],
    "documents that are no JSON": [
        *(("PUT", "data/x", text) for text in NO_JSON),
        asked("data/x"),
    ],
    "data patches": [
        patch(("add", "/q/w", 1)),
        patch(("remove", "/q")),
        patch(("move", "/q")),
        patch(("replace", "/q", 1)),
        ("PATCH", "data", {}),
        patch(("add", "/a", {"l": [1, 2]}), ("add", "/a/l/-", 3), ("add", "/a/l/0", 0), ("remove", "/a/l/1")),
        asked("data/a"),
        patch(("add", "l/9", 1), at="data/a"),
        patch(("add", "l/x", 1), at="data/a"),
        patch(("add", "/l/4", 9), at="data/a"),
        patch(("replace", "/l/0", {"deep": None}), at="data/a"),
        patch(("add", "/a/b~1c~0d", 1.50)),
        patch(("add", "/kept", 1), ("remove", "/nope")),
        patch(("remove", "/")),
        patch(("add", "/", {"all": 1})),
        asked(),
    ],
    "queries": [
        *ACGS,
        query("x = 1; y := 2; _ = 3"),
        query("1 == 2"),
        query("1 == 1"),
        query("x = data.acgs.roles.admins[i]"),
        query("data.acgs.authz.allow"),
        query("data.acgs.authz.allow", input={"user": "ada"}),
        query("x = data.acgs.authz.allow with input.user as data.acgs.roles.admins[_]"),
        query("not data.acgs.authz.allow"),
        query("some x in [1, 2, 3]; x > 1"),
        query("data.nope"),
        query("x = input.a", input={"a": {"b": [1, {"c": None}]}}),
        query("x = data.acgs"),
        query('x = {k | data[k]}; y = {1, "a", [2]}'),
        query("x == 1"),
        query("x = y"),
        query("nope(1)"),
        query("count(1)"),
        query("1 ="),
        query("x = [1"),
        query(""),
        ("POST", "query", "x"),
        asked("query?q=x%3D%5B1%2C2%5D%5B_%5D"),
        asked("query"),
        query("x := 1; x := 2"),
        query("plus(1, 2, x)"),
        query("x = count([1, 2])"),
        query("data.acgs.roles.admins[_] == x"),
        query("every x in [1] { x > 0 }"),
        query("walk([1], x)"),
    ],
    "views without rules": [
        *ACGS,
        query('x0 = [v | v = data["acgs"] with data["acgs"]["audit"] as null with data["acgs"]["authz"] as null]'),
        query(
            'x0 = [v | v = data["acgs"]["authz"] with data["acgs"]["authz"]["allow"] as null]; x1 = [v | v = data["no"]]'
        ),
        query("x = data.acgs.authz.allow with data.acgs.roles.admins as {1, 2}", input={"user": 2}),
        query("x = data.acgs with data.acgs as 1"),
        query("x = data.acgs.lib with data.acgs.lib.is_admin as true"),
        query("x = data.acgs.authz.allow with data.acgs.lib.is_admin as true"),
        query("x = data.acgs.authz.allow with data.acgs.authz.allow.deep as true"),
        query("x = data.acgs.audit with data.acgs.authz.allow as true with input as 3"),
        query("x = count([1, 2]) with count as 9"),
        query("x = data.acgs.nope with data.acgs.nope.deep as {1}"),
        query("x = 1 with nope as 1"),
    ],
    "decisions": [
        *ACGS,
        ("POST", "data/acgs/authz/allow", {"input": {"user": "ada"}}),
        ("POST", "data/acgs/authz/allow", {"input": {"user": "eve"}}),
        ("POST", "data/acgs/authz/allow", {}),
        ("POST", "data/acgs/authz/allow", ""),
        ("POST", "data/acgs/authz/nope", {"input": None}),
        ("POST", "data/acgs/authz", {"input": [1]}),
        ("POST", "data/acgs/roles/limits/a%2Fb", {"input": 1}),
        ("POST", "data", {"input": {"user": "ada"}}),
        ("POST", "data/x", "{"),
        ("POST", "data/x", "[]"),
        asked("data/acgs/authz/allow?input=%7B%22user%22%3A%22ada%22%7D"),
        asked("data/acgs/authz/allow?input=%7B"),
        asked("data/acgs/authz/allow?pretty"),
    ],
    "rules of every kind": [
        module(
            "k",
            'package k["x-y"]\n\nimport data.foo as bar\nimport input.user\n\ndefault allow := false\n\n'
            "allow if bar[_] == user\n\np contains x if { some x in [1, 2]; x > 1 }\n"
            'q[k] := v if some k, v in input.m\na.b.c := 1\na.d[x] := 2 if x := "z"\n'
            "f(x, [y]) := z if { z := x + y * 2 }\ng(_) := 1\n"
            "e := 1 if { not input.x } else := 2 if { every k, v in [1] { v == k } } else := 3\n"
            "s := {x | x := input.a[_]}\no := {k: v | v := input.a[k]}\n"
            'w if { data.x.y == 1 with input.a as 2 with data.x as {"y": 1} }\n'
            't := -1\nu := [1.5, "s", null, true, {}, set(), {"a": 1}, `raw`]\nh if { input.a[i].b[j]; i != j }\n'
            "c := f(1, [2])\nm contains [x, y] if { x := [1, 2][_]; y := {3, 4}[_] }\n"
            'n := sprintf("%d %s %v", [1, "a", {1, 2}])\nr := {"b": 1, "a": {3, 1, 2}}\n'
            "z[1] := 2\ny[x].y := x if x in [1, 2]\n",
        ),
        ("PUT", "data/foo", ["ada"]),
        asked("data/k/x-y"),
        ("POST", "data/k/x-y", {"input": {"user": "ada", "m": {"a": 1}, "a": [{"b": [1, 2]}, 3], "x": 1}}),
        asked("policies"),
    ],
    "what is in the server": [
        asked("config"),
        asked("status"),
        asked("data/system"),
        asked("data/system/bundles"),
        asked("../health"),
        asked("../health?bundles&plugins"),
        asked("../nope"),
        ("DELETE", "data", None),
        ("DELETE", "policies", None),
        ("PATCH", "policies/x", None),
        ("POST", "policies/x", None),
    ],
}

PARSE: Final[dict[str, str | bytes]] = {
    "unclosed body": "package a\n\nx if {\n",
    "unclosed array": "package a\n\nx := [1, 2\n",
    "v0 body": "package a\n\nallow { input.user == 1 }\n",
    "v0 set": "package a\n\np[x] { x := 1 }\n",
    "v0 value": "package a\n\nx = 1 { true }\n",
    "bare name": "package a\n\nallow\n",
    "no package": "x := 1\n",
    "package twice": "package a\n\npackage b\n",
    "import of nothing": "package a\n\nimport foo.bar\n",
    "bad keyword": "package a\n\nif := 1\n",
    "empty body": "package a\n\nx if {}\n",
    "empty braces": "package a\n\nx if { }\n",
    "two on a line": "package a\n\nx := 1 y := 2\n",
    "missing value": "package a\n\nx :=\n",
    "unclosed string": 'package a\n\nx := "abc\n',
    "bad escape": 'package a\n\nx := "\\q"\n',
    "default without value": "package a\n\ndefault x\n",
    "default with variable": "package a\n\ndefault x := y\n",
    "negated some": "package a\n\nx if not some y in [1]\n",
    "every without body": "package a\n\nx if every y in [1]\n",
    "with nothing": "package a\n\nx if y with z\n",
    "leading zero": "package a\n\nx := 01\n",
    "object without value": "package a\n\nx := {1: }\n",
    "set cut": "package a\n\nx := {1, 2\n",
    "no term": "package a\n\nx := *\n",
    "stray brace": "package a\n\n}\n",
    "a string alone": 'package a\n\n"x"\n',
    "if without body": "package a\n\nx if\n",
    "else without value": "package a\n\nx if true else\n",
    "contains with function": "package a\n\nf(x) contains 1\n",
    "not text": "\x1f\x8b\x08\x00\xff\xfe",
    "json": '{"a": 1}',
    "import without path": "package a\n\nimport\n",
    "bad number": "package a\n\nx := 1e\n",
    "single quote": "package a\n\nx := 'a'\n",
    "and sign": "package a\n\nx if true && false\n",
    "missing paren": "package a\n\nx := count([1]\n",
    "not utf-8": b'package a\n\nx := "\xff"\n',
    "not utf-8 at all": b"\x1f\x8b\x08\x00\xff\xfe\x00\x01",
    "half a fraction": "package a\n\nx := 1.\n",
    "letters in a number": "package a\n\nx := 12a\n",
    "a null byte": "package a\n\nx := \0\n",
    "dollar": "package a\n\nx := $y\n",
    "every as a name": "package a\n\nevery := 1\n",
    "some as a function": "package a\n\nsome(x) := 1\n",
    "rule without value or body": "package a\n\na.b\n",
    "function without value or body": "package a\n\nf(x)\n",
    "a number alone": "package a\n\n1\n",
    "a call alone": "package a\n\ncount([1]) == 1\n",
    "empty package": "package\n",
    "package with a variable": "package a[b]\n",
    "future": "package a\n\nimport future.keywords.nope\n",
}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpaServer, DrillOpa]]:
    need_opa()
    with OpaServer(tmp_path_factory.mktemp("opa")) as real, DrillOpa() as drill:
        yield real, drill


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=list(SEQUENCES))
def test_the_drill_answers_as_opa_does(both: tuple[OpaServer, DrillOpa], sequence: Sequence[Request]) -> None:
    real, drill = both
    real.reset()
    drill.reset()
    different = []
    for request in sequence:
        expected, got = answer(real.url, request), answer(drill.url, request)
        if expected != got:
            different.append(f"{request}\n    OPA:   {expected}\n    drill: {got}")
    assert not different, "\n" + "\n".join(different)


@pytest.mark.parametrize("text", PARSE.values(), ids=list(PARSE))
def test_the_drill_refuses_what_does_not_parse_in_the_same_words(
    both: tuple[OpaServer, DrillOpa], text: str | bytes
) -> None:
    real, drill = both
    expected, got = (answer(url, module("m", text)) for url in (real.url, drill.url))
    assert expected == got


HEADED: Final[tuple[Request, ...]] = (
    module("m", "package a"),
    module("m", "package"),
    asked("policies/m"),
    asked("policies/absent"),
    asked(),
    asked("data/absent"),
    ("POST", "data/absent", "{}"),
    ("POST", "data/absent", "{"),
    ("PUT", "data/b", "1"),
    query("x = 1"),
    asked("../health"),
    asked("../nowhere"),
    ("PATCH", "../health", None),
    ("PATCH", "policies/m", None),
    ("DELETE", "policies", None),
    ("POST", "policies/m", None),
    ("DELETE", "query", None),
    ("PUT", "query", None),
)


@pytest.mark.parametrize("request_", HEADED, ids=lambda request: f"{request[0]} {request[1]}")
def test_answers_are_headed_alike(both: tuple[OpaServer, DrillOpa], request_: Request) -> None:
    real, drill = both
    assert _headed(drill.url, request_) == _headed(real.url, request_)


def _headed(url: str, request: Request) -> dict[str, str]:
    """What a client may go by. That the drill does not compress, and so need not vary, is said in docs/drill-opa.md."""
    answered = _sent(url, request)
    names = ("Content-Type", "Allow", "X-Content-Type-Options")
    assert "Date" in answered.headers
    return {"status": str(answered.status_code)} | {n: answered.headers[n] for n in names if n in answered.headers}


REVISIONS: Final[dict[str, dict[str, str]]] = {
    "first": {
        **MODULES,
        "acgs/roles/data.json": '{"admins": ["ada"]}',
        ".manifest": '{"revision": "first", "roots": ["acgs"]}',
    },
    "everything": {
        "a.rego": "package a\n\nx := 1\n",
        "data.json": '{"b": {"c": [1]}}',
        ".manifest": '{"revision": "everything"}',
    },
    "only data": {
        "other/data.json": '{"y": 2}',
        ".manifest": '{"revision": "only data", "roots": ["other/", "acgs/roles"], "metadata": {"by": "us"}}',
    },
}
UNDER_A_BUNDLE: Final[list[Request]] = [
    asked(),
    asked("policies"),
    asked("data/system/bundles"),
    asked("../health?bundles"),
    asked("../health?plugins"),
    module("mine", "package acgs.mine\n\ny := 1\n"),
    module("mine", "package acgs.roles.mine\n\ny := 1\n"),
    module("mine", "package elsewhere\n\ny := 1\n"),
    module("authz/acgs/lib.rego", "package elsewhere\n\ny := 1\n"),
    ("DELETE", "policies/authz/acgs/lib.rego", None),
    ("PUT", "data/acgs", {}),
    ("PUT", "data/acgs/roles/admins", []),
    ("PUT", "data/free", 1),
    ("PUT", "data", {}),
    patch(("add", "/free", 2), ("add", "/acgs/q", 1)),
    ("DELETE", "data/acgs/roles", None),
    asked(),
]


def test_a_bundle_owns_the_same_in_the_drill(tmp_path: Path) -> None:
    need_opa()
    different = []
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(BundleServer(tmp_path / "bundle.tar.gz"))
        real = stack.enter_context(OpaServer(tmp_path / "opa", bundles=server.url))
        both = (real.url, stack.enter_context(DrillOpa(bundles=server.url)).url)
        assert answer(both[0], asked("../health?bundles")) == answer(both[1], asked("../health?bundles"))
        for revision, files in REVISIONS.items():
            server.file.write_bytes(packed(files))
            for url in both:
                poll(f"{revision} is active", lambda u=url, r=revision: _revision(u) == r, seconds=20)
            for request in UNDER_A_BUNDLE:
                expected, got = (answer(url, request) for url in both)
                if expected != got:
                    different.append(f"{revision}: {request}\n    OPA:   {expected}\n    drill: {got}")
    assert not different, "\n" + "\n".join(different)


def _revision(url: str) -> Any:
    _, document = answer(url, asked("data/system/bundles/authz/manifest/revision"))
    return document.get("result")


def answer(url: str, request: Request) -> tuple[int, Any]:
    """The status and the document, without what is not promised."""
    answered = _sent(url, request)
    try:
        document = answered.json()
    except ValueError:
        return answered.status_code, answered.text
    return answered.status_code, _promised(document)


def _sent(url: str, request: Request) -> httpx.Response:
    method, path, body = request
    content = body if isinstance(body, str | bytes | None) else json.dumps(body)
    address = f"{url}/{path.removeprefix('../')}" if path.startswith("../") else f"{url}/v1/{path}"
    return httpx.request(method, address, content=content, timeout=20, trust_env=False)


def _promised(document: Any) -> Any:
    if isinstance(document, list):
        return [_promised(item) for item in document]
    if not isinstance(document, dict):
        return document
    shown = {k: _promised(v) for k, v in document.items() if k not in ("details", "stack_trace")}
    if isinstance(shown.get("message"), str):
        shown["message"] = shown["message"].partition("\n\t")[0]  # the excerpt with marks below it
    if "ast" in shown:
        shown["ast"] = _outline(shown["ast"])
    if isinstance(shown.get("result"), list) and all(isinstance(r, dict) and "raw" in r for r in shown["result"]):
        shown["result"] = sorted(shown["result"], key=lambda policy: str(policy["id"]))
    if isinstance(shown.get("errors"), list):  # OPA sorts them by place, and leaves those of one place to chance
        shown["errors"].sort(
            key=lambda e: (e["location"]["file"], e["location"]["row"], e["location"]["col"], e["message"])
        )
    if isinstance(shown.get("labels"), dict):
        shown["labels"] = {**shown["labels"], "id": "…"}
    return shown


def _outline(tree: dict[str, Any]) -> Any:
    """Of a module's tree what it defines: packages and heads. Bodies differ: OPA shows what its compiler made of them."""
    return [tree["package"], [_head(rule) for rule in tree.get("rules") or []]]


def _head(rule: dict[str, Any]) -> Any:
    head = rule["head"]
    shape = [head.get("name"), rule.get("default"), head.get("assign"), len(head.get("args") or []), "else" in rule]
    terms = {k: head[k] for k in ("ref", "key") if k in head}
    return [*shape, re.sub(r'"value": "__local\d+__"', '"value": "…"', json.dumps(_own_names(terms), sort_keys=True))]


def _own_names(terms: Any) -> Any:
    """With every variable behind a name's first part called the same: the compilers call them as they like."""
    if isinstance(terms, dict):
        if terms.get("type") == "var":
            return {"type": "var", "value": "…"}
        return {k: _own_names(v) for k, v in terms.items()}
    return [_own_names(item) for item in terms] if isinstance(terms, list) else terms
