"""The only way of text onto the screen: literal, cleaned, never markup. Every widget and modal builds its content here.

Targets clean outside text where it enters. This is the second fence: `literal` drops what a terminal would obey, and
`Guard` looks at every cell again on its way out, so that a forgotten place is not a hole.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.content import Content, Span
from textual.filter import LineFilter

# C0, DEL, C1; Arabic letter mark, left-to-right and right-to-left marks, embeddings, overrides, isolates; line separators.
_OBEYED = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_BREAKS = re.compile("[\t\n\r\x0b\x0c\x85\u2028\u2029]+")

Part = str | tuple[str, str] | Content


def clean(text: str) -> str:
    """One line of text without anything that a terminal obeys."""
    return _OBEYED.sub("", _BREAKS.sub(" ", text))


def literal(*parts: Part) -> Content:
    """Joins texts, (text, style) pairs and contents. A style may name the theme's colours: "bold $alarm"."""
    text: list[str] = []
    spans: list[Span] = []
    at = 0
    for part in parts:
        if isinstance(part, Content):
            spans.extend(Span(s.start + at, s.end + at, s.style) for s in part.spans)
            words = part.plain
        else:
            words, style = (part, "") if isinstance(part, str) else part
            words = clean(words)
            if style and words:
                spans.append(Span(at, at + len(words), style))
        text.append(words)
        at += len(words)
    return Content("".join(text), spans or None)


def lines(text: str) -> list[str]:
    """The lines of a longer text, each cleaned."""
    return [clean(line) for line in text.splitlines()]


def fit(content: Content, width: int) -> Content:
    """Exactly `width` cells: cut with an ellipsis or padded. (`Guard` turns the ellipsis into a full stop for ASCII.)"""
    width = max(width, 0)
    if content.cell_length > width:
        return content.truncate(width, ellipsis=True)
    return literal(content, " " * (width - content.cell_length))


def fit_text(text: str, most: int) -> str:
    """At most `most` cells of a text, cut with an ellipsis."""
    content = literal(text)
    return content.truncate(most, ellipsis=True).plain if content.cell_length > most else content.plain


def hung(lead: Content, body: Content, width: int) -> list[Content]:
    """`body` wrapped behind `lead`, its later lines indented as far: a hanging indent."""
    indent = lead.cell_length
    parts = body.wrap(max(width - indent, 10)) or [body]
    return [literal(lead if place == 0 else " " * indent, part.rstrip()) for place, part in enumerate(parts)]


def spread(left: Content, right: Content, width: int) -> Content:
    """`left` and `right` at the two ends of a line; `left` is cut where they would meet."""
    if not right:
        return fit(left, width)
    room = width - right.cell_length - 1
    return literal(fit(left, room), " ", right) if room > 0 else fit(right, width)


def wrapped(text: str, width: int, most: int) -> list[str]:
    """`text` on at most `most` lines of `width` cells, by words; the last one is cut with an ellipsis."""
    if width < 2 or not text:
        return []
    found = [line.plain.rstrip() for paragraph in lines(text) for line in literal(paragraph).wrap(width)]
    if len(found) > most:
        found[most - 1 :] = [fit(literal(f"{found[most - 1]} {found[most]}"), width).plain.rstrip()]
    return found


@lru_cache(4096)
def _to_ascii(text: str) -> str:
    return "".join(c if c.isascii() else _PLAIN.get(c, "?") * cell_len(c) for c in text)


_PLAIN = {**dict.fromkeys("▁▂▃▄▅▆▇▉▊▋▌▍▎▏", " "), "…": ".", "−": "-", "–": "-", "·": "-", "→": ">"}
_PLAIN |= {**dict.fromkeys("─┄┈", "-"), **dict.fromkeys("│┆┊", "|"), **dict.fromkeys("┌┐└┘├┤┬┴┼", "+")}


class Guard(LineFilter):
    """Drops control characters from every segment that is painted; with `ascii_only` everything beyond ASCII as well."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002 - Textual's signature
        return [self._checked(segment) for segment in segments]

    def _checked(self, segment: Segment) -> Segment:
        text = segment.text
        if segment.control or (text.isascii() and text.isprintable()):
            return segment
        text = _OBEYED.sub("", text)
        return Segment(_to_ascii(text) if self._ascii_only else text, segment.style)
