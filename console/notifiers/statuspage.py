"""`statuspage`: the public word. The first notice of an incident opens one on the page, later ones update it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from console.config.options import Options as TableOptions
from console.engine.ports import Message, Notifier
from console.targets.delivery import harmless
from console.targets.statuspage import Update

if TYPE_CHECKING:
    from console.engine.gateway import Permit
    from console.targets.statuspage import StatuspageTarget

KIND: Final = "statuspage"
TARGET_KINDS: Final = ("statuspage",)

LONGEST: Final = 10_000
_MARKUP: Final = str.maketrans({"<": "‹", ">": "›"})
"""A page renders some HTML and Markdown, its mails and text messages none: an entity would be read as it stands."""


class Options(TableOptions):
    """A public word on a status page."""

    status: Literal["investigating", "identified", "monitoring", "resolved"] | None = None
    """What the page says of the incident from then on; left out: `investigating` when it is opened, and then as it was. A notice
    after the incident was resolved says `resolved`."""
    impact_override: Literal["none", "minor", "major", "critical"] | None = None
    """How bad the page calls it when it is opened; left out: as bad as its components are."""
    notify_subscribers: bool = True
    """Whether the page's subscribers are told."""


class StatuspageNotifier:
    longest: int | None = LONGEST

    def __init__(self, options: Options, target: StatuspageTarget) -> None:
        self._target = target
        self._options = options
        self.destination = f"status page {target.page}"

    async def send(self, message: Message, permit: Permit) -> str:
        told = harmless(message, LONGEST)
        update = Update(
            name=_literal(told.subject),
            body=_literal(told.text) or _literal(told.subject),
            status="resolved" if message.resolved else self._options.status,
            impact=self._options.impact_override,
            deliver=self._options.notify_subscribers,
        )
        return await self._target.tell(message, permit, update)


def _literal(text: str) -> str:
    """Without anything that a page could take for an element or a link with words of its own."""
    return text.translate(_MARKUP).replace("](", "] (")


def build(options: Options, target: StatuspageTarget) -> Notifier:
    return StatuspageNotifier(options, target)
