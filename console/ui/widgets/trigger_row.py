"""How one trigger reads: in a line, in words, or with its curve. The panel keeps a row for each, and asks it at every look.

A row remembers what it said for what: with hundreds of triggers, nearly all of them say the same as a moment ago.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from textual.content import Content

from console.ui.curves import one_row, two_rows
from console.ui.literal import fit, literal, spread, wrapped
from console.ui.widgets.panel import press
from console.ui.wording import Wording, amount, duration, limit

if TYPE_CHECKING:
    from datetime import datetime

    from console.engine.view import TriggerView

Detail = Literal["line", "words", "curve"]
INDENT = 11
_WIDEST_CURVE = 48
_BESIDE_CURVE = 15
_SMALL_CURVE, _BESIDE_SMALL_CURVE = 16, 26
_SHORTEST_TITLE = 14  # cells that a mark in its line leaves it
_ROOMY = 60  # cells in a line from which a quiet trigger shows its curve as well
_OLD_AFTER_EVALUATIONS = 2.5
_OLD_AFTER_SECONDS = 40.0


class TriggerRow:
    def __init__(self, detail: Detail, width: int, wording: Wording) -> None:
        self.width = width
        self._detail: Detail = detail
        self._wording = wording
        self._said: tuple[object, ...] = ()
        self._lines: tuple[Content, ...] = ()

    def lines(self, trigger: TriggerView, at: datetime, acts: bool) -> tuple[Content, ...]:
        """`acts`: whether one may count from here."""
        held = held_words(trigger, at, self._wording) if self._detail != "line" else ""
        marks = marks_of(trigger)
        t = trigger
        said = (
            t.verdict,
            t.title,
            t.value,
            t.threshold,
            t.unit,
            t.reason,
            t.curve,
            t.judged,
            held,
            marks,
            acts,
            t.crossing,
            t.series,
        )
        if said != self._said:
            self._said = said
            self._lines = tuple(self._words(trigger, held, marks, acts))
        return self._lines

    def _words(self, trigger: TriggerView, held: str, marks: tuple[str, ...], acts: bool) -> Iterator[Content]:
        sign = self._wording.verdict(trigger.verdict)
        lead = fit(literal((f"{sign.icon} {sign.word}", sign.style)), INDENT)
        room = self.width - INDENT
        if self._detail == "line":
            yield literal(lead, self._one_line(trigger, marks, acts, room))
            return
        title = literal((trigger.title, "bold"))
        marked = marked_words(marks, trigger, self._wording)
        beside = title.cell_length + marked.cell_length + 2 <= room
        yield literal(lead, spread(title, marked if beside else Content(""), room))
        for line in self._told(trigger, held, acts, room, Content("") if beside else marked):
            yield literal(" " * INDENT, fit(line, room))

    def _one_line(self, trigger: TriggerView, marks: tuple[str, ...], acts: bool, room: int) -> Content:
        quiet = trigger.verdict == "ok"
        title = literal((trigger.title, "" if quiet else "bold"))
        mark = literal((f"{marks[0]}  ", "$attention")) if marks and not quiet else Content("")
        if trigger.value is None or trigger.judged == "attestation":
            return fit(literal(title, "  ", mark, (trigger.reason, "$dim")), room)
        value, most = reading(trigger), literal((f"  {limit(trigger.threshold, '', trigger.above)}", "$dim"))
        button = self._button(trigger, acts)
        if quiet and room >= _ROOMY and title.cell_length + _SMALL_CURVE < room - _BESIDE_SMALL_CURVE:
            title = spread(title, one_row(trigger, _SMALL_CURVE, self._wording), room - _BESIDE_SMALL_CURVE)
        needed = title.cell_length + value.cell_length + button.cell_length + 1
        if quiet and needed <= room < needed + most.cell_length:
            most = Content("")  # a name that can be told from the others is worth more; the limit is one key away
        told = literal(value, most, button)
        if mark and mark.cell_length + told.cell_length + _SHORTEST_TITLE <= room:
            told = literal(mark, told)
        return spread(title, told, room)

    def _told(self, trigger: TriggerView, held: str, acts: bool, room: int, marked: Content) -> Iterator[Content]:
        """What stands under the title. `marked` is what found no place beside it."""
        if trigger.verdict in ("firing", "pending") and trigger.judged != "attestation":
            style = "$alarm" if trigger.verdict == "firing" else "$attention"
            most = f"  {limit(trigger.threshold, '', trigger.above)}   "
            yield literal(reading(trigger), (most, "$dim"), (held, style), self._button(trigger, acts))
        else:
            for line in wrapped(trigger.reason or "the source gave no value", room, 2):
                yield literal((line, "$alarm" if trigger.verdict == "firing" else "$attention"))
        if marked:
            yield marked
        if self._detail == "curve":
            yield from two_rows(trigger, min(_WIDEST_CURVE, room - _BESIDE_CURVE), self._wording)

    def _button(self, trigger: TriggerView, acts: bool) -> Content:
        if trigger.judged != "counter" or not acts:
            return Content("")
        return literal(" ", literal(("[ +1 ]", "$note")).stylize(press("count")))


def reading(trigger: TriggerView) -> Content:
    """The value in the colour of its verdict."""
    value = amount(trigger.value, trigger.unit)
    style = {"firing": "bold $alarm", "pending": "bold $attention", "ok": ""}.get(trigger.verdict, "$attention")
    return literal((value, style))


def held_words(trigger: TriggerView, at: datetime, wording: Wording) -> str:
    """For how long it fires; how much of its `for`, or how many in a row, a pending one has behind it."""
    if trigger.verdict == "pending" and trigger.consecutive > 1 and trigger.in_a_row < trigger.consecutive:
        bar = wording.bar(trigger.in_a_row, trigger.consecutive, trigger.consecutive if trigger.consecutive < 6 else 5)
        return f"{trigger.in_a_row} of {trigger.consecutive} in a row {bar}"
    if trigger.verdict == "pending" and trigger.for_seconds:
        bar = wording.bar(trigger.held_seconds, trigger.for_seconds, 5)
        return f"{duration(trigger.held_seconds)} of {duration(trigger.for_seconds)} {bar}"
    if trigger.verdict == "firing" and trigger.since is not None:
        return f"for {duration((at - trigger.since).total_seconds())}"
    return ""


def marks_of(trigger: TriggerView) -> tuple[str, ...]:
    """What changes how the verdict is to be read, the weightiest first."""
    marks = []
    if trigger.was_firing and trigger.verdict != "firing":
        marks.append("was FIRING")
    if trigger.before_migration:
        marks.append("before the migration")
    if trigger.verdict in ("ok", "pending", "firing") and (age := old(trigger)):
        marks.append(f"{duration(age)} old")
    return tuple(marks)


def marked_words(marks: tuple[str, ...], trigger: TriggerView, wording: Wording) -> Content:
    """The marks, and how many of several series cross the threshold."""
    parts = [literal((mark, "$attention")) for mark in marks]
    if trigger.verdict in ("pending", "firing") and trigger.series > 1:
        parts.append(literal((f"{trigger.crossing} of {trigger.series} series", "$dim")))
    return literal((f" {wording.dot} ", "$dim")).join(parts)


def old(trigger: TriggerView) -> float:
    """The age in seconds of the newest value where that is more than usual, judged by how far apart the curve's values are."""
    if trigger.judged != "measured" or trigger.age_seconds is None:
        return 0.0
    apart = trigger.curve_seconds / (len(trigger.curve) - 1) if len(trigger.curve) > 1 else 0.0
    usual = max(_OLD_AFTER_SECONDS, _OLD_AFTER_EVALUATIONS * apart)
    return trigger.age_seconds if trigger.age_seconds > usual else 0.0
