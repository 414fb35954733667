"""An evening as a journal: driven through decide and evolve at times of its own, with something of everything in it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from console.domain import commands as c
from console.domain import events as e
from console.domain.decide import decide
from console.domain.evolve import evolve
from console.domain.outline import (
    CheckOutline,
    ComponentOutline,
    FollowUpOutline,
    NoticeOutline,
    Outline,
    StepOutline,
    TriggerOutline,
)
from console.journals import codec
from console.report.model import Chained
from tests.domain.acting import Acting

BEGAN = datetime(2026, 3, 28, 21, 47, 12, 250_000, tzinfo=UTC)
"""Shortly before midnight in Berlin, on the eve of the change to summer time."""

OUTLINE = Outline(
    title="QEC-SFT migration",
    components=(
        ComponentOutline(
            "qec-analysis",
            "QEC analysis service",
            (
                StepOutline("disable-qec", "Disable the QEC analysis endpoint", "kubernetes.patch", "cluster"),
                StepOutline("original-validator", "Fall back to the original validator", "kubernetes.apply", "cluster"),
            ),
        ),
        ComponentOutline(
            "dashboard",
            "Dashboard components",
            (
                StepOutline("undo-dashboard", "Roll the dashboard back", "kubernetes.rollout_undo", "cluster"),
                StepOutline("call-provider", "Call the provider of the CDN", "manual"),
            ),
        ),
        ComponentOutline(
            "opa-policies", "OPA policy integration", (StepOutline("restore", "Restore the bundle", "opa.restore"),)
        ),
    ),
    triggers=(
        TriggerOutline("latency-p95", "API response time (p95)", 30.0, "s", suggests=("qec-analysis",)),
        TriggerOutline("error-ratio", "Error rate over 10 minutes", 5.0, "%", suggests=("qec-analysis",)),
        TriggerOutline("memory", "Memory of the gateway", 90.0, "%", suggests=("dashboard",)),
        TriggerOutline("complaints", "User complaints", 10.0, judged="counter"),
        TriggerOutline("vulnerability", "Security vulnerability", 0.0, judged="attestation", impact="security"),
    ),
    checks=(
        CheckOutline("performance", "Services perform as before the migration", "performance", "prom", criterion=True),
        CheckOutline("no-loss", "No data is lost or corrupted", "data", "postgres", criterion=True),
        CheckOutline("complaints-back", "Complaints are back to the usual", "people", "manual", criterion=True),
        CheckOutline("load-test", "Load tests pass", "performance", "command.run", criterion=True),
        CheckOutline("api-gateway", "The gateway answers", "health", "http.ok"),
        CheckOutline("grafana", "Grafana answers", "health", "http.ok"),
    ),
    notices=(
        NoticeOutline("developers", "Tell the development team", 0.0, "slack", audience="developers"),
        NoticeOutline("management", "Mail engineering management", 900.0, "email", audience="management"),
        NoticeOutline("tracker", "Update the incident tracker", 1800.0, "webhook", audience="tracker"),
        NoticeOutline("executives", "Brief the executives", 3600.0, audience="executives"),
        NoticeOutline("status-page", "Update the status page", 0.0, "statuspage", impact="user_facing"),
        NoticeOutline("security-team", "Alert the security team", 0.0, "pagerduty", impact="security"),
    ),
    soak_seconds=300.0,
    followups=(
        FollowUpOutline("review-logs", "Review logs and metrics of the failure", "root_cause", "ada", 7 * 86400.0),
        FollowUpOutline("update-tests", "Tests that would have caught it", "prevention", due_seconds=14 * 86400.0),
        FollowUpOutline("plan-again", "Plan the migration in smaller steps", "recovery"),
    ),
)


class Evening(Acting):
    """`later` moves the clock; each event takes a fifth of a second."""

    def __init__(self, outline: Outline = OUTLINE) -> None:
        super().__init__(outline)
        self.now = BEGAN

    def later(self, seconds: float) -> Evening:
        self.now += timedelta(seconds=seconds)
        return self

    def do(self, command: c.Command, actor: str = "kim") -> tuple[e.Event, ...]:
        events = decide(self.incident, command)
        for event in events:
            self.now += timedelta(seconds=0.2)
            self.history.append(e.Recorded(len(self.history) + 1, self.now, actor, 1, event))
            self.incident = evolve(self.incident, self.history[-1])
            self.states.append(self.incident)
        return events

    def run(self, component: str, *, seconds: float = 9.0) -> Evening:
        for step in self._left(component):
            if self[component].steps[step].by_person:
                continue
            op = f"op-{len(self.history)}"
            self.fact(self.intended(component, step, op), e.StepSent(component, step, op)).later(seconds)
            self.fact(
                e.StepApplied(component, step, op, "the object is as wanted"),
                e.StepProven(component, step, op, "3 of 3 replicas updated and ready"),
            )
        return self


def chained(history: Iterable[e.Recorded]) -> list[Chained]:
    """With the hashes that a journal would give them."""
    found, previous = [], codec.GENESIS
    for recorded in history:
        at, body = codec.timestamp(recorded.at), codec.encode(recorded.event)
        previous = codec.chain(previous, recorded.seq, at, recorded.actor, recorded.epoch, body)
        found.append(Chained(codec.recorded(recorded.seq, at, recorded.actor, recorded.epoch, body), previous))
    return found


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def wave(start: float, end: float, *, ripple: float = 0.03) -> tuple[float, ...]:
    """Sixty values from one to the other, as a service moves: slowly, then quickly, never quite smoothly."""
    span = end - start
    return tuple(
        round(start + span / (1 + math.exp(-(i - 30) / 5)) + ripple * max(abs(start), abs(end)) * math.sin(i * 1.7), 4)
        for i in range(60)
    )


def level(value: float, **more: float) -> tuple[float, ...]:
    return wave(value, value, **more)


def seen(
    occasion: e.Occasion, component: str = "", since: datetime | None = None, **curves: tuple[float, ...]
) -> e.TriggersSeen:
    """Each trigger with this curve over half an hour; its verdict follows from its last value."""
    triggers = []
    for trigger in OUTLINE.triggers:
        curve = curves.get(trigger.id.replace("-", "_"), ())
        value = curve[-1] if curve else None
        firing = value is not None and value > trigger.threshold
        triggers.append(
            e.SeenTrigger(
                trigger.id,
                "firing" if firing else "ok",
                value,
                None if trigger.judged == "attestation" else trigger.threshold,
                since,
                f"{value} against {trigger.threshold:g}" if curve else "nobody has said so",
                curve,
                1800.0 if curve else 0.0,
            )
        )
    return e.TriggersSeen(occasion, component, tuple(triggers))


def change(
    step: str, summary: str, lines: tuple[str, ...], commands: tuple[str, ...], **more: Any
) -> e.ConfirmedChange:
    return e.ConfirmedChange(step, digest(summary), summary, lines, commands, **more)


QEC_CHANGES = (
    change(
        "disable-qec",
        "Deployment acgs-pgp/api-gateway: container gateway: QEC_ENABLED",
        (
            "  Deployment acgs-pgp/api-gateway",
            "  containers[gateway].env:",
            '-   QEC_ENABLED: "true"',
            '+   QEC_ENABLED: "false"',
        ),
        ("kubectl -n acgs-pgp set env deployment/api-gateway -c gateway QEC_ENABLED=false",),
    ),
    change(
        "original-validator",
        "1 object applied, 1 created",
        (
            "+ Service acgs-pgp/policy-validator",
            "  Deployment acgs-pgp/policy-validator",
            "- image: validator:2.0-qec",
            "+ image: validator:1.8",
        ),
        ("kubectl apply --server-side -f backup/original-policy-validator.yaml",),
    ),
)
DASHBOARD_CHANGES = (
    change(
        "undo-dashboard",
        "revision 7 → 5, acgs-pgp-dashboard",
        ("- image: dash:2.0-qec", "+ image: dash:1.9"),
        ("kubectl -n acgs-pgp rollout undo deployment/acgs-pgp-dashboard --to-revision=5",),
    ),
    change("call-provider", "a person calls the provider", (), ()),
)


def declared() -> Evening:
    """p95 and the error rate fire; kim declares."""
    evening = Evening()
    evening.do(c.Count("complaints", 4, "the support channel"), "lee")
    evening.later(95)
    since = BEGAN - timedelta(minutes=6)
    evening.do(
        c.Declare(
            "p95 is at 34 s since the migration",
            "live",
            OUTLINE,
            digest("the file"),
            (
                e.VerdictChanged(
                    "latency-p95", "firing", "34.2 s > 30 s for 6 m", 34.2, 30.0, since, "histogram_quantile(…)"
                ),
                e.VerdictChanged("error-ratio", "firing", "7.1 % > 5 % for 4 m", 7.1, 5.0, since, "sum(rate(…))"),
                e.VerdictChanged("memory", "ok", "71 % ≤ 90 %", 71.0, 90.0, since, "container_memory"),
            ),
            seen(
                "declared",
                latency_p95=wave(3, 34.2),
                error_ratio=wave(0.4, 7.1),
                memory=level(71),
                complaints=level(4, ripple=0),
            ),
        )
    )
    return evening


def half_way() -> Evening:
    """The guilty component is rolled back and soaked; the dashboard is in doubt; a message may have arrived."""
    evening = declared()
    evening.fact(
        e.AdviceGiven(
            ("qec-analysis",),
            "Roll back QEC analysis service, because API response time (p95) and Error rate point to it.",
        )
    )
    _tell(evening, "developers", "#dev", e.NoticeSent("developers", "n1", "the webhook took it"), "n1")
    evening.do(c.StateImpact("user_facing", True, "customers see timeouts"), "lee")
    evening.do(c.Snooze("status-page", evening.now + timedelta(minutes=5), "the wording is being agreed"), "lee")
    evening.later(80)
    _confirm(
        evening,
        "qec-analysis",
        QEC_CHANGES,
        False,
        latency_p95=wave(20, 36.9),
        error_ratio=level(7.4),
        memory=level(73),
        complaints=level(4, ripple=0),
    )
    evening.run("qec-analysis").fact(e.ComponentFinished("qec-analysis", "back"))
    evening.fact(e.CheckRan("performance", "fail", "p95 12.4 s, baseline 2.8 s (± 10 %)", 0.31))
    evening.later(200)
    evening.fact(e.VerdictChanged("latency-p95", "ok", "4.1 s ≤ 30 s", 4.1, 30.0, evening.now))
    evening.fact(e.VerdictChanged("error-ratio", "pending", "5.2 % > 5 % for 20 s of 10 m", 5.2, 5.0, evening.now))
    evening.later(120)
    evening.fact(
        seen(
            "soak_ended",
            "qec-analysis",
            latency_p95=wave(36, 3.1),
            error_ratio=wave(7.4, 0.6),
            memory=wave(73, 93.5),
            complaints=level(4, ripple=0),
        )
    )
    evening.fact(
        e.VerdictChanged("error-ratio", "ok", "0.6 % ≤ 5 %", 0.6, 5.0, evening.now),
        e.VerdictChanged("memory", "firing", "93.5 % > 90 % for 5 m", 93.5, 90.0, evening.now - timedelta(minutes=5)),
        e.AdviceGiven(("dashboard",), "Roll back Dashboard components, because Memory of the gateway points to it."),
    )
    _tell(
        evening,
        "status-page",
        "status.example.org",
        e.NoticeMaybeSent("status-page", "n2", "no answer within 10 s"),
        "n2",
    )
    evening.later(60)
    _confirm(
        evening,
        "dashboard",
        DASHBOARD_CHANGES,
        False,
        latency_p95=level(3.1),
        error_ratio=level(0.6),
        memory=level(93.5),
        complaints=level(6, ripple=0),
    )
    evening.sent("dashboard", "undo-dashboard", "op-lost").later(30)
    evening.fact(
        e.StepUnknown("dashboard", "undo-dashboard", "op-lost", "no answer, and the API server can't be reached"),
        e.ComponentStopped("dashboard", "step undo-dashboard needs a person"),
    )
    return evening


def resolved() -> Evening:
    """The whole evening."""
    evening = half_way()
    evening.later(100)
    evening.do(c.Settle("dashboard", "undo-dashboard", "not_done", "the deployment is still at revision 7"), "lee")
    _confirm(
        evening,
        "dashboard",
        DASHBOARD_CHANGES,
        False,
        latency_p95=level(3.0),
        error_ratio=level(0.6),
        memory=level(94.2),
        complaints=level(6, ripple=0),
    )
    evening.run("dashboard", seconds=21)
    evening.do(c.Sign("call-provider", "spoke to Ms Ortiz, cache is purged"), "lee")
    evening.fact(e.ComponentFinished("dashboard", "back"))
    evening.do(c.Acknowledge("status-page", "it is on the page, seen from a phone"), "lee")
    evening.later(310)
    evening.fact(
        seen(
            "soak_ended",
            "dashboard",
            latency_p95=level(2.9),
            error_ratio=level(0.4),
            memory=wave(94, 64),
            complaints=level(6, ripple=0),
        )
    )
    evening.fact(e.VerdictChanged("memory", "ok", "64 % ≤ 90 %", 64.0, 90.0, evening.now))
    evening.fact(e.AdviceGiven((), "Nothing fires any more: stop here, OPA policy integration can stay."))
    _confirm(
        evening,
        "opa-policies",
        (change("restore", "nothing to restore", (), ("curl …",), already=True),),
        True,
        latency_p95=level(2.9),
        error_ratio=level(0.4),
        memory=level(63),
        complaints=level(6, ripple=0),
    )
    evening.fact(e.StepAlready("opa-policies", "restore", "back", "12 modules, hashes as in the archive"))
    evening.fact(e.ComponentFinished("opa-policies", "back"))
    message = "Engineering,\n\np95 is back at 2.9 s since 22:13 UTC.\n\nkim"
    _tell(
        evening,
        "management",
        "eng-mgmt@example.org",
        e.NoticeFailed("management", "n3", "451 greylisted", 60.0),
        "n3",
        message,
    )
    evening.later(60)
    _tell(
        evening,
        "management",
        "eng-mgmt@example.org",
        e.NoticeSent("management", "n3", "250 queued as 7F2A"),
        "n3",
        message,
        2,
    )
    evening.do(c.Count("complaints", 2, "two more in the forum"), "lee")
    evening.do(c.TakeBaseline((e.BaselineTaken("performance", 2.8, "s", "p95 from 20 to 27 March"),)))
    evening.later(40)
    evening.fact(
        e.CheckRan("performance", "pass", "p95 2.9 s, baseline 2.8 s (± 10 %)", 0.29, ("p95: 2.9 s", "p99: 4.4 s")),
        e.CheckRan("no-loss", "pass", "48 112 rows, none missing, none changed", 1.72),
        e.CheckRan("api-gateway", "pass", "200 in 41 ms", 0.04, ('{"status": "ok"}',)),
        e.CheckRan("grafana", "unknown", "no answer within 5 s", 5.0),
    )
    evening.do(c.Sign("complaints-back", "two an hour, as on any day"), "lee")
    evening.do(c.Waive("load-test", "k6 is not installed here; it runs tomorrow at 9"))
    evening.do(c.AddFollowUp("root_cause", "Which query of the analysis is slow?", "noor"))
    evening.later(30)
    evening.do(
        c.Resolve(
            "p95 and memory are back, the rest can stay",
            seen(
                "resolved",
                latency_p95=level(2.9),
                error_ratio=level(0.4),
                memory=level(62),
                complaints=level(6, ripple=0),
            ),
        )
    )
    evening.later(3600)
    evening.do(c.FinishFollowUp("review-logs", "in the wiki, page 77"), "ada")
    return evening


def _confirm(
    evening: Evening,
    component: str,
    changes: tuple[e.ConfirmedChange, ...],
    overrules: bool,
    **curves: tuple[float, ...],
) -> None:
    evening.later(25)
    advised = evening.incident.advised
    evening.do(
        c.Confirm(
            component, "back", f"run-{len(evening.history)}", changes, component,
            advice=advised.text if advised else "", overrules=overrules, seen=seen("confirmed", component, **curves),
        )
    )  # fmt: skip


def _tell(
    evening: Evening,
    notice: str,
    to: str,
    outcome: Any,
    op: str,
    text: str = "We are rolling the analysis back.",
    attempt: int = 1,
) -> None:
    evening.later(6)
    if attempt == 1:
        evening.do(c.Notify(notice, op, f"{OUTLINE.title}: {notice}", text, to))
    else:
        evening.do(c.RetryNotice(notice, op, attempt))
    evening.later(0.8).fact(outcome)
