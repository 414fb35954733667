"""OPA's built-in functions, as many as need nothing but the Python library and YAML. The others are answered with 501.

A function that is given something that it can't take has no result: the expression is undefined, as in OPA.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from console.sandbox.opa.builtins import collections, encodings, nets, numbers, objects, patterns, texts, times, tokens
from console.sandbox.opa.builtins.given import Undefined

__all__ = ["BUILTINS", "Undefined"]

BUILTINS: Final[dict[str, Callable[..., Any]]] = {
    **numbers.FUNCTIONS,
    **texts.FUNCTIONS,
    **collections.FUNCTIONS,
    **objects.FUNCTIONS,
    **encodings.FUNCTIONS,
    **patterns.FUNCTIONS,
    **times.FUNCTIONS,
    **nets.FUNCTIONS,
    **tokens.FUNCTIONS,
}
