"""A query's tree as text, as Prometheus prints the expressions of its rules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

from console.sandbox.prometheus.durations import written
from console.sandbox.prometheus.promql.matchers import Matcher
from console.sandbox.prometheus.promql.numbers import plain
from console.sandbox.prometheus.promql.syntax import (
    Aggregation,
    At,
    Binary,
    Call,
    Expr,
    Matching,
    Negation,
    Number,
    Parentheses,
    Range,
    Selector,
    Subquery,
    Text,
)

_PLAIN_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_PLAIN_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def printed(expr: Expr) -> str:
    match expr:
        case Number(value=value, is_span=True):
            return f"{'-' if value < 0 else ''}{written(round(abs(value) * 1000))}"
        case Number(value=value):
            return plain(value)
        case Text(value=value):
            return _quoted(value)
        case Selector():
            return _selector(expr) + _modifiers(expr.at, expr.offset)
        case Range(selector=selector, length=length):
            return f"{_selector(selector)}[{written(length)}]{_modifiers(selector.at, selector.offset)}"
        case Subquery():
            step = written(expr.step) if expr.step else ""
            return f"{printed(expr.expr)}[{written(expr.length)}:{step}]{_modifiers(expr.at, expr.offset)}"
        case Call(function=function, arguments=arguments):
            return f"{function}({', '.join(map(printed, arguments))})"
        case Aggregation():
            return _aggregation(expr)
        case Binary():
            sign = expr.operator + (" bool" if expr.as_bool else "") + _matching(expr.matching)
            return f"{printed(expr.left)} {sign} {printed(expr.right)}"
        case Negation(expr=inner):
            return f"-{printed(inner)}"
        case Parentheses(expr=inner):
            return f"({printed(inner)})"


def _aggregation(expr: Aggregation) -> str:
    grouping = ""
    if expr.without or expr.grouping:
        grouping = f" {'without' if expr.without else 'by'} ({_names(expr.grouping)}) "
    parts = [part for part in (expr.parameter, expr.expr) if part is not None]
    return f"{expr.operator}{grouping}({', '.join(map(printed, parts))})"


def _selector(selector: Selector) -> str:
    matchers = sorted(map(_matcher, selector.matchers))
    if not _PLAIN_METRIC.fullmatch(selector.name) and selector.name:
        matchers.insert(0, _quoted(selector.name))
        return "{" + ",".join(matchers) + "}"
    return selector.name + ("{" + ",".join(matchers) + "}" if matchers else "")


def _matcher(matcher: Matcher) -> str:
    name = matcher.name if _PLAIN_NAME.fullmatch(matcher.name) else _quoted(matcher.name)
    return f"{name}{matcher.operator}{_quoted(matcher.value)}"


def _modifiers(at: At, offset: int) -> str:
    text = ""
    if at is not None:
        text = f" @ {at}()" if isinstance(at, str) else f" @ {at / 1000:.3f}"
    if offset:
        text += f" offset {'-' if offset < 0 else ''}{written(abs(offset))}"
    return text


def _matching(matching: Matching) -> str:
    grouped = matching.cardinality in ("many-to-one", "one-to-many")
    text = ""
    if matching.labels or matching.on or grouped:
        text = f" {'on' if matching.on else 'ignoring'} ({_names(matching.labels)})"
    if grouped:
        side = "left" if matching.cardinality == "many-to-one" else "right"
        text += f" group_{side} ({_names(matching.include)})"
    return text


def _names(names: Iterable[str]) -> str:
    return ", ".join(name if _PLAIN_NAME.fullmatch(name) else _quoted(name) for name in names)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
