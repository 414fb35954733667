"""Icons and words for every state, in one place, and how times and values are written. Every widget asks here.

A state is always an icon and a word; the colour comes on top. `Wording(ascii_only=True)` says the same in ASCII.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from console.engine.view import CheckView, ComponentView, FollowUpView, NoticeView, StepView


class Sign(NamedTuple):
    """`style` names the theme's colours: alarm for what needs someone now, attention for what will."""

    icon: str
    word: str
    style: str


_ALARM, _ATTENTION, _GOOD, _RUNNING, _DIM = "bold $alarm", "$attention", "$good", "bold $running", "$dim"

_VERDICTS: Mapping[str, tuple[str, str, str, str]] = {
    "firing": ("▲", "!!", "FIRING", _ALARM),
    "pending": ("◔", "~~", "PENDING", "bold $attention"),
    "no_data": ("?", "??", "NO DATA", "bold $attention"),
    "stale": ("◌", "..", "STALE", "bold $attention"),
    "ok": ("✔", "ok", "ok", _GOOD),
    "clear": ("○", "o", "clear", _DIM),
}
_MOVEMENTS: Mapping[str, tuple[str, str, str, str]] = {
    "falling": ("↘", "\\", "falling", ""),
    "rising": ("↗", "/", "rising", ""),
    "steady": ("→", "=", "as before", ""),
}
_STEPS: Mapping[str, tuple[str, str, str, str]] = {
    "untouched": ("·", "-", "untouched", _DIM),
    "intended": ("●", "*", "about to send", _RUNNING),
    "sent": ("●", "*", "sent", _RUNNING),
    "applied": ("●", "*", "waiting for proof", _RUNNING),
    "proven": ("✔", "ok", "proven", _GOOD),
    "already": ("=", "=", "already so", _GOOD),
    "failed": ("✘", "XX", "FAILED", _ALARM),
    "unknown": ("⁇", "??", "UNKNOWN", _ALARM),
    "diverged": ("≠", "!=", "DIVERGED", _ALARM),
    "undone": ("↩", "<-", "undone", _GOOD),
    "person": ("✎", "->", "a person's turn", "bold $attention"),
}
_COMPONENTS: Mapping[str, tuple[str, str, str, str]] = {
    "untouched": ("·", "-", "untouched", _DIM),
    "stopped": ("■", "[]", "stopped half way", "bold $attention"),
    "failed": ("✘", "XX", "FAILED", _ALARM),
    "unknown": ("⁇", "??", "UNKNOWN", _ALARM),
    "rolled_back": ("✔", "ok", "rolled back", _GOOD),
    "rolled_forward": ("↩", "<-", "rolled forward again", _GOOD),
    "back": ("●", "*", "rolling back", _RUNNING),
    "forward": ("●", "*", "rolling forward", _RUNNING),
    "stopping": ("■", "[]", "stopping", "bold $attention"),
}
_CHECKS: Mapping[str, tuple[str, str, str, str]] = {
    "running": ("●", "*", "running", _RUNNING),
    "not_run": ("·", "-", "not run", _DIM),
    "to_sign": ("✎", "->", "to sign", _DIM),
    "pass": ("✔", "ok", "pass", _GOOD),
    "fail": ("✘", "XX", "FAIL", _ALARM),
    "unknown": ("⁇", "??", "UNKNOWN", "bold $attention"),
    "stale": ("◌", "..", "stale", "$attention"),
    "signed": ("✔", "ok", "signed", _GOOD),
    "waived": ("~", "~", "waived", "$attention"),
}
_NOTICES: Mapping[str, tuple[str, str, str, str]] = {
    "waiting": ("◷", "..", "waiting", _DIM),
    "due": ("▲", "!!", "DUE NOW", "bold $attention"),
    "overdue": ("▲", "!!", "OVERDUE", _ALARM),
    "snoozed": ("z", "zz", "put off", "$attention"),
    "sending": ("●", "*", "sending", _RUNNING),
    "sent": ("✔", "ok", "sent", _GOOD),
    "maybe_sent": ("⁇", "??", "MAYBE SENT", _ALARM),
    "failed": ("✘", "XX", "NOT SENT", _ALARM),
    "retried": ("✘", "XX", "not sent", "bold $attention"),
    "acknowledged": ("✔", "ok", "told", _GOOD),
    "unasked": ("○", "o", "if so", "$note"),
    "not_needed": ("–", "-", "not needed", _DIM),
    "withdrawn": ("·", "-", "not given", _DIM),
}
_TOUCHES: Mapping[str, str] = {
    "user_facing": "users are affected",
    "compliance": "compliance is touched",
    "security": "security is touched",
}
_TOUCHED: Mapping[str, tuple[str, str]] = {
    "user_facing": ("users affected?", "Are users affected?"),
    "compliance": ("compliance touched?", "Is compliance touched?"),
    "security": ("security touched?", "Is security touched?"),
}
_SECTIONS: Mapping[str, str] = {"root_cause": "Root cause", "prevention": "Prevention", "recovery": "Recovery"}
_FOLLOWUPS: Mapping[str, tuple[str, str, str, str]] = {
    "open": ("○", "o", "open", ""),
    "late": ("▲", "!!", "LATE", "bold $attention"),
    "done": ("✔", "ok", "done", _GOOD),
}
_FINDINGS: Mapping[str, tuple[str, str, str, str]] = {
    "ok": ("✔", "ok", "ok", _GOOD),
    "info": ("·", "-", "note", _DIM),
    "warn": ("▲", "!!", "WARNING", "bold $attention"),
    "block": ("✘", "XX", "BLOCKED", _ALARM),
}
LOUD_WORDS: Mapping[str, str] = {"overdue": "OVERDUE", "maybe_sent": "MAYBE SENT", "failed": "NOT SENT"}
"""What of the communication plan needs somebody now, the worst first."""
_SOON_SECONDS = 300
_LEVELS: Mapping[str, str] = {"plain": "", "good": _GOOD, "attention": _ATTENTION, "alarm": _ALARM}


