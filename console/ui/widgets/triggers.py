"""Why one would roll back: each trigger's verdict, value against threshold, since when, and its curve. Worst first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from console.ui.literal import fit, literal, spread, wrapped
from console.ui.widgets.panel import Heading, Panel, Row
from console.ui.wording import Wording, amount, duration, limit

if TYPE_CHECKING:
    from datetime import datetime

    from console.engine.view import TriggerView, ViewState

_WORST_FIRST = ("firing", "no_data", "stale", "pending", "ok")
_INDENT = 11
_CURVE = 20


class Triggers(Panel):
    PARTS: ClassVar[frozenset[str]] = frozenset({"triggers", "clock"})

    def __init__(self, wording: Wording) -> None:
        super().__init__("triggers", "Triggers", "1", wording)

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        for trigger in sorted(view.triggers, key=lambda t: _WORST_FIRST.index(t.verdict)):
            yield Row(trigger.id, tuple(trigger_lines(trigger, view.at, width, self.wording)))
        if not view.triggers:
            yield Row("", (literal(("the procedure has no triggers", "$dim")),))

    def headline(self, view: ViewState) -> Heading:
        states: list[str] = [t.verdict for t in view.triggers]
        worst_first: tuple[tuple[tuple[str, ...], str], ...] = (
            (("firing",), "FIRING"),
            (("no_data", "stale"), "without data"),
            (("pending",), "pending"),
        )
        for named, words in worst_first:
            if count := sum(states.count(state) for state in named):
                sign = self.wording.verdict(named[0])
                return Heading(f"{count} {words}", f"{sign.icon}{count}", sign.style)
        sign = self.wording.verdict("ok")
        return Heading(f"all {len(states)} ok", sign.icon, sign.style) if states else Heading()

    def follow(self, old: ViewState, new: ViewState) -> str:
        before = {t.id for t in old.triggers if t.verdict == "firing"}
        return next((t.id for t in new.triggers if t.verdict == "firing" and t.id not in before), "")


def trigger_lines(trigger: TriggerView, at: datetime, width: int, wording: Wording) -> Iterator[Content]:
    sign = wording.verdict(trigger.verdict)
    lead = fit(literal((f"{sign.icon} {sign.word}", sign.style)), _INDENT)
    room = width - _INDENT
    reading = _reading(trigger)
    indent = " " * _INDENT
    if trigger.verdict == "ok":
        yield literal(lead, spread(literal(trigger.title), reading, room))
        return
    yield literal(lead, fit(literal((trigger.title, "bold")), room))
    if trigger.verdict in ("firing", "pending"):
        held = _held(trigger, at, wording)
        yield literal(indent, fit(literal(reading, "   ", held), room))
        if curve := curve_line(trigger, min(_CURVE, room - 12), wording):
            yield literal(indent, fit(curve, room))
        return
    for line in wrapped(trigger.reason or "the source gave no value", room, 2):
        yield literal(indent, (line, "$attention"))
    if trigger.value is not None:
        yield literal(indent, fit(literal(("last seen ", "$dim"), reading), room))


def curve_line(trigger: TriggerView, width: int, wording: Wording) -> Content:
    """The recent values, those beyond the threshold in the colour of alarm, and the threshold in words behind them."""
    glyphs = wording.sparkline(trigger.curve, width, trigger.threshold, trigger.above)
    if not glyphs:
        return Content("")
    line = literal(*((glyph, "$alarm" if crossed else "$running") for glyph, crossed in glyphs))
    mark = ".." if wording.ascii_only else "┄┄"
    return literal(line, (f" {mark} {amount(trigger.threshold, trigger.unit)}", "$dim"))


def _reading(trigger: TriggerView) -> Content:
    value = amount(trigger.value, trigger.unit)
    style = {"firing": "bold $alarm", "pending": "bold $attention", "ok": ""}.get(trigger.verdict, "$attention")
    return literal((value, style), (f"  {limit(trigger.threshold, trigger.unit, trigger.above)}", "$dim"))


def _held(trigger: TriggerView, at: datetime, wording: Wording) -> Content:
    if trigger.verdict == "pending" and trigger.for_seconds:
        bar = wording.bar(trigger.held_seconds, trigger.for_seconds, 5)
        return literal((f"{duration(trigger.held_seconds)} of {duration(trigger.for_seconds)} {bar}", "$attention"))
    if trigger.since is None:
        return Content("")
    return literal((f"for {duration((at - trigger.since).total_seconds())}", "$alarm"))
