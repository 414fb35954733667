"""A trigger's curve, large, with its threshold as a line and minutes below; it follows the news. Imported when it opens: the
plotting library takes longer to load than the first paint may.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static
from textual_plotext import PlotextPlot

from console.ui.literal import clean, fit_text, literal
from console.ui.screens.modal import Modal
from console.ui.widgets.trigger_row import held_words, marked_words, marks_of, reading
from console.ui.wording import Wording, amount, duration, limit, rough

if TYPE_CHECKING:
    from textual.theme import Theme

    from console.engine.view import TriggerView, ViewState

_TICKS = 5
_ROOM_OVER = 0.08  # of the height, above the highest value and below the lowest
_NEAR = 0.07  # of the height: a tick closer than this to the threshold's would be written over it
_LONGEST_UNIT = 12
_LONG_SECONDS = 600  # a curve that covers so much needs no seconds


class PlotScreen(Modal):
    FIRST = ".frame"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter,q,p", "close", show=False)]

    def __init__(self, trigger_id: str, view: ViewState, wording: Wording) -> None:
        super().__init__()
        self._trigger_id = trigger_id
        self._view = view
        self._wording = wording

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="frame plot") as frame:
            frame.border_subtitle = literal(("Esc closes", "$dim"))
            yield Static(Content(""), markup=False, id="reading")
            yield Curve(self._wording)

    def on_mount(self) -> None:
        super().on_mount()
        self.show(self._view)

    def show(self, view: ViewState) -> None:
        self._view = view
        trigger = next((t for t in view.triggers if t.id == self._trigger_id), None)
        said = self.query_one("#reading", Static)
        if trigger is None:
            said.update(literal("This trigger is not part of the procedure any more."))
            return
        self.query_one(".frame").border_title = literal((trigger.title, "bold"))
        sign = self._wording.verdict(trigger.verdict)
        held = (held_words(trigger, view.at, self._wording), "" if trigger.verdict == "ok" else sign.style)
        most = f"  {limit(trigger.threshold, trigger.unit, trigger.above)}   "
        marked = marked_words(marks_of(trigger), trigger, self._wording)
        said.update(
            literal((f"{sign.icon} {sign.word}   ", sign.style), reading(trigger), (most, "$dim"), held, "   ", marked)
        )
        self.query_one(Curve).show(trigger)


class Curve(PlotextPlot):
    """The threshold keeps its place in the picture, wherever the values go: it is a tick of the axis, by its name."""

    def __init__(self, wording: Wording) -> None:
        super().__init__()
        self._wording = wording
        self._trigger: TriggerView | None = None

    def show(self, trigger: TriggerView) -> None:
        shown = self._trigger
        if shown is not None and (shown.curve, shown.threshold) == (trigger.curve, trigger.threshold):
            return
        self._trigger = trigger
        self._draw(trigger)
        self.refresh()

    def on_mount(self) -> None:
        super().on_mount()
        self.app.theme_changed_signal.subscribe(self, self._recolour)

    def _recolour(self, _: Theme) -> None:
        if self._trigger is not None:
            self._draw(self._trigger)

    def _draw(self, trigger: TriggerView) -> None:
        self.plt.clear_figure()
        values = [v for v in trigger.curve if math.isfinite(v)]
        if not values:
            self.plt.title("no values yet")
            return
        apart = trigger.curve_seconds / max(len(values) - 1, 1) / 60 if trigger.curve_seconds else 1.0
        minutes = [(place - len(values) + 1) * apart for place in range(len(values))]
        dots, line, dotted = ("*", "-", ".") if self._wording.ascii_only else ("hd", "─", "┄")
        first = minutes[0] or -1.0
        if trigger.clear is not None:
            self.plt.plot([first, 0.0], [trigger.clear] * 2, marker=dotted, color=self._colour("dim"))
        self.plt.plot([first, 0.0], [trigger.threshold] * 2, marker=line, color=self._colour("text"))
        self.plt.plot(minutes, values, marker=dots, color=self._colour("running"))
        for stretch in _beyond(trigger, values):
            self.plt.plot(
                [minutes[at] for at in stretch],
                [values[at] for at in stretch],
                marker=dots,
                color=self._colour("alarm"),
            )
        self._scale(trigger, values, first)

    def _scale(self, trigger: TriggerView, values: list[float], first: float) -> None:
        limits = {trigger.threshold: f"{'max' if trigger.above else 'min'} "}
        if trigger.clear is not None:
            limits.setdefault(trigger.clear, "clear ")
        low, high = min(*values, *limits, 0.0), max(*values, *limits)
        height = (high - low) or 1.0
        bottom = low if low == 0 else low - _ROOM_OVER * height
        self.plt.ylim(bottom, high + _ROOM_OVER * height)
        ticks = [t for t in _round_ticks(low, high) if all(abs(t - line) > _NEAR * height for line in limits)]
        unit = fit_text(clean(trigger.unit), _LONGEST_UNIT)
        names = [amount(tick, "") for tick in ticks]
        self.plt.yticks([*ticks, *limits], [*names, *(f"{word}{amount(at, unit)}" for at, word in limits.items())])
        self.plt.xaxes(True, False)
        self.plt.yaxes(True, False)
        self.plt.xlim(first, 0.0)
        places = [first, first * 0.75, first * 0.5, first * 0.25, 0.0]
        self.plt.xticks(places, [*(_ago(-minutes * 60, -first * 60) for minutes in places[:-1]), "now"])

    def _colour(self, name: str) -> tuple[int, int, int]:
        return Color.parse(self.app.theme_variables[name]).rgb


def _ago(seconds: float, of_seconds: float) -> str:
    return f"{rough(seconds + 30) if of_seconds >= _LONG_SECONDS else duration(seconds)} ago"


def _beyond(trigger: TriggerView, values: list[float]) -> Iterator[list[int]]:
    """The stretches of the curve that cross the threshold."""
    crossing = [v > trigger.threshold if trigger.above else v < trigger.threshold for v in values]
    for crosses, places in groupby(range(len(values)), key=crossing.__getitem__):
        if crosses:
            yield list(places)


def _round_ticks(low: float, high: float) -> list[float]:
    """About five round numbers between the two: steps of 1, 2 or 5 and a power of ten."""
    rough_step = ((high - low) or 1.0) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough_step))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough_step)
    return [place * step for place in range(math.ceil(low / step), math.floor(high / step) + 1)]
