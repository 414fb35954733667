"""PromQL where it is read and printed; what it computes is compared with the real one in tests/real."""

from __future__ import annotations

import contextlib
import math

import pytest

from console.sandbox.prometheus import Storage, labels_of, promql
from console.sandbox.prometheus.promql import numbers
from console.sandbox.prometheus.promql.matchers import NoExpression, regular_expression
from console.sandbox.prometheus.promql.printing import printed
from console.sandbox.prometheus.promql.syntax import Aggregation, Binary, Call
from tests.sandbox.prometheus.queries import FAMILIES

NOW = 1_800_000_000_000


def readable() -> list[str]:
    """Queries of the comparison that are queries."""
    found = []
    for queries in FAMILIES.values():
        for query in queries:
            with contextlib.suppress(promql.BadQuery):
                promql.parse(query.replace("{end}", "1800000000.000"))
                found.append(query.replace("{end}", "1800000000.000"))
    return found


def test_what_is_printed_reads_as_the_same() -> None:
    found = readable()
    assert len(found) > 1000
    for query in found:
        text = printed(promql.parse(query))
        assert printed(promql.parse(text)) == text, query


def test_the_place_of_every_part_is_known() -> None:
    for query in readable():
        if not query.startswith("+"):
            assert promql.parse(query).start is not None, query


@pytest.mark.parametrize(
    ("query", "start"),
    [
        ("rate(foo[5m])", 5),
        ("rate( foo{a='(b'}[5m] offset 5m )", 6),
        ("sum by (a, b) (foo)", 15),
        ("sum(foo) without (a)", 4),
        ("topk(-3, foo)", 9),
        ("abs((foo))", 4),
        ("round(foo @ 1.5, 0.5)", 6),
        ("abs({a='b'})", 4),
        ("abs(-2 * foo)", 4),
        ("# a comment\nabs(foo)", 16),
    ],
)
def test_a_part_is_found_where_it_starts(query: str, start: int) -> None:
    tree = promql.parse(query)
    assert isinstance(tree, Call | Aggregation)
    part = tree.arguments[0] if isinstance(tree, Call) else tree.expr
    assert part.start == start


@pytest.mark.parametrize(
    "query",
    [
        "foo @ -1.5",
        "foo offset -Inf",
        "foo @ 1e15",
        "foo offset 1e300",
        "foo[1e300]",
        "foo[5m:1e300]",
        "foo[99999999y]",
        "foo offset 99999999999y",
    ],
)
def test_times_that_nothing_was_measured_at_are_refused(query: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(promql.CannotExecute, match="does not do times"):
        promql.parse(query)
    assert capfd.readouterr().err == ""  # the grammar's library would write to the screen


def test_a_power_binds_before_its_sign() -> None:
    tree = promql.parse("-1 ^ foo")
    assert tree.start == 0
    assert not isinstance(tree, Binary)


def test_remarks_name_line_and_column() -> None:
    storage = Storage()
    storage.backfill(labels_of("load", {}), [(NOW - 60_000, 1.0), (NOW, 2.0)])
    query = "1 +\n  rate(load[5m])"
    found = promql.instant(storage, promql.parse(query), NOW)
    (info,) = found.remarks.infos(query)
    assert info.endswith('name does not end in _total/_sum/_count/_bucket: "load" (2:8)')


@pytest.mark.parametrize(
    "pattern", ["\\pL", "[[:alpha:]]", "\\Qa.b\\E", "a*+", "(?=a)", "(?x)a", "\\z", "[", "(?<name>a)", "(?P=name)"]
)
def test_an_expression_that_would_mean_something_else_is_refused(pattern: str) -> None:
    with pytest.raises(NoExpression):
        regular_expression(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a.c", "a\nc", True),
        ("a", "ab", False),
        ("a|b", "b", True),
        ("(?i)a", "A", True),
        ("\\d+", "٣", False),
        ("\\\\pL", "\\pL", True),
        ("a+b", "aab", True),
        ("[+*]+", "+*", True),
    ],
)
def test_expressions_are_anchored_and_of_one_dialect(pattern: str, text: str, matches: bool) -> None:
    assert bool(regular_expression(pattern).fullmatch(text)) is matches


@pytest.mark.parametrize(
    ("value", "json", "scientific", "general"),
    [
        (0.0, "0", "0e+00", "0"),
        (-0.0, "-0", "-0e+00", "-0"),
        (34.2, "34.2", "3.42e+01", "34.2"),
        (1e21, "1e+21", "1e+21", "1e+21"),
        (123456789.0, "123456789", "1.23456789e+08", "1.23456789e+08"),
        (1e-7, "1e-7", "1e-07", "1e-07"),
        (0.00001, "0.00001", "1e-05", "1e-05"),
        (math.inf, "+Inf", "+Inf", "+Inf"),
        (-math.inf, "-Inf", "-Inf", "-Inf"),
        (math.nan, "NaN", "NaN", "NaN"),
        (5e-324, "5e-324", "5e-324", "5e-324"),
    ],
)
def test_numbers_are_written_as_prometheus_writes_them(value: float, json: str, scientific: str, general: str) -> None:
    assert (numbers.in_json(value), numbers.scientific(value), numbers.general(value)) == (json, scientific, general)


def test_a_rate_is_stretched_to_the_borders_that_the_series_seems_to_reach() -> None:
    storage = Storage()
    storage.backfill(labels_of("a_total", {}), [(NOW - 55_000 + i * 10_000, 100.0 + i) for i in range(6)])
    found = promql.instant(storage, promql.parse("increase(a_total[1m])"), NOW)
    assert found.series[0][1] == [(NOW, pytest.approx(6.0))]


def test_a_counter_that_starts_again_has_risen_all_the_same() -> None:
    storage = Storage()
    storage.backfill(
        labels_of("a_total", {}), [(NOW - 60_000 + i * 10_000, v) for i, v in enumerate((5, 9, 2, 4, 4, 4, 4))]
    )
    found = promql.instant(storage, promql.parse("resets(a_total[2m]) + increase(a_total[61s])"), NOW)
    assert found.series[0][1][0][1] == pytest.approx(1 + (4 - 5 + 9) * 61 / 60, rel=0.02)
