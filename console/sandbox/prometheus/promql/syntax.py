"""A query as a tree. The grammar is promql-parser's; its tree becomes one of our own, with types and places, read once.

What that grammar takes and Prometheus refuses (experimental functions, alternatives inside braces) is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

import promql_parser as grammar

from console.sandbox.prometheus.promql.errors import BadQuery, CannotExecute
from console.sandbox.prometheus.promql.matchers import Matcher
from console.sandbox.prometheus.promql.places import newer, out_of_range, parts, starts, too_large

Type = Literal["scalar", "instant vector", "range vector", "string"]
At = int | Literal["start", "end"] | None
Cardinality = Literal["one-to-one", "many-to-one", "one-to-many", "many-to-many"]

MOST_PARTS: Final = 3000
"""Signs, words and numbers; the grammar is read by a library that many thousands of nested ones would bring down."""
EXPERIMENTAL: Final = frozenset(
    [
        "double_exponential_smoothing",
        "end",
        "histogram_quantiles",
        "info",
        "integral",
        "mad_over_time",
        "max_of",
        "min_of",
        "range",
        "sort_by_label",
        "sort_by_label_desc",
        "start",
        "start_timestamp",
        "step",
        "ts_of_first_over_time",
        "ts_of_last_over_time",
        "ts_of_max_over_time",
        "ts_of_min_over_time",
    ]
)
EXPERIMENTAL_AGGREGATIONS: Final = ("limitk", "limit_ratio")
COMPARISONS: Final = ("==", "!=", ">", "<", ">=", "<=")
_OF_THE_MOMENT: Final = (
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "time",
    "timestamp",
)
_SCALAR_FUNCTIONS: Final = ("time", "scalar", "pi")
_SPAN: Final = re.compile(rb"[+-]*\s*\d+(ms|[smhdwy])")
_TYPES: Final = {"matrix": "range vector", "vector": "instant vector", "scalar": "scalar", "string": "string"}


@dataclass(frozen=True, slots=True)
class Number:
    value: float
    start: int | None = field(default=None, compare=False)
    is_span: bool = field(default=False, compare=False)
    """Written as a span of time, 5m for 300."""
    type: Type = "scalar"


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    start: int | None = field(default=None, compare=False)
    type: Type = "string"


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name and labels. Times are milliseconds here and below."""

    name: str
    matchers: tuple[Matcher, ...]
    offset: int = 0
    at: At = None
    start: int | None = field(default=None, compare=False)
    type: Type = "instant vector"

    @property
    def every_matcher(self) -> tuple[Matcher, ...]:
        return (Matcher("=", "__name__", self.name), *self.matchers) if self.name else self.matchers


@dataclass(frozen=True, slots=True)
class Range:
    selector: Selector
    length: int
    start: int | None = field(default=None, compare=False)
    type: Type = "range vector"


@dataclass(frozen=True, slots=True)
class Subquery:
    expr: Expr
    length: int
    step: int | None
    offset: int = 0
    at: At = None
    start: int | None = field(default=None, compare=False)
    type: Type = "range vector"


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Expr, ...]
    start: int | None = field(default=None, compare=False)

    def argument(self, position: int) -> Expr:
        """Without parentheses, which an argument never needs."""
        return bare(self.arguments[position])

    @property
    def type(self) -> Type:
        return "scalar" if self.function in _SCALAR_FUNCTIONS else "instant vector"


@dataclass(frozen=True, slots=True)
class Aggregation:
    operator: str
    expr: Expr
    parameter: Expr | None
    grouping: tuple[str, ...]
    without: bool
    start: int | None = field(default=None, compare=False)
    type: Type = "instant vector"


@dataclass(frozen=True, slots=True)
class Matching:
    """How the series of both sides of an operator find each other."""

    cardinality: Cardinality = "one-to-one"
    on: bool = False
    labels: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expr
    right: Expr
    matching: Matching
    as_bool: bool

    @property
    def start(self) -> int | None:
        return self.left.start

    @property
    def type(self) -> Type:
        return "scalar" if self.left.type == self.right.type == "scalar" else "instant vector"


