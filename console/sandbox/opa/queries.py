"""What is particular about a query that comes in from outside, beside the bodies of rules.

OPA keeps the value of each expression of a query, so a comparison that stands alone may be false and still be an answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from console.sandbox.opa.errors import RegoError
from console.sandbox.opa.safety import asked_by, refs_in, shown, vars_in
from console.sandbox.opa.syntax import Call, Every, Expr, Scalar, Some, SomeIn, Var


def is_single_answer(body: Sequence[Expr]) -> bool:
    """One expression whose value is kept, true or false, and that is asked for one place only."""
    if len(body) != 1 or not _kept(body[0]):
        return False
    what = body[0].what
    if isinstance(what, Some | SomeIn | Every):
        return False
    return not any(not isinstance(part, Scalar) for ref in refs_in(what) for part in ref.parts)


def captured(body: Iterable[Expr], errors: Sequence[RegoError]) -> list[RegoError]:
    """OPA counts the value that it would have kept of an unsafe call as unsafe too."""
    if any(error.code != "rego_unsafe_var_error" for error in errors):
        return []
    named = {error.message.split()[1] for error in errors if error.message.startswith("var ")}
    found: list[RegoError] = []
    for expr in body:
        if not _kept(expr) or isinstance(expr.what, Some | SomeIn | Every):
            continue
        names = {var.name for var in vars_in(expr.what)}
        if isinstance(expr.what, Call | Var) and named & names:
            others = asked_by([expr.what], set()) if isinstance(expr.what, Call) else set()
            told = ["_", *(shown(name) for name in sorted(others) if name not in named)]
            found += [RegoError("rego_unsafe_var_error", f"var {name} is unsafe", expr.at) for name in told]
    return found


def _kept(expr: Expr) -> bool:
    return not expr.negated and not expr.op and not isinstance(expr.what, Some | SomeIn | Every)
