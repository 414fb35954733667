"""The view state as the one JSON object of `status --json`: stable names, RFC 3339 times; fields may be added, never changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from console.engine.view import (
    CheckView,
    ComponentView,
    FollowUpView,
    IncidentView,
    NoticeView,
    SoakView,
    StepView,
    TriggerView,
    ViewState,
)


def to_status_json(view: ViewState) -> dict[str, Any]:
    return {
        "at": rfc3339(view.at),
        "incident": _incident(view.incident),
        "triggers": [trigger_json(t) for t in view.triggers],
        "components": [component_json(c) for c in view.components],
        "checks": [check_json(c) for c in view.checks],
        "notices": [notice_json(n) for n in view.notices],
        "soak": _soak(view.soak) if view.soak else None,
        "advised": list(view.advised),
        "advice": view.advice,
        "impacts": {i.impact: i.applies for i in view.impacts},
        "followups": [followup_json(f) for f in view.followups],
        "next_action": {"text": view.next_action.text, "command": view.next_action.command},
    }


def rfc3339(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def component_json(component: ComponentView) -> dict[str, Any]:
    return {
        "id": component.id,
        "title": component.title,
        "state": component.state,
        "direction": component.direction,
        "reason": component.reason,
        "suggested_by": list(component.suggested_by),
        "steps": [step_json(s) for s in component.steps],
    }


def step_json(step: StepView) -> dict[str, Any]:
    return {"id": step.id, "kind": step.kind, "title": step.title, "state": step.state, "reason": step.reason}


def check_json(check: CheckView) -> dict[str, Any]:
    return {
        "id": check.id,
        "group": check.group,
        "title": check.title,
        "state": check.state,
        "evidence": check.evidence,
        "detail": list(check.detail),
        "criterion": check.criterion,
    }


def _incident(incident: IncidentView) -> dict[str, Any]:
    return {
        "id": incident.id,
        "title": incident.title,
        "state": incident.state,
        "reason": incident.reason,
        "declared_at": rfc3339(incident.declared_at),
        "elapsed_seconds": round(incident.elapsed_seconds, 3),
        "commander": incident.commander,
        "epoch": incident.epoch,
        "mode": incident.mode,
        "contexts": list(incident.contexts),
    }


def trigger_json(trigger: TriggerView) -> dict[str, Any]:
    return {
        "id": trigger.id,
        "title": trigger.title,
        "verdict": trigger.verdict,
        "value": _finite(trigger.value),
        "threshold": trigger.threshold,
        "unit": trigger.unit,
        "since": rfc3339(trigger.since),
        "reason": trigger.reason,
        "suggests": list(trigger.suggests),
        "warnings": list(trigger.warnings),
        "judged": trigger.judged,
        "before_migration": trigger.before_migration,
    }


def _finite(value: float | None) -> float | None:
    """JSON has no infinity; the reason says it in words."""
    return None if value is None or value != value or value in (float("inf"), float("-inf")) else value


def notice_json(notice: NoticeView) -> dict[str, Any]:
    return {
        "id": notice.id,
        "title": notice.title,
        "state": notice.state,
        "due_at": rfc3339(notice.due_at),
        "channel": notice.channel,
        "note": notice.note,
        "to": notice.to,
        "given_at": rfc3339(notice.given_at),
        "times_given": notice.times_given,
        "impact": notice.impact,
    }


def _soak(soak: SoakView) -> dict[str, Any]:
    return {
        "component": soak.component,
        "left_seconds": round(soak.left_seconds, 3),
        "helped": soak.helped,
        "triggers": [
            {
                "id": t.id,
                "before": _finite(t.before),
                "now": _finite(t.now),
                "verdict_before": t.verdict_before,
                "verdict_now": t.verdict_now,
            }
            for t in soak.triggers
        ],
    }


def followup_json(item: FollowUpView) -> dict[str, Any]:
    return {
        "id": item.id,
        "incident": item.incident,
        "section": item.section,
        "text": item.text,
        "assignee": item.assignee,
        "due_at": rfc3339(item.due_at),
        "done_at": rfc3339(item.done_at),
        "done_by": item.done_by,
        "note": item.note,
    }
