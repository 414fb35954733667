"""Each check of the checklist: every time that it ran, was signed or waived, what it counts as now, and what made it stale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from console.domain import events as e
from console.domain.incident import CheckState, Incident
from console.domain.outline import CheckOutline
from console.report.moments import Moment


@dataclass(frozen=True, slots=True)
class Finding:
    """`by`: whose console ran it, or who signed or waived it."""

    seq: int
    at: datetime
    by: str
    outcome: Literal["pass", "fail", "unknown", "signed", "waived"]
    evidence: str
    detail: tuple[str, ...] = ()
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class CheckStory:
    """`stale_since`: the change that came behind the last evidence, where that made it stale."""

    outline: CheckOutline
    state: CheckState
    findings: tuple[Finding, ...] = ()
    stale_since: Moment | None = None

    @property
    def last(self) -> Finding | None:
        return self.findings[-1] if self.findings else None


def check_stories(moments: Sequence[Moment], incident: Incident) -> tuple[CheckStory, ...]:
    """In the order of the checklist; those that the procedure no longer has come last."""
    outlines = {c.id: c for m in moments for c in m.after.outline.checks}
    ordered = {c.id: c for c in incident.outline.checks} | outlines
    return tuple(_story(outlines[i], moments, incident) for i in ordered)


def _story(outline: CheckOutline, moments: Sequence[Moment], incident: Incident) -> CheckStory:
    findings = tuple(_findings(outline.id, moments))
    state = incident.check_state(outline.id)
    stale = _overtaken(findings[-1].seq, moments) if findings and state == "stale" else None
    return CheckStory(outline, state, findings, stale)


def _findings(check: str, moments: Iterable[Moment]) -> Iterable[Finding]:
    for moment in moments:
        event, seq, at, by = moment.event, moment.recorded.seq, moment.at, moment.by
        if isinstance(event, e.CheckRan) and event.check == check:
            yield Finding(seq, at, by, event.outcome, event.evidence, event.detail, event.seconds)
        elif isinstance(event, e.CheckSigned) and event.check == check:
            yield Finding(seq, at, by, "signed", event.note)
        elif isinstance(event, e.CheckWaived) and event.check == check:
            yield Finding(seq, at, by, "waived", event.reason)


def _overtaken(seq: int, moments: Iterable[Moment]) -> Moment | None:
    """The first change behind this evidence."""
    changes = (m for m in moments if m.after.last_change_seq != m.before.last_change_seq)
    return next((m for m in changes if m.recorded.seq > seq), None)
