"""The report as one JSON object: the same facts under stable names, RFC 3339 times in UTC; fields may be added, never changed.

The names are those of `status --json` where it has them. Documents of the vault are named by their hash and never shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from console.domain.events import SeenTrigger
from console.domain.incident import SeenThen
from console.engine.status import followup_json, rfc3339, to_status_json
from console.engine.view import FollowUpView
from console.report.blocks import LONGEST_LISTING
from console.report.evidence import CheckStory
from console.report.messages import NoticeStory
from console.report.model import Record
from console.report.moments import Moment
from console.report.people import deed
from console.report.rollbacks import Rollback, StepLife
from console.targets.text import clean

FORMAT_VERSION = 1


def to_document(record: Record, debrief: Sequence[str] = ()) -> dict[str, Any]:
    incident, action = record.incident, record.view.next_action
    document = {
        "report": FORMAT_VERSION,
        "as_of": rfc3339(record.at),
        "incident": _incident(record),
        "people": [{"name": p.name, "deeds": dict(p.deeds)} for p in record.people],
        "triggers": [_trigger(record, t.id) for t in incident.outline.triggers],
        "decisions_seen": [_seen(then) for then in incident.seen],
        "rollbacks": [_rollback(run) for run in record.rollbacks],
        "checks": [_check(check) for check in record.checks],
        "baselines": [
            {"check": b.check, "value": b.value, "unit": b.unit, "of": b.of} for b in incident.baselines.values()
        ],
        "impacts": [
            {"impact": impact, "applies": w.applies, "at": rfc3339(w.at), "by": w.by, "note": w.note}
            for impact, w in incident.impacts.items()
        ],
        "notices": [_notice(notice) for notice in record.notices],
        "decisions": [_told(m) | {"deed": deed(m)} for m in record.decisions],
        "advice": [
            {"at": rfc3339(m.at), "components": list(m.event.components), "text": m.event.text}
            for m in record.moments
            if m.event.type == "advice_given"
        ],
        "followups": [_followup(record, f.id) for f in record.followups],
        "open_ends": list(record.open_ends),
        "next_action": {"text": action.text, "command": action.command},
        "timeline": [_told(m) | {"seq": m.recorded.seq, "event": m.event.type} for m in record.moments],
        "debrief": list(debrief),
        "journal": {
            "first": record.anchor.first,
            "last": record.anchor.last,
            "hash": record.anchor.hash,
            "events": record.anchor.events,
            "head": record.anchor.head,
        },
    }
    cleaned: dict[str, Any] = _clean(document)
    return cleaned


def _clean(value: Any) -> Any:
    """Every text harmless and bounded, here and nowhere else. Numbers that JSON doesn't have are told as none."""
    if isinstance(value, str):
        return clean(value, LONGEST_LISTING)
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {clean(key): _clean(one) for key, one in value.items()}
    return [_clean(one) for one in value] if isinstance(value, list | tuple) else value


def _incident(record: Record) -> dict[str, Any]:
    incident = record.incident
    end = incident.resolved_at or record.at
    elapsed = (end - incident.declared_at).total_seconds() if incident.declared_at else 0.0
    return {
        "id": incident.id,
        "title": incident.title,
        "state": incident.phase,
        "mode": incident.mode,
        "reason": incident.reason,
        "declared_at": rfc3339(incident.declared_at),
        "resolved_at": rfc3339(incident.resolved_at),
        "resolution": record.resolution,
        "elapsed_seconds": round(elapsed, 3),
        "commander": incident.commander,
        "config_digest": incident.config_digest,
    }


def _trigger(record: Record, trigger_id: str) -> dict[str, Any]:
    outline = record.incident.outline.trigger(trigger_id)
    verdicts = [
        {
            "at": rfc3339(m.at),
            "verdict": m.event.verdict,
            "value": m.event.value,
            "since": rfc3339(m.event.since),
            "reason": m.event.reason,
            "query": m.event.query,
        }
        for m in record.moments
        if m.event.type == "verdict_changed" and m.event.trigger == trigger_id
    ]
    counted = [
        {"at": rfc3339(m.at), "by": m.by, "count": m.event.count, "note": m.event.note}
        for m in record.moments
        if m.event.type == "trigger_counted" and m.event.trigger == trigger_id
    ]
    attested = [
        {"at": rfc3339(m.at), "by": m.by, "holds": m.event.holds, "reason": m.event.reason}
        for m in record.moments
        if m.event.type == "trigger_attested" and m.event.trigger == trigger_id
    ]
    return {
        "id": trigger_id,
        "title": record.title_of(trigger_id),
        "judged": outline.judged if outline else "",
        "threshold": outline.threshold if outline else None,
        "above": outline.above if outline else True,
        "unit": outline.unit if outline else "",
        "verdicts": verdicts,
        "counted": counted,
        "attested": attested,
    }


