"""Compiles modules together, as OPA does at every change, or says what is wrong with them in OPA's words and order of stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from console.sandbox.opa.errors import Mistaken, RegoError
from console.sandbox.opa.resolver import Resolver, known_names
from console.sandbox.opa.safety import ordered, ordered_rule, refs_in, term_items
from console.sandbox.opa.signatures import SIGNATURES
from console.sandbox.opa.syntax import (
    Call,
    Comprehension,
    Every,
    Expr,
    Module,
    Place,
    Ref,
    Rule,
    Scalar,
    Some,
    SomeIn,
    Template,
    Term,
    Var,
    ref_words,
    words,
)
from console.sandbox.opa.types import check_types

Path = tuple[str, ...]
_MOST_ERRORS: Final = 10
_LIMIT_REACHED: Final = RegoError("rego_compile_error", "error limit reached")


@dataclass(slots=True)
class Node:
    """A place in `data` that packages and rules make."""

    children: dict[str, Node] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    @property
    def is_function(self) -> bool:
        return bool(self.rules) and self.rules[0].args is not None

    def at(self, path: Iterable[str]) -> Node | None:
        node: Node | None = self
        for part in path:
            node = node.children.get(part) if node is not None else None
        return node

    def made(self, path: Iterable[str]) -> Node:
        node = self
        for part in path:
            node = node.children.setdefault(part, Node())
        return node

    def below(self) -> Iterator[Rule]:
        """Every rule here and further in."""
        yield from self.rules
        for name in sorted(self.children):
            yield from self.children[name].below()


@dataclass(slots=True)
class Compiled:
    """All modules, ready to be asked."""

    modules: dict[str, Module] = field(default_factory=dict)
    root: Node = field(default_factory=Node)


def compiled(modules: Mapping[str, Module], exists: Callable[[Path], bool] | None = None) -> Compiled:
    """`exists` tells whether data stands at a path, where no rule may. Raises Mistaken."""
    errors: list[RegoError] = []
    names: dict[Path, set[str]] = {}
    for module in modules.values():
        own = (rule.ref.head.name for rule in module.rules if isinstance(rule.ref.head, Var))
        names.setdefault(module.package, set()).update(own)
    made = Compiled(dict(modules))
    resolved: dict[str, list[Rule]] = {}
    for policy_id in sorted(modules):
        module = modules[policy_id]
        _check_roots(module, errors)
        resolver = Resolver(known_names(module, names[module.package]))
        resolved[policy_id] = [resolver.rule(rule) for rule in module.rules]
        errors += resolver.errors
    _stop_at(errors)
    for policy_id in resolved:
        made.root.made(modules[policy_id].package)
        for rule in resolved[policy_id]:
            made.root.made(rule.path).rules.append(rule)
    _check_targets(made.root, resolved, errors)
    _stop_at(errors)
    _check_conflicts(made, resolved, exists, errors)
    _stop_at(errors)
    for rules in resolved.values():
        for rule in rules:
            _check_functions(rule, made.root, errors)
    _stop_at(errors)
    _order(made.root, errors)
    _stop_at(errors)
    _check_recursion(made.root, errors)
    _stop_at(errors)
    errors += check_types(made.root)
    _stop_at(errors)
    for rule in made.root.below():
        errors += _deprecated(_heads_of(rule))
        errors += _deprecated(term for expr in exprs_of(rule) for inner in walk(expr) for term in terms_of(inner))
    _stop_at(errors)
    return made


def compiled_query(policies: Compiled, body: Sequence[Expr]) -> list[Expr]:
    """A query against compiled modules. Raises Mistaken."""
    errors: list[RegoError] = []
    resolver = Resolver({}, keep_names=True)
    resolved = resolver.body(body)
    errors += resolver.errors
    _stop_at(errors)
    for expr in resolved:
        _check_withs(expr, policies.root, errors)
    _stop_at(errors)
    for expr in resolved:
        _check_calls_of(expr, policies.root, errors)
    _stop_at(errors)
    made, _ = ordered(resolved, (), (), errors)
    _stop_at(errors)
    errors += check_types(policies.root, made)
    _stop_at(errors)
    errors += _deprecated(term for expr in made for inner in walk(expr) for term in terms_of(inner))
    _stop_at(errors)
    return made


def _heads_of(rule: Rule) -> list[Term]:
    return [term for one in rule.chain() for term in (one.key, one.value, *one.dynamic) if term is not None]


def _deprecated(terms: Iterable[Term]) -> list[RegoError]:
    """The calls of built-in functions that Rego 1 has no longer."""
    message = "deprecated built-in function calls in expression: {}"
    return [
        RegoError("rego_type_error", message.format(call.name), call.at)
        for term in terms
        for call in calls_in(term)
        if call.path is None and SIGNATURES[call.name].deprecated
    ]


def _stop_at(errors: list[RegoError]) -> None:
    """A stage that found something is the last one."""
    if not errors:
        return
    found = sorted(dict.fromkeys(errors), key=lambda error: error.order)
    if len(found) > _MOST_ERRORS:
        found = [*found[:_MOST_ERRORS], _LIMIT_REACHED]
    raise Mistaken(found)


# ---------------------------------------------------------------- names


def _check_roots(module: Module, errors: list[RegoError]) -> None:
    """`data` and `input` mean one thing only, and an import is made once."""
    aliases: dict[str, str] = {}
    for imported in module.imports:
        if imported.alias in ("data", "input") and len(imported.path) > 1:
            message = f"imports must not shadow {imported.alias} (use a different import alias)"
            errors.append(RegoError("rego_compile_error", message, imported.at))
        if imported.alias in aliases:
            told = f"import must not shadow import {aliases[imported.alias]}"
            errors.append(RegoError("rego_compile_error", told, imported.at))
        aliases.setdefault(imported.alias, ref_words(imported.path))
    for rule in module.rules:
        name = rule.ref.head.name if isinstance(rule.ref.head, Var) else ""
        if name in ("data", "input"):
            message = f"rules must not shadow {name} (use a different rule name)"
            errors.append(RegoError("rego_compile_error", message, rule.at))
        for one in rule.chain():
            for arg in one.args or []:
                if isinstance(arg, Ref) and isinstance(arg.head, Var) and arg.head.name in ("data", "input"):
                    message = f"args must not shadow {arg.head.name} (use a different variable name)"
                    errors.append(RegoError("rego_compile_error", message, rule.at))


def _check_targets(root: Node, resolved: Mapping[str, Sequence[Rule]], errors: list[RegoError]) -> None:
    for rules in resolved.values():
        for rule in rules:
            for expr in exprs_of(rule):
                _check_withs(expr, root, errors)


def _check_withs(expr: Expr, root: Node, errors: list[RegoError]) -> None:
    for inner in walk(expr):
        for replaced in inner.withs:
            _check_target(replaced.target, root, errors)


def _check_target(target: Term, root: Node, errors: list[RegoError]) -> None:
    if isinstance(target, Var):
        if target.name not in SIGNATURES:
            message = "with keyword target must reference existing input, data, or a function"
            errors.append(RegoError("rego_type_error", message, target.at))
        return
    head = target.head.name if isinstance(target, Ref) and isinstance(target.head, Var) else ""
    path = ground(target) if isinstance(target, Ref) else ()
    if head == "input":
        return
    if head == "data":
        node: Node | None = root
        for number, part in enumerate(path):
            node = node.children.get(part) if node is not None else None
            if node is not None and node.rules and number < len(path) - 1:
                message = "with keyword cannot partially replace virtual document(s)"
                errors.append(RegoError("rego_compile_error", message, target.at))
        return
    if words(target) not in SIGNATURES:
        message = "with keyword target must reference existing input, data, or a function"
        errors.append(RegoError("rego_type_error", message, target.at))


# ---------------------------------------------------------------- conflicts


def _check_conflicts(
    made: Compiled,
    resolved: Mapping[str, Sequence[Rule]],
    exists: Callable[[Path], bool] | None,
    errors: list[RegoError],
) -> None:
    _check_rules(made.root, made, errors)
    if exists is not None:
        errors += data_conflicts(made, exists)
    packages: dict[Path, list[Module]] = {}
    for module in made.modules.values():
        packages.setdefault(module.package, []).append(module)
    for policy_id, rules in resolved.items():
        for rule in rules:
            if rule.dynamic:
                continue
            for other in packages.get(rule.path, ()):
                name = ref_words(("data", *other.package))
                package = name.removeprefix("data.")
                message = f"package {package} conflicts with rule {words(rule.ref)} defined at {_spot(rule.at)}"
                errors.append(RegoError("rego_type_error", message, made.modules[policy_id].at))


def _check_rules(node: Node, made: Compiled, errors: list[RegoError]) -> None:
    if node.rules:
        error = _conflict(node, made)
        if error is not None:
            errors.append(error)
    for name in sorted(node.children):
        _check_rules(node.children[name], made, errors)


def _conflict(node: Node, made: Compiled) -> RegoError | None:
    rules = node.rules
    name = ref_words(("data", *rules[-1].path)) + "".join(f"[{words(part)}]" for part in rules[-1].dynamic)
    below = [rule for child in sorted(node.children) for rule in node.children[child].below()]
    inside = below if any(not rule.dynamic for rule in rules) else [r for r in below if r.args is not None]
    if inside:
        told = "".join(f"\n  rule {ref_words(('data', *r.path))} at {_spot(r.at)}" for r in inside)
        return RegoError("rego_type_error", f"rule {name} conflicts with:{told}", rules[0].at)
    kinds = {rule.contains for rule in rules}
    arities = {len(rule.args or ()) for rule in rules}
    complete = [not rule.dynamic and not rule.contains for rule in rules]
    sets = {bool(rule.dynamic) for rule in rules if rule.contains}
    if len(kinds) > 1 or len(arities) > 1 or (any(complete) and not all(complete)) or len(sets) > 1:
        return RegoError("rego_type_error", f"conflicting rules {name} found", rules[0].at)
    defaults = [rule for rule in rules if rule.default]
    if len(defaults) > 1:
        where = ", ".join(_spot(rule.at) for rule in defaults)
        at = made.modules[defaults[0].at.file].at
        return RegoError("rego_type_error", f"multiple default rules {name} found at {where}", at)
    return None


def data_conflicts(made: Compiled, exists: Callable[[Path], bool]) -> list[RegoError]:
    """Rules that stand where data is."""

    def look(node: Node, path: Path) -> Iterator[RegoError]:
        if node.rules and exists(path):
            message = f"conflicting rule for data path {'/'.join(path)} found"
            yield RegoError("rego_compile_error", message, node.rules[0].at)
            return
        for name in sorted(node.children):
            yield from look(node.children[name], (*path, name))

    return [error for name in sorted(made.root.children) for error in look(made.root.children[name], (name,))]


def _spot(at: Place) -> str:
    return f"{at.file}:{at.row}" if at.file else f"{at.row}:{at.col}"


# ---------------------------------------------------------------- functions


def _check_functions(rule: Rule, root: Node, errors: list[RegoError]) -> None:
    for one in rule.chain():
        heads = [term for term in (one.key, one.value, *one.dynamic) if term is not None]
        for term in heads:
            _check_calls(term, root, errors)
        for expr in [*one.body, *(inner for term in heads for inner in _bodies_in(term))]:
            _check_calls_of(expr, root, errors)


def _check_calls_of(expr: Expr, root: Node, errors: list[RegoError]) -> None:
    """The calls of one expression. One with an argument more than its function has takes the result there."""
    for inner in walk(expr):
        if isinstance(inner.what, Call) and not inner.op and inner.what.name not in ("print",):
            call = inner.what
            arity = _arity(call, root)
            if arity is not None and len(call.args) == arity + 1:
                inner.other, inner.op = call.args[-1], "="
                inner.what = replace(call, args=call.args[:-1])
        for term in terms_of(inner):
            _check_calls(term, root, errors)


def _arity(call: Call, root: Node) -> int | None:
    """How many arguments a function has; None when there is no such function, -1 for any."""
    if call.path is not None:
        node = root.at(call.path[1:]) if call.path[0] == "data" else None
        return len(node.rules[0].args or ()) if node is not None and node.is_function else None
    return SIGNATURES[call.name].arity if call.name in SIGNATURES else None


def _check_calls(term: Term, root: Node, errors: list[RegoError]) -> None:
    if isinstance(term, Comprehension):
        for part in (term.key, term.value):
            if part is not None:
                _check_calls(part, root, errors)
        return  # its body is walked as expressions
    if isinstance(term, Call):
        name = ref_words(term.path) if term.path is not None else term.spelled or term.name
        arity = _arity(term, root)
        if arity is None:
            errors.append(RegoError("rego_type_error", f"undefined function {name}", term.at))
        elif arity >= 0 and len(term.args) != arity:
            errors.append(_wrong_arity(term, name, arity))
    for item in term_items(term):
        _check_calls(item, root, errors)


def _wrong_arity(call: Call, name: str, arity: int) -> RegoError:
    given = len(call.args)
    if call.path is None:
        return RegoError("rego_type_error", f"{name}: arity mismatch", call.at)
    message = f"function {name} has arity {arity}, got {given} argument{'' if given == 1 else 's'}"
    return RegoError("rego_type_error", message, call.at)


# ---------------------------------------------------------------- order and recursion


def _order(node: Node, errors: list[RegoError]) -> None:
    node.rules = [ordered_rule(rule, errors) for rule in node.rules]
    for name in sorted(node.children):
        _order(node.children[name], errors)


def _check_recursion(root: Node, errors: list[RegoError]) -> None:
    nodes = {node.rules[0].path: node for node in _all_nodes(root)}
    needs = {path: _needs(node, root) for path, node in nodes.items()}
    for path, node in sorted(nodes.items()):
        cycle = _cycle(path, needs)
        if cycle is None:
            continue
        told = " -> ".join(ref_words(("data", *step)) for step in cycle)
        name = ref_words(("data", *path))
        message = f"rule {name} is recursive: {told}"
        errors += [RegoError("rego_recursion_error", message, rule.at) for rule in node.rules]


def _all_nodes(node: Node) -> Iterator[Node]:
    if node.rules:
        yield node
    for name in sorted(node.children):
        yield from _all_nodes(node.children[name])


def _needs(node: Node, root: Node) -> list[Path]:
    found: dict[Path, None] = {}
    for rule in node.rules:
        for one in rule.chain():
            for path in _data_paths(one):
                for other in covered(root, path):
                    found.setdefault(other.path)
    return list(found)


def covered(root: Node, path: Path) -> Iterator[Rule]:
    """The rules that a reference to a place asks for: the one on the way there, or all that lie within."""
    node: Node | None = root
    for part in path:
        if node is None:
            return
        if node.rules:
            yield from node.rules
            if not any(rule.dynamic for rule in node.rules):
                return
        node = node.children.get(part)
    if node is not None:
        yield from node.below()


def _data_paths(rule: Rule) -> Iterator[Path]:
    for term in (rule.key, rule.value, *rule.dynamic):
        if term is not None:
            yield from _paths_in(term)
    for expr in rule.body:
        for inner in walk(expr):
            for term in terms_of(inner):
                yield from _paths_in(term)


def _paths_in(term: Term) -> Iterator[Path]:
    for ref in refs_in(term):
        if isinstance(ref.head, Var) and ref.head.name == "data":
            yield ground(ref)
    yield from (call.path[1:] for call in calls_in(term) if call.path is not None and call.path[0] == "data")


def _cycle(path: Path, needs: Mapping[Path, Sequence[Path]]) -> list[Path] | None:
    """A way from a rule back to itself."""
    stack = [(path, iter(needs.get(path, ())))]
    seen: set[Path] = set()
    while stack:
        following = next(stack[-1][1], None)
        if following is None:
            stack.pop()
        elif following == path:
            return [*(step for step, _ in stack), path]
        elif following not in seen:
            seen.add(following)
            stack.append((following, iter(needs.get(following, ()))))
    return None


# ---------------------------------------------------------------- walking


def ground(ref: Ref) -> Path:
    """The part of a reference that is fixed, without its head. In `data` a number is asked for as text."""
    path: list[str] = []
    for part in ref.parts:
        if not isinstance(part, Scalar) or isinstance(part.value, bool) or part.value is None:
            break
        path.append(str(part.value))
    return tuple(path)


def calls_in(term: Term) -> Iterator[Call]:
    if isinstance(term, Call):
        yield term
    if not isinstance(term, Comprehension):
        for item in term_items(term):
            yield from calls_in(item)


def exprs_of(rule: Rule) -> Iterator[Expr]:
    """The expressions of a rule and its `else`s, also those in comprehensions of its head."""
    for one in rule.chain():
        yield from one.body
        for term in (one.key, one.value, *one.dynamic):
            if term is not None:
                yield from _bodies_in(term)


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all within it."""
    yield expr
    if isinstance(expr.what, Every):
        for inner in expr.what.body:
            yield from walk(inner)
    for term in terms_of(expr):
        for inner in _bodies_in(term):
            yield from walk(inner)


def _bodies_in(term: Term) -> Iterator[Expr]:
    if isinstance(term, Comprehension):
        yield from term.body
        for part in (term.key, term.value):
            if part is not None:
                yield from _bodies_in(part)
    elif isinstance(term, Template) or not isinstance(term, Scalar | Var):
        for item in term_items(term):
            yield from _bodies_in(item)


def terms_of(expr: Expr) -> list[Term]:
    """The terms right in an expression."""
    what = expr.what
    found: list[Term | None] = [expr.other, *(w.value for w in expr.withs)]
    if isinstance(what, SomeIn):
        found = [what.key, what.value, what.domain, *found]
    elif isinstance(what, Every):
        found = [what.domain, *found]
    elif not isinstance(what, Some):
        found = [what, *found]
    return [term for term in found if term is not None]
