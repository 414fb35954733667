"""`pagerduty`: wakes whoever is on call, one alert a message. Sending it again under its key makes no second alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from console.config.options import Options as TableOptions
from console.engine.ports import Message, Notifier
from console.targets.delivery import harmless

if TYPE_CHECKING:
    from console.engine.gateway import Permit
    from console.targets.pagerduty import PagerDutyTarget

KIND: Final = "pagerduty"
TARGET_KINDS: Final = ("pagerduty",)

LONGEST: Final = 100_000
"""An event may have 512 KB (https://developer.pagerduty.com/docs/send-alert-event); a character has up to 4 bytes."""
SUMMARY_LIMIT: Final = 1024
KEY_LIMIT: Final = 255


class Options(TableOptions):
    """An alert in PagerDuty."""

    severity: Literal["critical", "error", "warning", "info"] = "critical"
    """How bad it is; PagerDuty's rules decide by it who is woken."""


class PagerDutyNotifier:
    longest: int | None = LONGEST

    def __init__(self, options: Options, target: PagerDutyTarget) -> None:
        self._target = target
        self._severity = options.severity
        self.destination = f"PagerDuty ({target.name})"

    async def send(self, message: Message, permit: Permit) -> str:
        told = harmless(message, LONGEST)
        details = {"text": told.text, "incident": told.incident, "notice": told.notice}
        event = {
            # A key for each message, not one for the incident: a later message would be swallowed by the alert of the first.
            "dedup_key": f"{told.incident}/{told.notice}/{told.op}"[-KEY_LIMIT:],
            "client": "rollback-console",
            "payload": {
                "summary": told.subject[:SUMMARY_LIMIT],
                "source": told.title or told.incident,
                "severity": self._severity,
                "custom_details": details,
            },
        }
        return await self._target.trigger(message, permit, event)


def build(options: Options, target: PagerDutyTarget) -> Notifier:
    return PagerDutyNotifier(options, target)
