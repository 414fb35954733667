"""Puts a body's expressions into an order in which every variable has a value when it is needed, or tells which never gets one.

An expression gives values to the variables that stand in brackets of a reference (`data.users[i]`) and to those on one side of
`=` when the other side can be worked out. Everything else only needs them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from console.sandbox.opa.errors import RegoError
from console.sandbox.opa.resolver import ROOTS, patterns
from console.sandbox.opa.syntax import (
    Array,
    Call,
    Comprehension,
    Every,
    Expr,
    Function,
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
)


def ordered_rule(rule: Rule, errors: list[RegoError]) -> Rule:
    """The rule and its `else`s with their bodies in order."""
    args = {var.name for arg in rule.args or [] for var in all_vars(arg)}
    head: list[Term] = [term for term in (rule.key, rule.value, *rule.dynamic) if term is not None]
    used = {v.name for term in head for v in all_vars(term)}
    body, safe = ordered(rule.body, args, used, errors)
    found: list[RegoError] = []
    bound = safe | {var.name for expr in rule.body for var in vars_of(expr, closures=False)}
    for term in head:
        found += [_unsafe(var, at) for var, at in _missing(term, bound | asked_by([term], bound))]
    if not errors or found:
        errors += [error for error in found if error not in errors]
    scope = _Safety(safe, used | safe, errors)
    made = replace(rule, body=body)
    made.key = None if rule.key is None else scope.inner(rule.key)
    made.value = None if rule.value is None else scope.inner(rule.value)
    made.dynamic = [scope.inner(term) for term in rule.dynamic]
    if rule.otherwise is not None:
        made.otherwise = ordered_rule(rule.otherwise, errors)
    return made


def _missing(term: Term, bound: set[str]) -> list[tuple[Var, Place]]:
    """Variables of a head that its body never mentions, and where OPA says so: at the term that has to be worked out."""
    if isinstance(term, Array | SetOf | ObjectOf):
        return [found for item in term_items(term) for found in _missing(item, bound)]
    return [(v, term.at) for v in vars_in(term, closures=False) if v.name not in bound]


def ordered(
    body: list[Expr], safe: Iterable[str], outside: Iterable[str], errors: list[RegoError]
) -> tuple[list[Expr], set[str]]:
    """The body in order, and every variable that has a value after it. `outside`: what else is said around it."""
    known = set(safe)
    made: list[Expr] = []
    pending = list(body)
    shared = known | set(outside)
    while pending:
        for expr in pending:
            beside = shared | {v.name for e in body if e is not expr for v in vars_of(e, closures=False)}
            scope = _Safety(known, beside | {v.name for v in vars_of(expr, closures=False)}, errors)
            given = scope.gives(expr)
            if given is not None:
                made.append(scope.inside(expr, given))
                known |= given
                pending = [e for e in pending if e is not expr]
                break
        else:
            names_outside = {v.name for e in body for v in vars_of(e, closures=False)} | shared
            errors += _unsafe_in(pending, known, names_outside, errors)
            return [*made, *pending], known | {v.name for e in pending for v in vars_of(e)}
    return made, known


def _unsafe(var: Var, at: Place) -> RegoError:
    return RegoError("rego_unsafe_var_error", f"var {var.spelled or shown(var.name)} is unsafe", at)


def shown(name: str) -> str:
    return "_" if name.startswith("$") else name


def _unsafe_in(pending: list[Expr], known: set[str], outside: set[str], errors: list[RegoError]) -> list[RegoError]:
    """The first place of each variable that stays without a value."""
    assigned = {
        v.name
        for e in pending
        if e.op == ":=" and not isinstance(e.what, Some | SomeIn | Every)
        for v in patterns(e.what)
    }
    assigned |= {
        v.name
        for e in pending
        if isinstance(e.what, SomeIn)
        for t in (e.what.key, e.what.value)
        if t
        for v in patterns(t)
    }
    found: list[tuple[Var, Place]] = []
    for expr in pending:
        if isinstance(expr.what, Some):
            continue
        scope = _Safety(known, outside, errors)
        own = scope.outputs(expr)
        for var in vars_of(expr):
            missing = var.name not in known and var.name not in own
            if missing and (var.name in outside or var.name.startswith("$")):
                found.append((var, expr.at))
    others = [(var, at) for var, at in found if var.name not in assigned]
    first: dict[str, tuple[Var, Place]] = {}
    for var, at in others or found:
        first.setdefault(var.name, (var, at))
    return [_unsafe(var, at) for var, at in first.values()]


class _Safety:
    """What can be worked out while `known` have values. `shared`: the names that closures have in common with what is around."""

    def __init__(self, known: set[str], shared: set[str], errors: list[RegoError], at: Place | None = None) -> None:
        """`at`: the expression that is looked at, which is the place that OPA names."""
        self._at = at
        self._known = known
        self._shared = shared
        self._errors = errors

    # ------------------------------------------------------------ expressions

    def gives(self, expr: Expr) -> set[str] | None:
        """The variables that get a value by this expression; None when it can't be worked out yet."""
        before: set[str] = set()
        for replaced in expr.withs:
            new = self.value(replaced.value, self._known | before)
            if new is None:
                return None
            before |= new
        scope = _Safety(self._known | before, self._shared, self._errors)
        given = scope._given(expr)
        if given is None or not expr.negated:
            return None if given is None else given | before
        return None if any(not name.startswith("$") for name in given - scope._known) else before

    def _given(self, expr: Expr) -> set[str] | None:
        what = expr.what
        if isinstance(what, Some):
            return set()
        if isinstance(what, SomeIn):
            domain = self.value(what.domain, self._known)
            if domain is None:
                return None
            given = set(domain)
            for term in (what.key, what.value):
                new = set() if term is None else self.pattern(term, self._known | given)
                if new is None:
                    return None
                given |= new
            return given
        if isinstance(what, Every):
            domain = self.value(what.domain, self._known)
            needed = {v.name for e in what.body for v in vars_of(e)} - {
                what.value.name,
                what.key.name if what.key else "",
            }
            return None if domain is None or (needed & self._shared) - self._known - domain else domain
        if expr.op and expr.other is not None:
            return self._unified([(what, expr.other)])
        return self.value(what, self._known)

    def _unified(self, pairs: list[tuple[Term, Term]]) -> set[str] | None:
        given: set[str] = set()
        pending = list(pairs)
        while pending:
            for pair in pending:
                split = parts_of(*pair)
                if split is not None:
                    pending = [*split, *(p for p in pending if p is not pair)]
                    break
                new = self._pair(*pair, self._known | given)
                if new is not None:
                    given |= new
                    pending = [p for p in pending if p is not pair]
                    break
            else:
                return None
        return given

    def _pair(self, one: Term, other: Term, known: set[str]) -> set[str] | None:
        for source, target in ((one, other), (other, one)):
            given = self.value(source, known)
            if given is not None:
                new = self.pattern(target, known | given)
                if new is not None:
                    return given | new
        return None

    def outputs(self, expr: Expr) -> set[str]:
        """What an expression that is not ready would give by its references alone."""
        if expr.negated or isinstance(expr.what, Some | SomeIn | Every):
            return set()
        return asked_by([expr.what, *([expr.other] if expr.other is not None else [])], self._known)

    # ------------------------------------------------------------ terms

    def value(self, term: Term, known: set[str]) -> set[str] | None:
        """The variables that working a term out gives values to; None when it can't be worked out."""
        if isinstance(term, Scalar | Function):
            return set()
        if isinstance(term, Var):
            return set() if term.name in known or term.name in ROOTS else None
        if isinstance(term, Ref):
            return self._reference(term, known)
        if isinstance(term, Comprehension):
            needed = {v.name for v in all_vars(term)} & self._shared
            return None if needed - known else set()
        return self._all(term_items(term), known)

    def _all(self, terms: Iterable[Term], known: set[str]) -> set[str] | None:
        given: set[str] = set()
        for term in terms:
            new = self.value(term, known | given)
            if new is None:
                return None
            given |= new
        return given

    def _reference(self, ref: Ref, known: set[str]) -> set[str] | None:
        given = self.value(ref.head, known)
        if given is None:
            return None
        for part in ref.parts:
            new = self.pattern(part, known | given)
            if new is None:
                return None
            given = given | new
        return given

    def pattern(self, term: Term, known: set[str]) -> set[str] | None:
        """The variables that comparing a term with a value gives values to."""
        if isinstance(term, Var):
            return set() if term.name in known else {term.name}
        if isinstance(term, Array):
            terms = list(term.items)
        elif isinstance(term, ObjectOf):
            if self._all([key for key, _ in term.pairs], known) != set():
                return None
            terms = [value for _, value in term.pairs]
        else:
            return self.value(term, known)
        given: set[str] = set()
        late: list[Term] = []
        for item in terms:
            new = self.pattern(item, known | given)
            if new is None:
                late.append(item)
            else:
                given |= new
        if any(self.pattern(item, known | given) is None for item in late):
            return None
        return given

    # ------------------------------------------------------------ what is inside

    def inside(self, expr: Expr, given: set[str]) -> Expr:
        """The expression with the bodies in it in order too."""
        after = _Safety(self._known | given, self._shared, self._errors, expr.at)
        what = expr.what
        withs = [replace(w, value=after.inner(w.value)) for w in expr.withs]
        if isinstance(what, Some):
            return expr
        if isinstance(what, SomeIn):
            key = None if what.key is None else after.inner(what.key)
            return replace(expr, what=SomeIn(key, after.inner(what.value), after.inner(what.domain)), withs=withs)
        if isinstance(what, Every):
            own = {what.value.name, *([what.key.name] if what.key else [])}
            body, _ = ordered(what.body, after._known | own, after._shared, self._errors)
            return replace(expr, what=Every(what.key, what.value, after.inner(what.domain), body), withs=withs)
        other = None if expr.other is None else after.inner(expr.other)
        return replace(expr, what=after.inner(what), other=other, withs=withs)

    def inner(self, term: Term) -> Term:
        if isinstance(term, Comprehension):
            head = [t for t in (term.key, term.value) if t is not None]
            known = self._known
            body, safe = ordered(term.body, known, {v.name for t in head for v in all_vars(t)} | known, self._errors)
            for part in head:
                for var, _ in _missing(part, safe | asked_by([part], safe)):
                    error = _unsafe(var, self._at or term.at)
                    if error not in self._errors:
                        self._errors.append(error)
            scope = _Safety(safe, self._shared | safe, self._errors, self._at)
            key = None if term.key is None else scope.inner(term.key)
            return Comprehension(term.kind, key, scope.inner(term.value), body, term.at)
        if isinstance(term, Ref):
            return Ref(self.inner(term.head), [self.inner(part) for part in term.parts], term.at)
        if isinstance(term, Array):
            return Array([self.inner(item) for item in term.items], term.at)
        if isinstance(term, SetOf):
            return SetOf([self.inner(item) for item in term.items], term.at)
        if isinstance(term, ObjectOf):
            return ObjectOf([(self.inner(k), self.inner(v)) for k, v in term.pairs], term.at)
        if isinstance(term, Call):
            return Call(term.name, [self.inner(arg) for arg in term.args], term.at, term.path, term.spelled)
        if isinstance(term, Template):
            return Template([p if isinstance(p, str) else self.inner(p) for p in term.parts], term.at)
        return term