@dataclass(frozen=True, slots=True)
class Negation:
    expr: Expr
    start: int | None = field(default=None, compare=False)

    @property
    def type(self) -> Type:
        return self.expr.type


@dataclass(frozen=True, slots=True)
class Parentheses:
    expr: Expr
    start: int | None = field(default=None, compare=False)

    @property
    def type(self) -> Type:
        return self.expr.type


Expr = Number | Text | Selector | Range | Subquery | Call | Aggregation | Binary | Negation | Parentheses


def parse(query: str) -> Expr:
    """The tree of a query; BadQuery in the words of Prometheus, without the place, which the grammar does not tell."""
    if parts(query) > MOST_PARTS:
        raise CannotExecute(f"the drill's Prometheus does not do queries of more than {MOST_PARTS} parts")
    if far := out_of_range(query):
        raise CannotExecute(f"the drill's Prometheus does not do {far}")
    try:
        tree = grammar.parse(query)
    except ValueError as error:
        if unknown := newer(query):
            raise CannotExecute(f"the drill's Prometheus does not do {unknown}") from None
        raise BadQuery(f"parse error: {_worded(str(error))}") from None
    except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception
        raise _broken_down(error) from None
    if number := too_large(query):
        reason = f'strconv.ParseFloat: parsing "{number}": value out of range'
        raise BadQuery(f"parse error: error parsing number: {reason}")
    try:
        return _read(tree, query)
    except RecursionError:
        raise CannotExecute("the drill's Prometheus does not do queries that are nested so deeply") from None
    except (ValueError, OverflowError):
        raise CannotExecute("the drill's Prometheus does not do times so far away") from None
    except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception
        raise _broken_down(error) from None


def _broken_down(error: BaseException) -> BaseException:
    """The grammar's library panics over what it did not foresee, and its panic is no Exception; anything else stays itself."""
    if type(error).__name__ != "PanicException":
        return error
    return CannotExecute("the drill's Prometheus can't read this query")


def _read(tree: Any, query: str) -> Expr:
    places = starts(query)
    reader = _Reader(iter(places), query)
    found = reader.expr(tree)
    if reader.count != len(places):  # the places were misread: none is better than a wrong one
        found = _Reader(iter(()), query).expr(tree)
    return found


def bare(expr: Expr) -> Expr:
    """The expression inside any parentheses."""
    while isinstance(expr, Parentheses):
        expr = expr.expr
    return expr


def is_invariant(expr: Expr) -> bool:
    """Whether it is the same at every step, because all its times are fixed by `@`."""
    match expr:
        case Number() | Text():
            return True
        case Selector(at=at) | Subquery(at=at):
            return at is not None
        case Range(selector=selector):
            return selector.at is not None
        case Negation(expr=inner) | Parentheses(expr=inner) | Aggregation(expr=inner):
            return is_invariant(inner)  # of an aggregation whatever its parameter is, as in Prometheus
        case Binary(left=left, right=right):
            return is_invariant(left) and is_invariant(right)
        case Call(function=function, arguments=arguments):
            return function not in _OF_THE_MOMENT and all(map(is_invariant, arguments))


def _worded(message: str) -> str:
    message = re.sub(r"'([^']*)'", r'"\1"', message)
    types = "|".join(_TYPES)
    return re.sub(
        rf"(expected type |got:? )({types})\b", lambda found: found.group(1) + _TYPES[found.group(2)], message
    )


