"""Is it healthy again: each check with its state and evidence, grouped as in the procedure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from console.ui.literal import fit, literal, spread, wrapped
from console.ui.widgets.panel import Heading, Panel, Row
from console.ui.wording import Wording, rough

if TYPE_CHECKING:
    from datetime import datetime

    from console.engine.view import CheckView, ViewState

HOLDS = frozenset({"pass", "signed", "waived"})
_LEAD = 10


class Checklist(Panel):
    PARTS: ClassVar[frozenset[str]] = frozenset({"checks", "clock"})

    def __init__(self, wording: Wording) -> None:
        super().__init__("checklist", "Checklist", "3", wording)

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        group = ""
        for check in view.checks:
            if check.group != group:
                group = check.group
                of_it = [c for c in view.checks if c.group == group]
                count = f"  {sum(c.state in HOLDS for c in of_it)} of {len(of_it)}"
                yield Row("", (literal((group, "$dim underline"), (count, "$dim")),))
            yield Row(check.id, tuple(self._check_lines(check, view.at, width)))
        if not view.checks:
            yield Row("", (literal(("the procedure has no checks", "$dim")),))

    def headline(self, view: ViewState) -> Heading:
        failing = [c for c in view.checks if c.state == "fail"]
        holding = sum(c.state in HOLDS for c in view.checks)
        count = f"{holding} of {len(view.checks)}"
        short = f"{holding}/{len(view.checks)}"
        if failing:
            sign = self.wording.check(replace(failing[0], running=False))
            words = f"{count} {self.wording.dot} {len(failing)} FAILING"
            return Heading(words, f"{sign.icon}{len(failing)}", sign.style)
        style = "$good" if holding == len(view.checks) else "$dim"
        return Heading(count, short, style) if view.checks else Heading()

    def follow(self, old: ViewState, new: ViewState) -> str:
        before = {c.id for c in old.checks if c.state == "fail"}
        return next((c.id for c in new.checks if c.state == "fail" and c.id not in before), "")

    def _check_lines(self, check: CheckView, at: datetime, width: int) -> Iterator[Content]:
        sign = self.wording.check(check)
        lead = fit(literal((f"{sign.icon} {sign.word}", sign.style)), _LEAD)
        must = literal((f"{self.wording.criterion} ", "$note") if check.criterion else "  ")
        trouble = check.state in ("fail", "unknown") and not check.running
        title = literal((check.title, "bold" if trouble else ""))
        room = width - _LEAD - 2
        if check.evidence and not trouble:
            title = literal(title, (f"  {check.evidence}", "$dim"))
        yield literal(lead, must, spread(title, _age(check, at), room))
        if trouble:
            for line in wrapped(check.evidence, room, 2):
                yield literal(" " * (_LEAD + 2), (line, sign.style.removeprefix("bold ")))


def _age(check: CheckView, at: datetime) -> Content:
    """How old the evidence is; in minutes, so that nothing moves without need. Of a stale one it is the reason."""
    if check.at is None or check.running:
        return Content("")
    age = rough((at - check.at).total_seconds())
    return literal((age, "$attention" if check.state == "stale" else "$dim"))
