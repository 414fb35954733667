"""Histories with every event of a release in them, as an evening might have brought them. What a release wrote stays as it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from console.domain import events as e
from console.domain.outline import (
    CheckOutline,
    ComponentOutline,
    FollowUpOutline,
    NoticeOutline,
    Outline,
    StepOutline,
    TriggerOutline,
)

AT = datetime(2026, 3, 1, 22, 0, 0, 123456, tzinfo=UTC)

OUTLINE = Outline(
    title="QEC-SFT migration – Übung",
    components=(
        ComponentOutline(
            "dashboard",
            "Dashboard components",
            (
                StepOutline("undo-dashboard", "Undo the dashboard", "kubernetes.rollout_undo", "cluster"),
                StepOutline("call-provider", "Call the provider", "manual"),
            ),
        ),
        ComponentOutline(
            "gateway", "Gateway", (StepOutline("patch", "Patch", "kubernetes.patch"),), after=("dashboard",)
        ),
    ),
    triggers=(TriggerOutline("latency-p95", "p95", 30.0, "s", suggests=("dashboard",)),),
    checks=(
        CheckOutline("pods", "Pods", "health", "kubernetes.pods_ready", criterion=True),
        CheckOutline("complaints", "Complaints", "people", "manual", criterion=True),
        CheckOutline("nice", "Nice to have", "health", "http"),
    ),
    notices=(NoticeOutline("engineering", "Engineering", 900.0, "email"),),
    soak_seconds=120.0,
)

_STEP = ("dashboard", "undo-dashboard")
_CHANGE = "a" * 64
_PRE_IMAGE = "b" * 64


def _intended(direction: e.Direction, op: str, step: tuple[str, str] = _STEP) -> e.StepIntended:
    return e.StepIntended(*step, direction, op, _CHANGE, _PRE_IMAGE, "revision 7 → 6")


def _confirmed(component: str, direction: e.Direction, run: str, *steps: str) -> e.ComponentConfirmed:
    changes = tuple(
        e.ConfirmedChange(
            i, _CHANGE, f"change {i}", ("- image: v2", "+ image: v1"), ("kubectl …",), {"deploy/x": "c" * 64}
        )
        for i in steps
    )
    return e.ComponentConfirmed(component, direction, run, changes, component)


HISTORY_0_1_0: tuple[e.Event, ...] = (
    e.IncidentDeclared("INC-0001", "p95 fires", "drill", OUTLINE, "digest-1"),
    e.VerdictChanged("latency-p95", "firing", "34.2 s > 30 s", 34.2, 30.0, AT, "histogram_quantile(…)"),
    _confirmed("dashboard", "back", "run-1", "undo-dashboard", "call-provider"),
    _intended("back", "op-1"),
    e.StepSent(*_STEP, "op-1"),
    e.StepUnknown(*_STEP, "op-1", "no answer; the target can't be read"),
    e.ComponentStopped("dashboard", "step undo-dashboard needs a person"),
    e.StepSettled(*_STEP, "op-1", "not_done", "still revision 7"),
    _confirmed("dashboard", "back", "run-2", "undo-dashboard", "call-provider"),
    e.StepFailed(*_STEP, "back", "forbidden", True, False),
    e.ComponentStopped("dashboard", "step undo-dashboard was refused"),
    _confirmed("dashboard", "back", "run-3", "undo-dashboard", "call-provider"),
    _intended("back", "op-2"),
    e.StepSent(*_STEP, "op-2"),
    e.StepApplied(*_STEP, "op-2", "patched", by_probe=True),
    e.StepProven(*_STEP, "op-2", "3 of 3 ready"),
    e.StepSigned("dashboard", "call-provider", "back", "rang them at 22:14"),
    e.StopRequested("dashboard"),
    e.ComponentFinished("dashboard", "back"),
    _confirmed("gateway", "back", "run-4", "patch"),
    _intended("back", "op-3", ("gateway", "patch")),
    e.StepSent("gateway", "patch", "op-3"),
    e.StepDiverged("gateway", "patch", "op-3", "qec is half"),
    e.ComponentStopped("gateway", "step patch needs a person"),
    e.StepSettled("gateway", "patch", "op-3", "done", "put right by hand"),
    _confirmed("gateway", "forward", "run-5", "patch"),
    e.StepAlready("gateway", "patch", "forward", "as before"),
    e.ComponentFinished("gateway", "forward"),
    e.CheckRan("pods", "pass", "3 of 3 ready", 0.42),
    e.CheckSigned("complaints", "none since 22:20"),
    e.CheckWaived("nice", "not tonight"),
    e.NoticeAcknowledged("engineering", "told in the channel"),
    e.ProcedureRevised(OUTLINE, "digest-2"),
    e.IncidentResolved("p95 is back"),
)


OUTLINE_0_2_0 = replace(
    OUTLINE,
    triggers=(
        *OUTLINE.triggers,
        TriggerOutline("complaints", "Complaints", 10.0, judged="counter", window_seconds=1800.0),
        TriggerOutline("security", "Security", 0.0, judged="attestation", impact="security"),
    ),
    notices=(
        *OUTLINE.notices,
        NoticeOutline("team", "The team", 0.0, "slack", repeat_seconds=1200.0, audience="developers"),
        NoticeOutline("page", "The status page", 60.0, "statuspage", impact="user_facing", audience="public"),
    ),
    followups=(FollowUpOutline("logs", "Review logs", "root_cause", "kim", 172_800.0),),
    migrated_at=AT - timedelta(days=1),
)
_SEEN = (e.SeenTrigger("latency-p95", "firing", 34.2, 30.0, AT, "34.2 s > 30 s", (12.0, 31.5, 34.2), 1800.0),)

HISTORY_0_2_0: tuple[e.Event, ...] = (
    e.TriggerCounted("complaints", 2, "on the phone"),
    e.BaselineTaken("p95", 1.2, "s", "the average of 1 h up to 2026-02-28 22:00"),
    e.IncidentDeclared("INC-0002", "p95 fires again", "live", OUTLINE_0_2_0, "digest-3"),
    e.TriggersSeen("declared", "", _SEEN),
    e.AdviceGiven(("dashboard",), "Roll back Dashboard components, because p95 points to it."),
    e.TriggerAttested("security", True, "a token in a log"),
    e.ImpactStated("security", True, "security: a token in a log"),
    e.NoticeSending("team", "msg-1", 1, "INC-0002", "p95 fires.", "Slack, by its webhook"),
    e.NoticeFailed("team", "msg-1", "429 Too Many Requests", 2.0),
    e.NoticeSending("team", "msg-1", 2, "INC-0002", "p95 fires.", "Slack, by its webhook"),
    e.NoticeMaybeSent("team", "msg-1", "no answer in time"),
    e.NoticeSending("team", "msg-2", 1, "INC-0002", "p95 fires.", "Slack, by its webhook", "it did not arrive"),
    e.NoticeSent("team", "msg-2", "200 OK"),
    e.NoticeSnoozed("engineering", AT + timedelta(minutes=30), "they are on the call"),
    replace(_confirmed("gateway", "back", "run-6", "patch"), advice="Roll back Dashboard components", overrules=True),
    e.ComponentStopped("gateway", "stopped as asked"),
    e.CheckRan("pods", "fail", "2 of 3 ready", 0.4, ("gateway-1: CrashLoopBackOff",)),
    e.CheckWaived("pods", "known"),
    e.CheckWaived("complaints", "known"),
    e.TriggerAttested("security", False, "a test token"),
    e.FollowUpAdded("f1", "prevention", "Alert on memory", "ada", AT + timedelta(days=7)),
    e.IncidentResolved("p95 is back"),
    e.FollowUpDone("logs", "read and filed"),
)
HISTORY = (*HISTORY_0_1_0, *HISTORY_0_2_0)
