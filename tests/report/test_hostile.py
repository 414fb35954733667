"""Text that somebody else wrote, in every place of every event: it is shown, and it does nothing."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from console.domain import events as e
from console.report.blocks import Bullets, Code, Facts, Listing, Paragraph, Report, Section, Small, Strong, Table, Word
from console.report.html import to_html
from console.report.markdown import escaped, to_markdown
from console.report.model import Record, record
from console.report.times import Times
from console.report.writing import FORMATS, written
from console.targets.text import clean_line
from tests.contract.test_text import hostile
from tests.report import evening
from tests.report.reading import markdown, page

MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    "</title></head><body>",
    "]]><!-- --><svg onload=alert(1)>",
    '" onmouseover="alert(1)',
    "&lt;b&gt; &amp; &#60;",
    "[@click=app.quit]quit[/]",
    "[a link](javascript:alert(1))",
    "![an image](http://evil.example/x.png)",
    "[x]: http://evil.example",
    "<http://evil.example>",
    "http://evil.example and www.evil.example",
    "a | b || c \\| d",
    "`code` ``more`` ```",
    "```\nend of the block\n```",
    "~~~\nanother\n~~~",
    "**bold** _it_ ~~gone~~ $x$",
    "# heading",
    "- item",
    "1. item",
    "1) item",
    "> quote",
    "    code by its blanks",
    "---",
    "===",
    "| a | b |\n|---|---|",
    "\\",
    "ends with \\",
    "*",
    "\x1b[2J\x1b]52;c;ZXZpbA==\x07",
    "\u202eright to left\u2066",
    "שלום עולם مرحبا",
)
DRAWN = {"svg", "title", "rect", "line", "text", "circle", "polyline"}
PLAIN = {"html", "head", "meta", "style", "body", "main", "header", "nav", "section", "h1", "h2", "h3", "p", "a", "ul", "li",
         "dl", "dt", "dd", "div", "table", "thead", "tbody", "tr", "th", "td", "figure", "figcaption", "pre", "span", "bdi",
         "strong", "small", "code"}  # fmt: skip
OWN_TOKENS = {
    "html_inline",
    "html_block",
    "link_open",
    "image",
    "code_block",
    "blockquote_open",
    "hr",
    "ordered_list_open",
}


def poisoned(text: str) -> Record:
    """The whole evening, with the text in place of every text that is not a name which other events refer to."""
    history = [
        dataclasses.replace(r, event=_poisoned(r.event, text), actor=f"kim {text}") for r in evening.resolved().history
    ]
    return record(evening.chained(history))


REFERRED = {"type", "id", "component", "step", "check", "notice", "trigger", "followup", "op", "run", "incident_id", "mode",
            "verdict", "outcome", "occasion", "direction", "impact", "counts_as", "section", "judged", "after", "suggests",
            "components", "audience", "kind"}  # fmt: skip


def _poisoned(value: Any, text: str) -> Any:
    if isinstance(value, str):
        return f"{value} {text}"
    if isinstance(value, tuple):
        return tuple(_poisoned(one, text) for one in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type | datetime):
        return value
    changed = {
        f.name: _poisoned(getattr(value, f.name), text)
        for f in dataclasses.fields(value)
        if f.name not in REFERRED or (f.name == "components" and not isinstance(value, e.AdviceGiven))
    }
    return dataclasses.replace(value, **changed)


@pytest.fixture(scope="module")
def clean_elements() -> list[str]:
    return [
        tag for tag, _ in page(written(record(evening.chained(evening.resolved().history)), "html", Times())).elements
    ]


@pytest.mark.parametrize("text", MARKUP)
def test_the_page_has_the_elements_of_a_report_and_no_other(text: str, clean_elements: list[str]) -> None:
    found = page(written(poisoned(text), "html", Times()))
    assert {tag for tag, _ in found.elements} == set(clean_elements) <= PLAIN | DRAWN
    assert not [a for _, attributes in found.elements for a in attributes if a.startswith("on")]
    assert all((a["href"] or "").startswith("#") for a in found.named("a"))
    assert [a["content"] for a in found.named("meta") if a.get("http-equiv")] == [
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    ]


@pytest.mark.parametrize("text", MARKUP)
def test_the_page_shows_the_text_itself(text: str) -> None:
    assert " ".join(clean_line(text).split()) in " ".join(page(written(poisoned(text), "html", Times())).text.split())


@pytest.mark.parametrize("text", MARKUP)
def test_markdown_makes_nothing_of_it(text: str) -> None:
    found = markdown(written(poisoned(text), "md", Times()))
    kinds = {token.type for token in found}
    assert not kinds & (OWN_TOKENS - {"blockquote_open"})
    assert sum(token.type == "blockquote_open" for token in found) == 1, "the banner"
    headings = [token for token in found if token.type == "heading_open"]
    clean = markdown(written(poisoned("plain"), "md", Times()))
    assert len(headings) == sum(token.type == "heading_open" for token in clean)
    assert sum(t.type == "td_open" for t in found) == sum(t.type == "td_open" for t in clean)
    assert sum(t.type == "fence" for t in found) == sum(t.type == "fence" for t in clean)


@pytest.mark.parametrize("text", MARKUP)
def test_nothing_that_a_terminal_obeys_is_in_any_of_them(text: str) -> None:
    for format_ in FORMATS:
        found = written(poisoned(text), format_, Times())
        assert not [c for c in found if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2066"]


def test_a_text_without_an_end_is_cut_and_the_report_stays_readable() -> None:
    flood = poisoned("x" * 100_000)
    for format_ in FORMATS:
        found = written(flood, format_, Times())
        assert "x…" in found
        assert len(found) < (10_000_000 if format_ == "json" else 3_000_000), "of a journal of 60 MB"
    assert json.loads(written(flood, "json", Times()))["incident"]["id"] == "INC-0001"


@given(hostile)
@settings(deadline=None, max_examples=300)
@example("1.")
@example("-")
@example("+ a")
@example("a_b_c")
@example("&copy;")
@example("~~")
@example("<a@b.example>")
@example(":---")
def test_any_line_of_markdown_shows_exactly_its_text(text: str) -> None:
    shown = clean_line(text, 1000)
    if not shown:
        return
    tokens = markdown(f"{escaped(text)}\n")
    assert [t.type for t in tokens if t.nesting != 0] == ["paragraph_open", "paragraph_close"]
    assert {t.type for t in tokens if t.nesting == 0} <= {"inline", "text", "text_special"}
    assert "".join(t.content for t in tokens if t.type in ("text", "text_special")) == shown


pieces = st.one_of(
    hostile,
    st.builds(Word, hostile, st.sampled_from(["plain", "good", "attention", "alarm"])),
    st.builds(Code, hostile),
    st.builds(Strong, hostile),
    st.builds(Small, hostile),
)
lines = st.one_of(pieces, st.lists(pieces, min_size=1, max_size=3).map(tuple))
blocks = st.one_of(
    st.builds(Paragraph, lines),
    st.lists(lines, min_size=1, max_size=3).map(lambda found: Bullets(tuple(found))),
    st.lists(st.tuples(hostile, lines), min_size=1, max_size=3).map(lambda found: Facts(tuple(found))),
    st.lists(st.tuples(lines, lines), max_size=3).map(lambda found: Table(("one", "two"), tuple(found))),
    st.lists(hostile, max_size=4).map(lambda found: Listing(tuple(found), "text")),
)


@given(hostile, st.lists(blocks, max_size=4))
@settings(deadline=None, max_examples=200)
def test_any_blocks_make_a_page_that_is_well_formed(title: str, found: list[Any]) -> None:
    report = Report(title, Word("LIVE", "alarm"), (), (Section("one", title, tuple(found)),))
    html = to_html(report, Times())
    assert {tag for tag, _ in page(html).elements} <= PLAIN | {"title"}
    body = html[html.index("<body>") : html.index("</html>")].replace("\xa0", " ")
    ElementTree.fromstring(body)  # noqa: S314 - a page of our own; without void elements its body is XML too


@given(st.lists(blocks, max_size=4))
@settings(deadline=None, max_examples=200)
def test_any_blocks_make_markdown_of_those_blocks(found: list[Any]) -> None:
    tokens = markdown(to_markdown(Report("t", Word("LIVE"), (), (Section("one", "s", tuple(found)),))))
    assert not {t.type for t in tokens} & (OWN_TOKENS - {"blockquote_open"})
    assert sum(t.type == "heading_open" for t in tokens) == 2
    assert sum(t.type == "fence" for t in tokens) == sum(isinstance(b, Listing) for b in found)
    assert sum(t.type == "table_open" for t in tokens) == sum(isinstance(b, Table) for b in found)
    rows = sum(len(b.rows) for b in found if isinstance(b, Table))
    assert sum(t.type == "td_open" for t in tokens) == 2 * rows
