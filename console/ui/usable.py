"""Which actions make sense for a row at this moment: what the hints in a panel's lower border say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from console.ui.widgets.checklist import HOLDS
from console.ui.widgets.communication import GIVEN
from console.ui.widgets.components import HALF_DONE, waits_for_person

if TYPE_CHECKING:
    from console.engine.view import CheckView, ComponentView, NoticeView, TriggerView, ViewState


def usable(view: ViewState | None, panel: str, row_id: str) -> Iterator[str]:
    """Ids of actions, the likeliest first. An action that isn't among them still says why when its key is pressed."""
    if view is None or not row_id or panel == "timeline":
        return
    if view.incident.mode != "observe":
        if panel == "triggers":
            yield from _on_trigger(next((t for t in view.triggers if t.id == row_id), None))
        elif panel == "components":
            yield from _on_component(next((c for c in view.components if c.id == row_id), None))
        elif panel == "checklist":
            yield from _on_check(next((c for c in view.checks if c.id == row_id), None))
        elif panel == "communication" and view.incident.state != "none":
            notice = next((n for n in view.notices if n.id == row_id), None)
            yield from _on_notice(notice) if view.incident.state == "open" else _after_the_end(notice)
    if panel == "triggers" and any(t.id == row_id and t.judged != "attestation" for t in view.triggers):
        yield "plot"
    if panel == "components" and view.soak is not None and view.soak.component == row_id:
        yield "helped"
    yield "details"


def _on_trigger(trigger: TriggerView | None) -> Iterator[str]:
    if trigger is None:
        return
    if trigger.judged == "attestation":
        yield "attest"
    if trigger.judged == "counter":
        yield "count"
        if trigger.value:
            yield "take_back"


def _on_component(component: ComponentView | None) -> Iterator[str]:
    if component is None:
        return
    if component.can_roll_back and component.state not in HALF_DONE:
        yield "roll_back"
    if component.state in HALF_DONE:
        yield "go_on"
    if component.can_roll_forward:
        yield "roll_forward"
    if component.state == "running":
        yield "stop"
    if any(step.state in ("unknown", "diverged") for step in component.steps):
        yield "settle"
    if any(waits_for_person(step, component) for step in component.steps):
        yield "sign"


def _on_notice(notice: NoticeView | None) -> Iterator[str]:
    if notice is None or notice.state == "sending":
        return
    if notice.state in ("unasked", "not_needed"):
        yield "impact"
        return
    if notice.state in GIVEN and not notice.repeats:
        return
    yield from ("notify", "acknowledge") if notice.by_console else ("acknowledge", "notify")
    if notice.state != "maybe_sent":
        yield "snooze"


def _after_the_end(notice: NoticeView | None) -> Iterator[str]:
    """What may be sent then tells that it is over; and a message in doubt stays a question."""
    if notice is None or notice.state in ("sending", "not_needed"):
        return
    if notice.by_console:
        yield "notify"
    if notice.state == "maybe_sent":
        yield "acknowledge"


def _on_check(check: CheckView | None) -> Iterator[str]:
    if check is None:
        return
    yield from ("sign",) if check.by_person else ("run_check", "run_checks")
    if check.criterion and check.state not in HOLDS:
        yield "waive"