class Wording:
    def __init__(self, ascii_only: bool = False) -> None:
        self.ascii_only = ascii_only
        self.cursor = ">" if ascii_only else "▸"
        self.context = "on" if ascii_only else "⎈"
        self.suggested = "=>" if ascii_only else "▹"
        self.criterion = "*" if ascii_only else "◆"
        self.dot = "-" if ascii_only else "·"
        self.dash = "-" if ascii_only else "–"
        self.ellipsis = ".." if ascii_only else "…"
        self.minus = "-" if ascii_only else "−"
        self.arrow = "->" if ascii_only else "→"

    def verdict(self, verdict: str) -> Sign:
        return self._sign(_VERDICTS, verdict)

    def movement(self, movement: str) -> Sign:
        """Where a value goes: `falling`, `rising` or `steady`; whether that is good depends on the trigger."""
        return self._sign(_MOVEMENTS, movement)

    def step(self, step: StepView, waits_for_person: bool = False) -> Sign:
        return self._sign(_STEPS, "person" if waits_for_person else step.state)

    def component(self, component: ComponentView, waits_for_person: bool = False) -> Sign:
        if waits_for_person:
            return self._sign(_STEPS, "person")
        if component.state == "running":
            return self._sign(_COMPONENTS, "stopping" if component.stop_requested else component.direction)
        return self._sign(_COMPONENTS, component.state)

    def check(self, check: CheckView) -> Sign:
        if check.running:
            return self._sign(_CHECKS, "running")
        return self._sign(_CHECKS, "to_sign" if check.by_person and check.state == "not_run" else check.state)

    def notice(self, notice: NoticeView) -> Sign:
        retried = notice.state == "failed" and not is_loud(notice)
        return self._sign(_NOTICES, "retried" if retried else notice.state)

    def notice_now(self, notice: NoticeView, at: datetime) -> Sign:
        """With the time that matters in this state: since when, until when, in how long."""
        sign = self.notice(notice)
        return Sign(sign.icon, self._timed(notice, sign.word, at), "bold $attention" if _soon(notice) else sign.style)

    def _timed(self, notice: NoticeView, word: str, at: datetime) -> str:
        due_in = notice.due_in_seconds
        if notice.state == "overdue":
            return f"{word} {duration(-(due_in or 0.0))}"
        if notice.state == "waiting":
            return countdown(due_in) if due_in is not None else word
        if notice.state == "snoozed" and notice.due_at:
            return f"{word} until {clock_minutes(notice.due_at)}"
        if notice.state == "unasked" and notice.impact:
            return self.touches(notice.impact)
        if notice.state == "failed" and notice.retry_at:
            again = (notice.retry_at - at).total_seconds()
            return f"{word}, again {countdown(again) if again > 0 else 'now'}"
        if notice.state in ("sent", "acknowledged") and due_in is not None:
            return f"again {countdown(due_in)}"
        if notice.state in ("sent", "acknowledged") and notice.given_at:
            return f"{word} {clock_minutes(notice.given_at)}"
        return word

    def touches(self, impact: str, whole: bool = False) -> str:
        """The question that an external notice hangs on; as a sentence of its own with `whole`."""
        return _TOUCHED[impact][whole] if impact in _TOUCHED else f"{impact}?"

    def followup(self, item: FollowUpView, at: datetime) -> Sign:
        late = item.due_at is not None and item.due_at < at
        return self._sign(_FOLLOWUPS, "done" if item.done_at else "late" if late else "open")

    def touched(self, impact: str) -> str:
        """The answer yes to that question."""
        return _TOUCHES.get(impact, f"{impact} applies")

    def section(self, section: str) -> str:
        return _SECTIONS.get(section, section)

    def option(self, chosen: bool) -> str:
        """A choice among several, of which one holds."""
        if self.ascii_only:
            return "(*)" if chosen else "( )"
        return "◉" if chosen else "○"

    def finding(self, level: str) -> Sign:
        return self._sign(_FINDINGS, level)

    def level(self, level: str) -> str:
        return _LEVELS.get(level, "")

    def bar(self, done: float, total: float, width: int) -> str:
        filled = max(0, min(width, round(width * done / total))) if total > 0 else 0
        full, empty = ("#", ".") if self.ascii_only else ("▓", "░")
        return full * filled + empty * (width - filled)

    def _sign(self, signs: Mapping[str, tuple[str, str, str, str]], state: str) -> Sign:
        icon, plain, word, style = signs.get(state, ("?", "??", state.replace("_", " "), _ATTENTION))
        return Sign(plain if self.ascii_only else icon, word, style)