def _seen(then: SeenThen) -> dict[str, Any]:
    return {
        "at": rfc3339(then.at),
        "occasion": then.event.occasion,
        "component": then.event.component,
        "triggers": [_seen_trigger(t) for t in then.event.triggers],
    }


def _seen_trigger(seen: SeenTrigger) -> dict[str, Any]:
    return {
        "id": seen.trigger,
        "verdict": seen.verdict,
        "value": seen.value,
        "threshold": seen.threshold,
        "since": rfc3339(seen.since),
        "reason": seen.reason,
        "curve": list(seen.curve),
        "curve_seconds": seen.curve_seconds,
    }


def _rollback(run: Rollback) -> dict[str, Any]:
    return {
        "component": run.component,
        "title": run.title,
        "direction": run.direction,
        "confirmed_at": rfc3339(run.at),
        "by": run.by,
        "advice": run.advice,
        "overrules": run.overrules,
        "outcome": run.outcome.replace(" ", "_"),
        "reason": run.reason,
        "ended_at": rfc3339(run.ended_at),
        "seconds": run.seconds,
        "steps": [_step(life) for life in run.steps],
        "before_at": rfc3339(run.before.at) if run.before else None,
        "after_at": rfc3339(run.after.at) if run.after else None,
        "triggers": [
            {
                "id": after.trigger,
                "before": before.value,
                "after": after.value,
                "verdict_before": before.verdict,
                "verdict_after": after.verdict,
            }
            for before, after in run.compared
        ],
    }


def _step(life: StepLife) -> dict[str, Any]:
    return {
        "id": life.step,
        "title": life.title,
        "outcome": life.outcome.replace(" ", "_"),
        "words": life.words,
        "by": life.by,
        "change": life.change.hash,
        "summary": life.change.summary,
        "lines": list(life.change.lines),
        "commands": list(life.change.commands),
        "already": life.change.already,
        "passed": [{"stage": stage.replace(" ", "_"), "at": rfc3339(at)} for stage, at in life.passed],
        "seconds": life.seconds,
    }


def _check(check: CheckStory) -> dict[str, Any]:
    return {
        "id": check.outline.id,
        "title": check.outline.title,
        "group": check.outline.group,
        "criterion": check.outline.criterion,
        "state": check.state,
        "stale_since": rfc3339(check.stale_since.at) if check.stale_since else None,
        "findings": [
            {
                "at": rfc3339(f.at),
                "by": f.by,
                "outcome": f.outcome,
                "evidence": f.evidence,
                "detail": list(f.detail),
                "seconds": f.seconds,
            }
            for f in check.findings
        ],
    }


def _notice(notice: NoticeStory) -> dict[str, Any]:
    return {
        "id": notice.outline.id,
        "title": notice.outline.title,
        "channel": notice.outline.channel,
        "state": notice.standing.state,
        "due_at": rfc3339(notice.standing.due_at),
        "given": [
            {
                "at": rfc3339(g.at),
                "by": g.by,
                "sent": g.sent,
                "note": g.note,
                "due_at": rfc3339(g.due_at),
                "late_seconds": g.late_seconds,
            }
            for g in notice.given
        ],
        "attempts": [
            {
                "at": rfc3339(a.at),
                "by": a.by,
                "attempt": a.number,
                "to": a.to,
                "subject": a.subject,
                "text": a.text,
                "again": a.again,
                "of_the_end": a.of_the_end,
                "outcome": a.outcome.replace(" ", "_"),
                "answered_at": rfc3339(a.answered_at),
                "detail": a.detail,
            }
            for a in notice.attempts
        ],
        "snoozed": [
            {"at": rfc3339(s.at), "by": s.by, "until": rfc3339(s.until), "reason": s.reason} for s in notice.snoozed
        ],
    }


def _followup(record: Record, followup_id: str) -> dict[str, Any]:
    item = next(f for f in record.followups if f.id == followup_id)
    view = FollowUpView(
        item.id,
        item.incident,
        item.section,
        item.text,
        item.assignee,
        item.due_at,
        item.done_at,
        item.done_by,
        item.note,
    )
    return followup_json(view)


def _told(moment: Moment) -> dict[str, Any]:
    text, level = moment.told
    return {"at": rfc3339(moment.at), "by": moment.by, "text": text, "level": level}


def to_brief_document(record: Record) -> dict[str, Any]:
    """What whoever takes over has to know: `status --json` at the last event, what is open, what was decided."""
    whole = to_document(record)
    kept = ("report", "as_of", "incident", "decisions", "open_ends", "next_action", "journal")
    cleaned: dict[str, Any] = _clean({"status": to_status_json(record.view)})
    return {name: whole[name] for name in kept} | cleaned
