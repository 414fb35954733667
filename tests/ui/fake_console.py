"""A Console with scripted pictures and answers, for the screen's tests and for looking at the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from console.domain.events import Direction
from console.domain.outline import Impact, Section
from console.engine.ports import Change, Finding
from console.engine.view import (
    CheckView,
    ComponentView,
    Draft,
    IncidentView,
    NextAction,
    NoticeView,
    PlannedStep,
    Preview,
    StepView,
    TimelineItem,
    TriggerView,
    ViewState,
)

AT = datetime(2026, 3, 14, 3, 10, 6, tzinfo=UTC)


def ago(**spans: float) -> datetime:
    return AT - timedelta(**spans)


NO_INCIDENT = IncidentView("", "QEC-SFT migration", "none", "", None, 0.0, "", 0, "live", ("prod-eu-1",))
OPEN = IncidentView(
    "INC-0007",
    "QEC-SFT migration",
    "open",
    "p95 over 30 s since the rollout",
    ago(minutes=17, seconds=42),
    1062.0,
    "mira",
    1,
    "live",
    ("prod-eu-1",),
)

RISE = (
    4.1,
    4.0,
    4.4,
    5.2,
    7.9,
    12.4,
    16.0,
    21.7,
    25.1,
    28.8,
    33.0,
    34.4,
    35.1,
    34.0,
    33.2,
    31.9,
    30.8,
    33.7,
    34.9,
    34.2,
)
MEMORY = (61.0, 63.0, 66.0, 70.0, 74.0, 79.0, 83.0, 88.0, 90.5, 91.0)

P95_FIRING = TriggerView(
    "latency-p95",
    "API response time (p95)",
    "firing",
    34.2,
    30.0,
    "s",
    True,
    ago(minutes=7, seconds=12),
    "above 30 s at every evaluation for 7:12",
    "histogram_quantile(0.95, sum(rate(http_request_duration_seconds_bucket[5m])) by (le))",
    300.0,
    432.0,
    4.0,
    RISE,
    ("qec-analysis", "dashboard"),
)
MEMORY_PENDING = TriggerView(
    "memory",
    "Memory",
    "pending",
    91.0,
    90.0,
    "%",
    True,
    ago(minutes=3, seconds=10),
    "above 90 % for 3:10 of 5:00",
    "max(container_memory_usage_bytes / container_spec_memory_limit_bytes) * 100",
    300.0,
    190.0,
    4.0,
    MEMORY,
    ("qec-analysis",),
)
HEALTH_NO_DATA = TriggerView(
    "health",
    "Health checks",
    "no_data",
    None,
    2.0,
    "failed",
    True,
    ago(minutes=1),
    "http://prometheus:9090 answered 503 Service Unavailable",
)
QUEUE_STALE = TriggerView(
    "queue",
    "Decision queue",
    "stale",
    812.0,
    5000.0,
    "",
    True,
    ago(minutes=6),
    "last value 812 is 6 m 11 s old, stale after 45 s",
    age_seconds=371.0,
)
ERRORS_OK = TriggerView(
    "errors", "Error rate", "ok", 1.2, 5.0, "%", True, ago(hours=2), "below 5 %", age_seconds=4.0, curve=(1.0, 1.2)
)
COMPLAINTS_OK = TriggerView(
    "complaints", "User complaints", "ok", 4.0, 10.0, "/h", True, ago(hours=2), "4 in the last hour"
)
TRIGGERS = (P95_FIRING, MEMORY_PENDING, ERRORS_OK, HEALTH_NO_DATA, QUEUE_STALE, COMPLAINTS_OK)


def step(
    step_id: str, title: str, kind: str = "kubernetes.patch", state: Any = "untouched", reason: str = "", **more: Any
) -> StepView:
    return StepView(step_id, title, kind, state, reason, **more)


def component(component_id: str, title: str, *steps: StepView, state: Any = "untouched", **more: Any) -> ComponentView:
    more.setdefault("can_roll_back", state == "untouched")
    return ComponentView(
        component_id, title, state, more.pop("direction", "back"), more.pop("reason", ""), steps, **more
    )


PATCH = step("disable-qec", "patch api-gateway")
VALIDATOR = step("original-validator", "original policy validator")
QEC = component("qec-analysis", "QEC Analysis Service", PATCH, VALIDATOR)
DASHBOARD = component(
    "dashboard",
    "Dashboard components",
    step("undo-dashboard", "undo acgs-pgp-dashboard", "kubernetes.rollout_undo"),
    step("dashboard-config", "patch dashboard-config"),
)
OPA = component("opa", "OPA policy integration", step("restore-policies", "restore policies", "opa.restore"))
MONITORING = component(
    "monitoring", "Monitoring and alerting", step("apply-monitoring", "apply monitoring", "kubernetes.apply")
)
AUDIT = component("audit-trail", "Audit trail", step("restore-audit", "restore audit rows", "postgres.restore"))
POLICIES = component("policy-repository", "Policy repository", step("reset-branch", "reset main", "git.reset_branch"))
UNTOUCHED = (QEC, DASHBOARD, OPA, MONITORING, AUDIT, POLICIES)
SUGGESTED = (replace(QEC, suggested_by=("p95", "Memory")), replace(DASHBOARD, suggested_by=("p95",)), *UNTOUCHED[2:])

QEC_RUNNING = component(
    "qec-analysis",
    "QEC Analysis Service",
    replace(PATCH, state="proven", reason="QEC_ENABLED=false, 3 of 3 ready"),
    replace(VALIDATOR, state="applied", progress="1 of 2 ready", done=1, total=2, seconds=8.0),
    state="running",
    current=2,
)
RUNNING = (QEC_RUNNING, *(replace(c, can_roll_back=False) for c in SUGGESTED[1:]))
QEC_FAILED = component(
    "qec-analysis",
    "QEC Analysis Service",
    replace(PATCH, state="proven", reason="QEC_ENABLED=false, 3 of 3 ready"),
    replace(
        VALIDATOR,
        state="failed",
        reason="deployment acgs-pgp/policy-validator: 0 of 2 ready after 5:00; "
        "pod policy-validator-7d9f: ImagePullBackOff registry.local/validator:1.0",
    ),
    state="failed",
    reason="stopped at the first failure; nothing after it was begun",
    can_roll_forward=True,
)
QEC_UNKNOWN = component(
    "qec-analysis",
    "QEC Analysis Service",
    replace(PATCH, state="proven", reason="QEC_ENABLED=false, 3 of 3 ready"),
    replace(
        VALIDATOR,
        state="unknown",
        reason="sent, but the connection broke before an answer\nwanted: replicas 2\ncluster says: 503 since 03:08:10",
    ),
    state="unknown",
    reason="only the cluster can tell; look, then settle",
)
QEC_BACK = component(
    "qec-analysis",
    "QEC Analysis Service",
    replace(PATCH, state="proven", reason="QEC_ENABLED=false, 3 of 3 ready"),
    replace(VALIDATOR, state="already", reason="replicas 2, 2 of 2 ready"),
    state="rolled_back",
    can_roll_forward=True,
)

CHECKS = (
    CheckView(
        "pods-monitoring",
        "pods in monitoring",
        "health",
        "fail",
        "0 pods found with app=prometheus in namespace monitoring",
        True,
        False,
    ),
    CheckView("pods-acgs", "pods in acgs-pgp", "health", "pass", "8 of 8 ready", True, False),
    CheckView("gateway-health", "api-gateway /health", "health", "pass", "200 in 41 ms", True, False),
    CheckView("dashboard-health", "dashboard /health", "health", "pass", "200 in 55 ms", True, False),
    CheckView("policy-eval", "policy evaluation", "functional", "not_run", "", True, False),
    CheckView(
        "audit-write",
        "audit record is written",
        "functional",
        "pass",
        "row 88123 read back",
        False,
        False,
        running=True,
    ),
    CheckView("complaints-back", "user complaints back to normal", "functional", "not_run", "", True, True),
    CheckView("load", "load test", "performance", "unknown", "k6 is not installed on this machine", True, False),
    CheckView("latency", "p95 against the baseline", "performance", "stale", "2.1 times the baseline", True, False),
    CheckView("dr", "disaster recovery drill", "performance", "waived", "agreed with mira: next week", False, True),
    CheckView("owner", "service owner agrees", "performance", "signed", "Ana, by phone 03:02", True, True),
)


def notices(at: datetime = AT) -> tuple[NoticeView, ...]:
    del at
    return (
        NoticeView(
            "slack-dev", "Slack, developers", "acknowledged", ago(minutes=17), None, "slack", "posted in #incidents"
        ),
        NoticeView("mail-eng", "Mail, engineering management", "overdue", ago(minutes=2, seconds=42), -162.0, "email"),
        NoticeView("tracker", "Incident tracker", "waiting", AT + timedelta(minutes=4), 258.0, "tracker"),
        NoticeView("exec", "Executive brief", "waiting", AT + timedelta(minutes=43), 2598.0, "email"),
    )


TIMELINE = (
    TimelineItem(6, ago(seconds=8), "mira", "patch api-gateway proven: QEC_ENABLED=false, 3 of 3 ready", "good"),
    TimelineItem(5, ago(seconds=25), "mira", "confirmed: roll back QEC Analysis Service"),
    TimelineItem(
        4,
        ago(minutes=1, seconds=36),
        "console",
        "Health checks: no data, http://prometheus:9090 answered 503",
        "attention",
    ),
    TimelineItem(3, ago(minutes=7, seconds=12), "console", "API response time (p95) fires: 34.2 s above 30 s", "alarm"),
    TimelineItem(2, ago(minutes=17), "mira", "told: Slack, developers"),
    TimelineItem(1, ago(minutes=17, seconds=42), "mira", "declared: p95 over 30 s since the rollout"),
)

CALM = ViewState(
    AT,
    NO_INCIDENT,
    tuple(
        replace(t, verdict="ok", value=v, since=ago(hours=2), curve=())
        for t, v in ((P95_FIRING, 4.2), (MEMORY_PENDING, 61.0), (ERRORS_OK, 0.9), (COMPLAINTS_OK, 1.0))
    ),
    tuple(replace(c, can_roll_back=False) for c in UNTOUCHED),
    tuple(replace(c, state="not_run", evidence="", running=False) for c in CHECKS),
    (),
    (),
    NextAction("All is calm. Declare an incident when a trigger fires or somebody tells you.", key="declare"),
)
FIRING = ViewState(
    AT,
    OPEN,
    TRIGGERS,
    SUGGESTED,
    CHECKS,
    notices(),
    TIMELINE[2:],
    NextAction(
        "Roll back QEC Analysis Service: p95 and memory point to it", "rollback qec-analysis", "roll_back:qec-analysis"
    ),
    advised=("qec-analysis",),
)
RUNNING_VIEW = replace(
    FIRING,
    components=RUNNING,
    timeline=TIMELINE,
    next_action=NextAction("Wait for the validator (2 ready). Then soak 5 min and see whether p95 falls."),
)
FAILED_VIEW = replace(
    FIRING,
    components=(QEC_FAILED, *SUGGESTED[1:]),
    timeline=TIMELINE,
    next_action=NextAction(
        "Look at why policy-validator does not start, then go on with QEC Analysis Service", key="go_on:qec-analysis"
    ),
)
UNKNOWN_VIEW = replace(
    FIRING,
    components=(QEC_UNKNOWN, *RUNNING[1:]),
    timeline=TIMELINE,
    next_action=NextAction(
        "Look at policy-validator on the cluster, then say what the step counts as", key="settle:original-validator"
    ),
)
BACK_VIEW = replace(
    FIRING,
    components=(QEC_BACK, *SUGGESTED[1:]),
    timeline=TIMELINE,
    triggers=tuple(replace(t, verdict="ok", value=11.8) if t.id == "latency-p95" else t for t in TRIGGERS),
    next_action=NextAction("Run the checklist", key="run_checks"),
)
DRILL_VIEW = replace(RUNNING_VIEW, incident=replace(OPEN, mode="drill", contexts=("drill",)))
OBSERVE_VIEW = replace(RUNNING_VIEW, incident=replace(OPEN, mode="observe"))

EVIL = "[/oops] [@click=app.quit]x[/] \x1b]52;c;aGk=\x07\x1b[2J\x9b31m \u202egnp.exe"


def hostile_view() -> ViewState:
    return ViewState(
        AT,
        replace(OPEN, title=EVIL, commander=EVIL, contexts=(EVIL,), reason=EVIL),
        (
            replace(P95_FIRING, title=EVIL, unit=EVIL, reason=EVIL, query=EVIL),
            replace(HEALTH_NO_DATA, title=EVIL, reason=EVIL),
        ),
        (
            component(
                "qec-analysis",
                EVIL,
                step("s", EVIL, state="failed", reason=EVIL),
                state="failed",
                reason=EVIL,
                suggested_by=(EVIL,),
            ),
        ),
        (CheckView("c", EVIL, EVIL, "fail", EVIL, True, False),),
        (NoticeView("n", EVIL, "overdue", AT, -3.0, EVIL, EVIL),),
        (TimelineItem(1, AT, EVIL, EVIL, "alarm"),),
        NextAction(EVIL),
        EVIL,
    )


def long_view() -> ViewState:
    return replace(
        FIRING,
        triggers=tuple(replace(ERRORS_OK, id=f"t{n}", title=f"Trigger number {n}") for n in range(20)),
        components=tuple(replace(OPA, id=f"c{n}", title=f"Component number {n}") for n in range(30)),
        checks=tuple(
            replace(CHECKS[1], id=f"k{n}", title=f"Check number {n}", group=f"group {n // 8}") for n in range(40)
        ),
    )


def preview_of(
    component_id: str = "dashboard", title: str = "Dashboard components", mode: Any = "live", **more: Any
) -> Preview:
    undo = PlannedStep(
        "undo-dashboard",
        "undo acgs-pgp-dashboard",
        "kubernetes.rollout_undo",
        "deployment acgs-pgp/acgs-pgp-dashboard → revision 1 (dash:1.0, was healthy 6 days)",
        (),
        Change(
            "image dash:1.0",
            {"image": "dash:1.0"},
            {},
            ("- image: dash:2.0-qec", "+ image: dash:1.0"),
            ("kubectl -n acgs-pgp rollout undo deployment/acgs-pgp-dashboard --to-revision=1",),
        ),
        (
            Finding("ok", "allowed"),
            Finding("ok", "dry run accepted"),
            Finding("ok", "can be rolled forward"),
            Finding("warn", "Argo CD manages this Deployment and will put it back in about 3 min", "managed_by"),
        ),
    )
    config = PlannedStep(
        "dashboard-config",
        "patch dashboard-config",
        "kubernetes.patch",
        "configmap acgs-pgp/dashboard-config",
        (),
        Change(
            "show_qec_features",
            {"a": 1},
            {},
            ("  data:", '- show_qec_features: "true"', '+ show_qec_features: "false"'),
            ("kubectl -n acgs-pgp patch configmap dashboard-config --type merge -p '{…}'",),
        ),
        (Finding("ok", "allowed"), Finding("info", "restarts its 1 reader: deployment acgs-pgp/acgs-pgp-dashboard")),
    )
    return Preview(component_id, title, "back", AT, ("prod-eu-1",), mode, more.get("steps", (undo, config)))


def blocked_preview() -> Preview:
    good = preview_of()
    forbidden = Finding("block", "you may not patch deployments in acgs-pgp (403)", "forbidden")
    return replace(good, steps=(replace(good.steps[0], findings=(forbidden,)), good.steps[1]))


def already_preview() -> Preview:
    good = preview_of()
    return replace(
        good, steps=tuple(replace(s, change=replace(s.change, already=True, lines=())) for s in good.steps if s.change)
    )


@dataclass
class FakeConsole:
    """Shows `state`; every command is noted in `calls` and answered by `errors[name]`, if there is one."""

    state: ViewState = CALM
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    planned: Preview = field(default_factory=preview_of)
    gate: asyncio.Event | None = None  # when set, a preview waits for it
    view_error: Exception | None = None
    held: asyncio.Event | None = None  # when set, stopping and sending wait for it
    drafts: dict[str, Draft] = field(default_factory=dict)
    told: str = "sent: accepted for ops@example.com"  # what a message's sending answers
    outcome: ViewState | None = None  # the picture once a message's sending has been answered

    def view(self) -> ViewState:
        if self.view_error:
            raise self.view_error
        return self.state

    async def preview(self, component: str, direction: Direction) -> Preview:
        self._note("preview", component, direction)
        if self.gate is not None:
            await self.gate.wait()
        return replace(self.planned, component=component, direction=direction)

    async def confirm(self, preview: Preview, typed: str) -> None:
        self._note("confirm", preview, typed)

    async def stop(self, component: str) -> None:
        if self.held is not None:
            await self.held.wait()
        self._note("stop", component)

    async def settle(self, step: str, counts_as: Literal["done", "not_done"], note: str) -> None:
        self._note("settle", step, counts_as, note)

    async def recover(self) -> Sequence[str]:
        self._note("recover")
        return ("undo-dashboard: it is done, says the cluster",)

    async def declare(self, reason: str) -> None:
        self._note("declare", reason)

    async def sign(self, check_or_step: str, note: str) -> None:
        self._note("sign", check_or_step, note)

    async def waive(self, check: str, reason: str) -> None:
        self._note("waive", check, reason)

    async def acknowledge(self, notice: str, note: str) -> None:
        self._note("acknowledge", notice, note)

    async def draft(self, notice: str) -> Draft:
        self._note("draft", notice)
        if self.gate is not None:
            await self.gate.wait()
        return self.drafts.get(notice) or Draft(notice, notice, "email", "ops@example.com", "Subject", "Text")

    async def notify(self, notice: str, subject: str, text: str, again: str = "") -> str:
        self._note("notify", notice, subject, text, again)
        if self.held is not None:
            await self.held.wait()
        if self.outcome is not None:
            self.state = self.outcome
        if "sending" in self.errors:
            raise self.errors["sending"]
        return self.told

    async def snooze(self, notice: str, seconds: float, reason: str) -> None:
        self._note("snooze", notice, seconds, reason)

    async def state_impact(self, impact: Impact, applies: bool, note: str) -> None:
        self._note("state_impact", impact, applies, note)

    async def add_followup(
        self, section: Section, text: str, assignee: str = "", due_at: datetime | None = None
    ) -> None:
        self._note("add_followup", section, text, assignee, due_at)

    async def finish_followup(self, followup: str, note: str) -> None:
        self._note("finish_followup", followup, note)

    async def count(self, trigger: str, count: int, note: str = "") -> None:
        self._note("count", trigger, count)

    async def attest(self, trigger: str, holds: bool, reason: str) -> None:
        self._note("attest", trigger, holds, reason)

    async def resolve(self, note: str) -> None:
        self._note("resolve", note)

    async def run_checks(self, checks: Sequence[str] = ()) -> None:
        self._note("run_checks", tuple(checks))

    def _note(self, name: str, *arguments: Any) -> None:
        self.calls.append((name, *arguments))
        if name in self.errors:
            raise self.errors[name]