class _Reader:
    """Turns the parser's objects into ours, in the order of the text, so that each takes its place from the list."""

    def __init__(self, places: Iterator[int], query: str) -> None:
        self._places = places
        self._query = query.encode()
        self.count = 0

    def expr(self, node: Any) -> Expr:
        read = getattr(self, f"_{type(node).__name__}", None)
        if read is None:
            raise BadQuery(f"parse error: {type(node).__name__} is nothing that the drill's Prometheus knows")
        found: Expr = read(node)
        return found

    def _place(self) -> int | None:
        self.count += 1
        return next(self._places, None)

    def _NumberLiteral(self, node: Any) -> Number:  # noqa: N802 - the class of the grammar, so below
        place = self._place()
        return Number(node.val, place, place is not None and _SPAN.match(self._query, place) is not None)

    def _StringLiteral(self, node: Any) -> Text:  # noqa: N802
        return Text(node.val, self._place())

    def _ParenExpr(self, node: Any) -> Parentheses:  # noqa: N802
        place = self._place()
        return Parentheses(self.expr(node.expr), place)

    def _UnaryExpr(self, node: Any) -> Negation:  # noqa: N802
        place = self._place()
        return Negation(self.expr(node.expr), place)

    def _VectorSelector(self, node: Any) -> Selector:  # noqa: N802
        if node.matchers.or_matchers:
            raise BadQuery('parse error: unexpected identifier "or" in label matching, expected "," or "}"')
        matchers = [Matcher.read(one) for one in node.matchers.matchers]
        name = node.name or ""
        if not name:
            given = [one for one in matchers if one.name == "__name__" and one.operator == "="]
            if len(given) == 1:
                name = given[0].value
                matchers.remove(given[0])
        return Selector(name, tuple(matchers), _milliseconds(node.offset), _at(node.at), self._place())

    def _MatrixSelector(self, node: Any) -> Range:  # noqa: N802
        selector = self._VectorSelector(node.vector_selector)
        return Range(selector, _milliseconds(node.range), selector.start)

    def _SubqueryExpr(self, node: Any) -> Subquery:  # noqa: N802
        expr = self.expr(node.expr)
        step = _milliseconds(node.step) or None
        return Subquery(expr, _milliseconds(node.range), step, _milliseconds(node.offset), _at(node.at), expr.start)

    def _Call(self, node: Any) -> Call:  # noqa: N802
        name = node.func.name
        if name in EXPERIMENTAL:
            raise BadQuery(f'parse error: function "{name}" is not enabled')
        place = self._place()
        return Call(name, tuple(self.expr(argument) for argument in node.args), place)

    def _AggregateExpr(self, node: Any) -> Aggregation:  # noqa: N802
        operator = str(node.op)
        if operator in EXPERIMENTAL_AGGREGATIONS:
            raise BadQuery(
                f"parse error: {operator}() is experimental and must be enabled with "
                "--enable-feature=promql-experimental-functions"
            )
        place = self._place()
        parameter = None if node.param is None else self.expr(node.param)
        modifier = node.modifier
        grouping = () if modifier is None else tuple(modifier.labels)
        without = modifier is not None and modifier.type == grammar.AggModifierType.Without
        return Aggregation(operator, self.expr(node.expr), parameter, grouping, without, place)

    def _BinaryExpr(self, node: Any) -> Binary:  # noqa: N802
        modifier = node.modifier
        matching = Matching("many-to-many" if str(node.op) in ("and", "or", "unless") else "one-to-one")
        if modifier is not None:
            fill = modifier.fill_values
            if fill.lhs is not None or fill.rhs is not None:
                raise BadQuery("parse error: binop fill modifiers are experimental and not enabled")
            on = modifier.matching
            matching = Matching(
                _CARDINALITIES[str(modifier.card)],
                on is not None and on.type == grammar.LabelModifierType.Include,
                () if on is None else tuple(on.labels),
                tuple(modifier.group_labels or ()),
            )
        left = self.expr(node.lhs)
        right = self.expr(node.rhs)
        return Binary(str(node.op), left, right, matching, modifier is not None and modifier.return_bool)


_CARDINALITIES: Final[dict[str, Cardinality]] = {
    "VectorMatchCardinality.OneToOne": "one-to-one",
    "VectorMatchCardinality.ManyToOne": "many-to-one",
    "VectorMatchCardinality.OneToMany": "one-to-many",
    "VectorMatchCardinality.ManyToMany": "many-to-many",
}


def _milliseconds(span: timedelta | None) -> int:
    return 0 if span is None else round(span / timedelta(milliseconds=1))


def _at(modifier: Any) -> At:
    if modifier is None:
        return None
    if modifier.type == grammar.AtModifierType.Start:
        return "start"
    if modifier.type == grammar.AtModifierType.End:
        return "end"
    try:
        return round(modifier.at.timestamp() * 1000)
    except (OverflowError, ValueError):
        raise BadQuery("parse error: timestamp out of bounds for @ modifier") from None
