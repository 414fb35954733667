"""The mistakes that OPA's type checker finds before anything is evaluated, as far as kinds of values show them.

OPA works out full types; here a term has a set of kinds (number, string …) or could be anything. What is told is certain, and
what OPA alone finds (a field that an object of a known form doesn't have) is answered by "undefined" instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from console.sandbox.opa.errors import RegoError
from console.sandbox.opa.safety import term_items
from console.sandbox.opa.signatures import SIGNATURES
from console.sandbox.opa.syntax import (
    Array,
    Call,
    Comprehension,
    Every,
    Expr,
    ObjectOf,
    Ref,
    Rule,
    Scalar,
    SetOf,
    Some,
    SomeIn,
    Template,
    Term,
    Var,
    ref_words,
)
from console.sandbox.opa.values import type_name

if TYPE_CHECKING:
    from console.sandbox.opa.compiler import Node

Kinds: TypeAlias = frozenset[str] | None
"""None is anything."""

_ANYTHING_COMPARED: Final = frozenset({"equal", "neq", "eq", "assign", "print"})


def check_types(root: Node, query: Sequence[Expr] = ()) -> list[RegoError]:
    """The mistakes in all rules, or in a query."""
    checker = _Checker(root)
    if query:
        checker.body(query, {})
    else:
        for rule in root.below():
            checker.rule(rule)
    return checker.errors


class _Checker:
    def __init__(self, root: Node) -> None:
        self._root = root
        self._rules: dict[tuple[str, ...], Kinds] = {}
        self.errors: list[RegoError] = []

    def rule(self, rule: Rule) -> None:
        for one in rule.chain():
            known: dict[str, Kinds] = {}
            self.body(one.body, known)
            for term in (one.key, one.value, *one.dynamic):
                if term is not None:
                    self._inside(term, known)

    def body(self, body: Iterable[Expr], known: dict[str, Kinds]) -> None:
        """Checks the expressions in their order; `known` grows by the variables that they give values to."""
        for expr in body:
            what = expr.what
            for replaced in expr.withs:
                if not isinstance(replaced.value, Ref):  # which may name a function
                    self._inside(replaced.value, known)
            if isinstance(what, Some):
                continue
            if isinstance(what, SomeIn):
                self._inside(what.domain, known)
            elif isinstance(what, Every):
                self._inside(what.domain, known)
                self.body(what.body, dict(known))
            elif expr.op and expr.other is not None:
                self._equal(expr, what, expr.other, known)
            else:
                self._inside(what, known)

    def _equal(self, expr: Expr, one: Term, other: Term, known: dict[str, Kinds]) -> None:
        self._inside(one, known)
        self._inside(other, known)
        left, right = self.kinds(one, known), self.kinds(other, known)
        for target, kinds in ((one, right), (other, left)):
            if isinstance(target, Var) and target.name not in known:
                known[target.name] = kinds
        if left is not None and right is not None and not left & right:
            self.errors.append(RegoError("rego_type_error", "match error", expr.at))

    def _inside(self, term: Term, known: dict[str, Kinds]) -> None:
        if isinstance(term, Comprehension):
            inner = dict(known)
            self.body(term.body, inner)
            for part in (term.key, term.value):
                if part is not None:
                    self._inside(part, inner)
            return
        for item in term_items(term):
            self._inside(item, known)
        if isinstance(term, Ref):
            self._refuse_function(term)
        if isinstance(term, Call) and term.path is None and term.name not in _ANYTHING_COMPARED:
            self._arguments(term, known)

    def _arguments(self, call: Call, known: dict[str, Kinds]) -> None:
        wanted = SIGNATURES[call.name].kinds
        for argument, kinds in zip(call.args, wanted, strict=False):
            have, want = self.kinds(argument, known), _declared(kinds)
            if have is not None and want is not None and not have & want:
                message = f"{call.spelled or call.name}: invalid argument(s)"
                self.errors.append(RegoError("rego_type_error", message, call.at))
                return

    def _refuse_function(self, ref: Ref) -> None:
        if not isinstance(ref.head, Var) or ref.head.name != "data":
            return
        node: Node | None = self._root
        for number, part in enumerate(ref.parts):
            node = node.children.get(part.value) if node is not None and isinstance(part, Scalar) else None
            if node is None:
                return
            if node.is_function and number == len(ref.parts) - 1:
                name = ref_words(("data", *node.rules[0].path))
                message = f"function {name} used as reference, not called"
                self.errors.append(RegoError("rego_type_error", message, ref.at))

    # ------------------------------------------------------------ kinds

    def kinds(self, term: Term, known: dict[str, Kinds]) -> Kinds:
        if isinstance(term, Scalar):
            return frozenset({type_name(term.value)})
        if isinstance(term, Var):
            return known.get(term.name)
        if isinstance(term, Comprehension):
            return frozenset({term.kind})
        if isinstance(term, Call):
            return self._result(term)
        if isinstance(term, Ref):
            return self._reference(term)
        fixed = {Array: "array", SetOf: "set", ObjectOf: "object", Template: "string"}
        kind = fixed.get(type(term))
        return frozenset({kind}) if kind else None

    def _result(self, call: Call) -> Kinds:
        if call.path is not None:
            node = self._root.at(call.path[1:])
            return self._of_rules(node) if node is not None else None
        return _declared(SIGNATURES[call.name].result) if call.name in SIGNATURES else None

    def _reference(self, ref: Ref) -> Kinds:
        """What a rule makes, where a reference leads to exactly one and not further."""
        if not isinstance(ref.head, Var) or ref.head.name != "data":
            return None
        node: Node | None = self._root
        for number, part in enumerate(ref.parts):
            node = node.children.get(part.value) if node is not None and isinstance(part, Scalar) else None
            if node is not None and node.rules:
                return self._of_rules(node) if number == len(ref.parts) - 1 else None
        return None

    def _of_rules(self, node: Node) -> Kinds:
        path = node.rules[0].path if node.rules else ()
        if path in self._rules or not node.rules:
            return self._rules.get(path)
        self._rules[path] = None
        made: frozenset[str] = frozenset()
        for rule in node.rules:
            for one in rule.chain():
                kinds = self._of_rule(one)
                if kinds is None:
                    return None
                made |= kinds
        self._rules[path] = made
        return made

    def _of_rule(self, rule: Rule) -> Kinds:
        if rule.dynamic:
            return frozenset({"object"})
        if rule.contains:
            return frozenset({"set"})
        known: dict[str, Kinds] = {}
        aside = _Checker(self._root)
        aside._rules = self._rules
        aside.body(rule.body, known)
        return None if rule.value is None else self.kinds(rule.value, known)


def _declared(kinds: str) -> Kinds:
    """`array<string>|set<string>` as kinds; None for `any`."""
    plain = frozenset(re.sub(r"<\w+>", "", kinds).split("|"))
    return None if "any" in plain or "nothing" in plain else plain
