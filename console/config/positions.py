"""Where each key, value and table of a TOML text stands. Used once something is wrong, to point at it.

tomllib decides what the text means and doesn't say where; tree-sitter says where and decides nothing. Should the two ever
disagree on a text, an error points at the table around the place, and nothing else changes. Built by `excerpts.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

import tree_sitter
import tree_sitter_toml

from console.config.document import DEEPEST_NESTING
from console.config.flaws import DocumentPath

_KEY_TYPES = frozenset({"bare_key", "quoted_key", "dotted_key"})


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the text: lines from 1, columns from 1 in characters; the end is the first place behind it."""

    line: int
    column: int
    end_line: int
    end_column: int


START = Span(1, 1, 1, 2)


@dataclass(slots=True)
class Positions:
    keys: dict[DocumentPath, Span] = field(default_factory=dict)
    values: dict[DocumentPath, Span] = field(default_factory=dict)
    headers: dict[DocumentPath, Span] = field(default_factory=dict)

    def key(self, path: DocumentPath) -> Span:
        """The key's name, else whatever is nearest around it."""
        return self.keys.get(path) or self.table(path)

    def value(self, path: DocumentPath) -> Span:
        """The value, else its table's head."""
        return self.values.get(path) or self.table(path)

    def table(self, path: DocumentPath) -> Span:
        """The head of the table: `[…]`, `[[…]]`, or the key of an inline one; else that of the nearest around it."""
        for length in range(len(path), 0, -1):
            head = path[:length]
            span = self.headers.get(head) or self.keys.get(head) or self.values.get(head)
            if span is not None:
                return span
        return START


def index(text: str) -> Positions:
    """Every position in the text. Takes any text, and finds what it can."""
    return _Indexer(text.encode()).index()


class _Indexer:
    def __init__(self, source: bytes) -> None:
        self._source = source
        self._lines = source.split(b"\n")
        self._found = Positions()
        self._entries: dict[DocumentPath, int] = {}  # how many [[…]] there were

    def index(self) -> Positions:
        language = tree_sitter.Language(tree_sitter_toml.language())
        tree = tree_sitter.Parser(language).parse(self._source)
        for node in tree.root_node.children:
            match node.type:
                case "pair":
                    self._pair(node, ())
                case "table":
                    self._table(node, self._header(node, is_entry=False))
                case "table_array_element":
                    self._table(node, self._header(node, is_entry=True))
        return self._found

    def _header(self, node: tree_sitter.Node, *, is_entry: bool) -> DocumentPath:
        """The path that a header means: a list on the way stands for its newest entry."""
        path: DocumentPath = ()
        key = next((child for child in node.children if child.type in _KEY_TYPES), None)
        names = list(self._names(key)) if key is not None else []
        for position, (name, span) in enumerate(names):
            path = (*path, name)
            self._found.keys.setdefault(path, span)
            is_last = position == len(names) - 1
            if is_last and is_entry:
                self._entries[path] = self._entries.get(path, 0) + 1
            if path in self._entries:
                path = (*path, self._entries[path] - 1)
        brackets = [child for child in node.children if child.type in ("[", "]", "[[", "]]")]
        if brackets:
            self._found.headers.setdefault(path, self._between(brackets[0], brackets[-1]))
        if is_entry and path:  # the list itself stands where its first entry does
            self._found.headers.setdefault(path[:-1], self._found.headers.get(path, START))
        return path

    def _table(self, node: tree_sitter.Node, path: DocumentPath) -> None:
        for child in node.children:
            if child.type == "pair":
                self._pair(child, path)

    def _pair(self, node: tree_sitter.Node, table: DocumentPath) -> None:
        parts = [child for child in node.children if child.type not in ("=", "comment")]
        if len(parts) != 2 or parts[0].type not in _KEY_TYPES:
            return
        path = table
        for name, span in self._names(parts[0]):
            path = (*path, name)
            self._found.keys.setdefault(path, span)
        self._value(parts[1], path)

    def _value(self, node: tree_sitter.Node, path: DocumentPath) -> None:
        self._found.values.setdefault(path, self._between(node, node))
        if len(path) > DEEPEST_NESTING + 1:  # deeper ones are refused, and answered for by this one
            return
        if node.type == "inline_table":
            self._table(node, path)
        elif node.type == "array":
            items = [child for child in node.children if child.is_named and child.type != "comment"]
            for position, item in enumerate(items):
                self._value(item, (*path, position))

    def _names(self, node: tree_sitter.Node) -> Iterator[tuple[str, Span]]:
        """The parts of a key; the grammar nests them to the left, as deep as there are dots."""
        parts: list[tree_sitter.Node] = []
        while node.type == "dotted_key":
            children = [child for child in node.children if child.type in _KEY_TYPES]
            if not children:
                break
            parts.extend(reversed(children[1:]))
            node = children[0]
        parts.append(node)
        for part in reversed(parts):
            yield self._name(part), self._between(part, part)

    def _name(self, node: tree_sitter.Node) -> str:
        text = self._source[node.start_byte : node.end_byte].decode(errors="replace")
        if node.type != "quoted_key":
            return text
        try:
            return next(iter(tomllib.loads(f"{text} = 0")))
        except (tomllib.TOMLDecodeError, RecursionError):
            return text

    def _between(self, first: tree_sitter.Node, last: tree_sitter.Node) -> Span:
        start, end = first.start_point, last.end_point
        return Span(start.row + 1, self._column(start), end.row + 1, self._column(end))

    def _column(self, point: tree_sitter.Point) -> int:
        line = self._lines[point.row] if point.row < len(self._lines) else b""
        return len(line[: point.column].decode(errors="replace")) + 1