# ---------------------------------------------------------------- walking


def parts_of(one: Term, other: Term) -> list[tuple[Term, Term]] | None:
    """The pairs that two patterns of the same form come down to; None when they are not of the same form."""
    if isinstance(one, Array) and isinstance(other, Array) and len(one.items) == len(other.items):
        return list(zip(one.items, other.items, strict=True))
    if isinstance(one, ObjectOf) and isinstance(other, ObjectOf):
        ones, others = ({k.value: v for k, v in o.pairs if isinstance(k, Scalar)} for o in (one, other))
        if len(ones) == len(one.pairs) and len(others) == len(other.pairs) and ones.keys() == others.keys():
            return [(ones[key], others[key]) for key in ones]
    return None


def term_items(term: Term) -> list[Term]:
    """The terms right below one that is no comprehension."""
    if isinstance(term, Scalar) or isinstance(term, Var):  # noqa: SIM101 - most are, and this is quicker than a union
        return []
    if isinstance(term, Array | SetOf):
        return term.items
    if isinstance(term, ObjectOf):
        return [item for pair in term.pairs for item in pair]
    if isinstance(term, Call):
        return term.args
    if isinstance(term, Template):
        return [part for part in term.parts if not isinstance(part, str)]
    if isinstance(term, Ref):
        return [term.head, *term.parts]
    return []


