"""The picture of this moment as words for a notice: one value for each `$name` of `config/facts.py`. `drafts.py` asks.

Every value is clean and bounded: what a person typed, what a target said and what a file holds go out to other people's screens.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from console.domain.outline import Impact, NoticeOutline
from console.domain.triggers import amount, span
from console.engine.view import ComponentView, ImpactView, TriggerView, ViewState

LINE_LIMIT: Final = 300
_ITEMS: Final = 12

_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Controls, formats (bidi, zero width), lone surrogates, private and unassigned characters, foreign line ends."""


def plain(text: str, limit: int) -> str:
    """The text without anything that a terminal or another reader obeys; lines stay, at most `limit` characters."""
    unix = text[: 4 * limit].replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    kept = "".join(c for c in unix if c == "\n" or unicodedata.category(c) not in _DROPPED)
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def plain_line(text: str, limit: int = LINE_LIMIT) -> str:
    """The same as one line: every run of white space is one blank."""
    spaced = "".join(" " if c.isspace() else c for c in text[: 4 * limit])
    return plain(" ".join(spaced.split()), limit)


def facts(view: ViewState, notice: NoticeOutline) -> dict[str, str]:
    incident = view.incident
    since = incident.declared_at
    return {
        "title": plain_line(incident.title),
        "incident": plain_line(incident.id),
        "reason": plain_line(incident.reason),
        "commander": plain_line(incident.commander),
        "status": incident.state,
        "since": _moment(since) if since else "",
        "elapsed": _duration(incident.elapsed_seconds),
        "now": _moment(view.at),
        "where": plain_line(", ".join(incident.contexts)),
        "stage": _stage(view),
        "progress": _progress(view),
        "firing": _listed((_fires(t, view.at) for t in view.triggers if _is_firing(t)), "- nothing"),
        "rolled_back": _listed(_rolled_back(view.components), "- nothing yet"),
        "under_way": _listed((_running(c) for c in view.components if c.state == "running"), "- nothing"),
        "trouble": _listed(_trouble(view.components), ""),
        "next": _next(view),
        "impact": _impact(view),
        **{name: _touched(view, impact) for impact, (name, _) in _IMPACTS.items()},
        "next_update": _next_update(view, notice),
        "notice": plain_line(notice.title),
    }


# ---------------------------------------------------------------- how far it is


def _stage(view: ViewState) -> str:
    """Said to everybody: nothing but what is certain, and no name of anything inside."""
    if view.incident.state == "resolved":
        return "The problem is resolved."
    running = {c.direction for c in view.components if c.state == "running"}
    if "back" in running:
        return "We are going back to an earlier version."
    if running:
        return "We are at work on it."
    if any(c.state == "rolled_back" for c in view.components):
        return "We went back to an earlier version and are watching the effect."
    return "We are looking into it."


def _progress(view: ViewState) -> str:
    total = len(view.components)
    done = sum(c.state == "rolled_back" for c in view.components)
    if not done:
        return "nothing rolled back yet" if view.incident.state == "open" else "nothing rolled back"
    return f"{done} of {total} {'component' if total == 1 else 'components'} rolled back"


def _next(view: ViewState) -> str:
    """The next step of the rollback. Not the console's advice, which may be to send this very message."""
    titles = {c.id: plain_line(c.title) for c in view.components}
    if view.incident.state != "open":
        return "nothing: it is resolved" if view.incident.state == "resolved" else ""
    if running := [c for c in view.components if c.state == "running"]:
        return f"finish {' and '.join(titles[c.id] for c in running)}"
    if view.soak and view.soak.left_seconds > 0:
        return f"see for {span(math.ceil(view.soak.left_seconds))} whether {plain_line(view.soak.title)} helped"
    if advised := [titles[i] for i in view.advised if i in titles]:
        return f"decide on rolling back {', then '.join(advised)}"
    if any(_is_firing(t) for t in view.triggers):
        return "find out why it still fires"
    if all(c.state == "untouched" for c in view.components):
        return "find out what is wrong"
    if open_ := sum(c.criterion and c.state not in ("pass", "signed", "waived") for c in view.checks):
        return f"prove that all is well: {open_} {'check is' if open_ == 1 else 'checks are'} open"
    return "resolve the incident"


