"""Rego's syntax tree, and its JSON as `GET /v1/policies` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from console.sandbox.opa.values import Value, dumps


class Place(NamedTuple):
    """Where something stands in a module."""

    row: int
    col: int
    file: str = ""
    text: str = ""


@dataclass(slots=True)
class Scalar:
    value: Value
    at: Place


@dataclass(slots=True)
class Var:
    name: str
    at: Place
    spelled: str = ""
    """What the author wrote, where the compiler gave it another name."""


@dataclass(slots=True)
class Ref:
    """`head.part[part]`; the head is a variable, a call or a collection."""

    head: Term
    parts: list[Term]
    at: Place


@dataclass(slots=True)
class Array:
    items: list[Term]
    at: Place


@dataclass(slots=True)
class SetOf:
    items: list[Term]
    at: Place


@dataclass(slots=True)
class ObjectOf:
    pairs: list[tuple[Term, Term]]
    at: Place


@dataclass(slots=True)
class Comprehension:
    """`[value | body]`, `{value | body}` or, with a key, `{key: value | body}`."""

    kind: str
    key: Term | None
    value: Term
    body: list[Expr]
    at: Place


@dataclass(slots=True)
class Call:
    """A function, by the name it was called with; `path` once it is known to be a rule's."""

    name: str
    args: list[Term]
    at: Place
    path: tuple[str, ...] | None = None
    spelled: str = ""


@dataclass(slots=True)
class Function:
    """A built-in function by its name, as what `with` puts in the place of another."""

    name: str
    at: Place


@dataclass(slots=True)
class Template:
    """`$"… {x} …"`: texts and what is put in between."""

    parts: list[str | Term]
    at: Place


Term: TypeAlias = Scalar | Var | Ref | Array | SetOf | ObjectOf | Comprehension | Call | Template | Function


@dataclass(slots=True)
class Some:
    """`some x, y`: names that the body has for itself."""

    names: list[Var]


@dataclass(slots=True)
class SomeIn:
    """`some k, v in domain`."""

    key: Term | None
    value: Term
    domain: Term


@dataclass(slots=True)
class Every:
    key: Var | None
    value: Var
    domain: Term
    body: list[Expr]


@dataclass(slots=True)
class With:
    target: Term
    value: Term
    at: Place


@dataclass(slots=True)
class Expr:
    """One expression of a body. `op` is `:=` or `=` with two terms, or empty with one."""

    what: Some | SomeIn | Every | Term
    at: Place
    op: str = ""
    other: Term | None = None
    negated: bool = False
    withs: list[With] = field(default_factory=list)


@dataclass(slots=True)
class Rule:
    """One rule. `ref` is its name with what follows in dots and brackets."""

    ref: Ref
    at: Place
    args: list[Term] | None = None
    key: Term | None = None
    value: Term | None = None
    body: list[Expr] = field(default_factory=list)
    default: bool = False
    otherwise: Rule | None = None
    contains: bool = False
    assign: bool = False
    has_if: bool = False
    has_body: bool = False
    has_value: bool = False
    package: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    """The fixed part of its name, in `data`."""
    dynamic: list[Term] = field(default_factory=list)
    """The rest of its name, which has variables in it."""

    def chain(self) -> Iterator[Rule]:
        """The rule and its `else`s."""
        rule: Rule | None = self
        while rule is not None:
            yield rule
            rule = rule.otherwise


@dataclass(slots=True)
class Import:
    path: tuple[str, ...]
    alias: str
    at: Place


@dataclass(slots=True)
class Module:
    id: str
    package: tuple[str, ...]
    at: Place
    imports: list[Import]
    rules: list[Rule]


# ---------------------------------------------------------------- as Rego, for messages


def ref_words(path: tuple[str, ...]) -> str:
    """`data.acgs["x-y"]`."""
    words = path[0] if path else ""
    for part in path[1:]:
        plain = part.isascii() and part.replace("_", "a").isalnum() and not part[0].isdigit()
        words += f".{part}" if plain else f"[{dumps(part)}]"
    return words


def words(term: Term) -> str:
    if isinstance(term, Scalar):
        return dumps(term.value)
    if isinstance(term, Var):
        return "_" if term.name.startswith("$") else term.spelled or term.name
    if isinstance(term, Ref):
        told = words(term.head)
        for part in term.parts:
            plain = isinstance(part, Scalar) and isinstance(part.value, str) and ref_words(("", part.value))[:1] == "."
            told += f".{part.value}" if plain and isinstance(part, Scalar) else f"[{words(part)}]"
        return told
    if isinstance(term, Array):
        return "[" + ", ".join(words(item) for item in term.items) + "]"
    if isinstance(term, Function):
        return term.name
    if isinstance(term, Call):
        return f"{term.spelled or term.name}({', '.join(words(arg) for arg in term.args)})"
    return "…"


# ---------------------------------------------------------------- as JSON


