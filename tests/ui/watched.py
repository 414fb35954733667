"""Pictures rich in triggers, evidence and a soak, for the screen's tests and for looking at the screen."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

from console.engine.view import BeforeAfter, CheckView, NextAction, SoakView, TriggerView, ViewState
from tests.ui import fake_console as fake
from tests.ui.fake_console import AT, ago


def rise(start: float, end: float, points: int = 120) -> tuple[float, ...]:
    """A curve that turns from one level to the other in its middle, a little uneven, as curves are."""
    return tuple(
        start + (end - start) / (1 + math.exp(-12 * (x / points - 0.55))) + 0.02 * abs(end - start) * math.sin(x)
        for x in range(points)
    )


P95 = replace(
    fake.P95_FIRING,
    curve=rise(4.0, 34.2),
    curve_seconds=1785.0,
    clear=25.0,
    series=4,
    crossing=3,
    reason="34.2 s > 30 s for 7 m 12 s, at every evaluation; 3 of 4 series, worst service=policy-validator",
)
MEMORY = replace(fake.MEMORY_PENDING, curve=rise(58.0, 91.0), curve_seconds=1785.0)
HEALTH = replace(
    fake.HEALTH_NO_DATA,
    was_firing=True,
    reason="no sample for 6 m; source failing: 503; was FIRING since 03:01:12 UTC until the source fell silent",
)
QUEUE = fake.QUEUE_STALE
AVAILABILITY = TriggerView(
    "availability",
    "Availability of the policy API",
    "pending",
    97.2,
    99.0,
    "%",
    False,
    ago(seconds=30),
    "97.2 % < 99 %, 2 of 3 in a row",
    'avg(up{job="policy"}) * 100',
    age_seconds=51.0,
    curve=rise(99.9, 97.2),
    curve_seconds=1785.0,
    consecutive=3,
    in_a_row=2,
    before_migration=True,
    suggests=("opa",),
)
ERRORS = replace(fake.ERRORS_OK, curve=rise(0.4, 1.2), curve_seconds=1785.0)
COMPLAINTS = replace(
    fake.COMPLAINTS_OK,
    judged="counter",
    age_seconds=0.0,
    curve=(0.0,) * 30 + (1.0, 2.0, 2.0, 4.0),
    curve_seconds=3600.0,
)


def attestation(trigger_id: str, title: str, **more: Any) -> TriggerView:
    return replace(
        TriggerView(trigger_id, title, "ok", None, 0.0, "", True, None, "nobody has said so", judged="attestation"),
        **more,
    )


SECURITY = attestation("security", "Security incident", impact="security")
DATA = attestation("data", "Data integrity")
COMPLIANCE = attestation("compliance", "Compliance breach", impact="compliance")
DATA_HOLDS = replace(
    DATA, verdict="firing", since=ago(minutes=2), reason="attested by ana at 03:08:06 UTC: 41 audit rows have no actor"
)
TRIGGERS = (P95, MEMORY, ERRORS, HEALTH, QUEUE, AVAILABILITY, COMPLAINTS, SECURITY, DATA, COMPLIANCE)

_SEEN = (
    {"at": ago(minutes=3), "seconds": 0.4, "detail": ("prometheus-0  CrashLoopBackOff", "prometheus-1  Pending")},
    {"at": ago(minutes=3), "seconds": 0.3, "detail": ("8 pods, all ready",)},
    {"at": ago(minutes=3), "seconds": 0.04},
    {"at": ago(minutes=3), "seconds": 0.06},
    {},
    {"at": ago(minutes=12)},
    {},
    {"at": ago(minutes=3)},
    {"at": ago(minutes=26), "seconds": 61.0},
    {"at": ago(minutes=9)},
    {"at": ago(minutes=8)},
)
CHECKS: tuple[CheckView, ...] = tuple(replace(c, **seen) for c, seen in zip(fake.CHECKS, _SEEN, strict=True))

FIRING: ViewState = replace(fake.FIRING, triggers=TRIGGERS, checks=CHECKS, advised=("qec-analysis", "dashboard"), at=AT)
MANY: ViewState = replace(
    FIRING,
    triggers=(
        *TRIGGERS,
        *(replace(ERRORS, id=f"e{n}", title=f"Error rate of service {n}") for n in range(12)),
        replace(DATA_HOLDS, id="data-2", title="Integrity of the audit trail"),
    ),
)
SOAKING: ViewState = replace(
    FIRING,
    components=(fake.QEC_BACK, *fake.SUGGESTED[1:]),
    timeline=fake.TIMELINE,
    triggers=(
        replace(P95, verdict="ok", value=11.8, curve=(*rise(4.0, 34.2, 90), *rise(34.0, 11.8, 30)), crossing=0),
        replace(MEMORY, verdict="firing", value=90.4, since=ago(minutes=6)),
        ERRORS,
        COMPLAINTS,
        SECURITY,
        DATA,
        COMPLIANCE,
    ),
    advised=("dashboard",),
    soak=SoakView(
        "qec-analysis",
        "QEC Analysis Service",
        160.0,
        300.0,
        (
            BeforeAfter("latency-p95", P95.title, "s", 34.2, 11.8, "firing", "ok"),
            BeforeAfter("memory", "Memory", "%", 91.0, 90.4, "firing", "firing"),
            BeforeAfter("errors", "Error rate", "%", 1.2, 0.9, "ok", "ok"),
            BeforeAfter("complaints", "User complaints", "/h", 4.0, 4.0, "ok", "ok"),
        ),
        "API response time (p95) cleared; Memory still fires",
    ),
    next_action=NextAction(
        "Soak for 2 m 40 s after QEC Analysis Service: see whether Memory clears.", "triggers --watch", "helped"
    ),
)


def later(state: ViewState, seconds: float) -> ViewState:
    return replace(state, at=state.at + timedelta(seconds=seconds))