# ---------------------------------------------------------------- what fires, what was done


def _is_firing(trigger: TriggerView) -> bool:
    return trigger.verdict == "firing" or trigger.was_firing


def _fires(trigger: TriggerView, now: datetime) -> str:
    since = f", since {_time(trigger.since, now)}" if trigger.since else ""
    if trigger.verdict != "firing":
        return f"{trigger.title}: fired until its data broke off"
    if trigger.judged == "attestation" or trigger.value is None:
        return f"{trigger.title}: {trigger.reason}"
    limit = f"{'above' if trigger.above else 'below'} {amount(trigger.threshold, trigger.unit)}"
    return f"{trigger.title}: {amount(trigger.value, trigger.unit)}, {limit}{since}"


def _rolled_back(components: Iterable[ComponentView]) -> Iterable[str]:
    """Only what is proven, or was found to be so already, step by step."""
    for component in components:
        if component.state == "rolled_back":
            yield component.title
        elif done := sum(s.state in ("proven", "already") for s in component.steps):
            yield f"{component.title}: {done} of {len(component.steps)} steps"


def _running(component: ComponentView) -> str:
    step = component.steps[component.current - 1] if component.current else None
    at = f", step {component.current} of {len(component.steps)}: {step.title}" if step else ""
    return f"{component.title}, rolling {component.direction}{at}"


def _trouble(components: Iterable[ComponentView]) -> Iterable[str]:
    for component in components:
        if component.state in ("failed", "unknown", "stopped"):
            reason = f": {component.reason}" if component.reason else ""
            yield f"{component.title} is {component.state}{reason}"


def _listed(items: Iterable[str], none: str) -> str:
    lines = [f"- {plain_line(item)}" for item in items]
    if len(lines) > _ITEMS:
        lines[_ITEMS:] = [f"- and {len(lines) - _ITEMS} more"]
    return "\n".join(lines) or none


# ---------------------------------------------------------------- who is touched


_IMPACTS: Final[dict[Impact, tuple[str, str]]] = {
    "user_facing": ("users", "users are"),
    "compliance": ("compliance", "compliance is"),
    "security": ("security", "security is"),
}


def _impact(view: ViewState) -> str:
    said: dict[str, list[str]] = {"affected": [], "not affected": [], "not known yet": []}
    known = {i.impact: i.applies for i in view.impacts}
    for impact, (_, words) in _IMPACTS.items():
        applies = known.get(impact)
        state = "not known yet" if applies is None else "affected" if applies else "not affected"
        said[state].append(words)
    if not said["affected"] and not said["not affected"]:
        return "not known yet"
    return "; ".join(f"{words} {state}" for state, all_ in said.items() for words in all_)


def _touched(view: ViewState, impact: Impact) -> str:
    found = next((i for i in view.impacts if i.impact == impact), ImpactView(impact))
    if found.applies is None or found.at is None:
        return "not known yet"
    word = "affected" if found.applies else "not affected"
    return plain_line(f"{word}, says {found.by} at {_time(found.at, view.at)}: {found.note}")


# ---------------------------------------------------------------- time


def _next_update(view: ViewState, notice: NoticeOutline) -> str:
    if not notice.repeat_seconds or view.incident.state != "open":
        return ""
    return _time(view.at + timedelta(seconds=notice.repeat_seconds), view.at)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _time(at: datetime, now: datetime) -> str:
    return f"{at:%H:%M} UTC" if at.date() == now.date() else _moment(at)


def _duration(seconds: float) -> str:
    """To the minute: who reads a mail does not count seconds."""
    minutes = int(seconds // 60)
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    words = [f"{hours} h"] if hours else []
    return " ".join([*words, *([f"{minutes} min"] if minutes or not hours else [])])