def is_loud(notice: NoticeView) -> bool:
    """A failed one that goes again by itself needs nobody while there is time."""
    if notice.state == "failed" and notice.retry_at is not None:
        return (notice.due_in_seconds or 0.0) < 0
    return notice.state in LOUD_WORDS


def _soon(notice: NoticeView) -> bool:
    """Whether a quiet notice will want somebody within five minutes."""
    quiet = notice.state in ("waiting", "snoozed", "sent", "acknowledged")
    return quiet and notice.due_in_seconds is not None and notice.due_in_seconds < _SOON_SECONDS


def duration(seconds: float) -> str:
    """0:08, 7:12, 1:02:03."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"


def elapsed(seconds: float) -> str:
    whole = max(0, int(seconds))
    return f"T+ {whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def countdown(seconds: float) -> str:
    """Calm while it is far away: seconds count only in the last ten minutes."""
    if seconds >= 600:
        minutes = int(seconds // 60)
        return f"in {minutes} min" if minutes < 100 else f"in {minutes // 60} h {minutes % 60:02}"
    return f"in {duration(seconds)}"


def rough(seconds: float) -> str:
    """A time that doesn't change with every look: "<1 m", "3 m", "2 h", "5 d"."""
    units = (("d", 86_400), ("h", 3_600), ("m", 60))
    return next((f"{int(seconds // size)} {unit}" for unit, size in units if seconds >= size), "<1 m")


def clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def clock_minutes(at: datetime) -> str:
    return f"{at:%H:%M}"


def number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "no value"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def amount(value: float | None, unit: str) -> str:
    return f"{number(value)} {unit}".rstrip() if value is not None else "no value"


def limit(threshold: float, unit: str, above: bool) -> str:
    """The threshold as words that are true whatever the value: "max 30 s", "min 0.95"."""
    return f"{'max' if above else 'min'} {amount(threshold, unit)}"
