"""Label matchers, and regular expressions as Prometheus understands them: anchored at both ends, and never another dialect.

A pattern goes to Python's `re` only where both dialects mean the same; what differs is refused, not misunderstood.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from console.sandbox.prometheus.promql.errors import CannotExecute

_OPERATORS: Final = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_DIFFERENT: Final = re.compile(r"\\[pPQECzZAGXkK]|\[\[:|\[\^?\]|[*+?}]\+|\((?:\?[^:P)a-z]|\?P[^<])|\(\?[a-z]*[xuUaL]")
"""Unicode classes, literal stretches, POSIX classes, possessive repetition, groups that look around."""


class NoExpression(ValueError):
    """A regular expression that can't be read, or not as Prometheus would."""


@lru_cache(maxsize=512)
def regular_expression(pattern: str) -> re.Pattern[str]:
    """To be matched with `fullmatch`."""
    found = _DIFFERENT.search(re.sub(r"\\\\", "", pattern))
    if found:
        raise NoExpression(f"the drill's Prometheus can't read {found.group()!r} in a regular expression")
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        try:
            return re.compile(pattern, re.DOTALL | re.ASCII)
        except (re.error, FutureWarning, OverflowError) as error:
            raise NoExpression(str(error)) from None


@dataclass(frozen=True)
class Matcher:
    operator: str
    name: str
    value: str

    @classmethod
    def read(cls, matcher: Any) -> Matcher:
        """From the grammar's own."""
        return cls(_OPERATORS[str(matcher.op).rpartition(".")[2]], matcher.name, matcher.value)

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        try:
            return regular_expression(self.value)
        except NoExpression as error:
            raise CannotExecute(f"{error}: {self.value}") from None

    def matches(self, value: str) -> bool:
        if self.operator == "=":
            return value == self.value
        if self.operator == "!=":
            return value != self.value
        found = self._expression.fullmatch(value) is not None
        return found if self.operator == "=~" else not found
