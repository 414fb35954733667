"""`triggers.quiet`: every trigger is ok, and has been for a while.

It asks nobody: it reads the verdicts that the console has itself, those of people included. A trigger without data is not
quiet, and neither is one that stopped firing a minute ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from console.config.options import Duration, Slug
from console.config.options import Options as TableOptions
from console.domain.events import CheckOutcome
from console.domain.triggers import TriggerReading, clock_time, span
from console.engine.ports import Check, Evidence, Known

KIND: Final = "triggers.quiet"
TARGET_KINDS: Final[tuple[str, ...]] = ()

_SHOWN: Final = 3


class Options(TableOptions):
    """Which triggers must be ok, and for how long."""

    triggers: tuple[Slug, ...] = ()
    """Ids of triggers; left out: all of them."""
    for_seconds: Duration = 0.0
    """How long each must have been ok without a break."""


@dataclass(frozen=True, slots=True)
class _Finding:
    title: str
    words: str
    outcome: CheckOutcome


class TriggersQuiet:
    """Fails for a trigger that is broken or was lately; unknown where the only trouble is that nobody can tell."""

    def __init__(self, options: Options) -> None:
        self._options = options

    async def run(self) -> Evidence:
        return Evidence("unknown", "it reads the triggers' verdicts, which only the console at work knows")

    async def compare(self, check_id: str, known: Known) -> Evidence:
        del check_id  # nothing is recorded under it
        if strangers := [i for i in self._options.triggers if i not in known.titles]:
            there = ", ".join(known.titles) or "none"
            return Evidence("unknown", f"there is no trigger {', '.join(strangers)}; triggers: {there}")
        wanted = self._options.triggers or tuple(known.titles)
        if not wanted:
            return Evidence("unknown", "the procedure has no triggers")
        findings = [self._judged(known.titles[i], known.readings.get(i), known.at) for i in wanted]
        return self._summed_up(findings)

    def _judged(self, title: str, reading: TriggerReading | None, now: datetime) -> _Finding:
        if reading is None:
            return _Finding(title, "not asked yet", "unknown")
        since = f" since {clock_time(reading.since, now)}" if reading.since else ""
        words = f"{_VERDICTS[reading.verdict]}{since}: {reading.reason}"
        if reading.verdict in ("firing", "pending"):
            return _Finding(title, words, "fail")
        if reading.verdict != "ok":
            return _Finding(title, words, "fail" if reading.was_firing_since else "unknown")
        if reading.since is None:  # of what people keep: it never was otherwise
            return _Finding(title, words, "pass")
        held = (now - reading.since).total_seconds()
        if held >= self._options.for_seconds:
            return _Finding(title, words, "pass")
        lasting = f"ok for {span(max(held, 0.0))} of {span(self._options.for_seconds)}"
        if reading.open_ended:
            return _Finding(title, f"{lasting}, and nothing is known of the time before: {reading.reason}", "unknown")
        return _Finding(title, f"{lasting}: {reading.reason}", "fail")

    def _summed_up(self, findings: list[_Finding]) -> Evidence:
        bad = [f for f in findings if f.outcome != "pass"]
        bad.sort(key=lambda f: f.outcome != "fail")
        detail = tuple(f"{f.title}: {f.words}" for f in (*bad, *(f for f in findings if f.outcome == "pass")))
        if not bad:
            held = f" for {span(self._options.for_seconds)}" if self._options.for_seconds else ""
            return Evidence("pass", f"{_triggers(len(findings))} ok{held}", detail)
        told = "; ".join(f"{f.title} {f.words}" for f in bad[:_SHOWN])
        more = f" and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        text = f"{len(bad)} of {_triggers(len(findings))} not quiet: {told}{more}"
        return Evidence(bad[0].outcome, text, detail)


_VERDICTS: Final = {"ok": "ok", "pending": "PENDING", "firing": "FIRING", "no_data": "no data", "stale": "STALE"}


def _triggers(count: int) -> str:
    return f"{count} trigger{'' if count == 1 else 's'}"


def build(options: Options, target: None = None) -> Check:
    del target  # it takes none
    return TriggersQuiet(options)
