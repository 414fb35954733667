"""Parses Rego's modules and queries, version 1, into the tree of `syntax.py`; terms and bodies are in `terms.py`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

from console.sandbox.opa.errors import Mistaken, NotInDrill, RegoError
from console.sandbox.opa.lexer import Token, text_of, wrong
from console.sandbox.opa.syntax import (
    Array,
    Call,
    Expr,
    Import,
    Module,
    ObjectOf,
    Place,
    Ref,
    Rule,
    Scalar,
    SetOf,
    Term,
    Var,
    ref_words,
    words,
)
from console.sandbox.opa.terms import OPERATORS, Terms, kind_of

_FUTURE: Final = ("and", "or", "not")
"""Keywords of the Rego to come."""
_AFTER_A_NAME: Final = (":=", "=", "if", "contains", "(")
_FOLLOWERS: Final = {
    **dict.fromkeys(("every", "if", "in", "some", "as"), _AFTER_A_NAME),
    **dict.fromkeys(("package", "import"), (":=", "=", "(")),
    "not": _AFTER_A_NAME[:-1],
    "contains": ("if", "contains"),
}
"""What makes a rule of a statement that begins with a keyword."""


def parse_module(policy_id: str, source: str) -> Module | None:
    """The module; None for a text with nothing in it. Raises Mistaken."""
    return _Parser(source, policy_id).module()


def parse_query(source: str) -> list[Expr]:
    """The body of a query. Raises Mistaken."""
    return _Parser(source, "").query()


class _Parser(Terms):
    # ------------------------------------------------------------ modules

    def query(self) -> list[Expr]:
        if self._token.kind == "eof":
            raise Mistaken([RegoError("rego_parse_error", "empty query")])
        body: list[Expr] = []
        while self._token.kind != "eof":
            if not body or not self._take(";"):
                self._try_as_rule()
                body.append(self._literal())
        return body

    def _try_as_rule(self) -> None:
        """OPA tries every statement as a rule first, and keeps what it finds wrong with that."""
        start, wildcards = self._index, self._wildcards
        if self._token.kind == "ident":
            self._head(self._at(), default=False)
        self._index, self._wildcards = start, wildcards

    def module(self) -> Module | None:
        if self._token.kind == "eof":
            return None
        at = self._at()
        if not self._take("package"):
            self._not_a_package(at)
        package = self._package()
        module = Module(self._file, package, at, [], [])
        while self._token.kind != "eof":
            if self._take(";"):
                continue
            self._refuse_keyword()
            if self._is("import"):
                self._import(module)
            elif self._is("package"):
                raise wrong("unexpected package", self._at())
            else:
                module.rules += self._rules()
        self._check_v1(module)
        for rule in module.rules:
            for one in rule.chain():
                one.package = package
        return module

    def _not_a_package(self, at: Place) -> NoReturn:
        if self._is("{", "[", "("):
            self._literal()
        elif not self._is("import"):
            self._rules()
        raise wrong("package expected", at)

    def _package(self) -> tuple[str, ...]:
        if self._token.kind != "ident":
            self._illegal()
        return self._fixed_path()

    def _fixed_path(self) -> tuple[str, ...]:
        """`a.b["c"]` on one line."""
        parts = [self._name()]
        while not self._token.space and self._is(".", "["):
            if self._take("."):
                parts.append(self._name())
                continue
            self._index += 1
            token = self._token
            if token.kind != "string":
                raise wrong(
                    f"unexpected {'var' if token.kind == 'ident' else token.kind} token: expecting string", self._at()
                )
            self._index += 1
            parts.append(text_of(token, self._at(token)))
            self._expect("]", "expected [")
        return tuple(parts)

    def _import(self, module: Module) -> None:
        at = self._at()
        self._index += 1
        path_at = self._at()
        if self._token.kind not in ("ident", "keyword"):
            self._illegal()
        path = self._fixed_path()
        if path[0] not in ("data", "input", "future", "rego"):
            message = "unexpected import path, must begin with one of: {data, future, input, rego}, got: "
            raise wrong(f"{message}{path[0]} (hint: if this is unexpected, try updating OPA)", path_at)
        alias = path[-1]
        if self._take("as"):
            if self._token.kind != "ident":
                self._illegal("expected var")
            alias = self._name()
        if path[0] in ("future", "rego"):
            self._check_feature(path, path_at)
            return
        module.imports.append(Import(path, alias, at))

    def _check_feature(self, path: tuple[str, ...], at: Place) -> None:
        if path in (("rego", "v2"), ("future", "keywords")) or (
            path[:2] == ("future", "keywords") and path[2] in _FUTURE
        ):
            if path != ("future", "keywords"):
                raise NotInDrill(f"the drill's OPA has no {ref_words(path)}")
            return
        if path[0] == "rego" and path != ("rego", "v1"):
            message = f"invalid import `{ref_words(path)}`, must be one of: `rego.v1`, `rego.v2`"
            raise wrong(message, at)
        if path[0] == "future" and path[1:2] != ("keywords",):
            raise wrong("invalid import, must be `future.keywords`", at)
        if path[0] == "future" and len(path) > 2 and path[2] not in ("in", "every", "contains", "if"):
            raise wrong("unexpected keyword, must be one of [and contains every if in not or]", at)

    def _check_v1(self, module: Module) -> None:
        """What Rego 1 asks of a rule beyond the grammar."""
        errors = []
        for first in module.rules:
            for rule in first.chain():
                kind = "rule" if rule.args is None else "function"
                bodyless = not rule.has_body and not rule.has_value and not rule.contains and not rule.default
                if bodyless and rule.args is None:
                    if len(rule.ref.parts) == 1 and rule is first:
                        errors.append((rule.at, "`contains` keyword is required for partial set rules"))
                        continue
                    bare = not rule.ref.parts and rule is first
                    told = "var cannot be used for rule name" if bare else ""
                    errors.append((rule.at, told or f"{kind} must have value assignment and/or body declaration"))
                if rule.has_body and not rule.has_if and not rule.default:
                    errors.append((rule.at, f"`if` keyword is required before {kind} body"))
                    bare = len(rule.ref.parts) == 1 and not rule.has_value and not rule.contains and rule.args is None
                    if bare:
                        errors.append((rule.at, "`contains` keyword is required for partial set rules"))
        if errors:
            raise Mistaken([RegoError("rego_parse_error", message, at) for at, message in errors])

    # ------------------------------------------------------------ rules

    def _refuse_keyword(self) -> None:
        """A keyword that is followed by what follows a rule's name."""
        followers = _FOLLOWERS.get(self._token.text, ()) if self._token.kind == "keyword" else ()
        if self._tokens[min(self._index + 1, len(self._tokens) - 1)].text in followers:
            raise wrong(f"{self._token.text} keyword cannot be used for rule name", self._at())

    def _rules(self) -> list[Rule]:
        at = self._at()
        default = self._take("default")
        if self._token.kind != "ident" and not self._is_keyword_ref():
            if default:
                raise wrong(f"{self._token.shown} keyword cannot be used for rule name", self._at())
            self._statement_that_is_no_rule()
        start = self._index
        rule = self._head(at, default)
        if self._is(*OPERATORS) and not self._token.newline:
            self._index = start
            self._literal()
            raise wrong("rule name conflicts with built-in function", at)
        if default:
            self._check_default(rule)
            return [rule]
        if self._take("if"):
            rule.has_if = rule.has_body = True
            rule.body = self._if_body()
        elif self._take("{"):
            rule.has_body = True
            rule.body = self._body("}")
            self._index += 1
        if rule.has_body and self._is("else"):
            self._check_else(rule)
            rule.otherwise = self._else(rule)
        rules = [rule]
        while rule.has_body and self._is("{"):
            if rule.otherwise is not None:
                raise wrong("expected else keyword", self._at())
            again = copy.deepcopy(rule)
            again.at = self._at()
            self._index += 1
            again.body = self._body("}")
            self._index += 1
            rules.append(again)
        self._check_end()
        return rules

    def _statement_that_is_no_rule(self) -> NoReturn:
        if (self._token.kind == "sign" and self._is("}", ")", "]", ",", ":", "{")) or self._token.kind == "keyword":
            if self._is("{", "some", "every", "not", "null", "true", "false"):
                self._literal()
                raise wrong("expression cannot be used for rule head", self._at(self._tokens[0]))
            self._illegal()
        at = self._at()
        term = self._infix()
        kinds = {Array: "array", ObjectOf: "object", SetOf: "set", Call: "call"}
        kind = kind_of(term) if isinstance(term, Scalar) else kinds.get(type(term), "expression")
        raise wrong(f"{kind} cannot be used for rule name", at)

    def _check_end(self) -> None:
        """A rule ends with its line."""
        if self._token.kind != "eof" and not self._token.newline and not self._is(";"):
            if self._is("{", "(", "[", "=", ":="):
                self._illegal("expected \\n or ; or }") if not self._is("{") else self._illegal()
            self._illegal() if self._token.kind == "sign" else None

    def _head(self, at: Place, default: bool) -> Rule:
        name = self._token
        self._index += 1
        term: Term = Var(name.text, self._at(name))
        if not self._token.space and self._is(*OPERATORS):
            self._illegal()
        with self._also("expected rule head name"):
            term = self._ref(term, name)
        args: list[Term] | None = None
        if isinstance(term, Call):
            args = term.args
            term = self._callee(term, name)
        if isinstance(term, Var):
            term = Ref(term, [], term.at)
        if not isinstance(term, Ref) or not isinstance(term.head, Var):
            self._illegal("expected rule head name")
        rule = Rule(term, at, args, default=default)
        spelled = words(term)
        if self._is("contains"):
            if args is not None:
                self._illegal(
                    "the contains keyword can only be used with multi-value rule definitions "
                    f"(e.g., {spelled} contains <VALUE> {{ ... }})"
                )
            self._index += 1
            with self._also(f"expected rule key term (e.g., {spelled} contains <VALUE> {{ ... }})"):
                rule.key, rule.contains = self._infix(), True
        elif self._is(":=", "="):
            rule.assign = self._take(":=") or not self._take("=")
            with self._also(_value_expected(rule, spelled)):
                rule.value, rule.has_value = self._infix(), True
        elif args is not None and not args and not default:
            raise wrong("rule argument list must take at least one argument", at)
        if rule.value is None and not rule.contains:
            rule.value = Scalar(True, at)
        return rule

    @contextmanager
    def _also(self, note: str) -> Iterator[None]:
        """Adds what OPA says on top when a part of a rule's head does not parse."""
        try:
            yield
        except Mistaken as error:
            try:
                self._illegal(note)
            except Mistaken as more:
                raise Mistaken([*error.errors, more.errors[-1]]) from None

    def _callee(self, call: Call, name: Token) -> Term:
        parts = call.name.split(".")
        ref: Term = Var(parts[0], self._at(name))
        return Ref(ref, [Scalar(part, self._at(name)) for part in parts[1:]], self._at(name))

    def _if_body(self) -> list[Expr]:
        """One literal, or several in braces. `{…}` is a body here unless it can only be an object or a comprehension."""
        start, wildcards = self._index, self._wildcards
        braces = self._is("{")
        if not braces:
            return [self._literal()]
        try:
            literal = self._literal()
            if not isinstance(literal.what, SetOf) or literal.op:
                return [literal]
        except Mistaken:
            pass
        self._index, self._wildcards = start + 1, wildcards
        body = self._body("}")
        self._index += 1
        return body

    def _check_else(self, rule: Rule) -> None:
        if any(not isinstance(part, Scalar) for part in rule.ref.parts):
            raise wrong("else keyword cannot be used on rules with variables in head", self._at())
        if rule.contains:
            raise wrong("else keyword cannot be used on multi-value rules", self._at())

    def _else(self, head: Rule) -> Rule:
        at = self._at()
        self._index += 1
        rule = Rule(head.ref, at, copy.deepcopy(head.args), value=Scalar(True, at))
        if self._is(":=", "="):
            rule.assign = self._take(":=") or not self._take("=")
            rule.value, rule.has_value = self._infix(), True
        elif not self._is("{", "if"):
            self._illegal("expected else value term or rule body")
        if self._take("if"):
            rule.has_if = rule.has_body = True
            if self._token.kind == "eof":
                self._illegal("rule body expected")
            rule.body = self._if_body()
        elif self._take("{"):
            rule.has_body = True
            rule.body = self._body("}")
            self._index += 1
        if rule.has_body and self._is("else"):
            rule.otherwise = self._else(head)
        return rule

    def _check_default(self, rule: Rule) -> None:
        def look(term: Term) -> None:
            named = {Var: "var", Ref: "ref", Call: "call"}.get(type(term))
            if named:
                raise wrong(f"illegal default rule (value cannot contain {named})", rule.at)
            if isinstance(term, Array | SetOf):
                for item in term.items:
                    look(item)
            if isinstance(term, ObjectOf):
                for pair in term.pairs:
                    for item in pair:
                        look(item)

        if rule.value is not None:
            look(rule.value)
        seen: set[str] = set()
        for arg in rule.args or []:
            if not isinstance(arg, Var):
                raise wrong(f"illegal default rule (arguments cannot contain {kind_of(arg)})", rule.at)
            if arg.name in seen:
                raise wrong(f"illegal default rule (arguments cannot be repeated {arg.name})", rule.at)
            seen.add(arg.name)


def _value_expected(rule: Rule, spelled: str) -> str:
    if not rule.assign:
        return f"expected rule value term (e.g., {spelled}[<nil>] = <VALUE> {{ ... }})"
    if rule.args:
        return f"expected function value term (e.g., {spelled}(...) := <VALUE> {{ ... }})"
    if rule.default:
        return f"expected default rule value term (e.g., default {spelled} := <VALUE>)"
    return f"expected rule value term (e.g., {spelled} := <VALUE> {{ ... }})"
