"""Each event of the journal as one line for people: the timeline of the screen, of the plain output, and of the report."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from console.domain import events as e
from console.domain.outline import Outline
from console.engine.view import Level

Line = tuple[str, Level]


def told_event(event: e.Event, actor: str, outline: Outline) -> Line:
    """The event in words, and how much it matters. Titles come from the outline, ids where it has none."""
    return _WORDS[type(event)](event, actor, _Titles(outline))


class _Titles:
    def __init__(self, outline: Outline) -> None:
        self._components = {c.id: c.title for c in outline.components}
        self._steps = {s.id: s.title for _, s in outline.steps()}
        self._checks = {c.id: c.title for c in outline.checks}
        self._triggers = {t.id: t.title for t in outline.triggers}
        self._notices = {n.id: n.title for n in outline.notices}

    def component(self, id_: str) -> str:
        return self._components.get(id_, id_)

    def step(self, id_: str) -> str:
        return self._steps.get(id_, id_)

    def check(self, id_: str) -> str:
        return self._checks.get(id_, id_)

    def trigger(self, id_: str) -> str:
        return self._triggers.get(id_, id_)

    def notice(self, id_: str) -> str:
        return self._notices.get(id_, id_)


_VERDICT_LEVELS: dict[e.Verdict, Level] = {
    "ok": "good",
    "pending": "attention",
    "firing": "alarm",
    "no_data": "attention",
    "stale": "attention",
}
_OUTCOME_LEVELS: dict[e.CheckOutcome, Level] = {"pass": "good", "fail": "alarm", "unknown": "attention"}


def _declared(event: e.IncidentDeclared, actor: str, _: _Titles) -> Line:
    return f"{event.incident_id} declared by {actor}: {event.reason}", "attention"


def _verdict(event: e.VerdictChanged, _: str, titles: _Titles) -> Line:
    word = event.verdict.replace("_", " ").upper() if event.verdict != "ok" else "ok"
    return f"{titles.trigger(event.trigger)} is {word}: {event.reason}", _VERDICT_LEVELS[event.verdict]


def _confirmed(event: e.ComponentConfirmed, actor: str, titles: _Titles) -> Line:
    return f"{actor} confirmed: roll {event.direction} {titles.component(event.component)}", "attention"


def _step(before: str, field: str, level: Level) -> Callable[[Any, str, _Titles], Line]:
    def line(event: Any, _: str, titles: _Titles) -> Line:
        detail = getattr(event, field) if field else ""
        return f"{titles.step(event.step)}: {before}{f': {detail}' if detail else ''}", level

    return line


def _failed(event: e.StepFailed, _: str, titles: _Titles) -> Line:
    stands = "; what was sent stands" if event.effect else "; nothing was changed"
    word = "refused" if event.refused else "failed"
    return f"{titles.step(event.step)}: {word}: {event.reason}{stands}", "alarm"


def _settled(event: e.StepSettled, actor: str, titles: _Titles) -> Line:
    return (
        f"{actor} settled {titles.step(event.step)} as {event.counts_as.replace('_', ' ')}: {event.note}",
        "attention",
    )


def _step_signed(event: e.StepSigned, actor: str, titles: _Titles) -> Line:
    return f"{titles.step(event.step)}: signed by {actor}: {event.note}", "good"


def _stop_requested(event: e.StopRequested, actor: str, titles: _Titles) -> Line:
    return f"{actor} asked {titles.component(event.component)} to stop", "attention"


def _stopped(event: e.ComponentStopped, _: str, titles: _Titles) -> Line:
    return f"{titles.component(event.component)} stopped: {event.reason}", "attention"


def _finished(event: e.ComponentFinished, _: str, titles: _Titles) -> Line:
    return f"{titles.component(event.component)}: rolled {event.direction}", "good"


def _check_ran(event: e.CheckRan, _: str, titles: _Titles) -> Line:
    word = {"pass": "passed", "fail": "failed", "unknown": "gave no answer"}[event.outcome]
    return f"check {titles.check(event.check)} {word}: {event.evidence}", _OUTCOME_LEVELS[event.outcome]


def _check_signed(event: e.CheckSigned, actor: str, titles: _Titles) -> Line:
    return f"check {titles.check(event.check)} signed by {actor}: {event.note}", "good"


def _check_waived(event: e.CheckWaived, actor: str, titles: _Titles) -> Line:
    return f"check {titles.check(event.check)} waived by {actor}: {event.reason}", "attention"


def _acknowledged(event: e.NoticeAcknowledged, actor: str, titles: _Titles) -> Line:
    return f"{titles.notice(event.notice)}: done, says {actor}: {event.note}", "good"


def _resolved(event: e.IncidentResolved, actor: str, _: _Titles) -> Line:
    return f"resolved by {actor}{f': {event.note}' if event.note else ''}", "good"


_WORDS: dict[type[Any], Callable[[Any, str, _Titles], Line]] = {
    e.IncidentDeclared: _declared,
    e.ProcedureRevised: lambda _, actor, __: (f"{actor} goes on with a changed configuration file", "attention"),
    e.VerdictChanged: _verdict,
    e.ComponentConfirmed: _confirmed,
    e.StepIntended: _step("about to be sent", "summary", "plain"),
    e.StepSent: _step("sent", "", "plain"),
    e.StepApplied: _step("applied", "detail", "plain"),
    e.StepProven: _step("proven", "proof", "good"),
    e.StepAlready: _step("already so", "proof", "good"),
    e.StepFailed: _failed,
    e.StepUnknown: _step("UNKNOWN", "reason", "alarm"),
    e.StepDiverged: _step("DIVERGED", "reason", "alarm"),
    e.StepSettled: _settled,
    e.StepSigned: _step_signed,
    e.StopRequested: _stop_requested,
    e.ComponentStopped: _stopped,
    e.ComponentFinished: _finished,
    e.CheckRan: _check_ran,
    e.CheckSigned: _check_signed,
    e.CheckWaived: _check_waived,
    e.NoticeAcknowledged: _acknowledged,
    e.IncidentResolved: _resolved,
}