def vars_in(term: Term, *, closures: bool = True) -> Iterator[Var]:
    """The variables of a term, in their order; without those in comprehensions if `closures` is false."""
    if isinstance(term, Var):
        if term.name not in ROOTS:
            yield term
    elif isinstance(term, Comprehension):
        if closures:
            for part in (term.key, term.value):
                if part is not None:
                    yield from vars_in(part)
            for expr in term.body:
                yield from vars_of(expr)
    else:
        for item in term_items(term):
            yield from vars_in(item, closures=closures)


def all_vars(term: Term) -> Iterator[Var]:
    return vars_in(term)


def vars_of(expr: Expr, *, closures: bool = True) -> Iterator[Var]:
    """The variables of an expression."""
    what = expr.what
    if isinstance(what, Some):
        pass
    elif isinstance(what, SomeIn):
        for term in (what.key, what.value, what.domain):
            if term is not None:
                yield from vars_in(term, closures=closures)
    elif isinstance(what, Every):
        yield from vars_in(what.domain, closures=closures)
        if closures:
            own = {what.value.name, what.key.name if what.key else ""}
            for inner in what.body:
                yield from (v for v in vars_of(inner) if v.name not in own)
    else:
        yield from vars_in(what, closures=closures)
        if expr.other is not None:
            yield from vars_in(expr.other, closures=closures)
    for replaced in expr.withs:
        yield from vars_in(replaced.value, closures=closures)


def asked_by(terms: Iterable[Term], known: set[str]) -> set[str]:
    """The variables in brackets of references whose head has a value."""
    return {
        v.name
        for term in terms
        for ref in refs_in(term)
        if isinstance(ref.head, Var) and (ref.head.name in ROOTS or ref.head.name in known)
        for part in ref.parts
        for v in patterns(part)
    }


def refs_in(term: Term) -> Iterator[Ref]:
    """The references of a term, without those in comprehensions."""
    if isinstance(term, Ref):
        yield term
    if not isinstance(term, Comprehension):
        for item in term_items(term):
            yield from refs_in(item)
