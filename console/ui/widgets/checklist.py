"""Is it healthy again: each check with its state and evidence, grouped as in the procedure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from console.ui.literal import fit, literal, wrapped
from console.ui.widgets.panel import Heading, Panel, Row
from console.ui.wording import Wording

if TYPE_CHECKING:
    from console.engine.view import CheckView, ViewState

HOLDS = frozenset({"pass", "signed", "waived"})
_LEAD = 10


class Checklist(Panel):
    PARTS: ClassVar[frozenset[str]] = frozenset({"checks"})

    def __init__(self, wording: Wording) -> None:
        super().__init__("checklist", "Checklist", "3", wording)

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        group = ""
        for check in view.checks:
            if check.group != group:
                group = check.group
                yield Row("", (literal((group, "$dim underline")),))
            yield Row(check.id, tuple(self._check_lines(check, width)))
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

    def _check_lines(self, check: CheckView, width: int) -> Iterable[Content]:
        sign = self.wording.check(check)
        lead = fit(literal((f"{sign.icon} {sign.word}", sign.style)), _LEAD)
        must = literal((f"{self.wording.criterion} ", "$note") if check.criterion else "  ")
        trouble = check.state in ("fail", "unknown") and not check.running
        title = literal((check.title, "bold" if trouble else ""))
        room = width - _LEAD - 2
        if trouble or not check.evidence:
            yield literal(lead, must, fit(title, room))
        else:
            gap = min(title.cell_length + 2, room)
            yield literal(lead, must, fit(literal(fit(title, gap), (check.evidence, "$dim")), room))
        if trouble:
            for line in wrapped(check.evidence, room, 2):
                yield literal(" " * (_LEAD + 2), (line, sign.style.removeprefix("bold ")))
