"""Did it help? What each trigger was when the component was confirmed, and what it is now, while it soaks and afterwards.

The components' panel shows it under the component that was rolled back last; `screens/helped.py` shows all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from console.ui.literal import fit, literal, wrapped
from console.ui.wording import Sign, Wording, amount, duration

if TYPE_CHECKING:
    from console.engine.view import BeforeAfter, SoakView, TriggerView, ViewState

_MOST = 4
_LEAD = 10
_VALUES = 17
_MOVED = 13


def soak_time(soak: SoakView, wording: Wording) -> Content:
    if soak.left_seconds <= 0:
        return literal(("soak over", "$dim"))
    bar = wording.bar(soak.total_seconds - soak.left_seconds, soak.total_seconds, 5)
    return literal((f"soak {duration(soak.left_seconds)} {bar}", "$running"))


def soak_lines(view: ViewState, width: int, wording: Wording) -> Iterator[Content]:
    """The triggers that fired before or do now, at most four, and the verdict in words."""
    soak = view.soak
    if soak is None:
        return
    telling = [row for row in soak.triggers if {row.verdict_before, row.verdict_now} & {"firing", "pending"}]
    for row in telling[:_MOST]:
        yield before_after(row, view.triggers, width, wording)
    if len(telling) > _MOST:
        yield literal((f"and {len(telling) - _MOST} more", "$dim"))
    for line in wrapped(soak.helped, width, 2):
        yield literal((line, "bold"))


def before_after(row: BeforeAfter, triggers: Sequence[TriggerView], width: int, wording: Wording) -> Content:
    """`✔ ok      Memory      91 → 78 %   ↘ falling`"""
    sign = wording.verdict(row.verdict_now)
    values = literal((f"{amount(row.before, '')} {wording.arrow} ", "$dim"), (amount(row.now, row.unit), "bold"))
    moved = movement(row, triggers, wording)
    told = literal((f"{moved.icon} {moved.word}", moved.style)) if moved else Content("")
    lead = fit(literal((f"{sign.icon} {sign.word}", sign.style)), _LEAD)
    name = fit(literal(row.title), max(12, width - _LEAD - _VALUES - _MOVED))
    return literal(lead, name, " ", fit(values, _VALUES - 1), told)


def movement(row: BeforeAfter, triggers: Sequence[TriggerView], wording: Wording) -> Sign | None:
    """Where it goes, in the colour of what that means: towards the threshold or away from it."""
    from console.domain import soaking

    trigger = next((t for t in triggers if t.id == row.id), None)
    word = soaking.movement(row.before, row.now, trigger.threshold if trigger else 0.0)
    if not word:
        return None
    sign = wording.movement(word)
    if word == "steady" or trigger is None:
        return sign._replace(style="$dim")
    return sign._replace(style="$good" if (word == "falling") == trigger.above else "$attention")
