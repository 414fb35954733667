"""Overdue and firing are loud beyond the screen: the bell, once for each, and the terminal window's title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.ui.literal import clean

if TYPE_CHECKING:
    from console.engine.view import ViewState

_KEEP_TITLE, _GIVE_BACK_TITLE = "\x1b[22;2t", "\x1b[23;2t"  # xterm's title stack; others ignore it


class Alarm:
    def __init__(self, title: str) -> None:
        self._title = title
        self._known: frozenset[str] | None = None
        self._written = ""

    def look(self, view: ViewState) -> tuple[bool, str]:
        """Whether to ring, and what to write to the terminal for the title (empty: nothing new)."""
        firing = {f"t:{t.id}" for t in view.triggers if t.verdict == "firing"}
        overdue = {f"n:{n.id}" for n in view.notices if n.state == "overdue"}
        loud = frozenset(firing | overdue)
        ring = bool(loud - self._known) if self._known is not None else bool(overdue)
        self._known = loud if self._known is None else self._known | loud
        words = [f"{len(firing)} FIRING"] * bool(firing) + [f"{len(overdue)} OVERDUE"] * bool(overdue)
        title = clean(" ".join([*words, view.incident.id, self._title])).strip()
        if title == self._written:
            return ring, ""
        prefix = "" if self._written else _KEEP_TITLE
        self._written = title
        return ring, f"{prefix}\x1b]2;{title}\x07"

    def give_back(self) -> str:
        return _GIVE_BACK_TITLE if self._written else ""
