"""Parses Rego's terms and bodies, as OPA 1.x does (its parser.go tells the grammar), into the tree of `syntax.py`.

Like OPA's parser it stops at the first mistake, and tells it in OPA's words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

from console.sandbox.opa.errors import Mistaken, RegoError
from console.sandbox.opa.lexer import Token, text_of, tokens_of, wrong
from console.sandbox.opa.syntax import (
    Array,
    Call,
    Comprehension,
    Every,
    Expr,
    ObjectOf,
    Place,
    Ref,
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

OPERATORS: Final = {
    "==": "equal", "!=": "neq", "<": "lt", ">": "gt", "<=": "lte", ">=": "gte",
    "|": "or", "&": "and", "+": "plus", "-": "minus", "*": "mul", "/": "div", "%": "rem",
}  # fmt: skip
_LEVELS: Final = (("==", "!=", "<", ">", "<=", ">="), ("|",), ("&",), ("+", "-"), ("*", "/", "%"))
_CONSTANTS: Final = {"null": None, "true": True, "false": False}
_DEEPEST: Final = 400


class Terms:
    """The part of a parser that knows tokens, terms and bodies."""

    def __init__(self, source: str, file: str) -> None:
        self._file = file
        self._source = source
        self._tokens = tokens_of(source)
        self._index = 0
        self._wildcards = 0
        self._depth = 0

    # ------------------------------------------------------------ tokens

    @property
    def _token(self) -> Token:
        return self._tokens[self._index]

    def _at(self, token: Token | None = None) -> Place:
        token = token or self._token
        return Place(token.row, token.col, self._file)

    def _is(self, *texts: str) -> bool:
        """Whether one of these signs or keywords comes. A keyword with a dot or bracket right behind it is a name."""
        if self._token.text not in texts or self._token.kind not in ("sign", "keyword"):
            return False
        return not self._is_keyword_ref()

    def _is_keyword_ref(self) -> bool:
        following = self._tokens[self._index + 1] if self._token.kind == "keyword" else None
        return following is not None and following.text in (".", "[") and not following.space

    def _take(self, *texts: str) -> bool:
        if self._is(*texts):
            self._index += 1
            return True
        return False

    def _illegal(self, note: str = "") -> NoReturn:
        token = self._token
        if token.kind == "illegal":
            told = ["illegal token"]
            if token.text:
                told = [token.text, *told] if self._index else [token.text]
            raise Mistaken([RegoError("rego_parse_error", message, self._at()) for message in told])
        what = "keyword" if token.kind == "keyword" and token.text not in _CONSTANTS else "token"
        raise wrong(f"unexpected {token.shown} {what}{f': {note}' if note else ''}", self._at())

    def _expect(self, text: str, note: str) -> None:
        if not self._take(text):
            self._illegal(note)

    def _name(self) -> str:
        """An identifier; a keyword will do behind a dot."""
        token = self._token
        if token.kind not in ("ident", "keyword"):
            self._illegal("expected ident")
        self._index += 1
        return token.text

    # ------------------------------------------------------------ bodies

    def _body(self, end: str) -> list[Expr]:
        """Literals up to the closing sign, which is not taken."""
        if self._is(end):
            raise wrong("found empty body", self._at())
        body = []
        while True:
            body.append(self._literal())
            if self._take(";"):
                continue
            if self._is(end):
                return body
            if not self._token.newline:
                self._illegal(f"expected \\n or ; or {end}")

    def _literal(self) -> Expr:
        at = self._at()
        negated = False
        if self._is("not"):
            self._index += 1
            negated = True
        if self._is("some"):
            if negated:
                self._illegal("illegal negation of 'some'")
            expr = self._some(at)
        elif self._is("every"):
            if negated:
                self._illegal("illegal negation of 'every'")
            expr = self._every(at)
        else:
            expr = self._expression(at)
            expr.negated = negated
        while self._is("with"):
            expr.withs.append(self._with())
        return expr

    def _expression(self, at: Place) -> Expr:
        term = self._infix()
        if self._is(":=", "="):
            op = self._token.text
            self._index += 1
            return Expr(term, at, op, self._infix())
        return Expr(term, at)

    def _with(self) -> With:
        at = self._at()
        self._index += 1
        if self._token.kind != "ident":
            self._illegal("expected ident")
        target = self._term()
        if not isinstance(target, Ref | Var):
            self._illegal("expected with target path")
        self._expect("as", "expected as keyword")
        return With(target, self._infix(), at)

    def _some(self, at: Place) -> Expr:
        start = self._index
        self._index += 1
        try:
            term = self._infix()
        except Mistaken:
            term = None
        if isinstance(term, Call):
            if term.name not in ("internal.member_2", "internal.member_3"):
                self._illegal("expected `x in xs` or `x, y in xs` expression")
            *names, domain = term.args
            return Expr(SomeIn(names[0] if len(names) == 2 else None, names[-1], domain), at)
        self._index = start + 1
        declared: list[Var] = []
        while True:
            if self._token.kind != "ident":
                self._illegal("expected var")
            declared.append(self._var())
            if not self._take(","):
                return Expr(Some(declared), at)

    def _every(self, at: Place) -> Expr:
        self._index += 1
        term = self._infix()
        if not isinstance(term, Call) or term.name not in ("internal.member_2", "internal.member_3"):
            self._illegal("expected `x[, y] in xs { ... }` expression")
        *names, domain = term.args
        key = names[0] if len(names) == 2 else None
        if key is not None and not isinstance(key, Var):
            self._illegal("expected key to be a variable")
        value = names[-1]
        if not isinstance(value, Var):
            self._illegal("expected value to be a variable")
        if not self._take("{"):
            self._illegal("missing body")
        body = self._body("}")
        self._index += 1
        return Expr(Every(key, value, domain, body), at)

    # ------------------------------------------------------------ terms

    def _infix(self, keyed: bool = True) -> Term:
        """A term with operators, `in` being the weakest of them."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise wrong("max parsing recursion depth exceeded", self._at())
        try:
            at = self._at()
            left = self._level(0)
            if keyed and self._is(","):
                start = self._index
                self._index += 1
                try:
                    middle = self._level(0)
                except Mistaken:
                    middle = None
                if middle is not None and self._take("in"):
                    left = Call("internal.member_3", [left, middle, self._level(0)], at)
                else:
                    self._index = start
            while self._is("in"):
                self._index += 1
                left = Call("internal.member_2", [left, self._level(0)], at)
            return left
        finally:
            self._depth -= 1

    def _level(self, level: int) -> Term:
        if level == len(_LEVELS):
            return self._term()
        at = self._at()
        left = self._level(level + 1)
        while self._is(*_LEVELS[level]):
            operator = OPERATORS[self._token.text]
            self._index += 1
            left = Call(operator, [left, self._level(level + 1)], at)
        return left

    def _term(self) -> Term:
        token = self._token
        at = self._at()
        if self._is("-"):
            return self._negative(at)
        term = self._simple(token, at)
        return self._ref(term, token)

    def _simple(self, token: Token, at: Place) -> Term:
        if token.kind == "ident" or (token.kind == "keyword" and (token.text == "contains" or self._is_keyword_ref())):
            return self._var()
        if token.kind == "keyword" and token.text in _CONSTANTS:
            self._index += 1
            return Scalar(_CONSTANTS[token.text], at)
        if token.kind == "number" or self._is("."):
            return self._number("", at)
        if token.kind == "string":
            self._index += 1
            return Scalar(text_of(token, at), at)
        if token.kind == "template":
            self._index += 1
            return self._template(token, at)
        opened: dict[str, Callable[[Place], Term]] = {"[": self._array, "{": self._braces, "(": self._parentheses}
        if token.kind != "sign" or token.text not in opened:
            self._illegal()
        self._index += 1
        return opened[token.text](at)

    def _negative(self, at: Place) -> Term:
        self._index += 1
        if self._token.kind == "ident" or self._is_keyword_ref():
            token = self._token
            return Call("minus", [Scalar(0, at), self._ref(self._var(), token)], at)
        if self._token.kind != "number" and not self._is("."):
            self._illegal("expected number")
        return self._number("-", at)

    def _number(self, prefix: str, at: Place) -> Term:
        if self._take("."):
            prefix += "0."
            if self._token.kind != "number":
                self._illegal("expected number")
        text = self._token.text
        if not prefix.endswith(".") and len(text) > 1 and text[0] == "0" and text[1] not in ".eE":
            self._illegal("expected number without leading zero")
        self._index += 1
        text = prefix + text
        return Scalar(int(text) if text.lstrip("-").isdigit() else float(text), at)

    def _var(self) -> Var:
        token = self._token
        self._index += 1
        if token.text == "_":
            self._wildcards += 1
            return Var(f"${self._wildcards}", self._at(token))
        return Var(token.text, self._at(token))

    def _parentheses(self, at: Place) -> Term:
        del at
        term = self._infix()
        if not self._take(")"):
            raise wrong("non-terminated expression", self._at())
        return term

    def _ref(self, head: Term, first: Token) -> Term:
        """What follows a term without a space: `.name`, `[term]`, `(args)`."""
        at = self._at(first)
        parts: list[Term] = []
        term = head
        while not self._token.space and self._is(".", "[", "("):
            if isinstance(head, Scalar):
                raise wrong(f"illegal ref (head cannot be {kind_of(head)})", head.at)
            if self._take("("):
                name = words(Ref(head, parts, at))
                plain = isinstance(head, Var) and all(isinstance(p, Scalar) and isinstance(p.value, str) for p in parts)
                args = self._list(")")
                if name == "set" and not args:
                    return SetOf([], at)
                if not plain:
                    raise wrong(f"undefined function {name}", at)
                head, parts = self._call(head, parts, args, at), []
                term = head
                continue
            if self._take("."):
                token = self._token
                parts.append(Scalar(self._name(), self._at(token)))
            else:
                self._index += 1
                parts.append(self._infix())
                self._expect("]", "expected [")
            term = Ref(head, parts, at)
        if isinstance(term, Var) and term.name in ("input", "data"):
            return Ref(term, [], at)
        return term

    def _call(self, head: Term, parts: list[Term], args: list[Term], at: Place) -> Call:
        names = [head.name if isinstance(head, Var) else ""]
        names += [str(p.value) for p in parts if isinstance(p, Scalar)]
        return Call(".".join(names), args, at, spelled=ref_words(tuple(names)))

    def _list(self, end: str) -> list[Term]:
        terms: list[Term] = []
        while not self._is(end):
            terms.append(self._infix(keyed=False))
            if not self._is(end) and not self._take(","):
                self._illegal(f'expected "," or "{end}"')
        self._index += 1
        return terms

    def _array(self, at: Place) -> Term:
        if self._take("]"):
            return Array([], at)
        found = self._comprehension("array", "]", at)
        return found if found is not None else Array(self._list("]"), at)

    def _comprehension(self, kind: str, end: str, at: Place) -> Term | None:
        """`term | body`, or `term: term | body` in braces, if that is what comes; else nothing is taken."""
        start, wildcards = self._index, self._wildcards
        try:
            key, value = None, self._term()
            if kind == "set" and self._take(":"):
                key, value = value, self._term()
        except Mistaken:
            self._index, self._wildcards = start, wildcards
            return None
        if not self._take("|"):
            self._index, self._wildcards = start, wildcards
            return None
        body = self._body(end)
        self._index += 1
        return Comprehension(kind if key is None else "object", key, value, body, at)

    def _braces(self, at: Place) -> Term:
        if self._take("}"):
            return ObjectOf([], at)
        found = self._comprehension("set", "}", at)
        if found is not None:
            return found
        first = self._infix(keyed=False)
        if self._is(":"):
            return self._object(first, at)
        if self._take("}"):
            return SetOf([first], at)
        if not self._take(","):
            self._illegal("non-terminated set")
        return SetOf([first, *self._list("}")], at)

    def _object(self, first: Term, at: Place) -> Term:
        pairs: list[tuple[Term, Term]] = []
        key = first
        while True:
            self._expect(":", 'expected ":"')
            value = self._infix(keyed=False)
            if not pairs and self._is("|"):
                self._illegal("non-terminated object")
            pairs.append((key, value))
            if self._take("}"):
                return ObjectOf(pairs, at)
            if not self._take(","):
                self._illegal("non-terminated object" if len(pairs) == 1 else 'expected "," or "}"')
            if self._take("}"):
                return ObjectOf(pairs, at)
            key = self._infix(keyed=False)

    def _template(self, token: Token, at: Place) -> Template:
        """The texts as they are, and what stands in braces parsed on its own."""
        raw, inner = token.text[1] == "`", token.text[2:-1]
        parts: list[str | Term] = []
        text, position = "", 0
        while position < len(inner):
            char = inner[position]
            if char == "\\" and (not raw or inner[position + 1 : position + 2] in ("{", "}")):
                text += inner[position + 1] if inner[position + 1] in "{}" else inner[position : position + 2]
                position += 2
            elif char == "{":
                end = _closing(inner, position)
                parts += [_plain(text, raw, at), self._embedded(inner[position + 1 : end], at)]
                text, position = "", end + 1
            else:
                text += char
                position += 1
        return Template([*parts, _plain(text, raw, at)], at)

    def _embedded(self, source: str, at: Place) -> Term:
        """The expression in the braces; with a `with` it is as a comprehension of its one value."""
        inner = Terms(source, self._file)
        inner._wildcards = self._wildcards + 1000
        if inner._token.kind == "eof":
            raise wrong("invalid template-string expression", at)
        expr = inner._expression(at)
        while inner._is("with"):
            expr.withs.append(inner._with())
        if inner._token.kind != "eof":
            raise wrong("expected } to end template string expression", at)
        if expr.op or isinstance(expr.what, Some | SomeIn | Every):
            raise wrong(
                f"unexpected {'assignment' if expr.op == ':=' else 'unification'} ('{expr.op}') in template-string expression",
                at,
            )
        if not expr.withs:
            return expr.what
        kept = Var(f"$t{at.row}_{at.col}_{len(source)}", at)
        body = [Expr(kept, at, "=", expr.what, withs=expr.withs)]
        return Ref(Comprehension("array", None, kept, body, at), [Scalar(0, at)], at)


def _closing(text: str, position: int) -> int:
    depth = 0
    for index in range(position, len(text)):
        depth += {"{": 1, "}": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return len(text)


def _plain(text: str, raw: bool, at: Place) -> str:
    return text if raw else text_of(Token("string", f'"{text}"', at.row, at.col, 0, 0, False, False), at)


def kind_of(term: Term) -> str:
    if isinstance(term, Scalar):
        return "null" if term.value is None else {bool: "boolean", str: "string"}.get(type(term.value), "number")
    return type(term).__name__.lower()
