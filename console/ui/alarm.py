"""What needs somebody now is loud beyond the screen: the bell, once for each, the terminal window's title, tmux's window name.

A terminal multiplexer is told only where there is one, and only while something is loud; its window then has its own name again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from console.ui.literal import clean
from console.ui.wording import LOUD_WORDS, is_loud

if TYPE_CHECKING:
    from console.engine.view import ViewState

_KEEP_TITLE, _GIVE_BACK_TITLE = "\x1b[22;2t", "\x1b[23;2t"  # xterm's title stack; others ignore it
_NAME_BEGINS, _NAME_ENDS = "\x1bk", "\x1b\\"  # see multiplexer.py


class Alarm:
    def __init__(self, title: str, *, names_window: bool = False) -> None:
        self._title = title
        self._names_window = names_window
        self._known: frozenset[str] | None = None
        self._written = ""
        self._named = ""
        self.own_name = ""
        """How the multiplexer's window was called by hand; empty where it names its windows by itself."""

    def look(self, view: ViewState) -> tuple[bool, str]:
        """Whether to ring, and what to write to the terminal for title and name (empty: nothing new)."""
        firing = {f"t:{t.id}" for t in view.triggers if t.verdict == "firing"}
        late = [n for n in view.notices if is_loud(n)]
        # Each turn of a repeating notice rings anew, and so does each way in which it needs somebody.
        loud_notices = {f"n:{n.id}:{n.state}:{n.times_given}" for n in late}
        loud = firing | loud_notices
        ring = bool(loud - self._known) if self._known is not None else bool(loud_notices)
        self._known = frozenset(loud if self._known is None else self._known | loud)
        counts: Counter[str] = Counter(n.state for n in late)
        words = [f"{len(firing)} FIRING"] * bool(firing)
        words += [f"{counts[state]} {word}" for state, word in LOUD_WORDS.items() if counts[state]]
        title = clean(" ".join([*words, view.incident.id, self._title])).strip()
        return ring, self._entitled(title) + self._renamed(" ".join(words))

    def give_back(self) -> str:
        return (_GIVE_BACK_TITLE if self._written else "") + self._renamed("")

    def _entitled(self, title: str) -> str:
        if title == self._written:
            return ""
        prefix = "" if self._written else _KEEP_TITLE
        self._written = title
        return f"{prefix}\x1b]2;{title}\x07"

    def _renamed(self, name: str) -> str:
        """An empty name is the window's own again: the one given by hand, or whatever tmux calls it by itself."""
        if not self._names_window or name == self._named:
            return ""
        self._named = name
        return f"{_NAME_BEGINS}{name or clean(self.own_name)}{_NAME_ENDS}"
