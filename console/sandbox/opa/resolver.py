"""Gives every name its meaning: a rule, an import, something given to the query, or a variable with a name of its own.

What a body declares (`some x`, `x := …`, an argument) is renamed, so that no two variables share a name by chance; a name that
nothing declares stays as it is and means the same thing all over its rule.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from console.sandbox.opa.errors import RegoError
from console.sandbox.opa.signatures import SIGNATURES
from console.sandbox.opa.syntax import (
    Array,
    Call,
    Comprehension,
    Every,
    Expr,
    Function,
    Module,
    ObjectOf,
    Place,
    Ref,
    Rule,
    Scalar,
    SetOf,
    Some,
    SomeIn,
    Template,
    Term,
    Var,
    With,
    words,
)

ROOTS: Final = ("data", "input")
_KINDS: Final = {Scalar: "scalar", Ref: "ref", Call: "call", SetOf: "set", Comprehension: "comprehension"}


@dataclass(slots=True)
class _Frame:
    """The names of one body: what they are called now, and how each came to be."""

    names: dict[str, str] = field(default_factory=dict)
    how: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)


class Resolver:
    """For one module or query. What is wrong is gathered in `errors`."""

    def __init__(self, known: Mapping[str, tuple[str, ...]], *, keep_names: bool = False) -> None:
        """`known`: what names outside of any rule stand for, as paths that begin with `data` or `input`."""
        self._known = known
        self._keep = keep_names
        self._frames: list[_Frame] = []
        self._counter = itertools.count()
        self._used: set[str] = set()
        self._declared: dict[str, Var] = {}
        """What `some` declared, by the names that it goes by now, at the places of the declarations."""
        self.errors: list[RegoError] = []

    # ------------------------------------------------------------ rules and bodies

    def rule(self, rule: Rule) -> Rule:
        made = replace(rule)
        self._frames = [_Frame()]
        if rule.args is not None:
            for arg in rule.args:
                for var in patterns(arg):
                    self._declare(var, "arg")
            made.args = [self.term(arg) for arg in rule.args]
        self._frames.append(_Frame())
        made.body = self._exprs(rule.body)
        made.key = None if rule.key is None else self.term(rule.key)
        made.value = None if rule.value is None else self.term(rule.value)
        made.ref = Ref(rule.ref.head, [self.term(part) for part in rule.ref.parts], rule.ref.at)
        made.path, made.dynamic = _split(made)
        self._frames = []
        self._check_used()
        if rule.otherwise is not None:
            made.otherwise = self.rule(rule.otherwise)
        return made

    def body(self, exprs: Iterable[Expr]) -> list[Expr]:
        """A query's body. Its names stay, unless they are declared again further in."""
        self._frames = [_Frame()]
        made = self._exprs(exprs)
        self._check_used()
        return made

    def _check_used(self) -> None:
        for name, var in self._declared.items():
            if name not in self._used and not self.errors:
                self._wrong(f"declared var {var.name} unused", var.at)
        self._declared = {}

    def _exprs(self, exprs: Iterable[Expr]) -> list[Expr]:
        return [self._expr(expr) for expr in exprs]

    def _expr(self, expr: Expr) -> Expr:
        withs = [self._with(w) for w in expr.withs]
        what = expr.what
        if isinstance(what, Some):
            for name in what.names:
                declared = self._declare(Var(name.name, expr.at), "declared")
                if declared:
                    self._declared[declared] = Var(name.name, expr.at)
            return replace(expr, withs=withs)
        if isinstance(what, SomeIn):
            domain = self.term(what.domain)
            for term in (what.key, what.value):
                for var in patterns(term) if term is not None else ():
                    self._declare(var, "declared")
            key = None if what.key is None else self.term(what.key)
            return replace(expr, what=SomeIn(key, self.term(what.value), domain), withs=withs)
        if isinstance(what, Every):
            return replace(expr, what=self._every(what), withs=withs)
        if expr.op == ":=" and expr.other is not None:
            return self._assigned(expr, what, expr.other, withs)
        other = None if expr.other is None else self.term(expr.other)
        return replace(expr, what=self.term(what), other=other, withs=withs)

    def _every(self, every: Every) -> Every:
        domain = self.term(every.domain)
        self._frames.append(_Frame())
        for var in (every.key, every.value):
            if var is not None:
                self._declare(var, "declared")
        key = None if every.key is None else self._var(every.key)
        value = self._var(every.value)
        self._frames.append(_Frame())
        body = self._exprs(every.body)
        del self._frames[-2:]
        return Every(
            key if isinstance(key, Var) else None, value if isinstance(value, Var) else every.value, domain, body
        )

    def _assigned(self, expr: Expr, target: Term, value: Term, withs: list[With]) -> Expr:
        given = self.term(value)
        if expr.negated:
            self._wrong("cannot assign vars inside negated expression", expr.at)
        if not isinstance(target, Var | Array | ObjectOf):
            self._wrong(f"cannot assign to {_kind(target)}", target.at)
            return replace(expr, what=self.term(target), other=given, withs=withs)
        for var in patterns(target):
            self._declare(var, "assigned")
        return replace(expr, what=self.term(target), other=given, withs=withs)

    def _declare(self, var: Var, how: str) -> str:
        """The name that a variable goes by from now on; empty for one that it had already."""
        name, frame = var.name, self._frames[-1]
        if name.startswith("$"):
            return ""
        if name in frame.how and how != "arg":
            told = f"arg {name} redeclared" if frame.how[name] == "arg" else f"var {name} {frame.how[name]} above"
            self._wrong(told, var.at)
        elif name in frame.seen:
            self._wrong(f"var {name} referenced above", var.at)
        elif len(self._frames) == 2 and how != "arg" and self._frames[0].how.get(name) == "arg":
            self._wrong(f"arg {name} redeclared", var.at)
        if name in frame.names and how == "arg":
            return ""
        frame.how[name] = how
        frame.names[name] = name if self._keep and len(self._frames) == 1 else f"__local{next(self._counter)}__"
        return frame.names[name]

    def _wrong(self, message: str, at: Place) -> None:
        self.errors.append(RegoError("rego_compile_error", message, at))

    # ------------------------------------------------------------ terms

    def term(self, term: Term) -> Term:
        if isinstance(term, Scalar | Function):
            return term
        if isinstance(term, Var):
            return self._var(term)
        if isinstance(term, Ref):
            return self._ref(term)
        if isinstance(term, Array):
            return Array([self.term(item) for item in term.items], term.at)
        if isinstance(term, SetOf):
            return SetOf([self.term(item) for item in term.items], term.at)
        if isinstance(term, ObjectOf):
            return ObjectOf([(self.term(k), self.term(v)) for k, v in term.pairs], term.at)
        if isinstance(term, Call):
            return self._call(term)
        if isinstance(term, Template):
            return Template([p if isinstance(p, str) else self.term(p) for p in term.parts], term.at)
        self._frames.append(_Frame())
        body = self._exprs(term.body)
        key = None if term.key is None else self.term(term.key)
        made = Comprehension(term.kind, key, self.term(term.value), body, term.at)
        self._frames.pop()
        return made

    def _named(self, name: str) -> str | None:
        return next((frame.names[name] for frame in reversed(self._frames) if name in frame.names), None)

    def _var(self, var: Var) -> Term:
        name = self._named(var.name)
        if name is not None:
            self._used.add(name)
            return Var(name, var.at, var.name)
        if var.name in self._known:
            return _data(self._known[var.name], var.at)
        if self._frames:
            self._frames[-1].seen.add(var.name)
        return var

    def _ref(self, ref: Ref) -> Term:
        parts = [self.term(part) for part in ref.parts]
        head = ref.head
        if isinstance(head, Var) and not (head.name in ROOTS and self._named(head.name) is None):
            head = self._var(head)
        elif not isinstance(head, Var):
            head = self.term(head)
        if isinstance(head, Ref):
            return Ref(head.head, [*head.parts, *parts], ref.at)
        return Ref(head, parts, ref.at)

    def _call(self, call: Call) -> Call:
        args = [self.term(arg) for arg in call.args]
        first, *rest = call.name.split(".")
        if self._named(first) is not None:
            message = f"called function {call.spelled or call.name} shadowed"
            self._wrong(message, call.at)
        path = None
        if first in self._known:
            path = (*self._known[first], *rest)
        elif first == "data":
            path = ("data", *rest)
        return Call(call.name, args, call.at, path, call.spelled)

    def _with(self, given: With) -> With:
        target = self._target(given.target)
        named = words(given.value)
        is_function = isinstance(target, Var) or (isinstance(target, Ref) and words(target.head) != "input")
        if is_function and isinstance(given.value, Var | Ref) and named in SIGNATURES and self._is_free(named):
            return With(target, Function(named, given.value.at), given.at)
        return With(target, self.term(given.value), given.at)

    def _is_free(self, name: str) -> bool:
        first = name.partition(".")[0]
        return self._named(first) is None and first not in self._known

    def _target(self, target: Term) -> Term:
        """What `with` replaces: a place in `input` or `data`, or a function by its name."""
        if isinstance(target, Var) and target.name not in self._known:
            return target
        resolved = self.term(target)
        for frame in self._frames:
            frame.seen.discard(target.name if isinstance(target, Var) else "")
        return resolved


