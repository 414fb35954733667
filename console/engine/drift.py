"""Whether the world is still the one that was confirmed, and if not: what changed and by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from console.domain.difference import differences, say
from console.domain.errors import Refused
from console.domain.events import ConfirmedChange
from console.engine.ports import Change, Receipt, Seen

_SHOWN = 4
_LONGEST = 60


@dataclass(slots=True)
class Expectation:
    """What a run expects of each object: as the preview showed it, then as the run's own steps left it."""

    previewed: Mapping[str, Seen] = field(default_factory=dict)
    _left: dict[str, Seen] = field(default_factory=dict)

    def leave(self, receipt: Receipt) -> None:
        self._left.update(receipt.left)

    def refuse_drift(self, change: Change, confirmed: ConfirmedChange) -> None:
        """Raises Refused, naming object, field and writer, when this is no longer what was confirmed."""
        for name, now in change.seen.items():
            left = self._left.get(name)
            expected = left.fingerprint if left else (confirmed.seen or {}).get(name, now.fingerprint)
            if now.fingerprint != expected:
                before = left or self.previewed.get(name)
                raise Refused(_what_and_who(name, before, now), "nothing was changed; preview it again")
        if change.hash != confirmed.hash and not change.already:
            raise Refused(
                f"the change is no longer the one that was confirmed: {change.summary}",
                "nothing was changed; preview it again",
            )


def _what_and_who(name: str, before: Seen | None, now: Seen) -> str:
    by = f" by {now.last_writer}" if now.last_writer else ""
    if before is not None and before.content is None:
        return f"{name} was created{by} since the preview"
    if before is not None and now.content is None:
        return f"{name} was deleted since the preview"
    text = f"{name} was changed{by} since the preview"
    if before is None:
        return text
    found = list(differences(before.content, now.content))
    shown = "; ".join(f"{d.where}: {_clipped(say(d.old))} → {_clipped(say(d.new))}" for d in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{text}: {shown}{more}"


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
