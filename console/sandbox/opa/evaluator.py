"""Evaluates compiled modules and queries: every way in which a body can be true, by trying and going back.

A scope is a plain dictionary from variable to value that is copied when one is added, so nothing has to be undone. A rule's value
is worked out as a whole and once for each `Setting`; a `with` makes a setting of its own, in which what it replaces is not
looked up among the rules.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from console.sandbox.opa.builtins import BUILTINS, Undefined
from console.sandbox.opa.compiler import Compiled, Node, Path, ground
from console.sandbox.opa.errors import Broken, NotInDrill
from console.sandbox.opa.safety import parts_of, vars_in
from console.sandbox.opa.signatures import SIGNATURES
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
    With,
    ref_words,
    words,
)
from console.sandbox.opa.values import EMPTY, Key, Obj, Set, Value, child, children, key_of, same, written

Scope = Mapping[str, Value]
_NOTHING: Final[Scope] = {}
_SYSTEM: Final = "system"
"""OPA's own part of `data`, which is not shown with the rest."""


class _Absent:
    """Nothing there: neither null nor an empty object."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()


@dataclass(slots=True)
class Setting:
    """What an evaluation stands on: the input, the data, and what `with` put in the place of rules and functions."""

    policies: Compiled
    data: Value = EMPTY
    input: Value = ABSENT
    replaced: frozenset[Path] = frozenset()
    functions: Mapping[str, Term | Value] = field(default_factory=dict)
    known: dict[Path, Value] = field(default_factory=dict)
    started: int = field(default_factory=time.time_ns)
    deadline: float = float("inf")


def rows(setting: Setting, body: Sequence[Expr], *, lenient: bool = False) -> Iterator[dict[str, Value]]:
    """Every way in which a query is true, with the values of its variables. `lenient`: its one value may be false."""
    evaluation = _Evaluation(setting)
    what = body[0].what
    if lenient and not body[0].withs and not body[0].op and not isinstance(what, Some | SomeIn | Every):
        found: Iterator[Scope] = (scope for _, scope in evaluation.term(what, _NOTHING))
    else:
        found = evaluation.body(body, 0, _NOTHING)
    yield from (dict(scope) for scope in found)


def document(setting: Setting, path: Sequence[Value]) -> Value:
    """What stands at a place in `data`, rules included; ABSENT for nothing."""
    at = Place(1, 1)
    ref = Ref(Var("data", at), [Scalar(part, at) for part in path], at)
    for value, _ in _Evaluation(setting).term(ref, _NOTHING):
        return value
    return ABSENT


class _Evaluation:
    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    # ------------------------------------------------------------ bodies

    def body(self, exprs: Sequence[Expr], index: int, scope: Scope) -> Iterator[Scope]:
        if index == len(exprs):
            yield scope
            return
        if time.monotonic() > self._setting.deadline:
            raise Broken("eval_cancel_error", "caller cancelled query execution")
        for after in self._expr(exprs[index], scope):
            yield from self.body(exprs, index + 1, after)

    def _true(self, exprs: Sequence[Expr], scope: Scope) -> bool:
        return next(self.body(exprs, 0, scope), None) is not None

    def _expr(self, expr: Expr, scope: Scope) -> Iterator[Scope]:
        if expr.withs:
            for inner, after in self._with(expr.withs, scope):
                yield from inner._plain(expr, after)
        else:
            yield from self._plain(expr, scope)

    def _plain(self, expr: Expr, scope: Scope) -> Iterator[Scope]:
        if expr.negated:
            if next(self._positive(expr, scope), None) is None:
                yield scope
        else:
            yield from self._positive(expr, scope)

    def _positive(self, expr: Expr, scope: Scope) -> Iterator[Scope]:
        what = expr.what
        if isinstance(what, Some):
            yield scope
        elif isinstance(what, SomeIn):
            yield from self._some_in(what, scope)
        elif isinstance(what, Every):
            if any(self._every(what, domain, after) for domain, after in self.term(what.domain, scope)):
                yield scope
        elif expr.op and expr.other is not None:
            yield from self._unify([(what, expr.other)], scope)
        else:
            for value, after in self.term(what, scope):
                if value is not False:
                    yield after

    def _some_in(self, some: SomeIn, scope: Scope) -> Iterator[Scope]:
        for domain, after in self.term(some.domain, scope):
            for key, value in children(domain):
                if some.key is None:
                    yield from self._match(some.value, value, after)
                    continue
                for matched in self._match(some.key, key, after):
                    yield from self._match(some.value, value, matched)

    def _every(self, every: Every, domain: Value, scope: Scope) -> bool:
        if not isinstance(domain, tuple | Obj | Set):
            return False
        for key, value in children(domain):
            inner = {**scope, every.value.name: value}
            if every.key is not None:
                inner[every.key.name] = key
            if not self._true(every.body, inner):
                return False
        return True

    # ------------------------------------------------------------ with

    def _with(self, withs: Sequence[With], scope: Scope) -> Iterator[tuple[_Evaluation, Scope]]:
        """The evaluation with everything replaced. What is put in its place is worked out before, without."""
        made: list[tuple[_Evaluation, Scope]] = [(_Evaluation(replace(self._setting, known={})), scope)]
        for one in withs:
            following = []
            for inner, before in made:
                for value, after in self._replacement(one, before):
                    following.append((_Evaluation(_replaced(inner._setting, one.target, value)), after))
            made = following
        yield from made

    def _replacement(self, one: With, scope: Scope) -> Iterator[tuple[Value | Term, Scope]]:
        if _function_name(one.target, self._setting.policies) and self._names_function(one.value):
            yield one.value, scope
        else:
            yield from self.term(one.value, scope)

    def _names_function(self, term: Term) -> bool:
        return bool(_function_name(term, self._setting.policies))

    # ------------------------------------------------------------ unification

    def _unify(self, pairs: list[tuple[Term, Term]], scope: Scope) -> Iterator[Scope]:
        if not pairs:
            yield scope
            return
        for number, (one, other) in enumerate(pairs):
            rest = [*pairs[:number], *pairs[number + 1 :]]
            split = parts_of(one, other)
            if split is not None:
                yield from self._unify([*split, *rest], scope)
                return
            for source, target in ((one, other), (other, one)):
                if self._ready(source, scope):
                    for value, after in self.term(source, scope):
                        for matched in self._match(target, value, after):
                            yield from self._unify(rest, matched)
                    return
        raise Broken("eval_internal_error", "variables on both sides have no value", pairs[0][0].at)

    def _ready(self, term: Term, scope: Scope) -> bool:
        """Whether a term can be worked out: no variable without a value but those that its references give one."""
        if isinstance(term, Var):
            return term.name in scope
        if isinstance(term, Array | SetOf):
            return all(self._ready(item, scope) for item in term.items)
        if isinstance(term, ObjectOf):
            return all(self._ready(item, scope) for pair in term.pairs for item in pair)
        if isinstance(term, Call):
            return all(self._ready(arg, scope) for arg in term.args)
        if isinstance(term, Ref) and isinstance(term.head, Var):
            return term.head.name in ("data", "input") or term.head.name in scope
        return True

    def _match(self, term: Term, value: Value, scope: Scope) -> Iterator[Scope]:
        """Every scope in which the term is the value."""
        if isinstance(term, Scalar):
            if same(term.value, value):
                yield scope
        elif isinstance(term, Var):
            if term.name not in scope:
                yield {**scope, term.name: value}
            elif same(scope[term.name], value):
                yield scope
        elif isinstance(term, Array):
            if isinstance(value, tuple) and len(value) == len(term.items):
                yield from self._match_all(list(zip(term.items, value, strict=True)), scope)
        elif isinstance(term, ObjectOf):
            yield from self._match_object(term, value, scope)
        else:
            for found, after in self.term(term, scope):
                if same(found, value):
                    yield after

    def _match_all(self, pairs: list[tuple[Term, Value]], scope: Scope) -> Iterator[Scope]:
        """Each term with its value, those first that can be compared already."""
        if not pairs:
            yield scope
            return
        plain = (Var, Array, ObjectOf)
        number = next((n for n, (t, _) in enumerate(pairs) if isinstance(t, plain) or self._ready(t, scope)), 0)
        term, value = pairs[number]
        rest = [*pairs[:number], *pairs[number + 1 :]]
        for after in self._match(term, value, scope):
            yield from self._match_all(rest, after)

    def _match_object(self, term: ObjectOf, value: Value, scope: Scope) -> Iterator[Scope]:
        if not isinstance(value, Obj) or len(value) != len(term.pairs):
            return
        for keys, after in self._each([key for key, _ in term.pairs], scope):
            boxes = [child(value, key) for key in keys]
            if all(box is not None for box in boxes) and len({key_of(key) for key in keys}) == len(keys):
                pairs = [(t, box[0]) for (_, t), box in zip(term.pairs, boxes, strict=True) if box is not None]
                yield from self._match_all(pairs, after)

    # ------------------------------------------------------------ terms

    def _each(self, terms: Sequence[Term], scope: Scope, index: int = 0) -> Iterator[tuple[list[Value], Scope]]:
        """Every combination of the terms' values."""
        if index == len(terms):
            yield [], scope
            return
        for value, after in self.term(terms[index], scope):
            for others, last in self._each(terms, after, index + 1):
                yield [value, *others], last

    def term(self, term: Term, scope: Scope) -> Iterator[tuple[Value, Scope]]:
        """Every value of a term, with what its variables are then."""
        if isinstance(term, Scalar):
            yield term.value, scope
        elif isinstance(term, Var):
            if term.name not in scope:
                raise Broken("eval_internal_error", f"{words(term)} has no value", term.at)
            yield scope[term.name], scope
        elif isinstance(term, Ref):
            yield from self._reference(term, scope)
        elif isinstance(term, Call):
            yield from self._call(term, scope)
        elif isinstance(term, Comprehension):
            yield self._comprehension(term, scope), scope
        elif isinstance(term, Function):
            raise Broken("eval_internal_error", f"{term.name} is no value", term.at)
        else:
            yield from self._collection(term, scope)

    def _collection(self, term: Array | SetOf | ObjectOf | Template, scope: Scope) -> Iterator[tuple[Value, Scope]]:
        if isinstance(term, Array):
            for values, after in self._each(term.items, scope):
                yield tuple(values), after
        elif isinstance(term, SetOf):
            for values, after in self._each(term.items, scope):
                yield Set(values), after
        elif isinstance(term, ObjectOf):
            for values, after in self._each([item for pair in term.pairs for item in pair], scope):
                yield _object(list(zip(values[::2], values[1::2], strict=True)), term.at), after
        else:
            yield self._template(term, scope), scope

    def _template(self, term: Template, scope: Scope) -> str:
        told = ""
        for part in term.parts:
            if isinstance(part, str):
                told += part
                continue
            value = next((v for v, _ in self.term(part, scope)), ABSENT)
            told += "<undefined>" if value is ABSENT else value if isinstance(value, str) else written(value)
        return told

    def _comprehension(self, term: Comprehension, scope: Scope) -> Value:
        found: list[Value] = []
        pairs: list[tuple[Value, Value]] = []
        for inner in self.body(term.body, 0, scope):
            if term.key is None:
                found += [value for value, _ in self.term(term.value, inner)]
            else:
                pairs += [(values[0], values[1]) for values, _ in self._each([term.key, term.value], inner)]
        if term.key is not None:
            return _object(pairs, term.key.at)
        return tuple(found) if term.kind == "array" else Set(found)

    # ------------------------------------------------------------ references

    def _reference(self, ref: Ref, scope: Scope) -> Iterator[tuple[Value, Scope]]:
        head = ref.head
        if isinstance(head, Var) and head.name not in scope and head.name in ("data", "input"):
            if head.name == "data":
                root: Node | None = self._setting.policies.root
                yield from self._virtual(root, (), (self._setting.data,), ref, 0, scope)
            elif self._setting.input is not ABSENT:
                yield from self._within(self._setting.input, ref, 0, scope)
            return
        for value, after in self.term(head, scope):
            yield from self._within(value, ref, 0, after)

    def _within(
        self, value: Value, ref: Ref, index: int, scope: Scope, *, stored: bool = False
    ) -> Iterator[tuple[Value, Scope]]:
        """What the rest of a reference leads to in a value. What is `stored` has text for keys, also where a number asks."""
        if index == len(ref.parts):
            yield value, scope
            return
        part = ref.parts[index]
        if self._ready(part, scope):
            for key, after in self.term(part, scope):
                found = child(value, _as_text(key) if stored and isinstance(value, Obj) else key)
                if found is not None:
                    yield from self._within(found[0], ref, index + 1, after, stored=stored)
            return
        for key, inner in children(value):
            for after in self._match(part, key, scope):
                yield from self._within(inner, ref, index + 1, after, stored=stored)

    def _virtual(
        self, node: Node | None, path: Path, base: tuple[Value] | None, ref: Ref, index: int, scope: Scope
    ) -> Iterator[tuple[Value, Scope]]:
        """The same where rules are: `base` is the data that stands there, boxed, or None."""
        if path in self._setting.replaced or node is None:
            if base is not None:
                yield from self._within(base[0], ref, index, scope, stored=True)
            return
        if node.is_function:
            return
        if node.rules and not (index < len(ref.parts) and any(rule.dynamic for rule in node.rules) and node.children):
            value = self._extent(node, path, base)
            if value is not ABSENT:
                yield from self._within(value, ref, index, scope)
            return
        if index == len(ref.parts):
            value = self._extent(node, path, base)
            if value is not ABSENT:
                yield value, scope
            return
        yield from self._step(node, path, base, ref, index, scope)

    def _step(
        self, node: Node, path: Path, base: tuple[Value] | None, ref: Ref, index: int, scope: Scope
    ) -> Iterator[tuple[Value, Scope]]:
        part = ref.parts[index]
        if node.rules:  # rules with variables in their names, and other rules beside what those make
            value = self._extent(node, path, base)
            if value is not ABSENT:
                yield from self._within(value, ref, index, scope)
            return
        if self._ready(part, scope):
            keys = [(key, after) for key, after in self.term(part, scope)]
        else:
            names: dict[Key, Value] = {key_of(name): name for name in node.children}
            names |= {key_of(key): key for key, _ in children(base[0])} if base is not None else {}
            if not path:
                names.pop(key_of(_SYSTEM), None)
            keys = [(names[k], after) for k in sorted(names) for after in self._match(part, names[k], scope)]
        for name, after in keys:
            key = _as_text(name)
            below = node.children.get(key) if isinstance(key, str) else None
            inner = child(base[0], key) if base is not None else None
            place = (*path, key) if isinstance(key, str) else path
            yield from self._virtual(below, place, inner, ref, index + 1, after)

    def _extent(self, node: Node, path: Path, base: tuple[Value] | None) -> Value:
        """Everything at a place: what rules make, and data where no rule is."""
        if path in self._setting.replaced:
            return ABSENT if base is None else base[0]
        if path in self._setting.known:
            return self._setting.known[path]
        value = self._rules(node.rules) if node.rules else ABSENT
        if not node.rules or (node.children and any(rule.dynamic for rule in node.rules)):
            value = self._package(node, path, base, value)
        self._setting.known[path] = value
        return value

    def _package(self, node: Node, path: Path, base: tuple[Value] | None, made: Value) -> Value:
        whole = made if isinstance(made, Obj) else EMPTY
        if not path and base is not None and isinstance(base[0], Obj):
            base = (base[0].without(_SYSTEM),)
        if base is not None:
            if not isinstance(base[0], Obj):
                return base[0]
            whole = _merged(whole, base[0])
        for name in sorted(node.children):
            below = node.children[name]
            if below.is_function or (not path and name == _SYSTEM):
                continue
            inner = child(base[0], name) if base is not None else None
            value = self._extent(below, (*path, name), inner)
            if value is not ABSENT:
                found = child(made, name) if made is not ABSENT else None
                value = value if found is None else _together(found[0], value, node.rules[0])
                whole = whole.with_pair(name, value)
        return whole

    # ------------------------------------------------------------ rules

    def _rules(self, rules: Sequence[Rule]) -> Value:
        """The value of all rules of one name; ABSENT when none of them has any."""
        if rules[0].dynamic:
            return self._partial_object(rules)
        if rules[0].contains:
            return Set(value for rule in rules for value in self._heads(rule, _NOTHING, lambda r: r.key))
        value = self._complete(rules, [_NOTHING] * len(rules), "rule {} produced conflicting values")
        if value is ABSENT:
            value = next((v for rule in rules if rule.default for v in self._value_of(rule)), ABSENT)
        return value

    def _value_of(self, rule: Rule) -> Iterator[Value]:
        if rule.value is not None:
            yield from (value for value, _ in self.term(rule.value, _NOTHING))

    def _heads(self, rule: Rule, scope: Scope, what: Callable[[Rule], Term | None]) -> Iterator[Value]:
        term = what(rule)
        if term is not None:
            for inner in self.body(rule.body, 0, scope):
                for value, _ in self.term(term, inner):
                    yield value

    def _complete(self, rules: Sequence[Rule], scopes: Sequence[Scope], conflict: str) -> Value:
        """The one value that the rules agree on."""
        found: Value = ABSENT
        first: Rule | None = None
        for rule, scope in zip(rules, scopes, strict=True):
            if rule.default:
                continue
            for value, by in self._chain(rule, scope):
                if first is not None and not same(found, value):
                    told = "".join(
                        f"\n  {written(v)} at {r.at.file}:{r.at.row}" for v, r in ((found, first), (value, by))
                    )
                    message = conflict.format(ref_words(("data", *rule.path)))
                    raise Broken("eval_conflict_error", f"{message}:{told}", by.at)
                found, first = value, by
        return found

    def _chain(self, rule: Rule, scope: Scope) -> Iterator[tuple[Value, Rule]]:
        """The values of a rule, or of the first `else` that has any, and whose they are."""
        for one in rule.chain():
            own = scope if one is rule else _args_again(rule, one, scope)
            values = list(self._heads(one, own, lambda r: r.value))
            if values:
                yield from ((value, one) for value in values)
                return

    def _partial_object(self, rules: Sequence[Rule]) -> Value:
        whole: Value = EMPTY
        for rule in rules:
            if rule.default:
                continue
            for inner in self.body(rule.body, 0, _NOTHING):
                last = rule.key if rule.contains else rule.value
                if last is None:
                    continue
                for values, _ in self._each([*rule.dynamic, last], inner):
                    *keys, value = values
                    whole = _put(whole, keys, Set([value]) if rule.contains else value, rule)
        return whole

    # ------------------------------------------------------------ functions

    def _call(self, call: Call, scope: Scope) -> Iterator[tuple[Value, Scope]]:
        name = ref_words(call.path) if call.path is not None else call.name
        for args, after in self._each(call.args, scope):
            for value in self._applied(name, call, args):
                yield value, after

    def _applied(self, name: str, call: Call, args: list[Value]) -> Iterator[Value]:
        if name in self._setting.functions:
            yield from self._mocked(self._setting.functions[name], call, args)
            return
        if call.path is not None:
            node = self._setting.policies.root.at(call.path[1:])
            if node is not None:
                value = self._function(node.rules, args)
                if value is not ABSENT:
                    yield value
            return
        yield from self._builtin(call, args)

    def _mocked(self, stand_in: Term | Value, call: Call, args: list[Value]) -> Iterator[Value]:
        """What `with f as g` calls: a value is the answer to everything, a function is called without the replacement."""
        if not isinstance(stand_in, Function | Ref):
            yield stand_in
            return
        inner = _Evaluation(replace(self._setting, functions={}, known={}))
        path = ("data", *ground(stand_in)) if isinstance(stand_in, Ref) and words(stand_in.head) == "data" else None
        target = Call(words(stand_in), call.args, call.at, path)
        yield from inner._applied(ref_words(path) if path else target.name, target, args)

    def _function(self, rules: Sequence[Rule], args: list[Value]) -> Value:
        matching: list[Rule] = []
        scopes: list[Scope] = []
        for rule in rules:
            if rule.default or rule.args is None:
                continue
            for scope in self._match_all(list(zip(rule.args, args, strict=True)), {"": tuple(args)}):
                matching.append(rule)
                scopes.append(scope)
        value = self._complete(matching, scopes, "function {} produced conflicting values for the same inputs")
        if value is ABSENT:
            value = next((v for rule in rules if rule.default for v in self._value_of(rule)), ABSENT)
        return value

    def _builtin(self, call: Call, args: list[Value]) -> Iterator[Value]:
        if call.name == "walk":
            yield from _walked(args[0], ())
            return
        if call.name == "time.now_ns":
            yield self._setting.started
            return
        function = BUILTINS.get(call.name)
        if function is None:
            raise NotInDrill(f"the drill's OPA has no {call.name}")
        try:
            value = function(*args)
        except (Undefined, ArithmeticError, ValueError):  # a number that is too large, a text that can't be encoded
            return
        yield value


