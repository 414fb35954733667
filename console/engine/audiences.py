"""What each audience is told when the procedure has no words of its own: the voice of the drafts. `drafts.py` asks.

Developers get the details; management what is done about it; executives impact, state and when they hear more; the public
nothing internal and nothing that is not known; compliance and security what touches them, and on whose word.
The `$names` are those of `config/facts.py`. A line whose names all have nothing to say is left out of the draft.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from console.domain.outline import Audience, NoticeOutline


@dataclass(frozen=True, slots=True)
class Words:
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Voice:
    """While the incident is open, and once it is resolved."""

    open: Words
    resolved: Words


VOICES: Final[Mapping[Audience, Voice]] = {
    "developers": Voice(
        Words(
            "$incident $title: $progress",
            """\
$title: $incident is open since $since ($elapsed), led by $commander.
Reason: $reason
Where: $where

Firing:
$firing

Rolled back and proven:
$rolled_back

Under way:
$under_way

In trouble:
$trouble

Next: $next
Impact: $impact
Next update: $next_update
""",
        ),
        Words(
            "$incident $title: resolved",
            """\
$title: $incident is resolved after $elapsed. It was open since $since, led by $commander.
Reason: $reason

Rolled back and proven:
$rolled_back

Still firing:
$firing
""",
        ),
    ),
    "management": Voice(
        Words(
            "$title: $incident, $progress",
            """\
$title: incident $incident is open since $since ($elapsed). $commander leads it.
Why it was declared: $reason

State: $stage
Impact: $impact

What fires:
$firing

Rolled back and proven:
$rolled_back

Under way:
$under_way

Next: $next
Next update: $next_update
""",
        ),
        Words(
            "$title: $incident is resolved",
            """\
$title: incident $incident is resolved after $elapsed. It was open since $since, led by $commander.
Impact: $impact

Rolled back and proven:
$rolled_back

The review follows.
""",
        ),
    ),
    "tracker": Voice(
        Words(
            "$incident: $title",
            """\
Status: $status
Since: $since ($elapsed)
As of: $now
Commander: $commander
Reason: $reason
Impact: $impact

Firing:
$firing

Rolled back and proven:
$rolled_back

Under way:
$under_way

In trouble:
$trouble

Next: $next
""",
        ),
        Words(
            "$incident: $title",
            """\
Status: $status
Since: $since, for $elapsed
Commander: $commander
Reason: $reason
Impact: $impact

Rolled back and proven:
$rolled_back

Still firing:
$firing
""",
        ),
    ),
    "executives": Voice(
        Words(
            "$title: incident open for $elapsed",
            """\
Impact: $impact
State: $stage
Open since $since ($elapsed). $commander leads the response.
Next update: $next_update
""",
        ),
        Words(
            "$title: incident resolved",
            """\
State: resolved after $elapsed. It was open since $since.
Impact: $impact
A review follows.
""",
        ),
    ),
    "public": Voice(
        Words(
            "A problem with our service",
            """\
We noticed a problem with our service on $since.
$stage
Next update: $next_update
""",
        ),
        Words(
            "The problem with our service is resolved",
            """\
The problem with our service that we noticed on $since is resolved. It took us $elapsed.
""",
        ),
    ),
    "compliance": Voice(
        Words(
            "$title: incident $incident, for compliance",
            """\
Compliance: $compliance

Incident $incident ($title) is open since $since ($elapsed). $commander leads it.
Why it was declared: $reason
Users: $users
Security: $security

Changed so far:
$rolled_back

Under way:
$under_way

Every decision, measurement and change is kept in the incident's record.
Next update: $next_update
""",
        ),
        Words(
            "$title: incident $incident is resolved, for compliance",
            """\
Compliance: $compliance

Incident $incident ($title) is resolved. It was open since $since, for $elapsed, led by $commander.
Why it was declared: $reason

Changed:
$rolled_back

Every decision, measurement and change is kept in the incident's record.
""",
        ),
    ),
    "security": Voice(
        Words(
            "SECURITY: $title, incident $incident",
            """\
Security: $security

Incident $incident ($title) is open since $since ($elapsed). $commander leads it.
Why it was declared: $reason
Where: $where

What fires:
$firing

Rolled back and proven:
$rolled_back

Under way:
$under_way

In trouble:
$trouble

Next update: $next_update
""",
        ),
        Words(
            "SECURITY: $title, incident $incident is resolved",
            """\
Security: $security

Incident $incident ($title) is resolved. It was open since $since, for $elapsed, led by $commander.
Why it was declared: $reason

Rolled back and proven:
$rolled_back

Still firing:
$firing
""",
        ),
    ),
}

_PUBLIC: Final = "statuspage"
_BY_IMPACT: Final[Mapping[str, Audience]] = {
    "user_facing": "public",
    "compliance": "compliance",
    "security": "security",
}
_BY_CHANNEL: Final[Mapping[str, Audience]] = {
    "slack": "developers",
    "pagerduty": "developers",
    "webhook": "tracker",
}


def is_public(channel: str) -> bool:
    """Whether what goes through a channel of this kind can be read by the whole world."""
    return channel == _PUBLIC


def audience_of(notice: NoticeOutline) -> Audience:
    """As the procedure says; else by what it hangs on, then by its channel. A mail, or a notice by hand, goes to management.

    What reaches the world is worded for the world, whatever it hangs on.
    """
    if notice.audience:
        return notice.audience
    if is_public(notice.channel):
        return "public"
    return _BY_IMPACT.get(notice.impact or "", _BY_CHANNEL.get(notice.channel, "management"))
