"""Whatever the file holds: a procedure or ConfigErrors, and no secret in any error."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from console.config import ConfigErrors, load
from console.config.document import parse
from console.config.positions import Span, index
from tests.config.kinds import FakeKinds

COMPLETE = Path(__file__).with_name("complete.toml").read_bytes()

MUTATION = st.tuples(
    st.sampled_from(["flip", "delete", "insert", "repeat"]),
    st.integers(min_value=0, max_value=len(COMPLETE) - 1),
    st.integers(min_value=1, max_value=40),
    st.one_of(
        st.binary(min_size=1, max_size=4),
        st.sampled_from([b"[", b"]]", b'"', b'"""', b"{", b"= ", b".", b"\n", b"#", b"\x1b[2J", b"1e999"]),
    ),
)


def mutated(content: bytes, mutations: list[tuple[str, int, int, bytes]]) -> bytes:
    for sort, place, length, inserted in mutations:
        match sort:
            case "flip":
                content = content[:place] + inserted + content[place + len(inserted) :]
            case "delete":
                content = content[:place] + content[place + length :]
            case "insert":
                content = content[:place] + inserted + content[place:]
            case _:
                content = content[:place] + content[place : place + length] * 2 + content[place + length :]
    return content


def errors_of(content: bytes) -> ConfigErrors | None:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(content)
        file.flush()
        try:
            load(Path(file.name), FakeKinds())
        except ConfigErrors as errors:
            return errors
    return None


def assert_presentable(errors: ConfigErrors | None) -> None:
    if errors is None:
        return
    assert errors.problems
    assert all(line.isprintable() for line in str(errors).split("\n"))
    for problem in errors.problems:
        assert problem.line >= 0
        assert problem.column >= 0
        assert problem.excerpt is None or problem.excerpt.width >= 1


@settings(max_examples=300, deadline=None)
@given(st.lists(MUTATION, min_size=1, max_size=6))
def test_a_mutated_file_gives_a_procedure_or_its_errors(mutations: list[tuple[str, int, int, bytes]]) -> None:
    assert_presentable(errors_of(mutated(COMPLETE, mutations)))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
@example(b"a" + b".a" * 3000 + b" = 1")
@example(b"a = " + b"[" * 5000)
@example(b"a = " + b"{b = " * 300 + b"1" + b"}" * 300)
@example(b'"" = 1')
@example(b"target = [1]\ntrigger = {}\ncomponent = [[]]\ncheck = [{}]\nnotice = 1\nincident = []")
@example(b"[[target.x]]\n[[component]]\nstep = {}\n[[component]]\nstep = [{}, 1]\n")
@example(b"[incident]\ntitle = 1\n[component.step]\n")
def test_any_bytes_give_errors(content: bytes) -> None:
    assert_presentable(errors_of(content))


TOML_VALUES = st.sampled_from(
    [
        "1",
        "-1",
        "1.5",
        "nan",
        "true",
        '""',
        '"x"',
        "[]",
        "[1]",
        '["x"]',
        "{}",
        "{ env = 1 }",
        '{ env = "A" }',
        "2024-01-01",
        "07:32:00",
        "[[{}]]",
    ]
)
KEYS = (
    *("id", "title", "kind", "target", "timeout", "source", "above", "below", "for", "every", "suggests", "after"),
    *("channel", "url", "token", "context", "namespace", "containers", "only"),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "[incident]",
                    "[target.a]",
                    "[[trigger]]",
                    "[[component]]",
                    "[[component.step]]",
                    "[[check]]",
                    "[[notice]]",
                ]
            ),
            st.dictionaries(st.sampled_from(KEYS), TOML_VALUES, max_size=5),
            st.sampled_from(
                ["", 'kind = "kubernetes.patch"\n', 'kind = "kubernetes"\n', 'source = "prometheus"\n', 'id = "a"\n']
            ),
        ),
        max_size=6,
    )
)
def test_any_value_behind_any_key_gives_errors(tables: list[tuple[str, dict[str, str], str]]) -> None:
    text = ""
    for header, values, kind in tables:
        values = {key: value for key, value in values.items() if not kind.startswith(f"{key} ")}
        text += f"{header}\n{kind}" + "".join(f"{key} = {value}\n" for key, value in values.items())
    assert_presentable(errors_of(text.encode()))


PLANTED = b"hunter2-planted"
WITH_SECRETS = COMPLETE.replace(b'{ env = "CLUSTER_TOKEN" }', b'"%s"' % PLANTED).replace(
    b'{ command = ["pass", "show", "audit"] }', b'["%s", { env = "%s" }]' % (PLANTED, PLANTED)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(MUTATION, max_size=4))