# ---------------------------------------------------------------- small things


def _args_again(rule: Rule, other: Rule, scope: Scope) -> Scope:
    """The arguments as an `else` calls them: the same ones in the same order."""
    names = [var.name for arg in rule.args or [] for var in vars_in(arg)]
    others = [var.name for arg in other.args or [] for var in vars_in(arg)]
    return {new: scope[old] for old, new in zip(names, others, strict=True)}


def _as_text(key: Value) -> Value:
    return written(key) if isinstance(key, int | float) and not isinstance(key, bool) else key


def _walked(value: Value, path: tuple[Value, ...]) -> Iterator[Value]:
    yield (path, value)
    for key, inner in children(value):
        yield from _walked(inner, (*path, key))


def _object(pairs: Iterable[tuple[Value, Value]], at: Place) -> Obj:
    made: dict[Key, tuple[Value, Value]] = {}
    for key, value in pairs:
        there = made.setdefault(key_of(key), (key, value))
        if not same(there[1], value):
            raise Broken("eval_conflict_error", "object keys must be unique", at)
    whole = Obj()
    whole.pairs = made
    return whole


def _merged(one: Value, other: Value) -> Value:
    """Two objects as one; where both have a value that is no object, the second one's."""
    if not isinstance(one, Obj) or not isinstance(other, Obj):
        return other
    whole = one
    for key, value in other.items():
        found = child(whole, key)
        whole = whole.with_pair(key, value if found is None else _merged(found[0], value))
    return whole


