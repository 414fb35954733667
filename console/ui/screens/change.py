"""A preview as text: each step with its diff, the same as a shell command, and what was found out about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.content import Content

from console.ui.literal import hung, literal
from console.ui.wording import Wording

if TYPE_CHECKING:
    from console.engine.ports import Finding
    from console.engine.view import PlannedStep, Preview

_INDENT = " " * 8


def preview_lines(preview: Preview, width: int, wording: Wording) -> Iterator[Content]:
    for place, step in enumerate(preview.steps, 1):
        if place > 1:
            yield Content("")
        count = literal((f"{place} of {len(preview.steps)}".ljust(len(_INDENT)), "$dim"))
        for number, body in enumerate(_step_lines(step, wording)):
            yield from hung(count if number == 0 else literal(_INDENT), body, width)


def _step_lines(step: PlannedStep, wording: Wording) -> Iterator[Content]:
    yield literal((step.line or step.title, "bold"))
    if step.problem:
        sign = wording.finding("block")
        yield literal((f"{sign.icon} {sign.word}: {step.problem}", sign.style))
    if step.change is not None:
        if step.change.already:
            sign = wording.finding("ok")
            yield literal((f"{sign.icon} already so: nothing to do", sign.style))
        for line in step.change.lines:
            yield diff_line(line, wording)
    commands = step.change.commands if step.change is not None and step.change.commands else step.commands
    for command in commands:
        yield literal(("same as: ", "$dim"), (command, "$note"))
    found = list(dict.fromkeys([*step.findings, *(step.change.findings if step.change is not None else ())]))
    yield from finding_lines(found, wording)


def diff_line(line: str, wording: Wording) -> Content:
    """The sign stays in front: the colour only repeats what it says."""
    if line.startswith("-"):
        return literal((wording.minus + line[1:], "$removed"))
    if line.startswith("+"):
        return literal((line, "$added"))
    return literal((line, "$dim"))


def finding_lines(findings: list[Finding], wording: Wording) -> Iterator[Content]:
    fine = [f for f in findings if f.level == "ok"]
    if fine:
        icon, _, style = wording.finding("ok")
        yield literal(*((f"{icon} {finding.text}   ", style) for finding in fine))
    for finding in findings:
        if finding.level == "ok":
            continue
        sign = wording.finding(finding.level)
        word = "CAN'T BE UNDONE" if finding.code == "irreversible" else sign.word
        yield literal((f"{sign.icon} {word}: ", sign.style), (finding.text, "" if finding.level == "info" else "bold"))