def test_a_secret_in_the_file_is_in_no_error(mutations: list[tuple[str, int, int, bytes]]) -> None:
    # Only the other lines are mutated: a name that no longer looks like one, or a value broken into two lines, can't be told.
    lines = WITH_SECRETS.split(b"\n")
    secret = [number for number, line in enumerate(lines) if PLANTED in line]
    before = b"\n".join(lines[: secret[0]])
    after = b"\n".join(lines[secret[-1] + 1 :])
    kept = b"\n".join(lines[secret[0] : secret[-1] + 1])
    content = mutated(before, mutations) + b"\n" + kept + b"\n" + mutated(after, mutations)
    errors = errors_of(content)
    if errors is not None:
        assert PLANTED.decode() not in str(errors)
        assert PLANTED.decode() not in repr(errors.problems)
        assert PLANTED.decode() not in "".join(traceback.format_exception(errors))


@pytest.mark.parametrize(
    "line",
    [
        'token = "hunter2"',
        "token = 'hunter2'",
        "token = ['hunter2']",
        "token = { value = 'hunter2' }",
        "token = { env = 'not a name hunter2' }",
        "token = { env = ['hunter2'] }",
        "token = { file = ['hunter2'] }",
        "token = { command = 'hunter2' }",
        "token = { command = [['hunter2']] }",
        "toekn = 'hunter2'",
        "tok.en = 'hunter2'",
        "toekn = { context = 5, x = ['hunter2'] }",
        "token = '''\nhunter2\n'''",
        "token = 'hunter2",
        "token = hunter2",
        "token = 'a\nhunter2'",
        "context = 'https://user:hunter2@host'\nunknown = 1",
        "context = ['https://user:hunter2@host']",
        "context = 5 # https://user:hunter2@host",
        "context = 'x'\n[target.m]\nkind = 'prometheus'\nurl = 'x'\nretries = 'https://user:hunter2@host'",
        f"context = 'x'\n[target.m]\nkind = 'prometheus'\nurl = 'x'\nretries = 'https://user:hunter2{'x' * 60}@host'",
        "api_key = 'hunter2'",
        "password = 20240101\ncontext = 5",
    ],
)
def test_no_way_of_writing_a_secret_down_is_shown(line: str) -> None:
    errors = errors_of(f'[incident]\ntitle = "T"\n[target.c]\nkind = "kubernetes"\n{line}\n'.encode())
    assert errors is not None
    assert "hunter2" not in str(errors)
    assert "20240101" not in str(errors)
    assert "hunter2" not in "".join(traceback.format_exception(errors))


def test_errors_hold_no_other_error_that_could_carry_the_text() -> None:
    for content in (b"token = hunter2", b"token = 'hunter2'", b"token = \xff hunter2", b""):
        errors = errors_of(content)
        assert errors is not None
        assert errors.__cause__ is None
        assert errors.__context__ is None or "hunter2" not in repr(vars(errors.__context__))


# ---------------------------------------------------------------- positions


LAYOUTS = """
a.b."c d" = 1
t = { x = 1, y.z = [ {q = 2}, [1, # one
  7] ] }
[target.one]
kind = "k"
[[list]]
x = 1
[[list.inner]]
[list.inner.deep]
f = 1
[[list.inner]]
x = 2
[[list]]
[[list.inner]]
x = 3
"""


@pytest.mark.parametrize(
    ("path", "written"),
    [
        (("a", "b", "c d"), "1"),
        (("t",), "{ x"),
        (("t", "x"), "1"),
        (("t", "y", "z"), "[ {q"),
        (("t", "y", "z", 0, "q"), "2}"),
        (("t", "y", "z", 1, 1), "7]"),
        (("target", "one", "kind"), '"k"'),
        (("list", 0, "x"), "1\n[[list.inner]]\n[list.inner.deep]"),
        (("list", 0, "inner", 0, "deep", "f"), "1\n[[list.inner]]\nx = 2"),
        (("list", 0, "inner", 1, "x"), "2\n"),
        (("list", 1, "inner", 0, "x"), "3\n"),
    ],
)
def test_every_layout_of_toml_has_its_positions(path: tuple[str | int, ...], written: str) -> None:
    span = index(LAYOUTS).value(path)
    lines = LAYOUTS.split("\n")
    assert "\n".join(lines[span.line - 1 :])[span.column - 1 :].startswith(written)


@settings(max_examples=100, deadline=None)
@given(st.lists(MUTATION, max_size=2))
def test_every_value_that_tomllib_reads_has_a_position(mutations: list[tuple[str, int, int, bytes]]) -> None:
    text = mutated(COMPLETE, mutations).decode(errors="replace")
    try:
        document = parse(text)
    except Exception:  # noqa: BLE001 -- not TOML: nothing to compare
        return
    positions = index(text)
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict | list):
            waiting += [
                ((*path, part), item) for part, item in (value.items() if isinstance(value, dict) else enumerate(value))
            ]
        else:
            assert isinstance(positions.values.get(path), Span), path
