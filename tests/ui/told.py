"""Pictures of the communication plan for the screen's tests, and for looking at the screen: every state a notice can be in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from console.engine.view import Draft, FollowUpView, ImpactView, NextAction, NoticeView, TimelineItem, ViewState
from tests.ui import fake_console as fake
from tests.ui.fake_console import AT, ago


def notice(
    notice_id: str, title: str, state: Any, due_in: float | None = None, channel: str = "email", **more: Any
) -> NoticeView:
    due_at = more.pop("due_at", AT + timedelta(seconds=due_in) if due_in is not None else None)
    return NoticeView(notice_id, title, state, due_at, due_in, channel, **more)


OVERDUE = notice("mail-eng", "E-mail engineering management", "overdue", -162.0, to="eng-managers@example.com")
DUE = notice("tracker", "Update the incident tracking system", "due", -12.0, "http", to="tracker.example.com")
DUE_BY_HAND = notice("exec", "Brief the executive stakeholders", "due", -5.0, "manual")
WAITING = notice("exec", "Brief the executive stakeholders", "waiting", 2598.0, "manual")
SOON = notice("tracker", "Update the incident tracking system", "waiting", 258.0, "http", to="tracker.example.com")
SENT = notice(
    "slack-dev",
    "Notify the development team (Slack)",
    "sent",
    channel="slack",
    to="#incidents",
    note="mira: posted",
    given_at=ago(minutes=17),
    times_given=1,
    by="mira",
    attempt=1,
    subject="INC-0007: QEC-SFT migration",
    text="p95 has been over 30 s for 7 min.\nQEC Analysis Service is being rolled back.",
)
REPEATS = replace(
    SENT, repeats=True, due_in_seconds=723.0, due_at=AT + timedelta(seconds=723), given_at=ago(minutes=2), times_given=2
)
TOLD = notice(
    "owner", "Call the service owner", "acknowledged", channel="manual", note="ana: by phone", by="ana",
    given_at=ago(minutes=9), times_given=1,
)  # fmt: skip
SNOOZED = notice(
    "status",
    "Status page",
    "snoozed",
    597.0,
    "statuspage",
    impact="user_facing",
    note="put off by mira: waiting for legal",
)
SENDING = notice("mail-eng", OVERDUE.title, "sending", -164.0, to=OVERDUE.to, by="mira", attempt=1, text="…")
MAYBE = notice(
    "mail-eng", OVERDUE.title, "maybe_sent", -164.0, to=OVERDUE.to, by="mira", attempt=1,
    note="mira: mail.example.com:587 broke off after the text was sent", subject="INC-0007", text="p95 is over 30 s.",
)  # fmt: skip
FAILED = notice(
    "mail-eng", OVERDUE.title, "failed", -164.0, to=OVERDUE.to, by="mira", attempt=3,
    note="mira: mail.example.com:587 refuses eng-managers@example.com: 550 no such user", subject="INC-0007", text="p95 …",
)  # fmt: skip
RETRIED = replace(FAILED, due_in_seconds=40.0, due_at=AT + timedelta(seconds=40), retry_at=AT + timedelta(seconds=24))
UNASKED = notice("compliance", "Tell the compliance officer", "unasked", impact="compliance")
NOT_NEEDED = notice("security", "Tell the security team", "not_needed", impact="security", note="mira: no sign of it")
WITHDRAWN = notice("exec", WAITING.title, "withdrawn", due_at=ago(minutes=3))

IMPACTS = (
    ImpactView("user_facing", True, "mira", ago(minutes=12), "the dashboard is empty for customers"),
    ImpactView("compliance"),
    ImpactView("security", False, "mira", ago(minutes=11), "no sign of it"),
)
STORY = (
    TimelineItem(9, ago(minutes=1), "mira", f"{FAILED.title}: NOT sent: 550 no such user", "alarm", "mail-eng"),
    TimelineItem(
        8, ago(minutes=1, seconds=2), "mira", f"{FAILED.title}: mira sends it to {FAILED.to}", "plain", "mail-eng"
    ),
    *fake.TIMELINE,
)
FOLLOWUPS = (
    FollowUpView("f1", "INC-0007", "root_cause", "Find out why the validator leaked memory", "ana", AT + timedelta(days=3),
                 None, "", ""),
    FollowUpView("f2", "INC-0007", "root_cause", "Read the gateway's logs of 02:40 to 03:10", "", ago(hours=2), None, "", ""),
    FollowUpView("f3", "INC-0007", "prevention", "Load test the QEC path with the production mix of requests before it is "
                 "switched on again anywhere", "jo", AT + timedelta(days=14), None, "", ""),
    FollowUpView("f4", "INC-0007", "recovery", "Give the held Argo CD application back", "mira", None, ago(minutes=4), "mira",
                 "auto-sync is on again"),
)  # fmt: skip

ALL = (SENT, OVERDUE, SOON, WAITING, replace(SNOOZED, id="status"), UNASKED, NOT_NEEDED, TOLD)
VIEW = replace(
    fake.FIRING,
    notices=ALL,
    impacts=IMPACTS,
    followups=FOLLOWUPS,
    timeline=STORY,
    next_action=NextAction(
        "Overdue since 2 min 42 s: E-mail engineering management. Read the draft, then send it.",
        "notify mail-eng",
        "notify:mail-eng",
    ),
)


def view_with(*notices: NoticeView, **more: Any) -> ViewState:
    return replace(VIEW, notices=notices, **more)


LOUD = view_with(MAYBE, replace(FAILED, id="tracker", title=DUE.title), DUE_BY_HAND, REPEATS, SENT, UNASKED, SNOOZED)
DRILL = replace(VIEW, incident=replace(fake.OPEN, mode="drill", contexts=("drill",)))
RESOLVED = replace(
    VIEW, incident=replace(fake.OPEN, state="resolved"), notices=(SENT, WITHDRAWN), next_action=NextAction("")
)

TEXT = """\
QEC-SFT migration, incident INC-0007, declared at 02:52 UTC by mira: p95 over 30 s since the rollout.

What fires: API response time (p95), 34.2 s above 30 s for 7 min.
What is being done: QEC Analysis Service is being rolled back, step 2 of 2.
What is proven: patch api-gateway (QEC_ENABLED=false, 3 of 3 ready).

The next word comes at 03:25 UTC."""
DRAFT = Draft(
    "mail-eng", OVERDUE.title, "email", OVERDUE.to, "INC-0007 QEC-SFT migration: rollback under way", TEXT, 3000
)
AGAIN = replace(
    DRAFT, already="it may have arrived already: mail.example.com:587 broke off after the text was sent (03:07)"
)
