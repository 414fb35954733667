"""A history with every event of this release in it, as an evening might have brought it."""

from __future__ import annotations

from datetime import UTC, datetime

from console.domain import events as e
from console.domain.outline import (
    CheckOutline,
    ComponentOutline,
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


HISTORY: tuple[e.Event, ...] = (
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
