"""Why one would roll back: each trigger's verdict, value against threshold, since when, and its curve. Worst first.

What is loud gets the room that the panel has, from the top; what is quiet takes one line, and what nobody attested shares one.
`trigger_row.py` says how one trigger reads; here is which of them gets how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual.content import Content

from console.ui.literal import clean, fit, literal
from console.ui.widgets.panel import Heading, Panel, Place, Row
from console.ui.widgets.trigger_row import INDENT, Detail, TriggerRow
from console.ui.wording import Wording

if TYPE_CHECKING:
    from console.engine.view import TriggerView, ViewState

_WORST_FIRST = ("firing", "no_data", "stale", "pending", "ok")
_MORE: tuple[Detail, ...] = ("words", "curve")
_HIDDEN_HEIGHT = 16  # of a panel that isn't shown
_BETWEEN = 2  # cells between two names on one line
_FEWEST_TO_CUT = 2  # words of a name
_LOUD_SHARE = 2 / 3  # of the panel, at least, for what is loud: the quiet ones can be scrolled to


class Triggers(Panel):
    PARTS: ClassVar[frozenset[str]] = frozenset({"triggers", "clock", "incident"})

    def __init__(self, wording: Wording) -> None:
        super().__init__("triggers", "Triggers", "1", wording)
        self._known: dict[tuple[str, Detail], TriggerRow] = {}

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        self._known = {known: row for known, row in self._known.items() if row.width == width}
        ordered = sorted(view.triggers, key=_weight)
        loud = [t for t in ordered if t.verdict != "ok"]
        quiet = [t for t in ordered if t.verdict == "ok" and t.judged != "attestation"]
        shared = tuple(self._shared([t for t in ordered if t.verdict == "ok" and t.judged == "attestation"], width))
        yield from self._loud(loud, view, width, len(quiet) + len(shared))
        for trigger in quiet:
            yield Row(trigger.id, self._lines_of(trigger, view, width, "line"))
        yield from shared
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

    # ------------------------------------------------------------ who gets how much room

    def _loud(self, loud: Sequence[TriggerView], view: ViewState, width: int, below: int) -> Iterator[Row]:
        """From the top, each as much as still fits: what fires first its words, then its curve; then the others the same."""
        height = self.scrollable_content_region.height or _HIDDEN_HEIGHT
        left = max(height - below, int(height * _LOUD_SHARE)) - len(loud)
        lines = [self._lines_of(trigger, view, width, "line") for trigger in loud]
        firing = sum(t.verdict == "firing" for t in loud)
        for places in (range(firing), range(firing, len(loud))):
            for detail in _MORE:
                for place in places:
                    more = self._lines_of(loud[place], view, width, detail) if left > 0 else lines[place]
                    if left <= 0 or len(more) - len(lines[place]) > left:
                        break
                    left -= len(more) - len(lines[place])
                    lines[place] = more
        for trigger, told in zip(loud, lines, strict=True):
            yield Row(trigger.id, told)

    def _lines_of(self, trigger: TriggerView, view: ViewState, width: int, detail: Detail) -> tuple[Content, ...]:
        """The same lines as long as they say the same, so that the panel sees at once that nothing is to be painted."""
        row = self._known.get((trigger.id, detail))
        if row is None:
            row = self._known[trigger.id, detail] = TriggerRow(detail, width, self.wording)
        return row.lines(trigger, view.at, view.incident.mode != "observe")

    def _shared(self, attestations: Sequence[TriggerView], width: int) -> Iterator[Row]:
        """Names beside one another: on one line by their first words if those tell them apart, else on as many as it takes."""
        sign = self.wording.verdict("clear")
        lead = fit(literal((f"{sign.icon} {sign.word}", sign.style)), INDENT)
        titles = [clean(t.title) for t in attestations]
        named = list(zip(attestations, _shortened(titles, width - INDENT) or titles, strict=True))
        while named:
            line = lead
            places: list[Place] = []
            for trigger, title in named:
                name = literal((title, "$dim"))
                if places and line.cell_length + name.cell_length + 1 > width:
                    break
                start = len(line.plain)
                line = literal(line, fit(name, min(name.cell_length, width - line.cell_length - 1)), "  ")
                places.append(Place(trigger.id, start, len(line.plain) - 2))
            yield Row("", (line,), tuple(places))
            named, lead = named[len(places) :], literal(" " * INDENT)


def _shortened(titles: Sequence[str], width: int) -> list[str]:
    """The titles without their last words, so that they fit on one line; none where they can't, or would be alike."""
    words = [title.split() for title in titles]
    while sum(cell_len(" ".join(w)) + _BETWEEN for w in words) - 1 > width:
        longest = max(words, key=lambda w: cell_len(" ".join(w)) if len(w) > 1 else 0, default=[])
        if len(longest) < _FEWEST_TO_CUT:
            return []
        longest.pop()
    short = sorted(" ".join(w) for w in words)
    alike = any(later.startswith(former) for former, later in pairwise(short))
    return [] if alike else [" ".join(w) for w in words]


def _weight(trigger: TriggerView) -> tuple[int, int]:
    """What fired until its data broke off stands right behind what fires: nothing says that it is over."""
    silenced = trigger.was_firing and trigger.verdict != "firing"
    return (0 if silenced else _WORST_FIRST.index(trigger.verdict), int(silenced))
