"""The report as one HTML file: styles and drawings inside, no script, nothing from elsewhere, fit for dark, light and paper.

The page is built as a tree and written by the standard library, so that every text is escaped by construction: there is no place
where a string becomes markup. A content security policy in the page forbids scripts and requests all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from console.report.blocks import (
    LONGEST_LINE,
    LONGEST_LISTING,
    SIGNS,
    Blank,
    Block,
    Bullets,
    Code,
    Facts,
    Line,
    Listing,
    Paragraph,
    Piece,
    Plots,
    Report,
    Section,
    Small,
    Strong,
    Subheading,
    Table,
    Word,
    pieces,
)
from console.report.plots import plot
from console.report.times import Times
from console.targets.text import clean, clean_line

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def to_html(report: Report, times: Times) -> str:
    page = Element("html", {"lang": "en"})
    _head(page, report)
    body = SubElement(page, "body")
    main = SubElement(body, "main")
    header = SubElement(main, "header")
    SubElement(header, "p", {"class": f"banner {report.banner.level}"}).text = _text(report.banner.text)
    SubElement(header, "h1").text = _text(report.title)
    for block in report.head:
        _block(header, block, times)
    _contents(main, report.sections)
    for section in report.sections:
        _section(main, section, times)
    return f"<!doctype html>\n{tostring(page, encoding='unicode', method='html')}\n"


def _head(page: Element, report: Report) -> None:
    head = SubElement(page, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    SubElement(head, "meta", {"name": "robots", "content": "noindex"})
    SubElement(head, "title").text = _text(report.title)
    SubElement(head, "style").text = _styles()


@cache
def _styles() -> str:
    return files("console.report").joinpath("report.css").read_text(encoding="utf-8")


def _contents(main: Element, sections: Iterable[Section]) -> None:
    nav = SubElement(main, "nav", {"aria-label": "Contents"})
    for section in sections:
        SubElement(nav, "a", {"href": f"#{section.id}"}).text = _text(section.title)


def _section(main: Element, section: Section, times: Times) -> None:
    element = SubElement(main, "section", {"id": section.id})
    SubElement(element, "h2").text = _text(section.title)
    for block in section.blocks:
        _block(element, block, times)


def _block(parent: Element, block: Block, times: Times) -> None:
    match block:
        case Paragraph(line, level):
            sign = f"{SIGNS[level]} " if SIGNS[level] else ""
            _line(SubElement(parent, "p", {"class": level}), (sign, *pieces(line)))
        case Subheading(line):
            _line(SubElement(parent, "h3"), line)
        case Facts(rows):
            facts = SubElement(parent, "dl")
            for term, line in rows:
                SubElement(facts, "dt").text = _text(term)
                _line(SubElement(facts, "dd"), line)
        case Bullets(lines):
            bullets = SubElement(parent, "ul")
            for line in lines:
                _line(SubElement(bullets, "li"), line)
        case Table():
            _table(parent, block)
        case Listing():
            _listing(parent, block)
        case Plots(found):
            plots = SubElement(parent, "div", {"class": "plots"})
            for curve in found:
                figure = SubElement(plots, "figure")
                SubElement(figure, "figcaption").text = _text(curve.title)
                figure.append(plot(curve, times))


def _table(parent: Element, table: Table) -> None:
    scroll = SubElement(parent, "div", {"class": "table"})
    element = SubElement(scroll, "table")
    head = SubElement(SubElement(element, "thead"), "tr")
    for column in table.columns:
        SubElement(head, "th", {"scope": "col"}).text = _text(column)
    body = SubElement(element, "tbody")
    for row in table.rows:
        line = SubElement(body, "tr")
        for index, cell in enumerate(row):
            _line(SubElement(line, "td", {"class": "narrow"} if index in table.narrow else {}), cell)


def _listing(parent: Element, listing: Listing) -> None:
    if listing.title:
        SubElement(parent, "p", {"class": "listing-title"}).text = _text(listing.title)
    body = clean("\n".join(listing.lines), LONGEST_LISTING).split("\n")
    block = SubElement(parent, "pre", {"class": listing.language})
    for text in body:
        kind = {"+": "added", "-": "removed"}.get(text[:1], "") if listing.language == "diff" else ""
        SubElement(block, "span", {"class": kind} if kind else {}).text = f"{text}\n"


# ---------------------------------------------------------------- text


def _line(parent: Element, line: Line) -> None:
    for piece in pieces(line):
        _piece(parent, piece)


def _piece(parent: Element, piece: Piece) -> None:
    """Each text in an element of its own that keeps its direction to itself: a right-to-left name turns nothing around."""
    match piece:
        case str():
            _string(parent, piece)
        case Word(text, level):
            word = SubElement(parent, "strong", {"class": f"word {level}"})
            word.text = " ".join(part for part in (SIGNS[level], _text(text)) if part)
        case Strong(text):
            SubElement(parent, "strong").text = _text(text)
        case Code(text):
            SubElement(parent, "code").text = _text(text)
        case Small(text):
            if text.strip():
                SubElement(parent, "small").text = _text(text)
        case Blank():
            SubElement(parent, "span", {"class": "blank"}).text = "\u00a0"


def _string(parent: Element, text: str) -> None:
    """With the blanks at its ends: it may stand between two pieces."""
    found = _text(text)
    if not found:
        _append(parent, " " if text else "")
        return
    _append(parent, " " if text[:1].isspace() else "")
    SubElement(parent, "bdi").text = found
    _append(parent, " " if text[-1:].isspace() else "")


def _append(parent: Element, text: str) -> None:
    last = next(reversed(list(parent)), None)
    if last is None:
        parent.text = (parent.text or "") + text
    else:
        last.tail = (last.tail or "") + text


def _text(text: str) -> str:
    return clean_line(text, LONGEST_LINE)