def module_json(module: Module) -> dict[str, Any]:
    """The tree as OPA's policy API shows it. Bodies are as they were written: OPA shows what its compiler made of them."""
    shown: dict[str, Any] = {"package": {"path": _path_json(("data", *module.package))}}
    if module.rules:
        shown["rules"] = [_rule_json(rule) for rule in module.rules]
    return shown


def _path_json(path: tuple[str, ...]) -> list[dict[str, Any]]:
    return [{"type": "string" if n else "var", "value": part} for n, part in enumerate(path)]


def _rule_json(rule: Rule) -> dict[str, Any]:
    shown: dict[str, Any] = {"body": [_expr_json(n, expr) for n, expr in enumerate(rule.body)]}
    if not rule.body:
        shown["body"] = [{"generated": True, "index": 0, "terms": {"type": "boolean", "value": True}}]
    if rule.default:
        shown["default"] = True
    if rule.otherwise is not None:
        shown["else"] = _rule_json(rule.otherwise)
    shown["head"] = _head_json(rule)
    return shown


def _head_json(rule: Rule) -> dict[str, Any]:
    head: dict[str, Any] = {}
    parts = rule.ref.parts
    if isinstance(rule.ref.head, Var) and (not parts or (len(parts) == 1 and not isinstance(parts[0], Scalar))):
        head["name"] = rule.ref.head.name
    if rule.args is not None:
        head["args"] = [term_json(arg) for arg in rule.args]
    if rule.key is not None:
        head["key"] = term_json(rule.key)
    elif len(parts) == 1 and not isinstance(parts[0], Scalar) and rule.has_if:
        head["key"] = term_json(parts[0])
    if rule.value is not None and not rule.contains:
        head["value"] = term_json(rule.value)
    if rule.assign:
        head["assign"] = True
    head["ref"] = term_json(Ref(rule.ref.head, parts, rule.at))["value"]
    return head


def _expr_json(index: int, expr: Expr) -> dict[str, Any]:
    shown: dict[str, Any] = {"index": index}
    if expr.negated:
        shown["negated"] = True
    shown["terms"] = _terms_json(expr)
    if expr.withs:
        shown["with"] = [{"target": term_json(w.target), "value": term_json(w.value)} for w in expr.withs]
    return shown


def _terms_json(expr: Expr) -> Any:
    what = expr.what
    if isinstance(what, Some):
        return {"symbols": [term_json(name) for name in what.names]}
    if isinstance(what, SomeIn):
        given = [term for term in (what.key, what.value, what.domain) if term is not None]
        return {"symbols": [term_json(Call(f"internal.member_{len(given)}", given, expr.at))]}
    if isinstance(what, Every):
        return {
            "key": term_json(what.key) if what.key is not None else None,
            "value": term_json(what.value),
            "domain": term_json(what.domain),
            "body": [_expr_json(n, e) for n, e in enumerate(what.body)],
        }
    if expr.op and expr.other is not None:
        return [_name_json("eq"), term_json(what), term_json(expr.other)]
    if isinstance(what, Call):
        return [_name_json(what.name), *(term_json(arg) for arg in what.args)]
    return term_json(what)


def _name_json(name: str) -> dict[str, Any]:
    return {"type": "ref", "value": _path_json(tuple(name.split(".")))}


def term_json(term: Term) -> dict[str, Any]:
    if isinstance(term, Scalar):
        return _scalar_json(term.value)
    if isinstance(term, Var):
        return {"type": "var", "value": term.name}
    if isinstance(term, Ref):
        return {"type": "ref", "value": [term_json(term.head), *(term_json(part) for part in term.parts)]}
    if isinstance(term, Array | SetOf):
        kind = "array" if isinstance(term, Array) else "set"
        return {"type": kind, "value": [term_json(item) for item in term.items]}
    if isinstance(term, ObjectOf):
        return {"type": "object", "value": [[term_json(k), term_json(v)] for k, v in term.pairs]}
    if isinstance(term, Call):
        return {"type": "call", "value": [_name_json(term.name), *(term_json(arg) for arg in term.args)]}
    if isinstance(term, Function):
        return _name_json(term.name)
    if isinstance(term, Template):
        parts = [{"type": "string", "value": p} if isinstance(p, str) else term_json(p) for p in term.parts]
        return {"type": "templatestring", "value": {"parts": parts}}
    body = [_expr_json(n, expr) for n, expr in enumerate(term.body)]
    if term.key is not None:
        return {
            "type": "objectcomprehension",
            "value": {"key": term_json(term.key), "value": term_json(term.value), "body": body},
        }
    return {"type": f"{term.kind}comprehension", "value": {"term": term_json(term.value), "body": body}}


def _scalar_json(value: Value) -> dict[str, Any]:
    if value is None:
        return {"type": "null", "value": {}}
    kind = "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
    return {"type": kind, "value": value}
