"""A trigger's curve as an SVG drawing, without a script and without anything from elsewhere. `html.py` puts it into the page.

The colours are classes of `report.css`, so that they follow dark, light and print. Nothing is told by colour alone: the
threshold is dashed and labelled, the band under the curve tells the verdict by its height.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from console.domain.events import Verdict
from console.domain.triggers import amount
from console.report.curves import Curve, Mark, Point
from console.report.times import Times
from console.targets.text import clean_line

_WIDTH, _HEIGHT = 560.0, 208.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 58.0, 10.0, 20.0, 44.0
_BAND_HEIGHT = 8.0
_LETTER_WIDTH = 14.0
_Y_TICKS = 4
_X_TICKS = 6
_X_STEPS: Final = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10_800,
    21_600,
    43_200,
    86_400,
)  # seconds
_BAND: Final[dict[Verdict, float]] = {"firing": 1.0, "pending": 0.5, "ok": 0.14, "no_data": 0.14, "stale": 0.14}


def plot(curve: Curve, times: Times) -> Element:
    return _Drawing(curve, times).drawn()


class _Drawing:
    def __init__(self, curve: Curve, times: Times) -> None:
        self._curve = curve
        self._times = times
        self._seconds = (curve.end - curve.start).total_seconds()
        values = [value for _, value in curve.points]
        self._ticks = y_ticks(min(0.0, *values, curve.threshold), max(0.0, *values, curve.threshold))

    def drawn(self) -> Element:
        curve = self._curve
        svg = Element("svg", {"viewBox": f"0 0 {_WIDTH:g} {_HEIGHT:g}", "role": "img", "class": "plot"})
        SubElement(svg, "title").text = self._told()
        self._axes(svg)
        self._threshold(svg)
        self._marks(svg)
        for piece in curve.pieces:
            self._piece(svg, piece)
        self._band(svg)
        return svg

    def _told(self) -> str:
        """For whoever can't see it."""
        points = self._curve.points
        first, last = (amount(points[i][1], self._curve.unit) for i in (0, -1))
        sign = "above" if self._curve.above else "below"
        limit = amount(self._curve.threshold, self._curve.unit)
        return clean_line(f"{self._curve.title}: from {first} to {last}; fires {sign} {limit}", 500)

    # ------------------------------------------------------------ where things are

    def _x(self, at: datetime) -> float:
        share = (at - self._curve.start).total_seconds() / self._seconds
        return _LEFT + min(1.0, max(0.0, share)) * (_WIDTH - _LEFT - _RIGHT)

    def _y(self, value: float) -> float:
        low, high = self._ticks[0], self._ticks[-1]
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    # ------------------------------------------------------------ what is drawn

    def _axes(self, svg: Element) -> None:
        bottom = _HEIGHT - _BOTTOM
        for tick in self._ticks:
            y = self._y(tick)
            _line(svg, "grid", _LEFT, y, _WIDTH - _RIGHT, y)
            _text(svg, "tick", _LEFT - 6, y + 3.5, amount(tick, ""), "end")
        if self._curve.unit:
            _text(svg, "tick unit", _LEFT - 6, _TOP - 9, clean_line(self._curve.unit, 20), "end")
        for at, label in x_ticks(self._curve.start, self._curve.end, self._times):
            x = self._x(at)
            _line(svg, "axis", x, bottom, x, bottom + 4)
            _text(svg, "tick", x, _HEIGHT - 8, label, "middle")
        _line(svg, "axis", _LEFT, bottom, _WIDTH - _RIGHT, bottom)

    def _threshold(self, svg: Element) -> None:
        curve = self._curve
        y = self._y(curve.threshold)
        edge = _TOP if curve.above else _HEIGHT - _BOTTOM
        box = {"x": _n(_LEFT), "y": _n(min(y, edge)), "width": _n(_WIDTH - _LEFT - _RIGHT), "height": _n(abs(y - edge))}
        SubElement(svg, "rect", {"class": "crossed", **box})
        _line(svg, "threshold", _LEFT, y, _WIDTH - _RIGHT, y)
        sign = ">" if curve.above else "<"
        words = clean_line(f"fires {sign} {amount(curve.threshold, curve.unit)}", 60)
        above = y - 4 if y - 4 > _TOP + 8 else y + 11
        _text(svg, "threshold-label", _LEFT + 4, above, words, "start")

    def _piece(self, svg: Element, piece: Sequence[Point]) -> None:
        places = [(self._x(at), self._y(value)) for at, value in piece]
        if len(places) == 1:
            SubElement(svg, "circle", {"class": "dot", "cx": _n(places[0][0]), "cy": _n(places[0][1]), "r": "2.5"})
            return
        SubElement(svg, "polyline", {"class": "curve", "points": " ".join(f"{_n(x)},{_n(y)}" for x, y in places)})

    def _marks(self, svg: Element) -> None:
        for mark in self._curve.marks:
            x = self._x(mark.at)
            _line(svg, "mark", x, _TOP - 3, x, _HEIGHT - _BOTTOM)
        for x, letters in self._lettered():
            _text(svg, "letter", min(x, _WIDTH - _RIGHT - 4), _TOP - 8, letters, "middle")

    def _lettered(self) -> Iterator[tuple[float, str]]:
        """The marks' letters, those of neighbours too near to each other together: `B–D`."""
        groups: list[list[Mark]] = []
        for mark in self._curve.marks:
            if groups and self._x(mark.at) - self._x(groups[-1][-1].at) < _LETTER_WIDTH:
                groups[-1].append(mark)
            else:
                groups.append([mark])
        for group in groups:
            first, last = group[0], group[-1]
            letters = first.letter if first is last else f"{first.letter}–{last.letter}"
            yield (self._x(first.at) + self._x(last.at)) / 2, letters

    def _band(self, svg: Element) -> None:
        bottom = _HEIGHT - _BOTTOM + 6 + _BAND_HEIGHT
        for stretch in self._curve.stretches:
            start, end = self._x(stretch.start), self._x(stretch.end)
            height = _BAND_HEIGHT * _BAND[stretch.verdict]
            if stretch.verdict in ("no_data", "stale"):
                _line(svg, "band no-data", start, bottom - 1, end, bottom - 1)
                continue
            box = {"x": _n(start), "y": _n(bottom - height), "width": _n(max(end - start, 0.6)), "height": _n(height)}
            shape = SubElement(svg, "rect", {"class": f"band {stretch.verdict}", **box})
            SubElement(shape, "title").text = f"{stretch.verdict} from {self._times.clock(stretch.start)}"