def _together(one: Value, other: Value, rule: Rule) -> Value:
    """What two rules make at one place, if it can be both."""
    if isinstance(one, Set) and isinstance(other, Set) and rule.contains:
        return Set([*one, *other])
    if isinstance(one, Obj) and isinstance(other, Obj):
        whole = one
        for key, value in other.items():
            found = child(whole, key)
            whole = whole.with_pair(key, value if found is None else _together(found[0], value, rule))
        return whole
    if same(one, other):
        return one
    raise Broken("eval_conflict_error", "object keys must be unique", rule.at)


def _put(whole: Value, keys: Sequence[Value], value: Value, rule: Rule) -> Value:
    """The object with a value at the keys, as a rule with variables in its name makes it."""
    if not keys:
        if whole is EMPTY or same(whole, value):
            return value
        if isinstance(whole, Set) and isinstance(value, Set) and rule.contains:
            return Set([*whole, *value])
        raise Broken("eval_conflict_error", "object keys must be unique", rule.at)
    if not isinstance(whole, Obj):
        raise Broken("eval_conflict_error", "object keys must be unique", rule.at)
    found = child(whole, keys[0])
    if found is None:
        return whole.with_pair(keys[0], _nested(keys[1:], value))
    if len(keys) == 1:
        if isinstance(found[0], Set) and rule.contains and isinstance(value, Set):
            return whole.with_pair(keys[0], Set([*found[0], *value]))
        if not same(found[0], value):
            raise Broken("eval_conflict_error", "object keys must be unique", rule.at)
        return whole
    return whole.with_pair(keys[0], _put(found[0], keys[1:], value, rule))


