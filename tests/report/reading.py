"""Reports read back as their readers' programs do: Markdown by a CommonMark parser with tables, HTML by the standard one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markdown_it.token import Token

VOID = {"meta", "link", "img", "br", "hr", "input", "base"}


def markdown(text: str) -> list[Token]:
    """Every token, those within a line included. Raw HTML is let through: a report that holds any would show it."""
    parser = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return [inner for token in parser.parse(text) for inner in (token, *(token.children or ()))]


def markdown_text(text: str) -> str:
    """What a reader sees of it, line by line."""
    lines: list[str] = []
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text):
        if token.type == "fence":
            lines += token.content.splitlines()
        elif token.type == "inline":
            lines.append("".join(child.content for child in token.children or ()))
    return "\n".join(lines)


def cells(text: str) -> list[list[str]]:
    """The rows of all tables."""
    rows: list[list[str]] = []
    within = False
    for token in MarkdownIt("commonmark", {"html": True}).enable("table").parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open", "td_close", "th_close"):
            within = token.nesting == 1
        elif token.type == "inline" and within:
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


@dataclass
class Page(HTMLParser):
    """Elements with their attributes, and the text outside of the styles."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)
    styles: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def __hash__(self) -> int:
        return id(self)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.unclosed.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.unclosed.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if self.unclosed and self.unclosed[-1] == "style":
            self.styles += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attributes for name, attributes in self.elements if name == tag)


def page(html: str) -> Page:
    found = Page()
    found.feed(html)
    found.close()
    assert not found.unclosed, f"left open: {found.unclosed}"
    return found