def patterns(term: Term) -> list[Var]:
    """The variables that a pattern gives values to: `x` and `y` in `[x, {"a": y}]`."""
    if isinstance(term, Var):
        return [term]
    if isinstance(term, Array):
        return [var for item in term.items for var in patterns(item)]
    if isinstance(term, ObjectOf):
        return [var for _, value in term.pairs for var in patterns(value)]
    return []


def known_names(module: Module, rules: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """What names stand for in a module: the rules of its package, and its imports."""
    names = {name: ("data", *module.package, name) for name in rules}
    return {**names, **{i.alias: i.path for i in module.imports}}


def _split(rule: Rule) -> tuple[tuple[str, ...], list[Term]]:
    """The part of a rule's name that is fixed, as a path below `data`, and the rest."""
    path = [rule.ref.head.name] if isinstance(rule.ref.head, Var) else []
    for number, part in enumerate(rule.ref.parts):
        if not isinstance(part, Scalar) or not isinstance(part.value, str):
            return (*rule.package, *path), rule.ref.parts[number:]
        path.append(part.value)
    return (*rule.package, *path), []


def _data(path: tuple[str, ...], at: Place) -> Ref:
    return Ref(Var(path[0], at), [Scalar(part, at) for part in path[1:]], at)


def _kind(term: Term) -> str:
    if isinstance(term, Scalar):
        return "null" if term.value is None else {bool: "boolean", str: "string"}.get(type(term.value), "number")
    return _KINDS.get(type(term), "term")