def _nested(keys: Sequence[Value], value: Value) -> Value:
    for key in reversed(keys):
        value = Obj([(key, value)])
    return value


def _function_name(target: Term, policies: Compiled) -> str:
    """The function that a term names; empty when it names none."""
    if isinstance(target, Var | Function):
        return target.name if target.name in SIGNATURES else ""
    if isinstance(target, Ref) and isinstance(target.head, Var):
        if target.head.name == "data":
            path = ground(target)
            node = policies.root.at(path)
            return ref_words(("data", *path)) if node is not None and node.is_function else ""
        return words(target) if words(target) in SIGNATURES else ""
    return ""


def _replaced(setting: Setting, target: Term, value: Any) -> Setting:
    """The setting with a value in the place that `with` names."""
    name = _function_name(target, setting.policies)
    if name:
        return replace(setting, functions={**setting.functions, name: value}, known={})
    if not isinstance(target, Ref) or not isinstance(target.head, Var):
        raise Broken("eval_internal_error", "with target can't be replaced", target.at)
    path = ground(target)
    if target.head.name == "input":
        return replace(setting, input=_put_in(setting.input, path, value, target.at), known={})
    return replace(
        setting, data=_put_in(setting.data, path, value, target.at), replaced=setting.replaced | {path}, known={}
    )


def _put_in(whole: Value, path: Path, value: Value, at: Place) -> Value:
    if not path:
        return value
    inner = whole if isinstance(whole, Obj) else EMPTY
    found = child(inner, path[0])
    return inner.with_pair(path[0], _put_in(ABSENT if found is None else found[0], path[1:], value, at))
