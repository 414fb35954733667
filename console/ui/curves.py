"""A trigger's recent values as a small curve with its threshold on it: in two rows where there is room, in one where there isn't.

The threshold is a place, not only a colour: the border between the two rows, drawn as a line, or the middle of the one row. So
it can be read in monochrome, in ASCII and by people who don't see red. The panel and the details draw it; `screens/plot.py` has
the large one.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from textual.content import Content

from console.ui.literal import literal
from console.ui.wording import Wording, amount, rough

if TYPE_CHECKING:
    from console.engine.view import TriggerView


class Glyphs(NamedTuple):
    """`under` and `over` grow with the value. `over` begins higher than a line, so that the two can't be confused."""

    under: str
    over: str
    line: str
    low: str  # one row, under the threshold
    high: str  # one row, over it


_BLOCKS = Glyphs("▁▂▃▄▅▆▇█", "▂▃▄▅▆▇█", "▁", "▁▂▃", "▅▆▇█")
_PLAIN = Glyphs(".:-=+*%#", "-=+*%#", "_", ".:-", "+*#")


def two_rows(trigger: TriggerView, width: int, wording: Wording) -> tuple[Content, ...]:
    """Above the line what is over the threshold, below it what is under; nothing without values. `width` is that of the curve."""
    values = _thinned(trigger, width)
    if not values:
        return ()
    glyphs = _glyphs(wording)
    reach = max(*(abs(v - trigger.threshold) for v in values), abs(trigger.threshold) * 0.1) or 1.0
    upper, lower = [], []
    for value in values:
        away = (value - trigger.threshold) / reach
        style = "$alarm" if _crosses(trigger, value) else "$running"
        upper.append((_step(glyphs.over, away), style) if away > 0 else (glyphs.line, "$dim"))
        lower.append((_step(glyphs.under, 1 + min(away, 0.0)), style))
    covered = rough(trigger.curve_seconds + 30) if trigger.curve_seconds else ""
    return (
        literal(*upper, (f" {amount(trigger.threshold, trigger.unit)}", "$dim")),
        literal(*lower, (f" {covered}", "$dim")),
    )


def one_row(trigger: TriggerView, width: int, wording: Wording) -> Content:
    """Low glyphs are under the threshold, high ones over it, and nothing is between them."""
    values = _thinned(trigger, width)
    if not values:
        return Content("")
    glyphs = _glyphs(wording)
    reach = max(abs(v - trigger.threshold) for v in values) or 1.0
    row = []
    for value in values:
        away = (value - trigger.threshold) / reach
        glyph = _step(glyphs.high, away) if away > 0 else _step(glyphs.low, 1 + away)
        row.append((glyph, "$alarm" if _crosses(trigger, value) else "$running"))
    return literal(*row)


def _glyphs(wording: Wording) -> Glyphs:
    return _PLAIN if wording.ascii_only else _BLOCKS


def _thinned(trigger: TriggerView, width: int) -> list[float]:
    """The whole curve on at most `width` places: each shows the worst of its stretch, so that no peak is lost."""
    values = [v for v in trigger.curve if math.isfinite(v)]
    if width < 1 or len(values) <= width:
        return values if width > 0 else []
    worst = max if trigger.above else min
    edges = [round(place * len(values) / width) for place in range(width + 1)]
    return [worst(values[start:end]) for start, end in pairwise(edges)]


def _crosses(trigger: TriggerView, value: float) -> bool:
    return value > trigger.threshold if trigger.above else value < trigger.threshold


def _step(glyphs: str, share: float) -> str:
    """The glyph for a share of the whole, from 0 to 1."""
    return glyphs[max(0, min(len(glyphs) - 1, round(share * (len(glyphs) - 1))))]