def y_ticks(low: float, high: float) -> list[float]:
    """Round numbers that reach around both: 1, 2 or 5 times a power of ten apart."""
    if high == low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / _Y_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, last + 1)]


def x_ticks(start: datetime, end: datetime, times: Times) -> Iterator[tuple[datetime, str]]:
    """Round times of the reader's own clock; days where the incident lasted so long."""
    seconds = (end - start).total_seconds()
    step = next((s for s in _X_STEPS if seconds / s <= _X_TICKS), math.ceil(seconds / 86_400 / _X_TICKS) * 86_400)
    local = times.local(start)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    since = (local - midnight).total_seconds()
    at = start + timedelta(seconds=math.ceil(since / step) * step - since)
    while at <= end:
        shown = times.local(at)
        yield at, f"{shown:%d %b}" if step >= 86_400 else f"{shown:%H:%M}" if step >= 60 else f"{shown:%H:%M:%S}"
        at += timedelta(seconds=step)


def _line(svg: Element, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
    SubElement(svg, "line", {"class": kind, "x1": _n(x1), "y1": _n(y1), "x2": _n(x2), "y2": _n(y2)})


def _text(svg: Element, kind: str, x: float, y: float, text: str, anchor: str) -> None:
    SubElement(svg, "text", {"class": kind, "x": _n(x), "y": _n(y), "text-anchor": anchor}).text = text


def _n(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".")
