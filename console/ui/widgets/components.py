"""What can be rolled back: each component's state, its steps while they matter, and what points to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar

from textual.content import Content

from console.ui.actions import BY_ID
from console.ui.literal import fit, literal, spread, wrapped
from console.ui.widgets.panel import Heading, Panel, Row, press
from console.ui.widgets.soak import soak_lines, soak_time
from console.ui.wording import Wording, duration

if TYPE_CHECKING:
    from console.engine.view import ComponentView, StepView, ViewState

_OPEN_STATES = frozenset({"running", "stopped", "failed", "unknown"})
HALF_DONE = frozenset({"stopped", "failed"})
_IN_DOUBT = frozenset({"failed", "unknown", "diverged"})


class Components(Panel):
    PARTS: ClassVar[frozenset[str]] = frozenset({"components", "incident", "advised", "soak"})

    def __init__(self, wording: Wording) -> None:
        super().__init__("components", "Components", "2", wording)
        self._expanded: set[str] = set()

    def fold_or_unfold(self, component_id: str) -> None:
        """Shows the steps of a component that isn't under way, or hides them again."""
        self._expanded ^= {component_id}
        self.lay_out()

    def rows(self, view: ViewState, width: int) -> Iterable[Row]:
        for place, component in enumerate(view.components, 1):
            lines = [self._line(component, place, width, view)]
            lines += self._why(component, view, width)
            if component.state in _OPEN_STATES or component.id in self._expanded:
                lines += self._story(component, width)
            if _soaks(component, view):
                lines += [literal("   ", line) for line in soak_lines(view, width - 3, self.wording)]
            yield Row(component.id, tuple(lines))
        if not view.components:
            yield Row("", (literal(("the procedure has no components", "$dim")),))

    def headline(self, view: ViewState) -> Heading:
        for state, words in (
            ("unknown", "UNKNOWN"),
            ("failed", "FAILED"),
            ("running", "running"),
            ("stopped", "stopped"),
            ("rolled_back", f"of {len(view.components)} rolled back"),
        ):
            if found := [c for c in view.components if c.state == state]:
                sign = self.wording.component(found[0])
                return Heading(f"{len(found)} {words}", f"{sign.icon}{len(found)}", sign.style)
        return Heading(f"{len(view.components)} untouched", "", "$dim") if view.components else Heading()

    def follow(self, old: ViewState, new: ViewState) -> str:
        before = {c.id: (c.state, c.current) for c in old.components}
        moved = (c.id for c in new.components if c.state in _OPEN_STATES and before.get(c.id) != (c.state, c.current))
        return next(moved, "")

    def _line(self, component: ComponentView, place: int, width: int, view: ViewState) -> Content:
        waits = any(waits_for_person(step, component) for step in component.steps)
        sign = self.wording.component(component, waits)
        state = literal((f"{sign.icon} {sign.word}", sign.style))
        if component.state == "running" and component.current:
            state = literal(state, (f"  step {component.current} of {len(component.steps)}", "$dim"))
        elif _is_suggested(component, view):
            first = component.id == view.advised[0]
            state = literal((f"{self.wording.suggested} suggested{'' if first else ' next'}", "bold $attention"))
        elif component.suggested_by and component.state == "untouched":
            by = ", ".join(component.suggested_by)
            state = literal((f"{self.wording.suggested} named by {by}", "$dim"))
        elif _soaks(component, view) and view.soak:
            state = literal(state, "  ", soak_time(view.soak, self.wording))
        button = Content("")
        if (component.can_roll_back or component.state in HALF_DONE) and view.incident.mode != "observe":
            action = "go_on" if component.state in HALF_DONE else "roll_back"
            button = literal((f"[ {BY_ID[action].label.capitalize()} ]", "$note")).stylize(press(action))
        name_width = _name_width(width)
        name = fit(literal((f"{place:<2} ", "$dim"), (component.title, "bold")), name_width)
        return spread(literal(name, " ", state), button, width)

    def _why(self, component: ComponentView, view: ViewState, width: int) -> Iterator[Content]:
        """Why it is suggested: the triggers that point to it, or what it has to go before."""
        if _is_suggested(component, view):
            for line in wrapped(because(component), width - 3, 2):
                yield literal("   ", (line, "$attention"))

    def _story(self, component: ComponentView, width: int) -> Iterator[Content]:
        for step in component.steps:
            yield from self._step(step, component, width)
        if component.state in ("stopped", "failed", "unknown") and component.reason:
            for line in wrapped(component.reason, width - 3, 2):
                yield literal("   ", (line, "$attention"))

    def _step(self, step: StepView, component: ComponentView, width: int) -> Iterator[Content]:
        waits = waits_for_person(step, component)
        sign = self.wording.step(step, waits)
        name = fit(literal("   ", (sign.icon, sign.style), f" {step.title}"), _name_width(width))
        under_way = step.state in ("intended", "sent", "applied")
        told = step.progress if under_way and step.progress else sign.word
        state = literal(" ", (told, sign.style))
        if step.total > 1 and under_way:
            state = literal(state, (f" {self.wording.bar(step.done, step.total, 6)}", "$running"))
        if step.state in ("proven", "already", "undone") and step.reason:
            state = literal(state, (f"  {step.reason}", "$dim"))
        timer = literal((duration(step.seconds), "$dim")) if under_way and step.seconds is not None else Content("")
        yield spread(literal(name, state), timer, width)
        if step.state in _IN_DOUBT:
            for line in wrapped(step.reason, width - 5, 3):
                yield literal("     ", line)


def because(component: ComponentView) -> str:
    """Why it is among the advised ones."""
    by = component.suggested_by
    if not by:
        return "because a component that is suggested goes after it"
    named = f"{', '.join(by[:-1])} and {by[-1]}" if len(by) > 1 else by[0]
    return f"because {named} {'point' if len(by) > 1 else 'points'} to it"


def _is_suggested(component: ComponentView, view: ViewState) -> bool:
    return component.id in view.advised and component.state in ("untouched", "rolled_forward")


def _soaks(component: ComponentView, view: ViewState) -> bool:
    return view.soak is not None and view.soak.component == component.id and component.state == "rolled_back"


def _name_width(width: int) -> int:
    return max(12, min(36, width // 2))


def waits_for_person(step: StepView, component: ComponentView) -> bool:
    """Whether this is the step that a component under way, or stopped, comes to next, and only a person can do it."""
    if not step.by_person or component.state not in ("running", "stopped"):
        return False
    back = component.direction == "back"
    dealt_with = ("proven", "already") if back else ("undone", "untouched")
    order = component.steps if back else component.steps[::-1]
    return next((s.id for s in order if s.state not in dealt_with), "") == step.id
